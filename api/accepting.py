"""What a caller accepts: the media type of a reply, by ``Accept`` (RFC 9110, 12.5.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.requests import Request

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"

_QUALITY: Final = re.compile(r";\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*(?:;|$)", re.IGNORECASE)


class _Wish(NamedTuple):
    """How much a media type is wanted, from 0 to 1, and how closely it is named: 2 is by itself."""

    quality: float = 0.0
    closeness: int = -1


def wants_events(request: Request) -> bool:
    """Whether a reply is to be a stream of events, and not JSON.

    Whoever names the stream can read it, so that it is given unless JSON is wanted more; whoever
    takes anything gets JSON.

    Raises:
        HTTPException: 406; neither is accepted.
    """
    accept = ", ".join(request.headers.getlist("accept")) or "*/*"
    events, json = _wish(accept, EVENTS), _wish(accept, JSON)
    if events.quality == json.quality == 0:
        raise HTTPException(406, f"This address answers with {JSON} or {EVENTS}: accept one.")
    named = events.closeness == len(EVENTS.split("/"))
    return events.quality > json.quality or (named and events.quality == json.quality)


def _wish(accept: str, media_type: str) -> _Wish:
    """The wish that counts for a media type: of those that cover it, the one that is closest."""
    kind = media_type.partition("/")[0]
    covering = ["*/*", f"{kind}/*", media_type]
    best = _Wish()
    for part in accept.split(","):
        named = part.partition(";")[0].strip().lower()
        if named in covering:
            stated = _QUALITY.search(part)
            wish = _Wish(float(stated[1]) if stated else 1.0, covering.index(named))
            best = max(best, wish, key=lambda each: (each.closeness, each.quality))
    return best

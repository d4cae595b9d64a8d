"""Replies in JSON: with the members asked for, and an ``ETag`` that saves sending them again."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Depends, Header
from starlette.responses import Response

from api.selection import selected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

# Differ between two replies that say the same.
_VOLATILE: Final = ("took_ms", "timings")
# What a reply depends on beside its address.
VARY: Final = "Authorization, X-API-Key, Cookie, Accept, Accept-Encoding"

IfNoneMatch = Annotated[
    str | None, Header(max_length=1000, description="The `ETag` of the reply that you have.")
]


class Replies:
    """Makes the replies to one request; a dependency of routes that are read with GET."""

    def __init__(self, if_none_match: IfNoneMatch = None) -> None:
        self._known = if_none_match

    def json(
        self,
        body: dict[str, Any],
        model: type[BaseModel],
        fields: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Reply with a body of the shape of ``model``, or 304 where the caller has it already.

        Raises:
            UsageError: ``fields`` names what ``model`` has not.
        """
        shown = selected(body, fields, model)
        stable = {name: value for name, value in shown.items() if name not in _VOLATILE}
        return self.tagged(_bytes(shown), _bytes(stable), "application/json", headers)

    def is_known(self, tag: str) -> bool:
        """Whether the caller has the reply of a tag already."""
        return _names(self._known, tag.removeprefix("W/"))

    def tagged(
        self,
        content: bytes,
        stable: bytes,
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Reply with content under a tag made of what of it is ``stable``."""
        mark = f'"{hashlib.sha256(stable).hexdigest()[:32]}"'
        # Weak: replies of one tag say the same, but may tell of another time taken, or be packed.
        said = {**(headers or {}), "ETag": f"W/{mark}", "Vary": VARY}
        if self.is_known(mark):
            return Response(status_code=304, headers=said)
        return Response(content, media_type=media_type, headers=said)


Reply = Annotated[Replies, Depends()]


def deprecated(since: date, until: date, guide: str) -> dict[str, str]:
    """The headers of something that will go: since when, until when, and what to use instead.

    Deprecation is RFC 9745, Sunset RFC 8594; ``guide`` is an address that explains.
    """
    begun = datetime.combine(since, time(), UTC)
    ended = datetime.combine(until, time(), UTC)
    return {
        "Deprecation": f"@{int(begun.timestamp())}",
        "Sunset": format_datetime(ended, usegmt=True),
        "Link": f'<{guide}>; rel="deprecation"',
    }


def _bytes(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _names(known: str | None, mark: str) -> bool:
    """Whether an ``If-None-Match`` names a tag; compared weakly, as RFC 9110 has it."""
    if known is None:
        return False
    listed = {each.strip().removeprefix("W/") for each in known.split(",")}
    return mark in listed or "*" in listed

"""The calls of a query as files that others read: calendar, feed, table, lines of JSON."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from kb.calls.atom import TAG, FeedItem, feed
from kb.calls.export import to_csv, to_jsonl, to_xlsx
from kb.calls.ics import CalendarCall, calendar, dropped
from kb.calls.news import NewsKind
from kb.calls.query import MOST_CALLS
from kb.errors import UsageError
from kb.model import Access, CallStatus
from kb.shapes import call_hit_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from kb.bootstrap import KnowledgeBase
    from kb.calls.finder import CallHit
    from kb.calls.news import CallNews
    from kb.calls.query import CallQuery
    from kb.model import Call, Document

# A larger calendar is none that anybody reads. The limit counts calls, each of which may have
# several events.
MOST_EVENTS = 1_000
MOST_ENTRIES = 100
# News that are looked through for those entries, newest first.
MOST_NEWS = 5_000
# How long a withdrawn call stays in a calendar as cancelled, and news in a feed.
REMEMBERED = timedelta(days=90)
_ENDINGS = {NewsKind.CLOSED, NewsKind.GONE}
_NAMES = {"fr": "Appels à projets", "en": "Calls for proposals"}
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "jsonl": "application/x-ndjson",
    "ics": "text/calendar; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Telling:
    """For whom a file is written: what they may see, when, in which language.

    ``name`` is the calendar's or feed's; ``url_of`` gives the address of a call's page by the id of
    its document, where its source gives none; ``self_url`` is where the file itself is read.
    """

    access: Access
    now: datetime
    language: str
    self_url: str = ""
    name: str = ""
    url_of: Callable[[str], str] = lambda document_id: f"/v1/documents/{document_id}"

    @property
    def title(self) -> str:
        """The name, or what the file holds."""
        return self.name or _NAMES[self.language]


def written(kb: KnowledgeBase, asked: CallQuery, telling: Telling, form: str) -> bytes:
    """Write the calls of a query in one of the ``MEDIA_TYPES``.

    Calendars and feeds hold what is open and forthcoming unless the query says otherwise.

    Raises:
        UsageError: There is no such form.
    """
    if form not in MEDIA_TYPES:
        raise UsageError(f"Calls can't be written as {form!r}; choose {', '.join(MEDIA_TYPES)}.")
    if form == "ics":
        return _calendar(kb, asked.followed(), telling)
    if form == "atom":
        return _feed(kb, asked.followed(), telling)
    hits = kb.finder.all(asked, telling.access, telling.now, MOST_CALLS)
    shown = [call_hit_json(hit, telling.language) for hit in hits]
    if form == "csv":
        return to_csv(shown, telling.language)
    return to_xlsx(shown, telling.language) if form == "xlsx" else to_jsonl(shown)


def _calendar(kb: KnowledgeBase, asked: CallQuery, telling: Telling) -> bytes:
    hits = kb.finder.matches(asked, telling.access, telling.now, MOST_EVENTS)
    return calendar_of(kb, [*hits, *_withdrawn(kb, asked, telling)], telling)


def calendar_of(kb: KnowledgeBase, hits: Sequence[CallHit], telling: Telling) -> bytes:
    """Write the deadlines of calls, and as cancelled those that they no longer have."""
    generation = kb.record.current_id() or 0
    ids = [hit.document.id for hit in hits]
    earlier = kb.calls.earlier(generation, ids, telling.access)
    return calendar(
        [_event(hit.document, hit.call, earlier.get(hit.document.id, [])) for hit in hits],
        telling.now,
        language=telling.language,
        name=telling.title,
        url_of=telling.url_of,
    )


def _event(document: Document, call: Call, earlier: Sequence[Call]) -> CalendarCall:
    lost = {place: at for before in earlier for place, at in dropped(before, call)}
    return CalendarCall(
        call, document.id, document.version, document.ingested, tuple(sorted(lost.items()))
    )


def _withdrawn(kb: KnowledgeBase, asked: CallQuery, telling: Telling) -> list[CallHit]:
    """Calls of the query that ceased to be listed: whoever had them in a calendar is told."""
    gone = {news.document_id for news in _news(kb, telling) if news.kind is NewsKind.GONE}
    if not gone:
        return []
    every = replace(asked, status=(CallStatus.CLOSED,))
    found = kb.finder.matches(every, telling.access, telling.now, MOST_EVENTS)
    return [hit for hit in found if hit.document.id in gone]


def _feed(kb: KnowledgeBase, asked: CallQuery, telling: Telling) -> bytes:
    """News of the calls that match now; also how a call ended that matches but for its status."""
    told = _news(kb, telling)
    calls = _matching(kb, asked, telling) if told else {}
    over = replace(asked, status=(CallStatus.CLOSED,))
    ending = any(each.kind in _ENDINGS and each.document_id not in calls for each in told)
    ended = {**_matching(kb, over, telling), **calls} if ending else calls
    items = [
        FeedItem(each, hit.call)
        for each in told
        if (hit := (ended if each.kind in _ENDINGS else calls).get(each.document_id)) is not None
    ][-MOST_ENTRIES:]
    return feed(
        items,
        feed_id=_feed_id(asked, telling),
        self_url=telling.self_url,
        title=telling.title,
        updated=max((item.news.at for item in items), default=_begun(telling.now)),
        now=telling.now,
        language=telling.language,
        url_of=telling.url_of,
    )


def _feed_id(asked: CallQuery, telling: Telling) -> str:
    """What names a feed wherever it is read: addresses change, and may hold a secret."""
    said = [asked.as_values(), telling.language, sorted(telling.access.visibilities)]
    mark = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]
    return f"{TAG}/feed/{mark}"


def _matching(kb: KnowledgeBase, asked: CallQuery, telling: Telling) -> dict[str, CallHit]:
    found = kb.finder.matches(asked, telling.access, telling.now, MOST_CALLS)
    return {hit.document.id: hit for hit in found}


def _news(kb: KnowledgeBase, telling: Telling) -> list[CallNews]:
    generation = kb.record.current_id()
    if generation is None:
        return []
    since = telling.now - REMEMBERED
    return kb.calls.news(generation, telling.access, since=since, newest=MOST_NEWS)


def _begun(now: datetime) -> datetime:
    """The moment of an empty feed: it stays the same all day, so that its bytes do."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)

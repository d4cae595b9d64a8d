"""Finding calls: filters, facets and sorting inside the engine, pages by cursor.

One head point stands for a call (docs/decisions/0010). A cursor is the value that the last call was
sorted by, with the calls already seen at that value, so that pages neither repeat nor lose a call.
"""

from __future__ import annotations

import base64
import json
import math
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from kb.analysis import fold
from kb.calls.query import MAX_TEXT, CallQuery, Sort
from kb.calls.status import Status, status_at, usable_deadlines
from kb.calls.why import Why, cite_hits
from kb.errors import UsageError
from kb.index.base import Order
from kb.index.conditions import UNKNOWN
from kb.model import CallStatus, Citation, Document, Filters

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from kb.index.base import IndexReader
    from kb.index.generations import Generations, View
    from kb.model import Call, Hit, Visibility
    from kb.record.calls import CallRecords
    from kb.record.reading import Record
    from kb.search.engine import SearchEngine

MAX_LIMIT = 100
# So many calls are ranked by a question; the others follow by deadline.
RANKED = 100
FOLLOWED_MATCHES = 30
MAX_FACET = 200
# What is counted beside the hits, by its name at every door, and the payload field behind it.
FACETS = {
    "programme": "programme",
    "action_type": "action_types",
    "applicant": "applicants",
    "country": "countries",
    "theme": "themes",
}
# Of a point's id so many signs tell it from the others with the same value.
_SHORT = 8


@dataclass(frozen=True, slots=True)
class CallHit:
    """A call found: its document with ``call``, its status now, and the sentences that fit."""

    document: Document
    call: Call
    status: Status
    score: float | None = None
    why: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class CallPage:
    """One page of calls. ``total`` and ``facets`` are those of the filters, whatever the ranking.

    ``next`` is the cursor of the page after, or nothing.
    """

    total: int
    facets: dict[str, dict[str, int]]
    next: str | None
    hits: tuple[CallHit, ...]


@dataclass(frozen=True, slots=True)
class _Phase:
    """Calls that have a value to be sorted by (``order``), or those without it."""

    order: Order
    undated: bool = False


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Where a page ended: its phase (-1 for the ranking), the value, and what was seen there."""

    phase: int
    value: float | str | None = None
    seen: tuple[str, ...] = ()

    def text(self) -> str:
        """The cursor as it travels."""
        values = json.dumps([self.phase, self.value, list(self.seen)], separators=(",", ":"))
        return base64.urlsafe_b64encode(values.encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A call in its place, and the cursor that goes on after it."""

    document_id: str
    cursor: _Cursor
    score: float | None = None
    hit: Hit | None = None


@dataclass(slots=True)
class _Found:
    """Calls of one request that have been looked up, by document id."""

    view: View
    filters: Filters
    documents: dict[str, Document] = field(default_factory=dict)


class CallFinder:
    """Finds calls; safe to share between threads."""

    def __init__(
        self,
        record: Record,
        calls: CallRecords,
        generations: Generations,
        engine: Callable[[], SearchEngine],
    ) -> None:
        self._record = record
        self._calls = calls
        self._generations = generations
        self._engine = engine

    def find(
        self,
        asked: CallQuery,
        visibilities: tuple[Visibility, ...],
        now: datetime,
        *,
        cursor: str | None = None,
        limit: int = 20,
    ) -> CallPage:
        """Find calls as they stand at an aware moment.

        Raises:
            UsageError: The query, the cursor or the limit can't be used.
            StoreError: There is no index to search.
        """
        asked.check()
        if not 1 <= limit <= MAX_LIMIT:
            raise UsageError(f"limit is {limit}; it must lie between 1 and {MAX_LIMIT}.")
        start = _read_cursor(cursor)
        with self._generations.current() as view:
            filters = _resolved(asked, view.index, visibilities, now)
            found = _Found(view, filters)
            entries = list(islice(self._entries(asked, found, start), limit + 1))
            shown = entries[:limit]
            return CallPage(
                total=view.index.count(filters),
                facets=_facets(view.index, filters),
                next=shown[-1].cursor.text() if len(entries) > limit else None,
                hits=self._hits(asked, found, shown, now),
            )

    def all(
        self, asked: CallQuery, visibilities: tuple[Visibility, ...], now: datetime, most: int
    ) -> list[CallHit]:
        """Every call that the filters of a query let through, at most so many, in its order."""
        asked.check()
        with self._generations.current() as view:
            found = _Found(view, _resolved(asked, view.index, visibilities, now))
            entries = list(islice(self._entries(asked, found, None), most))
            return list(self._hits(asked, found, entries, now))

    def matches(
        self, asked: CallQuery, visibilities: tuple[Visibility, ...], now: datetime, most: int
    ) -> list[CallHit]:
        """What somebody who follows a query is told of: of a question only the best matches.

        A ranking has no end of its own; everything after ``FOLLOWED_MATCHES`` would be noise.
        """
        if asked.query.strip():
            ranked = replace(asked, sort=Sort.RELEVANCE)
            return self.all(ranked, visibilities, now, min(most, FOLLOWED_MATCHES))
        return self.all(asked, visibilities, now, most)

    def one(
        self, identifier: str, visibilities: tuple[Visibility, ...], now: datetime
    ) -> CallHit | None:
        """The call of an identifier, whatever its case."""
        generation = self._record.current_id()
        if generation is None:
            return None
        document = self._calls.by_identifier(generation, identifier, visibilities)
        if document is None or document.call is None:
            return None
        return CallHit(document, document.call, status_at(document.call, now))

    def _entries(self, asked: CallQuery, found: _Found, start: _Cursor | None) -> Iterator[_Entry]:
        ranked: list[Hit] = []
        if asked.order is Sort.RELEVANCE and asked.query.strip():
            ranked = self.ranked(asked.query, found.view, found.filters)
            if start is None or start.phase < 0:
                yield from _after(ranked, start)
                start = None
        without = self._heads(found, [hit.document.id for hit in ranked])
        yield from self._sorted(asked.order, found, start, without)

    @contextmanager
    def opened(
        self, asked: CallQuery, visibilities: tuple[Visibility, ...], now: datetime
    ) -> Iterator[tuple[View, Filters]]:
        """Hold the current generation open, with the filters of a query; for several rankings."""
        asked.check()
        with self._generations.current() as view:
            yield view, _resolved(asked, view.index, visibilities, now)

    def ranked(self, text: str, view: View, filters: Filters) -> list[Hit]:
        """The best ``RANKED`` calls for a text, each with its best passage."""
        if filters.call is None:
            return []
        everywhere = replace(filters, call=replace(filters.call, heads=False))
        return self._engine().calls(text[:MAX_TEXT], everywhere, view, RANKED)

    def _heads(self, found: _Found, document_ids: Sequence[str]) -> frozenset[str]:
        return frozenset(self._calls.heads(found.view.generation, document_ids))

    def _sorted(
        self, order: Sort, found: _Found, start: _Cursor | None, without: Collection[str]
    ) -> Iterator[_Entry]:
        call = found.filters.call
        now = 0.0 if call is None else call.now.timestamp()
        phases = _phases(order, now)
        first = 0 if start is None else start.phase
        for number in range(max(first, 0), len(phases)):
            begun = start if start is not None and start.phase == number else None
            if phases[number].undated:
                yield from self._undated(number, phases[number].order.key, found, begun, without)
            else:
                yield from self._dated(number, phases[number].order, found, begun, without)

    def _dated(
        self,
        number: int,
        order: Order,
        found: _Found,
        begun: _Cursor | None,
        without: Collection[str],
    ) -> Iterator[_Entry]:
        value = order.start if begun is None else float(begun.value or 0)
        seen = set() if begun is None else set(begun.seen)
        asked_for = RANKED
        while True:
            limit = asked_for + len(seen)
            batch = found.view.index.ordered(
                replace(order, start=value), found.filters, limit, without
            )
            new = [p for p in batch if p.value != value or p.id[:_SHORT] not in seen]
            documents = self._look_up(found, [placed.id for placed in new])
            for placed in new:
                if placed.value != value:
                    value, seen = placed.value, set()
                seen.add(placed.id[:_SHORT])
                document = documents.get(placed.id)
                if document is not None and _in_place(document, order, placed.value, found):
                    cursor = _Cursor(number, value, tuple(sorted(seen)))
                    yield _Entry(document.id, cursor)
            if len(batch) < limit:
                return

    def _undated(
        self,
        number: int,
        key: str,
        found: _Found,
        begun: _Cursor | None,
        without: Collection[str],
    ) -> Iterator[_Entry]:
        after = None if begun is None or begun.value is None else str(begun.value)
        while True:
            batch = found.view.index.unordered(key, found.filters, RANKED, after, without)
            documents = self._look_up(found, batch)
            for after in batch:
                document = documents.get(after)
                if document is not None:
                    yield _Entry(document.id, _Cursor(number, after))
            if len(batch) < RANKED:
                return

    def _look_up(self, found: _Found, passage_ids: Sequence[str]) -> dict[str, Document]:
        """The documents of head points; the record has the last word on what may be shown."""
        view, visibilities = found.view, found.filters.visibilities
        ids = self._calls.documents_of(view.generation, passage_ids, visibilities)
        new = [key for key in dict.fromkeys(ids.values()) if key not in found.documents]
        found.documents |= self._calls.of(view.generation, new, visibilities)
        return {
            passage: found.documents[key] for passage, key in ids.items() if key in found.documents
        }

    def _hits(
        self, asked: CallQuery, found: _Found, entries: Sequence[_Entry], now: datetime
    ) -> tuple[CallHit, ...]:
        view, visibilities = found.view, found.filters.visibilities
        new = [entry.document_id for entry in entries if entry.document_id not in found.documents]
        found.documents |= self._calls.of(view.generation, new, visibilities)
        passages = [entry.hit for entry in entries if entry.hit is not None]
        why: dict[str, tuple[Citation, ...]] = {}
        if passages:
            why = cite_hits(self._record, Why(asked.query, view.index.rarity), passages)
        hits: list[CallHit] = []
        for entry in entries:
            document = found.documents.get(entry.document_id)
            if document is not None and document.call is not None:
                status, cited = status_at(document.call, now), why.get(document.id, ())
                hits.append(CallHit(document, document.call, status, entry.score, cited))
        return tuple(hits)


def _resolved(
    asked: CallQuery, index: IndexReader, visibilities: tuple[Visibility, ...], now: datetime
) -> Filters:
    """The filters, with programmes and types of action under the names that the base has."""
    if asked.programme or asked.action_type:
        every = CallQuery().filters(now, visibilities)
        asked = replace(
            asked,
            programme=_named(index.facet("programme", every, MAX_FACET), asked.programme),
            action_type=_named(index.facet("action_types", every, MAX_FACET), asked.action_type),
        )
    return asked.filters(now, visibilities)


def _phases(order: Sort, now: float) -> list[_Phase]:
    if order is Sort.BUDGET:
        return [_Phase(Order("amount", descending=True)), _Phase(Order("amount"), undated=True)]
    if order is Sort.NEWEST:
        return [_Phase(Order("appeared", descending=True)), _Phase(Order("appeared"), undated=True)]
    second = math.floor(now)
    return [
        _Phase(Order("deadlines", start=second + 1)),
        _Phase(Order("closes", descending=True, start=second)),
        _Phase(Order("closes"), undated=True),
    ]


def _in_place(document: Document, order: Order, value: float, found: _Found) -> bool:
    """Whether a call stands here: one of several deadlines counts, the next."""
    call, filters = document.call, found.filters.call
    if order.key != "deadlines" or call is None or filters is None:
        return True
    coming = (moment for moment in usable_deadlines(call) if moment > filters.now)
    following = next(coming, None)
    return following is not None and int(following.timestamp()) == int(value)


def _after(ranked: Sequence[Hit], start: _Cursor | None) -> Iterator[_Entry]:
    """The ranking from a cursor on: what scores less, and what scores the same and is new."""
    score = None if start is None else float(start.value or 0)
    seen: set[str] = set() if start is None else set(start.seen)
    for hit in ranked:
        key = hit.passage.id[:_SHORT]
        if score is not None and (hit.score > score or (hit.score == score and key in seen)):
            continue
        if hit.score != score:
            score, seen = hit.score, set()
        seen.add(key)
        cursor = _Cursor(-1, score, tuple(sorted(seen)))
        yield _Entry(hit.document.id, cursor, hit.score, hit)


def _facets(index: IndexReader, filters: Filters) -> dict[str, dict[str, int]]:
    """Counts of every value; those of statuses are one count for each range of dates.

    A filter on a status narrows the others' counts, not those of the statuses.
    """
    facets = {name: index.facet(key, filters, MAX_FACET) for name, key in FACETS.items()}
    call = filters.call
    if call is not None:
        statuses = {
            status.value: index.count(replace(filters, call=replace(call, statuses=(status,))))
            for status in CallStatus
        }
        facets = {"status": statuses, **facets}
    return facets


def _named(counts: Mapping[str, int], asked: tuple[str, ...]) -> tuple[str, ...]:
    """Names as the base has them: whole, by their words, or by their capitals (RIA)."""
    known = [name for name in counts if name != UNKNOWN]
    names: list[str] = []
    for text in asked:
        wanted = fold(text).split()
        exact = [name for name in known if fold(name).split() == wanted]
        capitals = [name for name in known if text.upper() in {_capitals(name), _code(name)}]
        words = [name for name in known if set(wanted) <= set(fold(name).split())]
        names += exact or capitals or words or [text]
    return tuple(dict.fromkeys(names))


def _capitals(name: str) -> str:
    """The initials of the words that begin with a capital and go on small."""
    return "".join(word[0] for word in name.split() if word[:1].isupper() and not word.isupper())


def _code(name: str) -> str:
    """The code at the end in brackets, or the whole name."""
    return name.rpartition("(")[2].rstrip(")").upper()


def _read_cursor(text: str | None) -> _Cursor | None:
    if text is None:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        phase, value, seen = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        made = _Cursor(int(phase), value, tuple(str(each) for each in seen))
        if not -1 <= made.phase < 3 or not _is_place(made.value):  # noqa: PLR2004 -- phases
            raise ValueError  # noqa: TRY301 -- told below
    except (ValueError, TypeError, KeyError):
        raise UsageError("The cursor is not one of ours: ask for the first page again.") from None
    return made


def _is_place(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= len("00000000-0000-0000-0000-000000000000")
    return isinstance(value, int | float) and math.isfinite(value)

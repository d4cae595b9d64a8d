"""Finding calls: filters, facets and sorting inside the engine, pages by cursor.

One head point stands for a call (docs/decisions/0010). Calls of one value stand in the order of
their points' ids, and a cursor names the last value and id, so that pages neither repeat nor lose a
call.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby, islice
from typing import TYPE_CHECKING

from kb.calls.counts import choices, facets, total
from kb.calls.cursor import RANKING, Cursor, read_cursor
from kb.calls.names import named
from kb.calls.query import MAX_TEXT, CallQuery, Sort
from kb.calls.status import Status, status_at, usable_deadlines
from kb.calls.why import Asked, Why, cite_hits
from kb.errors import UsageError
from kb.index.base import Order, Placed
from kb.index.conditions import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from kb.index.base import IndexReader
    from kb.index.generations import Generations, View
    from kb.model import Access, Call, Citation, Document, Filters, Hit
    from kb.record.calls import CallRecords
    from kb.record.reading import Record
    from kb.search.engine import SearchEngine

MAX_LIMIT = 100
# So many calls are ranked by a question; the others follow by deadline.
RANKED = 100
FOLLOWED_MATCHES = 30
# So many names are looked through for one that is meant.
MAX_NAMES = 2000
# Points that the index is asked for at once.
_BATCH = 50


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

    ``next`` is the cursor of the page after, or nothing. ``near`` says that a call shown uses a
    word of the question, or that there was no question.
    """

    total: int
    facets: dict[str, dict[str, int]]
    next: str | None
    hits: tuple[CallHit, ...]
    near: bool = True


@dataclass(frozen=True, slots=True)
class _Phase:
    """Calls that have a value to be sorted by (``order``), or those without it."""

    order: Order
    undated: bool = False


@dataclass(frozen=True, slots=True)
class _Entry:
    """A call in its place, and the cursor that goes on after it."""

    document_id: str
    cursor: Cursor
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
        access: Access,
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
        ranking = asked.order is Sort.RELEVANCE and bool(asked.query.strip())
        start = read_cursor(cursor, asked.order, len(_phases(asked.order, 0)), asked.digest)
        if start is not None and start.phase == RANKING and not ranking:
            raise UsageError("cursor is of a question: ask for the first page again.")
        with self._generations.current() as view:
            filters = _resolved(asked, view.index, access, now)
            found = _Found(view, filters)
            entries = list(islice(self._entries(asked, found, start), limit + 1))
            shown = entries[:limit]
            counted = facets(view.index, filters)
            hits = self._hits(asked, found, shown, now)
            said = Asked(asked.query) if asked.query.strip() else None
            return CallPage(
                total=total(counted["status"], asked.status),
                facets=counted,
                next=shown[-1].cursor.text(asked.digest) if len(entries) > limit else None,
                hits=hits,
                near=said is None or any(said.is_said(hit) for hit in hits),
            )

    def choices(
        self,
        asked: CallQuery,
        access: Access,
        now: datetime,
        counted: Mapping[str, Mapping[str, int]] | None = None,
    ) -> dict[str, dict[str, int]]:
        """How many calls each value of a field would leave in the place of what is asked there.

        ``counted`` are the facets of the same query, where they are known.
        """
        with self.opened(asked, access, now) as (view, filters):
            return choices(view.index, filters, counted or facets(view.index, filters))

    def counts(self, asked: CallQuery, access: Access, now: datetime) -> dict[str, dict[str, int]]:
        """The facets of a query without its calls."""
        with self.opened(asked, access, now) as (view, filters):
            return facets(view.index, filters)

    def all(self, asked: CallQuery, access: Access, now: datetime, most: int) -> list[CallHit]:
        """Every call that the filters of a query let through, at most so many, in its order."""
        asked.check()
        with self._generations.current() as view:
            found = _Found(view, _resolved(asked, view.index, access, now))
            entries = list(islice(self._entries(asked, found, None), most))
            return list(self._hits(asked, found, entries, now))

    def matches(self, asked: CallQuery, access: Access, now: datetime, most: int) -> list[CallHit]:
        """What somebody who follows a query is told of: of a question only the best matches.

        A ranking has no end of its own: those count that rank among ``FOLLOWED_MATCHES`` and whose
        title or best sentences hold a word of the question, or of its translation.
        """
        if not asked.query.strip():
            return self.all(asked, access, now, most)
        ranked = replace(asked, sort=Sort.RELEVANCE)
        found = self.all(ranked, access, now, min(most, FOLLOWED_MATCHES))
        said = Asked(asked.query)
        return [hit for hit in found if hit.score is not None and said.is_said(hit)]

    def one(self, identifier: str, access: Access, now: datetime) -> CallHit | None:
        """The call of an identifier, whatever its case."""
        generation = self._record.current_id()
        if generation is None:
            return None
        document = self._calls.by_identifier(generation, identifier, access)
        if document is None or document.call is None:
            return None
        return CallHit(document, document.call, status_at(document.call, now))

    def _entries(self, asked: CallQuery, found: _Found, start: Cursor | None) -> Iterator[_Entry]:
        ranked: list[Hit] = []
        if asked.order is Sort.RELEVANCE and asked.query.strip():
            ranked = self.ranked(asked.query, found.view, found.filters)
            if start is None or start.phase == RANKING:
                yield from _after(ranked, start)
                start = None
        without = self._heads(found, [hit.document.id for hit in ranked])
        yield from self._sorted(asked.order, found, start, without)

    @contextmanager
    def opened(
        self, asked: CallQuery, access: Access, now: datetime
    ) -> Iterator[tuple[View, Filters]]:
        """Hold the current generation open, with the filters of a query; for several rankings."""
        asked.check()
        with self._generations.current() as view:
            yield view, _resolved(asked, view.index, access, now)

    def ranked(self, text: str, view: View, filters: Filters) -> list[Hit]:
        """The best ``RANKED`` calls for a text, each with its best passage."""
        if filters.call is None:
            return []
        everywhere = replace(filters, call=replace(filters.call, heads=False))
        return self._engine().calls(text[:MAX_TEXT], everywhere, view, RANKED)

    def _heads(self, found: _Found, document_ids: Sequence[str]) -> frozenset[str]:
        return frozenset(self._calls.heads(found.view.generation, document_ids))

    def _sorted(
        self, order: Sort, found: _Found, start: Cursor | None, without: Collection[str]
    ) -> Iterator[_Entry]:
        call = found.filters.call
        phases = _phases(order, 0.0 if call is None else call.now.timestamp())
        first = 0 if start is None else start.phase
        for number, phase in enumerate(phases[first:], start=first):
            begun = start if start is not None and start.phase == number else None
            pages = _undated if phase.undated else _dated
            for batch in _parts(pages(found, phase.order, begun, without)):
                documents = self._look_up(found, [placed.id for placed in batch])
                for placed in batch:
                    document = documents.get(placed.id)
                    if document is not None and _in_place(document, phase.order, placed, found):
                        cursor = Cursor(order, number, placed.value, placed.id)
                        yield _Entry(document.id, cursor)

    def _look_up(self, found: _Found, passage_ids: Sequence[str]) -> dict[str, Document]:
        """The documents of head points; the record has the last word on what may be shown."""
        view, access = found.view, found.filters.access
        ids = self._calls.documents_of(view.generation, passage_ids, access)
        new = [key for key in dict.fromkeys(ids.values()) if key not in found.documents]
        found.documents |= self._calls.of(view.generation, new, access)
        return {
            passage: found.documents[key] for passage, key in ids.items() if key in found.documents
        }

    def _hits(
        self, asked: CallQuery, found: _Found, entries: Sequence[_Entry], now: datetime
    ) -> tuple[CallHit, ...]:
        view, access = found.view, found.filters.access
        new = [entry.document_id for entry in entries if entry.document_id not in found.documents]
        found.documents |= self._calls.of(view.generation, new, access)
        passages = [entry.hit for entry in entries if entry.hit is not None]
        why: dict[str, tuple[Citation, ...]] = {}
        if passages:
            rarity = partial(view.index.rarity, access=access)
            why = cite_hits(self._record, Why(asked.query, rarity), passages)
        hits: list[CallHit] = []
        for entry in entries:
            document = found.documents.get(entry.document_id)
            if document is not None and document.call is not None:
                status, cited = status_at(document.call, now), why.get(document.id, ())
                hits.append(CallHit(document, document.call, status, entry.score, cited))
        return tuple(hits)


def _resolved(asked: CallQuery, index: IndexReader, access: Access, now: datetime) -> Filters:
    """The filters, with programmes, types of action and themes under the names of the base."""
    every = CallQuery().filters(now, access)

    def known(key: str, texts: tuple[str, ...]) -> tuple[str, ...]:
        names = index.facet(key, every, MAX_NAMES) if texts else {}
        return named([name for name in names if name != UNKNOWN], texts)

    asked = replace(
        asked,
        programme=known("programme", asked.programme),
        action_type=known("action_types", asked.action_type),
        theme=known("themes", asked.theme),
    )
    return asked.filters(now, access)


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


def _parts(batches: Iterable[list[Placed]]) -> Iterator[list[Placed]]:
    """Batches in parts that are looked up at once: hundreds of calls may share a value."""
    for batch in batches:
        yield from (batch[start : start + _BATCH] for start in range(0, len(batch), _BATCH))


def _dated(
    found: _Found, order: Order, begun: Cursor | None, without: Collection[str]
) -> Iterator[list[Placed]]:
    """Points by value and id, in batches that end where a value does.

    The index cuts a value anywhere, so a batch that it cut is used up to its last value.
    """
    start, limit = (order.start if begun is None else begun.value), _BATCH
    while True:
        asked = replace(order, start=start)
        batch = found.view.index.ordered(asked, found.filters, limit, without)
        whole = len(batch) < limit
        groups = [
            sorted(set(group), key=lambda placed: placed.id)
            for _, group in groupby(batch, lambda placed: placed.value)
        ]
        ready = groups if whole else groups[:-1]
        yield [placed for group in ready for placed in group if not _seen(placed, begun)]
        if whole:
            return
        start, limit = groups[-1][0].value, _BATCH if ready else 2 * limit


def _seen(placed: Placed, begun: Cursor | None) -> bool:
    return begun is not None and placed.value == begun.value and placed.id <= begun.passage_id


def _undated(
    found: _Found, order: Order, begun: Cursor | None, without: Collection[str]
) -> Iterator[list[Placed]]:
    """Points that have no value, by id."""
    after = None if begun is None else begun.passage_id
    while True:
        batch = found.view.index.unordered(order.key, found.filters, _BATCH, after, without)
        yield [Placed(each, 0.0) for each in batch]
        if len(batch) < _BATCH:
            return
        after = batch[-1]


def _in_place(document: Document, order: Order, placed: Placed, found: _Found) -> bool:
    """Whether a call stands here: one of several deadlines counts, the next."""
    call, filters = document.call, found.filters.call
    if order.key != "deadlines" or call is None or filters is None:
        return True
    coming = (moment for moment in usable_deadlines(call) if moment > filters.now)
    following = next(coming, None)
    return following is not None and int(following.timestamp()) == int(placed.value)


def _after(ranked: Sequence[Hit], start: Cursor | None) -> Iterator[_Entry]:
    """The ranking after a cursor, whose value is a place: after its passage, wherever that is now.

    Scores move with every document that comes or leaves; where the passage has left, what followed
    it has moved up into its place.
    """
    places = {hit.passage.id: place for place, hit in enumerate(ranked, start=1)}
    first = 0 if start is None else places.get(start.passage_id, max(int(start.value) - 1, 0))
    for place, hit in enumerate(ranked[first:], start=first + 1):
        cursor = Cursor(Sort.RELEVANCE, RANKING, place, hit.passage.id)
        yield _Entry(hit.document.id, cursor, hit.score, hit)

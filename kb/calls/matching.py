"""Which calls saved searches find now and what is new in them, read once for equal searches."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from kb.calls.dates import brussels_day
from kb.calls.news import NewsKind
from kb.calls.query import MOST_CALLS, CallQuery
from kb.model import Access, CallStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from kb.calls.finder import CallHit
    from kb.calls.news import CallNews
    from kb.model import Call, Document
    from kb.record.searches import SavedSearch

# A deadline is near, and told of, from here on.
REMINDER = timedelta(days=7)
_ENDINGS = {NewsKind.CLOSED, NewsKind.GONE}


class Finder(Protocol):
    """Finds calls (``kb.calls.finder.CallFinder``)."""

    def matches(self, asked: CallQuery, access: Access, now: datetime, most: int) -> list[CallHit]:
        """What somebody who follows a query is told of, at most so many."""
        ...


class Calls(Protocol):
    """Reads calls and their news (``kb.record.calls.CallRecords``)."""

    def news(
        self,
        generation: int,
        access: Access | None,
        *,
        after_id: int | None = None,
    ) -> list[CallNews]:
        """The news after a number, in their order."""
        ...

    def of(
        self, generation: int, document_ids: Sequence[str], access: Access
    ) -> dict[str, Document]:
        """The documents that are calls, by id, each with its call."""
        ...


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where calls are read: ``generation`` is null where nothing was ingested yet."""

    finder: Finder
    calls: Calls
    generation: int | None


class Matches:
    """Answers for saved searches at one moment; what a search may not see is not there."""

    def __init__(self, shelf: Shelf, now: datetime) -> None:
        self.now = now
        self._shelf = shelf
        self._news: dict[tuple[Access, int], list[CallNews]] = {}
        self._found: dict[tuple[Access, str], dict[str, Call]] = {}

    def news(self, search: SavedSearch) -> list[CallNews]:
        """The news that were not looked at yet for a search."""
        generation = self._shelf.generation
        if generation is None:
            return []
        asked = (search.access, search.told_until)
        if asked not in self._news:
            self._news[asked] = self._shelf.calls.news(
                generation, search.access, after_id=search.told_until
            )
        return self._news[asked]

    def found(self, search: SavedSearch, *, near: bool) -> dict[str, Call]:
        """The calls that a search finds, by document id, as it is meant by who follows it.

        Where it names no status and calls have ended, those that are over are among them.

        ``near`` says that those with a deadline within ``REMINDER`` will do: without news, most
        runs look for nothing else.

        Raises:
            UsageError: Its query can't be understood any more.
        """
        query = replace(CallQuery.from_values(search.query), sort=None)
        followed = query.followed()
        if near and not query.query.strip():
            followed = self._narrowed(followed)
        found = self._matching(search, followed)
        if not query.status and any(each.kind in _ENDINGS for each in self.news(search)):
            over = replace(query, status=(CallStatus.CLOSED,))
            found = {**self._matching(search, over), **found}
        return found

    def _matching(self, search: SavedSearch, query: CallQuery) -> dict[str, Call]:
        if self._shelf.generation is None or _is_empty(query):
            return {}
        asked = (search.access, json.dumps(query.as_values(), sort_keys=True))
        if asked not in self._found:
            self._found[asked] = self._read(query, search.access)
        return self._found[asked]

    def others(self, search: SavedSearch, document_ids: Collection[str]) -> dict[str, Call]:
        """Calls by document id, whether or not a search finds them."""
        generation = self._shelf.generation
        if generation is None or not document_ids:
            return {}
        read = self._shelf.calls.of(generation, sorted(document_ids), search.access)
        return {key: document.call for key, document in read.items() if document.call is not None}

    def _narrowed(self, query: CallQuery) -> CallQuery:
        first, last = brussels_day(self.now), brussels_day(self.now + REMINDER)
        return replace(
            query,
            deadline_after=max(filter(None, (first, query.deadline_after))),
            deadline_before=min(filter(None, (last, query.deadline_before))),
        )

    def _read(self, query: CallQuery, access: Access) -> dict[str, Call]:
        hits = self._shelf.finder.matches(query, access, self.now, MOST_CALLS)
        return {hit.document.id: hit.call for hit in hits}


def _is_empty(query: CallQuery) -> bool:
    after, before = query.deadline_after, query.deadline_before
    return after is not None and before is not None and after > before

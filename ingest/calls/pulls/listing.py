"""Listing the EU portal to its end: page by page, in parts where a list is too long for it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from ingest.calls.pulls.kept import KeptPage, KeptRow
from ingest.calls.pulls.portal_api import MOST_ROWS, PAGE_SIZE
from kb.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ingest.calls.pulls.kept import KeptPages
    from ingest.calls.pulls.portal_api import PortalApi, Window
    from ingest.progress import Progress


class Listing:
    """Fetches windows of the portal's list into ``pages``, leaving out what is there already.

    ``warnings`` says where the list was not as it should be. ``complete`` says whether all of it
    was seen: only then does a call's absence say anything.
    """

    def __init__(self, api: PortalApi, pages: KeptPages, language: str, progress: Progress) -> None:
        self._api, self._pages, self._language = api, pages, language
        self._progress = progress
        self.warnings: list[str] = []
        self.complete = True

    def run(self, window: Window, programmes: Callable[[], Sequence[str]], this_year: int) -> int:
        """List a window to its end and return how many rows the portal says it has.

        Raises:
            SourceError: The portal can't be asked, or answers in a shape that is not known.
        """
        first = self._page(window, 1)
        if first.total <= MOST_ROWS:
            return self._follow(window, first)
        parts = window.parts(programmes(), this_year)
        if not parts:
            self._doubt(f"Of {first.total} rows ({window.name}) only {MOST_ROWS} can be listed.")
            return self._follow(window, first)
        found = 0
        for part in parts:
            try:
                found += self.run(part, programmes, this_year)
            except SourceError as error:
                if not part.without:
                    raise
                self._doubt(f"Rows of no known programme could not be listed: {error}")
        if found < first.total:
            self._doubt(f"{first.total - found} rows ({window.name}) are in no part of it.")
        return first.total

    def _follow(self, window: Window, first: KeptPage) -> int:
        """List the pages of a window until all rows are seen or nothing new comes."""
        seen, page, number, total = set(first.references), first, 1, first.total
        last = math.ceil(min(total, MOST_ROWS) / PAGE_SIZE)
        self._progress.begin("listing", max(last, 1))
        self._progress.advance(1)
        while page.references and len(seen) < page.total and number < MOST_ROWS // PAGE_SIZE:
            number += 1
            page = self._page(window, number)
            self._progress.advance(1)
            if page.total != total:
                self.warnings.append(
                    f"The list changed while it was read: {page.total} rows instead of {total}."
                )
                total = page.total
            if page.references and not set(page.references) - seen:
                self._doubt(f"Page {number} ({window.name}) repeats rows: listing stopped there.")
                return total
            seen.update(page.references)
        if len(seen) < min(total, MOST_ROWS):
            self._doubt(f"Only {len(seen)} of {total} rows were listed ({window.name}).")
        return total

    def _page(self, window: Window, number: int) -> KeptPage:
        key = json.dumps([window.query, number], sort_keys=True)
        kept = self._pages.page(key)
        if kept is not None:
            return kept
        page = self._api.page(window, number, self._language)
        return self._pages.keep(key, page.total, [_row(row) for row in page.rows])

    def _doubt(self, warning: str) -> None:
        self.complete = False
        self.warnings.append(warning)


def identifier_of(row: dict[str, Any]) -> str:
    """The identifier of a row's call; of a row without one, its reference."""
    found = row["metadata"].get("identifier") or ()
    return next((str(value).strip() for value in found if value), _reference(row))


def _row(row: dict[str, Any]) -> KeptRow:
    return KeptRow(_reference(row), identifier_of(row).casefold(), row)


def _reference(row: dict[str, Any]) -> str:
    told = row.get("reference") or row.get("url")
    return str(told) if told else json.dumps(row["metadata"], sort_keys=True)

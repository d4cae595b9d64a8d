"""Pulls of sources that list everything in pages: what they have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ingest.calls.base import CallRecord, Flaw
from ingest.calls.pulls.kept import KeptPage, KeptRow, checksum
from ingest.calls.pulls.portal_api import unknown_shape
from kb.model import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from ingest.calls.pulls.kept import KeptListed, KeptPages
    from ingest.progress import Progress

LANGUAGE = "fr"
# Lists are short (some hundred calls); more pages than this are a list that goes in circles.
MOST_PAGES = 1000


@dataclass(slots=True)
class ListPull:
    """One pull of a list. ``complete`` says whether all of it was seen.

    ``page_at`` asks for the page at an address and keeps it; ``first`` is where the list begins.
    A call that was listed when the same was asked before, and is not any more, is gone.
    """

    source: str
    first: str
    page_at: Callable[[str], KeptPage]
    record_of: Callable[[object, str, datetime], Iterator[CallRecord | Flaw]]
    pages: KeptPages
    listed: KeptListed
    now: datetime
    progress: Progress
    warnings: list[str] = field(default_factory=list)
    complete: bool = True
    _found: set[str] = field(default_factory=set)

    def fetch(self) -> None:
        """Ask for every page that is not kept from before an interruption.

        Raises:
            SourceError: The source can't be asked, or answers in a shape that is not known.
        """
        seen: set[str] = set()
        asked: set[str] = set()
        address: str | None = self.first
        total = 0
        while address is not None and len(asked) < MOST_PAGES:
            page = self.pages.page(address) or self.page_at(address)
            if not asked:
                self.progress.begin("listing", page.total)
            asked.add(address)
            self.progress.advance(len(page.references))
            total, address = page.total, page.after
            if address in asked or (page.references and seen.issuperset(page.references)):
                self.warnings.append("The list repeats its pages: listing stopped there.")
                break
            seen.update(page.references)
        if len(seen) < total:
            self.complete = False
            self.warnings.append(f"Only {len(seen)} of {total} rows were listed.")

    def records(self) -> Iterator[CallRecord | Flaw]:
        """Yield what was listed, then what is gone."""
        for rows in self.pages.batches():
            for row in rows:
                for found in self.record_of(row, f"{self.source} {row.get('id') or ''}", self.now):
                    if isinstance(found, CallRecord):
                        self._found.add(found.call.identifier)
                    yield found
        if self.complete and self._found:
            for identifier in self.listed.of(self.first):
                if identifier not in self._found:
                    call = Call(identifier, title=identifier)  # the known call keeps its own
                    yield CallRecord(self.source, self.now, LANGUAGE, call, (), gone=True)

    def done(self) -> None:
        """The calls are in: remember what was listed, for the next pull."""
        if self.complete and self._found:
            self.listed.keep(self.first, sorted(self._found))


def rows_of(answer: Any, url: str, count: str) -> tuple[int, list[dict[str, Any]]]:
    """The number of rows (in the field ``count``) and the rows of a page, checked.

    Raises:
        SourceError: A field is missing or something else than it was; the message names it.
    """
    if not isinstance(answer, dict):
        raise unknown_shape(url, "the answer", "an object", answer)
    total, rows = answer.get(count), answer.get("results")
    if not isinstance(total, int) or isinstance(total, bool):
        raise unknown_shape(url, count, "a number", total)
    if not isinstance(rows, list):
        raise unknown_shape(url, "results", "a list", rows)
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise unknown_shape(url, f"results[{index}]", "an object", row)
    return total, rows


def kept_rows(rows: list[dict[str, Any]], *names: str) -> list[KeptRow]:
    """Rows under the first of these fields that names each; what they say tells them apart."""
    return [
        KeptRow(checksum([row]), next((str(row[name]) for name in names if row.get(name)), ""), row)
        for row in rows
    ]

"""Saved answers of sources of calls among the files of a run, and what becomes of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.calls.base import Flaw
from ingest.calls.placing import CallCounts, CallPlacing, Origin
from ingest.report import FileResult, Outcome

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator

    from ingest.calls.base import CallRecord
    from ingest.progress import Progress
    from ingest.publication import Publication
    from kb.model import Metadata

_FLAWS_TOLD = 20
_NOW_CALLS = "holds calls, which are documents of their own now"


class CallFiles:
    """Takes saved answers one by one, and places their calls together at the end of a run."""

    def __init__(self, publication: Publication, *, restore: bool) -> None:
        self._publication = publication
        self._placing = CallPlacing(publication, restore=restore)
        self._origins: list[Origin] = []

    def take(self, path: str, stated: Metadata, found: Iterable[CallRecord | Flaw]) -> None:
        """Take the records of a file."""
        origin = Origin(path, stated, CallCounts())
        self._origins.append(origin)
        for record in found:
            if isinstance(record, Flaw):
                origin.counts.flaws.append(record)
            else:
                self._placing.take(record, origin)

    def place(self, progress: Progress) -> tuple[list[FileResult], Counter[str]]:
        """Place the calls; returns the lines of the report, and how many had each outcome."""
        outcomes = self._placing.place(progress)
        results = [line for origin in self._origins for line in self._lines(origin)]
        self._origins = []
        return results, outcomes

    def _lines(self, origin: Origin) -> Iterator[FileResult]:
        flaws = origin.counts.flaws
        for flaw in flaws[:_FLAWS_TOLD]:
            where = f"{origin.path}, {flaw.where}"
            yield FileResult(where, Outcome.FAILED, flaw.problem)
        if len(flaws) > _FLAWS_TOLD:
            reason = f"{len(flaws) - _FLAWS_TOLD} more of its records can't be read"
            yield FileResult(origin.path, Outcome.FAILED, reason)
        if origin.counts.outcomes:
            yield from self._superseded(origin.path)
        yield origin.counts.as_result(origin.path)

    def _superseded(self, path: str) -> Iterator[FileResult]:
        """Withdraw what the file was as a whole, before the base knew of calls."""
        draft = self._publication.draft
        known = draft.source(path)
        if known is None:
            return
        self._publication.changed = True
        draft.forget(path)
        if all(each.document_id != known.document_id for each in draft.sources()):
            yield self._publication.withdraw(known, _NOW_CALLS)

"""One pull of calls: the records of a source to a new published generation, or to nothing new."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ingest.calls.base import Flaw
from ingest.calls.placing import CallCounts, CallPlacing, Origin
from ingest.progress import Progress
from ingest.publication import Publication
from kb.lock import writer_lock
from kb.maintenance import discard_unused
from kb.model import Metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingest.calls.base import CallRecord
    from kb.bootstrap import KnowledgeBase


@dataclass(slots=True)
class CallsReport:
    """What a pull found: counts by outcome, what could not be read, the generation if any."""

    counts: CallCounts = field(default_factory=CallCounts)
    generation: int | None = None
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """0, or 1 when some records could not be read (the others are in)."""
        return 1 if self.counts.flaws else 0

    def as_json(self) -> dict[str, Any]:
        """The report for scripts."""
        return {
            "calls": dict(self.counts.counts),
            "flaws": [{"where": flaw.where, "problem": flaw.problem} for flaw in self.counts.flaws],
            "passages": self.counts.passages,
            "generation": self.generation,
            "seconds": round(self.seconds, 2),
        }


def take_calls(  # noqa: PLR0913 -- keywords, each with its default
    kb: KnowledgeBase,
    records: Iterable[CallRecord | Flaw],
    *,
    where: str,
    stated: Metadata | None = None,
    restore: bool = False,
    progress: Progress | None = None,
) -> CallsReport:
    """Take the records of a source in and publish what changed as one generation.

    ``where`` is the address that they come from. A source that fails in the middle leaves the base
    as it was.

    Raises:
        StoreError: Another run is writing, or the store can't be used.
    """
    started = time.monotonic()
    told = progress or Progress()
    report = CallsReport()
    kb.check_encoder()
    with writer_lock(kb.settings.lock):
        publication = Publication(kb)
        try:
            placing = CallPlacing(publication, restore=restore)
            origin = Origin(where, stated or Metadata(), report.counts)
            for record in records:
                if isinstance(record, Flaw):
                    report.counts.flaws.append(record)
                else:
                    placing.take(record, origin)
            placing.place(told)
            report.generation = publication.publish(told)
        except BaseException:
            publication.discard()
            raise
        finally:
            discard_unused(kb)
    report.seconds = time.monotonic() - started
    return report

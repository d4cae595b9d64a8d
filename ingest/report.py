"""What an ingest run did, file by file."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

# Control signs, which a terminal would obey, and lone surrogates, which no output takes.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def shown(path: str) -> str:
    """A path as it can be printed: control signs and bytes that are no UTF-8 are replaced."""
    return _UNPRINTABLE.sub("\ufffd", path)


class Outcome(StrEnum):
    """What became of a file."""

    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"  # nothing wrong: another format of a document that is in, or removed
    WITHDRAWN = "withdrawn"  # its file has vanished
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FileResult:
    """A file with its outcome; ``reason`` says why it failed or was skipped."""

    path: str
    outcome: Outcome
    reason: str = ""
    document_id: str | None = None
    version: int | None = None
    pages: int = 0
    passages: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class Report:
    """A whole run. ``generation`` is the one it published, if anything changed.

    ``calls`` counts what became of calls in saved answers of their sources.
    """

    files: list[FileResult] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    generation: int | None = None

    @property
    def counts(self) -> Counter[Outcome]:
        """How many files had each outcome."""
        return Counter(result.outcome for result in self.files)

    @property
    def exit_code(self) -> int:
        """0, or 1 when some inputs failed (the others are in)."""
        return 1 if self.counts[Outcome.FAILED] else 0

    def as_json(self) -> dict[str, Any]:
        """The report for scripts."""
        return {
            **{outcome.value: self.counts[outcome] for outcome in Outcome},
            "pages": sum(result.pages for result in self.files),
            "passages": sum(result.passages for result in self.files),
            "seconds": round(self.seconds, 2),
            "generation": self.generation,
            "calls": dict(self.calls),
            "files": [
                {
                    "path": shown(result.path),
                    "outcome": result.outcome.value,
                    "reason": result.reason,
                    "document_id": result.document_id,
                    "version": result.version,
                    "pages": result.pages,
                    "passages": result.passages,
                    "warnings": list(result.warnings),
                }
                for result in self.files
            ],
        }

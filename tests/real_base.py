"""A base of real documents and the starter corpus, read once with the default encoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fakes import TickingClock

from ingest.run import ingest
from kb.bootstrap import open_knowledge_base
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.report import FileResult, Report
    from kb.bootstrap import KnowledgeBase

STARTER = Path(__file__).parents[1] / "corpus" / "starter"
# What the product's own questions are answered from, and no more: encoding takes most of the time.
REAL = (
    "law/eurlex/32019r2088",
    "law/eurlex/32020r1503",
    "law/eurlex/32023r2831",
    "text/operation-milliard-orientations-2026-2028.fr.md",
    "pdf/journal-officiel-fr/jorf_decision_2023.pdf",
    "pdf/papers/pasa_arxiv.pdf",
)


@dataclass(frozen=True, slots=True)
class RealBase:
    """The base, what its run reported, and the generation that it published."""

    kb: KnowledgeBase
    report: Report

    @property
    def generation(self) -> int:
        """The current generation."""
        return self.report.generation or 0

    def line(self, end: str) -> FileResult:
        """The line of the file whose path ends so."""
        return next(each for each in self.report.files if each.path.endswith(end))


@pytest.fixture(scope="session")
def real_base(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBase]:
    """Acts in two languages, a plan, a decision and a paper beside the starter corpus."""
    home = tmp_path_factory.mktemp("real")
    settings: dict[str, Any] = {"home": home}
    kb = open_knowledge_base(Settings(**settings), clock=TickingClock())
    report = ingest(kb, [STARTER, *(shared_data / name for name in REAL)])
    yield RealBase(kb, report)
    kb.close()

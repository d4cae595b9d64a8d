"""Fixtures that several test modules share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from fakes import HashingEncoder, TickingClock

from ingest.run import Options, ingest
from kb.bootstrap import open_knowledge_base
from kb.model import FULL_ACCESS, Filters, Metadata
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.report import FileResult, Report
    from kb.bootstrap import KnowledgeBase
    from kb.encoders.base import Encoder
    from kb.model import Hit

EVERYTHING = Filters(FULL_ACCESS)
pytest_plugins = ["browsing"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slow tests last: a mistake shows within seconds."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(scope="module", autouse=True)
def swept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Take away what a module's fixtures have made: bases of all modules would fill a memory disk.

    A test's own folder goes by pytest's rule, and what the whole session shares stays.
    """
    folder = tmp_path_factory.getbasetemp()
    before = set(folder.iterdir())
    yield
    for made in set(folder.iterdir()) - before:
        if not made.is_symlink() and not made.name.startswith(("test_", "real")):
            shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real material beside the project; tests that need it skip without it."""
    default = Path(__file__).parents[1].parent / "shared" / "data"
    folder = Path(os.environ.get("KB_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; KB_SHARED_DATA names another place")
    return folder


class MakeKb(Protocol):
    """Opens a knowledge base in a home of its own; keywords are settings."""

    def __call__(
        self, home: Path | None = None, *, encoder: Encoder | None = None, **settings: Any
    ) -> KnowledgeBase:
        """Open it; the test's end closes it."""
        ...


@pytest.fixture
def make_kb(tmp_path: Path) -> Iterator[MakeKb]:
    """A factory of knowledge bases with the hashing encoder and a ticking clock."""
    opened: list[KnowledgeBase] = []

    def make(
        home: Path | None = None, *, encoder: Encoder | None = None, **settings: Any
    ) -> KnowledgeBase:
        values = {
            "home": home or tmp_path / f"home-{len(opened)}",
            "workers": 1,
            "rate_anonymous": 1_000_000,  # tests ask often
            **settings,
        }
        kb = open_knowledge_base(
            Settings(**values), clock=TickingClock(), encoder=encoder or HashingEncoder()
        )
        opened.append(kb)
        return kb

    yield make
    for kb in opened:
        kb.close()


class Base:
    """A knowledge base with a folder of files that a test writes, ingests and asks about."""

    def __init__(self, kb: KnowledgeBase, folder: Path) -> None:
        self.kb = kb
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, *lines: str) -> Path:
        """Write a file of paragraphs."""
        path = self.folder / name
        path.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
        return path

    def ingest(self, *, prune: bool = False, restore: bool = False, **metadata: Any) -> Report:
        """Ingest the folder; other keywords are metadata that the caller states."""
        options = Options(Metadata(**metadata), prune=prune, restore=restore)
        return ingest(self.kb, [self.folder], options)

    def result(self, report: Report, name: str) -> FileResult:
        """What became of a file."""
        return next(each for each in report.files if each.path.endswith(f"/{name}"))

    def id_of(self, name: str) -> str:
        """The id of the document that a file gave, whatever became of it since."""
        stem = name.rpartition(".")[0]
        generation = self.kb.record.current_id() or 0
        listed = self.kb.record.list_documents(generation, FULL_ACCESS)
        return next(each.id for each in listed if each.id.startswith(f"{stem}-"))

    def hits(self, query: str, filters: Filters = EVERYTHING) -> list[Hit]:
        """What a search finds."""
        return self.kb.search.search(query, filters).hits

    def found(self, query: str, filters: Filters = EVERYTHING) -> set[str]:
        """The ids of the documents that a search finds."""
        return {hit.document.id for hit in self.hits(query, filters)}


@pytest.fixture
def base(make_kb: MakeKb, tmp_path: Path) -> Base:
    """An empty knowledge base and an empty folder."""
    return Base(make_kb(), tmp_path / "files")

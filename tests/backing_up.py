"""Backing a base up and restoring it, as tests do, and what is to be true after."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fakes import HashingEncoder
from sqlalchemy import func, select

from kb import maintenance, restore
from kb.backup import back_up
from kb.bootstrap import open_knowledge_base
from kb.model import FULL_ACCESS, Filters
from kb.record import schema
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kb.bootstrap import KnowledgeBase

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
EVERYTHING = Filters(FULL_ACCESS)
MARKER = "zanzibarquetzal"


def settings_of(home: Path, **stated: Any) -> Settings:
    """Settings of a base in a folder."""
    values = {"home": home, "workers": 1, "rate_anonymous": 10_000, "rate_key": 10_000, **stated}
    return Settings(**values)


@contextmanager
def opened(home: Path, clock: Callable[[], datetime] = lambda: NOW) -> Iterator[KnowledgeBase]:
    """Open a base with the hashing encoder and a clock that stands."""
    kb = open_knowledge_base(settings_of(home), clock=clock, encoder=HashingEncoder())
    try:
        yield kb
    finally:
        kb.close()


def silent(_done: int, _total: int) -> None:
    """Show no progress."""


def backup_of(home: Path, file: Path) -> Path:
    """A backup of a base."""
    return back_up(settings_of(home), file, NOW, silent).file


def restored(file: Path, home: Path, *, replace: bool = False) -> Path:
    """The home into which a backup was restored."""
    restore.restore(settings_of(home), file, silent, replace=replace)
    return home


def write(folder: Path, name: str, *lines: str) -> None:
    """Write a file of paragraphs."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n\n".join(lines) + "\n", encoding="utf-8")


def id_of(kb: KnowledgeBase, stem: str) -> str:
    """The id of the document that a file gave."""
    listed = kb.record.list_documents(kb.record.current_id() or 0, FULL_ACCESS)
    return next(each.id for each in listed if each.id.startswith(f"{stem}-"))


def assert_sound(home: Path) -> None:
    """Every kept generation is what the record says, in its index too."""
    with opened(home) as kb:
        for generation in kb.record.kept():
            assert [check for check in maintenance.examine(kb) if not check.sound] == []
            reader = kb.index.reader(generation.id)
            assert reader.facet("visibility", EVERYTHING, 10) == _shown(kb, generation.id)
            reader.close()
            if len(kb.record.kept()) > 1:
                maintenance.rollback(kb)


def _shown(kb: KnowledgeBase, generation: int) -> dict[str, int]:
    """How many passages the record shows to whom."""
    members, documents = schema.members, schema.documents
    query = (
        select(members.c.visibility, func.count())
        .join(schema.passages, schema.passages.c.version_key == members.c.version_key)
        .join(schema.versions, schema.versions.c.key == members.c.version_key)
        .join(documents, documents.c.id == schema.versions.c.document_id)
        .where(members.c.generation == generation, members.c.current)
        .where(documents.c.removed.is_(None))
        .group_by(members.c.visibility)
    )
    with kb.engine.connect() as connection:
        return {str(visibility): count for visibility, count in connection.execute(query)}


def driven(code: str, *arguments: object, log: Path) -> subprocess.Popen[bytes]:
    """Start a process that imports from these tests; what it says goes to a log."""
    tests = Path(__file__).parent
    path = os.pathsep.join(map(str, (tests, tests / "integration", tests.parent)))
    with log.open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
        )

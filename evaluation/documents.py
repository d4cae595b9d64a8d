"""A base of real documents for the gold questions: ingested by the command, kept in the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.bases import (
    CODE_OF_INDEX,
    CODE_OF_PASSAGES,
    cache,
    cached,
    code,
    digest,
    product_encoder,
)
from evaluation.machine import ROOT, bar
from evaluation.vectors import RememberedVectors
from kb.bootstrap import open_knowledge_base
from kb.errors import StoreError, UsageError
from kb.maintenance import repair

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evaluation.bases import Chosen
    from kb.bootstrap import KnowledgeBase
    from kb.encoders.base import Encoder

STARTER = ROOT / "corpus" / "starter"
_KB = Path(sys.executable).with_name("kb")
# Exit code of a run in which some files could not be read: the broken ones are there on purpose.
_SOME_UNREADABLE = 1
# The file in which a base notes what its index was made by.
_INDEXED_BY = "indexed-by"


@contextmanager
def documents_base(
    folders: Sequence[Path], chosen: Chosen, encoder: Encoder | None = None
) -> Iterator[KnowledgeBase]:
    """A base of everything in these folders and files, open; built where the cache has none.

    ``kb ingest`` builds the first. Where only terms or weights have changed since, its index is
    built again: nothing is read twice, and nothing encoded twice by the same weights.
    """
    encoder = encoder or product_encoder(chosen)
    vectors = RememberedVectors(encoder, cache() / "vectors")
    name = chosen.settings(Path()).encoder
    read = digest(name, _contents(folders), _readers(), code(*CODE_OF_PASSAGES))
    index = digest(vectors.state, code(*CODE_OF_INDEX))
    ingested = cached(f"documents-{read}", lambda home: _ingest(folders, name, home, index))

    def build(home: Path) -> None:
        shutil.copytree(ingested, home, dirs_exist_ok=True)
        if (home / _INDEXED_BY).read_text() == index:
            return
        base = open_knowledge_base(chosen.settings(home), encoder=vectors)
        current = base.record.current()
        with bar("documents: passages", current.passages if current else 0) as advance:
            repair(base, advance)
        base.close()

    home = cached(f"documents-{read}-{index}", build)
    opened = open_knowledge_base(chosen.settings(home), encoder=vectors)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def existing_base(home: Path, chosen: Chosen) -> Iterator[KnowledgeBase]:
    """A user's own base, open.

    Raises:
        UsageError: There is none.
    """
    if not (home / "record.db").is_file():
        raise UsageError(f"--home {home} holds no base.")
    opened = open_knowledge_base(chosen.settings(home))
    try:
        yield opened
    finally:
        opened.close()


def _contents(folders: Sequence[Path]) -> str:
    """A hash of every file in these folders, with its path, which is part of what it becomes."""
    found = (path for folder in folders for path in (folder, *folder.rglob("*")))
    files = sorted(path for path in found if path.is_file())
    return digest(
        *(f"{path.absolute()} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files)
    )


def _readers() -> str:
    """The code that reads files; looked at, never imported."""
    return digest(*(path.read_text("utf-8") for path in sorted((ROOT / "ingest").rglob("*.py"))))


def _ingest(folders: Sequence[Path], encoder: str, home: Path, index: str) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("KB_")}
    done = subprocess.run(
        [_KB, "ingest", *map(str, folders)],
        env={**own, "KB_HOME": str(home), "KB_ENCODER": encoder},
        stdout=subprocess.DEVNULL,  # progress goes to standard error
        check=False,
    )
    if done.returncode > _SOME_UNREADABLE:
        raise StoreError(f"`kb ingest` of {', '.join(map(str, folders))} failed; see above.")
    (home / _INDEXED_BY).write_text(index)

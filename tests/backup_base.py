"""A base with a past, small ones, and backups of them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from backing_up import MARKER, backup_of, id_of, opened, restored, write
from calls_making import brussels, made, record, take
from fakes import TickingClock

from ingest.run import ingest
from kb import maintenance
from kb.calls.query import CallQuery
from kb.calls.searches import NewSearch, create
from kb.keys import KeyRole, NewKey
from kb.record.searches import SearchesRecord
from kb.settings import LISTED

if TYPE_CHECKING:
    from pathlib import Path

    from kb.bootstrap import KnowledgeBase


@dataclass(frozen=True, slots=True)
class LivedIn:
    """A base with a past, a backup of it, and what its holders know."""

    home: Path
    file: Path
    search: str
    keys: dict[str, str]


def _fill(kb: KnowledgeBase, folder: Path) -> None:
    """Four generations, of which three are kept; what was shown is removed, purged, narrowed."""
    for edition in range(3):
        write(folder, "ladder.md", "# Ladder", f"The ladder costs {5 + edition} euros.")
        write(folder, "saw.md", "# Scie", f"La scie coûte {9 + edition} euros par jour.")
        write(folder, "plan.md", "# Plan", "The plan for the mill is to lend it to the village.")
        write(folder, "old.md", f"# {MARKER}", f"The {MARKER} drill costs 3 euros.")
        write(folder, "gone.md", "# Hoist", "The hoist costs 40 euros.")
        write(folder, "board.md", "# Board", "The board meets about the mill in May.")
        shown = "internal" if edition == 2 else "public"
        write(folder, "metadata.yaml", f"files:\n  plan.md: {{visibility: {shown}}}")
        ingest(kb, [folder])
    maintenance.remove(kb, id_of(kb, "gone"))
    maintenance.remove(kb, id_of(kb, "old"), purge=True)
    open_call = made("RIVERS-1", title="Rivers, for people", deadlines=(brussels("2026-04-15"),))
    take(kb, [record(open_call), record(made("HIDDEN-1", rolling=True))])


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> LivedIn:
    """The base and its backup; no test changes them."""
    place = tmp_path_factory.mktemp("lived-in")
    home = place / "home"
    home.mkdir()
    (home / "kb.toml").write_text('mail_from = "nobody@example.org"\n', encoding="utf-8")
    with opened(home, TickingClock()) as kb:
        _fill(kb, place / "files")
        record_of_searches = SearchesRecord(kb.engine)
        _, search = create(record_of_searches, NewSearch("Rivers", CallQuery()), kb.clock(), 0)
        keys = {
            name: kb.keys.create(NewKey(name, role), kb.clock())[1]
            for name, role in (("staff", KeyRole.STAFF), ("revoked", KeyRole.STAFF))
        }
        kb.keys.revoke("revoked", kb.clock())
    pulls = home / "pull"
    (pulls / "eu-portal-0a1b").mkdir(parents=True)
    (pulls / "answers.db").write_bytes(b"kept answers")
    with sqlite3.connect(pulls / LISTED) as listed:
        listed.execute("CREATE TABLE listed (scope TEXT, identifier TEXT)")
        listed.execute("INSERT INTO listed VALUES ('a', 'RIVERS-1')")
    listed.close()
    write(home / "uploads", "note.md", "# Uploaded")
    return LivedIn(home, backup_of(home, place / "kb.tar"), search, keys)


def _single(place: Path, name: str, *lines: str) -> bytes:
    """The backup of a base of one document."""
    write(place / "files", name, *lines)
    with opened(place / "home") as kb:
        ingest(kb, [place / "files"])
    write(place / "home" / "uploads", name, *lines)
    return backup_of(place / "home", place / "kb.tar").read_bytes()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The backup of a base of one document."""
    place = tmp_path_factory.mktemp("small")
    return _single(place, "new.md", "# New", "The new ladder costs 70 euros.")


@pytest.fixture(scope="module")
def winch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The backup of another base of one document."""
    place = tmp_path_factory.mktemp("winch")
    _single(place, "winch.md", "# Winch", "The winch costs 12 euros.")
    return place / "kb.tar"


@pytest.fixture
def other(tmp_path: Path, small: bytes) -> Path:
    """The home of a base of one document, with settings and kept answers."""
    (tmp_path / "small.tar").write_bytes(small)
    home = restored(tmp_path / "small.tar", tmp_path / "other")
    (home / "kb.toml").write_text("workers = 1\n", encoding="utf-8")
    (home / "pull").mkdir()
    (home / "pull" / "answers.db").write_bytes(b"kept answers")
    return home

"""``kb restore``: an archive becomes the base, whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import shutil
import sqlite3
import tarfile
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from backing_up import (
    EVERYTHING,
    NOW,
    assert_sound,
    backup_of,
    driven,
    opened,
    restored,
    settings_of,
    silent,
)
from fakes import HashingEncoder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from kb import restore
from kb.archive import About, ArchiveWriter
from kb.backup import back_up
from kb.bootstrap import open_knowledge_base
from kb.cli import app
from kb.errors import NotFoundError, StoreError, UsageError
from kb.lock import writer_lock
from kb.model import FULL_ACCESS
from kb.record import schema
from kb.settings import LISTED

if TYPE_CHECKING:
    from pathlib import Path

    from backup_base import LivedIn

pytest_plugins = ("backup_base",)

# One place is written to again and again: nothing is to be left there.
_tried = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def refused(content: bytes, place: Path) -> str:
    """Restore what is no backup; returns what is said, and leaves no trace."""
    place.mkdir(exist_ok=True)
    file, home = place / "kb.tar", place / "home"
    file.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        restored(file, home)
    assert caught.value.exit_code == 3
    assert list(place.iterdir()) == [file]
    return str(caught.value)


@_tried
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_torn_archive_is_refused(share: float, small: bytes, tmp_path: Path) -> None:
    """Wherever it was cut off."""
    said = refused(small[: int(share * len(small))], tmp_path / "torn")
    assert "Nothing was restored" in said


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed(share: float, bit: int, small: bytes, tmp_path: Path) -> None:
    """Wherever it is: in contents, headers, gaps, the manifest, the seal."""
    changed = bytearray(small)
    changed[int(share * len(small))] ^= 1 << bit
    assert "Nothing was restored" in refused(bytes(changed), tmp_path / "flipped")


def test_no_byte_of_the_frame_may_differ(small: bytes, tmp_path: Path) -> None:
    """The end of the archive, where everything is tied together, is tried byte by byte."""
    for place in range(len(small) - 2600, len(small), 7):
        changed = bytearray(small)
        changed[place] ^= 0x20
        refused(bytes(changed), tmp_path / "flipped")


def test_what_is_added_is_noticed(small: bytes, tmp_path: Path) -> None:
    """A member more, in front of the others, among them or behind them, and any other byte."""
    extra = io.BytesIO()
    with tarfile.open(fileobj=extra, mode="w") as tar:
        info = tarfile.TarInfo("originals/extra")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"extra"))
    member = extra.getvalue()[:1024]
    for content in (member + small, small[:-1024] + member + small[-1024:], small + bytes(512)):
        assert "Nothing was restored" in refused(content, tmp_path / "added")


def test_archives_of_others_are_refused(small: bytes, tmp_path: Path) -> None:
    """Another program's tar, the same members packed anew, a zip, text, nothing."""
    unpacked = tmp_path / "unpacked"
    with tarfile.open(fileobj=io.BytesIO(small)) as tar:
        tar.extractall(unpacked, filter="data")
    anew = io.BytesIO()
    with tarfile.open(fileobj=anew, mode="w") as tar:
        for path in sorted(unpacked.iterdir()):
            tar.add(path, path.name)
    shutil.rmtree(unpacked)
    for content in (anew.getvalue(), b"PK\x05\x06" + bytes(18), b"a" * 5000, b"", bytes(10240)):
        assert "no backup of kb" in refused(content, tmp_path / "other")


ABOUT = About("0.1.0", schema.SCHEMA_VERSION, None, NOW.isoformat(), ())


def sealed(*paths: str, about: About = ABOUT) -> bytes:
    """An archive that was sealed as kb does it, by somebody who means harm."""
    written = io.BytesIO()
    writer = ArchiveWriter(written, lambda _count: None)
    for path in paths:
        writer.add(path, io.BytesIO(b"harm"), packed=False)
    writer.seal(about)
    return written.getvalue()


@pytest.mark.parametrize(
    "path",
    [
        *("../harm", "/harm", "originals/../../harm", "./record.db", "originals//harm", ".."),
        *("", "originals/\0", "kb.toml", "writer.lock", "restoring/swapping", "pulls/x"),
    ],
)
def test_a_sealed_archive_stays_inside_the_base(path: str, tmp_path: Path) -> None:
    """Whatever its manifest names: what lies elsewhere or is no part of a base is refused."""
    assert "Nothing was restored" in refused(sealed("record.db", path), tmp_path / "harm")


def test_a_sealed_archive_names_each_path_once(tmp_path: Path) -> None:
    """Also where a file is to be a folder for another."""
    assert "a path in its manifest" in refused(sealed("record.db", "record.db"), tmp_path / "harm")
    file = tmp_path / "kb.tar"
    file.write_bytes(sealed("originals/a", "originals/a/b"))
    with pytest.raises(OSError, match="originals"):
        restored(file, tmp_path / "home")
    assert {path.name for path in (tmp_path / "home").iterdir()} == {"keeping.lock", "writer.lock"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_a_link_or_device_is_a_difference(kind: bytes, small: bytes, tmp_path: Path) -> None:
    """A header of another type is refused, with a right checksum too."""
    header = tarfile.TarInfo.frombuf(small[:512], "utf-8", "strict")
    header.type = kind
    header.linkname = "/etc/passwd"
    changed = header.tobuf(tarfile.GNU_FORMAT) + small[512:]
    assert "between its members" in refused(changed, tmp_path / "link")


def test_what_a_newer_version_wrote_is_refused(small: bytes, tmp_path: Path) -> None:
    """A newer format and a newer schema each say so."""
    newer = small.replace(b"operation-milliard-kb backup 1\n", b"operation-milliard-kb backup 2\n")
    assert newer != small
    assert "has format 2" in refused(newer, tmp_path / "format")
    schema_of_later = sealed("record.db", about=replace(ABOUT, kb="9.1", schema=99))
    said = refused(schema_of_later, tmp_path / "schema")
    assert "schema 99" in said
    assert "restore it with kb 9.1" in said


def test_what_is_no_base_is_refused(small: bytes, tmp_path: Path) -> None:
    """Also where it is sealed, and after it was unpacked: the base that is there stays."""
    file = tmp_path / "kb.tar"
    file.write_bytes(small)
    home = restored(file, tmp_path / "home")
    file.write_bytes(sealed("record.db"))
    with pytest.raises(StoreError, match="can't be opened"):
        restored(file, home, replace=True)
    assert not (home / "restoring").exists()
    assert_sound(home)


def test_the_disk_must_hold_it(
    small: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it takes is known before it is unpacked, holes left out."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1 << 20))
    assert "make room first" in refused(small, tmp_path / "full")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=16 << 20))
    (tmp_path / "kb.tar").write_bytes(small)
    home = restored(tmp_path / "kb.tar", tmp_path / "home")
    blocks = sum(path.stat().st_blocks for path in home.rglob("*"))
    assert blocks * 512 < 16 << 20


# A base that is there already.


def test_a_base_is_given_up_only_when_told(lived_in: LivedIn, other: Path) -> None:
    """With ``--replace`` all of it gives way, with what pulls kept for it; settings stay."""
    with pytest.raises(UsageError, match="--replace"):
        restored(lived_in.file, other)
    assert_sound(other)
    restored(lived_in.file, other, replace=True)
    assert (other / "kb.toml").read_text(encoding="utf-8") == "workers = 1\n"
    assert [path.name for path in (other / "uploads").iterdir()] == ["note.md"]
    assert [path.name for path in (other / "pull").iterdir()] == [LISTED]
    assert not (other / "restoring").exists()
    with opened(other) as kb:
        assert kb.search.search("new ladder", EVERYTHING).hits[0].document.title == "Ladder"
    assert_sound(other)


def test_a_base_in_use_is_left_alone(lived_in: LivedIn, other: Path) -> None:
    """A service that is running, and a run, are noticed; the service answers on."""
    with opened(other) as kb:
        for _ in range(2):
            with pytest.raises(StoreError, match="in use"):
                restored(lived_in.file, other, replace=True)
            assert kb.search.search("ladder", EVERYTHING).hits
    config = settings_of(other)
    with writer_lock(config.lock), pytest.raises(StoreError, match="Another run"):
        restored(lived_in.file, other, replace=True)
    assert not (other / "restoring").exists()
    assert_sound(other)


def test_nobody_opens_a_base_that_is_being_replaced(
    winch: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the look whether it is in use to the last rename, whoever comes is refused."""
    errors: list[str] = []
    rename = os.rename

    def renamed(old: Any, new: Any) -> None:
        with pytest.raises(StoreError) as caught:
            open_knowledge_base(settings_of(other), encoder=HashingEncoder())
        errors.append(str(caught.value))
        rename(old, new)

    monkeypatch.setattr(os, "rename", renamed)
    restored(winch, other, replace=True)
    monkeypatch.undo()
    assert len(errors) > 5
    assert "locked" in errors[0]
    assert "under way or was cut off" in errors[-1]
    assert_sound(other)


def test_who_opened_the_place_of_a_new_base_writes_nothing_into_it(
    winch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that was started just before the base came has the file that gave way."""
    home, rename = tmp_path / "home", os.rename
    waiting: list[sqlite3.Connection] = []

    def renamed(old: Any, new: Any) -> None:
        if not waiting:
            waiting.append(sqlite3.connect(home / "record.db"))
        rename(old, new)

    monkeypatch.setattr(os, "rename", renamed)
    restored(winch, home)
    monkeypatch.undo()
    with closing(waiting[0]) as late, suppress(sqlite3.OperationalError):
        late.execute("PRAGMA journal_mode=WAL")
        late.execute("CREATE TABLE others (name TEXT)")
        late.commit()
    assert titles(home) == ["Winch"]
    assert_sound(home)


def test_a_damaged_base_is_replaced_and_not_backed_up(
    lived_in: LivedIn, other: Path, tmp_path: Path
) -> None:
    """No good backup gives way to one of a damaged base; a good one mends it."""
    good = backup_of(other, tmp_path / "good.tar").read_bytes()
    content = bytearray((other / "record.db").read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    for damaged in (bytes(content), b"no database at all" * 1000):
        (other / "record.db").write_bytes(damaged)
        with pytest.raises(StoreError, match="Nothing was backed up"):
            back_up(settings_of(other), tmp_path / "good.tar", NOW, silent, replace=True)
        assert (tmp_path / "good.tar").read_bytes() == good
        restored(lived_in.file, other, replace=True)
        assert_sound(other)


def test_the_commands(lived_in: LivedIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``kb restore`` says, and what it asks for."""
    monkeypatch.setenv("KB_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(app, ["restore", str(lived_in.file)])
    assert done.exit_code == 0, done.output
    assert "Restored generation 4 and 2 before it, as it was on 2026-03-02T09:00:00" in done.output
    assert "Its encoder is hashing" in done.output
    for arguments, error, said in (
        ([], UsageError, "Name a backup"),
        ([str(lived_in.file), "--undo"], UsageError, "Name a backup"),
        (["--finish", "--replace"], UsageError, "Name a backup"),
        ([str(tmp_path / "none.tar")], UsageError, "is no file"),
        (["--finish"], NotFoundError, "nothing to do"),
        (["--undo"], NotFoundError, "nothing to do"),
    ):
        failed = CliRunner().invoke(app, ["restore", *arguments])
        assert isinstance(failed.exception, error), failed.output
        assert said in str(failed.exception)


# Killed, and failing, in the middle of a restore.

KILLED = """
import os, sys
from pathlib import Path
from backing_up import restored
left, rename = int(sys.argv[1]), os.rename

def renamed(old, new):
    global left
    if not left:
        os._exit(9)
    left -= 1
    rename(old, new)

os.rename = renamed
restored(Path(sys.argv[2]), Path(sys.argv[3]), replace=True)
"""


def titles(home: Path) -> list[str]:
    """The titles of the documents of a base."""
    with opened(home) as kb:
        listed = kb.record.list_documents(kb.record.current_id() or 0, FULL_ACCESS)
        return sorted(document.title for document in listed)


@pytest.mark.slow
def test_a_restore_that_is_killed_is_finished_or_undone(
    winch: Path, other: Path, tmp_path: Path
) -> None:
    """Before each of its renames: nothing opens what is half, and both ways lead to a whole."""
    before, unfinished = titles(other), 0
    for left in range(40):
        killed = driven(KILLED, left, winch, other, log=tmp_path / "log")
        killed.communicate()
        if killed.returncode == 0:
            break
        assert killed.returncode == 9, (tmp_path / "log").read_text()
        if not (other / "restoring" / "swapping").exists():
            assert titles(other) == before
            continue
        unfinished += 1
        with pytest.raises(StoreError, match="--finish"):
            titles(other)
        with pytest.raises(StoreError, match="--undo"):
            backup_of(other, tmp_path / "half.tar")
        with pytest.raises(StoreError, match="--undo"):
            restored(winch, other, replace=True)
        half = tmp_path / f"half-{left}"
        shutil.copytree(other, half)
        restore.undo(settings_of(other))
        assert titles(other) == before
        assert (other / "pull" / "answers.db").exists()
        restore.finish(settings_of(half))
        assert titles(half) == ["Winch"]
        assert_sound(half)
        assert not (half / "restoring").exists()
        shutil.rmtree(half)
    assert unfinished >= 8
    assert titles(other) == ["Winch"]
    assert_sound(other)


def test_an_error_in_the_middle_takes_everything_back(
    winch: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever rename fails, the base is what it was."""
    before, rename, failed = titles(other), os.rename, 0
    for failing in range(40):
        done = 0

        def renamed(old: Any, new: Any, failing: int = failing) -> None:
            nonlocal done
            done += 1
            if done == failing + 1:
                raise OSError(errno.EBUSY, "Device or resource busy", str(old))
            rename(old, new)

        monkeypatch.setattr(os, "rename", renamed)
        failure = None
        try:
            restored(winch, other, replace=True)
        except OSError as error:
            failure = error.errno
        finally:
            monkeypatch.undo()
        if failure is None:
            break
        assert failure == errno.EBUSY
        failed += 1
        assert titles(other) == before
        assert not (other / "restoring").exists()
    assert failed >= 8
    assert titles(other) == ["Winch"]

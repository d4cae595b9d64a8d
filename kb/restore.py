"""Restore: a backup becomes the base in ``KB_HOME``, whole or not at all.

1. All of the archive is read and compared with its manifest. Nothing is written yet.
2. With nobody else at the base, it is unpacked beside it, made durable, and opened once.
3. The new base and the old change places (``kb.swap``).

Killed before the third step, the base is what it was, and the next restore clears up. Killed within
it, the base is half one and half the other, and nothing opens it until ``kb restore --finish`` has
moved the rest or ``kb restore --undo`` has moved everything back. An error is undone at once.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kb.archive import holes, open_archive
from kb.backup import local_database
from kb.errors import NotFoundError, StoreError, UsageError
from kb.lock import keeping_lock, writer_lock
from kb.record.database import open_database
from kb.record.schema import SCHEMA_VERSION
from kb.swap import DATABASE, HELD, Swap, refuse_half_restored, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kb.archive import About, Archive, Manifest
    from kb.backup import Tell
    from kb.settings import Settings

# Of a base that is damaged nobody can tell who uses it, and it is to be replaced all the same.
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_ROUNDING = 4096  # bytes that a file takes at most beside its contents


def restore(settings: Settings, file: Path, tell: Tell, *, replace: bool = False) -> About:
    """Make a backup the base in ``KB_HOME``; ``replace`` gives up the one that is there.

    Raises:
        UsageError: There is a base already, or it is on a server, or there is no such file.
        StoreError: The backup is not whole, or of another version; or the base is in use.
    """
    _refuse_elsewhere(settings)
    refuse_half_restored(settings.home)
    with open_archive(file) as archive:
        manifest = archive.manifest
        _refuse_foreign(file, manifest)
        _refuse_held(settings.home, replace=replace)
        stored = sum(member.size for member in manifest.members)
        read = _Counted(tell, 2 * stored)
        for _ in archive.members(read.add):
            pass  # compared, which is all that is wanted of it now
        _refuse_too_large(settings.home, manifest)
        with writer_lock(settings.lock), keeping_lock(settings.keeping_lock):
            # Both again, since another process may have been here meanwhile.
            refuse_half_restored(settings.home)
            _refuse_held(settings.home, replace=replace)
            with _alone(settings.home / DATABASE):
                _put_in_place(settings.home, archive, read)
    return manifest.about


def finish(settings: Settings) -> None:
    """Complete a restore that was cut off while it moved the base into place.

    Raises:
        NotFoundError: None was.
        StoreError: It is still under way.
    """
    with writer_lock(settings.lock):
        _begun(settings).finish()


def undo(settings: Settings) -> None:
    """Take back a restore that was cut off while it moved the base into place.

    Raises:
        NotFoundError: None was.
        StoreError: It is still under way.
    """
    with writer_lock(settings.lock):
        _begun(settings).undo()


class _Counted:
    """Adds up what was read, and tells of how much."""

    def __init__(self, tell: Tell, total: int) -> None:
        self._tell, self._total, self._done = tell, total, 0

    def add(self, count: int) -> None:
        """So many bytes more."""
        self._done += count
        self._tell(self._done, self._total)


def _begun(settings: Settings) -> Swap:
    swap = Swap(settings.home)
    if not swap.begun:
        raise NotFoundError(f"No restore into {settings.home} was cut off: there is nothing to do.")
    return swap


def _put_in_place(home: Path, archive: Archive, read: _Counted) -> None:
    swap = Swap(home)
    swap.clear()
    try:
        _unpack(archive, swap.new, read)
        # What an older version wrote is brought up to date here, where it may still be refused.
        open_database(f"sqlite:///{swap.new / DATABASE}").dispose()
        swap.begin()
    except BaseException:
        swap.clear()
        raise
    try:
        swap.finish()
    except BaseException:
        if swap.begun:
            swap.undo()
        raise


def _unpack(archive: Archive, folder: Path, read: _Counted) -> None:
    folder.mkdir(parents=True)
    for member, stored in archive.members(read.add):
        target = folder / member.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if member.path.endswith("/"):
            target.mkdir()
        else:
            _write(target, archive.chunks(member, stored), member.length)
    for place, _, _ in os.walk(folder):
        sync_folder(Path(place))


def _write(target: Path, chunks: Iterable[bytes], length: int) -> None:
    """Write a file and make it durable; where it is empty, no disk is taken."""
    with target.open("xb") as file:
        for part, empty in (each for chunk in chunks for each in holes(chunk)):
            if empty:
                file.seek(len(part), os.SEEK_CUR)
            else:
                file.write(part)
        file.truncate(length)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _alone(database: Path) -> Iterator[None]:
    """Hold the database that is there, or is to be, so that no other process has it open.

    SQLite leaves its log mode only for the last connection, and lets nobody in beside an exclusive
    one: a service that is running is noticed, and one that is being started waits, then gives up.
    Should it have its turn after all, SQLite sees that the file was moved away and writes nothing;
    but in an empty file it does not look, and would write into a log beside the new base.

    Raises:
        StoreError: Another process has it open.
    """
    is_new = not database.exists()
    connection = sqlite3.connect(database, timeout=0, isolation_level=None)
    opened = database.stat().st_ino
    try:
        try:
            connection.execute("PRAGMA journal_mode=DELETE").fetchone()
            if not database.stat().st_size:
                connection.execute("PRAGMA user_version=1")  # writes the first page
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            code = error.sqlite_errorcode & 0xFF  # without what SQLite adds to it
            if code == sqlite3.SQLITE_BUSY:
                raise StoreError(
                    f"The base in {database.parent} is in use. Stop `kb serve` and whatever else "
                    "uses it, and restore again."
                ) from None
            if code not in _DAMAGED:
                raise StoreError(f"{database} can't be replaced: {error}.") from None
        yield
    finally:
        connection.close()
        if is_new and database.exists() and database.stat().st_ino == opened:
            database.unlink()


def _refuse_elsewhere(settings: Settings) -> None:
    local_database(settings)
    if settings.database_url:
        raise UsageError(
            f"A backup is restored to KB_HOME/{DATABASE}, but KB_DATABASE_URL names another file. "
            "Restore without it."
        )


def _refuse_foreign(file: Path, manifest: Manifest) -> None:
    about = manifest.about
    if about.schema > SCHEMA_VERSION:
        raise StoreError(
            f"{file} holds schema {about.schema}, this version of kb knows {SCHEMA_VERSION}: a "
            f"newer one wrote it. Nothing was restored; restore it with kb {about.kb}."
        )
    known = (*HELD, "pull")
    if not {member.path.partition("/")[0] for member in manifest.members} <= set(known):
        raise StoreError(f"{file} holds what is no part of a base. Nothing was restored.")


def _refuse_held(home: Path, *, replace: bool) -> None:
    for name in () if replace else HELD:
        here = home / name
        if any(here.iterdir()) if here.is_dir() else here.exists() and here.stat().st_size:
            raise UsageError(
                f"KB_HOME {home} holds a base already ({name}). Restore into another KB_HOME, or "
                "give that base up: --replace."
            )


def _refuse_too_large(home: Path, manifest: Manifest) -> None:
    place = next(path for path in (home, *home.parents) if path.exists())
    wanted = manifest.room + _ROUNDING * len(manifest.members)
    free = shutil.disk_usage(place).free
    if free < wanted:
        raise StoreError(
            f"{place} has {free >> 20} MB free, and the backup takes {(wanted >> 20) + 1} MB. "
            "Nothing was restored; make room first."
        )

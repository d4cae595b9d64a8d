"""Backup: everything that a base holds in one file, made while the service serves and runs write.

Why what is copied belongs together:

- The record is copied in one step (SQLite's online backup): one moment, between two transactions.
  It says what else is copied. A generation's folder is in place before the record calls it
  published, an original or an upload before the record knows of it: what the copy names is there.
  What it does not name (folders being built, generations that came since) is left out.
- Finished folders and originals are never written to. They are only taken away (``discard``,
  ``sweep_originals``) or give way to a next revision (``erase``, ``narrow``, ``collect``): whoever
  does that holds ``keeping.lock``, and so does the backup from before its first copy to its last.
  A run may publish meanwhile; the generation that is then too old is discarded afterwards.
- Where record and index change together, both happen under that lock: a removal never comes back
  halfway, and an older generation is never wider in its index than in the record.
- What sources listed is copied before the record. A pull notes it after it has published, so it
  may only be the older of the two: then a call is told to be gone twice. The other way round, one
  that is gone would stay for good.
"""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, TYPE_CHECKING

from sqlalchemy import create_engine, select
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from kb.archive import About, ArchiveWriter
from kb.errors import NotFoundError, StoreError, UsageError
from kb.lock import keeping_lock
from kb.record import schema
from kb.record.reading import Record
from kb.settings import LISTED
from kb.swap import DATABASE, refuse_half_restored, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from kb.settings import Settings

# Told how many bytes are done, and of how many.
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A backup that was made; ``missing`` is what the base itself no longer has."""

    file: Path
    size: int
    about: About
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """A file to copy, under its path in the base."""

    path: str
    file: Path
    packed: bool


def back_up(
    settings: Settings, file: Path, now: datetime, tell: Tell, *, replace: bool = False
) -> BackedUp:
    """Write a backup of the base to a file that only its owner may read.

    Raises:
        UsageError: The base is on a server, or the file can't be written there.
        NotFoundError: There is no base.
        StoreError: The base can't be copied, or is damaged.
    """
    database = local_database(settings)
    refuse_half_restored(settings.home)
    if not database.is_file():
        raise NotFoundError(f"There is nothing to back up: KB_HOME {settings.home} holds no base.")
    file = _target(settings, file, replace=replace)
    partial = file.with_name(f".{file.name}.partial")
    with keeping_lock(settings.keeping_lock):
        refuse_half_restored(settings.home)  # again: it may have waited for a restore
        shutil.rmtree(partial, ignore_errors=True)  # what a killed one has left
        partial.mkdir(mode=0o700)
        try:
            about, missing = _write(settings, database, partial, now, tell)
            _target(settings, file, replace=replace)  # it may have come meanwhile
            (partial / "archive").replace(file)
            sync_folder(file.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return BackedUp(file, file.stat().st_size, about, tuple(missing))


def local_database(settings: Settings) -> Path:
    """The file of the system of record.

    Raises:
        UsageError: Database or index are on a server, which has tools of its own for this.
    """
    url = make_url(settings.database)
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        raise UsageError(
            "KB_DATABASE_URL is no SQLite file: kb copies only files of its own. Copy a "
            "PostgreSQL database with pg_dump (back with pg_restore), and KB_HOME/originals with "
            "it; `kb doctor --repair` builds the index from them."
        )
    if settings.index_url:
        raise UsageError(
            "KB_INDEX_URL is a Qdrant server: kb copies only files of its own. Copy its "
            "collections with Qdrant's snapshots, or leave them: `kb doctor --repair` builds the "
            f"index from the database, {url.database}, of which `sqlite3 FILE .backup` is a copy."
        )
    return Path(url.database)


def _target(settings: Settings, file: Path, *, replace: bool) -> Path:
    file = file.resolve()
    if not file.parent.is_dir():
        raise UsageError(f"There is no folder {file.parent}. Make it, or name another file.")
    if settings.home.resolve() in file.parents:
        raise UsageError(
            f"{file} lies in KB_HOME: a backup is lost with what it lies beside. Name a file "
            "elsewhere, best on another disk."
        )
    if file.is_dir() or (file.exists() and not replace):
        raise UsageError(f"{file} exists. Name another file, or replace it: --replace.")
    return file


def _write(
    settings: Settings, database: Path, partial: Path, now: datetime, tell: Tell
) -> tuple[About, list[str]]:
    """Write the archive; returns what it is about, and what was not to be found."""
    parts = []
    listed = settings.pulls / LISTED
    if listed.is_file():
        _snapshot(listed, partial / LISTED)
        parts.append(_Part(f"{settings.pulls.name}/{LISTED}", partial / LISTED, packed=True))
    _snapshot(database, partial / DATABASE)
    parts.append(_Part(DATABASE, partial / DATABASE, packed=True))
    with _read(partial / DATABASE) as record:
        about = _about(record, now)
        parts += _indexes(settings, about)
        parts += (
            _Part(f"{settings.originals.name}/{path}", settings.originals / path, packed=False)
            for path in sorted(record.all_originals())
        )
    for folder in (settings.fetched, settings.uploads):
        parts += _files(folder, folder.name, packed=False)
    return about, _copy(parts, partial / "archive", about, tell)


def _copy(parts: list[_Part], target: Path, about: About, tell: Tell) -> list[str]:
    """Copy files into an archive; returns those that are not there."""
    total, done, missing = sum(_size(part.file) for part in parts), 0, []

    def add(count: int) -> None:
        nonlocal done
        done += count
        tell(done, total)

    with target.open("xb") as file:
        target.chmod(0o600)
        writer = ArchiveWriter(file, add)
        for part in parts:
            try:
                with _contents(part) as content:
                    writer.add(part.path, content, packed=part.packed)
            except FileNotFoundError:
                missing.append(part.path)
        writer.seal(about)
        file.flush()
        os.fsync(file.fileno())
    return missing


def _contents(part: _Part) -> IO[bytes]:
    return io.BytesIO() if part.path.endswith("/") else part.file.open("rb")


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _snapshot(source: Path, target: Path) -> None:
    """Copy an SQLite file as it is at one moment, whoever writes to it."""
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True)) as live,
            closing(sqlite3.connect(target)) as copy,
        ):
            live.backup(copy)
            said = str(copy.execute("PRAGMA quick_check").fetchone()[0])
    except sqlite3.Error as error:
        raise StoreError(f"{source} can't be copied: {error}. Nothing was backed up.") from None
    if said != "ok":
        raise StoreError(
            f"{source} is damaged: {said}. Nothing was backed up, so that no good backup gives way "
            "to this one. Restore the last good one: kb restore FILE --replace"
        )


@contextmanager
def _read(database: Path) -> Iterator[Record]:
    """Read a copy of the system of record, without leaving anything beside it."""
    address = f"{database.as_uri()}?immutable=1"
    engine = create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(address, uri=True), poolclass=NullPool
    )
    try:
        yield Record(engine)
    finally:
        engine.dispose()


def _about(record: Record, now: datetime) -> About:
    with record.engine.connect() as connection:
        found = connection.scalar(
            select(schema.facts.c.value).where(schema.facts.c.name == "schema")
        )
    if found is None or int(found) > schema.SCHEMA_VERSION:
        raise StoreError(
            f"The database has schema {found}, this version of kb knows {schema.SCHEMA_VERSION}. "
            "Back it up with the version of kb that wrote it."
        )
    kept = record.kept()
    return About(
        kb=version("operation-milliard-kb"),
        schema=int(found),
        encoder=kept[0].encoder if kept else None,
        created=now.isoformat(timespec="seconds"),
        generations=tuple(generation.id for generation in kept),
    )


def _indexes(settings: Settings, about: About) -> Iterator[_Part]:
    """The files of every kept generation; of one that is missing, its folder."""
    from kb.index.edge import EdgeIndex  # noqa: PLC0415 -- the engine, for those who copy it alone

    index = EdgeIndex(settings.index_folder, 0)
    for generation in about.generations:
        folder = index.folder(generation)
        path = f"{settings.index_folder.name}/{folder.name}"
        if folder.is_dir():
            yield from _files(folder, path, packed=True)
        else:
            yield _Part(path, folder, packed=True)


def _files(folder: Path, path: str, *, packed: bool) -> Iterator[_Part]:
    """The files under a folder in order, but for those that are still being written.

    Of folders those that are empty: the index has some.
    """
    for place, folders, names in os.walk(folder):
        inside = "".join(f"/{part}" for part in Path(place).relative_to(folder).parts)
        if not folders and not names:
            yield _Part(f"{path}{inside}/", Path(place), packed=False)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(place) / name
            if not name.startswith(".") and file.is_file() and not file.is_symlink():
                yield _Part(f"{path}{inside}/{name}", file, packed)

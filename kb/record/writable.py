"""Whether the database can be written, found out by writing to it."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from kb.record.schema import facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

# How long another writer is waited for.
_PATIENCE_MS: Final = 100
_FACT: Final = "written"
# PostgreSQL's word for having waited too long for another transaction.
_LOCK_NOT_AVAILABLE: Final = "55P03"


def check_writable(engine: Engine, moment: str) -> None:
    """Write the moment into the database.

    A transaction that is only begun, or rolled back, finds no full disk: SQLite writes when it
    commits. When another process is writing, such as an ingest run, that shows that it can be
    done, and is not waited for.

    Raises:
        DBAPIError: It can't be written: read-only, the disk is full, or the server is away.
    """
    try:
        with _impatient(engine) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_PATIENCE_MS}")
            mine = update(facts).where(facts.c.name == _FACT).values(value=moment)
            if not connection.execute(mine).rowcount:
                connection.execute(insert(facts).values(name=_FACT, value=moment))
    except IntegrityError:
        pass  # another process has written it first: it can be written
    except DBAPIError as error:
        if not _is_locked(error):
            raise


@contextmanager
def _impatient(engine: Engine) -> Iterator[Connection]:
    """A connection that waits for other writers only shortly; others of the pool stay patient."""
    with engine.connect() as connection:
        if connection.dialect.name != "sqlite":
            yield connection
            return
        usual = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {_PATIENCE_MS}")
        connection.commit()
        try:
            yield connection
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {usual}")


def _is_locked(error: DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.Error):
        primary = error.orig.sqlite_errorcode & 0xFF  # the rest says which lock it was
        return primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    return getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE

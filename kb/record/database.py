"""Opening the database of the system of record: pragmas, schema version, transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, insert, select, text, update
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from kb.analysis import fold
from kb.errors import StoreError, UsageError
from kb.record import schema

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry


def open_database(url: str) -> Engine:
    """Open the database at an SQLAlchemy URL and create its tables where they are missing.

    Raises:
        UsageError: The URL can't be understood.
        StoreError: The database can't be opened, or was written by another version of the schema.
    """
    try:
        engine = create_engine(
            make_url(url),
            pool_pre_ping=True,
            hide_parameters=True,  # an error goes into logs, and what is kept may be an address
        )
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _prepare_sqlite)
        schema.metadata.create_all(engine)
        _check_schema(engine)
    except ImportError as error:
        raise UsageError(
            f"KB_DATABASE_URL needs a driver that is not installed: {error.name}. "
            f"Install it: pip install {error.name}"
        ) from None
    except ArgumentError as error:
        raise UsageError(f"KB_DATABASE_URL is not a database URL: {error}") from None
    except (SQLAlchemyError, OSError) as error:
        reason = getattr(error, "orig", None) or error
        raise StoreError(
            f"The database {make_url(url).render_as_string()} can't be opened: {reason}. "
            "Check that its folder exists and can be written, or set KB_HOME to another one."
        ) from None
    return engine


def _from_1_to_2(connection: Connection) -> None:
    """Saved searches know their key and its collections; new tables are there already."""
    for column in ("collections TEXT", "key_name VARCHAR(200)"):
        connection.execute(text(f"ALTER TABLE saved_searches ADD COLUMN {column}"))
    _note_schema(connection, 2)


def _from_2_to_3(connection: Connection) -> None:
    """Versions know the last day on which they hold; the table of briefs is there already."""
    connection.execute(text("ALTER TABLE versions ADD COLUMN valid_until DATE"))
    _note_schema(connection, 3)


def _note_schema(connection: Connection, number: int) -> None:
    facts = schema.facts
    connection.execute(update(facts).where(facts.c.name == "schema").values(value=str(number)))


# By the schema that a database has, what brings it to the next one.
_STEPS = {"1": _from_1_to_2, "2": _from_2_to_3}


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """Readers never wait for the writer, a crash loses nothing, what is erased is overwritten."""
    cursor: Any = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        "busy_timeout=10000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    own: Any = connection
    own.create_function("fold", 1, fold, deterministic=True)


def _check_schema(engine: Engine) -> None:
    with engine.begin() as connection:
        found = connection.scalar(
            select(schema.facts.c.value).where(schema.facts.c.name == "schema")
        )
        if found is None:
            connection.execute(
                insert(schema.facts).values(name="schema", value=str(schema.SCHEMA_VERSION))
            )
            return
        while found in _STEPS:
            _STEPS[found](connection)
            found = str(int(found) + 1)
        if found != str(schema.SCHEMA_VERSION):
            raise StoreError(
                f"The database has schema {found}, this version of kb reads "
                f"{schema.SCHEMA_VERSION}. Ingest into a new KB_HOME, or use the version of kb "
                "that wrote it."
            )

"""Keys and sessions in the system of record: of each secret only the SHA-256 is known."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from kb.errors import NotFoundError, UsageError
from kb.keys import KeyRole, is_well_formed, new_key
from kb.record import rows
from kb.record.access import key_in_force
from kb.record.schema import keys, saved_searches, sessions
from kb.record.searches import hashed

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine, Executable, Row

    from kb.keys import NewKey

HINT = 4
# A session ends after so long, or when it was not used for so long.
SESSION, IDLE = timedelta(hours=12), timedelta(hours=2)
# The last use of a key or session is written at most so often.
_MINUTE = timedelta(minutes=1)
_SESSION_BYTES = 32


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is listed. ``rate`` is requests a minute; ``hint`` its last four characters."""

    id: int
    name: str
    role: KeyRole
    collections: tuple[str, ...] | None
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None
    last_used: datetime | None = None
    rate: int | None = None
    hint: str = ""

    def state(self, now: datetime) -> str:
        """Whether it opens anything: ``active``, ``expired`` or ``revoked``."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "active"

    def used_lately(self, now: datetime) -> bool:
        """Whether its last use was noted within this minute, so that this one need not be."""
        return self.last_used is not None and self.last_used > now - _MINUTE


class KeysRecord:
    """Reads and writes keys and the sessions that were opened with them.

    Every look-up asks the database, so that a revocation works at once in every process.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, new: NewKey, now: datetime) -> tuple[Key, str]:
        """Keep a new key; returns it with its text, which nobody can show again.

        Raises:
            UsageError: It would have expired already, or another key has its name.
        """
        if new.expires is not None and new.expires <= now:
            raise UsageError("expires: this day has passed; a key needs a later one, or none.")
        values = {
            "name": new.name,
            "role": new.role.value,
            "collections": _json(new.collections),
            "rate": new.rate,
            "expires": None if new.expires is None else rows.naive(new.expires),
        }
        try:
            with self._engine.begin() as connection:
                return _add(connection, values, now)
        except IntegrityError:
            raise UsageError(
                f"A key is called {new.name!r} already. Choose another name, `kb keys rotate` it "
                "for a new text, or `kb keys revoke` it first."
            ) from None

    def by_key(self, given: str, now: datetime) -> Key | None:
        """The key with this text; null where it is mistyped, unknown, revoked or expired.

        One look-up by hash, whatever the reason: keys are random, so that how long it takes tells
        nothing of others.
        """
        if not is_well_formed(given):
            return None
        query = select(keys).where(keys.c.sha256 == hashed(given), key_in_force(now))
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else _key_of(row)

    def listed(self) -> list[Key]:
        """Every key that there ever was, oldest first."""
        with self._engine.connect() as connection:
            found = connection.execute(select(keys).order_by(keys.c.id)).all()
        return [_key_of(row) for row in found]

    def revoke(self, name: str, now: datetime) -> Key:
        """End a key, with the sessions that were opened and the searches that were saved with it.

        Raises:
            NotFoundError: No key has this name, or it was revoked already.
        """
        with self._engine.begin() as connection:
            ended = _end(connection, name, now)
            connection.execute(delete(saved_searches).where(saved_searches.c.key_name == name))
            return _key_of(ended)

    def rotate(self, name: str, now: datetime) -> tuple[Key, str]:
        """End a key and make another with its name and settings; returns that with its text.

        Raises:
            NotFoundError: No key has this name, or it was revoked.
            UsageError: It has expired, and so would have the other.
        """
        with self._engine.begin() as connection:
            ended = _end(connection, name, now)
            if ended.expires is not None and ended.expires <= rows.naive(now):
                raise UsageError(
                    f"The key {name!r} has expired. `kb keys revoke` it, then `kb keys create` one "
                    "with another day."
                )
            settings = ("name", "role", "collections", "rate", "expires")
            return _add(connection, {each: getattr(ended, each) for each in settings}, now)

    def used(self, key: Key, now: datetime, session: str = "") -> None:
        """Note that a key was used, and the session with this token, each once a minute at most.

        It waits for nobody: where another is writing, as an ingest run does for seconds, nothing is
        noted, and the next use tries again.
        """
        before = rows.naive(now - _MINUTE)
        notes: list[Executable] = []
        if not key.used_lately(now):
            stale = or_(keys.c.last_used.is_(None), keys.c.last_used <= before)
            mine = update(keys).where(keys.c.id == key.id, stale)
            notes.append(mine.values(last_used=rows.naive(now)))
        if session:
            own = and_(sessions.c.sha256 == hashed(session), sessions.c.seen <= before)
            notes.append(update(sessions).where(own).values(seen=rows.naive(now)))
        if notes:
            with suppress(SQLAlchemyError):
                self._write_at_once(notes)

    # Sessions

    def open_session(self, key_id: int, now: datetime) -> str:
        """Open a session with a key; returns the token of its cookie. Ended ones are swept away."""
        token = secrets.token_urlsafe(_SESSION_BYTES)
        opened = {"key_id": key_id, "opened": rows.naive(now), "seen": rows.naive(now)}
        with self._engine.begin() as connection:
            connection.execute(delete(sessions).where(~_open(now)))
            connection.execute(insert(sessions).values(sha256=hashed(token), **opened))
        return token

    def session(self, token: str, now: datetime) -> Key | None:
        """The key that a session was opened with; null where either has ended."""
        query = (
            select(keys)
            .join(sessions, sessions.c.key_id == keys.c.id)
            .where(sessions.c.sha256 == hashed(token), _open(now), key_in_force(now))
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else _key_of(row)

    def close_session(self, token: str) -> None:
        """End a session; it may have ended before."""
        with self._engine.begin() as connection:
            connection.execute(delete(sessions).where(sessions.c.sha256 == hashed(token)))

    def _write_at_once(self, statements: list[Executable]) -> None:
        """Write without waiting for a lock; an error where another has it."""
        with self._engine.connect() as connection:
            if connection.dialect.name != "sqlite":
                connection.execute(text("SET LOCAL lock_timeout = '50ms'"))
                _execute(connection, statements)
                return
            patience = connection.scalar(text("PRAGMA busy_timeout"))
            connection.execute(text("PRAGMA busy_timeout=0"))
            try:
                _execute(connection, statements)
            finally:
                connection.rollback()
                connection.execute(text(f"PRAGMA busy_timeout={patience}"))


def _execute(connection: Connection, statements: list[Executable]) -> None:
    for statement in statements:
        connection.execute(statement)
    connection.commit()


def _add(connection: Connection, values: dict[str, Any], now: datetime) -> tuple[Key, str]:
    """Write a key of these column values, with a new text."""
    made = new_key()
    own = {"sha256": hashed(made), "hint": made[-HINT:], "created": rows.naive(now)}
    row = connection.execute(insert(keys).values(**values, **own).returning(*keys.c)).one()
    return _key_of(row), made


def _end(connection: Connection, name: str, now: datetime) -> Row[Any]:
    """Revoke the key of a name and end its sessions; returns it as it is then."""
    ended = connection.execute(
        update(keys)
        .where(keys.c.name == name, keys.c.revoked.is_(None))
        .values(revoked=rows.naive(now))
        .returning(*keys.c)
    ).first()
    if ended is None:
        raise NotFoundError(f"No key in force is called {name!r}. `kb keys list` shows them all.")
    connection.execute(delete(sessions).where(sessions.c.key_id == ended.id))
    return ended


def _open(now: datetime) -> ColumnElement[bool]:
    return and_(
        sessions.c.opened > rows.naive(now - SESSION), sessions.c.seen > rows.naive(now - IDLE)
    )


def _json(collections: tuple[str, ...] | None) -> str | None:
    if collections is None:
        return None
    return json.dumps(list(dict.fromkeys(collections)), ensure_ascii=False)


def _key_of(row: Row[Any]) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        role=KeyRole(row.role),
        collections=None if row.collections is None else tuple(json.loads(row.collections)),
        created=row.created.replace(tzinfo=UTC),
        expires=_aware(row.expires),
        revoked=_aware(row.revoked),
        last_used=_aware(row.last_used),
        rate=row.rate,
        hint=row.hint,
    )


def _aware(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)

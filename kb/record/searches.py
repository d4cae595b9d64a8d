"""Saved searches in the system of record: secrets as hashes, addresses until they are erased."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Delete,
    Select,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)

from kb.model import Access, Visibility
from kb.record import rows
from kb.record.access import key_in_force
from kb.record.schema import (
    facts,
    given_addresses,
    keys,
    mail_tokens,
    saved_searches,
    search_addresses,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Connection, Engine, Row

_MAIL_KEY = "mail_key"
# An address is first waiting for its question to be sent, then asked; ``asking`` is between.
_WAITING, _ASKING, _ASKED, CONFIRMED = "waiting", "asking", "asked", "confirmed"
_CONFIRM, UNSUBSCRIBE = "confirm", "unsubscribe"
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A search that is kept: ``query`` holds the values of a ``CallQuery``.

    ``visibility`` and ``collections`` are those of whoever made it, and ``key_name`` names their
    key, with which it ends. ``told_until`` is the number of the newest news that was looked at for
    it. ``mail`` is the state of its address (``confirmed``, or one of those before), null where it
    has none.
    """

    id: int
    name: str
    query: Mapping[str, Any]
    language: str
    visibility: Visibility
    created: datetime
    told_until: int = 0
    mail: str | None = None
    collections: tuple[str, ...] | None = None
    key_name: str | None = None

    @property
    def access(self) -> Access:
        """What may be shown in answer to it."""
        return Access((*self.visibility.wider(), self.visibility), self.collections)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The secrets of one mail's links; ``confirm`` is empty but in a question."""

    unsubscribe: str
    confirm: str = ""


class SearchesRecord:
    """Reads and writes saved searches and their addresses."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, search: SavedSearch, secret: str, limit: int) -> SavedSearch | None:
        """Keep a new search, whose ``id`` it gets; null where ``limit`` of them are kept already.

        Its ``mail`` is not looked at.
        """
        values = {
            "secret_sha256": hashed(secret),
            "name": search.name,
            "query": json.dumps(dict(search.query), ensure_ascii=False, sort_keys=True),
            "language": search.language,
            "visibility": search.visibility.value,
            "collections": None if search.collections is None else json.dumps(search.collections),
            "key_name": search.key_name,
            "created": rows.naive(search.created),
            "told_until": search.told_until,
        }
        room = select(*(literal(value) for value in values.values())).where(
            select(func.count()).select_from(saved_searches).scalar_subquery() < limit
        )
        with self._engine.begin() as connection:
            added = connection.execute(insert(saved_searches).from_select(list(values), room))
            if added.rowcount == 0:
                return None
            kept = saved_searches.c.secret_sha256 == values["secret_sha256"]
            return _search_of(connection.execute(_listed().where(kept)).one())

    def by_secret(self, secret: str, now: datetime) -> SavedSearch | None:
        """The search with this secret: one look-up by hash, which tells nothing of other secrets'.

        The secrets are random, so that how long an index look-up takes gives nothing away.
        """
        query = _listed().where(saved_searches.c.secret_sha256 == hashed(secret), _lasting(now))
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else _search_of(row)

    def listed(self, lasting: datetime | None = None) -> list[SavedSearch]:
        """Every search, oldest first, or those whose key is still good at a moment."""
        query = _listed().order_by(saved_searches.c.id)
        with self._engine.connect() as connection:
            found = connection.execute(query if lasting is None else query.where(_lasting(lasting)))
        return [_search_of(row) for row in found]

    def delete(self, search_id: int) -> bool:
        """Forget a search with its address and all that it was told; false where it is not."""
        return self._erase(delete(saved_searches).where(saved_searches.c.id == search_id))

    # Addresses

    def give_address(self, search_id: int, address: str, now: datetime, limit: int) -> bool:
        """Keep an address that is to be asked; false, and not kept, if it was given too often.

        More than ``limit`` times a day is too often. They are counted under a keyed hash of the
        address in lower case, without what follows a ``+``.
        """
        name, _, domain = address.lower().rpartition("@")
        spoken = f"{name.partition('+')[0]}@{domain}".encode()
        with self._engine.begin() as connection:
            mark = hmac.new(_mail_key(connection), spoken, "sha256").hexdigest()
            given = {"address_hash": mark, "given": rows.naive(now)}
            connection.execute(insert(given_addresses).values(given))
            often = connection.scalar(
                select(func.count())
                .select_from(given_addresses)
                .where(
                    given_addresses.c.address_hash == mark,
                    given_addresses.c.given > rows.naive(now - DAY),
                )
            )
            kept = often is not None and often <= limit
            if kept:
                connection.execute(
                    insert(search_addresses).values(
                        search_id=search_id, address=address, state=_WAITING, given=rows.naive(now)
                    )
                )
        return kept

    def waiting(self, now: datetime) -> list[SavedSearch]:
        """The searches whose address is still to be asked."""
        return [search for search in self.listed(now) if search.mail == _WAITING]

    def claim_question(self, search_id: int, tokens: Tokens, expires: datetime) -> str | None:
        """Take it upon oneself to ask an address, which is returned; null where another does."""
        mine = (search_addresses.c.search_id == search_id, search_addresses.c.state == _WAITING)
        with self._engine.begin() as connection:
            claimed = connection.execute(
                update(search_addresses).where(*mine).values(state=_ASKING)
            )
            if claimed.rowcount == 0:
                return None
            keep_token(connection, search_id, _CONFIRM, tokens.confirm, expires)
            keep_token(connection, search_id, UNSUBSCRIBE, tokens.unsubscribe)
            return address_of(connection, search_id)

    def question_sent(self, search_id: int) -> None:
        """Note that an address was asked."""
        asking = (search_addresses.c.search_id == search_id, search_addresses.c.state == _ASKING)
        with self._engine.begin() as connection:
            connection.execute(update(search_addresses).where(*asking).values(state=_ASKED))

    def release_question(self, search_id: int) -> None:
        """Have an address asked later: its mail was refused."""
        asking = (search_addresses.c.search_id == search_id, search_addresses.c.state == _ASKING)
        with self._engine.begin() as connection:
            connection.execute(delete(mail_tokens).where(mail_tokens.c.search_id == search_id))
            connection.execute(update(search_addresses).where(*asking).values(state=_WAITING))

    def asked_for(self, token: str, now: datetime) -> SavedSearch | None:
        """The search whose address was asked with this token, if it is still valid."""
        query = _listed().where(saved_searches.c.id.in_(_confirming(token, now)))
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else _search_of(row)

    def confirm(self, token: str, now: datetime) -> bool:
        """Confirm the address that was asked with this token; false where that is not valid."""
        asked = search_addresses.c.search_id.in_(_confirming(token, now))
        with self._engine.begin() as connection:
            done = connection.execute(update(search_addresses).where(asked).values(state=CONFIRMED))
            return bool(done.rowcount)

    def erase_address_of(self, token: str) -> bool:
        """Erase the address whose mails carry this token for unsubscribing."""
        found = select(mail_tokens.c.search_id).where(
            mail_tokens.c.sha256 == hashed(token), mail_tokens.c.purpose == UNSUBSCRIBE
        )
        return self._erase(delete(search_addresses).where(search_addresses.c.search_id.in_(found)))

    def erase_address(self, search_id: int) -> bool:
        """Erase the address of a search."""
        return self._erase(
            delete(search_addresses).where(search_addresses.c.search_id == search_id)
        )

    def forget_old(self, unconfirmed: datetime, now: datetime) -> int:
        """Erase addresses that were given until a moment and never confirmed; returns how many.

        Counts of how often addresses were given go a day after.
        """
        with self._engine.begin() as connection:
            erased = connection.execute(delete(search_addresses).where(*_old(unconfirmed)))
            connection.execute(
                delete(given_addresses).where(given_addresses.c.given <= rows.naive(now - DAY))
            )
        self._overwrite()
        return erased.rowcount

    def count_old(self, unconfirmed: datetime) -> int:
        """How many addresses ``forget_old`` would erase."""
        query = select(func.count()).select_from(search_addresses).where(*_old(unconfirmed))
        with self._engine.connect() as connection:
            return connection.scalar(query) or 0

    def _erase(self, statement: Delete) -> bool:
        with self._engine.begin() as connection:
            erased = connection.execute(statement)
        self._overwrite()
        return bool(erased.rowcount)

    def _overwrite(self) -> None:
        """Clear SQLite's log, where what was erased still stands.

        Where a reader keeps it open the next erasure or digest run clears it.
        """
        if self._engine.dialect.name != "sqlite":
            return
        with self._engine.connect() as connection:
            patience = connection.scalar(text("PRAGMA busy_timeout"))
            # Somebody waits for the page that says that the address is erased.
            connection.execute(text("PRAGMA busy_timeout=1000"))
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
            connection.execute(text(f"PRAGMA busy_timeout={patience}"))


def hashed(secret: str) -> str:
    """A random secret as it is kept: SHA-256 without salt, since nobody can try 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _listed() -> Select[Any]:
    return select(saved_searches, search_addresses.c.state.label("mail")).outerjoin(
        search_addresses, search_addresses.c.search_id == saved_searches.c.id
    )


def _lasting(now: datetime) -> ColumnElement[bool]:
    """Whether the key that a search was saved with is still good; one without a key lasts."""
    good = exists().where(keys.c.name == saved_searches.c.key_name, key_in_force(now))
    return or_(saved_searches.c.key_name.is_(None), good)


def _search_of(row: Row[Any]) -> SavedSearch:
    return SavedSearch(
        id=row.id,
        name=row.name,
        query=json.loads(row.query),
        language=row.language,
        visibility=Visibility(row.visibility),
        created=row.created.replace(tzinfo=UTC),
        told_until=row.told_until,
        mail=row.mail,
        collections=None if row.collections is None else tuple(json.loads(row.collections)),
        key_name=row.key_name,
    )


def _old(unconfirmed: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        search_addresses.c.given <= rows.naive(unconfirmed),
        search_addresses.c.state != CONFIRMED,
    )


def _confirming(token: str, now: datetime) -> Select[Any]:
    return select(mail_tokens.c.search_id).where(
        mail_tokens.c.sha256 == hashed(token),
        mail_tokens.c.purpose == _CONFIRM,
        mail_tokens.c.expires > rows.naive(now),
    )


def keep_token(
    connection: Connection,
    search_id: int,
    purpose: str,
    token: str,
    expires: datetime | None = None,
) -> None:
    """Keep the hash of a mail's token; an integrity error where the search has no address."""
    connection.execute(
        insert(mail_tokens).values(
            sha256=hashed(token),
            purpose=purpose,
            search_id=search_id,
            expires=None if expires is None else rows.naive(expires),
        )
    )


def address_of(connection: Connection, search_id: int) -> str:
    """The address of a search that has one."""
    query = select(search_addresses.c.address).where(search_addresses.c.search_id == search_id)
    return str(connection.scalar(query))


def _mail_key(connection: Connection) -> bytes:
    """The key of this base under which addresses are hashed, made when it is first needed."""
    query = select(facts.c.value).where(facts.c.name == _MAIL_KEY)
    found: str | None = connection.scalar(query)
    if found is None:
        found = secrets.token_hex(32)
        connection.execute(insert(facts).values(name=_MAIL_KEY, value=found))
    return bytes.fromhex(found)

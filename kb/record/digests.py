"""What saved searches were told of: each thing is claimed in one transaction before it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from kb.record import rows
from kb.record.schema import digests, mail_tokens, saved_searches, told_news
from kb.record.searches import UNSUBSCRIBE, address_of, hashed, keep_token

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Engine

# A digest that is ``sending`` while no run is on may have been accepted or not.
_SENDING, _SENT, _DOUBTFUL = "sending", "sent", "doubtful"


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one digest tells: ``keys`` holds each thing once, with the id of its document.

    ``until`` is the number of the newest news that was looked at for it. ``token`` is the secret
    of its link for unsubscribing.
    """

    search_id: int
    keys: Mapping[str, str]
    until: int
    message_id: str
    token: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A parcel that this run alone may send, and to which address."""

    digest_id: int
    address: str


class DigestsRecord:
    """Reads and writes what saved searches were told of."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def told(self, search_id: int) -> dict[str, str]:
        """What a search was told of, by key, each with the id of its document."""
        query = select(told_news.c.key, told_news.c.document_id)
        with self._engine.connect() as connection:
            found = connection.execute(query.where(told_news.c.search_id == search_id)).all()
        return {row.key: row.document_id for row in found}

    def claim(self, parcel: Parcel, now: datetime) -> Claim | None:
        """Claim what a digest tells; null where the address is gone or another run tells it."""
        digest = {
            "search_id": parcel.search_id,
            "state": _SENDING,
            "message_id": parcel.message_id,
            "claimed": rows.naive(now),
        }
        try:
            with self._engine.begin() as connection:
                added = connection.execute(insert(digests).values(digest))
                digest_id: int = added.inserted_primary_key[0]  # type: ignore[index]
                told = [
                    {
                        "search_id": parcel.search_id,
                        "key": key,
                        "document_id": document_id,
                        "digest_id": digest_id,
                    }
                    for key, document_id in parcel.keys.items()
                ]
                connection.execute(insert(told_news), told)
                # Fails where the address was erased meanwhile: the token belongs to it.
                keep_token(connection, parcel.search_id, UNSUBSCRIBE, parcel.token)
                address = address_of(connection, parcel.search_id)
        except IntegrityError:
            return None
        return Claim(digest_id, address)

    def sent(self, claim: Claim, parcel: Parcel) -> None:
        """Note that the mail server accepted a digest."""
        with self._engine.begin() as connection:
            _set_state(connection, claim.digest_id, _SENT)
            _deal_with(connection, parcel.search_id, parcel.until)

    def release(self, claim: Claim, parcel: Parcel) -> None:
        """Take a claim back: the mail server refused the digest."""
        with self._engine.begin() as connection:
            connection.execute(delete(digests).where(digests.c.id == claim.digest_id))
            connection.execute(
                delete(mail_tokens).where(mail_tokens.c.sha256 == hashed(parcel.token))
            )

    def doubt(self, digest_id: int) -> None:
        """Note that it is unknown whether a digest arrived, and that it is not sent again."""
        with self._engine.begin() as connection:
            _set_state(connection, digest_id, _DOUBTFUL)

    def interrupted(self) -> dict[int, int]:
        """Digests that a run left while it was sending them, each with the id of its search.

        The caller holds the lock of the run that sends digests.
        """
        query = select(digests.c.id, digests.c.search_id).where(digests.c.state == _SENDING)
        with self._engine.connect() as connection:
            found = connection.execute(query.order_by(digests.c.id)).all()
        return {row.id: row.search_id for row in found}

    def deal_with(self, search_id: int, news_id: int) -> None:
        """Note that every news up to a number was looked at for a search."""
        with self._engine.begin() as connection:
            _deal_with(connection, search_id, news_id)


def _deal_with(connection: Connection, search_id: int, news_id: int) -> None:
    connection.execute(
        update(saved_searches).where(saved_searches.c.id == search_id).values(told_until=news_id)
    )


def _set_state(connection: Connection, digest_id: int, state: str) -> None:
    connection.execute(update(digests).where(digests.c.id == digest_id).values(state=state))

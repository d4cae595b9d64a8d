"""Saved searches: made, found by their secret, revoked; addresses asked, confirmed, erased."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from kb.calls.letters import question
from kb.calls.mail import MailDoubtfulError, MailRefusedError, compose, mail_address, one_line
from kb.errors import NotFoundError, UsageError
from kb.model import Visibility
from kb.record.searches import SavedSearch, Tokens

if TYPE_CHECKING:
    from datetime import datetime

    from kb.calls.mail import Mailer
    from kb.calls.query import CallQuery
    from kb.record.searches import SearchesRecord

SECRET_PREFIX = "oms_"  # noqa: S105 -- what secrets begin with, so that scanners know them
LANGUAGES = ("fr", "en")
MAX_NAME = 200
MAX_SEARCHES = 10_000
# From here on only who has a key, or the machine, may save more: nobody fills it for all.
MAX_OPEN_SEARCHES = 5_000
QUESTIONS_A_DAY = 3
UNCONFIRMED_DAYS = timedelta(days=7)
_MAX_QUERY = 8_000  # characters of JSON
_RANDOM_BYTES = 32


@dataclass(frozen=True, slots=True)
class NewSearch:
    """What somebody wants to follow.

    ``visibility`` and ``collections`` are what whoever asks may see at most; the search ends with
    the key called ``key_name``.
    """

    name: str
    query: CallQuery
    language: str = "fr"
    visibility: Visibility = Visibility.PUBLIC
    address: str = ""
    collections: tuple[str, ...] | None = None
    key_name: str | None = None


def create(
    record: SearchesRecord,
    new: NewSearch,
    now: datetime,
    newest_news: int,
    most: int = MAX_SEARCHES,
) -> tuple[SavedSearch, str]:
    """Keep a search; returns it with its secret, which nobody can show again.

    It follows what comes after ``newest_news``, the number of the latest news. An address is only
    kept to be asked, and not even that where it was given too often today: nothing tells.

    Raises:
        UsageError: Name, language, query or address can't be used, or too many searches are kept.
    """
    name = one_line(new.name)
    if not name or len(name) > MAX_NAME:
        raise UsageError(f"name: a saved search needs a name of at most {MAX_NAME} characters.")
    if new.language not in LANGUAGES:
        raise UsageError(f"language: {new.language!r} is not one of {', '.join(LANGUAGES)}.")
    values = new.query.as_values()
    if len(json.dumps(values, ensure_ascii=False)) > _MAX_QUERY:
        raise UsageError("query: it is too long to be saved; use fewer filters or words.")
    address = mail_address(new.address) if new.address else ""
    secret = SECRET_PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    search = SavedSearch(
        0,
        name,
        values,
        new.language,
        new.visibility,
        now,
        newest_news,
        collections=new.collections,
        key_name=new.key_name,
    )
    kept = record.add(search, secret, most)
    if kept is None:
        raise UsageError(
            f"No more than {most} searches can be saved here. `kb searches delete` makes room."
        )
    if address:
        record.give_address(kept.id, address, now, QUESTIONS_A_DAY)
    return kept, secret


def resolve(record: SearchesRecord, secret: str, now: datetime) -> SavedSearch | None:
    """The search whose addresses hold this secret, or null."""
    return record.by_secret(secret, now) if secret.startswith(SECRET_PREFIX) else None


def revoke(record: SearchesRecord, secret: str, now: datetime) -> bool:
    """Delete the search with this secret: its addresses stop working; false where there is none."""
    search = resolve(record, secret, now)
    return search is not None and record.delete(search.id)


def named(record: SearchesRecord, name: str) -> SavedSearch:
    """The search of a name or number.

    Raises:
        NotFoundError: There is none.
        UsageError: Several have the name; the message gives their numbers.
    """
    listed = record.listed()
    found = [search for search in listed if search.name == name]
    if len(found) > 1:
        numbers = ", ".join(str(search.id) for search in found)
        raise UsageError(f"Several searches are called {name!r}: name one by its number: {numbers}")
    found = found or [search for search in listed if str(search.id) == name]
    if not found:
        raise NotFoundError(f"There is no saved search {name!r}. `kb searches list` lists them.")
    return found[0]


def ask_address(
    record: SearchesRecord, mailer: Mailer, search_id: int, public_url: str, now: datetime
) -> bool:
    """Ask an address once whether it wants digests; false where it was asked already.

    Raises:
        MailRefusedError: The mail was not accepted; the next digest run asks again.
        MailDoubtfulError: Nobody knows whether it arrived; it is not asked again.
    """
    search = next((each for each in record.waiting(now) if each.id == search_id), None)
    tokens = Tokens(new_token(), new_token())
    expires = now + UNCONFIRMED_DAYS
    address = record.claim_question(search_id, tokens, expires) if search else None
    if search is None or address is None:
        return False
    unsubscribe = unsubscribe_address(public_url, tokens.unsubscribe)
    message = compose(
        question(
            search.language,
            confirm=f"{public_url}/v1/searches/confirm/{tokens.confirm}",
            unsubscribe=unsubscribe,
            given=now,
        ),
        sender=mailer.sender,
        recipient=address,
        at=now,
        headers=unsubscribe_headers(unsubscribe),
    )
    try:
        mailer.send(message, address)
    except MailRefusedError:
        record.release_question(search_id)
        raise
    except MailDoubtfulError:
        record.question_sent(search_id)
        raise
    record.question_sent(search_id)
    return True


def new_token() -> str:
    """A secret for one link of a mail."""
    return secrets.token_urlsafe(_RANDOM_BYTES)


def unsubscribe_address(public_url: str, token: str) -> str:
    """Where whoever got a mail has the address erased."""
    return f"{public_url}/v1/unsubscribe/{token}"


def unsubscribe_headers(address: str) -> dict[str, str]:
    """The headers by which mail programs show their own button for it (RFC 2369, RFC 8058)."""
    return {
        "List-Unsubscribe": f"<{address}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }

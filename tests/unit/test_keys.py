"""Keys and sessions in the system of record."""

from __future__ import annotations

import dataclasses
import re
import sqlite3
import string
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import text

from kb.errors import NotFoundError, UsageError
from kb.keys import KeyRole, NewKey, access_of, is_well_formed, new_key
from kb.model import FULL_ACCESS, Visibility
from kb.record.database import open_database
from kb.record.keys import IDLE, SESSION, KeysRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
PARTNER = NewKey("Réseau", KeyRole.PARTNER, ("guarantee", "plans"), NOW + 9 * MINUTE, 60)
BASE62 = string.digits + string.ascii_letters
SIGNS = st.sampled_from(BASE62 + "_-é ")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An empty base."""
    opened = open_database(f"sqlite:///{tmp_path / 'record.db'}")
    yield opened
    opened.dispose()


@pytest.fixture
def keys(engine: Engine) -> KeysRecord:
    """Its keys."""
    return KeysRecord(engine)


# The text of a key


def test_a_key_is_known_by_its_prefix_and_checksum() -> None:
    """53 characters, as many keys as calls, each well formed."""
    made = {new_key() for _ in range(500)}
    assert len(made) == 500
    assert all(re.fullmatch(r"omk_[0-9A-Za-z]{49}", key, re.ASCII) for key in made)
    assert all(is_well_formed(key) for key in made)


@given(place=st.integers(0, 52), other=SIGNS)
def test_any_single_character_changed_is_malformed(place: int, other: str) -> None:
    """Whatever it is changed to, and wherever."""
    key = new_key()
    assume(key[place] != other)
    assert not is_well_formed(key[:place] + other + key[place + 1 :])


@given(place=st.integers(0, 51))
def test_two_neighbours_swapped_are_malformed(place: int) -> None:
    """The slip that people make most."""
    key = new_key()
    assume(key[place] != key[place + 1])
    assert not is_well_formed(key[:place] + key[place + 1] + key[place] + key[place + 2 :])


@given(place=st.integers(0, 53), more=SIGNS)
def test_a_character_more_or_less_is_malformed(place: int, more: str) -> None:
    """Also when it is put at the end, as a line break is."""
    key = new_key()
    assert not is_well_formed(key[:place] + more + key[place:])
    assert place == 53 or not is_well_formed(key[:place] + key[place + 1 :])
    assert not is_well_formed(key + "\n")


@given(st.text())
def test_no_text_breaks_the_check(given_text: str) -> None:
    """Also not one of characters outside ASCII."""
    assert not is_well_formed(given_text)
    assert not is_well_formed("omk_" + given_text)


def test_roles_open_what_they_say() -> None:
    """Without a key what is public, for staff everything; collections narrow each."""
    assert access_of(None).visibilities == (Visibility.PUBLIC,)
    partner = access_of(KeyRole.PARTNER, ("plans",))
    assert partner.visibilities == (Visibility.PUBLIC, Visibility.COALITION)
    assert partner.collections == ("plans",)
    assert access_of(KeyRole.STAFF) == FULL_ACCESS


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": " x"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\nb"}, "control"),
        ({"name": "a\x1b[2Jb"}, "control"),
        ({"name": "a\u202eb"}, "invisible"),
        ({"name": "a\u2028b"}, "control"),
        ({"name": "a\ud800b"}, "control"),
        ({"name": new_key()}, "this is a key"),
        ({"collections": ("plans", "")}, "collection"),
        ({"collections": ("pl\0ans",)}, "collection"),
        ({"rate": 0}, "rate"),
        ({"rate": 100_001}, "rate"),
    ],
)
def test_what_cannot_be_a_key_is_refused(changed: dict[str, Any], said: str) -> None:
    """The message names the field."""
    with pytest.raises(UsageError, match=said):
        dataclasses.replace(PARTNER, **changed)


# Keys


def test_a_key_opens_from_when_it_is_made_until_it_expires(keys: KeysRecord) -> None:
    """It is found with all that was said of it, and not a moment longer."""
    key, made = keys.create(PARTNER, NOW)
    found = keys.by_key(made, NOW)
    assert found == key
    assert (key.name, key.role, key.collections) == (PARTNER.name, KeyRole.PARTNER, key.collections)
    assert (key.collections, key.rate, key.expires) == (("guarantee", "plans"), 60, PARTNER.expires)
    assert (key.created, key.revoked, key.last_used) == (NOW, None, None)
    assert made.endswith(key.hint)
    assert len(key.hint) == 4
    assert PARTNER.expires is not None
    assert keys.by_key(made, PARTNER.expires - SECOND) is not None
    assert keys.by_key(made, PARTNER.expires) is None
    assert key.state(PARTNER.expires) == "expired"
    assert keys.by_key(new_key(), NOW) is None
    assert keys.by_key("omk_", NOW) is None


def test_a_key_cannot_be_made_for_the_past(keys: KeysRecord) -> None:
    """Nothing is kept."""
    with pytest.raises(UsageError, match="expires"):
        keys.create(dataclasses.replace(PARTNER, expires=NOW), NOW)
    assert keys.listed() == []


def test_a_name_is_one_keys_until_it_is_revoked(keys: KeysRecord) -> None:
    """An expired key has its name still; a revoked one is listed with it."""
    keys.create(PARTNER, NOW)
    later = NOW + 10 * MINUTE
    again = dataclasses.replace(PARTNER, expires=None)
    with pytest.raises(UsageError, match="called 'Réseau' already"):
        keys.create(again, later)
    keys.revoke("Réseau", later)
    with pytest.raises(NotFoundError):
        keys.revoke("Réseau", later)
    second, _ = keys.create(again, later)
    first, listed = keys.listed()
    assert listed == second
    assert (first.name, first.revoked, first.state(later)) == ("Réseau", later, "revoked")


def test_a_revoked_key_opens_nothing(keys: KeysRecord) -> None:
    """At once, also where another process asks."""
    _, made = keys.create(PARTNER, NOW)
    keys.revoke("Réseau", NOW)
    assert keys.by_key(made, NOW) is None


def test_a_rotated_key_keeps_its_settings(keys: KeysRecord) -> None:
    """The old text ends at once; the new key has a number of its own."""
    old, before = keys.create(PARTNER, NOW)
    new, made = keys.rotate("Réseau", NOW + MINUTE)
    assert keys.by_key(before, NOW + MINUTE) is None
    assert keys.by_key(made, NOW + MINUTE) == new
    same = dataclasses.replace(old, id=new.id, hint=new.hint, created=NOW + MINUTE)
    assert new == same
    assert new.id != old.id
    with pytest.raises(NotFoundError):
        keys.rotate("Another", NOW)
    with pytest.raises(UsageError, match="expired"):
        keys.rotate("Réseau", NOW + 9 * MINUTE)
    assert keys.by_key(made, NOW + MINUTE) == new


def test_the_last_use_is_noted_once_a_minute(keys: KeysRecord) -> None:
    """What was noted within the minute stands."""
    key, made = keys.create(PARTNER, NOW)
    keys.used(key, NOW)
    keys.used(key, NOW + 59 * SECOND)  # by who looked the key up before it was used
    found = keys.by_key(made, NOW)
    assert found is not None
    assert found.last_used == NOW
    assert found.used_lately(NOW + 59 * SECOND)
    assert not found.used_lately(NOW + MINUTE)
    keys.used(found, NOW + 59 * SECOND)
    keys.used(found, NOW + MINUTE)
    found = keys.by_key(made, NOW)
    assert found is not None
    assert found.last_used == NOW + MINUTE


def test_noting_a_use_waits_for_nobody(keys: KeysRecord, engine: Engine, tmp_path: Path) -> None:
    """While another writes nothing is noted, nothing fails, and a later use is noted again."""
    key, made = keys.create(PARTNER, NOW)
    token = keys.open_session(key.id, NOW)
    writer = sqlite3.connect(tmp_path / "record.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    keys.used(key, NOW + MINUTE, token)
    waited = time.monotonic() - started
    assert keys.by_key(made, NOW) == key
    writer.execute("ROLLBACK")
    writer.close()
    assert waited < 9  # other writes wait 10 seconds
    keys.used(key, NOW + MINUTE, token)
    found = keys.by_key(made, NOW)
    assert found is not None
    assert found.last_used == NOW + MINUTE
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA busy_timeout")) == 10_000


# Sessions


def test_a_session_lasts_twelve_hours_while_it_is_used(keys: KeysRecord) -> None:
    """Not a moment longer."""
    key, _ = keys.create(dataclasses.replace(PARTNER, expires=None), NOW)
    token = keys.open_session(key.id, NOW)
    now = NOW
    while now < NOW + SESSION:
        found = keys.session(token, now)
        assert found is not None
        assert found.id == key.id
        keys.used(found, now, token)
        now += IDLE - SECOND
    assert keys.session(token, NOW + SESSION - SECOND) is not None
    assert keys.session(token, NOW + SESSION) is None


def test_an_idle_session_ends_after_two_hours(keys: KeysRecord) -> None:
    """Though its key is used elsewhere."""
    key, _ = keys.create(dataclasses.replace(PARTNER, expires=None), NOW)
    token = keys.open_session(key.id, NOW)
    keys.used(key, NOW + IDLE - MINUTE)
    assert keys.session(token, NOW + IDLE - SECOND) is not None
    assert keys.session(token, NOW + IDLE) is None


@pytest.mark.parametrize("ending", ["revoke", "rotate", "expiry", "close"])
def test_a_session_ends_with_its_key(keys: KeysRecord, ending: str) -> None:
    """Revoked, rotated or expired; or when it is closed, which may be done twice."""
    key, _ = keys.create(PARTNER, NOW)
    other, _ = keys.create(NewKey("Other", KeyRole.STAFF), NOW)
    token, kept = keys.open_session(key.id, NOW), keys.open_session(other.id, NOW)
    assert token != kept
    now = NOW + SECOND
    assert keys.session(token, now) is not None
    match ending:
        case "revoke":
            keys.revoke("Réseau", now)
        case "rotate":
            keys.rotate("Réseau", now)
        case "close":
            keys.close_session(token)
            keys.close_session(token)
        case _:
            now = PARTNER.expires or now
    assert keys.session(token, now) is None
    assert keys.session(kept, now) == other


def test_ended_sessions_are_swept_away(keys: KeysRecord, engine: Engine) -> None:
    """When the next is opened; the others stay."""
    key, _ = keys.create(dataclasses.replace(PARTNER, expires=None), NOW)
    keys.open_session(key.id, NOW)
    keys.open_session(key.id, NOW + IDLE - SECOND)
    keys.open_session(key.id, NOW + IDLE)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM sessions")) == 2


def test_no_secret_is_kept(keys: KeysRecord, tmp_path: Path) -> None:
    """Neither a key nor a session's token stands in the database's files."""
    key, made = keys.create(PARTNER, NOW)
    _, rotated = keys.rotate("Réseau", NOW)
    token = keys.open_session(key.id, NOW)
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("record.db*"))
    assert b"guarantee" in kept
    for secret in (made, rotated, token):
        assert secret.encode() not in kept
        assert secret[4:-6].encode() not in kept

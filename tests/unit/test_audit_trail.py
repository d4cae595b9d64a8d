"""The audit trail: what is kept of an event, how it is written, and when it goes."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import sqlite3
import stat
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, select

from kb.audit import Trail, chosen, event_json
from kb.audit_export import Form, exported, whole_file
from kb.errors import StoreError, UsageError
from kb.keys import Door, KeyRole
from kb.model import FeedbackKind
from kb.record.audit import (
    MAX_RETURNED,
    Action,
    AuditRecord,
    Chosen,
    Event,
    Outcome,
    Returned,
)
from kb.record.database import open_database
from kb.record.feedback import Feedback, FeedbackRecord
from kb.record.schema import feedback
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
QUESTION = "Qui garantit les échelles bretonnes ?"
ASKED = Event(
    at=NOW,
    request_id="0f8e6a2c4b7d4f1e",
    door=Door.HTTP,
    role=KeyRole.PARTNER,
    action=Action.ANSWER,
    outcome=Outcome.INSUFFICIENT_EVIDENCE,
    key_id=3,
    key="Réseau",
    query=QUESTION,
    language="fr",
    filters={"theme": "garantie", "since": "2026-01-01"},
    returned=(Returned("plan-fr", 2, "5f0c1a52-6f5e-5d53-9a55-7c6b1f0b7e11"), Returned("x", 1)),
    took_ms=12.5,
    generation=4,
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Where the base is."""
    return f"sqlite:///{tmp_path / 'record.db'}"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An empty base."""
    opened = open_database(url)
    yield opened
    opened.dispose()


def _settings(tmp_path: Path, **values: Any) -> Settings:
    return Settings(**{"home": tmp_path, **values})


@pytest.fixture
def trail(engine: Engine, tmp_path: Path) -> Iterator[Trail]:
    """The trail of the base."""
    made = Trail(engine, _settings(tmp_path))
    yield made
    made.close()


def _kept(engine: Engine) -> list[Event]:
    return AuditRecord(engine, hashed=False).listed(Chosen(), 100_000)[::-1]


def _held(tmp_path: Path) -> sqlite3.Connection:
    """Another process that writes, as an ingest run does."""
    other = sqlite3.connect(tmp_path / "record.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return other


def _bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("record.db*"))


# What is kept


def test_an_event_is_kept_whole(trail: Trail, engine: Engine) -> None:
    """Who, what, when, how, what was returned."""
    trail.note(ASKED)
    assert trail.flush(30)
    [kept] = _kept(engine)
    assert replace(kept, id=0, query_hash=None) == ASKED
    assert kept.query_hash
    assert json.loads(json.dumps(event_json(kept)))["returned"][1] == {
        "document_id": "x",
        "version": 1,
        "passage_id": None,
    }


def test_what_was_returned_is_kept_in_order_once_and_up_to_a_limit(
    trail: Trail, engine: Engine
) -> None:
    """A hundred passages of a search; the same one twice is one."""
    many = tuple(Returned("d", 1, str(number)) for number in range(MAX_RETURNED + 20))
    trail.note(replace(ASKED, returned=(many[0], *many)))
    assert trail.flush(30)
    assert _kept(engine)[0].returned == many[:MAX_RETURNED]


@pytest.mark.parametrize("query", ["half \ud800 of a pair", "a\0b", "", "é" * 9_000])
def test_any_text_can_be_kept(trail: Trail, engine: Engine, query: str) -> None:
    """Databases take neither half characters nor NUL."""
    trail.note(replace(ASKED, query=query, filters={"theme": query, query: "x"}))
    assert trail.flush(30)
    assert len(_kept(engine)) == 1
    assert trail.counts.lost == 0


def test_filters_that_are_too_long_keep_their_names(trail: Trail, engine: Engine) -> None:
    """Whoever sends a thousand themes does not fill the base."""
    trail.note(replace(ASKED, filters={"theme": ["x" * 900] * 40, "status": ["open"]}))
    assert trail.flush(30)
    assert _kept(engine)[0].filters == {"theme": "…", "status": ["open"]}


def test_of_who_has_no_key_nothing_is_kept(trail: Trail, engine: Engine) -> None:
    """Neither a role nor a name."""
    trail.note(replace(ASKED, role=None, key_id=None, key=None))
    assert trail.flush(30)
    [kept] = _kept(engine)
    assert (kept.role, kept.key_id, kept.key) == (None, None, None)


# How it is written


def test_a_trail_that_is_not_used_has_no_thread(trail: Trail) -> None:
    """It begins with the first event."""
    assert "audit" not in {thread.name for thread in threading.enumerate()}
    trail.note(ASKED)
    assert "audit" in {thread.name for thread in threading.enumerate()}


def test_whoever_notes_does_not_wait_for_a_run_that_writes(
    trail: Trail, engine: Engine, tmp_path: Path
) -> None:
    """Events are written as soon as the run is done."""
    other = _held(tmp_path)
    for _ in range(20):
        trail.note(ASKED)  # returns although nothing can be written
    assert not trail.flush(0.3)
    assert (_kept(engine), trail.counts.waiting) == ([], 20)
    other.execute("COMMIT")
    assert trail.flush(30)
    assert len(_kept(engine)) == 20
    assert trail.counts.written == 20


def test_without_room_a_request_is_refused_and_no_event_is_lost(
    engine: Engine, tmp_path: Path
) -> None:
    """What is refused is not answered: nobody is told anything that leaves no trace."""
    small = Trail(engine, _settings(tmp_path), room=3)
    other = _held(tmp_path)
    for _ in range(3):
        small.note(ASKED)
    with pytest.raises(StoreError, match="audit trail can't be written"):
        small.note(ASKED)
    other.execute("COMMIT")
    assert small.flush(30)
    small.note(ASKED)  # there is room again
    small.close()
    assert len(_kept(engine)) == 4
    assert (small.counts.refused, small.counts.lost) == (1, 0)


def test_events_of_many_threads_are_each_written_once(trail: Trail, engine: Engine) -> None:
    """Whatever the batches."""

    def ask(number: int) -> None:
        for place in range(100):
            trail.note(replace(ASKED, request_id=f"{number}-{place}"))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trail.close()
    noted = [f"{number}-{place}" for number in range(8) for place in range(100)]
    assert sorted(event.request_id for event in _kept(engine)) == sorted(noted)


def test_closing_writes_what_waits_and_ends_it(trail: Trail, engine: Engine) -> None:
    """A service that stops loses nothing; it may be closed again."""
    for _ in range(3):
        trail.note(ASKED)
    trail.close()
    trail.close()
    assert len(_kept(engine)) == 3
    with pytest.raises(StoreError):
        trail.note(ASKED)


def test_a_base_that_cant_be_written_costs_the_events_and_no_more(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They are counted, and the log says why and not what was asked."""
    open_database(url).dispose()
    reading = create_engine(f"sqlite:///file:{tmp_path / 'record.db'}?mode=ro&uri=true")
    trail = Trail(reading, _settings(tmp_path))
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            trail.note(ASKED)
        trail.close()
    assert (trail.counts.lost, trail.counts.waiting) == (3, 0)
    assert "3 events of the audit trail could not be written: attempt to write" in caplog.text
    assert "bretonnes" not in caplog.text
    reading.dispose()


def test_one_event_that_cant_be_kept_does_not_stop_the_others(
    trail: Trail, engine: Engine, tmp_path: Path
) -> None:
    """Whatever is wrong with it."""
    other = _held(tmp_path)  # so that they come in one batch
    trail.note(ASKED)
    trail.note(replace(ASKED, generation=2**80))
    trail.note(replace(ASKED, request_id="after"))
    other.execute("COMMIT")
    assert trail.flush(30)
    assert [event.request_id for event in _kept(engine)] == [ASKED.request_id, "after"]
    assert trail.counts.lost == 1
    trail.note(ASKED)
    assert trail.flush(30)
    assert trail.counts.written == 3


# Questions as hashes


def test_hashed_questions_are_nowhere_in_the_base(engine: Engine, tmp_path: Path) -> None:
    """Equal ones have the same hash, whatever their case, accents and punctuation."""
    trail = Trail(engine, _settings(tmp_path, audit_queries="hashed"))
    asked = [QUESTION, "qui garantit  les ECHELLES bretonnes", "Qui garantit les ponts ?"]
    for query in asked:
        trail.note(replace(ASKED, query=query))
    trail.close()
    first, second, third = _kept(engine)
    assert {first.query, second.query, third.query} == {None}
    assert first.query_hash == second.query_hash != third.query_hash
    assert b"bretonnes" not in _bytes_of(tmp_path)


def test_the_hash_is_made_with_a_key_of_the_base(engine: Engine, tmp_path: Path) -> None:
    """Who has a hash alone can't try out questions; two bases hash the same otherwise."""
    other = open_database(f"sqlite:///{tmp_path / 'other.db'}")
    here, there = (AuditRecord(each, hashed=True) for each in (engine, other))
    assert here.question_hash(QUESTION) != there.question_hash(QUESTION)
    again = AuditRecord(engine, hashed=True)
    assert here.question_hash(QUESTION) == again.question_hash(QUESTION)
    other.dispose()


def test_texts_that_were_kept_before_are_erased_and_their_hashes_stay(
    engine: Engine, tmp_path: Path
) -> None:
    """Once the setting changes, with the next event."""
    before = Trail(engine, _settings(tmp_path))
    before.note(ASKED)
    before.close()
    said = Feedback(NOW, FeedbackKind.MISSING_DOCUMENT, question=QUESTION, comment="Le rapport")
    FeedbackRecord(engine, before.record).add(said)
    after = Trail(engine, _settings(tmp_path, audit_queries="hashed"))
    after.note(replace(ASKED, at=NOW + DAY, query=None))
    after.close()
    assert _kept(engine)[0].query is None
    assert _kept(engine)[0].query_hash == before.record.question_hash(QUESTION)
    [kept] = FeedbackRecord(engine, after.record).listed(9)
    assert (kept.question, kept.comment) == (None, "Le rapport")
    assert kept.question_hash == before.record.question_hash(QUESTION)


# How long


def _age(trail: Trail, *moments: datetime) -> None:
    """Events of these moments, written one by one."""
    for moment in moments:
        trail.note(replace(ASKED, at=moment))
        assert trail.flush(30)


def test_old_events_and_feedback_go_when_something_is_written(
    engine: Engine, tmp_path: Path
) -> None:
    """After so many days as are set."""
    trail = Trail(engine, _settings(tmp_path, audit_days=30))
    FeedbackRecord(engine, trail.record).add(Feedback(NOW, FeedbackKind.HELPFUL))
    _age(trail, NOW, NOW + 29 * DAY)
    assert len(_kept(engine)) == 2
    _age(trail, NOW + 31 * DAY)
    trail.close()
    assert [event.at for event in _kept(engine)] == [NOW + 29 * DAY, NOW + 31 * DAY]
    with engine.connect() as connection:
        assert connection.execute(select(feedback)).all() == []


def test_old_events_are_looked_for_once_an_hour_whoever_writes(
    engine: Engine, tmp_path: Path
) -> None:
    """Each command has a trail of its own: the base remembers."""
    settings = _settings(tmp_path, audit_days=30)
    record = AuditRecord(engine, hashed=False)

    def write(moment: datetime) -> list[datetime]:
        trail = Trail(engine, settings)
        _age(trail, moment)
        trail.close()
        return [event.at for event in _kept(engine)]

    write(NOW)
    record.write([replace(ASKED, at=NOW - 40 * DAY)])
    assert NOW - 40 * DAY in write(NOW + 59 * MINUTE)
    assert NOW - 40 * DAY not in write(NOW + 61 * MINUTE)


def test_a_clock_that_was_ahead_does_not_stop_it(engine: Engine, tmp_path: Path) -> None:
    """It may have been set a year too late once."""
    trail = Trail(engine, _settings(tmp_path, audit_days=30))
    _age(trail, NOW + 400 * DAY)
    AuditRecord(engine, hashed=False).write([replace(ASKED, at=NOW - 40 * DAY)])
    _age(trail, NOW)
    trail.close()
    assert [event.at for event in _kept(engine)] == [NOW + 400 * DAY, NOW]


def test_what_is_forgotten_is_not_in_the_files(engine: Engine, tmp_path: Path) -> None:
    """SQLite overwrites it, and its log is emptied."""
    record = AuditRecord(engine, hashed=False)
    record.write([ASKED] * 2_500)
    assert b"bretonnes" in _bytes_of(tmp_path)
    assert record.forget(NOW + DAY) == 2_500
    record.empty_log()
    assert b"bretonnes" not in _bytes_of(tmp_path)


# Reading


def test_events_are_listed_by_what_is_asked_of_them(engine: Engine) -> None:
    """Days are those of Brussels, the last one included."""
    record = AuditRecord(engine, hashed=False)
    moments = [datetime(2026, 3, day, 23, 30, tzinfo=UTC) for day in (1, 2, 3)]
    doors = (Door.HTTP, Door.MCP, Door.HTTP)
    record.write(
        [replace(ASKED, at=at, door=door) for at, door in zip(moments, doors, strict=True)]
    )
    record.write([replace(ASKED, at=moments[0], action=Action.SEARCH)])

    def ids(asked: Chosen) -> list[int]:
        return [event.id for event in record.listed(asked, 9)]

    assert ids(Chosen()) == [4, 3, 2, 1]
    # 23:30 UTC is half past midnight in Brussels.
    assert ids(chosen(since=date(2026, 3, 3))) == [3, 2]
    assert ids(chosen(until=date(2026, 3, 2))) == [4, 1]
    assert ids(chosen(date(2026, 3, 3), date(2026, 3, 3))) == [2]
    assert ids(chosen(door=Door.MCP)) == [2]
    assert ids(chosen(action=Action.SEARCH)) == [4]
    assert [event.id for event in record.listed(Chosen(), 2, before=3)] == [2, 1]
    with pytest.raises(UsageError, match="until must not lie before since"):
        chosen(date(2026, 3, 3), date(2026, 3, 2))


def test_a_stream_has_every_event_up_to_its_beginning(engine: Engine) -> None:
    """Oldest first, over many parts; what comes meanwhile is of the next one."""
    record = AuditRecord(engine, hashed=False)
    record.write([replace(ASKED, request_id=str(number)) for number in range(2_300)])
    found: list[str] = []
    for event in record.stream(Chosen()):
        if not found:
            record.write([replace(ASKED, request_id="later")])
        found.append(event.request_id)
    assert found == [str(number) for number in range(2_300)]


# Files


def test_lines_of_json_hold_events_as_they_are_shown() -> None:
    """Also those whose question holds a line's end by Unicode's rules."""
    events = [ASKED, replace(ASKED, query="a\u2028b\nc")]
    written = b"".join(exported(events, Form.JSONL))
    assert [json.loads(line) for line in written.decode().splitlines()] == [
        event_json(event) for event in events
    ]


def test_a_table_holds_no_formula() -> None:
    """A question that a spreadsheet would run is text to it."""
    asked = ["=HYPERLINK(1)", "+1", "-1", "@a", "\t=1", "a=1"]
    events = [replace(ASKED, query=query, key="=key") for query in asked]
    written = b"".join(exported(events, Form.CSV)).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(written, newline="")))
    assert [row["query"] for row in rows] == [*(f"'{each}" for each in asked[:5]), "a=1"]
    assert {row["key"] for row in rows} == {"'=key"}
    assert rows[0]["documents"] == "plan-fr v2 | x v1"
    assert rows[0]["passages"] == "5f0c1a52-6f5e-5d53-9a55-7c6b1f0b7e11"
    assert json.loads(rows[0]["filters"]) == ASKED.filters


def test_a_file_is_for_its_owner_and_whole_or_not_there(tmp_path: Path) -> None:
    """What stood there stays until the new one is whole."""
    path = tmp_path / "trail.jsonl"
    path.write_text("earlier")
    with pytest.raises(ZeroDivisionError), whole_file(path) as file:
        file.writelines(b"%d" % (1 // number) for number in (1, 0))
    assert path.read_text() == "earlier"
    old_mask = os.umask(0)
    try:
        with whole_file(path) as file:
            file.write(b"all")
    finally:
        os.umask(old_mask)
    assert path.read_text() == "all"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cant_be_written_is_named(tmp_path: Path) -> None:
    """Neither a folder that is missing, nor a folder in the file's place."""
    for path in (tmp_path / "none" / "trail.jsonl", tmp_path):
        with pytest.raises(UsageError, match=r"can't be written"), whole_file(path) as file:
            file.write(b"x")

"""The audit trail in the system of record: who asked what, and what they were given.

Of a question the trail holds its text, unless that is set off, and an HMAC-SHA256 of its words
under a key of this base: equal questions can be counted, and nobody who has the rows alone can try
out the few words that a question has, as they could against a plain hash.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from kb.analysis import fold
from kb.keys import Door, KeyRole
from kb.record import rows
from kb.record.schema import audit, facts, feedback

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Engine, Row, Table

MAX_RETURNED = 100  # documents and passages kept of one event
MAX_QUERY = 5_000  # characters of a question; the longest is an association's description
_MAX_FILTERS = 4_000  # characters of all filters; above it long ones are left out
_MAX_FILTER = 200
_KEY, _TIDIED = "audit_key", "audit_tidied"
_HOUR = timedelta(hours=1)
_BATCH = 1_000  # rows of one transaction or read, so that nobody waits long for the writer
_WORD = re.compile(r"\w+")


class Action(StrEnum):
    """What was asked for. Each query of a batch is an event of its own."""

    SEARCH = "search"
    BATCH = "batch"
    SOURCES = "sources"  # what an answer is looked for in, shown before it
    ANSWER = "answer"
    CALLS = "calls"
    MATCH = "match"
    CALL = "call"
    EXPORT = "export"
    FEED = "feed"
    DOCUMENTS = "documents"
    DOCUMENT = "document"
    PAGE = "page"
    PICTURE = "picture"  # of a page
    ORIGINAL = "original"
    BRIEF = "brief"


class Outcome(StrEnum):
    """What came of it; ``unchanged`` tells whoever asked that they have it already."""

    ANSWERED = "answered"
    INSUFFICIENT_EVIDENCE = "insufficient_evidence"
    FOUND = "found"
    NOTHING = "nothing"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Returned:
    """A document that was shown, by id and version, and the passage of it where there was one."""

    document_id: str
    version: int
    passage_id: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Who asked what, when, through which door, and what they were given.

    ``role``, ``key_id`` and ``key`` (its name) are null for who has no key; no address is ever
    kept. ``language`` is that in which the question was understood. ``returned`` is in the order in
    which it was shown, the first ``MAX_RETURNED`` of it. ``id`` and ``query_hash`` are the
    record's.
    """

    at: datetime
    request_id: str
    door: Door
    role: KeyRole | None
    action: Action
    outcome: Outcome
    key_id: int | None = None
    key: str | None = None
    query: str | None = None
    language: str | None = None
    filters: Mapping[str, Any] = field(default_factory=dict)
    returned: tuple[Returned, ...] = ()
    took_ms: float | None = None
    generation: int | None = None
    id: int = 0
    query_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which events are meant: at ``since`` or later, before ``until``, none of ``without``."""

    since: datetime | None = None
    until: datetime | None = None
    door: Door | None = None
    action: Action | None = None
    without: tuple[Action, ...] = ()

    def conditions(self) -> list[ColumnElement[bool]]:
        """As SQL."""
        stated = {
            "since": audit.c.at >= rows.naive(self.since) if self.since else None,
            "until": audit.c.at < rows.naive(self.until) if self.until else None,
            "door": audit.c.door == self.door if self.door else None,
            "action": audit.c.action == self.action if self.action else None,
            "without": audit.c.action.not_in(self.without) if self.without else None,
        }
        return [condition for condition in stated.values() if condition is not None]


class AuditRecord:
    """Reads and writes the trail; ``hashed`` says that texts of questions are not kept."""

    def __init__(self, engine: Engine, *, hashed: bool) -> None:
        self._engine = engine
        self.hashed = hashed

    def write(self, events: Sequence[Event]) -> None:
        """Keep events, all in one transaction."""
        values = [self._values(event) for event in events]
        with self._engine.begin() as connection:
            connection.execute(insert(audit), values)

    def listed(self, chosen: Chosen, limit: int, before: int | None = None) -> list[Event]:
        """Events, newest first, those numbered below ``before``."""
        query = select(audit).where(*chosen.conditions()).order_by(audit.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.id < before)
        with self._engine.connect() as connection:
            return [_event_of(row) for row in connection.execute(query)]

    def stream(self, chosen: Chosen) -> Iterator[Event]:
        """Every event up to now, in the order in which they were written."""
        query = select(audit).where(*chosen.conditions()).order_by(audit.c.id).limit(_BATCH)
        with self._engine.connect() as connection:
            last = connection.scalar(select(func.max(audit.c.id))) or 0
        after = 0
        while True:
            # Each part is read for itself: a long read would keep SQLite's log from being emptied.
            part = query.where(audit.c.id > after, audit.c.id <= last)
            with self._engine.connect() as connection:
                found = connection.execute(part).all()
            yield from map(_event_of, found)
            if len(found) < _BATCH:
                return
            after = found[-1].id

    # Questions

    def question_hash(self, question: str) -> str:
        """The keyed hash of a question's words, whatever their case, accents and punctuation."""
        folded = fold(storable(question))
        words = " ".join(_WORD.findall(folded)) or folded.strip()
        return hmac.new(self._key, words.encode(), "sha256").hexdigest()

    # Retention

    def tidy(self, now: datetime, days: int) -> None:
        """Forget what is older than so many days; once an hour at most, whoever calls.

        Where texts are not to be kept, those that were kept before it was set so are erased.
        """
        if not self._claim_tidying(now):
            return
        self.forget(now - timedelta(days=days))
        if self.hashed:
            self.forget_texts()

    def forget(self, before: datetime) -> int:
        """Erase events and feedback older than a moment; returns how many."""
        return sum(self._forget(table, rows.naive(before)) for table in (audit, feedback))

    def forget_texts(self) -> None:
        """Erase the texts of questions and leave their hashes."""
        self._drop(audit, audit.c.query)
        self._drop(feedback, feedback.c.question)

    def empty_log(self) -> None:
        """Clear SQLite's log, where what was erased still stands.

        Where a reader keeps it open it is cleared the next time that it is full.
        """
        if self._engine.dialect.name == "sqlite":
            with self._engine.connect() as connection:
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))

    def _forget(self, table: Table, before: datetime) -> int:
        old = select(table.c.id).where(table.c.at < before).limit(_BATCH)
        count = 0
        while True:
            with self._engine.begin() as connection:
                erased = connection.execute(delete(table).where(table.c.id.in_(old))).rowcount
            count += erased
            if erased < _BATCH:
                return count

    def _drop(self, table: Table, column: ColumnElement[str]) -> None:
        told = select(table.c.id).where(column.is_not(None)).limit(_BATCH)
        while True:
            with self._engine.connect() as connection:
                ids = connection.scalars(told).all()
            if not ids:
                return
            with self._engine.begin() as connection:
                mine = update(table).where(table.c.id.in_(ids))
                connection.execute(mine.values({column: None}))

    def _claim_tidying(self, now: datetime) -> bool:
        stamp = now.astimezone(UTC).isoformat(timespec="seconds")
        recent = (now - _HOUR).astimezone(UTC).isoformat(timespec="seconds")
        query = select(facts.c.value).where(facts.c.name == _TIDIED)
        with self._engine.connect() as connection:
            tidied = connection.scalar(query)
        if tidied is not None and recent < tidied <= stamp:
            return False
        with suppress(IntegrityError), self._engine.begin() as connection:
            if tidied is None:
                connection.execute(insert(facts).values(name=_TIDIED, value=stamp))
                return True
            mine = update(facts).where(facts.c.name == _TIDIED, facts.c.value == tidied)
            return bool(connection.execute(mine.values(value=stamp)).rowcount)
        return False

    def _values(self, event: Event) -> dict[str, Any]:
        query = None if event.query is None else storable(event.query)[:MAX_QUERY]
        return {
            "at": rows.naive(event.at),
            "request_id": storable(event.request_id)[:100],
            "door": event.door.value,
            "role": None if event.role is None else event.role.value,
            "key_id": event.key_id,
            "key_name": event.key,
            "action": event.action.value,
            "query": None if self.hashed else query,
            "query_hash": None if query is None else self.question_hash(query),
            "language": event.language,
            "filters": _filters_json(event.filters),
            "outcome": event.outcome.value,
            "returned": _returned_json(event.returned),
            "took_ms": event.took_ms,
            "generation": event.generation,
        }

    @cached_property
    def _key(self) -> bytes:
        """The key of this base under which questions are hashed, made when it is first needed."""
        query = select(facts.c.value).where(facts.c.name == _KEY)
        with self._engine.connect() as connection:
            found: str | None = connection.scalar(query)
        if found is None:
            # Another process may be making it too: the first one's is kept.
            with suppress(IntegrityError), self._engine.begin() as connection:
                connection.execute(insert(facts).values(name=_KEY, value=secrets.token_hex(32)))
            with self._engine.connect() as connection:
                found = str(connection.scalar(query))
        return bytes.fromhex(found)


def storable(text: str) -> str:
    """A text as every database takes it: without half characters and without NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _filters_json(filters: Mapping[str, Any]) -> str:
    written = json.dumps(dict(filters), ensure_ascii=False, sort_keys=True, default=str)
    if len(written) > _MAX_FILTERS:
        short = {
            name: value if len(json.dumps(value, default=str)) <= _MAX_FILTER else "…"
            for name, value in filters.items()
        }
        written = json.dumps(short, ensure_ascii=False, sort_keys=True, default=str)
    return storable(written)


def _returned_json(returned: Sequence[Returned]) -> str:
    kept = list(dict.fromkeys(returned))[:MAX_RETURNED]
    listed = [[each.document_id, each.version, each.passage_id] for each in kept]
    return storable(json.dumps(listed, ensure_ascii=False))


def returned_of(written: str) -> tuple[Returned, ...]:
    """What was returned, from its column."""
    return tuple(Returned(*each) for each in json.loads(written))


def _event_of(row: Row[Any]) -> Event:
    return Event(
        at=row.at.replace(tzinfo=UTC),
        request_id=row.request_id,
        door=Door(row.door),
        role=None if row.role is None else KeyRole(row.role),
        action=Action(row.action),
        outcome=Outcome(row.outcome),
        key_id=row.key_id,
        key=row.key_name,
        query=row.query,
        language=row.language,
        filters=json.loads(row.filters),
        returned=returned_of(row.returned),
        took_ms=row.took_ms,
        generation=row.generation,
        id=row.id,
        query_hash=row.query_hash,
    )

"""The audit trail as it is written: events are noted at once and stored in the background."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import asdict, dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from kb.calls.dates import day_starts, days_later
from kb.errors import StoreError, UsageError
from kb.record.audit import AuditRecord, Chosen, Event, Returned

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

    from sqlalchemy import Engine

    from kb.calls.finder import CallHit
    from kb.calls.match import Match
    from kb.keys import Door
    from kb.model import Answer, Citation, Document, Hit
    from kb.record.audit import Action
    from kb.settings import Settings

# Events that wait to be written: those of 50 seconds at 100 requests a second, which is longer than
# a run keeps the database to itself, and 10 MB of memory (100 if all list a hundred passages).
ROOM = 5_000
_BATCH = 500  # events of one transaction
_GATHER = 0.1  # seconds in which others join the first event of a batch
_PAUSES = (0.5, 1.0, 2.0, 5.0)  # seconds between tries; SQLite itself waits for its lock too

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrailCounts:
    """What became of the events of this process.

    ``refused`` ones found no room, so that their requests were not answered; ``lost`` ones could
    not be written although theirs were.
    """

    waiting: int
    written: int
    refused: int
    lost: int


class Trail:
    """Takes events from any thread and writes them in batches from one of its own.

    Whoever notes an event never waits for the database: routes note on the event loop, which must
    not stand still while an ingest run writes. Should the database stay away so long that there is
    no room, ``note`` refuses at once and the request is answered with 503: nobody is told anything
    that leaves no trace. What was noted in the last moments before the process is killed is lost.

    The thread starts with the first event. Safe to share between threads.
    """

    def __init__(self, engine: Engine, settings: Settings, *, room: int = ROOM) -> None:
        self.record = AuditRecord(engine, hashed=settings.audit_queries == "hashed")
        self._days = settings.audit_days
        self._room = room
        # Guards all that follows, and tells of every change to it.
        self._changed = threading.Condition()
        self._waiting: deque[Event] = deque()
        self._in_hand = 0
        self._written = self._refused = self._lost = 0
        self._closing = False
        self._thread: threading.Thread | None = None

    def note(self, event: Event) -> None:
        """Have an event written soon.

        Raises:
            StoreError: There is no room, since the database can't be written; or it is closed.
        """
        with self._changed:
            if self._closing or len(self._waiting) + self._in_hand >= self._room:
                self._refused += 1
                raise StoreError(
                    "The audit trail can't be written, and nothing is answered without it: check "
                    "that the database is there, can be written and has room on its disk."
                )
            self._waiting.append(event)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="audit", daemon=True)
                self._thread.start()
            if len(self._waiting) in {1, _BATCH}:  # what the thread waits for
                self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until everything noted is written or lost; false where it takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._in_hand, seconds)

    def close(self) -> None:
        """Write what waits, and take no more; each batch is tried once more, then it is lost."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    @property
    def counts(self) -> TrailCounts:
        """What became of the events so far."""
        with self._changed:
            waiting = len(self._waiting) + self._in_hand
            return TrailCounts(waiting, self._written, self._refused, self._lost)

    def _work(self) -> None:
        while batch := self._take():
            written = self._write(batch)
            with self._changed:
                self._in_hand = 0
                self._written += written
                self._lost += len(batch) - written
                self._changed.notify_all()
            self._tidy(batch[-1].at)

    def _take(self) -> list[Event]:
        """The next batch, as soon as there is one; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            self._changed.wait_for(lambda: self._closing or len(self._waiting) >= _BATCH, _GATHER)
            size = min(len(self._waiting), _BATCH)
            batch = [self._waiting.popleft() for _ in range(size)]
            self._in_hand = size
            return batch

    def _write(self, batch: list[Event]) -> int:
        """Write a batch, however long the database is away; returns how many were written."""
        tries = 0
        while True:
            with self._changed:
                last = self._closing
            try:
                self.record.write(batch)
            except Exception as error:  # noqa: BLE001 -- whatever one event does, the others go on
                if not _is_passing(error) and len(batch) > 1:
                    return sum(self._write([event]) for event in batch)
                if last or not _is_passing(error):
                    return self._give_up(batch, error)
                if tries == 0:
                    _log.warning("The audit trail waits for the database: %s", _reason(error))
            else:
                return len(batch)
            with self._changed:
                pause = _PAUSES[min(tries, len(_PAUSES) - 1)]
                self._changed.wait_for(lambda: self._closing, pause)
            tries += 1

    def _give_up(self, batch: list[Event], error: Exception) -> int:
        """Lose a batch, and at the end what waits behind it: it would be waited for in vain."""
        with self._changed:
            behind = len(self._waiting) if self._closing and _is_passing(error) else 0
            if behind:
                self._waiting.clear()
            self._lost += behind
        count = len(batch) + behind
        _log.error("%d events of the audit trail could not be written: %s", count, _reason(error))
        return 0

    def _tidy(self, now: datetime) -> None:
        try:
            self.record.tidy(now, self._days)
        except Exception as error:  # noqa: BLE001 -- as above: the next hour tries again
            _log.warning("Old events of the audit trail stay for now: %s", _reason(error))


def _is_passing(error: Exception) -> bool:
    """Whether the database is away, locked or full, and may be back."""
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return lost or isinstance(error, OperationalError | PoolTimeoutError)


def _reason(error: Exception) -> str:
    """What went wrong in a line, without the values of the statement."""
    return str(getattr(error, "orig", None) or type(error).__name__).partition("\n")[0]


def of_hits(hits: Iterable[Hit]) -> tuple[Returned, ...]:
    """What a search returned."""
    return tuple(Returned(hit.document.id, hit.document.version, hit.passage.id) for hit in hits)


def of_answer(answer: Answer) -> tuple[Returned, ...]:
    """What an answer cited, or of a refusal what was nearest."""
    if not answer.sentences:
        return of_hits(answer.nearest)
    cited = answer.citations
    return tuple(
        Returned(each.document.id, each.document.version, each.passage.id) for each in cited
    )


def of_documents(documents: Iterable[Document]) -> tuple[Returned, ...]:
    """Documents that were listed or shown."""
    return tuple(Returned(document.id, document.version) for document in documents)


def of_calls(hits: Iterable[CallHit]) -> tuple[Returned, ...]:
    """Calls that were found, each with the passages that were quoted of it."""
    return tuple(each for hit in hits for each in _quoted(hit, hit.why))


def of_matches(found: Iterable[Match]) -> tuple[Returned, ...]:
    """Calls that fit an association, with what was quoted for and against each."""
    listed: list[Returned] = []
    for match in found:
        said = (statement.citation for statement in (*match.fits, *match.rules_out))
        listed += _quoted(match.hit, (*match.hit.why, *said))
    return tuple(listed)


def _quoted(hit: CallHit, citations: Iterable[Citation]) -> list[Returned]:
    whole = Returned(hit.document.id, hit.document.version)
    return [replace(whole, passage_id=each.passage.id) for each in citations] or [whole]


def chosen(
    since: date | None = None,
    until: date | None = None,
    door: Door | None = None,
    action: Action | None = None,
) -> Chosen:
    """Events of these days in Brussels, the last one included.

    Raises:
        UsageError: The days are in the wrong order.
    """
    if since is not None and until is not None and until < since:
        raise UsageError("until must not lie before since.")
    begin = None if since is None else day_starts(since)
    end = None if until is None else day_starts(days_later(until, 1))
    return Chosen(begin, end, door, action)


def event_json(event: Event) -> dict[str, Any]:
    """An event as every door shows it."""
    return {
        "id": event.id,
        "at": event.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "request_id": event.request_id,
        "door": event.door.value,
        "role": None if event.role is None else event.role.value,
        "key_id": event.key_id,
        "key": event.key,
        "action": event.action.value,
        "query": event.query,
        "query_hash": event.query_hash,
        "language": event.language,
        "filters": dict(event.filters),
        "outcome": event.outcome.value,
        "returned": [asdict(each) for each in event.returned],
        "took_ms": event.took_ms,
        "generation": event.generation,
    }

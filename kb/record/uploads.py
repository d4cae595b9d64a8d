"""Uploads in the system of record: what staff have sent, who reads it now, and what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, func, insert, select, update

from kb.record import rows
from kb.record.schema import uploads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine, Row, Update

_LOST = "The service ended while it was read, {count} times over. Upload it again."
_LOST_ONCE = "The service ended while it was read; it is read again."


class UploadState(StrEnum):
    """How far an upload is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NewUpload:
    """A file that is in its folder, which ``id`` names; ``key`` is who sent it."""

    id: str
    name: str
    size: int
    key_id: int | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload as it stands.

    ``reason`` says why it failed or still waits; ``report`` is that of the run that read it.
    ``number`` orders uploads, the newest last.
    """

    number: int
    id: str
    name: str
    size: int
    key_id: int | None
    key: str | None
    state: UploadState
    created: datetime
    started: datetime | None
    ended: datetime | None
    attempts: int
    next_try: datetime
    reason: str | None
    report: Mapping[str, Any] | None


class UploadsRecord:
    """Reads and writes uploads.

    What changes an upload under way names the claim on it: who has lost it changes nothing.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, upload: NewUpload, now: datetime) -> Upload:
        """Have an upload wait to be read."""
        values = {
            "id": upload.id,
            "name": upload.name,
            "size": upload.size,
            "key_id": upload.key_id,
            "key_name": upload.key,
            "state": UploadState.WAITING.value,
            "created": rows.naive(now),
            "attempts": 0,
            "lost": 0,
            "next_try": rows.naive(now),
        }
        with self._engine.begin() as connection:
            connection.execute(insert(uploads).values(values))
            row = connection.execute(select(uploads).where(uploads.c.id == upload.id)).one()
        return _upload_of(row)

    def get(self, upload_id: str) -> Upload | None:
        """The upload of this id."""
        with self._engine.connect() as connection:
            row = connection.execute(select(uploads).where(uploads.c.id == upload_id)).first()
        return None if row is None else _upload_of(row)

    def listed(self, limit: int, before: int | None = None) -> list[Upload]:
        """Uploads, newest first, that are numbered below ``before``."""
        query = select(uploads).order_by(uploads.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(uploads.c.number < before)
        with self._engine.connect() as connection:
            return [_upload_of(row) for row in connection.execute(query)]

    def has_unfinished(self) -> bool:
        """Whether an upload waits or is being read, by whichever process."""
        states = (UploadState.WAITING.value, UploadState.RUNNING.value)
        query = select(uploads.c.number).where(uploads.c.state.in_(states)).limit(1)
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def claim(self, claim: str, now: datetime, until: datetime) -> Upload | None:
        """Take the upload that waits longest, for one process alone; null if there is none.

        None is taken while another is being read: there is one writer, and the others would wait.
        """
        waiting, running = uploads.alias(), uploads.alias()
        longest = (
            select(func.min(waiting.c.number))
            .where(
                waiting.c.state == UploadState.WAITING.value,
                waiting.c.next_try <= rows.naive(now),
            )
            .scalar_subquery()
        )
        taken = (
            update(uploads)
            .where(
                uploads.c.number == longest,
                uploads.c.state == UploadState.WAITING.value,
                ~exists().where(running.c.state == UploadState.RUNNING.value),
            )
            .values(
                state=UploadState.RUNNING.value,
                claim=claim,
                claimed_until=rows.naive(until),
                started=rows.naive(now),
                attempts=uploads.c.attempts + 1,
            )
        )
        with self._engine.begin() as connection:
            if connection.execute(taken).rowcount == 0:
                return None
            row = connection.execute(select(uploads).where(uploads.c.claim == claim)).one()
        return _upload_of(row)

    def renew(self, claim: str, until: datetime) -> bool:
        """Keep a claim for longer; false where it was lost."""
        return self._changed(_claimed(claim).values(claimed_until=rows.naive(until)))

    def put_back(self, claim: str, next_try: datetime, reason: str | None = None) -> bool:
        """Have an upload wait again; false where the claim was lost."""
        values = _free(UploadState.WAITING) | {"next_try": rows.naive(next_try), "reason": reason}
        return self._changed(_claimed(claim).values(values))

    def end(
        self,
        claim: str,
        state: UploadState,
        now: datetime,
        reason: str | None,
        report: Mapping[str, Any] | None,
    ) -> bool:
        """Note what came of an upload; false where the claim was lost."""
        kept = None if report is None else json.dumps(report, ensure_ascii=False)
        values = _free(state) | {"ended": rows.naive(now), "reason": reason, "report": kept}
        return self._changed(_claimed(claim).values(values))

    def free_lost(self, now: datetime, most: int) -> None:
        """Have uploads wait again whose process is gone; one that was lost ``most`` times fails.

        What ends every process that reads it would otherwise be read for ever.
        """
        lost = update(uploads).where(
            uploads.c.state == UploadState.RUNNING.value,
            uploads.c.claimed_until < rows.naive(now),
        )
        given_up = _free(UploadState.FAILED) | {
            "ended": rows.naive(now),
            "lost": uploads.c.lost + 1,
            "reason": _LOST.format(count=most),
        }
        again = _free(UploadState.WAITING) | {
            "next_try": rows.naive(now),
            "lost": uploads.c.lost + 1,
            "reason": _LOST_ONCE,
        }
        with self._engine.begin() as connection:
            connection.execute(lost.where(uploads.c.lost + 1 >= most).values(given_up))
            connection.execute(lost.values(again))

    def _changed(self, change: Update) -> bool:
        with self._engine.begin() as connection:
            return connection.execute(change).rowcount > 0


def _claimed(claim: str) -> Update:
    running = uploads.c.state == UploadState.RUNNING.value
    return update(uploads).where(uploads.c.claim == claim, running)


def _free(state: UploadState) -> dict[str, Any]:
    return {"state": state.value, "claim": None, "claimed_until": None}


def upload_json(upload: Upload) -> dict[str, Any]:
    """An upload as staff read it."""
    waiting = upload.state is UploadState.WAITING
    return {
        "id": upload.id,
        "name": upload.name,
        "size": upload.size,
        "by": upload.key,
        "state": upload.state.value,
        "created": _moment(upload.created),
        "started": _moment(upload.started),
        "ended": _moment(upload.ended),
        "attempts": upload.attempts,
        "next_try": _moment(upload.next_try) if waiting else None,
        "reason": upload.reason,
        "report": upload.report,
    }


def _upload_of(row: Row[Any]) -> Upload:
    return Upload(
        number=row.number,
        id=row.id,
        name=row.name,
        size=row.size,
        key_id=row.key_id,
        key=row.key_name,
        state=UploadState(row.state),
        created=row.created.replace(tzinfo=UTC),
        started=row.started and row.started.replace(tzinfo=UTC),
        ended=row.ended and row.ended.replace(tzinfo=UTC),
        attempts=row.attempts,
        next_try=row.next_try.replace(tzinfo=UTC),
        reason=row.reason,
        report=None if row.report is None else json.loads(row.report),
    )


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")

"""Feedback in the system of record: what people say of answers, and which documents they miss."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from kb.keys import KeyRole
from kb.model import FeedbackKind
from kb.record import rows
from kb.record.audit import storable
from kb.record.schema import feedback

if TYPE_CHECKING:
    from sqlalchemy import Engine, Row

    from kb.record.audit import AuditRecord


@dataclass(frozen=True, slots=True)
class Cited:
    """A citation as it was shown: the page, or section, of a version, and the words quoted."""

    document_id: str
    version: int
    page: int
    quote: str | None


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody said; ``request_id`` names the answer that it is about.

    ``role``, ``key_id`` and ``key`` are as in the audit trail. ``question`` is null where only its
    hash is kept. ``id`` and ``question_hash`` are the record's.
    """

    at: datetime
    kind: FeedbackKind
    role: KeyRole | None = None
    key_id: int | None = None
    key: str | None = None
    request_id: str | None = None
    question: str | None = None
    language: str | None = None
    comment: str | None = None
    citation: Cited | None = None
    id: int = 0
    question_hash: str | None = None


class FeedbackRecord:
    """Reads and writes feedback; questions are kept as the audit trail keeps them."""

    def __init__(self, engine: Engine, audit: AuditRecord) -> None:
        self._engine = engine
        self._audit = audit

    def add(self, said: Feedback) -> None:
        """Keep what somebody said."""
        question, cited = said.question, said.citation
        values = {
            "at": rows.naive(said.at),
            "kind": said.kind.value,
            "role": None if said.role is None else said.role.value,
            "key_id": said.key_id,
            "key_name": said.key,
            "request_id": said.request_id,
            "question": None if question is None or self._audit.hashed else storable(question),
            "question_hash": None if question is None else self._audit.question_hash(question),
            "language": said.language,
            "comment": None if said.comment is None else storable(said.comment),
            "document_id": None if cited is None else cited.document_id,
            "version": None if cited is None else cited.version,
            "page": None if cited is None else cited.page,
            "quote": None if cited is None or cited.quote is None else storable(cited.quote),
        }
        with self._engine.begin() as connection:
            connection.execute(insert(feedback).values(values))

    def listed(
        self, limit: int, kind: FeedbackKind | None = None, before: int | None = None
    ) -> list[Feedback]:
        """Feedback, newest first, that numbered below ``before``."""
        query = select(feedback).order_by(feedback.c.id.desc()).limit(limit)
        if kind is not None:
            query = query.where(feedback.c.kind == kind.value)
        if before is not None:
            query = query.where(feedback.c.id < before)
        with self._engine.connect() as connection:
            return [_feedback_of(row) for row in connection.execute(query)]

    def missing(
        self, limit: int, since: datetime | None = None, language: str | None = None
    ) -> list[Feedback]:
        """Which documents people missed, newest first."""
        query = (
            select(feedback)
            .where(feedback.c.kind == FeedbackKind.MISSING_DOCUMENT.value)
            .order_by(feedback.c.id.desc())
            .limit(limit)
        )
        if since is not None:
            query = query.where(feedback.c.at >= rows.naive(since))
        if language is not None:
            query = query.where(feedback.c.language == language)
        with self._engine.connect() as connection:
            return [_feedback_of(row) for row in connection.execute(query)]


def _feedback_of(row: Row[Any]) -> Feedback:
    cited = None
    if row.document_id is not None:
        cited = Cited(row.document_id, row.version, row.page, row.quote)
    return Feedback(
        at=row.at.replace(tzinfo=UTC),
        kind=FeedbackKind(row.kind),
        role=None if row.role is None else KeyRole(row.role),
        key_id=row.key_id,
        key=row.key_name,
        request_id=row.request_id,
        question=row.question,
        language=row.language,
        comment=row.comment,
        citation=cited,
        id=row.id,
        question_hash=row.question_hash,
    )


def feedback_json(said: Feedback) -> dict[str, Any]:
    """Feedback as staff read it."""
    cited = said.citation
    return {
        "id": said.id,
        "at": said.at.astimezone(UTC).isoformat(timespec="seconds"),
        "kind": said.kind.value,
        "role": None if said.role is None else said.role.value,
        "key": said.key,
        "request_id": said.request_id,
        "question": said.question,
        "question_hash": said.question_hash,
        "language": said.language,
        "comment": said.comment,
        "citation": None
        if cited is None
        else {
            "document_id": cited.document_id,
            "version": cited.version,
            "page": cited.page,
            "quote": cited.quote,
        },
    }

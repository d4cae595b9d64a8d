"""Questions in the audit trail, each once: which found no sufficient evidence, and who asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, select

from kb.record.audit import Action, Chosen, Outcome, Returned, returned_of
from kb.record.schema import audit

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement, Connection, Engine, Row, Select


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question whose answers found no sufficient evidence, as it was asked last.

    ``text`` is null where only its hash is kept. ``callers`` are roles and key names.
    """

    query_hash: str
    text: str | None
    count: int
    first: datetime
    last: datetime
    languages: frozenset[str]
    callers: frozenset[tuple[str | None, str | None]]
    shown: tuple[Returned, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asked; ``text`` is null where only its hash is kept."""

    query_hash: str
    text: str | None
    unanswered: bool


class QuestionsRecord:
    """Reads the questions of the audit trail."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def unanswered(
        self, limit: int, since: datetime | None = None, language: str | None = None
    ) -> list[Unanswered]:
        """The questions that found no sufficient evidence, the newest first, each once."""
        meant = (*_insufficient(since), *([audit.c.language == language] if language else ()))
        with_text = func.max(case((audit.c.query.is_not(None), audit.c.id)))
        query = (
            select(
                audit.c.query_hash,
                func.count().label("times"),
                func.min(audit.c.at).label("first"),
                func.max(audit.c.at).label("last"),
                func.coalesce(with_text, func.max(audit.c.id)).label("newest"),
            )
            .where(*meant)
            .group_by(audit.c.query_hash)
            .order_by(func.max(audit.c.at).desc(), audit.c.query_hash)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            found = connection.execute(query).all()
            newest = _by_ids(connection, [row.newest for row in found])
            asked = _askers(connection, [row.query_hash for row in found], meant)
        return [
            _unanswered(row, newest[row.newest], asked[row.query_hash])
            for row in found
            if row.newest in newest  # else it was forgotten just now
        ]

    def questions_of(self, request_ids: Collection[str]) -> dict[str, Question]:
        """What each of these requests asked; one that asked several questions is left out."""
        asked = (
            select(
                audit.c.request_id,
                func.max(audit.c.query_hash).label("query_hash"),
                func.max(audit.c.query).label("query"),
                func.max(case((and_(*_insufficient()), 1), else_=0)).label("unanswered"),
            )
            .where(audit.c.request_id.in_(list(request_ids)), audit.c.query_hash.is_not(None))
            .group_by(audit.c.request_id)
            .having(func.count(audit.c.query_hash.distinct()) == 1)
        )
        with self._engine.connect() as connection:
            found = connection.execute(asked).all()
        return {
            row.request_id: Question(row.query_hash, row.query, bool(row.unanswered))
            for row in found
        }


def _insufficient(since: datetime | None = None) -> list[ColumnElement[bool]]:
    """Answers with a question that found no sufficient evidence."""
    meant = Chosen(since, action=Action.ANSWER).conditions()
    return [
        audit.c.query_hash.is_not(None),
        audit.c.outcome == Outcome.INSUFFICIENT_EVIDENCE,
        *meant,
    ]


def _by_ids(connection: Connection, ids: Sequence[int]) -> dict[int, Row[Any]]:
    query: Select[Any] = select(audit.c.id, audit.c.query, audit.c.returned)
    found = connection.execute(query.where(audit.c.id.in_(ids))).all()
    return {row.id: row for row in found}


def _askers(
    connection: Connection, hashes: Sequence[str], meant: Sequence[ColumnElement[bool]]
) -> dict[str, list[Row[Any]]]:
    """Who asked each question, and in which language."""
    query: Select[Any] = (
        select(audit.c.query_hash, audit.c.language, audit.c.role, audit.c.key_name)
        .where(*meant, audit.c.query_hash.in_(hashes))
        .distinct()
    )
    found: dict[str, list[Row[Any]]] = {each: [] for each in hashes}
    for row in connection.execute(query):
        found[row.query_hash].append(row)
    return found


def _unanswered(row: Row[Any], newest: Row[Any], askers: Sequence[Row[Any]]) -> Unanswered:
    return Unanswered(
        query_hash=row.query_hash,
        text=newest.query,
        count=row.times,
        first=row.first.replace(tzinfo=UTC),
        last=row.last.replace(tzinfo=UTC),
        languages=frozenset(each.language for each in askers if each.language),
        callers=frozenset((each.role, each.key_name) for each in askers),
        shown=returned_of(newest.returned),
    )

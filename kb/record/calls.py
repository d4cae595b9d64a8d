"""Calls in the system of record: what is known of each, its sources' records, and its news."""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from sqlalchemy import delete, func, insert, select

from kb.calls.identity import call_key
from kb.calls.news import CallNews, NewsKind
from kb.model import Access, Call
from kb.record import rows
from kb.record.access import visible_to
from kb.record.schema import (
    call_checks,
    call_news,
    calls,
    documents,
    members,
    passages,
    versions,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine, Row, Select

    from kb.calls.news import Difference
    from kb.model import Document, Visibility

_CALL = TypeAdapter(Call)
# The database takes only so many parameters in one statement.
_BATCH = 500


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A call as a version holds it: the call, and the records that it was merged from, as JSON."""

    call: Call
    records: bytes


@dataclass(frozen=True, slots=True)
class PendingNews:
    """What is about to be told of a call: what differs, and who may see both of its states.

    ``sha256`` is that of the version that the change led to.
    """

    document_id: str
    identifier: str
    visibility: Visibility
    sha256: str
    difference: Difference

    @property
    def digest(self) -> str:
        """What tells this change from any other, also when a rollback has it found again."""
        told = self.difference
        said = (self.document_id, self.sha256, told.kind.value, told.field, told.before, told.after)
        return hashlib.sha256(repr(said).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class KnownCall:
    """A call that a source is known to list, and the status that it was last said to have."""

    identifier: str
    title: str
    programme_id: str | None
    url: str | None
    languages: tuple[str, ...]
    said: str | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many calls there are, and by field of how many it is known, and in how many by a quote.

    The others say nothing that a rule understands: most calls of the portal refer to an annex.
    """

    total: int
    fields: dict[str, tuple[int, int]]


COVERED = (
    "programme",
    "action_types",
    "opens",
    "deadlines",
    "deadline_model",
    "budget",
    "grant_min",
    "grant_max",
    "expected_grants",
    "applicants",
    "countries",
    "consortium_min",
    "cofinancing",
    "themes",
    "keywords",
)


def call_of(text: str) -> Call:
    """The call that a row of ``calls`` keeps."""
    return _CALL.validate_json(text)


def call_json(call: Call) -> str:
    """A call as ``calls`` keeps it."""
    return _CALL.dump_json(call).decode()


def with_call(document: Document, row: Row[Any]) -> Document:
    """A document with the call of its row, which is joined with ``calls`` and may have none."""
    return document if row.call is None else replace(document, call=call_of(row.call))


def write_call(connection: Connection, version_key: int, stored: StoredCall) -> None:
    """Write what is known of a call beside its version."""
    connection.execute(
        insert(calls).values(
            version_key=version_key,
            key=call_key(stored.call.identifier),
            call=call_json(stored.call),
            records=zlib.compress(stored.records, 6),
        )
    )


def stored_call(connection: Connection, version_key: int) -> StoredCall | None:
    """What is known of the call of a version, with its records."""
    row = connection.execute(select(calls).where(calls.c.version_key == version_key)).first()
    return None if row is None else StoredCall(call_of(row.call), zlib.decompress(row.records))


def write_news(
    connection: Connection, generation: int, at: datetime, told: Iterable[PendingNews]
) -> None:
    """Write what changed of each document, in the order given."""
    values = [
        {
            "generation": generation,
            "document_id": pending.document_id,
            "identifier": pending.identifier,
            "visibility": pending.visibility,
            "digest": pending.digest,
            "at": rows.naive(at),
            "kind": pending.difference.kind,
            "field": pending.difference.field,
            "before": pending.difference.before,
            "after": pending.difference.after,
        }
        for pending in told
    ]
    if values:
        connection.execute(insert(call_news), values)


def write_checks(connection: Connection, checked: Mapping[tuple[str, str, str], datetime]) -> None:
    """Note when sources were last looked at, by (document id, source, language); never earlier."""
    for (document_id, source, language), moment in checked.items():
        mine = (
            call_checks.c.document_id == document_id,
            call_checks.c.source == source,
            call_checks.c.language == language,
        )
        known = connection.scalar(select(call_checks.c.checked).where(*mine))
        new = rows.naive(moment)
        if known is not None and known >= new:
            continue
        connection.execute(delete(call_checks).where(*mine))
        connection.execute(
            insert(call_checks).values(
                document_id=document_id, source=source, language=language, checked=new
            )
        )


class CallRecords:
    """Answers questions about calls; as in ``Record``, what may not be seen is not there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(
        self, generation: int, document_ids: Sequence[str], access: Access
    ) -> dict[str, Document]:
        """The current versions of these documents that are calls, each with its call."""
        found: dict[str, Document] = {}
        with self._engine.connect() as connection:
            for start in range(0, len(document_ids), _BATCH):
                part = document_ids[start : start + _BATCH]
                query = _current(generation, access).where(documents.c.id.in_(part))
                for document in _with_calls(connection, query):
                    found[document.id] = document
        return found

    def documents_of(
        self, generation: int, passage_ids: Sequence[str], access: Access
    ) -> dict[str, str]:
        """The document ids of passages by passage id."""
        query = (
            _current(generation, access)
            .join(passages, passages.c.version_key == versions.c.key)
            .where(passages.c.id.in_(passage_ids))
            .with_only_columns(passages.c.id, versions.c.document_id)
        )
        with self._engine.connect() as connection:
            return {row.id: row.document_id for row in connection.execute(query)}

    def heads(self, generation: int, document_ids: Sequence[str]) -> list[str]:
        """The ids of the first passages of these documents."""
        query = (
            select(passages.c.id)
            .join(members, members.c.version_key == passages.c.version_key)
            .join(versions, versions.c.key == members.c.version_key)
            .where(members.c.generation == generation, members.c.current)
            .where(passages.c.ordinal == 0, versions.c.document_id.in_(document_ids))
        )
        with self._engine.connect() as connection:
            return list(connection.scalars(query))

    def by_identifier(self, generation: int, identifier: str, access: Access) -> Document | None:
        """The call of an identifier, whatever its case."""
        query = _current(generation, access).where(calls.c.key == call_key(identifier))
        with self._engine.connect() as connection:
            return next(iter(_with_calls(connection, query)), None)

    def earlier(
        self, generation: int, document_ids: Sequence[str], access: Access
    ) -> dict[str, list[Call]]:
        """The calls of the versions before the current ones, oldest first, by document id."""
        found: dict[str, list[Call]] = {}
        query = (
            select(versions.c.document_id, calls.c.call)
            .join(members, members.c.version_key == versions.c.key)
            .join(calls, calls.c.version_key == versions.c.key)
            .where(members.c.generation == generation, members.c.current.is_(False))
            .where(visible_to(access))
            .order_by(versions.c.number)
        )
        with self._engine.connect() as connection:
            for start in range(0, len(document_ids), _BATCH):
                part = document_ids[start : start + _BATCH]
                for row in connection.execute(query.where(versions.c.document_id.in_(part))):
                    found.setdefault(row.document_id, []).append(call_of(row.call))
        return found

    def coverage(self, generation: int) -> Coverage:
        """Of how many calls each field is known, whatever their visibility."""
        total = 0
        known, from_text = Counter[str](), Counter[str]()
        with self._engine.connect() as connection:
            for row in connection.execute(_current(generation, None)):
                call = call_of(row.call)
                total += 1
                stated = {fact.field for fact in call.facts}
                found = [name for name in COVERED if getattr(call, name) not in {None, ()}]
                known.update(found)
                from_text.update(name for name in found if name in stated)
        fields = {name: (known[name], from_text[name]) for name in COVERED}
        return Coverage(total, fields)

    def known(self, generation: int, source: str) -> list[KnownCall]:
        """The calls that a source listed when it was last asked, for whoever asks it again."""
        with self._engine.connect() as connection:
            found = [call_of(row.call) for row in connection.execute(_current(generation, None))]
        return [
            KnownCall(
                call.identifier,
                call.title,
                call.programme_id,
                call.url,
                tuple(each.language for each in listed),
                listed[0].status,
            )
            for call in found
            if (listed := [each for each in call.sources if each.name == source and not each.gone])
        ]

    def news(  # noqa: PLR0913 -- each narrows on its own
        self,
        generation: int,
        access: Access | None,
        *,
        since: datetime | None = None,
        after_id: int | None = None,
        document_ids: Collection[str] | None = None,
        newest: int | None = None,
    ) -> list[CallNews]:
        """What changed in calls, in the order in which it was found; the ``newest`` of it.

        News may be read by whoever might see both states of the call that it tells of.
        """
        query = _news(generation, access)
        if since is not None:
            query = query.where(call_news.c.at >= rows.naive(since))
        if after_id is not None:
            query = query.where(call_news.c.id > after_id)
        if document_ids is not None:
            query = query.where(call_news.c.document_id.in_(document_ids))
        with self._engine.connect() as connection:
            found = connection.execute(query.order_by(call_news.c.id.desc()).limit(newest)).all()
        return [_news_of(row) for row in reversed(found)]

    def newest_news(self) -> int:
        """The number of the latest news; whoever begins to listen hears what comes after it."""
        with self._engine.connect() as connection:
            return connection.scalar(select(func.max(call_news.c.id))) or 0


def _current(generation: int, access: Access | None) -> Select[Any]:
    query = (
        select(versions, members.c.current, members.c.visibility, calls.c.call)
        .join(members, members.c.version_key == versions.c.key)
        .join(documents, documents.c.id == versions.c.document_id)
        .join(calls, calls.c.version_key == versions.c.key)
        .where(members.c.generation == generation, members.c.current, documents.c.removed.is_(None))
        .order_by(versions.c.document_id)
    )
    return query.where(visible_to(access))


def _with_calls(connection: Connection, query: Select[Any]) -> list[Document]:
    found = connection.execute(query).all()
    checked = _checks(connection, [row.document_id for row in found])
    return [
        replace(
            rows.document_of(row),
            call=_checked(row, checked.get(row.document_id, {})),
        )
        for row in found
    ]


def _checks(
    connection: Connection, document_ids: Sequence[str]
) -> dict[str, dict[tuple[str, str], datetime]]:
    query = select(call_checks).where(call_checks.c.document_id.in_(document_ids))
    found: dict[str, dict[tuple[str, str], datetime]] = {}
    for row in connection.execute(query):
        seen = found.setdefault(row.document_id, {})
        seen[row.source, row.language] = row.checked.replace(tzinfo=UTC)
    return found


def _checked(row: Row[Any], checked: Mapping[tuple[str, str], datetime]) -> Call:
    """The call of a row with the moments at which its sources were last looked at."""
    call = call_of(row.call)
    sources = tuple(
        replace(
            each, checked=max(each.checked, checked.get((each.name, each.language), each.checked))
        )
        for each in call.sources
    )
    return replace(call, sources=sources)


def _news(generation: int, access: Access | None) -> Select[Any]:
    query = (
        select(call_news, versions.c.title)
        .join(versions, versions.c.document_id == call_news.c.document_id)
        .join(members, members.c.version_key == versions.c.key)
        .join(documents, documents.c.id == versions.c.document_id)
        .where(
            # A run may publish meanwhile: its news are for whoever reads its generation.
            call_news.c.generation <= generation,
            members.c.generation == generation,
            members.c.current,
            documents.c.removed.is_(None),
        )
    )
    if access is None:
        return query
    return query.where(visible_to(access), call_news.c.visibility.in_(list(access.visibilities)))


def _news_of(row: Row[Any]) -> CallNews:
    return CallNews(
        id=row.id,
        document_id=row.document_id,
        identifier=row.identifier,
        title=row.title,
        at=row.at.replace(tzinfo=UTC),
        kind=NewsKind(row.kind),
        field=row.field,
        before=row.before,
        after=row.after,
        digest=row.digest,
    )

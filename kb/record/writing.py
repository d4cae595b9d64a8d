"""Writing the system of record: one run builds one generation and makes it current, or nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, literal, select, update

from kb.model import Visibility
from kb.record import rows
from kb.record.access import collect
from kb.record.calls import stored_call, with_call, write_call, write_checks, write_news
from kb.record.known import KnownSource, KnownVersion, NewVersion, known_version
from kb.record.schema import (
    calls,
    documents,
    generations,
    members,
    pages,
    passages,
    removed_contents,
    sources,
    versions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine, Select

    from kb.model import Document, Metadata, Page, Passage
    from kb.record.calls import PendingNews, StoredCall

KEPT_GENERATIONS = 3


class Draft:
    """A generation being built; invisible to every reader until it is published.

    The caller holds the writer lock.
    """

    def __init__(self, engine: Engine, encoder: str, now: datetime) -> None:
        self._engine = engine
        self._moment = now
        self._now = rows.naive(now)
        with engine.begin() as connection:
            _forget_unpublished(connection)
            self.parent = _newest(connection)
            inserted = connection.execute(
                insert(generations).values(
                    parent=self.parent, state="building", encoder=encoder, created=self._now
                )
            )
            self.id: int = inserted.inserted_primary_key[0]  # type: ignore[index]
            if self.parent is not None:
                for table in (members, sources):
                    _copy_rows(connection, table, self.parent, self.id)

    def source(self, path: str) -> KnownSource | None:
        """What is known of a file, by its path."""
        return next(iter(self.sources(path)), None)

    def sources(self, path: str | None = None) -> list[KnownSource]:
        """Every known file, or the one at a path."""
        query = (
            select(
                versions,
                members.c.current,
                members.c.visibility,
                sources.c.path,
                sources.c.fingerprint,
                sources.c.indexed,
                documents.c.removed,
            )
            .join(members, members.c.version_key == versions.c.key)
            .join(sources, sources.c.version_key == versions.c.key)
            .join(documents, documents.c.id == versions.c.document_id)
            .where(sources.c.generation == self.id, members.c.generation == self.id)
            .order_by(sources.c.path)
        )
        if path is not None:
            query = query.where(sources.c.path == path)
        with self._engine.connect() as connection:
            return [
                KnownSource(
                    path=row.path,
                    fingerprint=row.fingerprint,
                    version_key=row.key,
                    document_id=row.document_id,
                    number=row.number,
                    indexed=row.indexed,
                    removed=row.removed is not None,
                    sha256=row.sha256,
                    current=row.current,
                    metadata=rows.metadata_of(row),
                )
                for row in connection.execute(query)
            ]

    def show(self, version_key: int, visibility: Visibility) -> None:
        """Set who sees a version in this generation."""
        with self._engine.begin() as connection:
            connection.execute(
                update(members)
                .where(members.c.generation == self.id, members.c.version_key == version_key)
                .values(visibility=visibility)
            )

    def known_versions(self, document_id: str) -> list[KnownVersion]:
        """The versions of a document in this generation, by number."""
        query = self._versions().where(versions.c.document_id == document_id)
        with self._engine.connect() as connection:
            return [known_version(row) for row in connection.execute(query)]

    def twin(self, sha256: str, metadata: Metadata) -> KnownVersion | None:
        """A current version with the same content that the same people may see."""
        query = self._versions().where(
            versions.c.sha256 == sha256,
            members.c.visibility == (metadata.visibility or Visibility.PUBLIC),
            members.c.current,
            documents.c.removed.is_(None),
        )
        with self._engine.connect() as connection:
            found = [known_version(row) for row in connection.execute(query)]
        same = (each for each in found if each.metadata.collections == metadata.collections)
        return next(same, None)

    def _versions(self) -> Select[Any]:
        return (
            select(versions, members.c.current, members.c.visibility)
            .join(members, members.c.version_key == versions.c.key)
            .join(documents, documents.c.id == versions.c.document_id)
            .where(members.c.generation == self.id)
            .order_by(versions.c.number)
        )

    def next_number(self, document_id: str) -> int:
        """The number for a new version; numbers once published are not used again."""
        written = select(func.max(versions.c.number)).where(versions.c.document_id == document_id)
        published = select(documents.c.highest).where(documents.c.id == document_id)
        with self._engine.connect() as connection:
            highest = (connection.scalar(query) or 0 for query in (written, published))
            return max(highest) + 1

    def removed_content(self, sha256: str) -> str | None:
        """The removed document that held this content, if one did."""
        query = select(removed_contents.c.document_id).where(removed_contents.c.sha256 == sha256)
        with self._engine.connect() as connection:
            document_id: str | None = connection.scalar(query)
        return document_id

    def removed_documents(self) -> set[str]:
        """The ids of every removed document."""
        query = select(documents.c.id).where(documents.c.removed.is_not(None))
        with self._engine.connect() as connection:
            return set(connection.scalars(query))

    def removed(self, document_id: str) -> datetime | None:
        """When the document was removed by a person, if it was."""
        query = select(documents.c.removed).where(documents.c.id == document_id)
        with self._engine.connect() as connection:
            return connection.scalar(query)

    def add(
        self,
        version: NewVersion,
        found_pages: Sequence[Page],
        found_passages: Sequence[Passage],
        *,
        current: bool,
        call: StoredCall | None = None,
    ) -> int:
        """Write a version with its pages, its passages and its call; returns its key."""
        with self._engine.begin() as connection:
            key = _insert_version(connection, version, self.id, self._now)
            if found_pages:
                connection.execute(
                    insert(pages),
                    [{"version_key": key, **rows.page_values(page)} for page in found_pages],
                )
            if found_passages:
                connection.execute(
                    insert(passages),
                    [{"version_key": key, **rows.passage_values(p)} for p in found_passages],
                )
            if call is not None:
                write_call(connection, key, call)
            if current:
                _set_current(connection, self.id, version.document_id, None)
            connection.execute(
                insert(members).values(
                    generation=self.id,
                    version_key=key,
                    current=current,
                    visibility=version.metadata.visibility,
                )
            )
        return key

    def call(self, version_key: int) -> StoredCall | None:
        """What is known of the call of a version."""
        with self._engine.connect() as connection:
            return stored_call(connection, version_key)

    def note_checks(self, checked: Mapping[tuple[str, str, str], datetime]) -> None:
        """Note when sources of calls were looked at, also by a run that found nothing new."""
        with self._engine.begin() as connection:
            write_checks(connection, checked)

    def remember(self, path: str, fingerprint: str, version_key: int, *, indexed: bool) -> None:
        """Note that a file was read, and which version it gave."""
        with self._engine.begin() as connection:
            connection.execute(
                delete(sources).where(sources.c.generation == self.id, sources.c.path == path)
            )
            connection.execute(
                insert(sources).values(
                    generation=self.id,
                    path=path,
                    fingerprint=fingerprint,
                    version_key=version_key,
                    indexed=indexed,
                )
            )

    def forget(self, path: str) -> None:
        """Drop a file that is no longer where it was."""
        with self._engine.begin() as connection:
            connection.execute(
                delete(sources).where(sources.c.generation == self.id, sources.c.path == path)
            )

    def withdraw(self, document_id: str) -> None:
        """Leave a document out of this generation; a rollback brings it back."""
        keys = select(versions.c.key).where(versions.c.document_id == document_id)
        with self._engine.begin() as connection:
            for table in (sources, members):
                connection.execute(
                    delete(table).where(
                        table.c.generation == self.id, table.c.version_key.in_(keys)
                    )
                )

    def count_passages(self, document_ids: Sequence[str]) -> int:
        """How many passages the current versions of these documents have."""
        total = 0
        with self._engine.connect() as connection:
            for start in range(0, len(document_ids), 500):
                part = document_ids[start : start + 500]
                query = (
                    select(func.count())
                    .select_from(passages)
                    .join(members, members.c.version_key == passages.c.version_key)
                    .join(versions, versions.c.key == members.c.version_key)
                    .where(members.c.generation == self.id, members.c.current)
                    .where(versions.c.document_id.in_(part))
                )
                total += connection.scalar(query) or 0
        return total

    def current_documents(
        self, document_ids: Sequence[str], changed: Mapping[int, Metadata]
    ) -> Iterator[tuple[Document, list[Passage]]]:
        """The current versions of these documents, with the metadata they are about to have."""
        query = (
            select(versions, members.c.current, members.c.visibility, calls.c.call)
            .join(members, members.c.version_key == versions.c.key)
            .outerjoin(calls, calls.c.version_key == versions.c.key)
            .where(members.c.generation == self.id, members.c.current)
        )
        with self._engine.connect() as connection:
            for document_id in document_ids:
                row = connection.execute(query.where(versions.c.document_id == document_id)).one()
                document = with_call(rows.document_of(row), row)
                if row.key in changed:
                    document = rows.with_metadata(document, changed[row.key])
                yield document, rows.load_passages(connection, row)

    def publish(
        self,
        changed: Mapping[int, Metadata],
        restored: Sequence[str],
        narrowed: Mapping[str, Visibility],
        news: Sequence[PendingNews] = (),
    ) -> dict[str, set[str]]:
        """Make this generation current, with changed metadata, in one transaction.

        ``changed`` maps version keys to their new metadata; ``restored`` are documents whose
        removal is taken back; ``narrowed`` those none of whose versions is to be seen more widely
        than said; ``news`` says what changed of a call, by its document. Returns the collections of
        the documents for which they have changed.
        """
        with self._engine.begin() as connection:
            for key, metadata in changed.items():
                connection.execute(
                    update(versions)
                    .where(versions.c.key == key)
                    .values(**rows.metadata_values(metadata))
                )
            for document_id, visibility in narrowed.items():
                connection.execute(
                    update(members)
                    .where(
                        members.c.version_key.in_(_keys_of([document_id])),
                        members.c.visibility.in_(visibility.wider()),
                    )
                    .values(visibility=visibility)
                )
            for document_id in restored:
                _restore(connection, self.id, document_id)
            collections = collect(connection, self.id, changed)
            _raise_highest(connection, self.id)
            write_news(connection, self.id, self._moment, news)
            connection.execute(
                update(generations).where(generations.c.id == self.id).values(state="published")
            )
            kept = connection.scalars(
                select(generations.c.id)
                .where(generations.c.state == "published")
                .order_by(generations.c.id.desc())
            ).all()
            for generation in kept[KEPT_GENERATIONS:]:
                _drop_generation(connection, generation)
            _count_rows(connection)
        return collections

    def discard(self) -> None:
        """Forget this generation and everything written for it."""
        with self._engine.begin() as connection:
            _forget_unpublished(connection)


def _keys_of(document_ids: Sequence[str]) -> Select[Any]:
    return select(versions.c.key).where(versions.c.document_id.in_(document_ids))


def _restore(connection: Connection, generation: int, document_id: str) -> None:
    """Take a removal back for this generation; the indexes of older ones no longer hold it."""
    connection.execute(update(documents).where(documents.c.id == document_id).values(removed=None))
    connection.execute(
        delete(removed_contents).where(removed_contents.c.document_id == document_id)
    )
    for table in (sources, members):
        connection.execute(
            delete(table).where(
                table.c.generation != generation,
                table.c.version_key.in_(_keys_of([document_id])),
            )
        )


def _newest(connection: Connection) -> int | None:
    query = select(func.max(generations.c.id)).where(generations.c.state == "published")
    number: int | None = connection.scalar(query)
    return number


def _copy_rows(connection: Connection, table: Any, parent: int, child: int) -> None:
    others = [column for column in table.c if column.name != "generation"]
    connection.execute(
        insert(table).from_select(
            ["generation", *(column.name for column in others)],
            select(literal(child), *others).where(table.c.generation == parent),
        )
    )


def _set_current(
    connection: Connection, generation: int, document_id: str, key: int | None
) -> None:
    keys = select(versions.c.key).where(versions.c.document_id == document_id)
    connection.execute(
        update(members)
        .where(members.c.generation == generation, members.c.version_key.in_(keys))
        .values(current=members.c.version_key == key if key is not None else False)
    )


def _insert_version(
    connection: Connection, version: NewVersion, generation: int, now: datetime
) -> int:
    known = connection.scalar(select(documents.c.id).where(documents.c.id == version.document_id))
    if known is None:
        connection.execute(
            insert(documents).values(id=version.document_id, work=version.work, removed=None)
        )
    inserted = connection.execute(
        insert(versions).values(
            document_id=version.document_id,
            number=version.number,
            born=generation,
            sha256=version.sha256,
            original=version.original,
            media_type=version.media_type,
            source=version.source,
            paged=version.paged,
            warnings=json.dumps(version.warnings, ensure_ascii=False),
            ingested=now,
            **rows.metadata_values(version.metadata),
        )
    )
    key: int = inserted.inserted_primary_key[0]  # type: ignore[index]
    return key


def _raise_highest(connection: Connection, generation: int) -> None:
    written = select(versions.c.document_id).where(versions.c.born == generation)
    highest = (
        select(func.max(versions.c.number))
        .where(versions.c.document_id == documents.c.id)
        .scalar_subquery()
    )
    connection.execute(update(documents).where(documents.c.id.in_(written)).values(highest=highest))


def _forget_unpublished(connection: Connection) -> None:
    """Erase what unfinished and abandoned runs wrote; nothing published refers to it."""
    gone = connection.scalars(
        select(generations.c.id).where(generations.c.state != "published")
    ).all()
    for generation in gone:
        _drop_generation(connection, generation)
    published = select(members.c.version_key)
    orphans = select(versions.c.key).where(versions.c.key.not_in(published))
    keys = connection.scalars(orphans).all()
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        for table in (calls, passages, pages):
            connection.execute(delete(table).where(table.c.version_key.in_(part)))
        connection.execute(delete(versions).where(versions.c.key.in_(part)))
    used = select(versions.c.document_id)
    connection.execute(
        delete(documents).where(
            documents.c.id.not_in(used), documents.c.removed.is_(None), documents.c.highest == 0
        )
    )


def _count_rows(connection: Connection) -> None:
    """Have SQLite count the rows behind its indexes, of each at most some thousands.

    Without, it reads every member of a generation to find the calls of one page: 100 ms of 20,000.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA analysis_limit=2000")
        connection.exec_driver_sql("ANALYZE")


def _drop_generation(connection: Connection, generation: int) -> None:
    for table in (sources, members):
        connection.execute(delete(table).where(table.c.generation == generation))
    connection.execute(delete(generations).where(generations.c.id == generation))

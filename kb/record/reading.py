"""Reading the system of record as one generation, for one caller."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select

from kb.model import Role
from kb.record import rows
from kb.record.access import visible_to
from kb.record.calls import with_call
from kb.record.schema import calls, documents, generations, members, pages, passages, versions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import Connection, Engine, FromClause, Row, Select

    from kb.model import Access, Document, Page, Passage


@dataclass(frozen=True, slots=True)
class Generation:
    """A published state of the whole base. ``encoder`` made its vectors."""

    id: int
    encoder: str
    created: datetime
    documents: int
    passages: int


@dataclass(frozen=True, slots=True)
class PassagePlace:
    """What rankings look at of a passage: its document, its place in it, and its role."""

    document_id: str
    ordinal: int
    role: Role


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An original as it was ingested: its path under the originals folder, name and media type."""

    path: str
    name: str
    media_type: str


class Record:
    """Answers questions about documents; removed ones are in none of the answers.

    Every method that takes ``access`` puts them into its SQL: what the caller may not see is
    not there.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def current(self) -> Generation | None:
        """The newest published generation, which every reader answers from."""
        return next(iter(self._published(1)), None)

    def kept(self) -> list[Generation]:
        """Published generations that are still kept, newest first."""
        return self._published(None)

    def encoder_of(self, generation: int) -> str | None:
        """The encoder that made a generation's vectors."""
        query = select(generations.c.encoder).where(generations.c.id == generation)
        with self.engine.connect() as connection:
            name: str | None = connection.scalar(query)
        return name

    def _published(self, limit: int | None) -> list[Generation]:
        newest = (
            select(generations)
            .where(generations.c.state == "published")
            .order_by(generations.c.id.desc())
            .limit(limit)
        )
        with self.engine.connect() as connection:
            return [
                Generation(
                    id=row.id,
                    encoder=row.encoder,
                    created=row.created.replace(tzinfo=UTC),
                    documents=_count(connection, row.id, members),
                    passages=_count(connection, row.id, _MEMBER_PASSAGES),
                )
                for row in connection.execute(newest).all()
            ]

    def current_id(self) -> int | None:
        """The number of the current generation; one indexed look-up, made at every query."""
        query = select(func.max(generations.c.id)).where(generations.c.state == "published")
        with self.engine.connect() as connection:
            number: int | None = connection.scalar(query)
        return number

    def found(
        self, generation: int, passage_ids: Sequence[str], access: Access
    ) -> dict[str, tuple[Passage, Document]]:
        """Passages of current versions by id; what the caller may not see is left out."""
        query = (
            select(passages)
            .join(members, members.c.version_key == passages.c.version_key)
            .where(
                members.c.generation == generation,
                members.c.current,
                passages.c.id.in_(passage_ids),
            )
        )
        with self.engine.connect() as connection:
            found = connection.execute(query).all()
            wanted = {row.version_key for row in found}
            seen = {
                row.key: row
                for row in connection.execute(
                    visible(generation, access).where(versions.c.key.in_(wanted))
                )
            }
        documents_by_key = {key: rows.document_of(row) for key, row in seen.items()}
        return {
            row.id: (rows.passage_of(row, document.id, document.version), document)
            for row in found
            if (document := documents_by_key.get(row.version_key)) is not None
        }

    def places(
        self, generation: int, passage_ids: Sequence[str], access: Access
    ) -> dict[str, PassagePlace]:
        """Where passages of current versions stand, by id; as ``found``, without any text."""
        query = (
            visible(generation, access)
            .join(passages, passages.c.version_key == versions.c.key)
            .where(members.c.current, passages.c.id.in_(passage_ids))
            .with_only_columns(
                passages.c.id, versions.c.document_id, passages.c.ordinal, passages.c.role
            )
        )
        with self.engine.connect() as connection:
            return {
                row.id: PassagePlace(row.document_id, row.ordinal, Role(row.role))
                for row in connection.execute(query).all()
            }

    def document(
        self,
        generation: int,
        document_id: str,
        access: Access,
        version: int | None = None,
    ) -> Document | None:
        """A document's current version, or the version asked for."""
        row = self._version(generation, document_id, access, version)
        return None if row is None else rows.document_of(row)

    def versions(self, generation: int, document_id: str, access: Access) -> list[Document]:
        """Every version of a document that can be read, newest first."""
        query = (
            visible(generation, access)
            .where(versions.c.document_id == document_id)
            .order_by(versions.c.number.desc())
        )
        with self.engine.connect() as connection:
            return [rows.document_of(row) for row in connection.execute(query)]

    def translations(self, generation: int, document_id: str, access: Access) -> list[Document]:
        """The current versions of the same work in other languages."""
        work = select(documents.c.work).where(documents.c.id == document_id).scalar_subquery()
        query = visible(generation, access).where(
            members.c.current, documents.c.work == work, documents.c.id != document_id
        )
        with self.engine.connect() as connection:
            return [rows.document_of(row) for row in connection.execute(query)]

    def list_documents(
        self,
        generation: int,
        access: Access,
        after: str = "",
        limit: int = 50,
    ) -> list[Document]:
        """Current documents by id, those after ``after``."""
        query = (
            visible(generation, access)
            .where(members.c.current, documents.c.id > after)
            .order_by(documents.c.id)
            .limit(limit)
        )
        with self.engine.connect() as connection:
            return [rows.document_of(row) for row in connection.execute(query)]

    def count_documents(self, generation: int, access: Access) -> int:
        """How many current documents there are."""
        listed = visible(generation, access).where(members.c.current).subquery()
        with self.engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(listed)) or 0

    def page(
        self,
        generation: int,
        document_id: str,
        number: int,
        access: Access,
        version: int | None = None,
    ) -> tuple[Document, Page] | None:
        """A page or section with its document."""
        row = self._version(generation, document_id, access, version)
        if row is None:
            return None
        query = select(pages).where(pages.c.version_key == row.key, pages.c.number == number)
        with self.engine.connect() as connection:
            found = connection.execute(query).first()
        return None if found is None else (rows.document_of(row), rows.page_of(found))

    def page_texts_of(self, document: Document) -> list[tuple[int, str | None, str]]:
        """The number, label and text of every page or section of a version, in order."""
        query = (
            select(pages.c.number, pages.c.label, pages.c.text)
            .join(versions, versions.c.key == pages.c.version_key)
            .where(versions.c.document_id == document.id, versions.c.number == document.version)
            .order_by(pages.c.number)
        )
        with self.engine.connect() as connection:
            return [(row.number, row.label, row.text) for row in connection.execute(query)]

    def passages(self, document: Document) -> list[Passage]:
        """The passages of a version, in reading order."""
        query = select(versions).where(
            versions.c.document_id == document.id, versions.c.number == document.version
        )
        with self.engine.connect() as connection:
            row = connection.execute(query).first()
            return [] if row is None else rows.load_passages(connection, row)

    def held(self, generation: int, document_ids: Collection[str]) -> set[str]:
        """Which of these documents have a current version in a generation."""
        query = (
            select(versions.c.document_id)
            .join(members, members.c.version_key == versions.c.key)
            .where(members.c.generation == generation, members.c.current)
        )
        with self.engine.connect() as connection:
            return set(connection.scalars(query)) & set(document_ids)

    def page_count(self, document: Document) -> int:
        """How many pages or sections a version has."""
        query = (
            select(func.count())
            .select_from(pages.join(versions, versions.c.key == pages.c.version_key))
            .where(versions.c.document_id == document.id, versions.c.number == document.version)
        )
        with self.engine.connect() as connection:
            return connection.scalar(query) or 0

    def original(
        self,
        generation: int,
        document_id: str,
        access: Access,
        version: int | None = None,
    ) -> StoredFile | None:
        """Where the original of a version is kept."""
        row = self._version(generation, document_id, access, version)
        if row is None or row.original is None:
            return None
        return StoredFile(row.original, row.source.rpartition("/")[2], row.media_type)

    def originals(self, generation: int) -> list[str]:
        """The paths of the originals of every readable version, under the originals folder."""
        query = visible(generation, None).where(versions.c.original.is_not(None))
        with self.engine.connect() as connection:
            return sorted({row.original for row in connection.execute(query)})

    def all_originals(self) -> list[str]:
        """The paths of the originals of every version, whatever its generation."""
        with self.engine.connect() as connection:
            query = select(versions.c.original).where(versions.c.original.is_not(None)).distinct()
            return [path for path in connection.scalars(query) if path is not None]

    def page_texts(
        self, wanted: Collection[tuple[str, int, int]]
    ) -> dict[tuple[str, int, int], str]:
        """The stored text of pages by (document id, version, page number)."""
        query = select(
            versions.c.document_id, versions.c.number.label("version"), pages.c.number, pages.c.text
        ).join(versions, versions.c.key == pages.c.version_key)
        texts: dict[tuple[str, int, int], str] = {}
        with self.engine.connect() as connection:
            for document_id, version, number in wanted:
                row = connection.execute(
                    query.where(
                        and_(
                            versions.c.document_id == document_id,
                            versions.c.number == version,
                            pages.c.number == number,
                        )
                    )
                ).first()
                if row is not None:
                    texts[document_id, version, number] = row.text
        return texts

    def passage_ids(self, generation: int) -> set[str]:
        """The ids that a generation's index must hold, and no others."""
        query = (
            select(passages.c.id)
            .join(members, members.c.version_key == passages.c.version_key)
            .join(versions, versions.c.key == members.c.version_key)
            .join(documents, documents.c.id == versions.c.document_id)
            .where(
                members.c.generation == generation,
                members.c.current,
                documents.c.removed.is_(None),
            )
        )
        with self.engine.connect() as connection:
            return set(connection.scalars(query))

    def current_documents(self, generation: int) -> Iterator[tuple[Document, list[Passage]]]:
        """Every current document with its passages, whatever its visibility, to index again."""
        query = (
            visible(generation, None)
            .add_columns(calls.c.call)
            .outerjoin(calls, calls.c.version_key == versions.c.key)
            .where(members.c.current)
            .order_by(documents.c.id)
        )
        with self.engine.connect() as connection:
            for row in connection.execute(query).all():
                yield with_call(rows.document_of(row), row), rows.load_passages(connection, row)

    def _version(
        self,
        generation: int,
        document_id: str,
        access: Access,
        version: int | None,
    ) -> Row[Any] | None:
        which = members.c.current if version is None else versions.c.number == version
        query = visible(generation, access).where(versions.c.document_id == document_id, which)
        with self.engine.connect() as connection:
            return connection.execute(query).first()


_MEMBER_PASSAGES = members.join(passages, members.c.version_key == passages.c.version_key)


def _count(connection: Connection, generation: int, table: FromClause) -> int:
    query = (
        select(func.count())
        .select_from(table)
        .join(versions, versions.c.key == members.c.version_key)
        .join(documents, documents.c.id == versions.c.document_id)
        .where(members.c.generation == generation, members.c.current, documents.c.removed.is_(None))
    )
    return connection.scalar(query) or 0


def visible(generation: int, access: Access | None) -> Select[Any]:
    """Versions in a generation whose document is not removed and that the caller may see."""
    return (
        select(versions, members.c.current, members.c.visibility)
        .select_from(versions)  # whatever columns a caller makes of these
        .join(members, members.c.version_key == versions.c.key)
        .join(documents, documents.c.id == versions.c.document_id)
        .where(members.c.generation == generation, documents.c.removed.is_(None))
        .where(visible_to(access))
    )

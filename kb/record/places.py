"""Places of many documents at once: versions, pages and passages that a reader may see."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import and_, or_, select

from kb.record import rows
from kb.record.access import visible_to
from kb.record.schema import documents, members, pages, passages, versions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import ColumnElement, Engine

    from kb.model import Access, Document, Passage

    # Numbers of pages or passages by the key of their version.
    Wanted = Mapping[int, Collection[int]]


class PlacesRecord:
    """Reads what many references name with one query a table, however many they are.

    Keys of versions are given out by ``versions``, which looks at who asks; the other methods take
    them for granted.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def versions(
        self, generation: int, document_ids: Collection[str], access: Access
    ) -> dict[int, Document]:
        """Every version of these documents that the caller may see, by its key."""
        query = (
            select(versions, members.c.current, members.c.visibility)
            .join(members, members.c.version_key == versions.c.key)
            .join(documents, documents.c.id == versions.c.document_id)
            .where(members.c.generation == generation, documents.c.removed.is_(None))
            .where(versions.c.document_id.in_(document_ids), visible_to(access))
        )
        with self._engine.connect() as connection:
            return {row.key: rows.document_of(row) for row in connection.execute(query)}

    def pages(self, wanted: Wanted) -> dict[tuple[int, int], tuple[str | None, str]]:
        """The label and text of pages or sections, by version and number."""
        query = select(pages.c.version_key, pages.c.number, pages.c.label, pages.c.text).where(
            _any_of(pages.c.version_key, pages.c.number, wanted)
        )
        with self._engine.connect() as connection:
            found = connection.execute(query).all()
        return {(row.version_key, row.number): (row.label, row.text) for row in found}

    def stretches(self, keys: Collection[int]) -> dict[int, list[tuple[int, list[list[int]]]]]:
        """What each passage of these versions covers: ordinal, and page, start and end a span.

        Without the texts of the passages, of which one in a hundred is wanted.
        """
        query = (
            select(passages.c.version_key, passages.c.ordinal, passages.c.spans)
            .where(passages.c.version_key.in_(keys))
            .order_by(passages.c.ordinal)
        )
        found: dict[int, list[tuple[int, list[list[int]]]]] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                spans = [
                    [page or section or 1, start, end]
                    for page, _, section, start, end in json.loads(row.spans)
                ]
                found.setdefault(row.version_key, []).append((row.ordinal, spans))
        return found

    def passages(
        self, found: Mapping[int, Document], wanted: Wanted
    ) -> dict[tuple[int, int], Passage]:
        """Passages by version and ordinal."""
        query = select(passages).where(_any_of(passages.c.version_key, passages.c.ordinal, wanted))
        with self._engine.connect() as connection:
            listed = connection.execute(query).all()
        return {
            (row.version_key, row.ordinal): rows.passage_of(
                row, found[row.version_key].id, found[row.version_key].version
            )
            for row in listed
        }


def _any_of(
    key: ColumnElement[int], number: ColumnElement[int], wanted: Wanted
) -> ColumnElement[bool]:
    """Each version with its own numbers: SQLite looks each up, and would scan for pairs."""
    return or_(*(and_(key == each, number.in_(numbers)) for each, numbers in wanted.items()))

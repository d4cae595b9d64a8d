"""The outline of a version: its headings and where each begins, for finding one's way in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from kb.model import Role
from kb.record.rows import blocks_of
from kb.record.schema import pages, versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Column, Engine, Select

    from kb.model import Block, Document

MOST = 200  # headings that are shown of a document


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading, how deep it stands (from 1), and the page or section and offset of its text."""

    title: str
    level: int
    number: int
    start: int = 0


def outline_of(engine: Engine, document: Document, most: int = MOST) -> tuple[Heading, ...]:
    """The headings of a version in reading order, of which the deepest are left out if too many.

    What has no headings but sections with names has those. Every block says under which headings
    it stands; passages know it too, but with the outer ones cut off where they are long.
    """
    query = _of(document, pages.c.number, pages.c.label, pages.c.layout)
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    found = list(_headings((row.number, blocks_of(row.layout)) for row in rows))
    if not found and not document.paged:
        found = [Heading(row.label, 1, row.number) for row in rows if row.label]
    return _fitted(found, most)


def page_labels(engine: Engine, document: Document) -> dict[int, str | None]:
    """What is printed on each page of a version, or its section is called, by number."""
    with engine.connect() as connection:
        rows = connection.execute(_of(document, pages.c.number, pages.c.label)).all()
    return {row.number: row.label for row in rows}


def _of(document: Document, *columns: Column[Any]) -> Select[Any]:
    return (
        select(*columns)
        .join(versions, versions.c.key == pages.c.version_key)
        .where(versions.c.document_id == document.id, versions.c.number == document.version)
        .order_by(pages.c.number)
    )


def _headings(read: Iterable[tuple[int, Sequence[Block]]]) -> Iterator[Heading]:
    """Each heading once, where it is printed, else where the first block stands under it."""
    above: tuple[str, ...] = ()
    printed: tuple[int, int] | None = None  # page and offset of the first since the last text
    for number, blocks in read:
        for block in blocks:
            if block.role is Role.HEADING:
                printed = printed or (number, block.start)
                continue
            path = block.path
            same = sum(1 for _ in _alike(path, above))
            where = printed or (number, block.start)
            for level, title in enumerate(path[same:], start=same + 1):
                yield Heading(title, level, *where)
            above, printed = path, None


def _alike(one: Sequence[str], two: Sequence[str]) -> Iterator[str]:
    """What two paths begin with alike."""
    for first, second in zip(one, two, strict=False):
        if first != second:
            return
        yield first


def _fitted(found: Sequence[Heading], most: int) -> tuple[Heading, ...]:
    """Leave the deepest levels out until the rest fits; if that is all, the end."""
    kept = list(found)
    while len(kept) > most and (deepest := max(each.level for each in kept)) > 1:
        kept = [each for each in kept if each.level < deepest]
    return tuple(kept[:most])

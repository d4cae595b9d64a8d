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
    read = ((row.number, blocks_of(row.layout)) for row in rows)
    found = list(_headings(read, paged=document.paged))
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


def _headings(read: Iterable[tuple[int, Sequence[Block]]], *, paged: bool) -> Iterator[Heading]:
    """Each heading once, where it is printed, else where the first block stands under it.

    Most readers say of a printed heading what stands above it: what is new in the next block's
    path is then that heading. Those of acts put its own name there too.
    """
    above: tuple[str, ...] = ()
    printed: tuple[int, int] | None = None  # page and offset of the heading just before
    named = False  # headings have their own names in their paths
    for number, blocks in read:
        printed = printed if paged else None
        for block in blocks:
            is_heading, here = block.role is Role.HEADING, (number, block.start)
            same = len(above) if block.path == above else _alike(block.path, above)
            new = block.path[same:]
            named = named or bool(new and is_heading and printed is None)
            for level, title in enumerate(new, start=same + 1):
                yield Heading(title, level, *(printed or here))
            if new or not is_heading:
                above = block.path
            printed = here if is_heading and not named else None


def _alike(one: Sequence[str], two: Sequence[str]) -> int:
    """How many names two paths begin with alike."""
    pairs = enumerate(zip(one, two, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(two)))


def _fitted(found: Sequence[Heading], most: int) -> tuple[Heading, ...]:
    """Leave the deepest levels out until the rest fits; if that is all, the end."""
    kept = list(found)
    while len(kept) > most and (deepest := max(each.level for each in kept)) > 1:
        kept = [each for each in kept if each.level < deepest]
    return tuple(kept[:most])

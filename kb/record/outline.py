"""The outline of a version: its headings and where each begins, for finding one's way in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from kb.context import HEADING_ARROW
from kb.record.schema import pages, passages, versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Engine

    from kb.model import Document

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

    They are taken from its passages, each of which knows the headings above it: for the 123 pages
    of a policy PDF this takes 3 ms, reading the layout of every page 40. What has no headings but
    sections with names has those.
    """
    query = (
        select(passages.c.heading, passages.c.spans)
        .join(versions, versions.c.key == passages.c.version_key)
        .where(versions.c.document_id == document.id, versions.c.number == document.version)
        .order_by(passages.c.ordinal)
    )
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    found = list(_headings((row.heading, row.spans) for row in rows))
    if not found and not document.paged:
        found = _sections(engine, document)
    return _fitted(found, most)


def page_labels(engine: Engine, document: Document) -> dict[int, str | None]:
    """What is printed on each page of a version, or its section is called, by number."""
    query = (
        select(pages.c.number, pages.c.label)
        .join(versions, versions.c.key == pages.c.version_key)
        .where(versions.c.document_id == document.id, versions.c.number == document.version)
        .order_by(pages.c.number)
    )
    with engine.connect() as connection:
        return {row.number: row.label for row in connection.execute(query)}


def _headings(passed: Iterable[tuple[str, str]]) -> Iterator[Heading]:
    """Each heading where a passage is the first that stands under it."""
    above: list[str] = []
    for heading, spans in passed:
        path = [name for name in heading.split(HEADING_ARROW) if name]
        same = 0
        while same < min(len(path), len(above)) and path[same] == above[same]:
            same += 1
        above = path
        if same == len(path):
            continue
        page, _label, section, start, _end = json.loads(spans)[0]
        for level, title in enumerate(path[same:], start=same + 1):
            yield Heading(title, level, page or section or 1, start)


def _sections(engine: Engine, document: Document) -> list[Heading]:
    labels = page_labels(engine, document)
    return [Heading(label, 1, number) for number, label in labels.items() if label]


def _fitted(found: Sequence[Heading], most: int) -> tuple[Heading, ...]:
    """Leave the deepest levels out until the rest fits; if that is all, the end."""
    kept = list(found)
    while len(kept) > most and (deepest := max(each.level for each in kept)) > 1:
        kept = [each for each in kept if each.level < deepest]
    return tuple(kept[:most])

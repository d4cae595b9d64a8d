"""A page's text as it is set: headings, paragraphs and tables, with the quoted words told apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from kb.model import Block, Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kb.model import Page

Range = tuple[int, int]

# Readers part the cells of a row with it.
_BAR: Final = re.compile(r"\s*\|\s*")
_FIRST_LEVEL, _LAST_LEVEL = 3, 6  # below the page's own headings


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text, whether it is quoted, and whether the first quote on the page begins here."""

    text: str
    quoted: bool = False
    first: bool = False


Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph; ``level`` is that of a heading, in HTML. ``start`` is its offset on the page."""

    start: int
    role: str
    pieces: Pieces
    level: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, those that head the columns apart."""

    start: int
    heads: tuple[tuple[Pieces, ...], ...]
    rows: tuple[tuple[Pieces, ...], ...]
    role: str = Role.TABLE.value


Part = Paragraph | Table


class PageText:
    """Sets the text of a page; ``quoted`` are the ranges of it to be marked."""

    def __init__(self, page: Page, quoted: Sequence[Range] = ()) -> None:
        self._page = page
        self._quoted = _joined(quoted, len(page.text))
        self._headers = {block.header for block in page.blocks if block.header}

    def parts(self) -> list[Part]:
        """Everything that stands on the page, in order."""
        parts: list[Part] = []
        above = _FIRST_LEVEL - 1
        for key, blocks in groupby(self._blocks(), key=self._table_of):
            if key is not None:
                parts.append(self._table(list(blocks)))
                continue
            for block in blocks:
                level = None
                if block.role is Role.HEADING:
                    level = above = min(_FIRST_LEVEL + len(block.path), above + 1, _LAST_LEVEL)
                pieces = self._pieces(block.start, block.end)
                parts.append(Paragraph(block.start, block.role.value, pieces, level))
        return parts

    def _blocks(self) -> Iterator[Block]:
        """The page's blocks, and as paragraphs what stands between them."""
        at, text = 0, self._page.text
        for block in (*self._page.blocks, Block(len(text), len(text))):
            if text[at : block.start].strip():
                yield Block(at, block.start)
            if block.start < block.end:
                yield block
            at = max(at, block.end)

    def _table_of(self, block: Block) -> Range | None:
        """What the rows of one table have in common; null for what is no row."""
        if block.role is not Role.TABLE:
            return None
        return block.header or self._header_with(block) or (-1, -1)

    def _header_with(self, block: Block) -> Range | None:
        heads = (h for h in self._headers if h[0] <= block.start and block.end <= h[1])
        return next(heads, None)

    def _table(self, rows: Sequence[Block]) -> Table:
        heads = [row for row in rows if self._header_with(row)]
        return Table(
            rows[0].start,
            tuple(self._cells(row) for row in heads),
            tuple(self._cells(row) for row in rows if row not in heads),
        )

    def _cells(self, row: Block) -> tuple[Pieces, ...]:
        cells: list[Pieces] = []
        at = row.start
        for bar in _BAR.finditer(self._page.text, row.start, row.end):
            cells.append(self._pieces(at, bar.start()))
            at = bar.end()
        return (*cells, self._pieces(at, row.end))

    def _pieces(self, start: int, end: int) -> Pieces:
        """A stretch of the text, cut where a quote begins or ends."""
        text, pieces, at = self._page.text, [], start
        for first, last in self._quoted:
            left, right = max(first, start), min(last, end)
            if left >= right:
                continue
            if at < left:
                pieces.append(Piece(text[at:left]))
            begins = first == self._quoted[0][0] and not text[first:left].strip(" |\n")
            pieces.append(Piece(text[left:right], quoted=True, first=begins))
            at = right
        if at < end:
            pieces.append(Piece(text[at:end]))
        return tuple(pieces)


def _joined(ranges: Sequence[Range], length: int) -> list[Range]:
    """Ranges in order, within the text, those that meet as one."""
    joined: list[Range] = []
    for start, end in sorted(ranges):
        if not 0 <= start < end <= length:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined

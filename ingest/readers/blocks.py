"""Builds pages from blocks of text, with exact offsets; every reader but the PDF's uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.readers.encoding import squash, tidy
from kb.errors import UnreadableError
from kb.model import Block, Metadata, Page, Parsed, Role

if TYPE_CHECKING:
    from ingest.readers.base import Source

# A section is stored, shown and quoted as one page: beyond this it goes on in another section of
# the same label. The longest article met, Article 2 of the GBER in French, has 98,940 characters.
LONGEST = 120_000


class Sections:
    """Collects blocks into sections: ``begin`` opens one, ``add`` fills it, ``pages`` ends."""

    def __init__(self) -> None:
        self._pages: list[Page] = []
        self._label: str | None = None
        self._blocks: list[Block] = []
        self._parts: list[str] = []
        self._length = 0
        self._header: tuple[int, int] | None = None
        self._in_header = False
        self._table_open = False

    @property
    def length(self) -> int:
        """Characters in the section so far."""
        return self._length

    @property
    def count(self) -> int:
        """Sections that hold text so far."""
        return len(self._pages) + bool(self._blocks)

    def begin(self, label: str | None = None) -> None:
        """Open a section; one that got no block leaves no page."""
        self._close()
        self.relabel(label)

    def relabel(self, label: str | None) -> None:
        """Name the open section anew: what it will hold is known only at its end."""
        self._label = (squash(tidy(label)) or None) if label else None

    def add(
        self,
        text: str,
        role: Role = Role.BODY,
        path: tuple[str, ...] = (),
        *,
        header_row: bool = False,
    ) -> None:
        """Add a block of cleaned ``text``; nothing is added where no text is left.

        Lines stay lines, each squashed, empty ones dropped. A row of a table stands on the line
        after the row before it; other blocks are set apart by a blank line. ``header_row`` starts
        a table, or adds to the header just started; the rows that follow point to it.
        """
        clean = "\n".join(line for raw in tidy(text).split("\n") if (line := squash(raw)))
        if not clean:
            return
        if self._length > LONGEST:
            self._close()
        start = self._append(clean, self._separator(clean, role, header_row=header_row))
        if role is not Role.TABLE:
            self._header = None
        elif header_row:
            first = self._header[0] if self._header and self._in_header else start
            self._header = (first, self._length)
        self._in_header = header_row
        header = None if header_row else self._header
        names = tuple(name for raw in path if (name := squash(tidy(raw))))
        self._blocks.append(Block(start, self._length, role, names, header))

    def end_table(self) -> None:
        """Let the next row start a table of its own."""
        self._header = None
        self._table_open = False

    def pages(self) -> tuple[Page, ...]:
        """Return the sections, numbered from 1, in the order in which they were opened."""
        self._close()
        return tuple(self._pages)

    def parsed(
        self,
        source: Source,
        metadata: Metadata | None = None,
        warnings: tuple[str, ...] = (),
    ) -> Parsed:
        """Return the reader's answer.

        Raises:
            UnreadableError: No block was added.
        """
        pages = self.pages()
        if not pages:
            raise UnreadableError(f"{source.name} holds no text.")
        return Parsed(pages, paged=False, metadata=metadata or Metadata(), warnings=warnings)

    def _separator(self, clean: str, role: Role, *, header_row: bool) -> str:
        row = role is Role.TABLE and "\n" not in clean
        starts = header_row and not self._in_header
        joined = row and self._table_open and not starts
        self._table_open = row
        if not self._blocks:
            return ""
        return "\n" if joined else "\n\n"

    def _append(self, clean: str, separator: str) -> int:
        start = self._length + len(separator)
        self._parts += (separator, clean)
        self._length = start + len(clean)
        return start

    def _close(self) -> None:
        if self._blocks:
            number = len(self._pages) + 1
            text = "".join(self._parts)
            self._pages.append(Page(number, text, self._label, tuple(self._blocks)))
        self._blocks, self._parts, self._length = [], [], 0
        self._header, self._in_header, self._table_open = None, False, False

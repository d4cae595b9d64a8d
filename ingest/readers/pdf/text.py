"""Writes a page's text from its items, with blocks and boxes, and mends words cut by a line end."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from ingest.readers.pdf.shapes import Item, Line, Paragraph, Table, Word
from kb.model import Block, Box, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LETTERS = r"[^\W\d_]+"
_WORD = re.compile(rf"{_LETTERS}(?:[-’']{_LETTERS})*")
_HEAD = re.compile(rf"(?:^|[^\w-])({_LETTERS})-$")
_TAIL = re.compile(_LETTERS)
_LEADER = re.compile(r"^(?:[._…·]{3,}|[….·_]+)$")
_RUN_OF_DOTS = re.compile(r"^(.*?)([.…·_]{4,})(.*)$")
_TERMINAL = re.compile(r"[.!?:;…][)\]»”\"’']*$")


def _words(text: str) -> list[str]:
    return text.split()


# A hyphen before or after these is spelt, whatever the rest of the document says.
_KEPT_HEADS = frozenset(
    _words(
        "avant après arrière demi mi semi non ex vice quasi self well au là ci celui"
        "celle ceux celles eux lui elle elles nous vous moi toi soi peut"
    )
)
_KEPT_TAILS = frozenset(
    _words("il ils elle elles on je tu nous vous ce là ci même mêmes t lui leur y en")
)
_SUSPENDED = frozenset(["and", "or", "to", "et", "ou", "à", "und"])


class Vocabulary:
    """The words a document spells out within its lines: the evidence for mending the cut ones."""

    def __init__(self, paragraphs: Iterable[Paragraph]) -> None:
        """Count the words of paragraphs, leaving out those a line end cuts."""
        self._counts: Counter[str] = Counter()
        self._pieces: Counter[str] = Counter()
        for paragraph in paragraphs:
            cut = False
            for line in paragraph.lines:
                words = [word.text for word in line.words[cut:]]
                cut = line.words[-1].text.endswith("-")
                if cut and words:
                    words.pop()
                found = _WORD.findall(" ".join(words).lower())
                self._counts.update(found)
                self._pieces.update(piece for word in found for piece in _TAIL.findall(word))

    def joint(self, head: str, tail: str) -> str:
        """Return what stands between a word that ends a line and the next: "", "-" or " ".

        An empty string means that the hyphen goes too. The document's own spelling decides; then
        a few heads and tails that French and English spell with a hyphen; then the capital, since
        a word is not cut before one. Where nothing speaks, the word is mended.

        Read through by eye: of 197 line ends with a hyphen in pasa_arxiv.pdf and the policy PDF two
        came out wrong ("reenforced", "sub-section"). A word list for both languages was not needed.
        """
        if not head.endswith("-"):
            dashed = head.endswith("–") and head[-2:-1].isdigit() and tail[:1].isdigit()
            return "-" if dashed else " "
        if len(head) == 1:
            return " "
        first, second = _HEAD.search(head), _TAIL.match(tail)
        if not first or not second or "://" in head or "www." in head:
            return "-"
        one, two = first[1], second[0]
        if two.lower() in _SUSPENDED:
            return " "
        capital = two[0].isupper() and not (one.isupper() and two.isupper())
        return self._spelt(one.lower(), two.lower(), capital=capital)

    def _spelt(self, one: str, two: str, *, capital: bool) -> str:
        joined, hyphened = self._counts[one + two], self._counts[f"{one}-{two}"]
        if joined != hyphened:
            return "" if joined > hyphened else "-"
        if capital:
            return "-"
        if one in _KEPT_HEADS or two in _KEPT_TAILS:
            return "-"
        if min(len(one), len(two)) <= 3:  # noqa: PLR2004 -- "con-text" is two words as well
            return ""
        # Two words of the document, neither a scrap: "decision-making", not "informa-tion".
        return "-" if self._pieces[one] and self._pieces[two] else ""


class Composer:
    """Builds one page's text; offsets are final as soon as something is written."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._parts: list[str] = []
        self._length = 0
        self._tight = False
        self.blocks: list[Block] = []
        self.boxes: list[Box] = []

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._parts)

    def paragraph(
        self, paragraph: Paragraph, path: tuple[str, ...], *, continues: bool = False
    ) -> str:
        """Write a paragraph as one block; returns its text."""
        contents = paragraph.role is Role.CONTENTS
        self._separate(tight=contents)
        start, at = self._length, len(self._parts)
        words = [word for line in paragraph.lines for word in line.words]
        self._words(_without_leaders(words) if contents else words, _line_ends(paragraph.lines))
        self.blocks.append(Block(start, self._length, paragraph.role, path, continues=continues))
        return "".join(self._parts[at:])

    def table(self, table: Table, path: tuple[str, ...]) -> None:
        """Write a table, a row a line and a block, its cells parted by a bar."""
        header: tuple[int, int] | None = None
        for number, row in enumerate(table.rows):
            self._separate(tight=number > 0)
            start = self._length
            for at, cell in enumerate(row):
                if at:
                    bare = self._length == start or self._parts[-1].endswith("| ")
                    self._write("| " if bare else " | ")
                self._words([word for line in cell for word in line.words], _line_ends(cell))
            self._trim(start)
            if number < table.heads:
                header = (header[0] if header else start, self._length)
            own = number < table.heads
            self.blocks.append(
                Block(start, self._length, Role.TABLE, path, header=None if own else header)
            )

    def _separate(self, *, tight: bool) -> None:
        if self._parts:
            self._write("\n" if tight and self._tight else "\n\n")
        self._tight = tight

    def _trim(self, start: int) -> None:
        """Drop the space after a bar that ends a row."""
        if self._length > start and self._parts[-1].endswith("| "):
            self._parts[-1] = self._parts[-1][:-1]
            self._length -= 1

    def _write(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def _words(self, words: Sequence[Word], ends: set[int]) -> None:
        """Write words with single spaces, mending at the line ends."""
        for at, word in enumerate(words):
            text, between = word.text, " "
            if at + 1 == len(words):
                between = ""
            elif id(word) in ends:
                between = self._vocabulary.joint(text, words[at + 1].text)
                if not between:
                    text = text[:-1]
                elif between == "-":
                    between = ""
            start = self._length
            self._write(text)
            edges = (round(edge, 1) for edge in word.edges)
            self.boxes.append(Box(start, self._length, *edges))
            if between:
                self._write(between)


def _line_ends(lines: Sequence[Line]) -> set[int]:
    return {id(line.words[-1]) for line in lines}


def _without_leaders(words: list[Word]) -> list[Word]:
    """Leave one of each run of dots that leads to a page number."""
    kept: list[Word] = []
    for word in chain.from_iterable(map(_split_leader, words)):
        if _LEADER.match(word.text):
            if kept and kept[-1].text == "…":
                continue
            word.text = "…"
        kept.append(word)
    return kept


def _split_leader(word: Word) -> list[Word]:
    """Cut "Heading........1" in three, each with its share of the width."""
    match = _RUN_OF_DOTS.match(word.text)
    if not match or word.shown:
        return [word]
    step = (word.right - word.left) / len(word.text)
    return [
        replace(
            word,
            text=match[part],
            left=word.left + step * match.start(part),
            right=word.left + step * match.end(part),
        )
        for part in (1, 2, 3)
        if match[part]
    ]


def join_columns(items: Sequence[Item], *, scanned: bool) -> list[Item]:
    """Join a paragraph that a column's end cuts with its rest at the head of the next column.

    On a scanned page its rest may also stand below: Tesseract cuts columns into blocks.
    """
    joined: list[Item] = []
    for item in items:
        last = joined[-1] if joined else None
        if (
            isinstance(item, Paragraph)
            and isinstance(last, Paragraph)
            and item.flow != last.flow
            and item.role is last.role
            and item.role in (Role.BODY, Role.REFERENCES)
            and (scanned or item.top < last.bottom)
            and goes_on(last.text, full=False, after=item.text)
        ):
            last.lines += item.lines
            last.flow, last.full = item.flow, item.full
        else:
            joined.append(item)
    return joined


def goes_on(before: str, *, full: bool, after: str) -> bool:
    """Whether a page's first paragraph goes on with the sentence the previous page stopped in.

    ``full`` says that the previous page's last line reached its right edge.
    """
    if not before or not after or _TERMINAL.search(before):
        return False
    first = after.lstrip("«“\"'(")[:1]
    return first.islower() or first.isdigit() or full or before.endswith((",", "-"))


def all_paragraphs(pages: Iterable[Sequence[Item]]) -> Iterable[Paragraph]:
    """Return the paragraphs of all pages, and tables' cells as paragraphs."""
    for items in pages:
        for item in items:
            if isinstance(item, Paragraph):
                yield item
            else:
                yield from (Paragraph(cell) for row in item.rows for cell in row if cell)

"""What the PDF modules hand each other: words on a sheet, lines, paragraphs and tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from operator import attrgetter
from statistics import median
from typing import TYPE_CHECKING

from kb.model import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Edges = tuple[float, float, float, float]
"""Left, top, right, bottom in points, origin top left."""

SAME_LINE, RAISED = 0.2, 0.45
"""Type sizes by which baselines on one line may differ: words of one size, and raised or sunken.

Boxes do not tell: a typewriter font's are so tall that two lines of pasa_arxiv.pdf, page 5, were
read as one; and interleaved lines of two columns set half a line apart share half their height.
"""
TOWERING = 1.8
"""Times a word's size from which another is a bracket or a drop cap and draws no line to itself.

Without it the tall brackets on page 6 of pasa_arxiv.pdf ran lines of the other column together.
"""


@dataclass(slots=True, eq=False)
class Word:
    """A run of characters without a space, where it stands and how it is set.

    The edges are those of the sheet turned so that the word reads from left to right; ``shown``
    holds the edges on the displayed page where the two differ. ``base`` is the baseline.
    """

    text: str
    left: float
    top: float
    right: float
    bottom: float
    base: float
    size: float
    bold: bool = False
    italic: bool = False
    quarter: int = 0
    shown: Edges | None = None

    @property
    def edges(self) -> Edges:
        """The edges on the displayed page."""
        return self.shown or (self.left, self.top, self.right, self.bottom)


@dataclass(slots=True, eq=False)
class Rule:
    """A straight line of a drawing, across (``top == bottom``) or down."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def across(self) -> bool:
        """Whether it runs from left to right."""
        return self.right - self.left >= self.bottom - self.top


@dataclass(slots=True)
class Sheet:
    """One page as drawn: its words in the order of the file, its rules, its pictures' share.

    ``unmapped`` is the share of characters without a Unicode value; ``blank`` says that nothing
    at all is drawn.
    """

    number: int
    width: float
    height: float
    words: list[Word] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    pictured: float = 0.0
    unmapped: float = 0.0
    text_objects: int = 0
    blank: bool = False


@dataclass(slots=True, eq=False)
class Line:
    """Words side by side, left to right."""

    words: list[Word]
    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    base: float = 0.0
    size: float = 0.0
    bold: bool = False
    italic: bool = False

    def __post_init__(self) -> None:
        """Derive the edges and the setting from the words."""
        words = self.words
        self.left = min(word.left for word in words)
        self.right = max(word.right for word in words)
        self.top = median(word.top for word in words)
        self.bottom = median(word.bottom for word in words)
        sizes: Counter[float] = Counter()
        bold = italic = total = 0
        for word in words:
            length = len(word.text)
            total += length
            sizes[word.size] += length
            bold += length if word.bold else 0
            italic += length if word.italic else 0
        self.size = sizes.most_common(1)[0][0]
        self.base = median(word.base for word in words if word.size == self.size)
        self.bold = bold > 0.9 * total
        self.italic = italic > 0.9 * total

    @property
    def text(self) -> str:
        """The words with single spaces."""
        return " ".join(word.text for word in self.words)

    @property
    def width(self) -> float:
        """From the left edge of the first word to the right edge of the last."""
        return self.right - self.left


@dataclass(slots=True, eq=False)
class Paragraph:
    """Lines that belong together, in reading order, with what they turn out to be.

    ``flow`` numbers the column they stand in; ``rank`` orders headings, the highest first;
    ``full`` says that the last line reaches the column's right edge.
    """

    lines: list[Line]
    flow: int = 0
    role: Role = Role.BODY
    rank: tuple[float, ...] | None = None
    full: bool = False

    @property
    def text(self) -> str:
        """The lines with single spaces, hyphens as printed."""
        return " ".join(line.text for line in self.lines)

    @property
    def size(self) -> float:
        """The size of the longest line."""
        return max(self.lines, key=attrgetter("width")).size

    @property
    def bold(self) -> bool:
        """Whether every line is bold."""
        return all(line.bold for line in self.lines)

    @property
    def italic(self) -> bool:
        """Whether every line is italic."""
        return all(line.italic for line in self.lines)

    @property
    def top(self) -> float:
        """The top of the first line."""
        return self.lines[0].top

    @property
    def bottom(self) -> float:
        """The bottom of the last line."""
        return self.lines[-1].bottom


@dataclass(slots=True, eq=False)
class Table:
    """Rows of cells, a cell being lines; the first ``heads`` rows are the header."""

    rows: list[list[list[Line]]]
    edges: Edges
    heads: int = 0
    flow: int = 0


Item = Paragraph | Table


def rows_of(words: Iterable[Word]) -> list[list[Word]]:
    """Gather words into rows that share a baseline, top to bottom, each left to right."""
    rows: list[list[Word]] = []
    leads: list[Word] = []  # the largest word of each row, which the others are held against
    for word in sorted(words, key=attrgetter("base")):
        for at in range(len(rows) - 1, max(-1, len(rows) - 4), -1):
            if on_line(leads[at].base, leads[at].size, word.base, word.size):
                rows[at].append(word)
                if leads[at].size < word.size < TOWERING * leads[at].size:
                    leads[at] = word
                break
        else:
            rows.append([word])
            leads.append(word)
    order = sorted(range(len(rows)), key=lambda at: leads[at].base)
    return [sorted(rows[at], key=attrgetter("left")) for at in order]


def on_line(base: float, size: float, other_base: float, other_size: float) -> bool:
    """Whether two words (or segments) by their baselines and sizes stand on one line."""
    larger, smaller = max(size, other_size), min(size, other_size)
    if larger > TOWERING * smaller:
        return abs(base - other_base) <= SAME_LINE * smaller
    alike = smaller > 0.75 * larger  # note signs are two thirds of their line's size
    return abs(base - other_base) <= (SAME_LINE if alike else RAISED) * larger


def lines_of(words: Iterable[Word]) -> list[Line]:
    """Gather words into lines, top to bottom."""
    return [Line(row) for row in rows_of(words)]


def body_size(lines: Sequence[Line]) -> float:
    """Return the size most characters are set in, to half a point; 10 where there are none."""
    sizes: Counter[float] = Counter()
    for line in lines:
        for word in line.words:
            sizes[round(word.size * 2) / 2] += len(word.text)
    return sizes.most_common(1)[0][0] if sizes else 10.0

"""Finds what pages repeat around their text: running heads and feet, and printed page numbers."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest.readers.pdf.shapes import body_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.readers.pdf.shapes import Line, Sheet

ZONE = 0.13
"""Share of the page's height, at its top and its foot, where running heads stand."""
OUTERMOST = 3
"""Lines at either end that may be running heads."""

_ROMAN = re.compile(r"^[ivxlc]{1,7}$", re.IGNORECASE)
_NUMBER = re.compile(
    r"^(?:[-–—|•\s]*)(?:page|p\.|pg\.?)?\s*([ivxlc]{1,7}|\d{1,4})"
    r"(?:\s*(?:/|of|sur|de|\|)\s*\d{1,4})?(?:[-–—|•\s]*)$",
    re.IGNORECASE,
)
_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


@dataclass(slots=True)
class Furniture:
    """The lines to leave out, by ``id`` of their words, and the number printed on each page."""

    words: set[int] = field(default_factory=set)
    labels: dict[int, str] = field(default_factory=dict)


def find_furniture(pages: Sequence[tuple[Sheet, Sequence[Line]]]) -> Furniture:
    """Find lines that stand at one height on several pages and differ in their figures at most.

    Three pages are asked for, or more than half of them where there are no more than four: a
    heading repeated on two pages of a long document is a heading, and four scans of one page
    (cardinal.pdf) have no running head. Lines between two rules of one width are left alone:
    they are the repeated header of a table. So are lines larger than body text.
    """
    body = body_size([line for _, lines in pages for line in lines])
    seen: dict[tuple[str, int], list[tuple[int, Line]]] = defaultdict(list)
    for at, (sheet, lines) in enumerate(pages):
        for line in _outer(sheet, lines):
            if line.size <= 1.25 * body:
                seen[_key(line.text), round(line.base / 6)].append((at, line))
    least = max(2, len(pages) // 2 + 1) if len(pages) <= 4 else 3  # noqa: PLR2004 -- see above
    found = Furniture()
    for (key, height), placed in seen.items():
        # A height may lie on the border of two of the six-point steps.
        near = [*placed, *seen.get((key, height + 1), ()), *seen.get((key, height - 1), ())]
        if key and len({at for at, _ in near}) >= least:
            found.words.update(id(word) for _, line in placed for word in line.words)
    for at, line, label in _numbers(pages):
        found.words.update(id(word) for word in line.words)
        found.labels[at] = label
    return found


def _numbers(pages: Sequence[tuple[Sheet, Sequence[Line]]]) -> Iterator[tuple[int, Line, str]]:
    """Yield the printed page numbers: the outermost lines, where they count on from page to page.

    Both are asked for: pages 18 and 62 of the policy PDF end their text with "2005." and "19.".
    """
    printed: dict[int, list[tuple[Line, str]]] = {}
    for at, (sheet, lines) in enumerate(pages):
        ordered = sorted(lines, key=lambda line: line.base)
        for line in ordered[-1:] + ordered[:1]:
            match = _NUMBER.match(line.text)
            edge = line.base < ZONE * sheet.height or line.top > (1 - ZONE) * sheet.height
            if match and edge:
                printed.setdefault(at, []).append((line, match[1]))
    for at, candidates in printed.items():
        for numbered, text in candidates:
            if any(
                other.isdigit() == text.isdigit() and number_of(other) == number_of(text) + step
                for step in (-2, -1, 1, 2)
                for _, other in printed.get(at + step, ())
            ):
                yield at, numbered, text
                break


def _outer(sheet: Sheet, lines: Sequence[Line]) -> Iterator[Line]:
    if not lines:
        return
    ordered = sorted(lines, key=lambda line: line.base)
    for line in ordered[:OUTERMOST]:
        if line.base < ZONE * sheet.height and not _in_table(sheet, line):
            yield line
    for line in ordered[-OUTERMOST:]:
        if line.top > (1 - ZONE) * sheet.height and not _in_table(sheet, line):
            yield line


def _in_table(sheet: Sheet, line: Line) -> bool:
    near = [
        rule
        for rule in sheet.rules
        if rule.across
        and rule.left <= line.left + 3
        and rule.right >= line.right - 3
        and line.top - 25 < rule.top < line.bottom + 25
    ]
    above = [rule for rule in near if rule.top <= line.top + 2]
    below = [rule for rule in near if rule.top >= line.bottom - 2]
    return any(
        abs(one.left - two.left) < 3 and abs(one.right - two.right) < 3  # noqa: PLR2004 -- points
        for one in above
        for two in below
    )


def _key(text: str) -> str:
    if _NUMBER.match(text):
        return ""
    words = ["#" if _ROMAN.match(word) else word for word in text.lower().split()]
    return re.sub(r"\d+", "#", " ".join(words))


def number_of(text: str) -> int:
    """Return the value of a page number, in figures or in Roman letters."""
    if text.isdigit():
        return int(text)
    values = [_VALUES.get(char, 0) for char in text.lower()]
    following = [*values[1:], 0]
    return sum(-a if a < b else a for a, b in zip(values, following, strict=True))

"""Finds what pages repeat around their text: running heads and feet, and printed page numbers."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.readers.pdf_shapes import Line, Sheet

ZONE = 0.13
"""Share of the page's height, at its top and its foot, where running heads stand."""
OUTERMOST = 3
"""Lines at either end that may be running heads."""

_ROMAN = re.compile(r"^[ivxlc]{1,7}$", re.IGNORECASE)
_NUMBER = re.compile(
    r"^(?:[-–—|•\s]*)(?:page|p\.|pg\.?)?\s*([ivxlc]{1,7}|\d{1,4})"
    r"(?:\s*(?:/|of|sur|de|\|)\s*\d{1,4})?(?:[-–—|•\s.]*)$",
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
    they are the repeated header of a table.
    """
    seen: dict[tuple[str, int], list[tuple[int, Line]]] = defaultdict(list)
    for at, (sheet, lines) in enumerate(pages):
        for line in _outer(sheet, lines):
            seen[_key(line.text), round(line.base / 6)].append((at, line))
    least = max(2, len(pages) // 2 + 1) if len(pages) <= 4 else 3  # noqa: PLR2004 -- see above
    found = Furniture()
    printed: dict[int, str] = {}
    for (key, height), lines in seen.items():
        # A height may lie on the border of two of the six-point steps.
        near = [*lines, *seen.get((key, height + 1), ()), *seen.get((key, height - 1), ())]
        number = key == "#"
        if len({at for at, _ in near}) < (2 if number else least):
            continue
        for at, line in lines:
            found.words.update(id(word) for word in line.words)
            match = _NUMBER.match(line.text)
            if match:
                printed[at] = match[1]
    found.labels = _consistent(printed)
    return found


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
        return "#"
    words = ["#" if _ROMAN.match(word) else word for word in text.lower().split()]
    return re.sub(r"\d+", "#", " ".join(words))


def _consistent(printed: dict[int, str]) -> dict[int, str]:
    """Keep the numbers that count on from a neighbouring page's."""
    values = {at: number_of(text) for at, text in printed.items()}
    return {
        at: text
        for at, text in printed.items()
        if any(
            values.get(at + step) == values[at] + step and _alike(text, printed[at + step])
            for step in (-2, -1, 1, 2)
        )
    }


def _alike(one: str, two: str) -> bool:
    return one.isdigit() == two.isdigit()


def number_of(text: str) -> int:
    """Return the value of a page number, in figures or in Roman letters."""
    if text.isdigit():
        return int(text)
    values = [_VALUES.get(char, 0) for char in text.lower()]
    following = [*values[1:], 0]
    return sum(-a if a < b else a for a, b in zip(values, following, strict=True))

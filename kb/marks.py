"""Where quoted words stand on the picture of their page: rectangles along lines, or none at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kb.model import Box, Page

# Readers part the cells of a table with it; nothing is drawn for it.
_CELL_BAR = "|"
# Of the smaller of two boxes' heights, how much they share when they stand on one line: lines that
# are set tightly share less.
_SAME_LINE = 0.5
# Times a word's height from which its neighbour is a drop cap or a bracket, which reaches into the
# lines above or below and is marked by itself.
_TOWERING = 1.5
# Of the taller box's height, how wide a gap may be that is marked through. The spaces of justified
# text stay below it, the gutter between two columns above; a gap that is not marked does no harm.
_SPACE = 1.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A rectangle on a page; PDF points from its top left corner as displayed."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """From left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """From top to bottom."""
        return self.bottom - self.top


def marks_of(page: Page, start: int, end: int) -> tuple[Mark, ...]:
    """Return where ``page.text[start:end]`` stands on the page's picture, a rectangle a line.

    They are in reading order: words side by side are one rectangle, the next line or column begins
    another. A wrong mark is worse than none. So there are none where any of the words has no box,
    where a box of several words is only partly meant, and where a box does not stand on the page.
    """
    if not (page.width and page.height and 0 <= start < end <= len(page.text)):
        return ()
    boxes = [box for box in page.boxes if box.start < end and start < box.end]
    sound = _cover(page.text, boxes, start, end) and all(
        _stands_on(page, box) and _is_meant(page.text, box, start, end) for box in boxes
    )
    return tuple(_lines(boxes)) if sound else ()


def _cover(text: str, boxes: Iterable[Box], start: int, end: int) -> bool:
    """Whether every character of a range that is drawn stands in a box."""
    at = start
    gaps = []
    for box in sorted(boxes, key=lambda box: box.start):
        gaps.append(text[at : box.start] if box.start > at else "")
        at = max(at, box.end)
    gaps.append(text[at:end])
    return all(not gap.replace(_CELL_BAR, " ").strip() for gap in gaps)


def _is_meant(text: str, box: Box, start: int, end: int) -> bool:
    """Whether a box holds one word, or nothing but words of the range."""
    whole = start <= box.start and box.end <= end
    return whole or len(text[box.start : box.end].split()) == 1


def _stands_on(page: Page, box: Box) -> bool:
    """Whether a box has a size and lies on the page, but for a rounding."""
    width, height = page.width or 0.0, page.height or 0.0
    return -1 <= box.left < box.right <= width + 1 and -1 <= box.top < box.bottom <= height + 1


def _lines(boxes: Sequence[Box]) -> Iterator[Mark]:
    """Join boxes, in reading order, with those beside them."""
    run: list[Box] = []
    for box in boxes:
        if run and not _goes_on(run, box):
            yield _around(run)
            run = []
        run.append(box)
    if run:
        yield _around(run)


def _around(run: Sequence[Box]) -> Mark:
    return Mark(
        min(box.left for box in run),
        min(box.top for box in run),
        max(box.right for box in run),
        max(box.bottom for box in run),
    )


def _goes_on(run: Sequence[Box], box: Box) -> bool:
    """Whether a box stands beside the last of a run, and level with its first.

    Not only with the one before it: on a skewed scan a line sinks by more than its height.
    """
    first, last = run[0], run[-1]
    low, high = sorted((first.bottom - first.top, box.bottom - box.top))
    shared = min(first.bottom, box.bottom) - max(first.top, box.top)
    gap = box.left - last.right
    return shared > _SAME_LINE * low and high < _TOWERING * low and abs(gap) <= _SPACE * high

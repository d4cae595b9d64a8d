"""Cuts a page into columns at its gutters, band by band between what runs across them."""

from __future__ import annotations

from itertools import groupby
from statistics import median

from ingest.readers.pdf.shapes import Line, Table, on_line
from ingest.readers.pdf.tables import NEAR

Thing = Line | Table

LEAST_LINES = 4
"""Lines that a column needs before a page is cut in two.

With 2, numbered lists and address blocks were read down instead of across.
"""
LEAST_FILL = 0.4
"""Share of a column's width that most of its lines take; cells of a table take less."""
LEAST_WIDTH = 0.22
"""Share of the region's width a column takes; numbers before paragraphs take less."""


def _edges(thing: Thing) -> tuple[float, float, float, float]:
    if isinstance(thing, Table):
        return thing.edges
    return thing.left, thing.top, thing.right, thing.bottom


def flows_of(things: list[Thing], depth: int = 0) -> list[list[Thing]]:
    """Cut a region at its gutter, band by band; returns columns in reading order."""
    gutter = _gutter(things) if depth < 3 else None  # noqa: PLR2004 -- no page has more columns
    if gutter is None:
        return [things] if things else []
    flows: list[list[Thing]] = []
    for full, band in _bands(things, gutter):
        if full:
            flows.append(band)
            continue
        left = [thing for thing in band if _side(thing, gutter) < 0]
        right = [thing for thing in band if _side(thing, gutter) > 0]
        if not (left and right) or _beside(left, right, things, gutter):
            flows += flows_of(left, depth + 1) + flows_of(right, depth + 1)
        else:
            flows.append(band)
    return flows


def _beside(left: list[Thing], right: list[Thing], things: list[Thing], gutter: float) -> bool:
    """Whether a band's two sides are columns, not one row of names or of a form."""
    if min(len(left), len(right)) >= LEAST_LINES:
        return True
    start = min(_edges(thing)[0] for thing in things)
    end = max(_edges(thing)[2] for thing in things)
    return all(
        median(_edges(t)[2] - _edges(t)[0] for t in side) >= 0.5 * width
        for side, width in ((left, gutter - start), (right, end - gutter))
    )


def _side(thing: Thing, gutter: float) -> int:
    """Return -1 or 1 for the side of the gutter something stands on, 0 if it runs across.

    A line that sticks out a little over the gutter (a long address in a narrow column) stays in
    its column.
    """
    left, _, right, _ = _edges(thing)
    if right <= gutter + 1:
        return -1
    if left >= gutter - 1:
        return 1
    over, under = right - gutter, gutter - left
    if min(over, under) < 0.12 * (right - left):
        return -1 if under > over else 1
    return 0


def _bands(things: list[Thing], gutter: float) -> list[tuple[bool, list[Thing]]]:
    """Part a region, top to bottom, into what runs across the gutter and what stands beside it."""
    across = sorted((t for t in things if _side(t, gutter) == 0), key=lambda t: _edges(t)[1])
    beside = sorted((t for t in things if _side(t, gutter) != 0), key=lambda t: _edges(t)[1])
    bands: list[tuple[bool, list[Thing]]] = []
    for thing in across:
        middle = sum(_edges(thing)[1::2]) / 2
        # What shares the row of a full line belongs to it: the rest of a heading, a page number.
        row = [t for t in beside if isinstance(thing, Line) and _shares_row(t, thing)]
        above = [t for t in beside if sum(_edges(t)[1::2]) / 2 < middle and t not in row]
        _put_beside(bands, above)
        taken = set(map(id, above + row))
        beside = [t for t in beside if id(t) not in taken]
        if bands and bands[-1][0]:
            bands[-1][1].extend([thing, *row])
        else:
            bands.append((True, [thing, *row]))
    _put_beside(bands, beside)
    return bands


def _put_beside(bands: list[tuple[bool, list[Thing]]], band: list[Thing]) -> None:
    """Add a band of columns, but first give the full lines above it their paragraph's last line.

    That line often ends before the gutter: the caption on page 2 of pasa_arxiv.pdf.
    """
    if band and bands and bands[-1][0]:
        last, line = bands[-1][1][-1], band[0]
        if (
            isinstance(last, Line)
            and isinstance(line, Line)
            and abs(last.left - line.left) < NEAR
            and abs(last.size - line.size) < 0.1 * line.size
            and line.base - last.base < 1.5 * line.size
            and not any(_shares_row(other, line) for other in band[1:])
        ):
            bands[-1][1].append(line)
            band = band[1:]
    if band:
        bands.append((False, band))


def _shares_row(thing: Thing, line: Line) -> bool:
    if isinstance(thing, Table):
        return False
    return on_line(thing.base, thing.size, line.base, line.size)


def _gutter(things: list[Thing]) -> float | None:
    """Return where a region is best cut into a left and a right part, or None."""
    lines = [thing for thing in things if isinstance(thing, Line)]
    if len(lines) < 2 * LEAST_LINES:
        return None
    left, right = min(line.left for line in lines), max(line.right for line in lines)
    width = right - left
    steps = int(width / 2) + 1
    cover = [0] * (steps + 1)
    for line in lines:
        for at in range(int((line.left - left) / 2), int((line.right - left) / 2) + 1):
            cover[at] += 1
    low, high = int(steps * LEAST_WIDTH), int(steps * (1 - LEAST_WIDTH))
    best: tuple[float, float] | None = None
    for start, end in _valleys(cover, low, high):
        gutter = left + start + end
        score = _support(things, gutter, width)
        if score and (best is None or score > best[0]):
            best = (score, gutter)
    return best[1] if best else None


def _valleys(cover: list[int], low: int, high: int) -> list[tuple[int, int]]:
    """Return the stretches between ``low`` and ``high`` that fewer lines cover than both sides."""
    runs = [(value, list(group)) for value, group in groupby(range(low, high), cover.__getitem__)]
    valleys = []
    for at, (value, run) in enumerate(runs):
        before = runs[at - 1][0] if at else value + 1
        after = runs[at + 1][0] if at + 1 < len(runs) else value + 1
        if value < before and value < after:
            valleys.append((value, run[0], run[-1]))
    valleys.sort(key=lambda valley: (valley[0], valley[1] - valley[2]))
    return [(start, end) for _, start, end in valleys[:6]]


def _support(things: list[Thing], gutter: float, width: float) -> float:
    """Return how many lines stand in true columns beside a gutter, zero if none do."""
    total = across = 0
    for full, band in _bands(things, gutter):
        if full:
            across += len(band)
            continue
        sides = [
            [t for t in band if isinstance(t, Line) and _side(t, gutter) == side]
            for side in (-1, 1)
        ]
        if all(_is_column(side, width) for side in sides) and _overlap(*sides):
            total += min(map(len, sides))
    return total if total * 6 >= across else 0.0


def _is_column(lines: list[Line], width: float) -> bool:
    if len(lines) < LEAST_LINES:
        return False
    extent = max(line.right for line in lines) - min(line.left for line in lines)
    # By width, not by count: page 6 of pasa_arxiv.pdf has more scraps of formulas than lines.
    long = [line.width for line in lines if line.width >= LEAST_FILL * extent]
    mostly = sum(long) >= 0.6 * sum(line.width for line in lines)
    return extent >= LEAST_WIDTH * width and len(long) >= LEAST_LINES and mostly


def _overlap(left: list[Line], right: list[Line]) -> bool:
    """Whether two columns stand beside each other rather than one above the other."""
    tops, bottoms = zip(
        *((side[0].top, max(line.bottom for line in side)) for side in (left, right)), strict=True
    )
    shortest = min(bottom - top for top, bottom in zip(tops, bottoms, strict=True))
    return bool(min(bottoms) - max(tops) > 0.3 * shortest)

"""Puts the words of a page into reading order: columns, lines, paragraphs and tables."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from operator import attrgetter
from statistics import median
from typing import TYPE_CHECKING

from ingest.readers.pdf_shapes import Item, Line, Paragraph, Rule, Sheet, Table, Word, on_line
from ingest.readers.pdf_tables import NEAR, aligned_table, ruled_tables, segments_of

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_LINES = 4
"""Lines that a column needs before a page is cut in two.

With 2, numbered lists and address blocks were read down instead of across.
"""
LEAST_FILL = 0.4
"""Share of a column's width that its lines take, in the middle; cells of a table take less."""
LEAST_WIDTH = 0.22
"""Share of the region's width a column takes; numbers before paragraphs take less."""

LEADERS = re.compile(r"(?:\.\s?){4,}|(?:…\s*){2,}|_{4,}|…\s*\d+$")
MARKER = re.compile(
    r"^(?:[•▪◦●○■□▫‣⁃➢➤✓]|[–—-](?=\s)|o(?=\s)|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)°](?=\s))"
)
_BULLET = re.compile(r"^[•▪◦●○■□▫‣⁃➢➤✓]")
_NOTE_SIGN = re.compile(r"^(?:\d{1,3}|[*∗†‡§¶]{1,3})$")
_ENDS = re.compile(r"[.!?:;…][)\]»”\"’']*$")


@dataclass(slots=True)
class _Flow:
    """Rows of segments (or tables) to be read from top to bottom."""

    items: list[Line | Table] = field(default_factory=list)


def arrange(sheet: Sheet) -> list[Item]:
    """Return the paragraphs and tables of a sheet in reading order.

    Words set sideways are read after the others: they are stamps and axis labels, unless most of
    the page is set so (a wide table on an upright page).
    """
    groups: dict[int, list[Word]] = {}
    for word in sheet.words:
        groups.setdefault(word.quarter, []).append(word)
    items: list[Item] = []
    for quarter, words in sorted(groups.items(), key=lambda group: -len(group[1])):
        rules = [_turned(rule, quarter, sheet) for rule in sheet.rules]
        items += _arranged(words, rules, first_flow=len(items))
    return items


def _turned(rule: Rule, quarter: int, sheet: Sheet) -> Rule:
    if quarter == 1:
        return Rule(rule.top, sheet.width - rule.right, rule.bottom, sheet.width - rule.left)
    if quarter == 2:  # noqa: PLR2004 -- half a turn
        width, height = sheet.width, sheet.height
        return Rule(width - rule.right, height - rule.bottom, width - rule.left, height - rule.top)
    if quarter == 3:  # noqa: PLR2004 -- three quarters
        return Rule(sheet.height - rule.bottom, rule.left, sheet.height - rule.top, rule.right)
    return rule


def _arranged(words: list[Word], rules: Sequence[Rule], first_flow: int) -> list[Item]:
    tables, rest = ruled_tables(words, rules)
    things: list[Line | Table] = [line for row in segments_of(rest) for line in row]
    things += tables
    items: list[Item] = []
    for number, flow in enumerate(_flows(things, depth=0)):
        for item in _read_flow(flow):
            item.flow = first_flow + number
            items.append(item)
    return items


def _edges(thing: Line | Table) -> tuple[float, float, float, float]:
    if isinstance(thing, Table):
        return thing.edges
    return thing.left, thing.top, thing.right, thing.bottom


def _flows(things: list[Line | Table], depth: int) -> list[_Flow]:
    """Cut a region at its gutter, band by band between what runs across it."""
    gutter = _gutter(things) if depth < 3 else None  # noqa: PLR2004 -- no page has more columns
    if gutter is None:
        return [_Flow(things)] if things else []
    flows: list[_Flow] = []
    for full, band in _bands(things, gutter):
        if full:
            flows.append(_Flow(band))
            continue
        left = [thing for thing in band if _side(thing, gutter) < 0]
        right = [thing for thing in band if _side(thing, gutter) > 0]
        if not (left and right) or _beside(left, right, things, gutter):
            flows += _flows(left, depth + 1) + _flows(right, depth + 1)
        else:
            flows.append(_Flow(band))
    return flows


def _beside(
    left: list[Line | Table], right: list[Line | Table], things: list[Line | Table], gutter: float
) -> bool:
    """Whether a band's two sides are columns, not one row of names or of a form."""
    if min(len(left), len(right)) >= LEAST_LINES:
        return True
    start = min(_edges(thing)[0] for thing in things)
    end = max(_edges(thing)[2] for thing in things)
    return all(
        median(_edges(t)[2] - _edges(t)[0] for t in side) >= 0.5 * width
        for side, width in ((left, gutter - start), (right, end - gutter))
    )


def _side(thing: Line | Table, gutter: float) -> int:
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


def _bands(
    things: list[Line | Table], gutter: float
) -> list[tuple[bool, list[Line | Table]]]:
    """Part a region, top to bottom, into what runs across the gutter and what stands beside it."""
    across = sorted((t for t in things if _side(t, gutter) == 0), key=lambda t: _edges(t)[1])
    beside = sorted((t for t in things if _side(t, gutter) != 0), key=lambda t: _edges(t)[1])
    bands: list[tuple[bool, list[Line | Table]]] = []
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


def _put_beside(
    bands: list[tuple[bool, list[Line | Table]]], band: list[Line | Table]
) -> None:
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


def _shares_row(thing: Line | Table, line: Line) -> bool:
    if isinstance(thing, Table):
        return False
    return on_line(thing.base, thing.size, line.base, line.size)


def _gutter(things: list[Line | Table]) -> float | None:
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


def _support(things: list[Line | Table], gutter: float, width: float) -> float:
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
    fill = median(line.width for line in lines) / max(extent, 1.0)
    return extent >= LEAST_WIDTH * width and fill >= LEAST_FILL


def _overlap(left: list[Line], right: list[Line]) -> bool:
    """Whether two columns stand beside each other rather than one above the other."""
    tops, bottoms = zip(
        *((side[0].top, max(line.bottom for line in side)) for side in (left, right)), strict=True
    )
    return min(bottoms) - max(tops) > 0.3 * (min(b - t for t, b in zip(tops, bottoms, strict=True)))


def _read_flow(flow: _Flow) -> list[Item]:
    """Put the segments of one column into lines, tables and paragraphs."""
    items: list[Item] = []
    run: list[list[Line]] = []
    tables = sorted((t for t in flow.items if isinstance(t, Table)), key=lambda t: t.edges[1])
    segments = [thing for thing in flow.items if isinstance(thing, Line)]
    for row in _rows(segments):
        while tables and tables[0].edges[1] < row[0].top:
            items += _read_rows(run)
            run = []
            items.append(tables.pop(0))
        run.append(row)
    items += _read_rows(run)
    return items + tables


def _rows(segments: list[Line]) -> list[list[Line]]:
    """Gather segments of one height into rows, top to bottom."""
    rows: list[list[Line]] = []
    for segment in sorted(segments, key=attrgetter("base")):
        last = max(rows[-1], key=attrgetter("size")) if rows else None
        if last and on_line(last.base, last.size, segment.base, segment.size):
            rows[-1].append(segment)
        else:
            rows.append([segment])
    return [sorted(row, key=attrgetter("left")) for row in rows]


def _read_rows(rows: list[list[Line]]) -> list[Item]:
    items: list[Item] = []
    for parted, group in groupby(rows, key=_is_parted):
        run = list(group)
        table = aligned_table(run) if parted else None
        if table:
            items.append(table)
        elif items and isinstance(items[-1], Paragraph):
            items[-1].lines += [_joined(row) for row in run]
        else:
            items.append(Paragraph([_joined(row) for row in run]))
    lines = [line for item in items if isinstance(item, Paragraph) for line in item.lines]
    if not lines:
        return items
    left, right = min(line.left for line in lines), max(line.right for line in lines)
    return [
        part
        for item in items
        for part in (_paragraphs(item.lines, left, right) if isinstance(item, Paragraph) else [item])
    ]


def _is_parted(row: list[Line]) -> bool:
    return len(row) > 1 and not LEADERS.search(" ".join(line.text for line in row))


def _joined(row: list[Line]) -> Line:
    return row[0] if len(row) == 1 else Line([word for line in row for word in line.words])


def paragraphs_of(lines: list[Line]) -> list[Paragraph]:
    """Cut the lines of a column, top to bottom, where a paragraph ends."""
    left, right = min(line.left for line in lines), max(line.right for line in lines)
    return _paragraphs(lines, left, right)


def _paragraphs(lines: list[Line], left: float, right: float) -> list[Paragraph]:
    pitches = [b.base - a.base for a, b in pairwise(lines)]
    usual = median(pitches) if pitches else 0.0
    paragraphs: list[Paragraph] = []
    current: list[Line] = []
    for at, line in enumerate(lines):
        after = lines[at + 1] if at + 1 < len(lines) else None
        if current and _breaks(current, line, after, (left, right, usual)):
            paragraphs.append(_paragraph(current, right))
            current = []
        current.append(line)
    if current:
        paragraphs.append(_paragraph(current, right))
    return paragraphs


def _paragraph(lines: list[Line], right: float) -> Paragraph:
    return Paragraph(lines, full=right - lines[-1].right < 2 * lines[-1].size)


def _breaks(
    current: list[Line],
    line: Line,
    after: Line | None,
    column: tuple[float, float, float],
) -> bool:
    """Whether a new paragraph begins with ``line``."""
    left, right, usual = column
    last = current[-1]
    before, first = last.words[-1].size, line.words[0].size
    if _unlike(line.size, last.size) and _unlike(before, first):
        return True
    if line.bold and last.bold and max(line.size, last.size) > 1.06 * min(line.size, last.size):
        return True
    if LEADERS.search(last.text) or _BULLET.match(line.text) or _is_note(line):
        return True
    short = right - last.right > line.words[0].right - line.words[0].left + line.size
    if _gap(current, line, after, usual) or (line.bold != last.bold and short):
        return True
    ended = bool(_ENDS.search(last.text))
    if MARKER.match(line.text) and (ended or short or MARKER.match(current[0].text)):
        return True
    begins = not line.text[:1].islower()
    far = right - last.right > 0.1 * (right - left)
    if short and begins and (ended or far) and not _centred(last, line):
        return True
    return begins and _indents(current, line, after)


def _unlike(one: float, two: float) -> bool:
    return max(one, two) > 1.15 * min(one, two)


def _is_note(line: Line) -> bool:
    """Whether a line begins with a raised number or sign, as footnotes do."""
    first = line.words[0]
    raised = first.size < 0.85 * line.size or first.base < line.base - 0.15 * line.size
    return raised and len(line.words) > 1 and bool(_NOTE_SIGN.match(first.text))


def _gap(current: list[Line], line: Line, after: Line | None, usual: float) -> bool:
    """Whether the space above a line is more than that between lines of one paragraph."""
    last = current[-1]
    pitch = line.base - last.base
    if pitch < 0 or pitch > 2.6 * max(line.size, last.size):
        return True
    if len(current) > 1:
        known = last.base - current[-2].base
    elif after is not None and after.base > line.base:
        known = after.base - line.base
    else:
        known = usual
    return pitch > 1.25 * known and pitch > 1.15 * line.size


def _centred(one: Line, two: Line) -> bool:
    middle = abs((one.left + one.right) - (two.left + two.right)) / 2
    return middle < 4 and abs(one.left - two.left) > 4  # noqa: PLR2004 -- points


def _indents(current: list[Line], line: Line, after: Line | None) -> bool:
    """Whether a line begins a paragraph by its indent, or ends a hanging one by its lack of it."""
    last = current[-1]
    step = 0.8 * line.size
    shift = line.left - last.left
    if _centred(last, line):
        return False
    if shift > step:
        if len(current) > 1:
            return True
        # The second line of a hanging paragraph is followed by lines as far in.
        hanging = after is not None and abs(after.left - line.left) < step
        return not (hanging or MARKER.match(last.text) or not _ENDS.search(last.text))
    return shift < -step and len(current) > 1 and abs(current[-2].left - last.left) < step

"""Puts the words of a page into reading order: columns, lines, paragraphs and tables."""

from __future__ import annotations

import re
from itertools import groupby, pairwise
from operator import attrgetter
from statistics import median
from typing import TYPE_CHECKING

from ingest.readers.pdf.columns import flows_of
from ingest.readers.pdf.shapes import Item, Line, Paragraph, Rule, Sheet, Table, Word, on_line
from ingest.readers.pdf.tables import aligned_table, ruled_tables, segments_of

if TYPE_CHECKING:
    from collections.abc import Sequence

LEADERS = re.compile(r"(?:\.\s?){4,}|(?:…\s*){2,}|_{4,}|…\s*\d+$")
MARKER = re.compile(
    r"^(?:[•▪◦●○■□▫‣⁃➢➤✓]|[–—-](?=\s)|o(?=\s)|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)°](?=\s))"
)
BULLET = re.compile(r"^[•▪◦●○■□▫‣⁃➢➤✓]")
_NOTE_SIGN = re.compile(r"^(?:\d{1,3}|[*∗†‡§¶]{1,3})$")
_ENDS = re.compile(r"[.!?:;…][)\]»”\"’']*$")


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
    for number, flow in enumerate(flows_of(things)):
        for item in _read_flow(flow):
            item.flow = first_flow + number
            items.append(item)
    return items


def _read_flow(things: list[Line | Table]) -> list[Item]:
    """Put the segments of one column into lines, tables and paragraphs."""
    items: list[Item] = []
    run: list[list[Line]] = []
    tables = sorted((t for t in things if isinstance(t, Table)), key=lambda t: t.edges[1])
    segments = [thing for thing in things if isinstance(thing, Line)]
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
        for part in (
            _paragraphs(item.lines, left, right) if isinstance(item, Paragraph) else [item]
        )
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
    short = right - last.right > line.words[0].right - line.words[0].left + line.size
    if (
        LEADERS.search(last.text)
        or BULLET.match(line.text)
        or _is_note(line)
        or _gap(current, line, after, usual)
        or (line.bold != last.bold and short)
    ):
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
    # A line that begins in lower case after an unfinished one may stand further down.
    wide = 1.6 if line.text[:1].islower() and not _ENDS.search(last.text) else 1.25
    return pitch > wide * known and pitch > 1.15 * line.size


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

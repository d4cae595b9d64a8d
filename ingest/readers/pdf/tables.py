"""Finds tables: by their grid of rules, by rules above and below, or by columns that line up."""

from __future__ import annotations

from itertools import groupby, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING

from ingest.readers.pdf.shapes import Line, Rule, Table, Word, lines_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NEAR = 3.0
"""Points within which two rules meet or lie on one line."""
GAP = 0.9
"""A gap wider than this many times the type size parts two segments of a row.

Words of a justified line may stand as far apart; that does no harm, since segments that neither
a column nor a table claims are put together again.
"""

_MAX_RULES = 3_000
_LEAST_ROWS = 3

Cells = list[list[Line]]


def segments_of(words: Iterable[Word]) -> list[list[Line]]:
    """Return the rows of a page, each cut where a gap may part columns."""
    return [_cut(row) for row in rows_of(words)]


def _cut(row: list[Word]) -> list[Line]:
    segments, start = [], 0
    reach = row[0].right
    for at in range(1, len(row)):
        word = row[at]
        if word.left - reach > GAP * max(word.size, row[at - 1].size, 1.0):
            segments.append(Line(row[start:at]))
            start = at
        reach = max(reach, word.right)
    segments.append(Line(row[start:]))
    return segments


def ruled_tables(words: list[Word], rules: Sequence[Rule]) -> tuple[list[Table], list[Word]]:
    """Take the tables drawn with rules out of a page; returns them and the words left over."""
    across = _merged([rule for rule in rules[:_MAX_RULES] if rule.across], across=True)
    down = _merged([rule for rule in rules[:_MAX_RULES] if not rule.across], across=False)
    tables = []
    used: set[int] = set()
    for lines, posts in _meeting(across, down):
        used.update(map(id, lines))
        table, words = _grid(words, lines, posts)
        if table:
            tables.append(table)
    free = [rule for rule in across if id(rule) not in used]
    for band in _stacks(free):
        found, words = _between_rules(words, band)
        tables += found
    return tables, words


def _merged(rules: list[Rule], *, across: bool) -> list[Rule]:
    """Join the pieces that a word processor draws cell by cell."""
    place, begin, end = ("top", "left", "right") if across else ("left", "top", "bottom")
    merged: list[Rule] = []
    clusters: list[list[Rule]] = []
    for rule in sorted(rules, key=attrgetter(place)):
        if clusters and getattr(rule, place) - getattr(clusters[-1][0], place) <= NEAR / 2:
            clusters[-1].append(rule)
        else:
            clusters.append([rule])
    for cluster in clusters:
        cluster.sort(key=attrgetter(begin))
        last = None
        for rule in cluster:
            if last is not None and getattr(rule, begin) - getattr(last, end) <= NEAR:
                setattr(last, end, max(getattr(last, end), getattr(rule, end)))
            else:
                last = Rule(rule.left, rule.top, rule.right, rule.bottom)
                merged.append(last)
    return merged


def _meeting(across: list[Rule], down: list[Rule]) -> list[tuple[list[Rule], list[Rule]]]:
    """Group rules that cross or touch each other."""
    groups: list[tuple[list[Rule], list[Rule]]] = []
    for post in down:
        met = [
            rule
            for rule in across
            if rule.left - NEAR <= post.left <= rule.right + NEAR
            and post.top - NEAR <= rule.top <= post.bottom + NEAR
        ]
        if not met:
            continue
        ids = set(map(id, met))
        joined = [group for group in groups if ids & set(map(id, group[0]))]
        lines = {id(rule): rule for group in joined for rule in group[0]}
        lines |= {id(rule): rule for rule in met}
        posts = [rule for group in joined for rule in group[1]]
        groups = [group for group in groups if group not in joined]
        groups.append((list(lines.values()), [*posts, post]))
    return groups


def _levels(values: Iterable[float]) -> list[float]:
    levels: list[float] = []
    for value in sorted(values):
        if not levels or value - levels[-1] > NEAR:
            levels.append(value)
    return levels


def _grid(
    words: list[Word], across: list[Rule], down: list[Rule]
) -> tuple[Table | None, list[Word]]:
    """Read a grid of at least two columns and two rows; a frame of one cell is no table."""
    xs, ys = _levels(rule.left for rule in down), _levels(rule.top for rule in across)
    if len(xs) < 3 or len(ys) < 3:  # noqa: PLR2004 -- two cells need three rules
        return None, words
    inside: list[Word] = []
    outside: list[Word] = []
    for word in words:
        x, y = (word.left + word.right) / 2, (word.top + word.bottom) / 2
        held = xs[0] - NEAR <= x <= xs[-1] + NEAR and ys[0] - NEAR <= y <= ys[-1] + NEAR
        (inside if held else outside).append(word)
    placed: dict[tuple[int, int], list[Word]] = {}
    for word in inside:
        place = _cell(word, xs, ys, across, down)
        placed.setdefault(place, []).append(word)
    rows: list[Cells] = []
    for row in range(len(ys) - 1):
        columns = [col for col in range(len(xs) - 1) if _opens(row, col, xs, ys, down)]
        cells = [lines_of(placed.get((row, col), ())) for col in columns]
        if any(cells):
            rows.append(cells)
    filled = max((sum(map(bool, cells)) for cells in rows), default=0)
    if len(rows) < 2 or filled < 2:  # noqa: PLR2004 -- a picture's frame, or boxed prose
        return None, words
    rows = [part for cells in rows for part in _unruled_rows(cells)]
    edges = (xs[0], ys[0], xs[-1], ys[-1])
    return Table(rows, edges, heads=_heads(rows)), outside


def _opens(row: int, col: int, xs: list[float], ys: list[float], down: list[Rule]) -> bool:
    """Whether a post stands at the left of this column in this row."""
    if col == 0:
        return True
    y = (ys[row] + ys[row + 1]) / 2
    return any(
        abs(post.left - xs[col]) <= NEAR and post.top - NEAR <= y <= post.bottom + NEAR
        for post in down
    )


def _cell(
    word: Word, xs: list[float], ys: list[float], across: list[Rule], down: list[Rule]
) -> tuple[int, int]:
    """Return the row and column of a word, those of the first where cells are merged."""
    x, y = (word.left + word.right) / 2, (word.top + word.bottom) / 2
    col = max(0, sum(x >= level for level in xs[1:-1]))
    row = max(0, sum(y >= level for level in ys[1:-1]))
    while row > 0 and not any(
        abs(rule.top - ys[row]) <= NEAR and rule.left - NEAR <= x <= rule.right + NEAR
        for rule in across
    ):
        row -= 1
    while col > 0 and not _opens(row, col, xs, ys, down):
        col -= 1
    return row, col


def _unruled_rows(cells: Cells) -> list[Cells]:
    """Cut a tall ruled row whose cells line up line by line into the rows it shows."""
    counts = {len(cell) for cell in cells if cell}
    if len(counts) != 1 or (count := counts.pop()) < _LEAST_ROWS or sum(map(bool, cells)) < 2:  # noqa: PLR2004
        return [cells]
    lined = all(
        abs(cell[at].bottom - cells[0][at].bottom) <= NEAR
        for cell in cells
        for at in range(count)
        if cell and cells[0]
    )
    if not lined or not all(any(c.isdigit() for c in row.text) for row in cells[-1]):
        return [cells]
    return [[cell[at : at + 1] for cell in cells] for at in range(count)]


def _stacks(across: list[Rule]) -> list[list[Rule]]:
    """Return runs of three or more rules of the same width, one above the other."""
    groups: list[list[Rule]] = []
    for rule in sorted(across, key=attrgetter("top")):
        for group in groups:
            first = group[0]
            if abs(rule.left - first.left) <= NEAR and abs(rule.right - first.right) <= NEAR:
                group.append(rule)
                break
        else:
            groups.append([rule])
    return [group for group in groups if len(group) >= 3]  # noqa: PLR2004 -- top, head, bottom


def _between_rules(words: list[Word], band: list[Rule]) -> tuple[list[Table], list[Word]]:
    """Read tables that have rules across only, as typesetters draw them.

    Rules of one width may belong to several tables: prose between two of them parts these.
    """
    strips: list[tuple[Rule, Rule, list[Word], list[Cells]]] = []
    for upper, lower in pairwise(band):
        left, right = band[0].left - NEAR, band[0].right + NEAR
        held = [
            word
            for word in words
            if left <= (word.left + word.right) / 2 <= right
            and upper.top <= (word.top + word.bottom) / 2 <= lower.top
        ]
        strips.append((upper, lower, held, columned(segments_of(held))))
    tables: list[Table] = []
    taken: set[int] = set()
    for tabular, group in groupby(strips, lambda strip: _is_tabular(strip[3])):
        run = list(group)
        rows = [cells for *_, parts in run for cells in parts]
        if not tabular or len(rows) < _LEAST_ROWS:
            continue
        heads = next((len(parts) for *_, parts in run if parts), 0)
        edges = (band[0].left, run[0][0].top, band[0].right, run[-1][1].top)
        tables.append(Table(rows, edges, heads=heads if heads < len(rows) else 0))
        taken.update(id(word) for _, _, held, _ in run for word in held)
    return tables, [word for word in words if id(word) not in taken]


def _is_tabular(rows: list[Cells]) -> bool:
    """Whether most rows of a strip between two rules have more than one cell; an empty one does."""
    return not rows or sum(sum(map(bool, cells)) > 1 for cells in rows) >= 0.6 * len(rows)


def columned(rows: list[list[Line]]) -> list[Cells]:
    """Put the segments of rows into the columns they share.

    A row whose first cell is one line beside a paragraph is one row: its lines are not separate.
    """
    columns = _columns(rows)
    if len(columns) < 2:  # noqa: PLR2004 -- nothing to part
        return [[row] for row in rows]
    cells: list[Cells] = []
    for row in rows:
        line: Cells = [[] for _ in columns]
        for segment in row:
            middle = (segment.left + segment.right) / 2
            at = next((i for i, (_, end) in enumerate(columns) if middle <= end), len(columns) - 1)
            line[at].append(segment)
        cells.append(line)
    if len(rows) > 1 and sum(bool(line[0]) for line in cells) == 1 and sum(map(bool, cells[0])) < 3:  # noqa: PLR2004
        return [[[part for line in cells for part in line[at]] for at in range(len(columns))]]
    return cells


def _columns(rows: list[list[Line]]) -> list[tuple[float, float]]:
    """Return the stretches across that segments cover, a heading over several left aside."""
    most = max((len(row) for row in rows), default=0)
    spans = sorted(
        (segment.left, segment.right) for row in rows if len(row) * 2 > most for segment in row
    )
    columns: list[tuple[float, float]] = []
    for left, right in spans:
        if columns and left <= columns[-1][1] + 1.0:
            columns[-1] = (columns[-1][0], max(columns[-1][1], right))
        else:
            columns.append((left, right))
    return columns


def aligned_table(rows: list[list[Line]]) -> Table | None:
    """Take rows for a table without rules, if their segments stand in columns of short cells.

    Figures or very short cells are asked for in all columns but the first: three lines of a
    justified paragraph may share a gap by chance, and letters' address blocks do.
    """
    if len(rows) < _LEAST_ROWS:
        return None
    columns = _columns(rows)
    if len(columns) < 2:  # noqa: PLR2004 -- no column
        return None
    cells = columned(rows)
    others = [cell for line in cells for cell in line[1:] if cell]
    figures = sum(any(char.isdigit() for char in cell[0].text) for cell in others)
    short = all(len(part.text) <= 24 for cell in others for part in cell)  # noqa: PLR2004
    enough = len(others) >= len(rows) * (len(columns) - 1) * 0.5
    if not enough or not short or figures < 0.4 * len(others):
        return None
    segments = [segment for row in rows for segment in row]
    edges = (
        min(segment.left for segment in segments),
        segments[0].top,
        max(segment.right for segment in segments),
        segments[-1].bottom,
    )
    return Table(cells, edges, heads=_heads(cells))


def _heads(rows: list[Cells]) -> int:
    """Return 1 if the first row is a header: bold, or words above columns of figures."""
    first, rest = rows[0], rows[1:]
    if sum(map(bool, first)) < 2 or not rest:  # noqa: PLR2004 -- a title over the table
        return 0
    head_lines = [line for cell in first for line in cell]
    if all(line.bold for line in head_lines):
        return 1
    figures = [any(char.isdigit() for line in cell for char in line.text) for cell in first[1:]]
    below = [
        any(char.isdigit() for line in cell for char in line.text)
        for row in rest
        for cell in row[1:]
    ]
    return int(not any(figures) and sum(below) > len(below) / 2)

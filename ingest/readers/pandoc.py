"""Turns what pandoc and slide exports add to Markdown into plain Markdown."""

from __future__ import annotations

import re

_NOTE = re.compile(r"\[\^([^\]\s]+)\]:[ \t]*(.*)")
_REFERENCE = re.compile(r"\s?\[\^[^\]\s]+\]")
_ATTRIBUTES = re.compile(r"[ \t]*\{(?:[#.][\w:.#=\" -]*|-)\}")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_CITED = re.compile(r"\[([^\[\]]*-?@[\w][^\[\]]*)\]")
_KEY = re.compile(r"(?<![\w.])-?@\{?([A-Za-z0-9_][\w:.#$%&+?<>~/-]*\w)\}?")
_GRID_RULE = re.compile(r"\+(?:[-=:]+\+)+\s*$")
_DASHES = re.compile(r"\s*-{3,}(?:\s+-{3,})*\s*$")
_TAB_INSIDE = re.compile(r"\S.*\t|\t.*\S")
_LOWERED = re.compile(r"(?<!~)~([^~\n]{1,30}?)~(?!~)")  # "H~1a~" prints a low "1a"
_TAGS = re.compile(r"</?[A-Za-z][^>]*>")


def prepared(text: str) -> tuple[str, list[str]]:
    """Return Markdown that CommonMark with pipe tables understands, and the notes taken out."""
    lines, notes = _without_notes(_COMMENT.sub("", text).split("\n"))
    lines = _tabbed_as_pipes(_columns_as_pipes(_grids_as_pipes(lines)))
    return "\n".join(_ATTRIBUTES.sub("", line) for line in lines), notes


def references_rendered(text: str) -> str:
    """Write pandoc's citations as text: "[@Ross:2015, 3]" becomes "(Ross 2015, 3)"."""
    text = _LOWERED.sub(r"\1", text.replace("\\ ", " "))
    if "@" not in text:
        return text
    text = _CITED.sub(lambda found: f"({_keys(found[1])})", text)
    return _keys(text)


def note_references_removed(text: str) -> str:
    """Take the markers of notes out, each with the space before it."""
    return _REFERENCE.sub("", text)


def _keys(text: str) -> str:
    return _KEY.sub(lambda found: found[1].replace(":", " "), text)


def _without_notes(lines: list[str]) -> tuple[list[str], list[str]]:
    """Take the definitions of notes out, with the indented lines that continue them."""
    kept: list[str] = []
    notes: list[str] = []
    inside = False
    for line in lines:
        if found := _NOTE.match(line):
            notes.append(found[2])
            inside = True
        elif inside and line.startswith(("    ", "\t")):
            notes[-1] += "\n" + line.strip()
        else:
            inside = inside and not line.strip()
            kept.append(line)
    return kept, notes


def _grids_as_pipes(lines: list[str]) -> list[str]:
    """Turn grid tables ("+---+---+") into pipe tables."""
    kept: list[str] = []
    grid: list[str] = []
    for line in [*lines, ""]:
        stripped = line.strip()
        if grid and stripped.startswith(("|", "+")):
            grid.append(stripped)
        elif grid:
            kept += [*_pipes(_grid_rows(grid)), line]
            grid = []
        elif _GRID_RULE.match(stripped):
            grid = [stripped]
        else:
            kept.append(line)
    return kept[:-1]


def _grid_rows(grid: list[str]) -> list[list[str]]:
    rows: list[list[str]] = []
    fresh = True
    for line in grid:
        if line.startswith("+"):
            fresh = True
            continue
        cells = [cell.strip().rstrip("\\").strip() for cell in line.strip("|").split("|")]
        if fresh:
            rows.append(cells)
        else:
            both = zip(rows[-1], cells, strict=False)
            rows[-1] = [f"{above} {below}".strip() for above, below in both]
        fresh = False
    return [row for row in rows if any(row)]


def _columns_as_pipes(lines: list[str]) -> list[str]:
    """Turn tables whose columns stand under dashes (pandoc's simple tables) into pipe tables."""
    kept: list[str] = []
    place = 0
    while place < len(lines):
        dashes = _DASHES.match(lines[place]) and len(lines[place].split()) > 1
        headed = bool(kept and kept[-1].strip() and not kept[-1].startswith(("#", "|")))
        if not (dashes and headed):
            kept.append(lines[place])
            place += 1
            continue
        columns = [(found.start(), found.end()) for found in re.finditer(r"-+", lines[place])]
        rows = [_cut(kept.pop(), columns)]
        place += 1
        while place < len(lines) and lines[place].strip() and not _DASHES.match(lines[place]):
            rows.append(_cut(lines[place], columns))
            place += 1
        if kept and _DASHES.match(kept[-1]):
            kept.pop()
        if place < len(lines) and _DASHES.match(lines[place]):
            place += 1
        kept += ["", *_pipes(rows), ""]
    return kept


def _cut(line: str, columns: list[tuple[int, int]]) -> list[str]:
    """Return the cells of a line; a cell may reach into the gap before the next column."""
    ends = [*(start for start, _ in columns[1:]), len(line)]
    starts = [0, *ends[:-1]]
    return [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]


def _tabbed_as_pipes(lines: list[str]) -> list[str]:
    """Turn two or more lines with tabs inside (a table pasted from a slide) into a pipe table."""
    kept: list[str] = []
    run: list[str] = []
    for line in [*lines, ""]:
        if _TAB_INSIDE.search(line):
            run.append(line)
            continue
        if len(run) > 1:
            rows = [[_TAGS.sub(" ", cell).strip() for cell in each.split("\t")] for each in run]
            kept += ["", *_pipes(rows), ""]
        else:
            kept += [each.replace("\t", " ") for each in run]
        run = []
        kept.append(line)
    return kept[:-1]


def _pipes(rows: list[list[str]]) -> list[str]:
    if not rows:
        return []
    width = max(len(row) for row in rows)
    written = []
    for row in rows:
        cells = [cell.replace("|", "\\|") for cell in row] + [""] * (width - len(row))
        written.append(f"| {' | '.join(cells)} |")
    return [written[0], "|" + "---|" * width, *written[1:]]

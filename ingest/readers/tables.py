"""Reads tables (CSV and XLSX): each row becomes lines of "Header: value"."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import date, datetime, time
from itertools import chain, islice
from typing import TYPE_CHECKING

import openpyxl

from ingest.readers.archives import open_office_file
from ingest.readers.blocks import Sections
from ingest.readers.encoding import MEBIBYTE, decode, load, squash
from ingest.readers.sniff import format_of
from kb.errors import UnreadableError
from kb.model import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ingest.readers.base import Source
    from kb.model import Parsed

LARGEST_CSV = 50 * MEBIBYTE
MOST_ROWS = 100_000
MOST_COLUMNS = 500
ROWS_A_SECTION = 50

_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 50
_HEADER_WITHIN = 20  # rows, the first that are not empty: titles stand above a sheet's header
_LONGEST_CELL = MEBIBYTE
_ZIP = b"PK\x03\x04"


class TablesReader:
    """Reads CSV, TSV and XLSX."""

    name = "tables"
    preference = 80

    def accepts(self, source: Source) -> bool:
        """Tell by the archive's parts (XLSX), else by the suffix."""
        return format_of(source) == self.name

    def read(self, source: Source) -> Parsed:
        """Read every row, fifty a section; empty cells and rows are left out."""
        sections = Sections()
        if source.head.startswith(_ZIP):
            for sheet, rows in _sheets(source):
                _add_table(rows, sheet, sections, source)
        else:
            _add_table(_csv_rows(source), None, sections, source)
        return sections.parsed(source)


def _add_table(
    rows: Iterable[list[str]], sheet: str | None, sections: Sections, source: Source
) -> None:
    filled = _limited((row for row in rows if any(row)), source)
    first = list(islice(filled, _HEADER_WITHIN))
    if not first:
        return
    place = _header_place(first)
    path = (sheet,) if sheet else ()
    prefix = f"{sheet}, " if sheet else ""
    body = chain(first[place + 1 :], filled)
    names = _names(first[place])
    number = 0
    for number, row in enumerate(body, start=1):
        if number % ROWS_A_SECTION == 1:
            sections.begin(f"{prefix}rows {number}–{number + ROWS_A_SECTION - 1}")
            if number == 1:
                _add_titles(first[:place], path, sections)
        sections.add(_lines(names, row), Role.TABLE, path)
        if number % ROWS_A_SECTION:
            start = number - number % ROWS_A_SECTION + 1
            sections.relabel(
                f"{prefix}rows {start}–{number}" if start < number else f"{prefix}row {start}"
            )
        else:
            sections.relabel(f"{prefix}rows {number - ROWS_A_SECTION + 1}–{number}")
    if not number:  # a header and nothing under it
        sections.begin(f"{prefix}row 1")
        _add_titles(first, path, sections)


def _add_titles(rows: list[list[str]], path: tuple[str, ...], sections: Sections) -> None:
    for row in rows:
        sections.add(" | ".join(squash(cell) for cell in row if cell), Role.BODY, path)


def _limited(rows: Iterator[list[str]], source: Source) -> Iterator[list[str]]:
    for number, row in enumerate(rows):
        if number > MOST_ROWS:
            message = f"{source.name} has more than {MOST_ROWS:,} rows, the limit."
            raise UnreadableError(f"{message} Split it into smaller files.")
        if len(row) > MOST_COLUMNS:
            message = f"{source.name} has {len(row):,} columns; the limit is {MOST_COLUMNS}."
            raise UnreadableError(f"{message} Remove those that are not needed.")
        yield row


def _header_place(rows: list[list[str]]) -> int:
    """Return which row names the columns: the first that fills half of the widest row's cells."""
    widths = [sum(1 for cell in row if cell) for row in rows]
    return next(place for place, width in enumerate(widths) if 2 * width >= max(widths))


def _names(header: list[str]) -> list[str]:
    """Return a name for each column, "Column 3" for one without and "Name (2)" for a double."""
    seen: Counter[str] = Counter()
    names = []
    for number, cell in enumerate(header, start=1):
        name = squash(cell).rstrip(":").rstrip() or f"Column {number}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def _lines(names: list[str], row: list[str]) -> str:
    lines = []
    for place, cell in enumerate(row):
        if value := squash(cell):
            name = names[place] if place < len(names) else f"Column {place + 1}"
            lines.append(f"{name}: {value}")
    return "\n".join(lines)


def _csv_rows(source: Source) -> Iterator[list[str]]:
    text = decode(load(source, LARGEST_CSV))
    csv.field_size_limit(_LONGEST_CELL)
    try:
        yield from _stripped(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text)))
    except csv.Error as error:
        message = f"{source.name} is no readable CSV ({error})."
        raise UnreadableError(f"{message} Check its quotes, or save it as XLSX.") from error


def _stripped(rows: Iterable[list[str]]) -> Iterator[list[str]]:
    for row in rows:
        cells = [cell.strip() for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        yield cells


def _delimiter(text: str) -> str:
    """Return the delimiter under which most rows have the same number of cells, two or more.

    ``csv.Sniffer`` was tried first: it took a space or a letter for the delimiter of files whose
    cells hold sentences.
    """
    sample = text[: 64 * 1024]
    best, most = ",", 0
    for delimiter in _DELIMITERS:
        try:
            reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
            widths = Counter(len(row) for row in islice(reader, _SAMPLE_ROWS) if row)
        except csv.Error:
            continue
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
        if width > 1 and count * min(width, 4) > most:
            best, most = delimiter, count * min(width, 4)
    return best


def _sheets(source: Source) -> Iterator[tuple[str, Iterator[list[str]]]]:
    try:
        book = openpyxl.load_workbook(open_office_file(source), read_only=True, data_only=True)
    except UnreadableError:
        raise
    except Exception as error:  # openpyxl raises whatever its XML and zip layers raise
        message = f"{source.name} is no readable XLSX file ({type(error).__name__}: {error})."
        raise UnreadableError(f"{message} Open it, save it anew and try again.") from error
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # the size a sheet declares can be wrong
        yield sheet.title, _sheet_rows(sheet.iter_rows(values_only=True), source)
    book.close()


def _sheet_rows(rows: Iterable[tuple[object, ...]], source: Source) -> Iterator[list[str]]:
    try:
        yield from _stripped([_value(cell) for cell in row] for row in rows)
    except (ValueError, KeyError, IndexError, SyntaxError, OSError) as error:
        message = f"{source.name} has a damaged sheet ({error})."
        raise UnreadableError(f"{message} Open it, save it anew and try again.") from error


def _value(cell: object) -> str:
    """Return a cell's value as a reader would write it; dates in ISO 8601."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        midnight = cell.time() == time.min
        return cell.date().isoformat() if midnight else cell.isoformat(sep=" ", timespec="minutes")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)

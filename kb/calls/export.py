"""Calls found, as a table for spreadsheets (CSV, XLSX) or as lines of JSON.

A hit is the JSON object by which the API gives a call; what it lacks leaves its cell empty.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from openpyxl import Workbook
from openpyxl.packaging.core import DocumentProperties
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.xml.constants import ARC_CORE
from openpyxl.xml.functions import tostring

from kb.calls.dates import BRUSSELS
from kb.calls.news import BETWEEN, moment, plain, web_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from openpyxl.cell.cell import Cell as SheetCell
    from openpyxl.worksheet.worksheet import Worksheet

    from kb.calls.status import Words

Hit = Mapping[str, Any]
Cell = str | int | float | datetime | None

SHEET_NAME: Words = {"fr": "Appels à projets", "en": "Calls for proposals"}
# What spreadsheets take for the beginning of a formula, the wide forms of Asian keyboards too:
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_LONGEST_CELL = 32_767  # characters, Excel's own limit
_LONGEST_ADDRESS = 2_079  # characters of a link, likewise
_ZIP_EPOCH = datetime(1980, 1, 1, tzinfo=UTC)  # the first day that a ZIP can hold


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its key, its headers by language, its width in characters, and how it is read."""

    key: str
    names: Words
    width: int
    read: Callable[[Hit, str], Cell]


def rows(hits: Iterable[Hit], language: str) -> list[list[Cell]]:
    """Return the table of calls, its header first.

    Args:
        hits: The calls found.
        language: ``fr`` or ``en``, of the headers and of reasons given in both.

    Returns:
        Rows of equal length. Moments are aware and in Brussels time.
    """
    header: list[Cell] = [column.names[language] for column in COLUMNS]
    return [header, *([column.read(hit, language) for column in COLUMNS] for hit in hits)]


def to_csv(hits: Iterable[Hit], language: str = "fr") -> bytes:
    """Write the table by RFC 4180, in UTF-8 with the mark by which Excel knows it.

    A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    for row in rows(hits, language):
        writer.writerow([_csv_cell(cell) for cell in row])
    return written.getvalue().encode("utf-8-sig")


def _csv_cell(cell: Cell) -> str | int | float | None:
    if isinstance(cell, datetime):
        return moment(cell)
    return harmless(cell) if isinstance(cell, str) else cell


def harmless(text: str) -> str:
    """A text for a cell of CSV, with an apostrophe where a spreadsheet would see a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def to_jsonl(hits: Iterable[Hit]) -> bytes:
    """Write each hit as a line of JSON, whole, in UTF-8."""
    lines = (json.dumps(hit, ensure_ascii=False, allow_nan=False) for hit in hits)
    # JSON allows these inside a line; what splits lines by Unicode's rules takes them for ends.
    safe = (line.translate(_LINE_ENDS) for line in lines)
    # Half a surrogate pair, which UTF-8 can't hold, becomes the escape that JSON has for it.
    return "".join(f"{line}\n" for line in safe).encode("utf-8", "backslashreplace")


_LINE_ENDS = {ord(sign): f"\\u{ord(sign):04x}" for sign in "\x85\u2028\u2029"}


def to_xlsx(hits: Iterable[Hit], language: str = "fr") -> bytes:
    """Write the table as a workbook: moments are dates (Brussels time), money is numbers.

    The same hits give the same bytes: the workbook is dated by the last check of a source.
    """
    table = rows(hits, language)
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = SHEET_NAME[language]
    for number, row in enumerate(table, start=1):
        for place, value in enumerate(row, start=1):
            cell = cast("SheetCell", sheet.cell(number, place))  # no cells are merged here
            _fill(cell, value, COLUMNS[place - 1].key, header=number == 1)
    _lay_out(sheet, len(table))
    data = io.BytesIO()
    book.save(data)
    checked = [row[_CHECKED] for row in table[1:]]
    known = [when.astimezone(UTC) for when in checked if isinstance(when, datetime)]
    return _dated(data.getvalue(), max(known, default=_ZIP_EPOCH), SHEET_NAME[language])


def _fill(cell: SheetCell, value: Cell, key: str, *, header: bool) -> None:
    if isinstance(value, datetime):
        cell.value = value.replace(tzinfo=None)
        cell.number_format = "yyyy-mm-dd hh:mm"
    elif isinstance(value, str):
        # Cut before openpyxl sees it, and said to be text: it would take "=…" for a formula.
        cell.value = value[:_LONGEST_CELL]
        cell.data_type = "s"
        cell.quotePrefix = value.startswith(_FORMULA)
        address = web_address(value) if key == "url" and not header else None
        if address and len(address) <= _LONGEST_ADDRESS:
            cell.hyperlink = address
            cell.style = "Hyperlink"
    else:
        cell.value = value
        if key in _MONEY:
            cell.number_format = "#,##0"
    if header:
        cell.font = Font(bold=True)
        cell.alignment = Alignment(wrap_text=True, vertical="top")


def _lay_out(sheet: Worksheet, height: int) -> None:
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(COLUMNS))}{height}"
    for place, column in enumerate(COLUMNS, start=1):
        sheet.column_dimensions[get_column_letter(place)].width = column.width


def _dated(workbook: bytes, made: datetime, title: str) -> bytes:
    """Return a workbook with another time than that of its writing, which openpyxl puts in it."""
    properties = DocumentProperties(creator="Opération Milliard", title=title)
    properties.created = properties.modified = made.replace(tzinfo=None)
    data = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as old, zipfile.ZipFile(data, "w") as new:
        for name in old.namelist():
            part = tostring(properties.to_tree()) if name == ARC_CORE else old.read(name)
            info = zipfile.ZipInfo(name, _ZIP_EPOCH.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, part)
    return data.getvalue()


def _text(value: object) -> str | None:
    """Any JSON value as the text of one cell; lists are joined."""
    if isinstance(value, list | tuple):
        return BETWEEN.join(filter(None, map(_text, value))) or None
    return None if value is None else plain(str(value)) or None


def _number(value: object) -> Cell:
    return value if isinstance(value, int | float) else _text(value)


def _parsed(value: object) -> datetime | None:
    """A moment of a hit in Brussels time; what is none is nothing."""
    try:
        when = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None
    # A moment without an offset is taken for Brussels time, as everywhere among calls.
    return when.replace(tzinfo=BRUSSELS) if when.tzinfo is None else when.astimezone(BRUSSELS)


def _listed(hit: Hit, key: str) -> Sequence[Any]:
    value = hit.get(key)
    return value if isinstance(value, list | tuple) else ()


def _each(hit: Hit, key: str, part: str) -> list[Any]:
    """The part of each object in a list of objects."""
    return [item[part] for item in _listed(hit, key) if isinstance(item, Mapping) and part in item]


def _moments(values: Iterable[object]) -> list[datetime]:
    return sorted(when for when in map(_parsed, values) if when is not None)


def _as_text(key: str) -> Callable[[Hit, str], Cell]:
    return lambda hit, _language: _text(hit.get(key))


def _as_number(key: str) -> Callable[[Hit, str], Cell]:
    return lambda hit, _language: _number(hit.get(key))


def _reason(hit: Hit, language: str) -> Cell:
    reason = hit.get("status_reason")
    return _text(reason.get(language) if isinstance(reason, Mapping) else reason)


def _next(hit: Hit, _language: str) -> Cell:
    if hit.get("next_deadline"):
        return _parsed(hit["next_deadline"])
    known = _moments(_listed(hit, "deadlines"))
    # Of several deadlines nothing but a clock tells which is next, and there is none here.
    return known[0] if len(known) == 1 and hit.get("days_left") is not None else None


def _last(hit: Hit, _language: str) -> Cell:
    return max(_moments(_listed(hit, "deadlines")), default=None)


def _deadlines(hit: Hit, _language: str) -> Cell:
    return BETWEEN.join(map(moment, _moments(_listed(hit, "deadlines")))) or None


def _quotes(hit: Hit, _language: str) -> Cell:
    quotes = (_text(quote) for quote in _each(hit, "why", "quote"))
    return " | ".join(quote for quote in quotes if quote) or None


def _checked(hit: Hit, _language: str) -> Cell:
    return max(_moments(_each(hit, "sources", "checked")), default=None)


_MONEY = {"budget", "grant_min", "grant_max"}
COLUMNS = (
    Column("identifier", {"fr": "Identifiant", "en": "Identifier"}, 30, _as_text("identifier")),
    Column("title", {"fr": "Titre", "en": "Title"}, 60, _as_text("title")),
    Column("programme", {"fr": "Programme", "en": "Programme"}, 25, _as_text("programme")),
    Column("status", {"fr": "Statut", "en": "Status"}, 14, _as_text("status")),
    Column("status_reason", {"fr": "Raison du statut", "en": "Reason of status"}, 40, _reason),
    Column(
        "portal_status",
        {"fr": "Statut à la source", "en": "Status at the source"},
        14,
        _as_text("portal_status"),
    ),
    Column(
        "next_deadline",
        {"fr": "Prochaine date limite (Bruxelles)", "en": "Next deadline (Brussels)"},
        18,
        _next,
    ),
    Column("days_left", {"fr": "Jours restants", "en": "Days left"}, 10, _as_number("days_left")),
    Column(
        "last_deadline",
        {"fr": "Dernière date limite (Bruxelles)", "en": "Last deadline (Brussels)"},
        18,
        _last,
    ),
    Column("deadlines", {"fr": "Dates limites", "en": "Deadlines"}, 25, _deadlines),
    Column("budget", {"fr": "Budget (€)", "en": "Budget (€)"}, 14, _as_number("budget")),
    Column(
        "grant_min",
        {"fr": "Subvention minimale (€)", "en": "Smallest grant (€)"},
        14,
        _as_number("grant_min"),
    ),
    Column(
        "grant_max",
        {"fr": "Subvention maximale (€)", "en": "Largest grant (€)"},
        14,
        _as_number("grant_max"),
    ),
    Column("applicants", {"fr": "Candidats admis", "en": "Applicants"}, 25, _as_text("applicants")),
    Column("countries", {"fr": "Pays admis", "en": "Countries"}, 14, _as_text("countries")),
    Column("score", {"fr": "Score", "en": "Score"}, 8, _as_number("score")),
    Column("why", {"fr": "Pourquoi (citations)", "en": "Why (quotes)"}, 60, _quotes),
    Column("url", {"fr": "Adresse", "en": "Address"}, 50, _as_text("url")),
    Column(
        "sources",
        {"fr": "Sources", "en": "Sources"},
        20,
        lambda hit, _language: _text(_each(hit, "sources", "name")),
    ),
    Column(
        "checked",
        {"fr": "Vérifié le (Bruxelles)", "en": "Checked on (Brussels)"},
        18,
        _checked,
    ),
)
_CHECKED = [column.key for column in COLUMNS].index("checked")

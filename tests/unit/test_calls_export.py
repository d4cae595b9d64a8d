"""Calls as a table: CSV, XLSX and lines of JSON."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import datetime
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kb.calls.dates import BRUSSELS
from kb.calls.export import COLUMNS, rows, to_csv, to_jsonl, to_xlsx
from kb.calls.news import plain

HIT: dict[str, Any] = {
    "identifier": "EXAMPLE-2026-01",
    "title": "Ponts pour les chœurs ruraux, « et » d'autres",
    "programme": "Example Programme",
    "status": "open",
    "status_reason": "Open until 2026-03-17 17:00 (in 34 days).",
    "portal_status": "open",
    "deadlines": ["2026-03-17T17:00:00+01:00"],
    "days_left": 34,
    "budget": 3_000_000,
    "grant_min": 0,
    "grant_max": 60_000,
    "applicants": ["ngo", "public"],
    "countries": ["EU"],
    "score": 0.75,
    "why": [{"quote": "Associations may apply."}, {"quote": "In rural\nareas."}],
    "url": "https://portal.example/topic/1",
    "sources": [
        {"name": "eu-portal", "url": "https://portal.example", "checked": "2026-02-10T08:00:00Z"},
        {"name": "paris", "url": None, "checked": "2026-02-11T08:00:00Z"},
    ],
}
KEYS = [column.key for column in COLUMNS]


def table(hit: dict[str, Any], language: str = "en") -> dict[str, Any]:
    """Return the one row of a hit by its columns' keys."""
    return dict(zip(KEYS, rows([hit], language)[1], strict=True))


def read_csv(data: bytes) -> list[dict[str, str]]:
    """Read a CSV by its columns' keys, in place of its headers."""
    header, *found = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    assert len(header) == len(KEYS)
    return [dict(zip(KEYS, row, strict=True)) for row in found]


def sheet(data: bytes) -> Any:
    """Open the only sheet of a workbook."""
    (found,) = openpyxl.load_workbook(io.BytesIO(data)).worksheets
    return found


def cell(data: bytes, key: str, row: int = 2) -> Any:
    """Return a cell of a workbook by its column's key."""
    return sheet(data).cell(row, KEYS.index(key) + 1)


def test_a_hit_is_a_row() -> None:
    """A hit is a row with its moments in Brussels time and its lists joined."""
    deadline = datetime(2026, 3, 17, 17, 0, tzinfo=BRUSSELS)
    assert table(HIT) == {
        "identifier": "EXAMPLE-2026-01",
        "title": "Ponts pour les chœurs ruraux, « et » d'autres",
        "programme": "Example Programme",
        "status": "open",
        "status_reason": "Open until 2026-03-17 17:00 (in 34 days).",
        "portal_status": "open",
        "next_deadline": deadline,
        "days_left": 34,
        "last_deadline": deadline,
        "deadlines": "2026-03-17 17:00",
        "budget": 3_000_000,
        "grant_min": 0,
        "grant_max": 60_000,
        "applicants": "ngo; public",
        "countries": "EU",
        "score": 0.75,
        "why": "Associations may apply. | In rural areas.",
        "url": "https://portal.example/topic/1",
        "sources": "eu-portal; paris",
        "checked": datetime(2026, 2, 11, 9, 0, tzinfo=BRUSSELS),
    }


def test_headers_are_in_the_language_asked_for() -> None:
    """Headers are in French or English, each once."""
    french, english = rows([], "fr")[0], rows([], "en")[0]
    assert french[:2] == ["Identifiant", "Titre"]
    assert english[:2] == ["Identifier", "Title"]
    assert len(set(french)) == len(set(english)) == len(COLUMNS)


def test_a_reason_in_both_languages_is_given_in_one() -> None:
    """Of a reason that comes in both languages the export gives its own."""
    hit = HIT | {"status_reason": {"fr": "Ouvert.", "en": "Open."}}
    assert table(hit, "fr")["status_reason"] == "Ouvert."


@pytest.mark.parametrize("write", [to_csv, to_xlsx, to_jsonl])
def test_a_hit_that_lacks_everything_is_written(write: Any) -> None:
    """A hit that lacks everything is written, and so are no hits."""
    assert write([{}])
    assert write([]) != write([{}])
    assert table({}) == dict.fromkeys(KEYS)


def test_of_several_deadlines_the_next_is_the_one_that_is_told() -> None:
    """Which of several deadlines is next is told by the hit, never guessed."""
    cut_offs = ["2026-09-01T17:00:00+02:00", "2026-03-17T17:00:00+01:00"]
    hit = HIT | {"deadlines": cut_offs}
    assert table(hit)["next_deadline"] is None
    assert table(hit)["deadlines"] == "2026-03-17 17:00; 2026-09-01 17:00"
    told = table(hit | {"next_deadline": cut_offs[0]})
    assert told["next_deadline"] == datetime(2026, 9, 1, 17, 0, tzinfo=BRUSSELS)
    closed = table(HIT | {"days_left": None})
    assert closed["next_deadline"] is None
    assert closed["last_deadline"] is not None


def test_csv_is_read_by_excel_and_by_programs() -> None:
    """The CSV begins with the mark of UTF-8, ends its lines in CRLF and quotes what needs it."""
    data = to_csv([HIT], "fr")
    assert data.startswith(b"\xef\xbb\xbfIdentifiant,Titre,")
    assert data.count(b"\r\n") == data.count(b"\n") == 2
    (row,) = read_csv(data)
    assert row["title"] == HIT["title"]
    assert row["next_deadline"] == "2026-03-17 17:00"
    assert row["budget"] == "3000000"


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t=", "\r=", "＝", " ="])
def test_csv_has_no_formulas(sign: str) -> None:
    """A cell that a spreadsheet would run begins with an apostrophe."""
    (row,) = read_csv(to_csv([HIT | {"title": f'{sign}HYPERLINK("http://x","y")'}]))
    assert row["title"].startswith("'")


def test_csv_numbers_stay_numbers() -> None:
    """A number below nothing is no formula."""
    (row,) = read_csv(to_csv([HIT | {"score": -0.5, "days_left": -3}]))
    assert (row["score"], row["days_left"]) == ("-0.5", "-3")


def test_xlsx_has_dates_numbers_and_links() -> None:
    """The workbook has dates, numbers and links that work as such."""
    data = to_xlsx([HIT])
    assert cell(data, "next_deadline").value == datetime(2026, 3, 17, 17, 0)  # noqa: DTZ001 -- Excel knows no zones
    assert cell(data, "next_deadline").is_date
    assert cell(data, "budget").value == 3_000_000
    assert cell(data, "budget").number_format == "#,##0"
    assert cell(data, "url").hyperlink.target == "https://portal.example/topic/1"


def test_xlsx_is_laid_out_to_be_read() -> None:
    """The header is bold and stays in view, columns have widths and can be filtered."""
    found = sheet(to_xlsx([HIT, HIT], "fr"))
    assert found.title == "Appels à projets"
    assert found.freeze_panes == "A2"
    assert found.auto_filter.ref == f"A1:{found.cell(1, len(KEYS)).column_letter}3"
    assert all(header.font.bold for header in found[1])
    assert found.column_dimensions["B"].width > found.column_dimensions["D"].width


@pytest.mark.parametrize("title", ["=1+1", "-2", "@now", "#N/A", "2026-03-17", "12"])
def test_xlsx_texts_stay_texts(title: str) -> None:
    """A text that looks like a formula, a number or a date stays text."""
    found = cell(to_xlsx([HIT | {"title": title}]), "title")
    assert (found.value, found.data_type) == (title, "s")


def test_xlsx_links_to_the_web_alone() -> None:
    """An address that is no web address is no link."""
    assert cell(to_xlsx([HIT | {"url": "javascript:alert(1)"}]), "url").hyperlink is None


def test_xlsx_cuts_what_excel_can_not_hold() -> None:
    """A text longer than a cell can be is cut."""
    assert len(cell(to_xlsx([HIT | {"title": "é" * 40_000}]), "title").value) == 32_767


def test_the_same_hits_give_the_same_workbook() -> None:
    """A workbook is dated by the last check of a source, not by its writing."""
    data = to_xlsx([HIT])
    assert data == to_xlsx([HIT])
    properties = openpyxl.load_workbook(io.BytesIO(data)).properties
    assert properties.creator == "Opération Milliard"
    assert properties.created == properties.modified == datetime(2026, 2, 11, 8, 0)  # noqa: DTZ001 -- UTC is understood
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {part.date_time[0] for part in archive.infolist()} == {1980}


def test_json_lines_hold_hits_whole() -> None:
    """Each line is a hit, whole, readable as it stands."""
    data = to_jsonl([HIT, {}])
    assert [json.loads(line) for line in data.splitlines()] == [HIT, {}]
    assert "chœurs" in data.decode()


TEXTS = st.text(st.characters(), max_size=40)
JSON = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXTS | st.lists(TEXTS)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from([*KEYS, "other"]), JSON), max_size=3))
def test_whatever_hits_hold_is_written(hits: list[dict[str, Any]]) -> None:
    """Whatever hits hold, each gives a row in every format, and JSON gives them back."""
    lines = to_jsonl(hits).decode().splitlines()
    assert [json.loads(line) for line in lines] == hits
    found = read_csv(to_csv(hits))
    assert len(found) == len(hits)
    for row, hit in zip(found, hits, strict=True):
        if isinstance(hit.get("title"), str):
            assert row["title"].removeprefix("'") == plain(hit["title"]).removeprefix("'")
    assert sheet(to_xlsx(hits)).max_row == len(hits) + 1

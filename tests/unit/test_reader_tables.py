"""Rows of CSV and XLSX become lines of "Header: value"."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import openpyxl
import pytest

from ingest.readers import tables
from ingest.readers.base import Source
from ingest.readers.tables import TablesReader
from kb.errors import UnreadableError
from kb.model import Role

if TYPE_CHECKING:
    from pathlib import Path

    from kb.model import Page, Parsed


def read(folder: Path, data: str | bytes, name: str = "ladders.csv") -> Parsed:
    """Read a file of these contents."""
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return TablesReader().read(Source(path, path.name, path.read_bytes()[:65536]))


def words(page: Page) -> list[str]:
    """Return the texts of the page's blocks."""
    return [page.text[block.start : block.end] for block in page.blocks]


def workbook(*rows: list[object], title: str = "Prêts") -> bytes:
    """Return an XLSX file with these rows."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_each_row_is_a_block_whatever_the_delimiter(tmp_path: Path, delimiter: str) -> None:
    """Each row is a block whatever the delimiter."""
    rows = (("Name", "Metres", "Where"), ("Small ladder", "2", ""), ("Long ladder", "5", "Shed"))
    page = read(tmp_path, "\n".join(delimiter.join(row) for row in rows)).pages[0]
    assert words(page) == [
        "Name: Small ladder\nMetres: 2",
        "Name: Long ladder\nMetres: 5\nWhere: Shed",
    ]
    assert {block.role for block in page.blocks} == {Role.TABLE}


def test_quoted_cells_keep_delimiters_quotes_and_lines(tmp_path: Path) -> None:
    """Quoted cells keep delimiters quotes and lines."""
    page = read(tmp_path, 'Name,Use\n"Ladder, long","For ""high""\nwalls"\n').pages[0]
    assert words(page) == ['Name: Ladder, long\nUse: For "high" walls']


def test_sentences_do_not_mislead_the_delimiter(tmp_path: Path) -> None:
    """Sentences do not mislead the delimiter."""
    page = read(tmp_path, "Name;Use\nA;One, two, three, four\nB;One, two\nC;Five\n").pages[0]
    assert words(page)[0] == "Name: A\nUse: One, two, three, four"


def test_windows_encoding_is_recognised(tmp_path: Path) -> None:
    """Windows encoding is recognised."""
    assert (
        "Échelle: Bois séché"
        in read(tmp_path, "Échelle;État\nBois séché;Bon\n".encode("cp1252")).pages[0].text
    )


def test_fifty_rows_a_section(tmp_path: Path) -> None:
    """Fifty rows a section."""
    parsed = read(tmp_path, "n,square\n" + "".join(f"{n},{n * n}\n" for n in range(1, 102)))
    assert [page.label for page in parsed.pages] == ["rows 1–50", "rows 51–100", "row 101"]
    assert [len(page.blocks) for page in parsed.pages] == [50, 50, 1]


def test_unnamed_and_double_columns_are_told_apart(tmp_path: Path) -> None:
    """Unnamed and double columns are told apart."""
    assert words(read(tmp_path, "a,,a\n1,2,3,4\n").pages[0]) == [
        "a: 1\nColumn 2: 2\na (2): 3\nColumn 4: 4"
    ]


def test_a_header_alone_is_kept(tmp_path: Path) -> None:
    """A header alone is kept."""
    assert words(read(tmp_path, "Name,Metres\n").pages[0]) == ["Name | Metres"]


def test_a_sheet_names_its_sections_and_paths(tmp_path: Path) -> None:
    """A sheet names its sections and paths."""
    data = workbook(
        ["Prêts d’échelles"],
        [],
        ["Nom", "Mètres", "Le"],
        ["Petite", 2.0, datetime(2031, 5, 4, tzinfo=UTC).replace(tzinfo=None)],
        ["Grande", 5.5, None],
    )
    page = read(tmp_path, data, "l.xlsx").pages[0]
    assert page.label == "Prêts, rows 1–2"
    assert words(page) == [
        "Prêts d’échelles",
        "Nom: Petite\nMètres: 2\nLe: 2031-05-04",
        "Nom: Grande\nMètres: 5.5",
    ]
    assert page.blocks[1].path == ("Prêts",)


def test_formulas_are_not_text(tmp_path: Path) -> None:
    """Formulas are not text."""
    assert "=1+1" not in read(tmp_path, workbook(["a", "b"], ["x", "=1+1"]), "l.xlsx").pages[0].text


def test_too_many_rows_name_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many rows name the limit."""
    monkeypatch.setattr(tables, "MOST_ROWS", 10)
    with pytest.raises(UnreadableError, match="more than 10 rows"):
        read(tmp_path, "n\n" + "1\n" * 11)


def test_too_many_columns_name_the_limit(tmp_path: Path) -> None:
    """Too many columns name the limit."""
    with pytest.raises(UnreadableError, match="501 columns; the limit is 500"):
        read(tmp_path, ",".join(str(n) for n in range(501)) + "\n1\n")


def test_an_endless_cell_is_unreadable(tmp_path: Path) -> None:
    """An endless cell is unreadable."""
    with pytest.raises(UnreadableError, match="no readable CSV"):
        read(tmp_path, 'a,b\n"' + "x" * 1_200_000)


def test_a_sheet_that_swells_is_refused(tmp_path: Path) -> None:
    """A sheet that swells is refused."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/workbook.xml", b" " * 30_000_000)
    with pytest.raises(UnreadableError, match="200 times"):
        read(tmp_path, data.getvalue(), "l.xlsx")


def test_a_broken_workbook_is_unreadable(tmp_path: Path) -> None:
    """A broken workbook is unreadable."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("xl/workbook.xml", b"<x/>")
    with pytest.raises(UnreadableError, match=r"l\.xlsx is no readable XLSX file"):
        read(tmp_path, data.getvalue(), "l.xlsx")


def test_entities_in_a_sheet_are_not_expanded(tmp_path: Path) -> None:
    """Entities in a sheet are not expanded."""
    source = io.BytesIO(workbook(["a", "b"], ["x", "y"]))
    target = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.infolist():
            data = old.read(member)
            if member.filename.endswith("sheet1.xml"):
                bomb = b'<!DOCTYPE x [<!ENTITY a "haha"><!ENTITY b "&a;&a;">]>'
                data = data.replace(b"<worksheet", bomb + b"<worksheet", 1)
            new.writestr(member.filename, data)
    with pytest.raises(UnreadableError):
        read(tmp_path, target.getvalue(), "l.xlsx")

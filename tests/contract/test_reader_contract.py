"""What every reader promises, over one small file of each format."""

from __future__ import annotations

import importlib.util
import io
import unicodedata
from typing import TYPE_CHECKING

import docx
import openpyxl
import pytest

from ingest.readers import READERS, reader, reader_for
from ingest.readers.base import Source
from kb.errors import UnreadableError

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.readers.base import Reader

ACT = """<?xml version="1.0" encoding="UTF-8"?>
<html xmlns="http://www.w3.org/1999/xhtml"><body>
<div class="eli-container"><p class="oj-doc-ti">COMMISSION REGULATION (EU) 2031/77</p>
<p class="oj-doc-ti">of 4 May 2031</p><p class="oj-doc-ti">on the lending of ladders</p>
<p class="oj-ti-art">Article 1</p><p class="oj-sti-art">Ladders</p>
<p class="oj-normal">1.   A ladder is lent to whoever asks for it.</p></div></body></html>"""
FORMEX = """<?xml version="1.0" encoding="UTF-8"?>
<ACT xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><BIB.INSTANCE><LG.DOC>EN</LG.DOC>
</BIB.INSTANCE><TITLE><TI><P>COMMISSION REGULATION (EU) 2031/77</P></TI></TITLE>
<ENACTING.TERMS><ARTICLE><TI.ART>Article 1</TI.ART><STI.ART>Ladders</STI.ART>
<ALINEA>A ladder is lent to whoever asks for it.</ALINEA></ARTICLE></ENACTING.TERMS></ACT>"""
HTML = """<!DOCTYPE html><html lang="fr"><head><title>Le prêt d’échelles</title></head><body>
<main><h1>Le prêt d’échelles</h1><p>Une échelle est prêtée à toute personne qui la demande, sans
frais, pour la durée d’un chantier ordinaire et selon les places disponibles au dépôt.</p>
<table><tr><th>Échelle</th><th>Mètres</th></tr><tr><td>Petite</td><td>2</td></tr></table></main>
</body></html>"""
MARKDOWN = (
    "# Le prêt d’échelles\n\nUne **échelle** est prêtée.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
)
TEXT = "Une e\u0301chelle est prêtée.\r\n\r\nElle est rendue propre.\fDeuxième feuillet."
TABLE = "Nom;Mètres\nPetite échelle;2\nGrande échelle;5\n"


def _docx() -> bytes:
    document = docx.Document()
    document.add_heading("Le prêt d’échelles", 1)
    document.add_paragraph("Une échelle est prêtée à qui la demande.")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ("Échelle", "Mètres", "Petite", "2"), strict=True):  # noqa: SLF001 -- the cells in order
        cell.text = text
    data = io.BytesIO()
    document.save(data)
    return data.getvalue()


def _xlsx() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Échelle", "Mètres"])
    sheet.append(["Petite", 2])
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def _pdf() -> bytes:
    canvas = pytest.importorskip("reportlab.pdfgen.canvas", reason="reportlab is not installed")
    data = io.BytesIO()
    page = canvas.Canvas(data)
    for words in ("A ladder is lent to whoever asks for it.", "It is given back clean."):
        page.drawString(72, 700, words)
        page.showPage()
    page.save()
    return data.getvalue()


SAMPLES = {
    "eurlex": ("act.xml", ACT.encode),
    "formex": ("act.xml", FORMEX.encode),
    "html": ("page.html", HTML.encode),
    "docx": ("note.docx", _docx),
    "markdown": ("note.md", MARKDOWN.encode),
    "text": ("note.txt", TEXT.encode),
    "tables": ("ladders.csv", TABLE.encode),
    "tables as xlsx": ("ladders.xlsx", _xlsx),
    "pdf": ("ladders.pdf", _pdf),
}


def source_of(path: Path) -> Source:
    """Return the source of a file."""
    return Source(path, path.name, path.read_bytes()[: 64 * 1024])


@pytest.fixture(params=SAMPLES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Reader, Source]:
    """Return each reader with a file of its format."""
    name = str(request.param).split(" ", maxsplit=1)[0]
    if name == "pdf" and importlib.util.find_spec("ingest.readers.pdf.reader") is None:
        pytest.skip("the PDF reader is not in this build")
    file_name, make = SAMPLES[request.param]
    path = tmp_path / file_name
    path.write_bytes(make())
    return reader(name), source_of(path)


def test_every_reader_has_a_sample_here() -> None:
    """Every reader has a sample here."""
    assert {name.split(" ", maxsplit=1)[0] for name in SAMPLES} == set(READERS)


def test_preferences_are_distinct() -> None:
    """Preferences are distinct."""
    spare = "pdf" if importlib.util.find_spec("ingest.readers.pdf.reader") is None else ""
    preferences = [reader(name).preference for name in READERS if name != spare]
    assert len(set(preferences)) == len(preferences)


def test_the_registry_chooses_the_reader_that_accepts(case: tuple[Reader, Source]) -> None:
    """The registry chooses the reader that accepts."""
    expected, source = case
    assert expected.accepts(source)
    assert reader_for(source).name == expected.name


def test_a_reader_refuses_what_others_read(case: tuple[Reader, Source]) -> None:
    """A reader refuses what others read."""
    expected, source = case
    for name in READERS:
        if name not in {expected.name, "pdf"}:
            assert not reader(name).accepts(source)


def test_pages_hold_text_and_are_numbered_from_one(case: tuple[Reader, Source]) -> None:
    """Pages hold text and are numbered from one."""
    expected, source = case
    pages = expected.read(source).pages
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    assert any(page.text for page in pages)


def test_page_text_is_nfc_without_control_characters(case: tuple[Reader, Source]) -> None:
    """Page text is nfc without control characters."""
    expected, source = case
    for page in expected.read(source).pages:
        assert unicodedata.is_normalized("NFC", page.text)
        assert not [c for c in page.text if unicodedata.category(c) == "Cc" and c != "\n"]


def test_blocks_are_ordered_and_exact(case: tuple[Reader, Source]) -> None:
    """Blocks are ordered and exact."""
    expected, source = case
    for page in expected.read(source).pages:
        end = 0
        for block in page.blocks:
            words = page.text[block.start : block.end]
            assert words
            assert words == words.strip()
            assert not page.text[end : block.start].strip()
            end = block.end
        assert not page.text[end:].strip()


def test_table_headers_lie_on_the_page(case: tuple[Reader, Source]) -> None:
    """Table headers lie on the page."""
    expected, source = case
    for page in expected.read(source).pages:
        for block in page.blocks:
            if block.header:
                assert page.text[slice(*block.header)].strip()
                assert block.header[1] <= block.start


def test_reading_twice_gives_the_same(case: tuple[Reader, Source]) -> None:
    """Reading twice gives the same."""
    expected, source = case
    assert expected.read(source) == expected.read(source)


def test_only_the_pdf_reader_gives_physical_pages(case: tuple[Reader, Source]) -> None:
    """Only the pdf reader gives physical pages."""
    expected, source = case
    assert expected.read(source).paged is (expected.name == "pdf")


def test_an_empty_file_is_unreadable(case: tuple[Reader, Source]) -> None:
    """An empty file is unreadable."""
    expected, source = case
    source.path.write_bytes(b"")
    with pytest.raises(UnreadableError, match=source.name):
        expected.read(Source(source.path, source.name, source.head))


def test_a_vanished_file_is_unreadable(case: tuple[Reader, Source]) -> None:
    """A vanished file is unreadable."""
    expected, source = case
    source.path.unlink()
    with pytest.raises(UnreadableError, match=source.name):
        expected.read(source)


def test_a_truncated_file_is_read_or_unreadable(case: tuple[Reader, Source]) -> None:
    """A truncated file is read or unreadable."""
    expected, source = case
    data = source.path.read_bytes()
    for share in (0.2, 0.5, 0.9):
        source.path.write_bytes(data[: int(len(data) * share)])
        try:
            parsed = expected.read(source_of(source.path))
        except UnreadableError as error:
            assert source.name in str(error)  # noqa: PT017 -- either outcome is right
        else:
            assert parsed.pages

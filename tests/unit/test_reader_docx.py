"""Word files keep headings, tables and notes; hostile archives are refused."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import docx
import pytest
from docx.enum.style import WD_STYLE_TYPE
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from lxml import etree

from ingest.readers import archives
from ingest.readers.base import Source
from ingest.readers.docx import DocxReader
from kb.errors import UnreadableError
from kb.model import Role

if TYPE_CHECKING:
    from pathlib import Path

    from kb.model import Page, Parsed

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
NOTES = f"""<w:footnotes xmlns:w="{W}"><w:footnote w:type="separator" w:id="0"><w:p><w:r>
<w:t>-</w:t></w:r></w:p>
</w:footnote><w:footnote w:id="1"><w:p><w:r><w:t>Une note.</w:t></w:r></w:p></w:footnote>
</w:footnotes>"""
INSERTED = f"""<w:p xmlns:w="{W}"><w:r><w:t xml:space="preserve">Il dure </w:t></w:r><w:del><w:r>
<w:delText>deux</w:delText></w:r></w:del><w:ins><w:r><w:t>trois</w:t></w:r></w:ins><w:r>
<w:instrText>PAGE</w:instrText>
<w:t xml:space="preserve"> mo</w:t></w:r><w:hyperlink><w:r><w:t>is</w:t></w:r></w:hyperlink>
</w:p>"""
CONTROL = f"""<w:sdt xmlns:w="{W}"><w:sdtContent><w:p><w:r><w:t>Dans un champ.</w:t></w:r></w:p>
</w:sdtContent></w:sdt>"""


def read(folder: Path, data: bytes) -> Parsed:
    """Read a file of these contents."""
    path = folder / "note.docx"
    path.write_bytes(data)
    return DocxReader().read(Source(path, path.name, data[:65536]))


def words(page: Page) -> list[str]:
    """Return the texts of the page's blocks."""
    return [page.text[block.start : block.end] for block in page.blocks]


@pytest.fixture
def parsed(tmp_path: Path) -> Parsed:
    """Return a document with what Word files hold."""
    document = docx.Document()
    document.add_paragraph("Plaidoyer", style="Title")
    document.styles.add_style("Titre 1", WD_STYLE_TYPE.PARAGRAPH)
    document.add_paragraph("Le prêt", style="Titre 1")
    document.add_heading("Durée", 2)
    body = document.element.body
    for markup in (INSERTED, CONTROL):
        body.insert(len(body) - 1, etree.fromstring(markup))
    document.add_heading("Tailles", 1)
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ("Taille", "Mètres", "Petite", "2"), strict=True):  # noqa: SLF001 -- the cells in order
        cell.text = text
    part = Part(
        PackURI("/word/footnotes.xml"), "application/xml", NOTES.encode(), document.part.package
    )
    document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
    facts = document.core_properties
    facts.title, facts.author, facts.language = "Prêter des échelles", "Ada Rung; Bo Step", "fr-FR"
    facts.modified = datetime(2031, 5, 4, tzinfo=UTC)
    data = io.BytesIO()
    document.save(data)
    return read(tmp_path, data.getvalue())


def test_sections_begin_at_main_headings_in_either_language(parsed: Parsed) -> None:
    """Sections begin at main headings in either language."""
    assert [words(page)[0] for page in parsed.pages] == [
        "Plaidoyer",
        "Le prêt",
        "Tailles",
        "Une note.",
    ]


def test_inserted_text_counts_and_deleted_text_does_not(parsed: Parsed) -> None:
    """Inserted text counts and deleted text does not."""
    assert words(parsed.pages[1]) == ["Le prêt", "Durée", "Il dure trois mois", "Dans un champ."]
    assert parsed.pages[1].blocks[2].path == ("Le prêt", "Durée")


def test_tables_become_rows_under_their_header(parsed: Parsed) -> None:
    """Tables become rows under their header."""
    page = parsed.pages[2]
    assert page.text.endswith("Taille | Mètres\nPetite | 2")
    assert page.blocks[-1].header
    assert page.blocks[-1].path == ("Tailles",)


def test_footnotes_are_notes(parsed: Parsed) -> None:
    """Footnotes are notes."""
    assert parsed.pages[3].blocks[0].role is Role.NOTE


def test_properties_become_metadata(parsed: Parsed) -> None:
    """Properties become metadata."""
    facts = parsed.metadata
    assert (facts.title, facts.authors) == ("Prêter des échelles", ("Ada Rung", "Bo Step"))
    assert (facts.language, facts.published) == ("fr", date(2031, 5, 4))


def test_an_archive_that_swells_is_refused(tmp_path: Path) -> None:
    """An archive that swells is refused."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("word/document.xml", b"0" * 30_000_000)
    with pytest.raises(
        UnreadableError, match="unpacks to more than 200 MiB or more than 200 times"
    ):
        read(tmp_path, data.getvalue())


def test_an_archive_that_lies_about_its_size_swells_no_more(tmp_path: Path) -> None:
    """The directory declares 100 bytes where 50 MB follow: a copy of 100 bytes is all there is."""
    content = b"0" * 50_000_000
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("word/document.xml", content)
    honest, size = data.getvalue(), struct.pack("<L", len(content))
    crc = struct.pack("<L", zlib.crc32(content))
    lying = honest.replace(size, struct.pack("<L", 100)).replace(
        crc, struct.pack("<L", zlib.crc32(content[:100]))
    )
    path = tmp_path / "note.docx"
    path.write_bytes(lying)
    copy = archives.open_office_file(Source(path, path.name, b""))
    assert len(copy.getvalue()) < 1000
    with pytest.raises(UnreadableError, match=r"note\.docx"):
        read(tmp_path, lying)


def test_what_is_unpacked_is_counted_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is unpacked is counted as well."""
    monkeypatch.setattr(archives, "LARGEST_CONTENT", 1000)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("word/document.xml", b"0123456789" * 200)
    with pytest.raises(UnreadableError, match="unpacks"):
        read(tmp_path, data.getvalue())


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    """An encrypted member is refused."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("word/document.xml", b"words")
    marked = bytearray(data.getvalue())
    marked[marked.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UnreadableError, match="encrypted"):
        read(tmp_path, bytes(marked))


@pytest.mark.parametrize("data", [b"PK\x03\x04 broken", b"not a zip at all"])
def test_a_broken_archive_is_unreadable(tmp_path: Path, data: bytes) -> None:
    """A broken archive is unreadable."""
    with pytest.raises(UnreadableError, match=r"note\.docx is a damaged Office file"):
        read(tmp_path, data)


def test_an_archive_without_a_document_is_unreadable(tmp_path: Path) -> None:
    """An archive without a document is unreadable."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("word/styles.xml", b"<x/>")
    with pytest.raises(UnreadableError, match=r"note\.docx is no readable Word file"):
        read(tmp_path, data.getvalue())

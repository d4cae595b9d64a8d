"""PDF exports, read by a PDF library."""

from __future__ import annotations

import io
import shutil
from typing import Any

import pypdf
import pytest
from exports_making import DAY, HOSTILE, document, dossier, everything, quoted

from kb.briefs.model import Dossier, Paragraph
from kb.errors import KnowledgeBaseError
from kb.export.pdf import to_pdf


def _root(reader: pypdf.PdfReader) -> Any:
    return reader.trailer["/Root"]


def _read(export: Dossier) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(to_pdf(export)))


def _text(export: Dossier) -> str:
    pages = "\n".join(page.extract_text() for page in _read(export).pages)
    return " ".join(pages.split())


def test_a_dossier_is_set_with_notes_and_page_numbers() -> None:
    """Quotes, warnings and gaps in the text; sources at the foot of the page."""
    text = _text(everything())
    quote, note = text.index("La garantie couvre"), text.index("Garantir les fonds propres, Op")
    assert quote < text.index("Attention : le document cité") < note
    assert text.index("Une citation ne peut pas être montrée") < note
    assert "p. ii–iii (pages 4–5 du fichier)" in text
    assert text.endswith("1 / 1")


def test_the_file_says_what_it_is_and_can_be_read_aloud() -> None:
    """Title, day, language, tags and the standard that it keeps."""
    reader = _read(everything("en"))
    root = _root(reader)
    assert reader.metadata is not None
    assert reader.metadata.title == "Fonds propres"
    assert reader.metadata.creation_date is not None
    assert reader.metadata.creation_date.date() == DAY
    assert root["/Lang"] == "en-GB"
    assert root["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in root
    assert b"pdfuaid" in root["/Metadata"].get_data()


def test_links_lead_to_sources() -> None:
    """And nowhere else."""
    [page] = _read(everything()).pages
    annotations: Any = page["/Annots"]
    links = [each.get_object().get("/A", {}).get("/URI") for each in annotations]
    assert {link for link in links if link} == {"https://example.org/a_guarantee?x=1&y=2"}


@pytest.mark.parametrize("words", ['#read("/etc/passwd") #panic() $x$ *bold* _it_ @ref <label>'])
def test_words_are_never_code_of_the_template(words: str) -> None:
    """They are shown as they stand, wherever they stand."""
    export = dossier(
        Paragraph(words), quoted(words, of=document(title=words, issuer=words)), title=words
    )
    assert _text(export).count('#read("/etc/passwd") #panic() $x$ *bold* _it_ @ref <label>') >= 4


def test_signs_that_no_font_has_do_not_stop_it() -> None:
    """Then the file does not claim the standard that would forbid them."""
    source = document(title=HOSTILE, issuer=HOSTILE)
    export = dossier(Paragraph(HOSTILE), quoted(HOSTILE, of=source), title=HOSTILE)
    assert "TY - BOOK" in _text(export)
    assert b"pdfuaid" not in _root(_read(export))["/Metadata"].get_data()


def test_the_same_dossier_gives_the_same_file() -> None:
    """Whenever it is written."""
    assert to_pdf(everything()) == to_pdf(everything())


def test_what_cannot_be_set_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do instead."""
    monkeypatch.setattr("sys.executable", shutil.which("false"))
    with pytest.raises(KnowledgeBaseError, match="Export it as docx instead"):
        to_pdf(everything())

"""Word exports: what stands in the file, and what LibreOffice shows of it."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import zipfile
from typing import TYPE_CHECKING

import docx
import pypdfium2
import pytest
from docx.oxml.ns import qn
from exports_making import DAY, HOSTILE, document, dossier, everything, quoted
from lxml import etree

from kb.briefs.model import Outdated
from kb.briefs.model import Paragraph as Written
from kb.export.docx import to_docx

if TYPE_CHECKING:
    from pathlib import Path

    from docx.text.paragraph import Paragraph

    from kb.briefs.model import Dossier


def _part(written: bytes, name: str) -> etree._Element:
    with zipfile.ZipFile(io.BytesIO(written)) as package:
        return etree.fromstring(package.read(name))


def _text(element: etree._Element) -> str:
    return "".join(part.text or "" for part in element.iter(qn("w:t")))


def _style(paragraph: Paragraph) -> str:
    return str(paragraph.style.name) if paragraph.style else ""


def _languages(element: etree._Element) -> list[tuple[str, str]]:
    """The languages that runs state, each with the beginning of its text."""
    return [
        (spoken.get(qn("w:val"), ""), _text(run)[:8])
        for run in element.iter(qn("w:r"))
        for spoken in run.iter(qn("w:lang"))
    ]


def test_each_quote_has_a_real_footnote() -> None:
    """Its mark is in the quote, its note in the part for notes, in the same order."""
    written = to_docx(everything())
    body, notes = _part(written, "word/document.xml"), _part(written, "word/footnotes.xml")
    marks = [mark.get(qn("w:id")) for mark in body.iter(qn("w:footnoteReference"))]
    said = {note.get(qn("w:id")): _text(note).strip() for note in notes}
    assert marks == ["1", "2"]
    assert set(said) == {"-1", "0", *marks}
    assert said["1"] == (
        "Garantir les fonds propres, Opération Milliard, 22 janvier 2026, "
        "p.\u00a0ii–iii (pages 4–5 du fichier)."
    )
    assert said["2"].endswith("section 2, Article 3. https://example.org/a_guarantee?x=1&y=2")
    with zipfile.ZipFile(io.BytesIO(written)) as package:
        assert b"footnotes+xml" in package.read("[Content_Types].xml")
        assert b"https://example.org/a_guarantee?x=1&amp;y=2" in package.read(
            "word/_rels/footnotes.xml.rels"
        )


def test_the_document_says_what_it_is() -> None:
    """Title, language and day; nothing of the library's own template."""
    opened = docx.Document(io.BytesIO(to_docx(everything("en"))))
    said = opened.core_properties
    assert (said.title, said.language, said.created.date()) == ("Fonds propres", "en-GB", DAY)
    assert (said.author, said.comments) == ("", "")
    [heading] = [each for each in opened.paragraphs if _style(each).startswith("Heading")]
    assert (heading.text, _style(heading)) == ("Fonds propres", "Heading 1")


def test_quotes_and_titles_state_their_languages() -> None:
    """For spelling, hyphens and reading aloud; the rest is in the document's own."""
    written = to_docx(everything())
    body, notes = _part(written, "word/document.xml"), _part(written, "word/footnotes.xml")
    assert _languages(body) == [("fr-FR", "«\u00a0La gar"), ("en-GB", "“The gua")]
    assert _languages(notes) == [("fr-FR", "Garantir"), ("en-GB", "Guarante")]
    styles = _part(written, "word/styles.xml")
    assert {each.get(qn("w:val")) for each in styles.iter(qn("w:lang"))} == {"fr-FR"}


def test_an_outdated_quote_is_followed_by_a_warning_in_words() -> None:
    """On the same page, and not by its colour alone."""
    opened = docx.Document(io.BytesIO(to_docx(everything())))
    shown = [(_style(each), each.text) for each in opened.paragraphs]
    place = next(n for n, (_, text) in enumerate(shown) if text.startswith("“The guarantee"))
    assert shown[place][0] == "Quote"
    assert shown[place + 1][1].startswith("Attention\u00a0: le document cité a une version")
    assert opened.paragraphs[place].paragraph_format.keep_with_next
    assert shown[-1][1].startswith("Une citation ne peut pas être montrée")


def test_hostile_words_are_words() -> None:
    """Of text, titles and issuers, with signs that XML can't hold left out."""
    source = document(title=HOSTILE, issuer=HOSTILE)
    export = dossier(Written(HOSTILE), quoted(HOSTILE, of=source), title=HOSTILE)
    text = "\n".join(each.text for each in docx.Document(io.BytesIO(to_docx(export))).paragraphs)
    assert "<b>bold</b> [link](javascript:alert(1))\nTY - BOOK" in text
    assert "שלום 🌳" in text


def test_the_parts_are_in_the_order_that_word_insists_on() -> None:
    """Word refuses files whose elements are not in the order of the schema."""
    settings = _part(to_docx(dossier(quoted())), "word/settings.xml")
    names = [each.tag.rpartition("}")[2] for each in settings]
    assert names.index("characterSpacingControl") < names.index("footnotePr")
    assert names.index("footnotePr") < names.index("compat")
    styles = _part(to_docx(dossier(quoted())), "word/styles.xml")
    quote = next(each for each in styles if each.get(qn("w:styleId")) == "Quote")
    [said] = quote.iter(qn("w:pPr"))
    inner = [each.tag.rpartition("}")[2] for each in said]
    assert inner.index("pBdr") < inner.index("ind")


def test_the_same_dossier_gives_the_same_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever it is written."""
    first = to_docx(everything())
    monkeypatch.setattr("time.time", lambda: 2_000_000_000)
    assert to_docx(everything()) == first


def _pages(export: Dossier, folder: Path) -> list[list[tuple[float, str]]]:
    """Lines of every page as LibreOffice lays them out: height above the foot, and text."""
    soffice = shutil.which("soffice")
    if soffice is None:
        pytest.skip("LibreOffice is not installed: apt-get install libreoffice-writer-nogui")
    (folder / "export.docx").write_bytes(to_docx(export))
    command = [soffice, "--headless", f"-env:UserInstallation=file://{folder}/profile"]
    command += ["--convert-to", "pdf", "--outdir", str(folder), str(folder / "export.docx")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with pypdfium2.PdfDocument(folder / "export.pdf") as pdf:
        return [_lines(page) for page in pdf]


def _lines(page: pypdfium2.PdfPage) -> list[tuple[float, str]]:
    text = page.get_textpage()
    boxes = [text.get_rect(number) for number in range(text.count_rects())]
    return [(bottom, text.get_text_bounded(*box)) for box in boxes for bottom in [box[1]]]


@pytest.mark.slow
def test_libreoffice_sets_the_notes_at_the_foot_of_their_page(tmp_path: Path) -> None:
    """Each below every line of the text, on the page of its quote, numbered from 1."""
    long = "Le plafond laisse peu de place aux fonds propres. " * 30
    quotes = [
        quoted(
            f"Phrase {n}. {long}",
            of=document(f"d{n}", title=f"Source{n}"),
            outdated=(Outdated.CALL_CLOSED,) if n == 3 else (),
        )
        for n in range(1, 7)
    ]
    pages = _pages(dossier(Written("Avant."), *quotes), tmp_path)
    assert len(pages) > 1
    seen: list[int] = []
    for lines in pages:
        begun = {int(n) for _, text in lines for n in re.findall(r"Phrase (\d)", text)}
        notes = {int(n): low for low, text in lines for n in re.findall(r"Source(\d)", text)}
        body = [low for low, text in lines if "plafond" in text or "Phrase" in text]
        assert all(low < min(body) for low in notes.values())
        assert max(notes.values()) < 300  # points from the foot of a page of 842
        seen += sorted(notes)
        assert set(notes) <= begun | {min(notes)}  # a quote may begin on the page before
    assert seen == [1, 2, 3, 4, 5, 6]
    said = " ".join(text for lines in pages for _, text in lines)
    assert "l’appel cité est clos" in said

"""A dossier as a Word document: headings, quotes in their languages, sources as footnotes."""

from __future__ import annotations

import io
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Final

import docx
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor

from kb.export.footnotes import Footnotes
from kb.export.told import Gap, Quote, Text, told

if TYPE_CHECKING:
    from datetime import date

    from docx.document import Document
    from docx.text.paragraph import Paragraph
    from docx.text.run import Run

    from kb.briefs.model import Dossier

_INK: Final = RGBColor(0x1B, 0x1F, 0x24)
_WARNING: Final = RGBColor(0x8A, 0x2B, 0x06)  # 8:1 on white
_WARNED: Final = "Warning"
_INDENT: Final = Cm(1)
_REGIONS: Final = {"fr": "fr-FR", "en": "en-GB"}


def to_docx(dossier: Dossier, base_url: str = "") -> bytes:
    """Write a dossier as Office Open XML (ECMA-376); see ``told`` for ``base_url``."""
    telling = told(dossier, base_url)
    document = docx.Document()
    _describe(document, telling.title, telling.language, dossier.day)
    _set_styles(document, telling.language)
    _number_pages(document)
    notes = Footnotes.of(document)
    document.add_heading(telling.title, level=1)
    document.add_paragraph(telling.about, style="Subtitle")
    for block in telling.blocks:
        match block:
            case Text(text):
                document.add_paragraph(text)
            case Quote():
                _add_quote(document, notes, block)
            case Gap(text):
                document.add_paragraph(text, style=_WARNED)
    written = io.BytesIO()
    document.save(written)
    return written.getvalue()


def _add_quote(document: Document, notes: Footnotes, quote: Quote) -> None:
    paragraph = document.add_paragraph(style="Quote")
    _speak(paragraph.add_run(quote.text), quote.language)
    source = quote.source
    note = notes.add(paragraph)
    title = note.add_run(source.title)
    title.italic = True
    _speak(title, source.language)
    note.add_run(f", {source.details}.")
    if source.url:
        notes.add_link(note, source.url)
    if quote.warning:
        paragraph.paragraph_format.keep_with_next = True
        document.add_paragraph(quote.warning, style=_WARNED)


def _speak(run: Run, language: str) -> None:
    """Say in which language a run is, for spelling, hyphens and reading aloud."""
    region = _REGIONS.get(language, language)
    run.element.get_or_add_rPr().append(OxmlElement("w:lang", {qn("w:val"): region}))


def _describe(document: Document, title: str, language: str, day: date) -> None:
    """State title, language and day, and take out what the library's own template states."""
    made = datetime.combine(day, time(12), UTC)
    said = document.core_properties
    said.title, said.language = title, _REGIONS[language]
    said.created = said.modified = made
    said.author = said.last_modified_by = said.comments = said.keywords = ""
    rels = document.part.package.rels
    for key in [key for key, rel in rels.items() if rel.reltype == RELATIONSHIP_TYPE.THUMBNAIL]:
        del rels[key]  # a picture of another document


def _set_styles(document: Document, language: str) -> None:
    styles = document.styles
    for spoken in styles.element.iter(qn("w:lang")):
        spoken.set(qn("w:val"), _REGIONS[language])
    _set_font(styles["Normal"].font, 11)
    _set_font(styles["Heading 1"].font, 20)
    _set_font(styles["Subtitle"].font, 10)
    styles["Subtitle"].font.italic = False
    styles["Heading 1"].paragraph_format.space_before = Pt(0)
    styles["Heading 1"].paragraph_format.space_after = Pt(6)
    quote = styles["Quote"]
    quote.font.italic = False  # long italics are hard to read
    quote.font.color.rgb = _INK
    quote.paragraph_format.left_indent = quote.paragraph_format.right_indent = _INDENT
    warning = styles.add_style(_WARNED, WD_STYLE_TYPE.PARAGRAPH)
    warning.base_style = styles["Normal"]
    warning.font.bold = True
    warning.font.color.rgb = _WARNING
    warning.paragraph_format.left_indent = _INDENT


def _set_font(font: object, size: int) -> None:
    font.size, font.color.rgb = Pt(size), _INK  # type: ignore[attr-defined] -- the library's own


def _number_pages(document: Document) -> None:
    footer: Paragraph = document.sections[0].footer.paragraphs[0]
    footer.alignment = WD_ALIGN_PARAGRAPH.CENTER
    field = OxmlElement("w:fldSimple", {qn("w:instr"): "PAGE"})
    footer.add_run().element.addnext(field)

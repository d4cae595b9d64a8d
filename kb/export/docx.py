"""A dossier as a Word document: headings, quotes in their languages, sources as footnotes."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Final, cast

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
    from docx.oxml.xmlchemy import BaseOxmlElement
    from docx.text.paragraph import Paragraph
    from docx.text.run import Run

    from kb.briefs.model import Dossier

_INK: Final = RGBColor(0x1B, 0x1F, 0x24)
_WARNING: Final = RGBColor(0x8A, 0x2B, 0x06)  # 8:1 on white
_MUTED: Final = RGBColor(0x4F, 0x56, 0x61)
_ABOUT: Final = "About"
_WARNED: Final = "Warning"
_INDENT: Final = Cm(1)
_REGIONS: Final = {"fr": "fr-FR", "en": "en-GB"}


def to_docx(dossier: Dossier, base_url: str = "") -> bytes:
    """Write a dossier as Office Open XML (ECMA-376); see ``told`` for ``base_url``."""
    telling = told(dossier, base_url)
    document = docx.Document()
    _describe(document, telling.title, telling.language, dossier.day)
    _set_styles(document, telling.language)
    _set_pages(document)
    notes = Footnotes.of(document)
    document.add_heading(telling.title, level=1)
    document.add_paragraph(telling.about, style=_ABOUT)
    for block in telling.blocks:
        match block:
            case Text(text):
                document.add_paragraph(text)
            case Quote():
                _add_quote(document, notes, block)
            case Gap(text):
                document.add_paragraph(text, style=_WARNED)
    return _saved(document, dossier.day)


def _saved(document: Document, day: date) -> bytes:
    """The file: of the same dossier always the same, whatever the time is."""
    saved, dated = io.BytesIO(), io.BytesIO()
    document.save(saved)
    with zipfile.ZipFile(saved) as parts, zipfile.ZipFile(dated, "w") as package:
        for name in parts.namelist():
            entry = zipfile.ZipInfo(name, (day.year, day.month, day.day, 12, 0, 0))
            package.writestr(entry, parts.read(name), zipfile.ZIP_DEFLATED)
    return dated.getvalue()


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
    normal, heading, quote = styles["Normal"], styles["Heading 1"], styles["Quote"]
    for style, size in ((normal, 11), (heading, 20), (quote, 11)):
        style.font.size, style.font.color.rgb = Pt(size), _INK
    heading.paragraph_format.space_before, heading.paragraph_format.space_after = Pt(0), Pt(6)
    quote.font.italic = False  # long italics are hard to read
    quote.paragraph_format.left_indent = quote.paragraph_format.right_indent = _INDENT
    quote.element.get_or_add_pPr().insert_element_before(_line_beside(), "w:spacing", "w:ind")
    about = styles.add_style(_ABOUT, WD_STYLE_TYPE.PARAGRAPH)
    warning = styles.add_style(_WARNED, WD_STYLE_TYPE.PARAGRAPH)
    about.base_style = warning.base_style = normal
    about.font.size, about.font.color.rgb = Pt(10), _MUTED
    warning.font.bold, warning.font.color.rgb = True, _WARNING
    warning.paragraph_format.left_indent = _INDENT


def _line_beside() -> BaseOxmlElement:
    """A line at the left of a paragraph."""
    lines = cast("BaseOxmlElement", OxmlElement("w:pBdr"))
    side = {"val": "single", "sz": "12", "space": "8", "color": "8A919C"}
    lines.append(OxmlElement("w:left", {qn(f"w:{name}"): value for name, value in side.items()}))
    return lines


def _set_pages(document: Document) -> None:
    """A4, with a number at the foot of each page."""
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Cm(
        2.5
    )
    footer: Paragraph = section.footer.paragraphs[0]
    footer.alignment = WD_ALIGN_PARAGRAPH.CENTER
    field = OxmlElement("w:fldSimple", {qn("w:instr"): "PAGE"})
    footer.add_run().element.addnext(field)

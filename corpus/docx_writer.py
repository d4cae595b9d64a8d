"""Lays a source out as a Word document: headings, tables, lists and real footnotes."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from blocks import Heading, Item, Paragraph, Table
from docx import Document
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt

if TYPE_CHECKING:
    from blocks import Block, Run, Source

LOCALES = {"fr": "fr-FR", "en": "en-GB"}
ZIP_DATE = (2026, 1, 1, 0, 0, 0)
FOOTNOTES_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
FOOTNOTES_LINK = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
WORD_SPACE = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SEPARATORS = (
    '<w:footnote w:type="separator" w:id="-1"><w:p><w:r><w:separator/></w:r></w:p></w:footnote>'
    '<w:footnote w:type="continuationSeparator" w:id="0">'
    "<w:p><w:r><w:continuationSeparator/></w:r></w:p></w:footnote>"
)


def write_docx(source: Source) -> bytes:
    """Return the Word document of ``source``, the same bytes at every run."""
    document = Document()
    _set_page(document, source)
    _drop_thumbnail(document)
    numbers = {key: number for number, key in enumerate(source.notes, start=1)}
    for block in source.blocks:
        _add(document, block, numbers)
    if source.notes:
        document.part.relate_to(_footnotes(document, source), FOOTNOTES_LINK)
    stream = io.BytesIO()
    document.save(stream)
    return _fixed_dates(stream.getvalue())


def members(content: bytes) -> dict[str, bytes]:
    """Return what a Word file holds, by name, whatever compressed it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _set_page(document: Any, source: Source) -> None:
    meta = source.meta
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2.5)
    section.header.paragraphs[0].text = f"{meta['issuer']} – {meta['head']}"
    _page_field(section.footer.paragraphs[0])
    document.styles["Normal"].font.name = "Calibri"
    document.styles["Normal"].font.size = Pt(11)
    language = document.styles.element.find(".//" + qn("w:lang"))
    language.set(qn("w:val"), LOCALES[meta["lang"]])
    properties = document.core_properties
    properties.title, properties.author = meta["title"], meta["authors"]
    properties.language = LOCALES[meta["lang"]]
    properties.comments = ""
    properties.last_modified_by = meta["issuer"]
    date = datetime.fromisoformat(meta["date"])
    properties.created = properties.modified = date


def _drop_thumbnail(document: Any) -> None:
    links = document.part.package.rels  # the template's thumbnail shows another document
    for key in [key for key, link in links.items() if link.reltype.endswith("/thumbnail")]:
        del links[key]


def _add(document: Any, block: Block, numbers: dict[str, int]) -> None:
    if isinstance(block, Table):
        _add_table(document, block, numbers)
        return
    if isinstance(block, Heading):
        paragraph = document.add_heading(level=block.level)
    elif isinstance(block, Item):
        style = "List Bullet" if block.number is None else "List Number"
        paragraph = document.add_paragraph(style=style)
    elif isinstance(block, Paragraph):
        paragraph = document.add_paragraph(style="Intense Quote" if block.aside else None)
    _fill(paragraph, block.runs, numbers)


def _add_table(document: Any, block: Table, numbers: dict[str, int]) -> None:
    table = document.add_table(rows=len(block.rows), cols=len(block.rows[0]), style="Table Grid")
    for row, cells in zip(table.rows, block.rows, strict=True):
        for cell, runs in zip(row.cells, cells, strict=True):
            _fill(cell.paragraphs[0], runs, numbers)
    for cell in table.rows[0].cells:
        for run in cell.paragraphs[0].runs:
            run.bold = True
    table.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))  # noqa: SLF001 -- the only way to repeat a header row
    document.add_paragraph()


def _fill(paragraph: Any, runs: tuple[Run, ...], numbers: dict[str, int]) -> None:
    for run in runs:
        written = paragraph.add_run(run.text)
        written.bold, written.italic = run.bold or None, run.italic or None
        if run.note is not None:
            written.font.superscript = True
            reference = OxmlElement("w:footnoteReference")
            reference.set(qn("w:id"), str(numbers[run.note]))
            written._r.append(reference)  # noqa: SLF001 -- python-docx writes no footnotes


def _page_field(paragraph: Any) -> None:
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), "PAGE")
    paragraph._p.append(field)  # noqa: SLF001 -- python-docx writes no fields


def _footnotes(document: Any, source: Source) -> Part:
    notes = "".join(
        f'<w:footnote w:id="{number}"><w:p><w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr>'
        f'<w:footnoteRef/></w:r><w:r><w:t xml:space="preserve"> '
        f"{escape(''.join(run.text for run in runs))}</w:t></w:r></w:p></w:footnote>"
        for number, runs in enumerate(source.notes.values(), start=1)
    )
    xml = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        f'<w:footnotes xmlns:w="{WORD_SPACE}">{SEPARATORS}{notes}</w:footnotes>'
    )
    return Part(PackURI("/word/footnotes.xml"), FOOTNOTES_TYPE, xml.encode(), document.part.package)


def _fixed_dates(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members(content).items():
            info = zipfile.ZipInfo(name, date_time=ZIP_DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
    return stream.getvalue()

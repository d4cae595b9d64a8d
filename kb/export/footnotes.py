"""Footnotes of a Word document, which python-docx does not know: their part, mark and settings.

The parts and elements are those of ECMA-376, part 1, section 17.11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from docx.enum.style import WD_STYLE_TYPE
from docx.opc.constants import CONTENT_TYPE, RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.parts.story import StoryPart
from docx.shared import Pt
from docx.text.paragraph import Paragraph
from docx.text.run import Run

if TYPE_CHECKING:
    from docx.document import Document
    from docx.oxml.text.paragraph import CT_P
    from docx.oxml.text.run import CT_R

# The names by which word processors know these styles.
_NOTE: Final = "footnote text"
_MARK: Final = "footnote reference"
_LINK: Final = "Hyperlink"
# The lines between the text and the notes, and where a long note goes on: no notes of their own.
_LINES: Final = {"separator": "-1", "continuationSeparator": "0"}


class Footnotes(StoryPart):
    """The notes of a document; every note is one paragraph."""

    @classmethod
    def of(cls, document: Document) -> Footnotes:
        """Give a new document its part of notes, with styles and settings."""
        _add_styles(document)
        lines = "".join(
            f'<w:footnote w:type="{name}" w:id="{number}"><w:p><w:pPr>'
            f'<w:spacing w:after="0" w:line="240" w:lineRule="auto"/></w:pPr>'
            f"<w:r><w:{name}/></w:r></w:p></w:footnote>"
            for name, number in _LINES.items()
        )
        element = parse_xml(f"<w:footnotes {nsdecls('w', 'r')}>{lines}</w:footnotes>")
        uri, package = PackURI("/word/footnotes.xml"), document.part.package
        part = cls(uri, CONTENT_TYPE.WML_FOOTNOTES, element, package)
        document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
        known = OxmlElement("w:footnotePr")
        for number in _LINES.values():
            known.append(OxmlElement("w:footnote", {qn("w:id"): number}))
        document.settings.element.find(qn("w:compat")).addprevious(known)
        return part

    def add(self, paragraph: Paragraph) -> Paragraph:
        """Put the mark of a new note at the end of a paragraph, and return the note."""
        number = str(len(self.element) - len(_LINES) + 1)
        mark = paragraph.add_run(style=_MARK)
        mark.element.append(OxmlElement("w:footnoteReference", {qn("w:id"): number}))
        footnote = OxmlElement("w:footnote", {qn("w:id"): number})
        words = cast("CT_P", OxmlElement("w:p"))
        footnote.append(words)
        self.element.append(footnote)
        note = Paragraph(words, self)
        note.style = _NOTE
        note.add_run(style=_MARK).element.append(OxmlElement("w:footnoteRef"))
        note.add_run(" ")
        return note

    def add_link(self, note: Paragraph, url: str) -> None:
        """Add an address to the end of a note, to be followed."""
        target = self.relate_to(url, RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
        link = OxmlElement("w:hyperlink", {qn("r:id"): target})
        run = cast("CT_R", OxmlElement("w:r"))
        link.append(run)
        note.add_run(" ").element.addnext(link)
        shown = Run(run, note)
        shown.text, shown.style = url, _LINK


def _add_styles(document: Document) -> None:
    note = document.styles.add_style(_NOTE, WD_STYLE_TYPE.PARAGRAPH, builtin=True)
    note.base_style = document.styles["Normal"]
    note.font.size = Pt(9)
    note.paragraph_format.space_after = Pt(2)
    note.paragraph_format.line_spacing = 1.0
    mark = document.styles.add_style(_MARK, WD_STYLE_TYPE.CHARACTER, builtin=True)
    mark.font.superscript = True
    link = document.styles.add_style(_LINK, WD_STYLE_TYPE.CHARACTER, builtin=True)
    link.font.underline = True

"""Reads Word files: headings by style, paragraphs, tables, footnotes, properties."""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING, Any

import docx
from docx.opc.exceptions import PackageNotFoundError
from lxml import etree

from ingest.readers.archives import open_office_file
from ingest.readers.blocks import Sections
from ingest.readers.encoding import squash, tidy
from ingest.readers.markup import name_of
from ingest.readers.sniff import format_of
from kb.errors import UnreadableError
from kb.model import Metadata, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

    from ingest.readers.base import Source
    from kb.model import Parsed

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_HEADING = re.compile(r"(?:heading|titre|überschrift)\s?([1-9])$", re.IGNORECASE)
_TITLE = re.compile(r"(title|titre)$", re.IGNORECASE)
_CONTENTS = re.compile(r"(toc|tm|table des matières)\b\s?\d?", re.IGNORECASE)
# Deleted text, field codes ("PAGE \* MERGEFORMAT") and the old copy of a drawing are not printed.
_SILENT = {"del", "moveFrom", "instrText", "delText", "Fallback", "pPr", "rPr"}
_NOTES = ("/word/footnotes.xml", "/word/endnotes.xml")
_NOTES_PATH = ("Notes",)


class DocxReader:
    """Reads DOCX, one section per main heading."""

    name = "docx"
    preference = 50

    def accepts(self, source: Source) -> bool:
        """Tell whether the archive holds a Word document."""
        return format_of(source) == self.name

    def read(self, source: Source) -> Parsed:
        """Read the body in order, then the notes."""
        try:
            document = docx.Document(open_office_file(source))
        except UnreadableError:
            raise
        except (
            PackageNotFoundError,
            KeyError,
            ValueError,
            etree.XMLSyntaxError,
            zipfile.BadZipFile,
            AttributeError,
        ) as error:
            message = f"{source.name} is no readable Word file ({error})."
            raise UnreadableError(f"{message} Open it, save it anew and try again.") from error
        flow = _Flow(_style_names(document))
        try:
            flow.visit(document.element.body)
        except RecursionError as error:
            raise UnreadableError(f"{source.name} is nested too deeply to be read.") from error
        _add_notes(document, flow.sections)
        return flow.sections.parsed(source, _metadata(document.core_properties, flow.title))


class _Flow:
    """Turns the body's paragraphs and tables into blocks."""

    def __init__(self, styles: dict[str, str]) -> None:
        self.sections = Sections()
        self.title: str | None = None
        self._styles = styles
        self._outline: list[tuple[int, str]] = []

    def visit(self, element: _Element) -> None:
        """Take in the blocks inside, those of content controls and insertions too."""
        for child in element:
            name = name_of(child)
            if name == "p":
                self._paragraph(child)
            elif name == "tbl":
                self._table(child)
            elif name in {"sdt", "sdtContent", "ins", "moveTo", "customXml"}:
                self.visit(child)

    def _paragraph(self, element: _Element) -> None:
        text = _text(element)
        if not text:
            return
        style = self._style(element)
        path = tuple(name for _, name in self._outline)
        if _TITLE.match(style) and self.title is None:
            self.title = squash(text)
            self.sections.add(text.replace("\n", " "), Role.HEADING)
        elif level := self._level(element, style):
            self._heading(level, squash(text))
        else:
            role = Role.CONTENTS if _CONTENTS.match(style) else Role.BODY
            self.sections.add(text, role, path)

    def _heading(self, level: int, text: str) -> None:
        self._outline = [item for item in self._outline if item[0] < level]
        if level == 1:
            self.sections.begin()
        self.sections.add(text, Role.HEADING, tuple(name for _, name in self._outline))
        self._outline.append((level, text))

    def _style(self, paragraph: _Element) -> str:
        style = paragraph.find(f"{_W}pPr/{_W}pStyle")
        identifier = style.get(f"{_W}val") if style is not None else None
        return self._styles.get(identifier or "", identifier or "")

    def _level(self, paragraph: _Element, style: str) -> int:
        """Return the heading's level by its style's name or its outline level, else 0."""
        if found := _HEADING.match(style):
            return int(found[1])
        outline = paragraph.find(f"{_W}pPr/{_W}outlineLvl")
        value = outline.get(f"{_W}val") if outline is not None else None
        return int(value) + 1 if value and value.isdigit() and int(value) < 9 else 0  # noqa: PLR2004 -- 9 is body text

    def _table(self, table: _Element) -> None:
        path = tuple(name for _, name in self._outline)
        self.sections.end_table()
        rows = [each for each in table.iter(f"{_W}tr") if _owner(each) is table]
        for place, row in enumerate(rows):
            texts = [squash(_cell(cell)) for cell in _cells(row)]
            if any(texts):
                head = place == 0 and len(rows) > 1 and all(texts)
                self.sections.add(" | ".join(texts), Role.TABLE, path, header_row=head)
        self.sections.end_table()


def _cells(row: _Element) -> Iterator[_Element]:
    for child in row:
        if name_of(child) == "tc":
            yield child
        elif name_of(child) in {"sdt", "sdtContent"}:
            yield from _cells(child)


def _cell(cell: _Element) -> str:
    return " ".join(text for each in cell.iter(f"{_W}p") if (text := _text(each)))


def _owner(row: _Element) -> _Element | None:
    return next((each for each in row.iterancestors(f"{_W}tbl")), None)


def _text(paragraph: _Element) -> str:
    """Return a paragraph's printed text; that of insertions, links and fields is in it."""
    pieces: list[str] = []
    _collect(paragraph, pieces)
    return "".join(pieces).strip()


def _collect(element: _Element, pieces: list[str]) -> None:
    for child in element:
        match name_of(child):
            case "t":
                pieces.append(child.text or "")
            case "tab" | "ptab":
                pieces.append(" ")
            case "br" | "cr":
                pieces.append("\n")
            case "noBreakHyphen":
                pieces.append("-")
            case name if name and name not in _SILENT:
                _collect(child, pieces)


def _style_names(document: Any) -> dict[str, str]:
    """Return each style's name by its identifier, a heading's for the styles based on it."""
    names = {}
    for style in document.styles:
        name, base, seen = style.name or "", getattr(style, "base_style", None), 0
        while base is not None and not _HEADING.match(name) and seen < 10:  # noqa: PLR2004 -- a cycle of styles
            if _HEADING.match(base.name or ""):
                name = base.name
            base, seen = getattr(base, "base_style", None), seen + 1
        names[style.style_id] = name
    return names


def _add_notes(document: Any, sections: Sections) -> None:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    begun = False
    for part in document.part.package.iter_parts():
        if str(part.partname) not in _NOTES:
            continue
        try:
            root = etree.fromstring(part.blob, parser)
        except etree.XMLSyntaxError:
            continue
        for note in root:
            kind = note.get(f"{_W}type")  # separators are notes too
            text = " ".join(t for each in note.iter(f"{_W}p") if (t := _text(each)))
            if text and kind in {None, "normal"}:
                if not begun:
                    sections.begin(_NOTES_PATH[0])
                    begun = True
                sections.add(text, Role.NOTE, _NOTES_PATH)


def _metadata(properties: Any, title: str | None) -> Metadata:
    def stated(value: object) -> str | None:
        return squash(tidy(value)) or None if isinstance(value, str) else None

    author = stated(properties.author)
    # python-docx's own template names itself as author.
    authors = tuple(re.split(r"\s*;\s*", author)) if author and author != "python-docx" else ()
    language = stated(properties.language)
    saved = properties.modified or properties.created
    return Metadata(
        title=stated(properties.title) or title,
        authors=authors,
        published=saved.date() if saved else None,
        language=language[:2].lower() if language else None,
    )

"""Reads Formex 4, the XML in which the EU's Publications Office keeps its acts."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from lxml import etree

from ingest.readers.act_metadata import Consolidation, act_metadata
from ingest.readers.acts import Line, Part, assemble, closes_quotation, joined
from ingest.readers.encoding import squash
from ingest.readers.markup import is_instruction, load_markup, name_of, parse_xml, words_of
from ingest.readers.sniff import format_of
from kb.errors import UnreadableError, UnsupportedError

if TYPE_CHECKING:
    from lxml.etree import _Element

    from ingest.readers.base import Source
    from kb.model import Parsed

_BLOCKS = {
    *("P", "ALINEA", "LIST", "ITEM", "NP", "TXT", "TBL", "QUOT.S", "ARTICLE", "PARAG", "DLIST"),
    *("GR.SEQ", "DIVISION", "CONTENTS", "VISA", "CONSID", "INCL.ELEMENT", "CONS.ANNEX", "ANNEX"),
    *("TITLE", "SIGNATURE", "SIGNATORY", "TOC", "FINAL", "PREAMBLE", "ENACTING.TERMS", "CORPUS"),
    *("GR.VISA", "GR.CONSID", "GR.CONSID.INIT", "PREAMBLE.INIT", "PREAMBLE.FINAL", "STI", "TI"),
    *(
        "TOC.BLK",
        "TOC.ITEM",
        "CONS.DOC",
        "PL.DATE",
        "DLIST.ITEM",
        "NO.P",
        "NO.PARAG",
        "TI.ART",
        "STI.ART",
        "GR.NOTES",
    ),
}
_SILENT = {
    *("BIB.INSTANCE", "BIB.DATA", "INFO.CONSLEG", "INFO.PROD", "FAM.COMP", "GR.ANNOTATION"),
    *("TOC.ITEM.PAGE", "REF.PHYS"),
}
_MARKERS = {"NO.P", "NO.PARAG", "PREFIX"}
_NOTE = "\ue000"
_DASH = "—"
_DELETIONS_LEFT = "{} passages that a later act deleted could not be told apart and are still in."


class FormexReader:
    """Reads acts and consolidated acts in Formex 4."""

    name = "formex"
    preference = 20

    def accepts(self, source: Source) -> bool:
        """Tell by the root element."""
        return format_of(source) == self.name

    def read(self, source: Source) -> Parsed:
        """Read an act; a manifest (root ``DOC``), which holds no text, is refused."""
        root = parse_xml(load_markup(source), source)
        if name_of(root) == "DOC":
            raise UnsupportedError(_manifest(root, source))
        language = (_text_at(root, "LG.DOC") or _text_at(root, "LG.OJ") or "").lower() or None
        deletions_left = _drop_deleted(root)
        walker = _Walker(language)
        try:
            walker.visit(root)
        except RecursionError as error:
            raise UnreadableError(f"{source.name} is nested too deeply to be read.") from error
        title = " ".join(line.text for line in walker.lines if line.part is Part.TITLE)
        metadata = act_metadata(squash(title), language, _state(root, language), source.name)
        warnings = (_DELETIONS_LEFT.format(deletions_left),) if deletions_left else ()
        return assemble(walker.lines, metadata.language).parsed(source, metadata, warnings)


class _Walker:
    """Turns elements into lines, in reading order."""

    def __init__(self, language: str | None) -> None:
        self.lines: list[Line] = []
        self._separator = " " if language == "fr" else ""
        self._markers: list[str] = []
        self._quoted = 0
        self._notes = 0
        self._stars = 0

    def visit(self, element: _Element) -> None:
        """Take in an element and what it holds."""
        name = name_of(element)
        if not name or name in _SILENT:
            return
        handler = _HANDLERS.get(name)
        if handler:
            handler(self, element)
        elif name in _MARKERS:
            self._markers.append(self.inline(element))
        elif _holds_blocks(element):
            self.container(element)
        else:
            self.emit(Part.TEXT, self.inline(element))

    def container(self, element: _Element) -> None:
        """Visit the blocks inside; text between them becomes blocks of its own."""
        loose = [element.text or ""]
        for child in element:
            if name_of(child) in _SILENT:
                pass
            elif name_of(child) != "NOTE" and (name_of(child) in _BLOCKS or _holds_blocks(child)):
                self._loose(loose)
                self.visit(child)
            else:
                loose += self.pieces(child)
            loose.append(child.tail or "")
        self._loose(loose)

    def _loose(self, pieces: list[str]) -> None:
        text = joined(pieces, _NOTE)
        pieces.clear()
        self.emit(Part.TEXT, text)

    def emit(self, part: Part, text: str, level: int = 1) -> None:
        """Add a line with the markers that wait for it."""
        if not text:
            return
        if not self._markers and closes_quotation(text) and self.lines:
            self.lines[-1] = self.lines[-1].closed_by(text)
            return
        if self._markers and part is not Part.NOTE:
            text = " ".join((*self._markers, text))
            self._markers = []
        quoted = self._quoted and part not in {Part.ROW, Part.HEADER_ROW, Part.NOTE}
        self.lines.append(Line(Part.TEXT if quoted else part, text, level))

    def inline(self, element: _Element) -> str:
        """Return the running text of an element, notes taken out."""
        return joined(self.pieces(element), _NOTE)

    def pieces(self, element: _Element) -> list[str]:
        """Return the texts of an inline element; its notes are emitted on the way."""
        name = name_of(element)
        if not name:
            return []
        if name == "NOTE":
            self._note(element)
            return [_NOTE]
        if name in {"QUOT.START", "QUOT.END"}:
            return [chr(int(element.get("CODE") or "20", 16))]
        pieces = [element.text or ""]
        for child in element:
            if name_of(child) in _BLOCKS:
                pieces.append(" ")
            pieces += self.pieces(child)
            pieces.append(child.tail or "")
        if name == "HT" and element.get("TYPE") == "UC":
            return [piece.upper() for piece in pieces]
        if name == "FT" and element.get("TYPE") == "NUMBER":
            return [_grouped("".join(pieces))]
        return pieces

    def _note(self, element: _Element) -> None:
        """Emit a note with the number that its printed form bears."""
        if element.get("NOTE.REF") and not len(element):
            return
        starred = element.get("NUMBERING") == "STAR"
        if starred:
            self._stars += 1
        else:
            self._notes += 1
        number = f"(*{self._stars})" if starred else f"({self._notes})"
        text = joined([piece for child in element for piece in (*self.pieces(child), " ")], _NOTE)
        self.emit(Part.NOTE, f"{number} {text}")

    def title(self, element: _Element) -> None:
        """Emit a heading as the part its parent makes of it."""
        parent = element.getparent()
        owner = name_of(parent) if parent is not None else ""
        first, second = _TITLES.get(owner, (Part.TEXT, Part.TEXT))
        level = int(parent.get("LEVEL") or 1) if parent is not None else 1
        for child in element:
            part = second if name_of(child) == "STI" else first
            paragraphs = [each for each in child if name_of(each) == "P"] or [child]
            for each in paragraphs:
                self.emit(part, self.inline(each), level)

    def article(self, element: _Element) -> None:
        """Emit the article's number and title, then what it says."""
        for child in element:
            if name_of(child) == "TI.ART":
                self.emit(Part.ARTICLE, self.inline(child))
            elif name_of(child) == "STI.ART":
                self.emit(Part.ARTICLE_TITLE, self.inline(child))
            else:
                self.visit(child)

    def quotation(self, element: _Element) -> None:
        """Emit what an amending act quotes: its headings are not this act's."""
        self._quoted += 1
        self.container(element)
        self._quoted -= 1

    def list_item(self, element: _Element) -> None:
        """Emit a point; a dash is not in the text but in the kind of list."""
        parent = element.getparent()
        numbered = any(name_of(child) == "NP" for child in element)
        if parent is not None and parent.get("TYPE") == "DASH" and not numbered:
            self._markers.append(_DASH)
        self.container(element)

    def definition(self, element: _Element) -> None:
        """Emit a term and its definition as one block."""
        parent = element.getparent()
        sign = (parent.get("SEPARATOR") if parent is not None else None) or ":"
        texts = {name_of(child): self.inline(child) for child in element}
        if prefix := texts.get("PREFIX"):
            self._markers.append(prefix)
        term, meaning = texts.get("TERM", ""), texts.get("DEFINITION", "")
        self.emit(Part.TEXT, squash(f"{term}{self._separator}{sign} {meaning}"))

    def contents(self, element: _Element) -> None:
        """Emit a line of the table of contents."""
        self.emit(Part.CONTENTS, squash(" ".join(self.inline(child) for child in element)))

    def table(self, element: _Element) -> None:
        """Emit a table's title, rows and notes."""
        for child in element:
            if name_of(child) == "TITLE":
                self.emit(Part.TEXT, self.inline(child))
            elif name_of(child) == "GR.NOTES":
                for note in child:
                    self.pieces(note)
        spanning: dict[int, tuple[int, str]] = {}
        for row in element.iter("ROW"):
            if next(row.iterancestors("TBL"), None) is element:
                self._row(row, spanning)

    def _row(self, row: _Element, spanning: dict[int, tuple[int, str]]) -> None:
        texts: dict[int, str] = {}
        for column, (left, text) in list(spanning.items()):
            texts[column] = text
            spanning[column] = (left - 1, text)
            if left == 1:
                del spanning[column]
        for place, cell in enumerate((each for each in row if name_of(each) == "CELL"), start=1):
            column, text = int(cell.get("COL") or place), self._cell(cell)
            texts[column] = text
            if (rows := int(cell.get("ROWSPAN") or 1)) > 1:
                spanning[column] = (rows - 1, text)
        if any(texts.values()):
            part = Part.HEADER_ROW if row.get("TYPE") == "HEADER" else Part.ROW
            self.emit(part, squash(" | ".join(text for _, text in sorted(texts.items()))))

    def _cell(self, cell: _Element) -> str:
        for item in cell.iter("ITEM"):  # the dash of a list, see list_item
            parent = item.getparent()
            if parent is not None and parent.get("TYPE") == "DASH" and len(item):
                first = item[0]
                if name_of(first) != "NP":
                    first.text = f"{_DASH} {first.text or ''}"
        return self.inline(cell)

    def silent(self, element: _Element) -> None:
        """Leave out what has been taken in elsewhere."""


_TITLES = {
    "ACT": (Part.TITLE, Part.TITLE),
    "CONS.DOC": (Part.TITLE, Part.TITLE),
    "DIVISION": (Part.DIVISION, Part.DIVISION_TITLE),
    "CONS.ANNEX": (Part.ANNEX, Part.ANNEX_TITLE),
    "ANNEX": (Part.ANNEX, Part.ANNEX_TITLE),
    "GR.SEQ": (Part.GROUP, Part.GROUP),
    "TBL": (Part.TEXT, Part.TEXT),
    "TOC": (Part.CONTENTS, Part.CONTENTS),
    "TOC.BLK": (Part.CONTENTS, Part.CONTENTS),
    "QUOT.S": (Part.TEXT, Part.TEXT),
}
_HANDLERS = {
    "TITLE": _Walker.title,
    "ARTICLE": _Walker.article,
    "QUOT.S": _Walker.quotation,
    "ITEM": _Walker.list_item,
    "DLIST.ITEM": _Walker.definition,
    "TOC.ITEM": _Walker.contents,
    "TBL": _Walker.table,
    "GR.NOTES": _Walker.silent,
}


def _drop_deleted(root: _Element) -> int:
    """Take out what a consolidated text marks as deleted; return the marks left standing.

    The file keeps the words of provisions that are no longer law between two instructions
    (``CLG.MDFO ACTION="DELETED"`` and the ``CLG.MDFC`` that it refers to), where the printed
    text has a row of dashes: the 2023 GBER so holds Articles 37 and 40.
    """
    left = 0
    for opening in list(root.iter(etree.PI)):
        if not is_instruction(opening, "CLG.MDFO") or opening.get("ACTION") != "DELETED":
            continue
        end = opening.get("IDREF")
        after = list(opening.itersiblings())
        ends = (
            place
            for place, each in enumerate(after)
            if is_instruction(each, "CLG.MDFC") and each.get("ID") == end
        )
        last = next(ends, None)
        parent = opening.getparent()
        if last is None or parent is None:
            left += 1
            continue
        opening.tail = None
        for each in after[:last]:
            each.tail = None
            parent.remove(each)
    return left


def _holds_blocks(element: _Element) -> bool:
    """Tell whether blocks lie inside, other than in a note."""
    return any(
        name_of(child) != "NOTE" and (name_of(child) in _BLOCKS or _holds_blocks(child))
        for child in element
    )


def _grouped(number: str) -> str:
    """Write a number as the printed act does: "5404000" as "5 404 000"."""
    digits = number.strip()
    return f"{int(digits):,}".replace(",", " ") if digits.isdigit() else number


def _text_at(root: _Element, name: str) -> str | None:
    found = next(root.iter(name), None)
    return words_of(found) or None if found is not None else None


def _state(root: _Element, language: str | None) -> Consolidation | None:
    """Return which act a consolidated text states, and as of when."""
    info = next(root.iter("INFO.CONSLEG"), None)
    celex = _text_at(root, "NO.CELEX")
    if info is None or not celex:
        return None
    start = info.get("START.DATE") or info.get("CONSLEG.DATE") or ""
    try:
        day = date(int(start[:4]), int(start[4:6]), int(start[6:8]))
    except ValueError:
        return None
    return Consolidation(celex, language or "en", day)


def _manifest(root: _Element, source: Source) -> str:
    file = next((each.get("FILE") for each in root.iter("REF.PHYS") if each.get("FILE")), None)
    title = next((words_of(each) for each in root.iter("TI")), "")
    about = f"{_text_at(root, 'NO.CELEX') or 'an act'}" + (f" ({title[:120]})" if title else "")
    advice = f"Its text is in {file}." if file else "Read the file that it lists."
    return f"{source.name} is a Formex manifest that describes {about} and holds no text. {advice}"

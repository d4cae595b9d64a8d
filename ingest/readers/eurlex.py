"""Reads EU acts from EUR-Lex and Cellar: XHTML of the Official Journal and consolidated texts."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from ingest.readers.act_metadata import act_metadata, consolidation
from ingest.readers.acts import Line, Part, assemble, closes_quotation, joined
from ingest.readers.encoding import squash
from ingest.readers.markup import load_markup, name_of, parse_xhtml, words_of
from ingest.readers.sniff import format_of
from kb.errors import UnreadableError

if TYPE_CHECKING:
    from lxml.etree import _Element

    from ingest.readers.base import Source
    from kb.model import Parsed

# Classes of the Official Journal (their "oj-" of 2023 taken off) and of consolidated texts.
_PARTS = {
    "doc-ti": Part.TITLE,
    "title-doc-first": Part.TITLE,
    "title-doc-last": Part.TITLE,
    "ti-section-1": Part.DIVISION,
    "title-division-1": Part.DIVISION,
    "ti-section-2": Part.DIVISION_TITLE,
    "title-division-2": Part.DIVISION_TITLE,
    "ti-art": Part.ARTICLE,
    "title-article-norm": Part.ARTICLE,
    "sti-art": Part.ARTICLE_TITLE,
    "stitle-article-norm": Part.ARTICLE_TITLE,
    "title-annex-1": Part.ANNEX,
    "title-annex-2": Part.ANNEX_TITLE,
    "title-toc": Part.CONTENTS,
    "toc-item": Part.CONTENTS,
    "note": Part.NOTE,
    "footnote": Part.NOTE,
}
_GROUP = re.compile(r"(?:ti-grseq-|title-gr-seq-level-)(\d)")
_LEFT_OUT = re.compile(
    r"(?:hd-(?!column).*|arrow|modref|reference|disclaimer|title-doc-oj-reference"
    r"|title-fam-member.*|toc-\d)$"
)
_BLOCKS = {
    *("p", "div", "table", "ul", "ol", "li", "dl", "dt", "dd", "blockquote", "section", "hr"),
    *("h1", "h2", "h3", "h4", "h5", "h6"),
}
_SILENT = {"script", "style", "head", "img", "col", "colgroup", "title", "link", "meta"}
_NOTE = "\ue000"  # stands for a note's marker until the spaces around it are mended
_NOTE_MARKER = re.compile(r"\(?\s*[*\w]{1,4}\s*\)?$")
_NOTE_NUMBER = re.compile(r"^\(\s*(\*?\w{1,4})\s*\)\s*")
_CONTENTS = re.compile(
    r"(table of )?contents|table des matières|sommaire|annexe?s\s?:", re.IGNORECASE
)
_ANNEX = re.compile(r"(annexe?|append(ix|ice))\b", re.IGNORECASE)
_IMPRINT = re.compile(r"(ELI|ISSN)\b[ :]")
_QUOTED = ("‘", "“", "«", '"', "'")
_LONGEST_MARKER = 12


class EurlexReader:
    """Reads the XHTML of EUR-Lex, one section per article."""

    name = "eurlex"
    preference = 10

    def accepts(self, source: Source) -> bool:
        """Tell whether the head bears the classes of EUR-Lex."""
        return format_of(source) == self.name

    def read(self, source: Source) -> Parsed:
        """Read an act; the version is that of its head (consolidated) or its date."""
        root = parse_xhtml(load_markup(source), source)
        state = consolidation(_first_text(root, "reference"))
        walker = _Walker(consolidated=state is not None, root=root)
        try:
            walker.visit(root)
        except RecursionError as error:
            raise UnreadableError(f"{source.name} is nested too deeply to be read.") from error
        title = squash(" ".join(line.text for line in walker.lines if line.part is Part.TITLE))
        language = _language(root)
        metadata = act_metadata(title, language, state, source.name)
        return assemble(walker.lines, metadata.language).parsed(source, metadata)


class _Walker:
    """Turns elements into lines, in reading order."""

    def __init__(self, root: _Element, *, consolidated: bool) -> None:
        self.lines: list[Line] = []
        self._markers: list[str] = []
        self._depth = 0
        # A consolidated text begins with a head (title, list of amendments) that ends at the last
        # rule of this class; the act's own title follows.
        rules = [each for each in root.iter() if "separator" in _classes(each)]
        self._begins_at = rules[-1] if consolidated and rules else None

    def visit(self, element: _Element) -> None:
        """Take in an element and what it holds."""
        name, classes = name_of(element), _classes(element)
        if element is self._begins_at:
            self._begins_at = None
        if not name or name in _SILENT or any(_LEFT_OUT.match(each) for each in classes):
            return
        if "grid-list-column-1" in classes or "no-parag" in classes:
            self._marker(_inline(element))
        elif name == "table":
            self._table(element)
        elif _part(classes) is Part.NOTE:
            note = _inline(element, keep_markers=True)
            self._emit(Part.NOTE, _NOTE_NUMBER.sub(r"(\1) ", note))
        elif _holds_blocks(element):
            self._container(element)
        else:
            self._leaf(element, classes)

    def _container(self, element: _Element) -> None:
        """Visit the blocks inside; text between them becomes blocks of its own."""
        listed = "grid-list-column-2" in _classes(element)
        self._depth += listed
        loose = [element.text or ""]
        for child in element:
            child_classes = _classes(child)
            block = name_of(child) in _BLOCKS or _holds_blocks(child)
            if block or "no-parag" in child_classes:
                self._loose(loose)
                self.visit(child)
            elif not (child.get("id") or "").startswith("textofimagelink"):
                loose.extend(_pieces(child))
            loose.append(child.tail or "")
        self._loose(loose)
        self._depth -= listed

    def _loose(self, pieces: list[str]) -> None:
        text = joined(pieces, _NOTE)
        pieces.clear()
        self._emit(Part.TEXT, text)

    def _leaf(self, element: _Element, classes: list[str]) -> None:
        text = _inline(element)
        part, level = _part(classes), 1
        group = next((found for each in classes if (found := _GROUP.match(each))), None)
        if group:
            part, level = Part.GROUP, int(group[1])
        if "ti-tbl" in classes and _CONTENTS.match(text):
            part = Part.CONTENTS
        # What an amending act quotes has headings of its own, which are not this act's.
        if part is not Part.TEXT and (self._depth or text.startswith(_QUOTED)):
            part = Part.TEXT
        self._emit(self._annex_or(part, text), text, level)

    def _annex_or(self, part: Part, text: str) -> Part:
        """In the Official Journal an annex's title has the class of the act's title."""
        if part is not Part.TITLE:
            return part
        previous = self.lines[-1].part if self.lines else None
        if previous in {Part.ANNEX, Part.ANNEX_TITLE}:
            return Part.ANNEX_TITLE
        first = previous is None or previous is Part.TITLE
        return Part.TITLE if first and not _ANNEX.match(text) else Part.ANNEX

    def _marker(self, text: str) -> None:
        if text:
            self._markers.append(text)

    def _emit(self, part: Part, text: str, level: int = 1) -> None:
        if self._begins_at is not None or _IMPRINT.match(text) or not text:
            return
        if not self._markers and closes_quotation(text) and self.lines:
            self.lines[-1] = self.lines[-1].closed_by(text)
            return
        if self._markers and part is not Part.NOTE:
            if part is Part.ROW or part is Part.HEADER_ROW:
                self.lines.append(Line(Part.TEXT, " ".join(self._markers)))
            else:
                text = " ".join((*self._markers, text))
            self._markers = []
        self.lines.append(Line(part, text, level))

    def _table(self, table: _Element) -> None:
        rows = _own(table, "tr")
        within = {each for row in table.iter() for each in _classes(row)}
        if "toc-item" in within or "title-toc" in within or _is_contents(table, within):
            for row in rows:
                self._emit(
                    Part.CONTENTS, squash(" ".join(_cell(each) for each in _contents_cells(row)))
                )
        elif "table" in _classes(table) or table.get("border") not in {None, "0"}:
            self._grid(rows)
        else:
            for row in rows:
                self._layout_row(row)

    def _grid(self, rows: list[_Element]) -> None:
        """Emit a real table; cells that span rows are repeated, so each row can stand alone."""
        spanning: dict[int, tuple[int, str]] = {}
        heading = True
        for row in rows:
            cells = [each for each in row if name_of(each) in {"td", "th"}]
            if len(cells) == 1 and (note := _table_note(cells[0])):
                self._emit(Part.NOTE, note)
                continue
            texts = _row_texts(cells, spanning)
            heading = heading and bool(cells) and all(_is_header(each) for each in cells)
            if any(texts):
                self._emit(Part.HEADER_ROW if heading else Part.ROW, squash(" | ".join(texts)))

    def _layout_row(self, row: _Element) -> None:
        """Emit a point of a list that the Official Journal lays out as a table's row."""
        cells = [each for each in row if name_of(each) in {"td", "th"}]
        filled = [each for each in cells if _cell(each)]
        self._depth += 1
        while len(filled) > 1 and _is_marker(text := _cell(filled[0])):
            self._marker(text)
            filled.pop(0)
        if len(filled) > 1 and not any("signatory" in _all_classes(each) for each in filled):
            self._emit(Part.ROW, " | ".join(_cell(each) for each in filled))
        else:
            for cell in filled:
                self._container(cell)
        self._depth -= 1


def _row_texts(cells: list[_Element], spanning: dict[int, tuple[int, str]]) -> list[str]:
    """Return the row's texts; ``spanning`` keeps, by column, the rows left to fill and the text."""
    texts = {column: text for column, (_, text) in spanning.items()}
    taken = set(spanning)
    for column, (left, text) in list(spanning.items()):
        spanning[column] = (left - 1, text)
        if left == 1:
            del spanning[column]
    column = 0
    for cell in cells:
        while column in taken:
            column += 1
        texts[column] = _cell(cell)
        if (rows := _number(cell.get("rowspan"))) > 1:
            spanning[column] = (rows - 1, texts[column])
        column += _number(cell.get("colspan"))
    return [text for _, text in sorted(texts.items())]


def _number(value: str | None) -> int:
    return int(value) if value and value.isdigit() else 1


def _classes(element: _Element) -> list[str]:
    if not isinstance(element.tag, str):
        return []
    return [each.removeprefix("oj-") for each in (element.get("class") or "").split()]


def _all_classes(element: _Element) -> set[str]:
    return {each for inner in element.iter() for each in _classes(inner)}


def _part(classes: list[str]) -> Part:
    return next((_PARTS[each] for each in classes if each in _PARTS), Part.TEXT)


def _holds_blocks(element: _Element) -> bool:
    return any(name_of(each) in _BLOCKS for each in element.iterdescendants())


def _own(table: _Element, name: str) -> list[_Element]:
    """Return the table's rows, without those of tables inside it."""
    found = []
    for each in table:
        if name_of(each) == name:
            found.append(each)
        elif name_of(each) in {"tbody", "thead", "tfoot"}:
            found += [inner for inner in each if name_of(inner) == name]
    return found


def _pieces(element: _Element, *, keep_markers: bool = False) -> list[str]:
    """Return the texts inside an inline element, a note's marker as one sign."""
    name = name_of(element)
    if not name or name in _SILENT:
        return []
    if name == "br":
        return ["\n"]
    if name == "a" and not keep_markers and _is_note_marker(element):
        return [_NOTE]
    pieces = [element.text or ""]
    for child in element:
        pieces += _pieces(child, keep_markers=keep_markers)
        pieces.append(child.tail or "")
    return pieces


def _inline(element: _Element, *, keep_markers: bool = False) -> str:
    return joined(_pieces(element, keep_markers=keep_markers), _NOTE)


def _is_note_marker(anchor: _Element) -> bool:
    if not (anchor.get("href") or "").startswith("#"):
        return False
    return bool(_NOTE_MARKER.match(words_of(anchor)))


def _cell(cell: _Element) -> str:
    """Return a cell's text on one line, the blocks inside parted by a space."""
    pieces = []
    for before, after in pairwise((None, *_flat(cell))):
        parted = after is not None and (before is None or before[0] is not after[0])
        pieces.append((" " if parted else "") + (after[1] if after else ""))
    return joined(pieces, _NOTE)


def _flat(element: _Element, block: _Element | None = None) -> list[tuple[_Element, str]]:
    """Return the texts inside with the block element each belongs to."""
    name = name_of(element)
    if not name or name in _SILENT or any(_LEFT_OUT.match(each) for each in _classes(element)):
        return []
    block = element if block is None or name in _BLOCKS | {"td", "th"} else block
    if name == "a" and _is_note_marker(element):
        return [(block, _NOTE)]
    found = [(block, "\n" if name == "br" else element.text or "")]
    for child in element:
        found += _flat(child, block)
        found.append((block, child.tail or ""))
    return found


def _is_marker(text: str) -> bool:
    return len(text) <= _LONGEST_MARKER and " " not in text


def _is_header(cell: _Element) -> bool:
    if name_of(cell) == "th" or "bold" in (cell.get("style") or ""):
        return True
    return bool({"tbl-hdr", "hd-column"} & _all_classes(cell)) or not _cell(cell)


def _is_contents(table: _Element, classes: set[str]) -> bool:
    """Tell a line of the table of contents, which the Official Journal sets as a table each."""
    return "tbl-num" in classes and "table" not in classes and table.get("border") in {None, "0"}


def _contents_cells(row: _Element) -> list[_Element]:
    """Return the cells but the last one's page number, which means nothing here."""
    cells = [each for each in row if name_of(each) in {"td", "th"}]
    return cells[:-1] if len(cells) > 1 and _cell(cells[-1]).isdigit() else cells


def _table_note(cell: _Element) -> str | None:
    anchor = next((each for each in cell.iter() if name_of(each) == "a"), None)
    if anchor is None or anchor.get("href") or not (anchor.get("id") or "").startswith("E"):
        return None
    return _NOTE_NUMBER.sub(r"(\1) ", _cell(cell))


def _first_text(root: _Element, class_name: str) -> str:
    found = next((each for each in root.iter() if class_name in _classes(each)), None)
    return words_of(found) if found is not None else ""


def _language(root: _Element) -> str | None:
    stated = root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang")
    return (stated or _first_text(root, "hd-lg")).strip()[:2].lower() or None

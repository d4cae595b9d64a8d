"""The texts of calls: mended, and cut into blocks whether they come as HTML or as bare text."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from lxml import etree
from lxml import html as lxml_html

from ingest.calls.sources.joints import unglued
from ingest.readers.blocks import Sections
from ingest.readers.encoding import squash, tidy
from ingest.readers.markup import name_of
from kb.model import Block, Page, Role

if TYPE_CHECKING:
    from lxml.etree import _Element

# Characters of which the bytes were read as Windows-1252 and that tidy() takes for sound where the
# text has no other: "COâ‚‚" (U+2000 to U+2FFF, three bytes) and "SkÅ‚odowska" (two, in a word).
_TRAIL = (
    "[\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018\u2019\u201c"
    "\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178\x80-\xbf]"
)
_MISREAD = re.compile(f"\u00e2{_TRAIL}{_TRAIL}|(?<=[a-zA-Z])[\u00c4\u00c5]{_TRAIL}(?=[a-z])")
_MARK = re.compile("\u00ef\u00bb\u00bf|\ufeff")
_BETWEEN_WORDS = re.compile(r"(?<=\w)\ufeff(?=\w)")
# Bullets of the fonts Symbol and Wingdings, which lie in the private use area.
_BULLETS = str.maketrans(dict.fromkeys("\uf076\uf0a7\uf0a8\uf0b7\uf0d8\uf0fc", "•"))

# The portal's own headings where a text has lost its tags.
_KIND = re.compile(
    r"(?:(?:Expected (?:Outcomes?|Impacts?|results)|Scope|Objectives?|Specific Challenge|"
    r"Background(?: and Scope)?|Specific conditions|Additional documents|Themes and priorities|"
    r"Activities that can be funded|Objectives of the destination|Targets|"
    r"Outcomes and deliverables):?|"
    r"(?:General )?[Cc]onditions)",
    re.IGNORECASE,
)
_CONDITION = re.compile(r"\d{1,2}[a-d]?\. [A-Z][a-z]+(?: [\w,():&/’'-]+)*$")
_LONGEST_HEADING = 90
_BREAK = "\ue001"
_PARAGRAPH_BREAK = re.compile(rf"(?:{_BREAK}\s*){{2,}}")
_HEADING = re.compile(r"h([1-6])$")
_KIND_CLASS = "topicdescriptionkind"  # the portal's own headings: "Expected Outcome:"
_KIND_LEVEL = 2
_DROPPED = {
    *("script", "style", "noscript", "template", "head", "title", "iframe", "object", "svg"),
    *("form", "button", "select", "del"),
}
_BLOCKS = {
    *("p", "div", "section", "article", "main", "ul", "ol", "li", "dl", "dt", "dd", "blockquote"),
    *("pre", "center", "table", "tbody", "thead", "tfoot", "tr", "td", "th", "caption", "hr"),
    *("fieldset", "figure", "figcaption", "address", "details", "summary", "header", "footer"),
    *("aside", "nav", "body", "html", "h1", "h2", "h3", "h4", "h5", "h6"),
}
_LONGEST_CELL = 400  # characters: a longer cell lays out a page, it states no figure
_TAG = re.compile(r"<[^<>]*>")
_WRAPPED = range(55, 121)  # characters: how long an editor's lines are
_NEW_POINT = re.compile(r"([-*•–—▪]|\(?\w{1,3}[.)])\s")
_BULLET_ALONE = re.compile(r"[-*•–—▪·]$")


def mended(text: str) -> str:
    """Return ``text`` in NFC, mojibake mended, without control and invisible characters.

    Sound text stays as it is. Newlines stay. A byte order mark between two words, which is where
    the portal's editors pasted pieces together, leaves a space.
    """
    clean = tidy(_BETWEEN_WORDS.sub(" ", _MARK.sub("\ufeff", text)))
    if _MISREAD.search(clean):
        clean = tidy(_MISREAD.sub(_decoded, clean))
    return clean.translate(_BULLETS)


def page_of_html(number: int, label: str, html: str, title: str = "") -> Page:
    """Return a page of the text of an HTML fragment: headings, paragraphs, list items and rows.

    Scripts and forms are dropped, entities decoded. ``title`` becomes the first heading, above
    all others. Broken HTML is mended as browsers do; what can't be parsed is read without its tags.
    """
    flow, root = _Flow(title), _parsed(html)
    if root is None:
        return page_of_text(number, label, _TAG.sub("\n", html), title)
    try:
        flow.visit(root)
    except RecursionError:
        return page_of_text(number, label, _TAG.sub("\n", html), title)
    return _page(number, label, flow.sections)


def page_of_text(number: int, label: str, text: str, title: str = "") -> Page:
    """Return a page of plain text: each line a paragraph, lines wrapped by an editor joined.

    Where tags were stripped from HTML without leaving space, lines are put back
    (``ingest.calls.sources.joints``). ``title`` becomes the first heading.
    """
    flow = _Flow(title)
    lines = [line for raw in unglued(mended(text)).split("\n") if (line := squash(raw))]
    for line in _unwrapped(lines):
        flow.line(line)
    return _page(number, label, flow.sections)


class _Flow:
    """Turns elements or lines into blocks of one section."""

    def __init__(self, title: str) -> None:
        self.sections = Sections()
        self._outline: list[tuple[int, str]] = []
        if squash(title):
            self._heading(0, mended(title))

    def visit(self, element: _Element, marker: str = "") -> None:
        """Take in an element and what it holds; ``marker`` is the number of a point of a list."""
        name = name_of(element)
        if not name or name in _DROPPED:
            return
        if level := _level(element, name):
            self._heading(level, _plain(element))
        elif name == "table" and (rows := _rows(element)):
            self._table(rows)
        elif name == "ol":
            self._numbered(element)
        else:
            self._container(element, marker)

    def line(self, text: str) -> None:
        """Take in a line of bare text; one of the portal's own headings is a heading."""
        numbered = len(text) <= _LONGEST_HEADING and _CONDITION.match(text)
        if numbered or _KIND.fullmatch(text):
            self._heading(_KIND_LEVEL, text)
        else:
            self._add(text)

    def _container(self, element: _Element, marker: str) -> None:
        loose = [marker, element.text or ""]
        for child in element:
            if any(name_of(each) in _BLOCKS for each in child.iter()):
                self._loose(loose)
                self.visit(child)
            else:
                loose += _pieces(child)
            loose.append(child.tail or "")
        self._loose(loose)

    def _loose(self, pieces: list[str]) -> None:
        text = mended("".join(pieces))
        pieces.clear()
        for paragraph in _PARAGRAPH_BREAK.split(text):
            lines = (squash(line) for line in paragraph.split(_BREAK))
            self._add("\n".join(line for line in lines if line))

    def _add(self, text: str, role: Role = Role.BODY, *, header_row: bool = False) -> None:
        if text and not _BULLET_ALONE.match(text):
            path = tuple(name for _, name in self._outline)
            self.sections.add(text, role, path, header_row=header_row)

    def _heading(self, level: int, text: str) -> None:
        if text := squash(text):
            self._outline = [item for item in self._outline if item[0] < level]
            self._add(text, Role.HEADING)
            self._outline.append((level, text))

    def _numbered(self, element: _Element) -> None:
        start = element.get("start") or ""
        number = int(start) if start.isdigit() else 1
        for child in element:
            if name_of(child) == "li":
                self._container(child, f"{number}. ")
                number += 1

    def _table(self, rows: list[list[_Element]]) -> None:
        self.sections.end_table()
        for place, cells in enumerate(rows):
            if len(cells) == 1:
                self._container(cells[0], "")
                continue
            head = place == 0 and all(name_of(each) == "th" for each in cells)
            row = " | ".join(mended(_plain(each)) for each in cells)
            self._add(row, Role.TABLE, header_row=head)
        self.sections.end_table()


def _page(number: int, label: str, sections: Sections) -> Page:
    """Return all sections as one page: a long text is cut by ``Sections``, a call's is not."""
    text, blocks = "", []
    for part in sections.pages():
        at = len(text) + 2 if text else 0
        text = f"{text}\n\n{part.text}" if text else part.text
        blocks += [_moved(block, at) for block in part.blocks]
    return Page(number, text, label, tuple(blocks))


def _moved(block: Block, by: int) -> Block:
    header = (block.header[0] + by, block.header[1] + by) if block.header else None
    return replace(block, start=block.start + by, end=block.end + by, header=header)


def _parsed(html: str) -> _Element | None:
    """Return the root element; nothing where no element is left or the parser left some out."""
    parser = lxml_html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False)
    try:
        root = lxml_html.document_fromstring(html.encode("utf-8", "replace"), parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None
    cut = any(entry.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for entry in parser.error_log)
    return None if cut else root


def _level(element: _Element, name: str) -> int:
    """Return the level of a heading, 0 for what is none."""
    if found := _HEADING.match(name):
        return int(found[1])
    kind = _KIND_CLASS in (element.get("class") or "").split()
    return _KIND_LEVEL if kind and name in _BLOCKS else 0


def _rows(table: _Element) -> list[list[_Element]]:
    """Return a table's rows of cells; none where a cell holds paragraphs: it lays out a page."""
    rows = [
        [each for each in row if name_of(each) in {"td", "th"}]
        for row in table.iter("tr")
        if next((a for a in row.iterancestors() if name_of(a) == "table"), None) is table
    ]
    longest = max((len(_plain(cell)) for cells in rows for cell in cells), default=0)
    return [] if longest > _LONGEST_CELL else [cells for cells in rows if cells]


def _pieces(element: _Element) -> list[str]:
    """Return the texts inside, blocks parted by a space and line breaks as one sign."""
    name = name_of(element)
    if not name or name in _DROPPED:
        return []
    if name == "br":
        return [_BREAK]
    pieces = [element.text or ""]
    for child in element:
        space = " " if name_of(child) in _BLOCKS else ""
        pieces += (space, *_pieces(child), space, child.tail or "")
    return pieces


def _plain(element: _Element) -> str:
    return squash(mended("".join(_pieces(element))).replace(_BREAK, " "))


def _unwrapped(lines: list[str]) -> list[str]:
    """Return paragraphs: lines that an editor cut at about one length are joined."""
    inside = sum(len(line) in _WRAPPED for line in lines)
    longest = max(map(len, lines), default=0)
    if inside * 2 < len(lines) or longest >= _WRAPPED.stop:
        return lines
    joined: list[str] = []
    for line in lines:
        goes_on = joined and len(joined[-1].rpartition("\n")[2]) >= _WRAPPED.start
        if goes_on and line[:1].islower() and not _NEW_POINT.match(line):
            joined[-1] = f"{joined[-1]} {line}"
        else:
            joined.append(line)
    return joined


def _decoded(found: re.Match[str]) -> str:
    try:
        return found[0].encode("sloppy-windows-1252").decode("utf-8")
    except UnicodeError:
        return found[0]

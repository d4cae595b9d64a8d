"""Reads web pages: the main text without menus, or the whole body of pages laid out by tables."""

from __future__ import annotations

import logging
import re
from datetime import date
from typing import TYPE_CHECKING

import trafilatura

from ingest.readers.blocks import Sections
from ingest.readers.encoding import squash, tidy
from ingest.readers.markup import load_markup, name_of, parse_html, words_of
from ingest.readers.sniff import format_of
from kb.errors import UnreadableError
from kb.model import Metadata, Role

if TYPE_CHECKING:
    from lxml.etree import _Element

    from ingest.readers.base import Source
    from kb.model import Parsed

# Of the text outside links: below this share the main text was cut short and the whole body is
# read. On 17 pages (assemblee-nationale.fr, senat.fr, Wikipedia) the share lay between 1.0 and 7.6
# (main text holds links too), so none of them needed the body.
_ENOUGH = 0.5
_SECTION_LEVEL = 2
_LONGEST_CELL = 400  # characters: a longer cell lays out a page, it states no figure
_BREAK = "\ue001"
_PARAGRAPH_BREAK = re.compile(rf"(?:{_BREAK}\s*){{2,}}")
_STRAY = re.compile(r"(?<=\w) (?=[,.](?:\s|$))")  # an indented page breaks lines before a comma
_EDIT_LINK = re.compile(r"\[\s*(modifier|edit)\b[^\]]*\]", re.IGNORECASE)
_HEADING = re.compile(r"h([1-6])$")
_DROPPED = {
    *("script", "style", "noscript", "template", "nav", "header", "footer", "form", "button"),
    *("aside", "iframe", "object", "svg", "select", "head", "title", "del"),
}
_BLOCKS = {
    *("p", "div", "section", "article", "main", "ul", "ol", "li", "dl", "dt", "dd", "blockquote"),
    *("pre", "center", "table", "tbody", "thead", "tfoot", "tr", "td", "th", "caption", "hr"),
    *("fieldset", "figure", "figcaption", "address", "details", "summary", "body"),
    *("h1", "h2", "h3", "h4", "h5", "h6"),
    *("head", "list", "item", "quote", "row", "cell", "code"),  # trafilatura's own names
}
_DATE_NAMES = {
    *("article:published_time", "citation_publication_date", "citation_date", "date", "pubdate"),
    *("dc.date", "dc.date.issued", "dcterms.date", "dcterms.issued", "dcterms.created"),
}
_ISO_DATE = re.compile(r"(\d{4})[-/](\d{2})[-/](\d{2})")


class HtmlReader:
    """Reads web pages, one section per main heading."""

    name = "html"
    preference = 40

    def accepts(self, source: Source) -> bool:
        """Tell whether the head is HTML but not that of EUR-Lex."""
        return format_of(source) == self.name

    def read(self, source: Source) -> Parsed:
        """Read a page's text; menus, forms and scripts are left out."""
        markup = load_markup(source)
        root = parse_html(markup, source)
        metadata = _metadata(root)
        flow = _Flow()
        try:
            main = _main_text(markup)
            if main is not None and _is_enough(main, root):
                flow.visit(main)
            else:
                flow.visit(_body(root))
        except RecursionError as error:
            raise UnreadableError(f"{source.name} is nested too deeply to be read.") from error
        return flow.sections.parsed(source, metadata)


class _Flow:
    """Turns elements (of HTML, or of what trafilatura makes of it) into blocks."""

    def __init__(self) -> None:
        self.sections = Sections()
        self._outline: list[tuple[int, str]] = []
        self._text_since_begin = False

    def visit(self, element: _Element) -> None:
        """Take in an element and what it holds."""
        name = name_of(element)
        if not name or (name in _DROPPED and not element.get("rend")):
            return
        if level := _heading_level(element, name):
            self._heading(level, _plain(element))
        elif name == "table":
            self._table(element)
        elif name in {"ol", "list"} and (name == "ol" or element.get("rend") == "ol"):
            self._numbered(element)
        else:
            self._container(element)

    def _container(self, element: _Element, marker: str = "") -> None:
        loose = [marker, element.text or ""]
        for child in element:
            if name_of(child) in _BLOCKS or any(name_of(each) in _BLOCKS for each in child.iter()):
                self._loose(loose)
                self.visit(child)
            else:
                loose += _pieces(child)
            loose.append(child.tail or "")
        self._loose(loose)

    def _loose(self, pieces: list[str]) -> None:
        text = "".join(pieces)
        pieces.clear()
        for paragraph in _PARAGRAPH_BREAK.split(_EDIT_LINK.sub("", text)):
            lines = (_STRAY.sub("", squash(line)) for line in paragraph.split(_BREAK))
            self._add("\n".join(line for line in lines if line), Role.BODY)

    def _add(self, text: str, role: Role, *, header_row: bool = False) -> None:
        if text:
            self._text_since_begin = True
            self.sections.add(text, role, self._path(), header_row=header_row)

    def _path(self) -> tuple[str, ...]:
        return tuple(name for _, name in self._outline)

    def _heading(self, level: int, text: str) -> None:
        text = squash(_EDIT_LINK.sub("", text))
        if not text:
            return
        self._outline = [item for item in self._outline if item[0] < level]
        if level <= _SECTION_LEVEL and self._text_since_begin:
            self.sections.begin()
            self._text_since_begin = False
        self.sections.add(text, Role.HEADING, self._path())
        self._outline.append((level, text))

    def _numbered(self, element: _Element) -> None:
        """Add the points of a numbered list with the number that a browser shows."""
        number = _whole(element.get("start"), 1)
        for child in element:
            if name_of(child) in {"li", "item"}:
                self._container(child, f"{number}. ")
                number += 1

    def _table(self, table: _Element) -> None:
        """Add rows; a table that lays out a page gives the blocks in its cells instead."""
        rows = [each for each in table.iter() if name_of(each) in {"tr", "row"}]
        rows = [each for each in rows if _owner(each) is table]
        self.sections.end_table()
        for place, row in enumerate(rows):
            cells = [each for each in row if name_of(each) in {"td", "th", "cell"}]
            texts = [squash(" ".join("".join(_pieces(each)).split(_BREAK))) for each in cells]
            if len([text for text in texts if text]) < 2 or max(map(len, texts)) > _LONGEST_CELL:  # noqa: PLR2004 -- a row needs two cells
                for cell in cells:
                    self._container(cell)
                continue
            head = place == 0 and all(_is_head(each) for each in cells)
            self._add(" | ".join(texts), Role.TABLE, header_row=head)
        self.sections.end_table()


def _heading_level(element: _Element, name: str) -> int:
    found = _HEADING.match(element.get("rend") or "" if name == "head" else name)
    return int(found[1]) if found else 0


def _pieces(element: _Element) -> list[str]:
    """Return the texts inside, blocks parted by a space and line breaks as one sign."""
    name = name_of(element)
    if not name or (name in _DROPPED and not element.get("rend")):
        return []
    if name in {"br", "lb"}:
        return [_BREAK]
    pieces = [element.text or ""]
    for child in element:
        space = " " if name_of(child) in _BLOCKS else ""
        pieces += (space, *_pieces(child), space, child.tail or "")
    return pieces


def _plain(element: _Element) -> str:
    return squash("".join(_pieces(element)).replace(_BREAK, " "))


def _owner(row: _Element) -> _Element | None:
    return next((each for each in row.iterancestors() if name_of(each) == "table"), None)


def _is_head(cell: _Element) -> bool:
    return name_of(cell) == "th" or cell.get("role") == "head"


def _whole(value: str | None, default: int) -> int:
    return int(value) if value and value.isdigit() else default


def _main_text(markup: str) -> _Element | None:
    """Return the page's main text as trafilatura finds it, or nothing."""
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    found = trafilatura.bare_extraction(
        markup, include_comments=False, include_tables=True, favor_recall=True
    )
    body: _Element | None = getattr(found, "body", None)
    return body


def _body(root: _Element) -> _Element:
    return next((each for each in root.iter() if name_of(each) == "body"), root)


def _is_enough(main: _Element, root: _Element) -> bool:
    found = len(words_of(main))
    unlinked = sum(len(squash(text)) for text in _unlinked(_body(root)))
    return found > 0 and found >= _ENOUGH * unlinked


def _unlinked(element: _Element) -> list[str]:
    """Return the texts outside links, menus and forms."""
    name = name_of(element)
    if not name or name == "a" or name in _DROPPED:
        return []
    texts = [element.text or ""]
    for child in element:
        texts += (*_unlinked(child), child.tail or "")
    return texts


def _metadata(root: _Element) -> Metadata:
    """Return what the page's head states; no date is guessed from its text."""
    stated: dict[str, str] = {}
    for element in root.iter():
        if name_of(element) == "meta":
            key = (element.get("property") or element.get("name") or "").lower()
            value = squash(tidy(element.get("content") or ""))
            if key and value:
                stated.setdefault(key, value)
    title = next((each for each in root.iter() if name_of(each) == "title"), None)
    author = stated.get("author") or stated.get("dc.creator")
    return Metadata(
        title=stated.get("og:title") or (squash(tidy(_plain_title(title))) or None),
        authors=(author,) if author else (),
        issuer=stated.get("og:site_name"),
        published=next(
            (day for name in stated if name in _DATE_NAMES and (day := _day(stated[name]))), None
        ),
        language=(root.get("lang") or root.get("xml:lang") or stated.get("dc.language") or "")[
            :2
        ].lower()
        or None,
        url=_canonical(root) or stated.get("og:url"),
    )


def _plain_title(title: _Element | None) -> str:
    return words_of(title) if title is not None else ""


def _canonical(root: _Element) -> str | None:
    for element in root.iter():
        if name_of(element) == "link" and (element.get("rel") or "").lower() == "canonical":
            address = (element.get("href") or "").strip()
            return address if address.startswith(("http://", "https://")) else None
    return None


def _day(value: str) -> date | None:
    found = _ISO_DATE.match(value)
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None

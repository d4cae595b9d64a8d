"""Parses XML and HTML from strangers: no entity is expanded, nothing is fetched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lxml import etree
from lxml import html as lxml_html

from ingest.readers.encoding import MEBIBYTE, decode, load, squash
from kb.errors import UnreadableError

if TYPE_CHECKING:
    from lxml.etree import _Element

    from ingest.readers.base import Source

LARGEST_MARKUP = 50 * MEBIBYTE

_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
_ENTITIES = re.compile(r"<!ENTITY\s")


def load_markup(source: Source) -> str:
    """Return the file's text without its XML declaration, which no longer holds once decoded.

    Raises:
        UnreadableError: The file is empty or too large.
    """
    return _DECLARATION.sub("", decode(load(source, LARGEST_MARKUP)), count=1)


def parse_xml(text: str, source: Source) -> _Element:
    """Return the root element of well-formed XML.

    Raises:
        UnreadableError: The file isn't well-formed, or declares entities (a "billion laughs" file
            grows without end by them; no publisher's file needs any).
    """
    if _ENTITIES.search(text):
        raise UnreadableError(f"{source.name} declares XML entities, which is refused as unsafe.")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        return etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as error:
        message = f"{source.name} is no well-formed XML: {error.msg}."
        raise UnreadableError(f"{message} Download it again from its publisher.") from error


def parse_html(text: str, source: Source) -> _Element:
    """Return the root element of HTML, mended as browsers do.

    Raises:
        UnreadableError: No element is left, or elements are nested so deeply that the parser gave
            up and left the rest out.
        MemoryError: This process may use no more.
    """
    parser = _html_parser()
    try:
        root = lxml_html.document_fromstring(text.encode("utf-8", "replace"), parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        if str(error).startswith("unknown error"):  # what lxml 6.1 says where memory ran out
            raise MemoryError from error
        raise UnreadableError(f"{source.name} holds no readable HTML ({error}).") from error
    if any(entry.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for entry in parser.error_log):
        raise UnreadableError(f"{source.name} is nested too deeply to be read.")
    return root


def parse_xhtml(text: str, source: Source) -> _Element:
    """Return the root element of XHTML, read as HTML where it is damaged."""
    try:
        root = parse_xml(text, source)
    except UnreadableError:
        return parse_html(text, source)
    has_entities = next(root.iter(etree.Entity), None) is not None
    return parse_html(text, source) if has_entities else root


def name_of(element: _Element) -> str:
    """Return an element's name without its namespace; "" for a comment or instruction."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def is_instruction(node: _Element, target: str) -> bool:
    """Tell whether a node is the processing instruction ``<?target …?>``."""
    return getattr(node, "target", None) == target


def words_of(element: _Element) -> str:
    """Return all text inside an element on one line, without comments and instructions."""
    return squash("".join(_in_order(element)))


def _in_order(element: _Element) -> list[str]:
    if not isinstance(element.tag, str):
        return []
    pieces = [element.text or ""]
    for child in element:
        pieces += (*_in_order(child), child.tail or "")
    return pieces


def _html_parser() -> lxml_html.HTMLParser:
    return lxml_html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False)

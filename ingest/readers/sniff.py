"""Tells a file's format by its first bytes, then by its name; imports no reader."""

from __future__ import annotations

import codecs
import re
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.readers.base import Source

BY_SUFFIX = {
    ".csv": "tables",
    ".docx": "docx",
    ".htm": "html",
    ".html": "html",
    ".markdown": "markdown",
    ".md": "markdown",
    ".mdown": "markdown",
    ".pdf": "pdf",
    ".qmd": "markdown",
    ".rmd": "markdown",
    ".tsv": "tables",
    ".xhtml": "html",
    ".xlsx": "tables",
}
# Text with one of these names is not prose; reading it line by line would bury what it says.
_NOT_PROSE = {".geojson", ".json", ".jsonl", ".ndjson", ".rss", ".rtf", ".svg", ".xml", ".xsd"}
# A damaged file still says by its name what it was; the reader of that format says what is wrong.
_BINARY = {".docx", ".pdf", ".xlsx"}
_PDF_WITHIN = 1024  # where every reader of the format looks for its mark
_ZIP = b"PK\x03\x04"
_CONTROL_SHARE = 0.02
_CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\v\f\r\x1b"))
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

# What may stand before the root element: declarations, comments, white space.
_PROLOG = r"\s*(?:<\?[^>]*\?>\s*|<!--(?:(?!-->).)*-->\s*)*"
_HTML = re.compile(_PROLOG + r"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_DOCTYPE = r"(?:<!DOCTYPE\s[^\[>]*(?:\[.*?\]\s*)?>\s*)?"
_ROOT = re.compile(_PROLOG + _DOCTYPE + _PROLOG + r"<([A-Za-z_][\w.:-]*)", re.DOTALL)
_FORMEX_ROOTS = {"ACT", "AGR", "ANNEX", "CONS.ACT", "CONS.ANNEX", "CONS.DOC", "DOC", "GENERAL"}
_FORMEX_MARK = re.compile(r"formex|<(?:BIB\.INSTANCE|TI\.ART|LG\.DOC)\b")
_EURLEX = re.compile(
    r"""class="(?:oj-(?:normal|doc-ti|ti-art|hd-ti)|eli-(?:container|subdivision)|title-doc-first"""
    r"""|title-article-norm|ti-art|doc-ti)\b|oj-convex|presentation-style-sheet/clg"""
)
_JSON = re.compile(r"\s*(?:\{\s*[\"}]|\[\s*[\[{\"])")


def format_of(source: Source) -> str | None:
    """Return the name of the reader for ``source``, or nothing for an unknown format."""
    head = source.head
    if b"%PDF-" in head[:_PDF_WITHIN]:
        return "pdf"
    if head.startswith(_ZIP):
        return _office_format(source)
    text = _loose_text(head)
    if text is None:
        return BY_SUFFIX.get(source.suffix) if source.suffix in _BINARY else None
    return _markup_format(text, source) or _text_format(text, source)


def _office_format(source: Source) -> str | None:
    try:
        with zipfile.ZipFile(source.path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return BY_SUFFIX.get(source.suffix) if source.suffix in _BINARY - {".pdf"} else None
    if any(name.startswith("word/") for name in names):
        return "docx"
    return "tables" if any(name.startswith("xl/") for name in names) else None


def _loose_text(head: bytes) -> str | None:
    """Return the head as text good enough for looking at, or nothing where it is binary."""
    if head.startswith(_WIDE_MARKS):
        return head.decode("utf-16", errors="replace")
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if b"\0" in head or controls > _CONTROL_SHARE * len(head):
        return None
    return head.decode("latin-1").removeprefix("ï»¿")


def _markup_format(text: str, source: Source) -> str | None:
    if _HTML.match(text) or source.suffix in {".html", ".htm", ".xhtml"}:
        return "eurlex" if _EURLEX.search(text) else "html"
    root = _ROOT.match(text)
    if root and root[1] in _FORMEX_ROOTS and _FORMEX_MARK.search(text):
        return "formex"
    return None


def _text_format(text: str, source: Source) -> str | None:
    if text.startswith(("<?xml", "{\\rtf", "%!PS")) or source.suffix in _NOT_PROSE:
        return None
    known = BY_SUFFIX.get(source.suffix)
    if known in {"markdown", "tables"} and source.suffix != ".xlsx":
        return known
    return None if _JSON.match(text) else "text"

"""Chooses the reader for a file by what it holds, whatever its name says."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from ingest.readers.sniff import BY_SUFFIX, format_of
from kb.errors import UnsupportedError

if TYPE_CHECKING:
    from ingest.readers.base import Reader, Source
    from kb.model import Parsed

# Each reader by its name; a reader is imported when it is first needed, since trafilatura,
# python-docx and openpyxl take a second together.
READERS = {
    "eurlex": ("ingest.readers.eurlex", "EurlexReader"),
    "formex": ("ingest.readers.formex", "FormexReader"),
    "pdf": ("ingest.readers.pdf.reader", "PdfReader"),
    "html": ("ingest.readers.html", "HtmlReader"),
    "docx": ("ingest.readers.docx", "DocxReader"),
    "markdown": ("ingest.readers.markdown", "MarkdownReader"),
    "text": ("ingest.readers.text", "TextReader"),
    "tables": ("ingest.readers.tables", "TablesReader"),
}
# For help texts and for choosing a folder's files; the content decides in the end.
SUFFIXES = tuple(sorted({*BY_SUFFIX, ".bib", ".rst", ".txt", ".xml"}))
KNOWN_FORMATS = "PDF, HTML, EUR-Lex XHTML, Formex XML, DOCX, Markdown, plain text, CSV and XLSX"

_CALLED = {
    "eurlex": "EUR-Lex XHTML",
    "formex": "Formex XML",
    "pdf": "PDF",
    "html": "HTML",
    "docx": "a Word file",
    "markdown": "Markdown",
    "text": "plain text",
    "tables": "a table",
}
# A suffix that promises a format, and the readers that keep the promise.
_PROMISED = {suffix: {name} for suffix, name in BY_SUFFIX.items()} | {
    ".htm": {"html", "eurlex"},
    ".html": {"html", "eurlex"},
    ".xhtml": {"html", "eurlex"},
    ".txt": {"text"},
    ".xml": {"formex", "eurlex", "html"},
}


def reader(name: str) -> Reader:
    """Return the reader called ``name``, importing it.

    Raises:
        KeyError: There is none of that name in ``READERS``.
    """
    module, class_name = READERS[name]
    return cast("Reader", getattr(importlib.import_module(module), class_name)())


def reader_for(source: Source) -> Reader:
    """Return the reader for ``source``: its first bytes decide, then its suffix.

    A file whose suffix promises another format is read as what it is, with a warning that says so.

    Raises:
        UnsupportedError: No reader knows the format.
    """
    name = format_of(source)
    if name is None:
        message = f"There is no reader for {source.name}; known formats: {KNOWN_FORMATS}."
        raise UnsupportedError(f"{message} Convert it to one of them.")
    promised = _PROMISED.get(source.suffix)
    if promised and name not in promised:
        return _Misnamed(reader(name), source.suffix)
    return reader(name)


class _Misnamed:
    """A reader that adds the warning that a file's name does not say what it holds."""

    def __init__(self, inner: Reader, suffix: str) -> None:
        self.name = inner.name
        self.preference = inner.preference
        self._inner = inner
        self._suffix = suffix

    def accepts(self, source: Source) -> bool:
        """Tell whether the reader inside knows the format."""
        return self._inner.accepts(source)

    def read(self, source: Source) -> Parsed:
        """Read the file and add the warning."""
        parsed = self._inner.read(source)
        what = _CALLED[self.name]
        warning = f"{source.name} is named {self._suffix} but holds {what}; it was read as {what}."
        return replace(parsed, warnings=(warning, *parsed.warnings))

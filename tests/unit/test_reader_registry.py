"""The reader is chosen by content first, then by name."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from ingest.readers import KNOWN_FORMATS, SUFFIXES, reader_for
from ingest.readers.base import Source
from ingest.readers.sniff import format_of
from kb.errors import UnreadableError

if TYPE_CHECKING:
    from pathlib import Path


def source(folder: Path, name: str, data: bytes) -> Source:
    """Return the source of a file of these bytes."""
    path = folder / name
    path.write_bytes(data)
    return Source(path, name, data[: 64 * 1024])


def archive(member: str) -> bytes:
    """Return an archive with one part of this name."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("[Content_Types].xml", "<Types/>")
        file.writestr(member, "<x/>")
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.txt", b"%PDF-1.7\n", "pdf"),
        ("a.bin", b"junk before\n%PDF-1.4\n", "pdf"),
        ("a.pdf", b"<!DOCTYPE html><html><body>", "html"),
        ("a.txt", b"\xef\xbb\xbf <!-- note --><HTML><BODY>", "html"),
        ("a.html", b"<p>A fragment</p>", "html"),
        ("a.xml", b'<?xml version="1.0"?><html><p class="oj-normal">x</p>', "eurlex"),
        ("a.html", b'<html><p class="title-article-norm" id="i">x</p>', "eurlex"),
        ("a.html", b'<html><p class="doc-ti">x</p>', "eurlex"),
        ("a.xml", b"<?xml version='1.0'?><ACT><BIB.INSTANCE/></ACT>", "formex"),
        ("a.xml", b"<?xml version='1.0'?><!-- c --><CONS.ACT x='formex'/>", "formex"),
        ("a.xml", b"<DOC x='http://formex.publications.europa.eu/'/>", "formex"),
        ("a.docx", archive("word/document.xml"), "docx"),
        ("a.zip", archive("xl/workbook.xml"), "tables"),
        ("a.md", b"# Title\n\n<html> is a word here", "markdown"),
        ("a.csv", b"a,b\n1,2\n", "tables"),
        ("a.tsv", b"a\tb\n", "tables"),
        ("a.rst", b"Title\n=====\n", "text"),
        ("README", b"words", "text"),
        ("a.txt", "mots".encode("utf-16"), "text"),
        ("a.odt", archive("content.xml"), None),
        ("a.xml", b"<?xml version='1.0'?><feed/>", None),
        ("a.json", b'{"a": 1}', None),
        ("a.txt", b'[{"a": 1}]', None),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", None),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", None),
        ("a.rtf", b"{\\rtf1\\ansi words}", None),
    ],
)
def test_content_decides(tmp_path: Path, name: str, data: bytes, expected: str | None) -> None:
    """Content decides."""
    assert format_of(source(tmp_path, name, data)) == expected


def test_an_unknown_format_names_those_known(tmp_path: Path) -> None:
    """An unknown format names those known."""
    with pytest.raises(
        UnreadableError, match=f"no reader for a.json; known formats: {KNOWN_FORMATS}"
    ):
        reader_for(source(tmp_path, "a.json", b"{}"))


def test_a_misnamed_file_is_read_as_what_it_is_with_a_warning(tmp_path: Path) -> None:
    """A misnamed file is read as what it is with a warning."""
    page = b"<!DOCTYPE html><html><body><h1>Not found</h1><p>Try the archive.</p></body></html>"
    file = source(tmp_path, "report.pdf", page)
    chosen = reader_for(file)
    assert (chosen.name, chosen.accepts(file)) == ("html", True)
    assert "report.pdf is named .pdf but holds HTML" in chosen.read(file).warnings[0]


def test_a_well_named_file_has_no_warning(tmp_path: Path) -> None:
    """A well named file has no warning."""
    file = source(tmp_path, "a.txt", b"Words.")
    assert reader_for(file).read(file).warnings == ()


def test_suffixes_list_the_formats_for_help() -> None:
    """Suffixes list the formats for help."""
    assert {".pdf", ".html", ".docx", ".md", ".txt", ".csv", ".xlsx", ".xml"} <= set(SUFFIXES)


def test_many_comments_before_nothing_take_no_time(tmp_path: Path) -> None:
    """Many comments before nothing take no time."""
    assert format_of(source(tmp_path, "a.txt", b"<!-- c -->" * 5000 + b"words")) == "text"


def test_importing_the_registry_imports_no_parser() -> None:
    """Importing the registry imports no parser."""
    code = (
        "import sys, ingest.readers; "
        "sys.exit(bool({'trafilatura', 'docx', 'openpyxl', 'lxml', 'ftfy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

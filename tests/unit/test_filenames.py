"""A name that others state can be written in any folder, and stays in it."""

from __future__ import annotations

import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.filenames import MAX_BYTES, safe_name

PARTS = st.sampled_from(
    ["..", ".", "/", "\\", "~$", "CON", "metadata.yaml", "\0", "\u202e", "é", ".pdf", " ", "a" * 99]
)


@given(st.one_of(st.text(), st.lists(PARTS).map("".join)))
def test_any_name_becomes_one_safe_part(stated: str) -> None:
    """One part of a path on every system, printable, short, and the same when made safe again."""
    name = safe_name(stated)
    assert 0 < len(name.encode()) <= MAX_BYTES
    assert PurePosixPath("/folder", name).parts == ("/", "folder", name)
    assert PureWindowsPath("C:/folder", name).name == name
    assert not name.startswith((".", "~$"))
    assert not any(unicodedata.category(sign).startswith(("C", "Zl", "Zp")) for sign in name)
    assert safe_name(name) == name


@given(st.text(), st.sampled_from([".pdf", ".docx", ".html"]))
def test_a_file_can_be_written_under_it(stated: str, suffix: str) -> None:
    """A suffix that readers know by is kept, whatever stands before it."""
    name = safe_name(f"x{stated}x{suffix}")
    assert name.endswith(suffix)
    assert (Path("folder") / name).parent == Path("folder")


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ("rapport annuel.pdf", "rapport annuel.pdf"),
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\me\rapport.pdf", "rapport.pdf"),
        ("..", "document"),
        ("", "document"),
        ("dir/", "document"),
        (".bashrc", "bashrc"),
        ("~$rapport.docx", "rapport.docx"),
        ("rapport\r\nSet-Cookie: a.pdf", "rapport Set-Cookie_ a.pdf"),
        ("gpj.\u202efdp.exe", "gpj.fdp.exe"),
        ("e\u0301tude.pdf", "étude.pdf"),
        ("metadata.yaml", "file-metadata.yaml"),
        ("Metadata.YML", "file-Metadata.YML"),
        ("con", "file-con"),
        ("NUL.txt", "file-NUL.txt"),
        ("a" * 300 + ".pdf", "a" * 196 + ".pdf"),
        ("é" * 300 + ".pdf", "é" * 98 + ".pdf"),
    ],
)
def test_names_are_made_safe(stated: str, name: str) -> None:
    """Folders, hidden signs, leading dots and reserved names go; letters and the suffix stay."""
    assert safe_name(stated) == name

"""Plain text becomes whole paragraphs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ingest.readers import text as text_reader
from ingest.readers.base import Source
from ingest.readers.text import TextReader
from kb.errors import UnreadableError
from kb.model import Role

if TYPE_CHECKING:
    from pathlib import Path

    from kb.model import Page, Parsed

LONG = "A ladder is lent by the union to any person who asks for"


def read(folder: Path, text: str | bytes, name: str = "note.txt") -> Parsed:
    """Read a file of these contents."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return TextReader().read(Source(path, path.name, path.read_bytes()[:65536]))


def words(page: Page) -> list[str]:
    """Return the texts of the page's blocks."""
    return [page.text[block.start : block.end] for block in page.blocks]


def test_wrapped_lines_are_joined(tmp_path: Path) -> None:
    """Wrapped lines are joined."""
    parsed = read(
        tmp_path,
        f"   {LONG}\n   one, and it is given back clean and dry in the even-\n   ing.\n\nEnd.",
    )
    assert words(parsed.pages[0]) == [
        f"{LONG} one, and it is given back clean and dry in the even-ing.",
        "End.",
    ]


def test_points_of_a_list_stay_apart(tmp_path: Path) -> None:
    """Points of a list stay apart."""
    parsed = read(tmp_path, f"- {LONG}\n  it.\n- {LONG}\n  more.\n")
    assert words(parsed.pages[0]) == [f"- {LONG} it.", f"- {LONG} more."]


def test_short_lines_stay_lines(tmp_path: Path) -> None:
    """Short lines stay lines."""
    assert words(read(tmp_path, "Ada Rung\n1 Ladder Lane\nStepney").pages[0]) == [
        "Ada Rung\n1 Ladder Lane\nStepney"
    ]


def test_a_form_feed_begins_a_section(tmp_path: Path) -> None:
    """A form feed begins a section."""
    assert [page.text for page in read(tmp_path, "One.\fTwo.\f\f").pages] == ["One.", "Two."]


def test_underlined_titles_are_headings(tmp_path: Path) -> None:
    """Underlined titles are headings."""
    page = read(
        tmp_path,
        "======\nLending\n======\n\nIt is ``free``, see `the list <http://x.y>`_.\n\n"
        ".. note: hidden\n",
        "a.rst",
    ).pages[0]
    assert words(page) == ["Lending", "It is free, see the list."]
    assert (page.blocks[0].role, page.blocks[1].path) == (Role.HEADING, ("Lending",))


def test_windows_text_keeps_its_accents(tmp_path: Path) -> None:
    """Windows text keeps its accents."""
    assert (
        "prêtée à l’été"
        in read(tmp_path, "Échelle prêtée à l’été dernier.".encode("cp1252")).pages[0].text
    )


def test_binary_data_is_unreadable(tmp_path: Path) -> None:
    """Binary data is unreadable."""
    with pytest.raises(UnreadableError, match="binary data"):
        read(tmp_path, bytes(range(32)) * 100)


def test_the_limit_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is named."""
    monkeypatch.setattr(text_reader, "LARGEST_TEXT", 1024 * 1024)
    with pytest.raises(UnreadableError, match=r"note\.txt is larger than 1 MiB"):
        read(tmp_path, "x" * 1_100_000)

"""The builder's offsets are exact, whatever is put in."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.readers.base import Source
from ingest.readers.blocks import LONGEST, Sections
from kb.errors import UnreadableError
from kb.model import Role

SOURCE = Source(Path("note.txt"), "note.txt", b"")

blocks = st.lists(
    st.tuples(st.text(max_size=40), st.sampled_from(Role), st.booleans(), st.booleans())
)


@given(blocks)
def test_blocks_are_exact_ordered_and_apart(
    given_blocks: list[tuple[str, Role, bool, bool]],
) -> None:
    """Blocks are exact ordered and apart."""
    sections = Sections()
    for text, role, begins, header in given_blocks:
        if begins:
            sections.begin("label")
        sections.add(text, role, ("One", text), header_row=header)
    for page in sections.pages():
        assert unicodedata.is_normalized("NFC", page.text)
        end = 0
        for block in page.blocks:
            words = page.text[block.start : block.end]
            assert words
            assert words == words.strip()
            assert page.text[end : block.start].strip("\n") == ""
            end = block.end
        assert end == len(page.text)


def test_paragraphs_are_set_apart_by_a_blank_line_and_rows_by_a_newline() -> None:
    """Paragraphs are set apart by a blank line and rows by a newline."""
    sections = Sections()
    sections.add("Before.")
    sections.add("a | b", Role.TABLE, header_row=True)
    sections.add("1 | 2", Role.TABLE)
    sections.add("After.")
    assert sections.pages()[0].text == "Before.\n\na | b\n1 | 2\n\nAfter."


def test_rows_point_to_all_rows_of_their_header() -> None:
    """Rows point to all rows of their header."""
    sections = Sections()
    sections.add("Sums", Role.TABLE, header_row=True)
    sections.add("a | b", Role.TABLE, header_row=True)
    sections.add("1 | 2", Role.TABLE)
    page = sections.pages()[0]
    assert [block.header for block in page.blocks] == [None, None, (0, 10)]
    assert page.text[0:10] == "Sums\na | b"


def test_a_second_table_has_its_own_header() -> None:
    """A second table has its own header."""
    sections = Sections()
    for words, header in (("a", True), ("1", False), ("b", True), ("2", False)):
        sections.add(words, Role.TABLE, header_row=header)
    page = sections.pages()[0]
    assert page.text == "a\n1\n\nb\n2"
    assert page.blocks[3].header == (5, 6)


def test_text_between_tables_ends_the_header() -> None:
    """Text between tables ends the header."""
    sections = Sections()
    sections.add("a", Role.TABLE, header_row=True)
    sections.add("Words.")
    sections.add("1", Role.TABLE)
    assert sections.pages()[0].blocks[2].header is None


def test_an_empty_section_leaves_no_page() -> None:
    """An empty section leaves no page."""
    sections = Sections()
    sections.begin("empty")
    sections.add(" \u200b\n ")
    sections.begin("full")
    sections.add("Words.")
    assert [(page.number, page.label) for page in sections.pages()] == [(1, "full")]


def test_an_overlong_section_goes_on_under_the_same_label() -> None:
    """An overlong section goes on under the same label."""
    sections = Sections()
    sections.begin("Annex")
    for _ in range(3):
        sections.add("word " * (LONGEST // 5 + 1))
    assert [page.label for page in sections.pages()] == ["Annex"] * 3


def test_nothing_at_all_is_unreadable() -> None:
    """Nothing at all is unreadable."""
    with pytest.raises(UnreadableError, match=r"note\.txt holds no text"):
        Sections().parsed(SOURCE)

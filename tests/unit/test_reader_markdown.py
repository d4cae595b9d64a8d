"""Markdown loses its marks and keeps its outline."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.readers.base import Source
from ingest.readers.markdown import MarkdownReader
from ingest.readers.pandoc import prepared
from kb.errors import UnreadableError
from kb.model import Role

if TYPE_CHECKING:
    from pathlib import Path

    from kb.model import Page, Parsed


def read(folder: Path, text: str) -> Parsed:
    """Read a file of these contents."""
    path = folder / "note.md"
    path.write_text(text, encoding="utf-8")
    return MarkdownReader().read(Source(path, path.name, path.read_bytes()[:65536]))


def words(page: Page) -> list[str]:
    """Return the texts of the page's blocks."""
    return [page.text[block.start : block.end] for block in page.blocks]


def test_no_markup_is_left(tmp_path: Path) -> None:
    """No markup is left."""
    text = """A **bold** and *leaning* [link](http://x.y), `code`, ~~struck~~ \\$5,
wrapped.<!-- hidden --> ![a ladder](l.png){#fig:l width=3}<br>Line two. H~2~O

> A quote.

* one
* two

3. three
4. four"""
    assert words(read(tmp_path, text).pages[0]) == [
        "A bold and leaning link, code, struck $5, wrapped. a ladder\nLine two. H2O",
        *("A quote.", "one", "two", "3. three", "4. four"),
    ]


def test_sections_begin_at_the_top_level_that_repeats(tmp_path: Path) -> None:
    """Sections begin at the top level that repeats."""
    parsed = read(
        tmp_path, "# Title\n\nLead.\n\n## One\n\nText.\n\n### Deep\n\nMore.\n\n## Two\n\nEnd.\n"
    )
    assert [words(page)[0] for page in parsed.pages] == ["Title", "One", "Two"]
    assert parsed.pages[1].blocks[-1].path == ("Title", "One", "Deep")
    assert parsed.metadata.title == "Title"


def test_front_matter_becomes_metadata_and_its_abstract_text(tmp_path: Path) -> None:
    """Front matter becomes metadata and its abstract text."""
    parsed = read(
        tmp_path,
        """---
title: "Ladders: a study"
author:
- name: Ada Rung
- Bo Step
date: "October 7, 2031"
lang: en-GB
abstract: >-
  Ladders are studied.
---

Words.
""",
    )
    facts = parsed.metadata
    assert (facts.title, facts.authors) == ("Ladders: a study", ("Ada Rung", "Bo Step"))
    assert (facts.published, facts.language) == (date(2031, 10, 7), "en")
    assert words(parsed.pages[0]) == ["Ladders are studied.", "Words."]


@pytest.mark.parametrize("written", ["2031-10-07", '"2031-10-07T08:00:00"', '"October 7, 2031"'])
def test_dates_in_front_matter(tmp_path: Path, written: str) -> None:
    """Dates in front matter."""
    assert read(tmp_path, f"---\ndate: {written}\n---\nWords.").metadata.published == date(
        2031, 10, 7
    )


@pytest.mark.parametrize(
    "front", ["date: soon", "author: 7", "title: [a, b]", "lang: no", "date: 2031-13-45"]
)
def test_odd_front_matter_does_no_harm(tmp_path: Path, front: str) -> None:
    """Odd front matter does no harm."""
    assert words(read(tmp_path, f"---\n{front}\n---\nWords.").pages[-1])[-1] == "Words."


def test_a_rule_is_no_front_matter(tmp_path: Path) -> None:
    """A rule is no front matter."""
    assert words(read(tmp_path, "---\n\nSlide one.\n\n---\n\nSlide two.").pages[0]) == [
        "Slide one.",
        "Slide two.",
    ]


def test_yaml_tags_run_no_code(tmp_path: Path) -> None:
    """Yaml tags run no code."""
    made = tmp_path / "made"
    parsed = read(tmp_path, f"---\ntitle: !!python/object/apply:os.mkdir ['{made}']\n---\nWords.")
    assert parsed.pages[0].text.endswith("Words.")
    assert not made.exists()


def test_a_bold_line_alone_is_a_heading(tmp_path: Path) -> None:
    """A bold line alone is a heading."""
    parsed = read(
        tmp_path,
        "**The plan\n2031\nfor ladders**\n\nWe lend.\n\n**Bold** starts this.\n\n**A sentence.**\n",
    )
    assert [block.role for block in parsed.pages[0].blocks] == [
        Role.HEADING,
        Role.BODY,
        Role.BODY,
        Role.BODY,
    ]
    assert parsed.metadata.title == "The plan 2031 for ladders"


def test_short_lines_of_slides_are_headings_unless_the_sentence_goes_on(tmp_path: Path) -> None:
    """Short lines of slides are headings unless the sentence goes on."""
    parsed = read(
        tmp_path, "Our reasons\n\nLadders help.\n\nWe are many\n\nto lend them.\n\n2031\n"
    )
    roles = [block.role for block in parsed.pages[0].blocks]
    assert roles == [Role.HEADING, Role.BODY, Role.BODY, Role.BODY, Role.BODY]


def test_citations_are_written_out_and_notes_taken_out(tmp_path: Path) -> None:
    """Citations are written out and notes taken out."""
    parsed = read(
        tmp_path,
        "Ladders help.[^a] They lean [@Rung:2031; see @Step:2030, 4], says @Rung:2031.\n\n"
        "[^a]: A *note*\n    goes on.\n",
    )
    assert words(parsed.pages[0]) == [
        "Ladders help. They lean (Rung 2031; see Step 2030, 4), says Rung 2031."
    ]
    assert words(parsed.pages[1]) == ["A note goes on."]
    assert parsed.pages[1].blocks[0].role is Role.NOTE


def test_an_address_is_no_citation(tmp_path: Path) -> None:
    """An address is no citation."""
    assert words(read(tmp_path, "Write to ada@example.org today.").pages[0]) == [
        "Write to ada@example.org today."
    ]


TABLES = {
    "pipe": "| Size | Metres |\n|---|--:|\n| Small | **2** |\n",
    "grid": "+-------+--------+\n| Size  | Metres |\n+=======+========+\n"
    "| Small | 2      |\n+-------+--------+\n",
    "simple": "----------------\nSize    Metres\n------- --------\nSmall   2\n----------------\n",
    "tabs": "Size\tMetres\nSmall\t<p>2</p>\n",
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_kind_of_table_becomes_rows(tmp_path: Path, kind: str) -> None:
    """Every kind of table becomes rows."""
    page = read(tmp_path, f"Before.\n\n{TABLES[kind]}\nAfter.").pages[0]
    assert words(page) == ["Before.", "Size | Metres", "Small | 2", "After."]
    assert page.blocks[2].header == (page.blocks[1].start, page.blocks[1].end)


def test_a_row_over_several_lines_is_one_row(tmp_path: Path) -> None:
    """A row over several lines is one row."""
    grid = "+---+---+\n| a | b |\n+---+---+\n| one \\ | 1 |\n| two |  |\n+---+---+\n"
    assert words(read(tmp_path, grid).pages[0])[1] == "one two | 1"


def test_code_keeps_its_lines(tmp_path: Path) -> None:
    """Code keeps its lines."""
    assert words(read(tmp_path, "```\na = 1\nb = 2\n```").pages[0]) == ["a = 1\nb = 2"]


def test_nothing_but_marks_is_unreadable(tmp_path: Path) -> None:
    """Nothing but marks is unreadable."""
    with pytest.raises(UnreadableError, match="holds no text"):
        read(tmp_path, "---\n\n***\n\n<!-- x -->\n")


@given(st.text(alphabet="ab |+-=\n\t[]^@:~*#\\", max_size=120))
def test_any_text_is_prepared(text: str) -> None:
    """Any text is prepared."""
    body, notes = prepared(text)
    assert isinstance(body, str)
    assert isinstance(notes, list)

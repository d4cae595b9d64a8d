"""Marks on the picture of a page: along lines, over the quoted words and no others, or none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.marks import Mark, marks_of
from kb.model import Box, Page

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 600.0, 800.0
LEADING, LETTER, TALL = 14.0, 5.0, 10.0


def page(*columns: Sequence[str], gutter: float = 20.0) -> Page:
    """A page of columns of lines, side by side; its text is all of it in one paragraph."""
    text, boxes, left = "", [], 50.0
    for lines in columns:
        for row, line in enumerate(lines):
            top = 100 + row * LEADING
            at = left
            for word in line.split():
                text += " " if text else ""
                start = len(text)
                text += word
                right = at + LETTER * len(word)
                boxes.append(Box(start, len(text), at, top, right, top + TALL))
                at = right + LETTER
        left += max(LETTER * len(line) for line in lines) + gutter
    return Page(1, text, boxes=tuple(boxes), width=WIDTH, height=HEIGHT)


def marked(on: Page, words: str) -> tuple[Mark, ...]:
    """The marks of words that stand once on a page."""
    start = on.text.index(words)
    return marks_of(on, start, start + len(words))


def words_under(on: Page, marks: Sequence[Mark]) -> str:
    """The words of which the middle lies under a mark."""
    return " ".join(
        on.text[box.start : box.end]
        for box in on.boxes
        if any(
            mark.left < (box.left + box.right) / 2 < mark.right
            and mark.top < (box.top + box.bottom) / 2 < mark.bottom
            for mark in marks
        )
    )


COLUMNS = page(
    ["Une garantie couvre", "la moitié des", "pertes de"], ["ceux qui prêtent", "aux uns"]
)


def test_words_on_one_line_are_one_rectangle() -> None:
    """It goes from the first letter to the last, as high as the words."""
    assert marked(COLUMNS, "garantie couvre") == (Mark(70, 100, 145, 110),)


def test_each_line_has_a_rectangle_of_its_own() -> None:
    """Not one large box over all of them, which would cover words that are not meant."""
    marks = marked(COLUMNS, "couvre la moitié")
    assert [(mark.left, mark.top) for mark in marks] == [(115, 100), (50, 114)]


def test_a_quote_that_goes_on_in_the_next_column_is_marked_in_both() -> None:
    """The rectangles stay within the columns."""
    marks = marked(COLUMNS, "pertes de ceux qui")
    assert words_under(COLUMNS, marks) == "pertes de ceux qui"
    assert max(mark.width for mark in marks) < 50


def test_the_gutter_between_lines_of_equal_height_is_not_marked() -> None:
    """The end of a column and the head of the next may be level."""
    level = page(["fin de colonne"], ["tête de colonne"])
    assert len(marked(level, "colonne tête")) == 2


def test_a_word_cut_in_half_is_marked_whole() -> None:
    """A box is a word: half of it has no place of its own."""
    assert marked(COLUMNS, "arantie couv") == marked(COLUMNS, "garantie couvre")


def test_words_mended_across_a_line_end_are_marked_on_both_lines() -> None:
    """Of "infor-mation" the text has one word, the page two pieces."""
    on = Page(
        1,
        "information utile",
        boxes=(Box(0, 5, 500, 100, 540, 110), Box(5, 11, 50, 114, 90, 124)),
        width=WIDTH,
        height=HEIGHT,
    )
    assert marks_of(on, 0, 11) == (Mark(500, 100, 540, 110), Mark(50, 114, 90, 124))
    assert marks_of(on, 0, len(on.text)) == ()  # "utile" has no box


def test_one_word_without_a_place_leaves_the_whole_quote_unmarked() -> None:
    """Half a quote that is marked says that the other half is not meant."""
    lacking = replace(COLUMNS, boxes=COLUMNS.boxes[:3] + COLUMNS.boxes[4:])
    assert marked(lacking, "couvre la moitié") == ()
    assert marked(lacking, "pertes de") != ()


def test_a_run_of_words_is_marked_only_if_all_of_it_is_meant() -> None:
    """Where in the run its words stand is not known."""
    on = Page(1, "un deux trois", boxes=(Box(0, 13, 50, 100, 150, 110),), width=600, height=800)
    assert marks_of(on, 3, 7) == ()
    assert marks_of(on, 0, 13) == (Mark(50, 100, 150, 110),)


def test_bars_between_cells_need_no_place() -> None:
    """Readers write them; nobody has drawn them. Cells that stand apart are marked apart."""
    on = Page(
        1,
        "Année | 2026",
        boxes=(Box(0, 5, 50, 100, 80, 110), Box(8, 12, 200, 100, 220, 110)),
        width=600,
        height=800,
    )
    assert len(marks_of(on, 0, 12)) == 2


def test_a_drop_cap_does_not_stretch_the_mark_of_its_line() -> None:
    """It is three lines high, and two of them are not meant."""
    on = Page(
        1,
        "Une loi",
        boxes=(
            Box(0, 1, 50, 100, 80, 138),
            Box(1, 3, 82, 100, 95, 110),
            Box(4, 7, 100, 100, 115, 110),
        ),
        width=600,
        height=800,
    )
    assert [mark.height for mark in marks_of(on, 0, 7)] == [38, 10]


def test_a_line_that_sinks_is_marked_in_steps() -> None:
    """On a skewed scan one rectangle around a line would cover the next ones."""
    boxes = tuple(
        Box(n * 5, n * 5 + 4, n * 25, 100 + n * 2, n * 25 + 20, 110 + n * 2) for n in range(20)
    )
    on = Page(1, " ".join(["mots"] * 20), boxes=boxes, width=600, height=800)
    marks = marks_of(on, 0, len(on.text))
    assert len(marks) > 2
    assert max(mark.height for mark in marks) < 2 * TALL


@pytest.mark.parametrize(
    ("start", "end"), [(-1, 4), (4, 4), (9, 3), (0, 10_000), (10**12, 10**12 + 5)]
)
def test_a_range_that_is_none_has_no_marks(start: int, end: int) -> None:
    """It comes from an address, which anybody can write."""
    assert marks_of(COLUMNS, start, end) == ()


@pytest.mark.parametrize("wrong", [(50, 100, 50, 110), (50, 100, 700, 110), (-90, 100, 50, 110)])
def test_a_box_that_stands_nowhere_leaves_the_quote_unmarked(
    wrong: tuple[float, float, float, float],
) -> None:
    """Without a size, or beside the page."""
    boxes = (Box(0, 3, *wrong), *COLUMNS.boxes[1:])
    assert marks_of(replace(COLUMNS, boxes=boxes), 0, 12) == ()


def test_a_page_without_a_size_has_no_marks() -> None:
    """There is no picture to put them on."""
    assert marks_of(replace(COLUMNS, width=None), 0, 12) == ()


LINES = st.lists(
    st.lists(st.text("abcdef", min_size=1, max_size=8), min_size=1, max_size=6).map(" ".join),
    min_size=1,
    max_size=6,
)


@given(st.lists(LINES, min_size=1, max_size=2), st.data())
def test_marks_lie_on_the_words_meant_and_on_no_others(
    columns: list[list[str]], data: st.DataObject
) -> None:
    """Whatever the page and the words: exactly these, in reading order."""
    on = page(*columns)
    first = data.draw(st.integers(0, len(on.boxes) - 1))
    last = data.draw(st.integers(first, len(on.boxes) - 1))
    start, end = on.boxes[first].start, on.boxes[last].end
    marks = marks_of(on, start, end)
    assert words_under(on, marks) == on.text[start:end]
    assert words_under(on, marks[:1]).startswith(on.text[start:end].split()[0])


@given(st.lists(LINES, min_size=1, max_size=2), st.data())
def test_taking_away_a_box_of_the_words_takes_all_marks_away(
    columns: list[list[str]], data: st.DataObject
) -> None:
    """Also where it is the first, the last, or the only one."""
    on = page(*columns)
    lost = data.draw(st.integers(0, len(on.boxes) - 1))
    start = on.boxes[data.draw(st.integers(0, lost))].start
    end = on.boxes[data.draw(st.integers(lost, len(on.boxes) - 1))].end
    less = replace(on, boxes=on.boxes[:lost] + on.boxes[lost + 1 :])
    assert marks_of(less, start, end) == ()

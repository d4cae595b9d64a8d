"""Changes to a brief: nothing is lost, nothing grows beyond its bounds, places read as written."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.briefs import editing
from kb.briefs.model import Brief, Paragraph, Reference
from kb.errors import UsageError
from kb.model import Span

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SPANS = st.builds(
    Span,
    st.integers(1, 9_999_999),
    st.none(),
    st.none(),
    st.integers(0, 99_999_999),
    st.integers(0, 99_999_999),
)


def brief(*texts: str) -> Brief:
    """A brief of paragraphs."""
    return Brief(1, "Title", "fr", tuple(map(Paragraph, texts)), False, NOW, NOW, 1)  # noqa: FBT003 -- not for staff


def texts(changed: Brief) -> list[str]:
    """Its paragraphs."""
    return [block.text for block in changed.blocks if isinstance(block, Paragraph)]


@given(st.lists(SPANS, min_size=1, max_size=30))
def test_places_read_as_they_are_written(spans: list[Span]) -> None:
    """Page, start and end of each, in their order."""
    assert list(editing.read_spans(editing.written_spans(spans))) == spans


@pytest.mark.parametrize(
    "text", ["", "x", "3", "3:1", "3:1-", "3:-1-2", "3:1-2,", "3:1-2;4:1-2", "1:0-1," * 60, "é:1-2"]
)
def test_places_that_cannot_be_read_are_refused(text: str) -> None:
    """Rather than read as others."""
    with pytest.raises(UsageError, match="spans"):
        editing.read_spans(text)


@given(st.lists(st.text("ab", min_size=1), min_size=1, max_size=6), st.data())
def test_moving_loses_nothing(written: list[str], data: st.DataObject) -> None:
    """What is moved stands where it was put, and the others in their order."""
    index = data.draw(st.integers(0, len(written) - 1))
    to = data.draw(st.integers(-2, len(written) + 2))
    moved = texts(editing.moved(brief(*written), index, to))
    assert Counter(moved) == Counter(written)
    place = min(max(to, 0), len(written) - 1)
    assert moved[place] == written[index]
    others = written[:index] + written[index + 1 :]
    assert moved[:place] + moved[place + 1 :] == others


def test_a_paragraph_is_put_anywhere() -> None:
    """Before, between, after; with the line breaks of every system as one."""
    made = editing.added(brief("a", "c"), Paragraph("b\r\nb\rb\n"), 1)
    assert texts(made) == ["a", "b\nb\nb", "c"]
    assert texts(editing.added(made, Paragraph("d"))) == ["a", "b\nb\nb", "c", "d"]


def test_a_paragraph_without_words_is_taken_out() -> None:
    """Whoever empties it means that."""
    assert texts(editing.rewritten(brief("a", "b"), 0, " \n")) == ["b"]


@pytest.mark.parametrize("index", [-1, 2])
def test_what_is_not_there_cannot_be_changed(index: int) -> None:
    """The message says what to do."""
    two = brief("a", "b")
    with pytest.raises(UsageError, match="Reload it"):
        editing.moved(two, index, 0)
    with pytest.raises(UsageError, match="Reload it"):
        editing.rewritten(two, index, "c")
    with pytest.raises(UsageError, match="Reload it"):
        editing.removed(two, index)
    with pytest.raises(UsageError, match="Reload it"):
        editing.added(brief(), Paragraph("c"), index)


def test_nothing_grows_beyond_its_bounds() -> None:
    """Blocks, paragraphs and titles; a quote can't be rewritten."""
    full = brief(*["a"] * editing.MAX_BLOCKS)
    with pytest.raises(UsageError, match="at most 200"):
        editing.added(full, Paragraph("b"))
    longest = "é" * editing.MAX_PARAGRAPH
    assert texts(editing.added(brief(), Paragraph(longest))) == [longest]
    for text in (longest + "é", " ", ""):
        with pytest.raises(UsageError, match="20000"):
            editing.added(brief(), Paragraph(text))
    with pytest.raises(UsageError, match="20000"):
        editing.rewritten(brief("a"), 0, longest + "é")
    for title in ("", " ", "x" * 201):
        with pytest.raises(UsageError, match="title"):
            editing.renamed(brief(), title)
    with pytest.raises(UsageError, match="language"):
        editing.renamed(brief(), "Title", "de")
    quote = editing.added(brief(), Reference("a", 1, (Span(1, None, None, 0, 1),)))
    with pytest.raises(UsageError, match="A quote stays"):
        editing.rewritten(quote, 0, "words")

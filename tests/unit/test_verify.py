from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.answers.verify import quote_spans, verify
from kb.model import Passage, Span

if TYPE_CHECKING:
    from collections.abc import Collection

    from kb.record.reading import Record


class PageTexts:
    """Page texts of one version, as the record gives them."""

    def __init__(self, pages: dict[int, str]) -> None:
        self.pages = pages

    def page_texts(
        self, wanted: Collection[tuple[str, int, int]]
    ) -> dict[tuple[str, int, int], str]:
        """The stored text of pages by (document id, version, page number)."""
        return {key: self.pages[key[2]] for key in wanted if key[2] in self.pages}


def record_of(pages: dict[int, str]) -> Record:
    """What the check needs of the record."""
    return PageTexts(pages)  # type: ignore[return-value]


def passage_over(spans: list[Span], pages: dict[int, str], joint: str = "\n") -> Passage:
    """A passage that holds these spans."""
    text = joint.join(pages[span.number][span.start : span.end] for span in spans)
    return Passage("id", "doc", 1, 0, text, tuple(spans), "", "en")


@st.composite
def passages(draw: st.DrawFn) -> tuple[Passage, dict[int, str], int, int]:
    """A passage over one to four pages, the pages, and a stretch of its text to quote."""
    pages: dict[int, str] = {}
    spans = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        pages[number] = draw(st.text(min_size=1, max_size=12))
        start = draw(st.integers(0, len(pages[number]) - 1))
        end = draw(st.integers(start + 1, len(pages[number])))
        spans.append(Span(number, None, None, start, end))
    passage = passage_over(spans, pages, draw(st.sampled_from(["\n", " "])))
    start = draw(st.integers(0, len(passage.text) - 1))
    return passage, pages, start, draw(st.integers(start + 1, len(passage.text)))


@given(passages())
def test_the_spans_of_a_quote_hold_its_words(
    drawn: tuple[Passage, dict[int, str], int, int],
) -> None:
    """Any stretch of a passage is found again on its pages, but for what joins two pages."""
    passage, pages, start, end = drawn
    spans = quote_spans(passage, start, end)
    parts = [pages[span.number][span.start : span.end] for span in spans]
    joints = end - start - sum(map(len, parts))
    assert 0 <= joints <= len(passage.spans)
    rest = passage.text[start:end]
    for part in parts:
        assert part in rest
        rest = rest[rest.index(part) + len(part) :]
    assert all(span.start < span.end for span in spans)


@given(passages())
def test_a_whole_passage_verifies(drawn: tuple[Passage, dict[int, str], int, int]) -> None:
    """A passage is a quote of itself, over all of its spans."""
    passage, pages, _, _ = drawn
    spans = quote_spans(passage, 0, len(passage.text))
    assert spans == passage.spans
    assert verify(record_of(pages), [(passage, spans, passage.text)]) == [True]


@given(passages())
def test_a_sentence_within_a_passage_verifies(
    drawn: tuple[Passage, dict[int, str], int, int],
) -> None:
    """A stretch that begins and ends with words is verified, also over a page's end."""
    passage, pages, start, end = drawn
    quote = passage.text[start:end]
    start += len(quote) - len(quote.lstrip())
    quote = quote.strip()
    if quote:
        spans = quote_spans(passage, start, start + len(quote))
        assert verify(record_of(pages), [(passage, spans, quote)]) == [True]


@given(passages(), st.integers(0, 3), st.characters())
def test_a_page_that_was_tampered_with_verifies_nothing_it_changed(
    drawn: tuple[Passage, dict[int, str], int, int], position: int, other: str
) -> None:
    """One character changed under a span, and the quote does not hold any more."""
    passage, pages, _, _ = drawn
    span = passage.spans[position % len(passage.spans)]
    text = pages[span.number]
    changed = text[: span.start] + other + text[span.start + 1 :]
    holds = verify(
        record_of({**pages, span.number: changed}), [(passage, passage.spans, passage.text)]
    )
    assert holds == [changed == text]


PAGES = {1: "The ladder is lent to", 2: "whoever asks. It is returned."}
WHOLE = passage_over([Span(1, None, None, 0, 21), Span(2, None, None, 0, 13)], PAGES)


@pytest.mark.parametrize(
    "quote",
    [
        "",
        "The ladder is lent to whoever asks",
        "The ladder is lent to whoever asks. It",
        "The ladder is lent to  whoever asks.",
        "The ladder is lentto whoever asks.",
        "the ladder is lent to whoever asks.",
        "The ladder is lent to… whoever asks.",
    ],
)
def test_what_is_not_word_for_word_does_not_verify(quote: str) -> None:
    """A quote cut short, run on, respelt or with an omission does not hold for its spans."""
    assert verify(record_of(PAGES), [(WHOLE, WHOLE.spans, quote)]) == [False]


def test_a_quote_without_its_page_does_not_verify() -> None:
    """A page that is not stored, or no span at all, proves nothing."""
    assert verify(record_of({1: PAGES[1]}), [(WHOLE, WHOLE.spans, WHOLE.text)]) == [False]
    assert verify(record_of(PAGES), [(WHOLE, (), WHOLE.text)]) == [False]


def test_offsets_beyond_a_page_do_not_verify() -> None:
    """Spans that someone made up do not hold, also when they are cut or negative."""
    for start, end in ((0, 99), (-29, 13), (13, 13)):
        spans = (Span(2, None, None, start, end),)
        quotes = [(WHOLE, spans, PAGES[2][start:end]), (WHOLE, spans, PAGES[2])]
        assert verify(record_of(PAGES), quotes) == [False, False]


def test_each_quote_is_judged_alone() -> None:
    """One false quote does not spoil the others."""
    good = (WHOLE, WHOLE.spans, WHOLE.text)
    assert verify(record_of(PAGES), [good, (WHOLE, WHOLE.spans, "no"), good]) == [True, False, True]
    assert verify(record_of(PAGES), []) == []

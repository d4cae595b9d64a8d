"""Quotes as spans of stored page text, and the check that they are there word for word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kb.model import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kb.model import Passage
    from kb.record.reading import Record


def quote_spans(passage: Passage, start: int, end: int) -> tuple[Span, ...]:
    """Where ``passage.text[start:end]`` stands on its pages.

    A passage's text is its spans' texts with one separator between two of them.
    """
    found: list[Span] = []
    offset = 0
    for span in passage.spans:
        length = span.end - span.start
        first, last = max(start - offset, 0), min(end - offset, length)
        if first < last:
            found.append(
                Span(
                    span.page, span.page_label, span.section, span.start + first, span.start + last
                )
            )
        offset += length + 1
    return tuple(found)


def verify(record: Record, quotes: Sequence[tuple[Passage, tuple[Span, ...], str]]) -> list[bool]:
    """Check each quote against the stored text of the cited version's pages.

    A quote holds when the texts of its spans, with one space or newline between two of them, are
    the quote.
    """
    wanted = {
        (passage.document_id, passage.version, span.number)
        for passage, spans, _ in quotes
        for span in spans
    }
    texts = record.page_texts(wanted)
    return [_holds(texts, passage, spans, quote) for passage, spans, quote in quotes]


def _holds(
    texts: dict[tuple[str, int, int], str], passage: Passage, spans: tuple[Span, ...], quote: str
) -> bool:
    position = 0
    for span in spans:
        if position and quote[position : position + 1].isspace():
            position += 1
        page = texts.get((passage.document_id, passage.version, span.number))
        part = quote[position : position + span.end - span.start]
        if page is None or not 0 <= span.start < span.end <= len(page):
            return False
        if page[span.start : span.end] != part:
            return False
        position += len(part)
    return position == len(quote) > 0

"""Numbered, verified citations of what was chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kb.answers.verify import quote_spans, verify
from kb.model import Citation, Sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kb.answers.choose import Choice
    from kb.answers.evidence import Candidate
    from kb.record.reading import Record


def cite(
    record: Record, chosen: Sequence[Choice]
) -> tuple[tuple[Sentence, ...], tuple[Citation, ...]]:
    """Sentences with their citations, those of the sentences numbered first, in their order.

    A quote that is not on its page is not shown; the same statement elsewhere takes its place.
    """
    every = [candidate for choice in chosen for candidate in (choice.best, *choice.also)]
    holds = dict(zip(map(id, every), _verified(record, every), strict=True))
    groups = [[c for c in (choice.best, *choice.also) if holds[id(c)]] for choice in chosen]
    groups = [group for group in groups if group]
    shown = [group[0] for group in groups]
    others = [candidate for group in groups for candidate in group[1:]]
    citations = [_citation(number, c) for number, c in enumerate((*shown, *others), start=1)]
    sentences: list[Sentence] = []
    number_of = {id(c): n for n, c in enumerate((*shown, *others), start=1)}
    for group in groups:
        numbers = [number_of[id(candidate)] for candidate in group]
        quote = citations[numbers[0] - 1].quote
        sentences.append(Sentence(quote, (numbers[0],), tuple(numbers[1:])))
    return tuple(sentences), tuple(citations)


def _verified(record: Record, candidates: Sequence[Candidate]) -> list[bool]:
    quotes = [
        (citation.passage, citation.spans, citation.quote)
        for citation in (_citation(0, candidate) for candidate in candidates)
    ]
    return verify(record, quotes)


def _citation(number: int, candidate: Candidate) -> Citation:
    """A citation of all of a quote's parts, with the sentence that it rests on."""
    passage = candidate.hit.passage
    quote = candidate.quote.extended()
    spans = tuple(span for part in quote.parts for span in quote_spans(passage, *part))
    return Citation(
        number, passage, candidate.hit.document, spans, quote.text(passage), verified=True
    )

"""Which sentences of a call speak for it, as citations, and whether they say what was asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from kb.analysis import SparseTerms, neighbours, term_number, terms
from kb.answers.quoting import is_evidence, quotable
from kb.answers.verify import quote_spans, verify
from kb.language import detect
from kb.lexicon.artefact import LANGUAGES
from kb.lexicon.query import query_terms
from kb.model import Citation, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kb.answers.quoting import Quotable
    from kb.calls.finder import CallHit
    from kb.model import Document, Fact, Hit, Passage
    from kb.record.reading import Record

MOST = 2
# A second sentence is shown if it says this share of what the first says.
_WORTH_SHOWING = 0.6
_LONGEST = 600  # characters
# A footnote of the text: it begins with its number, or holds an address.
_NOTE = re.compile(r"^\s*\[\d+\]|https?://")

Rarity = Callable[[SparseTerms], Mapping[int, float]]


class Why:
    """Chooses, for one question, the sentences of a passage that say most of it.

    By the weights of the lexical leg, translations included: a call in English is shown by the
    sentence that says in English what was asked in French. Reading the sentences with the
    cross-encoder instead would take half a second a page of results. A sentence must hold ``least``
    terms of the question; where that is 0 and none holds any, the first one shows what the call is
    about.
    """

    def __init__(self, question: str, rarity: Rarity, *, least: int = 0) -> None:
        self._language = detect(question)
        self._question = question
        self._rarity = rarity
        self._least = least
        self._weights: dict[str, dict[int, float]] = {}

    def sentences(self, passage: Passage) -> list[Quotable]:
        """The best sentences of a passage, best first."""
        quotes = _quotes(passage)
        weights = self._weights_in(passage.language) if quotes else {}
        found = [
            (sum(weights[number] for number in held), -at, quote)
            for at, quote in enumerate(quotes)
            if len(held := _held(passage, quote, weights)) >= self._least
        ]
        found.sort(key=lambda item: item[:2], reverse=True)
        if not found:
            return []
        best = found[0][0]
        if not best > 0:
            return quotes[:1]
        chosen: list[Quotable] = []
        for said, _, quote in found:
            text = quote.text(passage)
            if said < _WORTH_SHOWING * best or len(chosen) == MOST:
                break
            if not any(same_words(text, other.text(passage)) for other in chosen):
                chosen.append(quote)
        return chosen

    def _weights_in(self, language: str) -> dict[int, float]:
        if language not in self._weights:
            target = language if language in LANGUAGES else self._language
            asked = query_terms(self._question, self._language, target)
            rare = self._rarity(asked)
            self._weights[language] = {
                number: weight * rare[number]
                for number, weight in zip(asked.indices, asked.values, strict=True)
            }
        return self._weights[language]


class Asked:
    """The words of one question, in the languages of the calls that answer it.

    A ranking leaves nothing out: what holds none of these words is near the question at best, and
    nobody who follows it is to be told of that.
    """

    def __init__(self, question: str) -> None:
        self._question = question
        self._language = detect(question)
        self._terms: dict[str, frozenset[int]] = {}

    def is_said(self, hit: CallHit) -> bool:
        """Whether a call's title or best sentences hold a word of the question, or its like."""
        texts = [(hit.call.title, hit.document.language)]
        texts += [(citation.quote, citation.passage.language) for citation in hit.why]
        return any(_numbers(text, language) & self._in(language) for text, language in texts)

    def _in(self, language: str) -> frozenset[int]:
        if language not in self._terms:
            target = language if language in LANGUAGES else self._language
            asked = query_terms(self._question, self._language, target)
            self._terms[language] = frozenset(asked.indices)
        return self._terms[language]


def same_words(one: str, other: str) -> bool:
    """Whether one quote holds the other: a list with its opening, and the opening."""
    first, second = " ".join(one.split()), " ".join(other.split())
    return first in second or second in first


def _numbers(text: str, language: str) -> set[int]:
    said = terms(text, language)
    return {term_number(term) for term in (*said, *neighbours(said))}


def _held(passage: Passage, quote: Quotable, weights: Mapping[int, float]) -> set[int]:
    """The weighted terms that a quote holds."""
    return _numbers(quote.text(passage), passage.language) & weights.keys()


def _quotes(passage: Passage) -> list[Quotable]:
    """What of a passage can speak for its call: no footnotes, and page-long lists if need be."""
    if not is_evidence(passage):
        return []
    quotes = [quote for quote in quotable(passage) if not _NOTE.search(quote.text(passage))]
    return [quote for quote in quotes if len(quote.text(passage)) <= _LONGEST] or quotes


def cite_hits(record: Record, why: Why, hits: Sequence[Hit]) -> dict[str, tuple[Citation, ...]]:
    """Citations by document id for the passages by which documents were found."""
    wanted = [
        (hit.document, hit.passage, spans, quote.text(hit.passage))
        for hit in hits
        for quote in why.sentences(hit.passage)
        if not _is_title(quote.text(hit.passage), hit.document)
        if (spans := tuple(s for part in quote.parts for s in quote_spans(hit.passage, *part)))
    ]
    return _verified(record, wanted)


def _is_title(text: str, document: Document) -> bool:
    """Whether a quote says no more than the title that stands above it."""
    return " ".join(text.split()).strip(" .") in " ".join(document.title.split())


def cite_fact(
    record: Record, document: Document, passages: Sequence[Passage], fact: Fact
) -> Citation | None:
    """The sentence from which a field of a call was taken; nothing if it is not there any more."""
    for passage in passages:
        for span in passage.spans:
            if span.number == fact.page and span.start <= fact.start < span.end:
                place = Span(span.page, span.page_label, span.section, fact.start, fact.end)
                return _cited(record, document, passage, place)
    return None


def _cited(record: Record, document: Document, passage: Passage, place: Span) -> Citation | None:
    texts = record.page_texts([(document.id, document.version, place.number)])
    page = texts.get((document.id, document.version, place.number), "")
    quote = page[place.start : place.end]
    found = _verified(record, [(document, passage, (place,), quote)])
    return next(iter(found.get(document.id, ())), None)


def _verified(
    record: Record, wanted: Sequence[tuple[Document, Passage, tuple[Span, ...], str]]
) -> dict[str, tuple[Citation, ...]]:
    holds = verify(record, [(passage, spans, quote) for _, passage, spans, quote in wanted])
    cited: dict[str, tuple[Citation, ...]] = {}
    for (document, passage, spans, quote), sound in zip(wanted, holds, strict=True):
        if sound:
            before = cited.get(document.id, ())
            new = Citation(len(before) + 1, passage, document, spans, quote, verified=True)
            cited[document.id] = (*before, new)
    return cited

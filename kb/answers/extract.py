"""Extractive answers: the sentences that answer, word for word, or a refusal.

Absolute evidence decides whether to answer at all: how much of the question a passage covers, its
terms weighed by rarity, and the raw cosine. Normalised scores, good for ranking, always have a
best candidate, whatever was asked.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kb.analysis import fold, term_number, terms
from kb.answers.question import asked_for, has_shape
from kb.answers.verify import quote_spans, verify
from kb.model import Answer, Citation, Role, Sentence
from kb.sentences import sentences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from kb.answers.question import Asked
    from kb.encoders.base import Encoder
    from kb.model import Hit, Passage
    from kb.record.reading import Record

MAX_SENTENCES = 5
MAX_PER_DOCUMENT = 2
MAX_QUOTE = 900
MIN_WORDS = 4
# Sentences encoded for one question; 40 take about 80 ms on two cores.
MAX_ENCODED = 40
NEAREST = 5


@dataclass(frozen=True, slots=True)
class Evidence:
    """What it takes to answer; below it the answer is a refusal.

    ``coverage`` is the share of the question's terms, weighed by rarity, that the passage with its
    title and headings holds; ``sentence`` the share that the sentence itself holds. A passage that
    covers little must be close in meaning (``cosine``).
    """

    coverage: float = 0.62
    sentence: float = 0.30
    low_coverage: float = 0.45
    cosine: float = 0.62


@dataclass(frozen=True, slots=True)
class _Candidate:
    hit: Hit
    start: int
    end: int
    coverage: float
    own: float
    score: float = 0.0
    cosine: float = 0.0

    @property
    def text(self) -> str:
        return self.hit.passage.text[self.start : self.end]


class AnswerExtractor:
    """Chooses, orders and cites sentences."""

    def __init__(self, record: Record, encoder: Encoder, evidence: Evidence | None = None) -> None:
        self._record = record
        self._encoder = encoder
        self._evidence = evidence or Evidence()

    def answer(
        self,
        question: str,
        language: str,
        vector: NDArray[np.float32],
        rarity: Mapping[int, float],
        hits: Sequence[Hit],
    ) -> Answer:
        """Answer from hits, best sentence first, from several documents where several speak.

        ``vector`` is the question's, of the encoder's dimension; ``rarity`` the inverse document
        frequency of its terms.
        """
        asked = asked_for(question)
        weights = _term_weights(question, language, rarity)
        candidates = _candidates(hits, weights)
        ranked = self._rank(candidates, vector, asked, len(hits))
        chosen = self._choose(ranked)
        cited, citations = self._cite(chosen)
        return Answer(
            question=question,
            language=language,
            sentences=cited,
            citations=citations,
            nearest=() if cited else _nearest(hits),
        )

    def _rank(
        self,
        candidates: list[_Candidate],
        vector: NDArray[np.float32],
        asked: Asked,
        hits: int,
    ) -> list[_Candidate]:
        """Score the most promising sentences by terms, meaning, shape and their passage's rank."""
        candidates.sort(key=lambda c: (-(c.own + c.coverage), c.hit.rank, c.start))
        candidates = candidates[:MAX_ENCODED]
        if not candidates:
            return []
        vectors = self._encoder.encode_passages([candidate.text for candidate in candidates])
        cosines = vectors @ vector
        scored = []
        for candidate, cosine in zip(candidates, cosines, strict=True):
            shape = 0.25 if has_shape(candidate.text, asked) else 0.0
            rank = 0.25 * (1 - (candidate.hit.rank - 1) / max(hits, 1))
            score = candidate.own + 0.4 * candidate.coverage + 0.6 * float(cosine) + shape + rank
            scored.append(
                _Candidate(
                    candidate.hit,
                    candidate.start,
                    candidate.end,
                    candidate.coverage,
                    candidate.own,
                    score,
                    float(cosine),
                )
            )
        return sorted(scored, key=lambda c: (-c.score, c.hit.rank, c.start))

    def _choose(self, ranked: list[_Candidate]) -> list[_Candidate]:
        """Keep what is evidence, close to the best, not said twice, few sentences a document."""
        best = next((c.score for c in ranked if self._suffices(c)), None)
        if best is None:
            return []
        chosen: list[_Candidate] = []
        said: set[str] = set()
        shown: Counter[str] = Counter()
        for candidate in ranked:
            words = " ".join(re.findall(r"\w+", fold(candidate.text)))
            if (
                self._suffices(candidate)
                and candidate.score >= 0.75 * best
                and shown[candidate.hit.document.id] < MAX_PER_DOCUMENT
                and words not in said
            ):
                chosen.append(candidate)
                said.add(words)
                shown[candidate.hit.document.id] += 1
            if len(chosen) == MAX_SENTENCES:
                break
        return chosen

    def _suffices(self, candidate: _Candidate) -> bool:
        needed = self._evidence
        covered = candidate.coverage >= needed.coverage and candidate.own >= needed.sentence
        near = candidate.coverage >= needed.low_coverage and candidate.cosine >= needed.cosine
        return covered or near

    def _cite(self, chosen: list[_Candidate]) -> tuple[tuple[Sentence, ...], tuple[Citation, ...]]:
        """Number the citations; a quote that is not on its page is not shown."""
        quotes = [
            (c.hit.passage, quote_spans(c.hit.passage, c.start, c.end), c.text) for c in chosen
        ]
        verified = verify(self._record, quotes)
        cited: list[Sentence] = []
        citations: list[Citation] = []
        for candidate, (passage, spans, quote), holds in zip(chosen, quotes, verified, strict=True):
            if holds:
                number = len(citations) + 1
                citations.append(
                    Citation(number, passage, candidate.hit.document, spans, quote, verified=True)
                )
                cited.append(Sentence(quote, (number,)))
        return tuple(cited), tuple(citations)


def _term_weights(question: str, language: str, rarity: Mapping[int, float]) -> dict[str, float]:
    """The question's own terms and how much each counts, adding up to 1."""
    weights: dict[str, float] = {}
    for term in terms(question, language):
        weights[term] = rarity.get(term_number(term), 0.0)
    total = sum(weights.values())
    return {term: weight / total for term, weight in weights.items()} if total else {}


def _candidates(hits: Sequence[Hit], weights: Mapping[str, float]) -> list[_Candidate]:
    found: list[_Candidate] = []
    for hit in hits:
        passage = hit.passage
        if passage.role in {Role.CONTENTS, Role.REFERENCES, Role.HEADING}:
            continue
        around = _held(f"{hit.document.title} {passage.heading}", passage.language, weights)
        whole = around | _held(passage.text, passage.language, weights)
        coverage = sum(weights[term] for term in whole)
        for start, end in _quotable(passage):
            own = _held(passage.text[start:end], passage.language, weights)
            found.append(
                _Candidate(
                    hit,
                    start,
                    end,
                    coverage,
                    sum(weights[t] for t in own) + 0.3 * sum(weights[t] for t in around - own),
                )
            )
    return found


def _held(text: str, language: str, weights: Mapping[str, float]) -> set[str]:
    return weights.keys() & set(terms(text, language))


def _quotable(passage: Passage) -> list[tuple[int, int]]:
    """Sentences of a passage that can stand as a quote; a list's opening takes its points along."""
    found = sentences(passage.text, passage.language)
    quotable: list[tuple[int, int]] = []
    for position, (start, end) in enumerate(found):
        last = end
        if passage.text[end - 1] == ":":
            for _, following in found[position + 1 :]:
                if following - start > MAX_QUOTE:
                    break
                last = following
        if _is_sentence(passage.text[start:last]):
            quotable.append((start, last))
    return quotable


def _is_sentence(text: str) -> bool:
    """Not a heading or a fragment: a few words, and an end or a table row."""
    words = len(text.split())
    if words < MIN_WORDS or len(text) > MAX_QUOTE:
        return False
    return text[-1] in ".;:!?»”)" or words >= 2 * MIN_WORDS or "|" in text


def _nearest(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """The best passage of each of the nearest documents."""
    seen: dict[str, Hit] = {}
    for hit in hits:
        seen.setdefault(hit.document.id, hit)
    return tuple(list(seen.values())[:NEAREST])

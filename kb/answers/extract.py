"""Extractive answers: the sentences that answer, word for word, or a refusal.

Absolute evidence decides whether to answer at all: how much of the question a passage covers, its
terms weighed by rarity, and the raw cosine. Normalised scores, good for ranking, always have a
best candidate, whatever was asked.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kb.analysis import fold, term_number, terms
from kb.answers.question import FACTS, asked_for, asking_words, fitness
from kb.answers.verify import quote_spans, verify
from kb.model import Answer, Citation, Role, Sentence
from kb.sentences import sentences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    import numpy as np
    from numpy.typing import NDArray

    from kb.answers.question import Asked
    from kb.encoders.base import Encoder
    from kb.model import Hit, Passage
    from kb.record.reading import Record

MAX_SENTENCES = 5
MAX_PER_DOCUMENT = 2
# What scores less than this share of the best sentence is on the subject but beside the question.
CLOSE_TO_BEST = 0.85
# A definition of EU law can fill a passage; a list is quoted with its points up to this length.
MAX_LIST = 900
MIN_WORDS = 5
# Sentences encoded for one question; 48 take about 100 ms on two cores.
MAX_ENCODED = 48
NEAREST = 5
# A name or a number that a question gives is what it is about: it counts twice.
NAME_WEIGHT = 2.0
# A word that a handful of passages hold, or none, may have been said otherwise there: it counts no
# more than one that every four-hundredth holds.
MAX_RARITY = 6.0
# "The largest offer" is answered by "offers of more than EUR 5 000 000": the words that ask for an
# amount or a date need not be said.
ASKING_WEIGHT = 0.35
NO_EVIDENCE = frozenset({Role.CONTENTS, Role.REFERENCES, Role.HEADING})
_PUBLISHED = re.compile(r"\b(?:OJ|JO) [LC]\b")
# A number, or a capital that does not open the question.
_NAMES = re.compile(r"(?<=[\s'’(«“\"])[A-ZÀ-Ý][\w-]*|\d[\d/.,]*")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What it takes to answer; below it the answer is a refusal.

    ``coverage`` is the share of the question's terms, weighed by rarity, that the passage with its
    title and headings holds; ``sentence`` the share that the sentence itself holds. A passage that
    covers less must be close in meaning (``cosine``) and hold every name and number of the
    question.
    """

    coverage: float = 0.62
    sentence: float = 0.30
    low_coverage: float = 0.45
    cosine: float = 0.62


@dataclass(frozen=True, slots=True)
class Weights:
    """What the parts of a sentence's score count.

    ``own`` is the share of the question that the sentence holds; ``around`` that of its title,
    its headings and the sentence before it, which says what "it" is, and ``around_fact`` the same
    where the sentence states the kind of fact that is asked for, and ``around_name`` for a name
    in the title or headings, which say what all of it is about; ``passage`` that of the whole
    passage; ``cosine`` its closeness in meaning; ``shape`` for stating that kind of fact; ``rank``
    for the rank of its passage; ``note`` for standing in a footnote.
    """

    own: float = 1.0
    around: float = 0.3
    around_fact: float = 0.6
    around_name: float = 0.9
    passage: float = 0.4
    cosine: float = 0.6
    shape: float = 0.3
    rank: float = 0.25
    note: float = -0.3


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Parts of a passage that can stand as a quote: a sentence, or a table's header and a row."""

    hit: Hit
    parts: tuple[tuple[int, int], ...]
    coverage: float
    own: float
    named: bool
    states: bool
    score: float
    cosine: float = 0.0

    @property
    def text(self) -> str:
        return "\n".join(self.hit.passage.text[start:end] for start, end in self.parts)


class AnswerExtractor:
    """Chooses, orders and cites sentences."""

    def __init__(
        self,
        record: Record,
        encoder: Encoder,
        evidence: Evidence | None = None,
        weights: Weights | None = None,
    ) -> None:
        self._record = record
        self._encoder = encoder
        self._evidence = evidence or Evidence()
        self._weights = weights or Weights()

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
        candidates = self._candidates(hits, _Question.of(question, language, rarity))
        chosen = self._choose(self._rank(candidates, vector))
        cited, citations = self._cite(chosen)
        return Answer(
            question=question,
            language=language,
            sentences=cited,
            citations=citations,
            nearest=() if cited else _nearest(hits),
        )

    def _candidates(self, hits: Sequence[Hit], question: _Question) -> list[_Candidate]:
        """Every sentence of the hits with its score but for its closeness in meaning."""
        weights = self._weights
        found: list[_Candidate] = []
        for hit in hits:
            passage = hit.passage
            if passage.role in NO_EVIDENCE or _is_reference(passage):
                continue
            titles = question.held(f"{hit.document.title} {passage.heading}", passage.language)
            whole = titles | question.held(passage.text, passage.language)
            coverage = question.share(whole)
            from_hit = (
                weights.passage * coverage
                + weights.rank * (1 - (hit.rank - 1) / len(hits))
                + weights.note * (passage.role is Role.NOTE)
            )
            before: AbstractSet[str] = frozenset()
            for parts in quotable(passage):
                text = "\n".join(passage.text[start:end] for start, end in parts)
                own = question.held(text, passage.language)
                fits = fitness(text, question.shape, own, passage.language)
                around = weights.around_fact if fits > 0 else weights.around
                outside = around * question.share((titles | before) - own - question.names)
                outside += weights.around_name * question.share((titles & question.names) - own)
                held = weights.own * question.share(own) + outside
                score = from_hit + held + weights.shape * fits
                named = question.names <= whole
                states = question.shape not in FACTS or fits > 0
                found.append(_Candidate(hit, parts, coverage, held, named, states, score))
                before = own
        return found

    def _rank(self, candidates: list[_Candidate], vector: NDArray[np.float32]) -> list[_Candidate]:
        """The most promising sentences, best first, now also by their closeness in meaning."""
        promising = sorted(candidates, key=_best_first)[:MAX_ENCODED]
        if not promising:
            return []
        cosines = self._encoder.encode_passages([c.text for c in promising]) @ vector
        weight = self._weights.cosine
        scored = [
            replace(candidate, score=candidate.score + weight * cosine, cosine=cosine)
            for candidate, cosine in zip(promising, map(float, cosines), strict=True)
        ]
        return sorted(scored, key=_best_first)

    def _choose(self, ranked: list[_Candidate]) -> list[_Candidate]:
        """Keep what is evidence, close to the best, not said twice, few sentences a document."""
        evidence = [c for c in ranked if c.states and self._suffices(c)]
        best = evidence[0].score if evidence else 0.0
        chosen: list[_Candidate] = []
        said: set[str] = set()
        shown: Counter[str] = Counter()
        for candidate in evidence:
            words = " ".join(re.findall(r"\w+", fold(candidate.text)))
            if (
                candidate.score >= CLOSE_TO_BEST * best
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
        return covered or (near and candidate.named)

    def _cite(self, chosen: list[_Candidate]) -> tuple[tuple[Sentence, ...], tuple[Citation, ...]]:
        """Number the citations; a quote that is not on its page is not shown."""
        quotes = [
            (
                c.hit.passage,
                tuple(span for part in c.parts for span in quote_spans(c.hit.passage, *part)),
                c.text,
            )
            for c in chosen
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


@dataclass(frozen=True, slots=True)
class _Question:
    """A question's own terms with how much each counts, adding up to 1; those that are names."""

    weights: dict[str, float]
    names: frozenset[str]
    shape: Asked

    @classmethod
    def of(cls, question: str, language: str, rarity: Mapping[int, float]) -> _Question:
        names = frozenset(terms(" ".join(_NAMES.findall(question)), language))
        asking = set(terms(asking_words(question), language)) - names
        weights: dict[str, float] = {}
        for term in terms(question, language):
            rare = rarity.get(term_number(term), 0.0)
            weights[term] = NAME_WEIGHT * rare if term in names else min(rare, MAX_RARITY)
            if term in asking:
                weights[term] *= ASKING_WEIGHT
        total = sum(weights.values()) or 1.0
        shares = {term: weight / total for term, weight in weights.items()}
        return cls(shares, names, asked_for(question))

    def held(self, text: str, language: str) -> set[str]:
        """The question's terms that a text holds."""
        return self.weights.keys() & set(terms(text, language))

    def share(self, held: AbstractSet[str]) -> float:
        """How much of the question these terms are."""
        return sum(self.weights[term] for term in held)


def _is_reference(passage: Passage) -> bool:
    """A footnote that only says where an act was published."""
    return passage.role is Role.NOTE and _PUBLISHED.search(passage.text) is not None


def _best_first(candidate: _Candidate) -> tuple[float, int, tuple[tuple[int, int], ...]]:
    return -candidate.score, candidate.hit.rank, candidate.parts


def quotable(passage: Passage) -> list[tuple[tuple[int, int], ...]]:
    """What of a passage can stand as a quote, each as parts of its text.

    A row of a table comes with the table's header, the opening of a list with its points.
    """
    if passage.role is Role.TABLE:
        return _rows(passage.text)
    found = sentences(passage.text, passage.language)
    quotes: list[tuple[tuple[int, int], ...]] = []
    for position, (start, end) in enumerate(found):
        last = end
        if passage.text[end - 1] == ":":
            for _, following in found[position + 1 :]:
                if following - start > MAX_LIST:
                    break
                last = following
        if _is_sentence(passage.text[start:last]):
            quotes.append(((start, last),))
    return quotes


def _rows(text: str) -> list[tuple[tuple[int, int], ...]]:
    lines = [match.span() for match in re.finditer(r"[^\n]+", text)]
    rows = [line for line in lines if "|" in text[slice(*line)]]
    if len(rows) <= 1:
        return [(line,) for line in lines if _is_sentence(text[slice(*line)])]
    return [(rows[0], row) for row in rows[1:]]


def _is_sentence(text: str) -> bool:
    """Not a heading or a fragment: a few words and an end, or many words."""
    words = len(text.split())
    return words >= MIN_WORDS and (text[-1] in ".;:!?»”)" or words >= 2 * MIN_WORDS)


def _nearest(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """The best passage of each of the nearest documents."""
    seen: dict[str, Hit] = {}
    for hit in hits:
        seen.setdefault(hit.document.id, hit)
    return tuple(list(seen.values())[:NEAREST])

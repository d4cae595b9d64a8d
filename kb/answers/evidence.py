"""What speaks for a sentence as an answer: a few figures, their score, and the confidence."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from kb.analysis import terms
from kb.answers.fitness import fitness
from kb.answers.quoting import is_evidence, quotable
from kb.context import HEADING_ARROW
from kb.encoders.cross import Stated
from kb.model import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from kb.answers.fitness import Shape
    from kb.answers.quoting import Quotable
    from kb.answers.terms import QuestionTerms
    from kb.model import Hit

    Shares = NDArray[np.float64]


# A passage may lead by any margin where a rare word stands in it: what lies behind lies no farther.
FARTHEST: Final = -3.0
# The share of a question from which what is said of it begins to speak for an answer by itself.
HARDLY_COVERED: Final = 0.7


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as its evidence is measured: its terms, their weights, its shape."""

    terms: QuestionTerms
    weights: Shares
    shape: Shape


@dataclass(frozen=True, slots=True)
class Features:
    """What speaks for a sentence; shares are of the question's terms, from 0 to 1.

    ``own`` is what the sentence itself says by weight, ``said`` the same with every term alike;
    ``around`` what only its headings, title or the sentence before say, ``names_around`` the same
    of names. ``shape`` is stating what is asked for (-0.5 to 2), ``behind`` by how much the search
    ranks its passage behind the first (0 or less). ``names_missing`` is the share of the question's
    names that are said nowhere near the sentence. ``covered`` rises from 0, where seven tenths of
    the question are said here or above, to 1, where all is. ``read`` is the cross-encoder's
    log-odds that the sentence answers.
    """

    own: float = 0.0
    said: float = 0.0
    around: float = 0.0
    names_around: float = 0.0
    shape: float = 0.0
    behind: float = 0.0
    names_missing: float = 0.0
    covered: float = 0.0
    read: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A quote that may answer, with what speaks for it."""

    hit: Hit
    quote: Quotable
    text: str
    held: Shares
    features: Features
    score: float = 0.0


def candidates(asked: Asked, hits: Sequence[Hit]) -> list[Candidate]:
    """Every quote of the hits, best hit first, with what its words say."""
    found: list[Candidate] = []
    for hit in hits:
        if is_evidence(hit.passage):
            found += _of_passage(asked, hit, max(hit.score - hits[0].score, FARTHEST))
    return found


def _of_passage(asked: Asked, hit: Hit, behind: float) -> list[Candidate]:
    passage = hit.passage
    language = passage.language
    titles = _held(asked, f"{hit.document.title} {passage.heading} {_said_of(hit)}", language)
    whole = np.maximum(titles, _held(asked, passage.text, language))
    weights, names = asked.weights, asked.terms.names
    found: list[Candidate] = []
    before = np.zeros(len(weights))
    for quote in quotable(passage):
        text = quote.text(passage)
        own = _held(asked, text, language)
        said = np.maximum(own, np.maximum(titles, before))
        covered = (float(weights @ said) - HARDLY_COVERED) / (1 - HARDLY_COVERED)
        features = Features(
            own=float(weights @ own),
            said=float(np.mean(own)) if len(own) else 0.0,
            around=float(weights[~names] @ (said - own)[~names]),
            names_around=float(weights[names] @ (said - own)[names]),
            behind=behind,
            names_missing=_missing(asked, np.maximum(said, 0.5 * whole)),
            covered=max(0.0, covered),
        )
        found.append(Candidate(hit, quote, text, own, features))
        before = own
    return found


def with_shape(asked: Asked, candidate: Candidate) -> Candidate:
    """The candidate with how well it has the shape of what is asked for."""
    fits = fitness(candidate.text, candidate.hit.passage.language, asked.shape, asked.terms)
    return replace(candidate, features=replace(candidate.features, shape=fits))


def _held(asked: Asked, text: str, language: str) -> Shares:
    return asked.terms.held(frozenset(terms(text, language)), language)


def _said_of(hit: Hit) -> str:
    """What is known of a document besides its words: who issued it, and in which year."""
    metadata = hit.document.metadata
    years = {day.year for day in (metadata.published, metadata.version_date) if day}
    return " ".join([metadata.issuer or "", *map(str, sorted(years))])


def _missing(asked: Asked, said: Shares) -> float:
    """How much of the question's names is said nowhere near the sentence, from 0 to 1."""
    names = asked.terms.names
    total = float(asked.weights[names].sum())
    if total <= 0:
        return 0.0
    return 1 - float(asked.weights[names] @ said[names]) / total


@dataclass(frozen=True, slots=True)
class Weights:
    """What each figure counts in a sentence's score."""

    of: Features

    def score(self, features: Features) -> float:
        """The score of a sentence with these figures."""
        return float(sum(getattr(self.of, name) * getattr(features, name) for name in FEATURES))


FEATURES: Final = tuple(Features.__slots__)
# What speaks for reading a sentence, before anything is read.
PROMISING: Final = Weights(
    Features(own=1.0, said=3.3, around=4.4, names_around=1.8, shape=3.4, behind=0.9)
)
# What speaks for it once it is read. Softmax over the sentences of a question, fitted on the gold
# set's tuning half and the questions of the integration tests, held near what was chosen before and
# rounded. On the other half the answer came first for 70 of 100 questions and among three for 80;
# by what speaks before reading it came first for 34 and among three for 61 (of the whole set).
ANSWERING: Final = Weights(
    Features(
        own=0.2, said=0.4, around=0.5, names_around=0.2, shape=2.4,
        behind=0.95, names_missing=-0.5, covered=3.2, read=0.8,
    )
)  # fmt: skip

# The cross-encoder was taught no tables: what it holds against a row counts no more than this.
WORST_ROW: Final = -1.5

# Of ``confidence``: what is taken from the score for the shape (it orders sentences, but many that
# answer nothing have it) and for names that are said nowhere near; where it is as likely as not.
STEEPNESS: Final = 0.5
SHAPED: Final = 1.0
UNNAMED: Final = 1.5
ENOUGH: Final = 1.9


def read_under(candidate: Candidate) -> Stated:
    """A candidate as it is read: with its document's title and the last of its headings."""
    passage = candidate.hit.passage
    heading = passage.heading.rpartition(HEADING_ARROW)[2]
    return Stated(candidate.hit.document.title, heading, candidate.quote.extended().text(passage))


def with_reading(candidate: Candidate, log_odds: float) -> Candidate:
    """The candidate with what the cross-encoder made of it."""
    if candidate.hit.passage.role is Role.TABLE:
        log_odds = max(log_odds, WORST_ROW)
    return replace(candidate, features=replace(candidate.features, read=log_odds))


def scored(candidate: Candidate, weights: Weights) -> Candidate:
    """The candidate with its score."""
    return replace(candidate, score=weights.score(candidate.features))


def confidence(ranked: Sequence[Candidate]) -> float:
    """How sure it is that the best candidate answers, from 0 to 1.

    It puts answerable gold questions above unanswerable ones in 85 of 100 pairs (the closeness of
    vectors did in 75); the names that are missing matter where most unanswerable questions are
    refused (docs/decisions/0007).
    """
    if not ranked:
        return 0.0
    best, features = ranked[0].score, ranked[0].features
    evidence = best - SHAPED * features.shape - UNNAMED * features.names_missing
    return 1 / (1 + math.exp(-STEEPNESS * (evidence - ENOUGH)))

"""Extractive answers: the sentences that answer, word for word, or a refusal.

Absolute evidence decides whether to answer at all (``kb.answers.evidence``). Normalised scores,
good for ranking, always have a best candidate, whatever was asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kb.answers.choose import choose
from kb.answers.cite import cite
from kb.answers.dictionary import PackageDictionary
from kb.answers.differ import differences
from kb.answers.evidence import (
    ANSWERING,
    PROMISING,
    Asked,
    candidates,
    confidence,
    read_under,
    scored,
    with_reading,
    with_shape,
)
from kb.answers.fitness import shape_of
from kb.answers.terms import question_terms
from kb.encoders.cross import CrossEncoder
from kb.model import Answer
from kb.stopping import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from kb.answers.choose import Choice
    from kb.answers.evidence import Candidate
    from kb.answers.terms import Dictionary
    from kb.encoders.base import Encoder
    from kb.model import Hit
    from kb.record.reading import Record
    from kb.stopping import Stop

# Candidates whose shape is looked at, those of them that are read (40 take about 0.3 s on two free
# cores), and those of these that are compared with each other.
MAX_SHAPED: Final = 80
MAX_READ: Final = 40
MAX_COMPARED: Final = 16
NEAREST: Final = 5
# Confidence from which a question is answered (docs/decisions/0007 has the curve).
THRESHOLD: Final = 0.5


@dataclass(frozen=True, slots=True)
class Sought:
    """A question as the search has it.

    ``rarity`` gives the inverse document frequency of terms by their numbers, ``unseen`` is that of
    a term that no passage holds.
    """

    text: str
    language: str
    rarity: Callable[[Collection[int]], Mapping[int, float]]
    unseen: float


class AnswerExtractor:
    """Chooses, orders and cites sentences."""

    def __init__(
        self,
        record: Record,
        encoder: Encoder,
        reader: CrossEncoder | None = None,
        dictionary: Dictionary | None = None,
        threshold: float = THRESHOLD,
    ) -> None:
        self._record = record
        self._encoder = encoder
        self._reader = reader or CrossEncoder()
        self._dictionary = dictionary or PackageDictionary()
        self._threshold = threshold

    def answer(self, sought: Sought, hits: Sequence[Hit], stop: Stop = NEVER) -> Answer:
        """Answer from hits, best sentence first, from several documents where several speak.

        Raises:
            Stopped: The work is to stop.
        """
        asked = self._asked(sought)
        found = candidates(asked, hits)
        ranked = self._rank(asked, sought.text, found, stop)
        sure = confidence(ranked)
        chosen = self._choose(ranked, sought.language) if sure >= self._threshold else []
        cited, citations = cite(self._record, chosen)
        return Answer(
            question=sought.text,
            language=sought.language,
            sentences=cited,
            citations=citations,
            nearest=() if cited else _nearest(hits),
            confidence=sure,
            differs=differences(asked, citations[: len(cited)]),
        )

    def _asked(self, sought: Sought) -> Asked:
        found = question_terms(sought.text, sought.language, self._dictionary)
        weights = found.weights(sought.rarity(found.numbers()), sought.unseen)
        return Asked(found, weights, shape_of(sought.text, found))

    def _rank(
        self, asked: Asked, question: str, found: Sequence[Candidate], stop: Stop
    ) -> list[Candidate]:
        """The most promising candidates, read, best first."""
        stop.check()
        likely = sorted((scored(c, PROMISING) for c in found), key=_best_first)[:MAX_SHAPED]
        shaped = (scored(with_shape(asked, candidate), PROMISING) for candidate in likely)
        promising = sorted(shaped, key=_best_first)[:MAX_READ]
        stop.check()
        stated = [read_under(candidate) for candidate in promising]
        read = self._reader.score(question, stated, stop)
        return sorted(
            (
                scored(with_reading(candidate, log_odds), ANSWERING)
                for candidate, log_odds in zip(promising, map(float, read), strict=True)
            ),
            key=_best_first,
        )

    def _choose(self, ranked: Sequence[Candidate], language: str) -> list[Choice]:
        best = ranked[:MAX_COMPARED]
        vectors = self._encoder.encode_passages([candidate.text for candidate in best])
        return choose(best, vectors, language)


def _best_first(candidate: Candidate) -> tuple[float, int, tuple[tuple[int, int], ...]]:
    return -candidate.score, candidate.hit.rank, candidate.quote.parts


def _nearest(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """The best passage of each of the nearest documents."""
    seen: dict[str, Hit] = {}
    for hit in hits:
        seen.setdefault(hit.document.id, hit)
    return tuple(list(seen.values())[:NEAREST])

"""Answers measured: is the sentence there, are citations right, is silence kept where due."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any

from evaluation.machine import bar, commit
from evaluation.retrieval import EVERYTHING
from kb.answers.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kb.bootstrap import KnowledgeBase
    from kb.model import Answer, Citation

_FIRST_SENTENCES = 3


@dataclass(frozen=True, slots=True)
class Posed:
    """A question as it is posed, and who judges the citations of its answer.

    ``bears`` says whether a citation bears the answer; ``relevant`` whether it is to the point, be
    it the answer or not, and None where nobody has judged it. ``groups`` are what the question
    counts under, beside all questions.
    """

    id: str
    text: str
    answerable: bool
    groups: tuple[str, ...]
    bears: Callable[[Citation], bool]
    relevant: Callable[[Citation], bool | None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a question; ``bearing`` is the 1-based rank of a sentence that answers it."""

    id: str
    answerable: bool
    groups: tuple[str, ...]
    bearing: int | None
    confidence: float
    refused: bool
    verified: tuple[bool, ...]
    relevant: tuple[bool | None, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Every question's outcome, and the citations that still have to be judged."""

    asked: tuple[Asked, ...]
    unjudged: tuple[dict[str, Any], ...]
    ranked: dict[str, float]
    settings: dict[str, Any]
    seconds: float
    commit: str = field(default_factory=commit)

    @property
    def curve(self) -> list[dict[str, float]]:
        """Refusals by threshold."""
        return curve(self.asked)

    def as_json(self) -> dict[str, Any]:
        """What is printed for scripts."""
        answerable = [one for one in self.asked if one.answerable]
        names = sorted({group for one in answerable for group in one.groups})
        return {
            "measures": {**measures(self.asked), **self.ranked},
            "groups": {
                name: measures([one for one in answerable if name in one.groups]) for name in names
            },
            "answerable": len(answerable),
            "unanswerable": len(self.asked) - len(answerable),
            "citations": sum(len(one.verified) for one in self.asked),
            "unjudged": len(self.unjudged),
            "curve": self.curve,
            "questions": [
                {
                    "id": one.id,
                    "answerable": one.answerable,
                    "bearing": one.bearing,
                    "refused": one.refused,
                    "confidence": round(one.confidence, 4),
                }
                for one in self.asked
            ],
            "settings": self.settings,
            "seconds": self.seconds,
            "commit": self.commit,
        }


def measures(asked: Sequence[Asked]) -> dict[str, float]:
    """The shares that matter; one that nothing speaks for is left out.

    Citations are judged where the question can be answered; verified they are everywhere.
    """
    can = [one for one in asked if one.answerable]
    found: dict[str, list[bool]] = {
        "first": [one.bearing == 1 for one in can],
        "first three": [(one.bearing or _FIRST_SENTENCES + 1) <= _FIRST_SENTENCES for one in can],
        "answerable refused": [one.refused for one in can],
        "unanswerable refused": [one.refused for one in asked if not one.answerable],
        "citations verified": [held for one in asked for held in one.verified],
        "citations relevant": [bool(judged) for one in can for judged in one.relevant],
    }
    return {name: round(fmean(values), 4) for name, values in found.items() if values}


def curve(asked: Sequence[Asked]) -> list[dict[str, float]]:
    """What would be refused if an answer had to be surer than a threshold, by threshold."""
    can = [one.confidence for one in asked if one.answerable]
    cannot = [one.confidence for one in asked if not one.answerable]
    if not can or not cannot:
        return []
    return [
        {
            "threshold": round(threshold, 4),
            "answerable refused": round(fmean(value < threshold for value in can), 4),
            "unanswerable refused": round(fmean(value < threshold for value in cannot), 4),
        }
        for threshold in sorted({*can, *cannot})
    ]


def ask(
    base: KnowledgeBase,
    questions: Sequence[Posed],
    settings: dict[str, Any],
    ranked: dict[str, float] | None = None,
) -> Outcome:
    """Ask every question and measure what comes back; ``ranked`` are measures of retrieval."""
    asked: list[Asked] = []
    unjudged: list[dict[str, Any]] = []
    started = time.monotonic()
    with bar("questions", len(questions)) as advance:
        for one in questions:
            answer = base.search.answer(one.text, EVERYTHING)
            asked.append(_outcome(base, one, answer))
            unjudged += _unjudged(one, answer, asked[-1])
            advance(1)
    seconds = round(time.monotonic() - started, 1)
    return Outcome(tuple(asked), tuple(unjudged), ranked or {}, settings, seconds)


def _outcome(base: KnowledgeBase, one: Posed, answer: Answer) -> Asked:
    cited = {citation.number: citation for citation in answer.citations}
    quotes = [(c.passage, c.spans, c.quote) for c in answer.citations]
    held = verify(base.record, quotes)
    ranks = (
        rank
        for rank, sentence in enumerate(answer.sentences, start=1)
        if any(one.bears(cited[number]) for number in (*sentence.citations, *sentence.also))
    )
    return Asked(
        id=one.id,
        answerable=one.answerable,
        groups=one.groups,
        bearing=next(ranks, None),
        confidence=answer.confidence,
        refused=not answer.sentences,
        verified=tuple(
            citation.verified and holds
            for citation, holds in zip(answer.citations, held, strict=True)
        ),
        relevant=tuple(one.relevant(citation) for citation in answer.citations),
    )


def _unjudged(one: Posed, answer: Answer, asked: Asked) -> list[dict[str, Any]]:
    """Rows for the file of judgements, with ``relevant`` left to a person."""
    if not one.answerable:
        return []
    return [
        {
            "question": one.id,
            "document": citation.document.id,
            "page": citation.spans[0].number,
            "quote": citation.quote,
            "relevant": None,
        }
        for citation, judged in zip(answer.citations, asked.relevant, strict=True)
        if judged is None
    ]

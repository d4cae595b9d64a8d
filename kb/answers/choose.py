"""Which sentences are shown: the best, what comes close to it, each statement once."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from kb.analysis import fold
from kb.answers.facts import facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from kb.answers.evidence import Candidate
    from kb.model import Document

MAX_SENTENCES: Final = 4
MAX_PER_DOCUMENT: Final = 2
MAX_ALSO: Final = 3
# How much less likely than the best a sentence may be: what is less is on the subject but beside
# the question. In units of the score, which is a log-odds.
CLOSE_TO_BEST: Final = 1.5
# The same statement elsewhere: closeness in meaning that is enough with the same numbers, in the
# same section of a translation, in another language of the same work, in any other text.
SAME_SECTION: Final = 0.70
SAME_WORK: Final = 0.75
SAME_NUMBERS: Final = 0.85
SAME_WORDS: Final = 0.8


@dataclass(frozen=True, slots=True)
class Choice:
    """A sentence to show and the same statement elsewhere."""

    best: Candidate
    also: tuple[Candidate, ...] = ()


def choose(
    ranked: Sequence[Candidate], vectors: NDArray[np.float32], language: str
) -> list[Choice]:
    """Choose from candidates, best first; ``vectors`` are theirs, row by row.

    Of a statement that stands in both languages the one in the question's is shown and the other
    named with it.
    """
    if not ranked:
        return []
    floor = ranked[0].score - CLOSE_TO_BEST
    chosen: list[_Group] = []
    shown: Counter[str] = Counter()
    for row, candidate in enumerate(ranked):
        statement = _Statement(candidate, vectors[row])
        document = candidate.hit.document.id
        close = candidate.score >= floor
        if close and any(group.join(statement) for group in chosen):
            continue
        if any(group.overlaps(statement) for group in chosen):
            continue
        same = next((group for group in chosen if group.says(statement)), None)
        if same is not None:
            same.add(statement, language)
        elif close and len(chosen) < MAX_SENTENCES and shown[document] < MAX_PER_DOCUMENT:
            shown[document] += 1
            chosen.append(_Group([statement]))
    return [group.choice() for group in chosen]


@dataclass(frozen=True)
class _Statement:
    """A candidate as it is compared with others."""

    candidate: Candidate
    vector: NDArray[np.float32]

    @cached_property
    def words(self) -> tuple[str, ...]:
        return tuple(re.findall(r"\w+", fold(self.candidate.text)))

    @cached_property
    def numbers(self) -> frozenset[str]:
        return frozenset(fact.value for fact in facts(self.candidate.text))

    @property
    def language(self) -> str:
        return self.candidate.hit.passage.language

    @property
    def document(self) -> Document:
        return self.candidate.hit.document

    @property
    def label(self) -> str:
        """The label of its section, where it is one that a translation would share."""
        label = self.candidate.hit.passage.spans[0].page_label or ""
        return "" if label.isdecimal() else " ".join(re.findall(r"\d+\w*", label))

    def same_as(self, other: _Statement) -> bool:
        """Whether both say the same: the same words, or the same numbers and meaning."""
        if self.words == other.words:
            return True
        if self.numbers != other.numbers:
            return False
        near = float(self.vector @ other.vector)
        if self.language == other.language:
            return _overlap(self.words, other.words) >= SAME_WORDS
        if same_work(self.document, other.document):
            if self.label and self.label == other.label:
                return near >= SAME_SECTION
            return near >= SAME_WORK
        return bool(self.numbers) and near >= SAME_NUMBERS

    def overlaps(self, other: _Statement) -> bool:
        """Whether both quote some of the same words on the same page."""
        one, two = self.candidate, other.candidate
        if one.hit.passage.id != two.hit.passage.id:
            return False
        ours, theirs = one.quote.extended().parts, two.quote.extended().parts
        listed = len(ours) > 1 and len(theirs) > 1 and ours[0] == theirs[0]
        return any(
            first < last and start < end
            for first, end in ours[listed:]
            for start, last in theirs[listed:]
        )


@dataclass
class _Group:
    """A statement and where else it stands, what is shown first."""

    statements: list[_Statement]

    def join(self, statement: _Statement) -> bool:
        """Take in a sentence that stands beside the one that is shown, as one quote."""
        first = self.statements[0]
        one, two = first.candidate, statement.candidate
        if one.hit.passage.id != two.hit.passage.id:
            return False
        both = one.quote.joined(two.quote, one.hit.passage)
        if both is None:
            return False
        together = replace(one, quote=both, text=both.text(one.hit.passage))
        self.statements[0] = _Statement(together, first.vector)
        return True

    def overlaps(self, statement: _Statement) -> bool:
        return any(held.overlaps(statement) for held in self.statements)

    def says(self, statement: _Statement) -> bool:
        return any(held.same_as(statement) for held in self.statements)

    def add(self, statement: _Statement, language: str) -> None:
        """Add it, in front where it is the first in the question's language."""
        known = {held.document.id for held in self.statements}
        if statement.document.id in known or len(self.statements) > MAX_ALSO:
            return
        in_front = statement.language == language != self.statements[0].language
        self.statements.insert(0 if in_front else len(self.statements), statement)

    def choice(self) -> Choice:
        first, *others = (held.candidate for held in self.statements)
        return Choice(first, tuple(others))


def same_work(one: Document, other: Document) -> bool:
    """Whether two documents are one work in two languages or versions."""
    ours, theirs = one.metadata, other.metadata
    named = ("celex", "doi", "identifier")
    return any(
        getattr(ours, name) is not None and getattr(ours, name) == getattr(theirs, name)
        for name in named
    )


def _overlap(one: Sequence[str], other: Sequence[str]) -> float:
    """Shared words over all words, each as often as it stands."""
    ours, theirs = Counter(one), Counter(other)
    every = (ours | theirs).total()
    return (ours & theirs).total() / every if every else 0.0

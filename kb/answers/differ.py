"""Where the sentences of an answer state different numbers or dates for the same thing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from kb.analysis import terms
from kb.answers.facts import Unit, facts
from kb.answers.question import Asked as Kind
from kb.model import Stated

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from kb.answers.evidence import Asked
    from kb.answers.facts import Fact
    from kb.model import Citation, Document

_UNITS: Final = {
    Kind.AMOUNT: (Unit.MONEY, Unit.SHARE),
    Kind.DATE: (Unit.DATE,),
    Kind.DURATION: (Unit.DURATION,),
    Kind.NUMBER: (Unit.COUNT,),
}
# Who says that a value is a former one contradicts nobody who states today's.
_FORMER: Final = re.compile(
    r"\b(?:earlier|former(?:ly)?|previous(?:ly)?|repealed|no longer|(?:before|until) (?:19|20)\d\d"
    r"|anciens?|anciennes?|auparavant|précédente?s?|abrogée?s?|n['’]est plus|ne sont plus"
    r"|(?:avant|jusqu['’]en) (?:19|20)\d\d)\b",
    re.IGNORECASE,
)
# How much of what the first sentence says of the question another must say too.
SAME_SUBJECT: Final = 0.8


def differences(asked: Asked, citations: Sequence[Citation]) -> tuple[Stated, ...]:
    """The differing values side by side, newest first; empty where all agree.

    Compared are citations of several documents that each state exactly one value of the unit that
    is asked for (two values in one sentence are two things), and that say the same of the question
    as the first of them: its ceiling is not compared with another's.
    """
    today = [citation for citation in citations if not _FORMER.search(citation.quote)]
    for unit in _UNITS.get(asked.shape.asked, ()):
        stated = [(fact, c) for c in today if (fact := _only(unit, c.quote)) is not None]
        stated = [(fact, c) for fact, c in stated if _same_subject(asked, stated[0][1], c)]
        documents = {citation.document.id for _, citation in stated}
        if len({fact.value for fact, _ in stated}) > 1 and len(documents) > 1:
            return tuple(sorted((_stated(*each) for each in stated), key=_newest_first))
    return ()


def day_of(document: Document) -> date | None:
    """The day of a document's version, else of its publication."""
    return document.metadata.version_date or document.metadata.published


def _same_subject(asked: Asked, first: Citation, other: Citation) -> bool:
    one, two = (
        asked.terms.held(frozenset(terms(c.quote, c.passage.language)), c.passage.language)
        for c in (first, other)
    )
    return float(asked.weights @ np.minimum(one, two)) >= SAME_SUBJECT * float(asked.weights @ one)


def _stated(fact: Fact, citation: Citation) -> Stated:
    document = citation.document
    words = citation.quote[fact.start : fact.end]
    return Stated(words, citation.number, day_of(document), document.current)


def _newest_first(stated: Stated) -> tuple[bool, int, int]:
    if stated.day is None:
        return True, 0, stated.citation
    return False, -stated.day.toordinal(), stated.citation


def _only(unit: Unit, quote: str) -> Fact | None:
    found = {fact.value: fact for fact in facts(quote) if fact.unit is unit}
    return next(iter(found.values())) if len(found) == 1 else None

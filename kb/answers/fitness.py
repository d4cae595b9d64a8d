"""How well a sentence has the shape of what is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from kb.analysis import terms
from kb.answers.facts import Unit, facts, names_person
from kb.answers.question import (
    FACTS,
    Asked,
    asked_for,
    asks_money,
    asks_rate,
    counted_words,
    role_words,
)

if TYPE_CHECKING:
    from kb.answers.facts import Fact
    from kb.answers.terms import QuestionTerms

# A term in quotation marks that the sentence goes on to define.
_DEFINED: Final = re.compile(
    r"[‘'«“\"]\s?(?P<term>[^‘’«»“”\"]{2,80}?)\s?[’'»”\"]\s*(?:\([^)]{1,60}\)\s*)?,?"
    r"(?:[^.;:’»”]{0,80},)?\s*(?:means?\b|:|désignent?\b|est défini|s['’]entend)",
    re.IGNORECASE,
)
_DEFINES: Final = re.compile(
    r"[’'”»]\s*(?:,[^,]{0,60},)?\s*(?:means?\b|:|désigne)"
    r"|\bmeans\b|\bis defined as\b|\bon entend par\b|\bs['’]entend\b|\b(?:est|sont) défini"
    r"|\bdéfini(?:t|ssent|es?)?\b|\bdésigne\b|\b(?:is|are) an?\b|\b(?:est|sont) (?:une?|des)\b"
    r"|\brefers to\b|\bc['’]est (?:une?|le|la|l['’])|\bon parle de\b|\bconsiste\b|\bconsists of\b",
    re.IGNORECASE,
)
_MARKERS: Final = {
    Asked.POSITION: re.compile(
        r"\b(?:demand|propos|recommand|préconis|souhait|plaid|défend|réclam|revendiqu|appel(?:le|ons|lent)\b)"
        r"|\b(?:asks?|proposes?|recommends?|calls? for|urges?|should|wants?|we (?:ask|propose|call|want))\b",  # noqa: E501 -- one alternative a line
        re.IGNORECASE,
    ),
    Asked.REASON: re.compile(
        r"\b(?:parce qu|car\b|puisqu|en raison|afin\b|c['’]est pourquoi|pour que|permet|grâce à|faute de"  # noqa: E501 -- one alternative a line
        r"|because|since\b|due to|therefore|so that|that is why|in order to|why\b|owing to|as a result)",  # noqa: E501 -- one alternative a line
        re.IGNORECASE,
    ),
    Asked.CONDITION: re.compile(
        r"\b(?:peu(?:t|vent)|doi(?:t|vent)|sauf|seule?s?|seulement|conditions?|éligib|réservée?s?|si\b"
        r"|à moins|exclu|écart|sous réserve|dès lors|tout(?:e|es|s)?\b|may\b|can\b|must\b|shall\b|only\b"  # noqa: E501 -- one alternative a line
        r"|eligib|unless\b|required|provided that|if\b|excluded|every\b|any\b)",
        re.IGNORECASE,
    ),
    Asked.WHERE: re.compile(r"@|https?:|www\.|\b(?:portail|portal|site|guichet)\b", re.IGNORECASE),
}
_LISTED: Final = re.compile(r"[,;]")
# How far from a number the thing that it counts may stand, in letters.
_NEAR: Final = 60
_SAID: Final = 0.4  # strength from which a term counts as said
_MISSING: Final = -0.5


@dataclass(frozen=True, slots=True)
class Shape:
    """What a question asks for, with the places of what is counted or of the role, if any."""

    asked: Asked
    rate: bool
    money: bool
    counted: tuple[int, ...]
    role: tuple[int, ...]


def shape_of(question: str, asked_terms: QuestionTerms) -> Shape:
    """The shape of a question."""

    def places(said: str) -> tuple[int, ...]:
        wanted = frozenset(terms(said, asked_terms.language))
        return tuple(at for at, term in enumerate(asked_terms.terms) if term in wanted)

    return Shape(
        asked_for(question),
        asks_rate(question),
        asks_money(question),
        places(counted_words(question)),
        places(role_words(question)),
    )


def fitness(sentence: str, language: str, shape: Shape, asked_terms: QuestionTerms) -> float:  # noqa: PLR0911 -- one line a shape
    """How well a sentence has the shape that is asked for, from -0.5 to 2.

    1 where it states such a fact, -0.5 where a fact is asked for and it has none. A definition
    counts twice where the term that it defines is what is asked about.
    """
    if shape.asked in _MARKERS:
        return 1.0 if _MARKERS[shape.asked].search(sentence) else 0.0
    if shape.asked is Asked.DEFINITION:
        return _defines(sentence, language, asked_terms)
    if shape.asked is Asked.WHO:
        return _who(sentence, language, shape, asked_terms)
    if shape.asked is Asked.LIST:
        return min(1.0, len(_LISTED.findall(sentence)) / 3)
    if shape.asked is Asked.NUMBER:
        return _counts(sentence, language, shape, asked_terms)
    if shape.asked in FACTS:
        return _states(shape, {fact.unit for fact in facts(sentence)})
    return 0.0


def _states(shape: Shape, units: set[Unit]) -> float:
    """Amounts, dates and lengths of time: the unit that is asked for, or one near to it."""
    if shape.asked is Asked.DATE:
        best = {Unit.DATE: 1.0, Unit.DURATION: 0.2}
    elif shape.asked is Asked.DURATION:
        best = {Unit.DURATION: 1.0, Unit.DATE: 0.3}
    elif shape.rate:
        best = {Unit.SHARE: 1.0, Unit.TIMES: 0.6, Unit.MONEY: 0.1}
    elif shape.money:
        best = {Unit.MONEY: 1.0, Unit.SHARE: 0.3}
    else:
        best = {Unit.MONEY: 1.0, Unit.SHARE: 0.9, Unit.TIMES: 0.9, Unit.COUNT: 0.4}
    return max((best[unit] for unit in units if unit in best), default=_MISSING)


def _counts(sentence: str, language: str, shape: Shape, asked_terms: QuestionTerms) -> float:
    """A number, and near it what is counted."""
    found = [fact for fact in facts(sentence) if fact.unit in {Unit.COUNT, Unit.TIMES}]
    if not found:
        return _MISSING
    if not shape.counted:
        return 1.0

    def said(text: str) -> bool:
        held = asked_terms.held(frozenset(terms(text, language)), language)
        return bool(np.max(held[list(shape.counted)]) >= _SAID)

    if any(said(_around(sentence, fact)) for fact in found):
        return 1.0
    return 0.4 if said(sentence) else 0.0


def _around(sentence: str, fact: Fact) -> str:
    """The words near a fact, none of them cut."""
    start, end = max(0, fact.start - _NEAR), min(len(sentence), fact.end + _NEAR)
    start = sentence.find(" ", start, fact.start) + 1 if start else 0
    stop = sentence.rfind(" ", fact.end, end) if end < len(sentence) else end
    return sentence[start : stop if stop > 0 else end]


def _who(sentence: str, language: str, shape: Shape, asked_terms: QuestionTerms) -> float:
    person = names_person(sentence)
    if not shape.role:
        return 0.3 * person
    held = asked_terms.held(frozenset(terms(sentence, language)), language)
    role = float(np.max(held[list(shape.role)]))
    if person and role >= _SAID:
        return person
    return 0.2 if person else _MISSING


def _defines(sentence: str, language: str, asked_terms: QuestionTerms) -> float:
    for match in _DEFINED.finditer(sentence):
        defined = frozenset(terms(match["term"], language))
        held = asked_terms.held(defined, language)
        said = held >= _SAID
        if defined and said.any() and _all_said(defined, asked_terms, language):
            wanted = int(np.sum(~asked_terms.asking))
            return 2.0 if int(said.sum()) >= wanted else 1.5
    return 1.0 if _DEFINES.search(sentence) else 0.0


def _all_said(defined: frozenset[str], asked_terms: QuestionTerms, language: str) -> bool:
    """Whether every word of a defined term is one that the question says."""
    single = asked_terms.single.get(language, {})
    formed = {term for form in asked_terms.forms.get(language, ()) for term in form.terms}
    return all(word in single or word in formed for word in defined)

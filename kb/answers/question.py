"""What a question asks for, and whether a sentence has that shape."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

from kb.analysis import terms

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


class Asked(Enum):
    """The shape of the fact that would answer."""

    AMOUNT = "amount"
    DATE = "date"
    NUMBER = "number"
    DURATION = "duration"
    DEFINITION = "definition"
    ANYTHING = "anything"


# Facts that a sentence states or does not: where none does, the question is not answered.
FACTS = frozenset({Asked.AMOUNT, Asked.DATE, Asked.NUMBER, Asked.DURATION})


_NUMBER_WORDS = (
    r"un|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|onze|douze|treize|quinze|vingt|trente"
    r"|quarante|cinquante|soixante|cent|mille|millions?|milliards?"
    r"|one|two|three|four|five|seven|eight|nine|ten|eleven|twelve|fifteen|eighteen|twenty|thirty"
    r"|forty|fifty|sixty|ninety|hundred|thousand|billion"
)
_MONTHS = (
    r"janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"
    r"|january|february|march|april|may|june|july|august|september|october|november|december"
)
_SHAPES = {
    Asked.AMOUNT: re.compile(
        rf"(?:€|\beuros?\b|\beur\b|\bk€|\bm€|%|per ?cent|pour cent).{{0,40}}\d"
        rf"|\d[\d\s.,]*(?:{_NUMBER_WORDS})?\s*(?:d['’]\s*)?(?:€|euros?\b|eur\b|k€|m€|%|per ?cent"
        r"|pour cent)",
        re.IGNORECASE,
    ),
    Asked.DATE: re.compile(
        rf"\b(?:\d{{1,2}}(?:er)?\s+(?:{_MONTHS})|(?:{_MONTHS})\s+\d{{1,2}}|(?:19|20)\d{{2}}"
        r"|\d{1,2}[./]\d{1,2}[./]\d{2,4})\b",
        re.IGNORECASE,
    ),
    Asked.DURATION: re.compile(
        rf"(?:\d|\b(?:{_NUMBER_WORDS})\b).{{0,20}}\b(?:jours?|semaines?|mois|ans?|années?|heures?"
        r"|days?|weeks?|months?|years?|hours?)\b",
        re.IGNORECASE,
    ),
    Asked.NUMBER: re.compile(rf"\d|\b(?:{_NUMBER_WORDS})\b", re.IGNORECASE),
    Asked.DEFINITION: re.compile(
        r"[’'”»]\s*(?:,[^,]{0,60},)?\s*(?:means?\b|:|désigne)"
        r"|\bmeans\b|\bis defined as\b|\bon entend par\b|\bs['’]entend\b|\best défini"
        r"|\bdésigne\b|\bis an?\b|\best une?\b|\brefers to\b",
        re.IGNORECASE,
    ),
}
_AMOUNT_ASKED = (
    r"\b(?:plafonds?|montants?|budgets?|taux|prix|coûts?|seuils?|dotations?|enveloppes?|euros?"
    r"|cofinancement|ceilings?|caps?|amounts?|rates?|how (?:much|large|big|high)|size|thresholds?"
    r"|co-financing|costs?|maxim(?:um|al|ale)|what share|quelle part)\b"
    r"|\b(?:largest|highest|lowest|smallest|plus (?:grande?|élevée?|haute?|petite?|faible))\b"
)
_DATE_ASKED = (
    r"\b(?:quand|date|dates|depuis quand|when|deadline|échéance|until|jusqu['’]à quand"
    r"|quelle année|which year|what year)\b"
)
_DURATION_ASKED = (
    r"\b(?:délais?|how long|quelle durée|combien (?:de temps|d['’]années|de mois|de jours|d['’]ans)"
    r"|how many (?:days|months|years|weeks)|time limit)\b"
)
_NUMBER_ASKED = r"\b(?:combien|nombre|how many|number of)\b"
_DEFINITION_ASKED = (
    r"\bqu['’]est[- ]ce qu|\bqu['’]entend|\bdéfinition|\bdéfinit?\b|\bwhat (?:is|are)\b"
    r"|\bdefinition\b|\bdefine[ds]?\b|\bmean(?:s|t)?\b|\bsignifie\b|\bc['’]est quoi"
)
_QUESTIONS = (
    (Asked.DURATION, _DURATION_ASKED),
    (Asked.AMOUNT, _AMOUNT_ASKED),
    (Asked.DATE, _DATE_ASKED),
    (Asked.NUMBER, _NUMBER_ASKED),
    (Asked.DEFINITION, _DEFINITION_ASKED),
)
_PATTERNS = tuple((asked, re.compile(pattern, re.IGNORECASE)) for asked, pattern in _QUESTIONS)


# A term in quotation marks that the sentence goes on to define.
_DEFINED = re.compile(
    r"[‘'«“\"]\s?(?P<term>[^‘’«»“”\"]{2,80}?)\s?[’'»”\"]\s*(?:\([^)]{1,60}\)\s*)?,?"
    r"(?:[^.;:’»”]{0,80},)?\s*(?:means?\b|:|désignent?\b|est défini|s['’]entend)",
    re.IGNORECASE,
)
# Acts are cited with numbers and dates, and points are numbered: no facts of the sentence's own.
_ACT = re.compile(
    rf"(?:\(U?E[UC]?\)|\b(?:no|n°|nos|No)\b|\bRegulation\b|\bDirective\b|\bDecision\b|\brèglement\b"
    rf"|\bdirective\b|\bdécision\b)\s*(?:\(U?E[UC]?\)\s*)?(?:(?:no|n°)\s*)?\d+/\d+(?:/[A-Z]+)?"
    rf"(?:[^.;\d]{{0,80}}?\b(?:of|du)\s+\d{{1,2}}(?:er)?\s+(?:{_MONTHS})\s+\d{{4}})?"
    r"|\((?:JO|OJ) [^)]*\)"
    r"|\b(?:articles?|art\.|paragraphe?s?|points?|annexe?s?|recitals?|considérants?"
    r"|sections?|chapitres?|chapters?)\s+\d+[\w.()]*"
    r"|(?:^|(?<=\n))\s*\(?\d{1,3}[.)]",
    re.IGNORECASE,
)
# "How many …" is not answered by the year it was.
_YEAR = re.compile(r"\b(?:19|20)\d{2}\b")


def asked_for(question: str) -> Asked:
    """The shape that the question asks for; the first rule that matches."""
    for asked, pattern in _PATTERNS:
        if pattern.search(question):
            return asked
    return Asked.ANYTHING


def asking_words(question: str) -> str:
    """The words by which a fact is asked for ("how large", "plafond"), which may not be in it."""
    asked = asked_for(question)
    if asked not in FACTS:
        return ""
    pattern = dict(_PATTERNS)[asked]
    return " ".join(match.group() for match in pattern.finditer(question))


def fitness(sentence: str, asked: Asked, held: AbstractSet[str], language: str) -> float:
    """How well a sentence has the shape that is asked for, from -0.5 to 2.

    1 where it states such a fact, -0.5 where a number or date is asked for and it has none.

    ``held`` are the question's terms that the sentence holds. A definition counts twice where the
    term that it defines is what is asked about, once where it only looks like one.
    """
    if asked is Asked.DEFINITION:
        for match in _DEFINED.finditer(sentence):
            term = set(terms(match["term"], language))
            if term and term == held & term and len(held - term) <= len(term):
                return 2.0 if term == held else 1.5
    sentence = _ACT.sub("", sentence)
    if asked is Asked.NUMBER:
        sentence = _YEAR.sub("", sentence)
    if asked is Asked.ANYTHING:
        return 0.0
    if _SHAPES[asked].search(sentence):
        return 1.0
    return 0.0 if asked is Asked.DEFINITION else -0.5

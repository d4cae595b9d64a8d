"""What a question asks for, and whether a sentence has that shape."""

from __future__ import annotations

import re
from enum import Enum


class Asked(Enum):
    """The shape of the fact that would answer."""

    AMOUNT = "amount"
    DATE = "date"
    NUMBER = "number"
    DEFINITION = "definition"
    ANYTHING = "anything"


_NUMBER_WORDS = (
    r"un|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|cent|mille|millions?|milliards?"
    r"|one|two|three|four|five|seven|eight|nine|ten|hundred|thousand|billion"
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
    Asked.NUMBER: re.compile(rf"\d|\b(?:{_NUMBER_WORDS})\b", re.IGNORECASE),
    Asked.DEFINITION: re.compile(
        r"[’'”»]\s*(?:,[^,]{0,60},)?\s*(?:means?\b|:|désigne)"
        r"|\bmeans\b|\bis defined as\b|\bon entend par\b|\bs['’]entend\b|\best défini"
        r"|\bdésigne\b|\bis an?\b|\best une?\b|\brefers to\b",
        re.IGNORECASE,
    ),
}
_AMOUNT_ASKED = (
    r"\b(?:plafond|plafonds|montant|montants|budget|taux|prix|coût|ceiling|cap|amount|rate"
    r"|how much|threshold|seuil|cofinancement|co-financing|euros?|maximum)\b"
    r"|\b(?:largest|highest|plus grande?|plus élevée?)\b"
)
_DATE_ASKED = (
    r"\b(?:quand|date|dates|depuis quand|when|deadline|échéance|until|jusqu['’]à quand"
    r"|quelle année|which year|what year)\b"
)
_NUMBER_ASKED = r"\b(?:combien|nombre|how many|how long|quelle durée|number of)\b"
_DEFINITION_ASKED = (
    r"\bqu['’]est[- ]ce qu|\bqu['’]entend|\bdéfinition|\bdéfinit?\b|\bwhat (?:is|are)\b"
    r"|\bdefinition\b|\bdefine[ds]?\b|\bmean(?:s|t)?\b|\bsignifie\b|\bc['’]est quoi"
)
_QUESTIONS = (
    (Asked.AMOUNT, _AMOUNT_ASKED),
    (Asked.DATE, _DATE_ASKED),
    (Asked.NUMBER, _NUMBER_ASKED),
    (Asked.DEFINITION, _DEFINITION_ASKED),
)
_PATTERNS = tuple((asked, re.compile(pattern, re.IGNORECASE)) for asked, pattern in _QUESTIONS)


def asked_for(question: str) -> Asked:
    """The shape that the question asks for; the first rule that matches."""
    for asked, pattern in _PATTERNS:
        if pattern.search(question):
            return asked
    return Asked.ANYTHING


def has_shape(sentence: str, asked: Asked) -> bool:
    """Whether a sentence states such a fact."""
    shape = _SHAPES.get(asked)
    return shape is not None and shape.search(sentence) is not None

"""Which language a question or a passage is in: French or English, or another when it is long.

Measured with the *other* language as the default, so that an undecided text counts as wrong:

| texts | right | py3langid 0.4 alone |
|---|---|---|
| 55 short queries written for the test (the cues were chosen on them) | 55 | 52 |
| 364 French EUR-Lex headings | 364 | 364 |
| 364 English EUR-Lex headings | 360 | 360 |
| 535 French service-public.fr questions | 535 | 535 |
| 1,190 English XQuAD questions | 1,190 | 1,189 |
| 6,652 articles and paragraphs of those benches | 6,652 | |

The English headings missed are cognates without function words ("Information requirements",
"Connectivity vouchers"). Of 19,256 cuts of 400 characters of the same texts none is taken for a
third language; Spanish, German and Italian ones lead by more than 20.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_SAMPLE: Final = 4000  # characters looked at: more changed no verdict
_LONG: Final = 200  # letters from which a third language is believed
_CLEARLY: Final = 5.0  # lead of a third language; French and English texts: 2.6 at most
_UNDECIDED: Final = 0.3  # scores nearer to zero give the default
_ACRONYM_LETTERS: Final = 12  # a text of capitals alone is taken as acronyms up to here

_WORD: Final = re.compile(r"[^\W\d_]+")
_ACRONYM: Final = re.compile(r"\b[A-ZÉ]{2,6}\b\+?")
_ACCENT: Final = re.compile(r"[éèêëàâçîïôûùœ]")
_ENGLISH_FORM: Final = re.compile(r"[wk]|sh|oo|ee|th|(?:ing|y|ed|ness)$")
_FRENCH_FORM: Final = re.compile(
    r"\w{2}(?:eurs?|euses?|iques?|aires?|elles?|ettes?|oires?|aux|fs)$"
)


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Function words, words of the field that the other language writes otherwise, and acronyms.
_FRENCH: Final = _words(
    "à au aucun aux avec ce ces cet cette combien comment dans de des dont du elle est et être il"
    " ils je la le les leur leurs lors mais ne nos notre nous où par pas peut pour pourquoi quand"
    " que quel quelle quelles quels qui quoi sa sans ses son sont sur une vos votre vous d l qu"
    " aide aides appel appels dons fonds loi plafond projet projets subvention subventions"
    " ess esus fse onu ong pme rgec scic scop sieg tpe tva ue"
)
_ENGLISH: Final = _words(
    "a an and any are be by can do does for from has have how in is it its may must my of on or our"
    " shall should that the their there these this to under was we what when where which who whom"
    " whose why will with would you your"
    " aid cap call calls funding funds grant grants law rules tax"
    " erdf esf eu gber ngo ngos sgei sme smes vat"
)


def detect(text: str, default: str = "fr") -> str:
    """Name the language of a text.

    Args:
        text: A question or a passage; its first 4,000 characters are looked at.
        default: ISO 639-1 code to return where nothing decides (acronyms, figures, names).

    Returns:
        "fr" or "en"; another ISO 639-1 code only for 200 letters or more that are clearly neither.
    """
    sample = text[:_SAMPLE]
    cues = _cues(sample)
    words = _ACRONYM.sub(" ", sample)
    if not _WORD.search(words):
        if sum(map(str.isalpha, sample)) <= _ACRONYM_LETTERS:
            return _verdict(cues, default)
        words = sample
    scores = _ranker()(words)
    scale = math.sqrt(len(words.encode()))
    best = max(scores, key=scores.__getitem__)
    if sum(map(str.isalpha, words)) >= _LONG:
        lead = (scores[best] - max(scores["fr"], scores["en"])) / scale
        if lead > _CLEARLY and len(best) == 2:  # noqa: PLR2004 -- ISO 639-1
            return best
    return _verdict((scores["fr"] - scores["en"]) / scale + cues, default)


def _verdict(score: float, default: str) -> str:
    if abs(score) < _UNDECIDED:
        return default
    return "fr" if score > 0 else "en"


def _cues(text: str) -> float:
    """What function words, accents and spellings add: above zero for French, below for English."""
    score = 0.0
    for word in _WORD.findall(text.lower()):
        score += 1.5 * (word in _FRENCH) - 1.5 * (word in _ENGLISH)
        score += 1.5 * bool(_ACCENT.search(word)) + 0.5 * bool(_FRENCH_FORM.search(word))
        score -= 1.0 * bool(_ENGLISH_FORM.search(word))
    return score


@cache
def _ranker() -> Callable[[str], dict[str, float]]:
    """Load py3langid's model once, at the first question (0.2 s); raw log scores by language."""
    from py3langid.langid import (  # noqa: PLC0415 -- importing it loads numpy and a model
        MODEL_FILE,
        LanguageIdentifier,
    )

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    return lambda text: dict(identifier.rank(text))

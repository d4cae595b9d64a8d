"""Text to weighted BM25 terms: words of both languages, stemmed, accents folded."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import snowballstemmer

if TYPE_CHECKING:
    from collections.abc import Sequence

# Robertson & Zaragoza (2009), "The Probabilistic Relevance Framework: BM25 and Beyond", eq. 3.15;
# the inverse document frequency is applied by the index at query time.
# k = 2 and a length of 200 found as much or more than 1.2 and 110 on every bench (fused nDCG@10:
# French law 0.791 and 0.788, English law 0.802 and 0.797).
BM25_K = 2.0
BM25_B = 0.75
# About the number of terms in a passage of 200 word pieces with its context and its opening thrice.
BM25_MEAN_LENGTH = 200

# Terms that stand beside each other in the query and in the passage count once more, at this
# weight: nDCG@10 rose on every bench (mean of six +0.010 on whole articles, +0.013 on passages).
NEIGHBOURS_WEIGHT = 0.2

_LANGUAGES = {"fr": "french", "en": "english"}
_NUMBER = re.compile(r"(?<![\w.,])\d{1,3}(?:[ \u00a0\u202f.,]\d{3})+(?![\w])")
_WORD = re.compile(r"\d+(?:[.,/]\d+)*|[^\W\d_]+(?:\+)?", re.UNICODE)
_ELISION = re.compile(r"\b(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu)['’]", re.IGNORECASE)

# The first sentence of a passage counts three times. BM25 alone, nDCG@10 with it once and thrice:
# French law 0.725 and 0.749, English law 0.732 and 0.756, French administration 0.846 and 0.871,
# encyclopedia 0.973 and 0.971.
OPENING_TIMES = 3
_OPENING = 400  # characters of it at most
_SENTENCE_END = re.compile(r"(?<=[.;:?!])\s")

_PLURAL_ACRONYM = re.compile(r"[A-Z]{2,}s")

_STOP_FR = frozenset(
    """
a afin ai ainsi alors apres au aucun aucune aujourd aupres aussi autre autres aux avant avec
avoir ayant c ce ceci cela celle celles celui ces cet cette ceux chaque chez ci comme comment d
dans de depuis des donc dont du duquel elle elles en encore entre est et etaient etait etant ete
etes etre eu eux fait faut font furent hui il ils j je jusque l la laquelle le lequel les
lesquelles lesquels leur leurs lors lorsque lui m ma mais me meme memes mes moi mon n ne ni nos
notre nous on ont ou par parce pas peu peut peuvent plus pour pourquoi qu quand que quel quelle
quelles quels qui quoi s sa sans se selon sera seront ses si soient soit son sont sous sur t ta
tandis te tel telle tels tes toi ton tous tout toute toutes tres tu un une vers vos votre vous y
combien doit doivent existe
""".split()  # noqa: SIM905 -- a list of words reads as one
)
_STOP_EN = frozenset(
    """
a about above after again all also am an and any are as at be because been before being below
between both but by can could did do does doing down during each few for from further had has
have having he her here hers him his how i if in into is it its itself just me more most my no
nor not now of off on once only or other our out over own same shall she should so some such
than that the their them then there these they this those through to too under until up upon
very was we were what when where which while who whom why will with would you your many much
""".split()  # noqa: SIM905 -- a list of words reads as one
)


@dataclass(frozen=True, slots=True)
class SparseTerms:
    """Term numbers (32 bits, ascending) and their weights, as a sparse vector."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


def terms(text: str, language: str) -> list[str]:
    """Words of a text as index terms in reading order, stop words left out.

    "300 000", "300.000" and "300,000" are one term; "l'économie" is "économie"; a word is stemmed
    with its accents (Snowball needs them), then folded, so that *privées* and *privés* are one.
    """
    return [stem(word, language) for word in words(text, language)]


def words(text: str, language: str) -> list[str]:
    """The words behind ``terms``, one for each term: in lower case, with their accents."""
    text = unicodedata.normalize("NFC", text)
    text = _NUMBER.sub(lambda match: re.sub(r"\D", "", match.group()), text)
    text = _ELISION.sub(" ", text)
    stop = _stop_words(language)
    lowered = (_singular(word, language).lower() for word in _WORD.findall(text))
    return [word for word in lowered if fold(word) not in stop]


def passage_terms(text: str, language: str, context: str = "") -> SparseTerms:
    """BM25 weights of a passage's terms and of their pairs, without inverse document frequency.

    ``context`` are its title and headings, which count as its words do. What it opens with says
    what it is about, and counts ``OPENING_TIMES``. The length that normalises is that of the terms
    alone.
    """
    found = [*terms(context, language), *terms(text, language)]
    opening = terms(_opening(text), language) * (OPENING_TIMES - 1)
    length = len(found) + len(opening)
    counts = Counter((*found, *neighbours(found), *opening))
    norm = BM25_K * (1 - BM25_B + BM25_B * length / BM25_MEAN_LENGTH)
    weights = {term: count * (BM25_K + 1) / (count + norm) for term, count in counts.items()}
    return sparse(weights)


def neighbours(found: Sequence[str]) -> list[str]:
    """Each term with the next as one term: "fonds propres" is more than funds and own."""
    return [f"{one} {other}" for one, other in pairwise(found)]


def sparse(weights: dict[str, float]) -> SparseTerms:
    """Weights by term as a sparse vector; of two terms with one number the heavier counts."""
    by_number: dict[int, float] = {}
    for term, weight in weights.items():
        number = term_number(term)
        by_number[number] = max(weight, by_number.get(number, 0.0))
    ordered = sorted(by_number.items())
    return SparseTerms(
        tuple(number for number, _ in ordered), tuple(weight for _, weight in ordered)
    )


def term_number(term: str) -> int:
    """The number of a term in a sparse vector (CRC-32; two of 200,000 terms clash in 5)."""
    return zlib.crc32(term.encode())


def other_language(language: str) -> str:
    """English for French, French for anything else."""
    return "en" if language == "fr" else "fr"


@lru_cache(maxsize=200_000)
def fold(text: str) -> str:
    """Text in lower case without accents, ligatures spelt out."""
    text = text.lower().replace("œ", "oe").replace("æ", "ae")
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    return plain.lower()  # a mathematical capital becomes a letter only when it is decomposed


@lru_cache(maxsize=200_000)
def stem(word: str, language: str) -> str:
    """The term of one word in lower case."""
    return fold(_stemmer(_LANGUAGES.get(language, "english")).stemWord(word))


@cache
def _stemmer(name: str) -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer(name)


def _opening(text: str) -> str:
    return _SENTENCE_END.split(text, maxsplit=1)[0][:_OPENING]


def _singular(word: str, language: str) -> str:
    """An English acronym without its plural s, which Snowball leaves ("SMEs", "NGOs")."""
    return word[:-1] if language == "en" and _PLURAL_ACRONYM.fullmatch(word) else word


def _stop_words(language: str) -> frozenset[str]:
    return _STOP_FR if language == "fr" else _STOP_EN

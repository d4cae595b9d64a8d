"""Text to weighted BM25 terms: words of both languages, stemmed, accents folded."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache

import snowballstemmer

# Robertson & Zaragoza (2009), "The Probabilistic Relevance Framework: BM25 and Beyond", eq. 3.15;
# the inverse document frequency is applied by the index at query time.
BM25_K = 1.2
BM25_B = 0.75
# Mean number of terms in a passage of about 200 word pieces with its context, over EU acts,
# policy papers and web pages in both languages.
BM25_MEAN_LENGTH = 110

# A word of a query is also tried with the other language's stem, at this weight: cognates and
# names ("association", "InvestEU") meet across languages, and a wrong language guess costs little.
OTHER_LANGUAGE_WEIGHT = 0.4

_LANGUAGES = {"fr": "french", "en": "english"}
_NUMBER = re.compile(r"(?<![\w.,])\d{1,3}(?:[ \u00a0\u202f.,]\d{3})+(?![\w])")
_WORD = re.compile(r"\d+(?:[.,/]\d+)*|[^\W\d_]+(?:\+)?", re.UNICODE)
_ELISION = re.compile(r"\b(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu)['’]", re.IGNORECASE)

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
    text = unicodedata.normalize("NFC", text)
    text = _NUMBER.sub(lambda match: re.sub(r"\D", "", match.group()), text)
    text = _ELISION.sub(" ", text)
    stop = _stop_words(language)
    found = []
    for word in _WORD.findall(text):
        lowered = word.lower()
        if fold(lowered) in stop:
            continue
        found.append(_term(lowered, language))
    return found


def passage_terms(text: str, language: str) -> SparseTerms:
    """BM25 weights of a passage's terms, without inverse document frequency."""
    counts = Counter(terms(text, language))
    length = sum(counts.values())
    norm = BM25_K * (1 - BM25_B + BM25_B * length / BM25_MEAN_LENGTH)
    weights = {term: count * (BM25_K + 1) / (count + norm) for term, count in counts.items()}
    return _sparse(weights)


def query_weights(text: str, language: str) -> dict[str, float]:
    """A query's terms and weights: its own language at 1, the other language's stem below."""
    weights = dict.fromkeys(terms(text, other_language(language)), OTHER_LANGUAGE_WEIGHT)
    weights.update(dict.fromkeys(terms(text, language), 1.0))
    common = {fold(word) for word in _stop_words(language)}
    return {term: weight for term, weight in weights.items() if term not in common}


def query_terms(text: str, language: str) -> SparseTerms:
    """A query's weighted terms as a sparse vector."""
    return _sparse(query_weights(text, language))


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
def _term(word: str, language: str) -> str:
    return fold(_stemmer(_LANGUAGES.get(language, "english")).stemWord(word))


@cache
def _stemmer(name: str) -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer(name)


def _stop_words(language: str) -> frozenset[str]:
    return _STOP_FR if language == "fr" else _STOP_EN


def _sparse(weights: dict[str, float]) -> SparseTerms:
    by_number: dict[int, float] = {}
    for term, weight in weights.items():
        number = term_number(term)
        by_number[number] = max(weight, by_number.get(number, 0.0))
    ordered = sorted(by_number.items())
    return SparseTerms(
        tuple(number for number, _ in ordered), tuple(weight for _, weight in ordered)
    )

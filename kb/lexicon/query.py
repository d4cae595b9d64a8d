"""The weighted terms of a question for passages of a language: its own, or their translations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kb.analysis import (
    NEIGHBOURS_WEIGHT,
    SparseTerms,
    neighbours,
    other_language,
    sparse,
    stem,
    terms,
    words,
)
from kb.lexicon.artefact import LANGUAGES, Lexicon, read_lexicon
from kb.lexicon.glossary import Glossary, read_compiled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from kb.lexicon.glossary import Form, Match

DATA: Final = Path(__file__).parent / "data"
LEXICON_FILE: Final = DATA / "en-fr.lexicon"
GLOSSARY_FILE: Final = DATA / "glossary.json"

# Translations of which pairs are formed: the first three, if they have a tenth of a term.
_LIKELY: Final = 3
_LIKELY_SHARE: Final = 0.1
# Synonyms of a term: the first five, if they have a twentieth of it.
_SYNONYMS: Final = 5
_SYNONYM_SHARE: Final = 0.05
# A long name counts as two words, however many it has.
_NAME_WEIGHT: Final = 2.0

Translations = list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Weighting:
    """How a question's words become weights; each figure by an ablation in docs/decisions/0006.

    Attributes:
        exponent: Flattens the probabilities of translations.
        smallest: The smallest probability that counts.
        most: The most translations of a term.
        unknown: The weight of a word without translation.
        as_written: Of the question's own words in the other language's passages (names, cognates).
        neighbours: Of pairs of translations of neighbouring terms.
        synonyms: Of what a term's translations mean beside it in the question's own language.
        acronym_abroad: Of a notion's first acronym and first name in the other language, where the
            question has its acronym: the lexicon seldom knows it.
        name_abroad: The same where the question has its name.
        spelt_out: Of an acronym's first name in its own language.
        synonym: Of all other forms of a notion.
        related: Of words related to a notion.
    """

    exponent: float = 0.5
    smallest: float = 0.02
    most: int = 10
    unknown: float = 1.0
    as_written: float = 0.2
    neighbours: float = 0.2
    synonyms: float = 0.3
    acronym_abroad: float = 1.0
    name_abroad: float = 0.5
    spelt_out: float = 0.3
    synonym: float = 0.1
    related: float = 0.2


@dataclass(frozen=True, slots=True)
class Translator:
    """Turns questions into weighted terms by a lexicon and a glossary."""

    lexicon: Lexicon
    glossary: Glossary
    weighting: Weighting = Weighting()

    def weights(self, text: str, language: str, target: str) -> dict[str, float]:
        """A question's terms and weights for passages of a language; as ``query_terms``."""
        if not {language, target} <= set(LANGUAGES):
            return _as_asked([stem(word, target) for word in words(text, language)])
        matches = self.glossary.find(text, language)
        if target == language:
            own = terms(text, language)
            weights = self._synonyms(own, language)
            for term, weight in _as_asked(own).items():
                _raise(weights, term, weight)
        else:
            named = {match.form.terms for match in matches}
            weights = self._translated(words(text, language), language, target, named)
        for match in matches:
            for form, weight in self._expansions(match, language, target):
                each = weight * min(1.0, _NAME_WEIGHT / len(form.terms))
                for term in form.terms:
                    _raise(weights, term, each)
                for pair in neighbours(form.terms):
                    _raise(weights, pair, each * NEIGHBOURS_WEIGHT)
        return weights

    def _translated(
        self,
        written: Sequence[str],
        language: str,
        target: str,
        named: AbstractSet[tuple[str, ...]],
    ) -> dict[str, float]:
        """Weights of the other language's terms: phrases first, then words.

        A probabilistic structured query (Darwish & Oard 2003) flattened into a sum: the
        translations of one term add up over the question. ``named`` are terms that the glossary
        translates: they do not stand for themselves when the lexicon has nothing for them.
        """
        spelt = {stem(word, language): stem(word, target) for word in written}
        units: list[tuple[tuple[str, ...], Translations]] = []
        for unit in self._units([stem(word, language) for word in written], language):
            found = self._likely(unit, language)
            if not found and unit not in named:
                found = [(spelt[term], self.weighting.unknown) for term in unit]
            units.append((unit, found))
        weights: dict[str, float] = {}
        for found in dict(units).values():
            for term, probability in found:
                weight = probability**self.weighting.exponent
                weights[term] = weights.get(term, 0.0) + weight
        for pair, weight in _translated_neighbours([found for _, found in units]):
            _raise(weights, pair, weight * self.weighting.neighbours)
        for term in (*spelt.keys(), *spelt.values()):
            _raise(weights, term, self.weighting.as_written)
        return weights

    def _synonyms(self, own: Sequence[str], language: str) -> dict[str, float]:
        """What the translations of a question's terms and phrases are translations of as well."""
        weights: dict[str, float] = {}
        for unit in dict.fromkeys(self._units(own, language)):
            shares: dict[str, float] = {}
            for abroad, there in self.lexicon.translations(unit, language):
                for term, back in self.lexicon.translations((abroad,), other_language(language)):
                    shares[term] = shares.get(term, 0.0) + there * back
            found = [(share, term) for term, share in shares.items() if term not in own]
            for share, term in sorted(found, reverse=True)[:_SYNONYMS]:
                if share >= _SYNONYM_SHARE:
                    weight = share**self.weighting.exponent * self.weighting.synonyms
                    weights[term] = weights.get(term, 0.0) + weight
        return weights

    def _likely(self, unit: tuple[str, ...], language: str) -> Translations:
        found = self.lexicon.translations(unit, language)[: self.weighting.most]
        return [(term, p) for term, p in found if p >= self.weighting.smallest]

    def _units(self, own: Sequence[str], language: str) -> list[tuple[str, ...]]:
        """Terms and phrases of two without overlap, the preferred phrases first."""
        candidates = []
        for place in range(len(own) - 1):
            preference = self.lexicon.preference(own[place : place + 2], language)
            if preference is not None:
                candidates.append((-preference, place))
        taken: dict[int, tuple[str, ...]] = {}
        for _, place in sorted(candidates):
            if place not in taken and place + 1 not in taken:
                taken[place], taken[place + 1] = (own[place], own[place + 1]), ()
        units = [taken.get(place, (term,)) for place, term in enumerate(own)]
        return [unit for unit in units if unit]

    def _expansions(self, match: Match, language: str, target: str) -> Iterator[tuple[Form, float]]:
        """Other forms of a notion in the target language, each with its weight."""
        forms = match.notion.forms[target]
        names = [form for form in forms if not form.acronym]
        usual = {*[form for form in forms if form.acronym][:1], *names[:1]}
        by_acronym = match.form.acronym
        abroad = self.weighting.acronym_abroad if by_acronym else self.weighting.name_abroad
        for form in forms:
            if target != language and form in usual:
                yield form, abroad
            elif by_acronym and form in names[:1]:
                yield form, self.weighting.spelt_out
            else:
                yield form, self.weighting.synonym
        for form in match.notion.related[target]:
            yield form, self.weighting.related


def query_terms(text: str, language: str, target: str) -> SparseTerms:
    """A question's weighted terms for passages of a language.

    Args:
        text: The question.
        language: Its language, as ISO 639-1 code.
        target: The language of the passages to search.

    Returns:
        Where ``target`` is the question's language, its own terms at weight 1, their pairs and
        other forms from the glossary below; where it is the other of French and English, weighted
        translations; with a third language, its own words as passages of ``target`` spell them.

    Raises:
        StoreError: The lexicon or glossary that belongs to the package is missing or damaged.
    """
    return sparse(query_weights(text, language, target))


def query_weights(text: str, language: str, target: str) -> dict[str, float]:
    """The terms and weights behind ``query_terms``; a pair is two terms with a space between."""
    return default_translator().weights(text, language, target)


@cache
def default_translator() -> Translator:
    """The lexicon and the glossary in the package, put to use."""
    return Translator(default_lexicon(), default_glossary())


@cache
def default_lexicon() -> Lexicon:
    """The lexicon in the package, read once."""
    return read_lexicon(LEXICON_FILE)


@cache
def default_glossary() -> Glossary:
    """The glossary in the package, read once."""
    return read_compiled(GLOSSARY_FILE)


def _translated_neighbours(units: Sequence[Translations]) -> Iterator[tuple[str, float]]:
    """Pairs of likely translations of neighbours, in both orders: French puts adjectives last."""
    likely = [[(t, p) for t, p in unit[:_LIKELY] if p > _LIKELY_SHARE] for unit in units]
    for place, unit in enumerate(likely):
        following = likely[place + 1] if place + 1 < len(likely) else []
        for (one, p), (other, q) in (*product(unit, following), *combinations(unit, 2)):
            if one != other:
                yield f"{one} {other}", p * q
                yield f"{other} {one}", p * q


def _as_asked(own: Sequence[str]) -> dict[str, float]:
    weights = dict.fromkeys(own, 1.0)
    weights.update(dict.fromkeys(neighbours(own), NEIGHBOURS_WEIGHT))
    return weights


def _raise(weights: dict[str, float], term: str, weight: float) -> None:
    weights[term] = max(weights.get(term, 0.0), weight)

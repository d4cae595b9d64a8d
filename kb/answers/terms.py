"""A question's terms, how much each counts, and which of them a text in either language holds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from kb.analysis import other_language, stem, term_number, terms, words
from kb.answers.question import asking_words, name_terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from numpy.typing import NDArray

    from kb.lexicon.glossary import Match

    Shares = NDArray[np.float64]

# A name or a number that a question gives is what it is about: it counts twice.
NAME_WEIGHT: Final = 2.0
# A word that a handful of passages hold, or none, may have been said otherwise there: it counts no
# more than one that every four-hundredth holds.
MAX_RARITY: Final = 6.0
# "The largest offer" is answered by "offers of more than EUR 5 000 000": the words that ask need
# not be said.
ASKING_WEIGHT: Final = 0.35
# Translations that together have this share of a term say it as surely as the term itself does:
# the rest is spread over words that it becomes in other company.
SURE_SHARE: Final = 0.5
MIN_SHARE: Final = 0.04
MAX_TRANSLATIONS: Final = 6
# What a word becomes and what that becomes again: a synonym, less sure than either step.
SYNONYM_STRENGTH: Final = 0.7
# The same word with the other language's ending: "association", "crédit".
COGNATE_STRENGTH: Final = 0.8
# Neighbours that stop words or a clause part are taken for phrases too.
PHRASE_STRENGTH: Final = 0.7


class Dictionary(Protocol):
    """Translations of terms, and the notions of the glossary."""

    def translations(self, terms: Sequence[str], source: str) -> list[tuple[str, float]]:
        """What a term, or a phrase of two, becomes in the other language, with its share."""
        ...

    def notions(self, text: str, language: str) -> Iterable[Match]:
        """The notions that a question names."""
        ...


@dataclass(frozen=True, slots=True)
class Form:
    """Terms that together say what some of the question's terms say."""

    terms: frozenset[str]
    said: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class QuestionTerms:
    """The terms of a question in reading order, and how texts may say them.

    ``single`` are words that by themselves say a term, each with how surely (0 to 1), by the
    language of the text; ``forms`` the glossary's names of what several terms say together.
    """

    terms: tuple[str, ...]
    language: str
    names: NDArray[np.bool_]
    asking: NDArray[np.bool_]
    single: Mapping[str, Mapping[str, tuple[tuple[int, float], ...]]]
    forms: Mapping[str, tuple[Form, ...]]

    def held(self, words_held: AbstractSet[str], language: str) -> Shares:
        """How surely each term is said by a text with these terms, from 0 to 1.

        A text in a third language is asked for the question's own words.
        """
        language = language if language in self.single else self.language
        found = np.zeros(len(self.terms))
        single = self.single[language]
        for word in words_held & single.keys():
            for place, strength in single[word]:
                found[place] += strength
        np.minimum(found, 1.0, out=found)
        for form in self.forms[language]:
            if form.terms <= words_held:
                found[list(form.said)] = 1.0
        return found

    def weights(self, rarity: Mapping[int, float], unseen: float) -> Shares:
        """How much each term counts, adding up to 1.

        ``rarity`` is the inverse document frequency by a term's number, ``unseen`` that of a term
        that is nowhere. A term that its own language's passages lack counts as its translations.
        """
        counted = np.array(
            [self._rarity(place, rarity, unseen) for place in range(len(self.terms))]
        )
        counted = np.where(self.names, NAME_WEIGHT * counted, np.minimum(counted, MAX_RARITY))
        counted = np.where(self.asking, ASKING_WEIGHT * counted, counted)
        total = float(counted.sum())
        shares: Shares = counted / total if total else counted
        return shares

    def numbers(self) -> set[int]:
        """The numbers of all terms whose rarity ``weights`` may ask for."""
        return {term_number(word) for said in self.single.values() for word in said} | {
            term_number(term) for term in self.terms
        }

    def _rarity(self, place: int, rarity: Mapping[int, float], unseen: float) -> float:
        own = rarity.get(term_number(self.terms[place]), unseen)
        if own < unseen:
            return own
        seen = [
            (strength, found)
            for said in self.single.values()
            for word, places in said.items()
            for at, strength in places
            if at == place and (found := rarity.get(term_number(word), unseen)) < unseen
        ]
        total = sum(strength for strength, _ in seen)
        return sum(strength * found for strength, found in seen) / total if total else own


def question_terms(question: str, language: str, dictionary: Dictionary) -> QuestionTerms:
    """Read a question's terms and look up how else they may be said."""
    own, written = terms(question, language), words(question, language)
    places = {term: own.index(term) for term in own}
    kept = tuple(places)
    number = {term: place for place, term in enumerate(kept)}
    named = name_terms(question, language)
    asking = frozenset(terms(asking_words(question), language)) - named
    other = other_language(language)
    notions = list(dictionary.notions(question, language))
    pairs = [pair for pair in pairwise(own) if pair[0] != pair[1]]
    builder = _Builder(
        number, pairs, {number[t] for t in named if t in number}, language, dictionary
    )
    spelt = {term: written[place] for term, place in places.items()}
    return QuestionTerms(
        terms=kept,
        language=language,
        names=np.array([term in named for term in kept], dtype=np.bool_),
        asking=np.array([term in asking for term in kept], dtype=np.bool_),
        single={
            language: builder.same_language(),
            other: builder.other_language(spelt, other),
        },
        forms={
            spoken: tuple(_forms(notions, question, number, spoken, language))
            for spoken in (language, other)
        },
    )


@dataclass(frozen=True, slots=True)
class _Builder:
    """Collects the words by which each term can be said."""

    number: Mapping[str, int]
    pairs: Sequence[tuple[str, str]]
    named: AbstractSet[int]
    language: str
    dictionary: Dictionary

    def same_language(self) -> dict[str, tuple[tuple[int, float], ...]]:
        """The terms themselves, and what their translations become again."""
        other = other_language(self.language)
        said: dict[str, dict[int, float]] = {}
        for term, place in self.number.items():
            back: dict[str, float] = {}
            for word, share in self._translations((term,), self.language):
                for again, share_again in self._translations((word,), other):
                    back[again] = back.get(again, 0.0) + share * share_again
            for word, share in back.items():
                if share >= MIN_SHARE:
                    strength = SYNONYM_STRENGTH * min(1.0, share / SURE_SHARE)
                    said.setdefault(word, {})[place] = strength
        for term, place in self.number.items():
            said.setdefault(term, {})[place] = 1.0
        return _frozen(said)

    def other_language(
        self, spelt: Mapping[str, str], other: str
    ) -> dict[str, tuple[tuple[int, float], ...]]:
        """Translations of terms and of phrases of two, names and cognates as they are."""
        said: dict[str, dict[int, float]] = {}

        def say(word: str, place: int, strength: float) -> None:
            held = said.setdefault(word, {})
            held[place] = max(held.get(place, 0.0), strength)

        for term, place in self.number.items():
            for word, share in self._translations((term,), self.language):
                say(word, place, min(1.0, share / SURE_SHARE))
            written = spelt[term]
            say(stem(written, other), place, 1.0 if place in self.named else COGNATE_STRENGTH)
        for pair in self.pairs:
            # A phrase's translations are expected numbers: each is shared out among both terms.
            for word, share in self._translations(pair, self.language):
                for term in pair:
                    strength = PHRASE_STRENGTH * min(1.0, share / 2 / SURE_SHARE)
                    say(word, self.number[term], strength)
        return _frozen(said)

    def _translations(self, pair: tuple[str, ...], source: str) -> list[tuple[str, float]]:
        found = self.dictionary.translations(pair, source)[:MAX_TRANSLATIONS]
        return [(word, share) for word, share in found if share >= MIN_SHARE]


def _forms(
    notions: Sequence[Match], question: str, number: Mapping[str, int], spoken: str, language: str
) -> Iterator[Form]:
    """The forms, in one language, of the notions that the question names."""
    for match in notions:
        asked = terms(question, match.language)[match.start : match.start + match.length]
        places = tuple(number[term] for term in asked if term in number)
        if match.language != language:  # its terms were cut with the other language's stems
            places = places or tuple(
                place for term, place in number.items() if term in match.form.terms
            )
        if places:
            for form in match.notion.forms[spoken]:
                yield Form(frozenset(form.terms), places)


def _frozen(
    said: Mapping[str, Mapping[int, float]],
) -> dict[str, tuple[tuple[int, float], ...]]:
    return {word: tuple(places.items()) for word, places in said.items()}

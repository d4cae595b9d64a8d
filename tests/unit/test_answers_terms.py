from __future__ import annotations

import math

import numpy as np
import pytest

from kb.analysis import term_number, terms
from kb.answers.dictionary import PackageDictionary
from kb.answers.terms import NAME_WEIGHT, QuestionTerms, question_terms


def asked(question: str, language: str) -> QuestionTerms:
    """The terms of a question by the package's own lexicon and glossary."""
    return question_terms(question, language, PackageDictionary())


def held(question: str, language: str, text: str, text_language: str) -> dict[str, float]:
    """How surely a text says each of a question's terms."""
    found = asked(question, language)
    shares = found.held(frozenset(terms(text, text_language)), text_language)
    return dict(zip(found.terms, map(float, shares), strict=True))


@pytest.mark.parametrize(
    ("question", "language", "text", "text_language", "term"),
    [
        ("Quand signer la subvention ?", "fr", "The grant is signed in June.", "en", "subvent"),
        ("When is the grant signed?", "en", "La subvention est signée en juin.", "fr", "grant"),
        ("Quel est le poids de l'ESS ?", "fr", "The social and solidarity economy.", "en", "ess"),
        ("Quel est le poids de l'ESS ?", "fr", "L'économie sociale et solidaire.", "fr", "ess"),
        ("Que finance InvestEU ?", "fr", "InvestEU guarantees loans.", "en", "investeu"),
        ("Que dit le règlement 2023/2831 ?", "fr", "Regulation 2023/2831.", "en", "2023/2831"),
    ],
)
def test_a_term_is_said_by_its_translation_or_another_form(
    question: str, language: str, text: str, text_language: str, term: str
) -> None:
    """By the lexicon, by the glossary, or as it is: names and numbers need no translation."""
    assert held(question, language, text, text_language)[term] == pytest.approx(1.0)


def test_a_term_is_said_fully_by_itself_and_less_by_a_synonym() -> None:
    """What a word becomes and becomes again is less sure than the word."""
    question = "Quel argent reste-t-il ?"
    own = held(question, "fr", "De l'argent.", "fr")["argent"]
    other = held(question, "fr", "De la monnaie.", "fr")["argent"]
    assert own == pytest.approx(1.0)
    assert 0 < other < own


def test_other_words_say_nothing() -> None:
    """A text on another subject holds none of the terms."""
    assert not any(held("Quand signer la subvention ?", "fr", "Ten blue whales.", "en").values())


def weights(question: str, seen: dict[str, float], unseen: float = 9.0) -> dict[str, float]:
    """The weights of a French question's terms, given how rare some terms are."""
    found = asked(question, "fr")
    rarity = {term_number(term): value for term, value in seen.items()}
    shares = found.weights(rarity, unseen)
    return dict(zip(found.terms, map(float, shares), strict=True))


def test_weights_add_up_and_names_count_more() -> None:
    """A name counts by its full rarity and twice, other words no more than a cap."""
    shares = weights("Que finance InvestEU ?", {"financ": 2.0, "investeu": 2.0})
    assert math.fsum(shares.values()) == pytest.approx(1.0)
    assert shares["investeu"] == pytest.approx(NAME_WEIGHT * shares["financ"])


def test_a_word_that_only_the_other_language_has_counts_as_its_translation() -> None:
    """Not as unseen: its translation may be everywhere."""
    seen = {"financ": 2.0, "grant": 2.0, "subsidi": 2.0}
    shares = weights("Qui finance la subvention ?", seen)
    assert shares["subvent"] == pytest.approx(shares["financ"])
    nowhere = weights("Qui finance la subvention ?", {"financ": 2.0})
    assert nowhere["subvent"] > nowhere["financ"]


def test_words_that_ask_count_less() -> None:
    """An answer to "quel plafond" may say "au plus"."""
    shares = weights("Quel est le plafond des aides ?", {"plafond": 3.0, "aid": 3.0})
    assert shares["plafond"] < shares["aid"]


def test_a_question_of_stop_words_has_no_terms() -> None:
    """Nothing is asked about, so nothing is held."""
    found = asked("Et pourquoi ?", "fr")
    assert found.terms == ()
    assert np.sum(found.held(frozenset({"rien"}), "fr")) == 0


def test_a_text_in_a_third_language_is_asked_for_the_words_themselves() -> None:
    """There is no lexicon for it; names are names."""
    assert (
        held("Que finance InvestEU ?", "fr", "InvestEU bürgt für Kredite.", "de")["investeu"] == 1
    )

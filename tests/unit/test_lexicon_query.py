"""A question's weighted terms: its own language's, and what they become in the other."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.analysis import NEIGHBOURS_WEIGHT, stem, term_number, terms
from kb.lexicon.query import (
    Translator,
    Weighting,
    default_glossary,
    default_lexicon,
    query_terms,
    query_weights,
)

LANGUAGES = st.sampled_from(["fr", "en", "de"])


def heaviest(text: str, language: str, target: str, count: int) -> set[str]:
    """The terms that weigh most, pairs left out."""
    weights = query_weights(text, language, target)
    single = [term for term in weights if " " not in term]
    return set(sorted(single, key=lambda term: (-weights[term], term))[:count])


def test_in_its_own_language_a_question_is_what_it_says() -> None:
    """Each term at 1, neighbours once more below it."""
    assert query_weights("scies rouges prêtées", "fr", "fr") == {
        "sci": 1.0,
        "roug": 1.0,
        "pret": 1.0,
        "sci roug": NEIGHBOURS_WEIGHT,
        "roug pret": NEIGHBOURS_WEIGHT,
    }


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("subventions", "fr", {"grant"}),
        ("chiffre d'affaires annuel", "fr", {"turnover", "annual"}),
        ("mise en œuvre du budget", "fr", {"implementation", "budget"}),
        ("date d'entrée en vigueur", "fr", {"date", "entry", "force"}),
        ("member states", "en", {"etat", "membre"}),
        ("turnover", "en", {"chiffre", "affaires"}),
        ("natural person", "en", {"personne", "physique"}),
        ("copyright", "en", {"auteur"}),
    ],
)
def test_words_and_phrases_become_their_translations(
    text: str, language: str, expected: set[str]
) -> None:
    """Turnover is "chiffre d'affaires", not figures and affairs."""
    target = "en" if language == "fr" else "fr"
    found = heaviest(text, language, target, len(expected))
    assert found == {stem(word, target) for word in expected}


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("text", ["2023/2831", "300 000", "InvestEU", "Chaudhry"])
def test_numbers_and_names_stay_what_they_are(text: str, language: str) -> None:
    """They are the same in both languages."""
    target = "en" if language == "fr" else "fr"
    weights = query_weights(text, language, target)
    assert max(weights, key=weights.__getitem__) == terms(text, target)[0]


@pytest.mark.parametrize(
    ("text", "language", "target", "expected"),
    [
        ("ESS", "fr", "en", "SSE"),
        ("ESS", "fr", "en", "social solidarity economy"),
        ("ESS", "fr", "fr", "économie sociale solidaire"),
        ("SSE", "en", "fr", "ESS"),
        ("SSE", "en", "fr", "économie sociale solidaire"),
        ("économie sociale et solidaire", "fr", "fr", "ESS"),
        ("FEDER", "fr", "en", "European Regional Development Fund"),
        ("SGEI", "en", "fr", "service intérêt économique général"),
        ("SMEs", "en", "fr", "PME"),
        ("adhérents", "fr", "fr", "membre"),
        ("taxonomie", "fr", "fr", "investissement durable 2020/852"),
        ("taxonomie", "fr", "en", "sustainable investment 2020/852"),
        ("Sustainable Finance Disclosure", "fr", "fr", "2019/2088"),
    ],
)
def test_notions_are_found_by_their_other_forms(
    text: str, language: str, target: str, expected: str
) -> None:
    """An acronym finds its name and a name its acronym, in both languages."""
    weights = query_weights(text, language, target)
    assert set(terms(expected, target)) <= weights.keys()


def test_a_synonym_weighs_less_than_what_was_asked() -> None:
    """The question's own words come first."""
    weights = query_weights("adhérents", "fr", "fr")
    assert weights["adherent"] == 1.0
    assert 0 < weights["membr"] < 0.5


def test_a_third_language_gets_the_words_as_they_are() -> None:
    """There is no lexicon for it; names and numbers are what can be found."""
    weights = query_weights("les aides InvestEU de 2026", "fr", "de")
    assert {"investeu", "2026"} <= weights.keys()
    assert query_weights("InvestEU", "es", "fr") == {"investeu": 1.0}


def test_a_weighting_can_be_tried() -> None:
    """Ablations set one figure and keep the rest."""
    flat = Translator(default_lexicon(), default_glossary(), Weighting(most=1))
    assert len(flat.weights("subvention", "fr", "en")) < len(
        query_weights("subvention", "fr", "en")
    )


@given(st.text(max_size=200), LANGUAGES, LANGUAGES)
def test_any_text_gives_a_sparse_vector(text: str, language: str, target: str) -> None:
    """Term numbers ascend without repeats and fit 32 bits; weights are above zero."""
    found = query_terms(text, language, target)
    weights = query_weights(text, language, target)
    assert list(found.indices) == sorted({term_number(term) for term in weights})
    assert all(value > 0 for value in found.values)


def test_loading_is_quick() -> None:
    """A fresh process has the lexicon and the first answer within a tenth of a second of CPU."""
    code = (
        "import kb.analysis, kb.lexicon.query as q, time; t = time.process_time();"
        "q.query_terms('garanties publiques', 'fr', 'en'); print(time.process_time() - t)"
    )
    took = [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
        for _ in range(3)
    ]
    assert min(took) < 0.1

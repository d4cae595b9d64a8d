from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.analysis import (
    BM25_B,
    BM25_K,
    BM25_MEAN_LENGTH,
    OTHER_LANGUAGE_WEIGHT,
    fold,
    passage_terms,
    query_terms,
    query_weights,
    term_number,
    terms,
)

LANGUAGES = st.sampled_from(["fr", "en"])


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize(
    "written", ["300 000", "300.000", "300,000", "300\u00a0000", "300\u202f000", "300000"]
)
def test_a_number_is_one_term_however_it_is_grouped(written: str, language: str) -> None:
    """Thousands are grouped in many ways and mean one number."""
    assert terms(f"{written} EUR", language)[0] == "300000"
    assert terms(f"({written})", language) == ["300000"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 234 567", ["1234567"]),
        ("12.5", ["12.5"]),
        ("2014/2020", ["2014/2020"]),
        ("2021 2027", ["2021", "2027"]),
    ],
)
def test_other_figures_keep_their_form(text: str, expected: list[str]) -> None:
    """Decimals, periods and years that stand beside each other are not joined."""
    assert terms(text, "fr") == expected


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("privées", "privés", "fr"),
        ("l'économie", "économie", "fr"),
        ("l’économie", "economie", "fr"),
        ("d'une association", "association", "fr"),
        ("jusqu'au plafond", "plafond", "fr"),
        ("ASSOCIATIONS", "association", "fr"),
        ("œuvres", "oeuvre", "fr"),
        ("e\u0301cole", "école", "fr"),
        ("ladders", "ladder", "en"),
        ("Lending", "lend", "en"),
        ("naïve", "naive", "en"),
    ],
)
def test_forms_of_a_word_are_one_term(one: str, other: str, language: str) -> None:
    """Case, accents, elision, ligatures and endings do not part a word."""
    assert terms(one, language) == terms(other, language) != []


@pytest.mark.parametrize(
    ("text", "language"),
    [("qu'est-ce que c'est", "fr"), ("où et à été", "fr"), ("what is the of", "en"), ("", "en")],
)
def test_words_that_say_nothing_are_left_out(text: str, language: str) -> None:
    """Function words are no terms, with their accents or without."""
    assert terms(text, language) == []


def test_terms_come_in_reading_order_with_repeats() -> None:
    """Counts and order are the text's."""
    assert terms("saw ladder saw", "en") == ["saw", "ladder", "saw"]


def test_weights_of_a_passage_follow_the_formula() -> None:
    """Robertson and Zaragoza (2009), eq. 3.15, without the document frequency."""
    found = passage_terms("saw ladder saw", "en")
    weights = dict(zip(found.indices, found.values, strict=True))
    norm = BM25_K * (1 - BM25_B + BM25_B * 3 / BM25_MEAN_LENGTH)
    assert weights == pytest.approx(
        {
            term_number("saw"): 2 * (BM25_K + 1) / (2 + norm),
            term_number("ladder"): (BM25_K + 1) / (1 + norm),
        }
    )


def test_a_query_also_tries_the_other_language_at_less_weight() -> None:
    """Its own stem counts whole, the other language's stem less."""
    weights = query_weights("associations culturelles", "fr")
    own = set(terms("associations culturelles", "fr"))
    assert {term for term, weight in weights.items() if weight == 1.0} == own
    others = {term: weight for term, weight in weights.items() if term not in own}
    assert others
    assert set(others.values()) == {OTHER_LANGUAGE_WEIGHT}
    assert set(others) <= set(terms("associations culturelles", "en"))


@given(st.text(), LANGUAGES)
def test_any_text_gives_a_sparse_vector(text: str, language: str) -> None:
    """Term numbers ascend without repeats and fit 32 bits; weights are above zero."""
    for found in (passage_terms(text, language), query_terms(text, language)):
        assert list(found.indices) == sorted(set(found.indices))
        assert all(0 <= number < 2**32 for number in found.indices)
        assert len(found.values) == len(found.indices)
        assert all(value > 0 for value in found.values)


@given(st.text(), LANGUAGES)
def test_terms_do_not_depend_on_how_accents_are_stored(text: str, language: str) -> None:
    """Composed and decomposed text have the same terms, which hold no accents."""
    found = terms(text, language)
    assert [fold(term) for term in found] == found


@given(st.integers(0, 10**12), LANGUAGES, st.sampled_from([" ", ".", ",", "\u00a0", "\u202f"]))
def test_any_grouped_number_is_its_digits(number: int, language: str, mark: str) -> None:
    """Grouping by thousands never changes the term of a number."""
    assert terms(f"{number:,}".replace(",", mark), language) == [str(number)]

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.analysis import (
    BM25_B,
    BM25_K,
    BM25_MEAN_LENGTH,
    OPENING_TIMES,
    fold,
    other_language,
    passage_terms,
    term_number,
    terms,
)
from kb.lexicon.query import query_terms

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
        ("SMEs", "SME", "en"),
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
    """Robertson and Zaragoza (2009), eq. 3.15; the first sentence thrice, neighbours once."""
    found = passage_terms("Ladder. Saw saw.", "en", "Wood")
    weights = dict(zip(found.indices, found.values, strict=True))
    length = 4 + (OPENING_TIMES - 1)
    norm = BM25_K * (1 - BM25_B + BM25_B * length / BM25_MEAN_LENGTH)
    counts = {"wood": 1, "ladder": OPENING_TIMES, "saw": 2}
    pairs = {"wood ladder": 1, "ladder saw": 1, "saw saw": 1}
    assert weights == pytest.approx(
        {
            term_number(term): count * (BM25_K + 1) / (count + norm)
            for term, count in {**counts, **pairs}.items()
        }
    )


@given(st.text(), LANGUAGES)
def test_any_text_gives_a_sparse_vector(text: str, language: str) -> None:
    """Term numbers ascend without repeats and fit 32 bits; weights are above zero."""
    for found in (
        passage_terms(text, language),
        query_terms(text, language, other_language(language)),
    ):
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

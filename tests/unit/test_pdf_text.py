"""How words cut at line ends are mended, and how page numbers are understood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.readers.pdf.furniture import number_of
from ingest.readers.pdf.roles import Path
from ingest.readers.pdf.shapes import Line, Paragraph, Word, rows_of
from ingest.readers.pdf.text import Composer, Vocabulary, goes_on

WORDS = st.text("abcdefghijklmnopqrstuvwxyzéèç", min_size=1, max_size=12)


def line(words: list[str], top: float = 0.0) -> Line:
    """Return words set side by side."""
    return Line(
        [
            Word(text, 40.0 * at, top, 40.0 * at + 30, top + 10, top + 8, 10.0)
            for at, text in enumerate(words)
        ]
    )


def vocabulary(text: str) -> Vocabulary:
    """Return the vocabulary of one line."""
    return Vocabulary([Paragraph([line(text.split() or ["rien"])])])


@pytest.mark.parametrize(
    ("said", "head", "tail", "between"),
    [
        ("le financement vient", "finance-", "ment", ""),
        ("", "finance-", "ment", ""),
        ("une aide non-gouvernementale", "non-", "gouvernementale", "-"),
        ("", "avant-", "projet", "-"),
        ("", "celle-", "ci", "-"),
        ("", "Saint-", "Denis", "-"),
        ("", "FINANCE-", "MENT", ""),
        ("decision and making", "decision-", "making,", "-"),
        ("", "pre-", "and", " "),
        ("", "2003-", "2011", "-"),
        ("", "1869–", "1873", "-"),
        ("", "-", "mot", " "),
        ("", "mot", "suivant", " "),
        ("", "https://exemple.org/une-", "page", "-"),
    ],
)
def test_a_line_end_is_mended_by_the_documents_own_spelling(
    said: str, head: str, tail: str, between: str
) -> None:
    """A line end is mended by the documents own spelling."""
    assert vocabulary(said).joint(head, tail) == between


@given(st.lists(st.lists(WORDS, min_size=1, max_size=5), min_size=1, max_size=5))
def test_boxes_name_the_words_they_stand_for(rows: list[list[str]]) -> None:
    """Boxes name the words they stand for."""
    lines = [line(row, 14.0 * at) for at, row in enumerate(rows)]
    paragraph = Paragraph(lines)
    composer = Composer(Vocabulary([paragraph]))
    composer.paragraph(paragraph, ())
    text = composer.text
    assert [text[box.start : box.end] for box in composer.boxes] == [w for row in rows for w in row]
    assert text == " ".join(w for row in rows for w in row)
    assert (composer.blocks[0].start, composer.blocks[0].end) == (0, len(text))


@given(st.integers(1, 40), st.integers(1, 6))
def test_rows_keep_every_word_once_and_from_left_to_right(count: int, wide: int) -> None:
    """Rows keep every word once and from left to right."""
    words = [
        Word(
            str(at),
            50.0 * (at % wide),
            20.0 * (at // wide),
            50.0 * (at % wide) + 9,
            0,
            20.0 * (at // wide),
            10.0,
        )
        for at in range(count)
    ]
    rows = rows_of(reversed(words))
    assert [int(word.text) for row in rows for word in row] == list(range(count))


@pytest.mark.parametrize(("text", "value"), [("iv", 4), ("XII", 12), ("xc", 90), ("17", 17)])
def test_roman_page_numbers_count(text: str, value: int) -> None:
    """Roman page numbers count."""
    assert number_of(text) == value


def test_a_sentence_goes_on_in_lower_case_only_if_none_has_ended() -> None:
    """A sentence goes on in lower case only if none has ended."""
    assert goes_on("la banque qui", full=False, after="prête")
    assert not goes_on("la banque prête.", full=True, after="puis")
    assert not goes_on("La banque", full=False, after="Un titre")
    assert goes_on("voir le rapport de la", full=True, after="Banque de France")


def test_a_number_and_its_title_are_one_name_in_the_path() -> None:
    """A number and its title are one name in the path."""
    path = Path()
    path.enter((12.0,), "SECTION I")
    path.enter((12.0,), "INTRODUCTION")
    path.settle()
    path.enter((10.0,), "2.1 Physique")
    path.settle()
    path.enter((9.0,), "2.4 Nourriture")
    assert path.names == ("SECTION I INTRODUCTION", "2.4 Nourriture")

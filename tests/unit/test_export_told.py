"""What exports say in words: notes, places, days, addresses and warnings."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from exports_making import ENGLISH, document, dossier, everything, missing, page, quoted, section
from hypothesis import given
from hypothesis import strategies as st

from kb.briefs.model import Outdated, Paragraph
from kb.export.told import (
    Gap,
    Quote,
    Text,
    address,
    clean,
    day_in_words,
    place,
    printable,
    told,
    web_address,
)

if TYPE_CHECKING:
    from kb.model import Span


@pytest.mark.parametrize(
    ("spans", "french", "english"),
    [
        ((page(4),), "p. 4", "p. 4"),
        ((page(4, "4"),), "p. 4", "p. 4"),
        ((page(4, "ii"),), "p. ii (page 4 du fichier)", "p. ii (page 4 of the file)"),
        (
            (page(4, "ii"), page(5, "iii")),
            "p. ii–iii (pages 4–5 du fichier)",
            "p. ii–iii (pages 4–5 of the file)",
        ),
        ((page(4, "ii"), page(4, "ii")), "p. ii (page 4 du fichier)", "p. ii (page 4 of the file)"),
        ((page(4), page(9)), "p. 4, 9", "p. 4, 9"),
        ((page(4, "ii"), page(5)), "p. 4–5", "p. 4–5"),
        ((section(3),), "section 3", "section 3"),
        ((section(3, "Article 2"),), "section 3, Article 2", "section 3, Article 2"),
        ((section(3), section(4)), "sections 3–4", "sections 3–4"),
    ],
)
def test_a_place_is_the_printed_page_and_that_of_the_file(
    spans: tuple[Span, ...], french: str, english: str
) -> None:
    """Where both are the same, it stands once; sections have their label."""
    assert place(spans, "fr").replace("\u00a0", " ") == french
    assert place(spans, "en").replace("\u00a0", " ") == english


def test_a_note_says_who_when_which_version_and_where() -> None:
    """In the words of the export, with the language of a quote that is another."""
    [_, _, _, quote, _] = told(everything()).blocks
    assert isinstance(quote, Quote)
    assert quote.source.title == "Guaranteeing equity"
    assert quote.source.language == "en"
    assert quote.source.details == (
        "European Commission, 22 janvier 2026, version du 1er juillet 2025, en anglais, "
        "section 2, Article 3"
    )
    [_, _, french, english, _] = told(everything("en")).blocks
    assert isinstance(french, Quote)
    assert isinstance(english, Quote)
    assert "in French" in french.source.details
    assert "version of 1 July 2025" in english.source.details
    assert "in English" not in english.source.details


def test_a_quote_stands_between_the_marks_of_its_own_language() -> None:
    """Whatever the language around it."""
    french, english = told(dossier(quoted(), quoted(ENGLISH, language="en"))).blocks
    assert isinstance(french, Quote)
    assert isinstance(english, Quote)
    assert french.text.startswith("«\u00a0La garantie")
    assert french.text.endswith("peu.\u00a0»")
    assert english.text == f"“{ENGLISH}”"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "fr",
            (
                "Attention\u00a0: le document cité a une version plus récente\u00a0; l’appel cité "
                "est clos (depuis le 1er mars 2026)."
            ),
        ),
        (
            "en",
            (
                "Warning: the document quoted has a newer version; the call quoted has closed "
                "(since 1 March 2026)."
            ),
        ),
    ],
)
def test_an_outdated_quote_is_warned_of_in_words(language: str, words: str) -> None:
    """With every reason, and since when."""
    reasons = (Outdated.SUPERSEDED, Outdated.CALL_CLOSED)
    old = quoted(outdated=reasons, since=date(2026, 3, 1))
    telling = told(dossier(old, quoted(), language=language))
    first, second = telling.blocks
    assert isinstance(first, Quote)
    assert isinstance(second, Quote)
    assert (first.warning, second.warning) == (words, None)
    assert ("1 citation est" if language == "fr" else "1 quote needs") in telling.about


def test_a_quote_that_cannot_be_shown_leaves_a_gap_without_its_document() -> None:
    """Nobody learns which it was."""
    [gap] = told(dossier(missing())).blocks
    assert isinstance(gap, Gap)
    assert "gone-fr" not in gap.text


def test_paragraphs_are_parted_by_blank_lines() -> None:
    """Lines stay lines, and nothing else is made of them."""
    blocks = told(dossier(Paragraph("One\n  two  words \n\n \n* three\r\nfour\n\n"))).blocks
    assert blocks == (Text("One\ntwo words"), Text("* three\nfour"))


def test_the_first_of_a_month_is_written_as_the_french_do() -> None:
    """The only day with an ordinal."""
    assert day_in_words(date(2026, 3, 1), "fr") == "1er mars 2026"
    assert day_in_words(date(2026, 3, 11), "fr") == "11 mars 2026"
    assert day_in_words(date(2026, 3, 1), "en") == "1 March 2026"


def test_a_source_is_linked_at_its_page() -> None:
    """In the service only where it has no address of its own, and the service has one."""
    own = document(url="https://example.org/a.pdf")
    assert address(quoted(of=own).citation) == "https://example.org/a.pdf#page=4"
    assert address(quoted().citation) is None
    there = address(quoted("x", page(4, start=3, end=9), page(5)).citation, "https://kb.example/x")
    assert there == "https://kb.example/x/documents/garantie-fr/pages/4?version=1&mark=3-9"


@pytest.mark.parametrize(
    ("stated", "address"),
    [
        ("https://example.org/é?a=1&b=%20#p", "https://example.org/%C3%A9?a=1&b=%20#p"),
        ("javascript:alert(1)", None),
        ("file:///etc/passwd", None),
        ("HTTPS://example.org/<a>\n{b}", "HTTPS://example.org/%3Ca%3E%7Bb%7D"),
        ("", None),
        (None, None),
    ],
)
def test_only_addresses_of_the_web_are_linked(stated: str | None, address: str | None) -> None:
    """And they hold nothing that could end a link or begin markup."""
    assert web_address(stated) == address


@given(st.text())
def test_clean_text_is_one_line_that_xml_can_hold(text: str) -> None:
    """Cleaning it again changes nothing."""
    line = clean(text)
    assert clean(line) == line
    assert printable(line) == line
    assert "\n" not in line
    line.encode()


def test_a_title_cannot_turn_the_words_beside_it() -> None:
    """Letters that are read from the right stay; signs that turn what follows go."""
    assert clean("\u202eabc \u2067שלום\u2069\x07") == "abc שלום"

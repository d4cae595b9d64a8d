from __future__ import annotations

import pytest

from kb.answers.quoting import is_evidence, quotable
from kb.model import Passage, Role, Span


def passage(text: str, language: str = "en", role: Role = Role.BODY, heading: str = "") -> Passage:
    """A passage that is a whole page."""
    span = Span(1, None, None, 0, len(text))
    return Passage("p", "d", 1, 0, text, (span,), heading, language, role)


def quotes(text: str, language: str = "en", role: Role = Role.BODY) -> list[str]:
    """What of a text can be quoted, each with the sentence that it rests on."""
    found = passage(text, language, role)
    return [quote.extended().text(found) for quote in quotable(found)]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The ladder is kept in the shed. It may be lent for a week.", "en"),
        ("Two tools are lent. They come back on Sunday evening.", "en"),
        ("L'échelle est dans la remise. Celle-ci peut être prêtée une semaine.", "fr"),
        ("La ville aide les ateliers. Cette aide est versée au printemps.", "fr"),
        ("Le prêt est gratuit. Il dure une semaine au plus.", "fr"),
    ],
)
def test_a_sentence_that_points_back_is_quoted_with_the_one_before(
    text: str, language: str
) -> None:
    """Alone it would not say what it speaks of."""
    assert quotes(text, language)[-1] == text


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The ladder is in the shed. It is necessary to ask before taking it.", "en"),
        ("L'échelle est dans la remise. Il faut demander avant de la prendre.", "fr"),
        ("L'échelle est dans la remise. Il est interdit de monter dessus.", "fr"),
        ("The ladder is in the shed. Members may take it on Monday.", "en"),
    ],
)
def test_a_sentence_that_stands_alone_is_quoted_alone(text: str, language: str) -> None:
    """An "it" that means nothing points nowhere."""
    assert quotes(text, language)[-1] == text.partition(". ")[2]


def test_a_list_is_quoted_whole_and_by_its_points() -> None:
    """Each point comes with the opening that it completes, but without the other points."""
    text = "The ladder is lent to:\n(a) every member;\n(b) every neighbour on a Sunday."
    opening, first, second = text.split("\n")
    assert quotes(text) == [text, f"{opening}\n{first}", f"{opening}\n{second}"]


def test_what_follows_a_list_is_no_point_of_it() -> None:
    """The list ends with the point that ends with a full stop."""
    text = "Bring two things:\n- a rope;\n- a helmet.\nThe shed opens at nine in the morning."
    assert quotes(text)[0] == text.rpartition("\n")[0]
    assert quotes(text)[-1] == text.rpartition("\n")[2]


def test_the_short_title_of_a_point_stays_with_it() -> None:
    """A short title such as "3. Rate." says nothing without the sentence after it."""
    text = "3. Rate. From 50 % to 80 % of each loss is covered."
    assert quotes(text) == [text]


def test_definitions_of_a_list_are_quoted_one_by_one() -> None:
    """Their common opening adds nothing to them."""
    text = (
        "For the purposes of this rule:\n(1) ‘ladder’ means a tool with steps;\n"
        "(2) ‘shed’ means a small house for tools."
    )
    assert quotes(text)[1:] == text.split("\n")[1:]


@pytest.mark.parametrize(
    "text", ["Short heading", "Title without an end", "p. 3", "Tools and sheds of our town"]
)
def test_headings_and_fragments_are_not_quoted(text: str) -> None:
    """What has neither an end nor many words is no sentence."""
    assert quotes(text) == []


def test_rows_come_with_their_header() -> None:
    """A row alone would not say what its columns are."""
    text = "Tool | Price\nLadder | 5 euros\nSaw | 9 euros"
    assert quotes(text, role=Role.TABLE) == [
        "Tool | Price\nLadder | 5 euros",
        "Tool | Price\nSaw | 9 euros",
    ]


@pytest.mark.parametrize(
    ("role", "heading", "text", "says"),
    [
        (Role.BODY, "Rules", "The ladder is lent for a week.", True),
        (Role.CONTENTS, "", "1. Ladders .... 3", False),
        (Role.REFERENCES, "", "Miller, On ladders, 2019.", False),
        (Role.HEADING, "", "Ladders", False),
        (Role.NOTE, "", "OJ L 352, 24.12.2013, p. 1.", False),
        (Role.NOTE, "", "The ladder was bought in 2019.", True),
        (Role.BODY, "Our shed › Sources", "Town portal, copy of August 2026.", False),
    ],
)
def test_lists_of_sources_and_contents_say_nothing(
    role: Role, heading: str, text: str, *, says: bool
) -> None:
    """They name a subject without saying anything of it."""
    assert is_evidence(passage(text, role=role, heading=heading)) is says


def test_no_quote_ends_in_an_open_bracket() -> None:
    """What a page parts in two is quoted whole, and what is never closed not at all."""
    whole = (
        "The ladder costs 500 euros a year (under the rule (EC)\nNo 7 of 2012) for every member."
    )
    assert quotes(whole) == [whole]
    cut = "The ladder costs 500 euros a year for every member of the workshop (under the rule"
    assert quotes(cut) == []
    point = "a) the ladder costs 500 euros a year for each of the members (see the tariff)."
    assert quotes(point) == [point]

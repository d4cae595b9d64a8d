from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.answers.facts import Unit, facts, names_person


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("EUR 300 000", "300000"),
        ("300 000 euros", "300000"),
        ("0,3 M€", "300000"),
        ("€1.5 billion", "1500000000"),
        ("un milliard d'euros", "1000000000"),
        ("2,5 millions d’euros", "2500000"),
        ("5,000,000 EUR", "5000000"),
        ("26 152 310 073 euros", "26152310073"),
        ("deux cents mille fois rien, soit 12 k€", "12000"),
    ],
)
def test_money_is_one_number_however_it_is_written(text: str, value: str) -> None:
    """Separators, scales and currencies on either side, in both languages."""
    [found] = [fact for fact in facts(text) if fact.unit is Unit.MONEY]
    assert found.value == value


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("10.6 % of all", Unit.SHARE, "10.6"),
        ("la moitié des pertes", Unit.SHARE, "50"),
        ("sept fois le salaire minimum", Unit.TIMES, "7"),
        ("within 20 working days", Unit.DURATION, "20 day"),
        ("trente-six mois", Unit.DURATION, "36 month"),
        ("dix années", Unit.DURATION, "10 year"),
        ("until 31 December 2030", Unit.DATE, "2030-12-31"),
        ("le 1er juillet 2021", Unit.DATE, "2021-07-01"),
        ("in March 2027", Unit.DATE, "2027-03"),
        ("avant le 23 avril", Unit.DATE, "--04-23"),
        ("signed in 2024", Unit.DATE, "2024"),
        ("03.05.2026", Unit.DATE, "2026-05-03"),
        ("un million de signatures", Unit.COUNT, "1000000"),
        ("fewer than 50 persons", Unit.COUNT, "50"),
    ],
)
def test_a_number_is_read_with_what_it_counts(text: str, unit: Unit, value: str) -> None:
    """Shares, multiples, lengths of time, dates and counts are told apart."""
    assert [(fact.unit, fact.value) for fact in facts(text)] == [(unit, value)]


@pytest.mark.parametrize(
    "text",
    [
        "Regulation (EU) No 651/2014 of 17 June 2014",
        "la loi n° 2001-495 du 6 juin 2001, article 3",
        "Article 59, paragraph 2, and section 4.1",
        "une association",
        "3. The Member States shall keep records.",
    ],
)
def test_references_and_articles_state_no_fact(text: str) -> None:
    """The numbers of acts, articles and points are nobody's amount, nor is "une"."""
    assert facts(text) == []


def test_a_fact_stands_where_it_says() -> None:
    """Offsets are those of the text as it was given."""
    text = "Le plafond est de 300 000 EUR sur trois ans, jusqu'au 31 décembre 2030."
    assert [text[fact.start : fact.end] for fact in facts(text)] == [
        "300 000 EUR",
        "trois ans",
        "31 décembre 2030",
    ]


@given(st.text(alphabet=st.sampled_from("0123456789 .,€%k−-/(EURm£àéIİ\n"), max_size=60))
def test_any_text_gives_facts_in_order_inside_it(text: str) -> None:
    """No input breaks the reading, and every fact is a stretch of the text."""
    found = facts(text)
    assert found == sorted(found, key=lambda fact: fact.start)
    assert all(0 <= fact.start < fact.end <= len(text) and fact.value for fact in found)


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        ("M. Jean Dupuis, chef du service", 1.0),
        ("The director, Jane Miller, signed it.", 0.7),
        ("the European Commission and the Court of Auditors", 0.0),
        ("nobody in particular", 0.0),
    ],
)
def test_a_person_is_told_from_a_body(text: str, sure: float) -> None:
    """A title before the name is sure, two capitals less so, a body's name is no person."""
    assert names_person(text) == sure

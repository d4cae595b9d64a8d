"""One call from what several sources say of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from calls_making import CHECKED, NOW, brussels, made, record
from hypothesis import given
from hypothesis import strategies as st

from ingest.calls.merging import (
    merge,
    records_json,
    records_of,
    together,
    with_record,
    with_records,
)
from kb.model import Applicant, DeadlineModel, Link

if TYPE_CHECKING:
    from ingest.calls.base import CallRecord

SPRING, SUMMER = brussels("2026-04-15"), brussels("2026-07-15")
LATER = CHECKED + timedelta(days=3)
BULK, AIDS = "eu-portal-bulk", "aides-territoires"


def _merged(*records: CallRecord) -> Any:
    return merge(with_records((), records)).call


def test_sources_are_one_call_whatever_the_case_of_its_identifier() -> None:
    """The richest source writes it; every source is named with its own word and address."""
    portal = record(made("LADDER-01", url="https://portal.example/1"), status="open")
    bulk = record(made("ladder-01"), source=BULK, status="closed", checked=LATER)
    assert portal.key == bulk.key
    call = _merged(bulk, portal)
    assert call.identifier == "LADDER-01"
    assert [(each.name, each.status, each.url) for each in call.sources] == [
        ("eu-portal", "open", "https://portal.example/1"),
        (BULK, "closed", None),
    ]


@pytest.mark.parametrize(
    ("field", "rich", "poor"),
    [
        ("title", "Ladders", "LADDERS!"),
        ("programme", "Horizon Europe", "Horizon"),
        ("programme_id", "43108390", "1"),
        ("call_id", "LADDER-2026", "L"),
        ("call_title", "Ladders for all", "Ladders"),
        ("topic_id", "LADDER-2026-01", "L"),
        ("action_types", ("Research",), ("Other",)),
        ("funder", "European Commission", "EC"),
        ("budget", 5_000_000, 4),
        ("grant_min", 100, 1),
        ("grant_max", 200, 2),
        ("expected_grants", 3, 4),
        ("applicants", (Applicant.NGO,), (Applicant.PUBLIC,)),
        ("countries", ("EU",), ("FR",)),
        ("consortium_min", 3, 2),
        ("cofinancing", 80.0, 50.0),
        ("themes", ("Height",), ("Depth",)),
        ("keywords", ("ladder",), ("stairs",)),
        ("url", "https://a.example", "https://b.example"),
        ("links", (Link("A", "https://a.example"),), (Link("B", "https://b.example"),)),
    ],
)
def test_the_richest_source_wins_and_the_others_fill_its_gaps(
    field: str, rich: Any, poor: Any
) -> None:
    """Whichever was checked last, and in whichever order they were read."""
    mine, theirs = made(**{field: rich}), made(**{field: poor})
    for records in permutations(
        (record(theirs, source=AIDS, checked=LATER), record(mine), record(theirs, source=BULK))
    ):
        assert getattr(_merged(*records), field) == rich
    if field != "title":
        assert getattr(_merged(record(made()), record(theirs, source=AIDS)), field) == poor


def test_a_source_that_nobody_ranked_comes_last() -> None:
    """A new source changes nothing that a known one says."""
    other = record(made(title="Z", budget=1), source="a-new-source", checked=LATER)
    call = _merged(other, record(made(title="A"), source=AIDS))
    assert (call.title, call.budget) == ("A", 1)


def test_budget_and_whether_it_is_shared_come_from_one_source() -> None:
    """A pot of sibling topics is not taken for the budget of one."""
    portal = record(made(budget=None, budget_shared=False))
    bulk = record(made(budget=9, budget_shared=True), source=BULK)
    call = _merged(portal, bulk)
    assert (call.budget, call.budget_shared) == (9, True)


def test_the_newest_dates_win() -> None:
    """Dates move: who was asked last knows best, of those that list the call still."""
    portal = record(made(deadlines=(SPRING,), opens=CHECKED))
    bulk = record(made(deadlines=(SUMMER,)), source=BULK, checked=LATER)
    assert _merged(portal, bulk).deadlines == (SUMMER,)
    assert _merged(portal, bulk).opens == CHECKED
    assert _merged(portal, replace(bulk, gone=True)).deadlines == (SPRING,)
    assert _merged(replace(portal, checked=LATER + timedelta(1)), bulk).deadlines == (SPRING,)


def test_until_when_a_call_runs_is_one_statement() -> None:
    """A call that has become a standing one keeps no deadline of an older source."""
    portal = record(
        made(deadlines=(SPRING, SUMMER), deadline_model=DeadlineModel.TWO_STAGE), source=BULK
    )
    standing = record(made(rolling=True), source=AIDS, checked=LATER)
    call = _merged(portal, standing)
    assert (call.deadlines, call.rolling) == ((), True)
    silent = record(made(), source=AIDS, checked=LATER)
    call = _merged(portal, silent)
    assert (call.deadlines, call.deadline_model) == ((SPRING, SUMMER), DeadlineModel.TWO_STAGE)


def test_pages_stand_in_both_languages_and_are_numbered_through() -> None:
    """English first; the first language's pages are those that facts are taken from."""
    english = record(made(title="Ladders"), "We lend ladders.", "Apply in May.")
    french = record(made(title="Échelles"), "On prête des échelles.", language="fr")
    merged = merge(with_records((), [french, english]))
    assert [page.number for page in merged.parsed.pages] == [1, 2, 3]
    assert [page.text for page in merged.own_pages] == [
        "Ladders\n\nWe lend ladders.",
        "Apply in May.",
    ]
    assert merged.language == "en"
    assert merged.call.languages == ("en", "fr")
    assert merged.call.title == "Ladders"
    assert [each.language for each in merged.call.sources] == ["en", "fr"]


def test_of_sources_in_one_language_the_fullest_texts_are_shown() -> None:
    """A text that two sources have does not stand there twice."""
    portal = record(made(), "Short.")
    aids = record(made(), "Very much longer, with all the conditions.", source=AIDS)
    merged = merge(with_records((), [portal, aids]))
    assert [page.text.splitlines()[-1] for page in merged.parsed.pages] == [
        "Very much longer, with all the conditions."
    ]


def test_the_licence_is_that_of_the_first_source_that_has_one() -> None:
    """A portal without one leaves that of the other."""
    records = [record(made()), replace(record(made(), source=AIDS), licence="Etalab 2.0")]
    assert merge(records).licence == "Etalab 2.0"


def test_an_older_record_than_known_changes_nothing() -> None:
    """An old file that is read again does not bring an old deadline back."""
    known = with_record((), record(made(deadlines=(SUMMER,)), checked=LATER))
    old = record(made(deadlines=(SPRING,), budget=7), "An old text that is much longer than it is.")
    assert with_record(known, old) == known
    assert with_records(known, [old, replace(old, gone=True)]) == known


def test_a_newer_record_replaces_the_known_one() -> None:
    """What the source does not say any more is not kept."""
    known = with_record((), record(made(deadlines=(SUMMER,), budget=7)))
    new = record(made(), checked=LATER)
    assert with_record(known, new) == (new,)


def test_a_call_that_is_gone_keeps_what_was_last_said() -> None:
    """Of the record that says so only the moment counts."""
    known = with_record((), record(made(budget=7), status="open"))
    gone = record(made(title="?"), gone=True, checked=LATER)
    [kept] = with_record(known, gone)
    assert (kept.gone, kept.checked, kept.status) == (True, LATER, "open")
    assert kept.call == known[0].call
    assert with_record((), gone) == ()
    assert with_record((), replace(gone, source=BULK)) == ()
    [back] = with_record([kept], record(made(budget=7), checked=LATER + timedelta(hours=1)))
    assert not back.gone


def test_a_list_and_a_page_of_one_day_complement_each_other() -> None:
    """Whichever is read first: the page's texts stay, and what only the list says too."""
    row = record(made(budget=9, deadlines=(SUMMER,)), "Rivers.", status="open")
    page = replace(
        record(made(keywords=("ladder",)), "Rivers, told at length.", "Conditions."),
        checked=CHECKED + timedelta(minutes=1),
        licence="Free",
    )
    expected = with_records((), [row, page])
    [both] = expected
    assert (both.call.budget, both.call.keywords, both.call.deadlines) == (
        9,
        ("ladder",),
        (SUMMER,),
    )
    assert len(both.pages) == 2
    assert (both.status, both.licence, both.checked) == ("open", "Free", page.checked)
    assert with_records((), [page, row]) == expected
    assert with_records(expected, [row, page]) == expected
    assert with_records(expected, [page]) == expected


def test_of_one_moment_the_last_word_counts() -> None:
    """A file that was mended and is said to be as old as before is believed."""
    known = with_record((), record(made(deadlines=(SPRING,), budget=7)))
    mended = record(made(deadlines=(SUMMER,)))
    [both] = with_record(known, mended)
    assert (both.call.deadlines, both.call.budget) == ((SUMMER,), 7)


def test_states_of_different_days_do_not_mix() -> None:
    """Of two saved lists in one run the newer one counts alone."""
    old, new = record(made(budget=7)), record(made(), checked=LATER)
    for found in ([old, new], [new, old]):
        assert with_records((), found) == (new,)
    gone = replace(new, gone=True)
    assert with_records((), [old, gone]) == ()


def test_records_are_kept_as_they_were() -> None:
    """JSON and back changes nothing: moments, money, pages with their blocks."""
    kept = (
        record(made(deadlines=(SPRING,), opens=CHECKED, budget=10**12, links=(Link("a", "b"),))),
        replace(record(made("é/1:x", rolling=True), language="fr"), gone=True, licence="L"),
    )
    assert records_of(records_json(kept)) == kept


_moments = st.integers(0, 20).map(lambda hours: NOW + timedelta(hours=7 * hours))
_records = st.builds(
    lambda source, language, checked, deadline, budget, text: record(
        made(deadlines=deadline, budget=budget),
        text,
        source=source,
        language=language,
        checked=checked,
    ),
    st.sampled_from(["eu-portal", BULK, AIDS, "else"]),
    st.sampled_from(["en", "fr", "de"]),
    _moments,
    st.sampled_from([(), (SPRING,), (SUMMER,), (SPRING, SUMMER)]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from(["A text.", "A text that is longer."]),
)


@given(st.lists(_records, min_size=1, max_size=6))
def test_reading_again_changes_nothing(found: list[CallRecord]) -> None:
    """The same files once more, all or one by one, leave the records as they are."""
    known = with_records((), found)
    assert with_records(known, found) == known
    assert merge(with_records(known, found[:1])).texts == merge(known).texts
    places = [(each.source, each.language) for each in known]
    assert len(set(places)) == len(places)


@given(st.lists(_records, min_size=1, max_size=4, unique_by=lambda each: each.checked))
def test_the_order_of_reading_is_no_matter(found: list[CallRecord]) -> None:
    """Records of different moments make the same call in every order."""
    assert with_records((), found) == with_records((), found[::-1])


def test_one_record_is_itself() -> None:
    """Nothing is made of what is alone."""
    alone = record(made(budget=1))
    assert together([alone]) is alone

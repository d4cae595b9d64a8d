"""What differs between two states of a call, and how it is told."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.calls.dates import BRUSSELS
from kb.calls.news import (
    FIELD_NAMES,
    KIND_NAMES,
    CallNews,
    Difference,
    NewsKind,
    compare,
    describe,
    euros,
    plain,
    web_address,
)
from kb.model import Applicant, Call, CallSource, DeadlineModel

NOW = datetime(2026, 2, 11, 9, 0, tzinfo=BRUSSELS)
DAY = timedelta(days=1)
DEADLINE = datetime(2026, 3, 17, 17, 0, tzinfo=BRUSSELS)
SEEN = CallSource("eu-portal", "https://portal.example/x", NOW - DAY, "open")
CALL = Call(
    "EXAMPLE-2026-01",
    "Bridges for rural choirs",
    programme="Example Programme",
    deadlines=(DEADLINE,),
    budget=3_000_000,
    sources=(SEEN,),
)


def changed(before: Call, after: Call) -> dict[str | None, tuple[str | None, str | None]]:
    """Return the fields that are told as changed, with their values."""
    differences = compare(before, after, NOW)
    assert {difference.kind for difference in differences} <= {NewsKind.CHANGED}
    return {difference.field: (difference.before, difference.after) for difference in differences}


def kinds(before: Call | None, after: Call, now: datetime = NOW) -> list[NewsKind]:
    """Return the kinds of news, each once."""
    return list(dict.fromkeys(difference.kind for difference in compare(before, after, now)))


def said(call: Call, status: str | None, **also: Any) -> Call:
    """Return the call with its first source's word for the status."""
    first, *others = call.sources
    return replace(call, sources=(replace(first, status=status, **also), *others))


def test_a_call_without_a_former_state_is_new() -> None:
    """A call without a former state is new, and nothing else is told of it."""
    assert compare(None, CALL, NOW, text_changed=True) == [Difference(NewsKind.NEW)]


def test_a_call_that_was_never_there_is_no_news() -> None:
    """A call that is first met when its sources have ceased to list it is no news."""
    assert compare(None, said(CALL, None, gone=True), NOW) == []


def test_a_moved_deadline_is_told_in_brussels_time() -> None:
    """A moved deadline is told with both moments, in Brussels time whatever their own zone."""
    later = datetime(2026, 4, 1, 15, 0, tzinfo=UTC)
    moved = replace(CALL, deadlines=(later,))
    assert changed(CALL, moved) == {"deadlines": ("2026-03-17 17:00", "2026-04-01 17:00")}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("title", "Bridges for choirs", ("Bridges for rural choirs", "Bridges for choirs")),
        ("programme", None, ("Example Programme", None)),
        ("call_id", "EXAMPLE-2026", (None, "EXAMPLE-2026")),
        ("call_title", "Choirs", (None, "Choirs")),
        ("action_types", ("Grants, small", "Action"), (None, "Action; Grants, small")),
        ("opens", datetime(2026, 2, 1, tzinfo=BRUSSELS), (None, "2026-02-01")),
        ("deadline_model", DeadlineModel.SINGLE_STAGE, (None, "single-stage")),
        ("rolling", True, ("no", "yes")),
        ("budget", 2_500_000, ("3000000", "2500000")),
        ("grant_min", 0, (None, "0")),
        ("grant_max", 60_000, (None, "60000")),
        ("expected_grants", 12, (None, "12")),
        ("applicants", (Applicant.PUBLIC, Applicant.NGO), (None, "ngo; public")),
        ("countries", ("FR", "BE"), (None, "BE; FR")),
        ("consortium_min", 3, (None, "3")),
        ("cofinancing", 82.5, (None, "82.5")),
        ("url", "https://portal.example/y", (None, "https://portal.example/y")),
    ],
)
def test_each_field_that_matters_is_told(
    field: str, value: Any, words: tuple[str | None, str | None]
) -> None:
    """Each field that matters to people is told alone, with its value before and after."""
    changes: dict[str, Any] = {field: value}
    assert changed(CALL, replace(CALL, **changes)) == {field: words}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("keywords", ("choir",)),
        ("themes", ("music",)),
        ("languages", ("en",)),
        ("title", "Bridges  for rural\nchoirs "),
        ("deadlines", (DEADLINE.astimezone(UTC),)),
    ],
)
def test_what_makes_no_other_call_is_no_news(field: str, value: Any) -> None:
    """Keywords, spacing and the zone in which a moment is written are no news."""
    changes: dict[str, Any] = {field: value}
    assert compare(CALL, replace(CALL, **changes), NOW) == []


def test_the_order_of_alternatives_is_no_news() -> None:
    """Countries, applicants and types of action may come in any order."""
    one = replace(CALL, countries=("FR", "BE"), applicants=(Applicant.NGO, Applicant.PUBLIC))
    other = replace(CALL, countries=("BE", "FR"), applicants=(Applicant.PUBLIC, Applicant.NGO))
    assert compare(one, other, NOW) == []


def test_a_changed_text_is_told() -> None:
    """That the texts differ is told when the caller says so."""
    assert compare(CALL, CALL, NOW, text_changed=True) == [Difference(NewsKind.CHANGED, "text")]


def test_an_extended_deadline_reopens_a_call() -> None:
    """A call that was closed reopens when its deadline is put off, and both are told."""
    over = replace(CALL, deadlines=(NOW - DAY,))
    assert kinds(over, CALL) == [NewsKind.REOPENED, NewsKind.CHANGED]


def test_a_call_of_unknown_status_has_not_reopened() -> None:
    """A call that loses its deadlines without a word of its source has not reopened."""
    over = replace(said(CALL, None), deadlines=(NOW - DAY,))
    assert kinds(over, replace(over, deadlines=())) == [NewsKind.CHANGED]


def test_a_deadline_brought_forward_closes_a_call() -> None:
    """A call is closed when its deadline is brought forward into the past."""
    assert kinds(CALL, replace(CALL, deadlines=(NOW - DAY,))) == [NewsKind.CLOSED, NewsKind.CHANGED]


def test_a_source_closes_a_call_without_dates() -> None:
    """A call without dates is closed by its source's word, and the word is told."""
    undated = replace(CALL, deadlines=())
    assert compare(undated, said(undated, "closed"), NOW) == [
        Difference(NewsKind.CLOSED),
        Difference(NewsKind.CHANGED, "status", "open", "closed"),
    ]


def test_time_that_passes_is_no_news() -> None:
    """A call that its deadline has closed since the last look is no news."""
    for now in (NOW, DEADLINE, DEADLINE + DAY):
        assert compare(CALL, CALL, now) == []


def test_the_word_of_a_source_after_the_deadline_closes_nothing_twice() -> None:
    """A source that says closed after the deadline changes its word and closes nothing."""
    assert compare(CALL, said(CALL, "closed"), DEADLINE + DAY) == [
        Difference(NewsKind.CHANGED, "status", "open", "closed")
    ]


def test_a_call_is_gone_once() -> None:
    """A call is gone when its last source ceases to list it: told once, and nothing besides."""
    gone = replace(said(CALL, None, gone=True), budget=None)
    assert compare(CALL, gone, NOW, text_changed=True) == [Difference(NewsKind.GONE)]
    assert compare(gone, gone, NOW) == []


def test_a_call_is_not_gone_while_a_source_lists_it() -> None:
    """A call that one of two sources still lists is not gone."""
    other = CallSource("paris", None, NOW, "open", "fr")
    both = replace(CALL, sources=(SEEN, other))
    left = replace(both, sources=(replace(SEEN, gone=True), other))
    assert compare(both, left, NOW) == []


def test_a_call_that_comes_back_reopens() -> None:
    """A call that is listed again has reopened."""
    assert compare(said(CALL, None, gone=True), CALL, NOW) == [
        Difference(NewsKind.REOPENED),
        Difference(NewsKind.CHANGED, "status", "withdrawn", "open"),
    ]


def test_two_sources_that_disagree_are_no_news_when_checked_in_turn() -> None:
    """Two sources that disagree don't close and reopen a call by being checked in turn."""
    one = CallSource("a", None, NOW, "open")
    other = CallSource("b", None, NOW + DAY, "closed")
    before = replace(CALL, deadlines=(), sources=(one, other))
    after = replace(before, sources=(replace(other), replace(one, checked=NOW + 2 * DAY)))
    assert compare(before, after, NOW) == []


MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(BRUSSELS))  # noqa: DTZ001 -- the zone is added
SOURCES = st.lists(
    st.builds(
        CallSource,
        name=st.sampled_from("abc"),
        url=st.none(),
        checked=MOMENTS,
        status=st.sampled_from([None, "forthcoming", "open", "closed"]),
        gone=st.booleans(),
    ),
    max_size=3,
    unique_by=lambda source: source.name,
)
CALLS = st.builds(
    Call,
    identifier=st.just("X"),
    title=st.text(max_size=20),
    opens=st.none() | MOMENTS,
    deadlines=st.lists(MOMENTS, max_size=3).map(lambda days: tuple(sorted(days))),
    deadline_model=st.none() | st.sampled_from(DeadlineModel),
    rolling=st.booleans(),
    budget=st.none() | st.integers(0, 10**10),
    cofinancing=st.none() | st.floats(0, 100),
    applicants=st.lists(st.sampled_from(Applicant), unique=True).map(tuple),
    sources=SOURCES.map(tuple),
)


@given(CALLS, MOMENTS, st.randoms(use_true_random=False))
def test_looking_again_is_no_news(call: Call, now: datetime, random: Any) -> None:
    """A call differs in nothing from itself, whenever and in what order its sources are checked."""
    sources = [replace(source, checked=now - random.random() * DAY) for source in call.sources]
    random.shuffle(sources)
    assert compare(call, replace(call, sources=tuple(sources)), now) == []


@given(CALLS, CALLS, MOMENTS)
def test_all_news_can_be_told(before: Call, after: Call, now: datetime) -> None:
    """Whatever differs can be told in both languages, in one line; no kind comes twice."""
    differences = compare(before, after, now)
    turns = [item for item in differences if item.kind is not NewsKind.CHANGED]
    assert len(turns) <= 1
    assert len({item.field for item in differences}) == len(differences)
    for item in differences:
        news = CallNews(
            None, "d", "X", after.title, now, item.kind, item.field, item.before, item.after
        )
        for language in ("fr", "en"):
            assert len(describe(news, language).splitlines()) == 1


def news(kind: NewsKind, field: str | None = None, *values: str | None) -> CallNews:
    """Return a piece of news of the example."""
    before, after = values or (None, None)
    return CallNews(None, "d", CALL.identifier, CALL.title, NOW, kind, field, before, after)


@pytest.mark.parametrize(
    ("field", "before", "after", "french", "english"),
    [
        (
            "deadlines",
            "2026-03-17 17:00",
            "2026-04-01 17:00",
            "Date limite : 2026-03-17 17:00 → 2026-04-01 17:00",
            "Deadline: 2026-03-17 17:00 → 2026-04-01 17:00",
        ),
        (
            "budget",
            None,
            "3000000",
            "Budget : non précisé → 3\u202f000\u202f000\u00a0€",
            "Budget: not stated → €3,000,000",
        ),
        (
            "status",
            "open",
            "closed",
            "Statut à la source : ouvert → fermé",
            "Status at the source: open → closed",
        ),
        ("rolling", "no", "yes", "Ouvert en continu : non → oui", "Open all the time: no → yes"),
        (
            "cofinancing",
            "80",
            "82.5",
            "Part financée : 80 % → 82,5 %",
            "Share paid: 80% → 82.5%",
        ),
        (
            "applicants",
            "ngo; sme",
            "any",
            "Candidats admis : ONG, PME → toute entité juridique",
            "Who may apply: NGOs, SMEs → any legal entity",
        ),
        ("text", None, None, "Le texte a changé", "The text has changed"),
    ],
)
def test_a_change_is_told_in_both_languages(
    field: str, before: str | None, after: str | None, french: str, english: str
) -> None:
    """A change is told with the field's name and its values in the language asked for."""
    piece = news(NewsKind.CHANGED, field, before, after)
    assert describe(piece, "fr") == french
    assert describe(piece, "en") == english


def test_other_news_names_the_call() -> None:
    """News of a whole call names it."""
    assert describe(news(NewsKind.NEW), "fr") == "Nouvel appel : Bridges for rural choirs"
    assert describe(news(NewsKind.GONE), "en") == "Call withdrawn: Bridges for rural choirs"


def test_everything_has_a_name_in_both_languages() -> None:
    """Every kind and field has a name in French and English; the fields are those of a call."""
    for names in (*FIELD_NAMES.values(), *KIND_NAMES.values()):
        assert set(names) == {"fr", "en"}
    assert set(KIND_NAMES) == set(NewsKind)
    assert set(FIELD_NAMES) - {field.name for field in fields(Call)} == {"status", "text"}


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://a.example/x?y=1&z=é", "https://a.example/x?y=1&z=%C3%A9"),
        (" http://a.example/a b ", "http://a.example/a%20b"),
        ("https://a.example/\r\nSTATUS:CANCELLED", "https://a.example/%20STATUS:CANCELLED"),
        ('https://a.example/"><script>', "https://a.example/%22%3E%3Cscript%3E"),
        ("javascript:alert(1)", None),
        ("/relative", None),
        ("", None),
        (None, None),
    ],
)
def test_only_web_addresses_are_linked_to(url: str | None, safe: str | None) -> None:
    """Only addresses of the web are linked to, with everything odd in them escaped."""
    assert web_address(url) == safe


@given(st.text())
def test_plain_text_is_one_line_that_utf8_and_xml_hold(text: str) -> None:
    """A plain text is one line without control characters or halves of pairs."""
    line = plain(text)
    assert len(line.splitlines()) <= 1
    assert line.encode().decode() == line
    assert plain(line) == line


def test_small_amounts_are_written_too() -> None:
    """An amount is written as its language does."""
    assert (euros(0, "fr"), euros(950, "en")) == ("0\u00a0€", "€950")

"""The status of a call at a moment: borders to the second, stages, words of sources, reasons."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from calls_making import NOW, brussels, made, source
from hypothesis import given
from hypothesis import strategies as st

from kb.calls.dates import brussels_day, day_starts, days_between, deadline, opening
from kb.calls.status import said_status, status_at, usable_deadlines, withdrawn
from kb.model import Call, CallStatus, DeadlineModel

SECOND = timedelta(seconds=1)
OPENS, CLOSES = brussels("2026-01-15", "00:00"), brussels("2026-06-18")
DATED = made(opens=OPENS, deadlines=(CLOSES,))
FIRST, SECOND_STAGE = brussels("2026-03-17"), brussels("2026-09-03")
TWO_STAGES = made(deadlines=(FIRST, SECOND_STAGE), deadline_model=DeadlineModel.TWO_STAGE)
CUT_OFFS = made(
    deadlines=(brussels("2026-02-01"), brussels("2026-05-01"), brussels("2026-08-01")),
    deadline_model=DeadlineModel.CUT_OFFS,
)


def status(call: Call, moment: datetime) -> CallStatus:
    """The status of a call at a moment."""
    return status_at(call, moment).status


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (OPENS - SECOND, CallStatus.FORTHCOMING),
        (OPENS, CallStatus.OPEN),
        (brussels("2026-05-18", "23:59") + 59 * SECOND, CallStatus.OPEN),
        (brussels("2026-05-19", "00:00"), CallStatus.CLOSING_SOON),
        (CLOSES - SECOND, CallStatus.CLOSING_SOON),
        (CLOSES, CallStatus.CLOSED),
        (CLOSES + SECOND, CallStatus.CLOSED),
    ],
)
def test_a_dated_call_changes_its_status_at_the_second(
    moment: datetime, expected: CallStatus
) -> None:
    """A call opens at its opening, closes soon 30 midnights before, and is closed at 17:00:00."""
    assert status(DATED, moment) is expected
    assert status(DATED, moment.astimezone(UTC)) is expected


def test_a_fraction_of_a_second_counts_for_the_whole() -> None:
    """A deadline at the last millisecond of a day is missed within its last second."""
    call = made(deadlines=(brussels("2026-06-18", "23:59:59.999"),))
    assert status(call, brussels("2026-06-18", "23:59:58.999")) is CallStatus.CLOSING_SOON
    assert status(call, brussels("2026-06-18", "23:59:59.001")) is CallStatus.CLOSED


@pytest.mark.parametrize(
    ("now", "left"),
    [
        (brussels("2026-06-18", "00:00"), 0),
        (brussels("2026-06-18", "16:59"), 0),
        (brussels("2026-06-17", "23:59"), 1),
        (brussels("2026-06-17", "00:00"), 1),
        # Clocks go forward on 29 March: the day has 23 hours and counts as one.
        (brussels("2026-03-29", "23:59"), 81),
        (brussels("2026-03-28", "00:00"), 82),
        (brussels("2026-03-28", "23:59"), 82),
    ],
)
def test_days_left_are_midnights_in_brussels(now: datetime, left: int) -> None:
    """Days left count the midnights of Brussels, whatever the hour and the daylight saving."""
    found = status_at(DATED, now)
    assert (found.days_left, found.next_deadline) == (left, CLOSES)


def test_thirty_days_end_at_midnight_across_daylight_saving() -> None:
    """The 30 days before a deadline begin at midnight in Brussels though an hour was lost since."""
    call = made(deadlines=(brussels("2026-04-10"),))
    assert status(call, brussels("2026-03-10", "23:59")) is CallStatus.OPEN
    assert status(call, brussels("2026-03-11", "00:00")) is CallStatus.CLOSING_SOON
    assert status_at(call, brussels("2026-03-11", "00:00")).days_left == 30


@pytest.mark.parametrize(
    ("day", "utc"),
    [(date(2026, 7, 1), 15), (date(2026, 1, 7), 16), (date(2026, 3, 29), 15)],
)
def test_a_deadline_without_an_hour_is_at_five_in_brussels(day: date, utc: int) -> None:
    """A deadline without an hour is 17:00 in Brussels in summer and in winter."""
    assert deadline(day).astimezone(UTC).hour == utc
    assert deadline(day).hour == 17


def test_an_opening_without_an_hour_is_midnight_in_brussels() -> None:
    """A call opens when its day begins in Brussels, which is the day before in Greenwich."""
    assert opening(date(2026, 7, 1)).astimezone(UTC) == datetime(2026, 6, 30, 22, tzinfo=UTC)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)), st.integers(0, 400))  # noqa: DTZ001 -- made aware below
def test_days_count_whole_days(moment: datetime, days: int) -> None:
    """A moment on the n-th day after today is n days away, whatever its hour."""
    now = moment.replace(tzinfo=UTC)
    day = brussels_day(now) + timedelta(days=days)
    assert days_between(now, day_starts(day)) == days
    assert days_between(now, day_starts(day + timedelta(days=1)) - SECOND) == days


def test_a_two_stage_call_closes_to_newcomers_after_its_first_stage() -> None:
    """Of two stages only the first can be met by someone new; the reason says why."""
    assert usable_deadlines(TWO_STAGES) == (FIRST,)
    before = status_at(TWO_STAGES, FIRST - SECOND)
    assert (before.status, before.next_deadline) == (CallStatus.CLOSING_SOON, FIRST)
    after = status_at(TWO_STAGES, FIRST)
    assert (after.status, after.next_deadline, after.days_left) == (CallStatus.CLOSED, None, None)
    assert "invitation" in after.reasons["fr"]
    assert "by invitation" in after.reasons["en"]


def test_each_cut_off_is_a_chance_of_its_own() -> None:
    """A call with cut-offs stays open until the last; the next one counts."""
    assert status(CUT_OFFS, brussels("2026-01-20")) is CallStatus.CLOSING_SOON
    between = status_at(CUT_OFFS, brussels("2026-02-01"))
    assert (between.status, between.days_left) == (CallStatus.OPEN, 89)
    assert between.next_deadline == brussels("2026-05-01")
    assert status(CUT_OFFS, brussels("2026-08-01")) is CallStatus.CLOSED
    assert "cut-off" in status_at(CUT_OFFS, brussels("2026-08-01")).reasons["en"]
    assert "échéance" in status_at(CUT_OFFS, brussels("2026-08-01")).reasons["fr"]


def test_a_call_known_by_one_of_several_cut_offs_is_not_called_closed() -> None:
    """Where only one of several cut-offs is known, what comes after it is unknown."""
    call = made(deadlines=(FIRST,), deadline_model=DeadlineModel.CUT_OFFS)
    assert status(call, FIRST - SECOND) is CallStatus.CLOSING_SOON
    after = status_at(call, FIRST)
    assert after.status is CallStatus.UNKNOWN
    assert "d'autres" in after.reasons["fr"]
    assert "others" in after.reasons["en"]
    over = made(
        deadlines=(FIRST,), deadline_model=DeadlineModel.CUT_OFFS, sources=(source("closed"),)
    )
    assert status(over, FIRST) is CallStatus.CLOSED


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, CallStatus.UNKNOWN),
        ({"rolling": True}, CallStatus.ROLLING),
        ({"rolling": True, "opens": OPENS}, CallStatus.ROLLING),
        ({"rolling": True, "opens": NOW + SECOND}, CallStatus.FORTHCOMING),
        ({"opens": OPENS}, CallStatus.UNKNOWN),
        ({"sources": (source("open"),)}, CallStatus.UNKNOWN),
        ({"sources": (source("closed"),)}, CallStatus.CLOSED),
        ({"sources": (source("closed"),), "rolling": True}, CallStatus.ROLLING),
        ({"sources": (source("forthcoming"),)}, CallStatus.FORTHCOMING),
        ({"sources": (source("forthcoming"),), "opens": OPENS}, CallStatus.UNKNOWN),
        ({"sources": (source("open"),), "deadlines": (CLOSES,)}, CallStatus.OPEN),
        ({"sources": (source("forthcoming"),), "deadlines": (CLOSES,)}, CallStatus.FORTHCOMING),
        (
            {"sources": (source("forthcoming"),), "deadlines": (NOW + timedelta(days=9),)},
            CallStatus.CLOSING_SOON,
        ),
        (
            {"sources": (source("forthcoming"),), "deadlines": (NOW - SECOND,)},
            CallStatus.CLOSED,
        ),
        ({"rolling": True, "deadlines": (NOW - SECOND,)}, CallStatus.CLOSED),
        ({"sources": (source("open", gone=True),), "deadlines": (CLOSES,)}, CallStatus.CLOSED),
        (
            {"sources": (source("open", gone=True), source("open")), "deadlines": (CLOSES,)},
            CallStatus.OPEN,
        ),
    ],
)
def test_dates_decide_and_words_of_sources_fill_in(
    fields: dict[str, Any], expected: CallStatus
) -> None:
    """Dates decide; without them the word of a source does; what none lists is closed."""
    assert status(made(**fields), NOW) is expected


def test_the_source_that_was_checked_last_is_believed() -> None:
    """Of two sources the word of the one that was checked last counts, never of one that left."""
    early, late = NOW - timedelta(days=9), NOW - timedelta(days=1)
    call = made(sources=(source("closed", checked=early), source("open", checked=late)))
    assert said_status(call) == "open"
    left = made(sources=(source("closed", checked=early), source("open", checked=late, gone=True)))
    assert (said_status(left), withdrawn(left)) == ("closed", False)
    silent = made(sources=(source("closed", checked=early), source(None, checked=late)))
    assert said_status(silent) == "closed"


@pytest.mark.parametrize(
    ("fields", "moment", "french", "english"),
    [
        (
            {"opens": OPENS},
            OPENS - SECOND,
            "Ouvre le 2026-01-15.",
            "Opens on 2026-01-15.",
        ),
        (
            {"deadlines": (CLOSES,)},
            CLOSES - timedelta(days=1),
            "Ouvert jusqu'au 2026-06-18 17:00 (dans 1 jour).",
            "Open until 2026-06-18 17:00 (in 1 day).",
        ),
        (
            {"deadlines": (CLOSES,)},
            CLOSES - timedelta(days=2),
            "Ouvert jusqu'au 2026-06-18 17:00 (dans 2 jours).",
            "Open until 2026-06-18 17:00 (in 2 days).",
        ),
        (
            {"deadlines": (CLOSES,)},
            CLOSES - SECOND,
            "Ouvert jusqu'au 2026-06-18 17:00 (aujourd'hui).",
            "Open until 2026-06-18 17:00 (today).",
        ),
        (
            {"deadlines": (CLOSES,)},
            CLOSES,
            "Date limite passée (2026-06-18 17:00).",
            "The deadline has passed (2026-06-18 17:00).",
        ),
        (
            {"rolling": True},
            NOW,
            "Ouvert en continu, sans date limite.",
            "Open all the time, without a deadline.",
        ),
        (
            {"sources": (source("forthcoming"),)},
            NOW,
            "Annoncé par la source au 2026-02-28, sans date d'ouverture connue.",
            "Announced by its source as of 2026-02-28; no opening date is known.",
        ),
        (
            {"sources": (source("open"),)},
            NOW,
            "Aucune date connue ; la source disait « ouvert » au 2026-02-28.",
            "No date is known; its source said “open” as of 2026-02-28.",
        ),
        (
            {"sources": (source(None, gone=True),)},
            NOW,
            "Retiré : la source ne le liste plus (vérifié le 2026-02-28).",
            "Withdrawn: its source does not list it any more (checked 2026-02-28).",
        ),
        (
            {},
            NOW,
            "Aucune date et aucun statut ne sont donnés : à vérifier à la source.",
            "No date and no status is given: check at the source.",
        ),
    ],
)
def test_the_reason_is_a_sentence_in_both_languages(
    fields: dict[str, Any], moment: datetime, french: str, english: str
) -> None:
    """Each status says why in French and in English, with the day or the hour that decides."""
    assert status_at(made(**fields), moment).reasons == {"fr": french, "en": english}


@pytest.mark.parametrize(
    ("word", "fields", "doubt"),
    [
        ("closed", {"deadlines": (CLOSES,)}, True),
        ("open", {"deadlines": (CLOSES,)}, False),
        ("open", {"deadlines": (NOW - SECOND,)}, True),
        ("closed", {"deadlines": (NOW - SECOND,)}, False),
        ("open", {"opens": NOW + SECOND}, True),
        ("closed", {"opens": NOW + SECOND}, True),
        ("forthcoming", {"opens": NOW + SECOND}, False),
        ("closed", {"rolling": True}, True),
        ("open", {"rolling": True}, False),
        (None, {"deadlines": (CLOSES,)}, False),
    ],
)
def test_a_source_that_says_otherwise_adds_a_doubt(
    word: str | None, fields: dict[str, Any], *, doubt: bool
) -> None:
    """Where dates and the word of a source disagree, the reason tells both."""
    reasons = status_at(made(sources=(source(word),), **fields), NOW).reasons
    assert ("La source disait" in reasons["fr"]) is doubt
    assert ("Its source said" in reasons["en"]) is doubt
    french = {"open": "ouvert", "closed": "fermé", "forthcoming": "à venir"}
    assert not doubt or (f"« {french[str(word)]} »" in reasons["fr"])
    assert not doubt or (f"“{word}”" in reasons["en"])


def test_a_call_that_is_over_or_undated_has_no_days_left() -> None:
    """Days left are those to a deadline that can still be met, or nothing."""
    for call, moment in ((DATED, CLOSES), (made(), NOW), (made(rolling=True), NOW)):
        found = status_at(call, moment)
        assert (found.next_deadline, found.days_left) == (None, None)

"""Calendars of deadlines, checked by a parser of others and by the rules of RFC 5545."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import vobject
from hypothesis import given, settings
from hypothesis import strategies as st

from kb.calls.dates import BRUSSELS
from kb.calls.ics import CalendarCall, calendar, dropped, event_uid
from kb.calls.news import plain
from kb.model import Call, CallSource, DeadlineModel

NOW = datetime(2026, 2, 11, 9, 0, tzinfo=BRUSSELS)
CHANGED = datetime(2026, 2, 1, 8, 30, tzinfo=UTC)
DEADLINE = datetime(2026, 3, 17, 17, 0, tzinfo=BRUSSELS)
CALL = Call(
    "EXAMPLE-2026-01",
    "Bridges for rural choirs",
    programme="Example Programme",
    deadlines=(DEADLINE,),
    budget=3_000_000,
    url="https://portal.example/topic/1",
    sources=(CallSource("eu-portal", "https://portal.example/topic/1", NOW, "open"),),
)
ITEM = CalendarCall(CALL, "doc-1", 3, CHANGED)


def written(*items: CalendarCall, now: datetime = NOW, language: str = "en") -> bytes:
    """Write a calendar of calls and check it by the rules of RFC 5545."""
    data = calendar(
        items,
        now,
        language=language,
        name="Calls, ours; all",
        url_of=lambda document_id: f"https://kb.example/calls/{document_id}",
    )
    check(data)
    return data


def events(data: bytes) -> list[Any]:
    """Return the events, as an independent parser reads them."""
    return list(getattr(vobject.readOne(data.decode()), "vevent_list", []))


def _content_lines(data: bytes) -> list[str]:
    """Return the unfolded lines; every line ends in CRLF and has 75 octets at most (3.1)."""
    assert data.endswith(b"\r\n")
    lines = data.removesuffix(b"\r\n").split(b"\r\n")
    unfolded: list[str] = []
    for line in lines:
        assert b"\r" not in line
        assert b"\n" not in line
        assert 0 < len(line) <= 75
        text = line.decode()  # no character is cut in two
        assert not re.search("[\x00-\x08\x0a-\x1f\x7f]", text)
        if text.startswith(" "):
            unfolded[-1] += text[1:]
        else:
            unfolded.append(text)
    return unfolded


# What a component must and may hold once (3.6): of what this calendar writes.
_ONCE = {
    "VCALENDAR": {"PRODID", "VERSION", "CALSCALE", "METHOD", "NAME", "X-WR-CALNAME"},
    "VEVENT": {
        *("UID", "DTSTAMP", "DTSTART", "LAST-MODIFIED", "SEQUENCE", "SUMMARY"),
        *("DESCRIPTION", "STATUS", "TRANSP"),
    },
    "VALARM": {"ACTION", "TRIGGER", "DESCRIPTION"},
    "VTIMEZONE": {"TZID"},
    "STANDARD": {"DTSTART", "TZOFFSETFROM", "TZOFFSETTO"},
    "DAYLIGHT": {"DTSTART", "TZOFFSETFROM", "TZOFFSETTO"},
}
_INSIDE = {
    "VCALENDAR": {"VEVENT", "VTIMEZONE"},
    "VEVENT": {"VALARM"},
    "VTIMEZONE": {"STANDARD", "DAYLIGHT"},
}
_TEXTS = {"SUMMARY", "DESCRIPTION", "NAME", "X-WR-CALNAME", "UID", "CATEGORIES"}


def check(data: bytes) -> None:
    """Check a calendar by the rules of RFC 5545."""
    open_components: list[tuple[str, Counter[str]]] = []
    uids: list[str] = []
    zones: set[str] = set()
    references: set[str] = set()
    inside: Counter[str] = Counter()
    for line in _content_lines(data):
        head, value = re.split(r":", line, maxsplit=1)
        name, *parameters = head.split(";")
        assert re.fullmatch("[A-Z0-9-]+", name), line
        if name == "BEGIN":
            if open_components:
                assert value in _INSIDE[open_components[-1][0]]
            inside[value] += 1
            open_components.append((value, Counter()))
            continue
        component, seen = open_components[-1]
        if name == "END":
            open_components.pop()
            assert value == component
            assert all(seen[needed] == 1 for needed in _ONCE[component]), (component, seen)
            continue
        seen[name] += 1
        if name in _TEXTS:
            bare = re.sub(r"\\[\\;,nN]", "", value)
            assert "\\" not in bare
            assert ";" not in bare
            assert name == "CATEGORIES" or "," not in bare
        if name == "UID":
            uids.append(value)
        if name == "TZID":
            zones.add(value)
        references.update(item[5:] for item in parameters if item.startswith("TZID="))
        if name in {"DTSTAMP", "LAST-MODIFIED"}:
            assert re.fullmatch(r"\d{8}T\d{6}Z", value)
    assert not open_components
    assert inside["VCALENDAR"] == 1
    assert inside["VEVENT"] + inside["VTIMEZONE"] > 0  # 3.6: at least one component
    assert references <= zones
    assert len(set(uids)) == len(uids) == inside["VEVENT"]


def test_a_deadline_is_an_event_without_length() -> None:
    """A deadline is an event at its moment, in Brussels time, that takes nobody's time."""
    data = written(ITEM)
    (event,) = events(data)
    assert event.dtstart.value == DEADLINE
    assert b"\r\nDTSTART;TZID=Europe/Brussels:20260317T170000\r\n" in data
    assert not {"dtend", "duration"} & set(event.contents)
    assert event.transp.value == "TRANSPARENT"


def test_an_event_says_what_the_call_is() -> None:
    """An event names the call and states status, programme, money and addresses."""
    (event,) = events(written(ITEM))
    assert event.summary.value == "Deadline: Bridges for rural choirs"
    assert event.description.value.splitlines() == [
        "Deadline: 2026-03-17 17:00 (Brussels time)",
        "Status on 2026-02-11: Open until 2026-03-17 17:00 (in 34 days).",
        "Programme: Example Programme",
        "Identifier: EXAMPLE-2026-01",
        "Budget: €3,000,000",
        "https://portal.example/topic/1",
        "https://kb.example/calls/doc-1",
    ]
    assert event.url.value == "https://portal.example/topic/1"
    assert event.status.value == "CONFIRMED"
    assert event.sequence.value == "3"
    assert event.categories.value == ["Example Programme"]


def test_an_event_is_told_in_french() -> None:
    """A calendar asked for in French speaks French."""
    (event,) = events(written(ITEM, language="fr"))
    assert event.summary.value == "Date limite : Bridges for rural choirs"
    assert "Statut au 2026-02-11 : Ouvert jusqu'au" in event.description.value


def test_reminders_come_a_month_a_week_and_a_day_before() -> None:
    """Reminders come 30, 7 and 1 days before, and none for a deadline that has passed."""
    (event,) = events(written(ITEM))
    assert [alarm.trigger.value.days for alarm in event.valarm_list] == [-30, -7, -1]
    (over,) = events(written(ITEM, now=DEADLINE))
    assert "valarm" not in over.contents


def test_a_moved_deadline_keeps_its_event() -> None:
    """A moved deadline keeps its identifier, with a higher sequence and another time."""
    moved = replace(CALL, deadlines=(DEADLINE + timedelta(days=14),))
    (before,) = events(written(ITEM))
    (after,) = events(written(replace(ITEM, call=moved, version=4)))
    assert before.uid.value == after.uid.value == event_uid("doc-1", 1)
    assert int(after.sequence.value) > int(before.sequence.value)
    assert after.dtstart.value - before.dtstart.value == timedelta(days=14)


def test_the_same_calls_give_the_same_bytes() -> None:
    """The same calls give the same bytes in any order, at any hour of one day."""
    other = replace(ITEM, document_id="doc-2")
    assert written(ITEM, other) == written(other, ITEM, now=NOW + timedelta(hours=3))


def test_each_cut_off_has_its_event() -> None:
    """Each cut-off has an event of its own, numbered."""
    call = replace(
        CALL,
        deadlines=(DEADLINE, DEADLINE + timedelta(days=180)),
        deadline_model=DeadlineModel.CUT_OFFS,
    )
    assert [event.summary.value for event in events(written(replace(ITEM, call=call)))] == [
        "Deadline 1/2: Bridges for rural choirs",
        "Deadline 2/2: Bridges for rural choirs",
    ]


def test_the_second_stage_is_by_invitation() -> None:
    """Of a call in two stages the second deadline is there and says that it is by invitation."""
    call = replace(
        CALL,
        deadlines=(DEADLINE, DEADLINE + timedelta(days=180)),
        deadline_model=DeadlineModel.TWO_STAGE,
    )
    first, second = events(written(replace(ITEM, call=call)))
    assert first.summary.value.startswith("Deadline, first stage: ")
    assert second.summary.value.startswith("Deadline, next stage (by invitation): ")


def test_a_withdrawn_call_is_cancelled() -> None:
    """The events of a call that its sources have withdrawn are cancelled, without reminders."""
    gone = replace(CALL, sources=(replace(CALL.sources[0], gone=True),))
    (event,) = events(written(replace(ITEM, call=gone)))
    assert event.status.value == "CANCELLED"
    assert "valarm" not in event.contents


def test_a_deadline_that_vanished_is_cancelled() -> None:
    """A deadline that the call has lost is cancelled; one that has its place again is not."""
    two = replace(CALL, deadlines=(DEADLINE, DEADLINE + timedelta(days=180)))
    lost = dropped(two, CALL)
    assert lost == ((2, two.deadlines[1]),)
    kept, cancelled = events(written(replace(ITEM, dropped=lost)))
    assert (kept.status.value, cancelled.status.value) == ("CONFIRMED", "CANCELLED")
    assert cancelled.uid.value == event_uid("doc-1", 2)
    assert len(events(written(replace(ITEM, call=two, dropped=lost)))) == 2


def test_a_calendar_without_deadlines_is_valid() -> None:
    """A calendar of calls without deadlines, or of none, is valid and empty."""
    assert events(written()) == []
    assert events(written(replace(ITEM, call=replace(CALL, deadlines=())))) == []


def test_a_calendar_has_a_name_and_says_how_often_to_look() -> None:
    """A calendar has its name in both spellings and says how often to fetch it."""
    lines = _content_lines(written(ITEM))
    assert r"NAME:Calls\, ours\; all" in lines
    assert r"X-WR-CALNAME:Calls\, ours\; all" in lines
    assert "REFRESH-INTERVAL;VALUE=DURATION:PT12H" in lines
    assert "METHOD:PUBLISH" in lines


@pytest.mark.parametrize(
    "deadline",
    [
        datetime(2026, 3, 28, 17, 0, tzinfo=BRUSSELS),
        datetime(2026, 3, 29, 1, 59, tzinfo=BRUSSELS),
        datetime(2026, 3, 29, 3, 0, tzinfo=BRUSSELS),
        datetime(2026, 3, 29, 17, 0, tzinfo=BRUSSELS),
        datetime(2026, 10, 25, 1, 30, tzinfo=BRUSSELS),
        datetime(2026, 10, 25, 2, 30, tzinfo=BRUSSELS),
        datetime(2026, 10, 25, 2, 30, tzinfo=BRUSSELS, fold=1),
        datetime(2026, 10, 25, 3, 0, tzinfo=BRUSSELS),
        datetime(2026, 10, 25, 17, 0, tzinfo=BRUSSELS),
        datetime(2039, 7, 1, 17, 0, tzinfo=BRUSSELS),
        datetime(2026, 12, 31, 23, 30, tzinfo=UTC),
    ],
)
def test_days_on_which_the_clock_changes_are_read_right(deadline: datetime) -> None:
    """A reader that trusts the calendar's own time zone finds the deadline's moment."""
    (event,) = events(written(replace(ITEM, call=replace(CALL, deadlines=(deadline,)))))
    assert event.dtstart.value.astimezone(UTC) == deadline.astimezone(UTC)


ODD = ["a, b; c", "back\\slash \\n, \\;", "one\r\ntwo\nEND:VEVENT", "🎶" * 60, "é" * 5_000, '":="']


@pytest.mark.parametrize("title", ODD)
def test_odd_titles_come_back(title: str) -> None:
    """Odd titles come back from the calendar as they are, on one line."""
    (event,) = events(written(replace(ITEM, call=replace(CALL, title=title))))
    assert event.summary.value == f"Deadline: {plain(title)}"


@settings(max_examples=60, deadline=None)
@given(title=st.text(st.characters()), programme=st.text(max_size=40), url=st.text(max_size=40))
def test_any_title_makes_a_valid_calendar(title: str, programme: str, url: str) -> None:
    """Whatever title, programme and address a call has, the calendar is valid and says it."""
    call = replace(CALL, title=title, programme=programme, url=f"https://a.example/{url}")
    (event,) = events(written(replace(ITEM, call=call)))
    assert event.summary.value == f"Deadline: {plain(title)}"

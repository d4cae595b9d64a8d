"""Deadlines of calls as an iCalendar file (RFC 5545), to subscribe to or to import.

An event stands at the deadline itself and lasts no time: it has a DTSTART and neither DTEND nor
DURATION, which RFC 5545 (3.6.1) reads as a moment, and it is transparent, so that nobody's day
counts as taken. Times are Brussels time with a VTIMEZONE of the rules that hold since 1996, which
Outlook, Google Calendar and Apple Calendar read alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from icalendar import (
    Alarm,
    Calendar,
    Event,
    Timezone,
    TimezoneDaylight,
    TimezoneStandard,
    vDuration,
    vText,
    vUri,
)

from kb.calls.dates import BRUSSELS
from kb.calls.news import FIELD_NAMES, euros, labelled, moment, plain, web_address
from kb.calls.status import Words, day_of, status_at, withdrawn
from kb.model import Call, DeadlineModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

REMINDERS = tuple(timedelta(days=-days) for days in (30, 7, 1))
REFRESH = timedelta(hours=12)
PRODUCER = "-//Operation Milliard//Calls for proposals//EN"
# Reserved for private use: no address of the world is claimed, and an identifier stays the same
# wherever the knowledge base is served from.
AUTHORITY = "operation-milliard.internal"

# A place among a call's deadlines, from 1, and the moment that stood there.
Placed = tuple[int, datetime]


@dataclass(frozen=True, slots=True)
class CalendarCall:
    """A call with what its events need of its document.

    ``version`` is the document's, and becomes the SEQUENCE. ``changed`` is when that version was
    made. ``dropped`` holds deadlines that the call no longer has: they are cancelled.
    """

    call: Call
    document_id: str
    version: int
    changed: datetime
    dropped: tuple[Placed, ...] = ()


def dropped(before: Call, after: Call) -> tuple[Placed, ...]:
    """The deadlines whose places a call has lost between two states."""
    return tuple(enumerate(before.deadlines, start=1))[len(after.deadlines) :]


def event_uid(document_id: str, place: int) -> str:
    """The identifier of a deadline's event: of its place (from 1), so that it may be moved."""
    return f"{plain(document_id)}-deadline-{place}@{AUTHORITY}"


def calendar(
    calls: Sequence[CalendarCall],
    now: datetime,
    *,
    language: str,
    name: str,
    url_of: Callable[[str], str],
) -> bytes:
    """Write the calendar of the deadlines of calls, one event a deadline, earliest first.

    The same calls give the same bytes on one day in Brussels: descriptions state the status with
    its day, and deadlines that have passed lose their reminders; nothing else depends on ``now``.

    Args:
        calls: The calls; of two with one document id the first counts.
        now: The moment at which their status is stated, aware.
        language: ``fr`` or ``en``.
        name: The calendar's name.
        url_of: Gives the address of a document's page by its id.
    """
    telling = _Telling(now, language, url_of)
    events: dict[str, tuple[datetime, Event]] = {}
    for item in calls:
        for place, at, gone in _placed(item):
            uid = event_uid(item.document_id, place)
            if uid not in events:
                event = _event(item, (place, at), telling)
                event.add("uid", uid)
                event.add("status", "CANCELLED" if gone else "CONFIRMED")
                if not gone and at > now:  # Outlook shows every reminder that is overdue
                    _remind(event)
                events[uid] = (at, event)
    file = _empty(name)
    for uid in sorted(events, key=lambda uid: (events[uid][0], uid)):
        file.add_component(events[uid][1])
    written: bytes = file.to_ical()
    return written


@dataclass(frozen=True, slots=True)
class _Telling:
    """When, in which language and with which addresses a calendar is written."""

    now: datetime
    language: str
    url_of: Callable[[str], str]


def _placed(item: CalendarCall) -> Iterator[tuple[int, datetime, bool]]:
    """Each deadline's place and moment, and whether it is cancelled."""
    gone = withdrawn(item.call)
    for place, at in enumerate(item.call.deadlines, start=1):
        yield place, at, gone
    for place, at in item.dropped:
        if place > len(item.call.deadlines):
            yield place, at, True


def _empty(name: str) -> Calendar:
    file = Calendar()
    file.add("version", "2.0")
    file.add("prodid", PRODUCER)
    file.add("calscale", "GREGORIAN")
    file.add("method", "PUBLISH")
    for spelling in ("name", "x-wr-calname"):  # RFC 7986, and what came before it
        file.add(spelling, vText(plain(name)))
    file.add("x-wr-timezone", vText(BRUSSELS.key))
    file.add("refresh-interval", vDuration(REFRESH), parameters={"VALUE": "DURATION"})
    file.add("x-published-ttl", vDuration(REFRESH))
    file.add_component(_brussels())
    return file


def _brussels() -> Timezone:
    # icalendar 7.3.2 would add the zone by itself, with changes that start an hour late in spring
    # (03:00 for 02:00) and a list of every year to 2038.
    zone = Timezone()
    zone.add("tzid", BRUSSELS.key)
    winter, summer = timedelta(hours=1), timedelta(hours=2)
    changes = (
        (TimezoneDaylight(), "CEST", datetime(1996, 3, 31, 2), winter, summer),  # noqa: DTZ001 -- local by RFC 5545
        (TimezoneStandard(), "CET", datetime(1996, 10, 27, 3), summer, winter),  # noqa: DTZ001 -- as above
    )
    for part, short, start, offset_from, offset_to in changes:
        part.add("dtstart", start)
        part.add("rrule", {"freq": "yearly", "bymonth": start.month, "byday": "-1su"})
        part.add("tzoffsetfrom", offset_from)
        part.add("tzoffsetto", offset_to)
        part.add("tzname", short)
        zone.add_component(part)
    return zone


def _event(item: CalendarCall, placed: Placed, telling: _Telling) -> Event:
    (place, at), call, language = placed, item.call, telling.language
    label = _label(call, place, language)
    addresses = [web_address(call.url), web_address(telling.url_of(item.document_id))]
    lines = [
        f"{labelled(label, moment(at), language)} {BRUSSELS_TIME[language]}",
        *_described(call, telling.now, language),
        *filter(None, addresses),
    ]
    event = Event()
    event.add("dtstamp", item.changed.astimezone(UTC))
    event.add("last-modified", item.changed.astimezone(UTC))
    event.add("sequence", item.version)
    event.add("dtstart", _start(at))
    event.add("summary", labelled(label, plain(call.title), language))
    event.add("description", "\n".join(lines))
    event.add("transp", "TRANSPARENT")
    if address := next(filter(None, addresses), None):
        event.add("url", vUri(address))
    if programme := plain(call.programme or ""):
        event.add("categories", [programme])
    return event


def _remind(event: Event) -> None:
    for before in REMINDERS:
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", str(event["summary"]))
        alarm.add("trigger", before)
        event.add_component(alarm)


def _start(at: datetime) -> datetime:
    local = at.astimezone(BRUSSELS)
    # An hour that comes twice in October: RFC 5545 (3.3.5) reads the first, so the second is UTC.
    return local.astimezone(UTC) if local.fold else local


BRUSSELS_TIME = {"fr": "(heure de Bruxelles)", "en": "(Brussels time)"}
_FIRST_STAGE = {"fr": "Date limite, première étape", "en": "Deadline, first stage"}
_LATER_STAGE = {
    "fr": "Date limite, étape suivante (sur invitation)",
    "en": "Deadline, next stage (by invitation)",
}
STATUS_ON = {"fr": "Statut au", "en": "Status on"}
_IDENTIFIER = {"fr": "Identifiant", "en": "Identifier"}
_SHARED: Words = {"fr": "(partagé entre plusieurs sujets)", "en": "(shared by several topics)"}


def _label(call: Call, place: int, language: str) -> str:
    name = FIELD_NAMES["deadlines"][language]
    if call.deadline_model is DeadlineModel.TWO_STAGE:
        return (_FIRST_STAGE if place == 1 else _LATER_STAGE)[language]
    if len(call.deadlines) > 1 and place <= len(call.deadlines):
        return f"{name} {place}/{len(call.deadlines)}"
    return name


def _described(call: Call, now: datetime, language: str) -> Iterator[str]:
    reason = status_at(call, now).reasons[language]
    yield labelled(f"{STATUS_ON[language]} {day_of(now)}", reason, language)
    if programme := plain(call.programme or ""):
        yield labelled(FIELD_NAMES["programme"][language], programme, language)
    yield labelled(_IDENTIFIER[language], plain(call.identifier), language)
    for field in ("budget", "grant_min", "grant_max"):
        amount = getattr(call, field)
        if amount is not None:
            shared = f" {_SHARED[language]}" if field == "budget" and call.budget_shared else ""
            words = euros(amount, language) + shared
            yield labelled(FIELD_NAMES[field][language], words, language)

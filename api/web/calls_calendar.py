"""The deadlines of a month: which calls are due on which day, and the months before and after."""

from __future__ import annotations

from calendar import Calendar
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from kb.calls.dates import FIRST_DAY, LAST_DAY, brussels_day
from kb.calls.status import usable_deadlines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from kb.calls.finder import CallFinder, CallHit
    from kb.calls.query import CallQuery
    from kb.model import Access

# A fuller month is none that anybody reads to its end.
MOST: Final = 500


@dataclass(frozen=True, slots=True)
class Due:
    """A deadline that a new applicant can meet, its place among those of its call (from 1)."""

    at: datetime
    place: int
    hit: CallHit


@dataclass(frozen=True, slots=True)
class Month:
    """A month with what is due in it, by day.

    ``weeks`` begin with Monday and hold null for days of other months. ``before`` and ``after`` are
    the first days of the months beside it, null at the ends of the calendar. ``coming`` is the next
    day with a deadline after a month that has none. ``whole`` says that none was left out.
    """

    first: date
    days: Mapping[date, tuple[Due, ...]]
    weeks: tuple[tuple[date | None, ...], ...]
    before: date | None
    after: date | None
    coming: date | None = None
    whole: bool = True

    @property
    def due(self) -> list[Due]:
        """Every deadline, in order."""
        return [due for found in self.days.values() for due in found]


def month_named(text: str, today: date) -> date:
    """The first day of a month written as ``2026-03``; of this month where there is none such."""
    try:
        first = date.fromisoformat(f"{text}-01") if text else today
    except ValueError:
        first = today
    return min(max(first, FIRST_DAY), LAST_DAY).replace(day=1)


def month_of(
    finder: CallFinder, asked: CallQuery, access: Access, now: datetime, first: date
) -> Month:
    """Find what is due in a month, among the calls of a query.

    Of a question only the calls that say what was asked: a calendar has no order of its own in
    which others could come last.
    """
    last = _next(first) - timedelta(days=1)
    since = max(filter(None, (first, asked.deadline_after)))
    until = min(filter(None, (last, asked.deadline_before)))
    days: dict[date, list[Due]] = {}
    hits: list[CallHit] = []
    if since <= until:
        within = replace(asked, deadline_after=since, deadline_before=until)
        hits = finder.matches(within, access, now, MOST)
    for hit in hits:
        for place, at in enumerate(usable_deadlines(hit.call), start=1):
            if since <= brussels_day(at) <= until:
                days.setdefault(brussels_day(at), []).append(Due(at, place, hit))
    return Month(
        first=first,
        days={
            day: tuple(sorted(days[day], key=lambda due: (due.at, due.hit.call.title)))
            for day in sorted(days)
        },
        weeks=tuple(
            tuple(day if day.month == first.month else None for day in week)
            for week in Calendar().monthdatescalendar(first.year, first.month)
        ),
        before=None if first <= FIRST_DAY else (first - timedelta(days=1)).replace(day=1),
        after=None if last >= LAST_DAY else _next(first),
        coming=None if days else _coming(finder, asked, access, now, last),
        whole=len(hits) < MOST,
    )


def _next(first: date) -> date:
    """The first day of the month after."""
    return (first + timedelta(days=31)).replace(day=1)


def _coming(
    finder: CallFinder, asked: CallQuery, access: Access, now: datetime, last: date
) -> date | None:
    """The next day with a deadline after one, whatever was asked in words."""
    if asked.deadline_before is not None and asked.deadline_before <= last:
        return None
    after = max(filter(None, (last + timedelta(days=1), asked.deadline_after)))
    later = replace(asked, query="", sort=None, deadline_after=after)
    for hit in finder.all(later, access, now, 1):
        found = (brussels_day(at) for at in usable_deadlines(hit.call))
        return min((day for day in found if day >= after), default=None)
    return None

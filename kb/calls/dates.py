"""Days and deadlines in Brussels, whose clock closes every EU call."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from kb.errors import UsageError

BRUSSELS = ZoneInfo("Europe/Brussels")
# A deadline given without an hour: the portal closes its calls at 17:00 Brussels time.
CLOSING_HOUR = time(17, 0)
# Days as on which calls can be looked at: others are slips, and the calendar ends not far beyond.
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2100, 12, 31)


def deadline(day: date) -> datetime:
    """The moment at which a call closes that names a day and no hour."""
    return datetime.combine(day, CLOSING_HOUR, BRUSSELS)


def opening(day: date) -> datetime:
    """The moment at which a call opens that names a day and no hour."""
    return datetime.combine(day, time(0), BRUSSELS)


def brussels_day(moment: datetime) -> date:
    """The calendar day that it is in Brussels at an aware moment."""
    return moment.astimezone(BRUSSELS).date()


def day_starts(day: date) -> datetime:
    """The first moment of a day in Brussels."""
    return datetime.combine(day, time(0), BRUSSELS)


def noon(as_of: date) -> datetime:
    """Noon in Brussels of the day as on which calls are looked at, in UTC.

    Raises:
        UsageError: The day lies outside ``FIRST_DAY`` and ``LAST_DAY``.
    """
    if not FIRST_DAY <= as_of <= LAST_DAY:
        raise UsageError(f"as_of is {as_of}; it must lie between {FIRST_DAY} and {LAST_DAY}.")
    return datetime.combine(as_of, time(12), BRUSSELS).astimezone(UTC)


def days_later(day: date, days: int) -> date:
    """The day so many days later, or the last one that the calendar has."""
    return date.fromordinal(min(day.toordinal() + days, date.max.toordinal()))


def days_between(now: datetime, then: datetime) -> int:
    """How many midnights of Brussels lie between two aware moments."""
    return (brussels_day(then) - brussels_day(now)) // timedelta(days=1)

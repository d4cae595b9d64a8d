"""The EU portal's dates, states, stages, sums and types of action, in the terms of calls."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from ingest.calls.sources.eu_fields import Fields, amount_of, wrong
from ingest.calls.sources.texts import mended
from ingest.readers.encoding import squash
from kb.calls.dates import BRUSSELS, CLOSING_HOUR, brussels_day, deadline, opening
from kb.calls.status import SAID_CLOSED, SAID_FORTHCOMING, SAID_OPEN
from kb.model import DeadlineModel

if TYPE_CHECKING:
    from collections.abc import Iterable

GRANT, EXTERNAL, CASCADE = "1", "2", "8"
# What is a call for proposals; tenders are 0, updates of calls 6.
TYPES = (GRANT, EXTERNAL, CASCADE)
_STATUSES = {
    "31094501": SAID_FORTHCOMING,
    "31094502": SAID_OPEN,
    "31094503": SAID_CLOSED,
    "forthcoming": SAID_FORTHCOMING,
    "open": SAID_OPEN,
    "closed": SAID_CLOSED,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS = re.compile(r"-?\d{9,}$")
_OFFSET = re.compile(r"([+-]\d{2})(\d{2})$")
# "HORIZON-CL5-2026-10-D3-01": portals list a call's identifiers among its keywords.
_IDENTIFIER = re.compile(r"[A-Z][A-Z0-9+]*(?:-[A-Za-z0-9+]+)*-(?:19|20)\d\d(?:-[\w+-]+)?")
_ACTION_CODE = re.compile(r"[A-Z0-9+]+(?:-[A-Za-z0-9+]+)+\s+(?=[A-Z0-9])")


def status_of(word: str) -> str | None:
    """Return a status in the words of ``CallSource.status`` from the portal's code or word."""
    return _STATUSES.get(word.strip().casefold())


def deadline_of(value: str | int, field: str) -> datetime:
    """Return the moment at which a call closes.

    A day, also as midnight ``+0000`` or as milliseconds of one, closes at 17:00 in Brussels, and
    so does ``T17:00:00+0000``. Another time counts with its offset, without one in Brussels.
    """
    found = _moment(value, field)
    if not isinstance(found, datetime):
        return deadline(found)
    plain = found.utcoffset() == timedelta(0)
    if plain and found.time() == CLOSING_HOUR:
        return deadline(found.date())
    return found.astimezone(BRUSSELS)


def opening_of(value: str | int | None, field: str) -> datetime | None:
    """Return the start of the day in Brussels on which a call opens."""
    if value is None:
        return None
    found = _moment(value, field)
    return opening(brussels_day(found) if isinstance(found, datetime) else found)


def deadlines_of(values: Iterable[str | int], field: str) -> tuple[datetime, ...]:
    """Return all deadlines, each once, earliest first.

    A day that is given with an hour elsewhere is that deadline, not another one.
    """
    found = {deadline_of(value, field) for value in values}
    timed = {brussels_day(moment) for moment in found if moment != deadline(brussels_day(moment))}
    days = {deadline(day) for day in timed}
    return tuple(sorted(found - days))


def _moment(value: str | int, field: str) -> datetime | date:
    """Return a day, or a moment with its offset, from what is written."""
    text = str(value).strip()
    try:
        if _MILLISECONDS.match(text):
            moment = _EPOCH + timedelta(milliseconds=int(text))
        elif "T" not in text and ":" not in text:
            return _day(text)
        else:
            moment = datetime.fromisoformat(_OFFSET.sub(r"\1:\2", text.replace("Z", "+00:00")))
    except (ValueError, OverflowError) as error:
        raise wrong(field, "a date", value) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=BRUSSELS)
    as_utc = moment.astimezone(UTC)
    if as_utc.time() == time(0):
        return as_utc.date()
    return moment.date() if moment.time() == time(0) else moment


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return datetime.strptime(text, "%d %B %Y").date()  # noqa: DTZ007 -- a day has no offset


def model_of(*words: str) -> tuple[DeadlineModel | None, bool]:
    """Return what the deadlines are to each other, and whether the call is open all the time."""
    said = " ".join(words).casefold()
    continuous = "continuous" in said
    if "two" in said:
        return DeadlineModel.TWO_STAGE, continuous
    if "cut" in said:
        return DeadlineModel.CUT_OFFS, continuous
    return (DeadlineModel.SINGLE_STAGE if "single" in said else None), continuous


def action_types_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return descriptions of types of action, each once, without the code before them."""
    clean = (_ACTION_CODE.sub("", squash(mended(name)), count=1) for name in names)
    return tuple(dict.fromkeys(name for name in clean if name))


def unique(words: Iterable[str], *, without: Iterable[str] = ()) -> tuple[str, ...]:
    """Return words mended, each once whatever its case, without those named and identifiers."""
    dropped = {word.casefold() for word in without}
    kept: dict[str, str] = {}
    for word in words:
        clean = squash(mended(word))
        if clean and clean.casefold() not in dropped and not _IDENTIFIER.fullmatch(clean):
            kept.setdefault(clean.casefold(), clean)
    return tuple(kept.values())


@dataclass(frozen=True, slots=True)
class Money:
    """What is known of a topic's money, in euros; ``shared`` says that it is the call's pot."""

    budget: int | None = None
    shared: bool = False
    least: int | None = None
    most: int | None = None
    grants: int | None = None


def money_of(overview: Fields, identifier: str) -> Money:
    """Return a topic's money from an overview, which lists all topics of the call.

    Only entries of which ``action`` begins with the identifier and " - " are the topic's own; an
    entry given twice counts once. A sum that stands at another topic too is the call's pot.
    """
    entries = _entries(overview.part("budgetTopicActionMap"))
    mine = identifier.casefold()
    own = [entry for entry in entries if _topic(entry) == mine]
    others = {_total(entry) for entry in entries if _topic(entry) != mine}
    totals = [_total(entry) for entry in own]
    least = [amount for entry in own if (amount := entry.amount("minContribution"))]
    most = [amount for entry in own if (amount := entry.amount("maxContribution"))]
    return Money(
        budget=sum(totals) or None,
        shared=any(total and total in others for total in totals),
        least=min(least, default=None),
        most=max(most, default=None),
        grants=sum(entry.amount("expectedGrants") or 0 for entry in own) or None,
    )


def models_in(overview: Fields, identifier: str) -> tuple[str, ...]:
    """Return the words for stages at a topic's own entries of an overview."""
    entries = _entries(overview.part("budgetTopicActionMap"))
    mine = identifier.casefold()
    return tuple(each.text("deadlineModel") for each in entries if _topic(each) == mine)


def _entries(topics: Fields) -> list[Fields]:
    entries: list[Fields] = []
    for key in topics.values:
        entries += (entry for entry in topics.parts(key) if entry not in entries)
    return entries


def _topic(entry: Fields) -> str:
    identifier, separator, _ = entry.text("action").partition(" - ")
    return identifier.strip().casefold() if separator else ""


def _total(entry: Fields) -> int:
    years = entry.part("budgetYearMap")
    return sum(
        amount_of(value, f"{years.path}.{year}") or 0 for year, value in years.values.items()
    )

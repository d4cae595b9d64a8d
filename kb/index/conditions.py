"""Filters as conditions on payloads, in words that every engine can translate.

The rules of a call's status stand here a second time, as ranges on dates: ``kb.calls.status`` says
them of one call, and a property test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kb.analysis import fold
from kb.calls.dates import brussels_day, day_starts, days_later
from kb.calls.places import accepting
from kb.calls.status import SAID_CLOSED, SAID_FORTHCOMING, SOON_DAYS
from kb.model import Applicant, CallStatus
from kb.themes import campaigns

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from kb.model import CallFilters, Filters

UNKNOWN = "unknown"
# What a point is, as values of its field ``marks``. Edge 0.9.0 takes a boolean in a filter and
# finds nothing by it.
CALL, HEAD, ROLLING, WITHDRAWN = "call", "head", "rolling", "withdrawn"
CUT_OFFS_MISSING = "cut-offs missing"


@dataclass(frozen=True, slots=True)
class OneOf:
    """A field (or one of its values, where it has several) is one of these."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """A number (or one of several) lies between bounds: above, from, below, up to."""

    key: str
    gt: float | None = None
    gte: float | None = None
    lt: float | None = None
    lte: float | None = None


@dataclass(frozen=True, slots=True)
class Dated:
    """A date lies in a period, both days included."""

    key: str
    since: date | None
    until: date | None


@dataclass(frozen=True, slots=True)
class Missing:
    """A field has no value."""

    key: str


@dataclass(frozen=True, slots=True)
class Among:
    """A point is one of these."""

    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Every:
    """All of the conditions hold."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of the conditions holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Neither:
    """None of the conditions holds."""

    parts: tuple[Condition, ...]


Condition = OneOf | Between | Dated | Missing | Among | Every | Either | Neither


def condition(
    filters: Filters, among: Collection[str] | None = None, without: Collection[str] = ()
) -> Every:
    """What a point must meet: the filters, and to be ``among`` points and not one ``without``."""
    access = filters.access
    parts: list[Condition] = [OneOf("visibility", tuple(v.value for v in access.visibilities))]
    if access.collections is not None:
        parts.append(OneOf("collections", access.collections))
    exact = {
        "kind": filters.kind,
        "language": filters.language,
        "issuer": issuer_key(filters.issuer) if filters.issuer else None,
    }
    parts += [OneOf(key, (str(value),)) for key, value in exact.items() if value]
    if filters.theme:
        parts.append(OneOf("themes", campaigns().themes_of(filters.theme)))
    if filters.since or filters.until:
        parts.append(Dated("published", filters.since, filters.until))
    if filters.call is not None:
        parts += _of_call(filters.call)
    if among is not None:
        parts.append(Among(frozenset(among)))
    if without:
        parts.append(Neither((Among(frozenset(without)),)))
    return Every(tuple(parts))


def issuer_key(issuer: str) -> str:
    """An issuer's name as it is compared: without case, accents or extra spaces."""
    return " ".join(fold(issuer).split())


def _of_call(asked: CallFilters) -> list[Condition]:
    # Not by kind: sheets and notes about calls are of that kind too.
    parts: list[Condition] = [OneOf("marks", (HEAD if asked.heads else CALL,))]
    if asked.statuses:
        now = asked.now.timestamp()
        horizon = _horizon(asked)
        parts.append(Either(tuple(_status(status, now, horizon) for status in asked.statuses)))
    if asked.programmes:
        names = asked.programmes
        parts.append(Either((OneOf("programme", names), OneOf("programme_id", names))))
    if asked.action_types:
        parts.append(OneOf("action_types", asked.action_types))
    if asked.themes:
        parts.append(OneOf("themes", asked.themes))
    if asked.applicants:
        wanted = {value for each in asked.applicants for value in accepted_as(each)}
        parts.append(OneOf("applicants", (*sorted(wanted), UNKNOWN)))
    if asked.countries:
        places = {place for country in asked.countries for place in accepting(country)}
        parts.append(OneOf("countries", (*sorted(places), UNKNOWN)))
    return parts + _deadlines(asked) + _money(asked)


def _horizon(asked: CallFilters) -> float:
    """The first second in Brussels that is more than ``SOON_DAYS`` days ahead."""
    return day_starts(days_later(brussels_day(asked.now), SOON_DAYS + 1)).timestamp()


def _status(status: CallStatus, now: float, horizon: float) -> Condition:
    withdrawn, passed = OneOf("marks", (WITHDRAWN,)), Between("closes", lte=now)
    others = OneOf("marks", (CUT_OFFS_MISSING,))
    coming, undated = Between("closes", gt=now), Missing("closes")
    near = Between("deadlines", gt=now, lt=horizon)
    ahead = Either(
        (
            Between("opens", gt=now),
            Every((Missing("opens"), OneOf("said", (SAID_FORTHCOMING,)), Neither((near,)))),
        )
    )
    rolling, said_closed = OneOf("marks", (ROLLING,)), OneOf("said", (SAID_CLOSED,))
    match status:
        case CallStatus.CLOSED:
            by_word = Every((undated, said_closed, Neither((ahead, rolling))))
            return Either((withdrawn, Every((passed, Neither((others,)))), by_word))
        case CallStatus.FORTHCOMING:
            return Every((ahead, Neither((withdrawn, passed))))
        case CallStatus.OPEN:
            return Every((coming, Neither((withdrawn, ahead))))
        case CallStatus.CLOSING_SOON:
            return Every((coming, near, Neither((withdrawn, ahead))))
        case CallStatus.ROLLING:
            return Every((undated, rolling, Neither((withdrawn, ahead))))
        case CallStatus.UNKNOWN:
            silent = Every((undated, Neither((ahead, rolling, said_closed))))
            return Every((Either((silent, Every((passed, others)))), Neither((withdrawn,))))


def accepted_as(applicant: Applicant) -> tuple[str, ...]:
    """The values of ``applicants`` by which a call is open to one.

    A call for non-governmental organisations is one for associations, which is what they are in
    law; one for companies is one for small companies.
    """
    wider = {
        Applicant.ASSOCIATION: (Applicant.NGO,),
        Applicant.NGO: (Applicant.ASSOCIATION,),
        Applicant.FOUNDATION: (Applicant.NGO,),
        Applicant.SME: (Applicant.COMPANY,),
    }
    return tuple(each.value for each in (applicant, *wider.get(applicant, ()), Applicant.ANY))


def _deadlines(asked: CallFilters) -> list[Condition]:
    """One usable deadline lies in the period, both days of Brussels included."""
    after, before = asked.deadline_after, asked.deadline_before
    if after is None and before is None:
        return []
    since = None if after is None else day_starts(after).timestamp()
    until = None if before is None else day_starts(days_later(before, 1)).timestamp()
    return [Between("deadlines", gte=since, lt=until)]


def _money(asked: CallFilters) -> list[Condition]:
    parts: list[Condition] = []
    if asked.budget_min is not None:
        parts.append(Either((Between("amount", gte=asked.budget_min), Missing("amount"))))
    if asked.budget_max is not None:
        parts.append(Either((Between("amount_low", lte=asked.budget_max), Missing("amount_low"))))
    return parts

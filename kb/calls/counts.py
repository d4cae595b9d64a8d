"""How many calls each value of a filter leaves, counted inside the engine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from kb.calls.places import MEMBER_STATES, accepting
from kb.index.conditions import UNKNOWN, accepted_as
from kb.index.payload import OF
from kb.model import Applicant, CallStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from kb.index.base import IndexReader
    from kb.model import Filters

MAX_FACET: Final = 200
# What is counted beside the hits, by its name at every door, and the payload field behind it.
FACETS: Final = {
    "programme": "programme",
    "action_type": "action_types",
    "applicant": "applicants",
    "country": "countries",
    "theme": "themes",
}
# The same names, and the filters of ``CallFilters`` behind them.
_NARROWED: Final = {
    "programme": "programmes",
    "action_type": "action_types",
    "applicant": "applicants",
    "country": "countries",
    "theme": "themes",
}


def facets(index: IndexReader, filters: Filters) -> dict[str, dict[str, int]]:
    """Counts of every value; those of statuses are one count for each range of dates.

    A filter on a status narrows the others' counts, not those of the statuses.
    """
    if filters.call is None:
        return {name: {} for name in ("status", *FACETS)}
    statuses = {
        status.value: index.count(_with(filters, "statuses", (status,))) for status in CallStatus
    }
    return {"status": statuses, **_values(index, filters)}


def total(counts: Mapping[str, int], asked: Sequence[CallStatus]) -> int:
    """How many calls have one of the statuses, or any: they exclude each other but for one."""
    wanted = set(asked or CallStatus)
    if CallStatus.OPEN in wanted:
        wanted.discard(CallStatus.CLOSING_SOON)  # is open too
    return sum(counts[status.value] for status in wanted)


def choices(
    index: IndexReader, filters: Filters, counted: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    """How many calls each value would leave, if it took the place of what its field states.

    So a value can be exchanged for another. Facets say how many calls name a value; of who may
    apply, and from where, a choice leaves more: calls that mean it in other words, or do not say;
    how many these last are stands under ``UNKNOWN``. ``counted`` are the facets of these filters.
    """
    found = {name: dict(values) for name, values in counted.items()}
    if filters.call is None:
        return found
    for name, field in _NARROWED.items():
        if getattr(filters.call, field):
            found[name] = _values(index, _with(filters, field, ()))[name]
    # A filter on such a field lets them through, so that their number is the same with and without.
    silent = {name: {UNKNOWN: found[name].get(UNKNOWN, 0)} for name in ("applicant", "country")}
    kinds: dict[str, tuple[str, ...]] = {kind: accepted_as(kind) for kind in Applicant}
    found["applicant"] = _left(index, filters, "applicants", kinds, found["applicant"])
    codes = {*MEMBER_STATES, *found["country"]} - {UNKNOWN}
    places = {code: accepting(code) for code in sorted(codes)}
    found["country"] = _left(index, filters, "countries", places, found["country"])
    return {name: {**values, **silent.get(name, {})} for name, values in found.items()}


def _left(
    index: IndexReader,
    filters: Filters,
    field: str,
    accepted: Mapping[str, tuple[str, ...]],
    named: Collection[str],
) -> dict[str, int]:
    """How many calls each value of a field leaves, where it lets through what is ``accepted``.

    Most values are named by no call, and then leave the same: a count takes a millisecond.
    """
    known: dict[frozenset[str], int] = {}
    found: dict[str, int] = {}
    for value, ways in accepted.items():
        told = frozenset(ways) & frozenset(named)
        if told not in known:
            known[told] = index.count(_with(filters, field, (value,)))
        found[str(value)] = known[told]
    return found


def _values(index: IndexReader, filters: Filters) -> dict[str, dict[str, int]]:
    """How many calls have each value of a field, by the field's name."""
    found: dict[str, dict[str, int]] = {name: {} for name in FACETS}
    names = {key: name for name, key in FACETS.items()}
    for counted, count in index.facet("counted", filters, MAX_FACET * len(FACETS)).items():
        key, _, value = counted.partition(OF)
        found[names[key]][value] = count
    return found


def _with(filters: Filters, field: str, values: tuple[str, ...]) -> Filters:
    """The filters with another choice in one field of those on calls."""
    if filters.call is None:
        return filters
    # mypy knows no field by a name that is computed.
    stated: dict[str, object] = {field: values}
    return replace(filters, call=replace(filters.call, **stated))  # type: ignore[arg-type]

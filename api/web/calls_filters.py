"""What the address of the calls page asks for, how it is told back, and what else there is."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from kb.calls.names import named
from kb.calls.places import ANY, ASSOCIATED, EU
from kb.calls.query import MAX_TEXT, CallQuery, Sort
from kb.errors import UsageError
from kb.index.conditions import UNKNOWN
from kb.model import CallStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from api.web.calls_words import CallWords
    from api.web.site import Site

# What somebody can still apply for: the page shows it where its address names no status.
COMING: Final = (CallStatus.OPEN, CallStatus.FORTHCOMING, CallStatus.ROLLING)
EVERY: Final = "any"
QUESTION: Final = "q"
# The parameters of the page that narrow, by the names of ``CallQuery``.
NARROWING: Final = (
    *("status", "applicant", "country", "programme", "theme"),
    *("deadline_after", "deadline_before", "budget_min", "budget_max"),
)
_RANGES: Final = (("deadline_after", "deadline_before"), ("budget_min", "budget_max"))
_MONEY: Final = {"budget_min", "budget_max"}
_MOST_CHOICES: Final = 60
# Digits of an amount are grouped as people like.
_GROUPING: Final = re.compile(r"[\s\u00a0\u202f'€]")


# A value that a filter may have, how it is called, and how many calls it leaves where known.
Choice = tuple[str, str, int | None]


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that calls are narrowed to, in words; ``names`` are its parameters."""

    label: str
    says: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What an address asks for. ``stated`` holds its words; ``errors`` are by field, in words.

    What can't be used is left out of the query.
    """

    query: CallQuery
    stated: Mapping[str, str]
    errors: Mapping[str, str]

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the page that say this, for links that keep it."""
        return {n: value for n, value in self.stated.items() if value and n not in self.errors}

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of ``/v1/calls`` that say the same."""
        return self.query.as_values()


def read(parameters: Mapping[str, str], site: Site) -> Narrowed:
    """Read the address of a page of calls."""
    stated = {name: parameters.get(name, "").strip() for name in (QUESTION, *NARROWING, "sort")}
    asked: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, value in stated.items():
        if not value:
            continue
        key, read_as = _value(name, value)
        if _is_usable({key: read_as}):
            asked[key] = read_as
        else:
            errors[name] = _fault(name, site)
    for low, high in _RANGES:
        both = {name: asked[name] for name in (low, high) if name in asked}
        if not _is_usable(both):
            errors[high] = _empty_range(high, site)
            asked = {name: value for name, value in asked.items() if name not in both}
    if "status" not in asked and stated["status"] != EVERY:
        asked["status"] = [each.value for each in COMING]
    return Narrowed(CallQuery.from_values(asked), stated, errors)


def stated_by(query: CallQuery) -> Narrowed:
    """A query that was kept, as if an address stated it."""
    values = {"q" if name == "query" else name: v for name, v in query.as_values().items()}
    stated = {n: ",".join(v) if isinstance(v, list) else str(v) for n, v in values.items()}
    return Narrowed(query, dict.fromkeys((QUESTION, *NARROWING, "sort"), "") | stated, {})


def _value(name: str, value: str) -> tuple[str, Any]:
    """A parameter as ``CallQuery`` takes it: its name there, and its value."""
    if name == QUESTION:
        return "query", " ".join(value.split())
    if name in _MONEY:
        return name, _GROUPING.sub("", value)
    if name == "status" and value == EVERY:
        return name, []
    return name, [value] if name in {"programme", "theme"} else value


def _is_usable(values: Mapping[str, Any]) -> bool:
    try:
        CallQuery.from_values(values)
    except UsageError:
        return False
    return True


def _fault(name: str, site: Site) -> str:
    if name == QUESTION:
        return site.gettext(
            "The question is too long: it may have %(most)s characters.",
            most=site.texts.number(MAX_TEXT),
        )
    if name in _MONEY:
        return site.gettext("Write the amount in whole euros, for example 50 000.")
    if name.startswith("deadline"):
        return site.gettext("This is no day that exists. Write it as 2026-03-17.")
    return site.gettext("This value can't be used, so it was left out.")


def _empty_range(name: str, site: Site) -> str:
    if name in _MONEY:
        return site.gettext("The second amount is smaller than the first: both were left out.")
    return site.gettext("The second day lies before the first: both were left out.")


def without_closed(query: CallQuery) -> bool:
    """Whether a query leaves closed calls out."""
    return bool(query.status) and CallStatus.CLOSED not in query.status


def told(asked: Narrowed, site: Site, words: CallWords) -> list[Told]:
    """What calls are narrowed to beside the question, in words."""
    return list(_told(asked, site, words))


def _told(asked: Narrowed, site: Site, words: CallWords) -> Iterator[Told]:
    query = asked.query
    if asked.stated["status"] and "status" not in asked.errors:
        yield Told(words.label("status"), words.status(asked.stated["status"]), ("status",))
    if query.applicant:
        names = ", ".join(words.value("applicants", each) for each in query.applicant)
        yield Told(words.label("applicants"), names, ("applicant",))
    if query.country:
        names = ", ".join(words.value("countries", each) for each in query.country)
        yield Told(words.label("country"), names, ("country",))
    if query.programme:
        yield Told(words.label("programme"), ", ".join(query.programme), ("programme",))
    if query.theme:
        names = ", ".join(map(words.theme, query.theme))
        yield Told(words.label("theme"), names, ("theme",))
    after, before = (words.day(day) for day in (query.deadline_after, query.deadline_before))
    if period := _between(site, after, before):
        yield Told(words.label("deadlines"), period, _RANGES[0])
    least, most = (words.money(each) for each in (query.budget_min, query.budget_max))
    if amount := _between(site, least, most):
        yield Told(words.label("budget"), amount, _RANGES[1])


def _between(site: Site, low: str, high: str) -> str:
    """What lies between two bounds, either of which may be open."""
    if low and high:
        return site.gettext("from %(low)s to %(high)s", low=low, high=high)
    if low:
        return site.gettext("from %(low)s", low=low)
    return site.gettext("up to %(high)s", high=high) if high else ""


def choices(
    asked: Narrowed,
    counts: Mapping[str, Mapping[str, int]],
    words: CallWords,
    closed: Mapping[str, int],
) -> dict[str, list[Choice]]:
    """What each filter may be set to, with the counts of ``CallFinder.choices``.

    Programmes and themes are the most frequent ones; what leaves nothing is no choice, but for
    programmes of ``closed`` calls: whoever waits for the next one has to find them. What is chosen
    is always among them.
    """
    namers: dict[str, Callable[[str], str]] = {
        "programme": str,
        "theme": words.theme,
        "applicant": lambda value: words.value("applicants", value),
        "country": lambda value: words.value("countries", value),
    }
    found: dict[str, list[Choice]] = {}
    for field, name_of in namers.items():
        counted = {v: n for v, n in counts[field].items() if n and v not in _NO_CHOICES}
        frequent = sorted(counted, key=lambda value: (-counted[value], value))[:_MOST_CHOICES]
        listed: list[Choice] = [(value, name_of(value), counted[value]) for value in frequent]
        if silent := counts[field].get(UNKNOWN, 0) if field in _MAY_BE_SILENT else 0:
            listed = [(v, words.counted(name, n or 0, silent), None) for v, name, n in listed]
        if field == "programme":
            over = [value for value in closed if value not in counted and value not in _NO_CHOICES]
            listed += [(value, words.closed(value, closed[value]), None) for value in over]
        chosen = asked.stated[field]
        if chosen and field not in asked.errors and chosen not in {value for value, *_ in listed}:
            listed.append((chosen, name_of(chosen), counted.get(chosen)))
        found[field] = sorted(listed, key=lambda choice: words.sorting(choice[1]))
    return found


# Calls that say nothing of these pass every filter on them.
_MAY_BE_SILENT: Final = {"applicant", "country"}
# Neither is a place that an association has its seat in, nor says anything.
_NO_CHOICES: Final = {UNKNOWN, EU, ASSOCIATED, ANY, "any"}


def in_full(asked: Narrowed, counts: Mapping[str, Mapping[str, int]]) -> Narrowed:
    """The same with programme and theme under the names of the base, where words mean just one."""
    stated = dict(asked.stated)
    for field in ("programme", "theme"):
        if stated[field] and len(meant := named(counts[field], (stated[field],))) == 1:
            stated[field] = meant[0]
    return replace(asked, stated=stated)


def sorts(asked: Narrowed) -> tuple[Sort, ...]:
    """The orders that make sense: by relevance only where there is a question."""
    return tuple(Sort) if asked.query.query else tuple(s for s in Sort if s is not Sort.RELEVANCE)

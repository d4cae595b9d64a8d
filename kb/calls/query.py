"""What someone looks for among calls, as every door takes it and saved searches keep it."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, fields, replace
from datetime import date, datetime  # noqa: TC003 -- pydantic reads dataclass fields at run time
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from kb.calls.places import ANY, ASSOCIATED, country_code, is_country
from kb.errors import UsageError
from kb.model import Access, Applicant, CallFilters, CallStatus, Filters

if TYPE_CHECKING:
    from collections.abc import Mapping


MAX_TEXT = 1000
MAX_VALUES = 50
MAX_MONEY = 10**15
# A table, feed or digest looks at every result up to so many; more than Excel opens gladly.
MOST_CALLS = 20_000
# What somebody is told of who follows a query that names no status.
FOLLOWED = (CallStatus.OPEN, CallStatus.FORTHCOMING)


class Sort(StrEnum):
    """The order of calls; those without what they are sorted by come last.

    ``deadline`` begins with the next one, and those that have passed follow, latest first.
    ``budget`` begins with the largest, ``newest`` with what opened or was first seen last.
    """

    RELEVANCE = "relevance"
    DEADLINE = "deadline"
    BUDGET = "budget"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class CallQuery:
    """A question and filters; names are those of the options and parameters at every door.

    Without ``sort``, relevance counts where there is a question, else the deadline.
    """

    query: str = ""
    status: tuple[CallStatus, ...] = ()
    programme: tuple[str, ...] = ()
    action_type: tuple[str, ...] = ()
    applicant: tuple[Applicant, ...] = ()
    country: tuple[str, ...] = ()
    theme: tuple[str, ...] = ()
    deadline_after: date | None = None
    deadline_before: date | None = None
    budget_min: int | None = None
    budget_max: int | None = None
    sort: Sort | None = None

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> CallQuery:
        """Make a query of named values; lists may be given as one text with commas.

        Raises:
            UsageError: A name is unknown, or a value is out of range; the message names it.
        """
        split = {name: _listed(name, value) for name, value in values.items() if value is not None}
        unknown = sorted(set(split) - {field.name for field in fields(cls)})
        if unknown:
            known = ", ".join(field.name for field in fields(cls))
            told = shown(unknown[0])
            raise UsageError(f"Calls can't be narrowed by {told}; known are {known}.")
        try:
            made = _QUERY.validate_python(split)
        except ValidationError as error:
            raise UsageError(_problem(error)) from None
        made.check()
        return made

    def as_values(self) -> dict[str, Any]:
        """The values that say something, as JSON takes them; ``from_values`` reads them."""
        values: dict[str, Any] = _QUERY.dump_python(self, mode="json")
        return {name: value for name, value in values.items() if value not in (None, [], "")}

    def check(self) -> None:
        """Refuse what can't be meant.

        Raises:
            UsageError: A text is too long, there are too many values, or a range is empty.
        """
        if len(self.query) > MAX_TEXT:
            raise UsageError(f"query has {len(self.query)} characters; at most {MAX_TEXT}.")
        for name in _LISTS:
            found = getattr(self, name)
            if len(found) > MAX_VALUES or any(len(value) > MAX_TEXT for value in found):
                raise UsageError(f"{name} has too many or too long values; at most {MAX_VALUES}.")
        for country in self.country:
            if country not in {ANY, ASSOCIATED} and not is_country(country_code(country)):
                raise UsageError(
                    f"country is {shown(country)}; write it as a code of two letters, such as FR."
                )
        for name in ("budget_min", "budget_max"):
            amount = getattr(self, name)
            if amount is not None and not 0 <= amount <= MAX_MONEY:
                told = shown(amount)
                raise UsageError(f"{name} is {told}; it must lie between 0 and {MAX_MONEY}.")
        _check_order("budget", self.budget_min, self.budget_max, "min", "max")
        _check_order("deadline", self.deadline_after, self.deadline_before, "after", "before")

    @property
    def digest(self) -> int:
        """A number that tells this query from others, for what belongs to it."""
        return zlib.crc32(json.dumps(self.as_values(), sort_keys=True).encode())

    @property
    def order(self) -> Sort:
        """The order that is meant."""
        return self.sort or (Sort.RELEVANCE if self.query.strip() else Sort.DEADLINE)

    def followed(self) -> CallQuery:
        """The same as it is meant in calendars, feeds and digests, which follow what comes."""
        return self if self.status else replace(self, status=FOLLOWED)

    def filters(self, now: datetime, access: Access) -> Filters:
        """The same as the index takes it, at a moment and for a caller."""
        call = CallFilters(
            now=now,
            statuses=self.status,
            programmes=self.programme,
            action_types=self.action_type,
            applicants=self.applicant,
            countries=self.country,
            themes=self.theme,
            deadline_after=self.deadline_after,
            deadline_before=self.deadline_before,
            budget_min=self.budget_min,
            budget_max=self.budget_max,
        )
        return Filters(access=access, call=call)


_LISTS = ("status", "programme", "action_type", "applicant", "country", "theme")
# A programme's or theme's own name may hold a comma; codes never do.
_WITH_COMMAS = ("status", "applicant", "country")
_QUERY = TypeAdapter(CallQuery)
_LONGEST_SHOWN = 100


def _listed(name: str, value: Any) -> Any:
    if isinstance(value, bool):  # pydantic would read a number
        raise UsageError(f"{name} is {value}, which says nothing.")
    if name not in _LISTS:
        return value
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not all(isinstance(each, str) for each in values):
        raise UsageError(f"{name} is {shown(value)}; it must be a text or a list of texts.")
    if name in _WITH_COMMAS:
        values = [part.strip() for each in values for part in str(each).split(",")]
    values = [each for each in values if each.strip()]
    if name in {"status", "applicant"}:
        values = [each.lower().replace("-", "_") for each in values]
    if name == "country":
        values = [each.upper() for each in values]
    return values


def _problem(error: ValidationError) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else "query"
    choices = {"status": CallStatus, "applicant": Applicant, "sort": Sort}
    if name in choices:
        known = ", ".join(str(value) for value in choices[name])
        return f"{name} is {shown(first['input'])}; it must be one of {known}."
    if name.startswith("deadline"):
        return f"{name} is {shown(first['input'])}; write it as YYYY-MM-DD."
    return f"{name} is {shown(first['input'])}: {first['msg']}."


def shown(value: Any) -> str:
    """A value as a message shows it, however long it is."""
    try:
        told = repr(value)
    except ValueError:  # Python writes no number of more than 4300 digits
        return "a number of thousands of digits"
    return told if len(told) <= _LONGEST_SHOWN else f"{told[:_LONGEST_SHOWN]}…"


def _check_order(name: str, low: Any, high: Any, first: str, last: str) -> None:
    if low is not None and high is not None and low > high:
        raise UsageError(f"{name}_{first} is {low}, after {name}_{last}, which is {high}.")

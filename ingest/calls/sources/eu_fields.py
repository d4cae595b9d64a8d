"""Reads the fields of the EU portal's JSON strictly: a field of another type is named in an error.

An absent field, ``null`` or an empty one means that nothing is stated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kb.errors import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Mapping


def wrong(field: str, expected: str, value: object) -> UnreadableError:
    """The error for a field that is not what the portal's format says."""
    shown = json.dumps(value, ensure_ascii=False, default=str)
    shown = shown if len(shown) <= 80 else shown[:79] + "…"  # noqa: PLR2004 -- a line to read
    return UnreadableError(f"field {field!r} should be {expected}, is {shown}")


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of JSON whose fields are read by the type that they must have."""

    values: Mapping[str, Any]
    path: str = ""

    def text(self, name: str) -> str:
        """Return a text, "" where none is stated."""
        value = self.values.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise wrong(self._named(name), "a text", value)
        return value.strip()

    def code(self, name: str) -> str:
        """Return a number that names something, as text; 0 names nothing."""
        value = self.values.get(name)
        if value is None or value == 0:
            return ""
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise wrong(self._named(name), "a code", value)
        return str(value).strip()

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the texts of a list, without empty ones."""
        texts = self._list(name)
        for text in texts:
            if not isinstance(text, str):
                raise wrong(self._named(name), "a list of texts", text)
        return tuple(stripped for text in texts if (stripped := text.strip()))

    def dates(self, name: str) -> tuple[str | int, ...]:
        """Return the dates of a list, as they are written: texts or milliseconds."""
        dates = self._list(name)
        for value in dates:
            if isinstance(value, bool) or not isinstance(value, (str, int)):
                raise wrong(self._named(name), "a list of dates", value)
        return tuple(value for value in dates if value != "")

    def date(self, name: str) -> str | int | None:
        """Return a date as it is written; nothing where none is stated."""
        value = self.values.get(name)
        if value in (None, "", 0):
            return None
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise wrong(self._named(name), "a date", value)
        return value

    def amount(self, name: str) -> int | None:
        """Return a sum or a count as a whole number; 0 states nothing."""
        return amount_of(self.values.get(name), self._named(name)) or None

    def part(self, name: str) -> Fields:
        """Return an object inside, without fields where none is stated."""
        value = self.values.get(name)
        if value in (None, ""):
            return Fields({}, self._named(name))
        if not isinstance(value, dict):
            raise wrong(self._named(name), "an object", value)
        return Fields(value, self._named(name))

    def parts(self, name: str) -> tuple[Fields, ...]:
        """Return the objects of a list."""
        values = self._list(name)
        for value in values:
            if not isinstance(value, dict):
                raise wrong(self._named(name), "a list of objects", value)
        return tuple(Fields(value, self._named(name)) for value in values)

    def _list(self, name: str) -> list[Any]:
        value = self.values.get(name)
        if value in (None, ""):
            return []
        if not isinstance(value, list):
            raise wrong(self._named(name), "a list", value)
        return value

    def _named(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


@dataclass(frozen=True, slots=True)
class Metadata:
    """The ``metadata`` of a row of the search API, in which every value is a list of texts."""

    values: Mapping[str, Any]

    def all(self, name: str) -> tuple[str, ...]:
        """Return all values of a field, without empty ones."""
        return Fields(self.values, "metadata").texts(name)

    def first(self, name: str) -> str:
        """Return the first value of a field, "" where none is stated."""
        return next(iter(self.all(name)), "")

    def date(self, name: str) -> str | None:
        """Return the first value of a field that holds a date."""
        return self.first(name) or None

    def inside(self, name: str) -> Fields:
        """Return the field's JSON, written in its text, as the field ``name`` of an object."""
        text = self.first(name)
        if not text:
            return Fields({}, "metadata")
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise wrong(f"metadata.{name}", "JSON written as a text", text) from error
        return Fields({name: value}, "metadata")


def amount_of(value: Any, field: str) -> int | None:
    """Return a number, or a text that writes one, as a whole number."""
    if value in (None, ""):
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise wrong(field, "a number", value)
    try:
        return round(float(value))
    except (ValueError, OverflowError) as error:
        raise wrong(field, "a number", value) from error

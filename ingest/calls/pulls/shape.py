"""Comparing an answer with the shape that is known of it, written down as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ingest.report import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

TEXT, NUMBER, BOOLEAN, LIST, OBJECT = "text", "number", "true or false", "list", "object"
NOTHING = "nothing"
ANYTHING = (TEXT, NUMBER, BOOLEAN, LIST, OBJECT, NOTHING)
_LONGEST = 60


class DifferenceKind(StrEnum):
    """What is otherwise than it is known to be; the last two are information only."""

    MISSING = "missing"
    TYPE = "unexpected type"
    VALUE = "unknown value"
    NEW_VALUE = "new value"
    NEW_FIELD = "new field"


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a field: where it stands, what it holds, whether it is always there.

    In ``path``, ``[]`` stands for every element of a list and ``{}`` for every value of an object;
    ``(json)`` says that a text holds JSON. ``values`` are the known values, if they are a closed
    list; of an ``open`` list new ones are no fault.
    """

    path: str
    kinds: tuple[str, ...]
    always: bool = True
    values: frozenset[str] = frozenset()
    open: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: in which answer, what kind, at which path, and what is there."""

    answer: str
    kind: DifferenceKind
    path: str
    found: str

    @property
    def is_fault(self) -> bool:
        """Whether the answer does not fit because of it."""
        return self.kind not in {DifferenceKind.NEW_FIELD, DifferenceKind.NEW_VALUE}


def compare(name: str, answer: Any, expected: Sequence[Expected]) -> list[Difference]:
    """Compare an answer with what is expected of it; every difference once, in the order found."""
    found: dict[Difference, None] = {}
    for field in expected:
        found.update(dict.fromkeys(_of_field(name, answer, field)))
    found.update(dict.fromkeys(_new_fields(name, answer, expected)))
    return list(found)


def _of_field(name: str, answer: Any, field: Expected) -> Iterator[Difference]:
    parent, step = _split(field.path)
    for holder in _at(answer, parent):
        values = list(_step(holder, step))
        if not values and field.always and step not in _EVERY:
            yield Difference(name, DifferenceKind.MISSING, field.path, "")
        for value in values:
            kind = _kind(value)
            if kind not in field.kinds and not (kind == NOTHING and not field.always):
                wanted = f"{kind} instead of {' or '.join(field.kinds)}"
                yield Difference(name, DifferenceKind.TYPE, field.path, wanted)
            elif field.values and kind != NOTHING and str(value) not in field.values:
                new = DifferenceKind.NEW_VALUE if field.open else DifferenceKind.VALUE
                yield Difference(name, new, field.path, shown(str(value))[:_LONGEST])


def _new_fields(name: str, answer: Any, expected: Sequence[Expected]) -> Iterator[Difference]:
    """Fields of objects that are described, which the description doesn't know."""
    known: dict[str, set[str]] = {}
    for field in expected:
        parent, step = _split(field.path)
        known.setdefault(parent, set()).add(step)
    for parent, steps in known.items():
        if steps & set(_EVERY):
            continue
        for holder in _at(answer, parent):
            for key in sorted(set(holder) - steps) if isinstance(holder, dict) else ():
                path = f"{parent}.{key}" if parent else key
                yield Difference(name, DifferenceKind.NEW_FIELD, shown(path), _kind(holder[key]))


_EVERY = ("[]", "{}", "(json)")


def _split(path: str) -> tuple[str, str]:
    """A path's parent and last step."""
    steps = _steps(path)
    return path[: len(path) - len(steps[-1])].removesuffix("."), steps[-1]


def _steps(path: str) -> list[str]:
    for mark in _EVERY:
        path = path.replace(mark, f".{mark}")
    return [step for step in path.split(".") if step]


def _at(answer: Any, path: str) -> Iterable[Any]:
    """Everything that stands at a path."""
    found = [answer]
    for step in _steps(path):
        found = [value for holder in found for value in _step(holder, step)]
    return found


def _step(holder: Any, step: str) -> Iterator[Any]:
    if step == "[]":
        yield from holder if isinstance(holder, list) else ()
    elif step == "{}":
        yield from holder.values() if isinstance(holder, dict) else ()
    elif step == "(json)":
        try:
            yield json.loads(holder)
        except (ValueError, TypeError):
            yield holder
    elif isinstance(holder, dict) and step in holder:
        yield holder[step]


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return BOOLEAN
    for kinds, name in (((str,), TEXT), ((int, float), NUMBER), ((list,), LIST), ((dict,), OBJECT)):
        if isinstance(value, kinds):
            return name
    return NOTHING

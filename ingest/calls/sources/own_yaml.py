"""Reads YAML into texts, lists and tables as it is written: no guessing of types, no aliases.

What YAML guesses is wrong for calls: it takes ``NO`` (Norway) for false, ``12:00`` for 720, and
2027-02-30 for a mistake of the whole file. And a few lines of aliases unfold to gigabytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_VALUES = 200_000
DEEPEST = 8
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
# In C where the package has it: 0.02 s for 1.1 MB of calls rather than 0.95 s.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Alias:
    """A reference to a value elsewhere in the file; it is never followed."""

    name: str


@dataclass(slots=True)
class Table:
    """A mapping: the line where it begins (1-based), its values, and names that stand twice.

    ``whole`` says that its end was read.
    """

    line: int
    values: dict[str, Value] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    whole: bool = False


Value: TypeAlias = "str | list[Value] | Table | Alias | None"


@dataclass(slots=True)
class _Open:
    """A list or table that is being read, and the name whose value comes next."""

    container: list[Value] | Table
    name: str | None = None


class _StoppedError(Exception):
    """Reading can't go on."""


def read_yaml(text: str) -> tuple[Value, str | None]:
    """Read the first document of a text.

    Returns:
        What was read, and why reading ended before the end of the text, with the line. Of a broken
        text what stands before the break is there.
    """
    tree: list[Value] = []
    events = yaml.parse(text, Loader=_LOADER)
    try:
        _build(events, tree)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        return _first(tree), f"{where}this is no YAML: {error.problem or error.context}"
    except yaml.YAMLError as error:
        return _first(tree), f"this is no YAML: {' '.join(str(error).split())}"
    except _StoppedError as error:
        return _first(tree), str(error)
    return _first(tree), None


def _first(tree: list[Value]) -> Value:
    return tree[0] if tree else None


def _build(events: Iterator[yaml.Event], tree: list[Value]) -> None:
    """Hang each value into the list or table that is open; ``tree`` gets the outermost."""
    path = [_Open(tree)]
    for number, event in enumerate(events):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if number > MOST_VALUES:
            raise _StoppedError(f"line {line}: more than {MOST_VALUES:,} values; split the file")
        if isinstance(event, yaml.DocumentStartEvent) and tree:
            raise _StoppedError(f"line {line}: a second document begins; only the first is read")
        if isinstance(event, yaml.ScalarEvent):
            _hang(path[-1], _scalar(event), line)
        elif isinstance(event, yaml.AliasEvent):
            _hang(path[-1], Alias(event.anchor or ""), line)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(path) > DEEPEST:
                raise _StoppedError(f"line {line}: values stand more than {DEEPEST} levels deep")
            mapping = isinstance(event, yaml.MappingStartEvent)
            container: list[Value] | Table = Table(line) if mapping else []
            _hang(path[-1], container, line)
            path.append(_Open(container))
        elif isinstance(event, yaml.CollectionEndEvent):
            closed = path.pop().container
            if isinstance(closed, Table):
                closed.whole = True


def _scalar(event: yaml.ScalarEvent) -> str | None:
    plain = event.implicit[0]
    return None if plain and event.value in _NULLS else event.value


def _hang(into: _Open, value: Value, line: int) -> None:
    container = into.container
    if not isinstance(container, Table):
        container.append(value)
    elif into.name is None:
        if not isinstance(value, str):
            raise _StoppedError(f"line {line}: a name is expected before the colon")
        into.name = value
    else:
        if into.name in container.values:
            container.repeated.append(into.name)
        container.values[into.name] = value
        into.name = None

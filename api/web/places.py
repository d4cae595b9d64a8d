"""Quoted places in the address of a page: ``mark=120-180`` on it, ``mark=4.0-35`` on another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 50  # places that are marked; no quote has as many
_WRITTEN = re.compile(r"(?:([1-9]\d{0,6})\.)?(\d{1,7})-(\d{1,7})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """``page_text[start:end]`` of the page or section with this number."""

    number: int
    start: int
    end: int

    def written(self, on: int) -> str:
        """As a parameter of the address of page ``on``."""
        page = "" if self.number == on else f"{self.number}."
        return f"{page}{self.start}-{self.end}"


def read_places(asked: Iterable[str], number: int) -> tuple[Place, ...]:
    """Read the ``mark`` parameters of a page's address; what is no place is left out."""
    found: list[Place] = []
    for each in asked:
        match = _WRITTEN.fullmatch(each)
        if match and len(found) < MOST:
            page, start, end = match.groups()
            found.append(Place(int(page or number), int(start), int(end)))
    return tuple(dict.fromkeys(found))


def written_on(places: Iterable[Place], number: int) -> list[str]:
    """The ``mark`` parameters of the address of page ``number``, its own places first."""
    ordered = sorted(places, key=lambda place: place.number != number)
    return [place.written(number) for place in ordered]

"""Words, amounts and moments that stand nowhere else, and how they are found in any text."""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Final

from babel import Locale
from calls_making import brussels

from kb.calls.dates import BRUSSELS

if TYPE_CHECKING:
    import random
    from datetime import datetime

_CONSONANTS, _VOWELS = "gjklmnprstvwx", "iou"
_WORD: Final = re.compile(r"zq[a-z]{10}")
_AMOUNT: Final = re.compile(r"97[0-9]{8}")
_BETWEEN_DIGITS: Final = re.compile(r"(?<=[0-9])[,\s\u202f\u00a0](?=[0-9]{3})")
_MOMENT: Final = re.compile(r"20[0-9]{2}-?[01][0-9]-?[0-3][0-9][t ][0-2][0-9]:?[0-5][0-9]")
# As pages write moments, in either language.
_MONTHS: Final = {
    name.lower(): number
    for language in ("fr", "en")
    for number, name in Locale(language).months["format"]["wide"].items()
}
_WRITTEN: Final = re.compile(
    rf"([0-9]{{1,2}})\s({'|'.join(_MONTHS)})\s(20[0-9]{{2}})(?:\sà\s|,\s)([0-9]{{2}}):([0-9]{{2}})"
)


class Markers:
    """Makes words, amounts and moments that stand nowhere else, and finds them in texts."""

    def __init__(self, chance: random.Random, begins: datetime) -> None:
        self._chance = chance
        self._from = begins
        self._used: set[str] = set()

    def word(self) -> str:
        """A word of twelve letters; it is no hexadecimal, and hardly ever chance."""
        chosen = self._chance.choice
        return self._new(
            lambda: "zq" + "".join(chosen(_CONSONANTS) + chosen(_VOWELS) for _ in range(5))
        )

    def amount(self) -> int:
        """An amount of ten digits."""
        return int(self._new(lambda: f"97{self._chance.randrange(10**8):08}"))

    def moment(self) -> datetime:
        """A moment in Brussels, within months of the beginning."""
        while True:
            day = self._from + timedelta(days=self._chance.randint(10, 150))
            minute = f"{self._chance.randrange(24):02}:{self._chance.randrange(60):02}"
            found = brussels(day.date().isoformat(), minute)
            if not moments(found) & self._used:
                self._used |= moments(found)
                return found

    def moments(self) -> list[datetime]:
        """One to three moments."""
        return [self.moment() for _ in range(self._chance.randint(1, 3))]

    def _new(self, make: Any) -> str:
        while (text := make()) in self._used:
            pass
        self._used.add(text)
        return str(text)


def moments(moment: datetime) -> set[str]:
    """A moment as ``found_in`` gives it, in Brussels and in universal time."""
    return {moment.astimezone(zone).strftime("%Y%m%d%H%M") for zone in (BRUSSELS, UTC)}


def found_in(text: str) -> set[str]:
    """The markers of any kind in a text."""
    told = text.lower()
    found = set(_WORD.findall(told)) | set(_AMOUNT.findall(_BETWEEN_DIGITS.sub("", told)))
    for day, month, year, hour, minute in _WRITTEN.findall(told):
        found.add(f"{year}{_MONTHS[month]:02}{int(day):02}{hour}{minute}")
    return found | {re.sub("[^0-9]", "", each) for each in _MOMENT.findall(told)}

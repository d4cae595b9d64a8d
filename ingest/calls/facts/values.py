"""Amounts of money, percentages and numbers of partners in French and English sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_SPACES = " \u00a0\u202f\u2009"
_DIGITS = rf"\d{{1,3}}(?:[{_SPACES}.,'’]\d{{3}})+(?!\d)(?:[.,]\d{{1,2}})?(?!\d)|\d+(?:[.,]\d+)?"
_SCALE = r"(?:millions?|milliards?|billions?|mille|thousand)\b|(?:bn|mn|m|k)(?=eur|€|\W|$)"
_CURRENCY = r"(?:€|eur(?:os?)?\b)"
_AMOUNT = re.compile(
    rf"(?P<before>{_CURRENCY}\s*)?(?<![\d.,/])(?P<digits>{_DIGITS})"
    rf"(?:[{_SPACES}]?(?P<scale>{_SCALE}))?"
    rf"(?P<after>\s*(?:d['’]|of\s+)?{_CURRENCY}(?!\s*\d))?",
    re.IGNORECASE,
)
_FACTOR = {
    "k": 1_000, "mille": 1_000, "thousand": 1_000,
    "m": 1_000_000, "mn": 1_000_000, "million": 1_000_000, "millions": 1_000_000,
    "bn": 10**9, "billion": 10**9, "billions": 10**9, "milliard": 10**9, "milliards": 10**9,
}  # fmt: skip
_LETTERS = {"k", "m", "bn", "mn"}  # scales that mean money only beside a currency
_BETWEEN = re.compile(r"\s*(?:to|and|à|et|-|–|—)\s*", re.IGNORECASE)
_PERCENT = re.compile(
    r"(?<![\d.,])(\d{1,3}(?:[.,]\d+)?)\s*(?:%|per ?cent\b|pour ?cent\b)", re.IGNORECASE
)
_DIGIT = re.compile(r"\d")
_UNSCALED = 1_000  # the 3 of "between EUR 3 and 4 million" is less
_HIGHEST_SHARE = 100


@dataclass(frozen=True, slots=True)
class Amount:
    """``text[start:end]`` names an amount, or a range from ``low`` to ``high``, in whole euros."""

    start: int
    end: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Masked:
    """A sentence with its figures replaced, so that patterns stay readable.

    ``text`` is in lower case with single spaces; an amount stands in it as ``#0a``, a range as
    ``#0r``, a percentage as ``#0p``, where the number leads to ``amounts`` or ``shares``.
    """

    text: str
    amounts: tuple[Amount, ...]
    shares: tuple[float, ...]


@lru_cache(maxsize=16)
def masked(text: str) -> Masked:
    """Replace the figures of a sentence; a text without a digit gives nothing."""
    if _DIGIT.search(text) is None:
        return Masked("", (), ())
    amounts = _amounts(text)
    parts, last = [], 0
    for number, amount in enumerate(amounts):
        sign = "a" if amount.low == amount.high else "r"
        parts += [text[last : amount.start], f" #{number}{sign} "]
        last = amount.end
    parts.append(text[last:])
    shares: list[float] = []

    def share(match: re.Match[str]) -> str:
        shares.append(float(match[1].replace(",", ".")))
        return f" #{len(shares) - 1}p "

    clean = _PERCENT.sub(share, "".join(parts))
    return Masked(" ".join(clean.lower().replace("’", "'").split()), tuple(amounts), tuple(shares))


def _amounts(text: str) -> list[Amount]:
    """The amounts and ranges of a text, in order."""
    figures = [each for match in _AMOUNT.finditer(text) if (each := _figure(match)) is not None]
    found: list[Amount] = []
    position = 0
    while position < len(figures):
        first = figures[position]
        second = figures[position + 1] if position + 1 < len(figures) else None
        if second is not None and _range(text, first, second):
            found.append(_joined(first, second))
            position += 2
        else:
            if first.money:
                found.append(Amount(first.start, first.end, first.euros, first.euros))
            position += 1
    return found


@dataclass(frozen=True, slots=True)
class _Figure:
    """A number that may be money: ``money`` says that a currency stands beside it."""

    start: int
    end: int
    number: float
    factor: int
    money: bool

    @property
    def euros(self) -> int:
        return round(self.number * self.factor)


def _figure(match: re.Match[str]) -> _Figure | None:
    scale = (match["scale"] or "").lower()
    money = bool(match["before"] or match["after"])
    if scale in _LETTERS and not money:
        scale = ""
    factor = _FACTOR.get(scale, 1)
    end = match.end() if money or factor > 1 else match.end("digits")
    return _Figure(match.start(), end, _number(match["digits"]), factor, money)


def _number(digits: str) -> float:
    """The value of written digits: groups of three belong to one number, a lone pair is decimal."""
    tidy = re.sub(rf"[{_SPACES}'’]", "", digits)
    tidy = re.sub(r"[.,](?=\d{3}(?:\D|$))", "", tidy)
    return float(tidy.replace(",", "."))


def _range(text: str, first: _Figure, second: _Figure) -> bool:
    """Whether two figures are the ends of one range: either carries the currency."""
    between = _BETWEEN.fullmatch(text, first.end, second.start)
    if not between or not (first.money or second.money):
        return False
    joined = _joined(first, second)
    return joined.low < joined.high and (
        between[0].strip().lower() not in {"and", "et"} or _announced(text, first.start)
    )


def _announced(text: str, start: int) -> bool:
    """Whether "and" joins the ends of a range: "between … and", "entre … et"."""
    return re.search(r"\b(?:between|entre)\W{0,3}$", text[:start], re.IGNORECASE) is not None


def _joined(first: _Figure, second: _Figure) -> Amount:
    factor = first.factor
    if factor == 1 and first.number < _UNSCALED:
        factor = second.factor
    return Amount(first.start, second.end, round(first.number * factor), second.euros)


def percent(share: float) -> str | None:
    """A share as a fact holds it: ``80`` or ``52.5``, if it can be one."""
    return f"{share:g}" if 0 < share <= _HIGHEST_SHARE else None


_WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "un": 1, "une": 1, "deux": 2, "trois": 3, "quatre": 4, "cinq": 5,
    "sept": 7, "huit": 8, "neuf": 9, "dix": 10,
}  # fmt: skip
COUNT = rf"(?:\d{{1,2}}|{'|'.join(sorted(_WORDS, key=len, reverse=True))})\b"


def count(word: str) -> int:
    """The number that a word or digits of ``COUNT`` name."""
    return _WORDS.get(word) or int(word)

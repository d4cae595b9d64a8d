"""The facts that a text states: sums, shares, dates, lengths of time, numbers, persons."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_SPACE: Final = "[ \u00a0\u202f]"
_COUNTED: Final = {
    "un": 1, "une": 1, "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "six": 6, "sept": 7,
    "huit": 8, "neuf": 9, "dix": 10, "onze": 11, "douze": 12, "treize": 13, "quatorze": 14,
    "quinze": 15, "seize": 16, "vingt": 20, "trente": 30, "quarante": 40, "cinquante": 50,
    "soixante": 60, "quatre-vingt": 80, "quatre-vingts": 80, "cent": 100, "mille": 1000, "one": 1,
    "two": 2, "three": 3, "four": 4, "five": 5, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "fourteen": 14, "fifteen": 15, "eighteen": 18, "twenty": 20,
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90, "hundred": 100,
    "thousand": 1000, "dozen": 12, "dizaine": 10, "douzaine": 12, "vingtaine": 20,
    "centaine": 100, "millier": 1000,
}  # fmt: skip
_WORDS: Final = "|".join(sorted(_COUNTED, key=len, reverse=True))
_COUNTED_WORD: Final = re.compile(_WORDS)
# "300 000", "300,000", "1.5", "26 152 310 073", "trente-six".
_NUMBER: Final = re.compile(
    rf"(?<![\w.,/-])(?:(?:\d{{1,3}}(?:{_SPACE}\d{{3}})+(?!\d)|\d{{1,3}}(?:[.,]\d{{3}})+(?![\d,.]\d)"
    rf"|\d+)(?:[.,]\d{{1,2}}(?!\d))?|(?:{_WORDS})(?:-(?:{_WORDS}))*(?![\w-]))"
)
_SCALES: Final = {
    "k": 1e3, "mille": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "million": 1e6, "md": 1e9,
    "bn": 1e9, "milliard": 1e9, "billion": 1e9,
}  # fmt: skip
_SCALE: Final = re.compile(
    r"\s?(millions?|milliards?|billions?|thousand|mille|mds?|bn|mn|[km])(?![^\W\d_])"
)
_BEFORE: Final = re.compile(r"(?:€|\beur|\beuros?|\$|£)\s?$")
_AFTER: Final = re.compile(r"\s?(?:d['’]\s*)?(?:€|eur\b|euros?\b|\$|(?:us )?dollars?\b|£)")
_SHARE: Final = re.compile(r"\s?(?:%|per\s?cent\b|pour\s?cent\b)")
_TIMES: Final = re.compile(r"\s(?:fois|times)\b")
_FRACTION: Final = re.compile(
    r"\b(?P<half>moitié|half)\b|\b(?P<third>un tiers|le tiers|one third|a third)\b"
    r"|\b(?P<thirds>deux tiers|two thirds)\b|\b(?P<quarter>un quart|one quarter|a quarter)\b"
    r"|\b(?P<tenth>un dixième|one tenth|a tenth)\b|\b(?P<double>double|doublé|twice|doubled)\b"
)
_UNITS: Final = {
    "hour": "heures? hours?", "day": "jours? days? journées?", "week": "semaines? weeks?",
    "month": "mois months?", "quarter": "trimestres? quarters?",
    "year": "ans? années? years? exercices?",
}  # fmt: skip
_SPAN: Final = re.compile(
    r"[\s-]+(?:(?:calendar|working|full|consecutive|fiscal|more|other)\s+)?(?:"
    + "|".join(f"(?P<{unit}>{names.replace(' ', '|')})" for unit, names in _UNITS.items())
    + r")\b"
)
_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "janvier january", "février fevrier february", "mars march", "avril april", "mai may",
            "juin june", "juillet july", "août aout august", "septembre september",
            "octobre october", "novembre november", "décembre decembre december",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH: Final = "|".join(_MONTHS)
_DATE: Final = re.compile(
    rf"\b(?P<d>\d{{1,2}})(?:er|st|nd|rd|th)?\s+(?:of\s+)?(?P<m>{_MONTH})\b(?:,?\s+(?P<y>(?:19|20)\d\d))?"
    rf"|\b(?P<m2>{_MONTH})\s+(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(?P<y2>(?:19|20)\d\d))?"
    rf"|\b(?P<m3>{_MONTH})\s+(?P<y3>(?:19|20)\d\d)\b"
    r"|\b(?P<d4>\d{1,2})[./](?P<m4>\d{1,2})[./](?P<y4>(?:19|20)\d\d)\b"
    r"|\b(?P<y5>(?:19|20)\d\d)-(?P<m5>\d\d)-(?P<d5>\d\d)\b"
    r"|(?<![\d/.,])(?P<y6>(?:19|20)\d\d)(?![\d/]|[.,]\d)"
)
# Acts are cited with numbers and dates, and points are numbered: no facts of the sentence's own.
_ACT: Final = re.compile(
    r"(?:\(U?E[UC]?\)|\b(?:no|n°|nos|No|L\.|R\.|D\.)|\b(?:[Rr]egulation|[Dd]irective|[Dd]ecision"
    r"|[Rr]èglement|[Dd]écision)s?\b)\s*(?:\(U?E[UC]?\)\s*)?(?:(?:[Nn]o|n°)\s*)?\d+[/-]\d+"
    rf"(?:[/-]\w+)*(?:[^.;\d]{{0,80}}?\b(?:of|du)\s+\d{{1,2}}(?:er)?\s+(?i:{_MONTH})\s+\d{{4}})?"
    r"|\((?:JO|OJ) [^)]*\)"
    r"|\b(?i:articles?|art\.|paragraphe?s?|points?|annexe?s?|recitals?|considérants?"
    r"|sections?|chapitres?|chapters?)\s+\d+[\w.()-]*"
    r"|(?:^|(?<=\n))\s*\(?\d{1,3}[.)](?=\s)"
)


class Unit(StrEnum):
    """What a number counts."""

    MONEY = "EUR"
    SHARE = "%"
    TIMES = "times"
    DURATION = "duration"
    DATE = "date"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Fact:
    """A value stated at ``text[start:end]``, in a form that can be compared across languages.

    ``value`` is a number for money, shares and counts ("300000"), number and unit for a length of
    time ("3 year"), an ISO date as far as it is known ("2030-12-31", "2027-03", "2028").
    """

    unit: Unit
    value: str
    start: int
    end: int


def facts(text: str) -> list[Fact]:
    """Every value that a text states, in reading order; references to acts state none."""
    clean = _ACT.sub(lambda match: " " * len(match.group()), text).lower()
    if len(clean) != len(text):  # a capital whose small letter is two: offsets would not hold
        clean = text
    dates = [Fact(Unit.DATE, _iso(match), *match.span()) for match in _DATE.finditer(clean)]
    found = [*dates, *map(_fraction, _FRACTION.finditer(clean))]
    for match in _NUMBER.finditer(clean):
        if all(match.end() <= date.start or date.end <= match.start() for date in dates):
            fact = _measured(clean, match)
            if fact is not None:
                found.append(fact)
    return sorted(found, key=lambda fact: fact.start)


def _measured(text: str, number: re.Match[str]) -> Fact | None:
    """A number with what stands around it: its scale, its currency, its unit."""
    start, end = number.span()
    scale = _SCALE.match(text, end)
    value = _value(number.group()) * (_SCALES[scale[1].rstrip("s")] if scale else 1.0)
    end = scale.end() if scale else end
    before = _BEFORE.search(text[max(0, start - 6) : start])
    if before is not None:
        return Fact(Unit.MONEY, _plain(value), start - len(before.group()), end)
    for unit, pattern in ((Unit.MONEY, _AFTER), (Unit.SHARE, _SHARE), (Unit.TIMES, _TIMES)):
        after = pattern.match(text, end)
        if after is not None:
            return Fact(unit, _plain(value), start, after.end())
    span = _SPAN.match(text, end)
    if span is not None:
        return Fact(Unit.DURATION, f"{_plain(value)} {span.lastgroup}", start, span.end())
    if scale is None and number.group() in {"un", "une", "one"}:
        return None  # an article, far more often than a number
    return Fact(Unit.COUNT, _plain(value), start, end)


def _fraction(match: re.Match[str]) -> Fact:
    shares = {"half": 50, "third": 33.3, "thirds": 66.7, "quarter": 25, "tenth": 10}
    name = match.lastgroup or ""
    if name == "double":
        return Fact(Unit.TIMES, "2", *match.span())
    return Fact(Unit.SHARE, _plain(shares[name]), *match.span())


def _iso(match: re.Match[str]) -> str:
    def part(name: str) -> str:
        groups = match.groupdict().items()
        return next((value for group, value in groups if group[0] == name and value), "")

    month, day = part("m"), part("d")
    number = _MONTHS.get(month) or (int(month) if month else 0)
    pieces = (part("y") or "-", f"{number:02d}" if number else "", day.zfill(2) if day else "")
    return "-".join(filter(None, pieces))


def _value(number: str) -> float:
    if not number[0].isdecimal():
        return float(sum(_COUNTED[word] for word in _COUNTED_WORD.findall(number)))
    digits = re.sub(_SPACE, "", number)
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", digits):
        digits = re.sub(r"[.,]", "", digits)
    return float(re.sub(r"[.,](?=\d{3})", "", digits).replace(",", "."))


def _plain(value: float) -> str:
    return f"{value:.12g}" if value < 1e12 else f"{value:.0f}"  # noqa: PLR2004 -- no exponent


_TITLED: Final = re.compile(
    r"(?:\bMM?\.|\bMmes?\b|\bMlle\b|\bMrs?\b\.?|\bMs\b\.?|\bDr\b\.?)\s+[A-ZÀ-Ý]"
)
_NAMED: Final = re.compile(
    r"(?<=[a-zà-ÿ,;:»)] )[A-ZÀ-Ý][a-zà-ÿ’'-]+\s+(?:(?:de|du|von|van|der|le|la)\s+)?"
    r"(?:[A-ZÀ-Ý][a-zà-ÿ’'-]+|[A-ZÀ-Ý]{3,})"
)
# Capitalised pairs that name bodies, places and programmes rather than persons.
_BODIES: Final = re.compile(
    r"(?i:union|europ|commission|council|conseil|parl|assembl|member|membre|state|état|minist|fund"
    r"|fonds|bank|banque|committee|comité|court|cour|united|national|regulation|directive|article"
    r"|annex|horizon|erasmus|opération|operation|journal|official|agency|agence|general|social)"
)


def names_person(text: str) -> float:
    """How surely a text names a person: 1 with a title before the name, 0.7 by its form, or 0."""
    if _TITLED.search(text):
        return 1.0
    found = (match.group() for match in _NAMED.finditer(text))
    return 0.7 if any(not _BODIES.search(name) for name in found) else 0.0

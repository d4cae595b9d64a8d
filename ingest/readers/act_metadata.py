"""What an EU act's own title says of it: CELEX number, ELI, date, issuer, language."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from kb.model import Kind, Metadata

LICENCE = "Commission Decision 2011/833/EU"

_TYPES = re.compile(r"\b(r[eèé]glement|regulation|directive|d[eé]cision)\b", re.IGNORECASE)
_LETTERS = {"re": "R", "rè": "R", "ré": "R", "di": "L", "de": "D", "dé": "D"}
_NUMBER = re.compile(
    r"\b(?:N\s?[o°º]\s?(?P<old>\d{1,4})/(?P<old_year>\d{2,4})|(?P<year>\d{2,4})/(?P<new>\d{1,4}))\b",
    re.IGNORECASE,
)
_MONTHS = {
    name: number
    for names in (
        "january february march april may june july august september october november december",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    )
    for number, name in enumerate(names.split(), start=1)
}
_DATE = re.compile(r"\b(?:of|du)\s+(\d{1,2})\s?(?:er)?\s+([a-zéû]+)\s+(\d{4})\b", re.IGNORECASE)
_EEA = re.compile(
    r"\s*\((?:text with eea relevance|texte présentant de l.intérêt pour l.eee)\.?\)", re.IGNORECASE
)
_CONSOLIDATED = re.compile(
    r"\b0?(?P<celex>\d{4}[A-Z]{1,2}\d{4})\s+[—–-]\s+(?P<language>[A-Z]{2})\s+[—–-]\s+"
    r"(?P<day>\d{2})\.(?P<month>\d{2})\.(?P<year>\d{4})"
)
_CELEX_IN_NAME = re.compile(r"(?<![0-9a-z])[03](\d{4}[rldh]\d{4})(?!\d)", re.IGNORECASE)
_ISSUERS = (
    (
        re.compile(r"european parliament|parlement européen", re.IGNORECASE),
        {"en": "European Parliament and Council", "fr": "Parlement européen et Conseil"},
    ),
    (
        re.compile(r"\bcommission\b", re.IGNORECASE),
        {"en": "European Commission", "fr": "Commission européenne"},
    ),
    (
        re.compile(r"\b(council|conseil)\b", re.IGNORECASE),
        {"en": "Council of the European Union", "fr": "Conseil de l’Union européenne"},
    ),
)
_FRENCH = re.compile(r"\b(règlement|réglement|du|décision|de la commission)\b", re.IGNORECASE)
_CENTURY = 1900
_FIRST_FULL_YEAR = 100


@dataclass(frozen=True, slots=True)
class Consolidation:
    """The state of an act on a date: its CELEX number, language and the date."""

    celex: str
    language: str
    day: date


def consolidation(reference: str) -> Consolidation | None:
    """Read a consolidated text's head, "02014R0651 — EN — 01.07.2023 — 006.001"."""
    found = _CONSOLIDATED.search(reference)
    if not found:
        return None
    day = _date(int(found["year"]), int(found["month"]), int(found["day"]))
    return Consolidation("3" + found["celex"], found["language"].lower(), day) if day else None


def language_of(title: str) -> str:
    """Tell French from English by the words of an act's title."""
    return "fr" if _FRENCH.search(title) else "en"


def act_metadata(
    title: str, language: str | None, state: Consolidation | None = None, name: str = ""
) -> Metadata:
    """Return what the full ``title`` of an act says, with ``state`` for a consolidated text.

    An excerpt without its title is known by the CELEX number in its file's ``name``.
    """
    language = language or (state.language if state else language_of(title))
    heading = title[: found.start()] if (found := _DATE.search(title)) else title[:200]
    celex = state.celex if state else _celex(heading) or _named(name)
    adopted = (
        _date(int(found[3]), _MONTHS.get(found[2].lower(), 0), int(found[1])) if found else None
    )
    return Metadata(
        title=_EEA.sub("", title).strip() or None,
        issuer=_issuer(heading, language),
        published=adopted,
        language=language,
        kind=Kind.POLICY,
        celex=celex,
        eli=_eli(heading, celex, state),
        licence=LICENCE,
        url=_url(celex, language, state),
        version_date=state.day if state else adopted,
    )


def _named(name: str) -> str | None:
    found = _CELEX_IN_NAME.search(name)
    return f"3{found[1].upper()}" if found else None


def _celex(heading: str) -> str | None:
    kind, number = _TYPES.search(heading), _NUMBER.search(heading)
    if not kind or not number:
        return None
    letter = _LETTERS[kind[1][:2].lower()]
    year = int(number["old_year"] or number["year"])
    year += _CENTURY if year < _FIRST_FULL_YEAR else 0
    return f"3{year}{letter}{int(number['old'] or number['new']):04d}"


def _eli(heading: str, celex: str | None, state: Consolidation | None) -> str | None:
    """Return the European Legislation Identifier (Council conclusions 2012/C 325/02)."""
    if not celex:
        return None
    kind = {"R": "reg", "L": "dir", "D": "dec"}.get(celex[5:6])
    if not kind:
        return None
    if re.search(r"d[eé]l[eé]gu|delegated", heading, re.IGNORECASE):
        kind += "_del"
    elif re.search(r"implementing|d.ex[eé]cution", heading, re.IGNORECASE):
        kind += "_impl"
    last = state.day.isoformat() if state else "oj"
    return f"http://data.europa.eu/eli/{kind}/{celex[1:5]}/{int(celex[6:])}/{last}"


def _url(celex: str | None, language: str, state: Consolidation | None) -> str | None:
    if not celex:
        return None
    number = f"0{celex[1:]}-{state.day:%Y%m%d}" if state else celex
    address = "https://eur-lex.europa.eu/legal-content"
    return f"{address}/{language.upper()}/TXT/?uri=CELEX:{number}"


def _issuer(heading: str, language: str) -> str | None:
    for pattern, names in _ISSUERS:
        if pattern.search(heading):
            return names.get(language, names["en"])
    return None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None

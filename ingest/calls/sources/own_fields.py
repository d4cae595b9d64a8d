"""Reads the values of a call that was written down by hand, each in the form that it must have."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from babel import Locale

from ingest.calls.merging import SOURCES
from ingest.calls.sources.own_yaml import Alias, Table
from ingest.calls.sources.texts import mended
from ingest.readers.encoding import squash
from kb.calls.dates import BRUSSELS, deadline, opening
from kb.calls.places import ANY, EU, country_code
from kb.calls.status import SAID_CLOSED, SAID_FORTHCOMING, SAID_OPEN
from kb.model import Applicant, DeadlineModel, Link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ingest.calls.sources.own_yaml import Value

_T = TypeVar("_T")
_LONGEST_LINE = 500  # characters: the longest official title of August 2026 has 243
_MOST_EUROS = 10**12
_MOST_COUNT = 100_000
_YEARS = range(1990, 2100)
_NOON = time(12)
_WHOLE_SHARE = 100
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ]\s*(\d\d:\d\d)(:\d\d)?\s*(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_DIGITS = re.compile(r"\d+(?:[ _'’\u00a0\u202f]\d{3})*|\d+", re.ASCII)
_SHARE = re.compile(r"(\d{1,3}(?:[.,]\d+)?)\s*%?", re.ASCII)
_SOURCE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_STATUSES = (SAID_FORTHCOMING, SAID_OPEN, SAID_CLOSED)
_TRUTHS = {"true": True, "yes": True, "oui": True, "false": False, "no": False, "non": False}
_NO_COUNTRIES = {EU, "EZ", "UN", "QO", "ZZ", "XA", "XB"}
_CODE_LENGTH = 2


class Said:
    """The fields of a table; what is wrong with one is noted, so that all of them are told."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.wrong: dict[str, str] = {}

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Note the fields that there are not, and those that stand twice."""
        listed = ", ".join(known)
        for name in self.table.values:
            if name not in known:
                self.wrong[squash(name)[:80]] = f"there is no such field; there are: {listed}"
        for name in self.table.repeated:
            self.wrong[squash(name)[:80]] = "stands twice; keep one of them"

    def get(self, name: str, read: Callable[[Value], _T], default: _T) -> _T:
        """Return a field's value as ``read`` understands it, ``default`` where it is left empty."""
        value = self.table.values.get(name)
        if value is None or value == [] or (isinstance(value, str) and not value.strip()):
            return default
        try:
            return read(value)
        except ValueError as error:
            self.wrong.setdefault(name, str(error))
            return default


def text(value: Value) -> str:
    """Return a text with its lines."""
    if isinstance(value, str):
        return value
    raise ValueError(f"should be a text, is {_shape(value)}")


def line(value: Value) -> str:
    """Return a text on one line."""
    found = squash(mended(text(value)))
    if len(found) > _LONGEST_LINE:
        raise ValueError(f"has {len(found)} characters; at most {_LONGEST_LINE} are read")
    return found


def each(read: Callable[[Value], _T]) -> Callable[[Value], tuple[_T, ...]]:
    """Return what reads a list, or one value alone, of what ``read`` reads; each once."""

    def reads(value: Value) -> tuple[_T, ...]:
        values = value if isinstance(value, list) else [value]
        return tuple(dict.fromkeys(read(one) for one in values))

    return reads


def closes(value: Value) -> datetime:
    """Return when a call closes: 17:00 in Brussels of a day that is given without an hour."""
    found = _moment(line(value))
    return found if isinstance(found, datetime) else deadline(found)


def opens(value: Value) -> datetime:
    """Return when a call opens: the start of a day that is given without an hour."""
    found = _moment(line(value))
    return found if isinstance(found, datetime) else opening(found)


def looked_at(value: Value) -> datetime:
    """Return when calls were looked at: the noon of a day, which is that day all over Europe."""
    found = _moment(line(value))
    return found if isinstance(found, datetime) else datetime.combine(found, _NOON, BRUSSELS)


def euros(value: Value) -> int:
    """Return a sum in whole euros."""
    return _number(line(value), _MOST_EUROS, "a sum in whole euros, such as 1500000")


def count(value: Value) -> int:
    """Return how many there are."""
    return _number(line(value), _MOST_COUNT, "a whole number")


def share(value: Value) -> float:
    """Return a share in percent."""
    written = line(value)
    found = _SHARE.fullmatch(written)
    percent = float(found[1].replace(",", ".")) if found else 0.0
    if not 0 < percent <= _WHOLE_SHARE:
        raise ValueError(f"should be a share in percent, above 0 and up to 100, is {written!r}")
    return percent


def truth(value: Value) -> bool:
    """Return yes or no."""
    written = line(value)
    if (found := _TRUTHS.get(written.casefold())) is None:
        raise ValueError(f"should be true or false, is {written!r}")
    return found


def model(value: Value) -> DeadlineModel:
    """Return what the deadlines are to each other."""
    return DeadlineModel(_choice(value, tuple(DeadlineModel)))


def applicant(value: Value) -> Applicant:
    """Return a kind of applicant."""
    return Applicant(_choice(value, tuple(Applicant)))


def status(value: Value) -> str:
    """Return a status in the words of ``CallSource.status``."""
    return _choice(value, _STATUSES)


def country(value: Value) -> str:
    """Return an ISO 3166 code, ``EU`` or ``ANY``."""
    written = line(value)
    code = country_code(written)
    if code not in _countries():
        raise ValueError(f"{written!r} is no country code (such as FR), nor EU, nor ANY")
    return code


def language(value: Value) -> str:
    """Return an ISO 639-1 code."""
    written = line(value)
    code = written.casefold()
    if len(code) != _CODE_LENGTH or code not in Locale("en").languages:
        raise ValueError(f"{written!r} is no language code, such as fr or en")
    return code


def source(value: Value) -> str:
    """Return the name under which the calls of a file are known."""
    written = line(value)
    if not _SOURCE.fullmatch(written) or len(written) > _LONGEST_LINE // 10:
        message = f"{written!r} is no name of a source: small letters, digits and hyphens, at most"
        raise ValueError(f"{message} {_LONGEST_LINE // 10}, such as fondation-du-fleuve")
    if written in SOURCES:
        raise ValueError(f"{written!r} is read from its own answers; choose another name")
    return written


def address(value: Value) -> str:
    """Return an address of the web."""
    written = line(value)
    if " " in written or not _is_address(written):
        raise ValueError(f"{written!r} is no web address; it must begin with https://")
    return written


def link(value: Value) -> Link:
    """Return a link of its name and address."""
    if not isinstance(value, Table):
        raise ValueError(f"each should have a name and a url, is {_shape(value)}")  # noqa: TRY004 -- as all values
    said = Said(value)
    said.refuse_unknown(("name", "url"))
    found = Link(said.get("name", line, ""), said.get("url", address, ""))
    if said.wrong:
        raise ValueError("; ".join(f"{name}: {problem}" for name, problem in said.wrong.items()))
    if not found.name or not found.url:
        raise ValueError("each needs a name and a url")
    return found


def _is_address(written: str) -> bool:
    try:
        parts = urlsplit(written)
    except ValueError:  # such as half an IPv6 address
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _moment(written: str) -> datetime | date:
    found = _MOMENT.fullmatch(written)
    message = f"{written!r} is no date; write 2027-03-15, or 2027-03-15 12:00"
    if not found:
        raise ValueError(message)
    day, hour, seconds, offset = found.groups(default="")
    try:
        moment = datetime.fromisoformat(f"{day}T{hour or '00:00'}{seconds}{offset}")
    except ValueError:
        raise ValueError(message) from None
    if moment.year not in _YEARS:
        raise ValueError(f"{written!r} lies in the year {moment.year}, which can't be meant")
    if not hour:
        return moment.date()
    return moment.astimezone(BRUSSELS) if offset else moment.replace(tzinfo=BRUSSELS)


def _number(written: str, most: int, expected: str) -> int:
    found = _DIGITS.fullmatch(written)
    digits = re.sub(r"\D", "", written) if found else ""
    # The length first: a number of a million digits takes minutes to convert.
    if not digits or len(digits) > len(str(most)) or not 0 < int(digits) <= most:
        raise ValueError(f"should be {expected}, is {_shortened(written)}")
    return int(digits)


def _choice(value: Value, known: tuple[str, ...]) -> str:
    written = line(value)
    if written.casefold() not in known:
        raise ValueError(f"{_shortened(written)} is none of: {', '.join(known)}")
    return written.casefold()


@lru_cache
def _countries() -> frozenset[str]:
    codes = {str(code) for code in Locale("en").territories}
    known = {code for code in codes if len(code) == _CODE_LENGTH and code.isalpha()}
    return frozenset({*(known - _NO_COUNTRIES), ANY, EU})


def _shape(value: Value) -> str:
    if isinstance(value, Alias):
        return f"the alias *{value.name}; write its value out"
    if isinstance(value, Table):
        return "a mapping (a colon inside a text? put the text in quotation marks)"
    return "a list" if isinstance(value, list) else "empty"


def _shortened(written: str) -> str:
    return repr(written if len(written) <= 80 else f"{written[:79]}…")  # noqa: PLR2004 -- a line

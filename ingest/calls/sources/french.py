"""What the readers of French calls share: records, pages, dates, amounts, audiences, perimeters."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, date, datetime, time
from html import escape
from typing import TYPE_CHECKING, Any

from ingest.calls.sources.streams import json_values, opened
from ingest.calls.sources.texts import mended, page_of_html, page_of_text
from ingest.readers.encoding import squash
from kb.calls.dates import BRUSSELS, deadline, opening
from kb.model import Applicant, Link

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from kb.model import Page

LICENCE = "Licence Ouverte 2.0 (Etalab)"
FRANCE = ("FR",)
APPLICATION = "Candidature"  # the name of the link by which one applies

_NAMES = "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre"
MONTHS = {name: number for number, name in enumerate(_NAMES.split(), start=1)}
# Exports write "no deadline" as a day that nobody will see: 2050-01-01, 2099-12-31, 9999-12-31.
_NEVER = 2050
_SLASHED = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})$")
_WORDED = re.compile(r"(?:[a-z]+ )?(\d{1,2})(?:er)? ([a-z]+) (\d{4})$")
_AMOUNT = re.compile(r"(\d+(?:[ .]\d{3})*)(?:,(\d+))? ?(k|m)?")
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
# Under which an answer's page holds its records: Aides-territoires and Opendatasoft, new and old.
_RECORDS = ("results", "records")
_TAG = re.compile(
    r"</?(?:a|b|br|div|em|h[1-6]|i|img|li|ol|p|section|span|strong|su[bp]|table|tbody|td|th|thead|tr"
    r"|u|ul)(?:\s[^<>]*)?/?>|&(?:#\d+|#x[0-9a-f]+|[a-z]+);",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"https?://\S+$")
_LIST_MARKS = re.compile(r"\|\|\||[;\n]")

# What the name of an audience says of who may apply: every pattern found in it counts. Names are
# compared in lower case without accents. SME alone stands for what only small firms get.
_AUDIENCES = (
    (r"\bassociations?\b(?! - fondation)", Applicant.ASSOCIATION, Applicant.NGO),
    (r"associatif|\bongs?\b", Applicant.ASSOCIATION, Applicant.NGO),
    (r"fondation", Applicant.FOUNDATION, Applicant.NGO),
    (r"cooperative|\bess\b|economie sociale|\bsc[io][cp]s?\b", Applicant.SOCIAL_ENTERPRISE),
    (r"mutuelle|insertion par l", Applicant.SOCIAL_ENTERPRISE),
    (
        r"commune|intercommunal|collectivite|\bepci\b|\bept\b|metropole|departement",
        Applicant.PUBLIC,
    ),
    (r"\bregions?\b|syndicat mixte|bailleurs? socia|office de tourisme", Applicant.PUBLIC),
    (r"(?<!tous )\bpublics?( (?!locales)|$)|publiques? locales?", Applicant.PUBLIC),
    (r"\betat\b|\bgip\b|hopita", Applicant.PUBLIC),
    (r"entreprises?\b|societes?\b|secteur prive|\beti\b|start.?up", Applicant.COMPANY),
    (r"agriculteur|exploitants? agricole", Applicant.COMPANY),
    (r"professionnels?\b(?! - (?:chercheur|pme|tpe|artisan))", Applicant.COMPANY),
    (r"\bpmes?\b|\btpes?\b|artisan|commercant", Applicant.SME),
    (r"\brecherche\b|chercheur|laboratoire|universit", Applicant.RESEARCH),
    (r"enseignement|\becoles?\b|\blycees?\b|\bcolleges?\b|formation", Applicant.EDUCATION),
    (r"universit", Applicant.EDUCATION),
    (r"particulier|citoyen|habitant|\bjeunes?\b|etudiant|artiste", Applicant.INDIVIDUAL),
    (r"personnes? physique|createur", Applicant.INDIVIDUAL),
    (r"personnes? morale|tous (?:les )?porteurs?|tous publics?", Applicant.ANY),
)
_ANYWHERE = re.compile(r"\b(?:monde|mondial|international)")
_EUROPE = re.compile(r"\b(?:europe|union europeenne)\b")


def items(path: Path, name: str) -> Iterator[tuple[str, Any]]:
    """Yield each record of a JSON file with where it stands: of an array, of pages or of lines.

    Raises:
        UnreadableError: The file can't be read, or what follows is no JSON.
    """
    with opened(path, name) as stream:
        flat = (record for value in json_values(stream, name) for record in _records(value))
        for number, record in enumerate(flat, start=1):
            yield f"{name}, record {number}", record


def pages(title: str, parts: Iterable[tuple[str, str]]) -> tuple[Page, ...]:
    """Return the texts of a call, each with its label, as pages; the first begins with the title.

    A text may be HTML or bare. Empty ones are left out; without any there is the title alone.
    """
    made: list[Page] = []
    for label, text in parts:
        if _TAG.sub("", text).strip():
            build = page_of_html if _TAG.search(text) else page_of_text
            made.append(build(len(made) + 1, label, text, "" if made else title))
    return tuple(made) or (page_of_text(1, "Description", "", title),)


def together(texts: Iterable[str]) -> str:
    """Return texts as one, as HTML where one of them is: lines of bare text become paragraphs."""
    filled = [text for text in texts if text.strip()]
    if not any(_TAG.search(text) for text in filled):
        return "\n".join(filled)
    return "".join(
        text
        if _TAG.search(text)
        else "".join(f"<p>{escape(part, quote=False)}</p>" for part in text.splitlines())
        for text in filled
    )


def links(*named: tuple[str, object]) -> tuple[Link, ...]:
    """Return links of names and addresses; what is no web address is left out."""
    addresses = ((name, line(value)) for name, value in named)
    return tuple(Link(name, url) for name, url in addresses if _ADDRESS.match(url))


def folded(text: str) -> str:
    """Return ``text`` on one line, in lower case and without accents, to compare words by."""
    plain = unicodedata.normalize("NFD", squash(text).replace("’", "'").casefold())
    return "".join(char for char in plain if not unicodedata.combining(char))


def line(value: object) -> str:
    """Return a field's text mended and on one line; nothing where it holds no text."""
    return squash(mended(value)) if isinstance(value, str) else ""


def values(field: object) -> tuple[str, ...]:
    """Return the values of a field: a list (of texts, or of objects with a name), or one text.

    A text may hold several, set apart by ``|||``, ``;`` or lines. Each value comes once.
    """
    items = field if isinstance(field, list) else [field]
    named = (
        each.get("name") or each.get("title") if isinstance(each, dict) else each for each in items
    )
    parts = (part for each in named if isinstance(each, str) for part in _LIST_MARKS.split(each))
    return tuple(dict.fromkeys(text for part in parts if (text := line(part))))


def day_of(value: object) -> date | None:
    """Return the day that a field names: ISO, ``15/03/2026`` or ``15 mars 2026``.

    Of a moment it is the day in Paris. A day from 2050 on stands for none.

    Raises:
        ValueError: There is text, and it names no day.
    """
    text = line(value)
    if not text:
        return None
    day = _iso_day(text) or _french_day(text)
    if day is None:
        raise ValueError(f"{text!r} names no day")
    return day if day.year < _NEVER else None


def closes(value: object) -> datetime | None:
    """Return when a call closes whose deadline is in a field; 17:00 where it names only a day.

    Raises:
        ValueError: There is text, and it names no day.
    """
    day = day_of(value)
    if day is None:
        return None
    moment = _moment(line(value))
    return deadline(day) if moment is None or _is_day(moment) else moment


def opens(value: object) -> datetime | None:
    """Return the first moment of the day that a field names.

    Raises:
        ValueError: There is text, and it names no day.
    """
    day = day_of(value)
    return None if day is None else opening(day)


def euros(value: object) -> int | None:
    """Return an amount in whole euros: a number, or a text like ``10 000 €``, ``2,5 M€``."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return round(value) if math.isfinite(value) and value > 0 else None
    found = _AMOUNT.match(folded(line(value)))
    if found is None:
        return None
    whole = re.sub(r"[ .]", "", found[1])
    amount = float(f"{whole}.{found[2] or 0}") * _UNITS[found[3] or ""]
    return round(amount) or None


def percent(value: object) -> float | None:
    """Return a share in percent, of a number or a text like ``80 %``; nothing outside 0 to 100."""
    text = line(value).rstrip(" %").replace(",", ".") if isinstance(value, str) else value
    if isinstance(text, bool) or not isinstance(text, int | float | str):
        return None
    try:
        share = float(text)
    except ValueError:
        return None
    return share if 0 < share <= 100 else None  # noqa: PLR2004 -- a percentage


def applicants(audiences: Iterable[str]) -> tuple[Applicant, ...]:
    """Return who may apply by the names of audiences, in the order of ``Applicant``.

    An association is an NGO too. A name that no rule knows says nothing.
    """
    found = {
        applicant
        for audience in map(folded, audiences)
        for pattern, *meant in _AUDIENCES
        if re.search(pattern, audience)
        for applicant in meant
    }
    return tuple(applicant for applicant in Applicant if applicant in found)


def countries(perimeter: object) -> tuple[str, ...]:
    """Return the countries of a perimeter's name: France but for Europe and the world."""
    name = folded(line(perimeter))
    if _ANYWHERE.search(name):
        return ("ANY",)
    return ("EU",) if _EUROPE.search(name) else FRANCE


def slug_of(url: str) -> str:
    """Return the last part of an address's path: what names a page on its site."""
    path = re.split(r"[?#]", url, maxsplit=1)[0]
    return path.rstrip("/").rpartition("/")[2]


def number_of(url: str) -> str | None:
    """Return the number at the end of an address's path, as CMSs number their pages."""
    found = re.search(r"(?:^|[-/])(\d+)$", slug_of(url))
    return found[1] if found else None


def _records(value: object) -> Iterator[object]:
    if isinstance(value, list):
        for each in value:
            yield from _records(each)
        return
    held = None
    if isinstance(value, dict):
        held = next((value[key] for key in _RECORDS if isinstance(value.get(key), list)), None)
    if held is None:
        yield value
    else:
        yield from held


def _iso_day(text: str) -> date | None:
    moment = _moment(text)
    if moment is None:
        return None
    utc = moment.astimezone(UTC)
    return utc.date() if utc.time() == time(0) else moment.date()


def _moment(text: str) -> datetime | None:
    """Read an ISO date or moment, in Brussels time; one without an offset is in it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=BRUSSELS)
    return moment.astimezone(BRUSSELS)


def _is_day(moment: datetime) -> bool:
    """Whether a moment stands for its day: midnight, there or in UTC."""
    return time(0) in {moment.time(), moment.astimezone(UTC).time()}


def _french_day(text: str) -> date | None:
    words = folded(text)
    if found := _SLASHED.match(words):
        day, month, year = (int(part) for part in found.groups())
    elif (found := _WORDED.match(words)) and found[2] in MONTHS:
        day, month, year = int(found[1]), MONTHS[found[2]], int(found[3])
    else:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None

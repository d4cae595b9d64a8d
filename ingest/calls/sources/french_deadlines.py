"""Deadlines that French text states in so many words: "jusqu'au 30 novembre 2025 à 12h"."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from ingest.calls.sources.french import MONTHS, folded
from kb.calls.dates import BRUSSELS, deadline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MONTH = (
    "janvier|f[ée]vrier|mars|avril|mai|juin|juillet|ao[ûu]t|septembre|octobre|novembre|d[ée]cembre"
)
_WEEKDAY = r"(?:(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)\s+)?"
_DAY = (
    rf"{_WEEKDAY}(?:(?P<day>\d{{1,2}})\s*(?:er|°)?\s+(?P<month>{_MONTH})(?:\s+(?P<year>\d{{4}}))?"
    r"|(?P<d>\d{1,2})/(?P<m>\d{1,2})/(?P<y>\d{4}))"
)
_HOUR = (
    r"(?:[\s,(]*(?:inclus\)?[\s,(]*)?(?:[àa]\s+)?"
    r"(?P<hour>\d{1,2}\s?[h:]\s?\d{0,2}|minuit|midi)\b)?"
)
# Words that make the day after them a last day.
_LIMIT = (
    r"jusqu['’]\s?au|avant\s+le|au\s+plus\s+tard(?:\s*:)?(?:\s+le)?|d['’]ici\s+(?:le|au)"
    r"|(?:date|d[ée]lai)s?\s+(?:limite|maximale?)[^.;:\d]{0,70}(?::|\best|\bau|\ble)(?:\s+le)?"
    r"|cl[ôo]ture[^.;:\d]{0,40}:|fix[ée]e?\s+au"
)
_STATED = re.compile(rf"(?:{_LIMIT})\s*(?:le\s+)?{_DAY}{_HOUR}", re.IGNORECASE)
# "du 30 septembre au 30 novembre 2025": the second day.
_PERIOD = re.compile(
    rf"\bdu\s+{_WEEKDAY}\d{{1,2}}\s*(?:er|°)?\s*(?:(?:{_MONTH})(?:\s+\d{{4}})?|/\d\d/\d{{4}})?\s+"
    rf"(?:au|jusqu['’]\s?au)\s+{_DAY}{_HOUR}",
    re.IGNORECASE,
)
# A last day is one for applying only where the words around it say so, and say nothing else.
_APPLYING = re.compile(
    r"d[ée]p[ôo]s|d[ée]p[ôo]t|candidat|postul|soumettre|soumission|r[ée]pon|inscri|dossier"
    r"|transmi|retourn|adress|envoy|\bouvert|appel\s+[àa]\s+(?:projets?|manifestation)\b.{0,40}\blieu"
    r"|date\s+limite|cl[ôo]ture\s+:|session\s+:",
    re.IGNORECASE | re.DOTALL,
)
_OTHER = re.compile(
    r"instruction|s[ée]lection|commission|prise\s+de\s+contact|lettre\s+d|r[ée]alis|termin"
    r"|d[ée]marr|d[ée]roul|occup[ée]|\bloi\b|bilan|justifi|d[ée]ploy|pay[ée]|factur|ferm[ée]\b"
    r"|fin\s+des?\s+(?:travaux|actions?)|\bpris",
    re.IGNORECASE,
)
_BEFORE, _AFTER = 110, 60  # characters looked at on either side of a day
_SENTENCE = re.compile(r"[.!?]\s|\n")
_CLAUSE_END = re.compile(r"[.!?),]\s|\n")
# "2ème session de dépôt : jusqu'au 1er février 2026": a later chance of the same call.
_SESSION = re.compile(
    r"(?:\b\d+\s?(?:re|è?re|ères?|e|è|ème|nde?)|premi[èe]re|deuxi[èe]me|seconde|troisi[èe]me"
    r"|quatri[èe]me)\s+(?:session|vague|p[ée]riode|campagne|relev[ée]e?)",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"(\d{1,2})\s?[hH:]\s?(\d{0,2})")
_END_OF_DAY = time(23, 59)


@dataclass(frozen=True, slots=True)
class Stated:
    """A last day for applying, stated by ``text[start:end]``, with its hour if that is said.

    ``session`` says that it is one of several chances: the text numbers it.
    """

    day: date
    hour: time | None
    start: int
    end: int
    session: bool = False

    @property
    def moment(self) -> datetime:
        """When the call closes by this statement, 17:00 where no hour is said."""
        if self.hour is None:
            return deadline(self.day)
        return datetime.combine(self.day, self.hour, BRUSSELS)


def stated_deadlines(text: str, written: date | None = None) -> tuple[Stated, ...]:
    """Return the last days for applying that ``text`` states, in the order of the text.

    A day without a year is the first such day after ``written``, the day of the text; without that
    it is left out, as is a day that does not exist.
    """
    found = (stated for match in _candidates(text) if (stated := _stated(match, text, written)))
    return tuple(sorted(found, key=lambda stated: stated.start))


def deadlines_by(
    given: datetime | None,
    texts: Iterable[str],
    written: date | None = None,
    *,
    early: bool = False,
) -> tuple[datetime, ...]:
    """Return when a call closes, earliest first, by the day a source gives and by its texts.

    The texts give the hour of a day that was given without one, a day where none was given (from
    the first text that states any), and the sessions that come after it. ``early`` says that the
    given day may be a day early, as in exports that wrote midnight in Paris as a day in UTC: then
    the day after counts where only that is stated. Of 20 such days in an export of 100 calls that
    the call's own text states too, 8 were a day early.
    """
    stated = [stated_deadlines(text, given.date() if given else written) for text in texts]
    if given is None:
        first = _first_stated(stated)
        return () if first is None else _with_sessions(first, stated)
    following = _stated_for_next_day(given, stated) if early else None
    return _with_sessions(following or _with_hour(given, stated), stated)


def with_stated_hour(given: datetime, texts: Iterable[str]) -> datetime:
    """Return a deadline that was given as a day with the hour that the call's texts state for it.

    ``given`` stays where it is at another hour than 17:00, or where no text gives that day an hour.
    """
    return _with_hour(given, [stated_deadlines(text, given.date()) for text in texts])


def _stated_for_next_day(given: datetime, stated: Iterable[tuple[Stated, ...]]) -> datetime | None:
    after = given.date() + timedelta(days=1)
    every = [each for found in stated for each in found]
    if any(each.day == given.date() for each in every):
        return None
    return max((each.moment for each in every if each.day == after), default=None)


def _first_stated(stated: Iterable[tuple[Stated, ...]]) -> datetime | None:
    """Choose among what texts state: the day said most often, of those the earliest."""
    for found in stated:
        if found:
            counts = Counter(each.day for each in found)
            day = min(counts, key=lambda each: (-counts[each], each))
            return max((each for each in found if each.day == day), key=_said_hour).moment
    return None


def _with_hour(given: datetime, stated: Iterable[tuple[Stated, ...]]) -> datetime:
    if given != deadline(given.date()):
        return given
    same = (each for found in stated for each in found if each.day == given.date() and each.hour)
    return next((each.moment for each in same), given)


def _with_sessions(first: datetime, stated: Iterable[tuple[Stated, ...]]) -> tuple[datetime, ...]:
    later = {each.moment for found in stated for each in found if each.session}
    return tuple(sorted({first} | {moment for moment in later if moment.date() != first.date()}))


def _candidates(text: str) -> Iterator[re.Match[str]]:
    for match in _STATED.finditer(text):
        before = _sentence_before(text, match.start())
        around = before + match[0] + text[match.end() : match.end() + _AFTER]
        if _APPLYING.search(around) and not _OTHER.search(before[-_BEFORE // 2 :] + match[0]):
            yield match
    for match in _PERIOD.finditer(text):
        after = text[match.end() : match.end() + _AFTER].lstrip(" )(inclus*")
        after = _CLAUSE_END.split(after, maxsplit=1)[0]
        # In a calendar ("Du … au … : dépôt des dossiers") what follows says what the period is.
        told = after if after.startswith(":") else _sentence_before(text, match.start()) + after
        if _APPLYING.search(told) and not _OTHER.search(told):
            yield match


def _sentence_before(text: str, place: int) -> str:
    before = text[max(0, place - _BEFORE) : place]
    ends = [match.end() for match in _SENTENCE.finditer(before)]
    return before[ends[-1] :] if ends else before


def _stated(match: re.Match[str], text: str, written: date | None) -> Stated | None:
    day = _day(match, written)
    if day is None:
        return None
    session = bool(_SESSION.search(text, max(0, match.start() - _AFTER), match.start()))
    return Stated(day, _hour(match["hour"]), match.start(), match.end(), session)


def _day(match: re.Match[str], written: date | None) -> date | None:
    if match["d"]:
        day, month, year = int(match["d"]), int(match["m"]), int(match["y"])
    else:
        day, month, year = (
            int(match["day"]),
            MONTHS[folded(match["month"])],
            int(match["year"] or 0),
        )
    try:
        if year:
            return date(year, month, day)
        if written is None:
            return None
        this = date(written.year, month, day)
        return this if this >= written else date(written.year + 1, month, day)
    except ValueError:
        return None


def _hour(words: str | None) -> time | None:
    """Read "12h", "23h59", "midi"; "minuit" and 24h are the end of the day they stand beside."""
    if words is None:
        return None
    if words.casefold() == "midi":
        return time(12)
    clock = _CLOCK.match(words)
    if clock is None or clock[1] in {"0", "00", "24"}:
        return _END_OF_DAY
    try:
        return time(int(clock[1]), int(clock[2] or 0))
    except ValueError:
        return None


def _said_hour(stated: Stated) -> bool:
    return stated.hour is not None

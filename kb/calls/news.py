"""News of calls: what differs between two states of one, in words that people read."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime  # noqa: TC003 -- dataclass fields are read at run time
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import quote

from kb.calls.dates import BRUSSELS
from kb.calls.status import (
    SAID_CLOSED,
    SAID_FORTHCOMING,
    SAID_OPEN,
    Words,
    said_status,
    status_at,
    withdrawn,
)
from kb.model import Applicant, Call, CallSource, CallStatus, DeadlineModel

if TYPE_CHECKING:
    from collections.abc import Callable

STATUS, TEXT = "status", "text"
# Between the values of a field that has several: a programme's name may hold a comma.
BETWEEN = "; "
SAID_WITHDRAWN = "withdrawn"


class NewsKind(StrEnum):
    """What has happened to a call."""

    NEW = "new"
    CHANGED = "changed"
    REOPENED = "reopened"
    CLOSED = "closed"
    GONE = "gone"  # no source lists it any more


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs between two states of a call.

    ``field``, ``before`` and ``after`` are set for ``changed`` alone; a value that is unknown is
    null. Values are the same in all languages: ``describe`` puts them into one.
    """

    kind: NewsKind
    field: str | None = None
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class CallNews:
    """A piece of news of a call, as it is kept: a ``Difference`` with its call and moment.

    ``id`` is null until it is stored. ``title`` is the call's after the change. ``digest`` is the
    same for the same change, also when it is found again after a rollback.
    """

    id: int | None
    document_id: str
    identifier: str
    title: str
    at: datetime
    kind: NewsKind
    field: str | None = None
    before: str | None = None
    after: str | None = None
    digest: str = ""


def compare(
    before: Call | None, after: Call, now: datetime, *, text_changed: bool = False
) -> list[Difference]:
    """Tell what differs between two states of a call, both looked at from the same moment.

    So time that passes is no news, nor is a source that was checked again. A call is ``reopened``
    or ``closed`` where its new state makes it so. A call whose status has become unknown has not
    reopened. Of a call that is gone nothing else is told.

    Args:
        before: The state that was known, or nothing.
        after: The state that is known now.
        now: The moment at which both are judged, aware.
        text_changed: Whether the texts of the call differ, which a ``Call`` does not hold.
    """
    if before is None:
        return [] if withdrawn(after) else [Difference(NewsKind.NEW)]
    if withdrawn(after):
        return [] if withdrawn(before) else [Difference(NewsKind.GONE)]
    alike = _checked_alike(before, after)
    found = [*_turned(alike, after, now), *_changed(alike, after)]
    if text_changed:
        found.append(Difference(NewsKind.CHANGED, TEXT))
    return found


def _checked_alike(before: Call, after: Call) -> Call:
    """Give the sources of ``before`` the order and times of ``after``.

    The word of the source that was checked last counts: without this, two sources that disagree
    would close and reopen a call in turn, by being checked in turn.
    """
    places = {_key(source): place for place, source in enumerate(after.sources)}
    checked = {_key(source): source.checked for source in after.sources}
    ordered = sorted(before.sources, key=lambda source: places.get(_key(source), len(places)))
    sources = (
        replace(source, checked=checked.get(_key(source), source.checked)) for source in ordered
    )
    return replace(before, sources=tuple(sources))


def _key(source: CallSource) -> tuple[str, str, str | None]:
    return source.name, source.language, source.url


def _turned(before: Call, after: Call, now: datetime) -> list[Difference]:
    was, is_now = status_at(before, now).status, status_at(after, now).status
    if was is CallStatus.CLOSED and is_now not in {CallStatus.CLOSED, CallStatus.UNKNOWN}:
        return [Difference(NewsKind.REOPENED)]
    if was is not CallStatus.CLOSED and is_now is CallStatus.CLOSED:
        return [Difference(NewsKind.CLOSED)]
    return []


def _changed(before: Call, after: Call) -> list[Difference]:
    found = []
    for name, written in _FIELDS.items():
        old, new = written(before), written(after)
        if old != new:
            found.append(Difference(NewsKind.CHANGED, name, old, new))
    return found


def plain(text: str) -> str:
    """Return a text on one line, without the characters that feeds and calendars can't hold."""
    return _UNFIT.sub(" ", text).strip(" ")


_UNFIT = re.compile("[\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")


def web_address(url: str | None) -> str | None:
    """Return an address that is safe to link to: ``http`` or ``https`` and nothing to escape."""
    if url is None or not re.match("https?://[^/]", url.strip(), re.IGNORECASE):
        return None
    return quote(plain(url), safe="%:/?#[]@!$&'()*+,;=~")


def moment(when: datetime) -> str:
    """A moment in Brussels, as news and exports write it: 2026-03-17 17:00."""
    return f"{when.astimezone(BRUSSELS):%Y-%m-%d %H:%M}"


def _opening(call: Call) -> str | None:
    # A call opens on a day: its midnight is no hour that a source has named.
    return None if call.opens is None else moment(call.opens).removesuffix(" 00:00")


def _status(call: Call) -> str | None:
    return SAID_WITHDRAWN if withdrawn(call) else said_status(call)


def _joined(values: tuple[str, ...]) -> str | None:
    # Sources give these in any order, which means nothing.
    return BETWEEN.join(sorted({plain(value) for value in values})) or None


def _text(value: str | None) -> str | None:
    return None if value is None else plain(value) or None


def _number(value: float | None) -> str | None:
    if value is None:
        return None
    return str(int(value)) if value == int(value) else f"{value:.2f}".rstrip("0")


# What matters to people, in the order in which it is told. Themes, keywords, languages and links
# are left out: they change without a call's being another.
_FIELDS: dict[str, Callable[[Call], str | None]] = {
    STATUS: _status,
    "deadlines": lambda call: BETWEEN.join(map(moment, sorted(call.deadlines))) or None,
    "deadline_model": lambda call: _text(call.deadline_model),
    "opens": _opening,
    "rolling": lambda call: "yes" if call.rolling else "no",
    "title": lambda call: _text(call.title),
    "programme": lambda call: _text(call.programme),
    "call_id": lambda call: _text(call.call_id),
    "call_title": lambda call: _text(call.call_title),
    "action_types": lambda call: _joined(call.action_types),
    "budget": lambda call: _number(call.budget),
    "grant_min": lambda call: _number(call.grant_min),
    "grant_max": lambda call: _number(call.grant_max),
    "expected_grants": lambda call: _number(call.expected_grants),
    "applicants": lambda call: _joined(call.applicants),
    "countries": lambda call: _joined(call.countries),
    "consortium_min": lambda call: _number(call.consortium_min),
    "cofinancing": lambda call: _number(call.cofinancing),
    "url": lambda call: _text(call.url),
}

FIELD_NAMES: dict[str, Words] = {
    STATUS: {"fr": "Statut à la source", "en": "Status at the source"},
    "deadlines": {"fr": "Date limite", "en": "Deadline"},
    "deadline_model": {"fr": "Nature des dates limites", "en": "Kind of deadlines"},
    "opens": {"fr": "Ouverture", "en": "Opening"},
    "rolling": {"fr": "Ouvert en continu", "en": "Open all the time"},
    "title": {"fr": "Titre", "en": "Title"},
    "programme": {"fr": "Programme", "en": "Programme"},
    "call_id": {"fr": "Identifiant de l'appel", "en": "Call identifier"},
    "call_title": {"fr": "Titre de l'appel", "en": "Call title"},
    "action_types": {"fr": "Type d'action", "en": "Type of action"},
    "budget": {"fr": "Budget", "en": "Budget"},
    "grant_min": {"fr": "Subvention minimale", "en": "Smallest grant"},
    "grant_max": {"fr": "Subvention maximale", "en": "Largest grant"},
    "expected_grants": {"fr": "Nombre de projets attendus", "en": "Grants expected"},
    "applicants": {"fr": "Candidats admis", "en": "Who may apply"},
    "countries": {"fr": "Pays admis", "en": "Countries"},
    "consortium_min": {"fr": "Partenaires au moins", "en": "Fewest partners"},
    "cofinancing": {"fr": "Part financée", "en": "Share paid"},
    "url": {"fr": "Adresse", "en": "Address"},
    TEXT: {"fr": "Texte", "en": "Text"},
}

KIND_NAMES: dict[NewsKind, Words] = {
    NewsKind.NEW: {"fr": "Nouvel appel", "en": "New call"},
    NewsKind.CHANGED: {"fr": "Appel modifié", "en": "Call changed"},
    NewsKind.REOPENED: {"fr": "Appel rouvert", "en": "Call reopened"},
    NewsKind.CLOSED: {"fr": "Appel fermé par la source", "en": "Call closed by its source"},
    NewsKind.GONE: {"fr": "Appel retiré", "en": "Call withdrawn"},
}

_VALUE_NAMES: dict[str, dict[str, Words]] = {
    STATUS: {
        SAID_FORTHCOMING: {"fr": "à venir", "en": "forthcoming"},
        SAID_OPEN: {"fr": "ouvert", "en": "open"},
        SAID_CLOSED: {"fr": "fermé", "en": "closed"},
        SAID_WITHDRAWN: {"fr": "retiré", "en": "withdrawn"},
    },
    "rolling": {"yes": {"fr": "oui", "en": "yes"}, "no": {"fr": "non", "en": "no"}},
    "deadline_model": {
        DeadlineModel.SINGLE_STAGE: {"fr": "une étape", "en": "one stage"},
        DeadlineModel.TWO_STAGE: {"fr": "deux étapes", "en": "two stages"},
        DeadlineModel.CUT_OFFS: {"fr": "plusieurs échéances", "en": "several cut-offs"},
    },
    "applicants": {
        Applicant.ASSOCIATION: {"fr": "associations", "en": "associations"},
        Applicant.NGO: {"fr": "ONG", "en": "NGOs"},
        Applicant.FOUNDATION: {"fr": "fondations", "en": "foundations"},
        Applicant.SOCIAL_ENTERPRISE: {"fr": "entreprises sociales", "en": "social enterprises"},
        Applicant.PUBLIC: {"fr": "organismes publics", "en": "public bodies"},
        Applicant.COMPANY: {"fr": "entreprises", "en": "companies"},
        Applicant.SME: {"fr": "PME", "en": "SMEs"},
        Applicant.RESEARCH: {"fr": "organismes de recherche", "en": "research organisations"},
        Applicant.EDUCATION: {"fr": "établissements d'enseignement", "en": "education bodies"},
        Applicant.INTERNATIONAL: {
            "fr": "organisations internationales",
            "en": "international organisations",
        },
        Applicant.INDIVIDUAL: {"fr": "particuliers", "en": "individuals"},
        Applicant.ANY: {"fr": "toute entité juridique", "en": "any legal entity"},
    },
    "countries": {
        "EU": {"fr": "Union européenne", "en": "European Union"},
        "ASSOCIATED": {"fr": "pays associés", "en": "associated countries"},
        "ANY": {"fr": "tous pays", "en": "any country"},
    },
}
_UNKNOWN = {"fr": "non précisé", "en": "not stated"}
_TEXT_CHANGED = {"fr": "Le texte a changé", "en": "The text has changed"}
_MONEY = {"budget", "grant_min", "grant_max"}


def describe(news: CallNews, language: str) -> str:
    """Say a piece of news in one line.

    Args:
        news: What is told.
        language: ``fr`` or ``en``.

    Returns:
        ``Date limite : 2026-03-17 17:00 → 2026-04-01 17:00``, or ``Nouvel appel : …``.
    """
    if news.kind is not NewsKind.CHANGED or news.field is None:
        return labelled(KIND_NAMES[news.kind][language], plain(news.title), language)
    if news.field == TEXT:
        return _TEXT_CHANGED[language]
    values = (in_words(news.field, value, language) for value in (news.before, news.after))
    return labelled(FIELD_NAMES[news.field][language], " → ".join(values), language)


def labelled(label: str, words: str, language: str) -> str:
    """Put a label before words, with the colon of the language."""
    return f"{label} : {words}" if language == "fr" else f"{label}: {words}"


def in_words(field: str, value: str | None, language: str) -> str:
    """Put a value of a ``Difference`` into a language: money with its sign, names for codes."""
    if value is None:
        return _UNKNOWN[language]
    if field in _MONEY:
        return euros(int(value), language)
    if field == "cofinancing":
        return f"{value.replace('.', ',')} %" if language == "fr" else f"{value}%"
    if names := _VALUE_NAMES.get(field):
        parts = value.split(BETWEEN)
        return ", ".join(names[part][language] if part in names else part for part in parts)
    return value


def euros(amount: int, language: str) -> str:
    """Write whole euros as the language does; the spaces of French don't break a line."""
    if language == "fr":
        return f"{amount:,} €".replace(",", "\u202f").replace(" ", "\u00a0")
    return f"€{amount:,}"

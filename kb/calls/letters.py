"""The words of mails, in French and English: the question to an address, and the digest."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from kb.calls.mail import Letter, one_line
from kb.calls.news import (
    FIELD_NAMES,
    KIND_NAMES,
    NewsKind,
    describe,
    labelled,
    moment,
    plain,
    web_address,
)
from kb.calls.status import day_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from kb.calls.news import CallNews
    from kb.calls.status import Status
    from kb.model import Call

# A mail that nobody reads to its end helps nobody; the feeds have the rest.
MAX_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """What a digest tells of one call: its news, and a deadline that one is reminded of."""

    document_id: str
    call: Call
    status: Status
    news: tuple[CallNews, ...] = ()
    reminder: datetime | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses in a digest."""

    public_url: str
    unsubscribe: str


_QUESTION = {
    "fr": (
        "Confirmez votre adresse pour recevoir des alertes",
        (
            "Cette adresse a été donnée le {day} pour recevoir des alertes sur des appels à "
            "projets (Opération Milliard). Pour les recevoir, confirmez-la dans les sept "
            "jours\u00a0:"
        ),
        "Confirmer l'adresse",
        (
            "Si ce n'était pas vous, ne faites rien\u00a0: sans confirmation, l'adresse est "
            "effacée dans les sept jours et rien d'autre ne lui est envoyé."
        ),
        "Effacer l'adresse tout de suite",
    ),
    "en": (
        "Confirm your address to receive alerts",
        (
            "This address was given on {day} to receive alerts on calls for proposals (Opération "
            "Milliard). To receive them, confirm it within seven days:"
        ),
        "Confirm the address",
        (
            "If that was not you, do nothing: without confirmation the address is erased within "
            "seven days, and nothing else is sent to it."
        ),
        "Erase the address now",
    ),
}

_NEXT = {"fr": "Prochaine date limite", "en": "Next deadline"}
_BRUSSELS = {"fr": "heure de Bruxelles", "en": "Brussels time"}
_REMINDER = {"fr": "Rappel : la date limite approche", "en": "Reminder: the deadline is near"}
_PORTAL = {"fr": "À la source", "en": "At the source"}
_OURS = {"fr": "Ce qui en est connu", "en": "What is known of it"}
_STATUS = {"fr": "Statut", "en": "Status"}
_INTRODUCTION = {
    "fr": "Voici ce qui concerne votre recherche «\u00a0{name}\u00a0».",
    "en": "This concerns your search “{name}”.",
}
_MORE = {
    "fr": "{count} autres appels ne tiennent pas ici\u00a0: ils sont dans le flux de la recherche.",
    "en": "{count} more calls do not fit in here: the search's feed has them.",
}
_FOOT = {
    "fr": "Vous recevez ce message parce que vous avez confirmé cette adresse.",
    "en": "You receive this mail because you confirmed this address.",
}
_UNSUBSCRIBE = {
    "fr": "Ne plus en recevoir et effacer l'adresse",
    "en": "Receive no more and erase the address",
}
_COUNTED = {
    "fr": (("nouveau", "nouveaux"), ("modifié", "modifiés"), ("échéance", "échéances")),
    "en": (("new", "new"), ("changed", "changed"), ("deadline near", "deadlines near")),
}


def question(language: str, *, confirm: str, unsubscribe: str, given: datetime) -> Letter:
    """Ask whether an address wants digests.

    It holds no word of whoever gave the address: this mail may go to somebody who wants nothing.
    """
    subject, why, confirm_words, otherwise, erase = _QUESTION[language]
    why = why.format(day=day_of(given))
    text = f"{why}\n\n{confirm}\n\n{otherwise}\n\n{labelled(erase, unsubscribe, language)}\n"
    html = _page(
        language,
        f"<p>{escape(why)}</p>"
        f'<p style="font-size:1.1em">{_link(confirm, confirm_words)}</p>'
        f"<p>{escape(otherwise)}</p>"
        f'<p style="color:#555">{_link(unsubscribe, erase)}</p>',
    )
    return Letter(subject, text, html, language)


def digest(name: str, language: str, entries: Sequence[Entry], links: Links) -> Letter:
    """Tell what is new for a saved search, each call once with everything that changed in it."""
    shown = entries[:MAX_SHOWN]
    more = len(entries) - len(shown)
    introduction = _INTRODUCTION[language].format(name=one_line(name))
    rest = _MORE[language].format(count=more) if more else ""
    told = [(plain(entry.call.title), _lines(entry, language), entry) for entry in shown]
    texts = [introduction]
    parts = [f"<p>{escape(introduction)}</p>"]
    for title, lines, entry in told:
        addresses = _addresses(entry.call, links, language)
        said = [*lines, *(labelled(words, url, language) for words, url in addresses)]
        texts.append("\n".join([title, *(f"  - {line}" for line in said)]))
        parts.append(_entry_html(title, lines, addresses))
    if rest:
        texts.append(rest)
        parts.append(f"<p>{escape(rest)}</p>")
    unsubscribe = labelled(_UNSUBSCRIBE[language], links.unsubscribe, language)
    texts.append(f"-- \n{_FOOT[language]}\n{unsubscribe}")
    parts.append(
        f'<p style="color:#555">{escape(_FOOT[language])}<br>'
        f"{_link(links.unsubscribe, _UNSUBSCRIBE[language])}</p>"
    )
    subject = labelled(one_line(name), _counted(entries, language), language)
    return Letter(subject, "\n\n".join(texts) + "\n", _page(language, "".join(parts)), language)


def _lines(entry: Entry, language: str) -> list[str]:
    """What is said of a call under its title."""
    lines = []
    if programme := plain(entry.call.programme or ""):
        lines.append(labelled(FIELD_NAMES["programme"][language], programme, language))
    for news in entry.news:
        changed = news.kind is NewsKind.CHANGED
        lines.append(describe(news, language) if changed else KIND_NAMES[news.kind][language])
    if entry.reminder is not None:
        lines.append(_REMINDER[language])
    lines.append(_deadline(entry.status, language))
    return lines


def _deadline(status: Status, language: str) -> str:
    if status.next_deadline is None or status.days_left is None:
        return labelled(_STATUS[language], status.reasons.get(language, ""), language)
    days = status.days_left
    plural = "" if days == 1 else "s"
    left = {
        "fr": "aujourd'hui" if days == 0 else f"dans {days} jour{plural}",
        "en": "today" if days == 0 else f"in {days} day{plural}",
    }[language]
    when = f"{moment(status.next_deadline)} ({_BRUSSELS[language]}), {left}"
    return labelled(_NEXT[language], when, language)


def _addresses(call: Call, links: Links, language: str) -> list[tuple[str, str]]:
    """What a reader may open, each with its words: the source's page and ours."""
    sources = (call.url, *(source.url for source in call.sources))
    portal = next(filter(None, map(web_address, sources)), None)
    ours = f"{links.public_url}/calls/{quote(call.identifier, safe='')}"
    found = [(_PORTAL[language], portal)] if portal else []
    return [*found, (_OURS[language], ours)]


def _counted(entries: Sequence[Entry], language: str) -> str:
    """How many calls are new, changed, or told of for their deadline alone."""
    new = sum(any(each.kind is NewsKind.NEW for each in entry.news) for entry in entries)
    reminded = sum(not entry.news for entry in entries)
    counts = (new, len(entries) - new - reminded, reminded)
    return ", ".join(
        f"{count} {one if count == 1 else several}"
        for count, (one, several) in zip(counts, _COUNTED[language], strict=True)
        if count
    )


def _entry_html(title: str, lines: Sequence[str], addresses: Sequence[tuple[str, str]]) -> str:
    said = "".join(f"<li>{escape(line)}</li>" for line in lines)
    links = " · ".join(_link(url, words) for words, url in addresses)
    return (
        f'<h2 style="font-size:1.1em;margin:1.5em 0 0.3em">{escape(title)}</h2>'
        f'<ul style="margin:0 0 0.3em;padding-left:1.2em">{said}</ul>'
        f'<p style="margin:0">{links}</p>'
    )


def _link(url: str, words: str) -> str:
    return f'<a href="{escape(url)}">{escape(words)}</a>'


def _page(language: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head><meta charset="utf-8"></head>\n'
        '<body style="font-family:sans-serif;line-height:1.4;max-width:40em">\n'
        f"{body}\n</body>\n</html>\n"
    )

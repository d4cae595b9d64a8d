"""Calls as the command line shows them to people, in French or English."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kb.calls.news import BETWEEN, FIELD_NAMES, describe, euros, in_words, labelled
from kb.calls.status import day_of
from kb.index.conditions import UNKNOWN
from kb.model import CallStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kb.calls.finder import CallHit, CallPage
    from kb.calls.news import CallNews

STATUS_NAMES = {
    "fr": {
        "forthcoming": "à venir",
        "open": "ouvert",
        "closing_soon": "ferme bientôt",
        "closed": "fermé",
        "rolling": "permanent",
        "unknown": "inconnu",
    },
    "en": {
        "forthcoming": "forthcoming",
        "open": "open",
        "closing_soon": "closing soon",
        "closed": "closed",
        "rolling": "rolling",
        "unknown": "unknown",
    },
}
_WORDS = {
    "fr": {
        "calls": ("appel", "appels"),
        "headers": ("Appel", "Statut", "Échéance"),
        "project": "Par projet",
        "next": "Page suivante",
        "day": "j",
        "for": "Pour",
        "against": "Attention",
        "none": "Aucun appel.",
        "unchanged": "Rien n'a changé.",
        "far": "Aucun de ces appels n'emploie les mots de la question : ce sont les plus proches.",
        "soon": "dont {} dans les 30 jours",
        "changes": ("Date", "Appel", ""),
        "said": ("Ce que disent les textes", "Historique"),
    },
    "en": {
        "calls": ("call", "calls"),
        "headers": ("Call", "Status", "Deadline"),
        "project": "Per project",
        "next": "Next page",
        "day": "d",
        "for": "For",
        "against": "Mind",
        "none": "No calls.",
        "unchanged": "Nothing has changed.",
        "far": "None of these calls uses the words of the question: they are the nearest.",
        "soon": "{} of them within 30 days",
        "changes": ("Date", "Call", ""),
        "said": ("What the texts say", "History"),
    },
}
# The rows of a call beside those that news have a name for.
_ROWS = {
    "identifier": {"fr": "Identifiant", "en": "Identifier"},
    "status": {"fr": "Statut", "en": "Status"},
    "topic_id": {"fr": "Identifiant du sujet", "en": "Topic identifier"},
    "funder": {"fr": "Financeur", "en": "Funder"},
    "themes": {"fr": "Thèmes", "en": "Themes"},
    "keywords": {"fr": "Mots-clés", "en": "Keywords"},
    "languages": {"fr": "Langues", "en": "Languages"},
    "links": {"fr": "Liens", "en": "Links"},
    "sources": {"fr": "Sources", "en": "Sources"},
}
_DETAIL = (
    *("identifier", "programme", "call_id", "call_title", "topic_id", "action_types", "funder"),
    *("status", "opens", "deadlines", "deadline_model", "budget", "grant_min", "grant_max"),
    *("expected_grants", "cofinancing", "applicants", "countries", "consortium_min", "themes"),
    *("keywords", "languages", "url", "links", "sources"),
)


# What people look for first: that it is not known is worth a row.
_ASKED_FOR = ("opens", "budget", "grant_max", "applicants", "countries", "cofinancing")


def show_page(page: CallPage, language: str) -> None:
    """Print a page of calls, how many there are of each status, and how to go on."""
    console, words = Console(), _WORDS[language]
    one, several = words["calls"]
    table = Table(title=f"{page.total} {one if page.total == 1 else several}", show_lines=True)
    for header in words["headers"]:
        table.add_column(str(header), overflow="fold")  # identifiers are to be copied
    for hit in page.hits:
        table.add_row(*(escape(cell) for cell in _cells(hit, language)))
    if page.hits:
        console.print(table)
    if not page.hits:
        console.print(words["none"])
        return
    console.print(_statuses(page, language))
    if not page.near:
        console.print(words["far"])
    if page.next:
        told = labelled(str(words["next"]), f"--cursor {page.next}", language)
        console.print(told, soft_wrap=True)


def _statuses(page: CallPage, language: str) -> str:
    """The counts by status; those that close soon are among the open ones."""
    counts = dict(page.facets["status"])
    soon = counts.pop(CallStatus.CLOSING_SOON.value, 0)
    parts = []
    for name, count in counts.items():
        if count:
            among = name == CallStatus.OPEN.value and soon
            told = f" ({str(_WORDS[language]['soon']).format(soon)})" if among else ""
            parts.append(f"{STATUS_NAMES[language][name]} {count}{told}")
    return " · ".join(parts)


def _who(hit: CallHit, language: str) -> str:
    """Who may apply and from where, as far as is known."""
    return " · ".join(
        labelled(FIELD_NAMES[name][language], in_words(name, value or None, language), language)
        for name, value in (
            ("applicants", BETWEEN.join(hit.call.applicants)),
            ("countries", BETWEEN.join(hit.call.countries)),
        )
    )


def _cells(hit: CallHit, language: str) -> tuple[str, ...]:
    call, status = hit.call, hit.status
    amounts = _per_project(hit, language)
    about = " · ".join(part for part in (call.programme, amounts) if part)
    quotes = "".join(f"\n« {citation.quote} »" for citation in hit.why[:1])
    deadline = "—"
    if status.next_deadline is not None:
        left = f"{status.days_left} {_WORDS[language]['day']}"
        deadline = f"{day_of(status.next_deadline)}\n{left}"
    elif call.deadlines:
        deadline = day_of(call.deadlines[-1])
    state = STATUS_NAMES[language][status.status.value]
    who = _who(hit, language)
    # The identifier stands alone: it is to be copied.
    lines = [line for line in (call.title, call.identifier, about, who) if line]
    return ("\n".join(lines) + quotes, state, deadline)


def _per_project(hit: CallHit, language: str) -> str:
    amounts = [hit.call.grant_min, hit.call.grant_max]
    shown = [euros(amount, language) for amount in dict.fromkeys(amounts) if amount]
    if not shown:
        return ""
    return labelled(str(_WORDS[language]["project"]), " – ".join(shown), language)


def show_detail(shown: dict[str, Any], language: str) -> None:
    """Print everything known of a call, from its JSON: fields, sentences behind them, history."""
    console = Console()
    table = Table(title=escape(shown["title"]), show_header=False)
    table.add_column()
    table.add_column(overflow="fold")  # addresses are to be copied
    for name in _DETAIL:
        if told := _told(name, shown, language):
            label = (_ROWS.get(name) or FIELD_NAMES[name])[language]
            table.add_row(label, escape(told))
    console.print(table)
    texts, history = _WORDS[language]["said"]
    if shown["facts"]:
        console.print(f"[bold]{texts}[/]")
    for fact in shown["facts"]:
        field = fact["field"]
        named = labelled(
            FIELD_NAMES[field][language], in_words(field, fact["value"], language), language
        )
        console.print(escape(f"{named} — {_quoted(fact['citation'])}"))
    for page in shown["pages"][:1]:
        console.print(f"[bold]{escape(page['label'] or '')}[/]")
        console.print(escape(page["text"]))
    if shown["history"]:
        console.print(f"[bold]{history}[/]")
    for news in shown["history"]:
        console.print(escape(f"{news['at'][:10]}  {news['says']}"))


def _told(name: str, shown: dict[str, Any], language: str) -> str:  # noqa: PLR0911 -- one a kind of field
    value = shown[name]
    if value in (None, [], "", [UNKNOWN]):
        return in_words(name, None, language) if name in _ASKED_FOR else ""
    if name == "status":
        return f"{STATUS_NAMES[language][value]}\n{shown['status_reason']}"
    if name == "opens":
        return str(value)[:10]
    if name == "deadlines":
        return ", ".join(f"{moment[:10]} {moment[11:16]}" for moment in value)
    if name == "links":
        return "\n".join(f"{link['name']}: {link['url']}" for link in value)
    if name == "sources":
        return "\n".join(f"{each['name']}, {each['checked'][:10]}" for each in value)
    if name == "cofinancing":
        value = f"{value:g}"
    parts = [str(each) for each in value] if isinstance(value, list) else [str(value)]
    return in_words(name, BETWEEN.join(parts), language)


def show_matches(shown: Sequence[dict[str, Any]], language: str) -> None:
    """Print calls for a profile, each with what speaks for it and what may rule it out."""
    console, words = Console(), _WORDS[language]
    if not shown:
        console.print(words["none"])
    for number, hit in enumerate(shown, start=1):
        days = "" if hit["days_left"] is None else f" ({hit['days_left']} {words['day']})"
        console.print(f"[bold]{number}. {escape(hit['title'])}[/]")
        state = STATUS_NAMES[language][hit["status"]] + days
        parts = (hit["programme"], hit["identifier"], state)
        console.print(escape(f"   {' · '.join(part for part in parts if part)}"))
        for name, statements in (("for", hit["fits"]), ("against", hit["rules_out"])):
            for each in statements:
                said = labelled(each["says"], _quoted(each["citation"]), language)
                console.print(escape(f"   {words[name]} — {said}"))


def _quoted(citation: dict[str, Any]) -> str:
    return f"« {' '.join(citation['quote'].split())} »"


def show_changes(found: Sequence[CallNews], language: str) -> None:
    """Print news of calls, oldest first."""
    console, words = Console(), _WORDS[language]
    if not found:
        console.print(words["unchanged"])
        return
    table = Table(*words["changes"])
    for news in found:
        table.add_row(
            f"{news.at:%Y-%m-%d}", escape(news.identifier), escape(describe(news, language))
        )
    console.print(table)

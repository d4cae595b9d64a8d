"""``kb calls``, ``kb call`` and ``kb changes``: finding calls and following what changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path  # noqa: TC003 -- Typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kb.commands import JsonOption, opened, print_json
from kb.errors import NotFoundError, UsageError
from kb.model import Visibility

if TYPE_CHECKING:
    from kb.bootstrap import KnowledgeBase
    from kb.calls.finder import CallHit, CallPage
    from kb.calls.query import CallQuery

app = typer.Typer()

EVERYBODY = tuple(Visibility)  # the command line is the staff's own
# What somebody who looks for money can apply for, or get ready for.
DEFAULT_STATUSES = ("open", "forthcoming", "rolling")
_LANGUAGES = ("fr", "en")
Values = list[str] | None

StatusOption = Annotated[
    Values, typer.Option("--status", help="open, forthcoming, closing_soon, closed, rolling …")
]
ProgrammeOption = Annotated[Values, typer.Option(help="Name, part of it or code.")]
ActionOption = Annotated[Values, typer.Option("--action-type", help="Such as RIA, or its name.")]
ApplicantOption = Annotated[
    Values, typer.Option("--applicant", help="association, ngo, public, company …")
]
CountryOption = Annotated[Values, typer.Option("--country", help="Where the applicant is: FR.")]
ThemeOption = Annotated[Values, typer.Option("--theme", help="A theme of the call.")]
AfterOption = Annotated[str | None, typer.Option(help="A deadline on this day or later.")]
BeforeOption = Annotated[str | None, typer.Option(help="A deadline on this day or before.")]
MinOption = Annotated[int | None, typer.Option(help="At least so many euros, or unknown.")]
MaxOption = Annotated[int | None, typer.Option(help="At most so many euros, or unknown.")]
SortOption = Annotated[str | None, typer.Option(help="relevance, deadline, budget or newest.")]
LanguageOption = Annotated[str, typer.Option(help="Of the words around the calls: fr or en.")]
AsOfOption = Annotated[str | None, typer.Option("--as-of", help="As on this day, noon.")]


def asked_from(
    query: str,
    status: Values,
    programme: Values,
    action_type: Values,
    applicant: Values,
    country: Values,
    theme: Values,
    deadline_after: str | None,
    deadline_before: str | None,
    budget_min: int | None,
    budget_max: int | None,
    sort: str | None,
) -> CallQuery:
    """The query that a command's options state; raises UsageError where one can't be used."""
    from kb.calls.query import CallQuery  # noqa: PLC0415 -- keeps `kb --help` quick

    values: dict[str, Any] = {
        "query": query,
        "status": status,
        "programme": programme,
        "action_type": action_type,
        "applicant": applicant,
        "country": country,
        "theme": theme,
        "deadline_after": deadline_after,
        "deadline_before": deadline_before,
        "budget_min": budget_min,
        "budget_max": budget_max,
        "sort": sort,
    }
    return CallQuery.from_values({k: v for k, v in values.items() if v not in (None, [], "")})


@app.command()
def calls(
    query: Annotated[str, typer.Argument(help="What the money is sought for.")] = "",
    status: StatusOption = None,
    programme: ProgrammeOption = None,
    action_type: ActionOption = None,
    applicant: ApplicantOption = None,
    country: CountryOption = None,
    theme: ThemeOption = None,
    deadline_after: AfterOption = None,
    deadline_before: BeforeOption = None,
    budget_min: MinOption = None,
    budget_max: MaxOption = None,
    sort: SortOption = None,
    limit: Annotated[int, typer.Option(help="Calls on a page, at most 100.")] = 10,
    cursor: Annotated[str | None, typer.Option(help="`next` of the page before.")] = None,
    as_of: AsOfOption = None,
    language: LanguageOption = "fr",
    export: Annotated[
        Path | None, typer.Option(help="Write every result: .csv, .xlsx, .jsonl, .ics, .atom.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find calls, with their status today; without --status all are searched and labelled."""
    asked = asked_from(
        query,
        status,
        programme,
        action_type,
        applicant,
        country,
        theme,
        deadline_after,
        deadline_before,
        budget_min,
        budget_max,
        sort,
    )
    spoken = _language(language)
    with opened() as kb:
        now = moment(kb, as_of)
        if export is not None:
            _export(kb, asked, now, spoken, export)
            return
        page = kb.finder.find(asked, EVERYBODY, now, cursor=cursor, limit=limit)
        if as_json:
            from kb.shapes import call_page_json  # noqa: PLC0415 -- keeps `kb --help` quick

            print_json(call_page_json(page, spoken))
        else:
            _show(page, spoken)


@app.command()
def call(
    identifier: Annotated[str, typer.Argument(help="As the source writes it, in any case.")],
    as_of: AsOfOption = None,
    language: LanguageOption = "fr",
    as_json: JsonOption = False,
) -> None:
    """Show everything known of one call, with the sentences that say so and its history."""
    from kb.calls.detail import detail_json  # noqa: PLC0415 -- keeps `kb --help` quick

    spoken = _language(language)
    with opened() as kb:
        hit = kb.finder.one(identifier, EVERYBODY, moment(kb, as_of))
        if hit is None:
            raise NotFoundError(f"There is no call {identifier!r}. `kb calls` lists them.")
        shown = detail_json(kb, hit, EVERYBODY, spoken)
    if as_json:
        print_json(shown)
    else:
        _show_detail(shown)


@app.command()
def match(
    profile: Annotated[Path, typer.Argument(help="A YAML file: see corpus/profiles.")],
    status: StatusOption = None,
    programme: ProgrammeOption = None,
    deadline_after: AfterOption = None,
    deadline_before: BeforeOption = None,
    limit: Annotated[int, typer.Option(help="Calls, at most 50.")] = 10,
    as_of: AsOfOption = None,
    language: LanguageOption = "fr",
    as_json: JsonOption = False,
) -> None:
    """Find the calls that fit an association; open and coming ones unless told otherwise."""
    from kb.calls.match import match as matched  # noqa: PLC0415 -- keeps `kb --help` quick
    from kb.calls.profile import read_profile  # noqa: PLC0415 -- as above
    from kb.calls.query import CallQuery  # noqa: PLC0415 -- as above
    from kb.shapes import match_json  # noqa: PLC0415 -- as above

    spoken = _language(language)
    described = read_profile(profile)
    values = {
        "status": status or list(DEFAULT_STATUSES),
        "programme": programme or [],
        "deadline_after": deadline_after,
        "deadline_before": deadline_before,
    }
    asked = CallQuery.from_values(values)
    with opened() as kb:
        found = matched(
            kb, described, asked, visibilities=EVERYBODY, now=moment(kb, as_of), limit=limit
        )
    shown = [match_json(each, spoken) for each in found]
    if as_json:
        print_json({"profile": described.name, "hits": shown})
    else:
        _show_matches(shown, spoken)


@app.command()
def changes(
    since: Annotated[str | None, typer.Option(help="From this day on; default: 7 days.")] = None,
    language: LanguageOption = "fr",
    as_json: JsonOption = False,
) -> None:
    """Tell what changed in calls: new, changed, reopened, closed, gone."""
    from kb.calls.dates import day_starts  # noqa: PLC0415 -- keeps `kb --help` quick
    from kb.shapes import news_json  # noqa: PLC0415 -- as above

    spoken = _language(language)
    with opened() as kb:
        start = day_starts(_day(since, "--since")) if since else kb.clock() - timedelta(days=7)
        generation = kb.record.current_id()
        found = [] if generation is None else kb.calls.news(generation, EVERYBODY, since=start)
    if as_json:
        print_json({"changes": [news_json(news, spoken) for news in found]})
        return
    console = Console()
    if not found:
        console.print("Nothing has changed." if spoken == "en" else "Rien n'a changé.")
        return
    from kb.calls.news import describe  # noqa: PLC0415 -- as above

    table = Table("Date", "Appel" if spoken == "fr" else "Call", "")
    for news in found:
        name = f"{news.identifier}\n{news.title}"
        table.add_row(f"{news.at:%Y-%m-%d}", escape(name), escape(describe(news, spoken)))
    console.print(table)


def moment(kb: KnowledgeBase, as_of: str | None) -> datetime:
    """Now, or noon in Brussels of the day that --as-of names."""
    if as_of is None:
        return kb.clock()
    from kb.calls.dates import day_starts  # noqa: PLC0415 -- keeps `kb --help` quick

    return (day_starts(_day(as_of, "--as-of")) + timedelta(hours=12)).astimezone(UTC)


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} is {text!r}; write it as YYYY-MM-DD.") from None


def _language(text: str) -> str:
    if text not in _LANGUAGES:
        raise UsageError(f"--language is {text!r}; it must be one of {', '.join(_LANGUAGES)}.")
    return text


def _export(kb: KnowledgeBase, asked: CallQuery, now: datetime, language: str, path: Path) -> None:
    from kb.calls.telling import Telling, written  # noqa: PLC0415 -- keeps `kb --help` quick

    telling = Telling(EVERYBODY, now, language, self_url=path.name)
    content = written(kb, asked, telling, path.suffix.lstrip(".").lower())
    path.write_bytes(content)
    typer.echo(f"{path}", err=True)


def _show(page: CallPage, language: str) -> None:
    console = Console()
    french = language == "fr"
    title = f"{page.total} appels" if french else f"{page.total} calls"
    headers = (
        ("Appel", "Statut", "Échéance", "Par projet")
        if french
        else ("Call", "Status", "Deadline", "Per project")
    )
    table = Table(*headers, title=title, show_lines=True)
    for hit in page.hits:
        table.add_row(*(escape(cell) for cell in _cells(hit, language)))
    console.print(table)
    counts = {name: count for name, count in page.facets["status"].items() if count}
    console.print(" · ".join(f"{STATUS_NAMES[language][name]} {n}" for name, n in counts.items()))
    if page.next:
        told = "Page suivante" if french else "Next page"
        console.print(f"{told} : --cursor {page.next}", soft_wrap=True)


def _cells(hit: CallHit, language: str) -> tuple[str, ...]:
    from kb.calls.status import day_of  # noqa: PLC0415 -- keeps `kb --help` quick

    call, status = hit.call, hit.status
    named = " · ".join(part for part in (call.programme, call.identifier) if part)
    quotes = "".join(f"\n« {citation.quote} »" for citation in hit.why[:1])
    deadline = "—"
    if status.next_deadline is not None:
        left = f"{status.days_left} j" if language == "fr" else f"{status.days_left} d"
        deadline = f"{day_of(status.next_deadline)}\n{left}"
    elif call.deadlines:
        deadline = day_of(call.deadlines[-1])
    state = STATUS_NAMES[language][status.status.value]
    return (f"{call.title}\n{named}{quotes}", state, deadline, _per_project(hit, language))


def _per_project(hit: CallHit, language: str) -> str:
    from kb.calls.news import euros  # noqa: PLC0415 -- keeps `kb --help` quick

    amounts = [hit.call.grant_min, hit.call.grant_max]
    shown = [euros(amount, language) for amount in dict.fromkeys(amounts) if amount]
    return " – ".join(shown) or "?"


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


def _show_detail(shown: dict[str, Any]) -> None:
    console = Console()
    table = Table("", "", title=escape(shown["title"]), show_header=False)
    for name, value in shown.items():
        if value in (None, [], "") or name in {"title", "facts", "history", "sources", "why"}:
            continue
        listed = ", ".join(map(_said, value)) if isinstance(value, list) else str(value)
        table.add_row(name, escape(listed))
    for source in shown["sources"]:
        table.add_row("source", escape(f"{source['name']}, {source['checked']}"))
    console.print(table)
    for fact in shown["facts"]:
        quote = fact["citation"]["quote"]
        console.print(escape(f"{fact['field']} = {fact['value']} : « {quote} »"))
    for news in shown["history"]:
        console.print(escape(f"{news['at'][:10]}  {news['says']}"))


def _said(value: Any) -> str:
    return f"{value['name']}: {value['url']}" if isinstance(value, dict) else str(value)


def _show_matches(shown: list[dict[str, Any]], language: str) -> None:
    console = Console()
    for_it = "Pour" if language == "fr" else "For"
    against = "Attention" if language == "fr" else "Mind"
    for number, hit in enumerate(shown, start=1):
        days = "" if hit["days_left"] is None else f" ({hit['days_left']} j)"
        console.print(f"[bold]{number}. {escape(hit['title'])}[/]")
        state = STATUS_NAMES[language][hit["status"]]
        console.print(escape(f"   {hit['programme']} · {hit['identifier']} · {state}{days}"))
        for name, statements in ((for_it, hit["fits"]), (against, hit["rules_out"])):
            for each in statements:
                quote = " ".join(each["citation"]["quote"].split())
                console.print(escape(f"   {name} — {each['says']} : « {quote} »"))

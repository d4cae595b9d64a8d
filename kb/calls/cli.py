"""``kb calls``, ``kb call`` and ``kb changes``: finding calls and following what changes."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path  # noqa: TC003 -- Typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kb.commands import JsonOption, opened, print_json
from kb.errors import NotFoundError, UsageError
from kb.model import FULL_ACCESS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kb.bootstrap import KnowledgeBase
    from kb.calls.query import CallQuery

app = typer.Typer()

EVERYBODY = FULL_ACCESS  # the command line is the staff's own
# What somebody who looks for money can apply for, or get ready for.
DEFAULT_STATUSES = ("open", "forthcoming", "rolling")
_LANGUAGES = ("fr", "en")
_NAME = re.compile(
    r"^(?:status|programme|action_type|applicant|country|theme|deadline_(?:after|before)"
    r"|budget_(?:min|max)|sort|limit|cursor|as_of)\b"
)
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
    with _options():
        return CallQuery.from_values({k: v for k, v in values.items() if v not in (None, [], "")})


@contextmanager
def _options() -> Iterator[None]:
    """Name options as they are written here; elsewhere ``--sort-by`` would be ``sort_by``."""
    try:
        yield
    except UsageError as error:
        told = _NAME.sub(lambda name: f"--{name[0].replace('_', '-')}", str(error), count=1)
        raise UsageError(told) from None


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
        Path | None,
        typer.Option(
            help="A file: every result (.csv, .xlsx, .jsonl), or to follow (.ics, .atom)."
        ),
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
        now = _moment(kb, as_of)
        if export is not None:
            _export(kb, asked, now, spoken, export)
            return
        with _options():
            page = kb.finder.find(asked, EVERYBODY, now, cursor=cursor, limit=limit)
        if as_json:
            from kb.shapes import call_page_json  # noqa: PLC0415 -- keeps `kb --help` quick

            print_json(call_page_json(page, spoken))
            return
    from kb.calls.shown import show_page  # noqa: PLC0415 -- as above

    show_page(page, spoken)


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
        hit = kb.finder.one(identifier, EVERYBODY, _moment(kb, as_of))
        if hit is None:
            raise NotFoundError(f"There is no call {identifier!r}. `kb calls` lists them.")
        shown = detail_json(kb, hit, EVERYBODY, spoken)
    if as_json:
        print_json(shown)
        return
    from kb.calls.shown import show_detail  # noqa: PLC0415 -- as above

    show_detail(shown, spoken)


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
    with _options():
        asked = CallQuery.from_values(values)
    with opened() as kb, _options():
        found = matched(kb, described, asked, access=EVERYBODY, now=_moment(kb, as_of), limit=limit)
    shown = [match_json(each, spoken) for each in found]
    if as_json:
        print_json({"profile": described.name, "hits": shown})
        return
    from kb.calls.shown import show_matches  # noqa: PLC0415 -- as above

    show_matches(shown, spoken)


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
    from kb.calls.shown import show_changes  # noqa: PLC0415 -- as above

    show_changes(found, spoken)


def _moment(kb: KnowledgeBase, as_of: str | None) -> datetime:
    """Now, or noon in Brussels of the day that --as-of names."""
    if as_of is None:
        return kb.clock()
    from kb.calls.dates import noon  # noqa: PLC0415 -- keeps `kb --help` quick

    with _options():
        return noon(_day(as_of, "--as-of"))


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
    from kb.calls.telling import MEDIA_TYPES, Telling, written  # noqa: PLC0415 -- keeps `kb --help` quick

    form = path.suffix.lstrip(".").lower()
    if form not in MEDIA_TYPES:
        known = ", ".join(f".{each}" for each in MEDIA_TYPES)
        raise UsageError(f"--export is {str(path)!r}; it must end with one of {known}.")
    content = written(kb, asked, Telling(EVERYBODY, now, language, self_url=path.name), form)
    path.write_bytes(content)
    typer.echo(f"{path}", err=True)

"""``kb searches`` and ``kb alerts``: searches with secret addresses, their digests by e-mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kb.calls.cli import (
    ActionOption,
    AfterOption,
    ApplicantOption,
    BeforeOption,
    CountryOption,
    MaxOption,
    MinOption,
    ProgrammeOption,
    StatusOption,
    ThemeOption,
    asked_from,
)
from kb.commands import JsonOption, opened, print_json
from kb.errors import UsageError
from kb.model import Visibility

if TYPE_CHECKING:
    from kb.bootstrap import KnowledgeBase
    from kb.calls.alerts import AlertsReport, Post
    from kb.record.searches import SavedSearch

app = typer.Typer()
_searches = typer.Typer(no_args_is_help=True, help="Saved searches with secret addresses.")
_alerts = typer.Typer(no_args_is_help=True, help="Digests of what is new, by e-mail.")
app.add_typer(_searches, name="searches")
app.add_typer(_alerts, name="alerts")


@_searches.command()
def create(  # noqa: PLR0913, PLR0917 -- a command has one parameter an option
    name: Annotated[str, typer.Argument(help="What the search is called.")],
    query: Annotated[str, typer.Option(help="Words or a question.")] = "",
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
    email: Annotated[str, typer.Option(help="Send digests here, once confirmed.")] = "",
    language: Annotated[str, typer.Option(help="Of feeds and digests: fr or en.")] = "fr",
    visibility: Annotated[
        Visibility, typer.Option(help="What feeds and digests may show at most.")
    ] = Visibility.PUBLIC,
    as_json: JsonOption = False,  # noqa: FBT002 -- a flag is false until it is given
) -> None:
    """Save a search. Its addresses are shown this once: whoever has them reads its calls."""
    from kb.calls.searches import NewSearch  # noqa: PLC0415 -- keeps `kb --help` quick
    from kb.calls.searches import create as create_search  # noqa: PLC0415 -- as above
    from kb.record.searches import SearchesRecord  # noqa: PLC0415 -- as above

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
        sort=None,
    )
    with opened() as kb:
        post = _post(kb) if email else None
        new = NewSearch(name, asked, language, visibility, email)
        searches = SearchesRecord(kb.engine)
        search, secret = create_search(searches, new, kb.clock(), kb.calls.newest_news())
        base = f"{kb.settings.public_url.rstrip('/')}/v1/feeds/{secret}"
        if post is not None:
            _ask(kb, post, search)
    feeds = {"ics": f"{base}/calls.ics", "atom": f"{base}/calls.atom"}
    if as_json:
        print_json({**_search_json(search), "secret": secret, "feeds": feeds})
        return
    typer.echo(f"Saved search {search.id}, {search.name}. Keep its addresses: they are secret and")
    typer.echo("are not shown again.")
    typer.echo(f"Calendar: {feeds['ics']}\nFeed:     {feeds['atom']}")


@_searches.command("list")
def list_searches(
    as_json: JsonOption = False,  # noqa: FBT002 -- a flag is false until it is given
) -> None:
    """List the saved searches, without secrets and addresses."""
    from kb.record.searches import SearchesRecord  # noqa: PLC0415 -- keeps `kb --help` quick

    with opened() as kb:
        listed = SearchesRecord(kb.engine).listed()
    if as_json:
        print_json([_search_json(search) for search in listed])
        return
    table = Table()
    for column in ("Number", "Name", "Query", "Language", "Visibility", "Created", "E-mail"):
        table.add_column(column, overflow="fold")
    for search in listed:
        values = _search_json(search)
        values["query"] = ", ".join(f"{key}={value}" for key, value in search.query.items())
        table.add_row(*(escape(str(value or "")) for value in values.values()))
    Console().print(table)


@_searches.command()
def delete(
    search: Annotated[str, typer.Argument(help="Its name or number, as `list` shows them.")],
) -> None:
    """Delete a search: its addresses stop working at once, its e-mail address is erased."""
    from kb.calls.searches import named  # noqa: PLC0415 -- keeps `kb --help` quick
    from kb.record.searches import SearchesRecord  # noqa: PLC0415 -- as above

    with opened() as kb:
        searches = SearchesRecord(kb.engine)
        found = named(searches, search)
        searches.delete(found.id)
    typer.echo(f"Deleted search {found.id}, {found.name}.")


@_alerts.command()
def run(
    dry_run: Annotated[  # noqa: FBT002 -- a flag is false until it is given
        bool, typer.Option("--dry-run", help="Say what would be sent, and change nothing.")
    ] = False,
    as_json: JsonOption = False,  # noqa: FBT002 -- as above
) -> None:
    """Send every search with a confirmed address what is new in its calls, each thing once."""
    from kb.calls.alerts import Desk, run_alerts  # noqa: PLC0415 -- keeps `kb --help` quick
    from kb.calls.matching import Shelf  # noqa: PLC0415 -- as above
    from kb.lock import writer_lock  # noqa: PLC0415 -- as above
    from kb.record.digests import DigestsRecord  # noqa: PLC0415 -- as above
    from kb.record.searches import SearchesRecord  # noqa: PLC0415 -- as above

    with opened() as kb:
        post = None if dry_run else _post(kb)
        with writer_lock(kb.settings.alerts_lock):
            shelf = Shelf(kb.finder, kb.calls, kb.record.current_id())
            desk = Desk(SearchesRecord(kb.engine), DigestsRecord(kb.engine), shelf)
            report = run_alerts(desk, kb.clock(), post)
    if as_json:
        print_json(report.as_json())
    else:
        _show(report, dry_run=dry_run)
    raise typer.Exit(report.exit_code)


def _post(kb: KnowledgeBase) -> Post:
    from kb.calls.alerts import Post  # noqa: PLC0415 -- keeps `kb --help` quick
    from kb.calls.mail import make_mailer, public_address  # noqa: PLC0415 -- as above

    mailer = make_mailer(kb.settings)
    if mailer is None:
        raise UsageError(
            "No mail server is set: set KB_SMTP_URL (smtp://user:password@host:587), KB_MAIL_FROM "
            "and KB_PUBLIC_URL."
        )
    return Post(mailer, public_address(kb.settings.public_url))


def _ask(kb: KnowledgeBase, post: Post, search: SavedSearch) -> None:
    """Ask the address of a new search; where that fails the search is saved all the same."""
    from kb.calls.mail import (  # noqa: PLC0415 -- keeps `kb --help` quick
        MailDoubtfulError,
        MailRefusedError,
    )
    from kb.calls.searches import ask_address  # noqa: PLC0415 -- as above
    from kb.record.searches import SearchesRecord  # noqa: PLC0415 -- as above

    searches = SearchesRecord(kb.engine)
    try:
        asked = ask_address(searches, post.mailer, search.id, post.public_url, kb.clock())
    except (MailRefusedError, MailDoubtfulError) as error:
        typer.echo(f"The address was not asked to confirm: {error}", err=True)
        return
    said = "A mail asks it to confirm." if asked else "It was asked often enough today."
    typer.echo(f"The address gets digests once it is confirmed. {said}", err=True)


def _search_json(search: SavedSearch) -> dict[str, Any]:
    return {
        "id": search.id,
        "name": search.name,
        "query": dict(search.query),
        "language": search.language,
        "visibility": search.visibility.value,
        "created": search.created.isoformat(timespec="seconds"),
        "email": search.mail,
    }


def _show(report: AlertsReport, *, dry_run: bool) -> None:
    for outcome in report.digests:
        what = f"search {outcome.search_id}, {outcome.search}"
        if outcome.state in {"sent", "planned"}:
            typer.echo(f"{outcome.state}: {what}: {outcome.subject}")
        elif outcome.state == "doubtful":
            typer.echo(f"1 digest may not have arrived: {what}. {outcome.reason}", err=True)
        else:
            typer.echo(f"{outcome.state}: {what}: {outcome.reason}", err=True)
    for line in report.trouble:
        typer.echo(f"kb: {line}", err=True)
    sent = sum(outcome.state in {"sent", "planned"} for outcome in report.digests)
    typer.echo(
        f"{sent} digests {'to send' if dry_run else 'sent'}, {report.quiet} searches without news, "
        f"{report.asked} addresses asked, {report.erased} unconfirmed addresses "
        f"{'to erase' if dry_run else 'erased'}."
    )

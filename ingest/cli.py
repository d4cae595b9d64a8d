"""``kb ingest``: files and folders in, a table of what became of each out."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ingest.report import Outcome, shown
from ingest.showing import Shown
from kb.commands import JsonOption, opened, print_json
from kb.errors import UsageError
from kb.model import Kind, Metadata, Visibility

if TYPE_CHECKING:
    from ingest.progress import Progress
    from ingest.report import Report
    from ingest.web import Fetched
    from kb.settings import Settings

app = typer.Typer()

_REASONS_SHOWN = 200
# An address of any scheme: those that are not fetched are told, not looked for as files.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_DAY = re.compile(r"\d{4}-?\d\d-?\d\d")


@app.command()
def ingest(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH_OR_URL",
            help="Files, folders (read recursively) and addresses of the web.",
        ),
    ],
    kind: Annotated[Kind | None, typer.Option(help="What the documents are.")] = None,
    visibility: Annotated[Visibility | None, typer.Option(help="Who may see them.")] = None,
    theme: Annotated[list[str] | None, typer.Option(help="A theme; can be repeated.")] = None,
    collection: Annotated[
        list[str] | None,
        typer.Option(help="A set that keys may be narrowed to; can be repeated; none: in no set."),
    ] = None,
    issuer: Annotated[str | None, typer.Option(help="Who issued the documents.")] = None,
    licence: Annotated[str | None, typer.Option(help="Their licence.")] = None,
    valid_until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The last day on which they are in force."),
    ] = None,
    password: Annotated[
        str | None, typer.Option(envvar="KB_PASSWORD", help="For encrypted PDFs.")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Withdraw documents whose files have vanished.")
    ] = False,
    restore: Annotated[
        bool, typer.Option("--restore", help="Take removed documents back in.")
    ] = False,
    checked: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="When saved answers of sources of calls were saved; by default each file's date.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read documents and calls into the base; what has not changed is left alone."""
    from ingest import run  # noqa: PLC0415 -- keeps `kb --help` quick

    metadata = Metadata(
        kind=kind,
        visibility=visibility,
        themes=tuple(theme or ()),
        collections=tuple(collection or ()),
        issuer=issuer,
        licence=licence,
        valid_until=valid_until.date() if valid_until else None,
    )
    with opened() as kb, Shown() as progress:
        saved = None if checked is None else checked_at(checked, kb.clock())
        options = run.Options(metadata, password, prune=prune, restore=restore, checked=saved)
        urls = [each for each in paths if _ADDRESS.match(each)]
        files = [Path(each) for each in paths if not _ADDRESS.match(each)]
        fetched = _fetch(kb.settings, urls, progress) if urls else None
        if fetched is not None:
            files += fetched.paths
        report = run.ingest(kb, files, options, progress)
        if fetched is not None:
            report.files[:0] = fetched.failed
    if as_json:
        print_json(report.as_json())
    else:
        _show(report)
    raise typer.Exit(report.exit_code)


def _fetch(settings: Settings, urls: list[str], progress: Progress) -> Fetched:
    from ingest.web import Bounds, Web  # noqa: PLC0415 -- only addresses need an HTTP client

    web = Web(settings.fetched, Bounds(settings.max_file_mb), contact=settings.contact)
    return web.fetch_all(urls, progress)


def checked_at(text: str, now: datetime) -> datetime:
    """The moment that ``--checked`` names: a day means noon in Brussels, today at the latest now.

    Raises:
        UsageError: It names none, or one that is still to come.
    """
    from kb.calls.dates import BRUSSELS, brussels_day  # noqa: PLC0415 -- keeps `kb --help` quick

    try:
        named = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"--checked is {text!r}; write a day as YYYY-MM-DD.") from None
    is_day = _DAY.fullmatch(text.strip()) is not None
    moment = named if named.tzinfo else named.replace(tzinfo=BRUSSELS)
    moment = moment.replace(hour=12) if is_day else moment
    is_today = is_day and moment.date() == brussels_day(now)
    if moment > now and not is_today:
        raise UsageError(f"--checked is {text!r}, which is still to come.")
    return min(moment.astimezone(UTC), now)


def _show(report: Report) -> None:
    console = Console()
    told = [result for result in report.files if result.reason or result.warnings]
    if told:
        table = Table("File", "Outcome", "Reason", title="Files with something to say")
        for result in told[:_REASONS_SHOWN]:
            said = "; ".join(part for part in (result.reason, *result.warnings) if part)
            table.add_row(escape(_tail(result.path)), result.outcome.value, escape(said))
        console.print(table)
        if len(told) > _REASONS_SHOWN:
            console.print(f"… and {len(told) - _REASONS_SHOWN} more; --json lists them all.")
    figures = report.as_json()
    summary = Table("", "", title="Ingested", show_header=False)
    for name in (*Outcome, "pages", "passages", "seconds"):
        summary.add_row(str(name), str(figures[str(name)]))
    for outcome, count in report.calls.most_common():
        summary.add_row(f"calls {outcome}", str(count))
    console.print(summary)
    if not report.files:
        console.print("No files were found.")
    elif report.generation is None:
        console.print("Nothing has changed in the base.")


def _tail(path: str) -> str:
    """The end of a path, enough to tell the file; an address is told whole."""
    if _ADDRESS.match(path):
        return path
    parts = shown(path).split("/")
    return "/".join(parts[-3:])

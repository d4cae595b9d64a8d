"""``kb ingest``: files and folders in, a table of what became of each out."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ingest.report import Outcome, shown
from ingest.showing import Shown
from kb.commands import JsonOption, opened, print_json
from kb.model import Kind, Metadata, Visibility

if TYPE_CHECKING:
    from ingest.report import Report

app = typer.Typer()

_REASONS_SHOWN = 200


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders, read recursively.")],
    kind: Annotated[Kind | None, typer.Option(help="What the documents are.")] = None,
    visibility: Annotated[Visibility | None, typer.Option(help="Who may see them.")] = None,
    theme: Annotated[list[str] | None, typer.Option(help="A theme; can be repeated.")] = None,
    issuer: Annotated[str | None, typer.Option(help="Who issued the documents.")] = None,
    licence: Annotated[str | None, typer.Option(help="Their licence.")] = None,
    password: Annotated[
        str | None, typer.Option(envvar="KB_PASSWORD", help="For encrypted PDFs.")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Withdraw documents whose files have vanished.")
    ] = False,
    restore: Annotated[
        bool, typer.Option("--restore", help="Take removed documents back in.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Read documents into the base; what has not changed is left alone."""
    from ingest import run  # noqa: PLC0415 -- keeps `kb --help` quick

    metadata = Metadata(
        kind=kind, visibility=visibility, themes=tuple(theme or ()), issuer=issuer, licence=licence
    )
    options = run.Options(metadata, password, prune=prune, restore=restore)
    with opened() as kb, Shown() as progress:
        report = run.ingest(kb, paths, options, progress)
    if as_json:
        print_json(report.as_json())
    else:
        _show(report)
    raise typer.Exit(report.exit_code)


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
    console.print(summary)
    if not report.files:
        console.print("No files were found.")
    elif report.generation is None:
        console.print("Nothing has changed in the base.")


def _tail(path: str) -> str:
    """The end of a path, enough to tell the file."""
    parts = shown(path).split("/")
    return "/".join(parts[-3:])

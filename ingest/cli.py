"""``kb ingest``: files and folders in, a table of what became of each out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer
from rich import progress as bars
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from ingest.progress import Progress
from ingest.report import Outcome, shown
from kb.commands import JsonOption, opened, print_json
from kb.model import Kind, Metadata, Visibility

if TYPE_CHECKING:
    from types import TracebackType

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
    with opened() as kb, _Shown() as progress:
        report = run.ingest(kb, paths, options, progress)
    if as_json:
        print_json(report.as_json())
    else:
        _show(report)
    raise typer.Exit(report.exit_code)


class _Rate(ProgressColumn):
    """How many are done a second."""

    def render(self, task: Task) -> Text:
        """Return the rate, once it is known."""
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="progress.data.speed")


class _Shown(Progress):
    """Progress as bars on a terminal, as lines elsewhere; both on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars: bars.Progress | None = None
        self._task: TaskID | None = None
        self._stage, self._total, self._done, self._said = "", 0, 0, 0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bars = bars.Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                _Rate(),
                TimeRemainingColumn(),
                TextColumn("[dim]{task.fields[name]}"),
                console=self._console,
            )
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def begin(self, stage: str, total: int) -> None:
        """Begin a stage."""
        self._stage, self._total, self._done, self._said = stage, total, 0, 0
        if self._bars is not None:
            self._task = self._bars.add_task(stage, total=total, name="")
        elif total:
            self._say(f"{stage}: {total} to do")

    def advance(self, count: int, name: str = "") -> None:
        """Count what is done; without a terminal a line is printed every tenth."""
        self._done += count
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, advance=count, name=escape(Path(name).name))
        elif (self._done - self._said) * 10 >= self._total or self._done == self._total:
            self._said = self._done
            self._say(f"{self._stage}: {self._done}/{self._total}")

    @staticmethod
    def _say(line: str) -> None:
        typer.echo(line, err=True)


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

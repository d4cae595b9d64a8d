"""``kb audit``: who asked what, as a list or a file, what is missing, and what is forgotten."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path  # noqa: TC003 -- typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kb.commands import EVERYTHING, JsonOption, opened, print_json
from kb.errors import UsageError

if TYPE_CHECKING:
    from datetime import date

    from kb.gaps import Gaps
    from kb.record.audit import Event

app = typer.Typer()
_audit = typer.Typer(no_args_is_help=True, help="Who asked what, and what is missing.")
app.add_typer(_audit, name="audit")

SinceOption = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="On this day or later.")
]
UntilOption = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="On this day or before.")
]
LimitOption = Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")]


@_audit.command()
def export(
    file: Annotated[
        Path | None, typer.Argument(help="Where to write; without it, standard output.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    form: Annotated[str, typer.Option("--format", help="jsonl or csv.")] = "jsonl",
) -> None:
    """Write every event, oldest first. A file is whole or not there, and for its owner alone."""
    from kb.audit import chosen  # noqa: PLC0415 -- keeps `kb --help` quick
    from kb.audit_export import Form, exported, whole_file  # noqa: PLC0415 -- as above

    if form not in set(Form):
        raise UsageError(f"--format is {form!r}; choose {' or '.join(Form)}.")
    days = chosen(_day(since), _day(until))
    with opened() as kb:
        parts = exported(kb.trail.record.stream(days), Form(form))
        if file is None:
            for part in parts:
                sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()
            return
        with whole_file(file) as written:
            written.writelines(parts)
    typer.echo(f"Wrote {file}.", err=True)


@_audit.command("list")
def list_events(
    limit: LimitOption = 20,
    as_json: JsonOption = False,  # noqa: FBT002 -- a flag is false until it is given
) -> None:
    """List the newest events, the last one first."""
    from kb.audit import event_json  # noqa: PLC0415 -- keeps `kb --help` quick
    from kb.record.audit import Chosen  # noqa: PLC0415 -- as above

    with opened() as kb:
        events = kb.trail.record.listed(Chosen(), limit)
    if as_json:
        print_json([event_json(event) for event in events])
        return
    table = Table()
    for column in ("At", "Door", "Who", "Action", "Outcome", "Question"):
        table.add_column(column, overflow="fold")
    for event in events:
        table.add_row(*map(escape, _cells(event)))
    Console().print(table)


@_audit.command()
def purge(
    before: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="What is older than this day."),
    ] = None,
) -> None:
    """Erase events and feedback now: what is older than a day, else than KB_AUDIT_DAYS.

    Without it they go by themselves, within an hour in which something is asked.
    """
    from kb.calls.dates import day_starts  # noqa: PLC0415 -- keeps `kb --help` quick

    with opened() as kb:
        record = kb.trail.record
        kept = timedelta(days=kb.settings.audit_days)
        erased = record.forget(day_starts(before.date()) if before else kb.clock() - kept)
        if record.hashed:
            record.forget_texts()
        record.empty_log()
    typer.echo(f"Erased {erased} events and pieces of feedback.")


@_audit.command()
def gaps(
    since: SinceOption = None,
    language: Annotated[str | None, typer.Option(help="Only questions in fr or en.")] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,  # noqa: FBT002 -- a flag is false until it is given
) -> None:
    """List what was asked and not found, what was asked most often first: what to look for."""
    from kb.audit import chosen  # noqa: PLC0415 -- keeps `kb --help` quick
    from kb.gaps import gap_json  # noqa: PLC0415 -- as above

    with opened() as kb:
        found = kb.gaps.find(EVERYTHING, limit, chosen(_day(since)).since, language)
    if as_json:
        print_json([gap_json(gap) for gap in found.gaps])
    else:
        _show_gaps(found)


def _day(given: datetime | None) -> date | None:
    return None if given is None else given.date()


def _cells(event: Event) -> list[str]:
    who = event.key or (event.role.value if event.role else "anonymous")
    at = event.at.isoformat(sep=" ", timespec="seconds")
    return [at, event.door, who, event.action, event.outcome, event.query or ""]


def _show_gaps(found: Gaps) -> None:
    console = Console()
    table = Table()
    for column in ("Asked", "Callers", "Last", "Question", "Nearest documents, comments"):
        table.add_column(column, overflow="fold")
    for gap in found.gaps:
        shown = "\n".join((*(each.title for each in gap.documents), *gap.comments))
        question = gap.question or ("" if gap.comments else "(kept as a hash)")
        last = gap.last.date().isoformat()
        table.add_row(str(gap.count), str(gap.callers), last, escape(question), escape(shown))
    console.print(table)
    if found.total > len(found.gaps):
        console.print(f"{len(found.gaps)} of {found.total} are shown; see --limit.")

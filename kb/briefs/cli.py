"""``kb briefs``: what is kept, for whoever runs the base; nobody reads a brief here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kb.commands import JsonOption, opened, print_json
from kb.errors import NotFoundError

if TYPE_CHECKING:
    from kb.briefs.model import Brief

app = typer.Typer()
_briefs = typer.Typer(no_args_is_help=True, help="Briefs of quotes that people keep.")
app.add_typer(_briefs, name="briefs")


@_briefs.command("list")
def list_briefs(
    as_json: JsonOption = False,
) -> None:
    """List the briefs that are kept, the last changed first, without their addresses."""
    from kb.record.briefs import BriefsRecord  # noqa: PLC0415 -- keeps `kb --help` quick

    with opened() as kb:
        listed = [_brief_json(brief) for brief in BriefsRecord(kb.engine).listed()]
    if as_json:
        print_json(listed)
        return
    table = Table("Number", "Title", "Language", "Blocks", "For staff", "Created", "Changed")
    for values in listed:
        table.add_row(*(escape(str(value)) for value in values.values()))
    Console().print(table)


@_briefs.command()
def remove(
    number: Annotated[int, typer.Argument(help="Its number, as `list` shows it.")],
) -> None:
    """Erase a brief: its addresses stop working at once."""
    from kb.record.briefs import BriefsRecord  # noqa: PLC0415 -- keeps `kb --help` quick

    with opened() as kb:
        if not BriefsRecord(kb.engine).delete(number):
            raise NotFoundError(f"There is no brief {number}. `kb briefs list` lists them.")
    typer.echo(f"Removed brief {number}.")


def _brief_json(brief: Brief) -> dict[str, Any]:
    return {
        "id": brief.id,
        "title": brief.title,
        "language": brief.language,
        "blocks": len(brief.blocks),
        "staff": brief.staff,
        "created": brief.created.isoformat(timespec="seconds"),
        "changed": brief.changed.isoformat(timespec="seconds"),
    }

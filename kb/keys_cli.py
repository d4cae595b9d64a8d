"""``kb keys``: who may see more than the public, until when, and how often they may ask."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kb.commands import JsonOption, opened, print_json
from kb.errors import UsageError
from kb.keys import KeyRole, NewKey

if TYPE_CHECKING:
    from kb.record.keys import Key

_NameArgument = Annotated[str, typer.Argument(help="What the key is called.")]

app = typer.Typer()
_keys = typer.Typer(no_args_is_help=True, help="Keys for partners and staff.")
app.add_typer(_keys, name="keys")


@_keys.command()
def create(
    name: _NameArgument,
    role: Annotated[
        KeyRole, typer.Option(help="What it lets see: partner, also what is for the coalition.")
    ],
    collection: Annotated[
        list[str] | None, typer.Option(help="Only documents in this collection; may be repeated.")
    ] = None,
    expires: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The last day on which it works.")
    ] = None,
    rate: Annotated[int | None, typer.Option(help="Requests a minute.")] = None,
) -> None:
    """Make a key. It is shown this once: whoever has it sees what its role may see.

    No two keys have the same name; that of a revoked key may be used again.
    """
    until = None if expires is None else _end_of(expires)
    new = NewKey(name, role, tuple(collection) if collection else None, until, rate)
    with opened() as kb:
        key, made = kb.keys.create(new, kb.clock())
    _hand_over(key, made)


@_keys.command("list")
def list_keys(
    as_json: JsonOption = False,  # noqa: FBT002 -- a flag is false until it is given
) -> None:
    """List every key with the last characters of its text, also those that were revoked."""
    with opened() as kb:
        now = kb.clock()
        listed = kb.keys.listed()
    if as_json:
        print_json([_key_json(key, now) for key in listed])
        return
    # Eight columns on a screen of 80 characters.
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("Name", "Collections"):
        table.add_column(column, overflow="fold")
    for column in ("Role", "Created", "Expires", "Last used", "State", "Hint"):
        table.add_column(column, no_wrap=True)
    for key in listed:
        table.add_row(*(escape(cell) for cell in _cells(key, now)))
    Console().print(table)


@_keys.command()
def revoke(name: _NameArgument) -> None:
    """End a key at once, with the sessions and the saved searches that it was used for."""
    with opened() as kb:
        key = kb.keys.revoke(name, kb.clock())
    typer.echo(f"Revoked key {key.id}, {key.name}.")


@_keys.command()
def rotate(name: _NameArgument) -> None:
    """Give a key a new text under the same name and settings; the old one ends at once."""
    with opened() as kb:
        key, made = kb.keys.rotate(name, kb.clock())
    _hand_over(key, made)


def _end_of(day: datetime) -> datetime:
    """The moment at which a day ends in Brussels."""
    from kb.calls.dates import LAST_DAY, day_starts  # noqa: PLC0415 -- keeps `kb --help` quick

    if day.date() > LAST_DAY:
        raise UsageError(f"--expires lies after {LAST_DAY}; leave it out for a key without end.")
    return day_starts(day.date() + timedelta(days=1))


def _hand_over(key: Key, made: str) -> None:
    """Print a key alone on standard output, so that a script can take it, and the words beside."""
    typer.echo(
        f"Key {key.id}, {key.name} ({key.role.value}). Keep it now: it is shown this once, and "
        "nobody can show it again.",
        err=True,
    )
    typer.echo(made)


def _key_json(key: Key, now: datetime) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "role": key.role.value,
        "collections": None if key.collections is None else list(key.collections),
        "rate": key.rate,
        "created": _moment(key.created),
        "expires": _moment(key.expires),
        "revoked": _moment(key.revoked),
        "last_used": _moment(key.last_used),
        "state": key.state(now),
        "hint": key.hint,
    }


def _cells(key: Key, now: datetime) -> list[str]:
    from kb.calls.dates import brussels_day  # noqa: PLC0415 -- keeps `kb --help` quick

    last = key.expires and key.expires - timedelta(seconds=1)
    created, expires, used = (
        str(brussels_day(moment)) if moment else "never"
        for moment in (key.created, last, key.last_used)
    )
    collections = "all" if key.collections is None else ", ".join(key.collections)
    state = key.state(now)
    return [key.name, collections, key.role.value, created, expires, used, state, f"…{key.hint}"]


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")

"""The ``kb`` command: finds the commands of every package by entry point, loads one when called."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from kb.errors import KnowledgeBaseError, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

# In the order in which a newcomer meets them.
_ORDER = (
    *("ingest", "ask", "search", "export"),
    *("pull", "calls", "call", "match", "changes", "searches", "alerts"),
    *("serve", "mcp", "keys", "audit"),
    *("status", "doctor", "remove", "rollback", "backup", "restore"),
)


class _Commands(TyperGroup):
    """Commands by entry point: a name in the group ``kb.commands`` and the app that has it."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands that are installed."""
        del ctx
        names = {entry.name for entry in _entries()}
        known = [name for name in _ORDER if name in names]
        return known + sorted(names - set(known))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load one command."""
        del ctx
        entry = next((entry for entry in _entries() if entry.name == cmd_name), None)
        if entry is None:
            return None
        command = get_command(entry.load())
        if isinstance(command, TyperGroup):
            command = command.commands[cmd_name]
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Cited answers from research, policy and EU calls. Settings: KB_HOME, KB_….",
)


@app.callback()
def _root() -> None:
    """Cited answers from research, policy and EU calls."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; what a user can mend becomes one line and an exit code."""
    try:
        app(list(arguments) if arguments is not None else None)
    except KnowledgeBaseError as error:
        typer.echo(f"kb: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            sys.exit(0)  # whoever read the output has seen enough
        typer.echo(f"kb: {error.strerror or error}: {error.filename or 'KB_HOME'}", err=True)
        sys.exit(StoreError.exit_code)
    except KeyboardInterrupt:
        typer.echo("kb: interrupted; nothing was published", err=True)
        sys.exit(130)


def _entries() -> Sequence[EntryPoint]:
    return tuple(entry_points(group="kb.commands"))

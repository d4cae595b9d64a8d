"""``kb backup`` and ``kb restore``: the whole base to one file, and back."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path  # noqa: TC003 -- Typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer
from rich import progress as bars
from rich.console import Console

from kb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kb.archive import About
    from kb.backup import Tell

app = typer.Typer()

_MEGABYTE = 1_000_000


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where to write it; outside of KB_HOME.")],
    replace: Annotated[  # noqa: FBT002 -- a flag is false until it is given
        bool, typer.Option("--replace", help="Replace a file that is there.")
    ] = False,
) -> None:
    """Write the whole base to a file, while it serves and runs write."""
    from kb.backup import back_up  # noqa: PLC0415 -- keeps `kb --help` quick
    from kb.clock import system_clock  # noqa: PLC0415 -- as above
    from kb.settings import load_settings  # noqa: PLC0415 -- as above

    with _shown("copying") as tell:
        made = back_up(load_settings(), file, system_clock(), tell, replace=replace)
    typer.echo(f"Backed up {_named(made.about)} to {made.file}: {made.size / _MEGABYTE:.1f} MB.")
    typer.echo("kb.toml is left out, since it may hold secrets: keep a copy of it elsewhere.")
    for path in made.missing:
        typer.echo(f"kb: {path} is missing, here and in the backup. See `kb doctor`.", err=True)
    raise typer.Exit(1 if made.missing else 0)


@app.command()
def restore(
    file: Annotated[Path | None, typer.Argument(help="A file that `kb backup` has made.")] = None,
    replace: Annotated[  # noqa: FBT002 -- a flag is false until it is given
        bool, typer.Option("--replace", help="Give up the base that is in KB_HOME.")
    ] = False,
    finish: Annotated[  # noqa: FBT002 -- as above
        bool, typer.Option("--finish", help="Complete a restore that was cut off.")
    ] = False,
    undo: Annotated[  # noqa: FBT002 -- as above
        bool, typer.Option("--undo", help="Take back a restore that was cut off.")
    ] = False,
) -> None:
    """Make a backup the base in KB_HOME, whole or not at all."""
    from kb import restore as restoring  # noqa: PLC0415 -- keeps `kb --help` quick
    from kb.settings import load_settings  # noqa: PLC0415 -- as above

    if [file is not None, finish, undo].count(True) != 1 or (replace and file is None):
        raise UsageError("Name a backup to restore, or say --finish or --undo alone.")
    settings = load_settings()
    if finish:
        restoring.finish(settings)
        typer.echo(f"The restore into {settings.home} is complete.")
    elif undo:
        restoring.undo(settings)
        typer.echo(f"The restore into {settings.home} is taken back.")
    elif file is not None:
        with _shown("restoring") as tell:
            about = restoring.restore(settings, file, tell, replace=replace)
        typer.echo(f"Restored {_named(about)}, as it was on {about.created}, to {settings.home}.")
        if about.encoder is not None:
            typer.echo(f"Its encoder is {about.encoder}; `kb doctor` says whether it is yours.")


@contextmanager
def _shown(stage: str) -> Iterator[Tell]:
    """A bar on a terminal; nothing elsewhere, where it would fill the log of a nightly run."""
    console = Console(stderr=True)
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=console, disable=not console.is_terminal) as shown:
        task = shown.add_task(stage, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def _named(about: About) -> str:
    """What a backup holds, in words."""
    if not about.generations:
        return "a base without documents"
    current, *older = about.generations
    return f"generation {current}" + (f" and {len(older)} before it" if older else "")

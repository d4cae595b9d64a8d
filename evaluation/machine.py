"""What a figure belongs to, the commit and the machine, and how far a long step has come."""

from __future__ import annotations

import os
import platform
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich import progress
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]


def machine() -> str:
    """The processor, its cores and Python's version."""
    return f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"


def commit() -> str:
    """The short hash of the commit, with a plus where the code differs from it."""
    changed = _git("status", "--porcelain", "--", "*.py")
    return (_git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def _git(*arguments: str) -> str:
    found = subprocess.run(
        ["git", "-C", str(ROOT), *arguments],  # noqa: S607 -- git on the path
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip()


@contextmanager
def bar(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how much of a step is done, on standard error; a terminal gets a bar."""
    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(f"{name}: {total} to do", highlight=False)
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )
    shown = progress.Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    )
    with shown:
        task = shown.add_task(name, total=total)
        yield lambda count: shown.update(task, advance=count)

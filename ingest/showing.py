"""Progress as it is shown to whoever runs a command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

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
from rich.text import Text

from ingest.progress import Progress

if TYPE_CHECKING:
    from types import TracebackType


class _Rate(ProgressColumn):
    """How many are done a second."""

    def render(self, task: Task) -> Text:
        """Return the rate, once it is known."""
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="progress.data.speed")


class Shown(Progress):
    """Progress as bars on a terminal, as lines elsewhere; both on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars: bars.Progress | None = None
        self._task: TaskID | None = None
        self._stage, self._total, self._done, self._said = "", 0, 0, 0

    def __enter__(self) -> Self:
        """Begin to show."""
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
        """Leave the terminal as it was."""
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

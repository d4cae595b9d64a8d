"""How a run tells what it is doing."""

from __future__ import annotations


class Progress:
    """Hears how a run goes; this one is silent."""

    def begin(self, stage: str, total: int) -> None:
        """A stage begins, with this much to do."""

    def advance(self, count: int, name: str = "") -> None:
        """So much more is done."""

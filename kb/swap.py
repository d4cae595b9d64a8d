"""The exchange of the base in ``KB_HOME`` for another, to be finished or undone at any point.

``restoring/new`` holds what is to come in. ``restoring/swapping`` names it: from there on nothing
opens the base. Each part that was there moves to ``restoring/old`` and the new one into its place,
by renames on one file system; which of them were made is seen from what lies where. Then the mark
goes, and then the folder.
"""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

from kb.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

DATABASE = "record.db"
# All that a base is, and that a restore therefore replaces; settings and locks stay.
HELD = (DATABASE, "index", "originals", "fetched", "uploads")
# A log that stayed beside another database would be played into it. What pulls have kept says what
# need not be asked again, which holds for the base that asked. Pictures are of its pages.
_BESIDE = (f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal", "pull", "pictures")


class Swap:
    """The exchange of one base for another; it can be finished or undone from wherever it is."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.folder = home / "restoring"
        self.new = self.folder / "new"
        self._old = self.folder / "old"
        self._mark = self.folder / "swapping"

    @property
    def begun(self) -> bool:
        """Whether parts of the base may have moved."""
        return self._mark.exists()

    def clear(self) -> None:
        """Delete what a restore leaves behind or has left behind."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def begin(self) -> None:
        """Note what is to come into the base; from here on the base is not to be opened."""
        self._old.mkdir()
        written = self._mark.with_suffix(".written")
        with written.open("w", encoding="utf-8") as file:
            json.dump(sorted(path.name for path in self.new.iterdir()), file)
            file.flush()
            os.fsync(file.fileno())
        written.rename(self._mark)
        sync_folder(self.folder)

    def finish(self) -> None:
        """Move what was in the base out, and what is to be there in."""
        arriving = self._arriving()
        for name in (*HELD, *_BESIDE):
            here, new = self._home / name, self.new / name
            if os.path.lexists(here) and (name not in arriving or new.exists()):
                here.rename(self._old / name)
            if new.exists():
                new.rename(here)
        self._end()

    def undo(self) -> None:
        """Move everything back to where it was."""
        arriving = self._arriving()
        for name in (*HELD, *_BESIDE):
            here, new, old = self._home / name, self.new / name, self._old / name
            if name in arriving and not new.exists():
                here.rename(new)
            if os.path.lexists(old):
                old.rename(here)
        self._end()

    def _arriving(self) -> set[str]:
        return set(json.loads(self._mark.read_text(encoding="utf-8")))

    def _end(self) -> None:
        sync_folder(self._home)
        self._mark.unlink()
        sync_folder(self.folder)
        self.clear()


def refuse_half_restored(home: Path) -> None:
    """Let nobody open a base of which a restore has replaced only a part.

    Raises:
        StoreError: That is so.
    """
    if Swap(home).begun:
        raise StoreError(
            f"A restore into {home} is under way or was cut off. `kb restore --finish` completes "
            "it, `kb restore --undo` takes it back."
        )


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)

"""The locks between processes: one writer at a time, and nothing taken away while it is copied.

Two writers would make an index unreadable for good. A backup needs no writer's lock: it only has to
find what it copies until it has copied it. Whoever holds both took the writer's first.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from kb.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

# Seconds that a run waits for a backup; more than any takes, for its work would be lost.
PATIENCE = 3600.0

_log = logging.getLogger(__name__)


def writer_lock(path: Path) -> AbstractContextManager[None]:
    """Hold the writer's lock for a ``with`` block; the system frees it when the process dies.

    Raises:
        StoreError: Another run holds it (the message names it), or the folder can't be written.
    """
    return _held(
        path,
        0,
        "Another run is writing to {folder}: {holder}. "
        "Wait until it has ended; searches go on meanwhile.",
    )


def keeping_lock(path: Path, patience: float = PATIENCE) -> AbstractContextManager[None]:
    """Hold for a ``with`` block what a backup and whoever takes something away hold in turn.

    It is waited for, and a line in the log says for whom.

    Raises:
        StoreError: After ``patience`` seconds another process still holds it (the message names
            it), or the folder can't be written.
    """
    return _held(
        path,
        patience,
        f"For {patience:.0f} seconds nothing could be taken away from {{folder}}, nor copied: "
        "{holder} is at it. Try again when it has ended.",
    )


@contextmanager
def _held(path: Path, patience: float, refusal: str) -> Iterator[None]:
    lock, holder = FileLock(path), path.with_suffix(".holder.json")
    taken = _acquire(lock, holder, 0)
    if not taken and patience:
        _log.warning("Waiting until %s has ended with %s.", _describe(holder), path.parent)
        taken = _acquire(lock, holder, patience)
    if not taken:
        raise StoreError(refusal.format(folder=path.parent, holder=_describe(holder)))
    try:
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _acquire(lock: FileLock, holder: Path, patience: float) -> bool:
    """Take a lock and note who holds it; false when another has it for that many seconds."""
    try:
        holder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=patience, poll_interval=0.1)
        holder.write_text(json.dumps(_this_process()), encoding="utf-8")
    except Timeout:
        return False
    except OSError as error:
        raise StoreError(
            f"{holder.parent} can't be written: {error.strerror}. Change its permissions, or set "
            "KB_HOME to a folder of yours."
        ) from None
    return True


def _this_process() -> dict[str, str | int]:
    return {
        "pid": os.getpid(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]])[:80],  # options may be secret
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _describe(holder: Path) -> str:
    try:
        known = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {known['pid']} ({known['command']}), since {known['since']}"
    except (OSError, ValueError, KeyError):
        return "process unknown"

"""The lock of the one writer: two writers would make an index unreadable for good."""

from __future__ import annotations

import json
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

    from filelock import BaseFileLock


@contextmanager
def writer_lock(path: Path) -> Iterator[None]:
    """Hold the lock for a ``with`` block; the system frees it when the process dies.

    Raises:
        StoreError: Another run holds it (the message names it), or the folder can't be written.
    """
    holder = path.with_suffix(".holder.json")
    lock = _acquire(path, holder)
    try:
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _acquire(path: Path, holder: Path) -> BaseFileLock:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=0)
        lock.acquire()
        holder.write_text(json.dumps(_this_process()), encoding="utf-8")
    except Timeout:
        raise StoreError(
            f"Another run is writing to {path.parent}: {_describe(holder)}. "
            "Wait until it has ended; searches go on meanwhile."
        ) from None
    except OSError as error:
        raise StoreError(
            f"{path.parent} can't be written: {error.strerror}. Change its permissions, or set "
            "KB_HOME to a folder of yours."
        ) from None
    return lock


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

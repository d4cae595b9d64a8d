"""Limits for worker processes that read files of others: a hostile file costs one process."""

from __future__ import annotations

import os
import resource
import signal
import tempfile


def confine(memory_mb: int, scratch: str) -> None:
    """Limit the memory of this process; what it starts and leaves behind goes when it is ended.

    Args:
        memory_mb: What it may have of address space.
        scratch: The folder for its temporary files.
    """
    limit = memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    tempfile.tempdir = scratch
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, _end)


def _end(*_signal: object) -> None:
    """End this process with what it has started (OCR), which would go on for minutes."""
    os.killpg(0, signal.SIGKILL)

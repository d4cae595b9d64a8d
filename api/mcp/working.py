"""Work that is begun for a client, and ended when the client has gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


async def seen_through(work: Coroutine[Any, Any, T]) -> T:
    """Do work in a task of its own; cancelled, cancel that once and wait until it has ended.

    The SDK cancels as anyio does, again and again until the task is left. Work in a thread ends
    only at its next checkpoint, and waiting for it so kept half a processor busy.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # it counts as seen
        raise

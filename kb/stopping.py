"""Work in a thread that stops when nobody waits for its result any more."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Stopped(BaseException):
    """Work was left at a checkpoint.

    No ``Exception``, so that nothing on the way takes it for a failure: Haystack would wrap it,
    after fifteen lines in the log on what of the question it can't serialise.
    """


class Stop:
    """Tells work that it may stop: a thread can't be ended, but it can look here between steps."""

    def __init__(self) -> None:
        self._told = threading.Event()

    def tell(self) -> None:
        """Have the work stop at its next checkpoint."""
        self._told.set()

    def check(self) -> None:
        """Pass a checkpoint; it costs nothing that could be measured.

        Raises:
            Stopped: The work is to stop.
        """
        if self._told.is_set():
            raise Stopped

    def __deepcopy__(self, _memo: object) -> Stop:
        """Stay one and the same: Haystack copies what it hands to components."""
        return self


# For work that is waited for to its end; nobody tells it.
NEVER: Final = Stop()


async def in_thread(work: Callable[[Stop], T]) -> T:
    """Do work in a thread of its own; when this is cancelled, have the work stop and wait for it.

    So whoever cancels, since a client has left or its time is over, knows afterwards that nothing
    is done any more, and that nothing is held.
    """
    stop = Stop()
    context = contextvars.copy_context()
    running = asyncio.get_running_loop().run_in_executor(None, context.run, work, stop)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.tell()
        await ended(running)
        raise


async def ended(work: asyncio.Future[Any]) -> None:
    """Wait for work that was told to stop, also when this is cancelled meanwhile."""
    while not work.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([work])
    if not work.cancelled():
        work.exception()  # has been seen: it is of no interest any more

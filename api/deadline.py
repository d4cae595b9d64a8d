"""How long a response may take to begin, and its client to take it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from api.problems import problem_response
from api.secrets import without_secrets

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Seconds in which the client must take a piece of the response.
SEND_SECONDS: Final = 30.0
_RETRY_AFTER: Final = 10

_log = logging.getLogger(__name__)


class Deadline:
    """Ends a request that has not begun to answer in time, or whose client does not listen.

    Nothing limits how long a stream or a download takes in all. The time until the answer counts
    from the last piece of the request's body, whose own time ``BodyLimit`` limits. The client has
    its answer at once; the work is cancelled, and ends at the next checkpoint
    (``kb.stopping.in_thread``), or in a thread that has none when it is done.

    Args:
        app: What is asked.
        seconds: How long a response may take to begin.
        send_seconds: How long the client may take for a piece of it.
    """

    def __init__(self, app: ASGIApp, *, seconds: float, send_seconds: float = SEND_SECONDS) -> None:
        self._app = app
        self._seconds = seconds
        self._send_seconds = send_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        watch = _Watch(receive, send, self._seconds, self._send_seconds)
        work = asyncio.ensure_future(self._app(scope, watch.receive, watch.send))
        try:
            if await watch.see_through(work):
                await work
            elif watch.begun:
                _log.warning("%s: the client did not listen.", without_secrets(scope["path"]))
            else:
                scope["state"]["overdue"] = True  # the work goes on, and its turn with it
                await _took_too_long(scope)(scope, receive, send)
        finally:
            work.cancel()
            await asyncio.wait({work})


class _Watch:
    """One timer over a request: until its response begins, then over each piece that is sent."""

    def __init__(self, receive: Receive, send: Send, seconds: float, send_seconds: float) -> None:
        self._receive = receive
        self._send = send
        self._seconds = seconds
        self._send_seconds = send_seconds
        self._limit = asyncio.timeout(seconds)
        self._closed = False
        self._heard_all = False
        self.begun = False

    async def see_through(self, work: asyncio.Future[None]) -> bool:
        """Wait until the work is done; false if the time is over first."""
        try:
            async with self._limit:
                await asyncio.wait({work})
        except TimeoutError:
            return False
        finally:
            self._closed = True
        return True

    async def receive(self) -> Message:
        """What the application hears; it is not to blame for a body that is still under way."""
        if self._heard_all:
            return await self._receive()
        self._allow(None)
        message = await self._receive()
        self._heard_all = not message.get("more_body", False)
        self._allow(None if self.begun else self._seconds)
        return message

    async def send(self, message: Message) -> None:
        """What the application says; nothing is sent after the time is over."""
        if self._is_over:
            return
        self.begun = True
        self._allow(self._send_seconds)
        await self._send(message)
        self._allow(None)

    @property
    def _is_over(self) -> bool:
        return self._closed or self._limit.expired()

    def _allow(self, seconds: float | None) -> None:
        if not self._is_over:
            now = asyncio.get_running_loop().time()
            self._limit.reschedule(None if seconds is None else now + seconds)


def _took_too_long(scope: Scope) -> ASGIApp:
    return problem_response(
        scope,
        503,
        "The answer took too long. A narrower question may be answered sooner.",
        slug="took-too-long",
        title="Took too long",
        headers={"Retry-After": str(_RETRY_AFTER)},
    )

"""Connections as uvicorn keeps them, with an end for clients that are too slow, and for too many.

uvicorn (0.54) waits without limit for the end of a request's head, and for a client that does not
read its response; its own limit of connections answers in plain text.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import h11
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.metrics import metrics
from api.problems import problem_response

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send
    from uvicorn.server import ServerState

# How often a connection is looked at, in seconds.
_EVERY: Final = 0.5
# Bytes a second; a client that reads more slowly stands still.
_SLOWEST: Final = 1024
# A request may be on its way when the service is told to stop: an idle connection stays so long.
_LINGER: Final = 0.25
_STOPPING: Final = "stopping"
_RETRY_AFTER: Final = 5


class GuardedConfig(Config):
    """uvicorn's settings, and how many seconds a client may take.

    ``limit_concurrency`` is the most connections of a process.
    """

    def __init__(self, app: Any, *, client_seconds: float, **others: Any) -> None:
        super().__init__(app, http=GuardedProtocol, **others)
        self.client_seconds = client_seconds


class GuardedProtocol(H11Protocol):
    """An HTTP/1.1 connection that is dropped when its client takes longer than it may.

    The head of a request must have come so many seconds after the connection was made, or after
    the head's first byte where the connection was kept. (How fast a body must come is for
    ``BodyLimit``, and how long an idle connection is kept for ``timeout_keep_alive``.) Of what was
    written, ``_SLOWEST`` bytes a second must be read, over as long a time.
    """

    def __init__(
        self,
        config: GuardedConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._allowed = config.client_seconds
        self._most, self.limit_concurrency = config.limit_concurrency, None
        self._stopping: asyncio.Event = app_state.setdefault(_STOPPING, asyncio.Event())
        self._head_since: float | None = None
        self._unread = _Unread(config.client_seconds)
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to watch; when there are too many, whatever is asked is refused."""
        super().connection_made(transport)
        if self._most is not None and len(self.connections) > self._most:
            self.app = _refuse
        self._head_since = self.loop.time()
        self._look()
        if self._stopping.is_set():  # accepted just before that
            self.shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Watch no more."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what the client sends, and note when a request's head begins and has come."""
        before = self.cycle
        if self._head_since is None and self.conn.their_state is h11.IDLE:
            self._head_since = self.loop.time()
        super().data_received(data)
        if self.cycle is not before:  # there is one for each head
            self._head_since = None
            self.cycle.keep_alive = not self._stopping.is_set()

    def resume_writing(self) -> None:
        """Most of what was written has been read."""
        self._unread.forget()
        super().resume_writing()

    def shutdown(self) -> None:
        """Finish what is under way, and what comes within a moment; then close."""
        self._stopping.set()
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(_LINGER, self._close)
        else:
            super().shutdown()

    def _close(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()

    def _look(self) -> None:
        now = self.loop.time()
        if self._head_since is not None and now - self._head_since > self._allowed:
            self._drop("sending")
        elif self._unread.stands_still(self.transport.get_write_buffer_size(), now):
            self._drop("reading")
        else:
            self._watch = self.loop.call_later(_EVERY, self._look)

    def _drop(self, why: str) -> None:
        metrics().dropped.labels(why).inc()
        self.transport.abort()  # to close would wait until what was written is read


class _Unread:
    """How much a client has not read yet, at the beginning of a stretch of ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since = 0.0
        self._size = 0

    def forget(self) -> None:
        """Begin a stretch."""
        self._size = 0

    def stands_still(self, size: int, now: float) -> bool:
        """Whether less than ``_SLOWEST`` bytes a second were read of it in a whole stretch."""
        if not size or not self._size:
            self._since, self._size = now, size
            return False
        if now - self._since < self._seconds:
            return False
        read = self._size - size
        self._since, self._size = now, size
        return read < _SLOWEST * self._seconds


def is_stopping(scope: Scope) -> bool:
    """Whether the server that serves a request was told to stop."""
    stopping: asyncio.Event | None = scope["state"].get(_STOPPING)
    return stopping is not None and stopping.is_set()


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request on a connection too many."""
    metrics().dropped.labels("too many").inc()
    response = problem_response(
        scope,
        503,
        "The service has as many connections as it can keep; try again in a few seconds.",
        slug="busy",
        title="Busy",
        headers={"Retry-After": str(_RETRY_AFTER), "Connection": "close"},
    )
    await response(scope, receive, send)

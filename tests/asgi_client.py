"""Asks ASGI applications message by message, on an event loop whose clock a test puts forward."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from api.access import Caller
from kb.keys import KeyRole, access_of

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from starlette.types import ASGIApp, Message

T = TypeVar("T")


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop in which time passes as it does, and when it is skipped."""

    skipped = 0.0

    def time(self) -> float:
        """The loop's own clock, which all its timers go by."""
        return super().time() + self.skipped


def run(steps: Coroutine[Any, Any, T]) -> T:
    """Run a test's steps."""
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(steps)


async def settle() -> None:
    """Let everything go on that can without waiting."""
    for _ in range(20):
        await asyncio.sleep(0)


async def skip(seconds: float) -> None:
    """Put the clock forward, and let happen what is then due."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SkippingLoop)
    await settle()
    loop.skipped += seconds
    await settle()


def caller(client: str = "key:1", role: KeyRole | None = None) -> Caller:
    """Somebody who asks."""
    return Caller(role, access_of(role), client)


class Client:
    """One request of which a test says when each piece comes, and when the client takes one.

    ``sent`` is what the application has sent so far; while ``reading`` is not set nothing is
    taken of it.
    """

    def __init__(
        self,
        app: ASGIApp,
        path: str = "/",
        by: Caller | None = None,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.sent: list[Message] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self._coming: asyncio.Queue[Message] = asyncio.Queue()
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
            "state": {"caller": by or caller()},
        }
        self.task = asyncio.ensure_future(app(scope, self._coming.get, self._take))

    async def _take(self, message: Message) -> None:
        await self.reading.wait()
        self.sent.append(message)

    def say(self, body: bytes = b"", *, more: bool = False) -> Client:
        """Send a piece of the body."""
        self._coming.put_nowait({"type": "http.request", "body": body, "more_body": more})
        return self

    def leave(self) -> None:
        """Close the connection."""
        self._coming.put_nowait({"type": "http.disconnect"})

    @property
    def unheard(self) -> int:
        """How many messages the application has not heard."""
        return self._coming.qsize()

    @property
    def status(self) -> int | None:
        """What the request was answered with; null before."""
        return self.sent[0]["status"] if self.sent else None

    @property
    def headers(self) -> dict[str, str]:
        """The response's headers."""
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        """The response's body so far."""
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def is_complete(self) -> bool:
        """Whether the response was sent to its end."""
        last = self.sent[-1] if self.sent else {}
        return last.get("type") == "http.response.body" and not last.get("more_body", False)

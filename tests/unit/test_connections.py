"""What becomes of connections when their server is told to stop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from api.connections import GuardedConfig, is_stopping

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PATIENCE = 30


async def _app(scope: Any, receive: Any, send: Any) -> None:
    """Say whether the server stops; where it is asked to wait, only then."""
    del receive
    if scope["path"] == "/wait":
        await scope["state"]["stopping"].wait()
    body = b"stopping" if is_stopping(scope) else b"running."
    headers = [(b"content-length", b"8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Client:
    """A connection of a client, in the same loop as the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def ask(self, path: str = "/") -> None:
        """Send a request, and don't wait for its answer."""
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: kb\r\n\r\n".encode())

    async def answer(self) -> str:
        """What was answered."""
        async with asyncio.timeout(PATIENCE):
            await self._reader.readuntil(b"\r\n\r\n")
            return (await self._reader.readexactly(8)).decode()

    async def is_closed(self) -> bool:
        """Whether the server closes the connection without another word."""
        async with asyncio.timeout(PATIENCE):
            return await self._reader.read() == b""


def _told_to_stop(scenario: Callable[[Client, Callable[[], Any]], Awaitable[None]]) -> None:
    """Run a scenario with a client, and something that tells the server to stop."""

    async def run() -> None:
        config = GuardedConfig(
            _app, client_seconds=PATIENCE, lifespan="off", log_config=None, port=0, ws="none"
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        port = server.servers[0].sockets[0].getsockname()[1]
        client = Client(*await asyncio.open_connection("127.0.0.1", port))
        while not server.server_state.connections:  # noqa: ASYNC110 -- uvicorn tells nobody
            await asyncio.sleep(0.01)
        stopping: list[asyncio.Task[None]] = []

        async def stop() -> None:
            stopping.append(asyncio.create_task(server.shutdown()))
            await asyncio.sleep(0)  # now it has told its connections

        await scenario(client, stop)
        async with asyncio.timeout(PATIENCE):
            await stopping[0]

    asyncio.run(run())


def test_what_is_being_answered_is_finished() -> None:
    """It can be seen meanwhile that the server stops."""

    async def scenario(client: Client, stop: Callable[[], Any]) -> None:
        client.ask("/wait")
        await asyncio.sleep(0.1)
        await stop()
        assert await client.answer() == "stopping"
        assert await client.is_closed()

    _told_to_stop(scenario)


@pytest.mark.parametrize("kept", [True, False])
def test_what_is_on_its_way_is_answered_too(*, kept: bool) -> None:
    """A request that was not read yet, on a new connection or on one that was kept."""

    async def scenario(client: Client, stop: Callable[[], Any]) -> None:
        if kept:
            client.ask()
            assert await client.answer() == "running."
        await stop()
        client.ask()
        assert await client.answer() == "stopping"
        assert await client.is_closed()

    _told_to_stop(scenario)


def test_a_connection_that_says_nothing_is_closed_soon() -> None:
    """It holds up nobody."""

    async def scenario(client: Client, stop: Callable[[], Any]) -> None:
        await stop()
        assert await client.is_closed()

    _told_to_stop(scenario)

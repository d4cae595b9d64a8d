"""Answers that are sent as they are found, and work that stops when its client has left."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from fastapi.sse import format_sse_event
from starlette.responses import Response

from api.accepting import EVENTS
from api.problems import ClientLeftError, stream_problem
from kb.shapes import answer_end_json, search_json, sentence_steps_json
from kb.stopping import ended

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from kb.model import Answer
    from kb.search.engine import SearchResult

    # Answers, and tells what is found before it looks for the answer in it.
    Told = Callable[[SearchResult], None]
    Answering = Callable[[Told], Awaitable[Answer]]

MAX_SOURCES: Final = 10
# Seconds after which a comment shows that the connection is alive.
HEARTBEAT_SECONDS: Final = 10.0
HEARTBEAT: Final = b": still at it\n\n"


@asynccontextmanager
async def until_left(receive: Receive) -> AsyncIterator[None]:
    """Cancel what is done in a ``with`` block as soon as the client has left.

    Raises:
        ClientLeftError: It has left, and the work has stopped.
    """
    try:
        async with asyncio.timeout(None) as leaving:
            listening = asyncio.create_task(_listen(receive, leaving))
            try:
                yield
            finally:
                listening.cancel()
    except TimeoutError:
        if leaving.expired():
            raise ClientLeftError from None
        raise


async def _listen(receive: Receive, leaving: asyncio.Timeout) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    leaving.reschedule(asyncio.get_running_loop().time())


class Stream(Response):
    """Pieces that are sent as they come.

    It begins with the first of them: what goes wrong before is answered as a problem, and after it
    with what ``broken`` makes of the error. FastAPI (0.165) streams only from routes that always
    do, and sse-starlette (3.7) cuts its streams off when the service is told to stop; both begin
    before there is anything to tell.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes],
        broken: Callable[[Scope, Exception], bytes],
        headers: Mapping[str, str],
    ) -> None:
        self._pieces = pieces
        self._broken = broken
        self.status_code = 200
        self.background = None
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no", **headers})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the pieces; a client that has left stops the work."""
        begun = False
        try:
            async with until_left(receive), aclosing(self._pieces) as pieces:
                async for piece in pieces:
                    if not begun:
                        begun = True
                        await send(self._start())
                    await send(_piece(piece))
        except Exception as error:
            if not begun:
                raise
            if not isinstance(error, ClientLeftError):
                await send(_piece(self._broken(scope, error)))
        await send(_piece(b"", more=False))

    def _start(self) -> dict[str, Any]:
        headers = self.raw_headers
        return {"type": "http.response.start", "status": self.status_code, "headers": headers}


class AnswerStream(Stream):
    """An answer as server-sent events: what it is looked for in, then its sentences."""

    media_type = EVENTS

    def __init__(self, answering: Answering, request_id: str | None) -> None:
        self._answering = answering
        self._request_id = request_id
        super().__init__(self._events(), _error_event, {})

    async def _events(self) -> AsyncGenerator[bytes]:
        loop = asyncio.get_running_loop()
        sources: asyncio.Future[SearchResult] = loop.create_future()

        def told(found: SearchResult) -> None:
            loop.call_soon_threadsafe(sources.set_result, found)

        working = asyncio.ensure_future(self._answering(told))
        try:
            await asyncio.wait((sources, working), return_when=asyncio.FIRST_COMPLETED)
            if not sources.done():
                await working  # raises what went wrong
            found = sources.result()
            shown = search_json(found)
            yield event("sources", {**shown, "hits": shown["hits"][:MAX_SOURCES]})
            while not (await asyncio.wait((working,), timeout=HEARTBEAT_SECONDS))[0]:
                yield HEARTBEAT
            for step in sentence_steps_json(working.result()):
                yield event("sentence", step)
            end = answer_end_json(working.result(), found.took_ms)
            yield event("end", {**end, "request_id": self._request_id})
        finally:
            working.cancel()
            await ended(working)


def event(name: str, data: dict[str, Any]) -> bytes:
    """An event as it is sent."""
    return _event(name, json.dumps(data, ensure_ascii=False, separators=(",", ":")))


def _error_event(scope: Scope, error: Exception) -> bytes:
    return _event("error", bytes(stream_problem(scope, error).body).decode())


def _event(name: str, data: str) -> bytes:
    return format_sse_event(event=name, data_str=data)


def _piece(content: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}

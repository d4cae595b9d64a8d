"""The two clients: what they can ask is in ``kb.client.asking``, here is how it is sent."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager, contextmanager
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, Unpack

import httpx

from kb.client import asking
from kb.client.asking import Narrowing, Part, Request, following
from kb.client.errors import TooManyRequestsError, response_error
from kb.client.events import Event, Events
from kb.errors import UsageError
from kb.keys import is_well_formed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
    from typing import BinaryIO

    from kb.client.errors import ServiceError

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

# A client that is told to come back later than this many seconds says so instead of waiting.
LONGEST_WAIT = 60.0
# Longer than the service lets anybody wait, for a turn and then for an answer.
_TIMEOUT = 60.0


class Method(Generic[P, R]):
    """A method of a client: describes a request, with the same arguments, and has it sent."""

    def __init__(
        self, describe: Callable[P, Request[T]], send: Callable[[Any, Request[T]], R]
    ) -> None:
        self._describe = describe
        self._send = send
        self.__doc__ = describe.__doc__

    def __get__(self, client: Any, owner: type) -> Callable[P, R]:
        """The method of one client."""

        @wraps(self._describe)
        def method(*args: P.args, **kwargs: P.kwargs) -> R:
            return self._send(client, self._describe(*args, **kwargs))

        return method


class Client:
    """The service, asked and waited for.

    Without a key, or with an empty one, what is public is found. A request that is refused for now
    (429, 503 with ``Retry-After``) is sent again, up to ``retries`` times, where that can't do
    anything twice. ``timeout`` is in seconds.

    Raises:
        UsageError: The key is mistyped.
        ServiceError: From every method: the service has answered with a problem.
        httpx.TransportError: From every method: the service can't be reached.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None = None,
        *,
        timeout: float = _TIMEOUT,
        retries: int = 2,
    ) -> None:
        self._http = httpx.Client(base_url=base_url, headers=_headers(key), timeout=timeout)
        self._retries = retries

    def __enter__(self) -> Self:
        """Use it in a ``with`` block, which closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def send(self, request: Request[T]) -> T:
        """Send a request of ``kb.client.asking`` and read its answer."""
        with self._opened(request) as response:
            response.read()
            return request.read(response)

    def _each(self, request: Request[Part[T]]) -> Iterator[T]:
        part = self.send(request)
        yield from part.items
        while part.next is not None:
            part = self.send(following(request, part))
            yield from part.items

    @contextmanager
    def _opened(self, request: Request[Any]) -> Iterator[httpx.Response]:
        for left in range(self._retries, -1, -1):
            with self._http.stream(**request.sent()) as response:
                if response.is_success:
                    yield response
                    return
                response.read()
            time.sleep(_wait(request, response, left))

    search = Method(asking.search, send)
    search_many = Method(asking.search_many, send)
    answer = Method(asking.answer, send)
    documents = Method(asking.documents, _each)
    document = Method(asking.document, send)
    page = Method(asking.page, send)
    calls = Method(asking.calls, _each)
    call = Method(asking.call, send)
    match_calls = Method(asking.match_calls, send)
    call_file = Method(asking.call_file, send)
    save_search = Method(asking.save_search, send)
    delete_search = Method(asking.delete_search, send)
    feedback = Method(asking.feedback, send)
    export = Method(asking.export, send)
    status = Method(asking.status, send)

    def stream_answer(
        self, question: str, **narrowing: Unpack[Narrowing]
    ) -> Generator[Event, None, None]:
        """Answer as events: the sources, each sentence with its new citations, the end.

        Closing it before its end stops the service's work.
        """
        events = Events()
        with self._opened(asking.stream_answer(question, **narrowing)) as response:
            for piece in response.iter_bytes():
                yield from events.read(piece)

    def original(self, document_id: str, to: str | Path, *, version: int | None = None) -> Path:
        """Save the file that a document was read from, and return its path ``to``."""
        request = asking.original(document_id, version)
        with self._opened(request) as response, _saving(Path(to)) as file:
            for piece in response.iter_bytes():
                file.write(piece)
        return Path(to)


class AsyncClient:
    """The same for programs that do other things meanwhile; see ``Client``."""

    def __init__(
        self,
        base_url: str,
        key: str | None = None,
        *,
        timeout: float = _TIMEOUT,
        retries: int = 2,
    ) -> None:
        self._http = httpx.AsyncClient(base_url=base_url, headers=_headers(key), timeout=timeout)
        self._retries = retries

    async def __aenter__(self) -> Self:
        """Use it in an ``async with`` block, which closes it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def send(self, request: Request[T]) -> T:
        """Send a request of ``kb.client.asking`` and read its answer."""
        async with self._opened(request) as response:
            await response.aread()
            return request.read(response)

    async def _each(self, request: Request[Part[T]]) -> AsyncIterator[T]:
        part = await self.send(request)
        for item in part.items:
            yield item
        while part.next is not None:
            part = await self.send(following(request, part))
            for item in part.items:
                yield item

    @asynccontextmanager
    async def _opened(self, request: Request[Any]) -> AsyncIterator[httpx.Response]:
        for left in range(self._retries, -1, -1):
            async with self._http.stream(**request.sent()) as response:
                if response.is_success:
                    yield response
                    return
                await response.aread()
            await asyncio.sleep(_wait(request, response, left))

    search = Method(asking.search, send)
    search_many = Method(asking.search_many, send)
    answer = Method(asking.answer, send)
    documents = Method(asking.documents, _each)
    document = Method(asking.document, send)
    page = Method(asking.page, send)
    calls = Method(asking.calls, _each)
    call = Method(asking.call, send)
    match_calls = Method(asking.match_calls, send)
    call_file = Method(asking.call_file, send)
    save_search = Method(asking.save_search, send)
    delete_search = Method(asking.delete_search, send)
    feedback = Method(asking.feedback, send)
    export = Method(asking.export, send)
    status = Method(asking.status, send)

    async def stream_answer(
        self, question: str, **narrowing: Unpack[Narrowing]
    ) -> AsyncGenerator[Event, None]:
        """Answer as events: the sources, each sentence with its new citations, the end.

        Closing it before its end stops the service's work.
        """
        events = Events()
        async with self._opened(asking.stream_answer(question, **narrowing)) as response:
            async for piece in response.aiter_bytes():
                for event in events.read(piece):
                    yield event

    async def original(
        self, document_id: str, to: str | Path, *, version: int | None = None
    ) -> Path:
        """Save the file that a document was read from, and return its path ``to``."""
        request = asking.original(document_id, version)
        async with self._opened(request) as response:
            with _saving(Path(to)) as file:
                async for piece in response.aiter_bytes():
                    file.write(piece)
        return Path(to)


def _headers(key: str | None) -> dict[str, str]:
    headers = {"User-Agent": f"operation-milliard-kb/{version('operation-milliard-kb')}"}
    given = (os.environ.get("KB_KEY", "") if key is None else key).strip()
    if given:
        if not is_well_formed(given):
            raise UsageError("The key is mistyped: copy the whole of it, it begins with omk_.")
        headers["Authorization"] = f"Bearer {given}"
    return headers


def _wait(request: Request[Any], response: httpx.Response, left: int) -> float:
    """In how many seconds to send a request again.

    Raises:
        ServiceError: It is not to be sent again.
    """
    error = response_error(response)
    wait = error.retry_after
    if not left or wait is None or wait > LONGEST_WAIT or not _may_repeat(request, error):
        raise error
    return wait


def _may_repeat(request: Request[Any], error: ServiceError) -> bool:
    """Whether nothing was begun, or doing it twice would do no harm."""
    begun = not isinstance(error, TooManyRequestsError) and error.type != "/problems/busy"
    return request.repeatable or not begun


@contextmanager
def _saving(path: Path) -> Iterator[BinaryIO]:
    """Write a file that is there only once it is whole."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)

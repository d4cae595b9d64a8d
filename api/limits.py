"""How large a request may be, how deep, and how slow."""

from __future__ import annotations

import asyncio
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers

from api.problems import problem_response
from kb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.access import Caller
    from api.problems import ProblemResponse

MAX_BODY: Final = 64 * 1024
MAX_DEPTH: Final = 32
MAX_ADDRESS: Final = 8 * 1024
MAX_PARAMETERS: Final = 100
# Seconds that the next piece of a body may take, and bytes a second that a large body must keep up
# once its first seconds are over: 200 MB in less than an hour.
PIECE_SECONDS: Final = 10.0
PACE: Final = 64 * 1024

# A hundred queries of a thousand characters in whatever script, and what narrows them; two hundred
# citations as answers give them.
_LARGER: Final = {("POST", path): 512 * 1024 for path in ("/v1/exports", "/v1/search/batch")}
_NO_BODIES: Final[Mapping[tuple[str, str], int]] = MappingProxyType({})
# A string, also one that never ends, or a bracket. Possessive: each byte is looked at once.
_STRINGS_AND_BRACKETS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class AddressLimit:
    """Refuses an address that is longer than ``MAX_ADDRESS`` or has too many parameters."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        app = self._app
        if scope["type"] == "http":
            query: bytes = scope["query_string"]
            path: bytes = scope.get("raw_path") or scope["path"].encode()
            if len(path) + len(query) > MAX_ADDRESS:
                app = _address_too_long(scope)
            elif query.count(b"&") >= MAX_PARAMETERS:
                app = _not_understood(
                    scope, f"An address may have {MAX_PARAMETERS} parameters at most."
                )
        await app(scope, receive, send)


class BodyLimit:
    """Refuses a body that is too large, too deep or too slow.

    A body is read before the application sees the request: it is small or refused, and a length
    that was stated wrongly or not at all makes no difference. ``large`` are the routes of staff
    that take more; their bodies are passed on piece by piece. Others may send there what they may
    send anywhere, so that the address is to them like one at which there is nothing.

    Args:
        app: What is asked.
        seconds: How long a body may take; a large one for as long as it keeps up its ``PACE``.
        large: The most bytes, by method and path.
        piece_seconds: How long the next piece may take.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        seconds: float = 20.0,
        large: Mapping[tuple[str, str], int] = _NO_BODIES,
        piece_seconds: float = PIECE_SECONDS,
    ) -> None:
        self._app = app
        self._seconds = seconds
        self._large = large
        self._piece_seconds = piece_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = scope["method"], scope["path"]
        large = self._large.get(route) if _is_whole_staff(scope) else None
        at_most = large or _LARGER.get(route, MAX_BODY)
        body = _Body(
            receive,
            at_most=at_most,
            seconds=self._seconds,
            piece_seconds=self._piece_seconds,
            pace=None if large is None else PACE,
        )
        try:
            body.check_stated(Headers(scope=scope).get("content-length", "0"))
            if large is None:
                await self._read(body, scope, send)
            else:
                await self._pass_on(body, scope, send)
        except _TooLargeError:
            await _too_large(scope, at_most)(scope, receive, send)
        except _TooSlowError:
            await _too_slow(scope)(scope, receive, send)

    async def _read(self, body: _Body, scope: Scope, send: Send) -> None:
        pieces: list[bytes] = []
        while not body.whole:
            message = await body.receive()
            if message["type"] == "http.disconnect":
                return
            pieces.append(message.get("body", b""))
        whole = b"".join(pieces)
        app = self._app
        if "json" in Headers(scope=scope).get("content-type", "").lower():
            app = _wrong_json(scope, whole) or app
        waiting: list[Message] = [{"type": "http.request", "body": whole, "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await body.receive()

        await app(scope, replay, send)

    async def _pass_on(self, body: _Body, scope: Scope, send: Send) -> None:
        """Let the application read; where the body proves wrong, it sees a client that left.

        Frameworks make an answer of their own out of whatever happens while they read a body, so
        that is not sent: what is wrong with it is raised here once they are done.
        """
        wrong: _WrongBodyError | None = None
        started = False

        async def receive_checked() -> Message:
            nonlocal wrong
            if wrong is None:
                try:
                    return await body.receive()
                except _WrongBodyError as error:
                    wrong = error
            return {"type": "http.disconnect"}

        async def send_unless_wrong(message: Message) -> None:
            nonlocal started
            if wrong is None or started:
                started = True
                await send(message)

        try:
            await self._app(scope, receive_checked, send_unless_wrong)
        except Exception:
            if wrong is None:
                raise
        if wrong is not None and not started:
            raise wrong


class _WrongBodyError(Exception):
    """A body can't be taken."""


class _TooLargeError(_WrongBodyError):
    """It is too large."""


class _TooSlowError(_WrongBodyError):
    """It does not arrive."""


class _Body:
    """A body on its way in; only the time that is spent waiting for the client counts."""

    def __init__(
        self,
        receive: Receive,
        *,
        at_most: int,
        seconds: float,
        piece_seconds: float,
        pace: int | None,
    ) -> None:
        self._receive = receive
        self._at_most = at_most
        self._seconds = seconds
        self._piece_seconds = piece_seconds
        self._pace = pace
        self._size = 0
        self._waited = 0.0
        self.whole = False

    def check_stated(self, length: str) -> None:
        """Look at the length that the client has announced."""
        if length.isdecimal() and int(length) > self._at_most:
            raise _TooLargeError

    async def receive(self) -> Message:
        """The next message; after the last piece the client may take its time."""
        message = await (self._receive() if self.whole else self._in_time())
        self._size += len(message.get("body", b""))
        if self._size > self._at_most:
            raise _TooLargeError
        self.whole = self.whole or not message.get("more_body", False)
        return message

    async def _in_time(self) -> Message:
        loop = asyncio.get_running_loop()
        earned = self._size / self._pace if self._pace else 0.0
        left = self._seconds + earned - self._waited
        since = loop.time()
        try:
            async with asyncio.timeout(min(left, self._piece_seconds)):
                return await self._receive()
        except TimeoutError:
            raise _TooSlowError from None
        finally:
            self._waited += loop.time() - since


def json_depth(body: bytes) -> int:
    """How deep arrays and objects are nested in JSON in UTF-8, without parsing it."""
    deepest = depth = 0
    for found in _STRINGS_AND_BRACKETS.finditer(body):
        match found[0][:1]:
            case b"[" | b"{":
                depth += 1
                deepest = max(deepest, depth)
            case b"]" | b"}":
                depth -= 1
    return deepest


def _wrong_json(scope: Scope, body: bytes) -> ProblemResponse | None:
    # Python reads JSON in UTF-16 and UTF-32 too, in which a byte may look like a quote and is
    # none; both have NULs, and JSON in UTF-8 has none (RFC 8259).
    if b"\0" in body or not _is_utf8(body):
        return _not_understood(scope, "The body must be JSON in UTF-8.")
    if json_depth(body) > MAX_DEPTH:
        return _not_understood(scope, f"The body is nested deeper than {MAX_DEPTH} levels.")
    return None


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_whole_staff(scope: Scope) -> bool:
    """Whether staff ask who see everything; of a session's form the route checks the token."""
    state = scope["state"]
    caller: Caller | None = state.get("form_caller") or state.get("caller")
    return caller is not None and caller.is_whole_staff


# What is left of a body that is not read ends with its connection.
_CLOSE: Final = {"Connection": "close"}


def _too_large(scope: Scope, at_most: int) -> ProblemResponse:
    return problem_response(
        scope,
        413,
        f"The body of this request may have {at_most} bytes at most.",
        slug="body-too-large",
        title="Body too large",
        headers=_CLOSE,
    )


def _too_slow(scope: Scope) -> ProblemResponse:
    return problem_response(scope, 408, "The body did not arrive in time.", headers=_CLOSE)


def _address_too_long(scope: Scope) -> ProblemResponse:
    return problem_response(
        scope,
        414,
        f"Path and query may have {MAX_ADDRESS} bytes at most.",
        slug="address-too-long",
        title="Address too long",
        headers=_CLOSE,
    )


def _not_understood(scope: Scope, detail: str) -> ProblemResponse:
    slug = "request-not-understood"
    return problem_response(scope, 422, detail, slug=slug, title=UsageError.title)

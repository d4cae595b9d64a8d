"""How large a request may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers

from api.problems import problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY: Final = 64 * 1024


class BodyLimit:
    """Refuses a request whose body is larger than ``MAX_BODY`` bytes with 413.

    The body is read before the application sees the request: it is small or refused, and a length
    that was stated wrongly or not at all makes no difference.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        stated = Headers(scope=scope).get("content-length", "0")
        if stated.isdecimal() and int(stated) > MAX_BODY:
            await _refuse(scope, receive, send)
            return
        messages: list[Message] = []
        size, more = 0, True
        while more:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            if size > MAX_BODY:
                await _refuse(scope, receive, send)
                return
            more = message.get("more_body", False)
        messages.reverse()

        async def replay() -> Message:
            return messages.pop() if messages else await receive()

        await self._app(scope, replay, send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    response = problem_response(
        scope,
        413,
        f"The body of a request may have {MAX_BODY} bytes at most.",
        slug="body-too-large",
        title="Body too large",
        headers={"Connection": "close"},
    )
    await response(scope, receive, send)

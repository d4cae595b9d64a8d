"""Problem documents told in the words of a door whose users have no eyes for JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.datastructures import MutableHeaders

from api.problems import PROBLEM_JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Told(NamedTuple):
    """A problem as a door tells it; ``headers`` are put over those that it came with."""

    content: bytes
    headers: Mapping[str, str]


class Retelling:
    """Puts another body in the place of problem documents; their status stays.

    Keys, limits and turns refuse a request before it reaches a route, so this stands around them.
    ``concerns`` says of a request's scope whether it comes through the door, ``tell`` has the
    scope, the status, the problem and its headers.
    """

    def __init__(
        self,
        app: ASGIApp,
        concerns: Callable[[Scope], bool],
        tell: Callable[[Scope, int, dict[str, Any], Mapping[str, str]], Told],
    ) -> None:
        self._app = app
        self._concerns = concerns
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or not self._concerns(scope):
            await self._app(scope, receive, send)
            return
        held: list[Message] = []

        async def send_retold(message: Message) -> None:
            if not held and not _begins_problem(message):
                await send(message)
                return
            held.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                for each in self._retold(scope, held):
                    await send(each)

        await self._app(scope, receive, send_retold)

    def _retold(self, scope: Scope, held: list[Message]) -> tuple[Message, Message]:
        start, *pieces = held
        problem = json.loads(b"".join(piece.get("body", b"") for piece in pieces))
        headers = MutableHeaders(raw=list(start["headers"]))
        told = self._tell(scope, start["status"], problem, headers)
        headers.update(told.headers)
        headers["content-length"] = str(len(told.content))
        body = {"type": "http.response.body", "body": told.content}
        return {**start, "headers": headers.raw}, body


def _begins_problem(message: Message) -> bool:
    if message["type"] != "http.response.start":
        return False
    return MutableHeaders(raw=message["headers"]).get("content-type") == PROBLEM_JSON

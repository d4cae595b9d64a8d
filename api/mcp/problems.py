"""Problems at ``/mcp`` as errors of the protocol, which is all that its clients show."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from mcp_types import INTERNAL_ERROR, INVALID_REQUEST
from starlette.datastructures import MutableHeaders

from api.mcp.uris import PATH
from api.problems import PROBLEM_JSON

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class ProblemMessages:
    """Turns the problem documents of a request at ``/mcp`` into messages of the protocol.

    Keys, limits and turns refuse a request before it reaches the server. A client of the protocol
    has no eyes for their words: an assistant would not learn that it must wait, or that its key has
    ended. Status and headers stay.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        held: list[Message] = []

        async def send_as_message(message: Message) -> None:
            if not held and not _begins_problem(message):
                await send(message)
                return
            held.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                for each in _rewritten(held):
                    await send(each)

        await self._app(scope, receive, send_as_message)


def _begins_problem(message: Message) -> bool:
    if message["type"] != "http.response.start":
        return False
    return MutableHeaders(raw=message["headers"]).get("content-type") == PROBLEM_JSON


def _rewritten(held: list[Message]) -> tuple[Message, Message]:
    start, *pieces = held
    problem = json.loads(b"".join(piece.get("body", b"") for piece in pieces))
    headers = MutableHeaders(raw=list(start["headers"]))
    told = problem["detail"]
    if seconds := headers.get("retry-after"):
        told += f" Retry-After: {seconds}."
    content = json.dumps(_error(start["status"], told, problem), ensure_ascii=False).encode()
    headers["content-type"] = "application/json"
    headers["content-length"] = str(len(content))
    return {**start, "headers": headers.raw}, {"type": "http.response.body", "body": content}


def _error(status: int, told: str, problem: dict[str, Any]) -> dict[str, Any]:
    theirs = status < HTTPStatus.INTERNAL_SERVER_ERROR
    code = INVALID_REQUEST if theirs else INTERNAL_ERROR
    error = {"code": code, "message": told, "data": problem}
    return {"jsonrpc": "2.0", "id": None, "error": error}

"""The MCP server over streamable HTTP, at an address of the service."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import anyio
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.routing import Route

from api.access import service_address
from api.limits import MAX_BODY
from api.mcp.asking import Asking
from api.mcp.server import make_server
from api.mcp.uris import PATH
from kb.audited import Audit
from kb.keys import Door

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from mcp.server.context import ServerRequestContext
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from kb.bootstrap import KnowledgeBase

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
# As the SDK compares: what ends in ``:*`` stands for whatever begins with the rest and a colon.
_ANY_PAGE = ("http:*", "https:*")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def mcp_route() -> Route:
    """The route ``/mcp`` of an application whose lifespan enters ``running``.

    It takes POST alone: a GET would open a stream on which the server says something of its own
    accord, and this one never does.
    """
    return Route(PATH, _Endpoint(), methods=["POST"], include_in_schema=False)


class _Endpoint:
    """Hands requests to what ``running`` runs, and cancels those whose client goes away."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        manager: StreamableHTTPSessionManager = scope["app"].state.mcp
        state = scope["state"]
        state["caller"] = replace(state["caller"], door=Door.MCP)
        await _while_connected(manager.handle_request, scope, receive, send)


@asynccontextmanager
async def running(kb: KnowledgeBase) -> AsyncIterator[StreamableHTTPSessionManager]:
    """Run what answers at ``/mcp``, to be put at ``app.state.mcp``.

    There are no sessions: every request brings its own key, any worker answers it, and nothing
    that one caller began can be gone on with by another. Answers are JSON, so that those under way
    are finished when the service stops.
    """

    def asking(context: ServerRequestContext[Any, Request]) -> Asking:
        if context.request is None:
            raise RuntimeError("A request over HTTP came without its request.")
        state = context.request.state
        audit = Audit(kb, state.caller, state.request_id)
        return Asking(audit, service_address(kb, context.request))

    manager = StreamableHTTPSessionManager(
        make_server(kb, asking),
        json_response=True,
        stateless=True,
        security_settings=guarded(kb.settings.public_url, kb.settings.cors_origins.split()),
        max_request_body_size=MAX_BODY,
    )
    async with manager.run():
        yield manager


def guarded(public_url: str, origins: Sequence[str] = ()) -> TransportSecuritySettings:
    """Which names the service answers to, and which web pages may call it.

    A page of another site could have its own name point to this machine and read, with its
    visitor's browser, a service that only their network reaches (DNS rebinding). So the ``Host``
    must be the service's own, as set or on this machine. Assistants and servers send no
    ``Origin``, and everything public is theirs; pages do, and may call from the service's own
    address, from this machine, or from the ``origins`` that are let in.
    """
    hosts = [name for host in _LOOPBACK for name in (host, f"{host}:*")]
    pages = [f"http://{host}" for host in hosts]
    stated = urlsplit(public_url)
    if stated.netloc:
        own = stated.netloc.rpartition("@")[2].lower()
        default = f":{_DEFAULT_PORTS.get(stated.scheme, '')}"
        names = dict.fromkeys((own, own.removesuffix(default)))
        hosts += names
        pages += [f"{stated.scheme}://{name}" for name in names]
    pages += _ANY_PAGE if "*" in origins else origins
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=pages)


async def _while_connected(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run an application that reads a request's body, and cancel it when the client goes away."""
    body = await _body(receive)
    given = False
    left = anyio.Event()

    async def replay() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        await app(scope, replay, send)
        tasks.cancel_scope.cancel()


async def _body(receive: Receive) -> bytes:
    """The whole body; ``BodyLimit`` has seen that it is small."""
    parts = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)

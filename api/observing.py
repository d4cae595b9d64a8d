"""What is told of each request: its id to the client, a line to the log, its figures, its span."""

from __future__ import annotations

import logging
import re
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from starlette.datastructures import Headers, MutableHeaders

from api.logs import current_request
from api.metrics import measure_memory, metrics
from api.templates import template_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from kb.tracing import Tracing

HEADER: Final = "X-Request-ID"

# Others would let a client make as many series of figures as it likes.
_METHODS: Final = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
# nginx' word for a client that left before it was answered; no client ever sees it.
_LEFT: Final = 499

_log = logging.getLogger("api.requests")


@dataclass(slots=True)
class Exchange:
    """One request and what became of it; ``status`` is 499 until a response begins."""

    id: str
    method: str
    route: str
    started: float = field(default_factory=time.perf_counter)
    status: int = _LEFT
    bytes: int = 0


class Observing:
    """Gives each request an id, and tells what became of it; the outermost of the middlewares.

    A client's own ``X-Request-ID`` is kept where it can't be mistaken for anything else. Of the
    address only the template of its route is told: no query, no id of a document, no secret.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(_request_id(scope), _method(scope), template_of(scope))
        scope.setdefault("state", {})["request_id"] = exchange.id
        current_request.set(exchange.id)

        async def send_observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                MutableHeaders(scope=message)[HEADER] = exchange.id
            exchange.bytes += len(message.get("body", b""))
            await send(message)

        with _told(exchange, scope), _traced(exchange, scope):
            try:
                await self._app(scope, receive, send_observed)
            except Exception:
                # Starlette answers it outside of here; the server logs it, with the id.
                exchange.status = 500
                scope["state"]["problem"] = "internal-error"
                raise


@contextmanager
def _told(exchange: Exchange, scope: Scope) -> Iterator[None]:
    """Count a request while it is answered; then log and measure it."""
    with metrics().in_flight.track_inprogress():
        try:
            yield
        finally:
            _tell(exchange, scope["state"])


def _tell(exchange: Exchange, state: dict[str, Any]) -> None:
    seconds = time.perf_counter() - exchange.started
    caller, problem = state.get("caller"), state.get("problem")
    counts = metrics()
    counts.requests.labels(exchange.route, exchange.method, str(exchange.status)).inc()
    counts.seconds.labels(exchange.route, exchange.method).observe(seconds)
    if problem is not None:
        counts.problems.labels(problem).inc()
    measure_memory()
    fields = {
        "request_id": exchange.id,
        "method": exchange.method,
        "route": exchange.route,
        "status": exchange.status,
        "milliseconds": round(seconds * 1000, 1),
        "bytes": exchange.bytes,
        "door": caller and caller.door.value,
        "role": caller and (caller.role.value if caller.role else "anonymous"),
        "problem": problem,
    }
    words = (exchange.method, exchange.route, exchange.status)
    _log.info("%s %s %d", *words, extra=fields)


@contextmanager
def _traced(exchange: Exchange, scope: Scope) -> Iterator[None]:
    """Make a span of a request where traces are made."""
    tracing: Tracing | None = getattr(scope["app"].state, "tracing", None)
    if tracing is None:
        yield
        return
    attributes = {
        "http.request.method": exchange.method,
        "http.route": exchange.route,
        "kb.request_id": exchange.id,
    }
    with tracing.span(f"{exchange.method} {exchange.route}", attributes) as span:
        try:
            yield
        finally:
            span.set_attribute("http.response.status_code", exchange.status)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(HEADER, "")
    return given if _ID.fullmatch(given) else secrets.token_hex(16)


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in _METHODS else "other"

"""How often a caller may ask: a request costs tokens, and whose bucket is empty gets 429.

Buckets are counted by ``Caller.client``: a key, or the address of who has none. A bucket holds
half of what it gains in a minute.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException

from api.problems import problem_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.access import Caller
    from api.buckets import Buckets, Taken

FAILED_KEY_COST: Final = 10
# How often a minute a client may do what stores things, sends mails or tries keys, whatever else
# it may: each of these has a bucket of its own.
STRICT: Final = {
    ("POST", "/v1/searches"): 10,
    ("POST", "/calls/follow"): 10,
    ("POST", "/v1/feedback"): 10,
    ("POST", "/login"): 10,
    ("POST", "/briefs"): 10,
    ("POST", "/briefs/add"): 60,
}

_DETAIL: Final = (
    "These are more requests than you may make; Retry-After says in how many seconds to go on."
)


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Where tokens are counted, and how many requests a minute are granted.

    ``anonymous`` is for an address without a key, ``keyed`` for a key that has no rate of its own.
    """

    buckets: Buckets
    anonymous: int
    keyed: int

    def meter(self, caller: Caller) -> Meter:
        """What counts a request of a caller."""
        per_minute = self.anonymous if caller.key is None else caller.key.rate or self.keyed
        return Meter(self.buckets, caller.client, per_minute)


class Meter:
    """What one request takes from the buckets of its client, and what they said last."""

    def __init__(self, buckets: Buckets, client: str, per_minute: int) -> None:
        self._buckets = buckets
        self._client = client
        self._per_minute = per_minute
        self._told: dict[str, tuple[int, Taken]] = {}  # by bucket: requests a minute, what is left

    async def start(self, method: str, path: str) -> Taken:
        """Take what every request costs, also from a bucket that its route may have."""
        taken = await self.take(1)
        per_minute = STRICT.get((method, path))
        if per_minute is None or not taken.allowed:
            return taken
        return await self._take(f"{self._client} {method} {path}", per_minute, 1)

    async def take(self, cost: int, *, owing: bool = False) -> Taken:
        """Take tokens from the client's ordinary bucket."""
        return await self._take(self._client, self._per_minute, cost, owing=owing)

    async def _take(self, bucket: str, per_minute: int, cost: int, *, owing: bool = False) -> Taken:
        burst = max(1, per_minute // 2)
        taken = await self._buckets.take(bucket, per_minute, burst, cost, owing=owing)
        self._told[bucket] = per_minute, taken
        return taken

    def headers(self) -> dict[str, str]:
        """The limit that leaves least: requests a minute, how many at once, when it is full."""
        per_minute, taken = min(
            self._told.values(), key=lambda told: (told[1].allowed, told[1].remaining)
        )
        return {
            "RateLimit-Limit": str(per_minute),
            "RateLimit-Remaining": str(taken.remaining),
            "RateLimit-Reset": str(math.ceil(taken.full_after)),
        }


class Rates:
    """Refuses with 429 what a caller's bucket can't pay, and says on every response what is left.

    ``Authentication`` before it says who the caller is. The buckets are closed with the service.
    """

    def __init__(self, app: ASGIApp, *, limits: RateLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            try:
                await self._app(scope, receive, send)
            finally:
                await self._limits.buckets.close()
        elif scope["type"] == "http" and not is_free(scope["path"]):
            await self._count(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        meter = scope["state"]["meter"] = self._limits.meter(scope["state"]["caller"])

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(meter.headers())
            await send(message)

        taken = await meter.start(scope["method"], scope["path"])
        app = self._app if taken.allowed else _too_many(scope, taken, meter.headers())
        await app(scope, receive, send_counted)


class FailedKeys:
    """Counts keys that are not accepted, and answers 429 instead of 401 when they are too many.

    It stands around ``Authentication``, which answers such a request itself and notes
    ``failed_key``, as ``/login`` does: no other middleware learns of it.
    """

    def __init__(self, app: ASGIApp, *, limits: RateLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        refusal: ASGIApp | None = None

        async def send_unless_too_many(message: Message) -> None:
            nonlocal refusal
            if message["type"] == "http.response.start" and scope["state"].get("failed_key"):
                meter = self._limits.meter(scope["state"]["caller"])
                taken = await meter.take(FAILED_KEY_COST, owing=True)
                if not taken.allowed:
                    refusal = _too_many(scope, taken, meter.headers())
                MutableHeaders(scope=message).update(meter.headers())
            if refusal is None:
                await send(message)

        await self._app(scope, receive, send_unless_too_many)
        if refusal is not None:
            await refusal(scope, receive, send)


async def charge(request: Request, cost: int) -> None:
    """Have a request cost ``cost`` in all, where one costs 1 else.

    Raises:
        HTTPException: 429; the caller's bucket can't pay that now.
    """
    meter: Meter | None = getattr(request.state, "meter", None)
    if meter is None or cost <= 1:  # no limits, or paid already
        return
    taken = await meter.take(cost - 1)
    if not taken.allowed:
        raise HTTPException(429, _DETAIL, headers=_retry_after(taken))


def is_free(path: str) -> bool:
    """Whether what is at an address costs nothing: probes of the service, files of its pages."""
    return path in {"/healthz", "/readyz"} or path.startswith("/static/")


def _too_many(scope: Scope, taken: Taken, headers: Mapping[str, str]) -> ASGIApp:
    return problem_response(scope, 429, _DETAIL, headers={**headers, **_retry_after(taken)})


def _retry_after(taken: Taken) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(taken.retry_after)))}

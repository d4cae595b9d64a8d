"""How often a caller may ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse
from starlette.testclient import TestClient

from api.access import Caller
from api.buckets import Buckets, MemoryBuckets
from api.problems import add_problem_handlers
from api.rates import FailedKeys, RateLimits, Rates, charge
from api.schemas import Problem
from kb.keys import KeyRole, access_of
from kb.record.keys import Key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpx2 import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

ANONYMOUS = 20  # a minute: ten at once, one more every three seconds
KEYED = 40
EMPTY = "/problems/too-many-requests"


def _caller(client: str, rate: int | None = None) -> Caller:
    if client.startswith("address:"):
        return Caller(None, access_of(None), client)
    created = datetime(2026, 1, 1, tzinfo=UTC)
    key = Key(1, "partner", KeyRole.PARTNER, None, created, rate=rate)
    return Caller(KeyRole.PARTNER, access_of(KeyRole.PARTNER), client, key=key)


class _Known:
    """Stands where ``Authentication`` does: the caller is named in a header, or has a bad key."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            rate = headers.get(b"rate")
            client = headers.get(b"from", b"address:192.0.2.1").decode()
            scope["state"]["caller"] = _caller(client, rate and int(rate))
            if b"bad-key" in headers:
                scope["state"]["failed_key"] = True
                app = JSONResponse({}, 401)
        await app(scope, receive, send)


@dataclass
class Service:
    """A small application behind the limits, with a clock that the test sets."""

    now: float = 0.0
    closed: bool = False
    client: TestClient = field(init=False)

    def get(self, path: str = "/", **headers: str) -> Response:
        """Ask; keywords are headers."""
        return self.client.get(path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def statuses(self, count: int, path: str = "/", **headers: str) -> list[int]:
        """What several requests are answered with."""
        return [self.get(path, **headers).status_code for _ in range(count)]


class _Closing(MemoryBuckets):
    def __init__(self, service: Service) -> None:
        super().__init__(clock=lambda: service.now)
        self._service = service

    async def close(self) -> None:
        self._service.closed = True


@pytest.fixture
def service() -> Iterator[Service]:
    """The application; its buckets are empty of clients."""
    made = Service()
    buckets: Buckets = _Closing(made)
    limits = RateLimits(buckets, ANONYMOUS, KEYED)
    app = FastAPI()
    add_problem_handlers(app)
    app.add_middleware(Rates, limits=limits)
    app.add_middleware(_Known)
    app.add_middleware(FailedKeys, limits=limits)

    @app.get("/batch/{size}")
    async def batch(size: int, request: Request) -> int:
        await charge(request, size)
        return size

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def anything(path: str) -> str:
        return path

    with TestClient(app) as client:
        made.client = client
        yield made
    assert made.closed, "buckets are closed with the service"


def _refused(response: Response) -> Problem:
    assert response.status_code == 429
    problem = Problem.model_validate(response.json())
    assert problem.type == EMPTY
    assert int(response.headers["retry-after"]) >= 1
    return problem


def _left(response: Response) -> tuple[int, int, int]:
    names = ("limit", "remaining", "reset")
    limit, remaining, reset = (int(response.headers[f"ratelimit-{name}"]) for name in names)
    return limit, remaining, reset


def test_half_a_minute_of_requests_may_come_at_once(service: Service) -> None:
    """The one after is told when to come back, and is answered then."""
    assert service.statuses(10) == [200] * 10
    refused = service.get()
    _refused(refused)
    assert refused.headers["retry-after"] == "3"
    service.now += 3
    assert service.statuses(2) == [200, 429]


def test_every_response_says_what_is_left(service: Service) -> None:
    """Requests a minute, how many may come at once, and when as many as ever may."""
    assert _left(service.get()) == (ANONYMOUS, 9, 3)
    assert _left(service.get()) == (ANONYMOUS, 8, 6)
    service.statuses(8)
    assert _left(service.get()) == (ANONYMOUS, 0, 30)


def test_callers_are_counted_apart_and_keys_have_rates_of_their_own(service: Service) -> None:
    """A key has more than an address, or what it was given."""
    assert service.statuses(11) == [*([200] * 10), 429]
    assert service.statuses(11, FROM="address:192.0.2.2") == [*([200] * 10), 429]
    assert service.statuses(21, FROM="key:1") == [*([200] * 20), 429]
    assert service.statuses(4, FROM="key:2", RATE="6") == [200, 200, 200, 429]
    assert _left(service.get(FROM="key:2", RATE="6"))[0] == 6


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/static/docs.js"])
def test_probes_and_files_cost_nothing(service: Service, path: str) -> None:
    """They are answered whatever was asked before, and say nothing of limits."""
    assert service.statuses(30, path) == [200] * 30
    assert "ratelimit-limit" not in service.get(path).headers
    service.statuses(11)
    assert service.get(path).status_code == 200
    assert service.get("/staticky").status_code == 429


def test_a_batch_costs_what_its_parts_do(service: Service) -> None:
    """Eight of ten are paid; a second batch is refused by its route, and what is left stays."""
    assert _left(service.get("/batch/8")) == (ANONYMOUS, 2, 24)
    refused = service.get("/batch/8")
    problem = _refused(refused)
    assert problem.instance == "/batch/8"
    assert _left(refused)[1] == 1
    assert service.statuses(2) == [200, 429]


def test_a_batch_larger_than_a_bucket_needs_a_full_one(service: Service) -> None:
    """It leaves a debt, which is paid before anything else is answered."""
    service.get("/batch/2")
    _refused(service.get("/batch/100"))
    service.now += 60
    assert service.get("/batch/100").status_code == 200
    service.now += 3 * 90
    assert service.get().status_code == 429
    service.now += 3
    assert service.get().status_code == 200


def test_a_route_without_limits_around_it_may_charge() -> None:
    """An application that nobody limits works all the same."""
    app = FastAPI()

    @app.get("/batch/{size}")
    async def batch(size: int, request: Request) -> int:
        await charge(request, size)
        return size

    assert TestClient(app).get("/batch/5").json() == 5


@pytest.mark.parametrize("path", ["/v1/searches", "/v1/feedback", "/login"])
def test_what_stores_mails_or_tries_keys_has_a_stricter_limit(service: Service, path: str) -> None:
    """Five at once and ten a minute, also with a key; reading the same address costs one."""
    sent: dict[str, Any] = {"headers": {"from": "key:1"}}
    assert [service.client.post(path, **sent).status_code for _ in range(6)] == [*([200] * 5), 429]
    refused = service.client.post(path, **sent)
    _refused(refused)
    assert _left(refused)[:2] == (10, 0)
    assert service.get(path, FROM="key:1").status_code == 200
    other = service.client.post("/elsewhere", **sent)
    assert (other.status_code, _left(other)[0]) == (200, KEYED)
    service.now += 6
    assert [service.client.post(path, **sent).status_code for _ in range(2)] == [200, 429]


def test_a_key_that_is_not_accepted_costs_its_address_ten(service: Service) -> None:
    """Who tries keys soon gets no word of them, and soon nothing else either."""
    tried = service.get(BAD_KEY="yes")
    assert tried.status_code == 401
    assert _left(tried) == (ANONYMOUS, 0, 30)
    again = service.get(BAD_KEY="yes")
    _refused(again)
    assert _left(again)[:2] == (ANONYMOUS, 0)
    assert service.get().status_code == 429
    assert service.get(FROM="key:1").status_code == 200


def test_trying_keys_locks_an_address_out_for_a_minute_not_for_hours(service: Service) -> None:
    """Others may have the same address: the debt has a bound."""
    service.statuses(500, BAD_KEY="yes")
    service.now += 34
    assert service.get().status_code == 200

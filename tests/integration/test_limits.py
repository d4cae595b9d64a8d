"""Limits as deployed: over real sockets, and of the real service in a burst of clients."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn
from conftest import Base
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from api.app import create_app
from api.limits import BodyLimit
from api.schemas import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import MakeKb
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from kb.bootstrap import KnowledgeBase


@contextmanager
def _served(app: ASGIApp) -> Iterator[str]:
    """Serve an application on a free port; gives its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", loop="asyncio", http="h11", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def test_a_connection_whose_body_does_not_arrive_is_answered_and_closed() -> None:
    """Over a real socket: 408, and nothing more can be sent on it."""

    async def size(request: Request) -> JSONResponse:
        return JSONResponse(len(await request.body()))

    app = BodyLimit(Starlette(routes=[Route("/", size, methods=["POST"])]), seconds=0.2)
    answer = b""
    with _served(app) as url:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        with socket.create_connection(address, timeout=30) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: kb\r\nContent-Length: 100\r\n\r\nslow")
            while piece := connection.recv(4096):
                answer += piece
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer.lower()
    assert answer.endswith(b"}")


@pytest.fixture
def crowded(make_kb: MakeKb, tmp_path: Path) -> KnowledgeBase:
    """A small base that fifty requests may ask at once: two are worked on, and eight wait."""
    kb = make_kb(rate_anonymous=100, concurrency=2, queue=8, queue_seconds=120, request_seconds=120)
    base = Base(kb, tmp_path / "files")
    for number in range(5):
        base.write(f"note-{number}.md", f"# Ladder {number}", f"The ladder costs {number}0 euros.")
    assert base.ingest().exit_code == 0
    return kb


def _ask(url: str, number: int) -> list[httpx.Response]:
    """One client of the burst, on a connection of its own."""
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        return [
            client.get("/v1/search", params={"query": f"ladder {number}"}),
            client.post("/v1/answers", json={"question": "What does the ladder cost?"}),
            client.get("/v1/search", params={"query": "euros"}),
        ]


def test_a_burst_of_clients_is_answered_or_told_when_to_come_back(crowded: KnowledgeBase) -> None:
    """Of 64 clients at once none hangs and none sees a failure, and the service goes on after."""
    with _served(create_app(crowded)) as url:
        with ThreadPoolExecutor(64) as clients:
            asked = [clients.submit(_ask, url, number) for number in range(64)]
            responses = [response for each in asked for response in each.result(timeout=120)]
        answered = Counter(response.status_code for response in responses)
        assert set(answered) <= {200, 429, 503}
        assert answered[200] >= 10
        assert answered[429] >= 1, "192 requests are more than come into a bucket meanwhile"
        for response in responses:
            if response.status_code == 200:
                assert {"hits", "status"} & set(response.json())
            else:
                problem = Problem.model_validate_json(response.content)
                assert problem.type in {"/problems/too-many-requests", "/problems/busy"}
                assert int(response.headers["retry-after"]) >= 1
            assert int(response.headers["ratelimit-remaining"]) >= 0
        _found_in_the_end(url)


def _found_in_the_end(url: str) -> None:
    """Come back when told to, until there is an answer."""
    for _ in range(10):
        response = httpx.get(f"{url}/v1/search?query=ladder", trust_env=False, timeout=60)
        if response.status_code == 200:
            break
        time.sleep(int(response.headers["retry-after"]))
    assert response.json()["hits"]


def test_keys_that_are_not_accepted_are_counted(crowded: KnowledgeBase) -> None:
    """Each costs its address ten requests; then its keys are not looked at any more."""
    with TestClient(create_app(crowded)) as client:
        tried = [client.get("/v1/status", headers={"X-API-Key": "omk_wrong"}) for _ in range(7)]
        assert [each.status_code for each in tried] == [*([401] * 5), 429, 429]
        assert client.get("/v1/status").status_code == 429
        assert client.get("/healthz").status_code == 200

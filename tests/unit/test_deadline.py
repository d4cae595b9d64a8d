"""How long an answer may take to begin, and its client to take it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from asgi_client import Client, run, settle, skip
from starlette.responses import JSONResponse

from api.deadline import Deadline
from api.schemas import Problem
from api.turns import Turns

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


def _problem(client: Client, status: int, slug: str) -> Problem:
    assert client.status == status
    problem = Problem.model_validate_json(client.body)
    assert problem.type == f"/problems/{slug}"
    return problem


class Slow:
    """An application that waits before it answers and between the pieces of its answer."""

    def __init__(self, begins_after: float = 0, pieces: int = 1, pause: float = 0) -> None:
        self.ended = ""
        self._begins_after = begins_after
        self._pieces = pieces
        self._pause = pause

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, then answer slowly."""
        try:
            while (await receive()).get("more_body", False):
                pass
            await asyncio.sleep(self._begins_after)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(self._pieces):
                await asyncio.sleep(self._pause)
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await send({"type": "http.response.body"})
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        self.ended = scope["path"]


def test_an_answer_that_does_not_begin_in_time_is_given_up() -> None:
    """503 says when to try again; the work is cancelled."""

    async def steps() -> None:
        work = Slow(begins_after=1000)
        client = Client(Deadline(work, seconds=30)).say()
        await skip(29)
        assert client.sent == []
        await skip(2)
        await client.task
        _problem(client, 503, "took-too-long")
        assert int(client.headers["retry-after"]) >= 1
        assert work.ended == "cancelled"

    run(steps())


def test_a_stream_may_take_longer_in_all() -> None:
    """What has begun in time is sent to its end."""

    async def steps() -> None:
        work = Slow(begins_after=25, pieces=5, pause=100)
        client = Client(Deadline(work, seconds=30)).say()
        await skip(26)
        for _ in range(5):
            await skip(101)
        await client.task
        assert (client.body, client.is_complete) == (b"xxxxx", True)

    run(steps())


def test_the_time_counts_from_the_end_of_the_body() -> None:
    """A large body is limited by its own time."""

    async def steps() -> None:
        client = Client(Deadline(Slow(begins_after=25), seconds=30), method="POST")
        for _ in range(4):
            client.say(b"x", more=True)
            await skip(100)
        client.say(b"x")
        await skip(26)
        await client.task
        assert client.status == 200

    run(steps())


def test_a_client_that_does_not_take_its_response_is_given_up() -> None:
    """The work is cancelled, and the response stays without an end, so that nobody trusts it."""

    async def steps() -> None:
        work = Slow(pieces=1000)
        client = Client(Deadline(work, seconds=30, send_seconds=30)).say()
        await settle()
        assert client.status == 200
        client.reading.clear()
        await skip(29)
        assert not client.task.done()
        await skip(2)
        await client.task
        assert work.ended == "cancelled"
        assert not client.is_complete

    run(steps())


def test_whoever_cancels_a_request_cancels_its_work() -> None:
    """Nothing is left behind when the service stops."""

    async def steps() -> None:
        work = Slow(begins_after=1000)
        client = Client(Deadline(work, seconds=30)).say()
        await settle()
        client.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await client.task
        assert work.ended == "cancelled"

    run(steps())


def test_an_error_of_the_work_is_that_of_the_request() -> None:
    """What fails is answered and logged as without a deadline."""

    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send
        raise RuntimeError("the work failed")

    async def steps() -> None:
        with pytest.raises(RuntimeError, match="the work failed"):
            await Client(Deadline(fail, seconds=30)).task

    run(steps())


def test_a_turn_lasts_as_long_as_work_that_was_given_up() -> None:
    """Where it can't be cancelled the client is answered, and nobody else gets its turn yet."""

    async def stubborn(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:  # as work in a thread does, which nobody can end
            await done.wait()
            raise
        await JSONResponse("done")(scope, receive, send)

    async def steps() -> None:
        app = Turns(Deadline(stubborn, seconds=30), at_once=1, waiting=1, seconds=3600)
        first, second = Client(app).say(), Client(app, "/second").say()
        await skip(31)
        _problem(first, 503, "took-too-long")
        assert not first.task.done()
        assert second.sent == []
        done.set()
        await first.task
        await skip(31)
        _problem(second, 503, "took-too-long")
        await second.task

    done = asyncio.Event()
    run(steps())

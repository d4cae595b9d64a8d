"""How large, deep and slow a request may be."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from asgi_client import Client, caller, run, settle, skip
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import JSONResponse

from api.limits import (
    MAX_ADDRESS,
    MAX_BODY,
    MAX_DEPTH,
    MAX_PARAMETERS,
    PACE,
    AddressLimit,
    BodyLimit,
    json_depth,
)
from api.schemas import Problem
from kb.keys import KeyRole

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

UPLOAD = ("POST", "/v1/documents")
MB = 1024 * 1024
STAFF = caller("key:9", KeyRole.STAFF)
JSON = {"Content-Type": "application/json"}


def _problem(client: Client, status: int, slug: str) -> Problem:
    assert client.status == status
    problem = Problem.model_validate_json(client.body)
    assert problem.type == f"/problems/{slug}"
    return problem


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer how many bytes a body has."""
    del scope
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await JSONResponse(size)({"type": "http"}, receive, send)


# --- addresses -----------------------------------------------------------------------------------


async def _asked(app: ASGIApp, path: str) -> Client:
    client = Client(app, path).say()
    await client.task
    return client


@pytest.mark.parametrize(
    ("address", "status", "slug"),
    [
        ("/search?q=" + "x" * (MAX_ADDRESS - 9), 200, ""),
        ("/search?q=" + "x" * (MAX_ADDRESS - 8), 414, "address-too-long"),
        ("/" + "x" * MAX_ADDRESS, 414, "address-too-long"),
        ("/search?" + "&".join(["a=1"] * MAX_PARAMETERS), 200, ""),
        ("/search?" + "&".join(["a=1"] * (MAX_PARAMETERS + 1)), 422, "request-not-understood"),
    ],
    ids=["long enough", "long query", "long path", "many", "too many"],
)
def test_an_address_has_a_length_and_a_number_of_parameters(
    address: str, status: int, slug: str
) -> None:
    """Beyond that it is refused before anything reads it."""
    client = run(_asked(AddressLimit(_echo), address))
    if status == 200:
        assert client.status == 200
    else:
        _problem(client, status, slug)


# --- bodies --------------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.integers() | st.text(alphabet='[]{}",\\é∀a:'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='[]{}"\\'), inner),
)


def _depth(value: Any) -> int:
    if not isinstance(value, list | dict):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(_depth, inner), default=0)


@given(value=_JSON, ascii_only=st.booleans())
def test_depth_is_counted_outside_of_strings(value: Any, *, ascii_only: bool) -> None:
    """Whatever strings hold, and however they are written."""
    assert json_depth(json.dumps(value, ensure_ascii=ascii_only).encode()) == _depth(value)


@given(st.binary())
def test_depth_of_what_is_no_json_is_a_number_too(body: bytes) -> None:
    """No bytes fail, or count deeper than the brackets that they hold."""
    assert 0 <= json_depth(body) <= body.count(b"[") + body.count(b"{")


async def _posted(app: ASGIApp, *pieces: bytes, **headers: str) -> Client:
    client = Client(app, method="POST", headers=headers or JSON)
    for piece in pieces[:-1]:
        client.say(piece, more=True)
    client.say(pieces[-1])
    await client.task
    return client


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 33 + b"]" * 33,
        b'{"a":' * 33 + b"1" + b"}" * 33,
        b'["\\"",' * 33,
        b"[" * (MAX_BODY - 1),
        b'"' * 998 + b"[" * 33,
    ],
    ids=["arrays", "objects", "with quotes", "unfinished", "after strings"],
)
def test_a_body_that_is_nested_too_deep_is_refused(body: bytes) -> None:
    """The parser, which could be made to overflow, never sees it."""
    problem = _problem(run(_posted(BodyLimit(_echo), body)), 422, "request-not-understood")
    assert str(MAX_DEPTH) in problem.detail


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"[" * 32 + b"]" * 32, JSON),
        (b'{"question": "' + b"[" * 1000 + b'"}', JSON),
        (b'"' + b"\\" * (MAX_BODY - 2), JSON),
        (b"[" * 1000, {"Content-Type": "application/x-www-form-urlencoded"}),
        (b"", {}),
    ],
    ids=["deep enough", "in a string", "backslashes", "a form", "none"],
)
def test_what_is_not_nested_is_passed_on(body: bytes, headers: dict[str, str]) -> None:
    """Brackets in strings and in what is no JSON are just text."""
    client = run(_posted(BodyLimit(_echo), body, **headers))
    assert (client.status, client.body) == (200, str(len(body)).encode())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_json_in_other_encodings_can_hide_no_depth(encoding: str) -> None:
    """In UTF-16 ∀ has a byte that looks like a quote; what follows is no string for that."""
    body = ('["∀",' + "[" * 50 + "]" * 51).encode(encoding)
    json.loads(('["∀"' + "]").encode(encoding))  # Python reads these
    problem = _problem(run(_posted(BodyLimit(_echo), body)), 422, "request-not-understood")
    assert "UTF-8" in problem.detail


@pytest.mark.parametrize("stated", [True, False])
def test_a_body_has_a_size(*, stated: bool) -> None:
    """It is refused by the length that is stated, or once that much has come."""
    headers = {"Content-Length": str(MAX_BODY + 1)} if stated else {"Any": "header"}
    pieces = [b"x" * 1000] * (MAX_BODY // 1000 + 1)
    client = run(_posted(BodyLimit(_echo), *pieces, **headers))
    _problem(client, 413, "body-too-large")
    assert client.headers["connection"] == "close"
    assert (client.unheard == len(pieces)) == stated


def test_a_batch_of_the_longest_queries_fits() -> None:
    """A hundred queries of a thousand characters, each of four bytes."""

    async def steps() -> None:
        batch = {"queries": [{"query": "𝕘" * 1000, "language": "fr", "top_k": 100}] * 100}
        body = json.dumps(batch, ensure_ascii=False).encode()
        client = Client(BodyLimit(_echo), "/v1/search/batch", method="POST", headers=JSON)
        await client.say(body).task
        assert (client.status, client.body) == (200, str(len(body)).encode())
        larger = Client(BodyLimit(_echo), "/v1/search/batch", method="POST").say(b"x" * MB)
        await larger.task
        _problem(larger, 413, "body-too-large")

    run(steps())


@pytest.mark.parametrize(
    ("pause", "pieces"), [(11, 1), (9, 3)], ids=["a slow piece", "many pieces"]
)
def test_a_body_that_does_not_arrive_is_not_waited_for(pause: float, pieces: int) -> None:
    """A piece has ten seconds and the whole body twenty; then the connection is closed."""

    async def steps() -> Client:
        client = Client(BodyLimit(_echo, seconds=20), method="POST")
        for _ in range(pieces):
            client.say(b"x", more=True)
            await settle()
            assert client.sent == []
            await skip(pause)
        await client.task
        return client

    client = run(steps())
    _problem(client, 408, "request-timeout")
    assert client.headers["connection"] == "close"


def test_after_the_body_the_client_may_take_its_time() -> None:
    """What limits a body does not limit how long its answer is waited for."""

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        assert (await receive())["type"] == "http.disconnect"
        await JSONResponse("left")(scope, receive, send)

    async def steps() -> Client:
        client = Client(BodyLimit(wait), method="POST").say(b"x")
        await skip(3600)
        assert not client.task.done()
        client.leave()
        await client.task
        return client

    assert run(steps()).status == 200


def test_a_client_that_leaves_within_its_body_is_not_answered() -> None:
    """Nobody is worked for."""

    async def steps() -> None:
        worked: list[Scope] = []

        async def work(scope: Scope, receive: Receive, send: Send) -> None:
            del receive, send
            worked.append(scope)

        client = Client(BodyLimit(work), method="POST").say(b"x", more=True)
        client.leave()
        await client.task
        assert (client.sent, worked) == ([], [])

    run(steps())


# --- large bodies --------------------------------------------------------------------------------


class Reader:
    """An application that reads a large body and makes an answer of whatever happens meanwhile."""

    def __init__(self, *, fails: bool = False) -> None:
        self.read = 0
        self._fails = fails

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read to the end; a client that leaves is answered with 400, as frameworks do."""
        status, more = 200, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                if self._fails:
                    raise RuntimeError("the client left")
                status = 400
                break
            self.read += len(message["body"])
            more = message.get("more_body", False)
        await JSONResponse(self.read, status)(scope, receive, send)


def _uploading(app: ASGIApp, at_most: int = 20 * MB, **headers: str) -> Client:
    method, path = UPLOAD
    limited = BodyLimit(app, large={UPLOAD: at_most})
    return Client(limited, path, STAFF, method, headers)


def test_a_large_body_is_passed_on_as_it_comes() -> None:
    """It is never held whole: a piece is read before the next one is sent."""

    async def steps() -> None:
        reader = Reader()
        client = _uploading(reader)
        for number in range(1, 6):
            client.say(b"x" * MB, more=True)
            await settle()
            assert reader.read == number * MB
        client.say(b"")
        await client.task
        assert (client.status, client.body) == (200, str(5 * MB).encode())

    run(steps())


@pytest.mark.parametrize("fails", [True, False], ids=["raises", "answers"])
def test_a_large_body_that_is_too_large_is_refused_whatever_its_reader_makes_of_it(
    *, fails: bool
) -> None:
    """The application sees a client that left; the client learns why it was cut off."""

    async def steps() -> None:
        reader = Reader(fails=fails)
        client = _uploading(reader, at_most=2 * MB)
        for _ in range(3):
            client.say(b"x" * MB, more=True)
        await client.task
        problem = _problem(client, 413, "body-too-large")
        assert str(2 * MB) in problem.detail
        assert reader.read == 2 * MB
        stated = _uploading(reader, at_most=2 * MB, **{"Content-Length": str(2 * MB + 1)})
        await stated.task
        _problem(stated, 413, "body-too-large")

    run(steps())


def test_a_large_body_may_take_as_long_as_it_keeps_its_pace() -> None:
    """Twenty seconds, and one more for each 64 KiB; each piece has ten."""

    async def steps() -> None:
        steady, slow, stuck = (_uploading(Reader()) for _ in range(3))
        for _ in range(20):
            steady.say(b"x" * (9 * PACE), more=True)
            slow.say(b"x" * PACE, more=True)
            await skip(9)
        assert steady.sent == []
        _problem(slow, 408, "request-timeout")
        _problem(stuck, 408, "request-timeout")
        steady.say(b"")
        await steady.task
        assert steady.status == 200

    run(steps())


def test_the_time_that_the_reader_takes_is_not_the_clients() -> None:
    """A slow disk is no slow client."""

    async def steps() -> None:
        reader = Reader()

        async def slowly(scope: Scope, receive: Receive, send: Send) -> None:
            async def receive_late() -> Message:
                await asyncio.sleep(100)
                return await receive()

            await reader(scope, receive_late, send)

        client = _uploading(slowly).say(b"x", more=True).say(b"x", more=True).say(b"x")
        for _ in range(4):
            await skip(101)
        await client.task
        assert (client.status, reader.read) == (200, 3)

    run(steps())


@pytest.mark.parametrize("role", [None, KeyRole.PARTNER])
def test_others_may_send_where_staff_upload_what_any_address_takes(role: KeyRole | None) -> None:
    """Nothing tells them that it takes more, or what is there."""

    async def steps() -> None:
        reader = Reader()
        limited = BodyLimit(reader, large={UPLOAD: MB})
        for path in (UPLOAD[1], "/v1/nothing"):
            client = Client(limited, path, caller("x", role), UPLOAD[0]).say(b"x")
            await client.task
            assert client.status == 200, "the application says what there is"
            large = Client(limited, path, caller("x", role), UPLOAD[0])
            large.say(b"x" * (MAX_BODY + 1), more=True)
            await large.task
            assert str(MAX_BODY) in _problem(large, 413, "body-too-large").detail

    run(steps())

"""MCP over streamable HTTP, asked by the SDK's own client through a real socket."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import pytest
import uvicorn
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server.transport_security import TransportSecurityMiddleware
from mcp_base import ENGLISH, INTERNAL, evidence_in
from starlette.requests import Request

from api.app import create_app
from api.mcp.http import guarded
from kb.keys import Door, KeyRole, NewKey
from kb.record.audit import Chosen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from conftest import Base
    from fastapi import FastAPI
    from mcp_types import CallToolResult

    from kb.bootstrap import KnowledgeBase

pytestmark = pytest.mark.anyio

QUESTION = "Que couvre la garantie pour les investisseurs de l'économie sociale ?"
SECRET = {"query": "ministère des phares bretons"}
PROTOCOLS = ["auto", "legacy"]


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of the service."""
    return "asyncio"


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    """Six documents and three calls, one of them internal."""
    with evidence_in(tmp_path_factory.mktemp("mcp-http")) as base:
        yield base


@contextmanager
def served(app: Any) -> Iterator[str]:
    """An application on a socket of its own; gives its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=10))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the service has ended"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()


@pytest.fixture(scope="module")
def url(evidence: Base) -> Iterator[str]:
    """The address of the service."""
    with served(app_of(evidence.kb)) as address:
        yield address


def app_of(kb: KnowledgeBase, rate: int = 100_000) -> FastAPI:
    """The service, which anybody may ask so often a minute, and which has patience."""
    changed = {"rate_anonymous": rate, "request_seconds": 600}
    kb.settings = kb.settings.model_copy(update=changed)
    return create_app(kb)


@asynccontextmanager
async def connected(
    url: str, key: str = "", mode: str = "auto", statuses: list[int] | None = None
) -> AsyncIterator[Client]:
    """A client, with a key or as anybody; ``statuses`` collects what HTTP answered."""

    async def note(response: httpx2.Response) -> None:
        if statuses is not None:
            statuses.append(response.status_code)

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http:
        http.event_hooks = {"response": [note]}
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


def new_key(base: Base, name: str, role: KeyRole, *collections: str) -> str:
    """A key that was made just now."""
    _, key = base.kb.keys.create(NewKey(name, role, collections or None), base.kb.clock())
    return key


def said(result: CallToolResult) -> str:
    """The texts of a result."""
    return "\n".join(getattr(block, "text", "") for block in result.content)


@pytest.mark.parametrize("mode", PROTOCOLS)
async def test_anybody_asks_in_either_protocol(url: str, evidence: Base, mode: str) -> None:
    """Tools, resources and prompts; addresses lead back to the service, quotes to the page."""
    async with connected(url, mode=mode) as client:
        assert len((await client.list_tools()).tools) == 5
        result = await client.call_tool("answer_with_citations", {"question": QUESTION})
        assert ENGLISH in said(result)
        cited = result.structured_content["citations"][0]
        span = cited["spans"][0]
        asked = {"document_id": cited["document_id"], "number": span["section"]}
        page = (await client.call_tool("get_page", asked)).structured_content
        assert page["text"][span["start"] : span["end"]] == cited["quote"] == ENGLISH
        found = await client.call_tool("search_evidence", {"query": "fonds régional communes"})
        assert f"{url}/v1/documents/fonds-fr/pages/1?version=1" in said(found)
        uris = [each.uri for each in (await client.list_resources()).resources]
        assert "evidence://documents/guarantee-en" in uris
        assert (await client.read_resource(uris[0])).contents
        assert (await client.get_prompt("policy_brief", {"topic": "x"})).messages
    async with httpx.AsyncClient(trust_env=False) as http:
        read = (await http.get(f"{url}/v1/documents/fonds-fr/pages/1?version=1")).json()
    hit = next(h for h in found.structured_content["hits"] if h["document_id"] == "fonds-fr")
    assert hit["text"] in read["text"]
    assert evidence.kb.trail.flush(30)
    doors = {each.door for each in evidence.kb.trail.record.listed(Chosen(door=Door.MCP), 9)}
    assert doors == {Door.MCP}


@pytest.mark.parametrize("mode", PROTOCOLS)
async def test_keys_give_what_their_role_may_see(url: str, evidence: Base, mode: str) -> None:
    """The same keys as for every other address, and what they see is what they find."""
    keys = {
        "": (False, False),
        new_key(evidence, f"partner {mode}", KeyRole.PARTNER): (False, True),
        new_key(evidence, f"quarter {mode}", KeyRole.PARTNER, "quartiers"): (False, True),
        new_key(evidence, f"staff {mode}", KeyRole.STAFF): (True, True),
    }
    hidden = evidence.id_of("strategie.md")
    for key, (internal, coalition) in keys.items():
        async with connected(url, key, mode) as client:
            found = said(await client.call_tool("search_evidence", SECRET))
            uris = {each.uri for each in (await client.list_resources()).resources}
            page = await client.call_tool("get_page", {"document_id": hidden, "number": 1})
        assert (INTERNAL in found) == internal
        assert (f"evidence://documents/{hidden}" in uris) == internal
        assert page.is_error != internal
        assert ("evidence://documents/guerites-fr" in uris) == coalition


@pytest.mark.parametrize("mode", PROTOCOLS)
async def test_a_revoked_key_stops_working_at_once(url: str, evidence: Base, mode: str) -> None:
    """Also for a client that is connected: there is no session that would outlive its key."""
    name = f"leaving {mode}"
    key = new_key(evidence, name, KeyRole.STAFF)
    statuses: list[int] = []
    async with connected(url, key, mode, statuses) as client:
        assert INTERNAL in said(await client.call_tool("search_evidence", SECRET))
        assert set(statuses) <= {200, 202}
        evidence.kb.keys.revoke(name, evidence.kb.clock())
        with pytest.raises(MCPError, match="key"):
            await client.call_tool("search_evidence", SECRET)
    assert statuses[-1] == 401


async def test_who_asks_too_often_is_told_to_wait(evidence: Base) -> None:
    """In words that reach the assistant, with the seconds that it must wait."""

    async def often(client: Client) -> None:
        for _ in range(30):
            await client.list_tools(cache_mode="bypass")

    with served(app_of(evidence.kb, rate=5)) as url:
        async with connected(url) as client:
            with pytest.raises(MCPError, match=r"Retry-After: \d+") as caught:
                await often(client)
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(f"{url}/mcp")
    assert caught.value.data["type"] == "/problems/too-many-requests"
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["data"]["status"] == answer.status_code == 429


def request(number: int, method: str, **params: Any) -> dict[str, Any]:
    """A message of the protocol."""
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


ACCEPT = {"Accept": "application/json, text/event-stream"}
HELLO = request(
    1,
    "initialize",
    protocolVersion="2025-11-25",
    capabilities={},
    clientInfo={"name": "test", "version": "0"},
)
CALL = request(2, "tools/call", name="search_evidence", arguments=SECRET)


def test_nothing_that_one_caller_began_can_be_gone_on_with_by_another(
    url: str, evidence: Base
) -> None:
    """No session is handed out, and one that somebody names changes nothing."""
    staff = {"Authorization": f"Bearer {new_key(evidence, 'sessions', KeyRole.STAFF)}"}
    with httpx.Client(base_url=url, headers=ACCEPT, trust_env=False) as http:
        begun = http.post("/mcp", json=HELLO, headers=staff)
        assert begun.status_code == 200, begun.text
        assert "mcp-session-id" not in begun.headers
        assert INTERNAL in http.post("/mcp", json=CALL, headers=staff).text
        for session in ({}, {"Mcp-Session-Id": "1"}):
            answer = http.post("/mcp", json=CALL, headers=session)
            assert answer.status_code == 200
            assert "phares bretons" not in answer.text.replace(SECRET["query"], "")
        assert http.get("/mcp", headers=staff).status_code == 405
        assert http.delete("/mcp", headers=staff).status_code == 405


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:6274"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Content-Type": "text/plain"}, 400),
        ({"Accept": "text/html"}, 406),
        ({"Authorization": "Bearer nonsense"}, 401),
        ({"Authorization": "Basic nonsense"}, 401),
    ],
)
def test_pages_of_other_sites_and_other_names_are_refused(
    url: str, headers: dict[str, str], status: int
) -> None:
    """Assistants send no origin, and need no key for what is public."""
    sent = {"Content-Type": "application/json", **ACCEPT, **headers}
    with httpx.Client(base_url=url, trust_env=False) as http:
        answer = http.post("/mcp", json=HELLO, headers=sent)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("public_url", "origins", "host", "origin"),
    [
        ("https://kb.example", (), "kb.example", "https://kb.example"),
        ("https://kb.example:443/", (), "kb.example", "https://kb.example"),
        ("http://10.0.0.5:8000", (), "10.0.0.5:8000", "http://10.0.0.5:8000"),
        ("", ("https://partner.example",), "localhost:8000", "https://partner.example"),
        ("", ("*",), "[::1]:8000", "https://anywhere.example:8443"),
    ],
)
async def test_the_service_answers_to_its_own_name(
    public_url: str, origins: tuple[str, ...], host: str, origin: str
) -> None:
    """As it is set, and lets those pages in that may ask it at other addresses."""
    middleware = TransportSecurityMiddleware(guarded(public_url, origins))

    async def refusal(host: str, origin: str) -> object:
        headers = [(b"host", host.encode()), (b"origin", origin.encode())]
        scope = {"type": "http", "method": "GET", "path": "/mcp", "headers": headers}
        return await middleware.validate_request(Request(scope))

    assert await refusal(host, origin) is None
    assert await refusal("other.example", origin) is not None
    if "*" not in origins:
        assert await refusal(host, "https://other.example") is not None


def test_bad_messages_are_answered_in_the_protocols_words(url: str) -> None:
    """Whatever is sent, the service answers and goes on."""
    with httpx.Client(base_url=url, headers=ACCEPT, trust_env=False) as http:
        for content, status in (
            (b"{", 400),
            (b"[]", 400),
            (b"7", 400),
            (b'{"jsonrpc": "2.0", "id": 1, "method": 7}', 400),
            (b'{"jsonrpc": "2.0", "id": 1, "method": "no/such"}', 200),
            (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": 7}', 400),
            (b'{"jsonrpc": "2.0", "method": "notifications/initialized"}', 202),
        ):
            sent = {"Content-Type": "application/json"}
            answer = http.post("/mcp", content=content, headers=sent)
            assert answer.status_code == status, (content, answer.text)
            if status != 202:
                assert "error" in answer.json()
        assert http.post("/mcp", json=HELLO).status_code == 200


async def test_a_client_that_leaves_stops_its_request(
    evidence: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is cancelled where it waits, and the service goes on."""
    begun, ended = threading.Event(), threading.Event()

    async def slow(*_: object, **__: object) -> None:
        begun.set()
        try:
            await anyio.sleep(600)
        finally:
            ended.set()

    monkeypatch.setattr(evidence.kb.search, "search_async", slow)
    with served(app_of(evidence.kb)) as url:
        for extra in ({}, _modern()):
            begun.clear()
            ended.clear()
            call = {**CALL, "params": {**CALL["params"], **extra.get("params", {})}}
            headers = {**ACCEPT, **extra.get("headers", {})}
            async with httpx2.AsyncClient(trust_env=False) as http, anyio.create_task_group() as on:
                post = partial(http.post, f"{url}/mcp", json=call, headers=headers)
                on.start_soon(post)
                assert await anyio.to_thread.run_sync(begun.wait, 30)
                on.cancel_scope.cancel()
            assert await anyio.to_thread.run_sync(ended.wait, 30), headers
        async with connected(url) as client:
            assert (await client.list_tools()).tools


def _modern() -> dict[str, dict[str, Any]]:
    version = "2026-07-28"
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {
        "MCP-Protocol-Version": version,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "search_evidence",
    }
    return {"params": {"_meta": meta}, "headers": headers}


def test_the_service_finishes_what_is_under_way_when_it_stops(
    evidence: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that was begun is given."""
    begun = threading.Event()
    search = evidence.kb.search.search_async

    async def slower(*asked: Any, **more: Any) -> Any:
        begun.set()
        await anyio.sleep(1)
        return await search(*asked, **more)

    monkeypatch.setattr(evidence.kb.search, "search_async", slower)
    answers: list[httpx.Response] = []

    def ask() -> None:
        with httpx.Client(headers=ACCEPT, timeout=30, trust_env=False) as http:
            answers.append(http.post(f"{url}/mcp", json=CALL))

    with served(app_of(evidence.kb)) as url:
        asking = threading.Thread(target=ask)
        asking.start()
        assert begun.wait(30)
    asking.join(30)
    assert [answer.status_code for answer in answers] == [200]
    assert "hits" in answers[0].text

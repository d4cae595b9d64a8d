"""What partners build on: fields, tags, compression, other sites' pages, and declared access."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi.routing import iter_route_contexts
from starlette.testclient import TestClient

from api.access import Reach, reach_of
from api.app import create_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Base, MakeKb
    from fastapi import FastAPI

SITE = "https://partner.example"


@pytest.fixture
def app(base: Base) -> FastAPI:
    """The service over two notes."""
    for number in range(1, 4):
        base.write(f"note-{number}.md", f"# Ladder {number}", f"The ladder costs {number}0 euros.")
    base.ingest()
    return create_app(base.kb)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """Somebody without a key."""
    with TestClient(app) as opened:
        yield opened


def _routes(app: FastAPI) -> list[Any]:
    return [route for route in iter_route_contexts(app.routes) if getattr(route, "path", None)]


def test_every_route_declares_whom_it_answers(app: FastAPI) -> None:
    """A route that forgets it is not published by mistake."""
    # Starlette's own: the document itself, files of ours that hold nothing of the base, and the
    # assistants' door, whose tools are tested apart.
    bare = {"/openapi.json", "/static", "/mcp"}
    silent = [
        route.path
        for route in _routes(app)
        if route.path not in bare
        and (getattr(route, "dependant", None) is None or reach_of(route.dependant) is None)
    ]
    assert silent == []


def test_the_document_says_whom_each_route_answers(client: TestClient) -> None:
    """Programs read it as ``x-access`` and as security requirements."""
    document = client.get("/openapi.json").json()
    operations = [each for path in document["paths"].values() for each in path.values()]
    assert {each["x-access"] for each in operations} <= set(Reach)
    for each in operations:
        assert ({} in each.get("security", [{}])) == (each["x-access"] != Reach.STAFF)


def test_only_the_fields_asked_for_are_sent(client: TestClient) -> None:
    """Nested ones are named with dots; an unknown one is an error that names it."""
    listed = client.get("/v1/documents", params={"fields": "documents.id,next", "limit": 2})
    assert [set(each) for each in listed.json()["documents"]] == [{"id"}, {"id"}]
    wrong = client.get("/v1/documents", params={"fields": "documents.nme"})
    assert wrong.status_code == 422
    assert "documents.nme" in wrong.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/documents", "/v1/search?query=ladder", "/v1/status"])
def test_what_the_caller_has_is_not_sent_again(client: TestClient, base: Base, path: str) -> None:
    """Its tag answers 304 until the base has changed."""
    first = client.get(path)
    tag = first.headers["ETag"]
    again = client.get(path, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == tag
    base.write("note-4.md", "# Ladder 4", "The ladder costs 40 euros.")
    base.ingest()
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_long_replies_are_compressed(client: TestClient) -> None:
    """Whoever accepts it gets a fraction of the bytes, with the same content."""
    packed = client.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    plain = client.get("/openapi.json", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert packed.json() == plain.json()


@pytest.mark.parametrize(("origins", "allowed"), [("", None), (SITE, SITE), ("*", "*")])
def test_other_sites_pages_ask_where_the_setting_lets_them(
    make_kb: MakeKb, origins: str, allowed: str | None
) -> None:
    """By default no page of another site may; cookies are never sent along."""
    with TestClient(create_app(make_kb(cors_origins=origins))) as client:
        asked = client.get("/v1/documents", headers={"Origin": SITE})
        assert asked.headers.get("Access-Control-Allow-Origin") == allowed
        assert "Access-Control-Allow-Credentials" not in asked.headers
        foreign = client.get("/v1/documents", headers={"Origin": "https://other.example"})
        expected = "*" if origins == "*" else None
        assert foreign.headers.get("Access-Control-Allow-Origin") == expected
        before = client.options(
            "/v1/answers",
            headers={
                "Origin": SITE,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type",
            },
        )
        assert (before.status_code == 200) == (allowed is not None)


def test_what_will_go_says_so(client: TestClient) -> None:
    """The old name of ``query`` still works and tells until when."""
    old = client.get("/v1/search", params={"q": "ladder"})
    assert old.status_code == 200
    assert old.headers["Deprecation"].startswith("@")
    assert "GMT" in old.headers["Sunset"]
    assert 'rel="deprecation"' in old.headers["Link"]
    assert "Deprecation" not in client.get("/v1/search", params={"query": "ladder"}).headers

"""Every error is answered as a problem, and says nothing of the inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from api.headers import SECURITY_HEADERS, SecurityHeaders
from api.limits import MAX_BODY, BodyLimit
from api.problems import NothingIngestedError, add_problem_handlers
from api.schemas import Problem
from kb.errors import (
    KnowledgeBaseError,
    NotFoundError,
    StoreError,
    UnreadableError,
    UnsupportedError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

INSIDE = "/srv/kb/record.db"


class LaterError(StoreError):
    """A leaf that the table of problems does not know."""


RAISED: dict[str, Exception] = {
    "usage": UsageError("top_k is 0; it must lie between 1 and 100."),
    "missing": NotFoundError("There is no such document."),
    "unreadable": UnreadableError("is larger than 200 MB"),
    "unsupported": UnsupportedError("is of a format that no reader knows"),
    "store": StoreError(f"The database {INSIDE} can't be opened."),
    "later": LaterError(f"{INSIDE} is locked."),
    "empty": NothingIngestedError(),
    "locked": OperationalError("select", {}, Exception(f"{INSIDE} is locked")),
    "root": KnowledgeBaseError(f"Unheard of: {INSIDE}"),
    "unexpected": RuntimeError(f"Boom in {INSIDE}"),
}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """An application whose routes fail."""
    app = FastAPI()
    add_problem_handlers(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(SecurityHeaders)

    @app.get("/raise/{name}")
    async def fail(name: str) -> None:
        raise RAISED[name]

    @app.post("/size")
    async def size(body: dict[str, str]) -> int:
        return len(body["text"])

    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("usage", 422, "request-not-understood"),
        ("missing", 404, "not-found"),
        ("unreadable", 422, "file-unreadable"),
        ("unsupported", 422, "file-unsupported"),
        ("store", 503, "store-not-available"),
        ("later", 503, "store-not-available"),
        ("empty", 503, "nothing-ingested"),
        ("locked", 503, "store-not-available"),
        ("root", 500, "internal-error"),
        ("unexpected", 500, "internal-error"),
    ],
)
def test_an_error_becomes_a_problem_of_its_kind(
    client: TestClient, name: str, status: int, kind: str
) -> None:
    """An error becomes a problem of its kind."""
    response = client.get(f"/raise/{name}")
    problem = Problem.model_validate(response.json())
    assert response.status_code == problem.status == status
    assert response.headers["content-type"] == "application/problem+json"
    assert problem.type == f"/problems/{kind}"
    assert problem.instance == f"/raise/{name}"
    assert problem.detail
    assert INSIDE not in response.text
    for header, value in SECURITY_HEADERS.items():
        assert response.headers[header] == value


def test_what_the_caller_can_mend_is_told_in_the_words_of_the_error(client: TestClient) -> None:
    """What the caller can mend is told in the words of the error."""
    for name in ("usage", "missing", "unsupported", "empty"):
        assert client.get(f"/raise/{name}").json()["detail"] == str(RAISED[name])


@pytest.mark.parametrize(
    ("method", "path", "status", "title"),
    [("GET", "/nowhere/é%22", 404, "Not found"), ("PUT", "/size", 405, "Method not allowed")],
)
def test_routing_errors_are_problems_too(
    client: TestClient, method: str, path: str, status: int, title: str
) -> None:
    """Routing errors are problems too."""
    response = client.request(method, path)
    problem = Problem.model_validate(response.json())
    assert (response.status_code, problem.title) == (status, title)
    assert problem.instance.isascii()


def test_an_instance_is_a_valid_address(client: TestClient) -> None:
    """An instance is a valid address."""
    assert client.get("/nowhere/é").json()["instance"] == "/nowhere/%C3%A9"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"content": b'{"text":'}, ["body"]),
        ({"json": {"text": 3}}, ["text"]),
        ({"json": []}, ["body"]),
        ({}, ["body"]),
    ],
)
def test_a_bad_body_names_its_fields(
    client: TestClient, body: dict[str, Any], fields: list[str]
) -> None:
    """A bad body names its fields."""
    headers = {"content-type": "application/json"}
    response = client.post("/size", headers=headers, **body)
    problem = Problem.model_validate(response.json())
    assert response.status_code == 422
    assert [error.field for error in problem.errors or ()] == fields


def _chunks(size: int) -> Iterator[bytes]:
    yield b'{"text": "'
    for _ in range(size // 1000):
        yield b"a" * 1000
    yield b'"}'


def test_a_body_in_pieces_reaches_the_route_whole(client: TestClient) -> None:
    """A body in pieces reaches the route whole."""
    response = client.post(
        "/size", content=_chunks(60_000), headers={"content-type": "application/json"}
    )
    assert response.json() == 60_000


@pytest.mark.parametrize("stated", [True, False], ids=["stated", "in pieces"])
def test_a_body_that_is_too_large_is_refused(client: TestClient, *, stated: bool) -> None:
    """A body that is too large is refused."""
    pieces = _chunks(MAX_BODY + 1000)
    content = b"".join(pieces) if stated else pieces
    response = client.post("/size", content=content)
    problem = Problem.model_validate(response.json())
    assert response.status_code == problem.status == 413
    assert problem.type == "/problems/body-too-large"
    assert response.headers["x-content-type-options"] == "nosniff"

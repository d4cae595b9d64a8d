"""Every kind of problem has a page that says what to do."""

from __future__ import annotations

import ast
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from markupsafe import escape
from starlette.testclient import TestClient

from api.app import create_app
from api.problem_kinds import KINDS
from api.problems import slugs_of_errors

if TYPE_CHECKING:
    from conftest import MakeKb

API = Path(__file__).parents[2] / "api"
# Of statuses that Starlette answers with by itself: their kind is made from the status.
OF_STATUSES = {405: "method-not-allowed", 406: "not-acceptable", 408: "request-timeout"}


def _stated() -> set[str]:
    """The kinds that the code names by ``slug=``."""
    found: set[str] = set()
    for path in API.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.keyword(arg="slug", value=ast.Constant(value=slug)):
                    found.add(str(slug))
    return found


def test_the_kinds_are_those_that_the_code_sends() -> None:
    """A kind that is added without a page is found here."""
    assert set(KINDS) == _stated() | slugs_of_errors() | {
        *OF_STATUSES.values(),
        "too-many-requests",
    }


@pytest.mark.parametrize("status", OF_STATUSES)
def test_kinds_of_statuses_are_named_after_them(status: int) -> None:
    """As ``problem_response`` names them."""
    assert HTTPStatus(status).phrase.lower().replace(" ", "-") == OF_STATUSES[status]


def test_a_type_is_an_address_that_explains_it(make_kb: MakeKb) -> None:
    """Whoever follows it reads what to do, in their language."""
    with TestClient(create_app(make_kb())) as client:
        missing = client.get("/v1/documents/nothing").json()
        for language in ("fr", "en"):
            page = client.get(missing["type"], headers={"Accept-Language": language})
            assert page.status_code == 200
            assert f'<html lang="{language}">' in page.text
            assert escape(KINDS["not-found"].said(language)) in page.text
        assert all(slug in client.get("/problems").text for slug in KINDS)
        assert client.get("/problems/none-such").status_code == 404

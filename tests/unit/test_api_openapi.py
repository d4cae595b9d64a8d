"""The OpenAPI document is complete, and true of what the code does."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import BaseModel

from api import call_schemas, export_schemas, following, schemas
from api.app import create_app
from kb.client import models
from kb.search import engine

SCHEMA: dict[str, Any] = create_app().openapi()
OPERATIONS = [
    pytest.param(operation, id=f"{method} {path}")
    for path, operations in SCHEMA["paths"].items()
    for method, operation in operations.items()
]


def _models() -> list[type[BaseModel]]:
    modules = (schemas, call_schemas, export_schemas, following, models)
    named = (value for module in modules for value in vars(module).values())
    found = dict.fromkeys(value for value in named if isinstance(value, type))
    return [model for model in found if issubclass(model, BaseModel)]


def test_every_route_is_described() -> None:
    """Every route is described."""
    assert set(SCHEMA["paths"]) == {
        "/v1/search",
        "/v1/search/batch",
        "/v1/answers",
        "/v1/documents",
        "/v1/documents/{document_id}",
        "/v1/documents/{document_id}/pages/{number}",
        "/v1/documents/{document_id}/original",
        "/v1/calls",
        "/v1/calls/match",
        "/v1/calls.{form}",
        "/v1/calls/{identifier}",
        "/v1/feeds/{secret}/calls.{form}",
        "/v1/searches",
        "/v1/searches/{secret}",
        "/v1/uploads",
        "/v1/uploads/{upload_id}",
        "/v1/exports",
        "/v1/feedback",
        "/v1/gaps",
        "/v1/audit",
        "/v1/session",
        "/v1/status",
        "/healthz",
        "/readyz",
    }


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_has_words_and_shapes_for_success_and_failure(
    operation: dict[str, Any],
) -> None:
    """An operation has words and shapes for success and failure."""
    assert operation["summary"]
    assert operation["description"]
    [success] = [status for status in operation["responses"] if status.startswith("2")]
    has_body = "content" in operation["responses"][success]
    assert has_body == (success != "204")
    failures = {status for status in operation["responses"] if status >= "400"}
    assert "500" in failures
    for status in failures:
        content = operation["responses"][status]["content"]
        assert content == {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        }


def test_what_a_search_that_is_saved_or_deleted_answers_is_described() -> None:
    """Created, and gone without a body."""
    assert set(SCHEMA["paths"]["/v1/searches"]["post"]["responses"]) >= {"201", "413", "422", "503"}
    assert set(SCHEMA["paths"]["/v1/searches/{secret}"]["delete"]["responses"]) >= {"204", "404"}


@pytest.mark.parametrize(
    ("path", "types"),
    [
        (
            "/v1/calls.{form}",
            {
                "text/csv",
                "text/calendar",
                "application/atom+xml",
                "application/x-ndjson",
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            },
        ),
        ("/v1/feeds/{secret}/calls.{form}", {"text/calendar", "application/atom+xml"}),
    ],
)
def test_a_file_may_be_known_already(path: str, types: set[str]) -> None:
    """Its forms are named, and the answer without a body."""
    responses = SCHEMA["paths"][path]["get"]["responses"]
    assert set(responses["200"]["content"]) == types
    assert "content" not in responses["304"]


def test_pages_for_people_are_no_part_of_it() -> None:
    """What links in mails lead to is no interface for programs."""
    assert not [path for path in SCHEMA["paths"] if "confirm" in path or "unsubscribe" in path]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_parameter_of_a_query_is_described(operation: dict[str, Any]) -> None:
    """Every parameter of a query is described."""
    for parameter in operation.get("parameters", []):
        assert parameter["in"] == "path" or parameter.get("description"), parameter["name"]


@pytest.mark.parametrize("model", _models(), ids=lambda model: model.__name__)
def test_examples_have_the_shape_that_they_are_examples_of(model: type[BaseModel]) -> None:
    """Examples have the shape that they are examples of."""
    extra = model.model_config.get("json_schema_extra")
    for example in extra["examples"] if isinstance(extra, dict) else ():  # type: ignore[union-attr]
        model.model_validate(example)


def test_asking_for_the_document_twice_gives_the_same() -> None:
    """Asking for the document twice gives the same."""
    app = create_app()
    assert app.openapi() == app.openapi()


def test_limits_are_those_of_the_engine() -> None:
    """Limits are those of the engine."""
    assert engine.MAX_QUESTION == schemas.MAX_QUESTION
    assert engine.MAX_TOP_K == schemas.MAX_TOP_K


def test_importing_the_service_loads_neither_haystack_nor_torch() -> None:
    """Both take long to load: only a service that starts waits for them."""
    code = "import api.app, sys; print({'haystack', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

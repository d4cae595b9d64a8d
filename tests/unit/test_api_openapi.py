"""The OpenAPI document is complete, and true of what the code does."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import BaseModel

from api import schemas
from api.app import create_app
from kb.search import engine

SCHEMA: dict[str, Any] = create_app().openapi()
OPERATIONS = [
    pytest.param(operation, id=f"{method} {path}")
    for path, operations in SCHEMA["paths"].items()
    for method, operation in operations.items()
]


def _models() -> list[type[BaseModel]]:
    found = [value for value in vars(schemas).values() if isinstance(value, type)]
    return [model for model in found if issubclass(model, BaseModel)]


def test_every_route_is_described() -> None:
    """Every route is described."""
    assert set(SCHEMA["paths"]) == {
        "/v1/search",
        "/v1/answers",
        "/v1/documents",
        "/v1/documents/{document_id}",
        "/v1/documents/{document_id}/pages/{number}",
        "/v1/documents/{document_id}/original",
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
    assert operation["responses"]["200"]["content"]
    failures = {status for status in operation["responses"] if status >= "400"}
    assert "500" in failures
    for status in failures:
        content = operation["responses"][status]["content"]
        assert content == {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        }


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

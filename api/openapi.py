"""The OpenAPI document: problems are documented as what they are sent as."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from api.problems import PROBLEM_JSON
from api.schemas import Problem

_MEANINGS = {
    404: "There is no such thing, or it is not for the caller to see.",
    413: "The body is too large.",
    422: "The request can't be understood; `errors` names the fields.",
    500: "Something went wrong in the service.",
    503: "Nothing was ingested yet, or the store is not available.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with; every route may fail."""
    return {
        status: {"model": Problem, "description": _MEANINGS[status]} for status in (*statuses, 500)
    }


def describe_problems(app: FastAPI) -> None:
    """Give problems their media type in the OpenAPI document of an application.

    FastAPI writes every response of a route under the media type of its success.
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            for operation in _operations(generate()):
                for status, response in operation["responses"].items():
                    if int(status) >= HTTPStatus.BAD_REQUEST:
                        [(_, content)] = response["content"].items()
                        response["content"] = {PROBLEM_JSON: content}
        return generate()

    # FastAPI's documented way to extend it.
    app.openapi = openapi  # type: ignore[method-assign]


def _operations(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in schema["paths"].values() for operation in path.values()]

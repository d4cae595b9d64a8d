"""The OpenAPI document: who may call, and every problem as what it is sent as."""

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from api.access import Reach, reach_of
from api.problems import PROBLEM_JSON
from api.schemas import Problem

_MEANINGS: Final = {
    401: "The key is not accepted: it is mistyped, unknown, expired or revoked.",
    403: "A change that comes with a session's cookie lacks the session's token.",
    404: "There is no such thing, or it is not for the caller to see.",
    406: "No media type that the caller accepts can be given.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    414: "The address is too long.",
    415: "A body of this media type is not understood.",
    422: "The request can't be understood; `errors` names the fields.",
    429: "Too many requests; `Retry-After` says in how many seconds to come back.",
    500: "Something went wrong in the service.",
    503: "The service can't answer now: it is busy, empty, or its store is not available.",
}
# What may happen to any request, before its route is looked at.
_ALWAYS: Final = (401, 414, 422, 429, 500, 503)
_WITH_BODY: Final = (403, 408, 413)
_REACHES: Final = {
    Reach.EVERYONE: "Open to everyone.",
    Reach.CALLER: "Answers with what the caller's role shows: without a key, what is public.",
    Reach.STAFF: "For staff; to all others there is nothing at this address.",
    Reach.BY_ADDRESS: "For whoever has the address: it holds a secret.",
}
_SECURITY_SCHEMES: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key (`omk_…`) in `Authorization: Bearer`.",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "A key (`omk_…`) in a header of its own.",
    },
}
_HEADERS: Final = {
    "X-Request-ID": "Names the request in the service's log; name it when you report a problem.",
    "RateLimit-Limit": "How many requests a minute are granted.",
    "RateLimit-Remaining": "How many more may be made at once.",
    "RateLimit-Reset": "In how many seconds all may be made again.",
}
_RETRY: Final = {
    "Retry-After": {
        "description": "In how many seconds to come back.",
        "schema": {"type": "integer", "minimum": 1},
    }
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with beside those that any may."""
    return {
        status: {"model": Problem, "description": _MEANINGS[status]} for status in (*statuses, 500)
    }


def describe(app: FastAPI) -> None:
    """Complete the OpenAPI document of an application.

    FastAPI writes every response of a route under the media type of its success, and knows nothing
    of what is answered before a route is reached.
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            document["components"]["securitySchemes"] = _SECURITY_SCHEMES
            reaches = _reaches(app)
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    _complete(operation, method, reaches[path, method])
        return generate()

    # FastAPI's documented way to extend it.
    app.openapi = openapi  # type: ignore[method-assign]


def _reaches(app: FastAPI) -> dict[tuple[str, str], Reach]:
    found: dict[tuple[str, str], Reach] = {}
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        for method in getattr(route, "methods", None) or ():
            if dependant is not None and (reach := reach_of(dependant)) is not None:
                found[str(route.path_format), method.lower()] = reach
    return found


def _complete(operation: dict[str, Any], method: str, reach: Reach) -> None:
    responses: dict[str, Any] = operation["responses"]
    operation["x-access"] = reach.value
    operation["description"] = f"{operation.get('description', '')}\n\n{_REACHES[reach]}".strip()
    if reach in {Reach.CALLER, Reach.STAFF}:
        keys: list[dict[str, list[str]]] = [{name: []} for name in _SECURITY_SCHEMES]
        operation["security"] = keys if reach is Reach.STAFF else [{}, *keys]
    statuses = {*_ALWAYS, *(() if method == "get" else _WITH_BODY)}
    if reach is Reach.STAFF:
        statuses.add(HTTPStatus.NOT_FOUND)
    for status in sorted(statuses):
        responses.setdefault(str(int(status)), _problem(int(status)))
    for status, response in responses.items():
        if int(status) >= HTTPStatus.BAD_REQUEST:
            response["content"] = _problem(int(status))["content"]
        said = {
            name: {"description": meaning, "schema": {"type": _type_of(name)}}
            for name, meaning in _HEADERS.items()
        }
        response.setdefault("headers", {}).update(said)
        if status in {"429", "503"}:
            response["headers"].update(_RETRY)
    parameters = operation.get("parameters", ())
    if any(parameter["name"] == "if-none-match" for parameter in parameters):
        responses["304"] = {"description": "The caller has this reply already."}


def _type_of(header: str) -> str:
    return "string" if header == "X-Request-ID" else "integer"


def _problem(status: int) -> dict[str, Any]:
    shape = {"$ref": "#/components/schemas/Problem"}
    return {"description": _MEANINGS[status], "content": {PROBLEM_JSON: {"schema": shape}}}

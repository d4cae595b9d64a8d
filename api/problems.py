"""Errors as RFC 9457 problem details (``application/problem+json``)."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from api.headers import SECURITY_HEADERS
from api.secrets import without_secrets
from kb.errors import (
    KnowledgeBaseError,
    NotFoundError,
    StoreError,
    UnreadableError,
    UnsupportedError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.types import Scope

PROBLEM_JSON: Final = "application/problem+json"

_log = logging.getLogger(__name__)
_NOT_NOW: Final = "The service can't answer at the moment; its log says why."


class NothingIngestedError(StoreError):
    """The service runs, but its knowledge base is still empty."""

    title = "Nothing ingested yet"

    def __init__(self) -> None:
        super().__init__(
            "The knowledge base is empty. As soon as documents are ingested they are found here."
        )


class ClientLeftError(KnowledgeBaseError):
    """The client has left, and the work for it was stopped: nobody sees this answer."""

    http_status = 499  # nginx' word for it; the log and the figures have it
    title = "Client left"

    def __init__(self) -> None:
        super().__init__("The client has left before it was answered.")


class KeyNotAcceptedError(KnowledgeBaseError):
    """A key was given that opens nothing; the answer is the same whatever the reason."""

    http_status = 401
    title = "Key not accepted"

    def __init__(self) -> None:
        super().__init__(
            "The key was not accepted: it may be mistyped, have expired or been revoked. Send one "
            "key, as `Authorization: Bearer omk_…` or as `X-API-Key: omk_…`, or none."
        )


class CrossSiteError(KnowledgeBaseError):
    """A change that another site has a browser ask for."""

    http_status = 403
    title = "Request of another site"

    def __init__(self) -> None:
        super().__init__("This change was asked for by a page of another site. Ask for it here.")


class CsrfTokenError(KnowledgeBaseError):
    """A change that a browser asks for with a session's cookie, without the session's token."""

    http_status = 403
    title = "CSRF token missing"

    def __init__(self) -> None:
        super().__init__(
            "A change with a session's cookie needs the session's token: send `csrf_token` of "
            "/v1/session as X-CSRF-Token, or reload the page and try again."
        )


# The last part of a problem's ``type``. Clients compare it, so it never changes.
_SLUGS: Final[dict[type[KnowledgeBaseError], str]] = {
    KnowledgeBaseError: "internal-error",
    UsageError: "request-not-understood",
    NotFoundError: "not-found",
    UnreadableError: "file-unreadable",
    UnsupportedError: "file-unsupported",
    StoreError: "store-not-available",
    NothingIngestedError: "nothing-ingested",
    ClientLeftError: "client-left",
    KeyNotAcceptedError: "key-not-accepted",
    CrossSiteError: "cross-site-request",
    CsrfTokenError: "csrf-token-missing",
}


def slugs_of_errors() -> set[str]:
    """The kinds of problem that errors of ours are told as."""
    return set(_SLUGS.values())


class ProblemResponse(JSONResponse):
    """A problem, with the headers that it carries even where no middleware sees it."""

    media_type = PROBLEM_JSON


def problem_response(
    scope: Scope,
    status: int,
    detail: str,
    *,
    slug: str | None = None,
    title: str | None = None,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """Make a response of a problem; ``slug`` and ``title`` are by default those of the status."""
    title = title or HTTPStatus(status).phrase.capitalize()
    slug = slug or title.lower().replace(" ", "-")
    state = scope.setdefault("state", {})
    state["problem"] = slug  # for the log and the figures
    body: dict[str, Any] = {
        "type": f"/problems/{slug}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": quote(scope["path"]),
    }
    if "request_id" in state:
        body["request_id"] = state["request_id"]
        headers = {"X-Request-ID": state["request_id"], **(headers or {})}
    if errors:
        body["errors"] = list(errors)
    return ProblemResponse(body, status, {**SECURITY_HEADERS, **(headers or {})})


def error_problem(
    scope: Scope, error: KnowledgeBaseError, headers: Mapping[str, str] | None = None
) -> ProblemResponse:
    """The answer to an error that the user can mend."""
    detail = str(error)
    if error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(
        error, NothingIngestedError
    ):
        # Such a message is written for whoever runs the service: it names folders and settings.
        _log.error("%s: %s", without_secrets(scope["path"]), error)
        detail = _NOT_NOW
    slug = next(_SLUGS[kind] for kind in type(error).__mro__ if kind in _SLUGS)
    return problem_response(
        scope, error.http_status, detail, slug=slug, title=error.title, headers=headers
    )


def database_problem(scope: Scope, error: Exception) -> ProblemResponse:
    """The answer when the database is locked or away: it may be back at the next try."""
    reason = getattr(error, "orig", None) or error
    _log.error("%s: the database can't be used: %s", without_secrets(scope["path"]), reason)
    return problem_response(
        scope,
        StoreError.http_status,
        _NOT_NOW,
        slug=_SLUGS[StoreError],
        title=StoreError.title,
    )


def stream_problem(scope: Scope, error: Exception) -> ProblemResponse:
    """The answer to an error in the middle of a stream, which no handler comes to."""
    if isinstance(error, KnowledgeBaseError):
        return error_problem(scope, error)
    if isinstance(error, OperationalError):
        return database_problem(scope, error)
    _log.error("%s: the stream broke off", without_secrets(scope["path"]), exc_info=error)
    return unexpected_problem(scope)


def add_problem_handlers(app: FastAPI) -> None:
    """Have every error of an application answered as a problem."""
    app.add_exception_handler(KnowledgeBaseError, _on_knowledge_base_error)
    app.add_exception_handler(OperationalError, _on_database_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_unexpected_error)


async def _on_knowledge_base_error(request: Request, error: Exception) -> ProblemResponse:
    if not isinstance(error, KnowledgeBaseError):  # Starlette's handlers take any exception
        raise error
    return error_problem(request.scope, error)


async def _on_database_error(request: Request, error: Exception) -> ProblemResponse:
    return database_problem(request.scope, error)


async def _on_invalid_request(request: Request, error: Exception) -> ProblemResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    errors = [
        {"field": _field(found["loc"]), "message": str(found["msg"])} for found in error.errors()
    ]
    named = ", ".join(dict.fromkeys(found["field"] for found in errors))
    return problem_response(
        request.scope,
        UsageError.http_status,
        f"These fields can't be used: {named}.",
        slug=_SLUGS[UsageError],
        title=UsageError.title,
        errors=errors,
    )


async def _on_http_error(request: Request, error: Exception) -> ProblemResponse:
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    missing = status is HTTPStatus.NOT_FOUND
    detail = "There is nothing at this address." if missing else error.detail
    return problem_response(request.scope, status, detail, headers=error.headers)


async def _on_unexpected_error(request: Request, error: Exception) -> ProblemResponse:
    del error  # the server logs it
    return unexpected_problem(request.scope)


def unexpected_problem(scope: Scope) -> ProblemResponse:
    """The answer to what nobody thought of; the server logs it."""
    return problem_response(
        scope,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Something went wrong in the service; its log says what.",
        slug=_SLUGS[KnowledgeBaseError],
        title=KnowledgeBaseError.title,
    )


def _field(location: Sequence[str | int]) -> str:
    """The name of a field from where it was looked for.

    ``("query", "top_k")`` is ``top_k``, ``("body", "queries", 3, "top_k")`` is ``queries.3.top_k``.
    """
    where, *path = location
    if where != "body" or not all(isinstance(part, str) for part in path[:1]):
        path = [part for part in path if isinstance(part, str)]
    return ".".join(map(str, path)) or str(where)

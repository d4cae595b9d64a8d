"""What the service answers instead of a result, as exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from kb.client.models import Problem
from kb.errors import KnowledgeBaseError

if TYPE_CHECKING:
    import httpx

    from kb.client.models import FieldError


class ServiceError(KnowledgeBaseError):
    """The service has answered with a problem (RFC 9457).

    Programs should look at ``type``, which stays the same; ``request_id`` names the request in the
    service's log, for a report. ``errors`` are the fields that can't be used. ``retry_after`` is in
    how many seconds to come back, where the service has said so.
    """

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(f"{problem.title} ({problem.status}): {problem.detail}")
        self.type = problem.type
        self.title = problem.title
        self.status = problem.status
        self.detail = problem.detail
        self.request_id = problem.request_id
        self.errors: list[FieldError] = problem.errors or []
        self.retry_after = retry_after


class KeyNotAcceptedError(ServiceError):
    """The key is mistyped, unknown, expired or revoked: ask for another."""


class NotFoundError(ServiceError):
    """There is no such thing, or it is not for this key to see."""


class TooManyRequestsError(ServiceError):
    """More was asked than the key or the address may ask: come back after ``retry_after``."""


class UnavailableError(ServiceError):
    """The service can't answer now: it is busy, starting, or its store is away."""


_BY_STATUS: dict[int, type[ServiceError]] = {
    401: KeyNotAcceptedError,
    404: NotFoundError,
    429: TooManyRequestsError,
    503: UnavailableError,
}


def error_of(problem: Problem, retry_after: float | None = None) -> ServiceError:
    """The exception for a problem."""
    return _BY_STATUS.get(problem.status, ServiceError)(problem, retry_after)


def response_error(response: httpx.Response) -> ServiceError:
    """The exception for a response that is no success, and was read."""
    try:
        problem = Problem.model_validate_json(response.content, extra="ignore")
    except ValidationError:  # a proxy's page
        problem = unexpected(response, "The answer does not say what went wrong.")
    return error_of(problem, _retry_after(response))


def unexpected(response: httpx.Response, detail: str) -> Problem:
    """What is told of a response that can't be the service's."""
    return Problem(
        type="about:blank",
        title=response.reason_phrase or "Unexpected answer",
        status=response.status_code,
        detail=f"{detail} Is {response.request.url.host} the address of the service?",
        instance=response.request.url.path,
        request_id=response.headers.get("X-Request-ID"),
        errors=None,
    )


def _retry_after(response: httpx.Response) -> float | None:
    stated = response.headers.get("Retry-After", "")
    return float(stated) if stated.isdecimal() else None

"""What goes wrong, in words that may leave: callers are told what to do, the log what failed."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from api.problems import NothingIngestedError
from kb.errors import KnowledgeBaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOT_NOW = "The knowledge base can't answer at the moment; its log says why."
_MOST_FIELDS = 10
_LONGEST_NAME = 100

_log = logging.getLogger(__name__)


def in_words(error: Exception, where: str) -> str:
    """Say what went wrong; what only whoever runs the service can mend is logged instead."""
    if isinstance(error, ValidationError):
        return _fields(error)
    if isinstance(error, NothingIngestedError) or _is_theirs(error):
        return str(error)
    if isinstance(error, KnowledgeBaseError):
        _log.error("%s: %s", where, error)
    elif isinstance(error, DBAPIError):
        _log.error("%s: the database can't be used: %s", where, error.orig)
    else:
        # ``api.logs`` writes types and places alone: messages may hold what was asked.
        _log.error("%s failed", where, exc_info=error)
    return _NOT_NOW


@contextmanager
def as_protocol_errors(where: str, **data: Any) -> Iterator[None]:
    """Turn errors into those of the protocol, for what has no result to put them into."""
    try:
        yield
    except MCPError:
        raise
    except Exception as error:  # noqa: BLE001 -- the SDK would send its text and log it
        theirs = isinstance(error, ValidationError) or _is_theirs(error)
        code = INVALID_PARAMS if theirs else INTERNAL_ERROR
        raise MCPError(code, in_words(error, where), data or None) from None


def _is_theirs(error: Exception) -> bool:
    """Whether the caller can mend it."""
    return (
        isinstance(error, KnowledgeBaseError)
        and error.http_status < HTTPStatus.INTERNAL_SERVER_ERROR
    )


def _fields(error: ValidationError) -> str:
    """Name the arguments that can't be used, each with the reason."""
    told = []
    for found in error.errors(include_url=False, include_input=False)[:_MOST_FIELDS]:
        name = ".".join(str(part) for part in found["loc"])[:_LONGEST_NAME] or "arguments"
        told.append(f"{name} ({found['msg']})")
    return f"These arguments can't be used: {'; '.join(told)}."

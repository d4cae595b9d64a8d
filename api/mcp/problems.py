"""Problems at ``/mcp`` as errors of the protocol, which is all that its clients show."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from mcp_types import INTERNAL_ERROR, INVALID_REQUEST

from api.mcp.uris import PATH
from api.retelling import Told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Scope


def is_message(scope: Scope) -> bool:
    """Whether a request is one of the protocol."""
    return bool(scope["path"] == PATH)


def as_message(
    scope: Scope, status: int, problem: dict[str, Any], headers: Mapping[str, str]
) -> Told:
    """A problem as a message of the protocol.

    A client of the protocol has no eyes for a problem document: an assistant would not learn that
    it must wait, or that its key has ended.
    """
    del scope
    told = problem["detail"]
    if seconds := headers.get("retry-after"):
        told += f" Retry-After: {seconds}."
    theirs = status < HTTPStatus.INTERNAL_SERVER_ERROR
    code = INVALID_REQUEST if theirs else INTERNAL_ERROR
    error = {"code": code, "message": told, "data": problem}
    message = {"jsonrpc": "2.0", "id": None, "error": error}
    content = json.dumps(message, ensure_ascii=False).encode()
    return Told(content, {"content-type": "application/json"})

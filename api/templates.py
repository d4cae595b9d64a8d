"""The template of a request's address: what logs and figures may hold of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi.routing import iter_route_contexts

if TYPE_CHECKING:
    from starlette.types import Scope

UNMATCHED: Final = "unmatched"


def template_of(scope: Scope) -> str:
    """The template of the route that a request is for, such as ``/v1/documents/{document_id}``.

    Found before the request is routed: one that is refused on its way has a route too. An address
    that no route has is ``unmatched``, whatever it holds.
    """
    path, method = scope["path"], scope["method"]
    for_others = UNMATCHED
    for route in iter_route_contexts(scope["app"].routes):
        known: Any = route
        if known.path_regex.match(path):
            if not known.methods or method in known.methods:
                return str(known.path_format)
            if for_others == UNMATCHED:
                for_others = str(known.path_format)
    return for_others

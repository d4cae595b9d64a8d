"""What people read where something went wrong: a page in plain words, with the way out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from api.problems import unexpected_problem
from api.retelling import Told
from api.web.site import Site
from api.web.texts import later as _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Scope

# Of programs, whose problems stay documents.
_NOT_FOUND: Final = 404
_OF_PROGRAMS: Final = ("/v1/", "/mcp", "/static/", "/metrics", "/healthz", "/readyz", "/openapi")


# The secret is the whole of a brief's address: no key opens it.
_BRIEF: Final = (
    _("There is no brief at this address"),
    _(
        "The link may be cut short, or the brief may have been deleted. Ask whoever sent it to you "
        "for a new link."
    ),
)
# A heading and what to do, by the kind of problem, else by its status.
_SAID: Final[dict[str | int, tuple[str, str]]] = {
    "csrf-token-missing": (
        _("This form has expired"),
        _("Go back, reload the page and send it again. Nothing was changed."),
    ),
    "cross-site-request": (
        _("This was asked for by another site"),
        _("Open the page here and try again. Nothing was changed."),
    ),
    "nothing-ingested": (
        _("There is nothing to search yet"),
        _("As soon as the team adds documents, they are found here."),
    ),
    404: (
        _("There is nothing here"),
        _(
            "The address may be mistyped, the document may have been removed, or it may be for "
            "members: sign in if you have a key."
        ),
    ),
    405: (
        _("This page can't be used like that"),
        _("Go back to the page that you came from, or begin at the home page."),
    ),
    413: (_("This is too large"), _("Send it in several parts.")),
    422: (
        _("The address of this page can't be read"),
        _("A part of it is missing or mistyped. Begin again at the home page."),
    ),
    429: (
        _("Too many requests from your place"),
        _("Wait a moment, then reload the page."),
    ),
    503: (
        _("The service can't answer at the moment"),
        _("Many people may be asking at once. Wait a moment, then reload the page."),
    ),
}
_ELSE: Final = (
    _("Something went wrong here"),
    _("It is our fault. Try again; if it happens again, tell the team what you did."),
)


def is_page(scope: Scope) -> bool:
    """Whether somebody looks at the answer in a browser."""
    if scope["path"].startswith(_OF_PROGRAMS):
        return False
    return "text/html" in Headers(scope=scope).get("accept", "")


def as_page(scope: Scope, status: int, problem: dict[str, Any], headers: Mapping[str, str]) -> Told:
    """A problem as a page in the reader's language."""
    site = Site(Request(scope), scope.get("state", {}).get("caller"))
    heading, advice = _SAID.get(_slug(problem)) or _SAID.get(status) or _ELSE
    if status == _NOT_FOUND and _is_brief(scope):
        heading, advice = _BRIEF
    page = site.page(
        "error.html",
        heading=site.gettext(heading),
        advice=site.gettext(advice),
        seconds=headers.get("retry-after"),
        request_id=problem.get("request_id"),
    )
    return Told(bytes(page.body), dict(page.headers))


async def on_unexpected(request: Request, error: Exception) -> Response:
    """Answer where nobody thought of what happened; this handler stands around every other part."""
    del error  # the server logs it
    response = unexpected_problem(request.scope)
    if not is_page(request.scope):
        return response
    problem = json.loads(bytes(response.body))
    told = as_page(request.scope, response.status_code, problem, response.headers)
    return Response(told.content, response.status_code, dict(told.headers))


def _is_brief(scope: Scope) -> bool:
    """Whether the address is one of a brief; quotes are added at another."""
    path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
    return path.startswith("/briefs/") and path != "/briefs/add"


def _slug(problem: Mapping[str, Any]) -> str:
    return str(problem["type"]).rpartition("/")[2]

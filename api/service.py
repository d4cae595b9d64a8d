"""The service itself: whether it is well, what it holds, and the page that documents it."""

from importlib.metadata import version

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, Response

from api import schemas
from api.access import EVERYONE, STAFF_OR_HERE, CallerAccess, OpenKnowledgeBase
from api.connections import is_stopping
from api.metrics import CONTENT_TYPE, exposition
from api.openapi import problems
from api.problems import NothingIngestedError, ProblemResponse, problem_response
from api.readiness import PARTS, Readiness
from api.replies import Reply
from kb.bootstrap import KnowledgeBase
from kb.model import Access, Filters

router = APIRouter(tags=["service"])

# Addresses are relative: the service may stand under a path of a larger site.
_DOCS = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Knowledge base API</title>
<link rel="icon" href="static/favicon-32x32.png">
<link rel="stylesheet" href="static/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript; <a href="openapi.json">openapi.json</a> does not.</noscript>
<script src="static/swagger-ui-bundle.js"></script>
<script src="static/docs.js"></script>
</body>
</html>
"""
# Swagger UI sets styles on its elements and draws its icons from data: addresses.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)


@router.get("/docs", include_in_schema=False, dependencies=[EVERYONE])
async def docs() -> HTMLResponse:
    """Document the service, without asking anything of other sites."""
    return HTMLResponse(_DOCS, headers={"Content-Security-Policy": _DOCS_POLICY})


@router.get(
    "/v1/status",
    response_model=schemas.Status,
    responses=problems(503),
    summary="What the service holds",
)
def status(access: CallerAccess, kb: OpenKnowledgeBase, reply: Reply) -> Response:
    """Show the current generation and how many documents and passages of it you may read."""
    shown = {"version": version("operation-milliard-kb"), "generation": _generation(kb, access)}
    return reply.json(shown, schemas.Status)


@router.get(
    "/healthz",
    dependencies=[EVERYONE],
    response_model=schemas.Health,
    responses=problems(),
    summary="Is it alive?",
)
async def healthz() -> JSONResponse:
    """Answer as long as the process does."""
    return JSONResponse({"status": "alive"})


@router.get(
    "/readyz",
    dependencies=[EVERYONE],
    response_model=schemas.Readiness,
    responses=problems(503),
    summary="Is it ready?",
)
async def readyz(request: Request, kb: OpenKnowledgeBase) -> JSONResponse:
    """Answer once encoder, index and database have been tried and found well.

    The database is written to. Else, and once the service was told to stop, a problem names what
    is not ready.
    """
    if is_stopping(request.scope):
        return _not_ready(request, "the service stops")
    readiness: Readiness = request.app.state.readiness
    failing = await readiness.failing()
    if failing == ["index"] and await run_in_threadpool(kb.record.current_id) is None:
        raise NothingIngestedError
    if failing:
        return _not_ready(request, ", ".join(failing))
    return JSONResponse({"status": "ready", "checks": dict.fromkeys(PARTS, True)})


@router.get("/metrics", include_in_schema=False, dependencies=[STAFF_OR_HERE])
async def figures(kb: OpenKnowledgeBase) -> Response:
    """Give what the service counts to staff and to this machine; there is nothing for others."""
    shown = await run_in_threadpool(exposition, kb)
    return Response(shown, media_type=CONTENT_TYPE)


def _not_ready(request: Request, what: str) -> ProblemResponse:
    return problem_response(
        request.scope,
        503,
        f"Not ready: {what}.",
        slug="not-ready",
        title="Not ready",
        headers={"Retry-After": "5"},
    )


def _generation(kb: KnowledgeBase, access: Access) -> dict[str, str | int] | None:
    current = kb.record.current()
    if current is None:
        return None
    return {
        "id": current.id,
        "created": current.created.isoformat(timespec="seconds"),
        "documents": kb.record.count_documents(current.id, access),
        "passages": _count(kb, access),
    }


def _count(kb: KnowledgeBase, access: Access) -> int:
    with kb.generations.current() as view:
        return view.index.count(Filters(access=access))

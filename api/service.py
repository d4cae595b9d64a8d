"""The service itself: whether it is well, what it holds, and the page that documents it."""

from importlib.metadata import version

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse

from api import schemas
from api.access import EVERYONE, CallerAccess, OpenKnowledgeBase, search_engine
from api.openapi import problems
from kb.bootstrap import KnowledgeBase
from kb.model import PUBLIC_ACCESS, Access, Filters

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


@router.get("/", include_in_schema=False, dependencies=[EVERYONE])
async def home() -> RedirectResponse:
    """Lead to the page that documents the service."""
    return RedirectResponse("docs")


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
def status(access: CallerAccess, kb: OpenKnowledgeBase) -> JSONResponse:
    """Show the current generation and how many documents and passages of it you may read."""
    return JSONResponse(
        {
            "version": version("operation-milliard-kb"),
            "generation": _generation(kb, access),
        }
    )


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
    response_model=schemas.Health,
    responses=problems(503),
    summary="Is it ready?",
)
async def readyz(kb: OpenKnowledgeBase) -> JSONResponse:
    """Answer once there is something to search, with database and index open."""
    await search_engine(kb)
    await run_in_threadpool(_count, kb, PUBLIC_ACCESS)
    return JSONResponse({"status": "ready"})


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

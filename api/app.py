"""The HTTP service."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

from api import (
    calls,
    documents,
    exports,
    feedback,
    following,
    login,
    problem_kinds,
    search,
    service,
    uploads,
)
from api.authentication import Authentication
from api.buckets import make_buckets
from api.deadline import Deadline
from api.headers import SecurityHeaders
from api.ingesting import UploadRunner
from api.limits import AddressLimit, BodyLimit
from api.mcp.http import mcp_route, running
from api.mcp.problems import as_message, is_message
from api.methods import on_wrong_method
from api.metrics import metrics
from api.observing import Observing
from api.openapi import describe
from api.problems import add_problem_handlers
from api.rates import FailedKeys, RateLimits, Rates
from api.readiness import Readiness
from api.retelling import Retelling
from api.turns import Turns
from api.web import about, ask, briefs, library, reading, staff, staff_keys, staff_uploads
from api.web import calls as call_pages
from api.web import feedback as feedback_page
from api.web.errors import as_page, is_page, on_unexpected
from api.web.site import STATIC
from kb.bootstrap import KnowledgeBase, open_knowledge_base
from kb.errors import StoreError
from kb.language import detect
from kb.model import Filters
from kb.settings import load_settings
from kb.tracing import start_tracing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kb.settings import Settings
    from kb.tracing import Tracing

_DESCRIPTION = """\
Search and cited answers over research, policy and EU calls, in French and English.

Every quote is compared with the stored text of the page that it cites before it is sent. Errors
are problem details (RFC 9457); programs should look at their `type`.
"""

# What a page of another site may send, and what of a response it may read, if it may ask at all.
_SENT = (
    *("Authorization", "Content-Type", "If-None-Match", "X-API-Key", "X-Request-ID"),
    *("MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"),
)
_READABLE = (
    "X-Request-ID",
    "Deprecation",
    "ETag",
    "Link",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "Sunset",
)
_COMPRESSED_FROM = 1000  # bytes
_WARMING = "Que couvre une garantie en fonds propres ?"

_log = logging.getLogger(__name__)


def create_app(kb: KnowledgeBase | None = None) -> FastAPI:
    """Make the service over a knowledge base, which stays the caller's to close.

    Without one the service opens that of the environment when it starts, and closes it at the end.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opened = await run_in_threadpool(open_knowledge_base) if kb is None else kb
        try:
            app.state.tracing = _tracing(opened)
            opened.generations.on_switch = metrics().switches.inc
            await run_in_threadpool(warm_up, opened)
            app.state.knowledge_base = opened
            app.state.readiness = Readiness(opened)
            app.state.upload_runner = runner = UploadRunner(opened)
            await run_in_threadpool(runner.start)
            try:
                async with running(opened) as app.state.mcp:
                    yield
            finally:
                await run_in_threadpool(runner.stop)
        finally:
            if tracing := getattr(app.state, "tracing", None):  # none where it could not begin
                await run_in_threadpool(tracing.close)
            if kb is None:
                await run_in_threadpool(opened.close)

    app = FastAPI(
        title="Opération Milliard knowledge base",
        version=version("operation-milliard-kb"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        # FastAPI's own would send addresses with what is asked, to whatever OTEL_… names.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        docs_url=None,  # FastAPI's page loads its scripts from another site
        redoc_url=None,
        redirect_slashes=False,  # a redirect would tell of an address that is for staff alone
    )
    for part in (
        *(search, documents, uploads, following, calls, exports, feedback),
        *(login, problem_kinds, service),
        *(about, ask, feedback_page, briefs, reading, library, call_pages),
        *(staff, staff_uploads, staff_keys),
    ):
        app.include_router(part.router)
    app.mount(
        "/static",
        StaticFiles(
            directory=STATIC,
            packages=[("fastapi_swagger", "resources")],
        ),
    )
    app.router.routes.append(mcp_route())
    add_problem_handlers(app)
    app.add_exception_handler(Exception, on_unexpected)  # of these too there is a page
    app.add_exception_handler(405, on_wrong_method)
    describe(app)
    _add_middleware(app, kb.settings if kb else load_settings())
    return app


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Put around the routes what every request goes through, the innermost first."""
    limits = RateLimits(
        make_buckets(settings.redis_url.get_secret_value()),
        settings.rate_anonymous,
        settings.rate_key,
    )
    large = uploads.large_bodies(settings)
    app.add_middleware(Deadline, seconds=settings.request_seconds)
    app.add_middleware(
        Turns,
        at_once=settings.concurrency,
        waiting=settings.queue,
        seconds=settings.queue_seconds,
        exempt=frozenset(large),
    )
    app.add_middleware(BodyLimit, seconds=settings.body_seconds, large=large)
    app.add_middleware(AddressLimit)
    app.add_middleware(Rates, limits=limits)
    app.add_middleware(Authentication)
    app.add_middleware(FailedKeys, limits=limits)
    app.add_middleware(Retelling, concerns=is_message, tell=as_message)
    app.add_middleware(Retelling, concerns=is_page, tell=as_page)
    app.add_middleware(GZipMiddleware, minimum_size=_COMPRESSED_FROM, compresslevel=4)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[origin for origin in settings.cors_origins.split() if origin],
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=_SENT,
        expose_headers=_READABLE,
        max_age=3600,
    )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Observing)


def _tracing(kb: KnowledgeBase) -> Tracing | None:
    endpoint = kb.settings.otlp_endpoint
    return start_tracing(endpoint, version("operation-milliard-kb")) if endpoint else None


def warm_up(kb: KnowledgeBase) -> None:
    """Do once what takes seconds at first: the model, the languages, the whole query path.

    Raises:
        UsageError: The encoder that is set can't be loaded.
    """
    kb.encoder.encode_queries([_WARMING])
    detect(_WARMING)
    try:
        kb.search.answer(_WARMING, Filters())
    except StoreError as error:
        # Documents may be ingested and the store repaired while the service runs; until then it
        # says so when it is asked.
        _log.warning("%s", error)

"""The HTTP service."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

from api import calls, documents, following, login, search, service
from api.authentication import Authentication
from api.headers import SecurityHeaders
from api.limits import BodyLimit
from api.openapi import describe
from api.problems import add_problem_handlers
from kb.bootstrap import KnowledgeBase, open_knowledge_base
from kb.errors import StoreError
from kb.language import detect
from kb.model import Filters
from kb.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kb.settings import Settings

_DESCRIPTION = """\
Search and cited answers over research, policy and EU calls, in French and English.

Every quote is compared with the stored text of the page that it cites before it is sent. Errors
are problem details (RFC 9457); programs should look at their `type`.
"""

# What a page of another site may send, and what of a response it may read, if it may ask at all.
_SENT = ("Authorization", "Content-Type", "If-None-Match", "X-API-Key", "X-Request-ID")
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
            await run_in_threadpool(warm_up, opened)
            app.state.knowledge_base = opened
            yield
        finally:
            if kb is None:
                await run_in_threadpool(opened.close)

    app = FastAPI(
        title="Opération Milliard knowledge base",
        version=version("operation-milliard-kb"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's page loads its scripts from another site
        redoc_url=None,
    )
    for part in (search, documents, following, calls, login, service):
        app.include_router(part.router)
    app.mount(
        "/static",
        StaticFiles(
            directory=Path(__file__).parent / "static",
            packages=[("fastapi_swagger", "resources")],
        ),
    )
    add_problem_handlers(app)
    describe(app)
    _add_middleware(app, kb.settings if kb else load_settings())
    return app


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Put around the routes what every request goes through, the innermost first."""
    app.add_middleware(BodyLimit)
    app.add_middleware(Authentication)
    app.add_middleware(GZipMiddleware, minimum_size=_COMPRESSED_FROM)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[origin for origin in settings.cors_origins.split() if origin],
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=_SENT,
        expose_headers=_READABLE,
        max_age=3600,
    )
    app.add_middleware(SecurityHeaders)


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

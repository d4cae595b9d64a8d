"""Search, one by one and many at once, and answers, whole and as they are found."""

import json
import time
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from api import schemas
from api.accepting import EVENTS, wants_events
from api.access import CallerAccess, OpenKnowledgeBase, search_engine
from api.audited import Audited
from api.metrics import metrics
from api.openapi import problems
from api.problems import error_problem
from api.rates import charge
from api.replies import Reply, deprecated
from api.selection import selected
from api.streaming import MAX_SOURCES, AnswerStream, event, until_left
from kb.audited import note_answer, note_search
from kb.client import examples
from kb.errors import UsageError
from kb.model import Search
from kb.record.audit import Action
from kb.shapes import answer_json, search_json

if TYPE_CHECKING:
    from api.streaming import Told
    from kb.model import Answer
    from kb.search.engine import SearchResult

router = APIRouter(prefix="/v1", tags=["search"])

# Of `q`, the former name of `query`.
_OLD_NAME = deprecated(date(2026, 11, 26), date(2027, 12, 1), "/docs#/search/search_v1_search_get")

_STREAMED: dict[str, Any] = {
    "description": "The answer, in JSON or as the events that `Accept: text/event-stream` asks for",
    "content": {
        EVENTS: {
            "schema": {"type": "string"},
            "example": b"".join(event(*each) for each in examples.ANSWER_EVENTS).decode(),
        }
    },
}


@router.get(
    "/search",
    response_model=schemas.SearchResult,
    responses=problems(422, 503),
    summary="Find passages",
)
async def search(
    asked: Annotated[schemas.SearchParameters, Query()],
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    reply: Reply,
    audit: Audited,
    request: Request,
) -> Response:
    """Find passages, each with its document, its page and the place of its words on it.

    A question in French finds English documents too, and the other way round.
    """
    engine = await search_engine(kb)
    filters = asked.filters(access)
    async with until_left(request.receive):
        found = await engine.search_async(asked.query or "", filters, asked.top_k)
    note_search(audit, found, filters)
    headers = None if asked.q is None else _OLD_NAME
    return reply.json(search_json(found), schemas.SearchResult, asked.fields, headers)


@router.post(
    "/search/batch",
    response_model=schemas.BatchResult,
    responses=problems(413, 422, 503),
    summary="Find passages for many queries",
)
async def search_batch(
    asked: schemas.BatchRequest,
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    audit: Audited,
    request: Request,
) -> JSONResponse:
    """Search for up to 100 queries at once, which takes less time than one by one.

    Each is asked for as in `GET /v1/search`, finds the same, and counts as one request; together
    they may have 512 KiB. A query that can't be understood, as one of blanks, has its problem in
    its place, and the others their results.
    """
    await charge(request, len(asked.queries))
    started = time.perf_counter()
    engine = await search_engine(kb)
    async with until_left(request.receive):
        found = await engine.search_batch_async(
            [Search(each.query, each.filters(access), each.top_k) for each in asked.queries]
        )
    took = round((time.perf_counter() - started) * 1000, 1)
    for each, result in zip(asked.queries, found, strict=True):
        if not isinstance(result, UsageError):
            note_search(audit, result, each.filters(access), Action.BATCH)

    def reply() -> JSONResponse:  # thousands of hits would keep everybody else waiting
        pairs = zip(asked.queries, found, strict=True)
        results = [_shown(result, each.fields, request) for each, result in pairs]
        return JSONResponse({"took_ms": took, "results": results})

    return await run_in_threadpool(reply)


@router.post(
    "/answers",
    response_model=schemas.Answer,
    responses={200: _STREAMED, **problems(406, 413, 422, 503)},
    summary="Answer a question",
)
async def answer(
    asked: schemas.AnswerRequest,
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    audit: Audited,
    request: Request,
) -> Response:
    """Answer with exact quotes, each compared with the stored page that it cites.

    Where the documents do not suffice, the status is `insufficient_evidence` and the nearest
    passages are given instead: that is an answer too (200).

    With `Accept: text/event-stream` the answer comes as server-sent events, whose data is JSON:

    - `sources`, as soon as they are found: what the answer is looked for in, as a search result of
      at most 10 hits;
    - `sentence`, for each sentence: the sentence, and `introduces`, the citations that it is the
      first to refer to;
    - `end`: `status`, `confidence`, `differs` and `nearest` as in JSON, `timings` and `request_id`;
    - `error`, instead of what is left: a problem. What goes wrong before `sources` is answered with
      its status.

    Lines that begin with a colon only show that the connection is alive. A client that leaves stops
    the work.
    """
    streamed = wants_events(request)
    engine = await search_engine(kb)
    filters = asked.filters(access)

    async def answering(told: "Told | None" = None) -> "Answer":
        given = await engine.answer_async(asked.question, filters, told)
        metrics().answers.labels(given.status).inc()
        note_answer(audit, given, filters)
        return given

    def noted(told: "Told") -> "Told":
        """Note what is shown before there is an answer: whoever leaves then has seen it."""

        def note_and_tell(found: "SearchResult") -> None:
            shown = replace(found, hits=found.hits[:MAX_SOURCES])
            note_search(audit, shown, filters, Action.SOURCES)
            told(found)

        return note_and_tell

    if streamed:
        return AnswerStream(lambda told: answering(noted(told)), audit.request_id)
    async with until_left(request.receive):
        given = await answering()
    return JSONResponse(answer_json(given))


def _shown(
    found: "SearchResult | UsageError", fields: str | None, request: Request
) -> dict[str, Any]:
    """What is told of one of a batch; a problem of its own is none of the whole request."""
    try:
        if isinstance(found, UsageError):
            raise found
        return selected(search_json(found), fields, schemas.SearchResult)
    except UsageError as error:
        aside = {**request.scope, "state": dict(request.scope.get("state", {}))}
        problem: dict[str, Any] = json.loads(bytes(error_problem(aside, error).body))
        return problem

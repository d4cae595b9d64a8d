"""Search and answers."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse

from api import schemas
from api.access import CallerAccess, OpenKnowledgeBase, search_engine
from api.openapi import problems
from kb.shapes import answer_json, search_json

router = APIRouter(prefix="/v1", tags=["search"])


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
) -> JSONResponse:
    """Find passages, each with its document, its page and the place of its words on it.

    A question in French finds English documents too, and the other way round.
    """
    engine = await search_engine(kb)
    found = await engine.search_async(asked.query or "", asked.filters(access), asked.top_k)
    return JSONResponse(search_json(found))


@router.post(
    "/answers",
    response_model=schemas.Answer,
    responses=problems(413, 422, 503),
    summary="Answer a question",
)
async def answer(
    asked: schemas.AnswerRequest, access: CallerAccess, kb: OpenKnowledgeBase
) -> JSONResponse:
    """Answer with exact quotes, each compared with the stored page that it cites.

    Where the documents do not suffice, the status is `insufficient_evidence` and the nearest
    passages are given instead: that is an answer too (200).
    """
    engine = await search_engine(kb)
    given = await engine.answer_async(asked.question, asked.filters(access))
    return JSONResponse(answer_json(given))

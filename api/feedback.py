"""Feedback from everyone; for staff what was said, what is missing, and who asked what."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body, Query
from starlette.responses import JSONResponse, Response

from api import feedback_schemas as schemas
from api.access import STAFF, Caller, CurrentCaller, OpenKnowledgeBase
from api.openapi import problems
from api.replies import Reply
from api.schemas import Day
from api.selection import Fields
from kb.audit import chosen, event_json
from kb.bootstrap import KnowledgeBase
from kb.client.models import FeedbackReceived
from kb.errors import NotFoundError
from kb.gaps import gap_json
from kb.keys import Door
from kb.language import detect
from kb.model import FULL_ACCESS, Access, FeedbackKind
from kb.record.audit import Action
from kb.record.feedback import Cited, Feedback, feedback_json

router = APIRouter(prefix="/v1", tags=["feedback"])

Cursor = Annotated[
    str | None,
    Query(pattern=r"^[1-9][0-9]{0,17}$", description="`next` of the page before."),
]
Limit = Annotated[int, Query(ge=1, le=100, description="How many at most.")]
Since = Annotated[Day | None, Query(description="On this day or later, in Brussels.")]
Until = Annotated[Day | None, Query(description="On this day or before, in Brussels.")]


@router.post(
    "/feedback",
    status_code=201,
    response_model=FeedbackReceived,
    responses=problems(404, 413, 422, 503),
    summary="Say what you think of an answer",
)
def give_feedback(
    said: Annotated[schemas.FeedbackRequest, Body()], caller: CurrentCaller, kb: OpenKnowledgeBase
) -> JSONResponse:
    """Say that an answer helped or did not, that a citation is wrong, or a document is missing.

    Staff read it. A citation must be one that you may read: others are not found.
    """
    now = keep(said, caller, kb)
    received = {"kind": said.kind.value, "received": now.isoformat(timespec="seconds")}
    return JSONResponse(received, status_code=201)


def keep(said: schemas.FeedbackRequest, caller: Caller, kb: KnowledgeBase) -> datetime:
    """Keep what somebody says; returns when it was said.

    Raises:
        NotFoundError: It cites what isn't there or what the caller may not see.
    """
    cited = None if said.citation is None else Cited(**said.citation.model_dump())
    if cited is not None:
        _check_cited(kb, cited, caller.access)
    words = said.question or said.comment
    now = kb.clock()
    kb.feedback.add(
        Feedback(
            at=now,
            kind=said.kind,
            role=caller.role,
            key_id=None if caller.key is None else caller.key.id,
            key=None if caller.key is None else caller.key.name,
            request_id=said.request_id,
            question=said.question,
            language=None if words is None else detect(words),
            comment=said.comment,
            citation=cited,
        )
    )
    return now


@router.get(
    "/feedback",
    dependencies=[STAFF],
    response_model=schemas.FeedbackList,
    responses=problems(404, 422, 503),
    summary="Read feedback",
)
def list_feedback(
    kb: OpenKnowledgeBase,
    reply: Reply,
    kind: Annotated[FeedbackKind | None, Query(description="Only of this kind.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
    fields: Fields = None,
) -> Response:
    """Read what people say, the newest first. Follow `next` until it is null."""
    found = kb.feedback.listed(limit + 1, kind, _before(cursor))
    shown = {
        "feedback": [feedback_json(each) for each in found[:limit]],
        "next": str(found[limit - 1].id) if len(found) > limit else None,
    }
    return reply.json(shown, schemas.FeedbackList, fields)


@router.get(
    "/gaps",
    dependencies=[STAFF],
    response_model=schemas.GapList,
    responses=problems(404, 422, 503),
    summary="What is asked for and not found",
)
def list_gaps(
    kb: OpenKnowledgeBase,
    reply: Reply,
    since: Since = None,
    language: Annotated[
        str | None, Query(pattern="^[a-z]{2}$", description="Only questions in it: `fr` or `en`.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="How many gaps at most.")] = 50,
    fields: Fields = None,
) -> Response:
    """List what to look for: questions that found no sufficient evidence, and missing documents.

    Questions that mean the same stand together, whether they are in French or in English. The
    newest thousand different ones are looked at. Where the service keeps questions as hashes alone,
    `question` is null and only equal ones stand together.
    """
    found = kb.gaps.find(FULL_ACCESS, limit, chosen(since).since, language)
    shown = {"total": found.total, "gaps": [gap_json(gap) for gap in found.gaps]}
    return reply.json(shown, schemas.GapList, fields)


@router.get(
    "/audit",
    dependencies=[STAFF],
    response_model=schemas.AuditList,
    responses=problems(404, 422, 503),
    summary="Who asked what",
)
def list_events(
    kb: OpenKnowledgeBase,
    reply: Reply,
    since: Since = None,
    until: Until = None,
    door: Annotated[Door | None, Query(description="Only what came in through it.")] = None,
    action: Annotated[Action | None, Query(description="Only what asked for this.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
    fields: Fields = None,
) -> Response:
    """List what was asked, by whom, and what was returned, the newest first.

    Follow `next` until it is null. What was asked this very moment may be missing.
    """
    meant = chosen(since, until, door, action)
    found = kb.trail.record.listed(meant, limit + 1, _before(cursor))
    shown = {
        "events": [event_json(event) for event in found[:limit]],
        "next": str(found[limit - 1].id) if len(found) > limit else None,
    }
    return reply.json(shown, schemas.AuditList, fields)


def _check_cited(kb: KnowledgeBase, cited: Cited, access: Access) -> None:
    """Refuse a citation of what isn't there, and in the same words of what may not be seen.

    Raises:
        NotFoundError: It is one of these.
    """
    generation = kb.record.current_id() or 0
    page = kb.record.page(generation, cited.document_id, cited.page, access, cited.version)
    if page is None:
        raise NotFoundError("There is no such document, version or page here that you may read.")


def _before(cursor: str | None) -> int | None:
    return None if cursor is None else int(cursor)

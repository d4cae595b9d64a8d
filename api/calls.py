"""Calls: found with filters and facets, shown in full, and as calendar, feed or table."""

from collections.abc import Callable
from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import JSONResponse, Response

from api import call_schemas as schemas
from api.access import BY_SECRET, CallerAccess, OpenKnowledgeBase, service_address
from api.audited import Audited, stated
from api.following import saved_search
from api.openapi import problems
from api.problems import NothingIngestedError
from api.replies import Replies, Reply
from kb.audit import of_calls, of_matches
from kb.bootstrap import KnowledgeBase
from kb.calls.dates import noon
from kb.calls.detail import detail_json
from kb.calls.match import match
from kb.calls.query import CallQuery
from kb.calls.telling import MEDIA_TYPES, Telling, written
from kb.errors import NotFoundError
from kb.keys import Door
from kb.record.audit import Action, Outcome
from kb.record.searches import SavedSearch
from kb.shapes import call_page_json, match_json

router = APIRouter(prefix="/v1", tags=["calls"])

Form = Literal["csv", "xlsx", "jsonl", "ics", "atom"]
Identifier = Annotated[
    str,
    Path(max_length=300, pattern=r"^[^\x00-\x1f]+$", description="As its source writes it."),
]


@router.get(
    "/calls",
    response_model=schemas.CallList,
    responses=problems(422, 503),
    summary="Find calls",
)
def find_calls(
    asked: Annotated[schemas.CallParameters, Query()],
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    reply: Reply,
    audit: Audited,
) -> Response:
    """Find calls, each with its status today; follow `next` until it is null.

    A query in French finds calls in English too. It ranks: it does not hide what fits less.
    """
    _check_filled(kb)
    page = kb.finder.find(
        asked.asked(),
        access,
        _moment(kb, asked.as_of),
        cursor=asked.cursor,
        limit=asked.limit,
    )
    audit.note(
        Action.CALLS,
        asked.query or None,
        Outcome.FOUND if page.hits else Outcome.NOTHING,
        of_calls(page.hits),
        filters=stated(asked, "query", "cursor", "fields"),
    )
    return reply.json(call_page_json(page, asked.language), schemas.CallList, asked.fields)


@router.post(
    "/calls/match",
    response_model=schemas.MatchList,
    responses=problems(413, 422, 503),
    summary="Find the calls that fit an association",
)
def match_calls(
    asked: schemas.MatchRequest, access: CallerAccess, kb: OpenKnowledgeBase, audit: Audited
) -> JSONResponse:
    """Rank calls for an association, each with what speaks for it and what may rule it out.

    Every statement is a quote of the call; what no sentence says is not stated.
    """
    _check_filled(kb)
    profile = asked.profile()
    found = match(
        kb,
        profile,
        CallQuery.from_values({"status": asked.status}),
        access=access,
        now=_moment(kb, asked.as_of),
        limit=asked.limit,
    )
    audit.note(
        Action.MATCH,
        asked.description,
        Outcome.FOUND if found else Outcome.NOTHING,
        of_matches(found),
        filters=stated(asked, "description", "aims", "name", "partners"),
    )
    shown = [match_json(each, asked.language) for each in found]
    return JSONResponse({"profile": profile.name, "hits": shown})


@router.get(
    "/calls.{form}",
    response_class=Response,
    responses=schemas.file_responses(*MEDIA_TYPES) | problems(422, 503),
    summary="Calls as a calendar, feed or table",
)
def calls_file(
    form: Form,
    asked: Annotated[schemas.CallFileParameters, Query()],
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    request: Request,
    reply: Reply,
    audit: Audited,
) -> Response:
    """Download the calls of any filter: `csv`, `xlsx`, `jsonl`, or to subscribe `ics` and `atom`.

    A calendar has one event for each deadline, a feed one entry for what changed of a call. Both
    hold what is open and forthcoming unless `status` says otherwise.
    """
    _check_filled(kb)
    telling = Telling(
        access,
        _moment(kb, asked.as_of),
        asked.language,
        self_url=_own_address(kb, request),
        url_of=_page_of(kb, request),
    )
    made = _file(kb, asked.asked(), telling, form, reply)
    filters = {**stated(asked, "query"), "form": form}
    audit.note(Action.EXPORT, asked.query or None, _outcome_of(made), filters=filters)
    return made


@router.get(
    "/feeds/{secret}/calls.{form}",
    dependencies=[BY_SECRET],
    response_class=Response,
    responses=schemas.file_responses("ics", "atom") | problems(404, 422, 503),
    summary="The calendar or feed of a saved search",
)
def feed_file(
    form: Literal["ics", "atom"],
    search: Annotated[SavedSearch, Depends(saved_search)],
    kb: OpenKnowledgeBase,
    request: Request,
    reply: Reply,
    audit: Audited,
) -> Response:
    """Read the deadlines or the news of a saved search; its address is a secret of its own."""
    _check_filled(kb)
    telling = Telling(
        search.access,
        kb.clock(),
        search.language,
        self_url=_own_address(kb, request),
        name=search.name,
        url_of=_page_of(kb, request),
    )
    made = _file(kb, CallQuery.from_values(dict(search.query)), telling, form, reply)
    filters = {"search": search.id, "form": form}
    audit.note(Action.FEED, None, _outcome_of(made), filters=filters, door=Door.FEED)
    return made


@router.get(
    "/calls/{identifier:path}",
    response_model=schemas.CallDetail,
    responses=problems(404, 422),
    summary="Show a call",
)
def show_call(
    identifier: Identifier,
    told: Annotated[schemas.DetailParameters, Query()],
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    reply: Reply,
    audit: Audited,
) -> Response:
    """Show everything known of a call, with the sentences that say so and what changed of it."""
    hit = kb.finder.one(identifier, access, _moment(kb, told.as_of))
    outcome = Outcome.NOTHING if hit is None else Outcome.FOUND
    shown_of = () if hit is None else of_calls([hit])
    audit.note(Action.CALL, None, outcome, shown_of, filters={"identifier": identifier})
    if hit is None:
        raise NotFoundError("There is no such call here that you may read.")
    shown = detail_json(kb, hit, access, told.language)
    return reply.json(shown, schemas.CallDetail, told.fields)


def _outcome_of(made: Response) -> Outcome:
    return Outcome.UNCHANGED if made.status_code == HTTPStatus.NOT_MODIFIED else Outcome.FOUND


def _moment(kb: KnowledgeBase, as_of: date | None) -> datetime:
    """Now, or noon in Brussels of a day."""
    return kb.clock() if as_of is None else noon(as_of)


def _check_filled(kb: KnowledgeBase) -> None:
    if kb.record.current_id() is None:
        raise NothingIngestedError


def _own_address(kb: KnowledgeBase, request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{service_address(kb, request)}{request.url.path}{query}"


def _page_of(kb: KnowledgeBase, request: Request) -> Callable[[str], str]:
    base = service_address(kb, request)
    return lambda document_id: f"{base}/documents/{document_id}"


def _file(
    kb: KnowledgeBase, asked: CallQuery, telling: Telling, form: str, reply: Replies
) -> Response:
    """The file, or 304 where whoever asks has it already: feed readers come every hour."""
    content = written(kb, asked, telling, form)
    named = {"Content-Disposition": f'attachment; filename="calls.{form}"'}
    headers = {} if form in {"ics", "atom"} else named
    return reply.tagged(content, content, MEDIA_TYPES[form], headers)

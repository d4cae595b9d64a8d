"""Calls: a list and a calendar with filters, and everything that is known of each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from api.access import CallerAccess, OpenKnowledgeBase, service_address
from api.audited import Audit, Audited
from api.calls import Identifier
from api.replies import Reply
from api.web import following, match
from api.web.calls_calendar import month_named, month_of
from api.web.calls_filters import (
    EVERY,
    Narrowed,
    choices,
    in_full,
    read,
    sorts,
    told,
    without_closed,
)
from api.web.calls_shown import CONDITIONS, shown_call
from api.web.calls_words import CallWords
from api.web.site import CurrentSite, Site
from kb.audit import of_calls
from kb.bootstrap import KnowledgeBase
from kb.calls.dates import brussels_day
from kb.calls.finder import CallHit
from kb.calls.telling import MEDIA_TYPES, Telling, calendar_of
from kb.errors import NotFoundError, UsageError
from kb.model import Access, CallStatus, Visibility
from kb.record.audit import Action, Outcome

router = APIRouter(include_in_schema=False)

PAGE: Final = 20
# The cursors of the pages before stand in the address, so that there is a way back; it must not
# grow without end.
MOST_PAGES: Final = 50
_TRAIL: Final = "after"
_BETWEEN: Final = "~"
CALENDAR: Final = "calendar"


@router.get("/calls")
def find_calls(
    request: Request,
    site: CurrentSite,
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    audit: Audited,
) -> HTMLResponse:
    """Show calls, those first that close next or fit the question best; or a month's deadlines."""
    if kb.record.current_id() is None:
        return site.page("calls_none.html", status=503)
    make = _calendar if request.query_params.get("view") == CALENDAR else _list
    return make(site, kb, access, audit)


def _list(site: Site, kb: KnowledgeBase, access: Access, audit: Audit) -> HTMLResponse:
    asked, now, trail = read(site.request.query_params, site), kb.clock(), _trail(site)
    errors = dict(asked.errors)
    find = partial(kb.finder.find, asked.query, access, now, limit=PAGE)
    try:
        found = find(cursor=trail[-1] if trail else None)
    except UsageError:  # a cursor of another query, or none of ours
        trail = []
        errors["page"] = site.gettext("That page is not there any more. This is the first one.")
        found = find()
    _note(audit, asked, found.hits)
    counts = kb.finder.choices(asked.query, access, now, found.facets)
    more = found.next is not None and len(trail) + 1 < MOST_PAGES
    return site.page(
        "calls.html",
        status=422 if errors else 200,
        **_around(site, kb, access, asked, counts),
        view="",
        errors=errors,
        # Beside what is asked, whatever its words: a ranking leaves none out.
        closed=counts["status"][CallStatus.CLOSED] if without_closed(asked.query) else 0,
        found=found,
        first=len(trail) * PAGE + 1,
        before=_BETWEEN.join(trail[:-1]) if trail else None,
        after=_BETWEEN.join([*trail, found.next or ""]) if more else None,
        cut=found.next is not None and not more,
    )


def _around(
    site: Site,
    kb: KnowledgeBase,
    access: Access,
    asked: Narrowed,
    counts: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    """What stands around the calls in either view: what was asked, and what else there is."""
    closed: Mapping[str, int] = {}
    if without_closed(asked.query):
        over = replace(asked.query, status=(CallStatus.CLOSED,), programme=())
        closed = kb.finder.counts(over, access, kb.clock())["programme"]
    every = {**counts, "programme": {**closed, **counts["programme"]}}
    asked, words = in_full(asked, every), CallWords(site)
    return {
        "asked": asked,
        "words": words,
        "told": told(asked, site, words),
        "choices": choices(asked, counts, words, closed),
        "statuses": _statuses(counts["status"]),
        "sorts": sorts(asked),
    }


def _trail(site: Site) -> list[str]:
    given = site.request.query_params.get(_TRAIL, "")
    return [each for each in given.split(_BETWEEN) if each][:MOST_PAGES]


def _statuses(counts: Mapping[str, int]) -> dict[str, int]:
    """The statuses that may be chosen, with how many calls have each."""
    coming = sum(counts[each] for each in ("open", "forthcoming", "rolling"))
    alone = sum(count for status, count in counts.items() if status != "closing_soon")
    listed = ("open", "closing_soon", "forthcoming", "rolling", "closed", "unknown")
    return {"": coming, **{each: counts[each] for each in listed}, EVERY: alone}


def _calendar(site: Site, kb: KnowledgeBase, access: Access, audit: Audit) -> HTMLResponse:
    asked, now = read(site.request.query_params, site), kb.clock()
    first = month_named(site.request.query_params.get("month", ""), brussels_day(now))
    month = month_of(kb.finder, asked.query, access, now, first)
    _note(audit, asked, [due.hit for due in month.due], month=f"{first:%Y-%m}")
    return site.page(
        "calls_calendar.html",
        status=422 if asked.errors else 200,
        **_around(site, kb, access, asked, kb.finder.choices(asked.query, access, now)),
        view=CALENDAR,
        errors=asked.errors,
        month=month,
        today=brussels_day(now),
    )


def _note(audit: Audit, asked: Narrowed, hits: Sequence[CallHit], **filters: str) -> None:
    stated = {name: value for name, value in asked.values.items() if name != "query"}
    audit.note(
        Action.CALLS,
        asked.query.query or None,
        Outcome.FOUND if hits else Outcome.NOTHING,
        of_calls(hits),
        filters={**stated, **filters},
    )


@router.get("/calls/deadlines.ics")
def deadlines_of_call(
    call: Annotated[str, Query(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f]+$")],
    site: CurrentSite,
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    reply: Reply,
    audit: Audited,
) -> Response:
    """The deadlines of one call as a calendar, which stays right when it is subscribed to."""
    hit = kb.finder.one(call, access, kb.clock())
    filters = {"identifier": call, "form": "ics"}
    if hit is None:
        audit.note(Action.EXPORT, None, Outcome.NOTHING, filters=filters)
        raise _not_found()
    base = service_address(kb, site.request)
    telling = Telling(
        access,
        kb.clock(),
        site.language,
        name=hit.call.title,
        url_of=lambda document_id: f"{base}/documents/{document_id}",
    )
    audit.note(Action.EXPORT, None, Outcome.FOUND, of_calls([hit]), filters=filters)
    content = calendar_of(kb, [hit], telling)
    named = {"Content-Disposition": 'attachment; filename="call.ics"'}
    return reply.tagged(content, content, MEDIA_TYPES["ics"], named)


# Before the next route, which takes whatever stands below /calls.
router.include_router(match.router)
router.include_router(following.router)


@router.get("/calls/{identifier:path}")
def show_call(
    identifier: Identifier,
    site: CurrentSite,
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    audit: Audited,
) -> HTMLResponse:
    """Show everything known of a call, with the sentences that say so and what changed of it."""
    hit = kb.finder.one(identifier, access, kb.clock())
    outcome = Outcome.NOTHING if hit is None else Outcome.FOUND
    shown_of = () if hit is None else of_calls([hit])
    audit.note(Action.CALL, None, outcome, shown_of, filters={"identifier": identifier})
    if hit is None:
        raise _not_found()
    address = f"{service_address(kb, site.request)}/calls/deadlines.ics"
    public = hit.document.visibility is Visibility.PUBLIC
    return site.page(
        "call.html",
        hit=hit,
        call=hit.call,
        words=CallWords(site),
        shown=shown_call(kb, hit, access),
        conditions=CONDITIONS,
        now=kb.clock(),
        # A calendar program has no key: it is told of what everybody may see.
        subscription=f"{address}?call={quote(hit.call.identifier)}" if public else None,
    )


def _not_found() -> NotFoundError:
    """One answer for what isn't there and what the caller may not see: they can't be told apart."""
    return NotFoundError("There is no such call here that you may read.")

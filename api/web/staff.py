"""The pages of the team: how the base is, what it misses, what people say, and who asked what."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, StreamingResponse

from api.access import OpenKnowledgeBase, StaffCaller
from api.web.asked import Number, Stated
from api.web.site import CurrentSite
from api.web.staff_uploads import STATES
from api.web.staff_words import AuditWords
from api.web.texts import later as _
from kb.audit import chosen
from kb.audit_export import Form, exported
from kb.errors import UsageError
from kb.keys import Door
from kb.model import FULL_ACCESS, FeedbackKind
from kb.record.audit import Action, Outcome
from kb.record.library import Library, Wanted
from kb.record.uploads import UploadsRecord

if TYPE_CHECKING:
    from api.readiness import Readiness
    from kb.bootstrap import KnowledgeBase
    from kb.record.audit import Chosen

router = APIRouter(prefix="/staff", include_in_schema=False)

_SHOWN: Final = 50  # of a page of a list
_GAPS: Final = 100
_NEWEST: Final = 5


DOORS: Final = {
    Door.HTTP: _("Open page or program (API)"),
    Door.SESSION: _("Signed in, in a browser"),
    Door.FEED: _("Feed"),
    Door.MCP: _("Assistant (MCP)"),
    Door.CLI: _("Command line"),
}
ACTIONS: Final = {
    Action.SEARCH: _("Search of passages"),
    Action.BATCH: _("Search among several"),
    Action.SOURCES: _("Sources before an answer"),
    Action.ANSWER: _("Answer"),
    Action.CALLS: _("Search of calls"),
    Action.MATCH: _("Calls for an association"),
    Action.CALL: _("A call"),
    Action.EXPORT: _("Export"),
    Action.FEED: _("Feed"),
    Action.DOCUMENTS: _("List of documents"),
    Action.DOCUMENT: _("A document"),
    Action.PAGE: _("A page"),
    Action.PICTURE: _("Picture of a page"),
    Action.ORIGINAL: _("An original file"),
    Action.BRIEF: _("A brief"),
}
OUTCOMES: Final = {
    Outcome.ANSWERED: _("answered"),
    Outcome.INSUFFICIENT_EVIDENCE: _("not enough evidence"),
    Outcome.FOUND: _("found"),
    Outcome.NOTHING: _("nothing found"),
    Outcome.UNCHANGED: _("unchanged"),
}
SAID: Final = {
    FeedbackKind.HELPFUL: _("Helpful"),
    FeedbackKind.NOT_HELPFUL: _("Not helpful"),
    FeedbackKind.WRONG_CITATION: _("Wrong citation"),
    FeedbackKind.MISSING_DOCUMENT: _("Missing document"),
}
PARTS: Final = {
    "encoder": _("the language model"),
    "index": _("the index"),
    "database": _("the database"),
}


class GapsAsked(Stated):
    """Which gaps are meant."""

    since: date | None = None
    language: Annotated[str, Query(pattern="^[a-z]{2}$")] | None = None


class FeedbackAsked(Stated):
    """Which feedback is meant."""

    kind: FeedbackKind | None = None
    before: Number | None = None


class AuditAsked(Stated):
    """Which events are meant."""

    since: date | None = None
    until: date | None = None
    door: Door | None = None
    action: Action | None = None
    before: Number | None = None

    def chosen(self) -> Chosen:
        """As the record has it.

        Each page that is read shows its picture too: where nobody asks for pictures, they would
        stand between the questions.

        Raises:
            UsageError: The days are in the wrong order.
        """
        meant = chosen(self.since, self.until, self.door, self.action)
        return meant if self.action else replace(meant, without=(Action.PICTURE,))


@router.get("")
async def overview(
    request: Request, caller: StaffCaller, site: CurrentSite, kb: OpenKnowledgeBase
) -> HTMLResponse:
    """Show how the service is, what it holds and what came in last."""
    del caller
    readiness: Readiness = request.app.state.readiness
    failing = await readiness.failing()
    held = await run_in_threadpool(_held, kb)
    if held["generation"] is None:  # an empty base has no index, and is said to be empty
        failing = [part for part in failing if part != "index"]
    parts = [site.gettext(PARTS[part]) for part in failing]
    return site.page("staff.html", failing=parts, settings=kb.settings, **held)


@router.get("/gaps")
def gaps(
    asked: Annotated[GapsAsked, Query()],
    caller: StaffCaller,
    site: CurrentSite,
    kb: OpenKnowledgeBase,
) -> HTMLResponse:
    """Show what was asked and not found: what to look for next."""
    del caller
    found = kb.gaps.find(FULL_ACCESS, _GAPS, chosen(asked.since).since, asked.language)
    hashed = kb.trail.record.hashed
    return site.page("staff_gaps.html", asked=asked, found=found, hashed=hashed)


@router.get("/feedback")
def feedback(
    asked: Annotated[FeedbackAsked, Query()],
    caller: StaffCaller,
    site: CurrentSite,
    kb: OpenKnowledgeBase,
) -> HTMLResponse:
    """Show what people say of answers, the newest first."""
    del caller
    found = kb.feedback.listed(_SHOWN + 1, asked.kind, asked.before)
    further = found[_SHOWN - 1].id if len(found) > _SHOWN else None
    return site.page(
        "staff_feedback.html", asked=asked, found=found[:_SHOWN], next=further, kinds=SAID
    )


@router.get("/audit")
def audit(
    asked: Annotated[AuditAsked, Query()],
    caller: StaffCaller,
    site: CurrentSite,
    kb: OpenKnowledgeBase,
) -> HTMLResponse:
    """Show who asked what and what they were given, the newest first."""
    del caller
    shown: dict[str, Any] = {
        "asked": asked,
        "hashed": kb.trail.record.hashed,
        "days": kb.settings.audit_days,
        "names": {"doors": DOORS, "actions": ACTIONS, "outcomes": OUTCOMES},
        "narrowed": AuditWords(site).narrowed,
    }
    try:
        meant = asked.chosen()
    except UsageError:
        fault = site.gettext("The first day must not lie after the last one.")
        values = {**shown, "found": [], "next": None, "error": fault}
        return site.page("staff_audit.html", status=422, **values)
    found = kb.trail.record.listed(meant, _SHOWN + 1, asked.before)
    further = found[_SHOWN - 1].id if len(found) > _SHOWN else None
    return site.page("staff_audit.html", **shown, found=found[:_SHOWN], next=further, error=None)


@router.get("/audit/export")
def export_audit(
    asked: Annotated[AuditAsked, Query()],
    caller: StaffCaller,
    kb: OpenKnowledgeBase,
) -> StreamingResponse:
    """Give every event that is meant as a table for spreadsheets, the oldest first."""
    del caller
    parts = exported(kb.trail.record.stream(asked.chosen()), Form.CSV)
    headers = {
        "Content-Disposition": 'attachment; filename="audit.csv"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(parts, media_type="text/csv; charset=utf-8", headers=headers)


def _held(kb: KnowledgeBase) -> dict[str, Any]:
    generation = kb.record.current()
    newest = (
        []
        if generation is None
        else Library(kb.engine).listed(generation.id, FULL_ACCESS, Wanted(), limit=_NEWEST)
    )
    return {
        "generation": generation,
        "newest": newest,
        "uploads": UploadsRecord(kb.engine).listed(_NEWEST),
        "states": STATES,
        "trail": kb.trail.counts,
        "hashed": kb.trail.record.hashed,
    }

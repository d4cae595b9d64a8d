"""Briefs: quotes that somebody selects, orders and writes between, at an address that is secret."""

import re
from dataclasses import replace
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Form, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from api.access import BY_SECRET, CurrentCaller, OpenKnowledgeBase, service_address
from api.audited import Audited
from api.authentication import is_cross_site
from api.exports import download
from api.login import FormCaller
from api.problems import CrossSiteError
from api.web.brief_room import SECRET_HEADERS, BriefRoom, NoBriefError
from api.web.site import CurrentSite, Site
from kb.briefs import editing
from kb.briefs.keeping import append, begin
from kb.briefs.model import Brief, Missing, Paragraph, Reference
from kb.briefs.resolve import resolve
from kb.errors import NotFoundError, UsageError
from kb.export.formats import ExportFormat
from kb.export.gather import note_export, of_brief

router = APIRouter(include_in_schema=False)

_MAX_FORM: Final = 100_000  # characters; what is too long for a brief is told on its page
# What is left of an address under the service's root: no blank, control sign or backslash.
_PLAIN: Final = re.compile(r"[!-\[\]-~]*")
_JSON: Final = "application/json"
# What needs no look at the page's revision: none of it undoes what somebody else has written.
_WHENEVER: Final = {"current", "forget", "staff", "unstaff", "delete"}

Address = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Index = Annotated[int, Field(ge=0, le=editing.MAX_BLOCKS)]
Long = Annotated[str, Field(max_length=_MAX_FORM)]
Do = Literal[
    "rename",
    "write",
    "edit",
    "up",
    "down",
    "to",
    "remove",
    "current",
    "forget",
    "staff",
    "unstaff",
    "delete",
]


class Change(BaseModel):
    """What a form of a brief's page asks for; ``revision`` is that of the page."""

    do: Do
    revision: int = Field(0, ge=0, le=10**9)
    block: Index = 0
    to: Index = 0
    text: Long = ""
    title: Long = ""
    language: str = Field("", max_length=10)

    @property
    def lands_on(self) -> int:
        """The block that is looked at afterwards."""
        return {"up": max(self.block - 1, 0), "down": self.block + 1, "to": self.to}.get(
            self.do, self.block
        )


class Quote(BaseModel):
    """A quote that is to be added: where it stands, and the page to go back to."""

    document_id: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")
    version: int = Field(ge=1, le=1_000_000)
    spans: str = Field(max_length=editing.MAX_SPANS_TEXT)
    next: str = Field("", max_length=8_000)


@router.get("/briefs")
def list_briefs(
    request: Request, site: CurrentSite, caller: CurrentCaller, kb: OpenKnowledgeBase
) -> HTMLResponse:
    """List the briefs that this browser knows and, for staff, those that staff share."""
    return BriefRoom(request, kb, caller, site).list_page()


@router.post("/briefs")
def begin_brief(
    request: Request,
    caller: FormCaller,
    kb: OpenKnowledgeBase,
    title: Annotated[str, Form(max_length=_MAX_FORM)] = "",
) -> Response:
    """Begin a brief; its address goes into a cookie and is shown."""
    room = _room(request, kb, caller)
    if not title.strip() or len(" ".join(title.split())) > editing.MAX_TITLE:
        return room.list_page(422, title=title, fault=_fault("rename", room.site))
    try:
        _, secret = begin(room.record, title, room.site.language, kb.clock(), room.key_name)
    except UsageError:
        return room.list_page(422, title=title, notice=_no_room(room))
    return room.remembering(room.site.redirect(f"/briefs/{secret}"), secret)


@router.post("/briefs/add")
def add_quote(
    request: Request,
    quote: Annotated[Quote, Form()],
    caller: FormCaller,
    kb: OpenKnowledgeBase,
) -> Response:
    """Add a quote to the current brief, or to a new one, and go back to where it was found.

    Raises:
        NotFoundError: There is no such quote that the caller may see.
    """
    room = _room(request, kb, caller)
    reference = Reference(quote.document_id, quote.version, editing.read_spans(quote.spans))
    [shown] = resolve(kb, [reference], caller.access, kb.clock())
    if isinstance(shown, Missing):
        raise NotFoundError("There is no such quote here that you may read.")
    address = room.current
    if address is None:
        title = room.site.gettext("Brief of %(day)s", day=room.site.texts.day(room.site.today))
        try:
            _, address = begin(room.record, title, room.site.language, kb.clock(), room.key_name)
        except UsageError:
            return room.list_page(422, notice=_no_room(room))
    opened = room.open(address)
    there = reference in opened.brief.blocks
    if not there and len(opened.brief.blocks) >= editing.MAX_BLOCKS:
        return room.brief_page(opened, address, 422, fault=_fault("write", room.site, full=True))
    brief = append(room.record, lambda: room.open(address).brief, reference, kb.clock())
    said = _already(room.site, brief) if there else _now_added(room.site, brief)
    return room.remembering(_led_back(request, room.site, said, address, quote.next), address)


@router.get("/briefs/{address}", dependencies=[BY_SECRET])
def show_brief(
    address: Address,
    request: Request,
    site: CurrentSite,
    caller: CurrentCaller,
    kb: OpenKnowledgeBase,
    view: Literal["", "read"] = "",
) -> HTMLResponse:
    """Show a brief, to be edited where the address is one to edit by."""
    room = BriefRoom(request, kb, caller, site)
    opened = room.open(address)
    if view == "read":
        opened = replace(opened, may_edit=False)
    return room.brief_page(opened, address)


@router.get("/briefs/{address}/export", dependencies=[BY_SECRET])
def export_brief(
    address: Address,
    form: Annotated[ExportFormat, Query(alias="format")],
    request: Request,
    site: CurrentSite,
    caller: CurrentCaller,
    kb: OpenKnowledgeBase,
    audit: Audited,
) -> Response:
    """Give a brief as a document or a bibliography, as it stands for whoever asks."""
    brief = BriefRoom(request, kb, caller, site).open(address).brief
    dossier = of_brief(kb, brief, caller.access)
    note_export(audit, dossier, form, None)
    response = download(dossier, form, service_address(kb, request))
    response.headers.update(SECRET_HEADERS)
    return response


@router.post("/briefs/{address}", dependencies=[BY_SECRET])
def change_brief(
    address: Address,
    change: Annotated[Change, Form()],
    request: Request,
    caller: FormCaller,
    kb: OpenKnowledgeBase,
) -> Response:
    """Change a brief as one of its forms asks, unless somebody else has done so meanwhile."""
    room = _room(request, kb, caller)
    opened = room.open(address)
    brief = opened.brief
    for_staff = change.do in {"staff", "unstaff"} and not caller.is_whole_staff
    if change.do != "forget" and (for_staff or not opened.may_edit):
        raise NoBriefError
    if change.do not in _WHENEVER and change.revision != brief.revision:
        return room.brief_page(opened, address, 409, unsaved=change)
    if change.do in {"current", "forget", "delete"}:
        return _put_away(room, change, brief, address)
    try:
        changed = _changed(brief, change)
    except UsageError:
        full = len(brief.blocks) >= editing.MAX_BLOCKS
        fault = _fault(change.do, room.site, full=full)
        return room.brief_page(opened, address, 422, unsaved=change, fault=fault)
    saved = room.record.save(changed, kb.clock())
    if saved is None:
        return room.brief_page(room.open(address), address, 409, unsaved=change)
    if change.do == "unstaff" and address.isdecimal():  # it has just lost this address
        return room.site.redirect("/briefs")
    anchor = f"#b{change.lands_on}" if change.do in {"up", "down", "to", "write", "edit"} else ""
    return room.site.redirect(f"/briefs/{address}{anchor}")


def _room(request: Request, kb: OpenKnowledgeBase, caller: FormCaller) -> BriefRoom:
    """The room of a change.

    Raises:
        CrossSiteError: Another site asks.
    """
    if is_cross_site(request.scope):
        raise CrossSiteError
    return BriefRoom(request, kb, caller, Site(request, caller))


def _put_away(room: BriefRoom, change: Change, brief: Brief, address: str) -> Response:
    """Have this browser add to a brief, know it no more, or delete it for all."""
    if change.do == "current":
        return room.remembering(room.site.redirect(f"/briefs/{address}"), address)
    if change.do == "delete":
        room.record.delete(brief.id)
    return room.forgetting(room.site.redirect("/briefs"), address)


def _changed(brief: Brief, change: Change) -> Brief:
    match change.do:
        case "rename":
            return editing.renamed(brief, change.title, change.language)
        case "write":
            return editing.added(brief, Paragraph(change.text), change.block)
        case "edit":
            return editing.rewritten(brief, change.block, change.text)
        case "up" | "down" | "to":
            return editing.moved(brief, change.block, change.lands_on)
        case "remove":
            return editing.removed(brief, change.block)
    return replace(brief, staff=change.do == "staff")


def _fault(do: str, site: Site, *, full: bool = False) -> str:
    """Why a change can't be made, in words for whoever asked for it."""
    if do == "rename":
        most = site.texts.number(editing.MAX_TITLE)
        return site.gettext("Give a title of at most %(most)s characters.", most=most)
    if do == "write" and full:
        most = site.texts.number(editing.MAX_BLOCKS)
        return site.gettext(
            "This brief is full: it holds %(most)s quotes and paragraphs. Begin another one.",
            most=most,
        )
    if do in {"write", "edit"}:
        most = site.texts.number(editing.MAX_PARAGRAPH)
        return site.gettext("Write between 1 and %(most)s characters.", most=most)
    return site.gettext("This part of the brief is not there any more.")


def _no_room(room: BriefRoom) -> str:
    """Why no brief can be begun, where as many are kept as may be."""
    return room.site.gettext(
        "No further brief can be begun: as many are kept here as may be. Nothing was added. Go on "
        "with a brief that you have, sign in if you have a key, or tell the team."
    )


def _now_added(site: Site, brief: Brief) -> str:
    return site.ngettext(
        "Added to the brief “%(title)s”: %(num)d quote.",
        "Added to the brief “%(title)s”: %(num)d quotes.",
        _quotes(brief),
        title=brief.title,
    )


def _already(site: Site, brief: Brief) -> str:
    return site.ngettext(
        "Already in the brief “%(title)s”: %(num)d quote.",
        "Already in the brief “%(title)s”: %(num)d quotes.",
        _quotes(brief),
        title=brief.title,
    )


def _quotes(brief: Brief) -> int:
    return sum(isinstance(block, Reference) for block in brief.blocks)


def _led_back(request: Request, site: Site, said: str, address: str, back: str) -> Response:
    """Say that a quote is in the brief: to a script at once, else on the page that it is from."""
    if _JSON in request.headers.get("accept", ""):
        return JSONResponse({"message": said, "brief": address})
    return RedirectResponse(
        f"{site.url('/')}{way_back(back)}#added", 303, headers={"Cache-Control": "no-store"}
    )


def way_back(given: str) -> str:
    """What follows the service's own root in the address of a page of ours; nothing of any other.

    Pages give their addresses relative to themselves: ``../../documents/a/pages/3?version=1``.
    """
    way = given.partition("#")[0]
    while way.startswith(("./", "../")):
        way = way.partition("/")[2]
    way = way.removeprefix("/")
    return way if _PLAIN.fullmatch(way) and not way.startswith(("/", ".")) else ""

"""Signing in with a key in a browser, signing out, and who is signed in."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import ConfigDict, Field
from starlette.responses import HTMLResponse, JSONResponse, Response

from api.access import Caller, CurrentCaller, OpenKnowledgeBase
from api.authentication import (
    CSRF_FIELD,
    cookie_name,
    is_cross_site,
    is_secure,
    same_token,
    session_token,
)
from api.openapi import problems
from api.problems import CrossSiteError, CsrfTokenError
from api.web.brief_room import BriefRoom
from api.web.site import CurrentSite, Site
from kb.bootstrap import KnowledgeBase
from kb.client.models import Shape
from kb.keys import Door, is_well_formed

router = APIRouter(tags=["session"])

_KEY_FIELD = "key"
_NO_STORE = {"Cache-Control": "no-store"}


class Session(Shape):
    """Who you are to the service."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "role": "partner",
                    "name": "Réseau des associations",
                    "collections": ["guarantee"],
                    "expires": "2027-01-31T23:00:00+00:00",
                    "csrf_token": None,
                }
            ]
        },
    )

    role: Literal["anonymous", "partner", "staff"] = Field(
        description="What you may see: what is public, also what is for the coalition, everything."
    )
    name: str | None = Field(description="What your key is called; null without one.")
    collections: list[str] | None = Field(
        description="You see only documents in one of these; null is no such limit."
    )
    expires: datetime | None = Field(description="When your key ends; null is never.")
    csrf_token: str | None = Field(
        description="Of a session by cookie: send it as `X-CSRF-Token` with every change. Null "
        "with a key and without a session."
    )


async def checked_form(request: Request, caller: CurrentCaller) -> Caller:
    """The caller of a route that takes forms: with a session where the form holds its token.

    Raises:
        CsrfTokenError: There is a session, and the form's token is not its own.
    """
    waiting: Caller | None = getattr(request.state, "form_caller", None)
    if waiting is None:
        return caller
    given = (await request.form()).get(CSRF_FIELD)
    if not isinstance(given, str) or not same_token(given, waiting.csrf):
        raise CsrfTokenError
    request.state.caller = waiting
    return waiting


FormCaller = Annotated[Caller, Depends(checked_form)]
# Before others that ask who it is: those of a route's decorator come first.
CHECKED_FORM = Depends(checked_form)


@router.get(
    "/v1/session",
    response_model=Session,
    responses=problems(503),
    summary="Who am I?",
)
async def session(caller: CurrentCaller) -> JSONResponse:
    """Say what role your key or session has, and until when."""
    key = caller.key
    return JSONResponse(
        {
            "role": caller.role.value if caller.role else "anonymous",
            "name": key.name if key else None,
            "collections": list(key.collections) if key and key.collections is not None else None,
            "expires": key.expires.isoformat() if key and key.expires else None,
            "csrf_token": caller.csrf,
        },
        headers=_NO_STORE,
    )


@router.get("/login", include_in_schema=False)
async def ask_to_sign_in(
    request: Request,
    caller: CurrentCaller,
    site: CurrentSite,
    kb: OpenKnowledgeBase,
    ended: Literal["", "session", "briefs"] = "",
) -> HTMLResponse:
    """Show where to put the key; to who is signed in, how to sign out.

    ``ended`` is what was left just now: the session, or the briefs that the browser knew.
    """
    briefs = ended == "session" and BriefRoom(request, kb, caller, site).knows_any
    return _page(site, ended=ended, briefs=briefs)


@router.post("/login", include_in_schema=False)
async def sign_in(request: Request, site: CurrentSite, kb: OpenKnowledgeBase) -> Response:
    """Exchange a key for a session, whose token goes into a cookie.

    A session that the browser had is ended: none that somebody else set in it goes on. No form
    of another site is taken, which could sign somebody in as another.
    """
    if is_cross_site(request.scope):
        raise CrossSiteError
    given = (await request.form(max_files=0)).get(_KEY_FIELD)
    text = given.strip() if isinstance(given, str) else ""
    token = await run_in_threadpool(_open, kb, text, session_token(request.scope))
    if token is None:
        request.state.failed_key = True
        # That a key is mistyped shows in the key itself and tells nothing of others; why one is not
        # accepted is not told.
        return _page(site, "refused" if is_well_formed(text) else "mistyped", 401)
    response = site.redirect("/")
    # Until the browser is closed; the service ends the session after hours.
    response.set_cookie(
        cookie_name(request.scope),
        token,
        path="/",
        secure=is_secure(request.scope),
        httponly=True,
        samesite="lax",
    )
    return response


@router.post("/logout", include_in_schema=False)
async def sign_out(
    request: Request,
    caller: FormCaller,
    site: CurrentSite,
    kb: OpenKnowledgeBase,
    briefs: Annotated[Literal["", "forget"], Form()] = "",
) -> Response:
    """End the session and take its cookie away; there may be none any more.

    Where it is asked for, the browser also forgets the briefs that it knows: others may use it.
    Browsers send no cookie with the form of another site, but do take what the answer says of it.
    """
    if is_cross_site(request.scope):
        raise CrossSiteError
    token = session_token(request.scope)
    if caller.door is Door.SESSION and token is not None:
        await run_in_threadpool(kb.keys.close_session, token)
    response = site.redirect("/login", ended="briefs" if briefs else "session")
    response.delete_cookie(
        cookie_name(request.scope),
        path="/",
        secure=is_secure(request.scope),
        httponly=True,
        samesite="lax",
    )
    if briefs:
        BriefRoom(request, kb, caller, site).forgetting_all(response)
    return response


def _open(kb: KnowledgeBase, text: str, former: str | None) -> str | None:
    """Open a session with a key and end the former one; null where the key is not accepted."""
    now = kb.clock()
    key = kb.keys.by_key(text, now)
    if key is None:
        return None
    if former is not None:
        kb.keys.close_session(former)
    return kb.keys.open_session(key.id, now)


def _page(
    site: Site,
    fault: str | None = None,
    status: int = 200,
    *,
    ended: str = "",
    briefs: bool = False,
) -> HTMLResponse:
    """The page of signing in; ``briefs`` says that this browser knows some."""
    said = {"fault": fault, "ended": ended, "briefs": briefs}
    return site.page("login.html", status=status, headers=_NO_STORE, **said)

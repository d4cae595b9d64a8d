"""Signing in with a key in a browser, signing out, and who is signed in."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import ConfigDict, Field
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from api.access import EVERYONE, Caller, CurrentCaller, OpenKnowledgeBase
from api.authentication import (
    cookie_name,
    is_cross_site,
    is_secure,
    same_token,
    session_token,
)
from api.openapi import problems
from api.pages import both, page
from api.problems import CrossSiteError, CsrfTokenError
from kb.bootstrap import KnowledgeBase
from kb.client.models import Shape
from kb.keys import Door, is_well_formed

# Addresses are relative: the service may stand under a path of a larger site.
router = APIRouter(tags=["session"])

CSRF_FIELD = "csrf_token"
_KEY_FIELD = "key"


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
        headers={"Cache-Control": "no-store"},
    )


@router.get("/login", include_in_schema=False)
async def ask_to_sign_in(caller: CurrentCaller) -> HTMLResponse:
    """Show where to put the key; to who is signed in, how to sign out."""
    return _page(_signed_in(caller) + _form())


@router.post("/login", include_in_schema=False, dependencies=[EVERYONE])
async def sign_in(request: Request, kb: OpenKnowledgeBase) -> Response:
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
        return _page(_form(_REFUSED if is_well_formed(text) else _MISTYPED), status=401)
    response = RedirectResponse("./", 303, headers={"Cache-Control": "no-store"})
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
async def sign_out(request: Request, caller: FormCaller, kb: OpenKnowledgeBase) -> Response:
    """End the session and take its cookie away; there may be none any more.

    Browsers send no cookie with the form of another site, but do take what the answer says of it.
    """
    if is_cross_site(request.scope):
        raise CrossSiteError
    token = session_token(request.scope)
    if caller.door is Door.SESSION and token is not None:
        await run_in_threadpool(kb.keys.close_session, token)
    response = RedirectResponse("login", 303, headers={"Cache-Control": "no-store"})
    response.delete_cookie(
        cookie_name(request.scope),
        path="/",
        secure=is_secure(request.scope),
        httponly=True,
        samesite="lax",
    )
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


# Each in French and English. That a key is mistyped shows in the key itself and tells nothing of
# others; why one is not accepted is not told.
_MISTYPED = (
    "Clé incomplète ou mal recopiée. Copiez-la en entier\u00a0: elle commence par omk_.",
    "This key is incomplete or mistyped. Copy the whole of it: it begins with omk_.",
)
_REFUSED = (
    "Clé refusée\u00a0: elle a peut-être expiré ou été révoquée. L'association peut la remplacer.",
    "This key is not accepted: it may have expired or been revoked. Ask for another.",
)
_ASKED = (
    "Collez la clé que l'association vous a remise.",
    "Paste the key that the association gave you.",
)


def _form(refused: tuple[str, str] | None = None) -> str:
    said = f'<div role="alert" class="refused">{both(*refused)}</div>' if refused else ""
    return (
        f'{said}<form method="post">{both(*_ASKED)}'
        '<label for="key">Clé d\'accès <span lang="en">/ Access key</span></label>'
        f'<input id="key" name="{_KEY_FIELD}" type="password" required maxlength="200" '
        'autocomplete="current-password" autocapitalize="none" spellcheck="false">'
        '<button>Se connecter <span lang="en">/ Sign in</span></button></form>'
    )


def _signed_in(caller: Caller) -> str:
    """Who is signed in, and the button that ends it; nothing for who is not."""
    if caller.door is not Door.SESSION or caller.key is None:
        return ""
    name = caller.key.name
    said = both(f"Session ouverte\u00a0: {name}.", f"Signed in: {name}.")
    return (
        f'{said}<form method="post" action="logout">'
        f'<input type="hidden" name="{CSRF_FIELD}" value="{caller.csrf}">'
        '<button>Se déconnecter <span lang="en">/ Sign out</span></button></form><hr>'
    )


def _page(body: str, *, status: int = 200) -> HTMLResponse:
    heading = '<h1>Connexion <span lang="en">/ Sign in</span></h1>'
    # By `no-referrer` browsers send the origin of a form as `null`, which could be anybody's.
    return page("Connexion", f"{heading}{body}", status=status, referrer="same-origin")

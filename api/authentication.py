"""Who is asking: found out from the key or the session of a request before anything else runs."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from api.access import Caller
from api.problems import (
    CrossSiteError,
    CsrfTokenError,
    KeyNotAcceptedError,
    database_problem,
    error_problem,
)
from kb.errors import KnowledgeBaseError
from kb.keys import Door, access_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from kb.bootstrap import KnowledgeBase
    from kb.record.keys import Key

LIVENESS: Final = "/healthz"
CSRF_HEADER: Final = "x-csrf-token"
CSRF_FIELD: Final = "csrf_token"  # of a form
_COOKIE: Final = "kb_session"
_SAFE: Final = {"GET", "HEAD", "OPTIONS"}
_FORMS: Final = {"application/x-www-form-urlencoded", "multipart/form-data"}
# Whoever has an IPv6 address has at least the 2⁶⁴ beside it.
_IPV6_PREFIX: Final = 64


class Authentication:
    """Puts the ``Caller`` at ``scope["state"]["caller"]``, or refuses the request.

    A key that is given is accepted or answered with 401, and never taken as none; ``failed_key``
    in the state then tells whoever counts that. A session's cookie that has ended is none.

    A change (any method but GET, HEAD and OPTIONS) with a session's cookie must carry the session's
    token. The header is checked here. A form without the header goes on as if there were no
    session, which is put aside as ``form_caller``: only a route that checks the form's field
    (``api.login.FormCaller``) gets it, and one that doesn't can do no more than for anybody.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = _anonymous(scope)
        try:
            key, token = await _authenticate(scope)
        except (KnowledgeBaseError, SQLAlchemyError) as error:
            await _refuse(error, scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            if key is not None:
                await _note(scope, key, token)


def csrf_token(session: str) -> str:
    """What a change must carry: only who knows the session's token can make it from that."""
    return hmac.digest(session.encode(), b"csrf", hashlib.sha256).hex()


def same_token(given: str, expected: str | None) -> bool:
    """Compare in a time that tells nothing."""
    return expected is not None and hmac.compare_digest(given.encode(), expected.encode())


def is_secure(scope: Scope) -> bool:
    """Whether readers reach the service by https, also where a proxy ends that."""
    public: str = _knowledge_base(scope).settings.public_url
    return scope["scheme"] == "https" or public.lower().startswith("https:")


def cookie_name(scope: Scope) -> str:
    """What the session's cookie is called: one of ``__Host-`` no neighbouring site can set."""
    return f"__Host-{_COOKIE}" if is_secure(scope) else _COOKIE


def session_token(scope: Scope) -> str | None:
    """The session's token that a request's cookie holds, whether or not it is still good."""
    return HTTPConnection(scope).cookies.get(cookie_name(scope)) or None


def is_cross_site(scope: Scope) -> bool:
    """Whether a page of another origin has a browser ask for this.

    As in Go's ``http.CrossOriginProtection``: what the browser says of the site, else whether the
    origin's host is the one that was asked; who sends neither is no browser of this decade.
    """
    headers = Headers(scope=scope)
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    if origin is None:
        return False
    own = {headers.get("host", ""), _host(_knowledge_base(scope).settings.public_url)}
    return _host(origin) not in {host.lower() for host in own if host}


async def _authenticate(scope: Scope) -> tuple[Key | None, str]:
    """Put the caller in place; returns the key that was used, with its session's token if any."""
    kb, headers, state = _knowledge_base(scope), Headers(scope=scope), scope["state"]
    if given := _keys_given(headers):
        key = None
        if len(given) == 1:
            key = await run_in_threadpool(kb.keys.by_key, given.pop(), kb.clock())
        if key is None:
            raise KeyNotAcceptedError
        state["caller"] = _caller_of(key, Door.HTTP)
        return key, ""
    token = None if scope["path"] == LIVENESS else session_token(scope)
    key = None if token is None else await run_in_threadpool(kb.keys.session, token, kb.clock())
    if key is None or token is None:
        return None, ""
    caller = _caller_of(key, Door.SESSION, csrf_token(token))
    if scope["method"] in _SAFE or _carries_token(scope, headers, caller):
        state["caller"] = caller
    else:
        state["form_caller"] = caller
    return key, token


def _keys_given(headers: Headers) -> set[str]:
    """The different keys of a request; an empty one stands for credentials that are no key."""
    given = {text.strip() for text in headers.getlist("x-api-key")}
    for value in headers.getlist("authorization"):
        scheme, _, text = value.strip().partition(" ")
        given.add(text.strip() if scheme.lower() == "bearer" else "")
    return given


def _carries_token(scope: Scope, headers: Headers, caller: Caller) -> bool:
    """Whether a change carries the session's token in its header; not, for a form without it.

    Raises:
        CrossSiteError: Another site asks.
        CsrfTokenError: The token is wrong, or missing where there is no form to hold it.
    """
    if is_cross_site(scope):
        raise CrossSiteError
    given = headers.get(CSRF_HEADER)
    if given is None and _media_type(headers) in _FORMS:
        return False
    if given is None or not same_token(given, caller.csrf):
        raise CsrfTokenError
    return True


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


async def _refuse(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    if not isinstance(error, KnowledgeBaseError):
        response = database_problem(scope, error)
    elif isinstance(error, KeyNotAcceptedError):
        scope["state"]["failed_key"] = True
        response = error_problem(scope, error, {"WWW-Authenticate": "Bearer"})
    else:
        response = error_problem(scope, error)
    await response(scope, receive, send)


async def _note(scope: Scope, key: Key, token: str) -> None:
    """Note the use of a key or session, once the answer is sent: nobody waits for that."""
    kb = _knowledge_base(scope)
    now = kb.clock()
    if token or not key.used_lately(now):
        await run_in_threadpool(kb.keys.used, key, now, token)


def _caller_of(key: Key, door: Door, csrf: str | None = None) -> Caller:
    access = access_of(key.role, key.collections)
    return Caller(key.role, access, f"key:{key.id}", door, key, csrf)


def _anonymous(scope: Scope) -> Caller:
    client = scope.get("client")
    return Caller(None, access_of(None), f"address:{_grouped(client[0] if client else 'unknown')}")


def _grouped(address: str) -> str:
    """An address as limits count it: of IPv6 its network, and IPv4 as that in either spelling."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # a socket's path, or a test's name
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found), _IPV6_PREFIX), strict=False))


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _knowledge_base(scope: Scope) -> KnowledgeBase:
    found: KnowledgeBase = scope["app"].state.knowledge_base
    return found

"""The frame of every page: who reads it, in which language, and how its addresses are made.

Addresses are relative to the page that they stand on: the service may stand under a path of a
larger site, and a proxy on the way needs not say so.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import Depends, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.access import Caller, CurrentCaller
from api.authentication import CSRF_FIELD, is_secure
from api.web.places import Place, written_on
from api.web.texts import LANGUAGES, Texts, chosen, texts_in
from api.web.texts import later as _
from kb.calls.dates import BRUSSELS
from kb.themes import campaigns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from kb.bootstrap import KnowledgeBase
    from kb.model import Citation, Hit

FOLDER: Final = Path(__file__).parent
STATIC: Final = FOLDER / "static"
_COOKIE: Final = "kb_lang"
_YEAR: Final = 365 * 24 * 3600
# What stands in the page is ours: no script, style or form of another, and none in the page itself.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# By `no-referrer` browsers would send the origin of a form as `null`, which could be anybody's.
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Vary": "Accept-Language, Cookie, Authorization, X-API-Key",
}


class Site:
    """A request for a page: makes the page, and the addresses on it."""

    def __init__(self, request: Request, caller: Caller | None = None) -> None:
        self.request = request
        self.caller = caller
        asked = request.query_params.get("lang")
        self._switched = asked if asked in LANGUAGES else None
        wishes = (asked, request.cookies.get(_COOKIE))
        self.texts: Texts = texts_in(chosen(wishes, request.headers.get("accept-language", "")))
        self._root = _way_up(request)

    @property
    def language(self) -> str:
        """``fr`` or ``en``."""
        return self.texts.language

    def gettext(self, message: str, **values: Any) -> str:
        """A text in the page's language, with values put into its ``%(name)s``."""
        return self.texts.gettext(message, **values)

    def ngettext(self, one: str, many: str, number: int, **values: Any) -> str:
        """A text of a number in the page's language."""
        return self.texts.ngettext(one, many, number, **values)

    def kind_name(self, kind: str) -> str:
        """The name of a kind of document."""
        return _kind_name(self.texts, kind)

    def url(self, path: str, **parameters: Any) -> str:
        """The address of a path of the service (``/calls``); parameters without value are left out.

        A list repeats its parameter.
        """
        way, _, fragment = path.partition("#")
        query = _query(parameters)
        where = self._root + quote(way.lstrip("/"), safe="/:@!$&'()*+,;=~")
        return where + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")

    def here(self, **changes: Any) -> str:
        """This page's own address with parameters changed, added, or taken out by null."""
        asked: dict[str, list[str]] = {}
        for name, value in self.request.query_params.multi_items():
            if name != "lang":
                asked.setdefault(name, []).append(value)
        return self.url(_path(self.request), **{**asked, **changes})

    def page_of(self, hit: Hit) -> str:
        """The address of the page that a passage begins on."""
        document, number = hit.document, hit.passage.spans[0].number
        return self.url(f"/documents/{document.id}/pages/{number}", version=document.version)

    def quoted_page(self, citation: Citation) -> str:
        """The address of the page that a quote begins on, with the quote marked.

        What stands on the pages after it is marked as ``PAGE.START-END``.
        """
        first, document = citation.spans[0].number, citation.document
        places = [Place(span.number, span.start, span.end) for span in citation.spans]
        marks = written_on(places, first)
        page = f"/documents/{document.id}/pages/{first}#mark"
        return self.url(page, version=document.version, mark=marks)

    @property
    def today(self) -> date:
        """The day in Brussels."""
        kb: KnowledgeBase = self.request.app.state.knowledge_base
        return kb.clock().astimezone(BRUSSELS).date()

    def contact_line(self) -> Markup:
        """How to reach the team, where the operator has said so."""
        kb: KnowledgeBase | None = getattr(self.request.app.state, "knowledge_base", None)
        contact = kb.settings.contact if kb else ""
        if not contact:
            return Markup()
        where = f"mailto:{contact}" if "@" in contact else contact
        line = Markup('<p>{}\u00a0<a href="{}">{}</a></p>')
        return line.format(self.gettext("To reach the team:"), where, contact)

    @property
    def back(self) -> str:
        """This page's path and query, for a form that leads back to it."""
        query = self.request.scope["query_string"].decode("latin-1")
        return _path(self.request) + (f"?{query}" if query else "")

    def page(
        self,
        template: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """Make a page from a template and its values."""
        html = self.render(template, **values)
        return HTMLResponse(html, status, headers={**self.headers(), **(headers or {})})

    def headers(self) -> dict[str, str]:
        """What every page says to browsers; a language that was switched to is remembered."""
        if not self._switched:
            return dict(HEADERS)
        remembered = Response()
        remembered.set_cookie(
            _COOKIE,
            self._switched,
            max_age=_YEAR,
            path="/",
            secure=is_secure(self.request.scope),
            httponly=True,
            samesite="lax",
        )
        return {**HEADERS, "Set-Cookie": remembered.headers["set-cookie"]}

    def render(self, template: str, **values: Any) -> str:
        """The text of a template; for parts of a page that are asked for by themselves."""
        return _environment(self.language).get_template(template).render(self._values(values))

    def redirect(self, path: str, **parameters: Any) -> RedirectResponse:
        """Lead to a path of the service after a change (303)."""
        where = self.url(path, **parameters)
        return RedirectResponse(where, 303, headers={"Cache-Control": "no-store"})

    def _values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "site": self,
            "caller": self.caller,
            "url": self.url,
            "here": self.here,
            "static": self._static,
            "csrf": self._csrf,
            "path": _path(self.request),
            **values,
        }

    def _static(self, name: str) -> str:
        """The address of a file of ours, which changes with what is in it."""
        return self.url(f"/static/{name}", v=_digest(name))

    def _csrf(self) -> Markup:
        """The hidden field that a form of a session must hold."""
        token = self.caller.csrf if self.caller else None
        if token is None:
            return Markup()
        return Markup('<input type="hidden" name="{}" value="{}">').format(CSRF_FIELD, token)


async def current_site(request: Request, caller: CurrentCaller) -> Site:
    """The frame for whoever asks."""
    return Site(request, caller)


CurrentSite = Annotated[Site, Depends(current_site)]


@lru_cache
def _environment(language: str) -> Environment:
    """The templates in one language; what differs between requests is given to each."""
    texts = texts_in(language)
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,  # a service that runs is not changed by halves
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    made.install_gettext_translations(texts.translations, newstyle=True)  # type: ignore[attr-defined]
    made.globals.update(
        language=language,
        day=texts.day,
        moment=texts.moment,
        money=texts.money,
        number=texts.number,
        percent=texts.percent,
        language_name=texts.language_name,
        country_name=texts.country_name,
        kind_name=lambda kind: _kind_name(texts, kind),
        theme_name=lambda theme: campaigns().label(theme, language),
    )
    made.filters["paragraphs"] = _paragraphs
    return made


KINDS: Final = {
    "research": _("Research"),
    "policy": _("Policy"),
    "call": _("Call for proposals"),
    "note": _("Note"),
}


def _kind_name(texts: Texts, kind: str) -> str:
    return texts.gettext(KINDS.get(str(kind), str(kind)))


def _paragraphs(text: str) -> Markup:
    """Plain text as paragraphs; a single line break stays one."""
    parts = [part for part in text.replace("\r\n", "\n").split("\n\n") if part.strip()]
    return Markup("").join(
        Markup("<p>{}</p>\n").format(Markup("<br>\n").join(map(escape, part.strip().split("\n"))))
        for part in parts
    )


@lru_cache
def _digest(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def _path(request: Request) -> str:
    """The path that was asked for, without that under which the service stands."""
    root, path = request.scope.get("root_path", ""), request.scope["path"]
    return str(path[len(root) :] if root and path.startswith(root) else path)


def _way_up(request: Request) -> str:
    """What leads from this page to the service's own root: ``./``, ``../`` and so on."""
    raw = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    root = request.scope.get("root_path", "")
    path = raw.decode("latin-1").partition("?")[0]
    depth = (path[len(root) :] if root and path.startswith(root) else path).count("/") - 1
    return "../" * depth or "./"


def _query(parameters: Mapping[str, Any]) -> str:
    kept = {
        name: [str(each) for each in (value if isinstance(value, list | tuple) else [value])]
        for name, value in parameters.items()
        if value not in (None, "", [], ())
    }
    return urlencode(kept, doseq=True)

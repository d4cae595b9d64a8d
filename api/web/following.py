"""Following calls: subscribing, e-mail with a confirmation, and the pages that mails lead to."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, BackgroundTasks, Form, Path, Request
from starlette.responses import HTMLResponse, Response

from api.access import BY_SECRET, Caller, CurrentCaller, OpenKnowledgeBase, service_address
from api.authentication import is_cross_site
from api.following import (
    OpenMailer,
    Searches,
    Secret,
    ask_reader,
    feed_addresses,
    keep,
    saved_search,
)
from api.login import CHECKED_FORM
from api.problems import CrossSiteError
from api.web.calls_filters import Narrowed, read, stated_by, told
from api.web.calls_words import CallWords
from api.web.site import CurrentSite, Site
from kb.bootstrap import KnowledgeBase
from kb.calls.mail import mail_address, one_line
from kb.calls.query import CallQuery
from kb.calls.searches import MAX_NAME, revoke
from kb.calls.telling import MOST_EVENTS
from kb.errors import NotFoundError, UsageError
from kb.model import PUBLIC_ACCESS

router = APIRouter(include_in_schema=False)

_MAX_EMAIL: Final = 254
# Longer than what is accepted, so that it can be said beside the field.
_Field = Annotated[str, Form(max_length=1000)]
Token = Annotated[str, Path(max_length=200)]
# The address is a secret of whoever has it.
_SECRET: Final = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}
_MAIL: Final = {**_SECRET, "Referrer-Policy": "no-referrer"}


@router.get("/calls/follow")
def ask_to_follow(site: CurrentSite, caller: CurrentCaller, kb: OpenKnowledgeBase) -> HTMLResponse:
    """Show how the calls of the filters in the address can be followed."""
    return _page(site, kb, caller, mails=bool(kb.settings.smtp_url.get_secret_value()))


@router.post("/calls/follow", dependencies=[CHECKED_FORM])
def follow(
    request: Request,
    site: CurrentSite,
    caller: CurrentCaller,
    kb: OpenKnowledgeBase,
    post: OpenMailer,
    tasks: BackgroundTasks,
    name: _Field = "",
    email: _Field = "",
) -> Response:
    """Keep the search of the address and lead to its page.

    Where an e-mail address is given, one mail asks whoever reads it to confirm; the page is the
    same for every address, so that it does not tell whether one is known.
    """
    if is_cross_site(request.scope):
        raise CrossSiteError
    mails = post is not None
    asked, name, email = read(request.query_params, site), one_line(name), email.strip()
    errors = dict(asked.errors) | _errors(site, name, email, needed=mails and caller.key is None)
    if not errors:
        try:
            search, secret = keep(
                kb,
                caller,
                name,
                replace(asked.query, sort=None),
                language=site.language,
                email=email if mails else "",
            )
        except UsageError:  # too many are kept, or it is longer than can be kept
            errors["form"] = site.gettext(
                "This search can't be kept. Take some filters out, or tell the team."
            )
    if errors:
        return _page(site, kb, caller, mails=mails, name=name, email=email, errors=errors)
    if email and post is not None:
        # After the answer, whose time would tell whether there was anything to send.
        tasks.add_task(ask_reader, kb, post, search.id)
    response = site.redirect(f"/searches/{secret}", asked="mail" if email and mails else None)
    response.background = tasks
    return response


def _errors(site: Site, name: str, email: str, *, needed: bool) -> dict[str, str]:
    errors = {}
    if not name or len(name) > MAX_NAME:
        errors["name"] = site.gettext(
            "Give it a name of at most %(most)s characters.", most=MAX_NAME
        )
    if email or needed:
        try:
            mail_address(email)
        except UsageError:
            errors["email"] = site.gettext(
                "This is no e-mail address. Write it as name@example.org."
            )
    return errors


def _page(
    site: Site,
    kb: KnowledgeBase,
    caller: Caller,
    *,
    mails: bool,
    name: str | None = None,
    email: str = "",
    errors: Mapping[str, str] | None = None,
) -> HTMLResponse:
    words = CallWords(site)
    asked = read(site.request.query_params, site)
    narrowed = told(asked, site, words)
    said = ", ".join(filter(None, (asked.query.query, *(each.says for each in narrowed))))
    faults = {**asked.errors, **(errors or {})}
    return site.page(
        "calls_follow.html",
        status=422 if faults else 200,
        asked=asked,
        told=narrowed,
        errors=faults,
        mails=mails,
        knows=caller.key is not None,
        name=(said or site.gettext("All calls"))[:MAX_NAME] if name is None else name,
        email=email,
        most_name=MAX_NAME,
        most_email=_MAX_EMAIL,
        feeds=_public_feeds(site, kb, asked),
        dates=_dates(kb, asked.query),
    )


def _public_feeds(site: Site, kb: KnowledgeBase, asked: Narrowed) -> dict[str, str]:
    """Where calendar and feed programs read the calls of a query that everybody may see."""
    values = {name: value for name, value in asked.values.items() if name != "sort"}
    query = urlencode({**values, "language": site.language}, doseq=True)
    base = service_address(kb, site.request)
    return {form: f"{base}/v1/calls.{form}?{query}" for form in ("ics", "atom")}


def _dates(kb: KnowledgeBase, asked: CallQuery) -> int:
    """How many deadlines the calendar holds today that everybody may read."""
    if kb.record.current_id() is None:
        return 0
    followed = replace(asked, sort=None).followed()
    hits = kb.finder.matches(followed, PUBLIC_ACCESS, kb.clock(), MOST_EVENTS)
    return sum(len(hit.call.deadlines) for hit in hits)


@router.get("/calls/follow/deleted")
async def tell_deleted(site: CurrentSite) -> HTMLResponse:
    """Say that a search is deleted."""
    return _said(site, "deleted")


@router.get("/searches/{secret}", dependencies=[BY_SECRET])
def show_search(
    secret: Secret,
    request: Request,
    site: CurrentSite,
    kb: OpenKnowledgeBase,
    searches: Searches,
) -> HTMLResponse:
    """Show a kept search to whoever knows its secret: where to subscribe, and how to delete it.

    It does not say whether an address was given: somebody who gives another's may not learn it.
    """
    search = saved_search(secret, kb, searches)
    words = CallWords(site)
    asked = stated_by(CallQuery.from_values(dict(search.query)))
    return site.page(
        "calls_followed.html",
        headers=_SECRET,
        search=search,
        secret=secret,
        words=words,
        asked=asked,
        told=told(asked, site, words),
        mailed=request.query_params.get("asked") == "mail",
        feeds=feed_addresses(service_address(kb, request), secret),
    )


@router.post("/searches/{secret}/delete", dependencies=[BY_SECRET])
def delete_search(
    secret: Secret, site: CurrentSite, kb: OpenKnowledgeBase, searches: Searches
) -> Response:
    """Delete a kept search: its addresses stop working and no mail is sent."""
    if not revoke(searches, secret, kb.clock()):
        raise NotFoundError("There is no saved search with this secret, or it was deleted.")
    return site.redirect("/calls/follow/deleted")


# What follows has stood in mails since these were first sent.


@router.get("/v1/searches/confirm/{token}", dependencies=[BY_SECRET])
def ask_to_confirm(
    token: Token, site: CurrentSite, kb: OpenKnowledgeBase, searches: Searches
) -> HTMLResponse:
    """Show a button. Programs that check mails follow links: looking changes nothing."""
    search = searches.asked_for(token, kb.clock())
    if search is None:
        return _said(site, "expired", status=404)
    return _said(site, "confirm", name=search.name)


@router.post("/v1/searches/confirm/{token}", dependencies=[BY_SECRET])
def confirm(
    token: Token, site: CurrentSite, kb: OpenKnowledgeBase, searches: Searches
) -> HTMLResponse:
    """Confirm the address that was asked with this token."""
    if not searches.confirm(token, kb.clock()):
        return _said(site, "expired", status=404)
    return _said(site, "confirmed")


@router.get("/v1/unsubscribe/{token}", dependencies=[BY_SECRET])
async def ask_to_unsubscribe(token: Token, site: CurrentSite) -> HTMLResponse:
    """Show a button, whatever the token: looking changes nothing and tells nothing."""
    del token
    return _said(site, "unsubscribe")


@router.post("/v1/unsubscribe/{token}", dependencies=[BY_SECRET])
def unsubscribe(token: Token, site: CurrentSite, searches: Searches) -> HTMLResponse:
    """Erase the address whose mails hold this token (RFC 8058); it may be done before."""
    searches.erase_address_of(token)
    return _said(site, "unsubscribed")


def _said(site: Site, what: str, *, status: int = 200, name: str = "") -> HTMLResponse:
    """A page that says one thing, with a button where there is something to do."""
    return site.page("calls_mail.html", status=status, headers=_MAIL, what=what, name=name)

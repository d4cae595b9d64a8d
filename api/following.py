"""Saved searches with their secret addresses, and the pages that the links in mails lead to."""

import logging
from html import escape
from typing import Annotated, Any, Literal

from fastapi import APIRouter, BackgroundTasks, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.responses import HTMLResponse, JSONResponse, Response

from api.access import BY_SECRET, CurrentCaller, OpenKnowledgeBase, service_address
from api.openapi import problems
from api.pages import page
from kb.bootstrap import KnowledgeBase
from kb.calls.mail import (
    MailDoubtfulError,
    MailRefusedError,
    SmtpMailer,
    make_mailer,
    public_address,
)
from kb.calls.query import CallQuery
from kb.calls.searches import (
    MAX_NAME,
    MAX_OPEN_SEARCHES,
    MAX_SEARCHES,
    NewSearch,
    ask_address,
    create,
    resolve,
    revoke,
)
from kb.client.models import CreatedSearch
from kb.errors import NotFoundError, StoreError, UsageError
from kb.model import Access, Visibility
from kb.record.calls import CallRecords
from kb.record.searches import SavedSearch, SearchesRecord

router = APIRouter(prefix="/v1", tags=["following"])

_log = logging.getLogger(__name__)

Secret = Annotated[str, Path(max_length=200, description="Of the search: `oms_…`.")]
Token = Annotated[str, Path(max_length=200)]


class SearchRequest(BaseModel):
    """A search to follow."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "Climat, pour associations",
                    "query": {"query": "climat", "status": ["open", "forthcoming"]},
                    "language": "fr",
                }
            ]
        },
    )

    name: str = Field(min_length=1, max_length=MAX_NAME, description="What you call it.")
    query: dict[str, JsonValue] = Field(
        description="What it looks for, under the names of the parameters of `/v1/calls`."
    )
    email: Annotated[str, Field(max_length=254)] | None = Field(
        None, description="Where to send digests, once whoever reads mails there has confirmed."
    )
    language: Literal["fr", "en"] = Field("fr", description="Of feeds and digests.")


def saved_searches(kb: OpenKnowledgeBase) -> SearchesRecord:
    """The saved searches of the knowledge base."""
    return SearchesRecord(kb.engine)


def mailer(kb: OpenKnowledgeBase) -> SmtpMailer | None:
    """What sends mails; null where no mail server is set.

    Raises:
        StoreError: It is set wrongly, which is for whoever runs the service to read.
    """
    try:
        return make_mailer(kb.settings)
    except UsageError as error:
        raise StoreError(str(error)) from None


Searches = Annotated[SearchesRecord, Depends(saved_searches)]
OpenMailer = Annotated[SmtpMailer | None, Depends(mailer)]


@router.post(
    "/searches",
    status_code=201,
    response_model=CreatedSearch,
    responses=problems(413, 422, 503),
    summary="Save a search",
)
def save_search(
    asked: SearchRequest,
    caller: CurrentCaller,
    kb: OpenKnowledgeBase,
    searches: Searches,
    post: OpenMailer,
    request: Request,
    tasks: BackgroundTasks,
) -> JSONResponse:
    """Save a search and give it secret addresses, to subscribe to in a calendar or feed reader.

    Where an `email` is given, one mail asks whoever reads it to confirm. The answer is the same
    for every address: it does not tell whether one is known.
    """
    if asked.email and post is None:
        raise UsageError("email: this service sends no mails at present; leave it out.")
    now = kb.clock()
    search, secret = create(
        searches,
        NewSearch(
            name=asked.name,
            query=CallQuery.from_values(asked.query),
            language=asked.language,
            visibility=_narrowest(caller.access),
            address=asked.email or "",
            collections=caller.access.collections,
            key_name=None if caller.key is None else caller.key.name,
        ),
        now,
        CallRecords(kb.engine).newest_news(),
        MAX_OPEN_SEARCHES if caller.key is None else MAX_SEARCHES,
    )
    if asked.email and post is not None:
        # After the answer, whose time would tell whether there was anything to send.
        tasks.add_task(_ask, kb, searches, post, search.id)
    return JSONResponse(
        _created(search, secret, service_address(kb, request), email=bool(asked.email)),
        status_code=201,
        headers={"Cache-Control": "no-store"},
        background=tasks,
    )


@router.delete(
    "/searches/{secret}",
    dependencies=[BY_SECRET],
    status_code=204,
    responses=problems(404, 422),
    summary="Delete a saved search",
)
def delete_search(secret: Secret, kb: OpenKnowledgeBase, searches: Searches) -> Response:
    """Delete the search with this secret: its addresses stop working and no digest is sent."""
    if not revoke(searches, secret, kb.clock()):
        raise NotFoundError("There is no saved search with this secret, or it was deleted.")
    return Response(status_code=204)


@router.get("/searches/confirm/{token}", include_in_schema=False, dependencies=[BY_SECRET])
def ask_to_confirm(token: Token, kb: OpenKnowledgeBase, searches: Searches) -> HTMLResponse:
    """Show a button. Programs that check mails follow links: looking changes nothing."""
    search = searches.asked_for(token, kb.clock())
    if search is None:
        return _page(_EXPIRED, status=404)
    return _page(_CONFIRM, button=True, name=search.name)


@router.post("/searches/confirm/{token}", include_in_schema=False, dependencies=[BY_SECRET])
def confirm(token: Token, kb: OpenKnowledgeBase, searches: Searches) -> HTMLResponse:
    """Confirm the address that was asked with this token."""
    if not searches.confirm(token, kb.clock()):
        return _page(_EXPIRED, status=404)
    return _page(_CONFIRMED)


@router.get("/unsubscribe/{token}", include_in_schema=False, dependencies=[BY_SECRET])
async def ask_to_unsubscribe(token: Token) -> HTMLResponse:
    """Show a button, whatever the token: looking changes nothing and tells nothing."""
    del token
    return _page(_UNSUBSCRIBE, button=True)


@router.post("/unsubscribe/{token}", include_in_schema=False, dependencies=[BY_SECRET])
def unsubscribe(token: Token, searches: Searches) -> HTMLResponse:
    """Erase the address whose mails hold this token (RFC 8058); it may be done before."""
    searches.erase_address_of(token)
    return _page(_UNSUBSCRIBED)


def saved_search(secret: Secret, kb: OpenKnowledgeBase, searches: Searches) -> SavedSearch:
    """The search whose addresses hold a secret, for routes that serve its feeds.

    Raises:
        NotFoundError: There is none, or it was deleted.
    """
    search = resolve(searches, secret, kb.clock())
    if search is None:
        raise NotFoundError("There is no feed at this address; its search may have been deleted.")
    return search


def _narrowest(access: Access) -> Visibility:
    return max(access.visibilities, key=list(Visibility).index, default=Visibility.PUBLIC)


def _ask(kb: KnowledgeBase, searches: SearchesRecord, post: SmtpMailer, search_id: int) -> None:
    try:
        public_url = public_address(kb.settings.public_url)
        ask_address(searches, post, search_id, public_url, kb.clock())
    except (MailRefusedError, MailDoubtfulError) as error:
        _log.warning("The question to the address of search %d: %s", search_id, error)


def _created(search: SavedSearch, secret: str, address: str, *, email: bool) -> dict[str, Any]:
    base = f"{address}/v1/feeds/{secret}"
    return {
        "name": search.name,
        "query": dict(search.query),
        "language": search.language,
        "created": search.created.isoformat(timespec="seconds"),
        "secret": secret,
        "feeds": {"ics": f"{base}/calls.ics", "atom": f"{base}/calls.atom"},
        "email": "to_be_confirmed" if email else None,
    }


# Each: the words above in French and English, and those of the button.
_CONFIRM = (
    ("Recevoir les alertes de cette recherche", "Confirmer l'adresse"),
    ("Receive the alerts of this search", "Confirm the address"),
)
_CONFIRMED = (
    ("L'adresse est confirmée : elle recevra les alertes.", ""),
    ("The address is confirmed: it will receive the alerts.", ""),
)
_EXPIRED = (
    ("Ce lien n'est plus valable. Enregistrez la recherche à nouveau.", ""),
    ("This link is not valid any more. Save the search again.", ""),
)
_UNSUBSCRIBE = (
    ("Ne plus recevoir d'alertes et effacer l'adresse", "Effacer l'adresse"),
    ("Receive no more alerts and erase the address", "Erase the address"),
)
_UNSUBSCRIBED = (
    ("L'adresse est effacée : plus rien ne lui sera envoyé.", ""),
    ("The address is erased: nothing more will be sent to it.", ""),
)


def _page(
    words: tuple[tuple[str, str], tuple[str, str]],
    *,
    button: bool = False,
    name: str = "",
    status: int = 200,
) -> HTMLResponse:
    """A page in both languages, French first, with a button each that posts to its own address."""
    parts = []
    for language, (said, action) in zip(("fr", "en"), words, strict=True):
        form = f'<form method="post"><button>{escape(action)}</button></form>' if button else ""
        of = f"<p><strong>{escape(name)}</strong></p>" if name else ""
        parts.append(f'<section lang="{language}"><h1>{escape(said)}</h1>{of}{form}</section>')
    return page("Alertes", "".join(parts), status=status)

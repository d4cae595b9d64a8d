"""Saved searches with their secret addresses; ``api.web.following`` has their pages."""

import logging
from typing import Annotated, Any, Literal

from fastapi import APIRouter, BackgroundTasks, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.responses import JSONResponse, Response

from api.access import BY_SECRET, Caller, CurrentCaller, OpenKnowledgeBase, service_address
from api.openapi import problems
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
    search, secret = keep(
        kb,
        caller,
        asked.name,
        CallQuery.from_values(asked.query),
        language=asked.language,
        email=asked.email or "",
    )
    if asked.email and post is not None:
        # After the answer, whose time would tell whether there was anything to send.
        tasks.add_task(ask_reader, kb, post, search.id)
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


def saved_search(secret: Secret, kb: OpenKnowledgeBase, searches: Searches) -> SavedSearch:
    """The search whose addresses hold a secret, for routes that serve its feeds.

    Raises:
        NotFoundError: There is none, or it was deleted.
    """
    search = resolve(searches, secret, kb.clock())
    if search is None:
        raise NotFoundError("There is no feed at this address; its search may have been deleted.")
    return search


def keep(
    kb: KnowledgeBase, caller: Caller, name: str, query: CallQuery, *, language: str, email: str
) -> tuple[SavedSearch, str]:
    """Keep a search of a caller from now on; returns it with its secret.

    Raises:
        UsageError: Something of it can't be used, or too many searches are kept.
    """
    return create(
        SearchesRecord(kb.engine),
        NewSearch(
            name=name,
            query=query,
            language=language,
            visibility=_narrowest(caller.access),
            address=email,
            collections=caller.access.collections,
            key_name=None if caller.key is None else caller.key.name,
        ),
        kb.clock(),
        CallRecords(kb.engine).newest_news(),
        MAX_OPEN_SEARCHES if caller.key is None else MAX_SEARCHES,
    )


def ask_reader(kb: KnowledgeBase, post: SmtpMailer, search_id: int) -> None:
    """Ask whoever reads the mails of a search's address whether they want digests."""
    try:
        public_url = public_address(kb.settings.public_url)
        ask_address(SearchesRecord(kb.engine), post, search_id, public_url, kb.clock())
    except (MailRefusedError, MailDoubtfulError) as error:
        _log.warning("The question to the address of search %d: %s", search_id, error)


def feed_addresses(address: str, secret: str) -> dict[str, str]:
    """Where a saved search is subscribed to, by form, under the address of the service."""
    return {form: f"{address}/v1/feeds/{secret}/calls.{form}" for form in ("ics", "atom")}


def _narrowest(access: Access) -> Visibility:
    return max(access.visibilities, key=list(Visibility).index, default=Visibility.PUBLIC)


def _created(search: SavedSearch, secret: str, address: str, *, email: bool) -> dict[str, Any]:
    return {
        "name": search.name,
        "query": dict(search.query),
        "language": search.language,
        "created": search.created.isoformat(timespec="seconds"),
        "secret": secret,
        "feeds": feed_addresses(address, secret),
        "email": "to_be_confirmed" if email else None,
    }

"""Every request that a partner can make, as a value: where it goes, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Literal,
    NamedTuple,
    Required,
    TypedDict,
    TypeVar,
    Unpack,
)
from urllib.parse import quote

from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from kb.client import models
from kb.client.errors import ServiceError, unexpected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    import httpx

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=BaseModel)

EVENTS = "text/event-stream"
# As many as the service gives at once.
_MANY = 100

Language = Literal["fr", "en"]
FileForm = Literal["csv", "xlsx", "jsonl", "ics", "atom"]
ExportFormat = Literal["docx", "markdown", "pdf", "bibtex", "ris", "csl-json"]
Verdict = Literal["helpful", "not_helpful", "wrong_citation", "missing_document"]


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """A request, and how its answer is read; ``repeatable`` where asking twice does no harm."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    accept: str = "application/json"
    repeatable: bool = True

    def sent(self) -> dict[str, Any]:
        """The arguments of ``httpx.Client.stream``."""
        return {
            "method": self.method,
            "url": self.path,
            "params": _plain(self.params),
            "json": self.body and _plain(self.body),
            "headers": {"Accept": self.accept},
        }


class Part(NamedTuple, Generic[T]):
    """A page of a list, and the cursor of the next one; null on the last."""

    items: Sequence[T]
    next: str | None


def following(request: Request[Part[T]], part: Part[T]) -> Request[Part[T]]:
    """The request for the page after one."""
    return replace(request, params={**request.params, "cursor": part.next})


class Narrowing(TypedDict, total=False):
    """What a search or an answer is narrowed to."""

    kind: str
    language: Language
    theme: str
    issuer: str
    since: date | str
    until: date | str


class Query(Narrowing, total=False):
    """One search of several."""

    query: Required[str]
    top_k: int


class CallFilters(TypedDict, total=False):
    """What calls are narrowed to; several values of one name are alternatives."""

    query: str
    status: Sequence[str]
    programme: Sequence[str]
    action_type: Sequence[str]
    applicant: Sequence[str]
    country: Sequence[str]
    theme: Sequence[str]
    deadline_after: date | str
    deadline_before: date | str
    budget_min: int
    budget_max: int
    sort: Literal["relevance", "deadline", "budget", "newest"]


class Association(TypedDict, total=False):
    """What an association says of itself beside its description."""

    name: str
    aims: Sequence[str]
    legal_form: str
    country: str
    budget_eur: int
    grant_min_eur: int
    grant_max_eur: int
    partners: Sequence[str]
    partners_count: int
    languages: Sequence[str]
    status: Sequence[str]


class Exported(TypedDict, total=False):
    """What is exported: an answer, citations that one gave, or the brief with a secret.

    One of these is named. ``narrowing`` is what the answer to ``question`` is looked for in.
    """

    question: str
    citations: Sequence[models.Citation]
    brief: str
    title: str
    language: Language
    narrowing: Narrowing


def search(
    query: str, *, top_k: int = 10, **narrowing: Unpack[Narrowing]
) -> Request[models.SearchResult]:
    """Find passages, each with its document, its page and the place of its words on it."""
    params = {"query": query, "top_k": top_k, **narrowing}
    return Request("GET", "/v1/search", _as(models.SearchResult), params)


def search_many(queries: Sequence[str | Query]) -> Request[models.BatchResult]:
    """Search for up to 100 queries at once; in place of what can't be understood is its problem."""
    asked = [{"query": each} if isinstance(each, str) else each for each in queries]
    return Request("POST", "/v1/search/batch", _as(models.BatchResult), body={"queries": asked})


def answer(question: str, **narrowing: Unpack[Narrowing]) -> Request[models.Answer]:
    """Answer with exact quotes, or say that the evidence does not suffice."""
    body = {"question": question, **narrowing}
    return Request("POST", "/v1/answers", _as(models.Answer), body=body)


def stream_answer(question: str, **narrowing: Unpack[Narrowing]) -> Request[None]:
    """Answer as ``answer`` does, with what is found as soon as it is."""
    body = {"question": question, **narrowing}
    return Request("POST", "/v1/answers", _nothing, body=body, accept=EVENTS)


def documents() -> Request[Part[models.Document]]:
    """Every document in its current version, by id."""

    def read(response: httpx.Response) -> Part[models.Document]:
        page = _as(models.DocumentList)(response)
        return Part(page.documents, page.next)

    return Request("GET", "/v1/documents", read, {"limit": _MANY})


def document(document_id: str, *, version: int | None = None) -> Request[models.DocumentDetail]:
    """A document in its current version or another, its versions and its translations."""
    return Request("GET", _document(document_id), _as(models.DocumentDetail), {"version": version})


def page(document_id: str, number: int, *, version: int | None = None) -> Request[models.Page]:
    """A page, or a section of a format without pages, with the places of its words."""
    path = f"{_document(document_id)}/pages/{number}"
    return Request("GET", path, _as(models.Page), {"version": version})


def original(document_id: str, version: int | None) -> Request[None]:
    """The file that a document was read from."""
    path = f"{_document(document_id)}/original"
    return Request("GET", path, _nothing, {"version": version}, accept="*/*")


def calls(
    *,
    as_of: date | str | None = None,
    language: Language = "fr",
    **filters: Unpack[CallFilters],
) -> Request[Part[models.CallHit]]:
    """Every call that the filters let through, with its status today or on another day."""

    def read(response: httpx.Response) -> Part[models.CallHit]:
        found = _as(models.CallList)(response)
        return Part(found.hits, found.next)

    params = {"as_of": as_of, "language": language, "limit": _MANY, **filters}
    return Request("GET", "/v1/calls", read, params)


def call(
    identifier: str, *, as_of: date | str | None = None, language: Language = "fr"
) -> Request[models.CallDetail]:
    """Everything known of a call, with its history."""
    path = f"/v1/calls/{quote(identifier, safe='')}"
    return Request("GET", path, _as(models.CallDetail), {"as_of": as_of, "language": language})


def match_calls(
    description: str,
    *,
    limit: int = 10,
    as_of: date | str | None = None,
    language: Language = "fr",
    **association: Unpack[Association],
) -> Request[models.MatchList]:
    """The calls that fit an association, each with what speaks for it and against it."""
    body = {
        "description": description,
        "limit": limit,
        "as_of": as_of,
        "language": language,
        **association,
    }
    return Request("POST", "/v1/calls/match", _as(models.MatchList), body=body)


def call_file(
    form: FileForm,
    *,
    as_of: date | str | None = None,
    language: Language = "fr",
    **filters: Unpack[CallFilters],
) -> Request[bytes]:
    """The calls that the filters let through as a table, a calendar or a feed."""
    params = {"as_of": as_of, "language": language, **filters}
    return Request("GET", f"/v1/calls.{form}", _content, params, accept="*/*")


def save_search(
    name: str,
    *,
    email: str | None = None,
    language: Language = "fr",
    **filters: Unpack[CallFilters],
) -> Request[models.CreatedSearch]:
    """Save a search for calls; its secret, shown this once, gives calendar, feed and deletion.

    Where an address is given, one mail asks whoever reads it to confirm.
    """
    body = {"name": name, "query": filters, "email": email, "language": language}
    created = _as(models.CreatedSearch)
    return Request("POST", "/v1/searches", created, body=body, repeatable=False)


def delete_search(secret: str) -> Request[None]:
    """Delete the saved search with this secret: its addresses stop working."""
    path = f"/v1/searches/{quote(secret, safe='')}"
    return Request("DELETE", path, _nothing, repeatable=False)


def feedback(
    kind: Verdict,
    *,
    question: str | None = None,
    comment: str | None = None,
    citation: models.Citation | None = None,
    request_id: str | None = None,
) -> Request[models.FeedbackReceived]:
    """Say that an answer helped or did not, that a citation is wrong, or a document is missing."""
    body = {
        "kind": kind,
        "question": question,
        "comment": comment,
        "citation": citation and _cited(citation),
        "request_id": request_id,
    }
    received = _as(models.FeedbackReceived)
    return Request("POST", "/v1/feedback", received, body=body, repeatable=False)


def export(form: ExportFormat, **what: Unpack[Exported]) -> Request[bytes]:
    """Quotes with their sources as a document, or the works that are quoted as a bibliography."""
    body: dict[str, Any] = {"format": form, **what}
    if citations := what.get("citations"):
        body["citations"] = [_wanted(each) for each in citations]
    return Request("POST", "/v1/exports", _content, body=body, accept="*/*")


def status() -> Request[models.Status]:
    """What the service holds, as far as this key sees it."""
    return Request("GET", "/v1/status", _as(models.Status))


def _document(document_id: str) -> str:
    return f"/v1/documents/{quote(document_id, safe='')}"


def _cited(citation: models.Citation) -> dict[str, Any]:
    span = citation.spans[0]
    return {
        "document_id": citation.document_id,
        "version": citation.version,
        "page": span.page or span.section,
        "quote": citation.quote,
    }


def _wanted(citation: models.Citation) -> dict[str, Any]:
    return citation.model_dump(include={"document_id", "version", "spans", "quote"})


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON and addresses hold them, without those that are null."""
    plain: dict[str, Any] = to_jsonable_python(values)
    return {name: value for name, value in plain.items() if value is not None}


def _as(model: type[ModelT]) -> Callable[[httpx.Response], ModelT]:
    """Read a response as a model; what a newer service says beside it is left out."""

    def read(response: httpx.Response) -> ModelT:
        try:
            return model.model_validate_json(response.content, extra="ignore")
        except ValidationError as error:
            detail = f"The answer is no {model.__name__}."
            raise ServiceError(unexpected(response, detail)) from error

    return read


def _content(response: httpx.Response) -> bytes:
    return response.content


def _nothing(response: httpx.Response) -> None:
    """There is nothing to read, or it is read as it comes."""

"""The shapes of requests and responses, as OpenAPI shows them.

Responses are made by ``kb.shapes``, the same for every door; the models here describe them and
forbid other fields, so that the tests find where the two have drifted apart.
"""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from api import examples
from api.selection import DESCRIPTION as FIELDS
from api.selection import MAX_FIELDS
from kb.model import Access, Filters, Kind, Visibility

# The engine checks both too. Importing them from there would load Haystack with the schemas; a test
# holds them equal.
MAX_QUESTION = 1000
MAX_TOP_K = 100
MAX_BATCH = 100

_MAX_NAME = 200

Question = Annotated[str, Field(min_length=1, max_length=MAX_QUESTION)]
Name = Annotated[str, Field(min_length=1, max_length=_MAX_NAME)]
Day = date  # for the field that is called `date` itself


class Narrowing(BaseModel):
    """What a search is narrowed to."""

    kind: Kind | None = Field(None, description="Only documents of this kind.")
    language: Annotated[str, Field(pattern="^[a-z]{2}$")] | None = Field(
        None, description="Only passages in this language: `fr` or `en`.", examples=["fr"]
    )
    theme: Name | None = Field(
        None, description="Only documents on this theme.", examples=["garantie-mecanisme"]
    )
    issuer: Name | None = Field(
        None, description="Only documents of this issuer.", examples=["Opération Milliard"]
    )
    since: date | None = Field(
        None, description="Only documents published on this day or later.", examples=["2026-01-01"]
    )
    until: date | None = Field(
        None, description="Only documents published on this day or before.", examples=["2028-12-31"]
    )

    @field_validator("until")
    @classmethod
    def _in_order(cls, value: date | None, info: ValidationInfo) -> date | None:
        since = info.data.get("since")
        if value is not None and since is not None and value < since:
            raise PydanticCustomError("order", "until must not lie before since")
        return value

    def filters(self, access: Access) -> Filters:
        """What the index is asked for on behalf of a caller who may see ``access``."""
        return Filters(
            access=access,
            kind=self.kind,
            language=self.language,
            theme=self.theme,
            issuer=self.issuer,
            since=self.since,
            until=self.until,
        )


class Selecting(BaseModel):
    """What of a response is wanted."""

    fields: str | None = Field(None, max_length=MAX_FIELDS, description=FIELDS)


class SearchParameters(Narrowing, Selecting):
    """A search."""

    q: Question | None = Field(
        None, description="The former name of `query`.", json_schema_extra={"deprecated": True}
    )
    query: Question | None = Field(
        None,
        description="Words or a question, in French or English. Required, unless `q` is given.",
        examples=["garantie en fonds propres"],
        validate_default=True,
    )
    top_k: int = Field(10, ge=1, le=MAX_TOP_K, description="How many passages at most.")

    @field_validator("query")
    @classmethod
    def _given(cls, value: str | None, info: ValidationInfo) -> str | None:
        found: str | None = value or info.data.get("q")
        if found is None:
            raise PydanticCustomError("missing", "Field required")
        return found


class BatchRequest(BaseModel):
    """Several searches."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "queries": [
                        {"query": "garantie en fonds propres", "top_k": 3},
                        {"query": "equity guarantee", "language": "en"},
                    ]
                }
            ]
        }
    )

    queries: list[SearchParameters] = Field(min_length=1, max_length=MAX_BATCH)


class AnswerRequest(Narrowing):
    """A question."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"question": "Qui peut demander une garantie en fonds propres ?"}]
        }
    )

    question: Question = Field(description="A question, in French or English.")


class _Response(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Span(_Response):
    """`page_text[start:end]` of one page or section; offsets count Unicode code points."""

    page: int | None = Field(description="The physical page, 1-based; null without pages.")
    page_label: str | None = Field(description="The number printed on the page, such as `xii`.")
    section: int | None = Field(description="The section, 1-based, of a format without pages.")
    start: int = Field(ge=0)
    end: int = Field(ge=0)


class _OfDocument(_Response):
    document_id: str
    version: int = Field(description="The version of the document that is quoted.", ge=1)
    title: str
    issuer: str | None
    published: date | None
    passage_id: str
    language: str = Field(description="The language of the passage.")
    page: int | None = Field(description="The physical page of the first span.")
    page_label: str | None
    spans: list[Span] = Field(description="Where the words stand, in reading order.")
    url: str = Field(description="Where the page can be read: at its source, or in this service.")


class Hit(_OfDocument):
    """A passage found."""

    rank: int = Field(description="1 is the best.", ge=1)
    score: float = Field(description="Comparable within one search only.")
    kind: Kind
    heading: str = Field(description="The headings above the passage, outermost first.")
    text: str = Field(description="The passage, word for word.")


class SearchResult(_Response):
    """Passages, best first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "query": "garantie en fonds propres",
                    "language": "fr",
                    "took_ms": 18.6,
                    "hits": [examples.HIT],
                }
            ]
        }
    )

    query: str
    language: str = Field(description="The language in which the query was understood.")
    took_ms: float = Field(description="How long the search took, in milliseconds.")
    hits: list[Hit]


class Citation(_OfDocument):
    """Exact words of a document."""

    number: int = Field(description="What sentences refer to.", ge=1)
    version_date: date | None = Field(description="The day of the version, of a consolidated act.")
    current: bool = Field(description="The version cited is the document's current one.")
    quote: str = Field(description="The words cited, as they stand on the page.")
    verified: bool = Field(description="They were compared with the stored text of the page.")


class Sentence(_Response):
    """A sentence of an answer."""

    text: str
    citations: list[int] = Field(description="The numbers of the citations that carry it.")
    also: list[int] = Field(
        description="The numbers of citations that say the same elsewhere, as a translation does."
    )


class Stated(_Response):
    """What one citation states where others state otherwise."""

    value: str = Field(description="The number or date, in the words of the quote.")
    citation: int = Field(description="The number of the citation.")
    date: Day | None = Field(description="The day of the version, else of publication.")
    current: bool = Field(description="The version cited is the document's current one.")


AnswerStatus = Literal["answered", "insufficient_evidence"]
Confidence = Annotated[
    float,
    Field(
        description="The evidence for the best sentence found; a threshold decides the status.",
        ge=0,
        le=1,
    ),
]


class Answer(_Response):
    """Quoted sentences, best first; without sufficient evidence none, but what came nearest."""

    model_config = ConfigDict(json_schema_extra={"examples": [*examples.ANSWERS]})

    question: str
    language: str = Field(description="The language in which the question was understood.")
    took_ms: float = Field(description="How long the answer took, in milliseconds.")
    status: AnswerStatus
    confidence: Confidence
    sentences: list[Sentence]
    citations: list[Citation] = Field(
        description="Those that carry sentences first, in order, then those that say the same."
    )
    differs: list[Stated] = Field(
        description="Numbers or dates in which sources differ on the same thing, newest first."
    )
    nearest: list[Hit] = Field(description="The nearest passages, when nothing is answered.")


class SentenceEvent(Sentence):
    """What a `sentence` event of a streamed answer holds."""

    introduces: list[Citation] = Field(
        description="The citations that no sentence before it refers to."
    )


class Timings(_Response):
    """What the time of an answer went into, in milliseconds."""

    retrieval_ms: float
    reading_ms: float
    total_ms: float


class EndEvent(_Response):
    """What the `end` event of a streamed answer holds; for the rest see an answer in JSON."""

    status: AnswerStatus
    confidence: Confidence
    differs: list[Stated]
    nearest: list[Hit]
    timings: Timings
    request_id: str | None = Field(description="Names the request in the service's log.")


class Document(_Response):
    """A version of a document with everything known of it but its text."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.DOCUMENT]})

    id: str
    version: int = Field(ge=1)
    current: bool = Field(description="Searches find this version of the document.")
    title: str
    kind: Kind
    visibility: Visibility
    language: str
    authors: list[str]
    issuer: str | None
    published: date | None
    version_date: date | None = Field(description="The day of this version, of a consolidated act.")
    themes: list[str]
    celex: str | None = Field(description="The CELEX number of an EU act.")
    eli: str | None = Field(description="The European Legislation Identifier.")
    doi: str | None
    identifier: str | None = Field(description="Another identifier, such as that of a call.")
    licence: str | None
    url: str | None = Field(description="Where the document was published.")
    paged: bool = Field(description="It has pages; otherwise it has sections.")
    ingested: datetime


class DocumentDetail(Document):
    """A version of a document, with its other versions and its translations."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **examples.DOCUMENT,
                    "page_count": 12,
                    "versions": [examples.DOCUMENT],
                    "translations": [],
                }
            ]
        }
    )

    page_count: int = Field(description="How many pages or sections it has.", ge=0)
    versions: list[Document] = Field(description="Every version that can be read, newest first.")
    translations: list[Document] = Field(description="The same work in other languages.")


class DocumentList(_Response):
    """A page of documents."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"documents": [examples.DOCUMENT], "next": examples.DOCUMENT["id"]}]
        }
    )

    documents: list[Document]
    next: str | None = Field(description="The `cursor` of the next page; null on the last.")


class Page(_Response):
    """A page or section with its text, as citations quote it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "document_id": examples.DOCUMENT["id"],
                    "version": 1,
                    "title": examples.DOCUMENT["title"],
                    "page": 3,
                    "section": None,
                    "page_label": "3",
                    "text": examples.QUOTE,
                    "width": 595.28,
                    "height": 841.89,
                    "ocr_confidence": None,
                    "boxes": [[0, 2, 72.0, 90.5, 83.2, 102.5]],
                    "page_count": 12,
                    "prev": 2,
                    "next": 4,
                }
            ]
        }
    )

    document_id: str
    version: int = Field(ge=1)
    title: str
    page: int | None = Field(description="The physical page, 1-based; null without pages.")
    section: int | None = Field(description="The section, 1-based, of a format without pages.")
    page_label: str | None
    text: str
    width: float | None = Field(description="In PDF points.")
    height: float | None = Field(description="In PDF points.")
    ocr_confidence: float | None = Field(
        description="From 0 to 100, where the text was read from a picture."
    )
    boxes: list[tuple[int, int, float, float, float, float]] = Field(
        description="Where words stand: start and end in `text`, then left, top, right and bottom "
        "in PDF points from the top left corner."
    )
    page_count: int = Field(ge=1)
    prev: int | None = Field(description="The page or section before this one.")
    next: int | None = Field(description="The page or section after this one.")


class GenerationState(_Response):
    """The published state that every request is answered from, as far as the caller sees it."""

    id: int
    created: datetime
    documents: int
    passages: int


class Status(_Response):
    """What the service holds."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "version": "0.1.0",
                    "generation": {
                        "id": 4,
                        "created": "2026-11-23T09:30:00+00:00",
                        "documents": 18,
                        "passages": 254,
                    },
                }
            ]
        }
    )

    version: str = Field(description="The version of this software.")
    generation: GenerationState | None = Field(description="Null as long as nothing is ingested.")


class Health(_Response):
    """The service runs."""

    status: Literal["alive"]


class Readiness(_Response):
    """The service is ready to answer: what was tried, and that it is well."""

    status: Literal["ready"]
    checks: dict[Literal["encoder", "index", "database"], Literal[True]]


class FieldError(_Response):
    """A field that can't be used."""

    field: str
    message: str


class Problem(_Response):
    """What went wrong, as in RFC 9457."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "/problems/request-not-understood",
                    "title": "Request not understood",
                    "status": 422,
                    "detail": "These fields can't be used: top_k.",
                    "instance": "/v1/search",
                    "request_id": "4f1c2a9be07d4d5f8c63a1b2c3d4e5f6",
                    "errors": [
                        {
                            "field": "top_k",
                            "message": "Input should be less than or equal to 100",
                        }
                    ],
                }
            ]
        }
    )

    type: str = Field(description="What kind of problem it is; it stays the same for programs.")
    title: str
    status: int
    detail: str = Field(description="What happened and what to do.")
    instance: str = Field(description="The path that was asked for.")
    request_id: str | None = Field(None, description="Names the request in the service's log.")
    errors: list[FieldError] | None = Field(None, description="The fields of a bad request.")


class BatchResult(_Response):
    """A search result for each query, in their order, or the problem with it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "took_ms": 31.4,
                    "results": [
                        {
                            "query": "garantie en fonds propres",
                            "language": "fr",
                            "took_ms": 9.8,
                            "hits": [examples.HIT],
                        },
                        {
                            "type": "/problems/request-not-understood",
                            "title": "Request not understood",
                            "status": 422,
                            "detail": "The question is empty: write what you are looking for.",
                            "instance": "/v1/search/batch",
                            "request_id": "4f1c2a9be07d4d5f8c63a1b2c3d4e5f6",
                        },
                    ],
                }
            ]
        }
    )

    took_ms: float = Field(description="How long they took together, in milliseconds.")
    results: list[SearchResult | Problem]

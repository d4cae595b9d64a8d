"""Passages that are found, and answers with their citations."""

from datetime import date
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from kb.client import examples
from kb.client.models.base import Shape
from kb.client.models.service import Problem
from kb.model import Kind

Day = date  # for the field that is called `date` itself


class Span(Shape):
    """`page_text[start:end]` of one page or section; offsets count Unicode code points."""

    page: int | None = Field(description="The physical page, 1-based; null without pages.")
    page_label: str | None = Field(description="The number printed on the page, such as `xii`.")
    section: int | None = Field(description="The section, 1-based, of a format without pages.")
    start: int = Field(ge=0)
    end: int = Field(ge=0)


class _OfDocument(Shape):
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


class SearchResult(Shape):
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


class Sentence(Shape):
    """A sentence of an answer."""

    text: str
    citations: list[int] = Field(description="The numbers of the citations that carry it.")
    also: list[int] = Field(
        description="The numbers of citations that say the same elsewhere, as a translation does."
    )


class Stated(Shape):
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


class Answer(Shape):
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


class Timings(Shape):
    """What the time of an answer went into, in milliseconds."""

    retrieval_ms: float
    reading_ms: float
    total_ms: float


class EndEvent(Shape):
    """What the `end` event of a streamed answer holds; for the rest see an answer in JSON."""

    status: AnswerStatus
    confidence: Confidence
    differs: list[Stated]
    nearest: list[Hit]
    timings: Timings
    request_id: str | None = Field(description="Names the request in the service's log.")


class BatchResult(Shape):
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

"""The shapes of feedback, of gaps and of the audit trail; see ``api.schemas``."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from api.schemas import COUNTED, MAX_QUESTION
from kb.client import examples
from kb.client.models import Shape
from kb.keys import Door, KeyRole
from kb.model import FeedbackKind
from kb.record.audit import Action, Outcome

MAX_COMMENT = 2000
MAX_QUOTE = 5000
# No document has as many pages or versions; a database's integers end not far above.
_MAX_NUMBER = 1_000_000

_Number = Annotated[int, Field(ge=1, le=_MAX_NUMBER), COUNTED]
_WORDS = r"\S"
_REQUEST_ID = "0f8e6a2c4b7d4f1e9c3a5b6d7e8f9a0b"
_HASHED = "Null where the service keeps questions as hashes alone (`KB_AUDIT_QUERIES=hashed`)."


class CitedIn(BaseModel):
    """A citation as an answer gave it."""

    model_config = ConfigDict(extra="forbid")

    document_id: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f]+$")]
    version: _Number
    page: _Number = Field(description="Its page, or section without pages.")
    quote: str | None = Field(None, max_length=MAX_QUOTE, description="The words that were quoted.")


class _Said(BaseModel):
    """What may be said of any kind."""

    model_config = ConfigDict(extra="forbid")

    request_id: Annotated[str, Field(pattern="^[A-Za-z0-9._-]{8,64}$")] | None = Field(
        None, description="The `X-Request-ID` of the answer that it is about."
    )
    question: Annotated[str, Field(max_length=MAX_QUESTION, pattern=_WORDS)] | None = Field(
        None, description="What was asked."
    )
    comment: Annotated[str, Field(max_length=MAX_COMMENT, pattern=_WORDS)] | None = Field(
        None, description="In your words. Leave out what tells of persons."
    )
    citation: CitedIn | None = Field(None, description="The citation that it is about.")


class Verdict(_Said):
    """An answer was helpful, or was not."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "helpful", "request_id": _REQUEST_ID}]}
    )

    kind: Literal[FeedbackKind.HELPFUL, FeedbackKind.NOT_HELPFUL]


class WrongCitation(_Said):
    """A citation does not say what it is cited for."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "wrong_citation",
                    "request_id": _REQUEST_ID,
                    "question": "Combien de temps dure une garantie en fonds propres ?",
                    "comment": "La durée citée est celle d'un autre dispositif.",
                    "citation": {
                        "document_id": examples.DOCUMENT["id"],
                        "version": 1,
                        "page": 3,
                        "quote": examples.QUOTE,
                    },
                }
            ]
        }
    )

    kind: Literal[FeedbackKind.WRONG_CITATION]
    # Here it is needed.
    citation: CitedIn = Field(description="The citation that is wrong.")


class MissingDocument(_Said):
    """A document is missing: say what was asked, or which one it is."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": [name], "properties": {name: {"type": "string"}}}
                for name in ("question", "comment")
            ],
            "examples": [
                {
                    "kind": "missing_document",
                    "question": "Que demande la Cour des comptes sur les subventions ?",
                    "comment": "Son rapport public annuel n'est pas dans la base.",
                }
            ],
        },
    )

    kind: Literal[FeedbackKind.MISSING_DOCUMENT]
    comment: Annotated[str, Field(max_length=MAX_COMMENT, pattern=_WORDS)] | None = Field(
        None, description="Which document it is, in your words.", validate_default=True
    )

    @field_validator("comment")
    @classmethod
    def _told(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("question") is None:
            raise PydanticCustomError("missing", "a question or a comment is needed")
        return value


FeedbackRequest = Annotated[Verdict | WrongCitation | MissingDocument, Field(discriminator="kind")]


class Cited(Shape):
    """The citation that is said to be wrong."""

    document_id: str
    version: int
    page: int
    quote: str | None = Field(description="Null where it was not given, or was erased since.")


class FeedbackEntry(Shape):
    """What somebody said."""

    id: int
    at: datetime
    kind: FeedbackKind
    role: KeyRole | None = Field(description="Null for who has no key.")
    key: str | None = Field(description="The name of their key.")
    request_id: str | None
    question: str | None = Field(description=_HASHED)
    question_hash: str | None = Field(description="The same for equal questions.")
    language: str | None
    comment: str | None
    citation: Cited | None


class FeedbackList(Shape):
    """A page of feedback, the newest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "feedback": [
                        {
                            "id": 7,
                            "at": "2026-11-23T09:30:00+00:00",
                            "kind": "missing_document",
                            "role": "partner",
                            "key": "Collectif des garanties",
                            "request_id": _REQUEST_ID,
                            "question": "Que demande la Cour des comptes sur les subventions ?",
                            "question_hash": "5f" * 32,
                            "language": "fr",
                            "comment": "Son rapport public annuel n'est pas dans la base.",
                            "citation": None,
                        }
                    ],
                    "next": None,
                }
            ]
        }
    )

    feedback: list[FeedbackEntry]
    next: str | None = Field(description="The `cursor` of the next page; null on the last.")


class Named(Shape):
    """A document by its name."""

    id: str
    title: str


class Gap(Shape):
    """Something that is asked for and not found: questions that mean the same stand together."""

    question: str | None = Field(
        description=f"Its most frequent wording. {_HASHED} Then equal questions are counted "
        "together, and others that mean the same are not recognised. Null too where people only "
        "said in comments what they missed."
    )
    wordings: list[str] = Field(description="How it was asked, the most frequent first.")
    count: int = Field(ge=1, description="How often it was asked, or a document for it missed.")
    callers: int = Field(ge=1, description="By how many keys; all who have none count as one.")
    first: datetime
    last: datetime
    languages: list[str]
    documents: list[Named] = Field(
        description="What came nearest when it was asked, as far as it is still there."
    )
    comments: list[str] = Field(description="What people said that they missed.")


class GapList(Shape):
    """What to look for: the gap that was met most often first, then the one met last."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "total": 1,
                    "gaps": [
                        {
                            "question": "Combien de salariés les associations emploient-elles ?",
                            "wordings": [
                                "Combien de salariés les associations emploient-elles ?",
                                "How many people do associations employ?",
                            ],
                            "count": 9,
                            "callers": 3,
                            "first": "2026-11-02T08:12:00+00:00",
                            "last": "2026-11-23T09:30:00+00:00",
                            "languages": ["en", "fr"],
                            "documents": [
                                {
                                    "id": examples.DOCUMENT["id"],
                                    "title": examples.DOCUMENT["title"],
                                }
                            ],
                            "comments": ["Les chiffres de l'Insee manquent."],
                        }
                    ],
                }
            ]
        }
    )

    total: int = Field(ge=0, description="How many gaps there are, shown or not.")
    gaps: list[Gap]


class ReturnedItem(Shape):
    """A document that was shown, and the passage of it where there was one."""

    document_id: str
    version: int
    passage_id: str | None


class AuditEvent(Shape):
    """Who asked what, and what they were given."""

    id: int
    at: datetime
    request_id: str
    door: Door
    role: KeyRole | None = Field(description="Null for who has no key; no address is ever kept.")
    key_id: int | None
    key: str | None = Field(description="The name of their key.")
    action: Action
    query: str | None = Field(description=f"The question. {_HASHED}")
    query_hash: str | None = Field(description="The same for equal questions.")
    language: str | None = Field(description="In which the question was understood.")
    filters: dict[str, Any]
    outcome: Outcome
    returned: list[ReturnedItem] = Field(description="In the order shown, the first hundred.")
    took_ms: float | None
    generation: int | None


class AuditList(Shape):
    """A page of the audit trail, the newest event first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "events": [
                        {
                            "id": 4711,
                            "at": "2026-11-23T09:30:00.125+00:00",
                            "request_id": _REQUEST_ID,
                            "door": "http",
                            "role": "partner",
                            "key_id": 3,
                            "key": "Collectif des garanties",
                            "action": "search",
                            "query": "garantie en fonds propres",
                            "query_hash": "5f" * 32,
                            "language": "fr",
                            "filters": {"language": "fr"},
                            "outcome": "found",
                            "returned": [
                                {
                                    "document_id": examples.HIT["document_id"],
                                    "version": 1,
                                    "passage_id": examples.HIT["passage_id"],
                                }
                            ],
                            "took_ms": 18.6,
                            "generation": 4,
                        }
                    ],
                    "next": "4711",
                }
            ]
        }
    )

    events: list[AuditEvent]
    next: str | None = Field(description="The `cursor` of the next page; null on the last.")

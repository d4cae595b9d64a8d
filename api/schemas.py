"""The shapes of requests, as OpenAPI shows them; those of responses are ``kb.client.models``.

Responses are made by ``kb.shapes``, the same for every door. The models describe them and forbid
other fields, so that the tests find where the two have drifted apart.
"""

import re
from datetime import date
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from api.selection import DESCRIPTION as FIELDS
from api.selection import MAX_FIELDS
from kb.client.models import (
    Answer,
    BatchResult,
    DocumentDetail,
    DocumentList,
    EndEvent,
    Health,
    Page,
    Problem,
    Readiness,
    SearchResult,
    SentenceEvent,
    Status,
)
from kb.model import Access, Filters, Kind

__all__ = [
    "COUNTED",
    "MAX_BATCH",
    "MAX_QUESTION",
    "MAX_TOP_K",
    "Answer",
    "AnswerRequest",
    "BatchQuery",
    "BatchRequest",
    "BatchResult",
    "Day",
    "DocumentDetail",
    "DocumentList",
    "EndEvent",
    "Health",
    "Name",
    "Narrowing",
    "Page",
    "Problem",
    "Question",
    "Readiness",
    "SearchParameters",
    "SearchResult",
    "Selecting",
    "SentenceEvent",
    "Status",
]

# The engine checks both too. Importing them from there would load Haystack with the schemas; a test
# holds them equal.
MAX_QUESTION = 1000
MAX_TOP_K = 100
MAX_BATCH = 100

_MAX_NAME = 200
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _written(value: Any) -> Any:
    """A day as it is written: a number would be taken for seconds since 1970."""
    if isinstance(value, date) or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise PydanticCustomError("day", "Input should be a day, written as YYYY-MM-DD")


def _counted(value: Any) -> Any:
    """A number of JSON: neither a text with digits nor a truth."""
    if isinstance(value, str | bool):
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value


# That one of blanks is none the engine says, in better words than a pattern's.
Question = Annotated[
    str, Field(min_length=1, max_length=MAX_QUESTION, json_schema_extra={"pattern": r"\S"})
]
Name = Annotated[str, Field(min_length=1, max_length=_MAX_NAME)]
Day = Annotated[date, BeforeValidator(_written)]
# Of numbers in a body: in an address each is a text. It stands after what limits the number, which
# the document would lack otherwise.
COUNTED = BeforeValidator(_counted)


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
    since: Day | None = Field(
        None, description="Only documents published on this day or later.", examples=["2026-01-01"]
    )
    until: Day | None = Field(
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


class BatchQuery(Narrowing, Selecting):
    """One of several searches."""

    # A blank one has its problem in its place, and does not spoil the others.
    query: str = Field(
        min_length=1,
        max_length=MAX_QUESTION,
        description="Words or a question, in French or English.",
        examples=["garantie en fonds propres"],
    )
    top_k: Annotated[int, Field(ge=1, le=MAX_TOP_K), COUNTED] = Field(
        10, description="How many passages at most."
    )


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

    queries: list[BatchQuery] = Field(min_length=1, max_length=MAX_BATCH)


class AnswerRequest(Narrowing):
    """A question."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"question": "Qui peut demander une garantie en fonds propres ?"}]
        }
    )

    question: Question = Field(description="A question, in French or English.")

"""The shapes of requests for calls; see ``api.schemas``."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import COUNTED, Day, Selecting
from kb.calls.dates import FIRST_DAY, LAST_DAY
from kb.calls.profile import MAX_AIMS, MAX_DESCRIPTION, Profile
from kb.calls.profile import MAX_MONEY as MAX_OWN_MONEY
from kb.calls.query import MAX_MONEY, MAX_TEXT, MAX_VALUES, CallQuery, Sort
from kb.calls.telling import MEDIA_TYPES
from kb.client.models import CallDetail, CallHit, CallList, MatchList
from kb.model import Applicant

__all__ = [
    "CallDetail",
    "CallFileParameters",
    "CallHit",
    "CallList",
    "CallNarrowing",
    "CallParameters",
    "DetailParameters",
    "MatchList",
    "MatchRequest",
    "Money",
    "Told",
    "Value",
    "Values",
    "Words",
    "file_responses",
]

Value = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
Values = Annotated[list[Value], Field(max_length=MAX_VALUES)]
Words = Literal["fr", "en"]
Money = Annotated[int, Field(ge=0, le=MAX_OWN_MONEY), COUNTED]


class CallNarrowing(BaseModel):
    """What calls are narrowed to. Several values of one parameter are alternatives.

    Values of `status`, `applicant` and `country` may also be given in one, with commas.
    """

    model_config = ConfigDict(extra="forbid")

    query: str = Field("", max_length=MAX_TEXT, description="What the money is sought for.")
    status: Values = Field(
        [],
        description="`open` (with `closing_soon`), `forthcoming`, `closed`, `rolling`, `unknown`; "
        "without it all are searched, each with its status.",
        examples=[["open", "forthcoming"]],
    )
    programme: Values = Field([], description="Its name, words of it, or its code.")
    action_type: Values = Field([], description="Its name, words of it, or its initials (`RIA`).")
    applicant: Values = Field(
        [],
        description=f"Who would apply: {', '.join(Applicant)}. Calls that do not say are included.",
        examples=[["association"]],
    )
    country: Values = Field(
        [],
        description="Where the applicant is (ISO 3166). Calls that do not say are included.",
        examples=[["FR"]],
    )
    theme: Values = Field([], description="A theme, as the facets name it.")
    deadline_after: Day | None = Field(None, description="With a deadline on this day or later.")
    deadline_before: Day | None = Field(None, description="With a deadline on it or before.")
    budget_min: int | None = Field(
        None, ge=0, le=MAX_MONEY, description="At least so many euros; the unknown are included."
    )
    budget_max: int | None = Field(
        None, ge=0, le=MAX_MONEY, description="At most so many euros; the unknown are included."
    )
    sort: Sort | None = Field(None, description="By default relevance with a query, else deadline.")

    def asked(self) -> CallQuery:
        """The query that is meant.

        Raises:
            UsageError: A value is not one that there is, or a range is empty.
        """
        named = self.model_dump(include=set(CallNarrowing.model_fields))
        return CallQuery.from_values({k: v for k, v in named.items() if v not in (None, [], "")})


class Told(BaseModel):
    """In which language, and as on which day."""

    model_config = ConfigDict(extra="forbid")

    language: Words = Field("fr", description="Of reasons and headings.")
    as_of: Day | None = Field(
        None,
        description=f"Status as on this day at noon in Brussels, from {FIRST_DAY} to {LAST_DAY}.",
    )


class DetailParameters(Told, Selecting):
    """What is shown of a call."""


class CallParameters(CallNarrowing, Told, Selecting):
    """A page of calls."""

    limit: int = Field(20, ge=1, le=100, description="How many calls at most.")
    cursor: str | None = Field(
        None, max_length=8000, description="`next` of the page before, with the same filters."
    )


class CallFileParameters(CallNarrowing, Told):
    """The calls of a file."""


class MatchRequest(BaseModel):
    """An association as it describes itself."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "description": "Nous accompagnons des victimes de discrimination en justice.",
                    "legal_form": "association",
                    "country": "FR",
                    "partners_count": 2,
                }
            ]
        },
    )

    name: str = Field("", max_length=200)
    description: str = Field(
        min_length=1, max_length=MAX_DESCRIPTION, description="What it does, for whom."
    )
    aims: list[Annotated[str, Field(max_length=1000)]] = Field(
        [], max_length=MAX_AIMS, description="What it wants funded, one short sentence each."
    )
    legal_form: Applicant = Applicant.ASSOCIATION
    country: str = Field("FR", pattern="^[A-Za-z]{2}$", description="ISO 3166 code of its seat.")
    budget_eur: Money | None = Field(None, description="Its yearly budget.")
    grant_min_eur: Money | None = Field(None, description="The smallest grant worth the work.")
    grant_max_eur: Money | None = Field(None, description="The largest grant it could carry.")
    partners: list[Annotated[str, Field(max_length=500)]] = Field([], max_length=50)
    partners_count: Annotated[int, Field(ge=0, le=1000), COUNTED] | None = None
    languages: list[Annotated[str, Field(pattern="^[a-z]{2}$")]] = Field([], max_length=30)
    status: Values = Field(
        ["open", "forthcoming", "rolling"], description="As for `/v1/calls`; empty: all."
    )
    limit: Annotated[int, Field(ge=1, le=50), COUNTED] = 10
    as_of: Day | None = Field(None, description="As for `/v1/calls`.")
    language: Words = Field("fr", description="Of what is stated; quotes stay as they are.")

    def profile(self) -> Profile:
        """The association that is described.

        Raises:
            UsageError: A field can't be used.
        """
        told = {"status", "limit", "as_of", "language"}
        return Profile.from_values(self.model_dump(exclude=told), "profile")


def file_responses(*forms: str) -> dict[int | str, dict[str, Any]]:
    """What a route that gives files of these forms answers with."""
    media = {MEDIA_TYPES[form].partition(";")[0] for form in forms}
    content = {"schema": {"type": "string", "format": "binary"}}
    return {
        200: {"description": "The file.", "content": dict.fromkeys(sorted(media), content)},
        304: {"description": "The file is still what `If-None-Match` says."},
    }

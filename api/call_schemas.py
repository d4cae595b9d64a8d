"""The shapes of calls in requests and responses; see ``api.schemas``."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import Citation, Selecting
from kb.calls.dates import FIRST_DAY, LAST_DAY
from kb.calls.profile import MAX_AIMS, MAX_DESCRIPTION, Profile
from kb.calls.profile import MAX_MONEY as MAX_OWN_MONEY
from kb.calls.query import MAX_MONEY, MAX_TEXT, MAX_VALUES, CallQuery, Sort
from kb.calls.telling import MEDIA_TYPES
from kb.model import Applicant, CallStatus

Value = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
Values = Annotated[list[Value], Field(max_length=MAX_VALUES)]
Words = Literal["fr", "en"]
Money = Annotated[int, Field(ge=0, le=MAX_OWN_MONEY)]


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
    deadline_after: date | None = Field(None, description="With a deadline on this day or later.")
    deadline_before: date | None = Field(None, description="With a deadline on it or before.")
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
    as_of: date | None = Field(
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


class _Response(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Source(_Response):
    """Where a call was found, and when it was last seen there."""

    name: str
    url: str | None
    checked: datetime
    status: str | None = Field(description="The source's own word.")
    language: str
    gone: bool = Field(description="It does not list the call any more.")


class CallHit(_Response):
    """A call. Times are Brussels time, money is whole euros, null is unknown."""

    identifier: str
    document_id: str
    title: str
    programme: str | None
    action_types: list[str]
    status: CallStatus = Field(description="Computed from the dates when it is asked for.")
    status_reason: str
    portal_status: str | None = Field(description="What the source last said; it may be stale.")
    opens: datetime | None
    deadlines: list[datetime]
    deadline_model: str | None
    next_deadline: datetime | None = Field(description="That a new applicant can meet.")
    days_left: int | None = Field(description="Calendar days in Brussels to that deadline.")
    budget: int | None = Field(description="Of the whole call.")
    budget_shared: bool = Field(description="Sibling topics share the budget.")
    grant_min: int | None = Field(description="Of one project.")
    grant_max: int | None = Field(description="Of one project.")
    applicants: list[str] = Field(description="Who may apply; `unknown` where no text says.")
    countries: list[str] = Field(description="From where; `EU` for all Member States.")
    score: float | None = Field(description="Comparable within one result; null if not ranked.")
    why: list[Citation] = Field(description="The sentences that fit the query, word for word.")
    url: str | None
    sources: list[Source]


class CallList(_Response):
    """One page of calls."""

    total: int = Field(description="How many the filters let through, whatever the ranking.")
    facets: dict[str, dict[str, int]] = Field(description="Counts by field and value.")
    next: str | None = Field(description="The cursor of the next page; null on the last.")
    hits: list[CallHit]


class CallFact(_Response):
    """A field that was taken from the call's text, with the sentence that says so."""

    field: str
    value: str
    citation: Citation


class Link(_Response):
    """An address."""

    name: str
    url: str


class News(_Response):
    """What changed of a call."""

    id: int | None
    identifier: str
    title: str
    at: datetime
    kind: Literal["new", "changed", "reopened", "closed", "gone"]
    field: str | None
    before: str | None
    after: str | None
    says: str


class CallText(_Response):
    """One of a call's texts, as its source has it."""

    section: int
    label: str | None
    text: str
    url: str = Field(description="Where its words have their places.")


class CallDetail(CallHit):
    """Everything known of a call, with its history."""

    call_id: str | None
    call_title: str | None
    topic_id: str | None
    programme_id: str | None
    funder: str | None
    rolling: bool
    expected_grants: int | None
    consortium_min: int | None
    cofinancing: float | None = Field(description="The highest share of costs paid, in percent.")
    themes: list[str]
    keywords: list[str]
    languages: list[str]
    links: list[Link]
    facts: list[CallFact]
    history: list[News]
    pages: list[CallText]


class Statement(_Response):
    """Something that speaks for a call or against it, with the sentence that says so."""

    field: str = Field(description="`subject`, or the field of the call that it is about.")
    says: str
    citation: Citation


class MatchedCall(CallHit):
    """A call for an association."""

    fits: list[Statement]
    rules_out: list[Statement] = Field(description="What may rule it out.")


class MatchList(_Response):
    """Calls for an association, the best first."""

    profile: str
    hits: list[MatchedCall]


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
    partners_count: Annotated[int, Field(ge=0, le=1000)] | None = None
    languages: list[Annotated[str, Field(pattern="^[a-z]{2}$")]] = Field([], max_length=30)
    status: Values = Field(
        ["open", "forthcoming", "rolling"], description="As for `/v1/calls`; empty: all."
    )
    limit: int = Field(10, ge=1, le=50)
    as_of: date | None = Field(None, description="As for `/v1/calls`.")
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

"""Calls, what is known of them, and how they fit an association."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from kb.client.models.base import Shape
from kb.client.models.search import Citation
from kb.model import CallStatus


class Source(Shape):
    """Where a call was found, and when it was last seen there."""

    name: str
    url: str | None
    checked: datetime
    status: str | None = Field(description="The source's own word.")
    language: str
    gone: bool = Field(description="It does not list the call any more.")


class CallHit(Shape):
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


class CallList(Shape):
    """One page of calls."""

    total: int = Field(description="How many the filters let through, whatever the ranking.")
    facets: dict[str, dict[str, int]] = Field(description="Counts by field and value.")
    next: str | None = Field(description="The cursor of the next page; null on the last.")
    hits: list[CallHit]


class CallFact(Shape):
    """A field that was taken from the call's text, with the sentence that says so."""

    field: str
    value: str
    citation: Citation


class Link(Shape):
    """An address."""

    name: str
    url: str


class News(Shape):
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


class CallText(Shape):
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


class Statement(Shape):
    """Something that speaks for a call or against it, with the sentence that says so."""

    field: str = Field(description="`subject`, or the field of the call that it is about.")
    says: str
    citation: Citation


class MatchedCall(CallHit):
    """A call for an association."""

    fits: list[Statement]
    rules_out: list[Statement] = Field(description="What may rule it out.")


class MatchList(Shape):
    """Calls for an association, the best first."""

    profile: str
    hits: list[MatchedCall]

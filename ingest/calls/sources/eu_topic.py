"""Reads the portal's answer for one topic (``topicDetails/<identifier>.json``)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ingest.calls.base import CallRecord, Flaw
from ingest.calls.sources.eu_fields import Fields, wrong
from ingest.calls.sources.eu_record import Stated, Texts, record_of
from ingest.calls.sources.eu_terms import (
    GRANT,
    TYPES,
    deadlines_of,
    models_in,
    money_of,
    opening_of,
    status_of,
)
from ingest.calls.sources.streams import json_values, opened
from kb.errors import UnreadableError
from kb.model import Link

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

SOURCE = "eu-portal"
_ROOT = re.compile(rb'\s*(?:\xef\xbb\xbf)?\s*\{\s*"TopicDetails"\s*:')


def accepts(head: bytes, name: str) -> bool:  # noqa: ARG001 -- every format is asked alike
    """Tell whether the file is an answer for a topic."""
    return bool(_ROOT.match(head))


def read(path: Path, name: str, checked: datetime) -> Iterator[CallRecord | Flaw]:
    """Yield the record of each answer in a file, which is said to be in English."""
    with opened(path, name) as stream:
        for number, details in enumerate(json_values(stream, name), 1):
            try:
                yield record_of_topic(details, "en", checked)
            except UnreadableError as error:
                yield Flaw(f"{name}, answer {number}", str(error))


def record_of_topic(details: Mapping[str, Any], language: str, checked: datetime) -> CallRecord:
    """Return the record of an answer for a topic, in the language in which it was asked for.

    Raises:
        UnreadableError: A field is not what the format says; the message names it.
    """
    if not isinstance(details, dict) or not isinstance(details.get("TopicDetails"), dict):
        raise wrong("TopicDetails", "an object", details)
    fields = Fields(details["TopicDetails"])
    return record_of(stated_of(fields), SOURCE, language, checked)


def stated_of(fields: Fields) -> Stated:
    """Return what the portal's object of a topic states; the bulk file has the same but texts."""
    identifier = fields.text("identifier")
    programme = fields.part("frameworkProgramme")
    actions = fields.parts("actions")
    overview = _overview(fields)
    kind = fields.code("type")
    opens = fields.date("plannedOpeningDateLong")
    opens = opens or next((d for each in actions if (d := each.date("plannedOpeningDate"))), None)
    return Stated(
        identifier=identifier,
        title=fields.text("title"),
        kind=kind if kind in TYPES else GRANT,
        url=fields.text("url"),
        call_id=fields.text("callIdentifier"),
        call_title=fields.text("callTitle"),
        programme_id=programme.code("id"),
        programme=programme.text("description") or programme.text("abbreviation"),
        status=_status(fields, actions),
        opens=opening_of(opens, "plannedOpeningDateLong"),
        deadlines=_deadlines(fields, actions),
        models=(
            *_model(fields),
            *(each.part("submissionProcedure").text("abbreviation") for each in actions),
            *models_in(overview, identifier),
        ),
        action_types=_action_types(fields, actions),
        money=money_of(overview, identifier),
        themes=fields.texts("flags") or fields.texts("crossCuttingPriorities"),
        keywords=(*fields.texts("keywords"), *fields.texts("tags")),
        links=submission_links(fields.parts("links")),
        texts=Texts(
            fields.text("description"),
            fields.text("destinationDescription") or fields.text("destinationDetails"),
            fields.text("conditions"),
            fields.text("supportInfo"),
        ),
    )


def submission_links(links: tuple[Fields, ...]) -> tuple[Link, ...]:
    """Return the addresses at which a proposal is begun, one for each type of action."""
    found = []
    for link in links:
        words = link.text("criterionDescription") or link.text("criterionCode")
        found.append(Link(f"Submission: {words}" if words else "Submission", link.text("url")))
    return tuple(found)


def _overview(fields: Fields) -> Fields:
    for name in ("budgetOverviewJSONItem", "budgetOverview"):
        value = fields.values.get(name)
        if isinstance(value, str) and value.strip():
            try:
                value = json.loads(value)
            except ValueError as error:
                raise wrong(name, "JSON written as a text", value) from error
        if value:
            return Fields({name: value}).part(name)
    return Fields({})


def _deadlines(fields: Fields, actions: tuple[Fields, ...]) -> tuple[datetime, ...]:
    """Return the deadlines of all actions, and those that stand at the topic itself."""
    written = [*fields.dates("deadlineDatesLong")]
    for each in actions:
        written += each.dates("deadlineDates")
    return deadlines_of(written, "deadlineDates")


def _status(fields: Fields, actions: tuple[Fields, ...]) -> str | None:
    """Return the topic's status, else the one of its actions that promises most."""
    said = [
        status_of(part.code("id") or part.text("abbreviation"))
        for part in (fields.part("status"), *(each.part("status") for each in actions))
    ]
    if said[0]:
        return said[0]
    return next((word for word in ("open", "forthcoming", "closed") if word in said), None)


def _model(fields: Fields) -> tuple[str, ...]:
    if isinstance(fields.values.get("deadlineModel"), str):
        return (fields.text("deadlineModel"),)
    return (fields.part("deadlineModel").text("abbreviation"),)


def _action_types(fields: Fields, actions: tuple[Fields, ...]) -> tuple[str, ...]:
    names = [each.text("description") for each in fields.parts("topicActions")]
    for action in actions:
        names += (kind.text("typeOfAction") for kind in action.parts("types"))
    return tuple(names)

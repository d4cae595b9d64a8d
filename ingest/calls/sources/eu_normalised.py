"""Reads a public export of the EU portal's calls whose texts have lost their tags.

It comes as JSONL, or as it is published: records one after another without a line break, with a
byte order mark, packed by gzip. Strings hold mojibake, which is mended. ``stage`` is "two-stage"
at each of the 629 calls of August 2026 and not read; ``submissionProcedure`` tells the truth.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ingest.calls.base import CallRecord, Flaw
from ingest.calls.sources.eu_fields import Fields, wrong
from ingest.calls.sources.eu_record import Stated, Texts, record_of
from ingest.calls.sources.eu_terms import EXTERNAL, GRANT, Money, deadlines_of, status_of
from ingest.calls.sources.eu_topic import SOURCE
from ingest.calls.sources.streams import json_values, opened
from kb.errors import UnreadableError
from kb.model import Link

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

_SIGNS = (b'"topicId"', b'"callStatus"', b'"portalUrl"')
_PROSPECT = re.compile(r"\d+PROSPECTS[A-Z]{2}$", re.IGNORECASE)
_LANGUAGE = re.compile(r"\d+(?:TOPICS|PROSPECTS)([a-z]{2})$", re.IGNORECASE)
_LINKS = (
    ("Call documents", "documentsUrl"),
    ("Questions and answers", "qnaUrl"),
    ("Updates", "updatesUrl"),
)


def accepts(head: bytes, name: str) -> bool:  # noqa: ARG001 -- every format is asked alike
    """Tell whether the file begins with records of the export."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n[").startswith(b"{") and all(s in head for s in _SIGNS)


def read(path: Path, name: str, checked: datetime) -> Iterator[CallRecord | Flaw]:
    """Yield the records of an export, one at a time in memory."""
    with opened(path, name) as stream:
        for place, item in enumerate(json_values(stream, name), 1):
            try:
                yield record_of_item(item, checked)
            except UnreadableError as error:
                yield Flaw(f"{name}, record {place}{_named(item)}", str(error))


def record_of_item(item: Any, checked: datetime) -> CallRecord:
    """Return the record of one object of the export.

    Raises:
        UnreadableError: A field is not what the format says; the message names it.
    """
    if not isinstance(item, dict):
        raise wrong("record", "an object", item)
    fields = Fields(item)
    reference = fields.text("reference")
    language = _LANGUAGE.match(reference)
    return record_of(
        _stated(fields, reference), SOURCE, language[1].lower() if language else "en", checked
    )


def _stated(fields: Fields, reference: str) -> Stated:
    external = bool(_PROSPECT.match(reference))
    day = fields.date("deadline")
    return Stated(
        identifier=fields.text("topicId"),
        title=fields.text("title"),
        kind=EXTERNAL if external else GRANT,
        page_id=reference if external else "",
        url="" if external else fields.text("portalUrl"),
        call_id=fields.text("callIdentifier"),
        call_title=fields.text("callTitle"),
        programme_id=fields.code("programmeId"),
        programme=fields.text("programme"),
        status=status_of(fields.text("callStatus")),
        deadlines=deadlines_of(() if day is None else (day,), "deadline"),
        models=(
            fields.part("submissionProcedure").text("abbreviation"),
            fields.text("deadlineModel"),
        ),
        action_types=(fields.text("typesOfAction"),),
        money=Money(
            least=fields.amount("budgetMin"),
            most=fields.amount("budgetMax"),
            grants=fields.amount("expectedGrants"),
        ),
        themes=_split(fields.text("crossCuttingPriorities")),
        keywords=_split(fields.text("keywords")),
        links=() if external else tuple(Link(name, fields.text(key)) for name, key in _LINKS),
        texts=Texts(
            fields.text("description"),
            fields.text("objectives"),
            fields.text("topicConditions"),
            fields.text("supportInfo"),
            html=False,
        ),
    )


def _split(text: str) -> tuple[str, ...]:
    """Return the words of a list; a part that begins in lower case goes on the one before it."""
    words: list[str] = []
    for part in text.split(", "):
        if words and part[:1].islower():
            words[-1] = f"{words[-1]}, {part}"
        else:
            words.append(part)
    return tuple(words)


def _named(item: Any) -> str:
    name = item.get("topicId") if isinstance(item, dict) else None
    return f" ({json.dumps(name)})" if isinstance(name, str) else ""

"""Reads pages of the EU portal's search API: rows of metadata, several of which may be one call."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ijson  # type: ignore[import-untyped]  # it ships no types

from ingest.calls.base import CallRecord, Flaw
from ingest.calls.sources.eu_fields import Fields, Metadata, amount_of, wrong
from ingest.calls.sources.eu_record import Stated, Texts, record_of
from ingest.calls.sources.eu_terms import (
    CASCADE,
    EXTERNAL,
    GRANT,
    TYPES,
    Money,
    deadlines_of,
    models_in,
    money_of,
    opening_of,
    status_of,
)
from ingest.calls.sources.eu_topic import SOURCE, record_of_topic, submission_links
from ingest.calls.sources.streams import opened
from kb.errors import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

__all__ = [
    "SOURCE",
    "Row",
    "accepts",
    "read",
    "read_rows",
    "record_of_rows",
    "record_of_topic",
    "records_of_rows",
    "rows_of",
]

# The generation of the portal's index that is kept up to date. SEDIA_PRD_CENTRICITY says of calls
# closed for years that they are forthcoming, SEDIA_FAQ holds questions and answers.
_CURRENT = "SEDIA"
_TOPIC_REFERENCE = re.compile(r"\d+(TOPICS|PROSPECTS|COMPETITIVE)", re.IGNORECASE)
_CASCADE_PAGE = re.compile(r"/competitive-calls(?:-cs)?/(\w+)")
# What every answer of the API has, in whatever order, at its beginning.
_SIGNS = (b'"results"', b'"metadata"', b'"reference"')
_ROW_SIGNS = (b'"DATASOURCE"', b'"databaseLabel"', b'"esST_URL"')
_HTML_PARTS = ("beneficiaryAdministration", "duration", "furtherInformation")


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is a call: its identifier, language and metadata; ``where`` names it."""

    identifier: str
    language: str
    url: str
    title: str
    where: str
    metadata: Metadata

    @property
    def key(self) -> tuple[str, str]:
        """What the rows of one call in one language share."""
        return self.identifier.casefold(), self.language

    @property
    def worth(self) -> tuple[bool, bool, bool, int]:
        """How much a row says: a stub has neither status nor description."""
        status, text = bool(self.metadata.first("status")), bool(self.metadata.first(_TEXT))
        return status and text, text, status, sum(map(bool, self.metadata.values.values()))


_TEXT = "descriptionByte"


def accepts(head: bytes, name: str) -> bool:  # noqa: ARG001 -- every format is asked alike
    """Tell whether the file is an answer of the search API, a list of them, or one a line."""
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n[").startswith(b"{"):
        return False
    return all(sign in head for sign in _SIGNS) and any(sign in head for sign in _ROW_SIGNS)


def read(path: Path, name: str, checked: datetime) -> Iterator[CallRecord | Flaw]:
    """Yield the records of all answers in a file, each call once a language.

    Rows are kept until the last page, since any may belong to a call on the first. Of a file that
    is cut the rows before the cut are read.
    """
    rows: list[Row] = []
    damage: Flaw | None = None
    with opened(path, name) as stream:
        items = "item.results.item" if stream.peek(64).lstrip().startswith(b"[") else "results.item"
        results = ijson.items(stream, items, multiple_values=True, use_float=True)
        try:
            for place, result in enumerate(results):
                row = _row_or_flaw(result, f"{name}, row {place + 1}")
                if isinstance(row, Row):
                    rows.append(row)
                elif row:
                    yield row
        except (ijson.JSONError, UnreadableError) as error:
            damage = Flaw(name, f"the file is cut or broken: {error}")
    yield from records_of_rows(rows, checked)
    if damage:
        yield damage


def read_rows(answer: Mapping[str, Any], checked: datetime) -> Iterator[CallRecord | Flaw]:
    """Yield the records of one page of answers, and what of it can't be read."""
    rows: list[Row] = []
    for row in rows_of(answer):
        if isinstance(row, Row):
            rows.append(row)
        else:
            yield row
    yield from records_of_rows(rows, checked)


def rows_of(answer: Mapping[str, Any]) -> Iterator[Row | Flaw]:
    """Yield the rows of a page that are calls: no tenders, updates, questions or stale rows."""
    results = answer.get("results") if isinstance(answer, dict) else None
    if not isinstance(results, list):
        yield Flaw("results", str(wrong("results", "a list", results)))
        return
    for place, result in enumerate(results):
        if row := _row_or_flaw(result, f"results[{place}]"):
            yield row


def records_of_rows(rows: Iterable[Row], checked: datetime) -> Iterator[CallRecord | Flaw]:
    """Yield one record for each call and language, in the order of their first rows."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault(row.key, []).append(row)
    for group in groups.values():
        try:
            yield record_of_rows(group, checked)
        except UnreadableError as error:
            yield Flaw(group[0].where, str(error))


def record_of_rows(rows: Sequence[Row], checked: datetime) -> CallRecord:
    """Return the record of one call in one language from all its rows.

    The row with a status and a description counts; what it does not state, a poorer one may.

    Raises:
        UnreadableError: A field is not what the format says; the message names it.
    """
    ranked = sorted(rows, key=lambda row: row.worth, reverse=True)
    values: dict[str, Any] = {}
    for row in reversed(ranked):
        values.update({name: value for name, value in row.metadata.values.items() if value})
    best = ranked[0]
    url = next((row.url for row in ranked if not row.url.endswith(".json")), best.url)
    title = next((row.title for row in ranked if row.title), "")
    whole = Row(best.identifier, best.language, url, title, best.where, Metadata(values))
    return record_of(_stated(whole), SOURCE, best.language, checked)


def _row_or_flaw(result: Any, where: str) -> Row | Flaw | None:
    named = where
    try:
        if not isinstance(result, dict):
            raise wrong(where, "an object", result)
        named = f"{where} ({Fields(result).text('reference') or 'without reference'})"
        return _row(Fields(result), named)
    except UnreadableError as error:
        return Flaw(named, str(error))


def _row(result: Fields, where: str) -> Row | None:
    """Return a row that is a call; nothing for other rows."""
    metadata = Metadata(result.part("metadata").values)
    reference = result.text("reference") or metadata.first("REFERENCE")
    if not metadata.values:
        raise wrong("metadata", "an object with fields", result.values.get("metadata"))
    kind, source = metadata.first("type"), metadata.all("DATASOURCE")
    if source and _CURRENT not in source:
        return None
    is_topic = bool(_TOPIC_REFERENCE.match(reference))
    if kind not in TYPES and (kind or not is_topic):
        return None
    url = result.text("url") or metadata.first("url")
    title = metadata.first("title") or result.text("summary") or result.text("content")
    language = (metadata.first("language") or result.text("language") or "en")[:2].lower()
    identifier = metadata.first("identifier")
    if kind == CASCADE:
        identifier = f"eu-cascade:{_cascade_id(metadata, url) or reference}"
        title = metadata.first("callTitle") or title
    return Row(identifier, language, url, title, where, metadata)


def _cascade_id(metadata: Metadata, url: str) -> str:
    """The number of a cascade call's page: its ``identifier`` is that of the topic that pays."""
    found = _CASCADE_PAGE.search(url)
    return found[1] if found else metadata.first("callccm2Id")


def _stated(row: Row) -> Stated:
    metadata = row.metadata
    kind = metadata.first("type")
    identifier = row.identifier
    overview = metadata.inside("budgetOverview").part("budgetOverview")
    actions = metadata.inside("actions").parts("actions")
    in_actions = [date for each in actions for date in each.dates("deadlineDates")]
    opens = metadata.date("startDate") or next(
        (date for each in actions if (date := each.date("plannedOpeningDate"))), None
    )
    models = [each.part("submissionProcedure").text("abbreviation") for each in actions]
    links = metadata.inside("links").parts("links")
    return Stated(
        identifier=identifier,
        title=row.title,
        kind=kind if kind in TYPES else GRANT,
        page_id=_page_id(row, kind),
        url=row.url,
        call_id=metadata.first("callIdentifier"),
        call_title="" if kind == CASCADE else metadata.first("callTitle"),
        programme_id=metadata.first("frameworkProgramme"),
        status=status_of(metadata.first("status")),
        opens=opening_of(opens, "metadata.startDate"),
        deadlines=deadlines_of((*metadata.all("deadlineDate"), *in_actions), "deadlineDate"),
        models=(*metadata.all("deadlineModel"), *models, *models_in(overview, identifier)),
        action_types=metadata.all("typesOfAction") or _types_in(actions),
        money=_cascade_money(metadata) if kind == CASCADE else money_of(overview, identifier),
        themes=metadata.all("crossCuttingPriorities"),
        keywords=(*_keywords(metadata.all("keywords")), *metadata.all("tags")),
        links=submission_links(links),
        texts=_texts(metadata),
    )


def _page_id(row: Row, kind: str) -> str:
    if kind == CASCADE:
        return row.identifier.partition(":")[2]
    return row.metadata.first("REFERENCE") if kind == EXTERNAL else ""


def _types_in(actions: tuple[Fields, ...]) -> tuple[str, ...]:
    return tuple(kind.text("typeOfAction") for each in actions for kind in each.parts("types"))


def _cascade_money(metadata: Metadata) -> Money:
    return Money(budget=amount_of(metadata.first("budget"), "metadata.budget") or None)


def _keywords(words: tuple[str, ...]) -> Iterator[str]:
    """Yield keywords; the older index writes a list of them as JSON in one text."""
    for word in words:
        if not word.startswith('["'):
            yield word
            continue
        try:
            yield from (str(inner) for inner in json.loads(word))
        except ValueError as error:
            raise wrong("metadata.keywords", "JSON written as a text", word) from error


def _texts(metadata: Metadata) -> Texts:
    """Return a row's texts; a cascade call has its own parts, which say how to apply."""
    own = "".join(f"<p>{text}</p>" for name in _HTML_PARTS if (text := metadata.first(name)))
    return Texts(
        metadata.first(_TEXT) or metadata.first("description"),
        metadata.first("destinationDescription") or metadata.first("destinationDetails"),
        metadata.first("topicConditions") or metadata.first("conditions"),
        metadata.first("supportInfo") or own,
    )

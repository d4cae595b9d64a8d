"""Calls that tests make: with defaults, as a source's record with texts, and taken into a base."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ingest.calls.base import CallRecord
from ingest.calls.run import take_calls
from ingest.calls.sources.texts import page_of_text
from kb.calls.dates import BRUSSELS
from kb.model import FULL_ACCESS, Call, CallSource, DeadlineModel, Metadata, Visibility

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from ingest.calls.run import CallsReport
    from kb.bootstrap import KnowledgeBase

NOW = datetime(2026, 3, 1, 11, tzinfo=UTC)  # noon in Brussels, an hour before the tests' clock
CHECKED = NOW - timedelta(days=1)
EVERYBODY = FULL_ACCESS
SOURCE = "eu-portal"


def brussels(day: str, hour: str = "17:00") -> datetime:
    """A moment in Brussels, at 17:00 unless said otherwise."""
    return datetime.fromisoformat(f"{day}T{hour}").replace(tzinfo=BRUSSELS)


def source(status: str | None = None, **fields: Any) -> CallSource:
    """A source as a merged call names it, checked on the day before ``NOW``."""
    values: dict[str, Any] = {"name": SOURCE, "url": None, "checked": CHECKED, "status": status}
    return CallSource(**(values | fields))


def made(identifier: str = "LADDER-2026-01", **fields: Any) -> Call:
    """A call of which nothing is known but what is given."""
    return Call(identifier, fields.pop("title", f"Lending ladders, {identifier}"), **fields)


def record(  # noqa: PLR0913 -- keywords, each with its default
    call: Call,
    *texts: str,
    status: str | None = None,
    source: str = SOURCE,
    checked: datetime = CHECKED,
    language: str = "en",
    gone: bool = False,
) -> CallRecord:
    """What a source says of a call; each text is a page, its lines paragraphs."""
    said = texts or ("The fund pays for ladders that a village lends to its people.",)
    pages = tuple(
        page_of_text(number, f"Part {number}", text, call.title if number == 1 else "")
        for number, text in enumerate(said, start=1)
    )
    return CallRecord(source, checked, language, call, pages, status, gone)


def take(
    kb: KnowledgeBase,
    records: Iterable[CallRecord | Call],
    visibility: Visibility = Visibility.PUBLIC,
) -> CallsReport:
    """Take records into a base; a bare call stands for one with a text of a sentence."""
    given = [each if isinstance(each, CallRecord) else record(each) for each in records]
    stated = Metadata(visibility=visibility)
    return take_calls(kb, given, where="https://calls.example/", stated=stated)


def document_id(kb: KnowledgeBase, identifier: str) -> str:
    """The id of the document of a call."""
    hit = kb.finder.one(identifier, EVERYBODY, NOW)
    assert hit is not None
    return hit.document.id


def drawn(chance: random.Random, number: int) -> Call:
    """A call of any kind whose dates lie about ``NOW``."""

    def moment() -> datetime:
        day = date(2026, 3, 1) + timedelta(days=chance.randint(-60, 90))
        return brussels(day.isoformat(), chance.choice(["00:00", "17:00", "17:00", "23:59:59.9"]))

    deadlines = (moment() for _ in range(chance.choice([0, 0, 1, 1, 1, 2, 3])))
    sources = (
        source(
            chance.choice([None, "forthcoming", "open", "closed"]),
            name=f"source-{place}",
            checked=CHECKED - timedelta(days=chance.randint(0, 5)),
            gone=chance.random() < 0.2,
        )
        for place in range(chance.randint(0, 2))
    )
    return made(
        f"DRAWN-{number}",
        opens=chance.choice([None, moment()]),
        deadlines=tuple(sorted(deadlines)),
        deadline_model=chance.choice([None, *DeadlineModel]),
        rolling=chance.random() < 0.2,
        sources=tuple(sources),
    )

"""One call from what several sources say of it: the one place that states which of them wins.

Records are of one call when their identifiers agree, whatever the case (``CallRecord.key``). Per
source and language the newest record counts; those of one moment complement each other, since a
list says less of a call than its page.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from ingest.calls.base import CallRecord
from ingest.metadata import web_address
from kb.calls.dates import brussels_day
from kb.model import CallSource, Parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kb.model import Call, Link, Page

# Who knows a call best: first the portal that publishes it, then those who pass it on.
SOURCES = (
    "eu-portal",
    "eu-portal-bulk",
    "ile-de-france",
    "paris",
    "seine-saint-denis",
    "aides-territoires",
)
# The language in which a call's facts are taken first where a source gives several.
LANGUAGES = ("en", "fr")
# Dates move: of these the source that was checked last knows best, whoever it is. Until when a call
# runs is one statement, of one source.
_UNTIL = ("deadlines", "rolling")
_RICHEST_WINS = (
    "title",
    "programme",
    "programme_id",
    "call_id",
    "call_title",
    "topic_id",
    "action_types",
    "funder",
    "grant_min",
    "grant_max",
    "expected_grants",
    "applicants",
    "countries",
    "consortium_min",
    "cofinancing",
    "themes",
    "keywords",
    "url",
    "links",
)
_RECORDS = TypeAdapter(tuple[CallRecord, ...])


@dataclass(frozen=True, slots=True)
class Merged:
    """A call with its texts: those of one record in each language, the first language's first.

    ``call`` has no facts from texts yet; the first ``own`` pages are in ``language``. ``licence``
    is that of the first source.
    """

    call: Call
    parsed: Parsed
    own: int
    language: str
    licence: str | None

    @property
    def own_pages(self) -> tuple[Page, ...]:
        """The pages in the first language."""
        return self.parsed.pages[: self.own]

    @property
    def texts(self) -> tuple[tuple[str | None, str], ...]:
        """The label and the text of every page."""
        return tuple((page.label, page.text) for page in self.parsed.pages)


def with_records(
    known: Sequence[CallRecord], found: Sequence[CallRecord]
) -> tuple[CallRecord, ...]:
    """The records of a call after a run has found more; older ones than are known change nothing.

    Those that one source gave in one language on one day are one: its list, and the call's page.
    """
    places: dict[tuple[int, str, int, str], list[CallRecord]] = {}
    for record in found:
        places.setdefault(_place(record), []).append(record)
    records = tuple(known)
    for given in places.values():
        last = max(record.checked for record in given)
        alike = [each for each in given if brussels_day(each.checked) == brussels_day(last)]
        records = with_record(records, together(alike))
    return records


def with_record(known: Sequence[CallRecord], new: CallRecord) -> tuple[CallRecord, ...]:
    """The records of a call after one more was read; an older one than is known changes nothing.

    A source that has ceased to list the call leaves what it last said, marked as gone.
    """
    mine = next((each for each in known if _place(each) == _place(new)), None)
    if mine is not None and mine.checked > new.checked:
        return tuple(known)
    if new.gone:
        if mine is None:
            return tuple(known)
        new = replace(mine, gone=True, checked=new.checked)
    elif mine is not None and mine.checked == new.checked and not mine.gone:
        new = together([mine, new])
    others = [each for each in known if each is not mine]
    return tuple(sorted((*others, new), key=_place))


def together(records: Sequence[CallRecord]) -> CallRecord:
    """One record of those that a source gave of a call in one language at about the same time.

    The one that was checked last counts, of several the last; what it leaves out the others say.
    Texts are those of the record that has most. Links and keywords are those of all.
    """
    newest = sorted(records, key=lambda record: record.checked)[::-1]
    if newest[0].gone or len(newest) == 1:
        return newest[0]
    listed = [record for record in newest if not record.gone]
    links: dict[str, Link] = {}
    for link in (link for each in listed for link in each.call.links):
        links.setdefault(link.url, link)
    call = replace(
        _combined(listed, listed),
        links=tuple(links.values()),
        keywords=tuple(dict.fromkeys(word for each in listed for word in each.call.keywords)),
    )
    return replace(
        listed[0],
        call=call,
        pages=_fullest(listed).pages,
        status=next((record.status for record in listed if record.status), None),
        licence=_licence(listed),
    )


def merge(records: Sequence[CallRecord]) -> Merged:
    """Make one call of its records, at least one."""
    richest = sorted(records, key=_place)
    newest = sorted(richest, key=lambda record: (record.gone, -record.checked.timestamp()))
    call = replace(
        _combined(richest, newest),
        languages=tuple(dict.fromkeys(record.language for record in richest)),
        sources=tuple(map(_source, richest)),
    )
    pages, own, language = _pages(richest)
    return Merged(call, Parsed(pages, paged=False), own, language, _licence(richest))


def records_json(records: Sequence[CallRecord]) -> bytes:
    """Records as they are kept beside a version."""
    return _RECORDS.dump_json(tuple(records))


def records_of(content: bytes) -> tuple[CallRecord, ...]:
    """Records from what ``records_json`` made of them."""
    return _RECORDS.validate_json(content)


def _place(record: CallRecord) -> tuple[int, str, int, str]:
    """Where a record stands among those of its call; one a source and language."""
    source, language = record.source, record.language
    return (_rank(SOURCES, source), source, _rank(LANGUAGES, language), language)


def _fullest(records: Sequence[CallRecord]) -> CallRecord:
    return max(records, key=lambda record: sum(len(page.text) for page in record.pages))


def _rank(known: Sequence[str], name: str) -> int:
    return known.index(name) if name in known else len(known)


def _led_safely(call: Call) -> Call:
    """A call that leads people to pages alone, whatever its sources say."""
    links = tuple(link for link in call.links if web_address(link.url))
    return replace(call, url=web_address(call.url), links=links)


def _combined(richest: Sequence[CallRecord], newest: Sequence[CallRecord]) -> Call:
    """The call of the first record with what the others add; dates are those of the newest."""
    running = [record for record in newest if record.call.deadlines or record.call.rolling]
    until = running[0].call if running else newest[0].call
    values: dict[str, Any] = {
        **{name: _first(richest, name) for name in _RICHEST_WINS},
        **{name: getattr(until, name) for name in _UNTIL},
        **_budget(richest),
        "opens": _first(newest, "opens"),
        "deadline_model": _first([*running, *newest], "deadline_model"),
    }
    return _led_safely(replace(richest[0].call, **values))


def _first(records: Iterable[CallRecord], name: str) -> Any:
    """The first record's value that says something, else what says nothing."""
    values = [getattr(record.call, name) for record in records]
    return next((value for value in values if value), values[0])


def _budget(records: Sequence[CallRecord]) -> dict[str, Any]:
    """Budget and whether it is shared, from the same record."""
    call = next((record.call for record in records if record.call.budget), records[0].call)
    return {"budget": call.budget, "budget_shared": call.budget_shared}


def _source(record: CallRecord) -> CallSource:
    return CallSource(
        record.source,
        web_address(record.call.url),
        record.checked,
        record.status,
        record.language,
        record.gone,
    )


def _pages(records: Sequence[CallRecord]) -> tuple[tuple[Page, ...], int, str]:
    """The texts of the fullest record in each language, numbered through.

    Returns them with the number of those in the main language, and that language.
    """
    languages = sorted({record.language for record in records}, key=_by_rank)
    pages: list[Page] = []
    own = 0
    for language in languages:
        said = [record for record in records if record.language == language]
        pages += _fullest(said).pages
        own = own or len(pages)
    numbered = tuple(replace(page, number=at) for at, page in enumerate(pages, start=1))
    return numbered, own, languages[0]


def _by_rank(language: str) -> tuple[int, str]:
    return _rank(LANGUAGES, language), language


def _licence(records: Sequence[CallRecord]) -> str | None:
    return next((record.licence for record in records if record.licence), None)

"""One call from what several sources say of it: the one place that states which of them wins.

Records are of one call when their identifiers agree, whatever the case (``CallRecord.key``). Per
source and language the newest record counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from ingest.calls.base import CallRecord
from kb.model import CallSource, Parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kb.model import Call, Page

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
# Dates move: of these the source that was checked last knows best, whoever it is.
_NEWEST_WINS = ("opens", "deadlines", "deadline_model", "rolling")
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


def with_record(known: Sequence[CallRecord], new: CallRecord) -> tuple[CallRecord, ...]:
    """The records of a call after one more was read; an older one than is known changes nothing.

    A source that has ceased to list the call leaves what it last said, marked as gone. Of two that
    were made at one time the fuller counts: a list, and the pages that it lists.
    """
    mine = next((each for each in known if _place(each) == _place(new)), None)
    if mine is not None and (mine.checked, _length(mine)) > (new.checked, _length(new)):
        return tuple(known)
    if new.gone:
        if mine is None:
            return tuple(known)
        new = replace(mine, gone=True, checked=new.checked)
    others = [each for each in known if each is not mine]
    return tuple(sorted((*others, new), key=_place))


def merge(records: Sequence[CallRecord]) -> Merged:
    """Make one call of its records, at least one."""
    richest = sorted(records, key=_place)
    newest = sorted(richest, key=lambda record: (record.gone, -record.checked.timestamp()))
    values: dict[str, Any] = {
        **{name: _first(richest, name) for name in _RICHEST_WINS},
        **{name: _first(newest, name) for name in _NEWEST_WINS},
        **_budget(richest),
        "languages": tuple(dict.fromkeys(record.language for record in richest)),
        "sources": tuple(map(_source, richest)),
    }
    call = replace(richest[0].call, **values)
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


def _length(record: CallRecord) -> int:
    return sum(len(page.text) for page in record.pages)


def _rank(known: Sequence[str], name: str) -> int:
    return known.index(name) if name in known else len(known)


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
        record.call.url,
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
        fullest = max(said, key=_length)
        pages += fullest.pages
        own = own or len(pages)
    numbered = tuple(replace(page, number=at) for at, page in enumerate(pages, start=1))
    return numbered, own, languages[0]


def _by_rank(language: str) -> tuple[int, str]:
    return _rank(LANGUAGES, language), language


def _licence(records: Sequence[CallRecord]) -> str | None:
    return next((record.licence for record in records if record.licence), None)

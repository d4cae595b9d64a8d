"""Quotes of a brief as they stand now: each looked up for its reader, read from its page, dated."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from kb.briefs.model import Missing, Outdated, Paragraph, Quoted, Reference, Shown
from kb.calls.dates import brussels_day
from kb.calls.status import status_at, usable_deadlines
from kb.model import CallStatus, Citation, Span
from kb.record.places import PlacesRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from kb.bootstrap import KnowledgeBase
    from kb.briefs.model import Block
    from kb.model import Access, Call, Document, Passage


def resolve(
    kb: KnowledgeBase, blocks: Sequence[Block], access: Access, now: datetime
) -> tuple[Shown, ...]:
    """Show blocks to a reader: paragraphs as they are, references as quotes or as missing.

    A quote's words are read from the stored page of its version, and numbered from 1 in their
    order. What was removed, what the reader may not see and what never was are missing alike.
    """
    references = [block for block in blocks if isinstance(block, Reference)]
    generation = kb.record.current_id()
    found: list[Quoted | Missing] = []
    if references and generation is not None:
        found = _Reading(kb, generation, access, now).quotes(references)
    quotes = iter(found)
    return tuple(
        block if isinstance(block, Paragraph) else next(quotes, Missing(block)) for block in blocks
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """A reference that was found: the key of its version, and its spans as the pages name them."""

    key: int
    spans: tuple[Span, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Standing:
    """What is known of a document beside the version that is cited."""

    current: Document | None
    call: Call | None


class _Reading:
    """One look at the base, for one reader, at one moment."""

    def __init__(self, kb: KnowledgeBase, generation: int, access: Access, now: datetime) -> None:
        self._places = PlacesRecord(kb.engine)
        self._calls = kb.calls
        self._generation = generation
        self._access = access
        self._now = now

    def quotes(self, references: Sequence[Reference]) -> list[Quoted | Missing]:
        """What each reference shows."""
        ids = {reference.document_id for reference in references}
        versions = self._places.versions(self._generation, ids, self._access)
        placed = self._placed(references, versions)
        passages = self._passages(placed, versions)
        standings = self._standings(versions)
        shown: list[Quoted | Missing] = []
        number = 0
        for reference, place, passage in zip(references, placed, passages, strict=True):
            if place is None or passage is None:
                shown.append(Missing(reference))
                continue
            number += 1
            document = versions[place.key]
            quote = _joined(passage, place)
            citation = Citation(number, passage, document, place.spans, quote, verified=True)
            outdated = _outdated(document, standings[document.id], self._now)
            days = [day for day in outdated.values() if day is not None]
            shown.append(Quoted(citation, tuple(outdated), min(days, default=None)))
        return shown

    def _placed(
        self, references: Sequence[Reference], versions: Mapping[int, Document]
    ) -> list[_Place | None]:
        keys = {(document.id, document.version): key for key, document in versions.items()}
        wanted: dict[int, set[int]] = defaultdict(set)
        for each in references:
            key = keys.get((each.document_id, each.version))
            if key is not None:
                wanted[key] |= {span.number for span in each.spans}
        pages = self._places.pages(wanted) if wanted else {}
        return [
            _place(each, keys.get((each.document_id, each.version)), versions, pages)
            for each in references
        ]

    def _passages(
        self, placed: Sequence[_Place | None], versions: Mapping[int, Document]
    ) -> list[Passage | None]:
        stretches = self._places.stretches({place.key for place in placed if place})
        chosen = [
            None if place is None else _holding(place.spans, stretches.get(place.key, ()))
            for place in placed
        ]
        wanted: dict[int, set[int]] = defaultdict(set)
        for place, ordinal in zip(placed, chosen, strict=True):
            if place is not None and ordinal is not None:
                wanted[place.key].add(ordinal)
        found = self._places.passages(versions, wanted) if wanted else {}
        return [
            found.get((place.key, ordinal)) if place and ordinal is not None else None
            for place, ordinal in zip(placed, chosen, strict=True)
        ]

    def _standings(self, versions: Mapping[int, Document]) -> dict[str, _Standing]:
        current = {each.id: each for each in versions.values() if each.current}
        calls = self._calls.of(self._generation, list(current), self._access)
        return {
            each.id: _Standing(
                current.get(each.id), calls[each.id].call if each.id in calls else None
            )
            for each in versions.values()
        }


def _place(
    reference: Reference,
    key: int | None,
    versions: Mapping[int, Document],
    pages: Mapping[tuple[int, int], tuple[str | None, str]],
) -> _Place | None:
    """A reference with its words, where all of it lies within the pages of its version."""
    if key is None or not reference.spans:
        return None
    spans, words = [], []
    for span in reference.spans:
        label, text = pages.get((key, span.number), (None, ""))
        if not 0 <= span.start < span.end <= len(text):
            return None
        paged = versions[key].paged
        page, section = (span.number, None) if paged else (None, span.number)
        spans.append(Span(page, label, section, span.start, span.end))
        words.append(text[span.start : span.end])
    return _Place(key, tuple(spans), tuple(words))


def _holding(spans: Sequence[Span], stretches: Sequence[tuple[int, list[list[int]]]]) -> int | None:
    """The ordinal of the first passage that holds most of some spans; null where none holds any."""
    best, most = None, 0
    for ordinal, stretch in stretches:
        held = sum(
            max(0, min(span.end, end) - max(span.start, start))
            for span in spans
            for number, start, end in stretch
            if number == span.number
        )
        if held > most:
            best, most = ordinal, held
    return best


def _joined(passage: Passage, place: _Place) -> str:
    """The words of spans, with what stands between them where the passage goes on with the next.

    Others are parts of their own, such as an opening and one of its points: each has its line.
    """
    parts = [place.words[0]]
    for before, after, words in zip(place.spans, place.spans[1:], place.words[1:], strict=False):
        parts += [_between(passage, before, after), words]
    return "".join(parts)


def _between(passage: Passage, before: Span, after: Span) -> str:
    offset = 0
    for span, following in zip(passage.spans, passage.spans[1:], strict=False):
        offset += span.end - span.start
        ends = (span.number, span.end) == (before.number, before.end)
        if ends and (following.number, following.start) == (after.number, after.start):
            return passage.text[offset]
        offset += 1
    return "\n"


def _outdated(
    document: Document, standing: _Standing, now: datetime
) -> dict[Outdated, date | None]:
    """Why a version should not be quoted any more: each reason, and since which day, if known."""
    found: dict[Outdated, date | None] = {}
    if not document.current:
        newer = standing.current
        found[Outdated.SUPERSEDED] = None if newer is None else _begun(newer)
    ends = document.metadata.valid_until
    if ends is not None and ends < brussels_day(now):
        found[Outdated.NO_LONGER_IN_FORCE] = ends + timedelta(days=1)
    call = standing.call
    if call is not None and status_at(call, now).status is CallStatus.CLOSED:
        passed = [moment for moment in usable_deadlines(call) if moment <= now]
        found[Outdated.CALL_CLOSED] = brussels_day(passed[-1]) if passed else None
    return found


def _call_of(document: Document | None) -> Call | None:
    return None if document is None else document.call


def _begun(document: Document) -> date:
    """The day of a version: its own, else that on which it came into the base."""
    return document.metadata.version_date or brussels_day(document.ingested)

"""What can be quoted of a call as a statement: a sentence, or a list's lead with one item."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ingest.calls.facts.words import phrases
from kb.model import Role
from kb.sentences import sentences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kb.model import Page

# Longer ones are no sentences but menus, tables and forms whose line breaks were lost.
LONGEST = 1500  # characters of a statement
_LONGEST_LABEL = 80
_FULL_LINE = 50  # what a wrapped line measures at least
_LONGEST_ITEM = 240  # of an item without a list mark
_READ = {Role.BODY, Role.HEADING, Role.TABLE}

_MARK = re.compile(r"\s*(?:[-–—•·▪▫◦*●○■□➢➤►▶→✓✔>+]|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)])\s")
_LEAD_END = re.compile(r":\s*$")
_CLOSED = re.compile(r"[.;:!?…]\W{0,3}$")
_STOP_END = re.compile(r"[.!?]\W{0,3}$")
# What a line names that has no stop: a label for what follows.
_LABELS = phrases(
    """b[ée]n[ée]ficiaires(?: [ée]ligibles)? | structures? (?:[ée]ligibles?|concern[ée]es)
    (?:organismes?|porteurs?|candidats?|publics?)(?: de projets?)? [ée]ligibles?
    eligible (?:applicants?|participants?|organisations?|entities|countries|beneficiaries)
    who can apply | eligibility | (?:maximum )?(?:eu )?(?:funding|co-?financing|grant) rates?
    (?:available |indicative |total )?budget | (?:maximum )?(?:grant amount|eu contribution)
    (?:minimum )?consortium(?: composition)? | taux (?:de|d'|d’) ?\\w+(?: maximum)?
    montants?(?: maximum| minimum)?(?: de (?:l'aide|l’aide|la subvention))?"""
)
_LABEL = re.compile(rf"^\W*(?:\d[\d.]*\W*)?{_LABELS}\W*$", re.IGNORECASE)
# Texts of the portal name a document between a heading and what it says: "described in the call
# document." stands between "Eligible countries" and their list.
_ELSEWHERE = re.compile(
    r"\W*(?:as |are )?(?:described|see|please see|set out|détaillée?s?|décrite?s?|voir)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """``page_text[start:end]`` of a page: ``item``, after the ``lead`` that introduces it, if any.

    ``under`` holds the headings above it. A lead is a sentence that ends with a colon, a question,
    a heading or a label ("Bénéficiaires").
    """

    page: int
    start: int
    end: int
    item: str
    lead: str = ""
    under: str = ""


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence of a page, and whether its block is a heading."""

    start: int
    end: int
    text: str
    heading: bool
    under: str


@dataclass(frozen=True, slots=True)
class _Lead:
    """What introduces the units that follow.

    ``outer`` is the lead of which it is itself an item. ``filled`` says that an item came, and
    ``loose`` that no marked one did, so that unmarked ones may be the list.
    """

    start: int
    text: str
    outer: _Lead | None = None
    filled: bool = False
    loose: bool = True


def statements(pages: Sequence[Page], language: str) -> Iterator[Statement]:
    """Every statement of the pages in reading order; an item comes alone and then with its lead."""
    for page in pages:
        yield from _of_page(page, language)


def _of_page(page: Page, language: str) -> Iterator[Statement]:
    lead: _Lead | None = None
    for unit in _units(page, language):
        if len(unit.text) > LONGEST:
            lead = None
            continue
        if not unit.heading and not unit.text[:1].islower():
            yield Statement(page.number, unit.start, unit.end, unit.text, under=unit.under)
        lead = _after(lead, unit)
        if lead is not None and lead.filled:
            yield from _led(page.number, lead, unit)
        lead = _next_lead(lead, unit)


def _led(page: int, lead: _Lead, unit: _Unit) -> Iterator[Statement]:
    """The unit with its lead, then with the lead's own lead before both, while they stay short."""
    text = ""
    outer: _Lead | None = lead
    while outer is not None and unit.end - outer.start <= LONGEST:
        text = f"{outer.text}\n{text}".strip()
        yield Statement(page, outer.start, unit.end, unit.text, text, unit.under)
        outer = outer.outer


def _units(page: Page, language: str) -> Iterator[_Unit]:
    """The sentences of a page; one that lines or blocks cut in two is put together again."""
    held: _Unit | None = None
    for unit in _cut(page, language):
        if held is not None and _goes_on(held, unit):
            text = page.text[held.start : unit.end]
            held = _Unit(held.start, unit.end, text, heading=False, under=held.under)
            continue
        if held is not None:
            yield held
        held = unit
    if held is not None:
        yield held


def _goes_on(first: _Unit, second: _Unit) -> bool:
    """Whether a full line without a stop goes on in the next, which begins in lower case."""
    whole = second.end - first.start <= LONGEST
    return (
        whole
        and not (first.heading or second.heading)
        and len(first.text) >= _FULL_LINE
        and second.text[:1].islower()
        and not _CLOSED.search(first.text)
        and not _MARK.match(second.text)
    )


def _cut(page: Page, language: str) -> Iterator[_Unit]:
    """The sentences of each block, or of the whole text where the page has no blocks."""
    if not page.blocks:
        for start, end in sentences(page.text, language):
            yield _Unit(start, end, page.text[start:end], heading=False, under="")
        return
    for block in page.blocks:
        if block.role not in _READ:
            continue
        under = " / ".join(block.path)
        heading = block.role is Role.HEADING
        for start, end in sentences(page.text[block.start : block.end], language):
            first, last = block.start + start, block.start + end
            yield _Unit(first, last, page.text[first:last], heading, under)


def _after(lead: _Lead | None, unit: _Unit) -> _Lead | None:
    """The lead as it stands for this unit: ``filled`` where the unit is an item of it."""
    if lead is None or unit.heading or _is_label(unit):
        return None
    if _MARK.match(unit.text):
        return replace(lead, filled=True, loose=False)
    if lead.loose and (not lead.filled or len(unit.text) <= _LONGEST_ITEM):
        return replace(lead, filled=True)
    return None


def _next_lead(lead: _Lead | None, unit: _Unit) -> _Lead | None:
    """The lead for the unit after this one."""
    if unit.heading or _is_label(unit):
        return _Lead(unit.start, unit.text)
    if _LEAD_END.search(unit.text):
        return _Lead(unit.start, unit.text, outer=lead)
    if lead is None or not lead.loose or _ELSEWHERE.match(unit.text):
        return lead
    # Without marks a list ends with its first full stop.
    return None if _STOP_END.search(unit.text) else lead


def _is_label(unit: _Unit) -> bool:
    """Whether a line names what follows: a question, or a few words without a stop."""
    text = unit.text
    if len(text) > _LONGEST_LABEL or _MARK.match(text):
        return False
    return text.rstrip().endswith("?") or _LABEL.search(text) is not None

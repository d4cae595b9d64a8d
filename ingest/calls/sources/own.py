"""Reads calls that an association writes down by hand: a YAML file with a list ``calls``.

``corpus/calls/README.md`` describes its fields. It is read strictly: a call with a field that is
unknown or wrong is left out and each of its mistakes told; the others are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from ingest.calls.base import CallRecord, Flaw
from ingest.calls.sources import own_fields as read_as
from ingest.calls.sources.own_fields import Said
from ingest.calls.sources.own_yaml import Table, read_yaml
from ingest.calls.sources.streams import opened
from ingest.calls.sources.texts import page_of_text
from ingest.readers.encoding import decode, squash
from kb.errors import UnreadableError
from kb.model import Call, DeadlineModel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from ingest.calls.sources.own_yaml import Value
    from kb.model import Page

SOURCE = "own"
LARGEST = 4 * 1024**2  # bytes: some 1,500 calls of 400 words
_NAMES = (".yaml", ".yml")
FILE_FIELDS = ("calls", "source", "checked", "licence", "language")
FIELDS = (
    *("identifier", "title", "programme", "call_id", "call_title", "action_types", "funder"),
    *("opens", "deadlines", "deadline_model", "rolling", "status"),
    *("budget", "grant_min", "grant_max", "expected_grants"),
    *("applicants", "countries", "consortium_min", "cofinancing"),
    *("themes", "keywords", "url", "links", "language", "description", "conditions"),
)
_WRAPPED = 55  # characters: an editor does not break a shorter line
_MARK = re.compile(r"(?:[-*•–—]|\(?\w{1,3}[.)])\s")
_HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*")


@dataclass(frozen=True, slots=True)
class _File:
    """What the top of a file says of all its calls."""

    source: str
    checked: datetime
    language: str
    licence: str | None


def accepts(head: bytes, name: str) -> bool:
    """Tell whether a file is YAML with a list ``calls`` at its top that holds mappings or nothing.

    What follows may be broken: it is told where it is read.
    """
    if not name.lower().endswith(_NAMES):
        return False
    top, _ = read_yaml(head.decode("utf-8", "ignore"))
    calls = top.values.get("calls") if isinstance(top, Table) else None
    return isinstance(calls, list) and (not calls or any(isinstance(c, Table) for c in calls))


def read(path: Path, name: str, checked: datetime) -> Iterator[CallRecord | Flaw]:
    """Yield the calls of a file, and what is wrong with it, in its order.

    ``checked`` counts where the file does not say when its calls were last looked at.

    Raises:
        UnreadableError: The file can't be opened or is larger than 4 MiB.
    """
    with opened(path, name) as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise UnreadableError(f"{name} is larger than {LARGEST // 1024**2} MiB: split it.")
    top, problem = read_yaml(decode(data))
    if isinstance(top, Table):
        said = Said(top)
        said.refuse_unknown(FILE_FIELDS)
        file = _File(
            said.get("source", read_as.source, SOURCE),
            said.get("checked", read_as.looked_at, checked),
            said.get("language", read_as.language, "en"),
            said.get("licence", read_as.line, None),
        )
        yield from (Flaw(name, f"{field}: {wrong}") for field, wrong in said.wrong.items())
        # What is wrong in these holds for every call; an unknown field concerns none of them.
        if said.wrong.keys().isdisjoint(FILE_FIELDS):
            yield from _calls(top.values.get("calls"), file)
    if problem:
        yield Flaw(name, f"{problem}. What stands before is read; mend it and ingest it again.")


def _calls(calls: Value, file: _File) -> Iterator[CallRecord | Flaw]:
    """Yield the calls of the list; one whose end is missing is left out."""
    places: dict[tuple[str, str], int] = {}
    for place, value in enumerate(calls if isinstance(calls, list) else [], start=1):
        where = f"calls[{place}]"
        if not isinstance(value, Table):
            yield Flaw(where, "A call is a mapping with an identifier and a title at least.")
            continue
        if not value.whole:
            continue
        said = Said(value)
        record = _record(said, file)
        where = f"{where} {record.call.identifier}".strip() + f" (line {value.line})"
        if not said.wrong:
            first = places.setdefault((record.key, record.language), place)
            if first != place:
                said.wrong["identifier"] = f"is that of calls[{first}] too, in the same language"
        if said.wrong:
            yield from (Flaw(where, f"{field}: {wrong}") for field, wrong in said.wrong.items())
        else:
            yield record


def _record(said: Said, file: _File) -> CallRecord:
    """Return the record of a call; ``said`` has noted what is wrong with it."""
    said.refuse_unknown(FIELDS)
    call = _call(said)
    for name, problem in _contradictions(call):
        said.wrong.setdefault(name, problem)
    pages = _pages(
        call.title,
        ("Description", said.get("description", read_as.text, "")),
        ("Conditions", said.get("conditions", read_as.text, "")),
    )
    return CallRecord(
        file.source,
        file.checked,
        said.get("language", read_as.language, file.language),
        call,
        pages,
        said.get("status", read_as.status, None),
        licence=file.licence,
    )


def _call(said: Said) -> Call:
    lines, closings = read_as.each(read_as.line), read_as.each(read_as.closes)
    none: tuple[datetime, ...] = ()
    return Call(
        identifier=said.get("identifier", read_as.line, ""),
        title=said.get("title", read_as.line, ""),
        programme=said.get("programme", read_as.line, None),
        call_id=said.get("call_id", read_as.line, None),
        call_title=said.get("call_title", read_as.line, None),
        action_types=said.get("action_types", lines, ()),
        funder=said.get("funder", read_as.line, None),
        opens=said.get("opens", read_as.opens, None),
        deadlines=tuple(sorted(said.get("deadlines", closings, none))),
        deadline_model=said.get("deadline_model", read_as.model, None),
        rolling=said.get("rolling", read_as.truth, default=False),
        budget=said.get("budget", read_as.euros, None),
        grant_min=said.get("grant_min", read_as.euros, None),
        grant_max=said.get("grant_max", read_as.euros, None),
        expected_grants=said.get("expected_grants", read_as.count, None),
        applicants=said.get("applicants", read_as.each(read_as.applicant), ()),
        countries=said.get("countries", read_as.each(read_as.country), ()),
        consortium_min=said.get("consortium_min", read_as.count, None),
        cofinancing=said.get("cofinancing", read_as.share, None),
        themes=said.get("themes", lines, ()),
        keywords=said.get("keywords", lines, ()),
        url=said.get("url", read_as.address, None),
        links=said.get("links", read_as.each(read_as.link), ()),
    )


def _contradictions(call: Call) -> Iterator[tuple[str, str]]:
    """Yield what can't be meant together, with the field to look at."""
    for name in ("identifier", "title"):
        if not getattr(call, name):
            yield name, "is missing"
    if call.rolling and call.deadlines:
        yield "rolling", "a call that is open all the time has no deadlines; remove one of the two"
    if call.opens and call.deadlines and call.opens > call.deadlines[-1]:
        yield "opens", "lies after the last deadline"
    if call.deadline_model is DeadlineModel.SINGLE_STAGE and len(call.deadlines) > 1:
        others = f"{DeadlineModel.TWO_STAGE} or {DeadlineModel.CUT_OFFS}"
        yield "deadline_model", f"single-stage has one deadline; of several, say {others}"
    amounts = [
        (name, amount)
        for name in ("grant_min", "grant_max", "budget")
        if (amount := getattr(call, name)) is not None
    ]
    for (less, low), (more, high) in pairwise(amounts):
        if low > high:
            yield less, f"{low} is more than {more}, {high}"


def _pages(title: str, *texts: tuple[str, str]) -> tuple[Page, ...]:
    """Return a page for each text that is filled; the first begins with the title."""
    pages: list[Page] = []
    for label, text in texts:
        if squash(text):
            lines = "\n".join(_lines(text))
            pages.append(page_of_text(len(pages) + 1, label, lines, "" if pages else title))
    return tuple(pages) or (page_of_text(1, "Description", "", title),)


def _lines(text: str) -> Iterator[str]:
    """Yield a text paragraph by paragraph, point by point, without the breaks of an editor.

    A line goes on the one before it where that is full, whether it begins with a capital or not;
    short lines (an address, a telephone number) and points of a list stay their own.
    """
    pending, last = "", ""
    for raw in text.splitlines():
        line = squash(raw)
        heading = _HEADING.fullmatch(line)
        if line and not heading and len(last) >= _WRAPPED and not _MARK.match(line):
            pending = f"{pending} {line}"
        else:
            if pending:
                yield pending
            pending = heading[1] if heading else line
        last = "" if heading else line
    if pending:
        yield pending

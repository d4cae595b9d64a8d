"""Documents of which every word is a marker, in a base, and a model of who may see which of them.

The model knows nothing of the code under test but what a run reports: which document and version a
file has become. Who may see a version it works out by itself, so that the two can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

import yaml
from calls_making import brussels, made, record
from leaking_markers import found_in, moments
from leaking_pages import pdf_of

from ingest.calls.placing import call_ids
from ingest.calls.run import take_calls
from ingest.readers import reader_for
from ingest.readers.base import Source
from ingest.report import Outcome
from kb import maintenance
from kb.errors import UnreadableError
from kb.model import FULL_ACCESS, Applicant, DeadlineModel, Kind, Link, Metadata, Visibility

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from conftest import Base
    from leaking_markers import Markers

    from ingest.calls.base import CallRecord
    from ingest.workers import Job, Limits, Result
    from kb.bootstrap import KnowledgeBase
    from kb.model import Access, Call

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEPT: Final = 3  # generations
# Words that stand in every document, so that every document might be found by them.
COMMON: Final = ("fund", "ladders", "village", "guarantee")


class Clock:
    """A clock that stands still until it is put forward, so that equal requests are equal."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        """Return the present moment."""
        return self.now


@dataclass(frozen=True, slots=True)
class Content:
    """What one version says; ``spoken`` are those of its markers that may be searched for."""

    markers: frozenset[str]
    spoken: tuple[str, ...]
    lines: tuple[str, ...] = ()
    stated: Mapping[str, Any] = field(default_factory=dict)
    call: Call | None = None


@dataclass(slots=True)
class Held:
    """A document: what each of its versions says, and the collections that it is in."""

    contents: dict[int, Content] = field(default_factory=dict)
    collections: frozenset[str] = frozenset()
    is_call: bool = False
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Generation:
    """Whom each version is shown to, by document and number, and which are current."""

    shown: dict[tuple[str, int], Visibility] = field(default_factory=dict)
    current: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody may see: versions by document and number, the current ones, markers."""

    versions: frozenset[tuple[str, int]]
    current: Mapping[str, int]
    markers: frozenset[str]


class Library:
    """Which documents there are, and who may see which of their versions."""

    def __init__(self) -> None:
        self.held: dict[str, Held] = {}
        self.kept: list[Generation] = [Generation()]
        self.markers: set[str] = set()

    @property
    def newest(self) -> Generation:
        """The current generation."""
        return self.kept[-1]

    def begin(self) -> None:
        """Begin a generation as a copy of the current one; the oldest of four is forgotten."""
        newest = self.newest
        self.kept.append(Generation(dict(newest.shown), dict(newest.current)))
        del self.kept[:-KEPT]

    def place(
        self,
        key: tuple[str, int],
        content: Content | None,
        visibility: Visibility,
        collections: Iterable[str],
    ) -> None:
        """Make a version current, seen by these; no older one is seen by more, in any generation.

        Without ``content`` it says what it said.
        """
        document_id, number = key
        held = self.held.setdefault(document_id, Held())
        held.collections = frozenset(collections)
        if content is not None:
            held.contents[number] = content
            held.is_call = content.call is not None
        for generation in self.kept:
            for each, shown_to in generation.shown.items():
                if each[0] == document_id and shown_to in visibility.wider():
                    generation.shown[each] = visibility
        self.newest.shown[key] = visibility
        self.newest.current[document_id] = number

    def roll_back(self) -> None:
        """Go back to the generation before."""
        self.kept.pop()

    def seen_by(self, access: Access) -> Seen:
        """What an access shows in the current generation."""
        versions = frozenset(
            key
            for key, visibility in self.newest.shown.items()
            if visibility in access.visibilities and self._is_open(key[0], access)
        )
        numbers = self.newest.current
        said = (self.held[document_id].contents[number].markers for document_id, number in versions)
        current = {each: number for each, number in versions if numbers[each] == number}
        return Seen(versions, current, frozenset().union(*said))

    def _is_open(self, document_id: str, access: Access) -> bool:
        held = self.held[document_id]
        within = access.collections is None or held.collections & set(access.collections)
        return bool(within) and not held.removed


@dataclass(slots=True)
class Filed:
    """A file as it lies in the folder, or a call as its source has it: content and statement."""

    content: Content
    visibility: Visibility
    collections: tuple[str, ...]
    document_id: str = ""


class Shelf:
    """A base with its model: everything that is written goes into both."""

    def __init__(self, kb: KnowledgeBase, base: Base, markers: Markers) -> None:
        self.kb = kb
        self.library = Library()
        self.markers = markers
        self.files: dict[str, Filed] = {}
        self.calls: dict[str, Filed] = {}
        self._base = base

    def note(self, content: Content) -> Content:
        """Have the markers of a content known, wherever it will be placed."""
        self.library.markers |= content.markers
        return content

    def ingest(self) -> None:
        """Ingest the folder as it is stated."""
        for name, filed in self.files.items():
            self._write(name, filed.content.lines)
        stated = {
            name: {
                **filed.content.stated,
                "visibility": filed.visibility.value,
                "collections": list(filed.collections),
            }
            for name, filed in self.files.items()
        }
        self._base.write("metadata.yaml", yaml.safe_dump({"files": stated}, allow_unicode=True))
        report = self._base.ingest()
        assert report.exit_code == 0, report.as_json()
        if report.generation is None:
            return
        self.library.begin()
        for result in report.files:
            filed = self.files[result.path.rpartition("/")[2]]
            filed.document_id = result.document_id or filed.document_id
            if result.outcome in {Outcome.ADDED, Outcome.UPDATED}:
                key = (filed.document_id, result.version or 0)
                self.library.place(key, filed.content, filed.visibility, filed.collections)

    def _write(self, name: str, lines: Iterable[str]) -> None:
        if name.endswith(".pdf"):
            (self._base.folder / name).write_bytes(pdf_of(lines))
        else:
            self._base.write(name, *lines)

    def take(self, identifiers: Iterable[str]) -> None:
        """Take calls as they are stated, each a run of its own for what is stated of it."""
        together: dict[tuple[Visibility, tuple[str, ...]], list[str]] = {}
        for identifier in identifiers:
            filed = self.calls[identifier]
            together.setdefault((filed.visibility, filed.collections), []).append(identifier)
        for (visibility, collections), listed in together.items():
            stated = Metadata(visibility=visibility, collections=collections)
            records = [self._record(self.calls[each]) for each in listed]
            report = take_calls(self.kb, records, where="https://calls.example/", stated=stated)
            assert not report.counts.flaws, report.counts.flaws
            if report.generation is not None:
                self.library.begin()
                for identifier in listed:
                    self._placed(identifier)

    def remove(self, document_id: str) -> None:
        """Remove a document for good."""
        maintenance.remove(self.kb, document_id)
        self.library.held[document_id].removed = True
        for filed in (self.files, self.calls):
            for name in [name for name, each in filed.items() if each.document_id == document_id]:
                del filed[name]
                if filed is self.files:
                    (self._base.folder / name).unlink()

    def roll_back(self) -> None:
        """Go back a generation."""
        maintenance.rollback(self.kb)
        self.library.roll_back()

    def _record(self, filed: Filed) -> CallRecord:
        call = filed.content.call
        assert call is not None
        return record(call, *filed.content.lines, checked=self.kb.clock())

    def _placed(self, identifier: str) -> None:
        filed = self.calls[identifier]
        filed.document_id = call_ids(identifier)[0]
        generation = self.kb.record.current_id() or 0
        found = self.kb.record.document(generation, filed.document_id, FULL_ACCESS)
        assert found is not None
        key = (filed.document_id, found.version)
        self.library.place(key, filed.content, filed.visibility, filed.collections)


def text_content(markers: Markers, language: str, work: str = "") -> Content:
    """What a file says and is said to be; ``work`` makes it a translation or another's twin."""
    spoken, silent = [markers.word() for _ in range(3)], [markers.word() for _ in range(9)]
    title, heading, issuer, theme, author, licence, site, told, told_too = silent
    if language == "fr":
        lines = (
            f"# {heading.title()}",
            f"Le fonds {spoken[0]} prête les ladders {told} à chaque village de la région.",
            f"La garantie {spoken[1]} couvre 40 euros des pertes {told_too} : fund, guarantee.",
        )
    else:
        lines = (
            f"# {heading.title()}",
            f"The fund {spoken[0]} lends the ladders {told} to every village of the region.",
            f"The guarantee {spoken[1]} covers 40 euros of the losses {told_too} of investors.",
        )
    stated: dict[str, Any] = {
        "title": f"{title.title()} {spoken[2]}",
        "issuer": f"Office {issuer}",
        "themes": [theme],
        "authors": [f"A. {author}"],
        "licence": licence,
        "language": language,
        "kind": Kind.POLICY.value,
        "published": "2026-01-15",
    }
    if work:
        stated |= {"identifier": work}
    else:
        stated |= {"url": f"https://{site}.example/paper"}
    return Content(frozenset((*spoken, *silent)), tuple(spoken), lines, stated)


def call_content(markers: Markers, identifier: str) -> Content:
    """What a call says; each call has a programme, themes, an amount and deadlines of its own."""
    spoken, silent = [markers.word() for _ in range(3)], [markers.word() for _ in range(14)]
    title, programme, programme_id, call_id, call_title, topic_id, action = silent[:7]
    funder, keyword, theme, site, link, told, told_too = silent[7:]
    amount, deadlines = markers.amount(), sorted(markers.moments())
    call = made(
        identifier,
        title=f"{title.title()} {spoken[0]} for ladders",
        programme=f"Programme {programme}",
        programme_id=programme_id,
        call_id=call_id,
        call_title=call_title,
        topic_id=topic_id,
        action_types=(f"Action {action}",),
        funder=f"Fund {funder}",
        opens=brussels("2026-02-01"),
        deadlines=tuple(deadlines),
        deadline_model=DeadlineModel.CUT_OFFS,
        budget=amount,
        applicants=(Applicant.ASSOCIATION,),
        countries=("FR",),
        themes=(theme,),
        keywords=(keyword,),
        url=f"https://{site}.example/call",
        links=(Link(f"Form {link}", f"https://{site}.example/{link}"),),
    )
    lines = (
        f"The fund {spoken[1]} pays for ladders {told} that an association lends to its village.",
        f"The guarantee {spoken[2]} covers the losses {told_too} of the applicants.",
    )
    numbers = {str(amount)}.union(*map(moments, deadlines))
    named = found_in(identifier)
    return Content(frozenset((*spoken, *silent, *numbers, *named)), tuple(spoken), lines, call=call)


class ReadHere:
    """Reads files in this process: what ``ingest.workers`` guards against is not in these."""

    def __init__(self, limits: Limits, folder: object) -> None:
        del limits, folder

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Nothing is held."""

    def read(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Result]]:
        """Read files, in the order of the jobs."""
        for job in jobs:
            given = Source(job.path, job.name, job.path.read_bytes())
            try:
                yield job, reader_for(given).read(given)
            except UnreadableError as error:
                yield job, error

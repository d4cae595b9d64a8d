"""Records of calls into the draft of a run: as a new call, a new version, or nothing new.

A call may come in several files, and several times in one: all that a run finds of it is looked at
together, so that it makes one version and is told of once.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import TypeAdapter
from sqlalchemy.exc import InterfaceError, OperationalError

from ingest.calls.base import Flaw
from ingest.calls.facts import with_facts
from ingest.calls.merging import merge, records_json, records_of, with_records
from ingest.identity import slug
from ingest.metadata import carried_on
from ingest.report import FileResult, Outcome
from kb.calls.identity import MAX_IDENTIFIER, call_key
from kb.calls.news import Difference, NewsKind, compare
from kb.calls.status import said_status
from kb.model import Call, Kind, Metadata, Visibility
from kb.record.calls import PendingNews, StoredCall
from kb.record.known import KnownVersion, NewVersion
from kb.splitting import split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.calls.base import CallRecord
    from ingest.calls.merging import Merged
    from ingest.progress import Progress
    from ingest.publication import Publication
    from kb.model import Parsed

MEDIA_TYPE = "application/json"
UNCHANGED, UPDATED, REMOVED = "unchanged", "updated", "removed"
# Of several news of one call, the one under which it is counted.
TELLING = tuple(
    kind.value
    for kind in (
        NewsKind.NEW,
        NewsKind.GONE,
        NewsKind.REOPENED,
        NewsKind.CLOSED,
        NewsKind.CHANGED,
    )
)
_Texts = tuple[tuple[str | None, str], ...]
_Content = tuple[Call, _Texts, str | None]
_CONTENT: TypeAdapter[_Content] = TypeAdapter(_Content)
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
_SHOWN = 80  # characters of a title, where it stands for an identifier that is none


@dataclass(slots=True)
class CallCounts:
    """What became of the calls of one file or pull, and what of it could not be read.

    A call counts once, under the most telling of its news: reopened before changed. ``updated`` is
    one of which nothing changed that people are told of.
    """

    outcomes: dict[str, str] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)
    passages: int = 0

    def note(self, document_id: str, outcome: str) -> None:
        """Note what became of a call; what is noted last holds."""
        self.outcomes[document_id] = outcome

    @property
    def counts(self) -> Counter[str]:
        """How many calls had each outcome."""
        return Counter(self.outcomes.values())

    def as_result(self, path: str) -> FileResult:
        """The line of a report for the file that the calls were read from."""
        counts = self.counts
        if not counts:
            outcome = Outcome.FAILED if self.flaws else Outcome.UNCHANGED
            return FileResult(path, outcome, "holds no call that can be read")
        parts = [f"{count} {name}" for name, count in counts.most_common()]
        noun = "call" if counts.total() == 1 else "calls"
        said = f"{counts.total()} {noun}: {', '.join(parts)}"
        if counts[REMOVED]:
            said += "; `kb ingest --restore` takes back in what `kb remove` removed"
        new = counts[NewsKind.NEW.value]
        same = counts[UNCHANGED] + counts[REMOVED] == counts.total()
        outcome = Outcome.ADDED if new else Outcome.UNCHANGED if same else Outcome.UPDATED
        return FileResult(path, outcome, said, passages=self.passages)


@dataclass(frozen=True, slots=True)
class Origin:
    """The file or address that records were read from, what is stated of it, and its counts."""

    path: str
    stated: Metadata
    counts: CallCounts


@dataclass(slots=True)
class _Found:
    """What a run has found of one call: records, and where they come from, in that order."""

    records: list[CallRecord] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)

    @property
    def stated(self) -> Metadata:
        """What is stated of the call; of several statements on who may see it the narrowest."""
        stated = Metadata()
        for origin in self.origins:
            stated = stated.overlaid(origin.stated)
        said = [each.stated.visibility for each in self.origins if each.stated.visibility]
        return replace(stated, visibility=max(said, key=list(Visibility).index, default=None))


@dataclass(frozen=True, slots=True)
class _Before:
    """A call before this run: its versions, what is known of it, and its texts."""

    versions: tuple[KnownVersion, ...] = ()
    stored: StoredCall | None = None
    records: tuple[CallRecord, ...] = ()

    @property
    def current(self) -> KnownVersion | None:
        """The version that was current."""
        return next((version for version in self.versions if version.current), None)


class CallPlacing:
    """Takes the records of a run, and places the calls at its end in the publication."""

    def __init__(self, publication: Publication, *, restore: bool) -> None:
        self._publication = publication
        self._draft = publication.draft
        self._restore = restore
        self._now = publication.kb.clock()
        self._found: dict[str, _Found] = {}

    def take(self, record: CallRecord, origin: Origin) -> None:
        """Note a record; nothing is placed yet."""
        length = len(record.call.identifier.strip())
        if not 0 < length <= MAX_IDENTIFIER:
            problem = f"identifier has {length} characters; 1 to {MAX_IDENTIFIER} are taken"
            origin.counts.flaws.append(Flaw(record.call.title[:_SHOWN], problem))
            return
        document_id, _ = call_ids(record.call.identifier)
        found = self._found.setdefault(document_id, _Found())
        found.records.append(record)
        if not any(each is origin for each in found.origins):
            found.origins.append(origin)

    def place(self, progress: Progress) -> Counter[str]:
        """Place every call of which records were taken; returns how many had each outcome."""
        outcomes: Counter[str] = Counter()
        progress.begin("placing calls", len(self._found))
        for document_id, found in self._found.items():
            outcome = self._guarded(document_id, found)
            if outcome is not None:
                outcomes[outcome] += 1
                for origin in found.origins:
                    origin.counts.note(document_id, outcome)
            progress.advance(1, found.records[0].call.identifier)
        self._found = {}
        return outcomes

    def _guarded(self, document_id: str, found: _Found) -> str | None:
        """Place a call; an odd one must not end the run."""
        try:
            return self._place(document_id, found)
        except (OperationalError, InterfaceError, OSError):
            raise  # the store, not the call
        except Exception as error:  # noqa: BLE001 -- as above
            identifier = found.records[0].call.identifier
            problem = f"could not be taken in: {type(error).__name__}: {error}"
            for origin in found.origins:
                origin.counts.flaws.append(Flaw(identifier, problem))
            return None

    def _place(self, document_id: str, found: _Found) -> str:
        removed = self._draft.removed(document_id) is not None
        if removed and not self._restore:
            return REMOVED
        before = self._before(document_id)
        records = with_records(before.records, found.records)
        if not records:
            return UNCHANGED
        outcome = self._compared(document_id, records, before, found)
        listing = {(record.source, record.language) for record in records}
        for record in found.records:
            if (record.source, record.language) in listing:
                self._publication.check(document_id, record.source, record.language, record.checked)
        if removed:
            self._publication.restore(document_id)
        return UPDATED if removed and outcome == UNCHANGED else outcome

    def _compared(
        self, document_id: str, records: Sequence[CallRecord], before: _Before, found: _Found
    ) -> str:
        """Write what is new of a call; returns the most telling of what there is to tell."""
        merged = merge(records)
        call = with_facts(merged.call, merged.own_pages, merged.language)
        seen = before.stored.call.first_seen if before.stored else None
        call = replace(call, first_seen=seen or self._now)
        current = before.current
        metadata = _metadata(call, merged, found.stated, current)
        sha256 = _content_hash(call, merged.texts)
        if current is not None and current.sha256 == sha256:
            if metadata != current.metadata:
                self._publication.change(current, metadata, list(before.versions))
                self._tell(document_id, sha256, (current, metadata), ())
                return UPDATED
            return UNCHANGED
        last = found.origins[-1]
        version = self._version(document_id, merged, metadata, sha256, last.path)
        told = self._differences(before, call, merged)
        stored = StoredCall(call, records_json(records))
        last.counts.passages += self._write(version, merged.parsed, stored, before)
        self._tell(document_id, sha256, (current, metadata), told)
        return min((each.kind.value for each in told), key=TELLING.index, default=UPDATED)

    def _tell(
        self,
        document_id: str,
        sha256: str,
        states: tuple[KnownVersion | None, Metadata],
        told: Sequence[Difference],
    ) -> None:
        """Note the news of a call; to those who could not see it before, all of it is new."""
        before, now = states
        shown_to = now.visibility or Visibility.PUBLIC
        was_shown_to = before.metadata.visibility if before else shown_to
        both = max(shown_to, was_shown_to or shown_to, key=list(Visibility).index)
        news = [(both, difference) for difference in told]
        if both is not shown_to:
            news.append((shown_to, Difference(NewsKind.NEW)))
        identifier = now.identifier or document_id
        self._publication.news += [
            PendingNews(document_id, identifier, visibility, sha256, difference)
            for visibility, difference in news
        ]

    def _differences(self, before: _Before, call: Call, merged: Merged) -> list[Difference]:
        """What is new of a call.

        What was known is read again from what its sources said: rules that have become better since
        are no news.
        """
        if not before.records:
            return compare(None, call, self._now)
        old = merge(before.records)
        known = with_facts(old.call, old.own_pages, old.language)
        return compare(known, call, self._now, text_changed=old.texts != merged.texts)

    def _write(
        self, version: NewVersion, parsed: Parsed, stored: StoredCall, before: _Before
    ) -> int:
        metadata = version.metadata
        passages = split(
            parsed,
            version.document_id,
            version.number,
            metadata.title or "",
            self._publication.kb.encoder.count_tokens,
            language=metadata.language,
        )
        self._draft.add(version, parsed.pages, passages, current=True, call=stored)
        self._publication.changed = True
        self._publication.reindexed.add(version.document_id)
        self._publication.narrow(version.document_id, metadata, list(before.versions))
        return len(passages)

    def _version(
        self, document_id: str, merged: Merged, metadata: Metadata, sha256: str, source: str
    ) -> NewVersion:
        return NewVersion(
            document_id=document_id,
            work=call_ids(merged.call.identifier)[1],
            number=self._draft.next_number(document_id),
            sha256=sha256,
            original=None,
            media_type=MEDIA_TYPE,
            source=source,
            paged=merged.parsed.paged,
            warnings=(),
            metadata=metadata,
        )

    def _before(self, document_id: str) -> _Before:
        versions = tuple(self._draft.known_versions(document_id))
        current = _Before(versions).current
        stored = None if current is None else self._draft.call(current.key)
        return _Before(versions, stored, records_of(stored.records) if stored else ())


def _metadata(
    call: Call, merged: Merged, stated: Metadata, current: KnownVersion | None
) -> Metadata:
    metadata = Metadata(
        title=call.title,
        issuer=call.funder,
        language=merged.language,
        kind=Kind.CALL,
        visibility=stated.visibility or Visibility.PUBLIC,
        themes=stated.themes,
        collections=stated.collections,
        identifier=call.identifier,
        licence=merged.licence or stated.licence,
        url=call.url,
    )
    if current is None:
        return metadata
    kept = replace(current.metadata, issuer=None, licence=None, kind=None)
    return carried_on(metadata, stated, kept)


def call_ids(identifier: str) -> tuple[str, str]:
    """The ids of the document and work of a call; one document holds all its languages.

    They derive from ``call_key``: what that tells apart has ids of its own, accents too.
    """
    key = call_key(identifier)
    if re.fullmatch(r"[a-z0-9-]{1,80}", key):
        return key, key
    digest = hashlib.sha256(key.encode()).hexdigest()[:8]
    work = f"{slug(key)}-{digest}".strip("-")
    return work, work


def _content_hash(call: Call, texts: _Texts) -> str:
    """A digest of what a version of a call says, whenever its sources were checked.

    Which of two sources is believed depends on that, so the word that is believed is part of it.
    """
    sources = tuple(replace(source, checked=_NEVER) for source in call.sources)
    content = (replace(call, sources=sources, first_seen=None), texts, said_status(call))
    return hashlib.sha256(_CONTENT.dump_json(content)).hexdigest()

"""Records of calls into the draft of a run: as a new call, a new version, or nothing new."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from ingest.calls.facts import with_facts
from ingest.calls.merging import merge, records_json, records_of, with_record
from ingest.identity import identify
from ingest.metadata import carried_on
from ingest.report import FileResult, Outcome
from kb.calls.news import NewsKind, compare
from kb.model import Call, Kind, Metadata, Visibility
from kb.record.calls import StoredCall
from kb.record.known import KnownVersion, NewVersion
from kb.splitting import split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.calls.base import CallRecord, Flaw
    from ingest.calls.merging import Merged
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
_CONTENT: TypeAdapter[tuple[Call, _Texts]] = TypeAdapter(tuple[Call, _Texts])
_NEVER = datetime(1, 1, 1, tzinfo=UTC)


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
        parts = [f"{count} {name}" for name, count in counts.most_common()]
        said = f"{counts.total()} calls: {', '.join(parts)}"
        if not counts:
            outcome = Outcome.FAILED if self.flaws else Outcome.UNCHANGED
            return FileResult(path, outcome, "holds no call that can be read")
        new = counts[NewsKind.NEW.value]
        same = counts[UNCHANGED] + counts[REMOVED] == counts.total()
        outcome = Outcome.ADDED if new else Outcome.UNCHANGED if same else Outcome.UPDATED
        return FileResult(path, outcome, said, passages=self.passages)


@dataclass(frozen=True, slots=True)
class _State:
    """A call before this run: its versions, what is known of it, and its texts."""

    versions: tuple[KnownVersion, ...] = ()
    stored: StoredCall | None = None
    texts: _Texts = ()

    @property
    def current(self) -> KnownVersion | None:
        """The version that was current."""
        return next((version for version in self.versions if version.current), None)


class CallPlacing:
    """Takes records one by one; what it did stands in the publication and in the counts."""

    def __init__(self, publication: Publication, stated: Metadata, *, restore: bool) -> None:
        self._publication = publication
        self._draft = publication.draft
        self._stated = stated
        self._restore = restore
        self._now = publication.kb.clock()
        self._before: dict[str, _State] = {}
        # The versions that this run has written, by document.
        self._written: dict[str, int] = {}
        self._outcomes: dict[str, str] = {}

    def take(self, record: CallRecord, source: str, counts: CallCounts) -> None:
        """Place a record; ``source`` is the file or address that it was read from.

        A call that comes twice in one run is one version, compared with what was before the run.
        """
        document_id, _ = call_ids(record.call.identifier)
        removed = self._draft.removed(document_id) is not None
        if removed and not self._restore:
            counts.note(document_id, REMOVED)
            return
        before = self._state(document_id)
        stored = before.stored
        if document_id in self._written:
            stored = self._draft.call(self._written[document_id])
        known = records_of(stored.records) if stored else ()
        records = with_record(known, record)
        if records:
            key = (document_id, record.source, record.language)
            self._publication.checked[key] = record.checked
            self._outcomes[document_id] = self._place(document_id, records, before, source, counts)
            if removed:
                self._publication.restore(document_id)
        counts.note(document_id, self._outcomes.get(document_id, UNCHANGED))

    def _place(
        self,
        document_id: str,
        records: Sequence[CallRecord],
        before: _State,
        source: str,
        counts: CallCounts,
    ) -> str:
        merged = merge(records)
        call = with_facts(merged.call, merged.own_pages, merged.language)
        seen = before.stored.call.first_seen if before.stored else None
        call = replace(call, first_seen=seen or self._now)
        self._take_back(document_id, before)
        metadata = self._metadata(call, merged, before.current)
        sha256 = _content_hash(call, merged.texts)
        current = before.current
        if current is not None and current.sha256 == sha256:
            if metadata != current.metadata:
                self._publication.change(current, metadata, list(before.versions))
                return UPDATED
            return UNCHANGED
        stored = StoredCall(call, records_json(records))
        version = self._version(document_id, merged, metadata, sha256, source)
        counts.passages += self._write(version, merged.parsed, stored, before)
        old = before.stored.call if before.stored else None
        told = compare(old, call, self._now, text_changed=before.texts != merged.texts)
        self._publication.news += [(document_id, difference) for difference in told]
        return min((each.kind.value for each in told), key=TELLING.index, default=UPDATED)

    def _take_back(self, document_id: str, before: _State) -> None:
        """Undo what this run has written of a call that comes again."""
        written = self._written.pop(document_id, None)
        if written is None:
            return
        current = before.current
        self._draft.take_back(written, current.key if current else None)
        publication = self._publication
        publication.news = [each for each in publication.news if each[0] != document_id]
        if current is None:
            publication.reindexed.discard(document_id)

    def _write(
        self, version: NewVersion, parsed: Parsed, stored: StoredCall, before: _State
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
        key = self._draft.add(version, parsed.pages, passages, current=True, call=stored)
        self._written[version.document_id] = key
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

    def _metadata(self, call: Call, merged: Merged, current: KnownVersion | None) -> Metadata:
        metadata = Metadata(
            title=call.title,
            issuer=call.funder,
            language=merged.language,
            kind=Kind.CALL,
            visibility=self._stated.visibility or Visibility.PUBLIC,
            themes=self._stated.themes,
            identifier=call.identifier,
            licence=merged.licence or self._stated.licence,
            url=call.url,
        )
        if current is None:
            return metadata
        kept = replace(current.metadata, issuer=None, licence=None, kind=None)
        return carried_on(metadata, self._stated, kept)

    def _state(self, document_id: str) -> _State:
        """What a call was before this run, as it is first asked for in the run."""
        if document_id not in self._before:
            versions = tuple(self._draft.known_versions(document_id))
            state = _State(versions)
            if state.current is not None:
                stored = self._draft.call(state.current.key)
                texts = merge(records_of(stored.records)).texts if stored else ()
                state = _State(versions, stored, texts)
            self._before[document_id] = state
        return self._before[document_id]


def call_ids(identifier: str) -> tuple[str, str]:
    """The ids of the document and work of a call; one document holds all its languages."""
    work = identify(Metadata(identifier=identifier.strip()), "", "")[1]
    return work, work


def _content_hash(call: Call, texts: _Texts) -> str:
    """A digest of what a version of a call says, whenever its sources were checked."""
    sources = tuple(replace(source, checked=_NEVER) for source in call.sources)
    content = replace(call, sources=sources, first_seen=None)
    return hashlib.sha256(_CONTENT.dump_json((content, texts))).hexdigest()

"""What a run is about to publish: its draft, and what is to be indexed, told and withdrawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.report import FileResult, Outcome
from kb.index.build import write_passages
from kb.lock import keeping_lock
from kb.model import Visibility
from kb.record.writing import Draft

if TYPE_CHECKING:
    from datetime import datetime

    from ingest.progress import Progress
    from kb.bootstrap import KnowledgeBase
    from kb.model import Metadata
    from kb.record.calls import PendingNews
    from kb.record.known import KnownSource, KnownVersion


class Publication:
    """A generation under way; the caller holds the writer lock."""

    def __init__(self, kb: KnowledgeBase) -> None:
        self.kb = kb
        self.draft = Draft(kb.engine, kb.encoder.name, kb.clock())
        self.changed = False
        self.reindexed: set[str] = set()
        self.withdrawn: set[str] = set()
        self.restored: set[str] = set()
        self.metadata: dict[int, Metadata] = {}
        self.narrowed: dict[str, Visibility] = {}
        self.news: list[PendingNews] = []
        self.checked: dict[tuple[str, str, str], datetime] = {}

    def change(self, version: KnownVersion, metadata: Metadata, known: list[KnownVersion]) -> None:
        """Put new metadata on a version; who may see it narrows in every generation."""
        self.changed = True
        self.metadata[version.key] = metadata
        self.draft.show(version.key, metadata.visibility or Visibility.PUBLIC)
        if version.current:
            self.reindexed.add(version.document_id)
            self.narrow(version.document_id, metadata, known)

    def check(self, document_id: str, source: str, language: str, moment: datetime) -> None:
        """Note that a source of a call was looked at; the latest moment counts."""
        key = (document_id, source, language)
        self.checked[key] = max(moment, self.checked.get(key, moment))

    def narrow(self, document_id: str, metadata: Metadata, known: list[KnownVersion]) -> None:
        """Have no older version seen by more people than the current one."""
        visibility = metadata.visibility or Visibility.PUBLIC
        if any(version.metadata.visibility in visibility.wider() for version in known):
            self.narrowed[document_id] = visibility

    def restore(self, document_id: str) -> None:
        """Take the removal of a document back."""
        self.changed = True
        self.restored.add(document_id)
        self.reindexed.add(document_id)

    def withdraw(self, source: KnownSource, reason: str) -> FileResult:
        """Leave a document out that has lost its last file; returns the line that says so."""
        self.draft.withdraw(source.document_id)
        self.withdrawn.add(source.document_id)
        self.reindexed.discard(source.document_id)
        return FileResult(source.path, Outcome.WITHDRAWN, reason, source.document_id, source.number)

    def publish(self, progress: Progress) -> int | None:
        """Write the index and make the generation current; nothing if nothing has changed."""
        draft = self.draft
        if not self.changed:
            draft.discard()
        else:
            self._write_index(progress)
            # In one piece: a backup of the record alone would leave older generations as wide as
            # they were.
            with keeping_lock(self.kb.settings.keeping_lock):
                collections = draft.publish(
                    self.metadata, sorted(self.restored), self.narrowed, self.news
                )
                self._narrow_kept()
                self._collect_kept(collections)
        draft.note_checks(self.checked)
        return draft.id if self.changed else None

    def discard(self) -> None:
        """Forget everything; nothing was published."""
        self.draft.discard()

    def _write_index(self, progress: Progress) -> None:
        kb, draft = self.kb, self.draft
        writer = kb.index.writer(draft.id, draft.parent)
        try:
            # Removed ones too: a crash in the middle of a removal leaves their points behind.
            gone = self.withdrawn | self.reindexed | draft.removed_documents()
            if gone:
                writer.drop(sorted(gone))
            progress.begin("indexing", draft.count_passages(sorted(self.reindexed)))
            documents = draft.current_documents(sorted(self.reindexed), self.metadata)
            write_passages(writer, kb.encoder, documents, progress.advance)
            writer.finish()
        except BaseException:
            writer.abort()
            raise

    def _narrow_kept(self) -> None:
        for generation in self.kb.record.kept():
            if generation.id != self.draft.id:
                for visibility in set(self.narrowed.values()):
                    ids = [key for key, value in self.narrowed.items() if value is visibility]
                    self.kb.index.narrow(generation.id, ids, visibility)

    def _collect_kept(self, changed: dict[str, set[str]]) -> None:
        """Have older generations put documents into the collections that they are in now."""
        together: dict[frozenset[str], list[str]] = {}
        for document_id, names in changed.items():
            together.setdefault(frozenset(names), []).append(document_id)
        for generation in self.kb.record.kept():
            if generation.id != self.draft.id:
                for within, ids in together.items():
                    held = self.kb.record.held(generation.id, ids)
                    if held:
                        self.kb.index.collect(generation.id, held, within)

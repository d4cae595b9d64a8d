"""One ingest run: files to a new published generation, or to nothing at all."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from ingest.files import digest, find, keep, sweep
from ingest.identity import identify, is_newest, same_content
from ingest.metadata import Sidecars, complete, stated_fingerprint
from ingest.progress import Progress
from ingest.report import FileResult, Outcome, Report, shown
from ingest.splitting import split
from ingest.workers import Job, Limits, Workers
from kb.errors import KnowledgeBaseError, UnreadableError, UnsupportedError, UsageError
from kb.index.build import write_passages
from kb.lock import writer_lock
from kb.maintenance import discard_unused
from kb.model import Metadata, Visibility
from kb.record.known import KnownSource, KnownVersion, NewVersion, wider
from kb.record.writing import Draft

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.files import Found
    from kb.bootstrap import KnowledgeBase
    from kb.model import Parsed

# Part of every file's fingerprint: raise it when readers or splitting change, and files that have
# not changed are read again.
READING = 1

_REMOVED = "was removed with `kb remove`; `kb ingest --restore` takes it back in"


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller of a run may say."""

    metadata: Metadata = field(default_factory=Metadata)
    password: str | None = None
    prune: bool = False
    restore: bool = False


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A file that is being read."""

    path: str
    sha256: str
    original: str
    fingerprint: str
    stated: Metadata
    named: bool
    job: Job


def ingest(
    kb: KnowledgeBase,
    paths: Sequence[Path],
    options: Options | None = None,
    progress: Progress | None = None,
) -> Report:
    """Ingest files and folders and publish what changed as one generation.

    Raises:
        StoreError: Another run is writing, or the store can't be used.
        UsageError: A ``metadata.yaml`` can't be understood.
    """
    started = time.monotonic()
    kb.check_encoder()
    with writer_lock(kb.settings.lock):
        run = _Run(kb, options or Options(), progress or Progress())
        try:
            run.read(find(paths))
            if run.options.prune:
                run.prune(paths)
            run.publish()
        except BaseException:
            run.draft.discard()
            raise
        finally:
            _tidy(kb)
    run.report.seconds = time.monotonic() - started
    return run.report


def _tidy(kb: KnowledgeBase) -> None:
    discard_unused(kb)
    sweep(kb.settings.originals, kb.record.all_originals())


class _Run:
    """The state of one run: its draft, its report, and what is to be indexed at its end."""

    def __init__(self, kb: KnowledgeBase, options: Options, progress: Progress) -> None:
        self.kb = kb
        self.options = options
        self.progress = progress
        self.report = Report()
        self.draft = Draft(kb.engine, kb.encoder.name, kb.clock())
        self.sidecars = Sidecars()
        self.changed = False
        self.reindexed: set[str] = set()
        self.withdrawn: set[str] = set()
        self.restored: set[str] = set()
        self.metadata: dict[int, Metadata] = {}
        self.narrowed: dict[str, Visibility] = {}

    def read(self, found: Sequence[Found]) -> None:
        """Read every file that is new or has changed; each ends in a line of the report."""
        settings = self.kb.settings
        limits = Limits(settings.workers, settings.worker_seconds, settings.worker_memory_mb)
        self.progress.begin("reading", len(found))
        pending: deque[_Waiting] = deque()  # results come in the order of the jobs
        with Workers(limits, self.kb.settings.home) as workers:
            for _, result in workers.read(self._jobs(found, pending)):
                self._note(self._take(pending.popleft(), result))

    def prune(self, paths: Sequence[Path]) -> None:
        """Withdraw the documents all of whose files have vanished from the ingested folders."""
        folders = [Path(os.path.abspath(path)) for path in paths if Path(path).is_dir()]  # noqa: PTH100
        known = self.draft.sources()
        vanished = [
            source
            for source in known
            if any(folder in Path(source.path).parents for folder in folders)
            and not os.path.lexists(source.path)
        ]
        for source in vanished:
            self.changed = True
            self.draft.forget(source.path)
        kept = {source.document_id for source in known if source not in vanished}
        for source in vanished:
            if source.document_id not in kept | self.withdrawn:
                self.draft.withdraw(source.document_id)
                self.withdrawn.add(source.document_id)
                self.report.files.append(_withdrawn(source))

    def publish(self) -> None:
        """Write the index of this generation and make it current, if anything changed."""
        if not self.changed:
            self.draft.discard()
            return
        kb, draft = self.kb, self.draft
        writer = kb.index.writer(draft.id, draft.parent)
        try:
            # Removed ones too: a crash in the middle of a removal leaves their points behind.
            gone = self.withdrawn | self.reindexed | draft.removed_documents()
            if gone:
                writer.drop(sorted(gone))
            documents = list(draft.current_documents(sorted(self.reindexed), self.metadata))
            self.progress.begin("indexing", sum(len(found) for _, found in documents))
            write_passages(writer, kb.encoder, documents, self.progress.advance)
            writer.finish()
        except BaseException:
            writer.abort()
            raise
        draft.publish(self.metadata, sorted(self.restored), self.narrowed)
        for generation in kb.record.kept():
            if generation.id != draft.id:
                for document_id, visibility in self.narrowed.items():
                    kb.index.narrow(generation.id, document_id, visibility)
        self.report.generation = draft.id

    def _jobs(self, found: Sequence[Found], pending: deque[_Waiting]) -> Iterator[Job]:
        for item in found:
            waiting = self._begin(item)
            if isinstance(waiting, FileResult):
                self._note(waiting)
            else:
                pending.append(waiting)
                yield waiting.job

    def _begin(self, item: Found) -> _Waiting | FileResult:
        """Look whether a file is known; if not, keep a copy of it to read."""
        path, settings = str(item.path), self.kb.settings
        if item.problem:
            return FileResult(path, Outcome.FAILED, item.problem)
        try:
            stated = self.sidecars.of(item.path).overlaid(self.options.metadata)
            sha256 = digest(item.path, settings.max_file_mb)
            known = self.draft.source(path)
            if known is not None and known.fingerprint == _fingerprint(sha256, stated):
                if not known.removed:
                    return FileResult(path, Outcome.UNCHANGED, "", known.document_id, known.number)
                if not self.options.restore:
                    return FileResult(path, Outcome.SKIPPED, _REMOVED, known.document_id)
            sha256, original = keep(item.path, settings.originals, settings.max_file_mb)
        except (UnreadableError, UsageError) as error:
            return FileResult(path, Outcome.FAILED, str(error))
        job = Job(settings.originals / original, shown(item.path.name), self.options.password)
        fingerprint = _fingerprint(sha256, stated)
        return _Waiting(path, sha256, original, fingerprint, stated, item.named, job)

    def _take(self, waiting: _Waiting, result: Parsed | UnreadableError) -> FileResult:
        """Decide what a file that was read is: new, a new version, or a known one."""
        if isinstance(result, UnreadableError):
            passed_over = isinstance(result, UnsupportedError) and not waiting.named
            outcome = Outcome.SKIPPED if passed_over else Outcome.FAILED
            return FileResult(waiting.path, outcome, str(result))
        try:
            return self._store(waiting, result)
        except KnowledgeBaseError as error:
            return FileResult(waiting.path, Outcome.FAILED, str(error))
        except (SQLAlchemyError, OSError):
            raise  # the store, not the file
        except Exception as error:  # noqa: BLE001 -- one odd file must not end the run
            reason = f"could not be taken in: {type(error).__name__}: {error}"
            return FileResult(waiting.path, Outcome.FAILED, reason)

    def _store(self, waiting: _Waiting, parsed: Parsed) -> FileResult:
        metadata = complete(parsed, waiting.stated, waiting.path)
        document_id, work = identify(metadata, waiting.path, metadata.language or "fr")
        if self.draft.removed(document_id) is not None:
            if not self.options.restore:
                return FileResult(waiting.path, Outcome.SKIPPED, _REMOVED, document_id)
            self.restored.add(document_id)
        known = self.draft.known_versions(document_id)
        copied = None if known else self.draft.removed_content(waiting.sha256)
        if copied is not None and not self.options.restore:
            return FileResult(waiting.path, Outcome.SKIPPED, _REMOVED, copied)
        same = same_content(waiting.sha256, known)
        self.changed = True
        if same is not None:
            return self._update_metadata(waiting, metadata, same, known)
        twin = self.draft.twin(waiting.sha256, metadata.visibility or Visibility.PUBLIC)
        if twin is not None and not known:
            self._remember(waiting, twin.key, indexed=False)
            reason = f"the same file as {shown(twin.source)}"
            return FileResult(waiting.path, Outcome.SKIPPED, reason, twin.document_id, twin.number)
        other = self._other_format(waiting, metadata, known)
        if other is not None:
            self._remember(waiting, other.key, indexed=False)
            reason = f"another format of {document_id}, version {other.number}"
            return FileResult(waiting.path, Outcome.SKIPPED, reason, document_id, other.number)
        return self._add(waiting, parsed, metadata, NewId(document_id, work), known)

    def _add(
        self,
        waiting: _Waiting,
        parsed: Parsed,
        metadata: Metadata,
        identity: NewId,
        known: list[KnownVersion],
    ) -> FileResult:
        number = self.draft.next_number(identity.document_id)
        passages = split(
            parsed,
            identity.document_id,
            number,
            metadata.title or "",
            self.kb.encoder.count_tokens,
            language=metadata.language,
        )
        current = is_newest(metadata, known)
        version = NewVersion(
            document_id=identity.document_id,
            work=identity.work,
            number=number,
            sha256=waiting.sha256,
            original=waiting.original,
            media_type=mimetypes.guess_type(waiting.job.name)[0] or "application/octet-stream",
            source=waiting.path,
            paged=parsed.paged,
            warnings=parsed.warnings,
            metadata=metadata,
        )
        key = self.draft.add(version, parsed.pages, passages, current=current)
        self._remember(waiting, key, indexed=True)
        if current:
            self.reindexed.add(identity.document_id)
            self._narrow(identity.document_id, metadata, known)
        return FileResult(
            waiting.path,
            Outcome.UPDATED if known else Outcome.ADDED,
            "" if current else "an older version than the current one",
            identity.document_id,
            number,
            len(parsed.pages),
            len(passages),
            parsed.warnings,
        )

    def _update_metadata(
        self,
        waiting: _Waiting,
        metadata: Metadata,
        same: KnownVersion,
        known: list[KnownVersion],
    ) -> FileResult:
        """Put new metadata on a known version; who may see it narrows in every generation."""
        self._remember(waiting, same.key, indexed=True)
        self.metadata[same.key] = metadata
        if same.current:
            self.reindexed.add(same.document_id)
            self._narrow(same.document_id, metadata, known)
        return FileResult(waiting.path, Outcome.UPDATED, "metadata", same.document_id, same.number)

    def _narrow(self, document_id: str, metadata: Metadata, known: list[KnownVersion]) -> None:
        """Have no older version seen by more people than the current one."""
        visibility = metadata.visibility or Visibility.PUBLIC
        if any(version.visibility in wider(visibility) for version in known):
            self.narrowed[document_id] = visibility

    def _other_format(
        self, waiting: _Waiting, metadata: Metadata, known: list[KnownVersion]
    ) -> KnownVersion | None:
        """The version that this file is another format of, if it is one."""
        mine = self.draft.source(waiting.path)
        for version in known:
            replaced = mine is not None and mine.version_key == version.key and mine.indexed
            if version.version_date == metadata.version_date and not replaced:
                elsewhere = version.source != waiting.path and os.path.lexists(version.source)
                return version if elsewhere else None
        return None

    def _remember(self, waiting: _Waiting, key: int, *, indexed: bool) -> None:
        self.draft.remember(waiting.path, waiting.fingerprint, key, indexed=indexed)

    def _note(self, result: FileResult) -> None:
        self.report.files.append(result)
        self.progress.advance(1, result.path)


@dataclass(frozen=True, slots=True)
class NewId:
    """A document's id and that of its work."""

    document_id: str
    work: str


def _fingerprint(sha256: str, stated: Metadata) -> str:
    whole = f"{READING}\n{sha256}\n{stated_fingerprint(stated)}"
    return hashlib.sha256(whole.encode()).hexdigest()


def _withdrawn(source: KnownSource) -> FileResult:
    reason = "the file has vanished"
    return FileResult(source.path, Outcome.WITHDRAWN, reason, source.document_id, source.number)

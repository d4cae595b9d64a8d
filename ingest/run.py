"""One ingest run: files to a new published generation, or to nothing at all."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import time
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from ingest.calls.files import CallFiles
from ingest.calls.saved import BESIDE, recognise
from ingest.files import digest, find, keep
from ingest.identity import identify, is_newest, same_content
from ingest.metadata import Sidecars, carried_on, changes, complete
from ingest.progress import Progress
from ingest.publication import Publication
from ingest.report import FileResult, Outcome, Report, shown
from ingest.workers import Job, Limits, ReadCalls, SavedCalls, Workers
from kb.errors import KnowledgeBaseError, UnreadableError, UnsupportedError, UsageError
from kb.lock import writer_lock
from kb.maintenance import discard_unused, sweep_originals
from kb.model import Metadata, Visibility
from kb.record.known import KnownSource, KnownVersion, NewVersion
from kb.splitting import split

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
    """What the caller of a run may say.

    ``checked`` is when saved answers of sources of calls were obtained; without it, each file's
    own date counts.
    """

    metadata: Metadata = field(default_factory=Metadata)
    password: str | None = None
    prune: bool = False
    restore: bool = False
    checked: datetime | None = None


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
    """
    started = time.monotonic()
    kb.check_encoder()
    with writer_lock(kb.settings.lock):
        run = _Run(kb, options or Options(), progress or Progress())
        try:
            run.read(find(paths))
            if run.options.prune:
                run.prune(paths)
            run.report.generation = run.publication.publish(run.progress)
        except BaseException:
            run.publication.discard()
            raise
        finally:
            _tidy(kb)
    run.report.seconds = time.monotonic() - started
    return run.report


def _tidy(kb: KnowledgeBase) -> None:
    discard_unused(kb)
    sweep_originals(kb)


class _Run:
    """The state of one run: its draft, its report, and what is to be indexed at its end."""

    def __init__(self, kb: KnowledgeBase, options: Options, progress: Progress) -> None:
        self.kb = kb
        self.options = options
        self.progress = progress
        self.report = Report()
        self.publication = Publication(kb)
        self.draft = self.publication.draft
        self.sidecars = Sidecars()
        self.calls = CallFiles(self.publication, restore=options.restore)

    def read(self, found: Sequence[Found]) -> None:
        """Read every file that is new or has changed; each ends in a line of the report."""
        self._read(found)
        left = {each.path for each in self.draft.sources() if _has_lost_its_original(each)}
        again = [item for item in found if str(item.path) in left]
        if again:
            self.report.files = [each for each in self.report.files if each.path not in left]
            self._read(again)
        results, self.report.calls = self.calls.place(self.progress)
        self.report.files += results

    def _read(self, found: Sequence[Found]) -> None:
        settings = self.kb.settings
        limits = Limits(settings.workers, settings.worker_seconds, settings.worker_memory_mb)
        self.progress.begin("reading", len(found))
        pending: deque[_Waiting] = deque()  # results come in the order of the jobs
        with Workers(limits, self.kb.settings.home) as workers:
            for _, result in workers.read(self._jobs(found, pending)):
                waiting = pending.popleft()
                if isinstance(result, ReadCalls):
                    self.calls.take(waiting.path, waiting.stated, result.records())
                    self.progress.advance(1, waiting.path)
                else:
                    self._note(self._take(waiting, result))

    def prune(self, paths: Sequence[Path]) -> None:
        """Withdraw the documents all of whose files have vanished from the ingested folders."""
        folders = [Path(os.path.abspath(path)) for path in paths if Path(path).is_dir()]  # noqa: PTH100
        known = self.draft.sources()
        vanished = [
            source
            for source in known
            if any(folder in Path(source.path).parents for folder in folders)
            and _has_vanished(source.path)
        ]
        for source in vanished:
            self.publication.changed = True
            self.draft.forget(source.path)
        kept = {source.document_id for source in known if source not in vanished}
        for source in vanished:
            if source.document_id not in kept | self.publication.withdrawn:
                lost = self.publication.withdraw(source, "the file has vanished")
                self.report.files.append(lost)

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
            form = recognise(item.path, item.path.name)
            if known is not None and _is_unchanged(known, _fingerprint(sha256), stated):
                if known.removed and not self.options.restore:
                    return FileResult(path, Outcome.SKIPPED, _REMOVED, known.document_id)
                if not known.removed and form is None:
                    return FileResult(path, Outcome.UNCHANGED, "", known.document_id, known.number)
            sha256, original = keep(item.path, settings.originals, settings.max_file_mb)
        except (UnreadableError, UsageError) as error:
            return FileResult(path, Outcome.FAILED, str(error))
        saved = None if form is None else SavedCalls(form, self._checked(item))
        # A list whose texts lie beside it is read where it is, everything else from its copy.
        read_at = item.path if form in BESIDE else settings.originals / original
        job = Job(read_at, shown(item.path.name), self.options.password, saved)
        return _Waiting(path, sha256, original, _fingerprint(sha256), stated, item.named, job)

    def _checked(self, item: Found) -> datetime:
        """When a saved answer was given by its source, as far as is known."""
        now = self.kb.clock()
        try:
            modified = datetime.fromtimestamp(item.path.stat().st_mtime, UTC)
        except OSError:  # it has gone meanwhile; its copy is read
            modified = now
        return self.options.checked or min(modified, now)

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
        restoring = self.draft.removed(document_id) is not None
        if restoring and not self.options.restore:
            return FileResult(waiting.path, Outcome.SKIPPED, _REMOVED, document_id)
        known = self.draft.known_versions(document_id)
        copied = None if known else self.draft.removed_content(waiting.sha256)
        if copied is not None and not self.options.restore:
            return FileResult(waiting.path, Outcome.SKIPPED, _REMOVED, copied)
        current = next((version for version in known if version.current), None)
        if current is not None:
            metadata = carried_on(metadata, waiting.stated, current.metadata)
        result = self._place(waiting, parsed, metadata, NewId(document_id, work), known)
        if restoring:
            self.publication.restore(document_id)
        return result

    def _place(
        self,
        waiting: _Waiting,
        parsed: Parsed,
        metadata: Metadata,
        identity: NewId,
        known: list[KnownVersion],
    ) -> FileResult:
        """Find what a file is to the versions that are there: one of them, a copy, or a new one."""
        same = same_content(waiting.sha256, known)
        if same is not None:
            return self._update_metadata(waiting, metadata, same, known)
        twin = self.draft.twin(waiting.sha256, metadata)
        if twin is not None and not known and twin.source != waiting.path:
            self._remember(waiting, twin.key, twin.document_id, indexed=False)
            reason = f"the same file as {shown(twin.source)}"
            return FileResult(waiting.path, Outcome.SKIPPED, reason, twin.document_id, twin.number)
        other = self._other_format(waiting, metadata, known)
        if other is None:
            return self._add(waiting, parsed, metadata, identity, known)
        self._remember(waiting, other.key, other.document_id, indexed=False)
        said = waiting.stated.visibility
        if said and said in _narrower(other):
            self.publication.change(other, replace(other.metadata, visibility=said), known)
        reason = f"another format of {other.document_id}, version {other.number}"
        return FileResult(waiting.path, Outcome.SKIPPED, reason, other.document_id, other.number)

    def _add(
        self,
        waiting: _Waiting,
        parsed: Parsed,
        metadata: Metadata,
        identity: NewId,
        known: list[KnownVersion],
    ) -> FileResult:
        current = is_newest(metadata, known)
        if not current:
            metadata = replace(metadata, visibility=_narrowest(metadata, known))
        number = self.draft.next_number(identity.document_id)
        passages = split(
            parsed,
            identity.document_id,
            number,
            metadata.title or "",
            self.kb.encoder.count_tokens,
            language=metadata.language,
        )
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
        self.publication.changed = True
        self._remember(waiting, key, identity.document_id, indexed=True)
        if current:
            self.publication.reindexed.add(identity.document_id)
            self.publication.narrow(identity.document_id, metadata, known)
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
        # Said of these words alone: the end of one version does not end the next.
        metadata = replace(metadata, valid_until=metadata.valid_until or same.metadata.valid_until)
        self._remember(waiting, same.key, same.document_id, indexed=True)
        outcome, reason = Outcome.UNCHANGED, ""
        if metadata != same.metadata:
            self.publication.change(same, metadata, known)
            outcome, reason = Outcome.UPDATED, changes(same.metadata, metadata)
        return FileResult(waiting.path, outcome, reason, same.document_id, same.number)

    def _other_format(
        self, waiting: _Waiting, metadata: Metadata, known: list[KnownVersion]
    ) -> KnownVersion | None:
        """The version that this file is another format of, if it is one."""
        mine = self.draft.source(waiting.path)
        for version in known:
            replaced = mine is not None and mine.version_key == version.key and mine.indexed
            if version.metadata.version_date == metadata.version_date and not replaced:
                elsewhere = version.source != waiting.path and os.path.lexists(version.source)
                return version if elsewhere else None
        return None

    def _remember(self, waiting: _Waiting, key: int, document_id: str, *, indexed: bool) -> None:
        """Note where a version came from; a document that has lost its last file is withdrawn."""
        before = self.draft.source(waiting.path)
        now = (waiting.fingerprint, key, indexed)
        if before and (before.fingerprint, before.version_key, before.indexed) == now:
            return
        self.publication.changed = True
        self.draft.remember(waiting.path, waiting.fingerprint, key, indexed=indexed)
        if before and before.document_id != document_id:
            left = {source.document_id for source in self.draft.sources()}
            if before.document_id not in left:
                lost = self.publication.withdraw(before, "its file is another document now")
                self.report.files.append(lost)

    def _note(self, result: FileResult) -> None:
        self.report.files.append(result)
        self.progress.advance(1, result.path)


@dataclass(frozen=True, slots=True)
class NewId:
    """A document's id and that of its work."""

    document_id: str
    work: str


def _fingerprint(sha256: str) -> str:
    return hashlib.sha256(f"{READING}\n{sha256}".encode()).hexdigest()


def _is_unchanged(known: KnownSource, fingerprint: str, stated: Metadata) -> bool:
    """Whether a file holds what it held and nothing new is said of it."""
    if known.fingerprint != fingerprint or known.metadata.overlaid(stated) != known.metadata:
        return False
    return not _has_lost_its_original(known)


def _has_lost_its_original(known: KnownSource) -> bool:
    """Whether a file is a copy of another that has changed since: its text is its own now."""
    is_copy = not known.indexed and known.fingerprint == _fingerprint(known.sha256)
    return is_copy and not known.current


def _has_vanished(path: str) -> bool:
    """Whether a file is gone, not only out of reach for the moment."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _narrower(version: KnownVersion) -> tuple[Visibility, ...]:
    """The visibilities by which fewer people see a document than this version shows it to."""
    shown_to = version.metadata.visibility or Visibility.PUBLIC
    return tuple(visibility for visibility in Visibility if shown_to in visibility.wider())


def _narrowest(metadata: Metadata, known: list[KnownVersion]) -> Visibility:
    """What an older version may be shown to: no more people than the current one."""
    said = [version.metadata.visibility for version in known if version.current]
    found = [visibility for visibility in (metadata.visibility, *said) if visibility]
    return max(found, key=list(Visibility).index, default=Visibility.PUBLIC)

"""Keeping the store sound: removal, rollback, and the check of index against record."""

from __future__ import annotations

import logging
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from kb.errors import NotFoundError, StoreError
from kb.index.build import write_passages
from kb.lock import keeping_lock, writer_lock
from kb.pictures.store import sweep_pictures
from kb.record.history import abandon_newest, remove_document, source_paths, unpublished
from kb.record.writing import Draft
from kb.settings import LISTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from kb.bootstrap import KnowledgeBase
    from kb.record.reading import Generation


_log = logging.getLogger(__name__)

INCOMING = ".incoming-"  # how the copy of a file begins until it is whole


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: sound or not, and what was seen."""

    name: str
    sound: bool
    seen: str


def remove(kb: KnowledgeBase, document_id: str, *, purge: bool = False) -> None:
    """Remove a document for good, from every kept generation; ``purge`` erases its text too.

    The system of record forgets it first, in one transaction: from then on it is in no answer.

    Raises:
        NotFoundError: There is no such document.
        StoreError: Another run is writing; or the text still stands somewhere, as the message says.
    """
    with writer_lock(kb.settings.lock):
        # In one piece: a backup of the record alone would bring the document's vectors back.
        with keeping_lock(kb.settings.keeping_lock):
            if purge:
                _erase_own_files(kb, document_id)
            remove_document(kb.engine, document_id, kb.clock(), purge=purge)
            _sweep_originals(kb)
            for generation in kb.record.kept():
                kb.index.erase(generation.id, [document_id], purge=purge)
            if purge:
                _overwrite_log(kb)
        if purge:
            _empty_pulls(kb)


def rollback(kb: KnowledgeBase) -> tuple[int, int]:
    """Go back to the generation before the current one; returns (abandoned, current).

    Raises:
        NotFoundError: No older generation is kept.
        StoreError: Another run is writing.
    """
    with writer_lock(kb.settings.lock), keeping_lock(kb.settings.keeping_lock):
        abandoned, current = abandon_newest(kb.engine)
        kb.index.discard([abandoned])
    return abandoned, current


def discard_unused(kb: KnowledgeBase) -> None:
    """Delete the index of every generation that is not kept; the caller holds the writer's lock.

    While a backup takes too long, it is left for the next run.
    """
    with ExitStack() as held:
        if _may_take_away(kb, held):
            kept = {generation.id for generation in kb.record.kept()}
            kb.index.discard((kb.index.generations() | set(unpublished(kb.engine))) - kept)


def sweep_originals(kb: KnowledgeBase) -> None:
    """Delete the originals that no version refers to; the caller holds the writer's lock.

    While a backup takes too long, it is left for the next run.
    """
    with ExitStack() as held:
        if _may_take_away(kb, held):
            _sweep_originals(kb)


def _may_take_away(kb: KnowledgeBase, held: ExitStack) -> bool:
    """Wait for a backup; what was published is not to fail because one takes long."""
    try:
        held.enter_context(keeping_lock(kb.settings.keeping_lock))
    except StoreError as error:
        _log.warning("%s The next run takes it away.", error)
        return False
    return True


def _sweep_originals(kb: KnowledgeBase) -> None:
    used = set(kb.record.all_originals())
    for path in kb.settings.originals.glob("*/*"):
        if f"{path.parent.name}/{path.name}" not in used:
            path.unlink(missing_ok=True)
    for path in kb.settings.originals.glob(f"{INCOMING}*"):
        path.unlink(missing_ok=True)
    # After the originals: whoever draws one meanwhile finds that it is gone.
    sweep_pictures(kb.settings.pictures, {path.rpartition("/")[2] for path in used})


def examine(kb: KnowledgeBase) -> list[Check]:
    """Compare the index of the current generation with the system of record."""
    current = kb.record.current()
    if current is None:
        return [Check("generation", sound=True, seen="nothing was ingested yet")]
    checks = [_check_database(kb), _check_encoder(kb, current), _check_points(kb, current)]
    return [*checks, _check_originals(kb, current)]


def repair(kb: KnowledgeBase, advance: Callable[[int], None]) -> Generation:
    """Build the index again from the system of record, as a new generation.

    Raises:
        NotFoundError: Nothing was ingested yet.
        StoreError: Another run is writing.
    """
    with writer_lock(kb.settings.lock):
        if kb.record.current_id() is None:
            raise NotFoundError("Nothing was ingested yet: there is nothing to repair.")
        draft = Draft(kb.engine, kb.encoder.name, kb.clock())
        writer = kb.index.writer(draft.id, None)
        try:
            parent = draft.parent or 0
            write_passages(writer, kb.encoder, kb.record.current_documents(parent), advance)
            writer.finish()
        except BaseException:
            writer.abort()
            draft.discard()
            raise
        draft.publish({}, [], {})
        discard_unused(kb)
    current = kb.record.current()
    if current is None:
        raise StoreError("The repaired generation could not be published.")
    return current


def _check_database(kb: KnowledgeBase) -> Check:
    if kb.engine.dialect.name != "sqlite":
        return Check("database", sound=True, seen=kb.engine.dialect.name)
    with kb.engine.connect() as connection:
        said = str(connection.scalar(text("PRAGMA quick_check")))
    return Check("database", sound=said == "ok", seen=said)


def _check_encoder(kb: KnowledgeBase, current: Generation) -> Check:
    return Check("encoder", sound=current.encoder == kb.encoder.name, seen=current.encoder)


def _check_points(kb: KnowledgeBase, current: Generation) -> Check:
    expected = kb.record.passage_ids(current.id)
    try:
        reader = kb.index.reader(current.id)
        found = reader.ids()
        reader.close()
    except StoreError as error:
        return Check("index", sound=False, seen=str(error))
    missing, extra = len(expected - found), len(found - expected)
    seen = f"{len(expected)} passages, {missing} missing, {extra} too many"
    return Check("index", sound=not missing and not extra, seen=seen)


def _check_originals(kb: KnowledgeBase, current: Generation) -> Check:
    paths = kb.record.originals(current.id)
    missing = [path for path in paths if not (kb.settings.originals / path).is_file()]
    return Check("originals", sound=not missing, seen=f"{len(paths)} files, {len(missing)} missing")


def _erase_own_files(kb: KnowledgeBase, document_id: str) -> None:
    """Delete the files in KB_HOME that a document came from: what was fetched or uploaded.

    The record goes last: a purge that is interrupted can be made again, and finds them.
    """
    own = (kb.settings.fetched, kb.settings.uploads)
    for path in map(Path, source_paths(kb.engine, document_id)):
        if path.parent.parent in own and path.parent.is_dir():
            shutil.rmtree(path.parent)


def _empty_pulls(kb: KnowledgeBase) -> None:
    """Erase the answers that pulls have kept: they hold texts, and only save asking again.

    What sources listed stays: identifiers, by which the next pull knows what is gone.
    """
    if not kb.settings.pulls.is_dir():
        return
    with ExitStack() as held:
        try:
            held.enter_context(writer_lock(kb.settings.pull_lock))
        except StoreError as error:
            raise StoreError(
                "The document is removed, but a pull that is under way keeps answers, which may "
                f"hold its text: purge again when it has ended. {error}"
            ) from None
        for path in kb.settings.pulls.glob("*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif not path.name.startswith(("pull.", LISTED)):
                path.unlink(missing_ok=True)


def _overwrite_log(kb: KnowledgeBase) -> None:
    """Have SQLite's log, which still holds the erased text, written back and emptied."""
    if kb.engine.dialect.name != "sqlite":
        return
    for _ in range(50):
        with kb.engine.connect() as connection:
            busy, *_ = connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).one()
        if not busy:
            return
        time.sleep(0.1)
    raise StoreError(
        "The document is removed and erased, but its text still stands in the database's log, "
        "which a reader keeps open. Stop `kb serve` and purge again."
    )

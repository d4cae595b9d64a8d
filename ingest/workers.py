"""Reading files in worker processes with limits of time and memory.

One hostile file costs one process: it is ended, the file becomes a line of the report, and the
others go on.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pebble import ProcessExpired, ProcessFuture, ProcessPool
from pydantic import TypeAdapter

from ingest.calls.base import CallRecord, Flaw
from ingest.calls.saved import read_saved
from ingest.readers import reader_for
from ingest.readers.base import Source
from kb.confined import confine
from kb.errors import UnreadableError
from kb.model import Parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

_RECORD: TypeAdapter[CallRecord | Flaw] = TypeAdapter(CallRecord | Flaw)
HEAD = 64 * 1024
MAX_TEXT = 30_000_000
# A process is replaced after this many files, so that what a library leaks stays small.
_FILES_A_PROCESS = 200


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may use."""

    processes: int
    seconds: int
    memory_mb: int


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A file to read: where its bytes are, its own name, and a password if it has one.

    Two copies of a file under one name are two jobs: a job is equal to itself alone. ``calls`` says
    that it is a saved answer of a source of calls.
    """

    path: Path
    name: str
    password: str | None = None
    calls: SavedCalls | None = None


@dataclass(frozen=True, slots=True)
class SavedCalls:
    """A saved answer: its format, and when the source gave it."""

    form: str
    checked: datetime


@dataclass(frozen=True, slots=True)
class ReadCalls:
    """Where a worker left the records of a saved answer, one a line; gone with the pool."""

    path: Path

    def records(self) -> Iterator[CallRecord | Flaw]:
        """The records and the flaws, in the order of the file."""
        with self.path.open("rb") as lines:
            for line in lines:
                yield _RECORD.validate_json(line)


Result = Parsed | ReadCalls | UnreadableError


class Workers:
    """A pool of reading processes; use as a context manager.

    ``folder`` is where they may leave temporary files; the caller holds the writer lock of it.
    """

    def __init__(self, limits: Limits, folder: Path) -> None:
        self._limits = limits
        # Beside the base, not in the system's temporary folder: what a killed run leaves there is
        # swept by the next one.
        self._scratch = folder / "reading"
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True)
        self._pool = ProcessPool(
            max_workers=limits.processes,
            max_tasks=_FILES_A_PROCESS,
            initializer=confine,
            initargs=(limits.memory_mb, str(self._scratch)),
            # A fresh server process: no open index, no torch threads are inherited.
            context=multiprocessing.get_context("forkserver"),
        )

    def __enter__(self) -> Self:
        """Return the pool."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End every process, also in the middle of a file."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def read(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Result]]:
        """Read files, results in the order of the jobs; a few are read ahead."""
        waiting: list[tuple[Job, ProcessFuture[Parsed | ReadCalls]]] = []
        for job in jobs:
            future = self._pool.schedule(_read, args=(job,), timeout=self._limits.seconds)
            waiting.append((job, future))
            if len(waiting) > self._limits.processes:
                yield self._result(*waiting.pop(0))
        for job, future in waiting:
            yield self._result(job, future)

    def _result(self, job: Job, future: ProcessFuture[Parsed | ReadCalls]) -> tuple[Job, Result]:
        limits = self._limits
        try:
            return job, future.result()
        except UnreadableError as error:
            return job, error
        except FutureTimeoutError:
            reason = (
                f"took more than {limits.seconds} seconds to read; KB_WORKER_SECONDS sets the limit"
            )
        except ProcessExpired:
            reason = (
                f"ended its reading process, most likely above {limits.memory_mb} MB of memory; "
                "KB_WORKER_MEMORY_MB sets the limit"
            )
        except Exception as error:  # noqa: BLE001 -- a reader's fault must not end the run
            reason = f"could not be read: {type(error).__name__}: {error}"
        return job, UnreadableError(reason)


def _read(job: Job) -> Parsed | ReadCalls:
    try:
        return _parsed(job) if job.calls is None else _calls(job, job.calls)
    except MemoryError:
        os._exit(1)  # what is left of the memory would fail the next file


def _parsed(job: Job) -> Parsed:
    try:
        with job.path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise UnreadableError(f"can't be opened: {error.strerror}") from None
    source = Source(job.path, job.name, head, job.password)
    parsed = reader_for(source).read(source)
    length = sum(len(page.text) for page in parsed.pages)
    if length > MAX_TEXT:
        raise UnreadableError(f"has {length:,} characters of text; at most {MAX_TEXT:,} are read")
    return parsed


def _calls(job: Job, saved: SavedCalls) -> ReadCalls:
    """Write the records beside the base rather than hand them over: a file may hold thousands."""
    descriptor, name = tempfile.mkstemp(prefix="calls-", suffix=".jsonl")
    with os.fdopen(descriptor, "wb") as lines:
        for record in read_saved(saved.form, job.path, job.name, saved.checked):
            lines.write(_RECORD.dump_json(record) + b"\n")
    return ReadCalls(Path(name))

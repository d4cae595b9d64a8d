"""Pictures of pages by original, page and width: kept on disk, drawn where there is none yet."""

from __future__ import annotations

import logging
import multiprocessing
import os
import tempfile
import threading
import time
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING

from pebble import ProcessPool

from kb.confined import confine
from kb.errors import KnowledgeBaseError, NotFoundError, UnreadableError
from kb.pictures.sizes import EDITION

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from pebble import ProcessFuture

_MAX_BYTES = 500_000_000  # some 5,000 pages
_PROCESSES = 2  # so that a page that takes all its time keeps nobody else waiting
_SECONDS = 10.0  # for one page; the slowest of the test material takes half a second
_PATIENCE = 10.0  # how long a page may wait for others before it, and for processes that start
_ROOM = 6  # pages that are drawn or wait for it, in each process of the service
_PICTURES_A_PROCESS = 500  # then it is replaced, so that what a library leaks stays small
_FAILED_FOR = 600.0  # seconds until a page that could not be drawn is tried again
_WRITING = ".drawing-"  # how the name of a picture begins until it is whole

_log = logging.getLogger(__name__)


class PicturesBusyError(KnowledgeBaseError):
    """More pictures are asked for than can be drawn; there is room again in a moment."""

    http_status = 503
    title = "Busy"

    def __init__(self) -> None:
        super().__init__("More pictures are asked for than can be drawn; try again in a moment.")


class Pictures:
    """Gives pictures of the pages of originals.

    Several processes may share the folder. What is not used for the longest goes when there is too
    much. Processes that draw start with the first picture. Safe to share between threads.

    Args:
        folder: Where pictures are kept.
        memory_mb: What a process that draws may use.
        max_bytes: What is kept at most, but for a twentieth.
        seconds: How long one page may take.
    """

    def __init__(
        self,
        folder: Path,
        memory_mb: int,
        *,
        max_bytes: int = _MAX_BYTES,
        seconds: float = _SECONDS,
    ) -> None:
        self._folder = folder
        self._memory_mb = memory_mb
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._room = threading.BoundedSemaphore(_ROOM)
        self._guard = threading.Lock()  # of what follows
        self._pool: ProcessPool | None = None
        self._closed = False
        self._unchecked = max_bytes  # bytes written since it was seen how much there is

    def picture(self, original: Path, number: int, width: int) -> bytes:
        """Return a page of an original as WebP, one of ``WIDTHS`` wide.

        Whether the caller may see it is for whoever asks to know.

        Raises:
            NotFoundError: It can't be drawn: not a PDF, damaged, too large, or it takes too long.
            PicturesBusyError: Too many are asked for at the moment.
        """
        kept = self._folder / original.name[:2] / picture_name(original.name, number, width)
        known = _read(kept)
        if known is None:
            if not original.is_file():
                raise NotFoundError("The original of this page is missing. Its text can be read.")
            known = self._drawn(original, number, width)
            self._keep(kept, known, original)
        if not known:
            raise NotFoundError("This page can't be shown as a picture. Its text can be read.")
        return known

    def close(self) -> None:
        """End the processes."""
        with self._guard:
            pool, self._pool, self._closed = self._pool, None, True
        if pool is not None:
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()

    def _drawn(self, original: Path, number: int, width: int) -> bytes:
        """Draw a page; nothing where that can't be done."""
        if not self._room.acquire(blocking=False):
            raise PicturesBusyError
        try:
            return self._result(original, number, width)
        except PicturesBusyError:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever a hostile file brings about
            if self._closed:  # the service stops: the file is not to blame
                raise PicturesBusyError from None
            _log.warning("%s, page %d: no picture: %s", original, number, error)
            return b""
        finally:
            self._room.release()

    def _result(self, original: Path, number: int, width: int) -> bytes:
        from kb.pictures.drawing import draw  # noqa: PLC0415 -- PDFium, for whoever draws

        job: ProcessFuture[bytes] = self._open_pool().schedule(
            draw, args=(str(original), number, width), timeout=self._seconds
        )
        try:
            return job.result(timeout=self._seconds + _PATIENCE)
        except CancelledError:
            raise PicturesBusyError from None
        except FutureTimeoutError:
            if job.done():
                raise UnreadableError(f"takes more than {self._seconds} seconds") from None
            job.cancel()  # type: ignore[no-untyped-call]
            raise PicturesBusyError from None

    def _open_pool(self) -> ProcessPool:
        with self._guard:
            if self._closed:
                raise PicturesBusyError  # the service stops
            if self._pool is None or not self._pool.active:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._pool = ProcessPool(
                    max_workers=_PROCESSES,
                    max_tasks=_PICTURES_A_PROCESS,
                    initializer=confine,
                    initargs=(self._memory_mb, str(self._folder)),
                    # A fresh server process: no open index is inherited, no lock held by a thread.
                    context=multiprocessing.get_context("forkserver"),
                )
            return self._pool

    def _keep(self, kept: Path, picture: bytes, original: Path) -> None:
        """Keep a picture, in one step; an empty one says that there can be none.

        A document may be purged meanwhile: its original goes first, then its pictures. So whoever
        finds the original gone takes the picture away again.
        """
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            self._write(kept, picture)
            if not original.is_file():
                kept.unlink(missing_ok=True)
            self._make_room(len(picture))
        except OSError as error:  # a full disk is no reason not to show it
            _log.warning("%s: the picture is not kept: %s", kept, error)

    def _write(self, kept: Path, picture: bytes) -> None:
        descriptor, name = tempfile.mkstemp(dir=self._folder, prefix=_WRITING)
        written = self._folder / name
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(picture)
            written.replace(kept)
        finally:
            written.unlink(missing_ok=True)  # where it could not be written

    def _make_room(self, written: int) -> None:
        """Take the pictures away that were not used for the longest, if there are too many bytes.

        What each process has written is counted, so that the folder is gone through now and then.
        """
        with self._guard:
            self._unchecked += written
            if self._unchecked <= self._max_bytes / 20:
                return
            self._unchecked = 0
        found = [
            (stat.st_mtime, stat.st_size, path)
            for path in (*self._folder.glob("*/*"), *self._folder.glob(f"{_WRITING}*"))
            if (stat := _stat(path)) is not None
        ]
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._max_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size


def picture_name(original: str, number: int, width: int) -> str:
    """The name of a picture, which is that of what it shows and of how it is drawn."""
    return f"{original}-{number}-{width}-{EDITION}.webp"


def sweep_pictures(folder: Path, originals: Collection[str]) -> None:
    """Delete the pictures of all originals but these, which are named as their files are."""
    for path in folder.glob("*/*"):
        if path.name.partition("-")[0] not in originals:
            path.unlink(missing_ok=True)
    for path in folder.glob(f"{_WRITING}*"):
        path.unlink(missing_ok=True)


def _read(kept: Path) -> bytes | None:
    """A picture that is kept; null where there is none, or it is to be tried again."""
    try:
        picture = kept.read_bytes()
        if picture:
            os.utime(kept)  # it is used
        elif time.time() - kept.stat().st_mtime > _FAILED_FOR:
            return None
    except OSError:
        return None
    return picture


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # another process has taken it away
        return None

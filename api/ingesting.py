"""Has uploads ingested, one at a time, by ``kb ingest`` as a process of its own.

Hostile files are read there, in workers with limits, and what a run needs of memory is gone with
it: the service itself never opens an uploaded file. Of several processes of the service one reads
an upload: it claims it in the system of record, and renews the claim while it is at it. An upload
whose claim has run out is claimed anew, since whoever had it is gone.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError

from kb.errors import StoreError
from kb.maintenance import INCOMING
from kb.record.uploads import Upload, UploadsRecord, UploadState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from kb.bootstrap import KnowledgeBase
    from kb.settings import Settings

_CAME_WITH_FAILURES = 1
_NICE = 10  # searches go first
_FILES_TOLD = 100
_MOST_OUTPUT = 16 * 1024 * 1024
_TAIL = 4000
# What a service that was killed had received by half.
_LEFT_BEHIND_SECONDS = 24 * 3600

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long things may take, in seconds.

    ``lease`` is how long a claim holds that is not renewed. Where the store is locked by another
    run, the next try comes after ``first``, then after twice as long, up to ``longest``; ``tries``
    of them are made. ``lost`` is how often a process may be gone in the middle of one upload.
    """

    poll: float = 5.0
    lease: float = 60.0
    first: float = 5.0
    longest: float = 300.0
    tries: int = 40
    lost: int = 3
    whole: float = 6 * 3600.0
    to_end: float = 8.0


class _Cut(Enum):
    """Why a run was ended by us."""

    STOPPING = auto()
    CLAIM_LOST = auto()
    TOO_LONG = auto()


@dataclass(frozen=True, slots=True)
class _Ran:
    """How a run ended: its exit code or why it was cut, its report, and its last words."""

    code: int | _Cut
    report: dict[str, Any] | None
    said: str


class UploadRunner:
    """Reads what waits, in a thread of its own, from ``start`` to ``stop``."""

    def __init__(self, kb: KnowledgeBase, patience: Patience | None = None) -> None:
        self._kb = kb
        self._record = UploadsRecord(kb.engine)
        self._patience = patience or Patience()
        self._woken, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="uploads", daemon=True)

    def start(self) -> None:
        """Begin, with what a service that was stopped or killed has left."""
        _sweep(self._kb.settings.uploads)
        if self._record.has_unfinished():
            self._woken.set()
        self._thread.start()

    def wake(self) -> None:
        """Say that there is something to read."""
        self._woken.set()

    def stop(self) -> None:
        """End; an upload that is being read waits for the next start."""
        self._stopping.set()
        self._woken.set()
        self._thread.join()

    def _work(self) -> None:
        """Read what there is; while nothing waits anywhere, ask for nothing."""
        pause: float | None = None
        while True:
            self._woken.wait(pause)
            self._woken.clear()
            if self._stopping.is_set():
                return
            try:
                pause = self._step()
            except Exception:  # noqa: BLE001 -- the claim runs out, and the next to claim tries again
                _log.exception("Uploads wait.")
                pause = self._patience.poll

    def _step(self) -> float | None:
        """Read the next upload; returns how long to wait for another, null until there is one."""
        now, claim = self._kb.clock(), secrets.token_hex(16)
        self._record.free_lost(now, self._patience.lost)
        upload = self._record.claim(claim, now, self._lease_end())
        if upload is None:
            return self._patience.poll if self._record.has_unfinished() else None
        try:
            ran = self._run(upload, claim)
        except OSError as error:
            ran = _Ran(StoreError.exit_code, None, f"It can't be begun: {error.strerror}.")
        self._note(upload, claim, ran)
        return 0.0

    def _run(self, upload: Upload, claim: str) -> _Ran:
        settings = self._kb.settings
        file = settings.uploads / upload.id / upload.name
        with TemporaryFile() as out, TemporaryFile() as errors:
            process = subprocess.Popen(  # noqa: S603 -- our own command, without a shell
                [sys.executable, "-P", "-m", "kb", "ingest", "--json", str(file)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                env=environment(settings),
                cwd=settings.home,
                start_new_session=True,  # a Ctrl-C for the service is not for it
            )
            try:
                with suppress(OSError):  # it may have ended already
                    os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
                code = self._wait(process, claim)
            finally:
                self._end(process)
            return _Ran(code, _report(out, settings), _last_words(errors, settings))

    def _wait(self, process: subprocess.Popen[bytes], claim: str) -> int | _Cut:
        """The exit code; the claim is renewed meanwhile."""
        patience = self._patience
        began = renewed = time.monotonic()
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=min(0.5, patience.lease / 4))
            now = time.monotonic()
            if self._stopping.is_set():
                return _Cut.STOPPING
            if now - began > patience.whole:
                return _Cut.TOO_LONG
            if now - renewed > patience.lease / 4:
                try:
                    if not self._record.renew(claim, self._lease_end()):
                        return _Cut.CLAIM_LOST
                    renewed = now
                except SQLAlchemyError:  # the database may be back before the claim has run out
                    if now - renewed > patience.lease:
                        return _Cut.CLAIM_LOST

    def _lease_end(self) -> datetime:
        return self._kb.clock() + timedelta(seconds=self._patience.lease)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Have a run end that has not: it publishes nothing and takes its workers with it."""
        if process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=self._patience.to_end)
            return
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _note(self, upload: Upload, claim: str, ran: _Ran) -> None:
        """Note what came of a run, or have it tried again."""
        match ran.code:
            case _Cut.CLAIM_LOST:
                return
            case _Cut.STOPPING:
                self._record.put_back(claim, self._kb.clock(), upload.reason)
            case StoreError.exit_code if upload.attempts < self._patience.tries:
                wait = min(
                    self._patience.first * 2 ** (upload.attempts - 1), self._patience.longest
                )
                reason = f"{ran.said} Tried {upload.attempts} times; it is tried again."
                self._record.put_back(claim, self._kb.clock() + timedelta(seconds=wait), reason)
            case _:
                state, why = self._judged(ran)
                self._record.end(claim, state, self._kb.clock(), why, ran.report)

    def _judged(self, ran: _Ran) -> tuple[UploadState, str | None]:
        if ran.code == 0 and ran.report is not None:
            return UploadState.DONE, None
        if ran.code == _CAME_WITH_FAILURES and ran.report is not None:
            return UploadState.FAILED, _failures(ran.report)
        if ran.code is _Cut.TOO_LONG:
            hours = self._patience.whole / 3600
            return UploadState.FAILED, f"It took more than {hours:.0f} hours and was given up."
        if ran.code == StoreError.exit_code:
            return UploadState.FAILED, f"{ran.said} Tried {self._patience.tries} times: given up."
        return UploadState.FAILED, f"{ran.said} (exit code {ran.code})".strip()


def environment(settings: Settings) -> dict[str, str]:
    """The environment in which a command has these settings, whatever else is set in this one."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("KB_")}
    stated = {
        f"KB_{name.upper()}": _written(value)
        for name in type(settings).model_fields
        if (value := getattr(settings, name)) is not None
    }
    return others | stated


def _written(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value) if isinstance(value, str | Path) else json.dumps(value)


def _report(out: BinaryIO, settings: Settings) -> dict[str, Any] | None:
    """The report that a run has printed, of its first files, without folders of this machine."""
    out.seek(0)
    try:
        report: dict[str, Any] = json.loads(out.read(_MOST_OUTPUT))
        files = report["files"][:_FILES_TOLD]
    except (ValueError, KeyError):
        return None
    report["files"] = [
        {**each, "path": Path(each["path"]).name, "reason": _without_home(each["reason"], settings)}
        for each in files
    ]
    return report


def _last_words(errors: BinaryIO, settings: Settings) -> str:
    """What a run that failed has said of it."""
    errors.seek(0, os.SEEK_END)
    errors.seek(max(0, errors.tell() - _TAIL))
    lines = errors.read().decode(errors="replace").splitlines()
    said = next((line for line in reversed(lines) if line.startswith("kb: ")), "")
    return _without_home(said.removeprefix("kb: "), settings) or "The run said nothing."


def _without_home(text: str, settings: Settings) -> str:
    return text.replace(str(settings.home), "KB_HOME")


def _failures(report: Mapping[str, Any]) -> str:
    reasons = (each["reason"] for each in report["files"] if each["outcome"] == "failed")
    return "; ".join(dict.fromkeys(reasons))[:_TAIL]


def _sweep(folder: Path) -> None:
    """Delete what a service that was killed had received by half, long ago."""
    for left in folder.glob(f"{INCOMING}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _LEFT_BEHIND_SECONDS:
                shutil.rmtree(left)

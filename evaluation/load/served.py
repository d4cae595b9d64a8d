"""Services to measure, as processes of their own: what they take of the processors and of memory.

Both are read from ``/proc``, so measuring needs Linux.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.machine import ROOT, bar
from kb.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PYTHON = sys.executable
KB = Path(PYTHON).with_name("kb")
# More than any client asks, so that the measured limit is the service's own.
RATE = 100_000
_TICKS = os.sysconf("SC_CLK_TCK")
_STOPPING = 60  # seconds; requests under way are finished
# Fields of /proc/PID/stat after the command's name: user and system time.
_USER, _SYSTEM = 11, 12


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process has in memory, in bytes: its own, and of files that the system can drop.

    ``descriptors`` counts its open files and sockets.
    """

    own: int
    files: int
    descriptors: int


@dataclass(frozen=True, slots=True)
class Service:
    """A service that is running; ``log`` is what it has written on standard error."""

    url: str
    pid: int
    log: Path

    @property
    def cpu_seconds(self) -> float:
        """What it has taken of the processors so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS

    @property
    def memory(self) -> Memory:
        """What it has in memory now."""
        stated = Path(f"/proc/{self.pid}/status").read_text("utf-8").splitlines()
        values = {name: value for name, _, value in (line.partition(":") for line in stated)}
        own, files = (int(values[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile"))
        return Memory(own, files, len(list(Path(f"/proc/{self.pid}/fd").iterdir())))

    @property
    def complaints(self) -> list[str]:
        """The lines of its log that are warnings or errors."""
        lines = self.log.read_text("utf-8", errors="replace").splitlines()
        return [line for line in lines if " WARNING " in line or " ERROR " in line]


@contextmanager
def copied(home: Path) -> Iterator[Path]:
    """A copy of a base: what is measured gets keys and an audit trail, and the base stays as it is.

    Raises:
        UsageError: There is no base.
    """
    if not (home / "record.db").is_file():
        raise UsageError(f"--home {home} holds no base.")
    with tempfile.TemporaryDirectory(prefix="kb-load-") as folder:
        yield shutil.copytree(home, Path(folder) / "home")


@contextmanager
def served(home: Path) -> Iterator[Service]:
    """``kb serve`` with the settings that it has by default, until the end of the block."""
    with running([str(KB), "serve", "--port", "0"], home.parent / "serve.log", home) as service:
        yield service


@contextmanager
def running(command: Sequence[str], log: Path, home: Path) -> Iterator[Service]:
    """A service that says its address on the first line of its standard output.

    Raises:
        StoreError: It ended before it did.
    """
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        url = (process.stdout.readline() if process.stdout else "").strip()
        if not url.startswith("http://"):
            raise StoreError(f"{' '.join(command)} did not start: {log.read_text('utf-8')}")
        yield Service(url, process.pid, log)
    finally:
        process.terminate()
        process.wait(_STOPPING)


def environment(home: Path) -> dict[str, str]:
    """Everything but the user's own settings of the product."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("KB_")}
    return {**own, "KB_HOME": str(home)}


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``kb`` on a base; its exit code tells how it went, and what it complained of is shown."""
    done = subprocess.run(
        [KB, *arguments], env=environment(home), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.stderr.write(done.stderr)
    return done


def make_keys(home: Path, count: int) -> tuple[str, ...]:
    """Keys of partners, made by the command.

    Raises:
        StoreError: One could not be made.
    """
    keys = []
    with bar("keys", count) as advance:
        for number in range(count):
            options = ("--role", "partner", "--rate", str(RATE))
            made = command(home, "keys", "create", f"load {number}", *options)
            if made.returncode:
                raise StoreError("`kb keys create` failed; see above.")
            keys.append(made.stdout.strip())
            advance(1)
    return tuple(keys)


@dataclass(frozen=True, slots=True)
class Busy:
    """How long processors have worked: everything of the machine, and a service of it."""

    at: float
    machine: float
    service: float

    @classmethod
    def now(cls, service: Service) -> Busy:
        """Until now."""
        fields = Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:]
        user, nice, system, _idle, _waiting, interrupts, soft = map(int, fields[:7])
        ticks = user + nice + system + interrupts + soft
        return cls(time.perf_counter(), ticks / _TICKS, service.cpu_seconds)

    def since(self, service: Service, clients: float) -> dict[str, float]:
        """How many processors were at work since then, of which ``clients`` seconds for those."""
        now = Busy.now(service)
        took = now.at - self.at
        parts = {"service": now.service - self.service, "clients": clients}
        parts["others"] = max(0.0, now.machine - self.machine - sum(parts.values()))
        return {name: round(seconds / took, 2) for name, seconds in parts.items()}

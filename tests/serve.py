"""``kb serve`` as a process of its own, for tests that talk to it over sockets."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KB = [sys.executable, "-c", "from kb.cli import main; main()"]
# Longer than anything takes on a machine that is busy with other tests.
PATIENCE = 60.0


def environment_of(home: Path, **settings: str) -> dict[str, str]:
    """The environment of a user with a home and settings of its own, and no limits of rate."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("KB_")}
    usual = {"KB_WORKERS": "1", "KB_RATE_ANONYMOUS": "100000", "KB_HOME": str(home)}
    return {**ours, **usual, **settings}


def ingest(environment: dict[str, str], file: Path, *paragraphs: str) -> None:
    """Write a file and ingest it in another process."""
    file.write_text("\n\n".join(("# Note", *paragraphs)) + "\n", encoding="utf-8")
    subprocess.run([*KB, "ingest", str(file)], env=environment, check=True, capture_output=True)


class Service:
    """A running ``kb serve``; it answers when it is made."""

    def __init__(self, environment: dict[str, str], log: Path, *options: str) -> None:
        self._log = log
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [*KB, "serve", "--port", "0", *options],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), log.read_text()
        self.address = ("127.0.0.1", int(self.url.rpartition(":")[2]))

    def connect(self) -> socket.socket:
        """A connection of one's own."""
        connection = socket.create_connection(self.address)
        connection.settimeout(PATIENCE)
        return connection

    def metric(self, line: str) -> float:
        """A figure by its name with its labels; 0 if there is none yet."""
        shown = httpx.get(f"{self.url}/metrics", trust_env=False, timeout=PATIENCE).text
        found = re.search(rf"^{re.escape(line)} (\S+)$", shown, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def tell(self, how: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(how)

    def end(self, how: signal.Signals) -> tuple[int, str]:
        """Have it end; otherwise as ``wait``."""
        self.tell(how)
        return self.wait()

    def wait(self) -> tuple[int, str]:
        """Its exit code and what else it printed, once it has ended."""
        code = self.process.wait(timeout=PATIENCE)
        assert self.process.stdout is not None
        printed = self.process.stdout.read()
        self.process.stdout.close()
        return code, printed

    def kill(self) -> None:
        """End it whatever it does."""
        if self.process.poll() is None:
            self.end(signal.SIGKILL)

    @property
    def log(self) -> str:
        """What it wrote on standard error."""
        return self._log.read_text()


class Asking(threading.Thread):
    """Asks one thing over and over and keeps what was not answered with 200."""

    def __init__(self, ask: Callable[[], httpx.Response]) -> None:
        super().__init__(daemon=True)
        self._ask = ask
        self._over = threading.Event()
        self.asked = 0
        self.failures: list[str] = []

    def run(self) -> None:
        """Ask until told to stop."""
        while not self._over.wait(0.02):
            try:
                response = self._ask()
                if response.status_code != httpx.codes.OK:
                    self.failures.append(response.text)
            except httpx.HTTPError as error:
                self.failures.append(repr(error))
            self.asked += 1

    def stop(self) -> None:
        """Let the last question be answered."""
        self._over.set()
        self.join(PATIENCE)


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: It was not for as long as anybody waits.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)

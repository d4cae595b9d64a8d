"""``kb serve`` as a process of its own, beside ``kb ingest`` in others."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KB = [sys.executable, "-c", "from kb.cli import main; main()"]
FIRST = "La garantie couvre la moitié des pertes des investisseurs."
SECOND = "Le plafond des subventions est de trois cent mille euros."


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a user with a home of its own."""
    return {**os.environ, "KB_HOME": str(tmp_path / "home"), "KB_WORKERS": "1"}


class Service:
    """A running ``kb serve``."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [*KB, "serve", "--port", "0"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), log.read_text()

    def end(self, how: signal.Signals) -> int:
        """Have it end; returns its exit code."""
        self._process.send_signal(how)
        code = self._process.wait(timeout=15)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def kill(self) -> None:
        """End it whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
            self.end(signal.SIGKILL)

    @property
    def log(self) -> str:
        """What it wrote on standard error."""
        return self._log.read_text()


@pytest.fixture
def service(environment: dict[str, str], tmp_path: Path) -> Iterator[Service]:
    """A service over a base that is still empty."""
    running = Service(environment, tmp_path / "log")
    yield running
    running.kill()


class Asking(threading.Thread):
    """Asks one thing over and over and keeps what was not answered with 200."""

    def __init__(self, ask: Callable[[], httpx.Response]) -> None:
        super().__init__()
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
        self.join(30)


def _ingest(environment: dict[str, str], file: Path, text: str) -> None:
    file.write_text(f"# Note\n\n{text}\n", encoding="utf-8")
    subprocess.run([*KB, "ingest", str(file)], env=environment, check=True, capture_output=True)


@pytest.mark.slow
def test_a_running_service_answers_from_what_other_processes_publish(
    service: Service, environment: dict[str, str], tmp_path: Path
) -> None:
    """It starts empty, finds what is ingested at once, and answers without a gap meanwhile."""

    def texts(query: str) -> list[str]:
        response = client.get("/v1/search", params={"query": query})
        assert response.status_code == httpx.codes.OK, response.text
        hits: list[dict[str, Any]] = response.json()["hits"]
        return [hit["text"] for hit in hits]

    with httpx.Client(base_url=service.url, trust_env=False, timeout=30) as client:
        empty = client.get("/v1/search", params={"query": "garantie"})
        assert (empty.status_code, empty.json()["type"]) == (503, "/problems/nothing-ingested")

        _ingest(environment, tmp_path / "first.md", FIRST)
        assert [FIRST in text for text in texts("garantie des pertes")] == [True]

        asking = [
            Asking(lambda: client.get("/v1/search", params={"query": "garantie"})),
            Asking(lambda: client.post("/v1/answers", json={"question": "Que couvre-t-elle ?"})),
            Asking(lambda: client.get("/readyz")),
        ]
        for thread in asking:
            thread.start()
        _ingest(environment, tmp_path / "second.md", SECOND)
        assert SECOND in texts("plafond des subventions")[0]
        for thread in asking:
            thread.stop()
        assert [failure for thread in asking for failure in thread.failures] == []
        assert min(thread.asked for thread in asking) > 1
        secret = f"oms_{'x' * 43}"
        assert client.get(f"/v1/feeds/{secret}/calls.ics").status_code == httpx.codes.NOT_FOUND
        assert client.delete(f"/v1/searches/{secret}").status_code == httpx.codes.NOT_FOUND

    assert service.end(signal.SIGINT) == 0
    assert "Traceback" not in service.log
    assert "garantie" not in service.log, "what people ask is not written down"
    assert "/calls.ics" in service.log
    assert "oms_" not in service.log, "nor are the secrets in addresses"


def test_a_port_in_use_is_one_line(environment: dict[str, str]) -> None:
    """Nothing is loaded first, so it is told at once, with the exit code of a store in use."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        started = time.monotonic()
        done = subprocess.run(
            [*KB, "serve", "--port", str(port)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith(f"kb: Can't listen on 127.0.0.1 port {port}: Address already in")
    assert done.stderr.count("\n") == 1
    assert time.monotonic() - started < 10

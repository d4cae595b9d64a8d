"""Clients that ask a service all at once, from a process of their own, and what each had to wait.

``python -m evaluation.load.clients`` reads a ``Plan`` as JSON from standard input and writes an
``Outcome`` to standard output. Each client asks over one kept connection, and again as soon as it
is answered; where it is told to wait (429, 503), it waits as long as it is told.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
from pydantic import TypeAdapter

from evaluation.machine import ROOT

# Longer than any limit of the service: what takes as long has been forgotten.
_TIMEOUT = 90.0
_TOLD_TO_WAIT = {429, 503}
_WAIT = 5.0  # where a refusal does not say how long


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, and which statuses are as they should be.

    ``again``: with the ``ETag`` that the same request got before, so that 304 is expected too.
    """

    kind: str
    path: str
    body: dict[str, Any] | None = None
    expected: tuple[int, ...] = (200,)
    again: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What clients ask for so many seconds; there are as many as keys, null for one without.

    Each asks all of ``asks`` in an order of its own, over and over.
    """

    url: str
    keys: tuple[str | None, ...]
    asks: tuple[Ask, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One request: when it ended, in seconds since all began, and how many it took.

    ``status`` is 0 where there was no answer; ``problem`` says what was not as expected.
    """

    kind: str
    ended: float
    seconds: float
    status: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened, and what the clients themselves took of the processors."""

    samples: tuple[Sample, ...]
    seconds: float
    cpu_seconds: float


@dataclass(slots=True)
class _Client:
    """One client with its connection, and the tags of what it has read."""

    http: httpx.AsyncClient
    began: float
    samples: list[Sample]
    tags: dict[str, str] = field(default_factory=dict)

    async def ask(self, asked: Ask) -> float:
        """Ask once; returns how many seconds to wait before the next."""
        started = time.perf_counter()
        try:
            response = await self._send(asked)
        except httpx.HTTPError as error:
            self._note(asked, started, 0, type(error).__name__)
            return 1.0
        status = response.status_code
        if asked.again and "etag" in response.headers:
            self.tags[asked.path] = response.headers["etag"]
        expected = (*asked.expected, 304) if asked.again else asked.expected
        self._note(asked, started, status, "" if status in expected else _problem(response))
        if status not in _TOLD_TO_WAIT:
            return 0.0
        return float(response.headers.get("retry-after", _WAIT))

    async def _send(self, asked: Ask) -> httpx.Response:
        if asked.body is not None:
            return await self.http.post(asked.path, json=asked.body)
        tag = self.tags.get(asked.path) if asked.again else None
        return await self.http.get(asked.path, headers={"If-None-Match": tag} if tag else None)

    def _note(self, asked: Ask, started: float, status: int, problem: str) -> None:
        now = time.perf_counter()
        self.samples.append(Sample(asked.kind, now - self.began, now - started, status, problem))


def start(plan: Plan) -> subprocess.Popen[bytes]:
    """Start clients in another process; ``finish`` waits for them."""
    process = subprocess.Popen(
        [sys.executable, "-m", "evaluation.load.clients"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    if process.stdin is not None:
        process.stdin.write(_PLAN.dump_json(plan))
        process.stdin.close()
        process.stdin = None
    return process


def finish(process: subprocess.Popen[bytes]) -> Outcome:
    """Wait for clients to end.

    Raises:
        RuntimeError: They failed; standard error says why.
    """
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"The clients ended with exit code {process.returncode}; see above.")
    return _OUTCOME.validate_json(said)


async def ask_all(plan: Plan) -> Outcome:
    """Have every client ask until the time is over, and be answered."""
    trusted = httpx.create_ssl_context()  # made once: it takes longer than a request
    samples: list[Sample] = []
    cpu, began = time.process_time(), time.perf_counter()

    async def keep_asking(number: int, key: str | None) -> None:
        asks = list(plan.asks)
        Random(number).shuffle(asks)  # noqa: S311 -- the same order at every run
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(
            base_url=plan.url, headers=headers, timeout=_TIMEOUT, verify=trusted, trust_env=False
        ) as http:
            client, turn = _Client(http, began, samples), 0
            while (left := plan.seconds - (time.perf_counter() - began)) > 0:
                wait = await client.ask(asks[turn % len(asks)])
                turn += 1
                if wait:
                    await asyncio.sleep(min(wait, left))

    await asyncio.gather(*(keep_asking(*each) for each in enumerate(plan.keys)))
    took = time.perf_counter() - began
    return Outcome(tuple(samples), took, time.process_time() - cpu)


def _problem(response: httpx.Response) -> str:
    """What a response that was not expected says of itself, in a few words."""
    try:
        kind = str(response.json()["type"]).rpartition("/")[2]
    except (ValueError, KeyError, TypeError):
        kind = "no problem details"
    return f"{response.status_code} {kind}"


_PLAN = TypeAdapter(Plan)
_OUTCOME = TypeAdapter(Outcome)


if __name__ == "__main__":
    planned = _PLAN.validate_json(sys.stdin.buffer.read())
    sys.stdout.buffer.write(_OUTCOME.dump_json(asyncio.run(ask_all(planned))))

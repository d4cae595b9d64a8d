"""How much quicker a batch of searches is than as many requests, and that both find the same.

    python -m evaluation.batch_speed [--home KB_HOME] [--rounds N]

The first 100 gold questions are asked of a running ``kb serve`` over one kept connection: one by
one, then in a batch, in turns. Without a home the starter corpus is ingested and asked.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from evaluation.gold import read_gold
from evaluation.machine import ROOT, commit, machine

if TYPE_CHECKING:
    from collections.abc import Iterator

_KB = Path(sys.executable).with_name("kb")
_QUERIES = 100
# More than any round asks: what is measured here is no limit of the service's.
_UNLIMITED = {"KB_RATE_ANONYMOUS": "1000000"}


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, help="A base that is there; it is not changed.")
    parser.add_argument("--rounds", type=int, default=5, help="How often each is measured.")
    options = parser.parse_args()
    print(f"{machine()}, commit {commit()}\n")
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder)
        if options.home is None:
            _ingest(home)
        with _served(home) as url, httpx.Client(base_url=url, timeout=300, trust_env=False) as http:
            _measure(http, options.rounds)


def _measure(http: httpx.Client, rounds: int) -> None:
    queries = [question.question for question in read_gold()][:_QUERIES]
    held = http.get("/v1/status").json()["generation"]["passages"]
    print(f"{len(queries)} searches over {held} passages, best of {rounds} rounds:\n")
    times: dict[str, list[float]] = {"one by one": [], "in a batch": []}
    for _ in range(rounds):
        found = []
        for name, ask in (("one by one", _single), ("in a batch", _batch)):
            started = time.perf_counter()
            found.append(ask(http, queries))
            times[name].append(time.perf_counter() - started)
        if found[0] != found[1]:
            sys.exit("A batch finds something else than its searches find one by one.")
    print("| how | seconds, best | median | ms a search |\n|---|---|---|---|")
    for name, seconds in times.items():
        best, middle = min(seconds), statistics.median(seconds)
        print(f"| {name} | {best:.2f} | {middle:.2f} | {best / len(queries) * 1000:.1f} |")
    ratios = [one / batch for one, batch in zip(*times.values(), strict=True)]
    print(f"\nA batch is {statistics.median(ratios):.2f} times as quick (median of the rounds).")


def _single(http: httpx.Client, queries: list[str]) -> list[Any]:
    return [_hits(http.get("/v1/search", params={"query": query})) for query in queries]


def _batch(http: httpx.Client, queries: list[str]) -> list[Any]:
    asked = {"queries": [{"query": query} for query in queries]}
    answered = http.post("/v1/search/batch", json=asked).raise_for_status()
    return [result["hits"] for result in answered.json()["results"]]


def _hits(response: httpx.Response) -> Any:
    return response.raise_for_status().json()["hits"]


def _ingest(home: Path) -> None:
    subprocess.run(
        [_KB, "ingest", ROOT / "corpus" / "starter"],
        env={**os.environ, "KB_HOME": str(home)},
        check=True,
        capture_output=True,
    )


@contextmanager
def _served(home: Path) -> Iterator[str]:
    server = subprocess.Popen(
        [_KB, "serve", "--port", "0"],
        env={**os.environ, **_UNLIMITED, "KB_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield (server.stdout.readline() if server.stdout else "").split()[-1]
    finally:
        server.terminate()
        server.wait(timeout=60)


if __name__ == "__main__":
    main()

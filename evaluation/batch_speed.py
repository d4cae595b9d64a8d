"""How much quicker a batch of searches is than as many requests, and that both find the same.

    python -m evaluation.batch_speed [--home KB_HOME] [--rounds N]

The first 100 gold questions are asked of a ``kb serve`` over one kept connection: one by one, then
in a batch, in turns. Without a home the starter corpus is ingested and asked. Beside the time it
tells what the service took of the processors, which others at work on them change less.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from evaluation.documents import STARTER
from evaluation.gold import read_gold
from evaluation.load.served import command, copied, make_keys, served
from evaluation.machine import commit, machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evaluation.load.served import Service

_QUERIES = 100
_TIMEOUT = 300


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, help="A base that is there; a copy of it is asked.")
    parser.add_argument("--rounds", type=int, default=5, help="How often each is measured.")
    options = parser.parse_args()
    print(f"{machine()}, commit {commit()}\n")
    with copied(options.home) if options.home else _starter() as home:
        [key] = make_keys(home, 1)
        headers = {"X-API-Key": key}
        with (
            served(home) as service,
            httpx.Client(
                base_url=service.url, headers=headers, timeout=_TIMEOUT, trust_env=False
            ) as http,
        ):
            _measure(service, http, options.rounds)


def _measure(service: Service, http: httpx.Client, rounds: int) -> None:
    queries = [question.question for question in read_gold()][:_QUERIES]
    held = http.get("/v1/status").json()["generation"]["passages"]
    print(f"{len(queries)} searches over {held} passages, median of {rounds} rounds:\n")
    ways = {"one by one": _single, "in a batch": _batch}
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        found = []
        for name, ask in ways.items():
            started = time.perf_counter(), service.cpu_seconds
            found.append(ask(http, queries))
            ended = time.perf_counter(), service.cpu_seconds
            took[name].append((ended[0] - started[0], ended[1] - started[1]))
        if found[0] != found[1]:
            sys.exit("A batch finds something else than its searches find one by one.")
    print("| how | ms a search | of processor time |\n|---|---|---|")
    for name, rows in took.items():
        whole, cpu = (statistics.median(row[n] for row in rows) for n in (0, 1))
        each = 1000 / len(queries)
        print(f"| {name} | {whole * each:.1f} | {cpu * each:.1f} |")
    ratios = [
        statistics.median(one[n] / batch[n] for one, batch in zip(*took.values(), strict=True))
        for n in (0, 1)
    ]
    print(f"\nOne by one takes {ratios[0]:.2f} times as long and {ratios[1]:.2f} times the work.")


def _single(http: httpx.Client, queries: list[str]) -> list[Any]:
    answers = (http.get("/v1/search", params={"query": query}) for query in queries)
    return [answer.raise_for_status().json()["hits"] for answer in answers]


def _batch(http: httpx.Client, queries: list[str]) -> list[Any]:
    asked = {"queries": [{"query": query} for query in queries]}
    answer = http.post("/v1/search/batch", json=asked).raise_for_status()
    return [result["hits"] for result in answer.json()["results"]]


@contextmanager
def _starter() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kb-batch-") as folder:
        home = Path(folder) / "home"
        command(home, "ingest", str(STARTER))
        yield home


if __name__ == "__main__":
    main()

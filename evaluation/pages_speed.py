"""How long the service takes for each kind of page, first byte and whole, over a socket.

    python -m evaluation.pages_speed --home HOME [--times N]

The base is copied. Answers are asked with a different question each time, pages are opened at a
different document, and pictures come from the cache but for the first row of them.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from evaluation.gold import read_gold
from evaluation.load.served import copied, make_keys, served
from evaluation.machine import commit, machine

if TYPE_CHECKING:
    from collections.abc import Iterator

_HTML = {"Accept": "text/html", "Accept-Language": "fr"}


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds until the first byte of a page and until its last, and its size in bytes."""

    first: float
    whole: float
    size: int


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, required=True, help="The base to serve a copy of.")
    parser.add_argument("--times", type=int, default=40, help="Requests of each kind.")
    options = parser.parse_args()
    with copied(options.home) as home:
        (key,) = make_keys(home, 1)
        with (
            served(home) as service,
            httpx.Client(
                base_url=service.url,
                headers={**_HTML, "Authorization": f"Bearer {key}"},
                timeout=60,
            ) as client,
        ):
            print(f"{machine()}, commit {commit()}\n")
            print("| page | first byte p50 | p95 | whole p50 | p95 | KB sent |")
            print("|---|---:|---:|---:|---:|---:|")
            for name, addresses in _pages(client).items():
                _row(name, [_ask(client, next(addresses)) for _ in range(options.times)])


def _pages(client: httpx.Client) -> dict[str, Iterator[str]]:
    listed = client.get("/v1/documents", params={"limit": 100}).json()["documents"]
    paged = [f"/documents/{each['id']}" for each in listed if each["paged"]] or [
        f"/documents/{each['id']}" for each in listed
    ]
    calls = client.get("/v1/calls", params={"limit": 100}).json()["hits"]
    questions = [str(httpx.QueryParams({"q": each.question})) for each in read_gold()]
    pages = {
        "home": ["/"],
        "answer": [f"/?{question}" for question in questions],
        "library": ["/documents"],
        "library of a theme": ["/documents?theme=subventions"],
        "document": paged,
        "page": [f"{each}/pages/1?mark=0-80" for each in paged],
        "picture, made": [f"{each}/pages/1/picture?width=900" for each in paged],
        "picture, kept": [f"{paged[0]}/pages/1/picture?width=900"],
        "calls": ["/calls"],
        "calls asked for": [f"/calls?{question}" for question in questions],
        "call": [f"/calls/{each['identifier']}" for each in calls] or ["/calls"],
        "briefs": ["/briefs"],
    }
    return {name: itertools.cycle(addresses) for name, addresses in pages.items()}


def _ask(client: httpx.Client, address: str) -> Took:
    started = time.perf_counter()
    first, size = 0.0, 0
    with client.stream("GET", address) as response:
        for piece in response.iter_raw():
            first = first or time.perf_counter() - started
            size += len(piece)
    return Took(1000 * first, 1000 * (time.perf_counter() - started), size)


def _row(name: str, took: list[Took]) -> None:
    def at(values: list[float]) -> str:
        cuts = statistics.quantiles(values, n=20)
        return f"{statistics.median(values):.0f} | {cuts[-1]:.0f}"

    size = statistics.median(each.size for each in took) / 1000
    firsts, wholes = at([each.first for each in took]), at([each.whole for each in took])
    print(f"| {name} | {firsts} | {wholes} | {size:.1f} |", flush=True)


if __name__ == "__main__":
    main()

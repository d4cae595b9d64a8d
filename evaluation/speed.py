"""Speed and memory on real documents, printed with the machine and the commit.

    python -m evaluation.speed [FOLDER ...] [--pdf FOLDER] [--queries N]

Without folders the starter corpus is measured. Everything runs as a user runs it: ``kb ingest``
as a command, queries over HTTP against ``kb serve``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.machine import ROOT, commit, machine

if TYPE_CHECKING:
    from collections.abc import Iterator

_KB = Path(sys.executable).with_name("kb")
_QUERIES = (
    "plafond des aides de minimis par entreprise unique",
    "what is a sustainable investment",
    "équité et garantie en fonds propres pour l'économie sociale",
    "threshold for crowdfunding offers",
    "convention annuelle de subvention",
    "public procurement reserved contracts",
    "délai de paiement d'une subvention",
    "environmental objectives of the taxonomy",
)


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path, default=[ROOT / "corpus" / "starter"])
    parser.add_argument("--pdf", type=Path, help="A folder of PDFs to time from file to index.")
    parser.add_argument("--queries", type=int, default=200, help="Queries over HTTP.")
    options = parser.parse_args()
    print(f"{machine()}, commit {commit()}\n\n| what | figure |\n|---|---|")
    with tempfile.TemporaryDirectory() as home:
        if options.pdf:
            _ingest("PDF folder", [options.pdf], Path(home) / "pdf")
        base = Path(home) / "base"
        _ingest("all folders", options.folders, base)
        with _served(base) as url:
            _time_queries(url, options.queries)


def _ingest(name: str, folders: list[Path], home: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = _run(["ingest", *map(str, folders), "--json"], home)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = report["seconds"]
    cpu = usage.ru_utime + usage.ru_stime - before.ru_utime - before.ru_stime
    _row(f"{name}: files in", report["added"] + report["updated"])
    _row(f"{name}: pages a second, end to end", f"{report['pages'] / seconds:.1f}")
    _row(f"{name}: passages a second, end to end", f"{report['passages'] / seconds:.1f}")
    _row(f"{name}: seconds, wall and processor", f"{seconds:.0f} and {cpu:.0f}")
    _row(f"{name}: largest process", f"{usage.ru_maxrss / 1024:.0f} MB")


def _time_queries(url: str, count: int) -> None:
    for path in ("search", "answers"):
        times = []
        for number in range(count if path == "search" else max(count // 10, 1)):
            query = _QUERIES[number % len(_QUERIES)]
            started = time.perf_counter()
            _ask(url, path, query)
            times.append((time.perf_counter() - started) * 1000)
        p50, p95 = statistics.median(times), sorted(times)[int(len(times) * 0.95)]
        _row(f"/v1/{path} over HTTP, p50 and p95", f"{p50:.0f} ms and {p95:.0f} ms")


def _ask(url: str, path: str, query: str) -> None:
    if path == "search":
        request = urllib.request.Request(f"{url}/v1/search?query={urllib.parse.quote(query)}")  # noqa: S310 -- our own server
    else:
        body = json.dumps({"question": query}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{url}/v1/answers", body, headers)  # noqa: S310 -- as above
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 -- as above
        answer.read()


@contextmanager
def _served(home: Path) -> Iterator[str]:
    server = subprocess.Popen(
        [_KB, "serve", "--port", "0"],
        env={**os.environ, "KB_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        url = (server.stdout.readline() if server.stdout else "").split()[-1]
        yield url.rstrip("/")
    finally:
        server.terminate()
        server.wait(timeout=30)


def _run(arguments: list[str], home: Path) -> Any:
    finished = subprocess.run(
        [_KB, *arguments],
        env={**os.environ, "KB_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode > 1:
        sys.exit(f"kb {' '.join(arguments)} failed: {finished.stderr}")
    return json.loads(finished.stdout)


def _row(name: str, figure: object) -> None:
    print(f"| {name} | {figure} |", flush=True)


if __name__ == "__main__":
    main()

"""Measures the service as it is deployed, under load.

    python -m evaluation.load [--home HOME ...] [--seconds N] [--clients N ...]
    python -m evaluation.load soak [--home HOME] [--minutes N]
    python -m evaluation.load page

Without homes the shared corpus is measured, and a base of 100,000 passages; both are built where
the cache has none. ``kb serve`` runs with its default settings, in one process, and each client has
a key of its own, whose rate is above what it asks. Clients are in a process of their own on the
same processors; what they take of them is told. Each asks again as soon as it is answered. ``page``
writes the figures of both into docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.bases import Chosen, cached
from evaluation.benches import shared_data
from evaluation.calls_bench import CALLS
from evaluation.documents import STARTER, documents_base
from evaluation.load import base, report
from evaluation.load.soak import soak
from evaluation.load.throughput import WARMING, measure
from evaluation.machine import ROOT, commit, machine

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULTS = ROOT / "evaluation" / "results" / "load"
_SHARED = ("law", "text", "pdf", CALLS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    if options.what == "page":
        report.write_page(options.results)
        return
    options.results.mkdir(parents=True, exist_ok=True)
    facts = {"machine": machine(), "commit": commit(), "load_before": os.getloadavg()[0]}
    if options.what == "soak":
        home = options.home[0] if options.home else _shared_base()
        figures = {**facts, **soak(home, options.minutes * 60)}
    else:
        rows = []
        for home in options.home or _bases():
            for row in measure(home, options.clients, options.seconds, options.warming):
                rows.append(row.as_json())
                report.print_row(rows[-1])
        figures = {**facts, "seconds": options.seconds, "rows": rows}
    _write(options.results / f"{options.what}.json", figures)
    report.print_tables(figures)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.load", description=(__doc__ or "").partition("\n")[0]
    )
    what = ("throughput", "soak", "page")
    parser.add_argument("what", nargs="?", choices=what, default="throughput")
    parser.add_argument("--home", type=Path, action="append", help="A base; can be repeated.")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64], help="At once.")
    parser.add_argument("--seconds", type=float, default=20, help="How long each is measured.")
    parser.add_argument("--warming", type=float, default=WARMING, help="Seconds not counted.")
    parser.add_argument("--minutes", type=float, default=10, help="How long a soak takes.")
    parser.add_argument("--results", type=Path, default=RESULTS, help="Where figures are kept.")
    return parser


def _bases() -> list[Path]:
    shared = _shared_base()

    def enlarged(home: Path) -> None:
        base.enlarged_copy(shared, home, base.PASSAGES)

    return [shared, cached(f"load-{base.PASSAGES}-{shared.name}", enlarged)]


def _shared_base() -> Path:
    """The base of everything in the shared material that answers and calls are measured on."""
    folders = [STARTER, *(shared_data() / name for name in _SHARED)]
    with documents_base(folders, Chosen()) as kb:
        return kb.settings.home


def _write(file: Path, figures: dict[str, Any]) -> None:
    file.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Runs side by side: differences from a baseline, their significance, the queries behind them."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from evaluation.bases import Chosen
from evaluation.measures import MAIN, difference
from kb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.benches import Bench

_SHOWN = 5


def compared(
    bench: Bench, baseline: dict[str, dict[str, float]], values: dict[str, dict[str, float]]
) -> dict[str, Any]:
    """Differences by measure with their p, and the queries with the largest gains and losses."""
    differences = {name: difference(baseline[name], found) for name, found in values.items()}
    changed = [
        {
            "query": query,
            "text": bench.queries.get(query, ""),
            "before": round(baseline[MAIN][query], 4),
            "after": round(values[MAIN][query], 4),
        }
        for query, change in differences[MAIN].by_query
        if change
    ]
    wins = sum(change > 0 for _, change in differences[MAIN].by_query)
    return {
        "test": "paired randomisation, two-sided",
        "measures": {
            name: {"difference": found.mean, "p": found.p} for name, found in differences.items()
        },
        "better": wins,
        "worse": len(changed) - wins,
        "wins": changed[: min(wins, _SHOWN)],
        "losses": changed[max(wins, len(changed) - _SHOWN) :][::-1],
    }


def varied(stated: Sequence[str], vary: Sequence[str]) -> list[tuple[str, Chosen]]:
    """Every combination of varied values over the stated settings, each under its name.

    Raises:
        UsageError: A setting is unknown or a value out of range.
    """
    axes = []
    for axis in vary:
        name, sign, values = axis.partition("=")
        if not sign or not values:
            raise UsageError(f"--vary {axis!r} is not NAME=VALUE,VALUE.")
        axes.append([f"{name}={value}" for value in values.split(",")])
    return [
        (", ".join(combination) or "default", Chosen.read([*stated, *combination]))
        for combination in product(*axes)
    ]

"""Runs, the measures of a run, and whether two runs differ by more than chance."""

from __future__ import annotations

import re
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from kb.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from evaluation.benches import Qrels

# Documents by query, best first.
Run = dict[str, list[str]]

# The name of a measure here and in ir_measures.
_MEASURES = {"nDCG@10": "nDCG@10", "R@10": "R@10", "R@100": "R@100", "MRR@10": "RR@10"}
MAIN = "nDCG@10"
_RESAMPLES = 9999
_RUN_COLUMNS = 6


def per_query(qrels: Qrels, run: Run) -> dict[str, dict[str, float]]:
    """Each measure of each judged query, by measure and query; one that is not in the run has 0.

    trec_eval breaks ties of scores by document id, in single precision: it is given ranks.
    """
    import ir_measures  # noqa: PLC0415 -- keeps `kb --help` quick

    scored = {
        query: {document: 1 / rank for rank, document in enumerate(found, start=1)}
        for query, found in run.items()
        if found
    }
    named = {ir_measures.parse_measure(theirs): ours for ours, theirs in _MEASURES.items()}
    values: dict[str, dict[str, float]] = {ours: {} for ours in _MEASURES}
    for metric in ir_measures.iter_calc(list(named), qrels, scored):
        if metric.query_id in qrels:
            values[named[metric.measure]][metric.query_id] = float(metric.value)
    return values


def means(values: dict[str, dict[str, float]]) -> dict[str, float]:
    """The mean of each measure over the judged queries."""
    return {measure: round(fmean(found.values()), 4) for measure, found in values.items()}


@dataclass(frozen=True, slots=True)
class Difference:
    """How one run differs from a baseline in one measure: the mean, and the chance of it.

    ``by_query`` holds what each query gained (above 0) or lost, the largest gain first.
    """

    mean: float
    p: float
    by_query: tuple[tuple[str, float], ...]


def difference(baseline: dict[str, float], values: dict[str, float]) -> Difference:
    """Compare two runs query by query with a paired randomisation test, two-sided.

    The sign of each query's difference is drawn 9,999 times (all of them where there are fewer);
    ``p`` is the share with a mean at least as far from 0. See Smucker, Allan & Carterette (2007),
    "A comparison of statistical significance tests for information retrieval evaluation".
    """
    import numpy as np  # noqa: PLC0415 -- keeps `kb --help` quick
    from scipy.stats import permutation_test  # noqa: PLC0415 -- as above

    queries = sorted(baseline)
    before = np.array([baseline[query] for query in queries])
    after = np.array([values[query] for query in queries])
    changes = after - before
    p = 1.0
    if changes.any():
        tested = permutation_test(
            (after, before),
            lambda one, other, axis: np.mean(one - other, axis=axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=_RESAMPLES,
            rng=np.random.default_rng(0),
        )
        p = float(tested.pvalue)
    ranked = sorted(
        ((query, float(change)) for query, change in zip(queries, changes, strict=True)),
        key=lambda item: (-item[1], item[0]),
    )
    return Difference(round(float(changes.mean()), 4), round(p, 4), tuple(ranked))


def write_run(path: Path, run: Run, name: str) -> None:
    """Write a run as TREC does: query, Q0, document, rank, score, name of the run."""
    # Columns are told apart by white space.
    label = "_".join(name.split())
    lines = [
        f"{_quoted(query)} Q0 {_quoted(document)} {rank} {1 / rank:.6f} {label}\n"
        for query, found in run.items()
        for rank, document in enumerate(found, start=1)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines), encoding="utf-8")


def read_run(path: Path) -> Run:
    """Read a run in TREC layout, in the order of its ranks.

    Raises:
        UsageError: The file can't be read or a line is not of a run.
    """
    ranked: dict[str, list[tuple[int, str]]] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The run {path} can't be read: {error}") from None
    for number, line in enumerate(text.splitlines(), start=1):
        columns = line.split()
        if len(columns) != _RUN_COLUMNS or not columns[3].isdecimal():
            raise UsageError(f"{path}:{number} is not query, Q0, document, rank, score, name.")
        query, document = unquote(columns[0]), unquote(columns[2])
        ranked.setdefault(query, []).append((int(columns[3]), document))
    return {query: [document for _, document in sorted(found)] for query, found in ranked.items()}


def _quoted(key: str) -> str:
    return re.sub(r"[%\s]", lambda match: quote(match.group()), key)

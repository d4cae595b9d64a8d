"""The committed results: every bench under some settings as Markdown, plots, and a history."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from evaluation import plots
from evaluation.comparison import compared
from evaluation.machine import ROOT, commit, machine
from evaluation.measures import MAIN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evaluation.answers import Outcome
    from evaluation.retrieval import Result

FOLDER = ROOT / "evaluation" / "results"
# What was asked of the default (issue "Retrieval that crosses languages"), by bench.
TARGETS = {
    "eurlex-fr-en en→en": 0.79,
    "eurlex-fr-en fr→fr": 0.79,
    "eurlex-fr-en fr→en": 0.70,
    "eurlex-fr-en en→fr": 0.70,
    "service-public-fr": 0.89,
    "xquad-en": 0.985,
}
ANSWER_TARGETS = {
    "first three": 0.85,
    "unanswerable refused": 0.9,
    "citations verified": 1.0,
    "citations relevant": 0.9,
}


@dataclass(frozen=True, slots=True)
class Row:
    """A bench under each of the settings, in the order of their names; the first is the base."""

    bench: str
    results: tuple[Result, ...]


def write_report(
    folder: Path, names: Sequence[str], rows: Sequence[Row], outcomes: dict[str, Outcome]
) -> None:
    """Write ``report.md``, the plots, and a line of history for each bench and set of answers."""
    folder.mkdir(parents=True, exist_ok=True)
    _remember(folder / "history.jsonl", rows, outcomes)
    history = read_history(folder / "history.jsonl")
    drawn = plots.draw(folder, names, rows, outcomes, history)
    parts = [
        "# Results\n",
        (
            f"Commit {commit()}, {datetime.now(UTC):%Y-%m-%d}, {machine()}. Written by "
            "`kb eval report`; p by paired randomisation against the first column.\n"
        ),
        *_retrieval(names, rows),
        *_answers(outcomes),
        *(f"![{title}]({path})\n" for title, path in drawn.items()),
    ]
    (folder / "report.md").write_text("\n".join(parts), encoding="utf-8")


def read_history(path: Path) -> list[dict[str, Any]]:
    """The lines of the history, oldest first."""
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def _remember(path: Path, rows: Sequence[Row], outcomes: dict[str, Outcome]) -> None:
    """Add the baseline's figures; those of the same commit and bench are replaced."""
    at = {"commit": commit(), "date": f"{datetime.now(UTC):%Y-%m-%d}"}
    measured = {row.bench: (row.results[0].measures, row.results[0].settings) for row in rows}
    measured |= {
        name: (outcome.as_json()["measures"], outcome.settings)
        for name, outcome in outcomes.items()
    }
    added = [
        {**at, "bench": bench, "measures": measures, "settings": settings}
        for bench, (measures, settings) in measured.items()
    ]
    kept = [
        line
        for line in read_history(path)
        if (line["commit"], line["bench"]) not in {(at["commit"], bench) for bench in measured}
    ]
    lines = (json.dumps(line, ensure_ascii=False) + "\n" for line in [*kept, *added])
    path.write_text("".join(lines), encoding="utf-8")


def _retrieval(names: Sequence[str], rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    head = ["Bench", "Queries", "Target", *names]
    return [
        f"## Retrieval, {MAIN}\n",
        _table(head, [_side_by_side(row) for row in rows]),
        f"## Every measure ({names[0]})\n",
        _table(["Bench", *_measure_names(rows)], [_measures(row, rows) for row in rows]),
    ]


def _side_by_side(row: Row) -> list[str]:
    first, *others = row.results
    cells = [f"{first.measures[MAIN]:.3f}"]
    for result in others:
        found = compared(result.bench, first.values, result.values)["measures"][MAIN]
        cells.append(
            f"{result.measures[MAIN]:.3f} ({found['difference']:+.3f}, p {found['p']:.3f})"
        )
    target = TARGETS.get(row.bench)
    return [row.bench, str(len(first.bench.qrels)), f"{target}" if target else "", *cells]


def _measure_names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.results[0].measures))


def _measures(row: Row, rows: Sequence[Row]) -> list[str]:
    found = row.results[0].measures
    return [row.bench, *(f"{found[n]:.3f}" if n in found else "" for n in _measure_names(rows))]


def _answers(outcomes: dict[str, Outcome]) -> list[str]:
    parts = []
    for name, outcome in outcomes.items():
        found = outcome.as_json()
        groups = {"all": found["measures"], **found["groups"]}
        measures = list(found["measures"])
        lines = [
            [group, *(f"{values[m]:.3f}" if m in values else "" for m in measures)]
            for group, values in groups.items()
        ]
        if found["unanswerable"]:
            lines.append(["target", *(str(ANSWER_TARGETS.get(m, "")) for m in measures)])
        counts = (
            f"Questions: {found['answerable']} answerable, {found['unanswerable']} unanswerable. "
            f"Citations: {found['citations']}, of them {found['unjudged']} unjudged.\n"
        )
        parts += [
            f"## Answers: {name}\n",
            counts,
            _table(["Questions", *measures], lines),
        ]
    return parts


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"

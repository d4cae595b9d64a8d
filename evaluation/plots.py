"""The plots of the report, as SVG that changes only where the figures do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evaluation.measures import MAIN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evaluation.answers import Outcome
    from evaluation.report import Row


def draw(
    folder: Path,
    names: Sequence[str],
    rows: Sequence[Row],
    outcomes: dict[str, Outcome],
    history: Sequence[dict[str, Any]],
) -> dict[str, str]:
    """Draw what there is to draw; returns file names by title."""
    drawn = {}
    if rows:
        drawn[f"{MAIN} by bench"] = _save(folder / "benches.svg", _benches(names, rows))
    curves = {name: found for name, outcome in outcomes.items() if (found := outcome.curve)}
    if curves:
        drawn["Refusals by threshold"] = _save(folder / "refusals.svg", _refusals(curves))
    if history:
        drawn["Quality by commit"] = _save(folder / "history.svg", _history(history))
    return drawn


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure as Drawn  # noqa: PLC0415 -- takes half a second

    figure = Drawn(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def _save(path: Path, figure: Figure) -> str:
    import matplotlib as mpl  # noqa: PLC0415 -- as above

    with mpl.rc_context({"svg.hashsalt": "operation-milliard", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})
    return path.name


def _benches(names: Sequence[str], rows: Sequence[Row]) -> Figure:
    figure, axes = _axes(8, 1 + 0.3 * len(rows) * (1 + 0.5 * len(names)))
    height = 0.8 / len(names)
    for number, name in enumerate(names):
        places = [place + number * height for place in range(len(rows))]
        values = [row.results[number].measures[MAIN] for row in rows]
        axes.barh(places, values, height, label=name)
    axes.set_yticks([place + 0.4 - height / 2 for place in range(len(rows))])
    axes.set_yticklabels([row.bench for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel(MAIN)
    axes.set_xlim(0, 1)
    axes.legend()
    return figure


def _refusals(curves: dict[str, list[dict[str, float]]]) -> Figure:
    figure, axes = _axes(7, 4)
    for name, curve in curves.items():
        thresholds = [point["threshold"] for point in curve]
        for measure in ("answerable refused", "unanswerable refused"):
            axes.step(thresholds, [point[measure] for point in curve], label=f"{name}: {measure}")
    axes.set_xlabel("threshold of confidence")
    axes.set_ylabel("share")
    axes.legend()
    return figure


def _history(history: Sequence[dict[str, Any]]) -> Figure:
    figure, axes = _axes(9, 5)
    commits = list(dict.fromkeys(line["commit"] for line in history))
    for bench in dict.fromkeys(line["bench"] for line in history):
        points = [
            (commits.index(line["commit"]), value)
            for line in history
            if line["bench"] == bench
            for value in (line["measures"].get(MAIN, line["measures"].get("first three")),)
            if value is not None
        ]
        axes.plot([x for x, _ in points], [y for _, y in points], marker="o", label=bench)
    axes.set_xticks(range(len(commits)))
    axes.set_xticklabels(commits, rotation=45, ha="right")
    axes.set_ylabel(f"{MAIN}; answers: first three")
    axes.legend(fontsize="small", bbox_to_anchor=(1, 1))
    return figure

"""``kb eval``: how good retrieval and answers are."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from evaluation.measures import MAIN
from kb.commands import JsonOption, print_json
from kb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
app = typer.Typer()
evaluate = typer.Typer(no_args_is_help=True)
app.add_typer(evaluate, name="eval", help="Measure retrieval and answers.")

SettingOption = Annotated[
    list[str] | None, typer.Option("--setting", metavar="NAME=VALUE", help="Can be repeated.")
]

VaryOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=V1,V2", help="Each value side by side; repeat for all pairs."),
]


@evaluate.callback()
def _root() -> None:
    """Measure retrieval and answers."""


@evaluate.command()
def retrieval(
    bench: Annotated[Path, typer.Argument(metavar="BENCH", help="A folder in BEIR layout.")],
    corpus: Annotated[
        list[Path] | None, typer.Option(help="Where there are several; repeat to mix languages.")
    ] = None,
    queries: Annotated[Path | None, typer.Option(help="Where there are several.")] = None,
    qrels: Annotated[Path | None, typer.Option(help="Where there are several.")] = None,
    setting: SettingOption = None,
    vary: VaryOption = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(metavar="RUN|NAME=VALUE", help="A baseline: a run file, or settings."),
    ] = None,
    run_file: Annotated[Path | None, typer.Option(help="Write the run as TREC does.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a bench's queries through the product's own query path and measure what is found."""
    from evaluation.benches import read_bench  # noqa: PLC0415 -- keeps `kb --help` quick
    from evaluation.comparison import compared, varied  # noqa: PLC0415 -- as above
    from evaluation.measures import per_query, read_run, write_run  # noqa: PLC0415 -- as above
    from evaluation.retrieval import retrieve  # noqa: PLC0415 -- as above

    found = read_bench(bench, corpus or [], queries, qrels)
    runs = varied(setting or [], vary or [])
    if run_file and len(runs) > 1:
        raise UsageError("--run-file takes one run: leave --vary out.")
    baseline = None
    if compare and (path := Path(compare[0])).is_file():
        baseline = per_query(found.qrels, read_run(path))
    elif compare:
        [(label, chosen)] = varied([*(setting or []), *compare], [])
        runs.insert(0, (", ".join(compare), chosen))
    shown = []
    for label, chosen in runs:
        result = retrieve(found, chosen)
        line = {"run": label, **result.as_json()}
        if baseline is not None:
            line["compared"] = compared(found, baseline, result.values)
        elif len(runs) > 1:
            baseline = result.values
        shown.append(line)
    if run_file:
        write_run(run_file, result.run, found.name)
    if as_json:
        print_json(shown[0] if len(shown) == 1 else {"runs": shown})
    else:
        _show_runs(shown)


@evaluate.command()
def answers(
    gold: Annotated[Path | None, typer.Option(help="Another folder of gold questions.")] = None,
    half: Annotated[
        Literal["all", "tune", "report"], typer.Option(help="Tune on one half of the gold set.")
    ] = "all",
    bench: Annotated[
        Path | None, typer.Option(help="A folder in SQuAD's layout instead of the gold set.")
    ] = None,
    home: Annotated[
        Path | None, typer.Option(help="An existing base, instead of one built for the purpose.")
    ] = None,
    setting: SettingOption = None,
    unjudged: Annotated[
        Path | None, typer.Option(help="Write the citations that nobody has judged, to be judged.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask questions and measure sentences, citations and refusals."""
    from evaluation.bases import Chosen  # noqa: PLC0415 -- keeps `kb --help` quick
    from evaluation.questions import ask_gold, ask_squad  # noqa: PLC0415 -- as above

    chosen = Chosen.read(setting or [])
    outcome = ask_squad(bench, chosen) if bench else ask_gold(chosen, gold, half, home)
    if unjudged:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in outcome.unjudged)
        unjudged.write_text("".join(lines), encoding="utf-8")
    if as_json:
        print_json(outcome.as_json())
    else:
        _show_answers(outcome.as_json())


@evaluate.command()
def calls(
    home: Annotated[
        Path | None, typer.Option(help="An existing base, instead of one built for the purpose.")
    ] = None,
    setting: SettingOption = None,
    unjudged: Annotated[
        Path | None, typer.Option(help="Write the statements that nobody has judged, to be judged.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find and match calls, and measure ranking and statements."""
    from evaluation.bases import Chosen  # noqa: PLC0415 -- keeps `kb --help` quick
    from evaluation.calls_bench import calls_base, measure_calls  # noqa: PLC0415 -- as above

    with calls_base(Chosen.read(setting or []), home) as base:
        outcome = measure_calls(base)
    if unjudged:
        lines = (json.dumps(asdict(said), ensure_ascii=False) + "\n" for said in outcome.unjudged)
        unjudged.write_text("".join(lines), encoding="utf-8")
    if as_json:
        print_json(outcome.as_json())
    else:
        _show_calls(outcome.as_json())


@evaluate.command()
def heldout(
    folder: Annotated[Path | None, typer.Argument(help="Where to write it.")] = None,
) -> None:
    """Write the bench of acts that nothing was trained on; print its folder."""
    from evaluation.catalogue import held_out  # noqa: PLC0415 -- keeps `kb --help` quick
    from evaluation.heldout import write_held_out  # noqa: PLC0415 -- as above

    if folder:
        write_held_out(folder)
    typer.echo(folder or held_out())


@evaluate.command()
def small(
    update: Annotated[bool, typer.Option("--update", help="Commit to what is measured.")] = False,
) -> None:
    """Measure the small bench; exit 1 where a figure fell below the committed one."""
    from evaluation import small as guard  # noqa: PLC0415 -- keeps `kb --help` quick

    measured = {name: guard.figures(name) for name in guard.PARTS}
    if update:
        guard.update(measured)
    print_json(measured)
    fallen = [loss for name, found in measured.items() for loss in guard.losses(name, found)]
    for loss in fallen:
        typer.echo(loss, err=True)
    raise typer.Exit(bool(fallen))


@evaluate.command()
def report(
    bench: Annotated[
        list[str] | None, typer.Option(help="Only benches with this in their names; repeatable.")
    ] = None,
    setting: SettingOption = None,
    vary: VaryOption = None,
    folder: Annotated[Path | None, typer.Option(help="Where to write it.")] = None,
) -> None:
    """Measure every bench and write Markdown, plots and a line of history."""
    from evaluation import report as written  # noqa: PLC0415 -- keeps `kb --help` quick
    from evaluation.catalogue import every_bench  # noqa: PLC0415 -- as above
    from evaluation.comparison import varied  # noqa: PLC0415 -- as above
    from evaluation.questions import every_outcome  # noqa: PLC0415 -- as above
    from evaluation.retrieval import retrieve  # noqa: PLC0415 -- as above

    runs = varied(setting or [], vary or [])
    rows = [
        written.Row(one.name, tuple(retrieve(one, chosen) for _, chosen in runs))
        for one in every_bench()
        if _wanted(one.name, bench)
    ]
    outcomes = {name: ask() for name, ask in every_outcome(runs[0][1]) if _wanted(name, bench)}
    written.write_report(folder or written.FOLDER, [name for name, _ in runs], rows, outcomes)
    typer.echo(f"Wrote {(folder or written.FOLDER) / 'report.md'}")


def _wanted(name: str, parts: Sequence[str] | None) -> bool:
    return not parts or any(part in name for part in parts)


def _show_answers(found: dict[str, Any]) -> None:
    console = Console()
    measures = list(found["measures"])
    title = f"{found['answerable']} answerable, {found['unanswerable']} unanswerable questions"
    table = Table("Questions", *measures, title=title)
    for group, values in {"all": found["measures"], **found["groups"]}.items():
        table.add_row(group, *(f"{values[m]:.3f}" if m in values else "" for m in measures))
    console.print(table)
    console.print(
        f"{found['citations']} citations, {found['unjudged']} unjudged. Commit {found['commit']}."
    )


def _show_calls(found: dict[str, Any]) -> None:
    console = Console()
    for part in ("profiles", "questions"):
        measures = [name for name in next(iter(found[part].values())) if name != "questions"]
        table = Table(part.capitalize(), *measures, title=f"{found['calls']} calls")
        for group, values in found[part].items():
            table.add_row(group, *(f"{values[name]:.3f}" for name in measures))
        console.print(table)
    table = Table("Statements", "right", "judged", "precision", "95 %", "unjudged")
    for group, said in found["statements"].items():
        interval = f"{said['low']:.2f} to {said['high']:.2f}" if "low" in said else ""
        share = f"{said['precision']:.2f}" if "precision" in said else ""
        counts = (str(said[name]) for name in ("right", "judged"))
        table.add_row(group, *counts, share, interval, str(said["unjudged"]))
    console.print(table)
    console.print(f"Commit {found['commit']}.")


def _show_runs(runs: Sequence[dict[str, Any]]) -> None:
    console = Console()
    console.soft_wrap = not console.is_terminal
    first = runs[0]
    title = f"{first['bench']}: {first['queries']} queries, {first['documents']} documents"
    measures = list(first["measures"])
    table = Table("Run", *measures, "Difference (p)", "Seconds", title=title)
    for run in runs:
        change = run.get("compared", {}).get("measures", {}).get(MAIN)
        table.add_row(
            escape(run["run"]),
            *(f"{run['measures'][name]:.4f}" for name in measures),
            f"{change['difference']:+.4f} ({change['p']:.4f})" if change else "",
            str(run["seconds"]),
        )
    console.print(table)
    for run in runs:
        _show_queries(console, run)
    console.print(f"Commit {first['commit']}; p by paired randomisation of {MAIN}.")


def _show_queries(console: Console, run: dict[str, Any]) -> None:
    found = run.get("compared", {})
    for name in ("wins", "losses"):
        if found.get(name):
            table = Table("Query", "Text", "Before", "After", title=f"{run['run']}: {name}")
            for row in found[name]:
                values = (f"{row['before']:.3f}", f"{row['after']:.3f}")
                table.add_row(escape(row["query"]), escape(row["text"]), *values)
            console.print(table)

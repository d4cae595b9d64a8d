"""The figures of load as tables: on the screen, and in the page of the documentation."""

from __future__ import annotations

import json
import re
from statistics import median
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from evaluation.load.throughput import PEER, SEARCH
from evaluation.machine import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "performance.md"
_MEASURED = ("throughput", "soak")
_BEGIN = "<!-- {name}: python -m evaluation.load page -->"
_END = "<!-- end -->"
_MEGABYTE = 1_000_000
_REFUSED = ("429", "503")
_WIDTH = 160  # of tables in a file
_WORDS = {"request", "what"}  # columns that hold no numbers

# A table by its title: the names of its columns, then its lines.
Tables = dict[str, list[tuple[str, ...]]]


def print_row(row: dict[str, Any]) -> None:
    """Say what was just measured, on standard error."""
    words = f"{row['base']}, {row['what']}, {row['clients']} clients: "
    figures = f"{row['requests_a_second']}/s, p50 {row['p50_ms']} ms, p95 {row['p95_ms']} ms"
    Console(stderr=True).print(words + figures, highlight=False)


def print_tables(figures: dict[str, Any]) -> None:
    """Print every table of a measurement."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    console.print(_measured_on(figures), highlight=False)
    for title, (head, *lines) in tables(figures).items():
        table = Table(title=title, title_justify="left")
        for name in head:
            table.add_column(name, justify="left" if name in _WORDS else "right")
        for line in lines:
            table.add_row(*line)
        console.print(table)


def write_page(results: Path, page: Path = PAGE) -> None:
    """Write the figures of a folder into their places in the page; what is not there, stays."""
    text = page.read_text(encoding="utf-8")
    files = {name: results / f"{name}.json" for name in _MEASURED}
    found = {
        name: json.loads(file.read_text(encoding="utf-8"))
        for name, file in files.items()
        if file.is_file()
    }
    for name, figures in found.items():
        text = with_figures(text, name, figures)
    page.write_text(text, encoding="utf-8")
    if len(found) == len(_MEASURED):
        draw(found["throughput"], found["soak"], page.with_suffix(".svg"))


def with_figures(text: str, name: str, figures: dict[str, Any]) -> str:
    """A page with the figures of a measurement in their place."""
    begin = _BEGIN.format(name=name)
    parts = [begin, _measured_on(figures)]
    for title, (head, *lines) in tables(figures).items():
        aligned = tuple("---" if column in _WORDS else "---:" for column in head)
        rows = "\n".join(f"| {' | '.join(line)} |" for line in (head, aligned, *lines))
        parts += [f"**{title}**", rows]
    parts.append(_END)
    block = re.compile(f"{re.escape(begin)}.*?{re.escape(_END)}", re.DOTALL)
    return block.sub(lambda _found: "\n\n".join(parts), text)


def draw(throughput: dict[str, Any], soak: dict[str, Any], file: Path) -> None:
    """Draw requests a second by clients, and the soak's milliseconds by minute, as SVG."""
    import matplotlib as mpl  # noqa: PLC0415 -- takes half a second
    from matplotlib.figure import Figure  # noqa: PLC0415 -- as above

    figure = Figure(figsize=(11, 4), layout="constrained")
    rates, minutes = figure.subplots(1, 2)
    series: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for row in throughput["rows"]:
        point = row["clients"], row["requests_a_second"]
        series.setdefault((row["base"], row["what"]), []).append(point)
    bases = list(dict.fromkeys(base for base, _ in series))
    for (base, what), points in series.items():
        style = "-" if base == bases[0] else "--"
        rates.plot(*zip(*points, strict=True), style, marker="o", label=f"{what}, {base}")
    rates.set(xscale="log", yscale="log", xlabel="clients", ylabel="requests a second")
    counts = sorted({row["clients"] for row in throughput["rows"]})
    rates.set_xticks(counts, labels=map(str, counts))
    rates.minorticks_off()
    for name in ("p50_ms", "p95_ms", "p99_ms"):
        lines = soak["by_minute"]
        values = [line[name] for line in lines]
        minutes.plot([line["minute"] for line in lines], values, label=name[:3])
    minutes.set(xlabel="minute of the soak", ylabel="milliseconds", ylim=(0, None))
    for axes in (rates, minutes):
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize="small")
    with mpl.rc_context({"svg.hashsalt": "operation-milliard", "svg.fonttype": "none"}):
        figure.savefig(file, metadata={"Date": None})


def tables(figures: dict[str, Any]) -> Tables:
    """The tables of a measurement."""
    return _throughput(figures) if "rows" in figures else _soak(figures)


def _measured_on(figures: dict[str, Any]) -> str:
    load = f"load average before {figures['load_before']:.2f}"
    return f"{figures['machine']}, commit {figures['commit']}, {load}."


def _throughput(figures: dict[str, Any]) -> Tables:
    head = (
        *("request", "clients", "a second", "p50 ms", "p95 ms", "p99 ms"),
        *("answered", *_REFUSED, "other"),
        *("service", "clients'", "others'", "ms each", "to FTS5"),
    )
    rows = figures["rows"]
    peers = {(row["base"], row["clients"]): row for row in rows if row["what"] == PEER}
    found: Tables = {}
    for row in rows:
        peer = peers[row["base"], row["clients"]] if row["what"] == SEARCH else None
        found.setdefault(row["base"], [head]).append(_measured(row, peer))
    return found


def _measured(row: dict[str, Any], peer: dict[str, Any] | None) -> tuple[str, ...]:
    refused = [row["statuses"].get(status, 0) for status in _REFUSED]
    not_expected = sum(row["problems"].values())
    expected = sum(row["statuses"].values()) - not_expected
    rate, other = row["requests_a_second"], peer["requests_a_second"] if peer else 0
    return (
        row["what"],
        str(row["clients"]),
        str(rate),
        *_times(row),
        *map(str, (expected, *refused, not_expected - sum(refused))),
        *(f"{row['processors'][who]:.2f}" for who in ("service", "clients", "others")),
        f"{1000 * row['processors']['service'] / rate:.0f}" if rate else "",
        f"{rate / other:.2f}" if other else "",
    )


def _soak(figures: dict[str, Any]) -> Tables:
    return {
        f"{figures['seconds'] / 60:g} minutes of {figures['clients']} clients, {figures['base']}": [
            ("what", "figure"),
            *_happened(figures),
        ],
        "Minute by minute": [
            ("minute", "requests", "p50 ms", "p95 ms", "p99 ms", "not as expected"),
            *(_line("minute", line) for line in figures["by_minute"]),
        ],
        "By request": [
            ("request", "requests", "p50 ms", "p95 ms", "p99 ms", "not as expected"),
            *(_line("kind", line) for line in figures["by_kind"]),
        ],
        "Memory of the service": [
            ("seconds", "own MB", "of files MB", "open files"),
            *(
                (
                    f"{each['seconds']:.0f}",
                    f"{each['own'] / _MEGABYTE:.0f}",
                    f"{each['files'] / _MEGABYTE:.0f}",
                    str(each["descriptors"]),
                )
                for each in figures["memory"]
            ),
        ],
    }


def _happened(figures: dict[str, Any]) -> list[tuple[str, ...]]:
    errors = "; ".join(f"{count} × {what}" for what, count in figures["errors"].items())
    refused = ", ".join(f"{count} × {status}" for status, count in figures["refused"].items())
    published, backups = figures["published"], figures["backups"]
    tried = published + figures["not_published"]
    runs = figures["publishing_seconds"]
    made = [each for each in backups if each["exit_code"] == 0]
    shares = ", ".join(f"{name} {value:.2f}" for name, value in figures["processors"].items())
    return [
        ("requests", f"{figures['requests']:,}"),
        ("errors", errors or "none"),
        ("refused", refused),
        ("runs of `kb ingest` that published", f"{published} of {tried}"),
        ("seconds of a run, median and longest", f"{median(runs):.1f} and {max(runs):.1f}"),
        ("switches of generation by the service", str(figures["switches"])),
        ("newest edition found, and cited, straight afterwards", _seen(figures, tried)),
        ("outdated edition found", str(figures["outdated"])),
        ("backups made", f"{len(made)} of {len(backups)}"),
        ("seconds of a backup, longest", f"{max((b['seconds'] for b in backups), default=0)}"),
        ("warnings and errors in the service's log", str(len(figures["complaints"]))),
        ("processors at work", shares),
    ]


def _seen(figures: dict[str, Any], tried: int) -> str:
    return f"{figures['newest_found']} and {figures['newest_cited']} of {tried}"


def _line(key: str, line: dict[str, Any]) -> tuple[str, ...]:
    return str(line[key]), str(line["requests"]), *_times(line), str(line["not_expected"])


def _times(line: dict[str, Any]) -> tuple[str, ...]:
    return tuple(f"{line[name]:.0f}" for name in ("p50_ms", "p95_ms", "p99_ms"))

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from fakes import HashingEncoder
from typer.testing import CliRunner

from evaluation import catalogue, small
from evaluation.answers import Asked, Outcome
from evaluation.bases import Chosen
from evaluation.benches import Bench, BenchDocument
from evaluation.cli import app
from evaluation.comparison import varied
from evaluation.report import Row, read_history, write_report
from evaluation.retrieval import retrieve
from kb.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = {
    f"d{n}": f"Le dossier numéro {n} parle de {word}."
    for n, word in enumerate(("garantie", "subvention", "avance", "mécénat", "climat", "forêt"))
}
BENCH = Bench(
    "tiny fr→fr",
    (tuple(BenchDocument(key, "", text) for key, text in TEXTS.items()),),
    TEXTS,
    {key: {key: 1} for key in TEXTS},
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own."""
    monkeypatch.setenv("KB_EVAL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def rows() -> tuple[list[str], list[Row]]:
    """The tiny bench under two settings."""
    runs = varied([], ["candidate_k=50,1"])
    results = tuple(retrieve(BENCH, chosen, HashingEncoder()) for _, chosen in runs)
    return [name for name, _ in runs], [Row(BENCH.name, results)]


@pytest.fixture
def outcomes() -> dict[str, Outcome]:
    """Two questions, one of each kind."""
    asked = tuple(
        Asked(key, key == "a", (), 1, confidence, refused=False, verified=(True,), relevant=(True,))
        for key, confidence in (("a", 0.9), ("u", 0.3))
    )
    return {"gold": Outcome(asked, (), {"nDCG@10": 0.5}, Chosen().shown(), 1.0)}


def test_the_report_shows_settings_side_by_side_with_plots(
    tmp_path: Path, rows: tuple[list[str], list[Row]], outcomes: dict[str, Outcome]
) -> None:
    """Each setting has its column, each figure its significance, and every plot is a file."""
    write_report(tmp_path, *rows, outcomes)
    text = (tmp_path / "report.md").read_text("utf-8")
    assert "| Bench | Queries | Target | candidate_k=50 | candidate_k=1 |" in text
    assert "| tiny fr→fr | 6 |" in text
    assert "(+0.000, p 1.000)" in text
    assert "Questions: 1 answerable, 1 unanswerable. Citations: 2" in text
    for name in ("benches", "refusals", "history"):
        assert f"({name}.svg)" in text
        assert (tmp_path / f"{name}.svg").read_text("utf-8").startswith("<?xml")


def test_history_keeps_one_line_a_commit_and_bench(
    tmp_path: Path, rows: tuple[list[str], list[Row]], outcomes: dict[str, Outcome]
) -> None:
    """Measured again, the figures of the same commit are replaced; those of others stay."""
    old = {"commit": "abc", "date": "2026-01-01", "bench": BENCH.name, "measures": {"nDCG@10": 0}}
    (tmp_path / "history.jsonl").write_text(json.dumps(old) + "\n", encoding="utf-8")
    write_report(tmp_path, *rows, {})
    write_report(tmp_path, *rows, outcomes)
    history = read_history(tmp_path / "history.jsonl")
    assert [line["bench"] for line in history] == [BENCH.name, BENCH.name, "gold"]
    assert history[0] == old
    assert history[1]["measures"]["nDCG@10"] == 1.0
    assert history[2]["measures"]["first"] == 1.0


def test_plots_change_only_where_the_figures_do(
    tmp_path: Path, rows: tuple[list[str], list[Row]], outcomes: dict[str, Outcome]
) -> None:
    """The same figures give the same bytes."""
    written = []
    for name in ("one", "two"):
        write_report(tmp_path / name, *rows, outcomes)
        written.append([path.read_bytes() for path in sorted((tmp_path / name).glob("*.svg"))])
    assert written[0] == written[1]


def figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: object) -> None:
    """Commit to these figures of the small bench."""
    path = tmp_path / "small.json"
    path.write_text(json.dumps({"figures": values}), encoding="utf-8")
    monkeypatch.setattr(small, "FIGURES", path)


def test_a_figure_may_lose_its_tolerance_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fell is told with both figures; what rose, or is missing from the committed, is not."""
    figures(tmp_path, monkeypatch, {"b": {"nDCG@10": 0.7, "first three": 0.5}})
    assert small.losses("b", {"nDCG@10": 0.6901, "first three": 0.9}) == []
    assert small.losses("b", {"nDCG@10": 0.6899, "first three": 0.5}) == [
        "b: nDCG@10 is 0.6899, committed is 0.7000"
    ]
    assert len(small.losses("b", {})) == 2


def test_without_committed_figures_the_guard_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a missing file nor a missing part passes for a pass."""
    monkeypatch.setattr(small, "FIGURES", tmp_path / "small.json")
    with pytest.raises(UsageError, match="--update"):
        small.losses("b", {"nDCG@10": 1.0})
    figures(tmp_path, monkeypatch, {"b": {}})
    with pytest.raises(UsageError, match="no figures of c"):
        small.losses("c", {"nDCG@10": 1.0})
    small.update({"c": {"nDCG@10": 0.4}})
    assert small.losses("c", {"nDCG@10": 0.4}) == []


def test_the_command_fails_where_a_figure_fell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1, the figures as JSON, and what fell on standard error."""
    figures(tmp_path, monkeypatch, {"tiny": {"nDCG@10": 0.9}})
    monkeypatch.setattr(small, "PARTS", ("tiny",))
    for value, code in ((0.95, 0), (0.5, 1)):
        monkeypatch.setattr(small, "figures", lambda _name, value=value: {"nDCG@10": value})
        done = CliRunner().invoke(app, ["eval", "small"])
        assert done.exit_code == code
        assert json.loads(done.stdout) == {"tiny": {"nDCG@10": value}}
        assert ("tiny: nDCG@10 is 0.5" in done.stderr) == bool(code)


def test_every_named_bench_can_be_read(shared_data: Path) -> None:
    """Each has queries, and relevant documents that are in its corpora."""
    assert shared_data.is_dir()
    names = []
    for bench in catalogue.every_bench():
        names.append(bench.name)
        held = {document.id for corpus in bench.corpora for document in corpus}
        assert bench.qrels.keys() <= bench.queries.keys()
        assert {key for judged in bench.qrels.values() for key in judged} <= held
    assert len(names) == len(set(names)) == 14
    assert {"eurlex-fr-en fr→en", "held-out en→fr", "held-out fr→en+fr", "xquad-en"} <= set(names)

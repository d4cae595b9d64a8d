from __future__ import annotations

import math
from pathlib import Path

import pytest

from evaluation.benches import Bench
from evaluation.comparison import compared, varied
from evaluation.measures import difference, means, per_query, read_run, write_run
from kb.errors import UsageError

QRELS = {"q1": {"d1": 1}, "q2": {"d2": 1}, "q3": {"d3": 1, "d4": 1}}


def test_measures_are_those_of_the_field() -> None:
    """One relevant document at rank 3 is worth 1/log2(4) in nDCG and 1/3 in MRR."""
    values = per_query({"q1": {"d1": 1}}, {"q1": ["x", "y", "d1"]})
    assert values["nDCG@10"]["q1"] == pytest.approx(0.5)
    assert values["MRR@10"]["q1"] == pytest.approx(1 / 3)
    assert (values["R@10"]["q1"], values["R@100"]["q1"]) == (1.0, 1.0)


def test_depth_counts() -> None:
    """What ranks eleventh is beyond 10 and within 100."""
    found = [f"x{n}" for n in range(10)] + ["d1"]
    values = per_query({"q1": {"d1": 1}}, {"q1": found})
    assert [values[name]["q1"] for name in ("nDCG@10", "R@10", "MRR@10", "R@100")] == [0, 0, 0, 1]


def test_a_judged_query_that_the_run_lacks_scores_zero() -> None:
    """It never vanishes from the mean, and neither does one that found nothing."""
    values = per_query(QRELS, {"q1": ["d1"], "q2": [], "unjudged": ["d1"]})
    assert all(found.keys() == QRELS.keys() for found in values.values())
    assert values["nDCG@10"] == {"q1": 1.0, "q2": 0.0, "q3": 0.0}
    assert means(values)["nDCG@10"] == pytest.approx(1 / 3, abs=1e-4)


def test_an_empty_run_scores_zero() -> None:
    """No query at all was answered."""
    assert set(means(per_query(QRELS, {})).values()) == {0.0}


def test_the_order_of_the_run_is_what_is_measured() -> None:
    """trec_eval would put the later id first among equals."""
    ranked = [f"d{n}" for n in range(100)]
    values = per_query({"q": {"d0": 1}}, {"q": ranked})
    assert values["MRR@10"]["q"] == 1.0
    values = per_query({"q": {"d9": 1}}, {"q": ranked})
    assert values["nDCG@10"]["q"] == pytest.approx(1 / math.log2(11))


def test_a_run_file_brings_the_run_back(tmp_path: Path) -> None:
    """Ids with white space and accents survive; the layout is TREC's."""
    run = {"q1": ["d 1", "é#art_2"], "q2": ["d2"]}
    path = tmp_path / "runs" / "a.run"
    write_run(path, run, "my bench fr→en")
    assert read_run(path) == run
    assert path.read_text("utf-8").splitlines()[-1].split() == [
        *("q2", "Q0", "d2", "1", "1.000000"),
        "my_bench_fr→en",
    ]


@pytest.mark.parametrize("text", ["q1 d1 1\n", "q1 Q0 d1 first 1.0 name\n"])
def test_a_file_that_is_no_run_is_told(tmp_path: Path, text: str) -> None:
    """The message names the line."""
    path = tmp_path / "a.run"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"a\.run:1"):
        read_run(path)


def test_small_samples_are_tested_exactly() -> None:
    """Five gains in five queries: two of the 32 draws of signs are as far from zero."""
    before = {f"q{n}": 0.1 * n for n in range(5)}
    found = difference(before, {query: value + 0.2 for query, value in before.items()})
    assert found.mean == pytest.approx(0.2)
    assert found.p == pytest.approx(2 / 32)


def test_chance_is_told_from_an_effect() -> None:
    """Gains and losses in turn are chance; gains throughout are not; the p is the same twice."""
    before = {f"q{n:02}": 0.5 for n in range(40)}
    chance = {query: 0.4 if n % 2 else 0.6 for n, query in enumerate(before)}
    assert difference(before, chance).p > 0.9
    better = {query: 0.55 + 0.001 * n for n, query in enumerate(before)}
    assert difference(before, better).p < 0.001
    assert difference(before, better) == difference(before, better)


def test_equal_runs_do_not_differ() -> None:
    """Nothing changed: p is 1."""
    values = {"q1": 0.5, "q2": 1.0}
    found = difference(values, values)
    assert (found.mean, found.p) == (0.0, 1.0)


def test_the_largest_gains_and_losses_are_listed() -> None:
    """Wins come largest first, losses worst first, each with its text."""
    bench = Bench("b", ((),), {f"q{n}": f"text {n}" for n in range(1, 4)}, QRELS)
    before = per_query(QRELS, {"q1": ["d1"], "q2": ["x", "d2"], "q3": ["d3", "d4"]})
    after = per_query(QRELS, {"q1": ["x", "y", "d1"], "q2": ["d2"], "q3": ["d3", "x", "d4"]})
    found = compared(bench, before, after)
    assert (found["better"], found["worse"]) == (1, 2)
    assert [(row["query"], row["after"]) for row in found["wins"]] == [("q2", 1.0)]
    assert [row["query"] for row in found["losses"]] == ["q1", "q3"]
    assert found["losses"][0] == {"query": "q1", "text": "text 1", "before": 1.0, "after": 0.5}


def test_varied_settings_are_combined() -> None:
    """Two axes give every pair, each under its name, over what was stated."""
    runs = varied(["per_document=2"], ["candidate_k=50,100", "passages=split,whole"])
    assert [name for name, _ in runs] == [
        "candidate_k=50, passages=split",
        "candidate_k=50, passages=whole",
        "candidate_k=100, passages=split",
        "candidate_k=100, passages=whole",
    ]
    _, last = runs[-1]
    shown = last.shown()
    assert (shown["candidate_k"], shown["per_document"], shown["passages"]) == (100, 2, "whole")
    assert [name for name, _ in varied([], [])] == ["default"]


@pytest.mark.parametrize(
    ("stated", "vary", "said"),
    [
        (["candidates=5"], [], r"candidates=5.*names are .*candidate_k"),
        (["candidate_k"], [], "NAME=VALUE"),
        (["candidate_k=many"], [], "candidate_k"),
        (["candidate_k=0"], [], "candidate_k"),
        (["home=/tmp"], [], "no setting to measure with"),
        (["passages=half"], [], "split or whole"),
        ([], ["candidate_k"], "--vary"),
        ([], ["candidate_k=5,none"], "candidate_k"),
    ],
)
def test_a_setting_that_is_none_is_told(stated: list[str], vary: list[str], said: str) -> None:
    """The message names it, and the names there are."""
    with pytest.raises(UsageError, match=said):
        varied(stated, vary)


def test_the_users_own_base_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bench is never written into the database or the index that the environment names."""
    monkeypatch.setenv("KB_DATABASE_URL", "postgresql://elsewhere/kb")
    monkeypatch.setenv("KB_INDEX_URL", "http://elsewhere:6333")
    [(_, chosen)] = varied([], [])
    settings = chosen.settings(Path("home"))
    assert settings.database == "sqlite:///home/record.db"
    assert settings.index_url == ""

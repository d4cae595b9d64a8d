from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes import HashingEncoder

from evaluation.bases import Chosen, bench_base, cache
from evaluation.benches import Bench, BenchDocument
from evaluation.retrieval import EVERYTHING, retrieve
from evaluation.vectors import RememberedVectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

KB = Path(sys.executable).with_name("kb")
FRENCH = {
    "avance": "L'avance remboursable est versée à l'association avant le premier projet.",
    "garantie": "La garantie publique couvre la moitié des pertes du prêteur solidaire.",
    "délai": "Le délai de paiement de la subvention est de soixante jours.",
}
ENGLISH = {
    "avance": "The repayable advance is paid to the association before its first project.",
    "garantie": "The public guarantee covers half of the losses of the lender.",
    "délai": "The deadline for paying the grant is sixty days.",
}
FILLER = " ".join(f"Phrase numéro {n} sur un tout autre sujet que la question." for n in range(60))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("KB_EVAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def corpus(texts: dict[str, str]) -> tuple[BenchDocument, ...]:
    """Documents with these texts by id."""
    return tuple(BenchDocument(key, "", text) for key, text in texts.items())


def bench(*corpora: dict[str, str], queries: dict[str, str] | None = None) -> Bench:
    """A bench in which the relevant document of a query has its id."""
    asked = queries or {
        "avance": "avance remboursable association",
        "garantie": "garantie publique pertes",
        "délai": "délai de paiement d'une subvention",
    }
    return Bench("b", tuple(map(corpus, corpora)), asked, {key: {key: 1} for key in asked})


def test_documents_are_found_by_the_products_own_query_path() -> None:
    """Every query finds its document first; queries that nobody judged are not asked."""
    asked = bench(FRENCH)
    asked.queries["unjudged"] = "peu importe"
    result = retrieve(asked, Chosen(), HashingEncoder())
    assert {query: found[0] for query, found in result.run.items()} == {key: key for key in FRENCH}
    assert result.measures == {"nDCG@10": 1.0, "R@10": 1.0, "R@100": 1.0, "MRR@10": 1.0}
    shown = result.as_json()
    assert (shown["queries"], shown["documents"]) == (3, 3)
    assert (shown["settings"]["per_document"], shown["settings"]["passages"]) == (1, "whole")


def test_a_judged_query_without_a_text_scores_zero() -> None:
    """It counts among the queries; so does one that the product refuses to take."""
    asked = bench(FRENCH)
    del asked.queries["délai"]
    asked.queries["garantie"] = "garantie " * 200
    result = retrieve(asked, Chosen(), HashingEncoder())
    assert result.measures["nDCG@10"] == pytest.approx(1 / 3, abs=1e-4)
    assert result.as_json()["queries"] == 3


def test_a_document_ranks_where_its_best_passage_does() -> None:
    """One long document is one result, found by what stands at its end."""
    long = {"long": f"{FILLER}\n\n{FRENCH['délai']}", "other": FILLER}
    asked = bench(long, queries={"long": "délai de paiement subvention soixante jours"})
    encoder = HashingEncoder()
    chosen = Chosen(passages="split")
    result = retrieve(asked, chosen, encoder)
    assert result.run["long"] == ["long", "other"]
    with bench_base(asked, chosen, encoder) as base:
        passages = base.record.current()
        assert passages is not None
        assert passages.passages > 4


def test_a_whole_document_can_be_one_passage() -> None:
    """One passage holds the whole text of its document, as it stands in the bench."""
    text = {"long": f"{FILLER}\n\n{FRENCH['délai']}"}
    with bench_base(bench(text), Chosen(passages="whole"), HashingEncoder()) as base:
        [hit] = base.search.search("délai de paiement", EVERYTHING).hits
        assert hit.passage.text == text["long"]
        assert (hit.document.source, hit.document.language) == ("long", "fr")


def test_settings_of_a_query_build_nothing_again(own_cache: Path) -> None:
    """Another depth is asked of the same base; only its queries are new to the encoder."""
    encoder = HashingEncoder()
    retrieve(bench(FRENCH), Chosen(), encoder)
    seen, built = encoder.passages_seen, sorted((own_cache / "bases").iterdir())
    result = retrieve(bench(FRENCH), Chosen.read(["candidate_k=5"]), encoder)
    assert result.settings["candidate_k"] == 5
    assert sorted((own_cache / "bases").iterdir()) == built
    probes = encoder.passages_seen - seen
    assert probes < 10
    assert encoder.queries_seen == 3, "queries are encoded once"


def test_another_corpus_or_another_cut_is_another_base(own_cache: Path) -> None:
    """Contents and passages are what a base is known by, whatever is asked of it."""
    for one, chosen in (
        (bench(FRENCH), Chosen()),
        (bench(FRENCH, queries={"avance": "avance"}), Chosen()),
        (bench(FRENCH), Chosen(passages="split")),
        (bench({**FRENCH, "délai": "Autre chose."}), Chosen()),
    ):
        retrieve(one, chosen, HashingEncoder())
    assert len(list((own_cache / "bases").iterdir())) == 3


def test_a_failed_build_leaves_nothing_behind(own_cache: Path) -> None:
    """What could not be finished is not taken for a base."""

    class Failing(HashingEncoder):
        def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
            if self.passages_seen > 10:
                raise RuntimeError("out of memory")
            return super().encode_passages(texts)

    many = {f"d{n}": f"{FRENCH['délai']} {n}" for n in range(80)}
    with pytest.raises(RuntimeError):
        retrieve(bench(many), Chosen(), Failing())
    assert list((own_cache / "bases").iterdir()) == []
    assert retrieve(bench(FRENCH), Chosen(), HashingEncoder()).measures["nDCG@10"] == 1.0


def test_vectors_are_made_once_and_belong_to_their_weights(own_cache: Path) -> None:
    """A text is encoded once; an encoder of the same name that makes others has its own file."""
    folder = own_cache / "vectors"
    encoder = HashingEncoder()
    remembered = RememberedVectors(encoder, folder)
    first = remembered.encode_passages(["un", "deux", "un"])
    seen = encoder.passages_seen
    again = RememberedVectors(encoder, folder)
    assert (again.encode_passages(["deux", "un"]) == first[[1, 0]]).all()
    assert encoder.passages_seen - seen < 10, "the probes alone"
    assert (remembered.encode_queries(["un"]) == encoder.encode_queries(["un"])).all()
    assert again.state == remembered.state
    assert RememberedVectors(HashingEncoder(dimension=64), folder).state != remembered.state
    assert remembered.encode_passages([]).shape == (0, 128)


def test_a_mixed_corpus_counts_either_version_and_asks_for_both() -> None:
    """A work has one rank, its better version's; the merged list should hold both."""
    result = retrieve(bench(FRENCH, ENGLISH), Chosen(), HashingEncoder())
    assert result.measures["nDCG@10"] == 1.0
    assert result.measures["both@20"] == 1.0
    assert result.as_json()["documents"] == 6
    for query, found in result.run.items():
        assert found.count(query) == 1
        assert len(set(found)) == len(found)


def test_a_language_that_the_merged_list_buries_shows() -> None:
    """Thirty French documents before the English version: it is missing from the merged 20."""
    french = {f"f{n}": f"{FRENCH['délai']} Rappel {n}." for n in range(30)}
    mixed = bench({**FRENCH, **french}, ENGLISH, queries={"délai": FRENCH["délai"]})
    result = retrieve(mixed, Chosen(), HashingEncoder())
    assert result.both is not None
    merged = result.run["délai"][:20]
    held = sum(key.startswith("d-lai") or key == "délai" for key in merged) > 1
    assert result.both == {"délai": held}


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run ``kb eval`` with the default encoder."""
    env = {**os.environ, "KB_EVAL_CACHE": str(folder / "cache"), "KB_HOME": str(folder / "home")}
    return subprocess.run(
        [KB, "eval", *arguments], capture_output=True, text=True, check=False, env=env
    )


def test_the_command_prints_json_and_nothing_else(tmp_path: Path) -> None:
    """Progress goes to standard error; a run file and a baseline take the same run."""
    folder = tmp_path / "bench"
    folder.mkdir()
    for name, texts in (("corpus", FRENCH), ("queries", bench(FRENCH).queries)):
        rows = [json.dumps({"_id": key, "text": text}) for key, text in texts.items()]
        (folder / f"{name}.jsonl").write_text("\n".join(rows), encoding="utf-8")
    judged = "".join(f"{key}\t{key}\t1\n" for key in FRENCH)
    (folder / "qrels.tsv").write_text(judged, encoding="utf-8")
    out = tmp_path / "out.run"
    options = ["retrieval", str(folder), "--json"]
    done = run(*options, "--run-file", str(out), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["measures"]["R@100"] == 1.0
    assert {"queries", "documents", "settings", "seconds", "commit"} <= found.keys()
    done = run(*options, "--compare", str(out), "--vary", "candidate_k=50,100", folder=tmp_path)
    runs = json.loads(done.stdout)["runs"]
    assert [line["settings"]["candidate_k"] for line in runs] == [50, 100]
    assert runs[0]["compared"]["measures"]["nDCG@10"] == {"difference": 0.0, "p": 1.0}
    assert not (tmp_path / "home").exists(), "the user's own base is left alone"
    done = run("retrieval", str(folder), "--setting", "depth=5", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "candidate_k" in done.stderr


def test_the_cache_is_where_the_variable_says(own_cache: Path) -> None:
    """Without it the user's cache folder is taken."""
    assert cache() == own_cache

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation.benches import Bench, BenchDocument, read_bench, shared_data
from kb.errors import UsageError

DOCUMENTS = [{"_id": "d1", "title": "Un", "text": "Une avance."}, {"_id": "d2", "text": "Un don."}]
QUERIES = [{"_id": "q1", "text": "Quelle avance ?"}, {"_id": "q2", "text": "Quel don ?"}]


def lines(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write a JSON lines file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bench with one file of each kind."""
    lines(tmp_path / "corpus.jsonl", DOCUMENTS)
    lines(tmp_path / "queries.jsonl", QUERIES)
    (tmp_path / "qrels.tsv").write_text("q1\td1\t1\n", encoding="utf-8")
    return tmp_path


def test_a_folder_with_one_file_of_each_kind_needs_no_choice(folder: Path) -> None:
    """Documents, queries and judgements are read as they stand; a title may be missing."""
    bench = read_bench(folder)
    assert bench.corpora == (
        (BenchDocument("d1", "Un", "Une avance."), BenchDocument("d2", "", "Un don.")),
    )
    assert bench.queries == {"q1": "Quelle avance ?", "q2": "Quel don ?"}
    assert bench.qrels == {"q1": {"d1": 1}}
    assert (bench.name, bench.documents) == (folder.name, 2)


@pytest.mark.parametrize(
    "text",
    [
        "q1\td1\t1\nq1\td2\t0\n",
        "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t0\n",
        "q1 0 d1 1\nq1 0 d2 0\n",
        "query iter document relevance\r\nq1 0 d1 1\r\nq1 0 d2 0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("name", ["qrels.tsv", "qrels/test.tsv"])
def test_judgements_have_three_columns_or_four_and_may_have_headings(
    folder: Path, text: str, name: str
) -> None:
    """BEIR's and TREC's layouts are told apart by their columns."""
    (folder / "qrels.tsv").unlink()
    (folder / "qrels").mkdir()
    (folder / name).write_text(text, encoding="utf-8")
    assert read_bench(folder).qrels == {"q1": {"d1": 1, "d2": 0}}


def test_where_there_are_several_files_the_user_chooses(folder: Path) -> None:
    """The error lists them and names the option; a choice is looked for in the folder first."""
    lines(folder / "corpus_en.jsonl", DOCUMENTS[:1])
    with pytest.raises(UsageError, match=r"corpus\.jsonl, corpus_en\.jsonl.*--corpus"):
        read_bench(folder)
    chosen = read_bench(folder, [Path("corpus_en.jsonl")])
    assert [document.id for document in chosen.corpora[0]] == ["d1"]
    elsewhere = lines(folder / "elsewhere" / "mine.jsonl", DOCUMENTS[1:])
    assert read_bench(folder, [elsewhere]).corpora[0][0].id == "d2"


def test_a_mixed_corpus_holds_two_versions_of_a_work(folder: Path) -> None:
    """Its name tells the languages of its files."""
    for language in ("fr", "en"):
        lines(folder / f"corpus_{language}.jsonl", DOCUMENTS[: 1 + (language == "fr")])
    corpora = [Path("corpus_fr.jsonl"), Path("corpus_en.jsonl")]
    mixed = read_bench(folder, corpora)
    assert mixed.name == f"{folder.name} →fr+en"
    assert mixed.documents == 3
    assert mixed.in_all_corpora == {"d1"}
    assert read_bench(folder, corpora[:1]).in_all_corpora == frozenset()


def test_a_bench_may_lie_in_a_folder_named_beir(tmp_path: Path, folder: Path) -> None:
    """A data set that is more than a bench keeps it there; the name is the data set's."""
    outer = tmp_path / "spf"
    outer.mkdir()
    (outer / "beir").symlink_to(folder)
    assert read_bench(outer).name == "spf"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("corpus.jsonl", "", "holds no document"),
        ("corpus.jsonl", '{"_id": "d1", "text": "a"}\nnot json\n', r"corpus\.jsonl:2 is no JSON"),
        ("corpus.jsonl", '{"_id": "d1"}\n', r"corpus\.jsonl:1 lacks"),
        ("corpus.jsonl", '{"_id": 1, "text": "a"}\n', r"corpus\.jsonl:1 lacks"),
        ("queries.jsonl", '{"_id": "q", "text": "a"}\n' * 2, r"queries\.jsonl:2: the _id 'q'"),
        ("qrels.tsv", "q1\td1\t1\nq1\td2\n", r"qrels\.tsv:2"),
        ("qrels.tsv", "q1\td1\t1\nq1\td2\tyes\n", r"qrels\.tsv:2"),
        ("qrels.tsv", "query-id\tcorpus-id\tscore\n", "judges nothing"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(
    folder: Path, name: str, text: str, said: str
) -> None:
    """The message names the file, and the line where there is one."""
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        read_bench(folder)


def test_missing_files_and_folders_are_told(folder: Path) -> None:
    """Each message says what was looked for."""
    with pytest.raises(UsageError, match="nowhere"):
        read_bench(folder / "nowhere")
    with pytest.raises(UsageError, match=r"other\.tsv is neither in"):
        read_bench(folder, qrels=Path("other.tsv"))
    (folder / "queries.jsonl").unlink()
    with pytest.raises(UsageError, match=r"no queries\*\.jsonl: name a file with --queries"):
        read_bench(folder)


def test_a_part_is_the_same_whatever_the_order_and_keeps_what_is_judged() -> None:
    """Queries and documents are chosen by hash; those judged relevant are always there."""
    documents = [BenchDocument(f"d{n}", "", "text") for n in range(50)]
    queries = {f"q{n}": "text" for n in range(50)}
    qrels = {f"q{n}": {f"d{n}": 1} for n in range(50)}
    bench = Bench("all", (tuple(documents),), queries, qrels)
    part = bench.part(10, 20)
    assert (len(part.queries), len(part.qrels), part.documents) == (10, 10, 20)
    held = {document.id for document in part.corpora[0]}
    assert {key for judged in part.qrels.values() for key in judged} <= held
    backwards = Bench("all", (tuple(documents[::-1]),), dict(reversed(queries.items())), qrels)
    assert {document.id for document in backwards.part(10, 20).corpora[0]} == held
    assert len(bench.part(30, 20).corpora[0]) == 30


def test_real_material_that_is_absent_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the variable that says where it is."""
    monkeypatch.setenv("KB_SHARED_DATA", str(tmp_path / "absent"))
    with pytest.raises(UsageError, match="KB_SHARED_DATA"):
        shared_data()

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from calls_making import made, record, take

from evaluation.benches import shared_data as real_material
from evaluation.calls_bench import CALLS, PROFILES, measure_calls, measured
from evaluation.calls_generated import NOW, generate
from evaluation.calls_judged import (
    precision,
    read_profiles_judged,
    read_questions,
    read_statements_judged,
)
from kb.calls.programmes import PURPOSES, purpose
from kb.calls.query import CallQuery
from kb.errors import UsageError
from kb.model import FULL_ACCESS, Applicant, CallStatus

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import MakeKb

EVERYBODY = FULL_ACCESS
TEXTS = {
    "POND-1": "The fund pays associations that dig ponds and plant hedges for frogs and newts.",
    "SHED-1": "The fund pays for sheds in which a village keeps the tools that it lends.",
    "CHOIR-1": "The fund pays choirs that sing in hospitals and in homes for older people.",
}


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    """A folder of judgements, with one profile in it, of the calls in ``TEXTS``."""
    folder = tmp_path / "judged"
    folder.mkdir()
    (folder / "judgements.tsv").write_text(
        "profile\tidentifier\tgrade\treason\nfrogs\tPOND-1\t3\tIt digs ponds.\n", encoding="utf-8"
    )
    questions = [
        {
            "id": f"q{number}",
            "question": question,
            "language": "en",
            "asked_by": "volunteer",
            "calls": [{"identifier": identifier, "grade": 3}],
        }
        for number, (question, identifier) in enumerate(
            [("tools lent in a village", "SHED-1"), ("choirs in hospitals", "CHOIR-1")], start=1
        )
    ]
    (folder / "questions.yaml").write_text(yaml.safe_dump(questions), encoding="utf-8")
    profile = {"description": "We look after ponds.", "aims": ["Dig ponds for frogs and newts."]}
    (folder / "frogs.yaml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    return folder


def test_what_is_found_and_said_is_measured(make_kb: MakeKb, judged: Path) -> None:
    """Rankings are measured against the judgements; statements count as right once judged so."""
    kb = make_kb()
    take(kb, [record(made(key, title=f"Call {key}"), text) for key, text in TEXTS.items()])
    first = measure_calls(kb, judged, judged)
    found = first.as_json()
    assert found["calls"] == len(TEXTS)
    assert found["profiles"]["mean"]["nDCG@10"] == 1.0
    assert found["questions"]["all"] == {"questions": 2, "nDCG@10": 1.0, "success@5 (2, 3)": 1.0}
    said = first.unjudged
    assert found["statements"]["subject"] == {"right": 0, "judged": 0, "unjudged": len(said)}
    lines = [{"key": one.key, "right": True, "why": "about ponds"} for one in said]
    (judged / "statements_judged.jsonl").write_text(
        "\n".join(json.dumps(line) for line in lines), encoding="utf-8"
    )
    again = measure_calls(kb, judged, judged).as_json()["statements"]["subject"]
    assert (again["right"], again["judged"], again["unjudged"]) == (len(said), len(said), 0)


def test_a_query_that_finds_nothing_scores_nothing() -> None:
    """A judged query that is not in the run has 0, and counts in the mean."""
    values = measured({"a": {"X": 3}, "b": {"Y": 1}}, {"a": ["X"], "b": []}, {"nDCG": "nDCG@10"})
    assert values == {"nDCG": {"a": 1.0, "b": 0.0}}


def test_an_interval_is_stated_with_a_precision() -> None:
    """The interval is Wilson's: 9 of 10 may be 0.60 to 0.98; of nothing there is none."""
    assert precision(9, 10) == {
        "right": 9,
        "judged": 10,
        "precision": 0.9,
        "low": 0.5958,
        "high": 0.9821,
    }
    assert precision(0, 0) == {"right": 0, "judged": 0}


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("judgements.tsv", "profile\tidentifier\n", "must begin with the columns"),
        ("judgements.tsv", "profile\tidentifier\tgrade\treason\na\tB\t4\tno\n", ":2 is not"),
        ("questions.yaml", "- {id: q1}\n", "0.question"),
        ("questions.yaml", "[", "is not YAML"),
        ("statements_judged.jsonl", "{}\n", ":1:"),
    ],
)
def test_broken_judgements_are_named(judged: Path, name: str, text: str, problem: str) -> None:
    """A file that can't be used is refused with its place."""
    (judged / name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=problem):
        _read_all(judged)


def _read_all(folder: Path) -> None:
    for read in (read_profiles_judged, read_questions, read_statements_judged):
        read(folder)


def test_judgements_are_of_profiles_and_calls_that_exist(shared_data: Path) -> None:
    """Every judged profile has its file, and every judged identifier is one of the real calls."""
    assert real_material() == shared_data
    with (shared_data / CALLS).open(encoding="utf-8") as file:
        known = {json.loads(line)["topicId"] for line in file}
    profiles, questions = read_profiles_judged(), read_questions()
    assert set(profiles) == {path.stem for path in PROFILES.glob("*.yaml")}
    assert {key for grades in profiles.values() for key in grades} <= known
    assert {key for question in questions for key in question.grades} <= known
    assert len(questions) == 30
    for key in read_statements_judged():
        profile, rest = key.split("/", 1)
        identifier, field, digest = rest.rsplit("/", 2)
        assert profile in profiles
        assert identifier in known
        assert field
        assert len(digest) == 12


def test_generated_calls_are_found_like_others(make_kb: MakeKb) -> None:
    """Calls that are written in bulk pass filters, counts and rankings as taken ones do."""
    kb = make_kb()
    generate(kb, 200)
    asked = CallQuery(status=(CallStatus.OPEN,), applicant=(Applicant.ASSOCIATION,))
    page = kb.finder.find(asked, EVERYBODY, NOW, limit=50)
    assert 0 < page.total < 200
    assert {hit.status.status for hit in page.hits} <= {CallStatus.OPEN, CallStatus.CLOSING_SOON}
    ranked = kb.finder.find(CallQuery(query="gardens and ponds"), EVERYBODY, NOW)
    assert ranked.total == 200
    title = ranked.hits[0].call.title.lower()
    assert "garden" in title or "pond" in title


def test_a_strand_adds_to_what_its_programme_is_for() -> None:
    """The years in an identifier are left out; a call of no known programme has no purpose."""
    programme, strand = PURPOSES["CERV"], PURPOSES["CERV-DAPHNE"]
    assert purpose("CERV-2031-DAPHNE-NEW") == (
        f"{programme.en}; {strand.en}",
        f"{programme.fr} ; {strand.fr}",
    )
    assert purpose("cerv-2026-2027-other") == programme
    assert purpose("aides-territoires:cerv") is None
    assert purpose("CERVELAT-2026-1") is None


def test_a_call_that_says_little_is_found_by_what_its_programme_is_for(make_kb: MakeKb) -> None:
    """Words of the programme's purpose find a call that does not hold them; they are not quoted."""
    kb = make_kb()
    little = record(made("CERV-2026-DAPHNE-X", title="Priority four"), "See the call document.")
    take(kb, [little, *(record(made(key), text) for key, text in TEXTS.items())])
    page = kb.finder.find(CallQuery(query="domestic violence"), EVERYBODY, NOW)
    assert page.hits[0].call.identifier == "CERV-2026-DAPHNE-X"
    assert not any("violence" in citation.quote for citation in page.hits[0].why)

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fakes import HashingEncoder

from evaluation.answers import Asked, ask, curve, measures
from evaluation.bases import Chosen, bench_base
from evaluation.gold import Judged, Judgement, Question
from evaluation.judging import covers, document_ids, gold_questions, gold_retrieval, read_squad
from evaluation.retrieval import EVERYTHING
from kb.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Base

    from kb.model import Citation

PAYMENT = "Le délai de paiement de la subvention est de soixante jours."
GUARANTEE = "La garantie publique couvre la moitié des pertes du prêteur."
ADVANCE = "L'avance remboursable ne dépasse pas vingt mille euros par association."


def question(key: str, text: str, *answers: Judged, **others: Any) -> Question:
    """A French question of staff."""
    why_not = None if answers else "Nothing says so."
    common = {"language": "fr", "asked_by": "staff", "why": "To know.", "why_not": why_not}
    return Question(**{**common, "id": key, "question": text, "answers": answers, **others})


def judged(quote: str, page: int = 1, document: str = "note") -> Judged:
    """A judged quote of the note."""
    return Judged(document=document, page=page, quote=quote)


@pytest.fixture
def asked(base: Base) -> Base:
    """A base with one note of three sentences."""
    base.write("note.txt", PAYMENT, GUARANTEE, ADVANCE)
    base.ingest()
    return base


def cited(base: Base, text: str) -> Citation:
    """The first citation of an answer."""
    return base.kb.search.answer(text, EVERYTHING).citations[0]


def test_a_citation_bears_what_is_judged_where_it_stands(asked: Base) -> None:
    """Most words of the quote, on its page of its document, whatever white space is between."""
    record = asked.kb.record
    citation = cited(asked, "Quel est le délai de paiement de la subvention ?")
    assert citation.quote == PAYMENT
    assert covers(record, citation, judged(PAYMENT))
    assert covers(record, citation, judged(asked.id_of("note.txt"), document="note")) is False
    assert covers(record, citation, judged(PAYMENT, document=asked.id_of("note.txt")))
    assert covers(record, citation, judged(PAYMENT.replace(" ", "\n")))
    assert covers(record, citation, judged("paiement de la subvention"))
    assert not covers(record, citation, judged(GUARANTEE))
    assert not covers(record, citation, judged(PAYMENT, page=2))
    assert not covers(record, citation, judged(PAYMENT, document="other"))


def test_a_part_of_the_quote_must_be_most_of_it(asked: Base) -> None:
    """A sentence out of a long quote bears it from six words in ten."""
    record = asked.kb.record
    citation = cited(asked, "Quel est le délai de paiement de la subvention ?")
    [span] = citation.spans
    words = PAYMENT.split()
    six, five = (
        replace(citation, spans=(replace(span, end=span.start + len(" ".join(words[:n]))),))
        for n in (7, 6)
    )
    assert covers(record, six, judged(PAYMENT))
    assert not covers(record, five, judged(PAYMENT))


def test_questions_are_scored_by_sentence_citation_and_silence(asked: Base) -> None:
    """One is answered, one is refused though it could be answered, one is rightly refused."""
    questions = [
        question("a1", "Quel est le délai de paiement de la subvention ?", judged(PAYMENT)),
        question("a2", "Wie hoch ist der Zuschuss?", judged(ADVANCE), language="en"),
        question("u1", "Qui a gagné la coupe du monde de rugby en 1995 ?"),
    ]
    outcome = ask(asked.kb, gold_questions(questions, [], asked.kb.record), {})
    found = outcome.as_json()
    assert found["measures"]["first"] == 0.5
    assert found["measures"]["first three"] == 0.5
    assert found["measures"]["answerable refused"] == 0.5
    assert found["measures"]["unanswerable refused"] == 1.0
    assert found["measures"]["citations verified"] == 1.0
    assert found["groups"]["fr"]["first three"] == 1.0
    assert found["groups"]["crossing languages"]["first three"] == 0.0
    assert (found["answerable"], found["unanswerable"]) == (2, 1)


def test_a_citation_that_nobody_judged_is_not_relevant_and_is_listed(asked: Base) -> None:
    """Once a person has judged it, it counts as judged."""
    one = question("a1", "Quel est le délai de paiement de la subvention ?", judged(GUARANTEE))
    record = asked.kb.record
    outcome = ask(asked.kb, gold_questions([one], [], record), {})
    assert outcome.as_json()["measures"]["citations relevant"] == 0.0
    [row] = outcome.unjudged
    assert (row["question"], row["quote"], row["relevant"]) == ("a1", PAYMENT, None)
    for relevant in (1, 0):
        said = Judgement.model_validate({**row, "relevant": relevant})
        again = ask(asked.kb, gold_questions([one], [said], record), {})
        assert again.as_json()["measures"]["citations relevant"] == float(relevant)
        assert again.unjudged == ()


def test_gold_questions_rank_documents(asked: Base) -> None:
    """The judged document is found first; a question without answers is not asked."""
    asked.write("other.txt", "Un compte rendu de réunion sur le climat et la forêt.")
    asked.ingest()
    assert len(document_ids(asked.kb)) == 2
    questions = [
        question("a1", "délai de paiement de la subvention", judged(PAYMENT)),
        question("u1", "rugby"),
    ]
    assert gold_retrieval(asked.kb, questions)["nDCG@10"] == 1.0


def outcome_of(key: str, confidence: float, *, answerable: bool) -> Asked:
    """An outcome of which only the confidence matters."""
    return Asked(key, answerable, (), None, confidence, refused=False, verified=(), relevant=())


def test_the_curve_says_what_each_threshold_would_refuse() -> None:
    """What is as sure as the threshold is answered."""
    asked = [
        outcome_of("a", 0.9, answerable=True),
        outcome_of("b", 0.4, answerable=True),
        outcome_of("u", 0.5, answerable=False),
    ]
    assert [tuple(point.values()) for point in curve(asked)] == [
        (0.4, 0.0, 0.0),
        (0.5, 0.5, 0.0),
        (0.9, 0.5, 1.0),
    ]
    assert curve(asked[:2]) == []


def test_a_share_of_nothing_is_left_out() -> None:
    """Without unanswerable questions nothing is said of them."""
    assert measures([outcome_of("a", 1.0, answerable=True)]).keys() == {
        *("first", "first three", "answerable refused"),
    }


def squad(folder: Path, **paragraphs: str) -> Path:
    """A folder in SQuAD's layout: each paragraph with a question for its last word."""
    rows = [
        {
            "context": text,
            "qas": [
                {
                    "id": key,
                    "question": f"{text.rpartition(' ')[0]} ?",
                    "answers": [{"text": text.split()[-1].rstrip("."), "answer_start": 0}],
                }
            ],
        }
        for key, text in paragraphs.items()
    ]
    folder.mkdir(exist_ok=True)
    data = {"data": [{"title": "T", "paragraphs": rows}]}
    (folder / "squad.json").write_text(json.dumps(data), encoding="utf-8")
    return folder


def test_squad_questions_want_the_answer_from_their_own_paragraph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same words in another paragraph are no answer."""
    monkeypatch.setenv("KB_EVAL_CACHE", str(tmp_path / "cache"))
    folder = squad(tmp_path / "squad", one=PAYMENT, two=GUARANTEE)
    bench, posed = read_squad(folder)
    assert bench.documents == 2
    with bench_base(bench, Chosen(), HashingEncoder()) as base:
        found = ask(base, posed, {}).as_json()["measures"]
        own = base.search.answer(PAYMENT, EVERYTHING).citations[0]
    assert found["first"] == 1.0
    assert posed[0].bears(own)
    assert not posed[1].bears(own)
    assert posed[1].relevant(own) is False


def test_a_folder_without_one_squad_file_is_told(tmp_path: Path) -> None:
    """None is too few and two are too many."""
    (tmp_path / "other.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(UsageError, match="has 0 files"):
        read_squad(tmp_path)
    for name in ("a", "b"):
        squad(tmp_path, one=PAYMENT)
        (tmp_path / "squad.json").rename(tmp_path / f"{name}.json")
    with pytest.raises(UsageError, match="has 2 files"):
        read_squad(tmp_path)

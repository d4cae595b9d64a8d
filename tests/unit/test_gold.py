from __future__ import annotations

import os
from collections import Counter
from functools import cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pytest
from fakes import HashingEncoder

from evaluation.bases import Chosen
from evaluation.gold import Question, read_gold, read_judgements
from evaluation.judging import document_ids, places
from ingest.run import ingest
from kb.analysis import terms
from kb.bootstrap import open_knowledge_base
from kb.errors import UsageError
from kb.model import FULL_ACCESS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kb.bootstrap import KnowledgeBase

ROOT = Path(__file__).parents[2]
SHARED = ("law", "text", "pdf")
GOLD = read_gold()
ANSWERABLE = [one for one in GOLD if one.answers]
UNANSWERABLE = [one for one in GOLD if not one.answers]


def test_there_are_enough_questions_of_each_kind() -> None:
    """At least 80 that can be answered, and 30 that can't, 20 of them about names it discusses."""
    assert len(ANSWERABLE) >= 80
    assert len(UNANSWERABLE) == 30
    assert sum(bool(one.names) and one.near is not None for one in UNANSWERABLE) >= 20


@pytest.mark.parametrize("questions", [ANSWERABLE, UNANSWERABLE])
def test_half_of_the_questions_are_french_and_half_english(questions: list[Question]) -> None:
    """Within two."""
    count = Counter(one.language for one in questions)
    assert abs(count["fr"] - count["en"]) <= 2


def test_a_third_of_the_answers_are_in_the_other_language_alone() -> None:
    """No quote that answers is in the question's own language."""
    assert sum(one.crosses for one in ANSWERABLE) >= len(ANSWERABLE) / 3


def test_the_halves_are_of_like_size() -> None:
    """Each half has enough of both kinds to tune on, and to report."""
    for questions in (ANSWERABLE, UNANSWERABLE):
        count = Counter(one.half for one in questions)
        assert min(count.values()) >= len(questions) / 3


def test_staff_volunteers_and_partners_all_ask() -> None:
    """Each of them in both kinds."""
    for questions in (ANSWERABLE, UNANSWERABLE):
        assert {one.asked_by for one in questions} == {"staff", "volunteer", "partner"}


def test_questions_are_worded_as_people_speak() -> None:
    """The median share of a question's words found in its judged quote is at most one half.

    So it is of those alone that have a quote in their own language.
    """
    assert median(map(overlap, ANSWERABLE)) <= 0.5
    assert median(overlap(one) for one in ANSWERABLE if not one.crosses) <= 0.5


def overlap(one: Question) -> float:
    """The largest share of a question's terms that one judged quote holds."""
    asked = set(terms(one.question, one.language))
    return max(
        len(asked & set(terms(answer.quote, answer.language))) / len(asked)
        for answer in one.answers
    )


def test_no_question_is_asked_twice() -> None:
    """Neither in the same words nor under the same id."""
    assert len({one.question.casefold() for one in GOLD}) == len(GOLD)


def test_judgements_are_of_questions_that_can_be_answered() -> None:
    """A judgement of a question that is gone would count for nothing."""
    assert {row.question for row in read_judgements()} <= {one.id for one in ANSWERABLE}


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    """The documents that the questions were written on, as far as they are here."""
    default = ROOT.parent / "shared" / "data"
    shared = Path(os.environ.get("KB_SHARED_DATA", default))
    folders = [ROOT / "corpus" / "starter", *(shared / name for name in SHARED)]
    home = tmp_path_factory.mktemp("gold")
    kb = open_knowledge_base(Chosen().settings(home), encoder=HashingEncoder())
    ingest(kb, [folder for folder in folders if folder.is_dir()])
    yield kb
    kb.close()


@pytest.mark.slow
def test_every_quote_stands_on_its_page(documents: KnowledgeBase) -> None:
    """Word for word; documents of the real material are looked at where it is here."""
    generation = documents.record.current_id() or 0
    ids = document_ids(documents)

    @cache
    def page(document_id: str, number: int) -> str:
        found = documents.record.page(generation, document_id, number, FULL_ACCESS)
        return found[1].text if found else ""

    checked, wrong = 0, []
    for one in ANSWERABLE:
        for answer in one.answers:
            here = [key for key in ids if answer.is_of(key)]
            checked += bool(here)
            if here and not any(any(places(answer.quote, page(k, answer.page))) for k in here):
                wrong.append((one.id, answer.document, answer.page, answer.quote))
    assert wrong == []
    assert checked >= 40


@pytest.mark.slow
def test_every_document_named_is_there(documents: KnowledgeBase, shared_data: Path) -> None:
    """Also the nearest documents of questions that can't be answered."""
    assert shared_data.is_dir()
    ids = document_ids(documents)
    known = {*ids, *(key.rpartition("-")[0] for key in ids)}
    named = {answer.document for one in ANSWERABLE for answer in one.answers}
    named |= {one.near for one in UNANSWERABLE if one.near}
    assert named - known == set()


VALID = (
    '{"id": "a", "question": "Q?", "language": "fr", "asked_by": "staff", "why": "W.", '
    '"answers": [{"document": "d", "page": 1, "quote": "q"}]}\n'
)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("answerable.jsonl", "\n{}\n", r"answerable\.jsonl:2: id: Field required"),
        ("answerable.jsonl", VALID.replace("staff", "robot"), "asked_by"),
        ("answerable.jsonl", VALID.replace('"page": 1', '"page": 0'), r"answers\.0\.page"),
        ("answerable.jsonl", VALID.replace('"why"', '"wy"'), "why"),
        ("answerable.jsonl", "not json\n", r"answerable\.jsonl:1"),
        ("answerable.jsonl", VALID * 2, r"answerable\.jsonl:2: the id a is there twice"),
        ("unanswerable.jsonl", VALID, "why_not and no answers"),
        ("answerable.jsonl", VALID.replace("}]}", '}], "why_not": "x"}'), "answers and no why_not"),
        ("other.jsonl", VALID, "holds no questions"),
    ],
)
def test_a_wrong_line_is_told(tmp_path: Path, name: str, text: str, said: str) -> None:
    """The message names file, line and field."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        read_gold(tmp_path)


def test_halves_make_up_the_whole(tmp_path: Path) -> None:
    """Every question is in one of them, and always in the same."""
    lines = [VALID.replace('"a"', f'"a{n}"') for n in range(20)]
    (tmp_path / "answerable.jsonl").write_text("".join(lines), encoding="utf-8")
    tune, report = read_gold(tmp_path, "tune"), read_gold(tmp_path, "report")
    assert {one.id for one in tune} | {one.id for one in report} == {f"a{n}" for n in range(20)}
    assert len(tune) + len(report) == 20
    assert {one.half for one in tune} == {"tune"}


def test_a_document_may_be_named_without_the_digits_of_its_path() -> None:
    """Both forms mean the same document, and no other."""
    [question] = [Question.model_validate_json(VALID)]
    [answer] = question.answers
    assert answer.is_of("d")
    assert answer.is_of("d-0a1b2c3d")
    assert not answer.is_of("d-other-0a1b2c3d")

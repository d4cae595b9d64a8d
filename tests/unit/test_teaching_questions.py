"""The lessons that the models were taught with, and what is made of them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from fakes import HashingEncoder

from evaluation.benches import shared_data
from kb.encoders.cross import Stated
from kb.encoders.teaching import cross
from kb.encoders.teaching.lessons import Lesson, Pair
from kb.encoders.teaching.questions import (
    Question,
    Sources,
    Taught,
    Text,
    question_lessons,
    read_questions,
)
from kb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

LESSONS = Path(__file__).parents[2] / "corpus" / "lessons"
NOTES = [json.loads(line) for line in (LESSONS / "notes.jsonl").open(encoding="utf-8")]
LISTED = Text(
    "Statutes",
    "Members",
    ("A member may:", "vote;", "stand for election;", "leave.", "The board meets in May."),
)
FRENCH = Text(
    "Statuts",
    "Membres",
    ("Un membre peut :", "voter ;", "se présenter ;", "partir.", "Le bureau siège en mai."),
)
TAUGHT = Taught(
    "statutes",
    {"en": LISTED, "fr": FRENCH},
    (
        Question(Pair("When do they meet?", "Quand se réunit-on ?"), frozenset({4})),
        Question(Pair("Who pays the fee?", "Qui paie la cotisation ?"), frozenset()),
    ),
)


def vectors(texts: Sequence[str]) -> torch.Tensor:
    """Vectors of the tests' encoder."""
    return torch.from_numpy(HashingEncoder().encode_passages(texts))


def test_notes_say_the_same_in_both_languages_sentence_by_sentence() -> None:
    """Each has a title, a heading and as many French sentences as English ones."""
    for note in NOTES:
        assert len(note["fr"]) == len(note["en"]) > 5
        assert all(
            note[part][language] for part in ("title", "heading") for language in ("fr", "en")
        )


def test_answers_are_sentences_of_their_text() -> None:
    """Of every file; and about as many questions have none, since refusing is learnt from them."""
    answered = []
    for path in sorted(LESSONS.glob("*.jsonl")):
        for line in path.open(encoding="utf-8"):
            row = json.loads(line)
            sentences = row.get("rows") or row.get("sentences") or row["fr"]
            for question in row["questions"]:
                assert question["fr"].strip()
                assert question["en"].strip()
                assert all(0 <= number < len(sentences) for number in question["answers"])
                answered.append(bool(question["answers"]))
    assert len(answered) > 9000
    assert 0.4 < sum(answered) / len(answered) < 0.65


def test_a_list_is_read_whole_and_by_point() -> None:
    """As answers quote it: the opening with all points, then with each."""
    assert list(LISTED.units()) == [
        ("A member may:\nvote;\nstand for election;\nleave.", frozenset({0, 1, 2, 3})),
        ("A member may:\nvote;", frozenset({1})),
        ("A member may:\nstand for election;", frozenset({2})),
        ("A member may:\nleave.", frozenset({3})),
        ("The board meets in May.", frozenset({4})),
    ]


def test_a_question_is_put_in_both_languages_over_both_texts() -> None:
    """Its answers are told from the rest of the text, and from what is like it elsewhere."""
    elsewhere = Stated("", "", "They meet twice a year.")
    pool = cross.Pool([("en", "other", elsewhere), ("fr", "statutes", elsewhere)], vectors)
    groups = cross.question_groups([TAUGHT], pool, vectors)
    assert [group.question for group in groups[::2]] == [
        "When do they meet?",
        "Quand se réunit-on ?",
        "Who pays the fee?",
        "Qui paie la cotisation ?",
    ]
    assert [answer.sentence for answer in groups[0].answers] == ["The board meets in May."]
    assert [answer.sentence for answer in groups[1].answers] == ["Le bureau siège en mai."]
    assert (groups[4].answers, len(groups[4].beside)) == ((), 5)
    assert groups[0].like == (elsewhere, elsewhere)
    assert groups[4].like == (elsewhere,), "the same act may answer what this text does not"


def test_a_heading_is_told_from_its_neighbours() -> None:
    """Lessons on either side are no answers, but for those that are asked in the same words."""
    lessons = [
        Lesson(
            "heading", Pair(f"Rule {n // 2}", f"Règle {n // 2}"), Pair(f"text {n}", f"texte {n}")
        )
        for n in range(6)
    ]
    groups = cross.lesson_groups(lessons * 10, random.Random(1))  # noqa: S311 -- no secret
    assert groups
    for group in groups:
        [answer] = group.answers
        assert answer not in group.beside


def test_the_encoder_learns_the_answer_with_what_stands_around() -> None:
    """Twice, so that questions are not lost among headings; unanswered ones teach it nothing."""
    lessons = question_lessons([TAUGHT])
    assert len(lessons) == 2
    assert lessons[0].passage == Pair(
        "Members leave. The board meets in May.", "Membres partir. Le bureau siège en mai."
    )
    chance = random.Random(1)  # noqa: S311 -- no secret
    assert lessons[0].question("fr", chance) == "Quand se réunit-on ?"


@pytest.mark.slow
def test_every_text_is_found_in_its_source() -> None:
    """Rows and offsets point to whole sentences of the files that they were written on."""
    try:
        data = shared_data()
    except UsageError as error:
        pytest.skip(str(error))
    parallel = data / "parallel" / "eu_law_en_fr.tsv.gz"
    taught = read_questions(LESSONS, Sources(parallel, data / "calls"))
    assert len(taught) == 432 + 1194 + 400
    for each in taught:
        for text in each.texts.values():
            assert all(sentence.strip() == sentence for sentence in text.sentences)
            assert all(sentence for sentence in text.sentences)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Nothing is taught from half of the lessons."""
    with pytest.raises(UsageError, match=r"notes\.jsonl"):
        read_questions(tmp_path, Sources(tmp_path, tmp_path))

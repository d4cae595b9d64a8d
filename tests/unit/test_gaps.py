"""What is missing: which questions stand together, and what the list says of each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from gap_questions import CHOSEN_ON, JUDGED_ON

from kb import gaps
from kb.encoders.choice import make_encoder
from kb.encoders.models import DEFAULT
from kb.gaps import GapFinder, gap_json, grouped
from kb.keys import Door, KeyRole
from kb.model import FULL_ACCESS, PUBLIC_ACCESS, FeedbackKind
from kb.record.audit import Action, Event, Outcome, Returned
from kb.record.feedback import Feedback
from kb.record.questions import QuestionsRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conftest import Base, MakeKb

    from kb.bootstrap import KnowledgeBase

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
DURATION = "Combien de temps dure la garantie ?"
BRIDGES = "Qui répare les ponts bretons ?"


def _asked(query: str, day: int = 0, **values: Any) -> Event:
    return Event(
        **{
            "at": NOW + day * DAY,
            "request_id": f"request-{query}-{day}",
            "door": Door.HTTP,
            "role": None,
            "action": Action.ANSWER,
            "outcome": Outcome.INSUFFICIENT_EVIDENCE,
            "query": query,
            "language": "fr",
            **values,
        }
    )


def _missed(comment: str | None, day: int = 0, **values: Any) -> Feedback:
    at = NOW + day * DAY
    return Feedback(at, FeedbackKind.MISSING_DOCUMENT, comment=comment, language="fr", **values)


@pytest.fixture
def kb(make_kb: MakeKb) -> KnowledgeBase:
    """An empty base."""
    return make_kb()


def _write(kb: KnowledgeBase, *events: Event) -> None:
    kb.trail.record.write(events)


def _found(kb: KnowledgeBase, **asked: Any) -> list[dict[str, Any]]:
    return [gap_json(gap) for gap in kb.gaps.find(FULL_ACCESS, 99, **asked).gaps]


# Which questions stand together


@pytest.mark.parametrize(
    ("halves", "right", "wrong"), [(CHOSEN_ON, 22, 4), (JUDGED_ON, 20, 2)], ids=["chosen", "judged"]
)
def test_questions_that_mean_the_same_stand_together(
    halves: Sequence[Sequence[str]], right: int, wrong: int
) -> None:
    """French and English, by the default encoder; the module's docstring has the figures."""
    texts = [text for meaning in halves for text in meaning]
    means = [place for place, meaning in enumerate(halves) for _ in meaning]
    groups = grouped(texts, make_encoder(DEFAULT).encode_queries(texts))
    joined = [
        means[one] == means[other]
        for group in groups
        for place, one in enumerate(group)
        for other in group[:place]
    ]
    assert joined.count(True) >= right
    assert joined.count(False) <= wrong


def test_two_of_a_group_are_each_alike() -> None:
    """A chain of neighbours does not join what lies far apart."""
    angles = np.radians([0, 30, 60, 2])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert grouped(["a", "b", "c", "d"], vectors) == [[0, 1, 3], [2]]


def test_other_numbers_are_other_questions() -> None:
    """Budgets of two years are two."""
    vectors = np.ones((3, 1), dtype=np.float32)
    assert grouped(["budget 2024", "budget 2025", "2024 budget"], vectors) == [[0, 2], [1]]


def test_nothing_is_no_group() -> None:
    """An empty list of questions."""
    assert grouped([], np.zeros((0,), dtype=np.float32)) == []


# What the list says


def test_a_gap_says_how_often_by_whom_and_when(kb: KnowledgeBase) -> None:
    """Who has no key counts once, like each key."""
    by = {"role": KeyRole.PARTNER, "key_id": 1, "key": "Réseau"}
    _write(
        kb,
        _asked("combien de temps dure la GARANTIE", 0),
        _asked(DURATION, 1),
        _asked(DURATION, 2, **by),
        _asked(DURATION, 3, **{**by, "key": "Collectif", "key_id": 2}, language="en"),
        _asked(BRIDGES, 4),
    )
    first, second = _found(kb)
    assert first == {
        "question": DURATION,
        "wordings": [DURATION],
        "count": 4,
        "callers": 3,
        "first": "2026-03-01T12:00:00+00:00",
        "last": "2026-03-04T12:00:00+00:00",
        "languages": ["en", "fr"],
        "documents": [],
        "comments": [],
    }
    assert (second["question"], second["count"]) == (BRIDGES, 1)


def test_only_answers_without_evidence_are_gaps(kb: KnowledgeBase) -> None:
    """Neither what was answered, nor searches that found nothing."""
    _write(
        kb,
        _asked(DURATION, outcome=Outcome.ANSWERED),
        _asked(BRIDGES, action=Action.SEARCH, outcome=Outcome.NOTHING),
    )
    assert _found(kb) == []


def test_the_most_frequent_comes_first_then_the_newest(kb: KnowledgeBase) -> None:
    """And the most frequent wording stands for its group."""
    often = "Durée de la garantie, combien de temps ?"
    _write(
        kb,
        _asked("Quel âge ont les phares ?", 1),
        _asked(BRIDGES, 2),
        _asked(DURATION, 3),
        _asked(often, 4),
        _asked(often, 5),
    )
    found = _found(kb)
    assert [gap["question"] for gap in found] == [often, BRIDGES, "Quel âge ont les phares ?"]
    assert found[0]["wordings"] == [often, DURATION]
    assert kb.gaps.find(FULL_ACCESS, 1).total == 3
    assert len(kb.gaps.find(FULL_ACCESS, 1).gaps) == 1


def test_gaps_are_narrowed_by_day_and_language(kb: KnowledgeBase) -> None:
    """Counts are those of what is left."""
    _write(kb, _asked(DURATION, 0), _asked(DURATION, 5), _asked("Who mends?", 5, language="en"))
    assert [gap["count"] for gap in _found(kb, since=NOW + DAY, language="fr")] == [1]
    assert [gap["question"] for gap in _found(kb, language="en")] == ["Who mends?"]


def test_a_missing_document_is_a_gap(kb: KnowledgeBase) -> None:
    """With its comment; where it says what was asked it stands with that question."""
    _write(kb, _asked(DURATION, 0))
    for said in (
        _missed("Le guide de la Caisse", 1, question="Combien de temps dure la garantie"),
        _missed("Le rapport sur les ponts", 2),
    ):
        kb.feedback.add(said)
    first, second = _found(kb)
    assert (first["question"], first["count"], first["comments"]) == (
        DURATION,
        2,
        ["Le guide de la Caisse"],
    )
    assert (second["question"], second["count"], second["comments"]) == (
        None,
        1,
        ["Le rapport sur les ponts"],
    )


def test_what_is_missed_of_an_answer_is_counted_once(kb: KnowledgeBase) -> None:
    """The answer was counted already; its question is known by the request."""
    asked = _asked(DURATION, 0)
    _write(kb, asked)
    kb.feedback.add(_missed("Le guide", 0, request_id=asked.request_id))
    kb.feedback.add(_missed("Un autre", 0, request_id="another-request"))
    found = _found(kb)
    assert [(gap["question"], gap["count"], gap["comments"]) for gap in found] == [
        (DURATION, 1, ["Le guide"]),
        (None, 1, ["Un autre"]),
    ]


def test_a_request_that_searched_tells_what_was_asked(kb: KnowledgeBase) -> None:
    """Also when its answer was none, or it was answered."""
    _write(kb, _asked(BRIDGES, action=Action.SEARCH, outcome=Outcome.FOUND, request_id="r-bridges"))
    kb.feedback.add(_missed("Le rapport", 1, request_id="r-bridges"))
    [gap] = _found(kb)
    assert (gap["question"], gap["count"]) == (BRIDGES, 1)


def test_hashed_questions_are_counted_without_their_words(make_kb: MakeKb) -> None:
    """Equal ones stand together, and nothing else can be known."""
    kb = make_kb(audit_queries="hashed")
    _write(kb, _asked(DURATION, 0), _asked(f"{DURATION} ", 1), _asked(BRIDGES, 2))
    kb.feedback.add(_missed("Le guide", 3, question=DURATION))
    first, second = _found(kb)
    assert (first["question"], first["wordings"], first["count"]) == (None, [], 3)
    assert (first["comments"], first["languages"]) == (["Le guide"], ["fr"])
    assert (second["question"], second["count"]) == (None, 1)


def test_the_nearest_documents_are_named_if_they_are_still_there(base: Base) -> None:
    """By the title that they have now, as far as the reader may see them."""
    base.write("garantie.md", "# Garantie", "La garantie couvre la moitié des pertes.")
    base.write("interne.md", "# Interne", "La garantie est une stratégie confidentielle.")
    base.write(
        "metadata.yaml",
        "files:\n  garantie.md: {title: La garantie}\n  interne.md: {visibility: internal}\n",
    )
    base.ingest()
    shown = [Returned(base.id_of(name), 1) for name in ("garantie.md", "interne.md")]
    gone = Returned("gone-fr", 1)
    _write(base.kb, _asked(DURATION, returned=(gone, shown[0], shown[0], shown[1])))
    [gap] = base.kb.gaps.find(PUBLIC_ACCESS, 9).gaps
    assert [document.title for document in gap.documents] == ["La garantie"]
    [gap] = base.kb.gaps.find(FULL_ACCESS, 9).gaps
    assert [document.id for document in gap.documents] == [each.document_id for each in shown]


def test_the_newest_questions_are_looked_at(
    kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list stays one that can be read and made."""
    monkeypatch.setattr(gaps, "MAX_QUESTIONS", 2)
    words = ("premier", "deuxième", "troisième")
    _write(kb, *(_asked(word, day) for day, word in enumerate(words)))
    kb.feedback.add(_missed("quatrième", 5))
    assert {gap["question"] for gap in _found(kb)} == {None, "troisième"}


def test_a_question_is_encoded_once(kb: KnowledgeBase) -> None:
    """Whoever turns the list's pages does not wait for the encoder again."""
    _write(kb, _asked(DURATION), _asked(BRIDGES))
    first = _found(kb)
    seen: int = kb.encoder.queries_seen  # type: ignore[attr-defined]
    assert (_found(kb), kb.encoder.queries_seen) == (first, seen)  # type: ignore[attr-defined]
    _write(kb, _asked("Une autre ?"))
    assert len(_found(kb)) == 3
    assert kb.encoder.queries_seen == seen + 1  # type: ignore[attr-defined]


def test_the_same_questions_give_the_same_list(kb: KnowledgeBase) -> None:
    """Also from a finder that has no vectors yet."""
    texts = [text for meaning in CHOSEN_ON[:6] for text in meaning]
    _write(kb, *(_asked(text, day % 3) for day, text in enumerate(texts)))
    first = _found(kb)
    again = GapFinder(kb.record, QuestionsRecord(kb.engine), kb.feedback, kb.encoder)
    assert [gap_json(gap) for gap in again.find(FULL_ACCESS, 99).gaps] == first


def test_two_who_are_narrowed_otherwise_ask_the_same(kb: KnowledgeBase) -> None:
    """Filters make no other question."""
    event = _asked(DURATION)
    _write(kb, event, replace(event, filters={"theme": "garantie"}))
    assert [gap["count"] for gap in _found(kb)] == [2]

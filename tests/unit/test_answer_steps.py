"""An answer told sentence by sentence."""

from __future__ import annotations

from datetime import UTC, datetime

from kb.model import (
    Answer,
    Citation,
    Document,
    Kind,
    Metadata,
    Passage,
    Sentence,
    Span,
    Visibility,
)
from kb.shapes import answer_end_json, answer_json, sentence_steps_json


def _citation(number: int) -> Citation:
    span = Span(None, None, 1, 0, 4)
    passage = Passage("p", "d", 1, 0, "text", (span,), "", "fr")
    document = Document(
        "d",
        1,
        "D",
        Kind.NOTE,
        Visibility.PUBLIC,
        "fr",
        Metadata(),
        "file",
        paged=False,
        ingested=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return Citation(number, passage, document, (span,), "text", verified=True)


ANSWER = Answer(
    question="Quoi ?",
    language="fr",
    sentences=(
        Sentence("Un.", (1,), (3,)),
        Sentence("Deux.", (2, 1), (3, 4)),
        Sentence("Un encore.", (1,)),
    ),
    citations=tuple(map(_citation, range(1, 5))),
    nearest=(),
    confidence=0.75,
    took_ms=40.5,
)


def test_a_citation_comes_with_the_first_sentence_that_refers_to_it() -> None:
    """And never again; together they are all there are."""
    steps = list(sentence_steps_json(ANSWER))
    introduced = [[each["number"] for each in step.pop("introduces")] for step in steps]
    assert introduced == [[1, 3], [2, 4], []]
    assert steps == answer_json(ANSWER)["sentences"]


def test_the_end_says_what_the_time_went_into() -> None:
    """Retrieval and reading are the whole."""
    end = answer_end_json(ANSWER, 10.2)
    assert end["timings"] == {"retrieval_ms": 10.2, "reading_ms": 30.3, "total_ms": 40.5}
    whole = answer_json(ANSWER)
    assert {name: end[name] for name in ("status", "confidence", "differs", "nearest")} == {
        name: whole[name] for name in ("status", "confidence", "differs", "nearest")
    }

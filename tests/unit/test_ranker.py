"""The ranker looks up no more than it needs, and ranks as if it had looked up everything."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from kb.index.base import Scored
from kb.index.generations import View
from kb.model import Document, Filters, Hit, Kind, Metadata, Passage, Role, Visibility
from kb.search.components import LOOKED_UP, ROLE_PENALTY, Handed, Query, Ranker
from kb.stopping import NEVER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from kb.model import Access

PER_DOCUMENT = 2
SEEN = 0.9


def _passage(key: str, document: str, role: Role) -> tuple[Passage, Document]:
    whole = Document(
        document,
        1,
        document,
        Kind.NOTE,
        Visibility.PUBLIC,
        "fr",
        Metadata(),
        "file",
        paged=False,
        ingested=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return Passage(key, document, 1, 0, "text", (), "", "fr", role), whole


class Shelf:
    """What may be seen of a generation; counts what is looked up."""

    def __init__(self, held: dict[str, tuple[Passage, Document]]) -> None:
        self.held = held
        self.asked = 0

    def found(
        self, _generation: int, keys: Sequence[str], _access: Access
    ) -> dict[str, tuple[Passage, Document]]:
        """Those that are there."""
        self.asked += len(keys)
        return {key: self.held[key] for key in keys if key in self.held}


def _ranked(shelf: Shelf, ranked: list[Scored], top_k: int) -> list[Hit]:
    query = Query("q", "fr", {}, Filters(), top_k)
    ranker = Ranker(shelf, PER_DOCUMENT)  # type: ignore[arg-type]
    hits: list[Hit] = ranker.run(query, Handed(ranked), View(1, None), NEVER)["hits"].value  # type: ignore[arg-type]
    return hits


def _expected(shelf: Shelf, ranked: list[Scored], top_k: int) -> list[tuple[str, float]]:
    """What ranking everything gives."""
    scores = {
        each.id: each.score - ROLE_PENALTY.get(shelf.held[each.id][0].role, 0.0)
        for each in ranked
        if each.id in shelf.held
    }
    shown: Counter[str] = Counter()
    expected = []
    for key in sorted(scores, key=lambda key: (-scores[key], key)):
        document = shelf.held[key][1].id
        shown[document] += 1
        if shown[document] <= PER_DOCUMENT:
            expected.append((key, scores[key]))
    return expected[:top_k]


@settings(max_examples=150, deadline=None)
@given(
    st.randoms(use_true_random=False),
    st.integers(0, 4 * LOOKED_UP),
    st.integers(1, 30),
    st.sampled_from([1, 6, 60]),
    st.sampled_from([0.05, 0.5, 0.9]),
)
def test_ranking_is_as_if_everything_was_looked_up(
    chance: Random, count: int, top_k: int, documents: int, headings: float
) -> None:
    """Whatever is penalised, hidden, of the same score, or one of many of its document."""
    shelf = Shelf({})
    ranked = []
    for number in range(count):
        key = f"p{number:03}"
        ranked.append(Scored(key, chance.randint(0, 12) / 2))
        role = Role.HEADING if chance.random() < headings else Role.BODY
        if chance.random() < SEEN:
            shelf.held[key] = _passage(key, f"d{chance.randint(1, documents)}", role)
    chance.shuffle(ranked)
    ranked.sort(key=lambda each: -each.score)
    hits = _ranked(shelf, ranked, top_k)
    assert [(hit.passage.id, hit.score) for hit in hits] == _expected(shelf, ranked, top_k)
    assert [hit.rank for hit in hits] == [*range(1, len(hits) + 1)]


def test_what_is_far_behind_is_not_looked_up() -> None:
    """Where the first are body text of many documents."""
    ranked = [Scored(f"p{number:03}", 10 - number / 20) for number in range(200)]
    shelf = Shelf({each.id: _passage(each.id, f"d{each.id}", Role.BODY) for each in ranked})
    assert len(_ranked(shelf, ranked, 10)) == 10
    assert shelf.asked == LOOKED_UP

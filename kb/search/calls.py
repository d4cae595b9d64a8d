"""The steps of the query path that differ where calls are ranked, not passages.

People ask for money in their own words, which calls seldom use, and a call is described by few of
its passages: what was measured stands in evaluation/ablations.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from haystack import component
from numpy.typing import NDArray

from kb.index.base import Scored
from kb.index.generations import View
from kb.model import Filters, Hit
from kb.search.components import ROLE_PENALTY, ByLanguage, Handed, Hits, Query, Ranked
from kb.stopping import Stop

if TYPE_CHECKING:
    from kb.record.reading import Record

# Candidates of each leg, and as many heads.
CALL_CANDIDATES = 200
# The lexical leg beside 0.8 of the dense one, where one passage holds all of a question's words.
CALL_LEXICAL_WEIGHT = 0.4
# What the head of a call counts beside its best passage: it says what the whole call is about.
HEAD_WEIGHT = 0.4


@component
class CallRetriever:
    """The dense leg for calls: the nearest passages, and the nearest heads.

    A call with little text has only its head to be found by, and passages of calls with much text
    would fill every place.
    """

    def __init__(self, candidate_k: int) -> None:
        self._candidate_k = candidate_k

    @component.output_types(candidates=ByLanguage)
    def run(
        self, query: Query, vector: NDArray[np.float32], view: View, stop: Stop
    ) -> dict[str, Any]:
        """Retrieve ``candidate_k`` passages and as many heads of each language."""
        stop.check()
        found = {
            language: self._nearest(vector, filters, view)
            for language, filters in query.by_language(view).items()
        }
        return {"candidates": Handed(found)}

    def _nearest(self, vector: NDArray[np.float32], filters: Filters, view: View) -> list[Scored]:
        found = view.index.dense(vector, filters, self._candidate_k)
        if filters.call is not None:
            heads = replace(filters, call=replace(filters.call, heads=True))
            found += view.index.dense(vector, heads, self._candidate_k)
        return list({scored.id: scored for scored in found}.values())


@component
class CallRanker:
    """Turns ranked passages into calls: each by its best passage and, in part, by its head."""

    def __init__(self, record: Record) -> None:
        self._record = record

    @component.output_types(hits=Hits)
    def run(self, query: Query, ranked: Ranked, view: View, stop: Stop) -> dict[str, Any]:
        """Rank; the system of record has the last word on what may be shown."""
        stop.check()
        # Of hundreds of candidates only where they stand: their texts took half of the ranking.
        places = self._record.places(
            view.generation, [scored.id for scored in ranked.value], query.filters.access
        )
        best: dict[str, Scored] = {}
        heads: dict[str, float] = {}
        for scored in ranked.value:
            place = places.get(scored.id)
            if place is None:
                continue
            key, score = place.document_id, scored.score
            if place.ordinal == 0:
                heads[key] = score
            else:  # a head that is a title alone stands for a call of which no more is known
                score -= ROLE_PENALTY.get(place.role, 0.0)
            if key not in best or score > best[key].score:
                best[key] = Scored(scored.id, score)
        # Heads that were not among the nearest are at most as near as the last of them.
        lowest = min(heads.values(), default=0.0)
        scores = {
            key: each.score + HEAD_WEIGHT * heads.get(key, lowest) for key, each in best.items()
        }
        order = sorted(scores, key=lambda key: (-scores[key], key))[: query.top_k]
        found = self._record.found(
            view.generation, [best[key].id for key in order], query.filters.access
        )
        shown = [(key, *found[best[key].id]) for key in order if best[key].id in found]
        hits = [
            Hit(rank, scores[key], passage, document)
            for rank, (key, passage, document) in enumerate(shown, start=1)
        ]
        return {"hits": Handed(hits)}

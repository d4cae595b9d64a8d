"""Merging the dense and the lexical leg into one ranking."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from kb.index.base import Scored

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Legs:
    """The raw scores of one language's candidates, by passage id: cosines, and BM25.

    ``lexical_weight`` is what BM25 counts beside the weight of the cosines.
    """

    dense: Mapping[str, float]
    lexical: Mapping[str, float]
    lexical_weight: float = 1.0


def fuse(by_language: Mapping[str, Legs], dense_weight: float) -> list[Scored]:
    """Sum of both legs' z-scores over each language's candidates, all languages in one ranking.

    Both legs are expected to have scored the whole union of a language's candidates; a passage
    without a lexical score shares no term with the query, which is a score of 0. Ties fall to the
    lower id.
    """
    fused = [scored for legs in by_language.values() for scored in _fuse_legs(legs, dense_weight)]
    return sorted(fused, key=lambda scored: (-scored.score, scored.id))


def _fuse_legs(legs: Legs, dense_weight: float) -> list[Scored]:
    union = sorted(legs.dense.keys() | legs.lexical.keys())
    by_dense = _z_scores({key: legs.dense.get(key, 0.0) for key in union})
    by_term = _z_scores({key: legs.lexical.get(key, 0.0) for key in union})
    return [
        Scored(key, dense_weight * by_dense[key] + legs.lexical_weight * by_term[key])
        for key in union
    ]


def as_mapping(candidates: Iterable[Scored]) -> dict[str, float]:
    """Candidates as scores by passage id."""
    return {candidate.id: candidate.score for candidate in candidates}


def _z_scores(scores: Mapping[str, float]) -> dict[str, float]:
    if not scores:
        return {}
    mean = fmean(scores.values())
    # statistics.pstdev says the same exactly, with fractions: 2.4 of a search's 28 ms at 18,000
    # passages.
    squares = math.fsum((score - mean) ** 2 for score in scores.values())
    deviation = math.sqrt(squares / len(scores))
    if deviation < 1e-9:  # noqa: PLR2004 -- rounding noise of equal scores
        return dict.fromkeys(scores, 0.0)
    return {key: (score - mean) / deviation for key, score in scores.items()}

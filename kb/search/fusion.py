"""Merging the dense and the lexical leg into one ranking."""

from __future__ import annotations

from statistics import fmean, pstdev
from typing import TYPE_CHECKING

from kb.index.base import Scored

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def fuse(
    dense: Mapping[str, float], lexical: Mapping[str, float], dense_weight: float
) -> list[Scored]:
    """Sum of both legs' z-scores over the union of their candidates, best first.

    Both legs are expected to have scored the whole union; a passage without a lexical score shares
    no term with the query, which is a score of 0. Ties fall to the lower id. Measured on EUR-Lex
    headings against reciprocal rank fusion of the same legs: fr→en 0.595 against 0.564 nDCG@10,
    and better in all four directions (docs/decisions/0003).
    """
    union = sorted(dense.keys() | lexical.keys())
    by_dense = _z_scores({key: dense.get(key, 0.0) for key in union})
    by_term = _z_scores({key: lexical.get(key, 0.0) for key in union})
    fused = [Scored(key, dense_weight * by_dense[key] + by_term[key]) for key in union]
    return sorted(fused, key=lambda scored: (-scored.score, scored.id))


def as_mapping(candidates: Iterable[Scored]) -> dict[str, float]:
    """Candidates as scores by passage id."""
    return {candidate.id: candidate.score for candidate in candidates}


def _z_scores(scores: Mapping[str, float]) -> dict[str, float]:
    if not scores:
        return {}
    mean = fmean(scores.values())
    deviation = pstdev(scores.values())
    if deviation < 1e-9:  # noqa: PLR2004 -- rounding noise of equal scores
        return dict.fromkeys(scores, 0.0)
    return {key: (score - mean) / deviation for key, score in scores.items()}

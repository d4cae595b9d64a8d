from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.search.fusion import Legs, as_mapping
from kb.search.fusion import fuse as fuse_languages

if TYPE_CHECKING:
    from kb.index.base import Scored

keys = st.sampled_from(["a", "b", "c", "d", "e", "f"])
# Whole numbers, so that rounding does not decide about the ties.
legs = st.dictionaries(keys, st.integers(-100, 100).map(float))


def fuse(dense: dict[str, float], lexical: dict[str, float], dense_weight: float) -> list[Scored]:
    """Fuse the legs of one language."""
    return fuse_languages({"en": Legs(dense, lexical)}, dense_weight)


def order(fused: list[Scored]) -> list[str]:
    """The ids, best first."""
    return [scored.id for scored in fused]


@given(legs, legs, st.sampled_from([0.0, 0.5, 0.8, 2.0]))
def test_the_union_is_ranked_once_each_in_falling_order(
    dense: dict[str, float], lexical: dict[str, float], weight: float
) -> None:
    """Every candidate of either leg is in the ranking exactly once."""
    fused = fuse(dense, lexical, weight)
    assert sorted(order(fused)) == sorted(dense.keys() | lexical.keys())
    assert [scored.score for scored in fused] == sorted(
        (scored.score for scored in fused), reverse=True
    )


@given(legs, legs, st.sampled_from([2.0, 4.0, 1024.0]), st.sampled_from([-64.0, 0.0, 512.0]))
def test_the_scale_of_the_dense_leg_does_not_matter(
    dense: dict[str, float], lexical: dict[str, float], factor: float, shift: float
) -> None:
    """Stretching and shifting every dense score changes no fused one."""
    union = dense.keys() | lexical.keys()
    whole = {key: dense.get(key, 0.0) for key in union}
    moved = {key: score * factor + shift for key, score in whole.items()}
    expected = as_mapping(fuse(whole, lexical, 0.8))
    assert as_mapping(fuse(moved, lexical, 0.8)) == pytest.approx(expected, abs=1e-6)


@given(legs, legs, st.sampled_from([2.0, 4.0, 1024.0]))
def test_the_scale_of_the_lexical_leg_does_not_matter(
    dense: dict[str, float], lexical: dict[str, float], factor: float
) -> None:
    """BM25 in other units ranks the same; no shared term stays a score of zero."""
    stretched = {key: score * factor for key, score in lexical.items()}
    expected = as_mapping(fuse(dense, lexical, 0.8))
    assert as_mapping(fuse(dense, stretched, 0.8)) == pytest.approx(expected, abs=1e-6)


@given(legs)
def test_ties_fall_to_the_lower_id(scores: dict[str, float]) -> None:
    """Equal scores are ordered by id, so that a ranking is the same at every run."""
    equal = dict.fromkeys(scores, 3.0)
    assert order(fuse(equal, equal, 0.8)) == sorted(scores)


def test_legs_without_candidates_are_neutral() -> None:
    """With an empty leg the other one decides; with both empty nothing is found."""
    leg = {"a": 0.1, "b": 0.9, "c": 0.5}
    assert order(fuse(leg, {}, 0.8)) == ["b", "c", "a"]
    assert order(fuse({}, leg, 0.8)) == ["b", "c", "a"]
    assert fuse({}, {}, 0.8) == []


def test_the_weight_is_that_of_the_dense_leg() -> None:
    """At nothing the lexical leg decides, at much the dense one, at one they are equal."""
    dense, lexical = {"a": 1.0, "b": 0.0}, {"a": 0.0, "b": 7.0}
    assert order(fuse(dense, lexical, 0.0)) == ["b", "a"]
    assert order(fuse(dense, lexical, 5.0)) == ["a", "b"]
    assert [scored.score for scored in fuse(dense, lexical, 1.0)] == pytest.approx([0.0, 0.0])


def test_scores_are_sums_of_standard_scores() -> None:
    """A worked example: (score - mean) over the standard deviation of the union, by leg."""
    fused = as_mapping(fuse({"a": 3.0, "b": 1.0}, {"a": 4.0}, 0.5))
    assert fused == pytest.approx({"a": 0.5 + 1.0, "b": -0.5 - 1.0})

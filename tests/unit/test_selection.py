"""Leaving of a response what is asked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import schemas
from api.selection import selected
from kb.client import examples
from kb.errors import UsageError

BODY: dict[str, Any] = {
    "query": "garantie",
    "language": "fr",
    "took_ms": 1.5,
    "hits": [examples.HIT, {**examples.HIT, "rank": 2}],
}


def _left(fields: str | None) -> dict[str, Any]:
    return selected(BODY, fields, schemas.SearchResult)


def test_nothing_asked_leaves_everything() -> None:
    """Without field names the response is whole."""
    assert _left(None) == BODY


def test_members_of_lists_are_named_with_dots() -> None:
    """Every item of a list keeps the same members."""
    assert _left("query, hits.rank,hits.spans.page") == {
        "query": "garantie",
        "hits": [{"rank": 1, "spans": [{"page": 3}]}, {"rank": 2, "spans": [{"page": 3}]}],
    }


@pytest.mark.parametrize("fields", ["hits,hits.rank", "hits.rank,hits", "hits.rank,hits,hits.url"])
def test_the_whole_outdoes_its_parts(fields: str) -> None:
    """Whoever names a member and something within gets all of it, whatever the order."""
    assert _left(fields) == {"hits": BODY["hits"]}


@pytest.mark.parametrize("fields", ["", "hit", "hits.", "hits.titel", "query.x", "hits..rank", ","])
def test_an_unknown_name_is_told_with_the_known_ones(fields: str) -> None:
    """A typing error must not look like an empty base."""
    with pytest.raises(UsageError, match=r"fields: .*known are "):
        _left(fields)


@given(st.lists(st.sampled_from(sorted(BODY)), min_size=1))
def test_exactly_what_is_named_is_left(names: list[str]) -> None:
    """Order and repetition do not matter."""
    assert set(_left(",".join(names))) == set(names)

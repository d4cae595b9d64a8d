"""What someone looks for among calls: what is understood, what is refused, and the way back."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import date
from typing import Any

import pytest
from calls_making import EVERYBODY, NOW
from hypothesis import example, given
from hypothesis import strategies as st

from kb.calls.query import MAX_MONEY, MAX_TEXT, MAX_VALUES, CallQuery, Sort
from kb.errors import UsageError
from kb.model import Applicant, CallStatus

NAMES = [field.name for field in fields(CallQuery)]
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary()
ANYTHING = st.recursive(
    PLAIN | st.dates() | st.sampled_from(["open", "FR", "ngo", "budget", "2026-03-01", ","]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=5,
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(str.strip)
COUNTRIES = st.sampled_from(["FR", "BE", "EU", "GR", "UK", "ANY"])
MONEY = st.none() | st.integers(0, MAX_MONEY)


@st.composite
def queries(draw: st.DrawFn) -> CallQuery:
    """Queries that can be meant."""
    low, high = sorted((draw(st.integers(0, MAX_MONEY)), draw(st.integers(0, MAX_MONEY))))
    after, before = sorted((draw(st.dates()), draw(st.dates())))
    return CallQuery(
        query=draw(st.just("") | TEXT),
        status=tuple(draw(st.lists(st.sampled_from(CallStatus), max_size=3))),
        programme=tuple(draw(st.lists(TEXT, max_size=3))),
        action_type=tuple(draw(st.lists(TEXT, max_size=3))),
        applicant=tuple(draw(st.lists(st.sampled_from(Applicant), max_size=3))),
        country=tuple(draw(st.lists(COUNTRIES, max_size=3))),
        theme=tuple(draw(st.lists(TEXT, max_size=3))),
        deadline_after=draw(st.none() | st.just(after)),
        deadline_before=draw(st.none() | st.just(before)),
        budget_min=draw(st.none() | st.just(low)),
        budget_max=draw(st.none() | st.just(high)),
        sort=draw(st.none() | st.sampled_from(Sort)),
    )


def refusal(**values: Any) -> str:
    """What is said of values that can't be meant."""
    with pytest.raises(UsageError) as caught:
        CallQuery.from_values(values)
    return str(caught.value)


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), ANYTHING, max_size=4))
@example({"budget_min": 10**5000})
@example({"deadline_after": float("nan"), "deadline_before": 10**30})
@example({"status": [["open"]], "country": {"FR": 1}})
@example({"query": "\ud800", "theme": ["\ud800"], "programme": "\ud800"})
def test_values_of_any_kind_are_understood_or_refused(values: dict[str, Any]) -> None:
    """Whatever stands in a request, a query comes of it or one error that users are told."""
    try:
        made = CallQuery.from_values(values)
    except UsageError as error:
        assert str(error)  # noqa: PT017 -- no error is as good
    else:
        json.dumps(made.as_values())
        made.filters(NOW, EVERYBODY)


@given(queries())
def test_a_query_comes_back_from_its_values(asked: CallQuery) -> None:
    """``from_values`` reads what ``as_values`` gave, also after a journey as JSON."""
    kept = json.loads(json.dumps(asked.as_values()))
    assert CallQuery.from_values(kept) == asked
    assert CallQuery.from_values(asked.as_values()) == asked


def test_a_query_that_says_nothing_has_no_values() -> None:
    """Defaults are not kept, zero euros are."""
    assert CallQuery().as_values() == {}
    assert CallQuery(budget_max=0).as_values() == {"budget_max": 0}
    assert CallQuery.from_values({"query": None, "status": None, "theme": []}) == CallQuery()


def test_lists_may_be_one_text_with_commas() -> None:
    """Codes may be joined by commas, in any case and with either dash; names are left whole."""
    asked = CallQuery.from_values(
        {
            "status": "open, Closing-Soon",
            "applicant": ["NGO", "social_enterprise,any"],
            "country": "fr,be",
            "programme": "Citizens, Equality, Rights and Values",
            "theme": ["Air, water", "Soil"],
        }
    )
    assert asked.status == (CallStatus.OPEN, CallStatus.CLOSING_SOON)
    assert asked.applicant == (Applicant.NGO, Applicant.SOCIAL_ENTERPRISE, Applicant.ANY)
    assert asked.country == ("FR", "BE")
    assert asked.programme == ("Citizens, Equality, Rights and Values",)
    assert asked.theme == ("Air, water", "Soil")


def test_blank_values_of_lists_say_nothing() -> None:
    """A blank name narrows nothing, rather than standing for every name."""
    assert CallQuery.from_values({"programme": ["", " "], "theme": " ", "country": ","}) == (
        CallQuery()
    )


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"status": "opened"}, "status is 'opened'; it must be one of forthcoming, open"),
        ({"applicant": ["ngo", "choir"]}, "applicant is 'choir'; it must be one of association"),
        ({"sort": "size"}, "sort is 'size'; it must be one of relevance, deadline"),
        ({"country": "France"}, "country is 'FRANCE'; write it as a code of two letters"),
        ({"deadline_after": "next week"}, "deadline_after is 'next week'; write it as YYYY-MM-DD"),
        ({"deadline_before": "2026-02-30"}, "deadline_before is '2026-02-30'"),
        ({"budget_min": -1}, "budget_min is -1; it must lie between 0 and"),
        ({"budget_max": MAX_MONEY + 1}, f"budget_max is {MAX_MONEY + 1}; it must lie between"),
        ({"budget_min": "much"}, "budget_min is 'much'"),
        ({"budget_min": 1.5}, "budget_min is 1.5"),
        ({"budget_min": True}, "budget_min is True"),
        ({"query": "a" * (MAX_TEXT + 1)}, "query has 1001 characters; at most 1000"),
        ({"query": 7}, "query is 7"),
        ({"theme": ["a"] * (MAX_VALUES + 1)}, "theme has too many"),
        ({"theme": "a" * (MAX_TEXT + 1)}, "theme has too many or too long"),
        ({"theme": [7]}, "theme is [7]; it must be a text or a list of texts"),
        ({"budget_min": 5, "budget_max": 4}, "budget_min is 5, after budget_max, which is 4"),
        (
            {"deadline_after": "2026-03-02", "deadline_before": "2026-03-01"},
            "deadline_after is 2026-03-02, after deadline_before",
        ),
        ({"colour": "red"}, "Calls can't be narrowed by 'colour'; known are query, status"),
    ],
)
def test_a_refusal_names_what_is_wrong(values: dict[str, Any], told: str) -> None:
    """A value that can't be meant is refused with its name and what would be right."""
    assert told in refusal(**values)


def test_days_may_be_texts_or_dates() -> None:
    """Days are read as ISO dates; a number is none."""
    asked = CallQuery.from_values({"deadline_after": "2026-03-01", "deadline_before": date.max})
    assert (asked.deadline_after, asked.deadline_before) == (date(2026, 3, 1), date.max)
    assert "deadline_after is 5" in refusal(deadline_after=5)


def test_the_order_is_that_of_the_question_or_of_the_deadline() -> None:
    """A question ranks unless an order is named; without one the deadline counts."""
    assert CallQuery(query="ladders").order is Sort.RELEVANCE
    assert CallQuery(query="  ").order is Sort.DEADLINE
    assert CallQuery(query="ladders", sort=Sort.BUDGET).order is Sort.BUDGET

"""Pages of calls: following cursors gives each call once, and no other text is a cursor."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from calls_making import (
    NOW,
    brussels,
    document_id,
    drawn,
    made,
    take,
)
from fakes import HashingEncoder, TickingClock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qdrant_client import QdrantClient

from kb.bootstrap import open_knowledge_base
from kb.calls import finder
from kb.calls.cursor import Cursor
from kb.calls.query import CallQuery, Sort
from kb.calls.status import usable_deadlines
from kb.errors import UsageError
from kb.index.edge import EdgeIndex
from kb.index.server import ServerIndex
from kb.maintenance import remove
from kb.model import (
    PUBLIC_ACCESS,
    Applicant,
    CallStatus,
)
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import MakeKb

    from kb.bootstrap import KnowledgeBase
    from kb.calls.finder import CallHit
    from kb.index.base import VectorIndex

# The client's local mode stands in for a server and says that it keeps no payload indexes.
pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect")

ENCODER = HashingEncoder()
PUBLIC = PUBLIC_ACCESS


def engine_at(name: str, folder: Path) -> VectorIndex:
    """An empty index of an engine."""
    if name == "edge":
        return EdgeIndex(folder / "index", ENCODER.dimension)
    return ServerIndex(QdrantClient(":memory:"), ENCODER.dimension)


def names(hits: tuple[CallHit, ...]) -> list[str]:
    """The identifiers of hits, in their order."""
    return [hit.call.identifier for hit in hits]


@pytest.fixture(scope="module", params=["edge", "server"])
def paged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KnowledgeBase]:
    """Some drawn calls and ten at one value, looked at a few at a time."""
    folder = tmp_path_factory.mktemp("paged")
    values: dict[str, Any] = {"home": folder, "workers": 1}
    kb = open_knowledge_base(
        Settings(**values),
        clock=TickingClock(),
        encoder=ENCODER,
        index=engine_at(request.param, folder),
    )
    chance = random.Random(7)  # noqa: S311 -- no secret
    calls = [
        replace(
            drawn(chance, number),
            sources=(),
            programme=chance.choice([None, "Soil", "Choirs"]),
            applicants=chance.choice([(), (Applicant.NGO,), (Applicant.COMPANY,)]),
            budget=chance.choice([None, 777, chance.randint(1, 10**9)]),
        )
        for number in range(26)
    ]
    same = brussels("2026-05-05")
    calls += [made(f"SAME-{n}", deadlines=(same,), budget=777) for n in range(10)]
    take(kb, calls)
    with pytest.MonkeyPatch.context() as patch:
        # Batches are cut everywhere, and the ranking ends before the calls do.
        patch.setattr(finder, "_BATCH", 3)
        patch.setattr(finder, "RANKED", 9)
        yield kb
    kb.close()


ASKED = st.builds(
    CallQuery,
    query=st.sampled_from(["", "", "ladders", "SAME 5 village"]),
    sort=st.none() | st.sampled_from(Sort),
    status=st.lists(st.sampled_from(CallStatus), max_size=3).map(tuple),
    programme=st.sampled_from([(), ("Soil",), ("Soil", "Choirs")]),
    applicant=st.sampled_from([(), (Applicant.NGO,)]),
    budget_min=st.none() | st.sampled_from([777, 10**6]),
    deadline_before=st.none() | st.just(date(2026, 4, 15)),
)


@given(asked=ASKED, size=st.integers(1, 7), hours=st.integers(-300, 300))
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_following_cursors_gives_each_call_once(
    paged: KnowledgeBase, asked: CallQuery, size: int, hours: int
) -> None:
    """In every order and under any filters the pages are the one large page, cut."""
    now = NOW + timedelta(hours=hours)
    whole = paged.finder.find(asked, PUBLIC, now, limit=100)
    found: list[str] = []
    page = paged.finder.find(asked, PUBLIC, now, limit=size)
    found += names(page.hits)
    while page.next is not None:
        assert len(page.hits) == size
        page = paged.finder.find(asked, PUBLIC, now, cursor=page.next, limit=size)
        found += names(page.hits)
    assert found == names(whole.hits)
    assert len(set(found)) == len(found) == whole.total == page.total


def test_the_order_by_deadline_is_that_of_the_next_one(paged: KnowledgeBase) -> None:
    """Next deadlines come first, then those that have passed, latest first, then the undated."""
    hits = paged.finder.find(CallQuery(), PUBLIC, NOW, limit=100).hits
    places: list[tuple[int, float]] = []
    for hit in hits:
        usable = usable_deadlines(hit.call)
        coming = next((moment for moment in usable if moment > NOW), None)
        if coming is not None:
            places.append((0, coming.timestamp()))
        else:
            places.append((1, -usable[-1].timestamp()) if usable else (2, 0))
    assert places == sorted(places)


def test_a_deadline_said_twice_hides_no_call(
    make_kb: MakeKb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stages that close at one moment are one place in the order by deadline."""
    monkeypatch.setattr(finder, "_BATCH", 5)
    kb = make_kb()
    twice = brussels("2026-05-05")
    take(
        kb,
        [
            made("FIRST", deadlines=(twice, twice, twice)),
            made("SECOND", deadlines=(brussels("2026-05-06"),)),
            made("THIRD", deadlines=(brussels("2026-05-07"),)),
            made("FOURTH", deadlines=(brussels("2026-05-08"),)),
        ],
    )
    page = kb.finder.find(CallQuery(), PUBLIC, NOW)
    assert names(page.hits) == ["FIRST", "SECOND", "THIRD", "FOURTH"]


@pytest.mark.parametrize("values", [{}, {"query": "ladders"}, {"sort": "budget"}])
def test_a_cursor_goes_on_after_its_call_has_left(make_kb: MakeKb, values: dict[str, Any]) -> None:
    """A call that is removed between two pages takes no other with it."""
    kb = make_kb()
    days = (brussels(f"2026-05-0{number // 2 + 1}") for number in range(6))
    take(kb, [made(f"C-{number}", deadlines=(day,)) for number, day in enumerate(days)])
    asked = CallQuery.from_values(values)
    whole = names(kb.finder.find(asked, PUBLIC, NOW, limit=100).hits)
    first = kb.finder.find(asked, PUBLIC, NOW, limit=2)
    remove(kb, document_id(kb, whole[1]))
    second = kb.finder.find(asked, PUBLIC, NOW, limit=100, cursor=first.next)
    assert names(second.hits) == whole[2:]


def encoded(value: Any) -> str:
    """Values as a cursor writes them."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
ID = "00000000-0000-4000-8000-000000000000"
FORGED = st.tuples(
    st.sampled_from([*Sort]) | JSON,
    st.integers(-3, 5) | JSON,
    st.integers(-(2**70), 2**70) | st.floats() | JSON,
    st.sampled_from([ID, ID.upper(), ID.replace("-", ""), "x"]) | JSON,
)


@given(
    cursor=st.text(max_size=40) | st.binary(max_size=40).map(repr) | (FORGED | JSON).map(encoded),
    asked=st.sampled_from([CallQuery(sort=sort) for sort in Sort] + [CallQuery(query="ladders")]),
)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_cursor_that_is_not_ours_is_refused(
    paged: KnowledgeBase, cursor: str, asked: CallQuery
) -> None:
    """Whatever stands in a cursor, a page comes of it or one error that users are told."""
    try:
        paged.finder.find(asked, PUBLIC, NOW, cursor=cursor, limit=2)
    except UsageError as error:
        assert "cursor" in str(error)  # noqa: PT017 -- no error is as good


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "é",
        "a" * 5000,
        encoded("[" * 100),
        encoded(["deadline", 0, 10**400, ID]),
        encoded(["deadline", 0, float("inf"), ID]),
        encoded(["deadline", 0, True, ID]),
        encoded(["deadline", 3, 0, ID]),
        encoded(["deadline", -1, 0, ID]),
        encoded(["deadline", -2, 0, ID]),
        encoded(["deadline", 0, 0, "not an id"]),
        encoded(["deadline", 0, 0, 7]),
        encoded([0, 1774800000, ["abcdef12"]]),
        Cursor(Sort.BUDGET, 0, 777, ID).text(CallQuery().digest),
        Cursor(Sort.DEADLINE, 0, 777, ID).text(CallQuery(query="ladders").digest),
    ],
)
def test_cursors_of_another_kind_are_refused(paged: KnowledgeBase, cursor: str) -> None:
    """A cursor that is cut, forged or of another order is refused with what to do."""
    with pytest.raises(UsageError, match=r"cursor is .*: ask for the first page again"):
        paged.finder.find(CallQuery(), PUBLIC, NOW, cursor=cursor)

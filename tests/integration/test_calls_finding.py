"""Calls as they are found: filters, counts, orders and pages, and who may see what."""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from calls_making import (
    CHECKED,
    EVERYBODY,
    NOW,
    brussels,
    document_id,
    made,
    record,
    source,
    take,
)
from fakes import HashingEncoder, TickingClock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qdrant_client import QdrantClient

from kb.analysis import passage_terms
from kb.bootstrap import open_knowledge_base
from kb.calls import finder
from kb.calls.cursor import Cursor
from kb.calls.detail import detail_json
from kb.calls.query import CallQuery, Sort
from kb.calls.status import status_at, usable_deadlines
from kb.errors import StoreError, UsageError
from kb.index import edge, payload
from kb.index.base import Point
from kb.index.edge import EdgeIndex
from kb.index.server import ServerIndex
from kb.maintenance import remove
from kb.model import (
    Applicant,
    Call,
    CallFilters,
    CallStatus,
    DeadlineModel,
    Document,
    Filters,
    Kind,
    Metadata,
    Passage,
    Span,
    Visibility,
)
from kb.record.history import remove_document
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import MakeKb

    from kb.bootstrap import KnowledgeBase
    from kb.calls.finder import CallHit, CallPage
    from kb.index.base import IndexReader, VectorIndex

# The client's local mode stands in for a server and says that it keeps no payload indexes.
pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect")

ENCODER = HashingEncoder()
PUBLIC = (Visibility.PUBLIC,)
OPEN_STATUSES = {CallStatus.OPEN, CallStatus.CLOSING_SOON}


def engine_at(name: str, folder: Path) -> VectorIndex:
    """An empty index of an engine."""
    if name == "edge":
        return EdgeIndex(folder / "index", ENCODER.dimension)
    return ServerIndex(QdrantClient(":memory:"), ENCODER.dimension)


# What the engine's filters say of a status, beside what is computed of each call.


def drawn(chance: random.Random, number: int) -> Call:
    """A call of any kind whose dates lie about ``NOW``."""

    def moment() -> datetime:
        day = date(2026, 3, 1) + timedelta(days=chance.randint(-60, 90))
        return brussels(day.isoformat(), chance.choice(["00:00", "17:00", "17:00", "23:59:59.9"]))

    deadlines = (moment() for _ in range(chance.choice([0, 0, 1, 1, 1, 2, 3])))
    sources = (
        source(
            chance.choice([None, "forthcoming", "open", "closed"]),
            name=f"source-{place}",
            checked=CHECKED - timedelta(days=chance.randint(0, 5)),
            gone=chance.random() < 0.2,
        )
        for place in range(chance.randint(0, 2))
    )
    return made(
        f"DRAWN-{number}",
        opens=chance.choice([None, moment()]),
        deadlines=tuple(sorted(deadlines)),
        deadline_model=chance.choice([None, *DeadlineModel]),
        rolling=chance.random() < 0.2,
        sources=tuple(sources),
    )


DRAWN = {
    str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))): drawn(random.Random(number), number)  # noqa: S311 -- no secret
    for number in range(160)
}


def point(key: str, call: Call) -> Point:
    """The head of a call, without a record behind it."""
    document = Document(
        id=call.identifier,
        version=1,
        title=call.title,
        kind=Kind.CALL,
        visibility=Visibility.PUBLIC,
        language="en",
        metadata=Metadata(),
        source="test",
        paged=False,
        ingested=NOW,
        call=call,
    )
    spans = (Span(None, None, 1, 0, len(call.title)),)
    passage = Passage(key, call.identifier, 1, 0, call.title, spans, "", "en")
    terms = passage_terms(call.title, "en")
    return Point(passage, document, ENCODER.encode_passages([call.title])[0], terms)


@pytest.fixture(scope="module", params=["edge", "server"])
def drawn_calls(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[IndexReader, list[datetime]]]:
    """An index of the drawn calls, and moments at and about their borders."""
    index = engine_at(request.param, tmp_path_factory.mktemp("drawn"))
    writer = index.writer(1, None)
    writer.add([point(key, call) for key, call in DRAWN.items()])
    writer.finish()
    borders = sorted(
        {moment for call in DRAWN.values() for moment in (call.opens, *call.deadlines) if moment}
    )
    soon = [moment - timedelta(days=30) for moment in borders]
    midnights = [moment.replace(hour=0, minute=0, second=0, microsecond=0) for moment in soon]
    about = [
        moment.replace(microsecond=0) + timedelta(seconds=more)
        for moment in (*borders, *midnights)
        for more in (-1, 0, 0.5, 1)
    ]
    # The client's local mode looks at each point in Python.
    count = 60 if request.param == "edge" else 15
    chance = random.Random(2026)  # noqa: S311 -- no secret
    reader = index.reader(1)
    yield reader, chance.sample(about, count)
    reader.close()


def test_the_engine_finds_by_status_what_is_computed(
    drawn_calls: tuple[IndexReader, list[datetime]],
) -> None:
    """At any moment each status finds exactly the calls of it; open finds those closing soon."""
    reader, moments = drawn_calls
    vector = ENCODER.encode_queries(["ladders"])[0]
    for now in moments:
        computed = {key: status_at(call, now).status for key, call in DRAWN.items()}
        for status in CallStatus:
            filters = Filters(call=CallFilters(now, statuses=(status,)))
            found = {scored.id for scored in reader.dense(vector, filters, len(DRAWN))}
            wanted = OPEN_STATUSES if status is CallStatus.OPEN else {status}
            assert found == {key for key, each in computed.items() if each in wanted}, (
                now,
                status,
            )


# Filters, counts and orders over calls that are taken in as any source's.

FOUND: dict[str, dict[str, Any]] = {
    "SOIL-1": {
        "programme": "Soil Fund (SOIL)",
        "programme_id": "770",
        "action_types": ("SOIL Research and Innovation Actions",),
        "applicants": (Applicant.NGO, Applicant.PUBLIC),
        "countries": ("EU",),
        "themes": ("Compost", "Clean water"),
        "opens": brussels("2026-01-10", "00:00"),
        "deadlines": (brussels("2026-06-01"),),
        "budget": 3_000_000,
    },
    "SOIL-2": {
        "programme": "Soil Fund (SOIL)",
        "programme_id": "770",
        "action_types": ("SOIL Prizes",),
        "applicants": (Applicant.COMPANY,),
        "countries": ("FR",),
        "themes": ("Compost",),
        "opens": brussels("2025-12-01", "00:00"),
        "deadlines": (brussels("2026-02-01"), brussels("2026-03-15"), brussels("2026-09-01")),
        "deadline_model": DeadlineModel.CUT_OFFS,
        "grant_min": 10_000,
        "grant_max": 60_000,
    },
    "CHOIR-1": {
        "programme": "Choirs of Europe",
        "countries": ("NO", "IS"),
        "opens": brussels("2026-04-01", "00:00"),
        "deadlines": (brussels("2026-05-01"), brussels("2026-12-01")),
        "deadline_model": DeadlineModel.TWO_STAGE,
        "grant_max": 900_000,
    },
    "CHOIR-2": {
        "programme": "Choirs of Europe",
        "action_types": ("CHOIR Research and Innovation Actions",),
        "deadlines": (brussels("2026-02-10"),),
        "budget": 3_000_000,
    },
    "CHOIR-3": {"programme": "Choirs of Europe", "deadlines": (brussels("2025-02-10"),)},
    "ROLL": {"rolling": True, "applicants": (Applicant.ANY,), "opens": brussels("2024-01-01")},
    "MUTE": {},
}
HIDDEN = {"programme": "Secret Fund", "themes": ("Secret",), "deadlines": (brussels("2026-06-01"),)}
TEXTS = {
    "SOIL-1": "The fund pays for compost that villages make of leaves.",
    "CHOIR-1": "Choirs that sing in two countries may ask for the costs of their journeys.",
}


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    """A base of seven calls, one more that only the coalition sees, and a document that is none."""
    values: dict[str, Any] = {"home": tmp_path_factory.mktemp("some"), "workers": 1}
    kb = open_knowledge_base(Settings(**values), clock=TickingClock(), encoder=ENCODER)
    calls = [made(name, title=f"Call {name}", **fields) for name, fields in FOUND.items()]
    take(kb, [record(call, *_text(call.identifier)) for call in calls])
    take(kb, [made("HIDDEN", **HIDDEN)], Visibility.COALITION)
    yield kb
    kb.close()


def _text(identifier: str) -> tuple[str, ...]:
    return (TEXTS[identifier],) if identifier in TEXTS else ()


def find(
    kb: KnowledgeBase,
    now: datetime = NOW,
    visible: tuple[Visibility, ...] = PUBLIC,
    **values: Any,
) -> CallPage:
    """The first page of a query, as everybody sees it."""
    return kb.finder.find(CallQuery.from_values(values), visible, now, limit=100)


def names(hits: tuple[CallHit, ...]) -> list[str]:
    """The identifiers of hits, in their order."""
    return [hit.call.identifier for hit in hits]


EVERY = set(FOUND)
SOIL, CHOIRS = {"SOIL-1", "SOIL-2"}, {"CHOIR-1", "CHOIR-2", "CHOIR-3"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, EVERY),
        ({"programme": "Soil Fund (SOIL)"}, SOIL),
        ({"programme": "soil"}, SOIL),
        ({"programme": "choirs"}, CHOIRS),
        ({"programme": "770"}, SOIL),
        ({"programme": ["SOIL", "choirs of europe"]}, SOIL | CHOIRS),
        ({"programme": "no such thing"}, set()),
        ({"programme": "Secret Fund"}, set()),
        ({"action_type": "RIA"}, {"SOIL-1", "CHOIR-2"}),
        ({"action_type": "soil-ria"}, {"SOIL-1"}),
        ({"action_type": "prizes"}, {"SOIL-2"}),
        ({"applicant": "association"}, EVERY - {"SOIL-2"}),
        ({"applicant": "sme"}, EVERY - {"SOIL-1"}),
        ({"country": "FR"}, EVERY - {"CHOIR-1"}),
        ({"country": "BE"}, EVERY - {"CHOIR-1", "SOIL-2"}),
        ({"country": "NO"}, EVERY - SOIL),
        ({"theme": "compost"}, SOIL),
        ({"theme": "water"}, {"SOIL-1"}),
        ({"deadline_after": "2026-06-01", "deadline_before": "2026-06-01"}, {"SOIL-1"}),
        ({"deadline_after": "2026-05-01", "deadline_before": "2026-06-01"}, {"SOIL-1", "CHOIR-1"}),
        ({"deadline_after": "2026-09-02"}, set()),
        ({"deadline_before": "2026-02-01"}, {"SOIL-2", "CHOIR-3"}),
        ({"budget_min": 3_000_000}, EVERY - {"SOIL-2", "CHOIR-1"}),
        ({"budget_min": 60_000, "budget_max": 1_000_000}, EVERY - {"SOIL-1", "CHOIR-2"}),
        ({"status": "open"}, SOIL),
        ({"status": "closing-soon"}, {"SOIL-2"}),
        ({"status": "forthcoming,rolling"}, {"CHOIR-1", "ROLL"}),
        ({"status": "closed"}, {"CHOIR-2", "CHOIR-3"}),
        ({"status": "unknown"}, {"MUTE"}),
        ({"status": "open", "country": "BE", "programme": "soil"}, {"SOIL-1"}),
        ({"status": "open", "country": "NO"}, set()),
        ({"applicant": "ngo", "budget_min": 1_000_000, "theme": "Compost"}, {"SOIL-1"}),
    ],
)
def test_every_filter_narrows_what_is_found(
    some: KnowledgeBase, values: dict[str, Any], expected: set[str]
) -> None:
    """A filter lets through what meets it and what is not known to fail it; all are counted."""
    page = find(some, **values)
    assert set(names(page.hits)) == expected
    assert (page.total, page.next) == (len(expected), None)
    for facet in ("programme", "action_type"):
        assert sum(page.facets[facet].values()) == len(expected)


def test_totals_and_facets_are_those_of_the_filters(some: KnowledgeBase) -> None:
    """Neither a question, an order nor the page changes what is counted."""
    asked: dict[str, Any] = {"programme": ["soil", "choirs"]}
    whole = find(some, **asked)
    assert whole.total == 5
    assert whole.facets == {
        "status": {
            "forthcoming": 1,
            "open": 2,
            "closing_soon": 1,
            "closed": 2,
            "rolling": 0,
            "unknown": 0,
        },
        "programme": {"Choirs of Europe": 3, "Soil Fund (SOIL)": 2},
        "action_type": {
            "unknown": 2,
            "SOIL Research and Innovation Actions": 1,
            "SOIL Prizes": 1,
            "CHOIR Research and Innovation Actions": 1,
        },
        "applicant": {"unknown": 3, "ngo": 1, "public": 1, "company": 1},
        "country": {"unknown": 2, "EU": 1, "FR": 1, "NO": 1, "IS": 1},
        "theme": {"Compost": 2, "Clean water": 1},
    }
    others: list[dict[str, Any]] = [{"query": "compost"}, {"query": "zeppelin"}]
    for more in [*others, *({"sort": sort} for sort in Sort)]:
        page = find(some, **asked, **more)
        assert (page.total, page.facets) == (whole.total, whole.facets)
        assert set(names(page.hits)) == SOIL | CHOIRS
    query = CallQuery.from_values(asked)
    first = some.finder.find(query, PUBLIC, NOW, limit=2)
    second = some.finder.find(query, PUBLIC, NOW, limit=2, cursor=first.next)
    for page in (first, second):
        assert (page.total, page.facets) == (whole.total, whole.facets)


def test_a_status_narrows_other_counts_and_not_its_own(some: KnowledgeBase) -> None:
    """Beside a chosen status the others still say how many there would be."""
    page = find(some, status="open")
    assert page.facets["status"] == find(some).facets["status"]
    assert page.facets["programme"] == {"Soil Fund (SOIL)": 2}


@pytest.mark.parametrize("days", [-400, -20, 0, 14, 61, 92, 300])
def test_counts_by_status_are_those_of_the_calls(some: KnowledgeBase, days: int) -> None:
    """Each call counts under its own status, and one that closes soon also as open."""
    now = NOW + timedelta(days=days)
    page = find(some, now)
    computed = Counter(status_at(hit.call, now).status for hit in page.hits)
    assert [hit.status for hit in page.hits] == [status_at(hit.call, now) for hit in page.hits]
    computed[CallStatus.OPEN] += computed[CallStatus.CLOSING_SOON]
    assert page.facets["status"] == {status.value: computed[status] for status in CallStatus}


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (
            Sort.DEADLINE,
            ["SOIL-2", "CHOIR-1", "SOIL-1", "CHOIR-2", "CHOIR-3", {"ROLL", "MUTE"}],
        ),
        (
            Sort.BUDGET,
            [{"SOIL-1", "CHOIR-2"}, "CHOIR-1", "SOIL-2", {"CHOIR-3", "ROLL", "MUTE"}],
        ),
        (
            Sort.NEWEST,
            [{"CHOIR-1", "CHOIR-2", "CHOIR-3", "MUTE"}, "SOIL-1", "SOIL-2", "ROLL"],
        ),
    ],
)
def test_each_order_begins_with_what_matters(
    some: KnowledgeBase, sort: Sort, expected: list[str | set[str]]
) -> None:
    """The next deadline, the largest sum or the newest comes first, and what has none comes last.

    Of several deadlines the next one counts, of a call that is over the last. A call that has not
    opened appeared when it was first seen.
    """
    found = names(find(some, sort=sort).hits)
    for group in expected:
        together = {group} if isinstance(group, str) else group
        assert set(found[: len(together)]) == together
        found = found[len(together) :]
    assert found == []


def test_a_question_puts_first_what_speaks_of_it(some: KnowledgeBase) -> None:
    """Relevance is the order of a question, and its score and sentences come with a hit."""
    page = find(some, query="compost of leaves")
    best = page.hits[0]
    assert (best.call.identifier, page.total) == ("SOIL-1", len(FOUND))
    assert best.score is not None
    assert [citation.quote for citation in best.why] == [TEXTS["SOIL-1"]]
    scores = [hit.score for hit in page.hits if hit.score is not None]
    assert scores == sorted(scores, reverse=True)
    by_deadline = find(some, query="compost of leaves", sort="deadline")
    assert names(by_deadline.hits) == names(find(some).hits)
    assert [hit.score for hit in by_deadline.hits] == [None] * len(FOUND)


def test_the_sentences_of_a_hit_are_verified_quotes(some: KnowledgeBase) -> None:
    """What a hit shows stands word for word on the page that it names."""
    cited = [quote for hit in find(some, query="choirs villages").hits for quote in hit.why]
    assert cited
    for citation in cited:
        document, span = citation.document, citation.spans[0]
        key = (document.id, document.version, span.number)
        page = some.record.page_texts([key])[key]
        assert citation.verified
        assert page[span.start : citation.spans[-1].end] == citation.quote


@pytest.mark.parametrize("limit", [0, -1, 101])
def test_a_page_has_one_to_a_hundred_calls(some: KnowledgeBase, limit: int) -> None:
    """A page of another length is refused with what is allowed."""
    with pytest.raises(UsageError, match=r"limit is .* between 1 and 100"):
        some.finder.find(CallQuery(), PUBLIC, NOW, limit=limit)


def test_what_a_caller_may_not_see_is_nowhere(some: KnowledgeBase) -> None:
    """A hidden call is in no total, count, hit, ranking or history of somebody outside."""
    inside, outside = find(some, visible=EVERYBODY), find(some)
    assert (inside.total, outside.total) == (8, 7)
    assert "HIDDEN" in names(inside.hits)
    assert "HIDDEN" not in names(outside.hits)
    assert inside.facets["programme"]["Secret Fund"] == 1
    assert "Secret" not in json.dumps(outside.facets)
    assert "HIDDEN" not in names(find(some, query="HIDDEN ladders").hits)
    assert some.finder.one("hidden", PUBLIC, NOW) is None
    hidden = some.finder.one("hidden", EVERYBODY, NOW)
    assert hidden is not None
    assert detail_json(some, hidden, EVERYBODY, "en")["history"]
    assert detail_json(some, hidden, PUBLIC, "en")["history"] == []
    news = some.calls.news(some.record.current_id() or 0, PUBLIC)
    assert {each.identifier for each in news} == set(FOUND)


def test_a_removed_call_is_gone_at_once(make_kb: MakeKb) -> None:
    """A removed call is in no hit, total or count, and other calls stay."""
    kb = make_kb()
    take(kb, [made("STAYS", programme="Soil"), made("LEAVES", programme="Choirs")])
    remove(kb, document_id(kb, "LEAVES"))
    page = find(kb)
    assert (names(page.hits), page.total) == (["STAYS"], 1)
    assert page.facets["programme"] == {"Soil": 1}
    assert kb.finder.one("LEAVES", EVERYBODY, NOW) is None
    assert names(find(kb, query="LEAVES ladders").hits) == ["STAYS"]
    assert find(kb, programme="choirs").total == 0


def test_the_record_has_the_last_word_on_hits(make_kb: MakeKb) -> None:
    """A call that was removed is in no hit even while the index still has it."""
    kb = make_kb()
    take(kb, [made("STAYS"), made("LEAVES"), made("DATED", deadlines=(brussels("2026-06-01"),))])
    for identifier in ("LEAVES", "DATED"):
        remove_document(kb.engine, document_id(kb, identifier), NOW, purge=False)
    for sort in Sort:
        assert names(find(kb, sort=sort).hits) == ["STAYS"]
    assert names(find(kb, query="ladders").hits) == ["STAYS"]


def test_a_base_without_calls_has_none(make_kb: MakeKb) -> None:
    """An empty base says what to do; one of which the only call was removed has no calls."""
    kb = make_kb()
    with pytest.raises(StoreError, match="kb ingest"):
        find(kb)
    assert kb.finder.one("ANY", EVERYBODY, NOW) is None
    take(kb, [made("LEAVES")])
    remove(kb, document_id(kb, "LEAVES"))
    page = find(kb, query="ladders")
    assert (page.total, page.hits, page.next) == (0, (), None)


def test_an_index_from_before_calls_names_the_way_out(
    make_kb: MakeKb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index that was made before calls were known is to be rebuilt, and no crash."""
    kb = make_kb()
    fields = ("document_id", "kind", "language", "visibility", "issuer", "themes")
    monkeypatch.setattr(edge, "KEYWORDS", fields)
    monkeypatch.setattr(edge, "NUMBERS", ())
    take(kb, [made("OLD")])
    with pytest.raises(StoreError, match="kb doctor --repair"):
        find(kb)
    monkeypatch.setattr(edge, "KEYWORDS", payload.KEYWORDS)
    monkeypatch.setattr(edge, "NUMBERS", payload.NUMBERS)
    take(kb, [made("NEW")])
    assert set(names(find(kb).hits)) == {"OLD", "NEW"}


@pytest.mark.parametrize("day", [date.min, date.max])
def test_the_ends_of_the_calendar_are_days_like_others(some: KnowledgeBase, day: date) -> None:
    """No day that can be written breaks a filter or a status."""
    now = datetime(day.year, day.month, day.day, 12, tzinfo=NOW.tzinfo)
    assert find(some, now, deadline_before=day, deadline_after=day).total == 0
    assert find(some, now, status="open").total <= len(FOUND)
    assert find(some, now).total == len(FOUND)


# Pages: whatever is asked, following cursors gives each call once and in one order.


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
            call,
            sources=(),
            programme=chance.choice([None, "Soil", "Choirs"]),
            applicants=chance.choice([(), (Applicant.NGO,), (Applicant.COMPANY,)]),
            budget=chance.choice([None, 777, chance.randint(1, 10**9)]),
        )
        for call in list(DRAWN.values())[:26]
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
    some: KnowledgeBase, cursor: str, asked: CallQuery
) -> None:
    """Whatever stands in a cursor, a page comes of it or one error that users are told."""
    try:
        some.finder.find(asked, PUBLIC, NOW, cursor=cursor, limit=2)
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
        Cursor(Sort.BUDGET, 0, 777, ID).text(),
    ],
)
def test_cursors_of_another_kind_are_refused(some: KnowledgeBase, cursor: str) -> None:
    """A cursor that is cut, forged or of another order is refused with what to do."""
    with pytest.raises(UsageError, match=r"cursor is .*: ask for the first page again"):
        some.finder.find(CallQuery(), PUBLIC, NOW, cursor=cursor)


# With the encoder that the product has.

FIVE = {
    "MILK": "Dairy farmers may ask for money to insulate the tanks in which milk is cooled.",
    "RAIL": "The fund pays for night trains between the capitals of two countries.",
    "VICTIMS": "Organisations that give shelter to victims of domestic violence may apply.",
    "FOREST": "Owners of small forests may apply for the planting of mixed trees.",
    "CODE": "The programme supports schools in which adults learn to program computers.",
}


@pytest.mark.slow
def test_a_french_question_finds_an_english_call(tmp_path: Path) -> None:
    """The default encoder finds in English what was asked in French, and quotes the sentence."""
    values: dict[str, Any] = {"home": tmp_path, "workers": 1}
    kb = open_knowledge_base(Settings(**values), clock=TickingClock())
    take(kb, [record(made(name, title=f"Call {name[:1]}"), text) for name, text in FIVE.items()])
    for question, name in (
        ("hébergement des femmes victimes de violences conjugales", "VICTIMS"),
        ("plantation d'arbres dans les bois", "FOREST"),
    ):
        best = find(kb, query=question).hits[0]
        assert best.call.identifier == name
        assert [citation.quote for citation in best.why] == [FIVE[name]]
    kb.close()

"""Calls as they are found: filters, counts, orders and pages, and who may see what."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from calls_making import (
    EVERYBODY,
    NOW,
    brussels,
    document_id,
    made,
    record,
    take,
)
from fakes import HashingEncoder, TickingClock

from kb.bootstrap import open_knowledge_base
from kb.calls.detail import detail_json
from kb.calls.query import CallQuery, Sort
from kb.calls.status import status_at
from kb.errors import StoreError, UsageError
from kb.index import edge, payload
from kb.maintenance import remove
from kb.model import (
    PUBLIC_ACCESS,
    Access,
    Applicant,
    CallStatus,
    DeadlineModel,
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

# The client's local mode stands in for a server and says that it keeps no payload indexes.
pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect")

ENCODER = HashingEncoder()
PUBLIC = PUBLIC_ACCESS


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
    visible: Access = PUBLIC,
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


def test_a_word_that_is_said_again_is_believed_everywhere(make_kb: MakeKb) -> None:
    """Of two sources that disagree the one checked last counts, in filters as in what is shown."""
    kb = make_kb()
    call, day = made("TWO", deadlines=(brussels("2026-06-01"),)), timedelta(days=1)
    first = record(call, status="open", checked=NOW - 9 * day)
    take(kb, [first, record(call, status="forthcoming", source="paris", checked=NOW - 8 * day)])
    assert names(find(kb, status="forthcoming").hits) == ["TWO"]
    take(kb, [replace(first, checked=NOW - day)])
    assert find(kb).hits[0].status.status is CallStatus.OPEN
    assert names(find(kb, status="open").hits) == ["TWO"]


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


@pytest.mark.parametrize(
    "asked",
    [{}, {"programme": ("Soil Fund (SOIL)",)}, {"country": ("FR",), "theme": ("Compost",)}],
)
def test_a_choice_leaves_as_many_calls_as_it_counts(
    some: KnowledgeBase, asked: dict[str, tuple[str, ...]]
) -> None:
    """Of each field, in the place of what is asked there, with everything else that is asked."""
    counted = some.finder.choices(CallQuery.from_values(asked), PUBLIC, NOW)
    assert {"France", "Secret"}.isdisjoint(counted["theme"])
    assert "Secret Fund" not in counted["programme"]
    tried = 0
    for name, values in counted.items():
        for value, count in values.items():
            if value == "unknown" and name != "status":
                continue  # says how many do not say
            narrowed = CallQuery.from_values({**asked, name: [value]})
            assert some.finder.find(narrowed, PUBLIC, NOW).total == count, (name, value)
            tried += 1
    assert tried > 40

"""Calls over HTTP: found with filters and facets, shown in full, matched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from calls_making import CHECKED, brussels, made, record, take
from fakes import HashingEncoder, TickingClock
from starlette.testclient import TestClient

from api import call_schemas as schemas
from api.access import caller_access
from api.app import create_app
from api.schemas import Problem
from kb.bootstrap import open_knowledge_base
from kb.model import FULL_ACCESS, Applicant, DeadlineModel, Link, Visibility
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import MakeKb

    from kb.bootstrap import KnowledgeBase

RIVERS, SOON, COMING = "HORIZON-CL6/2026:01", "LIFE-2026-SOON", "CERV-2026-COMING"
OVER, STANDING, SILENT = "LIFE-2025-OVER", "aides-territoires:échelles", "SILENT-1"
HIDDEN = "HIDDEN-2026"
PUBLIC = [RIVERS, SOON, COMING, OVER, STANDING, SILENT]
SENTENCE = "Non-governmental organisations established in France may apply for rivers."


def _calls() -> list[Any]:
    """One call of each status."""
    began = brussels("2026-01-15", "00:00")
    return [
        record(
            made(
                RIVERS,
                title="Rivers and their people",
                programme="Horizon Europe",
                programme_id="43108390",
                action_types=("Research and Innovation Actions",),
                opens=began,
                deadlines=(brussels("2026-07-15"), brussels("2026-11-15")),
                deadline_model=DeadlineModel.TWO_STAGE,
                budget=5_000_000,
                grant_min=1_000_000,
                grant_max=2_000_000,
                countries=("EU",),
                themes=("Water",),
                url="https://portal.example/rivers",
                links=(Link("Apply", "https://portal.example/apply"),),
            ),
            SENTENCE,
            "Proposals say how a river is cleaned.",
            status="open",
        ),
        made(SOON, programme="LIFE", opens=began, deadlines=(brussels("2026-03-20"),), budget=100),
        made(
            COMING,
            title="Citizens on ladders",
            programme="CERV",
            opens=brussels("2026-05-01", "00:00"),
            deadlines=(brussels("2026-09-01"),),
            action_types=("Lump Sum Grants", "Project Grants"),
        ),
        made(OVER, programme="LIFE", opens=began, deadlines=(brussels("2026-02-01"),)),
        record(
            made(STANDING, title="Prêter des échelles", rolling=True, countries=("FR",)),
            "La région prête des échelles aux associations.",
            source="aides-territoires",
            language="fr",
        ),
        made(SILENT, applicants=(Applicant.COMPANY,), countries=("BE",)),
    ]


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    """A base with a call of each status, and one for the coalition alone."""
    values: dict[str, Any] = {
        "home": tmp_path_factory.mktemp("api-calls"),
        "workers": 1,
        "rate_anonymous": 10**6,
    }
    opened = open_knowledge_base(Settings(**values), clock=TickingClock(), encoder=HashingEncoder())
    take(opened, _calls())
    hidden = made(HIDDEN, title="Hidden rivers", deadlines=(brussels("2026-06-01"),))
    take(opened, [hidden], visibility=Visibility.COALITION)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(kb: KnowledgeBase) -> Iterator[TestClient]:
    """The service over it."""
    with TestClient(create_app(kb)) as opened:
        yield opened


def _list(client: TestClient, **asked: Any) -> dict[str, Any]:
    response = client.get("/v1/calls", params=asked)
    assert response.status_code == 200, response.text
    schemas.CallList.model_validate_json(response.content)
    found: dict[str, Any] = response.json()
    return found


def _found(client: TestClient, **asked: Any) -> list[str]:
    listed = _list(client, **{"limit": 100, **asked})
    identifiers = [hit["identifier"] for hit in listed["hits"]]
    assert listed["total"] == len(identifiers)
    return identifiers


def _refused(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    Problem.model_validate_json(response.content)
    problem: dict[str, Any] = response.json()
    return problem


def test_without_filters_all_calls_are_listed_by_deadline(client: TestClient) -> None:
    """The next deadline first, then what has passed, then what has none; each with its status."""
    listed = _list(client, language="en")
    shown = {hit["identifier"]: hit["status"] for hit in listed["hits"]}
    assert list(shown)[:4] == [SOON, RIVERS, COMING, OVER]
    assert shown == {
        SOON: "closing_soon",
        RIVERS: "open",
        COMING: "forthcoming",
        OVER: "closed",
        STANDING: "rolling",
        SILENT: "unknown",
    }
    assert (listed["total"], listed["next"]) == (6, None)


def test_a_hit_says_what_is_known(client: TestClient) -> None:
    """In Brussels time and whole euros, with the word of each source and when it was asked."""
    hit = _list(client, programme="Horizon Europe", language="en")["hits"][0]
    assert hit["next_deadline"] == "2026-07-15T17:00:00+02:00"
    assert hit["deadlines"] == ["2026-07-15T17:00:00+02:00", "2026-11-15T17:00:00+01:00"]
    assert (hit["deadline_model"], hit["days_left"]) == ("two-stage", 136)
    assert (hit["budget"], hit["grant_min"], hit["grant_max"]) == (5_000_000, 1_000_000, 2_000_000)
    assert (hit["portal_status"], hit["url"]) == ("open", "https://portal.example/rivers")
    assert hit["status_reason"].startswith("Open until 2026-07-15 17:00")
    [source] = hit["sources"]
    assert (source["name"], source["checked"]) == ("eu-portal", CHECKED.isoformat())
    french = _list(client, programme="Horizon Europe")["hits"][0]
    assert french["status_reason"].startswith("Ouvert jusqu'au")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"status": "open"}, [SOON, RIVERS]),
        ({"status": "closing_soon"}, [SOON]),
        ({"status": ["open", "forthcoming"]}, [SOON, RIVERS, COMING]),
        ({"status": "open,forthcoming"}, [SOON, RIVERS, COMING]),
        ({"status": "Closing-Soon, closed"}, [SOON, OVER]),
        ({"status": "rolling"}, [STANDING]),
        ({"status": "unknown"}, [SILENT]),
        ({"programme": "LIFE"}, [SOON, OVER]),
        ({"programme": ["life", "43108390"]}, [SOON, RIVERS, OVER]),
        ({"programme": "horizon"}, [RIVERS]),
        ({"programme": "nothing of the kind"}, []),
        ({"action_type": "RIA"}, [RIVERS]),
        ({"action_type": ["RIA", "lump sum grants"]}, [RIVERS, COMING]),
        ({"country": "BE", "status": "open,unknown"}, [SOON, RIVERS, SILENT]),
        ({"country": ["be", "FR"], "status": "rolling"}, [STANDING]),
        ({"country": "BE", "status": "rolling"}, []),
        ({"applicant": "association", "status": "unknown"}, []),
        ({"applicant": "association,sme", "status": "unknown"}, [SILENT]),
        ({"theme": "Water"}, [RIVERS]),
        ({"deadline_after": "2026-03-20", "deadline_before": "2026-07-15"}, [SOON, RIVERS]),
        ({"deadline_after": "2026-07-16", "deadline_before": "2026-08-31"}, []),
        ({"budget_min": 1000, "status": "open"}, [RIVERS]),
        ({"budget_max": 1000, "status": "open"}, [SOON]),
        ({"sort": "budget", "status": "open"}, [RIVERS, SOON]),
        ({"as_of": "2026-09-02", "status": "open"}, []),
        ({"as_of": "2026-02-01", "status": "open"}, [OVER, SOON, RIVERS]),
    ],
)
def test_calls_are_narrowed(client: TestClient, asked: dict[str, Any], expected: list[str]) -> None:
    """Values repeated or in one with commas are alternatives, several filters hold together."""
    assert _found(client, **asked) == expected


def test_a_query_ranks_and_shows_why(client: TestClient) -> None:
    """The sentences that fit, word for word; nothing is hidden by it."""
    listed = _list(client, query="cleaned river")
    assert (listed["total"], len(listed["hits"])) == (6, 6)
    best = listed["hits"][0]
    assert (best["identifier"], best["score"] > 0) == (RIVERS, True)
    assert [cited["quote"] for cited in best["why"]] == ["Proposals say how a river is cleaned."]
    assert best["why"][0]["verified"] is True
    scores = [hit["score"] for hit in listed["hits"] if hit["score"] is not None]
    assert scores == sorted(scores, reverse=True)


def test_facets_count_what_the_filters_let_through(client: TestClient) -> None:
    """A filter on a status narrows the others' counts and not those of statuses."""
    facets = _list(client, limit=1)["facets"]
    assert facets["status"] == {
        "forthcoming": 1,
        "open": 2,
        "closing_soon": 1,
        "closed": 1,
        "rolling": 1,
        "unknown": 1,
    }
    assert facets["programme"] == {"LIFE": 2, "Horizon Europe": 1, "CERV": 1, "unknown": 2}
    assert facets["theme"] == {"Water": 1}
    narrowed = _list(client, status="closed")["facets"]
    assert narrowed["status"] == facets["status"]
    assert narrowed["programme"] == {"LIFE": 1}


@pytest.mark.parametrize(
    "asked",
    [{}, {"sort": "newest"}, {"sort": "budget"}, {"query": "rivers"}, {"status": "open,closed"}],
)
def test_pages_neither_repeat_nor_lose_a_call(client: TestClient, asked: dict[str, Any]) -> None:
    """A walk by cursor gives what one large page does."""
    whole = _found(client, **asked)
    walked: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = _list(client, limit=1, **asked, **({"cursor": cursor} if cursor else {}))
        walked += [hit["identifier"] for hit in page["hits"]]
        cursor = page["next"]
        assert page["total"] == len(whole)
    assert walked == whole


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "ajar"),
        ("applicant", "wizard"),
        ("sort", "size"),
        ("deadline_after", "soon"),
        ("deadline_before", "2026-13-01"),
        ("budget_min", "-1"),
        ("budget_max", "much"),
        ("as_of", "yesterday"),
        ("as_of", "0001-01-01"),
        ("as_of", "1989-12-31"),
        ("as_of", "9999-12-31"),
        ("language", "de"),
        ("limit", "0"),
        ("limit", "101"),
        ("query", "x" * 1001),
        ("programme", "x" * 1001),
        ("cursor", "no-cursor"),
        ("cursor", "WzEsICJ4IiwgMF0"),
        ("country", "ZZZZ"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(client: TestClient, name: str, value: str) -> None:
    """With what could be used instead, as a problem."""
    problem = _refused(client.get("/v1/calls", params={name: value}), 422)
    assert name in problem["detail"]


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"budget_min": 5, "budget_max": 4}, "budget"),
        ({"deadline_after": "2026-05-02", "deadline_before": "2026-05-01"}, "deadline"),
        ({"status": ["open"] * 51}, "status"),
    ],
)
def test_values_that_cannot_be_used_together_are_named(
    client: TestClient, asked: dict[str, Any], named: str
) -> None:
    """An empty range is a mistake rather than an empty list."""
    assert named in _refused(client.get("/v1/calls", params=asked), 422)["detail"]


@pytest.mark.parametrize(
    "path", ["/v1/calls", "/v1/calls.csv", "/v1/calls.ics", "/v1/calls.atom", "/v1/calls.xlsx"]
)
def test_an_empty_base_says_so(make_kb: MakeKb, path: str) -> None:
    """Like every other search."""
    with TestClient(create_app(make_kb())) as empty:
        assert _refused(empty.get(path), 503)["type"] == "/problems/nothing-ingested"


@pytest.mark.parametrize(
    "written",
    [
        "HORIZON-CL6/2026:01",
        "horizon-cl6/2026:01",
        "HORIZON-CL6%2F2026%3A01",
        "Horizon-Cl6%2f2026:01",
    ],
)
def test_a_call_is_shown_by_its_identifier(client: TestClient, written: str) -> None:
    """In any case, with slashes and colons, escaped or not."""
    response = client.get(f"/v1/calls/{written}", params={"language": "en"})
    assert response.status_code == 200, response.text
    schemas.CallDetail.model_validate_json(response.content)
    shown = response.json()
    assert (shown["identifier"], shown["programme_id"]) == (RIVERS, "43108390")
    assert shown["links"] == [{"name": "Apply", "url": "https://portal.example/apply"}]
    assert [(each["kind"], each["says"]) for each in shown["history"]] == [
        ("new", "New call: Rivers and their people")
    ]
    assert (shown["score"], shown["why"]) == (None, [])


def test_facts_of_a_call_show_their_sentences(client: TestClient) -> None:
    """What a text states of applicants can be read where it stands."""
    shown = client.get(f"/v1/calls/{RIVERS}").json()
    assert shown["applicants"] == ["ngo"]
    [fact] = [each for each in shown["facts"] if each["field"] == "applicants"]
    assert (fact["value"], fact["citation"]["quote"]) == ("ngo", SENTENCE)
    assert fact["citation"]["verified"] is True
    cited = fact["citation"]["spans"][0]
    page = client.get(
        f"/v1/documents/{shown['document_id']}/pages/{cited['section']}",
        params={"version": fact["citation"]["version"]},
    )
    assert page.json()["text"][cited["start"] : cited["end"]] == SENTENCE


def test_a_call_in_french_is_shown_by_its_accents(client: TestClient) -> None:
    """Identifiers hold what addresses of pages do."""
    shown = client.get(f"/v1/calls/{STANDING}").json()
    assert (shown["status"], shown["rolling"], shown["title"]) == (
        "rolling",
        True,
        "Prêter des échelles",
    )
    assert shown["status_reason"] == "Ouvert en continu, sans date limite."


def test_what_may_not_be_seen_is_as_what_is_not_there(client: TestClient) -> None:
    """The same problem, no count, no facet and no ranking tells."""
    hidden = _refused(client.get(f"/v1/calls/{HIDDEN}"), 404)
    absent = _refused(client.get("/v1/calls/ABSENT-2026"), 404)
    same = ("type", "title", "status", "detail")
    assert [hidden[key] for key in same] == [absent[key] for key in same]
    assert sorted(_found(client)) == sorted(PUBLIC)
    assert HIDDEN not in client.get("/v1/calls", params={"query": "hidden rivers"}).text
    assert HIDDEN not in client.get("/v1/calls.jsonl").text
    assert HIDDEN not in client.get("/v1/calls.atom").text


def test_who_may_see_more_is_shown_more(kb: KnowledgeBase) -> None:
    """The access of the caller are all that decides."""
    app = create_app(kb)
    app.dependency_overrides[caller_access] = lambda: FULL_ACCESS
    with TestClient(app) as staff:
        assert len(_found(staff)) == 7
        assert staff.get(f"/v1/calls/{HIDDEN}").status_code == 200


def test_a_path_with_signs_that_no_identifier_has_is_refused(client: TestClient) -> None:
    """A null byte, or a text without an end."""
    assert client.get("/v1/calls/A%00B").status_code == 422
    assert client.get(f"/v1/calls/{'x' * 301}").status_code == 422


def test_calls_are_matched_with_an_association(client: TestClient) -> None:
    """Open and coming ones, each with the sentences that speak for it and against it."""
    response = client.post(
        "/v1/calls/match",
        json={
            "name": "Les Échelles",
            "description": "We clean a river with its people.",
            "legal_form": "association",
            "country": "FR",
            "language": "en",
        },
    )
    assert response.status_code == 200, response.text
    schemas.MatchList.model_validate_json(response.content)
    found = response.json()
    assert found["profile"] == "Les Échelles"
    best = found["hits"][0]
    assert best["identifier"] == RIVERS
    quotes = {each["citation"]["quote"] for each in best["fits"]}
    assert SENTENCE in quotes
    identifiers = {hit["identifier"] for hit in found["hits"]}
    assert OVER not in identifiers
    assert HIDDEN not in identifiers


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"description": ""}, "description"),
        ({"description": None}, "description"),
        ({"legal_form": "wizard"}, "legal_form"),
        ({"country": "France"}, "country"),
        ({"partners_count": -1}, "partners_count"),
        ({"status": ["ajar"]}, "status"),
        ({"limit": 51}, "limit"),
        ({"as_of": "2101-01-01"}, "as_of"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_profile_that_cannot_be_used_is_a_problem(
    client: TestClient, changed: dict[str, Any], named: str
) -> None:
    """It names the field."""
    body = {"description": "We clean rivers.", **changed}
    assert named in _refused(client.post("/v1/calls/match", json=body), 422)["detail"]


def test_matching_an_empty_base_says_so(make_kb: MakeKb) -> None:
    """Nothing ingested is not nothing found."""
    with TestClient(create_app(make_kb())) as empty:
        _refused(empty.post("/v1/calls/match", json={"description": "We clean rivers."}), 503)

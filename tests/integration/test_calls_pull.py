"""Pulling calls from a server that answers like the public sources."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_string
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fakes import TickingClock
from local_source import EuPortal, LocalSource, Reply, Request, eu_details, eu_row, in_json
from typer.testing import CliRunner

from ingest.calls import shapes
from ingest.calls.fetch import Fetcher, Pace
from ingest.calls.kept import PullFolder
from ingest.calls.listing import Listing
from ingest.calls.portal_api import PortalApi, Window
from ingest.calls.pull_eu_portal import Asked
from ingest.calls.pulls import (
    Options,
    Pulled,
    pull_aides_territoires,
    pull_bulk,
    pull_eu_portal,
    pull_ile_de_france,
)
from ingest.calls.shape import Expected, compare
from ingest.progress import Progress
from kb.calls.status import status_at
from kb.cli import app
from kb.errors import SourceError, UsageError
from kb.model import Call, Document, Kind, Metadata, Visibility
from kb.record.calls import CallRecords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import MakeKb

    from kb.bootstrap import KnowledgeBase

SEARCH = f"{EuPortal.API}/search"
FACET = f"{EuPortal.API}/facet"
TOPICS = f"{EuPortal.DATA}/topicDetails/"
QUICK = Options(pace=Pace(pause=0, attempts=3, sleep=lambda _: None))
CLOSED = ["31094503"]


@pytest.fixture
def source() -> Iterator[LocalSource]:
    """A server on this machine."""
    with LocalSource() as server:
        yield server


@pytest.fixture
def portal(source: LocalSource) -> EuPortal:
    """It answers like the EU portal, with five open calls and their details."""
    return EuPortal(source, (eu_row(number) for number in range(5))).with_details()


@pytest.fixture
def kb(source: LocalSource, make_kb: MakeKb) -> KnowledgeBase:
    """An empty base whose sources are all on that server."""
    base: KnowledgeBase = make_kb(**settings_of(source))
    return base


def settings_of(source: LocalSource) -> dict[str, Any]:
    """Settings by which everything is asked of a server."""
    return {
        "eu_portal_api": f"{source.url}{EuPortal.API}",
        "eu_portal_data": f"{source.url}{EuPortal.DATA}",
        "aides_territoires_api": f"{source.url}/api",
        "aides_territoires_token": "lent-ladder",
        "ile_de_france_api": f"{source.url}/datasets/aides-appels-a-projets",
    }


def pulled(kb: KnowledgeBase, asked: Asked | None = None, **options: Any) -> Pulled:
    """Pull the EU portal."""
    return pull_eu_portal(kb, asked or Asked(), replace(QUICK, **options))


def counts(outcome: Pulled) -> dict[str, int]:
    """How many calls had each outcome."""
    assert outcome.report is not None
    return dict(outcome.report.counts.counts)


def problems(outcome: Pulled) -> list[str]:
    """What could not be read."""
    assert outcome.report is not None
    return [flaw.problem for flaw in outcome.report.counts.flaws]


def documents(kb: KnowledgeBase) -> list[Document]:
    """The documents of the base."""
    generation = kb.record.current_id()
    if generation is None:
        return []
    return list(kb.record.list_documents(generation, tuple(Visibility)))


def call(kb: KnowledgeBase, identifier: str) -> Call:
    """What the base knows of a call."""
    generation = kb.record.current_id()
    assert generation is not None
    found = CallRecords(kb.engine).by_identifier(generation, identifier, tuple(Visibility))
    assert found is not None
    assert found.call is not None
    return found.call


def text(kb: KnowledgeBase, identifier: str) -> str:
    """The text of a call's pages."""
    found = next(each for each in documents(kb) if each.metadata.identifier == identifier)
    numbers = range(1, kb.record.page_count(found) + 1)
    wanted = [(found.id, found.version, number) for number in numbers]
    return "\n".join(kb.record.page_texts(wanted).values())


def kept(kb: KnowledgeBase) -> list[str]:
    """What is kept in the folder of pulls after a pull."""
    return sorted(
        path.name for path in (kb.settings.home / "pull").iterdir() if "lock" not in path.name
    )


def test_open_calls_come_in_with_their_details(kb: KnowledgeBase, portal: EuPortal) -> None:
    """Each call is one document of its kind, with the conditions that only its details have."""
    outcome = pulled(kb)
    assert (outcome.exit_code, counts(outcome), problems(outcome)) == (0, {"new": 5}, [])
    assert {each.kind for each in documents(kb)} == {Kind.CALL}
    one = call(kb, "cerv-2099-lend-001")
    assert (one.programme, one.programme_id) == ("CERV", "43251589")
    assert [source.status for source in one.sources] == ["open"]
    said = text(kb, "CERV-2099-LEND-001")
    assert "ladders and saws, 1 a day" in said
    assert "three partners from three countries" in said
    assert len(portal.rows) == len(outcome.news) == 5


def test_the_portal_is_asked_as_it_wants(
    kb: KnowledgeBase, portal: EuPortal, source: LocalSource
) -> None:
    """POST with three file parts, the key and page in the address, one language."""
    portal.rows[0]["language"] = "bg"
    pulled(kb)
    request = source.asked(SEARCH)[0]
    assert request.method == "POST"
    assert {name: values[0] for name, values in request.query.items()} == {
        "apiKey": "SEDIA",
        "text": "***",
        "pageSize": "100",
        "pageNumber": "1",
    }
    assert list(request.parts) == ["query", "languages", "sort"]
    assert all(part.get_filename() for part in request.parts.values())
    assert len(documents(kb)) == 4


def test_stale_rows_and_questions_are_no_calls(kb: KnowledgeBase, portal: EuPortal) -> None:
    """Rows of the stale index and of the answered questions are dropped, without a flaw."""
    portal.rows[0]["metadata"]["DATASOURCE"] = ["SEDIA_PRD_CENTRICITY"]
    portal.rows[1]["metadata"]["DATASOURCE"] = ["SEDIA_FAQ"]
    outcome = pulled(kb)
    assert (counts(outcome), problems(outcome)) == ({"new": 3}, [])


def test_all_pages_are_listed(tmp_path: Path, source: LocalSource, portal: EuPortal) -> None:
    """250 rows are three pages of a hundred; each is asked for once."""
    portal.rows = [eu_row(number) for number in range(250)]
    with Fetcher([source.url], pace=QUICK.pace) as fetcher:
        api = PortalApi(fetcher, f"{source.url}{EuPortal.API}", f"{source.url}{EuPortal.DATA}")
        folder = PullFolder(tmp_path, "eu-portal", {}, TickingClock()(), fresh=False)
        with folder.pages() as pages:
            listing = Listing(api, pages, "en", Progress())
            assert listing.run(Window(), tuple, 2026) == 250
            assert len(pages.identifiers()) == 250
    assert (listing.complete, listing.warnings) == (True, [])
    numbers = [request.query["pageNumber"] for request in source.asked(SEARCH)]
    assert numbers == [["1"], ["2"], ["3"]]


def test_rows_of_one_call_are_merged_over_pages(kb: KnowledgeBase, portal: EuPortal) -> None:
    """A stub on another page than the full row makes no second call and empties nothing."""
    portal.page_size = 2
    portal.rows.append({**eu_row(0, status=["31094501"], descriptionByte=[]), "reference": "stub"})
    assert counts(pulled(kb, Asked(details=False))) == {"new": 5}
    assert "0 a day" in text(kb, "CERV-2099-LEND-000")


@pytest.mark.usefixtures("portal")
def test_a_second_pull_is_cheap(kb: KnowledgeBase, source: LocalSource) -> None:
    """Calls whose rows are as they were cost nothing but the list, and make no version."""
    pulled(kb)
    before = len(source.asked(TOPICS))
    outcome = pulled(kb)
    assert counts(outcome) == {"unchanged": 5}
    assert outcome.report is not None
    assert outcome.report.generation is None
    assert len(source.asked(TOPICS)) == before


def test_details_are_asked_for_conditionally(
    kb: KnowledgeBase, portal: EuPortal, source: LocalSource
) -> None:
    """After a week, and where a row changed, details are asked for only if they have changed."""
    pulled(kb)
    kb.clock.now += timedelta(days=8)  # type: ignore[attr-defined] # the tests' clock
    portal.rows[0]["metadata"]["deadlineDate"] = ["2099-04-01T00:00:00.000+0000"]
    portal.details["cerv-2099-lend-001"] = eu_details(1, conditions="<p>Alone is fine.</p>")
    source.requests.clear()
    outcome = pulled(kb)
    assert len(source.asked(TOPICS)) == 5
    assert all(request.headers["If-None-Match"] for request in source.asked(TOPICS))
    assert counts(outcome) == {"changed": 2, "unchanged": 3}
    assert "three partners" in text(kb, "CERV-2099-LEND-000")
    assert "Alone is fine" in text(kb, "CERV-2099-LEND-001")


def test_times_of_the_index_are_no_change(
    kb: KnowledgeBase, portal: EuPortal, source: LocalSource
) -> None:
    """A row that was only taken in anew by the portal's index has not changed."""
    pulled(kb)
    source.requests.clear()
    for row in portal.rows:
        row["metadata"]["esDA_IngestDate"] = ["2026-03-01T08:00:00.000+0000"]
        row["weight"] = 5.0
    assert counts(pulled(kb)) == {"unchanged": 5}
    assert source.asked(TOPICS) == []


def test_a_call_without_details_is_its_row(kb: KnowledgeBase, portal: EuPortal) -> None:
    """A file of details that is not there is no error."""
    portal.details.clear()
    outcome = pulled(kb)
    assert (outcome.exit_code, counts(outcome)) == (0, {"new": 5})


def test_details_that_fail_cost_one_call_its_details(
    kb: KnowledgeBase, source: LocalSource, portal: EuPortal
) -> None:
    """One file that can't be had is told as a flaw; the row is in, and so are the others."""
    source.fault(f"{TOPICS}cerv-2099-lend-002", *[Reply(500)] * 3)
    portal.details["cerv-2099-lend-003"] = eu_details(4)
    outcome = pulled(kb)
    assert (outcome.exit_code, counts(outcome)) == (1, {"new": 5})
    assert len(problems(outcome)) == 2
    assert any("another topic, CERV-2099-LEND-004" in problem for problem in problems(outcome))
    assert any("500 Internal Server Error" in problem for problem in problems(outcome))


def test_a_portal_without_details_stops_the_pull(
    kb: KnowledgeBase, source: LocalSource, portal: EuPortal
) -> None:
    """Five failures in a row are a portal that is down; --no-details takes in the list."""
    source.fault(TOPICS, *[Reply(503)] * 15)
    with pytest.raises(SourceError, match="--no-details takes in"):
        pulled(kb)
    assert documents(kb) == []
    assert counts(pulled(kb, Asked(details=False))) == {"new": len(portal.rows)}


def test_a_call_that_closed_is_asked_for(kb: KnowledgeBase, portal: EuPortal) -> None:
    """A known call that is not listed any more is looked up: its details say that it closed."""
    pulled(kb)
    portal.rows.pop(0)
    closed = eu_details(0)
    closed["TopicDetails"]["actions"][0]["status"] = {"id": 31094503, "abbreviation": "Closed"}
    portal.details["cerv-2099-lend-000"] = closed
    outcome = pulled(kb)
    assert call(kb, "CERV-2099-LEND-000").sources[0].status == "closed"
    assert counts(outcome)["unchanged"] == 4
    assert counts(pulled(kb)) == {"unchanged": 4}


def test_a_call_that_vanished_is_gone(kb: KnowledgeBase, portal: EuPortal) -> None:
    """A known call that is neither listed nor has details is told as gone, and counts as closed."""
    pulled(kb)
    portal.rows.pop(0)
    portal.details.pop("cerv-2099-lend-000")
    outcome = pulled(kb)
    assert counts(outcome) == {"gone": 1, "unchanged": 4}
    assert status_at(call(kb, "CERV-2099-LEND-000"), kb.clock()).status == "closed"


def test_a_list_with_gaps_declares_nothing_gone(
    kb: KnowledgeBase, source: LocalSource, portal: EuPortal
) -> None:
    """Where a page repeats another, listing stops with a warning, and what is missing stays."""
    portal.page_size = 2
    pulled(kb, Asked(details=False))
    source.requests.clear()

    def always_the_first(request: Request) -> Reply:
        first = replace(request, query={**request.query, "pageNumber": ["1"]})
        return portal._search(first)  # noqa: SLF001 -- the server's own answer, for another page

    source.routes[SEARCH] = always_the_first
    outcome = pulled(kb, Asked(details=False))
    assert counts(outcome) == {"unchanged": 2}
    assert any("Page 2" in warning and "repeats" in warning for warning in outcome.warnings)
    assert len(source.asked(SEARCH)) == 2
    assert source.asked(TOPICS) == []


def test_a_list_that_changes_under_way_is_noted(
    kb: KnowledgeBase, source: LocalSource, portal: EuPortal
) -> None:
    """Rows that appear while pages are read are listed too, and the change is told."""
    portal.page_size = 3

    def growing(request: Request) -> Reply:
        reply = portal._search(request)  # noqa: SLF001 -- as above
        if len(portal.rows) == 5:
            portal.rows.append(eu_row(5))
        return reply

    source.routes[SEARCH] = growing
    outcome = pulled(kb, Asked(details=False))
    assert counts(outcome) == {"new": 6}
    assert any("6 rows instead of 5" in warning for warning in outcome.warnings)


@pytest.mark.parametrize(
    ("damage", "field"),
    [
        (lambda answer: answer.pop("results"), "results is missing, not a list"),
        (lambda answer: answer.update(totalResults="5"), "totalResults is a text, not a number"),
        (
            lambda answer: answer["results"][1].update(metadata=None),
            r"results\[1\].metadata is missing, not an object",
        ),
        (
            lambda answer: answer["results"][2]["metadata"].update(title="Ladders"),
            r"results\[2\].metadata.title is a text, not a list",
        ),
    ],
)
def test_a_changed_shape_stops_the_pull(
    kb: KnowledgeBase, source: LocalSource, portal: EuPortal, damage: Any, field: str
) -> None:
    """The message names the field; nothing is written, and the page is asked for again later."""

    def damaged(request: Request) -> Reply:
        answer = json.loads(portal._search(request).body)  # noqa: SLF001 -- as above
        damage(answer)
        return in_json(answer)

    source.routes[SEARCH] = damaged
    with pytest.raises(SourceError, match=f"shape that is not known: {field}"):
        pulled(kb)
    assert documents(kb) == []
    source.routes[SEARCH] = portal._search  # noqa: SLF001 -- as above
    assert counts(pulled(kb)) == {"new": 5}


def test_a_list_that_is_too_long_is_asked_for_in_parts(
    kb: KnowledgeBase, source: LocalSource, portal: EuPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By status, type, programme and year, with the programmes that the facets name."""
    monkeypatch.setattr("ingest.calls.listing.MOST_ROWS", 4)
    monkeypatch.setattr("ingest.calls.listing.PAGE_SIZE", 2)
    portal.most_rows, portal.page_size = 4, 2
    portal.rows = [
        eu_row(
            number,
            frameworkProgramme=[] if number % 7 == 0 else [("777", "43251589")[number % 2]],
            startDate=[f"{2020 + number % 9}-01-15T00:00:00.000+0000"],
        )
        for number in range(20)
    ]
    outcome = pulled(kb, Asked(details=False))
    assert (counts(outcome), outcome.warnings) == ({"new": 20}, ())
    assert len(source.asked(FACET)) >= 1
    assert all(int(request.query["pageNumber"][0]) <= 2 for request in source.asked(SEARCH))


def test_closed_calls_come_with_since(
    kb: KnowledgeBase, source: LocalSource, portal: EuPortal
) -> None:
    """Closed calls whose deadline is not earlier come too; dates are asked in the one form."""
    moments = ["2026-02-01T00:00:00.000+0000", "2025-02-01T00:00:00.000+0000"]
    for row, moment in zip(portal.rows, moments, strict=False):
        row["metadata"].update(status=CLOSED, deadlineDate=[moment])
    kb_now = kb.clock().date()
    outcome = pulled(kb, Asked(since=kb_now.replace(month=1, day=1)))
    assert counts(outcome) == {"new": 4}
    bounds = source.asked(SEARCH)[1].json_part("query")
    assert {"range": {"deadlineDate": {"gte": "2026-01-01T00:00:00.000+0000"}}} in bounds["bool"][
        "must"
    ]


def test_one_programme_leaves_the_others_alone(kb: KnowledgeBase, portal: EuPortal) -> None:
    """Only the programme's calls are listed, and only its missing ones are asked for."""
    portal.details.clear()
    for row in portal.rows[:2]:
        row["metadata"]["frameworkProgramme"] = ["43353764"]
    pulled(kb)
    portal.rows = portal.rows[1:3]
    outcome = pulled(kb, Asked(programmes=("43353764",)))
    assert counts(outcome) == {"gone": 1, "unchanged": 1}


def test_a_pull_that_was_killed_goes_on(
    tmp_path: Path, source: LocalSource, portal: EuPortal, make_kb: MakeKb
) -> None:
    """What was listed before ``kill -9`` is not asked for again; ``fresh`` asks for all."""
    portal.page_size = 2
    third = threading.Event()
    release = threading.Event()

    def stuck(request: Request) -> Reply:
        if request.query["pageNumber"] == ["3"] and not release.is_set():
            third.set()
            release.wait(30)
        return portal._search(request)  # noqa: SLF001 -- as above

    source.routes[SEARCH] = stuck
    home = tmp_path / "killed"
    named = {f"KB_{name.upper()}": value for name, value in settings_of(source).items()}
    child = subprocess.Popen(
        [sys.executable, "-c", "from ingest.calls.cli import app; app()", "pull", "eu-portal"],
        env={**os.environ, **named, "KB_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert third.wait(60)
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    release.set()
    source.requests.clear()
    kb = make_kb(home, **settings_of(source))
    kb.clock.now = kb_time(home)  # type: ignore[attr-defined] # the tests' clock
    outcome = pulled(kb, Asked(details=False))
    assert outcome.went_on
    assert counts(outcome) == {"new": 5}
    assert [request.query["pageNumber"] for request in source.asked(SEARCH)] == [["3"]]
    assert kept(kb) == ["answers.db"]


def kb_time(home: Path) -> datetime:
    """When the pull in a home was begun."""
    (note,) = (home / "pull").glob("*/begun")
    return datetime.fromisoformat(note.read_text())


@pytest.mark.parametrize("how", ["fresh", "old", "another"])
def test_an_interrupted_pull_is_begun_anew(
    kb: KnowledgeBase, source: LocalSource, portal: EuPortal, how: str
) -> None:
    """With ``--fresh``, after a day, and for another question nothing kept is used."""
    portal.page_size = 3
    source.fault(SEARCH, portal._search(page(1)), *[Reply(500)] * 3)  # noqa: SLF001 -- as above
    with pytest.raises(SourceError):
        pulled(kb, Asked(details=False))
    source.requests.clear()
    if how == "old":
        kb.clock.now += timedelta(days=1, seconds=1)  # type: ignore[attr-defined]
    asked = Asked(details=False, programmes=("43251589",) if how == "another" else ())
    outcome = pulled(kb, asked, fresh=how == "fresh")
    assert not outcome.went_on
    assert len(source.asked(SEARCH)) == 2


def page(number: int) -> Request:
    """A request for a page as the client would send it."""
    values = {"query": Window().query, "languages": ["en"]}
    sent = httpx.Request(
        "POST",
        "http://portal.example/",
        files={
            name: (name, json.dumps(value), "application/json") for name, value in values.items()
        },
    )
    headers = message_from_string(f"Content-Type: {sent.headers['Content-Type']}\n\n")
    query = {"pageNumber": [str(number)], "pageSize": ["100"], "text": ["***"]}
    return Request("POST", SEARCH, query, headers, sent.read())


def test_visibility_and_themes_are_as_stated(kb: KnowledgeBase, portal: EuPortal) -> None:
    """What the caller states is said of every call."""
    del portal.rows[1:]
    stated = Metadata(visibility=Visibility.COALITION, themes=("sharing",))
    pulled(kb, stated=stated)
    (found,) = documents(kb)
    assert (found.visibility, found.metadata.themes) == (Visibility.COALITION, ("sharing",))


BULK = f"{EuPortal.DATA}/referenceData/grantsTenders.json"


def bulk_file(count: int, kind: int = 1) -> bytes:
    """The portal's file of all its topics."""
    objects = [
        {
            "type": kind,
            "ccm2Id": number,
            "identifier": f"CERV-2099-LEND-{number:03d}",
            "title": f"Lending libraries of things, part {number}",
            "callIdentifier": "CERV-2099-LEND",
            "publicationDateLong": 1765497600000,
            "plannedOpeningDateLong": 1768435200000,
            "deadlineDatesLong": [4077302400000],
            "frameworkProgramme": {"id": 43251589, "abbreviation": "CERV", "description": "CERV"},
            "status": {"id": 31094502, "abbreviation": "Open", "description": "Open"},
            "deadlineModel": {},
            "topicActions": [],
            "actions": [],
            "keywords": ["neighbourhood"],
            "tags": [],
            "flags": [],
        }
        for number in range(count)
    ]
    return json.dumps({"fundingData": {"GrantTenderObj": objects}}).encode()


def with_ranges(content: bytes, etag: str) -> Any:
    """A route to a file that knows versions and parts."""

    def route(request: Request) -> Reply:
        if request.headers.get("If-None-Match") == etag:
            return Reply(304, headers={"ETag": etag})
        asked = request.headers.get("Range")
        if asked and request.headers.get("If-Range") == etag:
            first = int(asked.removeprefix("bytes=").removesuffix("-"))
            last = len(content) - 1
            part = {"ETag": etag, "Content-Range": f"bytes {first}-{last}/{len(content)}"}
            return Reply(206, content[first:], part)
        return Reply(200, content, {"ETag": etag})

    return route


def test_the_bulk_file_goes_on_where_it_broke_off(kb: KnowledgeBase, source: LocalSource) -> None:
    """A download that was cut is resumed with Range; the same version is not fetched again."""
    content = bulk_file(6)
    source.routes[BULK] = with_ranges(content, '"v1"')
    source.fault(BULK, Reply(200, content, {"ETag": '"v1"'}, cut=1000))
    assert counts(pull_bulk(kb, (), QUICK)) == {"new": 6}
    asked = source.asked(BULK)
    assert [request.headers.get("Range") for request in asked] == [None, "bytes=1000-"]
    assert asked[1].headers["If-Range"] == '"v1"'
    assert pull_bulk(kb, (), QUICK).report is None
    assert source.asked(BULK)[-1].headers["If-None-Match"] == '"v1"'
    assert kept(kb) == ["grantsTenders.json.state.json"]
    source.routes[BULK] = with_ranges(bulk_file(7), '"v2"')
    assert counts(pull_bulk(kb, (), QUICK)) == {"new": 1, "unchanged": 6}


def test_the_bulk_file_is_fetched_anew_if_it_changed_under_way(
    kb: KnowledgeBase, source: LocalSource
) -> None:
    """A server whose file is another now sends all of it, and no mixture is read."""
    source.routes[BULK] = with_ranges(bulk_file(6), '"v2"')
    source.fault(BULK, Reply(200, bulk_file(5), {"ETag": '"v1"'}, cut=1000))
    assert counts(pull_bulk(kb, (), QUICK)) == {"new": 6}


def test_tenders_and_other_programmes_in_the_bulk_file_stay_out(
    kb: KnowledgeBase, source: LocalSource
) -> None:
    """Only calls count, and of them those of the programmes asked for."""
    source.routes[BULK] = with_ranges(bulk_file(4), '"v1"')
    assert counts(pull_bulk(kb, ("43353764",), QUICK)) == {}
    source.routes[BULK] = with_ranges(bulk_file(4, kind=0), '"v2"')
    assert counts(pull_bulk(kb, (), QUICK)) == {}


class Aids:
    """Aides-territoires: a token for a token, and pages with the address of the next."""

    def __init__(self, source: LocalSource, count: int) -> None:
        self.url = source.url
        self.aids = [self.aid(number) for number in range(count)]
        self.page_size = 2
        self.bearers = ["day-1", "day-2"]
        self.next_host = source.url.removeprefix("http://")
        source.routes["/api/connexion/"] = self._connect
        source.routes["/api/aids/"] = self._list

    @staticmethod
    def aid(number: int) -> dict[str, Any]:
        """An aid as the API gives it."""
        return {
            "id": 7000 + number,
            "slug": f"pret-d-objets-{number}",
            "url": f"/aides/pret-d-objets-{number}/",
            "name": f"Bibliothèques d'objets, volet {number}",
            "financers": ["Ville de Lune"],
            "description": "<p>La ville aide les associations qui prêtent des échelles.</p>",
            "eligibility": "<p>Être une association.</p>",
            "perimeter": "Lune (Commune)",
            "targeted_audiences": ["Associations"],
            "submission_deadline": "2099-03-17",
            "recurrence": "Ponctuelle",
            "is_live": True,
            "european_aid": None,
        }

    def _connect(self, request: Request) -> Reply:
        if request.method != "POST" or request.headers.get("X-AUTH-TOKEN") != "lent-ladder":
            return in_json({"message": "Le jeton lent-ladder n'est pas valide"}, 401)
        return in_json({"token": self.bearers[0]})

    def _list(self, request: Request) -> Reply:
        if request.headers.get("Authorization") != f"Bearer {self.bearers[0]}":
            return in_json({"message": "JWT"}, 401)
        assert request.query["targeted_audiences"] == ["association"]
        number = request.number("page", 1)
        size = min(request.number("itemsPerPage", 30), self.page_size)
        begin = size * (number - 1)
        more = begin + size < len(self.aids)
        query = f"itemsPerPage={size}&targeted_audiences=association&page={number + 1}"
        return in_json(
            {
                "count": len(self.aids),
                "previous": None,
                "next": f"http://{self.next_host}/api/aids/?{query}" if more else None,
                "results": self.aids[begin : begin + size],
            }
        )


def test_aids_come_with_a_token(kb: KnowledgeBase, source: LocalSource) -> None:
    """The account's token is exchanged once, pages follow their ``next``, and what ends is gone."""
    aids = Aids(source, 3)
    outcome = pull_aides_territoires(kb, QUICK)
    assert (counts(outcome), outcome.warnings) == ({"new": 3}, ())
    assert len(source.asked("/api/connexion/")) == 1
    assert len(source.asked("/api/aids/")) == 2
    assert not any("lent-ladder" in str(request.query) for request in source.requests)
    aids.aids.pop()
    outcome = pull_aides_territoires(kb, QUICK)
    assert counts(outcome) == {"unchanged": 2, "gone": 1}


def test_a_token_that_has_run_out_is_exchanged_again(
    kb: KnowledgeBase, source: LocalSource
) -> None:
    """A page that is refused in the middle is asked for with a new token."""
    aids = Aids(source, 3)
    first = aids._list  # noqa: SLF001 -- the server's own answer

    def running_out(request: Request) -> Reply:
        reply = first(request)
        if "page" not in request.query:
            aids.bearers.pop(0)
        return reply

    source.routes["/api/aids/"] = running_out
    assert counts(pull_aides_territoires(kb, QUICK)) == {"new": 3}
    assert len(source.asked("/api/connexion/")) == 2


def test_a_next_page_elsewhere_is_not_followed(kb: KnowledgeBase, source: LocalSource) -> None:
    """The bearer's token goes to no other host."""
    Aids(source, 3).next_host = "10.0.0.7"
    with pytest.raises(SourceError, match=r"next page lies on 10.0.0.7, another host"):
        pull_aides_territoires(kb, QUICK)
    assert documents(kb) == []


def test_a_wrong_token_is_told_without_it(source: LocalSource, make_kb: MakeKb) -> None:
    """The message says that the token was refused, not which it is; without one, how to get it."""
    Aids(source, 1)
    settings = settings_of(source)
    wrong = make_kb(**{**settings, "aides_territoires_token": "stolen-saw"})
    with pytest.raises(SourceError, match="answered 401") as caught:
        pull_aides_territoires(wrong, QUICK)
    assert "stolen-saw" not in str(caught.value)
    without = make_kb(**{**settings, "aides_territoires_token": ""})
    with pytest.raises(UsageError, match="KB_AIDES_TERRITOIRES_TOKEN"):
        pull_aides_territoires(without, QUICK)


class Region:
    """The open data of Île-de-France: records by limit and offset."""

    def __init__(self, source: LocalSource, count: int) -> None:
        self.records = [self.record(number) for number in range(count)]
        self.total: int | None = None
        path = "/datasets/aides-appels-a-projets"
        source.routes[f"{path}/records"] = self._page
        source.routes[f"{path}/exports/json"] = lambda _: in_json(self.records)

    @staticmethod
    def record(number: int) -> dict[str, Any]:
        """A record as the data set has it."""
        return {
            "reference_administrative": 24000 + number,
            "id_aide": f"aide-{number}",
            "nom_de_l_aide_de_la_demarche": f"Bibliothèques d'objets, volet {number}",
            "porteur_aide": "Région Île-de-France",
            "theme": ["Économie sociale et solidaire"],
            "qui_peut_en_beneficier": ["Associations"],
            "entete": "La Région aide les associations qui prêtent des échelles.",
            "objectif": "<p>Prêter plutôt que vendre.</p>",
            "modalite": "<p>Jusqu'à 5 000 €.</p>",
            "date_ouverture": "2026-01-15",
            "date_cloture": "2099-03-17",
            "url_descriptif": f"https://www.iledefrance.fr/aides-et-appels-a-projets/{number + 1}",
        }

    def _page(self, request: Request) -> Reply:
        limit, offset = request.number("limit", 10), request.number("offset", 0)
        if limit > 100 or limit + offset > 10_000:
            return in_json({"error_code": "InvalidRESTParameterError"}, 400)
        shown = self.records[offset : offset + min(limit, 2)]
        return in_json({"total_count": self.total or len(self.records), "results": shown})


def test_the_region_is_listed_by_offset(kb: KnowledgeBase, source: LocalSource) -> None:
    """Page by page; what is no longer listed is gone."""
    region = Region(source, 3)
    outcome = pull_ile_de_france(kb, QUICK)
    assert (counts(outcome), outcome.warnings) == ({"new": 3}, ())
    assert len(source.requests) == 2
    region.records.pop()
    assert counts(pull_ile_de_france(kb, QUICK)) == {"unchanged": 2, "gone": 1}


def test_a_long_list_of_the_region_is_exported(kb: KnowledgeBase, source: LocalSource) -> None:
    """Beyond what pages reach, the whole list is fetched at once."""
    region = Region(source, 3)
    region.total = 10_001
    assert counts(pull_ile_de_france(kb, QUICK)) == {"new": 3}
    assert source.requests[-1].path.endswith("/exports/json")


@pytest.fixture
def commands(source: LocalSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of commands: a home of their own, sources on the server, no pauses."""
    for name, value in settings_of(source).items():
        monkeypatch.setenv(f"KB_{name.upper()}", value)
    monkeypatch.setenv("KB_SOURCE_PAUSE", "0")
    monkeypatch.setenv("KB_HOME", str(tmp_path / "commanded"))
    return tmp_path / "commanded"


def run(*arguments: str) -> tuple[int, str]:
    """A command's exit code and output."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout


CHECKS: dict[str, Callable[[LocalSource], object]] = {
    "eu-portal": lambda source: EuPortal(source, [eu_row(0)]).with_details(),
    "eu-portal-bulk": lambda source: source.routes.update(
        {BULK: with_ranges(bulk_file(3), '"v1"')}
    ),
    "aides-territoires": lambda source: Aids(source, 3),
    "ile-de-france": lambda source: Region(source, 3),
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_of_a_known_shape_fits(source: LocalSource, commands: Path, name: str) -> None:
    """``--check`` asks for a little, exits with 0, and leaves no file behind."""
    CHECKS[name](source)
    code, output = run("pull", name, "--check", "--json")
    found = json.loads(output)
    assert [each for each in found["differences"] if each["fault"]] == []
    assert (code, found["fits"]) == (0, True)
    assert not commands.exists()
    assert len(source.requests) <= 3


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("apis/sedia/search_v2.151_2026_transcribed_excerpt.json", shapes.SEARCH),
        ("calls/eu-portal-raw-excerpt/sedia_search_page_excerpt.json", shapes.SEARCH),
        ("apis/sedia/facet_v2.96_2023-01.json", shapes.FACETS),
        ("apis/sedia/grantsTenders_2026-09_transcribed_excerpt.json", shapes.BULK),
    ],
)
def test_recorded_answers_have_the_known_shapes(
    shared_data: Path, path: str, expected: tuple[Expected, ...]
) -> None:
    """What is written down of a source holds for what it was seen to answer, and is all of it."""
    answer = json.loads((shared_data / path).read_text(encoding="utf-8"))
    assert compare("answer", answer, expected) == []


@pytest.mark.usefixtures("commands")
def test_a_check_of_another_shape_says_what_differs(source: LocalSource) -> None:
    """Missing fields, other types and unknown codes are faults; new fields are information."""
    row = eu_row(0, status=["99"], colour=["green"])
    row["metadata"]["title"] = "Ladders"
    del row["metadata"]["DATASOURCE"]
    EuPortal(source, [row]).with_details()
    source.routes[SEARCH] = lambda _: in_json(
        {"apiVersion": "3", "totalResults": 1, "pageNumber": 1, "pageSize": 5, "results": [row]}
    )
    code, output = run("pull", "eu-portal", "--check", "--json")
    found = {(each["kind"], each["path"]): each for each in json.loads(output)["differences"]}
    assert code == 1
    assert ("missing", "results[].metadata.DATASOURCE") in found
    assert ("unexpected type", "results[].metadata.title") in found
    assert found["unknown value", "results[].metadata.status[]"]["found"] == "99"
    assert not found["new field", "results[].metadata.colour"]["fault"]


@pytest.mark.usefixtures("commands")
def test_the_command_shows_what_changed(portal: EuPortal) -> None:
    """A table of counts, then a line a change; JSON for scripts."""
    del portal.rows[2:]
    code, output = run("pull", "eu-portal", "--no-details")
    assert code == 0
    assert "Calls of eu-portal" in output
    assert "CERV-2099-LEND-001: New call: Lending libraries of things, part 1" in output
    code, output = run("pull", "eu-portal", "--no-details", "--json")
    found = json.loads(output)
    assert (code, found["calls"], found["changes"]) == (0, {"unchanged": 2}, [])


@pytest.mark.usefixtures("commands", "portal")
def test_an_unknown_programme_is_refused(source: LocalSource) -> None:
    """The message lists the abbreviations; names and abbreviations are understood in any case."""
    result = CliRunner().invoke(app, ["pull", "eu-portal", "--programme", "lunar"])
    assert isinstance(result.exception, UsageError)
    assert "CERV" in str(result.exception)
    code, _ = run("pull", "eu-portal", "--programme", "cerv", "--no-details")
    query = source.asked(SEARCH)[0].json_part("query")
    assert code == 0
    assert {"terms": {"frameworkProgramme": ["43251589"]}} in query["bool"]["must"]

"""Pulling calls from a server that answers like the EU portal."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fakes import TickingClock
from local_source import EuPortal, LocalSource, Reply, Request, eu_details, eu_row, in_json
from pulling import (
    FACET,
    QUICK,
    SEARCH,
    TOPICS,
    call,
    counts,
    documents,
    problems,
    pulled,
    settings_of,
    text,
)

from ingest.calls.pulls import eu_portal
from ingest.calls.pulls.eu_portal import Asked
from ingest.calls.pulls.fetch import Fetcher
from ingest.calls.pulls.kept import PullFolder
from ingest.calls.pulls.listing import Listing
from ingest.calls.pulls.portal_api import PortalApi, Window
from ingest.progress import Progress
from kb.calls.status import status_at
from kb.errors import SourceError
from kb.model import Kind, Metadata, Visibility

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import MakeKb

    from kb.bootstrap import KnowledgeBase

pytest_plugins = ("pull_base",)


CLOSED = ["31094503"]


@pytest.fixture
def kb(source: LocalSource, make_kb: MakeKb) -> KnowledgeBase:
    """An empty base whose sources are all on that server."""
    base: KnowledgeBase = make_kb(**settings_of(source))
    return base


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


def test_missing_calls_are_asked_for_in_turn(
    kb: KnowledgeBase, source: LocalSource, portal: EuPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where more are missing than a pull asks for, those asked longest ago come first."""
    pulled(kb)
    del portal.rows[:2]
    monkeypatch.setattr(eu_portal, "MOST_MISSING", 1)
    source.requests.clear()
    for _ in range(2):
        pulled(kb)
    assert len({request.path for request in source.asked(TOPICS)}) == 2


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
    monkeypatch.setattr("ingest.calls.pulls.listing.MOST_ROWS", 4)
    monkeypatch.setattr("ingest.calls.pulls.listing.PAGE_SIZE", 2)
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


def test_visibility_and_themes_are_as_stated(kb: KnowledgeBase, portal: EuPortal) -> None:
    """What the caller states is said of every call."""
    del portal.rows[1:]
    stated = Metadata(visibility=Visibility.COALITION, themes=("sharing",))
    pulled(kb, stated=stated)
    (found,) = documents(kb)
    assert (found.visibility, found.metadata.themes) == (Visibility.COALITION, ("sharing",))

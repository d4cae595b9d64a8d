"""What each door leaves in the audit trail, and who may read it."""

import csv
import io
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Base, MakeKb
from fakes import HashingEncoder, TickingClock
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from api.app import create_app
from api.feedback_schemas import AuditList
from kb import bootstrap
from kb.audit import event_json
from kb.bootstrap import KnowledgeBase, open_knowledge_base
from kb.cli import app
from kb.keys import KeyRole, NewKey
from kb.record.audit import Action, Chosen, Event, Outcome
from kb.settings import Settings

PUBLIC = "La garantie couvre la moitié des pertes des investisseurs de l'économie sociale."
INTERNAL = "La stratégie confidentielle vise le ministère des phares bretons."
PLACES = ["", "/pages/1", "/original"]


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a base with a public document and an internal one."""
    folder = tmp_path_factory.mktemp("audit")
    values: dict[str, Any] = {"home": folder / "home", "workers": 1}
    kb = open_knowledge_base(Settings(**values), clock=TickingClock(), encoder=HashingEncoder())
    made = Base(kb, folder / "files")
    made.write("metadata.yaml", "files:\n  strategie.md: {visibility: internal}\n")
    made.write("garantie.md", "# Garantie", PUBLIC)
    made.write("strategie.md", "# Stratégie", INTERNAL)
    made.ingest()
    kb.close()
    return kb.settings.home


@pytest.fixture
def filled(ingested: Path, make_kb: MakeKb, tmp_path: Path) -> Base:
    """A copy of it for one test."""
    copied = shutil.copytree(ingested, tmp_path / "home")
    return Base(make_kb(copied), tmp_path / "files")


@pytest.fixture
def client(filled: Base) -> Iterator[TestClient]:
    """The service."""
    with TestClient(create_app(filled.kb)) as opened:
        yield opened


def _key(kb: KnowledgeBase, role: KeyRole, *collections: str) -> dict[str, str]:
    new = NewKey(f"{role.value} {len(kb.keys.listed())}", role, collections or None)
    return {"X-API-Key": kb.keys.create(new, kb.clock())[1]}


def _events(kb: KnowledgeBase) -> list[Event]:
    """Everything noted so far, oldest first."""
    assert kb.trail.flush(30)
    return list(kb.trail.record.stream(Chosen()))


# HTTP


def test_a_request_leaves_who_asked_what_and_what_they_got(
    client: TestClient, filled: Base
) -> None:
    """With the request's id, and the key's name but not the key."""
    staff = _key(filled.kb, KeyRole.STAFF)
    document = filled.id_of("strategie.md")
    answered = client.get(f"/v1/documents/{document}/pages/1?version=1", headers=staff)
    assert answered.status_code == 200
    [event] = _events(filled.kb)
    shown = event_json(event)
    assert shown.pop("took_ms") > 0
    assert shown.pop("at")
    assert shown == {
        "id": 1,
        "request_id": answered.headers["X-Request-ID"],
        "door": "http",
        "role": "staff",
        "key_id": 1,
        "key": "staff 0",
        "action": "page",
        "query": None,
        "query_hash": None,
        "language": None,
        "filters": {"document_id": document, "version": 1, "page": 1},
        "outcome": "found",
        "returned": [{"document_id": document, "version": 1, "passage_id": None}],
        "generation": 1,
    }
    assert staff["X-API-Key"] not in json.dumps(event_json(event))


@pytest.mark.parametrize("place", PLACES)
def test_what_may_not_be_seen_leaves_what_isnt_there_leaves(
    client: TestClient, filled: Base, place: str
) -> None:
    """Nothing was returned; the trail tells what somebody tried to read."""
    named = [filled.id_of("strategie.md"), "no-such-document"]
    for each in named:
        assert client.get(f"/v1/documents/{each}{place}").status_code == 404
    hidden, missing = _events(filled.kb)
    assert (hidden.outcome, hidden.returned) == (missing.outcome, missing.returned)
    assert (hidden.outcome, hidden.returned) == (Outcome.NOTHING, ())
    assert [event.filters["document_id"] for event in (hidden, missing)] == named
    assert hidden.role is hidden.key is None


def test_documents_that_are_listed_are_in_the_trail(client: TestClient, filled: Base) -> None:
    """Those that were shown."""
    assert client.get("/v1/documents?limit=1").json()["documents"]
    [event] = _events(filled.kb)
    assert event.action is Action.DOCUMENTS
    assert [each.document_id for each in event.returned] == [filled.id_of("garantie.md")]


def test_calls_leave_their_filters_and_not_their_profile(client: TestClient, filled: Base) -> None:
    """Of an association its description is the question; its name and money are its own."""
    client.get("/v1/calls", params={"query": "climat", "status": "open,forthcoming", "limit": 5})
    client.post(
        "/v1/calls/match",
        json={"name": "Phares", "description": "Nous réparons des phares.", "country": "FR"},
    )
    client.get("/v1/calls.csv", params={"country": "FR"})
    client.get("/v1/calls/NO-SUCH-CALL")
    calls, matched, exported, shown = _events(filled.kb)
    assert (calls.action, calls.query, calls.outcome) == (Action.CALLS, "climat", Outcome.NOTHING)
    assert calls.filters == {"status": ["open,forthcoming"], "limit": 5}
    assert (matched.action, matched.query) == (Action.MATCH, "Nous réparons des phares.")
    assert "Phares" not in json.dumps(matched.filters)
    assert (exported.action, exported.query) == (Action.EXPORT, None)
    assert exported.filters == {"country": ["FR"], "form": "csv"}
    assert (shown.action, shown.outcome) == (Action.CALL, Outcome.NOTHING)
    assert shown.filters == {"identifier": "NO-SUCH-CALL"}


def test_a_feed_leaves_its_search_and_not_its_secret(client: TestClient, filled: Base) -> None:
    """It came in through its own door; that there is nothing new is told too."""
    made = client.post("/v1/searches", json={"name": "Tout", "query": {}}).json()
    first = client.get(made["feeds"]["ics"])
    client.get(made["feeds"]["ics"], headers={"If-None-Match": first.headers["ETag"]})
    told, unchanged = _events(filled.kb)
    assert (told.action.value, told.door.value, told.outcome.value) == ("feed", "feed", "found")
    assert unchanged.outcome is Outcome.UNCHANGED
    assert told.filters == {"search": 1, "form": "ics"}
    assert made["secret"] not in json.dumps(event_json(told))


def test_nothing_is_answered_that_leaves_no_trace(client: TestClient, filled: Base) -> None:
    """A trail that takes no more is a store that is not available."""
    assert client.get("/v1/documents").status_code == 200
    filled.kb.trail.close()
    refused = client.get("/v1/documents")
    assert refused.status_code == 503
    assert refused.json()["type"] == "/problems/store-not-available"


# Staff


def test_staff_read_the_trail_page_by_page(client: TestClient, filled: Base) -> None:
    """The newest event first; following `next` gives each once."""
    staff = _key(filled.kb, KeyRole.STAFF)
    for number in range(5):
        client.get(f"/v1/documents/none-{number}")
    assert filled.kb.trail.flush(30)
    found: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get("/v1/audit", params={"limit": 2, **cursor}, headers=staff)
        AuditList.model_validate_json(page.content)
        found += page.json()["events"]
        if page.json()["next"] is None:
            break
        cursor = {"cursor": page.json()["next"]}
    assert [event["filters"]["document_id"] for event in found] == [
        f"none-{number}" for number in (4, 3, 2, 1, 0)
    ]


def test_the_trail_is_narrowed_by_day_door_and_action(client: TestClient, filled: Base) -> None:
    """What can't be meant is refused."""
    staff = _key(filled.kb, KeyRole.STAFF)
    client.get("/v1/documents")
    client.get("/v1/documents/none")
    assert filled.kb.trail.flush(30)

    def seen(**asked: str) -> list[str]:
        answered = client.get("/v1/audit", params=asked, headers=staff)
        assert answered.status_code == 200, answered.text
        return [event["action"] for event in answered.json()["events"]]

    assert seen() == ["document", "documents"]
    assert seen(action="document") == ["document"]
    assert seen(door="mcp") == []
    assert seen(since="2026-03-01", until="2026-03-01") == ["document", "documents"]
    assert seen(since="2026-03-02") == seen(until="2026-02-28") == []
    for asked in (
        {"since": "2026-03-02", "until": "2026-03-01"},
        {"cursor": "x"},
        {"door": "window"},
    ):
        assert client.get("/v1/audit", params=asked, headers=staff).status_code == 422


@pytest.mark.parametrize("path", ["/v1/audit", "/v1/gaps", "/v1/feedback"])
def test_for_others_there_is_nothing_at_this_address(
    client: TestClient, filled: Base, path: str
) -> None:
    """Nor for staff whose key is narrowed: what others asked tells of every collection."""
    kb = filled.kb
    others = [{}, _key(kb, KeyRole.PARTNER), _key(kb, KeyRole.STAFF, "plans")]
    for headers in others:
        known = {**headers, "X-Request-ID": "the-same-request"}
        unknown = client.get("/v1/no-such-address", headers=known)
        refused = client.get(path, params={"limit": "many"}, headers=known)
        assert refused.status_code == unknown.status_code == 404
        assert {**refused.json(), "instance": ""} == {**unknown.json(), "instance": ""}
    assert client.get(path, headers=_key(kb, KeyRole.STAFF)).status_code == 200


# The command line


@pytest.fixture
def run(filled: Base, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `kb` on the base, each time opened anew by the settings of the environment."""

    def open_again(*_: Any, **__: Any) -> KnowledgeBase:
        kb = filled.kb
        return KnowledgeBase(
            kb.settings, kb.clock, kb.engine, kb.record, kb.index, kb.generations, kb.encoder
        )

    monkeypatch.setattr(bootstrap, "open_knowledge_base", open_again)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments), catch_exceptions=False)

    return invoke


def test_commands_leave_their_questions(filled: Base, run: Any) -> None:
    """Whoever can start them is staff, without a key."""
    assert run("search", "garantie pertes", "--language", "fr").exit_code == 0
    assert run("ask", "Quel âge ont les phares du Pérou ?").exit_code == 0
    searched, asked = _events(filled.kb)
    assert (searched.door.value, searched.role, searched.key) == ("cli", KeyRole.STAFF, None)
    assert (searched.action, searched.query) == (Action.SEARCH, "garantie pertes")
    assert searched.filters == {"language": "fr"}
    assert searched.returned[0].document_id == filled.id_of("garantie.md")
    assert all(each.passage_id for each in searched.returned)
    assert (asked.action, asked.outcome) == (Action.ANSWER, Outcome.INSUFFICIENT_EVIDENCE)
    assert asked.query == "Quel âge ont les phares du Pérou ?"
    assert asked.returned
    assert searched.request_id != asked.request_id
    assert searched.generation == 1


def test_the_trail_is_exported(run: Any, tmp_path: Path) -> None:
    """To standard output, or to a file for its owner; by days, as lines of JSON or a table."""
    run("search", "=garantie")
    run("search", "phares")
    listed = [json.loads(line) for line in run("audit", "export").stdout.splitlines()]
    assert [event["query"] for event in listed] == ["=garantie", "phares"]
    path = tmp_path / "trail.csv"
    assert run("audit", "export", str(path), "--format", "csv").exit_code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    assert [row["query"] for row in rows] == ["'=garantie", "phares"]
    assert run("audit", "export", "--since", "2026-03-02").stdout == ""
    assert run("audit", "export", "--until", "2026-02-28").stdout == ""
    assert len(run("audit", "export", "--until", "2026-03-01").stdout.splitlines()) == 2


def test_the_newest_events_are_listed(run: Any) -> None:
    """As a table, or as JSON."""
    run("search", "garantie")
    run("search", "phares")
    listed = json.loads(run("audit", "list", "--limit", "1", "--json").stdout)
    assert [event["query"] for event in listed] == ["phares"]
    assert "garantie" in run("audit", "list").stdout


def test_gaps_are_listed(run: Any) -> None:
    """As a table, or as JSON."""
    asked = "Quel âge ont les phares du Pérou ?"
    for _ in range(2):
        run("ask", asked)
    [gap] = json.loads(run("audit", "gaps", "--json").stdout)
    assert (gap["question"], gap["count"], gap["callers"]) == (asked, 2, 1)
    assert "Pérou" in run("audit", "gaps", "--language", "fr").stdout.replace("\n", " ")


def test_old_events_are_erased_on_demand(filled: Base, run: Any) -> None:
    """Those before a day, else those that are older than the setting says."""
    run("search", "garantie")
    assert "Erased 0 " in run("audit", "purge").stdout
    assert "Erased 0 " in run("audit", "purge", "--before", "2026-03-01").stdout
    assert "Erased 1 " in run("audit", "purge", "--before", "2026-03-02").stdout
    assert _events(filled.kb) == []


def test_a_base_that_cant_be_written_answers_a_command_all_the_same(filled: Base) -> None:
    """A line says that the question left no trace."""
    filled.kb.close()
    home = filled.kb.settings.home
    program = (
        "import sqlite3, sys\n"
        "sys.path.insert(0, 'tests')\n"
        "from sqlalchemy import event\n"
        "from sqlalchemy.engine import Engine\n"
        "from fakes import HashingEncoder\n"
        "from kb import bootstrap\n"
        "from kb.cli import main\n"
        "bootstrap.make_encoder = lambda _: HashingEncoder()\n"
        "@event.listens_for(Engine, 'connect')\n"
        "def read_only(connection, _):\n"
        "    connection.execute('PRAGMA query_only=ON')\n"
        "main(['search', 'garantie', '--json'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "KB_HOME": str(home)},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["hits"]
    assert "1 events of the audit trail could not be written" in done.stderr
    assert "garantie" not in done.stderr

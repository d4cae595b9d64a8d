"""Calls as calendar, feed and table over HTTP, of any filter and of saved searches."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import feedparser
import pytest
import vobject
from calls_making import CHECKED, brussels, made, record, take
from openpyxl import load_workbook
from starlette.testclient import TestClient

from api.app import create_app
from kb.calls.query import CallQuery
from kb.calls.searches import NewSearch, create
from kb.model import PUBLIC_ACCESS, Visibility
from kb.record.searches import SearchesRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import MakeKb
    from fakes import TickingClock

    from ingest.calls.base import CallRecord
    from kb.bootstrap import KnowledgeBase

SPRING, SUMMER = brussels("2026-04-15"), brussels("2026-07-15")
OVER = brussels("2026-02-01")
HIDDEN = "HIDDEN-2026"


def _calls(day: int = 0, **fields: Any) -> list[CallRecord]:
    """Calls as they were checked on a day: open, coming, over, standing."""
    began = brussels("2026-01-15", "00:00")
    checked = CHECKED + timedelta(days=day)
    calls = [
        made("OPEN-1", title="Rivers, for people", opens=began, programme="LIFE"),
        made("COMING-1", opens=brussels("2026-05-01", "00:00"), deadlines=(SUMMER,)),
        made("OVER-1", opens=began, deadlines=(OVER,)),
        made("STANDING-1", rolling=True),
    ]
    first = {"deadlines": (SPRING,), **fields}
    calls[0] = made("OPEN-1", title="Rivers, for people", opens=began, programme="LIFE", **first)
    return [record(call, checked=checked) for call in calls]


@pytest.fixture
def kb(make_kb: MakeKb) -> KnowledgeBase:
    """A base with a call of each kind."""
    made_kb = make_kb()
    take(made_kb, _calls())
    return made_kb


@pytest.fixture
def client(kb: KnowledgeBase) -> Iterator[TestClient]:
    """The service over it."""
    with TestClient(create_app(kb)) as opened:
        yield opened


def _clock(kb: KnowledgeBase) -> TickingClock:
    clock: Any = kb.clock
    return clock  # type: ignore[no-any-return]


def _text(client: TestClient, path: str, **asked: Any) -> str:
    response = client.get(path, params=asked)
    assert response.status_code == 200, response.text
    return response.text


def _events(text: str) -> dict[str, Any]:
    """The events of a calendar by their UID, as another library reads them."""
    calendar = vobject.readOne(text)
    return {event.uid.value: event for event in getattr(calendar, "vevent_list", [])}


def _event(text: str, document_id: str) -> Any:
    [event] = [each for uid, each in _events(text).items() if uid.startswith(f"{document_id}-")]
    return event


def _entries(text: str) -> list[Any]:
    parsed = feedparser.parse(text)
    assert parsed.bozo == 0, parsed.get("bozo_exception")
    entries: list[Any] = parsed.entries
    return entries


@pytest.mark.parametrize("form", ["csv", "xlsx", "jsonl", "ics", "atom"])
def test_a_file_that_is_known_is_not_sent_again(client: TestClient, form: str) -> None:
    """Its tag stays the same while nothing changes, and no shared cache keeps it."""
    first = client.get(f"/v1/calls.{form}")
    assert first.status_code == 200
    assert "private" in first.headers["cache-control"]
    tag = first.headers["etag"]
    assert tag.startswith('W/"')  # a strong one would be another for each packing
    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}'):
        again = client.get(f"/v1/calls.{form}", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(f"/v1/calls.{form}", headers={"If-None-Match": '"x"'}).status_code == 200
    attached = first.headers.get("content-disposition", "")
    assert attached == ("" if form in {"ics", "atom"} else f'attachment; filename="calls.{form}"')


def test_a_change_changes_the_tag(client: TestClient, kb: KnowledgeBase) -> None:
    """Whoever subscribed sees the moved deadline at the next visit."""
    tag = client.get("/v1/calls.ics").headers["etag"]
    take(kb, _calls(1, deadlines=(SUMMER,)))
    response = client.get("/v1/calls.ics", headers={"If-None-Match": tag})
    assert (response.status_code, response.headers["etag"] != tag) == (200, True)


def test_tables_hold_every_call_of_the_filters(client: TestClient) -> None:
    """In the order of the list, with its fields; without filters those that are over too."""
    lines = [json.loads(line) for line in _text(client, "/v1/calls.jsonl").splitlines()]
    listed = client.get("/v1/calls").json()["hits"]
    assert lines == listed
    rows = list(csv.reader(io.StringIO(_text(client, "/v1/calls.csv").lstrip("\ufeff"))))
    assert len(rows) == 5
    sheet = load_workbook(io.BytesIO(client.get("/v1/calls.xlsx").content)).active
    assert sheet is not None
    assert sheet.max_row == 5
    narrowed = _text(client, "/v1/calls.jsonl", status="open,rolling")
    assert [json.loads(line)["identifier"] for line in narrowed.splitlines()] == [
        "OPEN-1",
        "STANDING-1",
    ]


@pytest.mark.parametrize("form", ["csv", "ics", "atom"])
def test_a_file_of_bad_filters_is_a_problem(client: TestClient, form: str) -> None:
    """It names the field; a form that there is not is not found."""
    response = client.get(f"/v1/calls.{form}", params={"status": "ajar"})
    assert (response.status_code, "status" in response.json()["detail"]) == (422, True)
    assert client.get("/v1/calls.pdf").status_code in {404, 422}


def test_a_calendar_has_an_event_a_deadline(client: TestClient) -> None:
    """Of what is open and forthcoming, in Brussels time, unless a status is asked for."""
    events = _events(_text(client, "/v1/calls.ics", language="en"))
    assert len(events) == 2
    event = _event(_text(client, "/v1/calls.ics", language="en"), "open-1")
    assert event.dtstart.value == SPRING
    assert "Rivers, for people" in event.summary.value
    assert (event.status.value, event.sequence.value) == ("CONFIRMED", "1")
    closed = _events(_text(client, "/v1/calls.ics", status="closed"))
    assert [uid.partition("-deadline")[0] for uid in closed] == ["over-1"]


def test_a_moved_deadline_moves_its_event(client: TestClient, kb: KnowledgeBase) -> None:
    """The same UID with a higher SEQUENCE: calendars move the event they have."""
    before = _event(_text(client, "/v1/calls.ics"), "open-1")
    take(kb, _calls(1, deadlines=(SUMMER,)))
    after = _event(_text(client, "/v1/calls.ics"), "open-1")
    assert after.uid.value == before.uid.value
    assert int(after.sequence.value) > int(before.sequence.value)
    assert (before.dtstart.value, after.dtstart.value) == (SPRING, SUMMER)
    assert after.last_modified.value > before.last_modified.value


def test_a_deadline_that_is_dropped_is_cancelled(client: TestClient, kb: KnowledgeBase) -> None:
    """The event of a second cut-off that the call no longer has."""
    take(kb, _calls(1, deadlines=(SPRING, SUMMER)))
    assert len(_events(_text(client, "/v1/calls.ics"))) == 3
    take(kb, _calls(2, deadlines=(SPRING,)))
    states = {uid: e.status.value for uid, e in _events(_text(client, "/v1/calls.ics")).items()}
    assert sorted(states.values()) == ["CANCELLED", "CONFIRMED", "CONFIRMED"]


def test_a_withdrawn_call_is_cancelled(client: TestClient, kb: KnowledgeBase) -> None:
    """Under its UID, with a higher SEQUENCE; the feed tells it too, for ninety days."""
    before = _event(_text(client, "/v1/calls.ics"), "open-1")
    gone = record(made("OPEN-1"), gone=True, checked=CHECKED + timedelta(days=2))
    take(kb, [gone])
    text = _text(client, "/v1/calls.ics")
    after = _event(text, "open-1")
    assert (after.uid.value, after.status.value) == (before.uid.value, "CANCELLED")
    assert int(after.sequence.value) > int(before.sequence.value)
    assert len(_events(text)) == 2
    kinds = [entry.tags[0].term for entry in _entries(_text(client, "/v1/calls.atom"))]
    assert "gone" in kinds
    _clock(kb).now += timedelta(days=100)
    assert "CANCELLED" not in _text(client, "/v1/calls.ics")


def test_a_feed_tells_what_changed(client: TestClient, kb: KnowledgeBase) -> None:
    """Newest first, one entry a call and moment, with the field from what to what."""
    take(kb, _calls(1, deadlines=(SUMMER,), budget=5))
    entries = _entries(_text(client, "/v1/calls.atom", language="en"))
    assert len(entries) == 3
    assert entries[0].title == "Deadline, budget changed: Rivers, for people"
    content = entries[0].content[0].value
    assert "2026-04-15 17:00" in content
    assert "2026-07-15 17:00" in content
    assert {entry.tags[0].term for entry in entries[1:]} == {"new"}
    assert len({entry.id for entry in entries}) == 3
    narrowed = _entries(_text(client, "/v1/calls.atom", programme="LIFE"))
    assert len(narrowed) == 2


def test_a_feed_tells_of_a_call_that_its_source_closed(
    client: TestClient, kb: KnowledgeBase
) -> None:
    """It matches no more by its status: that is what is told; a search for another does not."""
    take(kb, _calls(1, deadlines=(OVER,)))
    told = _entries(_text(client, "/v1/calls.atom", programme="LIFE"))
    assert [entry.tags[0].term for entry in told] == ["closed"]
    assert _entries(_text(client, "/v1/calls.atom", programme="CERV")) == []


def test_a_feed_by_words_tells_only_of_calls_that_say_them(
    client: TestClient, kb: KnowledgeBase
) -> None:
    """A ranking leaves no call out; a calendar and a feed of it do."""
    titles = ["Un prix pour la jeunesse", "Youth work in every village", "Phares et balises"]
    take(
        kb,
        [
            record(made(f"N-{n}", title=title, deadlines=(SUMMER,)), "Nothing else is said.")
            for n, title in enumerate(titles)
        ],
    )
    asked = CallQuery(query="jeunesse")
    listed = kb.finder.all(asked, PUBLIC_ACCESS, kb.clock(), 100)
    assert "N-2" in {hit.call.identifier for hit in listed}
    matches = kb.finder.matches(asked, PUBLIC_ACCESS, kb.clock(), 100)
    found = {hit.call.identifier for hit in matches}
    assert found >= {"N-0", "N-1"}, "the question or its translation"
    assert "N-2" not in found
    feed = _text(client, "/v1/calls.atom", query="jeunesse")
    assert "Un prix pour la jeunesse" in feed
    assert "Phares" not in feed
    calendar = _text(client, "/v1/calls.ics", query="jeunesse")
    assert any(uid.startswith("n-1-") for uid in _events(calendar))
    assert not any(uid.startswith("n-2-") for uid in _events(calendar))


def test_addresses_in_files_are_those_that_readers_reach(make_kb: MakeKb) -> None:
    """As set, or else as the service was asked."""
    kb = make_kb(public_url="https://calls.example.org/kb/")
    take(kb, _calls())
    with TestClient(create_app(kb)) as client:
        feed = feedparser.parse(_text(client, "/v1/calls.atom", programme="LIFE"))
        [own] = [link.href for link in feed.feed.links if link.rel == "self"]
        assert own == "https://calls.example.org/kb/v1/calls.atom?programme=LIFE"
        page = feed.entries[0].link
        assert page.startswith("https://calls.example.org/kb/documents/")


@pytest.fixture
def saved(client: TestClient) -> dict[str, Any]:
    """A saved search for what LIFE offers, without a public address set."""
    body = {"name": "LIFE, à suivre", "query": {"programme": ["LIFE"]}, "language": "fr"}
    response = client.post("/v1/searches", json=body)
    assert response.status_code == 201
    created: dict[str, Any] = response.json()
    return created


def test_a_saved_search_has_feeds_that_follow_it(
    client: TestClient, kb: KnowledgeBase, saved: dict[str, Any]
) -> None:
    """Under its name, in its language, as calendar and as feed."""
    assert saved["feeds"]["ics"].startswith("http://testserver/v1/feeds/oms_")
    calendar = _text(client, saved["feeds"]["ics"])
    assert [uid.partition("-deadline")[0] for uid in _events(calendar)] == ["open-1"]
    assert "LIFE" in vobject.readOne(calendar).x_wr_calname.value
    take(kb, [*_calls(1, deadlines=(SUMMER,)), record(made("ELSE-1", deadlines=(SUMMER,)))])
    feed = feedparser.parse(_text(client, saved["feeds"]["atom"]))
    assert (feed.bozo, feed.feed.title) == (0, "LIFE, à suivre")
    assert feed.entries[0].title.startswith("Modifié (date limite)")
    assert "ELSE-1" not in str(feed)
    tag = client.get(saved["feeds"]["atom"]).headers["etag"]
    again = client.get(saved["feeds"]["atom"], headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_the_feeds_of_a_deleted_search_are_gone(client: TestClient, saved: dict[str, Any]) -> None:
    """At once; they look like feeds that never were."""
    assert client.delete(f"/v1/searches/{saved['secret']}").status_code == 204
    for path in (saved["feeds"]["ics"], saved["feeds"]["atom"], "/v1/feeds/oms_x/calls.ics"):
        response = client.get(path)
        assert (response.status_code, response.json()["type"]) == (404, "/problems/not-found")


def test_a_feed_shows_what_whoever_made_the_search_may_see(
    client: TestClient, kb: KnowledgeBase
) -> None:
    """A call for the coalition is in no feed of an anonymous search, whatever happens to it."""
    fields: dict[str, Any] = {"title": "Hidden rivers", "programme": "LIFE"}
    hidden = made(HIDDEN, deadlines=(SUMMER,), **fields)
    take(kb, [hidden], visibility=Visibility.COALITION)
    take(
        kb,
        [record(made(HIDDEN, deadlines=(SPRING,), **fields), checked=CHECKED + timedelta(days=1))],
        visibility=Visibility.COALITION,
    )
    body = {"name": "All", "query": {"programme": ["LIFE"]}}
    anonymous = client.post("/v1/searches", json=body).json()["secret"]
    asked = CallQuery(programme=("LIFE",))
    new = NewSearch("All", asked, "fr", Visibility.COALITION)
    _, partner = create(SearchesRecord(kb.engine), new, kb.clock(), 0)
    for form in ("ics", "atom"):
        assert "Hidden" not in _text(client, f"/v1/feeds/{anonymous}/calls.{form}")
        assert "Hidden" not in _text(client, f"/v1/calls.{form}")
        assert "Hidden" in _text(client, f"/v1/feeds/{partner}/calls.{form}")
    narrowed = record(hidden, checked=CHECKED + timedelta(days=2))
    take(kb, [narrowed], visibility=Visibility.INTERNAL)
    assert "Hidden" not in _text(client, f"/v1/feeds/{partner}/calls.atom")


def test_a_call_that_was_shown_and_is_narrowed_leaves_the_feeds(
    client: TestClient, kb: KnowledgeBase
) -> None:
    """Its older news too."""
    assert "Rivers" in _text(client, "/v1/calls.atom")
    take(kb, _calls(1), visibility=Visibility.INTERNAL)
    for form in ("ics", "atom", "csv", "jsonl"):
        assert "Rivers" not in _text(client, f"/v1/calls.{form}")


def test_a_feed_is_named_without_its_address(client: TestClient, saved: dict[str, Any]) -> None:
    """Its id stays under whatever host it is read, and gives no secret away."""
    path = saved["feeds"]["atom"].removeprefix("http://testserver")
    ids = set()
    for host in ("one.example", "two.example"):
        ids.add(feedparser.parse(client.get(path, headers={"Host": host}).text).feed.id)
    [own] = ids
    assert own.startswith("tag:")
    assert saved["secret"] not in own
    others = [{}, {"programme": "CERV"}, {"programme": "LIFE", "language": "en"}]
    read = [feedparser.parse(_text(client, "/v1/calls.atom", **asked)).feed.id for asked in others]
    assert len({own, *read}) == 4

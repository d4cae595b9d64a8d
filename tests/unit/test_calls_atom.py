"""Feeds of news, checked by a feed reader and by the rules of RFC 4287."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import feedparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree, html

from kb.calls.atom import FeedItem, entry_id, feed
from kb.calls.dates import BRUSSELS
from kb.calls.news import CallNews, NewsKind, plain
from kb.model import Call, CallSource

NOW = datetime(2026, 2, 11, 9, 0, tzinfo=BRUSSELS)
AT = datetime(2026, 2, 10, 8, 0, tzinfo=UTC)
UPDATED = datetime(2026, 2, 1, tzinfo=UTC)
CALL = Call(
    "EXAMPLE-2026-01",
    "Bridges for rural choirs",
    programme="Example Programme",
    deadlines=(datetime(2026, 4, 1, 17, 0, tzinfo=BRUSSELS),),
    url="https://portal.example/topic/1?a=1&b=2",
    sources=(CallSource("eu-portal", "https://portal.example/topic/1", NOW, "open"),),
)
NEWS = CallNews(
    1,
    "doc-1",
    CALL.identifier,
    CALL.title,
    AT,
    NewsKind.CHANGED,
    "deadlines",
    "2026-03-17 17:00",
    "2026-04-01 17:00",
)
BUDGET = replace(NEWS, id=2, field="budget", before="3000000", after="2500000")
ATOM = "{http://www.w3.org/2005/Atom}"


def written(*news: CallNews, call: Call = CALL, language: str = "en") -> bytes:
    """Write a feed of news of one call and check it by the rules of RFC 4287."""
    data = feed(
        [FeedItem(piece, call) for piece in news],
        feed_id="tag:kb.example,2026:feeds/1",
        self_url="https://kb.example/calls/feed.atom?q=choirs&status=open",
        title="Calls: <choirs> & more",
        updated=UPDATED,
        now=NOW,
        language=language,
        url_of=lambda document_id: f"https://kb.example/calls/{document_id}",
    )
    check(data)
    return data


def read(data: bytes) -> Any:
    """Read a feed with an independent reader, which must find nothing wrong."""
    parsed = feedparser.parse(data)
    assert not parsed.bozo
    assert parsed.version == "atom10"
    return parsed


def check(data: bytes) -> None:
    """Check what RFC 4287 requires of a feed (4.1.1) and of entries (4.1.2)."""
    root = etree.fromstring(data)
    assert root.tag == f"{ATOM}feed"
    entries = root.findall(f"{ATOM}entry")
    for element in (root, *entries):
        for name in ("id", "title", "updated"):
            assert len(element.findall(f"{ATOM}{name}")) == 1
        updated = element.findtext(f"{ATOM}updated")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", updated or "")
        assert re.match("[a-z]+:.", element.findtext(f"{ATOM}id") or "")
        for link in element.findall(f"{ATOM}link"):
            assert re.match("https?://", link.get("href", ""))
    assert root.findtext(f"{ATOM}author/{ATOM}name")
    assert [link.get("rel") for link in root.findall(f"{ATOM}link")] == ["self"]
    ids = [entry.findtext(f"{ATOM}id") for entry in entries]
    assert len(set(ids)) == len(ids)
    for entry in entries:
        rels = [link.get("rel") for link in entry.findall(f"{ATOM}link")]
        assert rels.count("alternate") == 1
        assert [content.get("type") for content in entry.findall(f"{ATOM}content")] == ["html"]
        assert all(category.get("term") for category in entry.findall(f"{ATOM}category"))


def test_a_changed_call_is_an_entry() -> None:
    """A changed call is an entry that names what changed and links to the call's page."""
    (entry,) = read(written(NEWS)).entries
    assert entry.title == "Deadline changed: Bridges for rural choirs"
    assert entry.link == "https://portal.example/topic/1?a=1&b=2"
    assert entry.updated == "2026-02-10T08:00:00Z"
    assert entry.id == entry_id(NEWS)
    assert {tag.term for tag in entry.tags} == {"changed", "Example Programme"}


def test_the_content_tells_before_and_after_and_the_status() -> None:
    """The content has the field before and after, the status with its day, and the deadline."""
    (entry,) = read(written(NEWS)).entries
    content = html.fromstring(entry.content[0].value)
    assert [item.text for item in content.iter("li", "p") if item.text] == [
        "Deadline: 2026-03-17 17:00 → 2026-04-01 17:00",
        "Status on 2026-02-11: Open until 2026-04-01 17:00 (in 49 days).",
        "Deadline: 2026-04-01 17:00 (Brussels time)",
    ]
    assert [link.get("href") for link in content.iter("a")] == [CALL.url]


def test_a_feed_speaks_french() -> None:
    """A feed asked for in French speaks French and says so."""
    data = written(NEWS, language="fr")
    (entry,) = read(data).entries
    assert entry.title == "Modifié (date limite) : Bridges for rural choirs"
    assert "Date limite : 2026-03-17 17:00 → 2026-04-01 17:00" in entry.content[0].value
    assert read(data).feed.language == "fr"


def test_what_happened_at_once_is_one_entry() -> None:
    """What happened to one call at one moment is one entry that tells all of it."""
    (entry,) = read(written(NEWS, BUDGET)).entries
    assert entry.title == "Deadline, budget changed: Bridges for rural choirs"
    assert entry.content[0].value.count("<li>") == 2


def test_a_title_names_three_fields_at_most() -> None:
    """Of many changed fields the title names three and counts the others."""
    names = ("deadlines", "budget", "opens", "url", "title")
    pieces = [replace(NEWS, field=name, before=None, after=None) for name in names]
    (entry,) = read(written(*pieces)).entries
    assert entry.title == "Deadline, budget, opening, 2 more changed: Bridges for rural choirs"
    assert entry.content[0].value.count("<li>") == 5


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        (NewsKind.NEW, "New call: Bridges for rural choirs"),
        (NewsKind.REOPENED, "Call reopened: Bridges for rural choirs"),
        (NewsKind.CLOSED, "Call closed by its source: Bridges for rural choirs"),
        (NewsKind.GONE, "Call withdrawn: Bridges for rural choirs"),
    ],
)
def test_what_says_most_stands_in_the_title(kind: NewsKind, title: str) -> None:
    """A call's opening or end stands in the title before the fields that changed with it."""
    piece = replace(NEWS, kind=kind, field=None, before=None, after=None)
    (entry,) = read(written(NEWS, piece)).entries
    assert entry.title == title
    assert {tag.term for tag in entry.tags} >= {kind, "changed"}


def test_entries_come_newest_first_and_date_the_feed() -> None:
    """Entries come newest first whatever the order of the news; the newest dates the feed."""
    later = replace(NEWS, at=AT + timedelta(hours=1))
    other = replace(NEWS, document_id="doc-2")
    data = written(NEWS, later, other)
    assert data == written(other, later, NEWS)
    parsed = read(data)
    assert [entry.id for entry in parsed.entries] == [
        entry_id(later),
        entry_id(NEWS),
        entry_id(other),
    ]
    assert parsed.feed.updated == "2026-02-10T09:00:00Z"


def test_a_feed_without_news_is_valid() -> None:
    """A feed without news is valid, has a name and says where it is read."""
    parsed = read(written())
    assert parsed.entries == []
    assert parsed.feed.title_detail.value == "Calls: <choirs> & more"
    assert parsed.feed.updated == "2026-02-01T00:00:00Z"
    assert parsed.feed.links[0].href.endswith("?q=choirs&status=open")


def test_markup_in_a_title_stays_text() -> None:
    """A title that looks like markup is shown as it stands and never run."""
    title = "<script>alert(1)</script> & ]]> <b>choirs</b>"
    piece = replace(NEWS, kind=NewsKind.NEW, title=title, field=None)
    data = written(piece, call=replace(CALL, url="javascript:alert(1)"))
    root = etree.fromstring(data)
    entry = root.find(f"{ATOM}entry")
    assert entry is not None
    assert entry.findtext(f"{ATOM}title") == f"New call: {title}"
    content = html.fromstring(entry.findtext(f"{ATOM}content") or "")
    assert {element.tag for element in content.iter()} == {"div", "ul", "li", "p"}
    assert content.findtext(".//li") == f"New call: {title}"


def test_an_entry_has_the_same_tag_in_every_language_and_feed() -> None:
    """An entry's identifier depends on the call and the moment alone."""
    french, english = (read(written(NEWS, language=language)) for language in ("fr", "en"))
    assert french.entries[0].id == english.entries[0].id
    assert french.entries[0].id.startswith("tag:")
    assert entry_id(replace(BUDGET, at=AT.astimezone(BRUSSELS))) == entry_id(NEWS)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters()), st.text(st.characters()), st.text(st.characters()))
def test_any_words_make_a_valid_feed(title: str, before: str, programme: str) -> None:
    """Whatever words a call has, the feed is valid and says them."""
    piece = replace(NEWS, title=title, field="title", before=before, after=title)
    data = written(piece, call=replace(CALL, programme=programme))
    read(data)
    found = etree.fromstring(data).findtext(f"{ATOM}entry/{ATOM}title")
    assert found == plain(f"Title changed: {plain(title)}")

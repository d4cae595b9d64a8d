"""News of calls as an Atom feed (RFC 4287): one entry a call and moment, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import quote

from lxml import etree, html

from kb.calls.ics import AUTHORITY, BRUSSELS_TIME, STATUS_ON
from kb.calls.news import (
    FIELD_NAMES,
    KIND_NAMES,
    NewsKind,
    describe,
    labelled,
    moment,
    plain,
    web_address,
)
from kb.calls.status import day_of, status_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from lxml.etree import _Element

    from kb.calls.news import CallNews
    from kb.model import Call

ATOM = "http://www.w3.org/2005/Atom"
TAG = f"tag:{AUTHORITY},2026:calls"  # RFC 4151; a day within the year is understood
PRODUCER = "Opération Milliard"


@dataclass(frozen=True, slots=True)
class FeedItem:
    """A piece of news with the call as it is known now."""

    news: CallNews
    call: Call


def entry_id(news: CallNews) -> str:
    """The tag of the entry in which a piece of news stands; the same in every feed."""
    document, at = quote(news.document_id, safe=""), news.at.astimezone(UTC)
    return f"{TAG}/{document}/{at:%Y%m%dT%H%M%S.%fZ}"


def feed(  # noqa: PLR0913 -- keywords, each of which a feed must state
    items: Sequence[FeedItem],
    *,
    feed_id: str,
    self_url: str,
    title: str,
    updated: datetime,
    now: datetime,
    language: str,
    url_of: Callable[[str], str],
) -> bytes:
    """Write a feed.

    What happened to one call at one moment makes one entry. An entry states the status of its
    call with the day of ``now``; nothing else depends on it.

    Args:
        items: The news, in any order.
        feed_id: An address or tag that stays the feed's own.
        self_url: Where this feed is read.
        title: The feed's title.
        updated: When the feed last changed, aware; the newest entry's moment if that is later.
        now: The moment at which statuses are stated, aware.
        language: ``fr`` or ``en``.
        url_of: Gives the address of a document's page by its id.
    """
    # lxml-stubs 0.5.1 does not know of a default namespace.
    root = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})  # type: ignore[dict-item]
    root.set("{http://www.w3.org/XML/1998/namespace}lang", language)
    _add(root, "id", feed_id)
    _add(root, "title", title)
    _add(root, "updated", _stamp(max([updated, *(item.news.at for item in items)])))
    _add(_add(root, "author"), "name", PRODUCER)
    _add(root, "link", rel="self", type="application/atom+xml", href=self_url)
    for group in _grouped(items):
        _add_entry(root, group, _Telling(now, language, url_of))
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def _grouped(items: Sequence[FeedItem]) -> Iterator[list[FeedItem]]:
    def own(item: FeedItem) -> tuple[float, str]:
        return -item.news.at.timestamp(), item.news.document_id

    for _key, group in groupby(sorted(items, key=own), own):
        yield list(group)


@dataclass(frozen=True, slots=True)
class _Telling:
    """When, in which language and with which addresses a feed is written."""

    now: datetime
    language: str
    url_of: Callable[[str], str]


def _add_entry(root: _Element, group: Sequence[FeedItem], telling: _Telling) -> None:
    news, call, language = group[0].news, group[0].call, telling.language
    entry = _add(root, "entry")
    _add(entry, "id", entry_id(news))
    _add(entry, "title", _headline([item.news for item in group], language))
    _add(entry, "updated", _stamp(news.at))
    official, ours = web_address(call.url), plain(telling.url_of(news.document_id))
    # People are led to the page of the call at its source; ours is for programs.
    if official:
        _add(entry, "link", rel="alternate", type="text/html", href=official)
    _add(entry, "link", rel="related" if official else "alternate", href=ours)
    for kind in dict.fromkeys(item.news.kind for item in group):
        _add(entry, "category", term=kind, scheme=f"{TAG}/kind", label=KIND_NAMES[kind][language])
    if programme := plain(call.programme or ""):
        _add(entry, "category", term=programme, scheme=f"{TAG}/programme", label=programme)
    _add(entry, "content", _content(group, telling.now, language), type="html")


# Where several things happened at once, the one that says most stands in the title.
_FIRST = (NewsKind.GONE, NewsKind.REOPENED, NewsKind.CLOSED, NewsKind.NEW)
_MOST_FIELDS = 3  # named in a title; the content has all
_CHANGED = {"fr": "Modifié ({})", "en": "{} changed"}
_MORE = {"fr": "{} autres", "en": "{} more"}


def _headline(group: Sequence[CallNews], language: str) -> str:
    kinds = {news.kind for news in group}
    title = plain(group[0].title)
    for kind in _FIRST:
        if kind in kinds:
            return labelled(KIND_NAMES[kind][language], title, language)
    fields = dict.fromkeys(news.field for news in group if news.field)
    names = [FIELD_NAMES[field][language] for field in fields]
    if not names:
        return labelled(KIND_NAMES[NewsKind.CHANGED][language], title, language)
    if (left := len(names) - _MOST_FIELDS) > 1:
        names[_MOST_FIELDS:] = [_MORE[language].format(left)]
    listed = ", ".join(names).lower()
    if language == "en":
        listed = listed.capitalize()
    return labelled(_CHANGED[language].format(listed), title, language)


_OFFICIAL = {"fr": "Page officielle", "en": "Official page"}


def _content(group: Sequence[FeedItem], now: datetime, language: str) -> str:
    """Return the HTML of an entry; lxml escapes it here, and once more as text of the feed."""
    call = group[0].call
    status = status_at(call, now)
    body = etree.Element("div")
    happened = etree.SubElement(body, "ul")
    for item in group:
        etree.SubElement(happened, "li").text = plain(describe(item.news, language))
    said = labelled(f"{STATUS_ON[language]} {day_of(now)}", status.reasons[language], language)
    etree.SubElement(body, "p").text = said
    if status.next_deadline is not None:
        due = labelled(FIELD_NAMES["deadlines"][language], moment(status.next_deadline), language)
        etree.SubElement(body, "p").text = f"{due} {BRUSSELS_TIME[language]}"
    if official := web_address(call.url):
        link = etree.SubElement(etree.SubElement(body, "p"), "a", href=official)
        link.text = _OFFICIAL[language]
    written: str = html.tostring(body, encoding="unicode")
    return written


def _stamp(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _add(parent: _Element, name: str, text: str | None = None, **attributes: str) -> _Element:
    element = etree.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    element.text = None if text is None else plain(text)
    return element

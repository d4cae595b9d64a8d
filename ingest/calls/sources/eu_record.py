"""Makes a record of what any answer of the EU portal states of a call."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from ingest.calls.base import CallRecord
from ingest.calls.sources.eu_terms import (
    CASCADE,
    EXTERNAL,
    GRANT,
    Money,
    action_types_of,
    model_of,
    unique,
)
from ingest.calls.sources.programmes import programme_name
from ingest.calls.sources.texts import mended, page_of_html, page_of_text
from ingest.readers.encoding import squash
from kb.errors import UnreadableError
from kb.model import Call, Link

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from kb.model import Page

FUNDER = "European Commission"
LICENCE = "European Union, reuse under Commission Decision 2011/833/EU"
_PORTAL = "https://ec.europa.eu/info/funding-tenders/opportunities/portal/screen/opportunities"
_PAGES = {GRANT: "topic-details", EXTERNAL: "prospect-details", CASCADE: "competitive-calls-cs"}
_WEB = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Texts:
    """A call's texts as an answer has them: HTML, or bare text where the tags were stripped."""

    description: str = ""
    destination: str = ""
    conditions: str = ""
    support: str = ""
    html: bool = True


@dataclass(frozen=True, slots=True)
class Stated:
    """What an answer states of a call, in its own words but for dates and money."""

    identifier: str
    title: str
    kind: str = GRANT
    page_id: str = ""
    url: str = ""
    call_id: str = ""
    call_title: str = ""
    programme_id: str = ""
    programme: str = ""
    status: str | None = None
    opens: datetime | None = None
    deadlines: tuple[datetime, ...] = ()
    models: tuple[str, ...] = ()
    action_types: tuple[str, ...] = ()
    money: Money = field(default_factory=Money)
    themes: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    texts: Texts = field(default_factory=Texts)


def record_of(stated: Stated, source: str, language: str, checked: datetime) -> CallRecord:
    """Return the record of a call.

    Raises:
        UnreadableError: It has no identifier or no title.
    """
    identifier, title = squash(stated.identifier), squash(mended(stated.title))
    for name, value in (("identifier", identifier), ("title", title)):
        if not value:
            raise UnreadableError(f"field {name!r} is empty")
    model, continuous = model_of(*stated.models)
    url = _url(stated, identifier)
    call = Call(
        identifier=identifier,
        title=title,
        programme=programme_name(stated.programme_id, mended(stated.programme)),
        programme_id=stated.programme_id or None,
        call_id=squash(stated.call_id) or None,
        call_title=squash(mended(stated.call_title)) or None,
        topic_id=identifier,
        action_types=action_types_of(stated.action_types),
        funder=FUNDER,
        opens=stated.opens,
        deadlines=stated.deadlines,
        deadline_model=model,
        rolling=continuous and not stated.deadlines,
        budget=stated.money.budget,
        budget_shared=stated.money.shared,
        grant_min=stated.money.least,
        grant_max=stated.money.most,
        expected_grants=stated.money.grants,
        themes=unique(stated.themes),
        keywords=unique(stated.keywords, without=(identifier, stated.call_id)),
        url=url,
        links=_links((Link("Portal page", url), *stated.links)),
    )
    pages = _pages(stated.texts, call)
    return CallRecord(source, checked, language, call, pages, stated.status, licence=LICENCE)


def _pages(texts: Texts, call: Call) -> tuple[Page, ...]:
    """Return the description, which every call has, then what it shares with others.

    The objectives of its destination, the conditions and the support stand in many calls alike.
    """
    above = call.call_title if call.call_title != call.title else None
    if texts.html:
        description = (f"<p>{escape(above)}</p>" if above else "") + texts.description
    else:
        description = "\n".join(part for part in (above, texts.description) if part)
    make = page_of_html if texts.html else page_of_text
    pages = [make(1, "Description", description, call.title)]
    shared = (
        ("Destination", texts.destination),
        ("Conditions", texts.conditions),
        ("Support", texts.support),
    )
    for label, text in shared:
        page = make(len(pages) + 1, label, text)
        if page.text:
            pages.append(page)
    return tuple(pages)


def _url(stated: Stated, identifier: str) -> str:
    """Return the page for people; an address of the data behind it is none."""
    if stated.url.startswith(_WEB) and not stated.url.endswith(".json"):
        return stated.url
    name = stated.page_id or identifier
    return f"{_PORTAL}/{_PAGES.get(stated.kind, _PAGES[GRANT])}/{quote(name, safe='')}"


def _links(links: Iterable[Link]) -> tuple[Link, ...]:
    """Return links to the web, each address once."""
    kept = {link.url: link for link in reversed(list(links)) if link.url.startswith(_WEB)}
    return tuple(reversed(kept.values()))

"""What tests of pulls have in common."""

from __future__ import annotations

import json
from dataclasses import replace
from email import message_from_string
from typing import TYPE_CHECKING, Any

import httpx
from local_source import EuPortal, LocalSource, Request

from ingest.calls.pulls.eu_portal import Asked
from ingest.calls.pulls.fetch import Pace
from ingest.calls.pulls.portal_api import Window
from ingest.calls.pulls.running import (
    Options,
    Pulled,
    pull_eu_portal,
)
from kb.model import FULL_ACCESS, Call, Document
from kb.record.calls import CallRecords

if TYPE_CHECKING:
    from kb.bootstrap import KnowledgeBase


SEARCH = f"{EuPortal.API}/search"
FACET = f"{EuPortal.API}/facet"
TOPICS = f"{EuPortal.DATA}/topicDetails/"
QUICK = Options(pace=Pace(pause=0, attempts=3, sleep=lambda _: None))


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
    return list(kb.record.list_documents(generation, FULL_ACCESS))


def call(kb: KnowledgeBase, identifier: str) -> Call:
    """What the base knows of a call."""
    generation = kb.record.current_id()
    assert generation is not None
    found = CallRecords(kb.engine).by_identifier(generation, identifier, FULL_ACCESS)
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

"""What clients ask: the gold questions in both languages, and a mix of all that is read."""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx

from evaluation.gold import read_gold
from evaluation.load.clients import Ask

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of twenty requests of the mix so many are of each kind.
_SHARES = {"search": 8, "answers": 3, "calls": 3, "documents": 2, "pages": 3, "missing": 1}
_ROUNDS = 40
_LISTED = 100
_CALLS = (
    "/v1/calls?status=open&status=forthcoming",
    "/v1/calls?country=FR&applicant=association",
    "/v1/calls?query=" + quote("aider des femmes victimes de violences"),
    "/v1/calls?query=" + quote("training for volunteers of social enterprises"),
    "/v1/calls?limit=50",
)


def searches() -> tuple[Ask, ...]:
    """Every gold question as a search."""
    paths = (f"/v1/search?query={quote(question)}" for question in _questions())
    return tuple(Ask("search", path) for path in paths)


def answers() -> tuple[Ask, ...]:
    """Every gold question to be answered."""
    return tuple(Ask("answers", "/v1/answers", {"question": each}) for each in _questions())


def mix(url: str, key: str) -> tuple[Ask, ...]:
    """Searches, answers, calls, documents and their pages of a service, and what isn't there."""
    found = list(_pages(url, key))
    kinds = {
        "search": searches(),
        "answers": answers(),
        "calls": tuple(Ask("calls", path) for path in _CALLS),
        "documents": (
            Ask("documents", f"/v1/documents?limit={_LISTED}", again=True),
            *(Ask("documents", document, again=True) for document, _ in found),
        ),
        "pages": tuple(Ask("pages", page) for _, page in found),
        "missing": (Ask("missing", "/v1/documents/no-such-document", expected=(404,)),),
    }
    return tuple(
        ask
        for kind, share in _SHARES.items()
        for ask in islice(cycle(kinds[kind]), share * _ROUNDS)
    )


def _questions() -> list[str]:
    return [each.question for each in read_gold()]


def _pages(url: str, key: str) -> Iterator[tuple[str, str]]:
    """Addresses of documents that the service lists first, each with that of its last page."""
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        listed = client.get(f"/v1/documents?limit={_LISTED}").raise_for_status().json()
        for each in listed["documents"][:: max(1, len(listed["documents"]) // _ROUNDS)]:
            document = f"/v1/documents/{quote(each['id'], safe='')}"
            count = client.get(document).raise_for_status().json()["page_count"]
            yield document, f"{document}/pages/{max(1, count)}"

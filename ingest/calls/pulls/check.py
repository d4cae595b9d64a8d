"""``--check``: asks a source for a little and compares it with what is known; writes nothing."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ijson  # type: ignore[import-untyped]  # it ships no types

from ingest.calls.pulls import shapes
from ingest.calls.pulls.aides_territoires import AidesTerritoires
from ingest.calls.pulls.eu_bulk import NAME as BULK_NAME
from ingest.calls.pulls.eu_bulk import SOURCE as BULK
from ingest.calls.pulls.fetch import LARGEST_ANSWER, MISSING, Ask
from ingest.calls.pulls.ile_de_france import IleDeFrance
from ingest.calls.pulls.listing import identifier_of
from ingest.calls.pulls.portal_api import PortalApi, Window, checked_page
from ingest.calls.pulls.running import Options, fetcher_of
from ingest.calls.pulls.shape import Difference, DifferenceKind, compare
from ingest.calls.sources import aides_territoires, ile_de_france
from ingest.calls.sources.eu_portal import SOURCE as EU_PORTAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from ingest.calls.pulls.eu_portal import Asked
    from ingest.calls.pulls.fetch import Fetcher
    from kb.settings import Settings

_ROWS = 5
# How much of the bulk file is looked at: some hundred topics.
_BEGINNING = 2 * 1024 * 1024
_OBJECTS = 50


def check_eu_portal(settings: Settings, asked: Asked, options: Options) -> list[Difference]:
    """Compare a small page of the portal's list, its facets, and one topic's details.

    Raises:
        SourceError: The portal can't be asked.
    """
    with fetcher_of(settings, options, EU_PORTAL) as fetcher:
        api = PortalApi(fetcher, settings.eu_portal_api, settings.eu_portal_data)
        window: Window = replace(asked.windows[0], types=("1",))
        page = api.search(window, 1, asked.language, _ROWS)
        found = compare("search", page, shapes.SEARCH)
        found += compare("facet", api.facets(window, asked.language), shapes.FACETS)
        if any(difference.is_fault for difference in found):
            return found  # of such a page no topic can be told
        rows = checked_page(page, settings.eu_portal_api).rows
        for row in rows:
            answer = api.details(identifier_of(row))
            if answer.status != MISSING:
                return found + compare("topicDetails", answer.json(), shapes.TOPIC)
    if not rows:
        found.append(Difference("search", DifferenceKind.MISSING, "results[]", "no row at all"))
    else:
        name = f"none of {len(rows)} topics has them"
        found.append(Difference("topicDetails", DifferenceKind.MISSING, "TopicDetails", name))
    return found


def check_bulk(settings: Settings, options: Options) -> list[Difference]:
    """Compare the beginning of the portal's file of all topics.

    Raises:
        SourceError: It can't be had.
    """
    url = f"{settings.eu_portal_data.rstrip('/')}/referenceData/{BULK_NAME}"
    with fetcher_of(settings, options, BULK) as fetcher:
        ask = Ask(url, headers={"Accept-Encoding": "identity"}, largest=LARGEST_ANSWER)
        beginning = fetcher.exchange(lambda: ask, _beginning_with(fetcher))
    objects = list(_objects(beginning))
    answer: dict[str, Any] = {"fundingData": {"GrantTenderObj": objects}} if objects else {}
    return compare(BULK_NAME, answer, shapes.BULK)


def check_aides_territoires(settings: Settings, options: Options) -> list[Difference]:
    """Compare a page of a few aids.

    Raises:
        UsageError: No token is set.
        SourceError: The service can't be asked, or refuses the token.
    """
    with fetcher_of(settings, options, aides_territoires.SOURCE) as fetcher:
        token = settings.aides_territoires_token.get_secret_value()
        client = AidesTerritoires(fetcher, settings.aides_territoires_api, token)
        return compare("aids", client.page(client.first(_ROWS)), shapes.AIDS)


def check_ile_de_france(settings: Settings, options: Options) -> list[Difference]:
    """Compare a page of a few records.

    Raises:
        SourceError: The service can't be asked.
    """
    with fetcher_of(settings, options, ile_de_france.SOURCE) as fetcher:
        client = IleDeFrance(fetcher, settings.ile_de_france_api)
        return compare("records", client.page(client.at(0, _ROWS)), shapes.REGION)


def _beginning_with(fetcher: Fetcher) -> Callable[[httpx.Response], bytes]:
    def take(response: httpx.Response) -> bytes:
        found = b""
        for piece in fetcher.chunks(response, LARGEST_ANSWER, raw=True):
            found += piece
            if len(found) >= _BEGINNING:
                break
        return found

    return take


def _objects(beginning: bytes) -> Iterator[Any]:
    """The objects that stand whole in the beginning of the file."""
    try:
        for number, item in enumerate(
            ijson.items(io.BytesIO(beginning), "fundingData.GrantTenderObj.item", use_float=True)
        ):
            if number == _OBJECTS:
                return
            yield item
    except ijson.JSONError:
        return  # the beginning ends in the middle of an object

"""What the engine finds by a status, beside what is computed of each call."""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from calls_making import NOW, drawn
from fakes import HashingEncoder
from qdrant_client import QdrantClient

from kb.analysis import passage_terms
from kb.calls.status import status_at
from kb.index.base import Point
from kb.index.edge import EdgeIndex
from kb.index.server import ServerIndex
from kb.model import (
    Call,
    CallFilters,
    CallStatus,
    Document,
    Filters,
    Kind,
    Metadata,
    Passage,
    Span,
    Visibility,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kb.index.base import IndexReader, VectorIndex

# The client's local mode stands in for a server and says that it keeps no payload indexes.
pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect")

ENCODER = HashingEncoder()
OPEN_STATUSES = {CallStatus.OPEN, CallStatus.CLOSING_SOON}


def engine_at(name: str, folder: Path) -> VectorIndex:
    """An empty index of an engine."""
    if name == "edge":
        return EdgeIndex(folder / "index", ENCODER.dimension)
    return ServerIndex(QdrantClient(":memory:"), ENCODER.dimension)


DRAWN = {
    str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))): drawn(random.Random(number), number)  # noqa: S311 -- no secret
    for number in range(160)
}


def point(key: str, call: Call) -> Point:
    """The head of a call, without a record behind it."""
    document = Document(
        id=call.identifier,
        version=1,
        title=call.title,
        kind=Kind.CALL,
        visibility=Visibility.PUBLIC,
        language="en",
        metadata=Metadata(),
        source="test",
        paged=False,
        ingested=NOW,
        call=call,
    )
    spans = (Span(None, None, 1, 0, len(call.title)),)
    passage = Passage(key, call.identifier, 1, 0, call.title, spans, "", "en")
    terms = passage_terms(call.title, "en")
    return Point(passage, document, ENCODER.encode_passages([call.title])[0], terms)


@pytest.fixture(scope="module", params=["edge", "server"])
def drawn_calls(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[IndexReader, list[datetime]]]:
    """An index of the drawn calls, and moments at and about their borders."""
    index = engine_at(request.param, tmp_path_factory.mktemp("drawn"))
    writer = index.writer(1, None)
    writer.add([point(key, call) for key, call in DRAWN.items()])
    writer.finish()
    borders = sorted(
        {moment for call in DRAWN.values() for moment in (call.opens, *call.deadlines) if moment}
    )
    soon = [moment - timedelta(days=30) for moment in borders]
    midnights = [moment.replace(hour=0, minute=0, second=0, microsecond=0) for moment in soon]
    about = [
        moment.replace(microsecond=0) + timedelta(seconds=more)
        for moment in (*borders, *midnights)
        for more in (-1, 0, 0.5, 1)
    ]
    # The client's local mode looks at each point in Python.
    count = 60 if request.param == "edge" else 15
    chance = random.Random(2026)  # noqa: S311 -- no secret
    reader = index.reader(1)
    yield reader, chance.sample(about, count)
    reader.close()


def test_the_engine_finds_by_status_what_is_computed(
    drawn_calls: tuple[IndexReader, list[datetime]],
) -> None:
    """At any moment each status finds exactly the calls of it; open finds those closing soon."""
    reader, moments = drawn_calls
    vector = ENCODER.encode_queries(["ladders"])[0]
    for now in moments:
        computed = {key: status_at(call, now).status for key, call in DRAWN.items()}
        for status in CallStatus:
            filters = Filters(call=CallFilters(now, statuses=(status,)))
            found = {scored.id for scored in reader.dense(vector, filters, len(DRAWN))}
            wanted = OPEN_STATUSES if status is CallStatus.OPEN else {status}
            assert found == {key for key, each in computed.items() if each in wanted}, (
                now,
                status,
            )

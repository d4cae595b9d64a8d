"""Many searches in one request: each finds what it finds alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Base
from fakes import HashingEncoder, TickingClock
from starlette.testclient import TestClient

from api import schemas
from api.app import create_app
from kb.bootstrap import open_knowledge_base
from kb.encoders.onnx import OnnxEncoder
from kb.model import FULL_ACCESS, PUBLIC_ACCESS, Filters, Kind, Search
from kb.search.components import LookUps
from kb.search.engine import ENCODED_AT_ONCE
from kb.settings import Settings
from kb.stopping import Stop, Stopped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from conftest import MakeKb
    from numpy.typing import NDArray

BATCH = "/v1/search/batch"
LETTER = "{kind: policy, issuer: Collectif, published: 2026-01-15, themes: [garantie]}"
NOTE = "{kind: note, visibility: internal}"
COUNT = 12
WORDS = ("garantie", "pertes", "fonds", "communes", "échelle", "guarantee", "losses", "delay")


class Counting(HashingEncoder):
    """Counts how often it is asked for vectors of queries."""

    calls = 0

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Count and encode."""
        self.calls += 1
        return super().encode_queries(texts)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    """Documents in two languages, some of them internal."""
    folder = tmp_path_factory.mktemp("batch")
    values: dict[str, Any] = {"home": folder / "home", "workers": 1, "rate_anonymous": 100_000}
    kb = open_knowledge_base(Settings(**values), clock=TickingClock(), encoder=Counting())
    made = Base(kb, folder / "files")
    letters = [f"  lettre-{number}.md: {LETTER}" for number in range(COUNT)]
    notes = [f"  note-{number}.md: {NOTE}" for number in range(COUNT)]
    (folder / "files" / "metadata.yaml").write_text("\n".join(["files:", *letters, *notes]))
    for number in range(COUNT):
        of, to = WORDS[number % 8], WORDS[(number + 3) % 8]
        made.write(
            f"lettre-{number}.md",
            f"# Lettre {number}",
            f"La {of} de {number} communes couvre le fonds des pertes de la {to}.",
            f"# Delay {number}",
            f"The {to} of {number} days is a delay of the guarantee against losses.",
        )
        made.write(f"note-{number}.md", f"# Note {number}", f"La garantie secrète {number}.")
    assert made.ingest().exit_code == 0
    yield made
    kb.close()


@pytest.fixture
def client(base: Base) -> Iterator[TestClient]:
    """An anonymous caller."""
    with TestClient(create_app(base.kb)) as opened:
        yield opened


def _queries() -> list[dict[str, Any]]:
    """Queries of many kinds, some of them more than once."""
    narrowed: list[dict[str, Any]] = [
        {},
        {"top_k": 1},
        {"top_k": 100},
        {"language": "en"},
        {"kind": "policy", "since": "2026-01-01"},
        {"issuer": "nobody"},
        {"theme": "garantie", "top_k": 3},
    ]
    return [
        {"query": f"{one} {other}", **narrowed[number % len(narrowed)]}
        for number, (one, other) in enumerate((a, b) for a in WORDS for b in WORDS[::2])
    ]


def _batch(client: TestClient, queries: Sequence[dict[str, Any]]) -> list[Any]:
    response = client.post(BATCH, json={"queries": queries})
    assert response.status_code == 200, response.text
    if not any("fields" in query for query in queries):
        schemas.BatchResult.model_validate_json(response.content)
    assert response.json()["took_ms"] > 0
    results: list[Any] = response.json()["results"]
    return results


def _untimed(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name != "took_ms"}


def test_each_finds_what_it_finds_alone(client: TestClient) -> None:
    """To the last digit and in order, whatever it is asked with."""
    queries = _queries()
    alone = [client.get("/v1/search", params=query).json() for query in queries]
    together = _batch(client, queries)
    assert [_untimed(each) for each in together] == [_untimed(each) for each in alone]
    assert sum(bool(each["hits"]) for each in together) > len(queries) / 2
    assert [_untimed(each) for each in _batch(client, queries[::-1])] == [
        _untimed(each) for each in alone[::-1]
    ]


def test_the_default_encoder_makes_the_very_same_vectors_of_a_batch() -> None:
    """Not a bit of a query's vector depends on what it is encoded with."""
    encoder = OnnxEncoder()
    queries = [query["query"] for query in _queries()]
    together = encoder.encode_queries(queries)
    for query, vector in zip(queries, together, strict=True):
        assert (encoder.encode_queries([query])[0] == vector).all()


def test_vectors_are_made_together(base: Base, client: TestClient) -> None:
    """The encoder is asked a few times, and not for each."""
    encoder = base.kb.encoder
    assert isinstance(encoder, Counting)
    queries = _queries()
    before = encoder.calls, encoder.queries_seen
    _batch(client, queries)
    assert encoder.calls - before[0] == math.ceil(len(queries) / ENCODED_AT_ONCE)
    assert encoder.queries_seen - before[1] == len(queries)


def test_a_query_that_is_not_understood_spoils_no_other(client: TestClient) -> None:
    """It has its problem in its place: one of blanks, one that wants unknown fields."""
    good = {"query": "garantie"}
    results = _batch(
        client, [good, {"query": "  "}, {**good, "fields": "hits.title"}, {**good, "fields": "no"}]
    )
    schemas.SearchResult.model_validate(results[0])
    for problem, word in ((results[1], "empty"), (results[3], "no")):
        assert schemas.Problem.model_validate(problem).status == 422
        assert problem["type"] == "/problems/request-not-understood"
        assert problem["instance"] == BATCH
        assert word in problem["detail"]
    assert results[2] == {"hits": [{"title": hit["title"]} for hit in results[0]["hits"]]}


@pytest.mark.parametrize(
    ("queries", "field"),
    [
        ([], "queries"),
        ([{"query": "a"}] * 101, "queries"),
        ([{"query": "a"}] * 3 + [{"query": "a", "top_k": 101}], "queries.3.top_k"),
        ([{"query": "a"}, {}], "queries.1.query"),
        ([{"query": "a"}, "b"], "queries.1"),
        ("a", "queries"),
    ],
)
def test_a_batch_of_the_wrong_shape_is_refused(
    client: TestClient, queries: Any, field: str
) -> None:
    """The field is named with the place of its query."""
    refused = client.post(BATCH, json={"queries": queries})
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == [field]


def test_nobody_finds_in_a_batch_what_they_may_not_see(base: Base, client: TestClient) -> None:
    """Also where somebody else has looked it up."""
    secret = {"query": "garantie secrète", "top_k": 100}
    for result in _batch(client, [secret, secret]):
        assert not [hit for hit in result["hits"] if hit["kind"] == "note"]
    hits = base.kb.search.search("garantie secrète", Filters(FULL_ACCESS), 100).hits
    secrets = [hit.passage.id for hit in hits if hit.document.kind is Kind.NOTE]
    assert secrets
    look_ups = LookUps(base.kb.record, base.kb.record.current_id() or 0)
    assert look_ups.found(secrets, FULL_ACCESS).keys() == set(secrets)
    assert not look_ups.found(secrets, PUBLIC_ACCESS)


@pytest.fixture
def visitor(make_kb: MakeKb) -> Iterator[TestClient]:
    """An anonymous caller of a service over an empty base, with its usual limits."""
    with TestClient(create_app(make_kb(rate_anonymous=60))) as opened:
        yield opened


def test_an_empty_base_is_told_of_as_a_whole(visitor: TestClient) -> None:
    """It is no matter of one query."""
    response = visitor.post(BATCH, json={"queries": [{"query": "a"}]})
    assert (response.status_code, response.json()["type"]) == (503, "/problems/nothing-ingested")


def test_a_batch_costs_as_much_as_its_searches_would(visitor: TestClient) -> None:
    """Who may ask thirty times at once may ask one of 28, and not another of thirty."""
    first, second = (
        visitor.post(BATCH, json={"queries": [{"query": "a"}] * count}) for count in (28, 30)
    )
    assert [first.status_code, second.status_code] == [503, 429]
    assert int(second.headers["Retry-After"]) > 0


class Told(Stop):
    """Is told to stop at its ``last`` checkpoint."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.left = last

    def check(self) -> None:
        """Count down."""
        self.left -= 1
        if self.left == 0:
            self.tell()
        super().check()


def test_a_batch_can_stop_while_it_encodes_and_between_its_searches(base: Base) -> None:
    """It holds nothing then."""
    searches = [Search(query["query"], Filters()) for query in _queries()]
    for last in (1, 20, 60):
        with pytest.raises(Stopped):
            base.kb.search.search_batch(searches, Told(last))
    with base.kb.generations.current() as view:
        assert view.users == 1

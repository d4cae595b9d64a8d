"""Answers as they are found, over real HTTP; a client that leaves stops the work for it."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from conftest import Base
from fakes import HashingEncoder, TickingClock
from starlette.testclient import TestClient

from api import schemas, streaming
from api.app import create_app
from kb.bootstrap import open_knowledge_base
from kb.encoders.cross import CrossEncoder
from kb.encoders.shipped import Shipped
from kb.errors import StoreError
from kb.model import Filters
from kb.search.engine import Ranking, SearchEngine, SearchResult
from kb.settings import Settings
from kb.stopping import NEVER, Stop, Stopped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from pydantic import BaseModel
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from kb.encoders.cross import Stated

TIMEOUT = 60.0
EVENTS = {"Accept": "text/event-stream"}
QUESTION = "Que couvre la garantie ?"
OFF_TOPIC = "How tall is the Eiffel tower?"
RANKING = Ranking(candidate_k=100, dense_weight=0.8, per_document=3)
MODELS: dict[str, type[BaseModel]] = {
    "sources": schemas.SearchResult,
    "sentence": schemas.SentenceEvent,
    "end": schemas.EndEvent,
    "error": schemas.Problem,
}


@pytest.fixture(scope="module")
def whole_base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    """More sentences on one subject than are read for an answer."""
    folder = tmp_path_factory.mktemp("streaming")
    values: dict[str, Any] = {"home": folder / "home", "workers": 1, "rate_anonymous": 100_000}
    kb = open_knowledge_base(Settings(**values), clock=TickingClock(), encoder=HashingEncoder())
    made = Base(kb, folder / "files")
    sentences = [f"La garantie {n} couvre {n} % des pertes du fonds {n}." for n in range(2, 80)]
    for number in range(6):
        part = sentences[number * 13 : (number + 1) * 13]
        made.write(f"garantie-{number}.md", f"# Garantie {number}", *part)
    assert made.ingest().exit_code == 0
    yield made
    kb.close()


@pytest.fixture
def filled(whole_base: Base) -> Iterator[Base]:
    """That base with the product's own engine."""
    vars(whole_base.kb).pop("search", None)
    yield whole_base
    vars(whole_base.kb).pop("search", None)


def _read_with(base: Base, reader: CrossEncoder) -> None:
    """Have answers of a base read by another reader."""
    kb = base.kb
    vars(kb)["search"] = SearchEngine(kb.record, kb.generations, kb.encoder, RANKING, reader)


class Gated(CrossEncoder):
    """Reads once it may; ``waiting`` says that it would."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = threading.Event()
        self.open = threading.Event()
        self.open.set()

    def score(
        self, question: str, stated: Sequence[Stated], stop: Stop = NEVER
    ) -> NDArray[np.float32]:
        """Score, when the gate is open."""
        self.waiting.set()
        assert self.open.wait(TIMEOUT)
        return super().score(question, stated, stop)


class Broken(CrossEncoder):
    """Fails where a question is about failing."""

    def score(
        self, question: str, stated: Sequence[Stated], stop: Stop = NEVER
    ) -> NDArray[np.float32]:
        """Score or fail."""
        if "couvre" in question:
            raise StoreError("/srv/models/cross-encoder.onnx can't be used.")
        if "fonds" in question:
            raise RuntimeError("Boom in /srv")
        return super().score(question, stated, stop)


def _events(text: str) -> list[tuple[str, Any]]:
    """The events of a stream, each of the shape that is documented; comments are left out."""
    assert text.endswith("\n\n")
    events = []
    for block in text.removesuffix("\n\n").split("\n\n"):
        lines = [line for line in block.split("\n") if not line.startswith(":")]
        if lines:
            name, data = lines
            kind = name.removeprefix("event: ")
            MODELS[kind].model_validate_json(data.removeprefix("data: "))
            events.append((kind, json.loads(data.removeprefix("data: "))))
    return events


def _rebuilt(events: list[tuple[str, Any]]) -> dict[str, Any]:
    """The answer that the events tell."""
    (_, sources), *sentences, (_, end) = events
    citations = [each for _, sentence in sentences for each in sentence.pop("introduces")]
    timings = end.pop("timings")
    end.pop("request_id")
    assert timings["retrieval_ms"] == sources["took_ms"]
    assert timings["reading_ms"] == pytest.approx(
        timings["total_ms"] - timings["retrieval_ms"], abs=0.11
    )
    return {
        "question": sources["query"],
        "language": sources["language"],
        "took_ms": timings["total_ms"],
        **end,
        "sentences": [sentence for _, sentence in sentences],
        "citations": sorted(citations, key=lambda citation: citation["number"]),
    }


@pytest.mark.parametrize("question", [QUESTION, OFF_TOPIC])
def test_the_events_together_are_the_answer_in_json(filled: Base, question: str) -> None:
    """Sources, sentences each with the citations that are new, the end."""
    with TestClient(create_app(filled.kb)) as client:
        streamed = client.post("/v1/answers", json={"question": question}, headers=EVENTS)
        whole = client.post("/v1/answers", json={"question": question}).json()
    assert streamed.status_code == 200
    events = _events(streamed.text)
    kinds = [kind for kind, _ in events]
    assert kinds == ["sources", *["sentence"] * len(whole["sentences"]), "end"]
    assert bool(whole["sentences"]) == (question == QUESTION)
    assert events[-1][1]["request_id"] == streamed.headers.get("X-Request-ID")
    known: set[int] = set()
    for _, sentence in events[1:-1]:
        known |= {citation["number"] for citation in sentence["introduces"]}
        assert {*sentence["citations"], *sentence["also"]} <= known
    rebuilt = _rebuilt(events)
    assert rebuilt.pop("took_ms") > 0
    assert whole.pop("took_ms") > 0
    assert rebuilt == whole


def test_sources_are_the_best_ten_passages_that_are_searched_for_the_answer(filled: Base) -> None:
    """As a search shows them, whatever it would show of one document."""
    with TestClient(create_app(filled.kb)) as client:
        text = client.post("/v1/answers", json={"question": QUESTION}, headers=EVENTS).text
        found = client.get("/v1/search", params={"query": QUESTION}).json()
    kind, sources = _events(text)[0]
    assert kind == "sources"
    assert [hit["rank"] for hit in sources["hits"]] == [*range(1, len(sources["hits"]) + 1)]
    assert len(sources["hits"]) <= 10
    assert sources["hits"][0] == found["hits"][0]


def test_a_stream_is_neither_kept_nor_compressed(filled: Base) -> None:
    """Nor held back by a proxy in front."""
    accept = {**EVENTS, "Accept-Encoding": "gzip"}
    with TestClient(create_app(filled.kb)) as client:
        headers = client.post("/v1/answers", json={"question": QUESTION}, headers=accept).headers
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-store"
    assert headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in headers


def test_who_accepts_neither_form_is_told_so(filled: Base) -> None:
    """With 406 and a problem, before anything is worked on."""
    with TestClient(create_app(filled.kb)) as client:
        refused = client.post(
            "/v1/answers", json={"question": QUESTION}, headers={"Accept": "text/html"}
        )
    assert refused.status_code == 406
    assert refused.headers["content-type"] == "application/problem+json"
    assert schemas.Problem.model_validate_json(refused.content).type == "/problems/not-acceptable"


def test_what_goes_wrong_before_the_first_event_has_its_status(base: Base) -> None:
    """An empty base, an empty question, a field that is wrong: problems, as for JSON."""
    with TestClient(create_app(base.kb)) as client:
        empty = client.post("/v1/answers", json={"question": "a"}, headers=EVENTS)
        base.write("a.md", "# A", "La garantie couvre la moitié.")
        base.ingest()
        blank = client.post("/v1/answers", json={"question": "  "}, headers=EVENTS)
        wrong = client.post("/v1/answers", json={"question": "a", "kind": "b"}, headers=EVENTS)
    for response, status in ((empty, 503), (blank, 422), (wrong, 422)):
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
    assert empty.json()["type"] == "/problems/nothing-ingested"


@pytest.mark.parametrize(
    ("question", "status", "kind"),
    [
        (QUESTION, 503, "/problems/store-not-available"),
        ("Que prête le fonds ?", 500, "/problems/internal-error"),
    ],
)
def test_what_goes_wrong_in_the_middle_is_told_as_the_last_event(
    filled: Base, question: str, status: int, kind: str
) -> None:
    """A problem that says nothing of the inside; in JSON it is the whole response."""
    with TestClient(create_app(filled.kb), raise_server_exceptions=False) as client:
        _read_with(filled, Broken())
        streamed = client.post("/v1/answers", json={"question": question}, headers=EVENTS)
        whole = client.post("/v1/answers", json={"question": question})
    assert streamed.status_code == 200
    (first, _), (last, problem) = _events(streamed.text)
    assert (first, last) == ("sources", "error")
    assert (problem["status"], problem["type"]) == (status, kind)
    assert "/srv" not in streamed.text
    assert whole.status_code == status
    assert whole.json()["type"] == kind


def test_a_step_that_fails_raises_its_own_error(filled: Base) -> None:
    """And not Haystack's, which nobody could tell from a flaw."""
    _read_with(filled, Broken())
    with pytest.raises(StoreError, match="cross-encoder"):
        filled.kb.search.answer(QUESTION, Filters())


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


def test_work_can_stop_before_each_step_and_holds_nothing_then(filled: Base) -> None:
    """Every checkpoint on the way leaves the engine as it was."""
    never = Told(0)
    whole = filled.kb.search.answer(QUESTION, Filters(), never)
    passed = -never.left
    assert passed > 40, "seven steps, and the sentences that are read"
    told: list[SearchResult] = []
    for last in (1, *range(2, 9), passed):
        told.clear()
        with pytest.raises(Stopped):
            filled.kb.search.answer(QUESTION, Filters(), Told(last), told.append)
        assert last > 1 or not told
    assert told, "at the last checkpoint the sources are known"
    with filled.kb.generations.current() as view:
        assert view.users == 1, "nobody else holds the index"
    assert filled.kb.search.answer(QUESTION, Filters()) == whole


class Noticing:
    """An application around the service: says when it heard that a client left, and was done."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.left = threading.Event()
        self.done = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def heard() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.set()
            return message

        await self._app(scope, heard, send)
        if scope["type"] == "http":
            self.done.set()


@contextmanager
def _served(app: ASGIApp) -> Iterator[int]:
    """Serve an application with uvicorn; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            deadline = time.monotonic() + TIMEOUT
            while not server.started:
                assert thread.is_alive()
                assert time.monotonic() < deadline
                time.sleep(0.01)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(TIMEOUT)


def _ask(port: int, accept: str) -> socket.socket:
    """Ask a question over a socket of one's own."""
    body = json.dumps({"question": QUESTION}).encode()
    head = (
        f"POST /v1/answers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Accept: {accept}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    client = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    client.sendall(head.encode() + body)
    return client


def test_sources_arrive_while_the_answer_is_still_looked_for(
    filled: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing on the way holds them back; a comment now and then shows that it is alive."""
    monkeypatch.setattr(streaming, "HEARTBEAT_SECONDS", 0.05)
    gated = Gated()
    with _served(create_app(filled.kb)) as port:
        _read_with(filled, gated)
        gated.open.clear()
        url = f"http://127.0.0.1:{port}/v1/answers"
        with (
            httpx.Client(trust_env=False, timeout=TIMEOUT) as client,
            client.stream("POST", url, json={"question": QUESTION}, headers=EVENTS) as response,
        ):
            pieces = response.iter_text()
            text = next(pieces)
            while text.count(": ") < 4:  # the event's name, its data, two heartbeats
                text += next(pieces)
            assert text.startswith("event: sources\ndata: ")
            assert "event: sentence" not in text
            gated.open.set()
            text += "".join(pieces)
    assert text.count("\n\n: still at it\n\n") >= 1
    assert [kind for kind, _ in _events(text)][-1] == "end"


class Slow(Shipped):
    """Models that stop at their fourth text until the client has left, and count all of them."""

    def __init__(self, noticing: Noticing) -> None:
        super().__init__()
        self._noticing = noticing
        self._counting = threading.Lock()
        self.texts = 0
        self.begun = threading.Event()

    def _vectors(self, ids: Sequence[int]) -> NDArray[np.float32]:
        with self._counting:
            self.texts += 1
            number = self.texts
        if number >= 4:
            self.begun.set()
            assert self._noticing.left.wait(TIMEOUT)
            time.sleep(0.1)  # the service hears it at the same moment
        return super()._vectors(ids)


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_client_that_leaves_stops_the_work(filled: Base, accept: str) -> None:
    """Few of the 40 sentences are read afterwards, and none once the request is over."""
    noticing = Noticing(create_app(filled.kb))
    slow = Slow(noticing)
    with _served(noticing) as port:
        _read_with(filled, CrossEncoder(slow))
        client = _ask(port, accept)
        assert slow.begun.wait(TIMEOUT)
        if accept == "text/event-stream":
            assert b"event: sources" in client.recv(65536)
        before = slow.texts
        client.close()
        assert noticing.done.wait(TIMEOUT)
        after = slow.texts
        assert after - before < 20
        with filled.kb.generations.current() as view:
            assert view.users == 1, "the index is not held any more"
        time.sleep(0.3)
        assert slow.texts == after


def test_work_for_who_stays_is_done_to_its_end(filled: Base) -> None:
    """Others beside a client that leaves get their answers."""
    noticing = Noticing(create_app(filled.kb))
    slow = Slow(noticing)
    with _served(noticing) as port:
        _read_with(filled, CrossEncoder(slow))
        leaving = _ask(port, "text/event-stream")
        assert slow.begun.wait(TIMEOUT)
        with _ask(port, "application/json") as staying:
            leaving.close()
            answer = staying.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200")

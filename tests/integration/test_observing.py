"""What the service tells of the requests that it answers: ids, lines in the log, figures."""

from __future__ import annotations

import io
import json
import logging
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Base
from fakes import HashingEncoder, TickingClock
from starlette.testclient import TestClient

from api.access import EVERYONE
from api.app import create_app
from api.logs import Discreet, JsonLines
from api.metrics import metrics
from api.schemas import Problem
from kb.bootstrap import open_knowledge_base
from kb.keys import KeyRole, NewKey
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUESTION = "Que couvre la garantie de Mme Dupont ?"
STATUSES = ("answered", "insufficient_evidence")
HERE = "http://127.0.0.1:8000"


class Log(logging.Handler):
    """Keeps the lines that the service would write."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = io.StringIO()
        self.setFormatter(JsonLines())
        self.addFilter(Discreet())

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.stream.write(self.format(record) + "\n")

    @property
    def text(self) -> str:
        """All of it."""
        return self.stream.getvalue()

    def requests(self) -> list[dict[str, Any]]:
        """The lines about requests."""
        lines = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in lines if line["logger"] == "api.requests"]


@pytest.fixture
def log() -> Iterator[Log]:
    """What is logged from now on, by whomever."""
    handler, root, requests = Log(), logging.getLogger(), logging.getLogger("api")
    level = requests.level
    root.addHandler(handler)
    requests.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    requests.setLevel(level)


def opened(folder: Path) -> Base:
    """A base of one document."""
    values: dict[str, Any] = {"home": folder / "home", "workers": 1, "rate_anonymous": 100_000}
    kb = open_knowledge_base(Settings(**values), clock=TickingClock(), encoder=HashingEncoder())
    made = Base(kb, folder / "files")
    made.write("garantie.md", "# Garantie", "La garantie couvre la moitié des pertes.")
    assert made.ingest().exit_code == 0
    return made


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    """One for all tests here."""
    made = opened(tmp_path_factory.mktemp("observing"))
    yield made
    made.kb.close()


@pytest.fixture(scope="module")
def staff(base: Base) -> dict[str, str]:
    """The headers of staff."""
    _, token = base.kb.keys.create(NewKey("office", KeyRole.STAFF), base.kb.clock())
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def client(base: Base) -> Iterator[TestClient]:
    """Someone on another machine, of a service with routes that fail."""
    app = create_app(base.kb)

    @app.get("/fail/route", dependencies=[EVERYONE])
    async def fail(q: str) -> None:
        raise RuntimeError(f"Can't read {q}")

    @app.get("/fail/engine", dependencies=[EVERYONE])
    def engine(q: str) -> None:
        base.kb.search.search(q, _Unfit())  # type: ignore[arg-type]

    with TestClient(app, client=("203.0.113.9", 50000), raise_server_exceptions=False) as caller:
        yield caller


class _Unfit:
    """Filters that have the query path fail with the question in its message."""

    def __getattr__(self, name: str) -> Any:
        raise ValueError(f"There is no {name} to narrow {QUESTION!r}")


def total(name: str, **labels: str) -> float:
    """What this process has counted so far."""
    return metrics().registry.get_sample_value(name, labels) or 0.0


def test_every_response_names_its_request(client: TestClient) -> None:
    """In the header, and in a problem, which people send on."""
    seen = set()
    for path in ("/healthz", "/nowhere", "/v1/search", "/static/docs.js", "/fail/route?q=a"):
        response = client.get(path)
        name = response.headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{32}", name)
        seen.add(name)
        if response.status_code >= 400:
            assert Problem.model_validate(response.json()).request_id == name
    assert len(seen) == 5


@pytest.mark.parametrize("given", ["trace-1.2_3", "a" * 64, "12345678"])
def test_the_name_that_a_client_gives_is_kept(client: TestClient, given: str) -> None:
    """So that a partner finds its own requests again."""
    response = client.get("/nowhere", headers={"X-Request-ID": given})
    assert response.headers["x-request-id"] == response.json()["request_id"] == given


@pytest.mark.parametrize(
    "given", ["short", "a" * 65, "with space 1", "line\tbreak1", "<script>1", ""]
)
def test_another_name_is_replaced(client: TestClient, given: str) -> None:
    """What could be mistaken for something else is not written anywhere."""
    response = client.get("/nowhere", headers={"X-Request-ID": given})
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["x-request-id"])


def test_a_request_is_one_line_with_the_template_of_its_address(
    client: TestClient, base: Base, staff: dict[str, str], log: Log
) -> None:
    """The line has method, route, status, time, door, role, bytes and id, and nothing else."""
    document = base.id_of("garantie.md")
    answered = client.get(f"/v1/documents/{document}", headers=staff)
    [line] = log.requests()
    assert line.pop("milliseconds") >= 0
    line.pop("time")
    assert line == {
        "level": "INFO",
        "logger": "api.requests",
        "message": "GET /v1/documents/{document_id} 200",
        "method": "GET",
        "route": "/v1/documents/{document_id}",
        "status": 200,
        "bytes": len(answered.content),
        "door": "http",
        "role": "staff",
        "request_id": answered.headers["x-request-id"],
    }


@pytest.mark.parametrize(
    "asked",
    [
        ("GET", f"/v1/search?query={QUESTION}", "/v1/search", 200),
        ("GET", "/v1/feeds/oms_secret/calls.ics", "/v1/feeds/{secret}/calls.{form}", 404),
        ("DELETE", "/v1/searches/oms_secret", "/v1/searches/{secret}", 404),
        ("GET", "/v1/unsubscribe/oms_secret", "/v1/unsubscribe/{token}", 200),
        ("GET", "/oms_secret/anything", "unmatched", 404),
        ("PUT", "/v1/search", "/v1/search", 405),
        ("BREW", "/v1/search", "/v1/search", 405),
        ("GET", "/static/docs.js", "/static/{path}", 200),
    ],
)
def test_addresses_and_questions_are_not_written(
    client: TestClient, log: Log, asked: tuple[str, str, str, int]
) -> None:
    """Only the template; an address that nobody has is one word, whatever it holds."""
    method, path, route, status = asked
    client.request(method, path, headers={"Cookie": "kb=oms_secret"})
    [line] = log.requests()
    assert (line["route"], line["status"]) == (route, status)
    assert line["method"] == (method if method != "BREW" else "other")
    assert "oms_secret" not in log.text
    assert "Dupont" not in log.text
    assert "203.0.113.9" not in log.text


def test_keys_are_not_written(client: TestClient, log: Log) -> None:
    """A key that is not accepted may be one with a slip of the pen."""
    given = {"Authorization": "Bearer omk_almost"}
    assert client.get("/v1/search?query=garantie", headers=given).status_code == 401
    [line] = log.requests()
    assert (line["route"], line["status"]) == ("/v1/search", 401)
    assert "omk_almost" not in log.text


def test_bodies_are_not_written(client: TestClient, log: Log) -> None:
    """A question of an answer, and one that can't be understood."""
    assert client.post("/v1/answers", json={"question": QUESTION}).status_code == 200
    assert client.post("/v1/answers", json={"question": QUESTION * 99}).status_code == 422
    assert client.post("/v1/answers", json={QUESTION: 1}).status_code == 422
    assert len(log.requests()) == 3
    assert "Dupont" not in log.text


@pytest.mark.parametrize("path", ["/fail/route", "/fail/engine"])
def test_an_unexpected_error_is_logged_without_what_was_asked(
    client: TestClient, log: Log, path: str
) -> None:
    """A route or an engine that names the question in its message: the log does not."""
    response = client.get(path, params={"q": QUESTION}, headers={"X-Request-ID": "failing-1"})
    problem = Problem.model_validate(response.json())
    assert (response.status_code, problem.request_id) == (500, "failing-1")
    # Handed on, and then logged by the server.
    with pytest.raises(Exception, match="Dupont") as raised:
        TestClient(client.app).get(path, params={"q": QUESTION})
    logging.getLogger("uvicorn.error").error("Exception in ASGI", exc_info=raised.value)
    assert "test_observing.py" in log.text
    assert "Error" in log.text
    assert "Dupont" not in log.text
    [line, *_] = log.requests()
    assert (line["status"], line["request_id"], line["problem"]) == (
        500,
        "failing-1",
        "internal-error",
    )


def test_requests_are_counted_by_route_method_and_status(client: TestClient) -> None:
    """With their time, and problems by their type."""
    labels = {"route": "/v1/documents/{document_id}", "method": "GET"}
    before = total("kb_requests_total", **labels, status="404")
    timed = total("kb_request_seconds_count", **labels)
    missing = total("kb_problems_total", type="not-found")
    for name in ("a", "b"):
        client.get(f"/v1/documents/{name}")
    assert total("kb_requests_total", **labels, status="404") == before + 2
    assert total("kb_request_seconds_count", **labels) == timed + 2
    assert total("kb_problems_total", type="not-found") == missing + 2
    assert total("kb_requests_in_flight") == 0


def test_a_process_that_makes_many_services_counts_for_all(base: Base) -> None:
    """Figures belong to the process, so that nothing is registered twice."""
    with TestClient(create_app(base.kb)) as one, TestClient(create_app(base.kb)) as other:
        before = total("kb_requests_total", route="/healthz", method="GET", status="200")
        one.get("/healthz")
        other.get("/healthz")
        after = total("kb_requests_total", route="/healthz", method="GET", status="200")
    assert after == before + 2


def test_answers_are_counted_by_their_status(client: TestClient) -> None:
    """How often the documents do not suffice is what to look at first."""
    for question in ("Que couvre la garantie ?", "Qui chante à Brest ?"):
        before = {status: total("kb_answers_total", status=status) for status in STATUSES}
        status = client.post("/v1/answers", json={"question": question}).json()["status"]
        after = {status: total("kb_answers_total", status=status) for status in STATUSES}
        assert after == {**before, status: before[status] + 1}


def test_switches_of_the_index_are_counted(client: TestClient, base: Base) -> None:
    """Once each, when it is first asked after a run was published."""
    client.get("/v1/search", params={"query": "garantie"})
    before = total("kb_generation_switches_total")
    base.write("plafond.md", "Le plafond est de trois cent mille euros.")
    base.ingest()
    for _ in range(2):
        client.get("/v1/search", params={"query": "plafond"})
    assert total("kb_generation_switches_total") == before + 1


def test_metrics_show_what_is_counted_and_held(
    client: TestClient, base: Base, staff: dict[str, str]
) -> None:
    """In Prometheus' format, for staff."""
    client.get("/healthz")
    held = base.kb.record.current()
    assert held is not None
    response = client.get("/metrics", headers=staff)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in (
        'kb_requests_total{method="GET",route="/healthz",status="200"}',
        "kb_queue_waiting ",
        f"kb_generation {base.kb.record.current_id()}.0",
        f"kb_documents {held.documents}.0",
        f"kb_passages {held.passages}.0",
    ):
        assert f"\n{line}" in response.text
    memory = re.search(r"^kb_memory_bytes (\S+)$", response.text, re.MULTILINE)
    assert memory is None or float(memory[1]) > 1_000_000


def test_metrics_are_shown_while_the_base_can_not_be_read(tmp_path: Path) -> None:
    """They are wanted most then."""
    base = opened(tmp_path)
    with TestClient(create_app(base.kb), base_url=HERE, client=("127.0.0.1", 1)) as client:
        base.kb.generations.close()
        shutil.rmtree(base.kb.settings.index_folder)
        response = client.get("/metrics")
    base.kb.close()
    assert response.status_code == 200
    assert "kb_requests_in_flight 1.0" in response.text
    assert "kb_passages" not in response.text


def _metrics(app: Any, address: str = "127.0.0.1", base_url: str = HERE, **headers: str) -> int:
    client = TestClient(app, base_url=base_url, client=(address, 50000))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get("/metrics", headers=named).status_code


def test_metrics_are_for_this_machine(client: TestClient) -> None:
    """By any of its names for itself."""
    app = client.app
    assert _metrics(app) == 200
    assert _metrics(app, "::1", "http://[::1]:8000") == 200
    assert _metrics(app, base_url="http://localhost:8000") == 200


@pytest.mark.parametrize(
    ("address", "base_url", "headers"),
    [
        ("203.0.113.9", HERE, {}),
        ("10.0.0.1", HERE, {}),
        ("127.0.0.1", HERE, {"X_Forwarded_For": "203.0.113.9"}),
        ("127.0.0.1", HERE, {"X_Forwarded_For": "127.0.0.1"}),
        ("127.0.0.1", HERE, {"X_Forwarded_Proto": "https"}),
        ("127.0.0.1", HERE, {"Forwarded": "for=203.0.113.9"}),
        ("127.0.0.1", HERE, {"X_Real_IP": "203.0.113.9"}),
        ("127.0.0.1", HERE, {"Via": "1.1 proxy"}),
        ("127.0.0.1", "http://kb.example.org", {}),
        ("127.0.0.1", "http://localhost.example.org", {}),
        ("testclient", HERE, {}),
    ],
)
def test_metrics_are_not_there_for_others(
    client: TestClient, address: str, base_url: str, headers: dict[str, str]
) -> None:
    """Nor for what a proxy on this machine passes on, nor for a page in a browser on it."""
    assert _metrics(client.app, address, base_url, **headers) == 404


def test_what_is_not_there_looks_like_any_address_without_a_page(client: TestClient) -> None:
    """The same words, and the partner's key changes nothing."""
    hidden, nowhere = client.get("/metrics").json(), client.get("/nothing").json()
    for problem in (hidden, nowhere):
        del problem["instance"], problem["request_id"]
    assert hidden == nowhere

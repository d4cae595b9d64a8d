"""Traces that a collector receives: which step took how long, and nothing of what was asked."""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from conftest import EVERYTHING, Base
from fakes import HashingEncoder
from haystack.tracing.tracer import is_tracing_enabled, tracer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from starlette.testclient import TestClient

from api.access import EVERYONE
from api.app import create_app
from api.serving import check_settings
from kb.bootstrap import open_knowledge_base
from kb.errors import UsageError
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kb.bootstrap import KnowledgeBase

QUESTION = "Que couvre la garantie de Mme Dupont ?"
TEXT = "La garantie couvre la moitié des pertes."


class Collector:
    """An OpenTelemetry collector that keeps what it is sent."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.paths: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.paths.add(self.path)
                length = int(self.headers["Content-Length"])
                collector.bodies.append(self.rfile.read(length))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Receive no more."""
        self._server.shutdown()
        self._server.server_close()

    @property
    def spans(self) -> list[Span]:
        """Every span that came."""
        sent = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        scopes = [each for one in sent for part in one.resource_spans for each in part.scope_spans]
        return [span for scope in scopes for span in scope.spans]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector on this machine."""
    running = Collector()
    yield running
    running.close()


@pytest.fixture
def kb(collector: Collector, tmp_path: Path) -> Iterator[KnowledgeBase]:
    """A base of one document whose traces go to the collector."""
    values: dict[str, Any] = {
        "home": tmp_path / "home",
        "workers": 1,
        "otlp_endpoint": f"{collector.url}/",
    }
    opened = open_knowledge_base(Settings(**values), encoder=HashingEncoder())
    base = Base(opened, tmp_path / "files")
    base.write("garantie.md", TEXT)
    assert base.ingest().exit_code == 0
    yield opened
    opened.close()


def _attributes(span: Span) -> dict[str, str]:
    return {
        each.key: each.value.string_value or str(each.value.int_value) for each in span.attributes
    }


def test_the_steps_of_a_request_arrive_without_what_was_asked(
    kb: KnowledgeBase, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where Haystack's environment asks for contents."""
    monkeypatch.setattr(tracer, "is_content_tracing_enabled", True)
    with TestClient(create_app(kb), client=("203.0.113.9", 1)) as client:
        answered = client.post(
            "/v1/answers", json={"question": QUESTION}, headers={"X-Request-ID": "traced-1"}
        )
        assert answered.status_code == 200
        client.get("/v1/documents/dupont", params={"version": 1})
    assert collector.paths == {"/v1/traces"}
    spans = {span.name: span for span in collector.spans}
    request = spans["POST /v1/answers"]
    assert _attributes(request) == {
        "http.request.method": "POST",
        "http.route": "/v1/answers",
        "http.response.status_code": "200",
        "kb.request_id": "traced-1",
    }
    of_request = [span for span in collector.spans if span.trace_id == request.trace_id]
    steps = [span for span in of_request if span.name == "haystack.component.run"]
    named = {_attributes(span)["haystack.component.name"] for span in steps}
    assert named >= {"analyser", "encoder", "dense", "lexical", "fuser", "ranker", "answerer"}
    [pipeline] = [span for span in of_request if span.name == "haystack.pipeline.run"]
    assert pipeline.parent_span_id == request.span_id
    assert {span.parent_span_id for span in steps} == {pipeline.span_id}
    assert "GET /v1/documents/{document_id}" in spans
    sent = b"".join(collector.bodies).decode("utf-8", "replace")
    for secret in ("Dupont", "dupont", "moitié", "203.0.113.9"):
        assert secret not in sent


def test_an_error_is_traced_by_its_type(kb: KnowledgeBase, collector: Collector) -> None:
    """Its message may hold what was asked."""
    app = create_app(kb)

    @app.get("/fail", dependencies=[EVERYONE])
    async def fail(q: str) -> None:
        raise RuntimeError(f"Can't read {q}")

    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/fail", params={"q": QUESTION}).status_code == 500
    [span] = [span for span in collector.spans if span.name == "GET /fail"]
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert _attributes(span)["error.type"] == "RuntimeError"
    assert b"Dupont" not in b"".join(collector.bodies)


def test_tracing_ends_with_the_service(kb: KnowledgeBase, collector: Collector) -> None:
    """What Haystack does afterwards in the same process is sent nowhere."""
    with TestClient(create_app(kb)):
        assert is_tracing_enabled()
    assert not is_tracing_enabled()
    before = len(collector.spans)
    kb.search.search("garantie", EVERYTHING)
    assert len(collector.spans) == before


def test_a_collector_that_is_away_holds_up_nobody(kb: KnowledgeBase, collector: Collector) -> None:
    """Requests are answered, and the service ends."""
    collector.close()
    with TestClient(create_app(kb)) as client:
        assert client.get("/v1/search?query=garantie").status_code == 200


def test_missing_packages_are_told_with_the_command_that_installs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the service starts, in one line."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    values: dict[str, Any] = {"home": tmp_path, "otlp_endpoint": "http://localhost:4318"}
    with pytest.raises(UsageError) as raised:
        check_settings(Settings(**values))
    assert "pip install 'operation-milliard-kb[otel]'" in str(raised.value)
    assert "\n" not in str(raised.value)
    check_settings(Settings(**{**values, "otlp_endpoint": ""}))


def test_without_the_setting_nothing_of_it_is_loaded() -> None:
    """The packages are an extra."""
    code = (
        "import api.app, kb.search.engine, sys;"
        "print({'opentelemetry.sdk', 'opentelemetry.exporter'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

"""``python -m evaluation.load``: that its figures are those of what happened."""

from __future__ import annotations

import json
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from evaluation.bases import Chosen
from evaluation.load import base as large
from evaluation.load import report
from evaluation.load.__main__ import main
from evaluation.load.clients import Ask, Plan, finish, start
from evaluation.load.served import KB, environment
from evaluation.load.soak import summary
from evaluation.load.throughput import PEER, SEARCH, passages_of
from kb.bootstrap import open_knowledge_base
from kb.model import Filters

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evaluation.load.clients import Outcome
    from kb.bootstrap import KnowledgeBase

GUARANTEE = "La garantie couvre la moitié des pertes des investisseurs solidaires."
CEILING = "The ceiling of the aid is three hundred thousand euros over three years."


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base of two documents, encoded by the default encoder."""
    folder = tmp_path_factory.mktemp("load")
    files = folder / "files"
    files.mkdir()
    (files / "garantie.md").write_text(f"# Garantie\n\n{GUARANTEE}\n", encoding="utf-8")
    (files / "ceiling.md").write_text(f"# Ceiling\n\n{CEILING}\n", encoding="utf-8")
    home = folder / "home"
    command = [str(KB), "ingest", str(files)]
    subprocess.run(command, env=environment(home), check=True, capture_output=True)
    return home


@contextmanager
def answering(status: int, headers: dict[str, str]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that gives everybody the same answer, and what it was sent: its headers."""
    seen: list[dict[str, str]] = []

    class Same(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()})
            known = "if-none-match" in seen[-1]
            self.send_response(304 if known else status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- its base's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Same)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()


def asked(url: str, *asks: Ask, keys: tuple[str | None, ...] = (None,)) -> Outcome:
    """What clients get within a second."""
    return finish(start(Plan(url, keys, asks, 1.0)))


def test_a_client_that_is_told_to_wait_waits() -> None:
    """A refusal is counted once, and apart from errors."""
    with answering(503, {"Retry-After": "30"}) as (url, seen):
        outcome = asked(url, Ask("search", "/"))
    assert len(seen) == 1
    found = summary(outcome)
    assert found["refused"] == {"429": 0, "503": 1}
    assert found["errors"] == {}
    assert found["by_kind"][0]["not_expected"] == 1


def test_what_was_not_expected_is_an_error_with_its_kind() -> None:
    """Also that nobody answers."""
    with answering(500, {}) as (url, _):
        outcome = asked(url, Ask("search", "/"))
    assert list(summary(outcome)["errors"]) == ["search: 500 no problem details"]
    gone = summary(asked(url, Ask("search", "/")))
    assert list(gone["errors"]) == ["search: ConnectError"]
    assert set(gone["statuses"]) == {"0"}


def test_what_is_expected_is_no_error() -> None:
    """Such as a document that isn't there."""
    with answering(404, {}) as (url, _):
        outcome = asked(url, Ask("missing", "/", expected=(404,)))
    found = summary(outcome)
    assert found["errors"] == {}
    assert found["statuses"] == {"404": found["requests"]}


def test_clients_show_their_keys_and_what_they_have_read() -> None:
    """Each its own key; a request that is made again comes with its tag, and 304 is expected."""
    with answering(200, {"ETag": '"one"'}) as (url, seen):
        outcome = asked(url, Ask("documents", "/", again=True), keys=("a", "b"))
    assert {each["authorization"] for each in seen} == {"Bearer a", "Bearer b"}
    assert '"one"' in {each.get("if-none-match") for each in seen}
    found = summary(outcome)
    assert set(found["statuses"]) == {"200", "304"}
    assert found["errors"] == {}


@pytest.mark.slow
def test_throughput_is_measured_on_a_copy(home: Path, tmp_path: Path) -> None:
    """Every kind of request at every number of clients; the base itself gets no key."""
    before = (home / "record.db").read_bytes()
    few = ["--seconds", "4", "--warming", "0", "--clients", "1", "2"]
    main(["--home", str(home), *few, "--results", str(tmp_path)])
    rows = json.loads((tmp_path / "throughput.json").read_text("utf-8"))["rows"]
    kinds = [SEARCH, "answers", "mix", PEER]
    assert [(row["what"], row["clients"]) for row in rows] == [
        (kind, clients) for kind in kinds for clients in (1, 2)
    ]
    for row in rows:
        assert row["problems"] == {}
        assert 0 <= row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
        assert row["processors"]["service"] > 0
    assert all(row["requests_a_second"] > 0 for row in rows if row["what"] in {SEARCH, PEER})
    assert (home / "record.db").read_bytes() == before


@pytest.mark.slow
def test_a_soak_sees_what_is_published_meanwhile(home: Path, tmp_path: Path) -> None:
    """The service goes over to every edition, nothing fails, and a backup is made."""
    main(["soak", "--home", str(home), "--minutes", "0.2", "--results", str(tmp_path)])
    found = json.loads((tmp_path / "soak.json").read_text("utf-8"))
    assert found["published"] >= 1
    assert found["not_published"] == found["outdated"] == 0
    assert found["newest_found"] == found["newest_cited"] == found["switches"] == found["published"]
    assert found["errors"] == {}
    assert found["complaints"] == []
    assert [each["exit_code"] for each in found["backups"]] == [0]
    assert found["requests"] == sum(found["statuses"].values()) > 0
    assert found["memory"][0]["own"] > 0
    page = report.with_figures(
        "before\n\n<!-- soak: python -m evaluation.load page -->\nold\n<!-- end -->\n\nafter\n",
        "soak",
        found,
    )
    assert page.startswith("before\n\n<!-- soak")
    assert page.endswith("<!-- end -->\n\nafter\n")
    assert "old" not in page
    assert f"| requests | {found['requests']:,} |" in page
    assert report.with_figures(page, "soak", found) == page


@pytest.mark.slow
def test_a_base_is_enlarged_to_the_passages_asked_for(
    home: Path, tmp_path: Path, shared_data: Path
) -> None:
    """What it held is found as before, and the acts beside it."""
    del shared_data  # else it is skipped
    new = tmp_path / "new"
    large.main([str(home), str(new), "--passages", "60"])
    assert passages_of(new) == 60
    kb = open_knowledge_base(Chosen().settings(new))
    try:
        assert _found(kb, "garantie des pertes")[0] == "Garantie"
        assert any(title not in {"Garantie", "Ceiling"} for title in _found(kb, "regulation"))
    finally:
        kb.close()


def _found(kb: KnowledgeBase, query: str) -> list[str]:
    return [hit.document.title for hit in kb.search.search(query, Filters()).hits]

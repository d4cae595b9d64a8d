"""``/readyz`` tells whether encoder, index and database can be used, having tried them."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from conftest import Base
from fakes import HashingEncoder
from sqlalchemy import event, select
from sqlalchemy.exc import DBAPIError
from starlette.testclient import TestClient

from api.app import create_app
from api.readiness import Readiness
from api.schemas import Problem
from kb.bootstrap import open_knowledge_base
from kb.record.database import open_database
from kb.record.schema import facts
from kb.record.writable import check_writable
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kb.bootstrap import KnowledgeBase

MOMENT = "2026-03-01T12:00:00+00:00"


class LoanedEncoder(HashingEncoder):
    """An encoder whose model can be taken away."""

    gone = False

    def encode_queries(self, texts: Any) -> Any:
        """Fail once it is gone."""
        if self.gone:
            raise RuntimeError("libmodel.so can't be opened")
        return super().encode_queries(texts)


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    """A base of one document."""
    folder = tmp_path_factory.mktemp("readiness")
    values: dict[str, Any] = {"home": folder / "home", "workers": 1}
    opened = open_knowledge_base(Settings(**values), encoder=LoanedEncoder())
    base = Base(opened, folder / "files")
    base.write("garantie.md", "La garantie couvre la moitié des pertes.")
    assert base.ingest().exit_code == 0
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(kb: KnowledgeBase) -> Iterator[TestClient]:
    """Someone who probes."""
    with TestClient(create_app(kb)) as opened:
        yield opened


def _not_ready(client: TestClient, kb: KnowledgeBase) -> str:
    client.app.state.readiness = Readiness(kb)  # type: ignore[attr-defined] # no answer is kept
    response = client.get("/readyz")
    problem = Problem.model_validate(response.json())
    assert (response.status_code, problem.type) == (503, "/problems/not-ready")
    assert int(response.headers["retry-after"]) > 0
    assert str(kb.settings.home) not in response.text
    assert client.get("/healthz").status_code == 200
    return problem.detail


def test_it_is_ready_when_all_was_tried(client: TestClient, kb: KnowledgeBase) -> None:
    """The answer lists what was tried, and the database was written."""
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {
        "status": "ready",
        "checks": {"encoder": True, "index": True, "database": True},
    }
    with kb.engine.connect() as connection:
        assert connection.scalar(select(facts.c.value).where(facts.c.name == "written"))


def test_an_encoder_that_fails_is_named(
    client: TestClient, kb: KnowledgeBase, caplog: pytest.LogCaptureFixture
) -> None:
    """The probe is told which part; the log also why."""
    LoanedEncoder.gone = True
    try:
        assert _not_ready(client, kb) == "Not ready: encoder."
    finally:
        LoanedEncoder.gone = False
    assert "libmodel.so can't be opened" in caplog.text


def test_an_index_that_can_not_be_opened_is_named(client: TestClient, kb: KnowledgeBase) -> None:
    """Its folder was lost, for instance."""
    kb.generations.close()
    folder = kb.settings.index_folder
    lost = folder.rename(folder.with_name("lost"))
    assert _not_ready(client, kb) == "Not ready: index."
    lost.rename(folder)
    assert client.get("/readyz").status_code == 200


@contextmanager
def _read_only(kb: KnowledgeBase) -> Iterator[None]:
    def forbid(connection: Any, *_: Any) -> None:
        connection.execute("PRAGMA query_only = ON")

    kb.engine.dispose()
    event.listen(kb.engine, "connect", forbid)
    yield
    event.remove(kb.engine, "connect", forbid)
    kb.engine.dispose()


def test_a_database_that_can_not_be_written_is_named(client: TestClient, kb: KnowledgeBase) -> None:
    """Search goes on as long as it can be read."""
    with _read_only(kb):
        assert _not_ready(client, kb) == "Not ready: database."
        assert client.get("/v1/search?query=garantie").status_code == 200


def test_everything_that_fails_is_named_at_once(client: TestClient, kb: KnowledgeBase) -> None:
    """In one answer, so that one visit mends it."""
    LoanedEncoder.gone = True
    try:
        with _read_only(kb):
            assert _not_ready(client, kb) == "Not ready: encoder, database."
    finally:
        LoanedEncoder.gone = False


def test_it_is_ready_again_as_soon_as_the_fault_is_mended(
    client: TestClient, kb: KnowledgeBase
) -> None:
    """Only a good answer is kept for a moment."""
    with _read_only(kb):
        assert _not_ready(client, kb) == "Not ready: database."
    assert client.get("/readyz").status_code == 200


def test_it_does_not_wait_behind_an_ingest_run(client: TestClient, kb: KnowledgeBase) -> None:
    """Another process holds the one lock of the database for minutes: it can be written."""
    other = sqlite3.connect(kb.settings.home / "record.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        assert client.get("/readyz").status_code == 200
        with kb.engine.connect() as connection:  # others of the pool stay patient
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 10_000
    finally:
        other.close()


def test_many_probes_are_one_round(kb: KnowledgeBase) -> None:
    """Whoever probes a hundred times costs one write."""

    async def probe() -> list[list[str]]:
        readiness = Readiness(kb)
        return await asyncio.gather(*(readiness.failing() for _ in range(100)))

    encoder = kb.encoder
    assert isinstance(encoder, HashingEncoder)
    before = encoder.queries_seen
    assert asyncio.run(probe()) == [[]] * 100
    assert encoder.queries_seen == before + 1


def test_a_part_that_hangs_is_not_ready(kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch) -> None:
    """And those behind it are not either; nobody waits for it for ever."""
    monkeypatch.setattr("api.readiness._PATIENCE_SECONDS", 0.2)
    answered = threading.Event()
    with kb.generations.current() as view:
        monkeypatch.setattr(type(view.index), "count", lambda *_: answered.wait(30))

    async def probe() -> list[str]:
        readiness = Readiness(kb)
        try:
            return await readiness.failing()
        finally:
            answered.set()

    assert asyncio.run(probe()) == ["index", "database"]


def test_it_is_not_ready_once_it_was_told_to_stop(kb: KnowledgeBase) -> None:
    """The flag is the server's; it is looked at when the probe is answered."""

    async def probe() -> httpx.Response:
        app = create_app(kb)
        stopping = asyncio.Event()
        stopping.set()

        async def served(scope: Any, receive: Any, send: Any) -> None:
            scope["state"] = {"stopping": stopping}
            await app(scope, receive, send)

        app.state.knowledge_base, app.state.readiness = kb, Readiness(kb)
        transport = httpx.ASGITransport(served)
        async with httpx.AsyncClient(transport=transport, base_url="http://kb") as client:
            return await client.get("/readyz")

    response = asyncio.run(probe())
    assert (response.status_code, response.json()["detail"]) == (
        503,
        "Not ready: the service stops.",
    )


def test_a_full_disk_is_no_writable_database(tmp_path: Path) -> None:
    """Found by what is committed: a transaction that is rolled back writes nothing."""
    engine = open_database(f"sqlite:///{tmp_path / 'record.db'}")
    check_writable(engine, MOMENT)
    engine.dispose()
    # No file may grow any more, as on a disk that is full.
    code = (
        "import resource, signal, sys\n"
        "from sqlalchemy.exc import OperationalError\n"
        "from kb.record.database import open_database\n"
        "from kb.record.writable import check_writable\n"
        "engine = open_database(sys.argv[1])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))\n"
        "try:\n"
        "    check_writable(engine, 'now')\n"
        "except OperationalError as error:\n"
        "    print('refused:', error.orig)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, f"sqlite:///{tmp_path / 'record.db'}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("refused: "), done.stdout + done.stderr


def test_a_read_only_database_is_told_with_its_reason(tmp_path: Path) -> None:
    """The error is the database's own, for the log."""
    path = tmp_path / "record.db"
    open_database(f"sqlite:///{path}").dispose()
    engine = open_database(f"sqlite:///{path}")
    event.listen(engine, "checkout", lambda raw, *_: raw.execute("PRAGMA query_only = ON"))
    engine.dispose()
    with pytest.raises(DBAPIError, match="readonly"):
        check_writable(engine, MOMENT)

"""``kb serve`` as deployed: over real sockets, beside other processes, until it is told to stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from serve import KB, PATIENCE, Asking, Service, environment_of, eventually, ingest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HEAD = b"GET /healthz HTTP/1.1\r\nHost: kb\r\n"
TEXTS = [
    "La garantie couvre la moitié des pertes des investisseurs.",
    "Le plafond des subventions est de trois cent mille euros.",
    "Le phare breton reçoit une dotation de huit mille euros.",
    "La fondation verse ses dons chaque trimestre aux communes.",
]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a user whose base is still empty."""
    return environment_of(tmp_path / "home")


@contextmanager
def serving(environment: dict[str, str], log: Path, *options: str) -> Iterator[Service]:
    """A service for the length of a ``with`` block."""
    running = Service(environment, log, *options)
    try:
        yield running
    finally:
        running.kill()


@pytest.mark.slow
def test_runs_that_publish_lose_no_request(environment: dict[str, str], tmp_path: Path) -> None:
    """It starts empty, answers without a gap while others ingest, and from the newest at once."""
    with (
        serving(environment, tmp_path / "log") as service,
        httpx.Client(base_url=service.url, trust_env=False, timeout=PATIENCE) as client,
    ):

        def texts(query: str) -> list[str]:
            response = client.get("/v1/search", params={"query": query})
            assert response.status_code == httpx.codes.OK, response.text
            hits: list[dict[str, Any]] = response.json()["hits"]
            return [hit["text"] for hit in hits]

        empty = client.get("/v1/search", params={"query": "garantie"})
        assert (empty.status_code, empty.json()["type"]) == (503, "/problems/nothing-ingested")
        assert client.get("/readyz").json()["type"] == "/problems/nothing-ingested"

        ingest(environment, tmp_path / "0.md", TEXTS[0])
        assert [TEXTS[0] in text for text in texts("garantie des pertes")] == [True]

        asking = [
            Asking(lambda: client.get("/v1/search", params={"query": "garantie"})),
            Asking(lambda: client.post("/v1/answers", json={"question": "Que couvre-t-elle ?"})),
            Asking(lambda: client.get("/v1/documents")),
            Asking(lambda: client.get("/readyz")),
        ]
        for thread in asking:
            thread.start()
        for number, text in enumerate(TEXTS[1:], start=1):
            ingest(environment, tmp_path / f"{number}.md", text)
            assert text in texts(text)[0], "what is published is answered from at once"
        for thread in asking:
            thread.stop()
        assert [failure for thread in asking for failure in thread.failures] == []
        assert min(thread.asked for thread in asking) > 1
        assert service.metric("kb_generation_switches_total") == len(TEXTS) - 1
        assert service.metric("kb_documents") == len(TEXTS)

        code, printed = service.end(signal.SIGINT)
        assert (code, printed) == (0, "")
        assert "Traceback" not in service.log
        for text in ("garantie", "couvre-t-elle"):
            assert text not in service.log, "what people ask is not written down"


def _answer(service: Service, question: str) -> httpx.Response:
    return httpx.post(
        f"{service.url}/v1/answers",
        json={"question": question},
        trust_env=False,
        timeout=PATIENCE,
    )


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["alone", "with workers"])
def test_told_to_stop_it_finishes_what_was_asked(
    environment: dict[str, str], tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Answers that are being made arrive whole; then it ends well, and nobody new gets in."""
    # On a machine that is busy with other tests nobody is to be told to come back.
    environment |= {"KB_QUEUE_SECONDS": "60", "KB_REQUEST_SECONDS": "60"}
    ingest(
        environment,
        tmp_path / "note.md",
        *(f"{text} Note {n}." for n in range(20) for text in TEXTS),
    )
    asked = 24
    with (
        serving(environment, tmp_path / "log", *options) as service,
        ThreadPoolExecutor(asked) as pool,
    ):
        done = [
            pool.submit(_answer, service, f"Que couvre la garantie des pertes {n} ?")
            for n in range(asked)
        ]
        eventually(
            lambda: (
                service.metric("kb_requests_in_flight") > asked / 2
                or any(answer.done() for answer in done)
            ),
            "the questions did not arrive",
        )
        service.tell(signal.SIGTERM)
        waiting = sum(not answer.done() for answer in done)
        refused = threading.Event()

        def knock() -> None:
            with suppress(OSError):
                while service.process.poll() is None:
                    service.connect().close()
                    time.sleep(0.02)
                return
            refused.set()

        knocking = threading.Thread(target=knock)
        knocking.start()
        code, _ = service.wait()
        knocking.join(PATIENCE)
        answers = [answer.result() for answer in done]
    assert code == 0, service.log
    assert waiting > 0, "all was answered before it was told to stop: nothing was shown"
    assert [answer.status_code for answer in answers] == [200] * asked
    for answer in answers:
        assert answer.json()["status"] in {"answered", "insufficient_evidence"}
    assert refused.is_set()
    assert "Traceback" not in service.log


def test_stopped_by_sigterm_while_idle_it_ends_with_0(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """A kept connection that says nothing does not hold it up, nor one that says half of it."""
    with serving(environment, tmp_path / "log") as service:
        with service.connect() as kept, service.connect() as half:
            assert _is_alive(kept)
            half.sendall(HEAD)
            code, printed = service.end(signal.SIGTERM)
        assert (code, printed) == (0, "")


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that waits for clients for a second, keeps 20 connections, and logs JSON."""
    folder = tmp_path_factory.mktemp("impatient")
    environment = environment_of(
        folder / "home",
        KB_CLIENT_SECONDS="1",
        KB_KEEP_ALIVE_SECONDS="600",
        KB_MAX_CONNECTIONS="20",
        KB_LOG="json",
    )
    with serving(environment, folder / "log") as running:
        yield running


def _is_alive(connection: socket.socket) -> bool:
    """Ask, and read the whole answer."""
    connection.sendall(HEAD + b"\r\n")
    answer = b""
    while b"}" not in answer:
        piece = connection.recv(1000)
        if not piece:
            return False
        answer += piece
    return answer.startswith(b"HTTP/1.1 200") and answer.endswith(b'{"status":"alive"}')


def _nothing(connection: socket.socket) -> None:
    """Say nothing."""
    connection.settimeout(PATIENCE)


def _byte_by_byte(connection: socket.socket) -> None:
    """Send a head that never ends, a byte at a time."""
    connection.settimeout(0.05)
    deadline = time.monotonic() + PATIENCE
    for byte in chain(HEAD, b"X-Slow: ", repeat(ord("a"))):
        assert time.monotonic() < deadline, "it listened for ever"
        with suppress(TimeoutError):
            connection.sendall(bytes([byte]))
            if not connection.recv(1):
                return


def _request_line(connection: socket.socket) -> None:
    """Send half of a request line, and no more."""
    connection.sendall(b"GET /heal")


def _kept_then_half(connection: socket.socket) -> None:
    """Ask, be answered, and send half of another request."""
    assert _is_alive(connection)
    connection.sendall(HEAD)


@pytest.mark.parametrize("behave", [_nothing, _byte_by_byte, _request_line, _kept_then_half])
def test_a_client_that_does_not_finish_its_head_is_dropped(
    impatient: Service, behave: Callable[[socket.socket], None]
) -> None:
    """However it dawdles; without the limit this waits until the test gives up."""
    name = 'kb_connections_dropped_total{why="sending"}'
    before = impatient.metric(name)
    with impatient.connect() as connection, suppress(ConnectionError):
        behave(connection)
        assert connection.recv(1000) == b""
    assert impatient.metric(name) == before + 1


def test_a_client_that_does_not_read_is_dropped(impatient: Service) -> None:
    """It asks for more than buffers hold and reads nothing: the connection does not stay."""
    name = 'kb_connections_dropped_total{why="reading"}'
    before = impatient.metric(name)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(impatient.address)
        ask = b"GET /openapi.json HTTP/1.1\r\nHost: kb\r\n\r\n" * 100
        threading.Thread(target=_send_all, args=(connection, ask), daemon=True).start()
        eventually(lambda: impatient.metric(name) == before + 1, "it was kept")
    eventually(lambda: impatient.metric("kb_requests_in_flight") == 1, "a request is stuck")


def _send_all(connection: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        connection.sendall(data)


def test_a_client_that_takes_its_time_within_the_limit_is_answered(impatient: Service) -> None:
    """A kept connection may be silent for longer: that has a limit of its own."""
    with impatient.connect() as connection:
        for _ in range(2):
            connection.sendall(b"GET /heal")
            time.sleep(0.1)
            connection.sendall(b"thz HTTP/1.1\r\nHost: kb\r\n\r\n")
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
            time.sleep(2.5)  # two and a half times what a head may take
            connection.recv(1000)
        assert _is_alive(connection)


def test_one_connection_too_many_is_told_to_come_back(impatient: Service) -> None:
    """With a problem, and those that were there before are served on."""
    with impatient.connect() as first:
        assert _is_alive(first)
        kept = [impatient.connect() for _ in range(19)]
        try:
            assert all(_is_alive(connection) for connection in kept)
            response = httpx.get(f"{impatient.url}/healthz", trust_env=False, timeout=PATIENCE)
            assert _is_alive(first)
        finally:
            for connection in kept:
                connection.close()
    assert (response.status_code, response.json()["type"]) == (503, "/problems/busy")
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) > 0


def test_a_head_that_is_too_large_is_refused(impatient: Service) -> None:
    """Memory is not a client's to fill."""
    with impatient.connect() as connection, suppress(ConnectionError):
        connection.sendall(HEAD + b"X-Large: " + b"a" * 200_000)
        assert connection.recv(1000).startswith(b"HTTP/1.1 4")


def test_the_log_is_json_from_its_first_line_to_its_last(impatient: Service) -> None:
    """Those of uvicorn too, and each request has one."""
    name = "seen-in-the-log"
    httpx.get(f"{impatient.url}/healthz", headers={"X-Request-ID": name}, trust_env=False)
    eventually(lambda: name in impatient.log, "the request was not logged")
    lines = [json.loads(line) for line in impatient.log.splitlines()]
    assert {"uvicorn.error", "api.requests"} <= {line["logger"] for line in lines}
    [line] = [line for line in lines if line.get("request_id") == name]
    assert (line["route"], line["status"], line["role"]) == ("/healthz", 200, "anonymous")
    assert "127.0.0.1" not in json.dumps(line)


@pytest.mark.slow
def test_workers_share_the_socket_and_their_figures(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """One that dies is replaced, SIGHUP exchanges all without a gap; told to stop, all end."""
    environment["TMPDIR"] = str(tmp_path / "tmp")
    (tmp_path / "tmp").mkdir()
    with serving(environment, tmp_path / "log", "--workers", "2") as service:
        memory = 'kb_memory_bytes{pid="%s"}'
        pids: set[str] = set()

        def ask() -> bool:
            httpx.get(f"{service.url}/healthz", trust_env=False, timeout=PATIENCE)
            shown = httpx.get(f"{service.url}/metrics", trust_env=False, timeout=PATIENCE).text
            pids.update(line.split('"')[1] for line in shown.splitlines() if "{pid=" in line)
            return len(pids) == 2

        eventually(ask, "only one worker answers")
        counted = 'kb_requests_total{method="GET",route="/healthz",status="200"}'
        before = service.metric(counted)
        for _ in range(10):
            httpx.get(f"{service.url}/healthz", trust_env=False, timeout=PATIENCE)
        assert service.metric(counted) == before + 10, "whichever worker is asked, all is told"

        lost = min(pids)
        os.kill(int(lost), signal.SIGKILL)
        eventually(lambda: service.metric(memory % lost) == 0, "the dead worker's figures stay")
        pids.discard(lost)
        eventually(ask, "it was not replaced")

        asking = Asking(lambda: httpx.get(f"{service.url}/healthz", trust_env=False))
        asking.start()
        service.tell(signal.SIGHUP)
        eventually(
            lambda: not any(service.metric(memory % old) for old in pids), "they were not exchanged"
        )
        asking.stop()
        assert (asking.failures, asking.asked > 1) == ([], True)
        pids.clear()
        eventually(ask, "there are not two again")

        code, printed = service.end(signal.SIGTERM)
        assert (code, printed) == (0, ""), service.log
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(int(pid), 0)
    assert list((tmp_path / "tmp").glob("kb-metrics-*")) == []


def _scheme(service: Service) -> str:
    """The scheme in an address that the service makes of how it was asked."""
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    response = httpx.post(
        f"{service.url}/v1/searches",
        json={"name": "Appels", "query": {}},
        headers=forwarded,
        trust_env=False,
        timeout=PATIENCE,
    )
    assert response.status_code == 201, response.text
    return str(response.text.partition("://")[0].rpartition('"')[2])


@pytest.mark.parametrize(
    ("trusted", "scheme"),
    [("", "http"), ("192.0.2.0/24 127.0.0.1", "https")],
)
def test_forwarded_headers_are_believed_of_trusted_proxies_alone(
    environment: dict[str, str], tmp_path: Path, trusted: str, scheme: str
) -> None:
    """By default of nobody, whatever uvicorn takes from its own environment."""
    environment |= {"KB_TRUSTED_PROXIES": trusted, "FORWARDED_ALLOW_IPS": "*"}
    with serving(environment, tmp_path / "log") as service:
        assert _scheme(service) == scheme


def _refused(environment: dict[str, str], *options: str) -> str:
    done = subprocess.run(
        [*KB, "serve", "--port", "0", *options],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode in {2, 3}
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_what_can_not_be_used_is_one_line(environment: dict[str, str], tmp_path: Path) -> None:
    """An encoder that can't be loaded, a proxy that is no address; of all workers at once."""
    nowhere = {**environment, "KB_ENCODER": str(tmp_path / "nowhere")}
    assert "nowhere" in _refused(nowhere, "--workers", "2")
    proxy = {**environment, "KB_TRUSTED_PROXIES": "proxy.example.org"}
    assert _refused(proxy).startswith("kb: KB_TRUSTED_PROXIES names 'proxy.example.org'")


def test_a_port_in_use_is_one_line(environment: dict[str, str]) -> None:
    """Nothing is loaded first, so it is told at once, with the exit code of a store in use."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = _refused(environment, "--port", str(port))
    assert told.startswith(f"kb: Can't listen on 127.0.0.1 port {port}: Address already in")

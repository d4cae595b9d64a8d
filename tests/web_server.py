"""A raw web server on a loopback address of one's choice, which may misbehave byte by byte."""

from __future__ import annotations

import socketserver
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from ingest.guard import Guard
from ingest.web import Bounds, Web

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

# On Linux all of 127.0.0.0/8 is this machine. Tests call one address public and another inside.
PUBLIC, INSIDE = "127.0.0.2", "127.0.0.1"


@dataclass(frozen=True)
class Asked:
    """What a client asked, and by which name it did so in the TLS handshake."""

    path: str
    host: str
    headers: dict[str, str]
    server_name: str | None = None


def answer(
    body: bytes = b"", media_type: str = "text/html", status: str = "200 OK", **headers: str
) -> list[bytes]:
    """A whole answer as the bytes of it."""
    stated = {"Content-Type": media_type, "Content-Length": str(len(body))}
    stated |= {name.replace("_", "-"): value for name, value in headers.items()}
    return [head(status, **{name: value for name, value in stated.items() if value}), body]


def head(status: str = "200 OK", **headers: str) -> bytes:
    """The beginning of an answer."""
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()]
    return f"HTTP/1.1 {status}\r\n{''.join(lines)}\r\n".encode("latin-1")


def redirect(to: str) -> list[bytes]:
    """An answer that leads elsewhere."""
    return answer(status="302 Found", Location=to)


class WebServer:
    """The server: what each path answers is an iterable of bytes, sent as they come."""

    def __init__(self, address: str = PUBLIC, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.routes: dict[str, Callable[[], Iterable[bytes]]] = {}
        self._names: deque[str | None] = deque()
        server = self
        if tls is not None:
            tls.sni_callback = lambda _socket, name, _context: self._names.append(name)

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                connection = self.request
                if tls is not None:
                    connection = tls.wrap_socket(connection, server_side=True)
                with connection:
                    for piece in server._answer(_received(connection)):
                        connection.sendall(piece)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Say nothing of clients that hang up: they are right to."""

        self._server = Server((address, 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the door."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: bytes) -> Iterable[bytes]:
        first, *lines = request.decode("latin-1").split("\r\n")
        path = first.split(" ")[1]
        stated = (line.partition(": ") for line in lines if line)
        headers = {name.lower(): value for name, _, value in stated}
        name = self._names.popleft() if self._names else None
        self.asked.append(Asked(path, headers.get("host", ""), headers, name))
        route = self.routes.get(path.partition("?")[0])
        return answer(b"nothing here", status="404 Not Found") if route is None else route()


def _received(connection: Any) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        piece = connection.recv(65536)
        if not piece:
            return b"GET /hung-up HTTP/1.1\r\n\r\n"
        request += piece
    return request


class Names:
    """A resolver: each name has answers, given in turn; the last one stays."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name.replace("_", "."): list(given) for name, given in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str) -> Sequence[str]:
        """The addresses of a name."""
        self.asked.append(host)
        answers = self._answers.get(host, [()])
        return answers.pop(0) if len(answers) > 1 else answers[0]


def guard_of(names: Names) -> Guard:
    """A guard to which one loopback address is the public internet, and the rest is inside."""
    return Guard(resolve=names, public=lambda address: address == PUBLIC)


def web_of(folder: Path, names: Names, **bounds: float) -> Web:
    """What fetches by these names, within a megabyte and few seconds unless told otherwise."""
    values: dict[str, Any] = {"megabytes": 1, "connect": 5.0, "idle": 10.0, "whole": 30.0, **bounds}
    return Web(folder, Bounds(**values), guard=guard_of(names))


def trickle(first: bytes, piece: bytes, wait: Callable[[], object]) -> Iterator[bytes]:
    """An answer that never ends: a piece after every wait."""
    yield first
    while True:
        wait()
        yield piece

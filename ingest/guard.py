"""The one guard of what goes out: a connection is made to an address that was looked at, or not.

A name may resolve to one address when it is looked at and to another when it is asked (DNS
rebinding), so that looking at names or at ``https://…`` strings protects nothing. Here a name is
resolved once for each connection, every address is looked at, and the socket is opened to one of
those very addresses; the name still goes into the TLS handshake and the ``Host`` header.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from kb.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from ssl import SSLContext

    Resolve = Callable[[str], Sequence[str]]

_UNICAST = ipaddress.ip_network("2000::/3")
# Of these an address inside can be reached that the address itself does not name, or nothing can.
_NOT_THEMSELVES = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "2001::/23",  # Teredo (2001::/32) and other protocol assignments
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)
# Networks without IPv4 reach every IPv4 address under this prefix (NAT64, RFC 6052): such an
# address is as public as the IPv4 address in it.
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
_LAST_32_BITS = 0xFFFFFFFF
# Hosts that the system would read as an IPv4 address: 127.1, 0x7f.1, 017700000001, 2130706433.
_ENDS_IN_NUMBER = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$", re.IGNORECASE)


class UnresolvedError(Exception):
    """The name of a host is not known now; a little later it may be."""


def resolved(host: str) -> Sequence[str]:
    """The numeric addresses of a host; none where it is not known here."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Whether a numeric address lies on the public internet and stands for nothing but itself.

    Private, loopback, link-local, shared (CGNAT), multicast, reserved and unspecified addresses are
    not, nor are those that carry an IPv4 address within them (mapped, compatible, 6to4, Teredo).
    """
    number = _number(address)
    if isinstance(number, ipaddress.IPv6Address):
        if number.scope_id is not None:
            return False
        if number in _TRANSLATED:
            number = ipaddress.IPv4Address(int(number) & _LAST_32_BITS)
        elif number not in _UNICAST:
            return False
    return (
        number is not None
        and number.is_global
        and not number.is_multicast
        and not any(number in network for network in _NOT_THEMSELVES)
    )


def shown(url: httpx.URL | str) -> str:
    """An address as it can be told: without user, password, query and fragment."""
    try:
        whole = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        return "an address that can't be read"
    return str(whole.copy_with(username=None, password=None, query=None, fragment=None))


@dataclass(frozen=True, slots=True)
class Guard:
    """What may be connected to: public addresses alone, at these ports (null: at any).

    ``local`` names the hosts that whoever runs the product has set to one of this machine or
    network; they may be anywhere. ``public`` tells public addresses from others and ``resolve``
    gives those of a name; both are arguments for the sake of tests, and no setting reaches them.
    """

    local: frozenset[str] = frozenset()
    ports: frozenset[int] | None = None
    resolve: Resolve = resolved
    public: Callable[[str], bool] = is_public

    def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """The addresses of a host, each of them one that may be connected to.

        Raises:
            SourceError: One of them may not, or the port may not.
            UnresolvedError: It has none that is known here.
        """
        if self.ports is not None and port not in self.ports:
            allowed = ", ".join(str(each) for each in sorted(self.ports))
            raise SourceError(f"{host} is to be asked at port {port}: only {allowed} are asked.")
        numeric = _number(host) is not None
        if not numeric and _ENDS_IN_NUMBER.search(host):
            raise SourceError(f"{host} is a number in the place of a name: not asked.")
        found = (host,) if numeric else tuple(self.resolve(host))
        if not found:
            raise UnresolvedError(f"no address of {host} is known")
        if host.casefold() not in self.local:
            for address in found:
                if not self.public(address):
                    raise SourceError(f"{_named(host, address)}, no public one: not asked.")
        return found


class GuardedTransport(httpx.BaseTransport):
    """Connects where a guard lets it, and ends whatever is not done at the moment ``until``.

    The moment is one of ``time.monotonic``; null is none. No proxy is used.
    """

    def __init__(self, guard: Guard, until: float | None = None) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(), network_backend=_Backend(guard, until)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its response, whose body is still to be read."""
        url = request.url
        asked = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _errors_of_httpx():
            answer = self._pool.handle_request(asked)
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    """The body of a response, with the errors that httpx promises."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        with _errors_of_httpx():
            yield from self._stream

    def close(self) -> None:
        self._stream.close()


class _Backend(httpcore.NetworkBackend):
    """Opens sockets: resolves, has the guard look, and connects to what it looked at."""

    def __init__(self, guard: Guard, until: float | None) -> None:
        self._guard = guard
        self._until = until
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers; together they have the time of one."""
        addresses = self._guard.addresses(host, port)
        ends = None if timeout is None else time.monotonic() + timeout
        failed: Exception | None = None
        for place, address in enumerate(addresses):
            left = None
            if ends is not None:
                left = (ends - time.monotonic()) / (len(addresses) - place)
                if left <= 0:
                    break
            try:
                opened = self._sockets.connect_tcp(
                    address,
                    port,
                    _left(self._until, left, httpcore.ConnectTimeout),
                    local_address,
                    socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return _Timed(opened, self._until)
        raise failed or httpcore.ConnectError("no address could be connected to")

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Refuse: a socket of this machine is none of the web."""
        del timeout, socket_options
        raise httpcore.ConnectError(f"{path} is a socket of this machine: not asked")

    def sleep(self, seconds: float) -> None:
        """Wait between attempts."""
        self._sockets.sleep(seconds)


class _Timed(httpcore.NetworkStream):
    """A stream whose every step is over by one moment, however slowly bytes trickle in."""

    def __init__(self, stream: httpcore.NetworkStream, until: float | None) -> None:
        self._stream = stream
        self._until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._until, timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._until, timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(self._until, timeout, httpcore.ConnectTimeout)
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, left), self._until)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(
    until: float | None, timeout: float | None, over: type[httpcore.TimeoutException]
) -> float | None:
    """The seconds that a step may take: its own limit, but no longer than until that moment."""
    if until is None:
        return timeout
    left = until - time.monotonic()
    if left <= 0:
        raise over("the time for the whole answer is over")
    return left if timeout is None else min(left, timeout)


@contextmanager
def _errors_of_httpx() -> Iterator[None]:
    """Raise errors of httpcore as those of httpx, which have the same names."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
    ) as error:
        kind = getattr(httpx, type(error).__name__, httpx.TransportError)
        raise kind(str(error)) from error


def _number(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def _named(host: str, address: str) -> str:
    return f"{host} is an address" if host == address else f"{host} resolves to {address}"

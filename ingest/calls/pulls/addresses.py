"""Which addresses may be asked: those of a source itself, over TLS, outside the own network."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from urllib.request import getproxies, proxy_bypass

import httpx

from kb.errors import SourceError, UsageError

Resolve = Callable[[str], Sequence[str]]
Origin = tuple[str, str, int]

_PORTS = {"http": 80, "https": 443}


class UnresolvedError(Exception):
    """The name of a host is not known now; a little later it may be."""


def resolved(host: str) -> Sequence[str]:
    """The numeric addresses of a host; none where it is not known here."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(str(entry[4][0]) for entry in found)


def shown(url: httpx.URL | str) -> str:
    """An address as it can be told: without user, password, query and fragment."""
    try:
        whole = httpx.URL(url)
    except httpx.InvalidURL:
        return "an address that can't be read"
    return str(whole.copy_with(username=None, password=None, query=None, fragment=None))


class Allowed:
    """The addresses of a source that may be asked; everything else is refused.

    A source whose own address was set to one of this machine or network (a tester's server) may
    be asked there, without TLS too. Any other is asked over TLS alone, and only where all that
    its name resolves to at the first request are public addresses. The connection resolves the name
    again, and its peer is not looked at: what keeps a name that has moved inside since then from
    being asked is that nothing there has a certificate for it. Behind a proxy it is the proxy that
    resolves names, so that one that is not known here is left to it.
    """

    def __init__(self, bases: Sequence[str], resolve: Resolve = resolved) -> None:
        self._origins = {_base(base): base for base in bases}
        self._local = {origin for origin in self._origins if _named_inside(origin[1])}
        self._resolve = resolve
        self._fine: set[Origin] = set()
        for origin, base in self._origins.items():
            if origin[0] != "https" and origin not in self._local:
                raise UsageError(f"{shown(base)} can't be asked safely: use https:// instead.")

    @property
    def local(self) -> bool:
        """Whether every address of the source is one of this machine or network."""
        return len(self._local) == len(self._origins)

    def check(self, url: httpx.URL) -> None:
        """Refuse an address that is not the source's own.

        Raises:
            SourceError: It is another host's, less safe than the source's, or inside.
            UnresolvedError: Its name is not known.
        """
        origin = origin_of(url)
        if origin in self._fine:
            return
        if origin not in self._origins:
            known = ", ".join(sorted({name for _, name, _ in self._origins}))
            raise SourceError(
                f"An answer of {known} leads to {shown(url)}, which is not its own address: not "
                "followed. If the source has moved, set its new address (see `kb status`)."
            )
        if origin not in self._local:
            self._check_outside(origin[0], origin[1])
        self._fine.add(origin)

    def _check_outside(self, scheme: str, host: str) -> None:
        addresses = self._resolve(host)
        if not addresses and not _by_proxy(scheme, host):
            raise UnresolvedError(f"no address of {host} is known")
        for address in addresses:
            if _is_inside(address):
                raise SourceError(
                    f"{host} resolves to {address}, an address of this network: not asked. To ask "
                    "a server of your own, set the source's address to its number."
                )


def _by_proxy(scheme: str, host: str) -> bool:
    """Whether the environment names a proxy for a host."""
    proxies = getproxies()
    return bool(proxies.get(scheme) or proxies.get("all")) and not proxy_bypass(host)


def origin_of(url: httpx.URL) -> Origin:
    """Scheme, host and port of an address."""
    return url.scheme, url.host.casefold(), url.port or _PORTS.get(url.scheme, 0)


def _base(base: str) -> Origin:
    try:
        url = httpx.URL(base)
    except httpx.InvalidURL as error:
        raise UsageError(f"{base!r} is no address of a source: {error}.") from None
    if url.scheme not in _PORTS or not url.host:
        raise UsageError(f"{base!r} is no address of a source: it must begin with https://.")
    return origin_of(url)


def _named_inside(host: str) -> bool:
    """Whether a host is one of this machine or network by its very name."""
    try:
        return _is_inside(host)
    except ValueError:
        return "." not in host or host.endswith(".localhost")


def _is_inside(address: str) -> bool:
    number = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(number, "ipv4_mapped", None)
    return not (mapped or number).is_global

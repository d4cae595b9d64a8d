"""Which addresses may be asked: those of a source itself, over TLS, outside the own network."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

import httpx

from ingest.guard import Guard, GuardedTransport, UnresolvedError, is_public, resolved, shown
from kb.errors import SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ingest.guard import Resolve

Origin = tuple[str, str, int]

_PORTS = {"http": 80, "https": 443}


class Allowed:
    """The addresses of a source that may be asked; everything else is refused.

    A source whose own address was set to one of this machine or network (a tester's server) may
    be asked there, without TLS too. Any other is asked over TLS alone, and connected to where
    ``ingest.guard`` lets it: at public addresses. Where the environment names a proxy for it, the
    proxy is connected to instead, and resolves the name itself: whatever is known of the name here
    is looked at, and the rest is left to the proxy and to TLS.
    """

    def __init__(self, bases: Sequence[str], resolve: Resolve = resolved) -> None:
        self._origins = {_base(base): base for base in bases}
        local = {origin for origin in self._origins if _named_inside(origin[1])}
        for origin, base in self._origins.items():
            if origin[0] != "https" and origin not in local:
                raise UsageError(f"{shown(base)} can't be asked safely: use https:// instead.")
        self._by_proxy = {
            origin: proxy
            for origin in self._origins
            if origin not in local
            if (proxy := _proxy(origin))
        }
        self._looked_at: set[Origin] = set()
        self.guard = Guard(local=frozenset(host for _, host, _ in local), resolve=resolve)

    def client(self, headers: Mapping[str, str], timeout: httpx.Timeout) -> httpx.Client:
        """A client that connects to nothing else than this guard lets it, or by proxy."""
        return httpx.Client(
            transport=GuardedTransport(self.guard),
            mounts={
                f"{scheme}://[{host}]"
                if ":" in host
                else f"{scheme}://{host}": httpx.HTTPTransport(proxy=proxy)
                for (scheme, host, _), proxy in self._by_proxy.items()
            },
            headers=headers,
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
        )

    def check(self, url: httpx.URL) -> None:
        """Refuse an address that is not the source's own.

        Raises:
            SourceError: It is another host's, less safe than the source's, or inside.
        """
        origin = origin_of(url)
        if origin not in self._origins:
            known = ", ".join(sorted({name for _, name, _ in self._origins}))
            raise SourceError(
                f"An answer of {known} leads to {shown(url)}, which is not its own address: not "
                "followed. If the source has moved, set its new address (see `kb status`)."
            )
        if origin in self._by_proxy and origin not in self._looked_at:
            with suppress(UnresolvedError):
                self.guard.addresses(origin[1], origin[2])
            self._looked_at.add(origin)


def _proxy(origin: Origin) -> str | None:
    """The proxy that the environment names for an address."""
    scheme, host, _ = origin
    proxies = getproxies()
    named = proxies.get(scheme) or proxies.get("all")
    if not named or proxy_bypass(host):
        return None
    return named if "://" in named else f"http://{named}"


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
        ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(".localhost")
    return not is_public(host)

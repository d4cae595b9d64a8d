"""Running the service with uvicorn: one process, or several on one socket."""

from __future__ import annotations

import ipaddress
import math
import os
import signal
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import typer
import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.supervisors import Multiprocess

from api.connections import GuardedConfig
from api.logs import log_config
from api.metrics import SHARED_FOLDER
from kb.errors import StoreError, UsageError
from kb.tracing import check_installed

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from fastapi import FastAPI

    from kb.settings import Settings

# Bytes of a request's head: an address as long as is understood, and as much again of headers.
MAX_HEAD: Final = 32 * 1024
# Connections that wait to be accepted.
BACKLOG: Final = 512

_FACTORY: Final = "api.app:create_app"
# A worker that loads models answers its supervisor late.
_HEALTHCHECK_SECONDS: Final = 60


def check_settings(settings: Settings) -> None:
    """Refuse what the server would take and never use.

    Raises:
        UsageError: A proxy is no address, or traces are wanted without their packages.
    """
    for proxy in settings.trusted_proxies.split():
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise UsageError(
                f"KB_TRUSTED_PROXIES names {proxy!r}: {error}. Give addresses or networks, such "
                "as 127.0.0.1 or 10.0.0.0/8, with spaces between."
            ) from None
    if settings.otlp_endpoint:
        check_installed()


def serve_alone(service: FastAPI, settings: Settings, listener: socket.socket, url: str) -> None:
    """Serve from this process until it is told to stop."""
    config = _config(service, settings)
    with _stopped_well():
        _Server(config, url).run([listener])


def serve_with_workers(count: int, settings: Settings, listener: socket.socket, url: str) -> None:
    """Serve from several processes, each of which opens the knowledge base itself.

    Raises:
        StoreError: The processes end before they answer.
    """
    config = _config(_FACTORY, settings, factory=True, workers=count)
    with TemporaryDirectory(prefix="kb-metrics-") as folder:
        os.environ[SHARED_FOLDER] = folder
        workers = _Workers(config, listener, url)  # stops at SIGINT and SIGTERM
        workers.run()
    if workers.failed:
        raise StoreError("The service could not start; the lines above say why.")


def _config(app: FastAPI | str, settings: Settings, **others: Any) -> GuardedConfig:
    """Everything is stated: uvicorn takes some from the environment, and what is installed."""
    trusted = settings.trusted_proxies.split()
    return GuardedConfig(
        app,
        client_seconds=settings.client_seconds,
        loop="asyncio",
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=log_config(settings.log),
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted),
        forwarded_allow_ips=trusted,
        limit_concurrency=settings.max_connections,
        backlog=BACKLOG,
        timeout_keep_alive=settings.keep_alive_seconds,
        # Whatever was begun may be finished, or is too late in any case.
        timeout_graceful_shutdown=math.ceil(settings.queue_seconds + settings.request_seconds),
        timeout_worker_healthcheck=_HEALTHCHECK_SECONDS,
        h11_max_incomplete_event_size=MAX_HEAD,
        **{"workers": 1, **others},
    )


@contextmanager
def _stopped_well() -> Iterator[None]:
    """To be told to stop, by the terminal or by SIGTERM, is no failure.

    uvicorn raises the signal again once it has finished what was under way.
    """

    def leave(_number: int, _frame: Any) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    except KeyboardInterrupt:  # nothing was interrupted
        typer.echo("Stopped.", err=True)


class _Server(uvicorn.Server):
    """Says where the service is once it answers there."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            typer.echo(self._url)


class _Workers(Multiprocess):
    """Says where the service is once one of the workers answers; forgets figures of those gone."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket, url: str) -> None:
        super().__init__(config, [listener])
        self._url = url
        self._answered = False
        self._told_to_stop = False
        self._living: set[int | None] = set()

    @property
    def failed(self) -> bool:
        """Whether it ended without having answered, and was not told to."""
        return not self._answered and not self._told_to_stop

    def keep_subprocess_alive(self) -> None:
        """Replace workers that have ended, and forget what those that are gone said of now."""
        super().keep_subprocess_alive()
        living = {process.pid for process in self.processes}
        for gone in self._living - living:
            # The library has no type for this one.
            mark_process_dead(gone)  # type: ignore[no-untyped-call]
        self._living = living
        if not self._answered and any(process.is_ready() for process in self.processes):
            self._answered = True
            typer.echo(self._url)

    def handle_int(self) -> None:
        """Stop."""
        self._told_to_stop = True
        super().handle_int()

    def handle_term(self) -> None:
        """Stop."""
        self._told_to_stop = True
        super().handle_term()

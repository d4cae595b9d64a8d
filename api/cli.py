"""``kb serve``: the search service."""

from __future__ import annotations

import logging
import os
import socket
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.secrets import without_secrets
from kb.commands import opened
from kb.errors import StoreError

if TYPE_CHECKING:
    from fastapi import FastAPI

app = typer.Typer()

# Seconds that requests may still take once the service was told to stop.
GRACE = 10
# Client, method, path, HTTP version and status: what uvicorn logs of a request.
_ACCESS_ARGUMENTS = 5


class WithoutQuery(logging.Filter):
    """Drops queries and secrets from uvicorn's record of a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the record; none is left out."""
        if isinstance(record.args, tuple) and len(record.args) == _ACCESS_ARGUMENTS:
            client, method, path, *others = record.args
            path = without_secrets(str(path).partition("?")[0])
            record.args = (client, method, path, *others)
        return True


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
) -> None:
    """Serve search and cited answers over HTTP."""
    listener = _listen(host, port)
    with listener, opened() as kb:
        from api.app import create_app  # noqa: PLC0415 -- keeps `kb --help` quick

        # Here an encoder that can't be loaded is one line; within the server it would be a trace.
        kb.encoder.encode_queries(["fonds propres"])
        _run(create_app(kb), listener, _url(host, listener))


def _listen(host: str, port: int) -> socket.socket:
    """Take the port before anything slow is done.

    Raises:
        StoreError: It can't be had.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, address = found[0]
        # asyncio sends at once (TCP_NODELAY) only on sockets that state their protocol; measured
        # on one kept connection, /healthz took 44 ms without it and 0.5 ms with it.
        listener = socket.socket(family, kind, socket.IPPROTO_TCP)
        if os.name == "posix":  # elsewhere the option lets two services share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        raise StoreError(
            f"Can't listen on {host} port {port}: {error.strerror}. "
            "Choose another with --port, or --port 0 for a free one."
        ) from None
    return listener


def _url(host: str, listener: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


def _run(service: FastAPI, listener: socket.socket, url: str) -> None:
    import uvicorn  # noqa: PLC0415 -- keeps `kb --help` quick

    class Server(uvicorn.Server):
        """Says where the service is once it answers there."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                typer.echo(url)

    config = uvicorn.Config(
        service,
        log_config=_log_config(),
        timeout_graceful_shutdown=GRACE,
        server_header=False,
    )
    try:
        Server(config).run([listener])
    except KeyboardInterrupt:  # the way to stop it: nothing was interrupted
        typer.echo("Stopped.", err=True)


def _log_config() -> dict[str, Any]:
    """Everything goes to standard error; what people ask and their secrets are not written down."""
    handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stderr"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"without_query": {"()": "api.cli.WithoutQuery"}},
        "formatters": {
            "default": {
                "()": "uvicorn.logging.DefaultFormatter",
                "fmt": "%(levelprefix)s %(message)s",
            },
            "access": {
                "()": "uvicorn.logging.AccessFormatter",
                "fmt": '%(levelprefix)s %(client_addr)s "%(request_line)s" %(status_code)s',
            },
        },
        "handlers": {
            "default": {**handler, "formatter": "default"},
            "access": {**handler, "formatter": "access", "filters": ["without_query"]},
        },
        "loggers": {
            "api": {"handlers": ["default"], "level": "INFO", "propagate": False},
            "uvicorn": {"handlers": ["default"], "level": "INFO", "propagate": False},
            "uvicorn.access": {"handlers": ["access"], "level": "INFO", "propagate": False},
        },
    }

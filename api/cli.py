"""``kb serve``: the search service."""

from __future__ import annotations

import os
import socket
from typing import Annotated

import typer

from kb.commands import opened
from kb.errors import StoreError

app = typer.Typer()


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes; each loads the models.")
    ] = 1,
) -> None:
    """Serve search and cited answers over HTTP."""
    listener = _listen(host, port)
    url = _url(host, listener)
    with listener:
        with opened() as kb:
            from api.app import create_app  # noqa: PLC0415 -- keeps a taken port's error quick
            from api.serving import (  # noqa: PLC0415 -- as above
                check_settings,
                serve_alone,
                serve_with_workers,
            )

            # Here what can't be used is one line; within the server it would be a trace.
            check_settings(kb.settings)
            kb.encoder.encode_queries(["fonds propres"])
            if workers == 1:
                serve_alone(create_app(kb), kb.settings, listener, url)
                return
        serve_with_workers(workers, kb.settings, listener, url)


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

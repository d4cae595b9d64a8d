"""``kb serve``: the search service."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
) -> None:
    """Serve search and cited answers over HTTP."""
    import uvicorn  # noqa: PLC0415 -- keeps `kb --help` quick

    from api.app import create_app  # noqa: PLC0415 -- as above

    uvicorn.run(create_app(), host=host, port=port)

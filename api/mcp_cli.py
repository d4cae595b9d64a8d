"""``kb mcp``: the knowledge base for an assistant on this machine."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from kb.commands import opened

app = typer.Typer()


class As(StrEnum):
    """Whose eyes an assistant has."""

    STAFF = "staff"
    PARTNER = "partner"
    PUBLIC = "public"


@app.command()
def mcp(
    role: Annotated[As, typer.Option(help="Whose documents the assistant sees.")] = As.STAFF,
    collection: Annotated[
        list[str] | None, typer.Option(help="Of these only those in this collection; repeatable.")
    ] = None,
) -> None:
    """Serve an assistant on this machine (MCP over standard input and output)."""
    from api.access import Caller  # noqa: PLC0415 -- keeps `kb --help` quick
    from api.mcp.stdio import serve  # noqa: PLC0415 -- as above
    from kb.keys import Door, KeyRole, access_of  # noqa: PLC0415 -- as above

    known = None if role is As.PUBLIC else KeyRole(role.value)
    access = access_of(known, tuple(collection) if collection else None)
    with opened() as kb:
        serve(kb, Caller(known, access, client="stdio", door=Door.MCP))

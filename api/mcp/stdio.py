"""The MCP server of one caller, over the standard input and output of a process."""

from __future__ import annotations

import asyncio
import signal
from logging.config import dictConfig
from typing import TYPE_CHECKING

from mcp.server.stdio import stdio_server

from api.logs import log_config
from api.mcp.asking import Asking
from api.mcp.server import make_server
from kb.audited import Audit

if TYPE_CHECKING:
    from api.access import Caller
    from kb.bootstrap import KnowledgeBase


def serve(kb: KnowledgeBase, caller: Caller) -> None:
    """Answer until the input ends; whatever else writes to the output goes to standard error."""
    dictConfig(log_config("text"))
    address = kb.settings.public_url.rstrip("/") or None
    server = make_server(kb, lambda _: Asking(Audit(kb, caller), address))

    async def run() -> None:
        async with stdio_server() as (received, sent):
            await server.run(received, sent, server.create_initialization_options())

    # The SDK reads in a thread that waits for a line, and asyncio waits for the thread: three
    # presses of Ctrl-C were needed (SDK 2.3, its issue 3551). Nothing here is left half done.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    asyncio.run(run())

"""Whether the service can answer now: its encoder, its index and its database, each tried."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool

from kb.record.writable import check_writable

if TYPE_CHECKING:
    from collections.abc import Callable

    from kb.bootstrap import KnowledgeBase

PARTS: Final = ("encoder", "index", "database")

# That all is well is not tried again for so long: it costs a write to the disk.
_KEPT_SECONDS: Final = 1.0
# A part that has not answered after so long, such as a database behind a broken line, is not ready.
_PATIENCE_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


class Readiness:
    """Tries the parts of a knowledge base, one round at a time however many ask."""

    def __init__(self, kb: KnowledgeBase) -> None:
        self._kb = kb
        self._round: asyncio.Task[None] | None = None
        self._begun = 0.0
        self._well: dict[str, bool] = {}
        self._told: list[str] = []

    async def failing(self) -> list[str]:
        """The parts that are not ready, in the order of ``PARTS``; all are tried."""
        now = time.monotonic()
        kept = not self._told and now - self._begun < _KEPT_SECONDS
        if self._round is None or (self._round.done() and not kept):
            self._begun, self._well = now, {}
            self._round = asyncio.create_task(run_in_threadpool(self._try_all))
        await asyncio.wait({self._round}, timeout=_PATIENCE_SECONDS)
        failing = [part for part in PARTS if not self._well.get(part)]
        if failing != self._told:
            self._told = failing
            _log.warning("Not ready: %s." if failing else "Ready again.%s", ", ".join(failing))
        return failing

    def _try_all(self) -> None:
        well = self._well
        tries: dict[str, Callable[[], None]] = {
            "encoder": self._encode,
            "index": self._open,
            "database": self._write,
        }
        for part, attempt in tries.items():
            try:
                attempt()
            except Exception as error:  # noqa: BLE001 -- whatever it is, the part is not ready
                well[part] = False
                if part not in self._told:
                    _log.warning("The %s is not ready: %s", part, getattr(error, "orig", error))
            else:
                well[part] = True

    def _encode(self) -> None:
        self._kb.encoder.encode_queries(["prêt"])

    def _open(self) -> None:
        with self._kb.generations.current() as view:
            view.index.count()

    def _write(self) -> None:
        check_writable(self._kb.engine, self._kb.clock().isoformat())

"""Answers as they are found: server-sent events, piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kb.client.errors import error_of
from kb.client.models import EndEvent, Problem, SearchResult, SentenceEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

Event = SearchResult | SentenceEvent | EndEvent

_MODELS: dict[str, type[SearchResult | SentenceEvent | EndEvent]] = {
    "sources": SearchResult,
    "sentence": SentenceEvent,
    "end": EndEvent,
}


class Events:
    """Makes events of the pieces in which a stream arrives, wherever they are cut."""

    def __init__(self) -> None:
        self._rest = b""

    def read(self, piece: bytes) -> Iterator[Event]:
        """The events that a piece completes. Comments, and events of a later day, are left out.

        Raises:
            ServiceError: The service says that something has gone wrong.
        """
        *blocks, self._rest = (self._rest + piece).split(b"\n\n")
        for block in blocks:
            # Bytes are split: str.splitlines would also split at what JSON may hold as it is.
            fields = dict(line.partition(b": ")[::2] for line in block.split(b"\n"))
            name, data = fields.get(b"event", b"").decode(), fields.get(b"data", b"")
            if name == "error":
                raise error_of(Problem.model_validate_json(data, extra="ignore"))
            if name in _MODELS:
                yield _MODELS[name].model_validate_json(data, extra="ignore")

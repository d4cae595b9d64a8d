"""Which generation a query is answered from, and when an old one may be closed."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kb.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kb.index.base import IndexReader, VectorIndex
    from kb.record.reading import Record


@dataclass(slots=True)
class View:
    """A generation as queries see it: its number and its open index."""

    generation: int
    index: IndexReader
    users: int = 0

    def __deepcopy__(self, _memo: object) -> View:
        """Stay one and the same: Haystack copies what it hands to components."""
        return self


class Generations:
    """Hands out the current generation; safe to share between threads.

    The system of record says which one is current, at every query, so that a run published by
    another process is answered from at once. An old generation is closed when its last query has
    returned.

    When another process encodes everything again with another encoder, a service that is already
    answering goes on from the newest kept generation of its own: two more runs leave it there.
    """

    def __init__(self, record: Record, index: VectorIndex, encoder: str) -> None:
        self._record = record
        self._index = index
        self._encoder = encoder
        self._lock = threading.Lock()
        self._view: View | None = None
        # What was current when ``_view`` was chosen: until it changes, the choice stands.
        self._seen: int | None = None
        # Called whenever queries go over to another generation.
        self.on_switch: Callable[[], None] | None = None

    @contextmanager
    def current(self) -> Iterator[View]:
        """Hold the current generation open for the length of a ``with`` block.

        Raises:
            StoreError: Nothing was ingested yet, the index can't be opened, or another encoder
                made it: vectors of two models can't be compared.
        """
        view = self._take()
        try:
            yield view
        finally:
            with self._lock:
                view.users -= 1
                if view.users == 0 and view is not self._view:
                    view.index.close()

    @property
    def open_id(self) -> int | None:
        """The generation that queries are answered from at present; null before the first."""
        view = self._view
        return None if view is None else view.generation

    def close(self) -> None:
        """Close what is open and not in use."""
        with self._lock:
            self._replace(None)
            self._seen = None

    def _take(self) -> View:
        with self._lock:
            # Asked under the lock: a thread with an older answer would go back to that generation.
            newest = self._record.current_id()
            if newest is None:
                raise StoreError("The knowledge base is empty. Ingest documents: kb ingest PATH")
            view = self._view
            if view is None or self._seen != newest:
                view = self._chosen(newest)
                if self.on_switch and self._view is not None and self._view is not view:
                    self.on_switch()
                self._replace(view)
                self._seen = newest
            view.users += 1
            return view

    def _chosen(self, newest: int) -> View:
        """The newest generation, or for a service under way the newest kept one of its encoder."""
        generation, made_by = newest, self._record.encoder_of(newest)
        if made_by != self._encoder and self._view is not None:
            ours = (kept.id for kept in self._record.kept() if kept.encoder == self._encoder)
            generation = next(ours, newest)
        if generation == newest:
            check_encoder(made_by, self._encoder)
        if self._view is not None and self._view.generation == generation:
            return self._view
        return View(generation, self._index.reader(generation))

    def _replace(self, view: View | None) -> None:
        if self._view is not None and self._view is not view and self._view.users == 0:
            self._view.index.close()
        self._view = view


def check_encoder(made_by: str | None, configured: str) -> None:
    """Refuse to compare vectors of two models.

    Raises:
        StoreError: The generation was made by another encoder than the one that is set.
    """
    if made_by not in {None, configured}:
        raise StoreError(
            f"The index was made with the encoder {made_by}, but KB_ENCODER is {configured}. "
            "`kb doctor --repair` encodes everything again."
        )

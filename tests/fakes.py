"""Small stand-ins with state: an encoder that needs no model, and a clock that ticks."""

from __future__ import annotations

import re
import zlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from kb.analysis import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_WORDS = re.compile(r"\w+")
_PIECES = re.compile(r"\w+|[^\w\s]")


class HashingEncoder:
    """Counts of words in hashed places: texts that share words are near each other.

    It remembers how many texts it was given, so that a test can tell what was encoded again.
    """

    def __init__(self, name: str = "hashing", dimension: int = 128) -> None:
        self.name = name
        self.passages_seen = 0
        self.queries_seen = 0
        self._dimension = dimension

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._dimension

    def count_tokens(self, text: str) -> int:
        """How many words and signs a text has."""
        return len(_PIECES.findall(text))

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages: shape (number of texts, dimension), each of length 1."""
        self.passages_seen += len(texts)
        return self._encode(texts)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of queries, made like those of passages."""
        self.queries_seen += len(texts)
        return self._encode(texts)

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self._dimension), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in _WORDS.findall(fold(text)):
                number = zlib.crc32(word.encode())
                row[number % self._dimension] += 1.0 if number & 0x10000 else -1.0
            if not row.any():
                row[0] = 1.0
        unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


class TickingClock:
    """A clock that is one second later each time it is asked."""

    def __init__(self, start: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)) -> None:
        self.now = start

    def __call__(self) -> datetime:
        """Return the present moment."""
        self.now += timedelta(seconds=1)
        return self.now

"""Vectors kept by text: what was encoded once is not encoded again for the next measurement."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from kb.encoders.base import Encoder

# What an encoder makes of these tells its weights, its prefixes and its pooling.
_PROBES = (
    "Le taux de garantie est de 50 %.",
    "The rate of the guarantee is 50 %.",
    "Une association « entreprise solidaire d’utilité sociale » demande une avance remboursable.",
    "An organisation that applies for EU funding states its budget, its partners and its aims.",
)
# Largest difference between two runs of the same weights: bfloat16 and batches of other sizes.
_SAME = 0.002
_SECONDS = 120


class RememberedVectors:
    """The product's encoder, except that a text's vector is made once; texts go by their hash."""

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self.name = encoder.name
        self._encoder = encoder
        self._file = _file_of(encoder, folder)

    @property
    def state(self) -> str:
        """What tells these weights from others of the same name."""
        return self._file.stem

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._encoder.dimension

    def count_tokens(self, text: str) -> int:
        """How many word pieces a text has, without the model's special tokens."""
        return self._encoder.count_tokens(text)

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages; only those never seen are encoded."""
        return self._remembered("passage", texts, self._encoder.encode_passages)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of queries; only those never seen are encoded."""
        return self._remembered("query", texts, self._encoder.encode_queries)

    def _remembered(
        self,
        kind: str,
        texts: Sequence[str],
        encode: Callable[[Sequence[str]], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        keys = [hashlib.sha256(f"{kind}\n{text}".encode()).digest() for text in texts]
        with closing(_opened(self._file)) as connection:
            found = ((key, connection.execute(_FIND, (key,)).fetchone()) for key in set(keys))
            known = {key: row[0] for key, row in found if row}
            new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
            if new:
                made = encode(list(new.values()))
                known |= {key: row.tobytes() for key, row in zip(new, made, strict=True)}
                with connection:
                    connection.executemany(_KEEP, [(key, known[key]) for key in new])
        rows = [np.frombuffer(known[key], dtype=np.float32) for key in keys]
        return np.stack(rows) if rows else np.zeros((0, self.dimension), dtype=np.float32)


_CREATE = "CREATE TABLE IF NOT EXISTS vectors (text BLOB PRIMARY KEY, vector BLOB)"
_FIND = "SELECT vector FROM vectors WHERE text = ?"
_KEEP = "INSERT OR REPLACE INTO vectors VALUES (?, ?)"
_PROBE_KEY = b"probes"


def _file_of(encoder: Encoder, folder: Path) -> Path:
    """The file of an encoder that makes these very vectors, or a new one."""
    probes = encoder.encode_passages(_PROBES)
    name = re.sub(r"\W+", "-", encoder.name)
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob(f"{name}-*.db")):
        with closing(_opened(path)) as connection:
            row = connection.execute(_FIND, (_PROBE_KEY,)).fetchone()
        found = np.frombuffer(row[0], dtype=np.float32) if row else np.zeros(0)
        if found.size == probes.size and np.abs(found - probes.ravel()).max() < _SAME:
            path.touch()
            return path
    path = folder / f"{name}-{hashlib.sha256(probes.tobytes()).hexdigest()[:8]}.db"
    with closing(_opened(path)) as connection, connection:
        connection.execute(_CREATE)
        connection.execute(_KEEP, (_PROBE_KEY, probes.tobytes()))
    return path


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_SECONDS)

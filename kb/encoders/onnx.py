"""The default encoder: a bilingual MiniLM in this package, run by onnxruntime, without torch."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from kb.encoders.models import DEFAULT
from kb.encoders.shipped import ENCODER, TOKENIZER, WORDS, Shipped, package_models

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

MAX_TOKENS = 256
# What makes a vector: another of these files, another name.
PARTS = (TOKENIZER, WORDS, ENCODER)
_DIMENSION = 384


class OnnxEncoder:
    """French and English into one space, without a download; safe to share between threads."""

    def __init__(self, shipped: Shipped | None = None) -> None:
        self._shipped = shipped or package_models()

    @cached_property
    def name(self) -> str:
        """The name that a generation records: other weights, another name."""
        return model_name(self._shipped.checksums)

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return _DIMENSION

    def count_tokens(self, text: str) -> int:
        """How many word pieces a text has, without the model's special tokens."""
        return len(self._shipped.tokenizer.encode(text, add_special_tokens=False).ids)

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages: shape (number of texts, dimension), each of length 1."""
        return self._encode(texts)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of queries, comparable with those of passages by their dot product."""
        return self._encode(texts)

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if not len(texts):
            return np.zeros((0, _DIMENSION), dtype=np.float32)
        encoded = self._shipped.tokenizer.encode_batch(list(texts))
        return np.stack(self._shipped.run(ENCODER, [_cut(each.ids) for each in encoded]))


def model_name(checksums: Mapping[str, str]) -> str:
    """The name of an encoder with these files."""
    together = "".join(checksums[name] for name in PARTS)
    return f"{DEFAULT}-{hashlib.sha256(together.encode()).hexdigest()[:8]}"


def _cut(ids: list[int]) -> list[int]:
    """What the model reads of a text, its end mark kept."""
    return ids if len(ids) <= MAX_TOKENS else [*ids[: MAX_TOKENS - 1], ids[-1]]

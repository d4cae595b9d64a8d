"""What an encoder is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


class Encoder(Protocol):
    """Makes vectors of one model. Importing it is quick; the model is loaded at first use."""

    @property
    def name(self) -> str:
        """What a generation records: vectors of one name can be compared with each other."""
        ...

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        ...

    def count_tokens(self, text: str) -> int:
        """How many word pieces a text has, without the model's special tokens."""
        ...

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages: shape (number of texts, dimension), each of length 1."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of queries, comparable with those of passages by their dot product.

        A query's vector is the very same whatever it is encoded with, so that a batch of searches
        finds what single ones find.
        """
        ...

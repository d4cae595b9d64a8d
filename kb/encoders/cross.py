"""The cross-encoder in this package: reads a question and a sentence together, scores the answer.

Vectors tell what a sentence is about; only both read together tell whether it says what is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kb.encoders.pairing import paired
from kb.encoders.shipped import CROSS_ENCODER, Shipped, package_models
from kb.stopping import NEVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from kb.stopping import Stop


class Stated(NamedTuple):
    """A sentence as it is read: under the title of its document and the heading above it."""

    title: str
    heading: str
    sentence: str


class CrossEncoder:
    """Scores sentences as answers; safe to share between threads."""

    def __init__(self, shipped: Shipped | None = None) -> None:
        self._shipped = shipped or package_models()

    def score(
        self, question: str, stated: Sequence[Stated], stop: Stop = NEVER
    ) -> NDArray[np.float32]:
        """A score for each: a log-odds, positive where the sentence more likely answers than not.

        Question and sentences may be in either language. 24 sentences take about 0.1 s on two
        cores; after each one the work may stop.
        """
        if not stated:
            return np.zeros(0, dtype=np.float32)
        tokenizer = self._shipped.tokenizer
        rows = [paired(tokenizer, question, *each) for each in stated]
        return np.concatenate(self._shipped.run(CROSS_ENCODER, rows, stop))

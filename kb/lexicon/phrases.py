"""Two terms that together mean something else: their translations, from the alignments.

"chiffre d'affaires" is turnover, not figures and affairs. A pair of neighbouring terms becomes a
phrase where what it is aligned with differs from what its terms are aligned with elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from kb.lexicon.align import Cells, Chunk, Floats, Ints

MIN_COUNT = 3
MIN_DIFFERENCE = 0.15  # total variation between a phrase's translations and those of its terms
_AGREED = 0.02  # cells below it are noise, nine in ten of all
_SHARE = 0.02  # smallest part of a phrase's translations that is kept

Translations = list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Phrase:
    """Two terms by number, how often they were seen, how far they are from the sum of their parts.

    ``translations`` hold the expected number of times that a term of the other language stands for
    the phrase, most first.
    """

    terms: tuple[int, int]
    count: int
    difference: float
    translations: Translations


@dataclass(frozen=True, slots=True)
class _Side:
    """One language of a chunk: its terms, which of them end a text, and each cell's two places."""

    terms: NDArray[np.int32]
    lengths: Ints
    own: Ints
    other: NDArray[np.int32]


def find_phrases(
    alignments: Iterable[tuple[Chunk, Cells, Floats]],
    words: tuple[Mapping[int, Translations], Mapping[int, Translations]],
    sizes: tuple[int, int],
) -> tuple[list[Phrase], list[Phrase]]:
    """The phrases of English and of French.

    Args:
        alignments: Chunks with their cells and agreed probabilities.
        words: Translations of single terms from English and from French, as shares of one.
        sizes: Those of the English and the French vocabulary.
    """
    english, french = _Collector(*sizes), _Collector(*reversed(sizes))
    for chunk, cells, agreed in alignments:
        strong = agreed > _AGREED
        at_english, at_french, weight = cells.english[strong], cells.french[strong], agreed[strong]
        of_english, of_french = chunk.english[at_english], chunk.french[at_french]
        english.add(_Side(chunk.english, chunk.english_lengths, at_english, of_french), weight)
        french.add(_Side(chunk.french, chunk.french_lengths, at_french, of_english), weight)
    return english.phrases(words[0]), french.phrases(words[1])


class _Collector:
    """Counts neighbours of one language and what they are aligned with."""

    def __init__(self, own: int, other: int) -> None:
        self._own = own
        self._other = other
        self._counts: list[tuple[Ints, Floats]] = []
        self._aligned: list[tuple[Ints, Floats]] = []

    def add(self, side: _Side, weight: Floats) -> None:
        starts = self._neighbours(side)
        self._counts.append(_summed(starts[starts >= 0]))
        before = np.where(side.own > 0, starts[side.own - 1], -1)
        keys = np.concatenate([starts[side.own], before])
        known = keys >= 0
        pairs = keys[known] * self._other + np.concatenate([side.other, side.other])[known]
        self._aligned.append(_summed(pairs, np.concatenate([weight, weight])[known]))

    def phrases(self, words: Mapping[int, Translations]) -> list[Phrase]:
        keys, counts = _merged(self._counts)
        often = counts >= MIN_COUNT
        keys, counts = keys[often], counts[often]
        pairs, weights = _merged(self._aligned)
        of_pair, term = np.divmod(pairs, self._other)
        bounds = np.searchsorted(of_pair, np.stack([keys, keys + 1]))
        found = []
        for key, count, start, end in zip(keys, counts, *bounds, strict=True):
            aligned = list(zip(term[start:end].tolist(), weights[start:end].tolist(), strict=True))
            first, second = divmod(int(key), self._own)
            phrase = _phrase((first, second), round(float(count)), aligned, words)
            if phrase.difference >= MIN_DIFFERENCE:
                found.append(phrase)
        return found

    def _neighbours(self, side: _Side) -> Ints:
        """At each place the number of the pair that begins there, -1 where a text ends."""
        followed = np.ones(len(side.terms), bool)
        followed[np.cumsum(side.lengths) - 1] = False
        numbers = side.terms.astype(np.int64)
        return np.where(followed, numbers * self._own + np.roll(numbers, -1), -1)


def _phrase(
    pair: tuple[int, int],
    count: int,
    aligned: Sequence[tuple[int, float]],
    words: Mapping[int, Translations],
) -> Phrase:
    parts: dict[int, float] = {}
    for word in pair:
        for term, share in words.get(word, ()):
            parts[term] = parts.get(term, 0.0) + share / 2
    total = sum(weight for _, weight in aligned)
    kept = [(term, weight) for term, weight in aligned if weight > _SHARE * total]
    difference = sum(max(0.0, weight / total - parts.get(term, 0.0)) for term, weight in kept)
    kept.sort(key=lambda item: (-item[1], item[0]))
    return Phrase(pair, count, difference, [(term, weight / count) for term, weight in kept])


def _summed(keys: Ints, weights: Floats | None = None) -> tuple[Ints, Floats]:
    """Distinct keys and the sum of each one's weights, without weights its count."""
    unique, inverse = np.unique(keys, return_inverse=True)
    return unique, np.bincount(inverse, weights, len(unique)).astype(np.float64)


def _merged(parts: Sequence[tuple[Ints, Floats]]) -> tuple[Ints, Floats]:
    return _summed(
        np.concatenate([keys for keys, _ in parts]), np.concatenate([sums for _, sums in parts])
    )

"""Word alignment: IBM Model 1 with a position prior, both directions made to agree.

Brown et al. (1993), "The Mathematics of Statistical Machine Translation"; Dyer et al. (2013), "A
Simple, Fast, and Effective Reparameterization of IBM Model 2" (the prior: terms stand at about the
same place); Liang et al. (2006), "Alignment by Agreement" (the posteriors of both directions are
multiplied). Only sums, products and quotients are used, so that every machine finds the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

FREE_ROUNDS = 5  # each direction for itself
AGREEING_ROUNDS = 5
NULL = 0.08  # chance that a term stands for nothing on the other side
POSITION = 4.0  # strength of the prior on positions
_CELLS = 2_000_000  # of a chunk; ten arrays of this length are alive at once


@dataclass(frozen=True, slots=True)
class Chunk:
    """Pairs of about one length, end to end: the numbers of their terms and their lengths."""

    english: NDArray[np.int32]
    french: NDArray[np.int32]
    english_lengths: Ints
    french_lengths: Ints
    cell_keys: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Cells:
    """All pairs of an English and a French term of one text: places in the chunk, and the prior."""

    english: Ints
    french: Ints
    prior: Floats


@dataclass(frozen=True, slots=True)
class Counts:
    """Expected numbers of alignments: of each key (English × French term), and of nothing."""

    keys: Ints
    english: Ints
    french: Ints
    aligned: Floats
    english_alone: Floats
    french_alone: Floats


@dataclass(frozen=True, slots=True)
class _Table:
    """Both directions' probabilities by key, and of terms that stand for nothing."""

    english_given_french: Floats
    french_given_english: Floats
    english_alone: Floats
    french_alone: Floats


class Aligner:
    """Learns which terms translate each other, and gives the alignments of every pair."""

    def __init__(
        self,
        english: Sequence[Sequence[int]],
        french: Sequence[Sequence[int]],
        sizes: tuple[int, int],
    ) -> None:
        """Take pairs as numbers of terms; ``sizes`` are those of the two vocabularies."""
        self._sizes = sizes
        self._keys, self._chunks = _chunks(english, french, sizes[1])
        self._of_english, self._of_french = np.divmod(self._keys, sizes[1])
        self._table = _Table(
            np.full(len(self._keys), 1 / sizes[0]),
            np.full(len(self._keys), 1 / sizes[1]),
            np.full(sizes[0], 1 / sizes[0]),
            np.full(sizes[1], 1 / sizes[1]),
        )

    def train(self, progress: Callable[[int], None]) -> Counts:
        """Run all rounds and return the counts of the last; ``progress`` is told each round."""
        for number in range(FREE_ROUNDS):
            self._free_round(POSITION if number > 1 else 0.0)
            progress(number + 1)
        for number in range(AGREEING_ROUNDS):
            counts = self._agreeing_round()
            progress(FREE_ROUNDS + number + 1)
        return counts

    def alignments(self) -> Iterator[tuple[Chunk, Cells, Floats]]:
        """Every chunk with its cells and the agreed probability that a cell is a translation."""
        for chunk in self._chunks:
            cells = _cells(chunk, POSITION)
            forward, backward, _, _ = self._posteriors(chunk, cells)
            yield chunk, cells, forward * backward

    def _free_round(self, position: float) -> None:
        n_english, n_french = self._sizes
        forward, backward = np.zeros(len(self._keys)), np.zeros(len(self._keys))
        alone_english, alone_french = np.zeros(n_english), np.zeros(n_french)
        for chunk in self._chunks:
            p, q, null_p, null_q = self._posteriors(chunk, _cells(chunk, position))
            forward += np.bincount(chunk.cell_keys, p, len(self._keys))
            backward += np.bincount(chunk.cell_keys, q, len(self._keys))
            alone_english += np.bincount(chunk.english, null_p, n_english)
            alone_french += np.bincount(chunk.french, null_q, n_french)
        self._set(forward, backward, alone_english, alone_french)

    def _agreeing_round(self) -> Counts:
        n_english, n_french = self._sizes
        aligned = np.zeros(len(self._keys))
        alone_english, alone_french = np.zeros(n_english), np.zeros(n_french)
        for chunk, cells, agreed in self.alignments():
            aligned += np.bincount(chunk.cell_keys, agreed, len(self._keys))
            left = 1 - np.bincount(cells.english, agreed, len(chunk.english))
            alone_english += np.bincount(chunk.english, left.clip(0), n_english)
            left = 1 - np.bincount(cells.french, agreed, len(chunk.french))
            alone_french += np.bincount(chunk.french, left.clip(0), n_french)
        self._set(aligned, aligned, alone_english, alone_french)
        return Counts(
            self._keys, self._of_english, self._of_french, aligned, alone_english, alone_french
        )

    def _set(self, forward: Floats, backward: Floats, english: Floats, french: Floats) -> None:
        self._table = _Table(
            _share(forward, self._of_french, self._sizes[1]),
            _share(backward, self._of_english, self._sizes[0]),
            english / max(_total(english), 1e-12),
            french / max(_total(french), 1e-12),
        )

    def _posteriors(self, chunk: Chunk, cells: Cells) -> tuple[Floats, Floats, Floats, Floats]:
        """Probability of each cell in both directions, and of each term to stand for nothing."""
        table = self._table
        p, null_p = _posterior(
            table.english_given_french[chunk.cell_keys],
            NULL * table.english_alone[chunk.english],
            cells.english,
            cells.prior,
        )
        q, null_q = _posterior(
            table.french_given_english[chunk.cell_keys],
            NULL * table.french_alone[chunk.french],
            cells.french,
            cells.prior,
        )
        return p, q, null_p, null_q


def _posterior(
    translation: Floats, alone: Floats, generated: Ints, prior: Floats
) -> tuple[Floats, Floats]:
    """Bayes over the cells of each generated term, of which ``alone`` is the null word's part."""
    scale = np.bincount(generated, prior, len(alone))
    joint = translation * prior * ((1 - NULL) / scale)[generated]
    total = np.bincount(generated, joint, len(alone)) + alone
    total = np.maximum(total, 1e-300)
    return joint / total[generated], alone / total


def _cells(chunk: Chunk, position: float) -> Cells:
    english, french = _places(chunk.english_lengths, chunk.french_lengths)
    apart = np.abs(
        _relative(chunk.english_lengths)[english] - _relative(chunk.french_lengths)[french]
    )
    near = 1 + position * apart
    return Cells(english, french, 1 / (near * near))


def _places(english: Ints, french: Ints) -> tuple[Ints, Ints]:
    """Places of the terms of every cell in a chunk of pairs with these lengths."""
    sizes = english * french
    cell = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    row, column = np.divmod(cell, np.repeat(french, sizes))
    return (
        np.repeat(np.cumsum(english) - english, sizes) + row,
        np.repeat(np.cumsum(french) - french, sizes) + column,
    )


def _relative(lengths: Ints) -> Floats:
    """Where each term stands in its text, from 0 to 1."""
    place = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return (place + 0.5) / np.repeat(lengths, lengths)


def _chunks(
    english: Sequence[Sequence[int]], french: Sequence[Sequence[int]], width: int
) -> tuple[Ints, list[Chunk]]:
    """Cut pairs into chunks and number the keys that occur in them."""
    chunks, found = [], []
    for part in _parts([len(e) * len(f) for e, f in zip(english, french, strict=True)]):
        flat_english, english_lengths = _flat(english, part)
        flat_french, french_lengths = _flat(french, part)
        at_english, at_french = _places(english_lengths, french_lengths)
        keys = flat_english[at_english].astype(np.int64) * width + flat_french[at_french]
        unique, inverse = np.unique(keys, return_inverse=True)
        found.append(unique)
        cell_keys = inverse.astype(np.int32)
        chunks.append(Chunk(flat_english, flat_french, english_lengths, french_lengths, cell_keys))
    keys = np.unique(np.concatenate(found))
    return keys, [
        replace(chunk, cell_keys=np.searchsorted(keys, unique).astype(np.int32)[chunk.cell_keys])
        for chunk, unique in zip(chunks, found, strict=True)
    ]


def _flat(texts: Sequence[Sequence[int]], part: Sequence[int]) -> tuple[NDArray[np.int32], Ints]:
    """The terms of some texts end to end, and the length of each."""
    lengths = np.array([len(texts[number]) for number in part], np.int64)
    return np.fromiter((term for number in part for term in texts[number]), np.int32), lengths


def _parts(cells: Sequence[int]) -> Iterable[list[int]]:
    """Numbers of pairs by rising cost, cut where the cells of a part fill a chunk."""
    part: list[int] = []
    total = 0
    for number in sorted(range(len(cells)), key=lambda n: (cells[n], n)):
        part.append(number)
        total += cells[number]
        if total > _CELLS:
            yield part
            part, total = [], 0
    if part:
        yield part


def _share(counts: Floats, groups: Ints, size: int) -> Floats:
    """Counts over the sum of their group."""
    total = np.bincount(groups, counts, size)
    shared: Floats = counts / np.maximum(total, 1e-12)[groups]
    return shared


def _total(values: Floats) -> float:
    """The sum, added in order: pairwise sums depend on the machine."""
    return float(np.bincount(np.zeros(len(values), np.int64), values)[0])

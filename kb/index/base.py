"""What an index is: generations of points that are written once and then only read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from kb.analysis import SparseTerms
    from kb.model import Access, Document, Filters, Passage, Visibility

# A search asks for the passages of each language apart; no base of ours holds more than these.
MAX_LANGUAGES = 50
# How widely the dense leg looks in a graph of neighbours (``ef``).
BREADTH = 512


@dataclass(frozen=True, slots=True)
class Point:
    """A passage as the index holds it: no text, only vectors and what filters need."""

    passage: Passage
    document: Document
    dense: NDArray[np.float32]
    sparse: SparseTerms


@dataclass(frozen=True, slots=True)
class Scored:
    """A passage id with the raw score of one leg: cosine, or BM25."""

    id: str
    score: float

    def __deepcopy__(self, _memo: object) -> Scored:
        """Stay one and the same: Haystack copies what it hands to components."""
        return self


@dataclass(frozen=True, slots=True)
class Order:
    """A number field to sort by, ascending unless said otherwise, from a value on (included)."""

    key: str
    descending: bool = False
    start: float | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A passage id with the value that it is sorted by."""

    id: str
    value: float


class IndexReader(Protocol):
    """One generation, open for queries. Every query applies the filters inside the engine."""

    def dense(
        self,
        vector: NDArray[np.float32],
        filters: Filters,
        limit: int,
        among: Collection[str] | None = None,
    ) -> list[Scored]:
        """The nearest passages by cosine, best first; only those ``among`` if given."""
        ...

    def lexical(
        self,
        terms: SparseTerms,
        filters: Filters,
        limit: int,
        among: Collection[str] | None = None,
    ) -> list[Scored]:
        """The best passages by BM25, best first; only those ``among`` if given."""
        ...

    def rarity(self, terms: SparseTerms, access: Access) -> dict[int, float]:
        """The inverse document frequency of each term, by its number; a rare word weighs more.

        ``ln((N - n + 0.5) / (n + 0.5) + 1)`` for ``n`` of ``N`` passages, as the engine applies it.
        A term that only hidden passages hold is as rare as one that is nowhere, and so not told
        from it.
        """
        ...

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of this generation's passages, in alphabetical order."""
        ...

    def ids(self) -> set[str]:
        """Every passage id in this generation."""
        ...

    def count(self, filters: Filters | None = None) -> int:
        """How many passages this generation holds, or how many pass the filters."""
        ...

    def facet(self, key: str, filters: Filters, limit: int) -> dict[str, int]:
        """The values of a keyword field and how many passages have each, most frequent first."""
        ...

    def ordered(
        self, order: Order, filters: Filters, limit: int, without: Collection[str] = ()
    ) -> list[Placed]:
        """Passages by the value of a number field; those that have none are left out.

        One that has several values comes once for each of them.
        """
        ...

    def unordered(
        self, key: str, filters: Filters, limit: int, after: str | None, without: Collection[str]
    ) -> list[str]:
        """Passages that have no value in a number field, by id, those after ``after``."""
        ...

    def close(self) -> None:
        """Release the generation; no query may be running."""
        ...


class IndexWriter(Protocol):
    """A generation being written; nobody reads it until ``finish`` has returned."""

    def add(self, points: Sequence[Point]) -> None:
        """Add points, replacing those with the same id."""
        ...

    def drop(self, document_ids: Collection[str]) -> None:
        """Delete every point of these documents."""
        ...

    def finish(self) -> None:
        """Optimise, make durable and close."""
        ...

    def abort(self) -> None:
        """Delete what was written."""
        ...


class VectorIndex(Protocol):
    """Keeps generations by number. One writer at a time; the caller holds the lock."""

    def reader(self, generation: int) -> IndexReader:
        """Open a generation.

        Raises:
            StoreError: It isn't there or can't be read.
        """
        ...

    def writer(self, generation: int, parent: int | None) -> IndexWriter:
        """Begin a generation as a copy of its parent, or empty."""
        ...

    def erase(self, generation: int, document_ids: Collection[str], *, purge: bool = False) -> None:
        """Delete every point of these documents from a kept generation, for good.

        ``purge`` also rewrites the files that held them, where those are ours to rewrite.
        """
        ...

    def narrow(
        self, generation: int, document_ids: Collection[str], visibility: Visibility
    ) -> None:
        """Set the visibility of these documents' points in a kept generation."""
        ...

    def collect(
        self, generation: int, document_ids: Collection[str], collections: Collection[str]
    ) -> None:
        """Set the collections of these documents' points in a kept generation."""
        ...

    def generations(self) -> set[int]:
        """The numbers of the generations that are there, finished or not."""
        ...

    def discard(self, generations: Iterable[int]) -> None:
        """Delete generations; readers that have them open go on."""
        ...


def unseen_rarity(total: int) -> float:
    """The inverse document frequency of a term that none of ``total`` passages holds."""
    return math.log((total + 0.5) / 0.5 + 1)

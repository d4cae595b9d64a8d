"""The lexicon as one file: arrays that are mapped into memory, after a header that says the recipe.

``KBLEX`` and the format's number, eight bytes together; the header's length as 8 bytes, little
endian; the header in JSON; then the arrays, each at a multiple of 8 bytes. Nothing is compressed:
opening takes a few milliseconds, and processes share the pages.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kb.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

MAGIC: Final = b"KBLEX\x00\x00\x01"
LANGUAGES: Final = ("en", "fr")
MAX_TERMS: Final = 65_535
_SCALE: Final = 255  # of a weight; one byte keeps steps of 0.004
_PREFERENCE_SCALE: Final = 32.0
_ARRAYS: Final = {
    "keys": np.dtype("<u4"),
    "starts": np.dtype("<u4"),
    "targets": np.dtype("<u2"),
    "weights": np.dtype("u1"),
    "preferences": np.dtype("u1"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A term or a phrase of two, by number, with what it becomes in the other language.

    A term's ``translations`` are shares of one, a phrase's the expected number of each term.
    ``preference`` tells which of two overlapping phrases to take.
    """

    terms: tuple[int, ...]
    translations: Sequence[tuple[int, float]]
    preference: float = 0.0


@dataclass(frozen=True, slots=True)
class Table:
    """One direction: keys ascending, the translations of key i at ``starts[i]:starts[i + 1]``."""

    keys: NDArray[np.uint32]
    starts: NDArray[np.uint32]
    targets: NDArray[np.uint16]
    weights: NDArray[np.uint8]
    preferences: NDArray[np.uint8]

    def find(self, terms: Sequence[int]) -> int | None:
        """Where a term or a phrase stands."""
        key = _key(terms)
        place = int(np.searchsorted(self.keys, np.uint32(key)))
        return place if place < len(self.keys) and int(self.keys[place]) == key else None

    def translations(self, place: int) -> list[tuple[int, float]]:
        """The terms of the other language and their weights, heaviest first."""
        start, end = int(self.starts[place]), int(self.starts[place + 1])
        weights = self.weights[start:end].tolist()
        targets = self.targets[start:end].tolist()
        return [(t, w / _SCALE) for t, w in zip(targets, weights, strict=True)]

    def preference(self, place: int) -> float:
        """How much a phrase is to be preferred to others that share a term with it."""
        return int(self.preferences[place]) / _PREFERENCE_SCALE


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Vocabularies and tables of both directions, by the language they translate from."""

    vocabulary: Mapping[str, tuple[str, ...]]
    numbers: Mapping[str, Mapping[str, int]]
    tables: Mapping[str, Table]
    recipe: Mapping[str, Any]

    def translations(self, terms: Sequence[str], source: str) -> list[tuple[str, float]]:
        """What a term, or a phrase of two, becomes in the other language; empty if not known."""
        place = self.find(terms, source)
        if place is None:
            return []
        words = self.vocabulary[_other(source)]
        return [(words[t], weight) for t, weight in self.tables[source].translations(place)]

    def preference(self, terms: Sequence[str], source: str) -> float | None:
        """How much a phrase is to be preferred to others, None if it isn't known."""
        place = self.find(terms, source)
        return None if place is None else self.tables[source].preference(place)

    def find(self, terms: Sequence[str], source: str) -> int | None:
        """Where a term or a phrase stands in the table of its language."""
        numbers = [self.numbers[source].get(term) for term in terms]
        known = [number for number in numbers if number is not None]
        return self.tables[source].find(known) if known and len(known) == len(terms) else None


def write_lexicon(
    path: Path,
    vocabulary: Mapping[str, Sequence[str]],
    entries: Mapping[str, Sequence[Entry]],
    recipe: Mapping[str, Any],
) -> None:
    """Write a lexicon; the same input gives the same bytes."""
    blobs: dict[str, bytes] = {}
    for language in LANGUAGES:
        if len(vocabulary[language]) > MAX_TERMS:
            raise ValueError(f"A vocabulary has at most {MAX_TERMS} terms.")
        blobs[f"{language}.terms"] = "\n".join(vocabulary[language]).encode()
        table = _table(entries[language])
        for name, kind in _ARRAYS.items():
            blobs[f"{language}.{name}"] = getattr(table, name).astype(kind).tobytes()
    header, at = {"recipe": dict(recipe), "parts": {}}, 0
    for name, blob in blobs.items():
        header["parts"][name] = [at, len(blob)]
        at += _padded(len(blob))
    text = json.dumps(header, sort_keys=True, ensure_ascii=False).encode()
    text += b" " * (_padded(len(text)) - len(text))
    with path.open("wb") as file:
        file.write(MAGIC + len(text).to_bytes(8, "little") + text)
        for blob in blobs.values():
            file.write(blob + b"\0" * (_padded(len(blob)) - len(blob)))


def read_lexicon(path: Path) -> Lexicon:
    """Map a lexicon into memory.

    Raises:
        StoreError: It is missing, of another format, or cut short.
    """
    try:
        whole = np.memmap(path, np.uint8, "r")
        if whole[: len(MAGIC)].tobytes() != MAGIC:
            raise StoreError(f"{path} is no lexicon of this version: run `kb lexicon train`.")
        length = int.from_bytes(whole[8:16].tobytes(), "little")
        header = json.loads(whole[16 : 16 + length].tobytes())
        return _lexicon(whole[16 + length :], header)
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(f"The lexicon {path} can't be read: {error}") from None


def _lexicon(body: NDArray[np.uint8], header: Mapping[str, Any]) -> Lexicon:
    def part(name: str) -> NDArray[np.uint8]:
        start, size = header["parts"][name]
        if start + size > len(body):
            raise ValueError("it is cut short")
        return body[start : start + size]

    vocabulary = {
        language: tuple(part(f"{language}.terms").tobytes().decode().split("\n"))
        for language in LANGUAGES
    }
    tables = {
        language: Table(
            **{name: part(f"{language}.{name}").view(kind) for name, kind in _ARRAYS.items()}
        )
        for language in LANGUAGES
    }
    numbers = {
        language: {term: number for number, term in enumerate(words)}
        for language, words in vocabulary.items()
    }
    return Lexicon(vocabulary, numbers, tables, header["recipe"])


def _table(entries: Sequence[Entry]) -> Table:
    ordered = sorted(entries, key=lambda entry: _key(entry.terms))
    sizes = [len(entry.translations) for entry in ordered]
    flat = list(_heaviest_first(ordered))
    return Table(
        np.array([_key(entry.terms) for entry in ordered], np.uint32),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint32),
        np.array([term for term, _ in flat], np.uint16),
        np.array([byte for _, byte in flat], np.uint8),
        np.array(
            [min(255, round(entry.preference * _PREFERENCE_SCALE)) for entry in ordered], np.uint8
        ),
    )


def _heaviest_first(entries: Sequence[Entry]) -> Iterator[tuple[int, int]]:
    for entry in entries:
        yield from sorted(
            ((term, _byte(weight)) for term, weight in entry.translations),
            key=lambda item: (-item[1], item[0]),
        )


def _byte(weight: float) -> int:
    return max(1, min(_SCALE, round(weight * _SCALE)))


def _key(terms: Sequence[int]) -> int:
    """A term's number plus one; of a phrase the first in the upper sixteen bits."""
    key = 0
    for term in terms:
        key = (key << 16) | (term + 1)
    return key


def _padded(size: int) -> int:
    return -(-size // 8) * 8


def _other(language: str) -> str:
    return "en" if language == "fr" else "fr"

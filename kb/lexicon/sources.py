"""What the lexicon is learnt from: parallel paragraphs and thesaurus labels, as index terms."""

from __future__ import annotations

import csv
import gzip
import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kb.analysis import terms
from kb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# One act in twenty is never learnt from, so that the lexicon can be judged on acts it has not seen.
HELD_OUT_OF = 20
# Terms of the longer side; a longer paragraph is an annex or an act in one line, and its cells
# (French terms times English terms) would cost more than they teach.
MAX_TERMS = 80
# A label is short and exact: it counts as this many paragraphs.
LABEL_COPIES = 2

_PAIR_COLUMNS = 4  # celex, version date, English, French
_LABEL_COLUMNS = ("en", "fr")


@dataclass(frozen=True, slots=True)
class Source:
    """One file that was learnt from: how to know it again, and how much it gave."""

    name: str
    sha256: str
    pairs: int
    newest: str


@dataclass(frozen=True, slots=True)
class Bitext:
    """Pairs of texts as index terms, English beside French, with where they come from."""

    english: list[tuple[str, ...]]
    french: list[tuple[str, ...]]
    sources: tuple[Source, ...]


def read_bitext(parallel: Path, eurovoc: Path) -> Bitext:
    """Read both sources; repeated paragraphs count once, held-out acts not at all.

    Raises:
        UsageError: A file is missing or isn't what it should be; the message names it.
    """
    english: list[tuple[str, ...]] = []
    french: list[tuple[str, ...]] = []
    newest = ""
    for date, pair in _distinct_pairs(parallel):
        english.append(pair[0])
        french.append(pair[1])
        newest = max(newest, date)
    paragraphs = len(english)
    for pair in _label_pairs(eurovoc):
        english += [pair[0]] * LABEL_COPIES
        french += [pair[1]] * LABEL_COPIES
    labels = (len(english) - paragraphs) // LABEL_COPIES
    if not paragraphs or not labels:
        raise UsageError(f"{parallel if labels else eurovoc} holds no pair to learn from.")
    return Bitext(
        english,
        french,
        (
            Source(parallel.name, _digest(parallel), paragraphs, newest),
            Source(eurovoc.name, _digest(eurovoc), labels, ""),
        ),
    )


def held_out(celex: str) -> bool:
    """Whether an act is kept for judging the lexicon."""
    return zlib.crc32(celex.encode()) % HELD_OUT_OF == 0


def read_parallel(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """The rows of a parallel file: celex, version date, English, French.

    Raises:
        UsageError: It can't be read, or a row has another number of columns.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                row = line.rstrip("\n").split("\t")
                if len(row) != _PAIR_COLUMNS:
                    raise UsageError(
                        f"{path}, line {number}: {len(row)} columns; "
                        f"expected celex, date, English, French between tabs."
                    )
                yield row[0], row[1], row[2], row[3]
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read as gzipped UTF-8 text: {error}") from None


def _distinct_pairs(path: Path) -> Iterator[tuple[str, tuple[tuple[str, ...], tuple[str, ...]]]]:
    rows = list(read_parallel(path))
    kept_aside = {(english, french) for celex, _, english, french in rows if held_out(celex)}
    seen: set[tuple[tuple[str, ...], tuple[str, ...]]] = set()
    for celex, date, english, french in rows:
        if held_out(celex) or (english, french) in kept_aside:
            continue
        pair = _learnt(english, "en"), _learnt(french, "fr")
        if all(0 < len(side) <= MAX_TERMS for side in pair) and pair not in seen:
            seen.add(pair)
            yield date, pair


def _label_pairs(path: Path) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines, delimiter="\t")
            missing = set(_LABEL_COLUMNS) - set(rows.fieldnames or ())
            if missing:
                raise UsageError(f"{path} has no column {', '.join(sorted(missing))}.")
            for row in rows:
                pair = _learnt(row["en"] or "", "en"), _learnt(row["fr"] or "", "fr")
                if all(pair):
                    yield pair
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} can't be read as a table between tabs: {error}") from None


def _learnt(text: str, language: str) -> tuple[str, ...]:
    """Terms without figures: a number is the same in both languages and teaches nothing."""
    return tuple(term for term in terms(text, language) if not any(map(str.isdigit, term)))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

"""Retrieval benches in BEIR layout: which files they are, and what is in them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from evaluation.machine import ROOT
from kb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Qrels = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class BenchDocument:
    """A document of a bench, as its corpus file has it."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Bench:
    """Corpora, queries by id, and relevance by query and document id.

    With several corpora, documents of the same id are versions of one work in several languages.
    """

    name: str
    corpora: tuple[tuple[BenchDocument, ...], ...]
    queries: dict[str, str]
    qrels: Qrels

    @property
    def documents(self) -> int:
        """How many documents all corpora hold."""
        return sum(map(len, self.corpora))

    @property
    def in_all_corpora(self) -> frozenset[str]:
        """The works that every language has a version of; none where there is one corpus."""
        found = [{document.id for document in corpus} for corpus in self.corpora]
        return frozenset(set.intersection(*found)) if len(found) > 1 else frozenset()

    def part(self, queries: int, documents: int) -> Bench:
        """A smaller bench, the same at every call: what comes first by hash.

        It keeps every document that is judged for its queries.
        """
        asked = dict(sorted(self.queries.items(), key=lambda item: _hash(item[0]))[:queries])
        qrels = {query: self.qrels[query] for query in asked if query in self.qrels}
        judged = {document for found in qrels.values() for document in found}
        corpora = tuple(
            tuple(
                sorted(corpus, key=lambda one: (one.id not in judged, _hash(one.id)))[
                    : max(documents, sum(one.id in judged for one in corpus))
                ]
            )
            for corpus in self.corpora
        )
        return replace(self, name=f"{self.name}, part", corpora=corpora, queries=asked, qrels=qrels)


def shared_data() -> Path:
    """The folder of real material that benches and tests use.

    Raises:
        UsageError: It is not there.
    """
    folder = Path(os.environ.get("KB_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        raise UsageError(f"{folder} is absent: set KB_SHARED_DATA to the folder of real material.")
    return folder


def read_bench(
    folder: Path,
    corpora: Sequence[Path] = (),
    queries: Path | None = None,
    qrels: Path | None = None,
) -> Bench:
    """Read a bench; files need to be named only where the folder has several of a kind.

    A file is looked for in the folder first, then where the path says.

    Raises:
        UsageError: A file is missing, must be chosen, or can't be read; the message names it.
    """
    if not folder.is_dir():
        raise UsageError(f"BENCH {folder} is no folder. Give one in BEIR layout.")
    if not list(folder.glob("corpus*.jsonl")) and (folder / "beir").is_dir():
        folder /= "beir"
    corpus_files = [_named(folder, path) for path in corpora]
    chosen = corpus_files or [_only(folder, ("corpus*.jsonl",), "--corpus")]
    asked = _named(folder, queries) if queries else _only(folder, ("queries*.jsonl",), "--queries")
    judged = _named(folder, qrels) if qrels else _only(folder, _QRELS, "--qrels")
    return Bench(
        name=_name(folder, asked, chosen),
        corpora=tuple(_read_corpus(path) for path in chosen),
        queries={key: row["text"] for key, row in _rows(asked).items()},
        qrels=_read_qrels(judged),
    )


_QRELS = ("qrels*.tsv", "qrels/test.tsv")
_TREC_COLUMNS = 4


def _name(folder: Path, queries: Path, corpora: Sequence[Path]) -> str:
    """The folder's name, with the languages of its files where these are what tells them apart."""
    name = folder.parent.name if folder.name == "beir" else folder.name
    asked = queries.stem.removeprefix("queries").strip("_-.")
    found = [path.stem.removeprefix("corpus").strip("_-.") for path in corpora]
    return f"{name} {asked}→{'+'.join(found)}" if asked or any(found) else name


def _named(folder: Path, path: Path) -> Path:
    found = next((place for place in (folder / path, path) if place.is_file()), None)
    if found is None:
        raise UsageError(f"{path} is neither in {folder} nor a file by itself.")
    return found


def _only(folder: Path, patterns: Sequence[str], option: str) -> Path:
    found = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    if not found:
        raise UsageError(f"{folder} has no {' or '.join(patterns)}: name a file with {option}.")
    if len(found) > 1:
        listed = ", ".join(str(path.relative_to(folder)) for path in found)
        raise UsageError(f"{folder} has several ({listed}): choose with {option}.")
    return found[0]


def _read_corpus(path: Path) -> tuple[BenchDocument, ...]:
    rows = _rows(path)
    if not rows:
        raise UsageError(f"{path} holds no document.")
    return tuple(
        BenchDocument(key, row.get("title") or "", row["text"]) for key, row in rows.items()
    )


def _rows(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of a JSON lines file by ``_id``; each has a text."""
    found: dict[str, dict[str, Any]] = {}
    for number, line in _lines(path):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{path}:{number} is no JSON: {error}") from None
        if not isinstance(row, dict) or not all(
            isinstance(row.get(field), str) for field in ("_id", "text")
        ):
            raise UsageError(f"{path}:{number} lacks the string _id or text.")
        if row["_id"] in found or not row["_id"]:
            raise UsageError(f"{path}:{number}: the _id {row['_id']!r} is empty or there twice.")
        found[row["_id"]] = row
    return found


def _read_qrels(path: Path) -> Qrels:
    """Judgements in three columns (BEIR) or four (TREC), with or without a line of headings."""
    found: Qrels = {}
    for number, line in _lines(path):
        columns = line.split("\t") if "\t" in line else line.split()
        if len(columns) == _TREC_COLUMNS:
            del columns[1]
        try:
            query, document, relevance = columns
            found.setdefault(query, {})[document] = int(relevance)
        except ValueError:
            if number > 1:
                raise UsageError(
                    f"{path}:{number}: {line!r} is not query, document and relevance, a number."
                ) from None
    if not found:
        raise UsageError(f"{path} judges nothing.")
    return found


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line.rstrip("\r")


def _hash(key: str) -> int:
    return crc32(key.encode())

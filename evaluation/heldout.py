"""A bench of acts that nothing was trained on: every twentieth act of the parallel corpus."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING
from zlib import crc32

from ftfy import fix_encoding

from evaluation.benches import shared_data
from kb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LANGUAGES = ("en", "fr")
_EVERY = 20
_COLUMNS = 4
# Words of an article's text: a shorter one is a scrap, a longer one is cut at a paragraph.
_LEAST, _MOST = 15, 220
_HEADING_WORDS = 20
_HEADING_LETTERS = 5
_NUMBERED = re.compile(
    r"(?:article|art\.|titre|title|chapitre|chapter|section|annexe?|partie|part)\b"
    r"|\(?[a-z0-9ivx]{1,4}[).]|\d|[-—–•\"'«‘“(]",
    re.IGNORECASE,
)
_DIVISION = re.compile(r"(?:article|chapter|section|title|annex|part)\b", re.IGNORECASE)
_DIVISION_WORDS = 8


@dataclass(slots=True)
class _Article:
    """A heading and what follows it, each in English and French."""

    heading: tuple[str, str]
    paragraphs: list[tuple[str, str]] = field(default_factory=list)

    @property
    def words(self) -> int:
        return sum(len(english.split()) for english, _ in self.paragraphs)


def is_held_out(celex: str) -> bool:
    """Whether an act is kept out of everything that is trained or learnt."""
    return crc32(celex.encode()) % _EVERY == 0


def write_held_out(folder: Path) -> int:
    """Write the bench in BEIR layout, both languages of each article; returns its queries.

    Queries are the headings that no two articles share; every article is in the corpora.

    Raises:
        UsageError: The parallel corpus is not there, or not as it should be.
    """
    articles = [
        (f"{celex}-{number}", article)
        for celex, pairs in _held_out(shared_data() / "parallel" / "eu_law_en_fr.tsv.gz").items()
        for number, article in enumerate(_articles(pairs), start=1)
    ]
    headings = Counter(text.casefold() for _, article in articles for text in {*article.heading})
    asked = [
        (key, article)
        for key, article in articles
        if all(headings[text.casefold()] == 1 for text in {*article.heading})
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for side, language in enumerate(LANGUAGES):
        corpus = [
            {"_id": key, "title": "", "text": "\n".join(pair[side] for pair in article.paragraphs)}
            for key, article in articles
        ]
        queries = [{"_id": key, "text": article.heading[side]} for key, article in asked]
        _write(folder / f"corpus_{language}.jsonl", corpus)
        _write(folder / f"queries_{language}.jsonl", queries)
    judged = "".join(f"{key}\t{key}\t1\n" for key, _ in asked)
    (folder / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}", encoding="utf-8")
    return len(asked)


def _held_out(path: Path) -> dict[str, list[tuple[str, str]]]:
    """The paragraphs of the newest version of each act that is kept out."""
    by_act: dict[str, list[tuple[str, str]]] = {}
    for (celex, _), rows in groupby(_rows(path), key=lambda row: row[:2]):
        by_act[celex] = [(english, french) for _, _, english, french in rows]
    return by_act


def _rows(path: Path) -> list[tuple[str, str, str, str]]:
    """The pairs of acts that are kept out, in order of act and version date."""
    found = []
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if not is_held_out(line.partition("\t")[0]):
                    continue
                # A few acts were read as Latin-1 by whoever compiled them.
                columns = [" ".join(fix_encoding(c).split()) for c in line.split("\t")]
                if len(columns) != _COLUMNS:
                    raise UsageError(f"{path}:{number} has {len(columns)} columns, not {_COLUMNS}.")
                found.append((columns[0], columns[1], columns[2], columns[3]))
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error}") from None
    return sorted(found, key=lambda row: row[:2])


def _articles(pairs: Iterable[tuple[str, str]]) -> Iterator[_Article]:
    """Headings with the paragraphs up to the next heading or division."""
    article: _Article | None = None
    for english, french in pairs:
        heading = _is_heading(english) and _is_heading(french)
        division = _DIVISION.match(english) and len(english.split()) < _DIVISION_WORDS
        if article and (heading or division):
            if article.words >= _LEAST:
                yield article
            article = None
        if heading:
            article = _Article((english, french))
        elif article and article.words < _MOST:
            article.paragraphs.append((english, french))
    if article and article.words >= _LEAST:
        yield article


def _is_heading(text: str) -> bool:
    """A short line without a number before it or a stop after it.

    Of 50 headings read by eye 33 head an article, 17 a table or a part of an annex; all 50 name
    what follows.
    """
    return (
        len(text) >= _HEADING_LETTERS
        and len(text.split()) <= _HEADING_WORDS
        and text[0].isupper()
        and not text.isupper()
        and text[-1] not in ".;:,)"
        and not _NUMBERED.match(text)
        and not re.search(r"\d{3}", text)
    )


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")

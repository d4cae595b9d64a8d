"""What the encoder is taught from: parallel paragraphs, labels, headings and definitions."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from kb.analysis import fold
from kb.lexicon.sources import held_out, read_parallel

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

# An article's body is read up to here: the encoder sees no more of it.
_BODY_WORDS: Final = 220
_SHORTEST_BODY: Final = 15

_NO_HEADING: Final = re.compile(
    r"^(?:article|art\.|titre|title|chapitre|chapter|section|annexe?|partie|part|"
    r"\(?[a-z0-9ivx]{1,4}[\).]|\d|[-—–•\"'«‘“(])",
    re.IGNORECASE,
)
_DIVISION: Final = re.compile(r"^(?:article|chapter|section|title|annex|part)\b", re.IGNORECASE)
_POINT: Final = r"^(?:\(?\w{1,4}[\).]\s*)?"
_DEFINED_EN: Final = re.compile(
    _POINT + r"['‘“\"]([^'’”\"]{3,60})['’”\"]\s*(?:means|shall mean|:)", re.IGNORECASE
)
_DEFINED_FR: Final = re.compile(_POINT + r"[«“\"]\s*([^»”\"]{3,70}?)\s*[»”\"]\s*[:,]?")

# How people ask for an article by its heading, and for a defined term; half of the time they give
# the bare words.
_BARE: Final = ("{}",) * 4
ASKED: Final = {
    ("heading", "fr"): (
        *_BARE,
        "Qu'est-ce que {} ?",
        "{} : de quoi s'agit-il ?",
        "Que dit le règlement sur {} ?",
        "Quelles sont les règles en matière de {} ?",
    ),
    ("heading", "en"): (
        *_BARE,
        "What is {}?",
        "What are the rules on {}?",
        "What does the act say about {}?",
    ),
    ("definition", "fr"): (
        "{}",
        "Qu'est-ce que {} ?",
        "Qu'est-ce qu'un {} ?",
        "Définition de {}",
        "Que signifie {} ?",
    ),
    ("definition", "en"): (
        "{}",
        "What is {}?",
        "What is a {}?",
        "Definition of {}",
        "What does {} mean?",
    ),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """A text in English and in French."""

    english: str
    french: str


@dataclass(frozen=True, slots=True)
class Lesson:
    """Words that someone may look for, and the passage that they should find."""

    kind: str  # "heading", "definition" or "question"
    asked: Pair
    passage: Pair

    def question(self, language: str, chance: random.Random) -> str:
        """The words as a person may put them."""
        words = self.asked.french if language == "fr" else self.asked.english
        if self.kind == "question":
            return words
        form = chance.choice(ASKED[self.kind, language])
        return words if form == "{}" else form.format(words[0].lower() + words[1:])


def paragraphs(parallel: Path) -> list[Pair]:
    """Every distinct paragraph of the acts that are not held out."""
    seen: set[tuple[str, str]] = set()
    found = []
    for _, english, french in _taught(parallel):
        key = _bare(english), _bare(french)
        if key not in seen and len(key[0]) > 2:  # noqa: PLR2004 -- "a" and "1." teach nothing
            seen.add(key)
            found.append(Pair(english, french))
    return found


def labels(eurovoc: Path) -> list[Pair]:
    """EuroVoc's concepts: their labels, and the English label with each French synonym."""
    found = []
    with eurovoc.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            names = [row["fr"], *row["alt_fr"].split(";")]
            found += [Pair(row["en"], name.strip()) for name in names if name.strip()]
    return found


def lessons(parallel: Path) -> list[Lesson]:
    """Headings with the text under them, and definitions with the term that they define."""
    rows = list(_taught(parallel))
    found: list[Lesson] = []
    for _, act in groupby(rows, key=lambda row: row[0]):
        found += _headed((english, french) for _, english, french in act)
    seen: set[str] = set()
    for _, english, french in rows:
        english_term, french_term = _DEFINED_EN.match(english), _DEFINED_FR.match(french)
        if english_term and french_term and len(english.split()) > 8 and english not in seen:  # noqa: PLR2004 -- shorter ones define nothing
            seen.add(english)
            asked = Pair(english_term[1], french_term[1])
            found.append(Lesson("definition", asked, Pair(english, french)))
    return found


def _taught(parallel: Path) -> Iterator[tuple[str, str, str]]:
    """Act (with its date), English and French of each row that is not held out."""
    for celex, date, english, french in read_parallel(parallel):
        if not held_out(celex):
            yield f"{celex} {date}", english.strip(), french.strip()


def _headed(rows: Iterable[tuple[str, str]]) -> Iterator[Lesson]:
    heading: Pair | None = None
    english: list[str] = []
    french: list[str] = []
    for row in [*rows, ("Article 0", "Article 0")]:
        ends = _is_heading(*row) or (_DIVISION.match(row[0]) and len(row[0].split()) < 8)  # noqa: PLR2004 -- a longer line is a sentence
        if not ends:
            if _words(english) < _BODY_WORDS:
                english.append(row[0])
                french.append(row[1])
            continue
        if heading and _words(english) >= _SHORTEST_BODY:
            yield Lesson("heading", heading, Pair("\n".join(english), "\n".join(french)))
        heading, english, french = (Pair(*row) if _is_heading(*row) else None), [], []


def _is_heading(english: str, french: str) -> bool:
    """A title of an article: a few words in both languages that end no sentence."""
    return (
        1 <= len(english.split()) <= 16  # noqa: PLR2004 -- longer titles are those of acts
        and 1 <= len(french.split()) <= 20  # noqa: PLR2004 -- as above
        and min(len(english), len(french)) > 5  # noqa: PLR2004 -- codes and numbers
        and english[0].isupper()
        and not (english.isupper() or french.isupper())
        and not (english[-1] in ".;:,)" or french[-1] in ".;:,)")
        and not (_NO_HEADING.match(english) or _NO_HEADING.match(french))
        and re.search(r"\d{3}", english) is None
    )


def _words(lines: Sequence[str]) -> int:
    return sum(len(line.split()) for line in lines)


def _bare(text: str) -> str:
    return re.sub(r"\W+", " ", fold(text))

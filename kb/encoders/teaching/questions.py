"""The questions of ``corpus/lessons`` with the texts that they were written on.

Questions are ours, and so are the notes; of other texts the lessons keep where they stand, and they
are read here from their own files.
"""

from __future__ import annotations

import csv
import html
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import ftfy

from kb.encoders.teaching.lessons import Lesson, Pair
from kb.errors import UsageError
from kb.lexicon.sources import read_parallel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

# Copies among the encoder's lessons: there are four times as many headings.
_COPIES: Final = 2
_DIVISION: Final = re.compile(
    r"(?:article|chapter|section|title|annex|part|\(?\d+\)?$)", re.IGNORECASE
)
_TITLE: Final = re.compile(
    r"REGULATION|DIRECTIVE|DECISION|COMMISSION|COUNCIL|.*\b(?:on|concerning|laying down)\b"
)
_TITLE_ROWS: Final = 6  # of an act in which its title stands
_MAX_TITLE: Final = 200
_MAX_HEADING: Final = 14  # words
# A list is read whole up to here, its opening before a single point up to there.
_MAX_LIST: Final = 900
_MAX_OPENING: Final = 300


@dataclass(frozen=True, slots=True)
class Text:
    """A text in one language: its title, the heading above it, its sentences in order."""

    title: str
    heading: str
    sentences: tuple[str, ...]

    def units(self) -> Iterator[tuple[str, frozenset[int]]]:
        """What answers quote, with the numbers of the sentences: lists whole and by point."""
        at = 0
        while at < len(self.sentences):
            end = self._list_end(at)
            if end - at == 1:
                yield self.sentences[at], frozenset({at})
            else:
                yield "\n".join(self.sentences[at:end])[:_MAX_LIST], frozenset(range(at, end))
                opening = self.sentences[at]
                if len(opening) <= _MAX_OPENING and end - at > 2:  # noqa: PLR2004 -- more than one point
                    for point in range(at + 1, end):
                        yield f"{opening}\n{self.sentences[point]}", frozenset({point})
            at = end

    def _list_end(self, start: int) -> int:
        end = start + 1
        if not self.sentences[start].rstrip().endswith(":"):
            return end
        while end < len(self.sentences):
            end += 1
            if (
                not self.sentences[end - 1]
                .rstrip()
                .endswith((";", ",", " and", " or", " et", " ou"))
            ):
                break
        return end


@dataclass(frozen=True, slots=True)
class Question:
    """A question in both languages, with the numbers of the sentences that answer it, if any."""

    asked: Pair
    answers: frozenset[int]


@dataclass(frozen=True, slots=True)
class Taught:
    """A text in one language or both, sentence by sentence, with questions."""

    name: str
    texts: Mapping[str, Text]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the texts are: parallel acts, and the folder of calls."""

    parallel: Path
    calls: Path


def read_questions(folder: Path, sources: Sources) -> list[Taught]:
    """Everything in ``law.jsonl``, ``calls.jsonl`` and ``notes.jsonl`` of a folder.

    Raises:
        UsageError: A file is missing, or isn't the one that the lessons were written on.
    """
    found = [_note(number, row) for number, row in enumerate(_rows(folder / "notes.jsonl"))]
    found += _law(folder / "law.jsonl", sources.parallel)
    found += _calls(folder / "calls.jsonl", sources.calls)
    return found


def question_lessons(taught: list[Taught]) -> list[Lesson]:
    """For the encoder: each question that is answered, with the answer and what stands around."""
    found = []
    for each in taught:
        for question in each.questions:
            if question.answers:
                around = {lang: _around(text, question) for lang, text in each.texts.items()}
                english = around.get("en") or around["fr"]
                passage = Pair(english, around.get("fr", english))
                found += [Lesson("question", question.asked, passage)] * _COPIES
    return found


def context(rows: list[tuple[str, str, str, str]]) -> list[tuple[Pair, Pair]]:
    """The title of the act and the heading that each row of a parallel file stands under."""
    found: list[tuple[Pair, Pair]] = []
    act, title, heading, seen = ("", ""), Pair("", ""), Pair("", ""), 0
    for celex, day, english, french in rows:
        if (celex, day) != act:
            act, title, heading, seen = (celex, day), Pair("", ""), Pair("", ""), 0
        seen += 1
        if seen <= _TITLE_ROWS and not title.english and _TITLE.match(english):
            title = Pair(english[:_MAX_TITLE], french[:_MAX_TITLE])
        if _is_heading(english):
            heading = Pair(english, french)
        elif _DIVISION.match(english) and len(english.split()) < 8:  # noqa: PLR2004 -- a longer line is a sentence
            heading = Pair(english, "")
        found.append((title, heading))
    return found


def _is_heading(line: str) -> bool:
    return (
        1 <= len(line.split()) <= _MAX_HEADING
        and line[:1].isupper()
        and line[-1] not in ".;:,)"
        and not line.isupper()
        and not _DIVISION.match(line)
    )


def _around(text: Text, question: Question) -> str:
    first, last = min(question.answers), max(question.answers)
    near = text.sentences[max(0, first - 1) : last + 2]
    return " ".join([text.heading, *near]).strip()


def _note(number: int, row: dict[str, Any]) -> Taught:
    texts = {
        language: Text(row["title"][language], row["heading"][language], tuple(row[language]))
        for language in ("fr", "en")
    }
    return Taught(f"note {number}", texts, _asked(row))


def _law(path: Path, parallel: Path) -> list[Taught]:
    rows = [(celex, day, en.strip(), fr.strip()) for celex, day, en, fr in read_parallel(parallel)]
    above = context(rows)
    found = []
    for lesson in _rows(path):
        numbers = lesson["rows"]
        if any(number >= len(rows) or rows[number][0] != lesson["act"] for number in numbers):
            raise UsageError(f"{path} was written on another file than {parallel}.")
        title, heading = above[numbers[0]]
        texts = {
            "en": Text(title.english, heading.english, tuple(rows[n][2] for n in numbers)),
            "fr": Text(title.french, heading.french, tuple(rows[n][3] for n in numbers)),
        }
        found.append(Taught(lesson["act"], texts, _asked(lesson)))
    return found


def _calls(path: Path, folder: Path) -> list[Taught]:
    readers: dict[str, Callable[[str], tuple[str, str]]] = {
        "eu-portal": _portal(folder / "eu-portal-2026-08" / "open_calls.normalised.jsonl"),
        "aides-territoires": _aides(
            folder / "aides-territoires-2021" / "aides-territoires_periurbain.csv"
        ),
        "france": lambda name: ("", _plain(_read(folder / "france-2026" / name))),
    }
    found = []
    for lesson in _rows(path):
        title, body = readers[lesson["source"]](lesson["id"])
        sentences = tuple(body[start:end] for start, end in lesson["sentences"])
        text = Text(title or sentences[0][:120], "", sentences)
        found.append(Taught(lesson["id"], {lesson["language"]: text}, _asked(lesson)))
    return found


def _portal(path: Path) -> Callable[[str], tuple[str, str]]:
    calls = {row["topicId"]: row for row in _rows(path)}

    def read(name: str) -> tuple[str, str]:
        call = calls[name]
        both = f"{call['description'] or ''} {call['objectives'] or ''}"
        return _unmarked(call["title"]), _unmarked(both)

    return read


def _aides(path: Path) -> Callable[[str], tuple[str, str]]:
    aids = {row["Lien"]: row for row in csv.DictReader(_read(path).splitlines())}
    return lambda name: (aids[name]["Nom"], _plain(aids[name]["Descriptif"]))


def _unmarked(text: str) -> str:
    unmarked: str = ftfy.fix_text(html.unescape(re.sub(r"<[^>]+>", " ", text)))
    return _plain(unmarked)


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _asked(row: dict[str, Any]) -> tuple[Question, ...]:
    return tuple(
        Question(Pair(each["en"], each["fr"]), frozenset(each["answers"]))
        for each in row["questions"]
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in _read(path).split("\n") if line.strip())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}.") from None

"""The structure of an EU act, whatever its markup: lines of known parts become sections."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise

from ingest.readers.blocks import Sections
from ingest.readers.encoding import squash
from kb.model import Role


class Part(StrEnum):
    """What a line of an act is."""

    TITLE = "title"
    DIVISION = "division"
    DIVISION_TITLE = "division title"
    ARTICLE = "article"
    ARTICLE_TITLE = "article title"
    ANNEX = "annex"
    ANNEX_TITLE = "annex title"
    GROUP = "group"
    TEXT = "text"
    CONTENTS = "contents"
    HEADER_ROW = "header row"
    ROW = "row"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Line:
    """One block of an act in reading order; ``level`` orders groups, 1 the outermost."""

    part: Part
    text: str
    level: int = 1

    def closed_by(self, text: str) -> Line:
        """Return this line with the punctuation that closes it behind."""
        return replace(self, text=self.text + text)


RECITALS_A_SECTION = 20
_ANNEX_LENGTH = 8_000  # characters after which an annex goes on in a new section at a heading
_WHEREAS = re.compile(r"(whereas|considérant( ce qui suit)?)\s?:?$", re.IGNORECASE)
_ADOPTED = re.compile(
    r"(ha(s|ve) (adopted|agreed|decided)|(a|ont) (adopté|arrêté|décidé)|adopte)", re.IGNORECASE
)
_RECITAL = re.compile(r"\((\d{1,3})\)\s")
# A division's rank by its first word: "TITLE I" stands over "CHAPTER I" over "Section 1".
_RANKS = {
    **dict.fromkeys(("part", "partie"), 1),
    **dict.fromkeys(("title", "titre"), 2),
    **dict.fromkeys(("chapter", "chapitre"), 3),
    **dict.fromkeys(("section",), 4),
    **dict.fromkeys(("subsection", "sub-section", "sous-section"), 5),
}
_NUMBER_ONLY = re.compile(
    r"((part|partie|title|titre|chapter|chapitre|section|sub-?section|sous-section|appendix"
    r"|appendice)\s)?[\dA-Z]{1,5}\.?$",
    re.IGNORECASE,
)
_WORDS = {
    "en": {"preamble": "Preamble", "recitals": "Recitals", "contents": "Contents"},
    "fr": {"preamble": "Préambule", "recitals": "Considérants", "contents": "Table des matières"},
}
NOTES = "Notes"  # the same word in both languages


def assemble(lines: list[Line], language: str | None) -> Sections:
    """Return the act's sections: preamble, recitals by twenties, articles, annexes, notes.

    A block's path holds the divisions above it, then "Article 3 — De minimis aid", then the
    group headings inside the article. ``language`` ("fr", else English) words the labels.
    """
    return _Assembly(_WORDS.get(language or "en", _WORDS["en"])).run(lines)


@dataclass(slots=True)
class _Assembly:
    """The state while lines turn into sections."""

    words: dict[str, str]
    sections: Sections = field(default_factory=Sections)
    divisions: list[tuple[int, str]] = field(default_factory=list)
    annex: str | None = None
    article: str | None = None
    groups: list[tuple[int, str]] = field(default_factory=list)
    waiting: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    recitals: bool = False
    recital: int = 0
    contents: bool = False
    previous: Part | None = None
    following: Line | None = None

    def run(self, lines: list[Line]) -> Sections:
        self.sections.begin(self.words["preamble"])
        running = [line for line in lines if line.part is not Part.NOTE]
        for line, following in pairwise((*running, None)):
            self.following = following
            if line is not None:
                self._take(line)
                self.previous = line.part
        self._release()
        self._notes(lines)
        return self.sections

    def _notes(self, lines: list[Line]) -> None:
        self.sections.begin(NOTES)
        for line in lines:
            if line.part is Part.NOTE:
                self.sections.add(line.text, Role.NOTE, (NOTES,))

    def _take(self, line: Line) -> None:
        match line.part:
            case Part.TITLE:
                self.sections.add(line.text, Role.HEADING)
            case Part.DIVISION | Part.DIVISION_TITLE:
                self._division(line)
            case Part.ARTICLE_TITLE if self.previous is not Part.ARTICLE:
                self._text(line.text, Role.BODY)  # of an article that an amending act quotes
            case Part.ARTICLE | Part.ARTICLE_TITLE:
                self._article(line)
            case Part.ANNEX | Part.ANNEX_TITLE:
                self._annex(line)
            case Part.GROUP:
                self._group(line)
            case Part.CONTENTS:
                self._contents(line)
            case Part.HEADER_ROW | Part.ROW:
                self._text(line.text, Role.TABLE, header_row=line.part is Part.HEADER_ROW)
            case _:
                self._text(line.text, Role.BODY)

    def _path(self) -> tuple[str, ...]:
        names = [name for _, name in self.divisions]
        names += [name for name in (self.annex, self.article) if name]
        return (*names, *(name for _, name in self.groups))

    def _titled(self, line: Line, part: Part) -> str:
        """Return a number with the title that comes next, "Article 3 — De minimis aid"."""
        title = self.following
        titled = title is not None and title.part is part
        return f"{line.text} — {title.text}" if title and titled else line.text

    def _division(self, line: Line) -> None:
        """Keep a chapter's heading for the section of the article that follows it."""
        if line.part is Part.DIVISION:
            rank = _RANKS.get(line.text.split(" ", 1)[0].lower().rstrip(":"), 3)
            self.divisions = [item for item in self.divisions if item[0] < rank]
            self.divisions.append((rank, self._titled(line, Part.DIVISION_TITLE)))
            self.article, self.groups = None, []
        self.recitals = False
        self.waiting.append((line.text, self._path()))

    def _article(self, line: Line) -> None:
        if line.part is Part.ARTICLE:
            self.article = self._titled(line, Part.ARTICLE_TITLE)
            self.groups, self.recitals = [], False
            label = f"{self.annex.split(' — ')[0]}, {line.text}" if self.annex else line.text
            self.sections.begin(label)
        self._release()
        self.sections.add(line.text, Role.HEADING, self._path())

    def _annex(self, line: Line) -> None:
        if line.part is Part.ANNEX_TITLE and self.annex:
            if self.previous is Part.ANNEX_TITLE:
                self.annex = f"{self.annex} {line.text}"
            self.waiting.append((line.text, (self.annex,)))
            return
        self._release()
        self.sections.begin(line.text)
        self.annex, self.article = self._titled(line, Part.ANNEX_TITLE), None
        self.divisions, self.groups, self.recitals = [], [], False
        self.waiting.append((line.text, (self.annex,)))

    def _group(self, line: Line) -> None:
        """Open a heading inside an article or annex, and a section where the annex is long."""
        merged = bool(
            self.previous is Part.GROUP
            and self.groups
            and self.groups[-1][0] == line.level
            and _NUMBER_ONLY.match(self.groups[-1][1])
        )
        if merged:
            self.groups[-1] = (line.level, f"{self.groups[-1][1]} — {line.text}")
        else:
            self.groups = [item for item in self.groups if item[0] < line.level]
            self.groups.append((line.level, line.text))
            long = self.sections.length > _ANNEX_LENGTH and self.previous is not Part.GROUP
            if self.annex and not self.article and long:
                self.sections.begin(self.annex.split(" — ")[0])
        self._release()
        self.sections.add(line.text, Role.HEADING, self._path())

    def _contents(self, line: Line) -> None:
        if self.previous is not Part.CONTENTS:
            self.sections.begin(self.words["contents"])
        self.contents = True
        self.sections.add(line.text, Role.CONTENTS, (self.words["contents"],))

    def _text(self, text: str, role: Role, *, header_row: bool = False) -> None:
        self._release()
        if self.contents and not self._path():
            self.contents = False
            self.sections.begin(self.words["preamble"])
        if role is Role.BODY and not self._path():
            self._preamble(text)
            return
        self.sections.add(text, role, self._path(), header_row=header_row)

    def _preamble(self, text: str) -> None:
        if self.recitals and _ADOPTED.match(text):
            self.recitals = False
            self.sections.add(text)
            return
        if _WHEREAS.match(text):
            self.recitals = True
            self.sections.begin(self.words["recitals"])
        numbered = _RECITAL.match(text)
        if self.recitals and numbered and int(numbered[1]) == self.recital + 1:
            self.recital += 1
            if self.recital > 1 and self.recital % RECITALS_A_SECTION == 1:
                self.sections.begin()
            self._label_recitals()
        self.sections.add(text, Role.BODY, (self.words["recitals"],) if self.recitals else ())

    def _label_recitals(self) -> None:
        word = self.words["recitals"].lower()
        first = self.recital - (self.recital - 1) % RECITALS_A_SECTION
        self.sections.relabel(
            f"{word} {first}–{self.recital}" if first < self.recital else f"{word[:-1]} {first}"
        )

    def _release(self) -> None:
        for text, path in self.waiting:
            self.sections.add(text, Role.HEADING, path)
        self.waiting = []


def closes_quotation(text: str) -> bool:
    """Tell whether ``text`` is the bare punctuation that ends what an amending act quotes."""
    return bool(_CLOSING.match(text))


def joined(pieces: list[str], note: str) -> str:
    """Return running text from ``pieces`` of markup, where ``note`` stands for a note's marker.

    The marker goes with the space before it and the brackets around it; a space comes back only
    where two words would touch.
    """
    text = "".join(pieces)
    text = _ARROW_END.sub("", _ARROW.sub("", text))
    if note in text:
        mark = re.escape(note)
        text = re.sub(rf"\s*\(\s*{mark}\s*\)|\s*{mark}", note, text)
        text = re.sub(rf"(?<=\w)(?:{mark})+(?=\w)", " ", text).replace(note, "")
    return _STRAY.sub("", _NUMERO.sub(r"\1\2 ", squash(text)))


# "►M6 text ◄" marks what an amendment changed. The space after the sign and the no-break space
# before the closing one belong to the marks, as does the line break that an indented file puts
# before the link around the sign.
_ARROW = re.compile(r"(?:\n\s*)?[►▼]\s*[A-Z]\d*\s*")
_ARROW_END = re.compile("\N{NO-BREAK SPACE}?◄ ?")
# The space that an indented file leaves between a number in its own element and what follows.
_STRAY = re.compile(r"(?<=\w) (?=[,.](?:\s|$))")
_CLOSING = re.compile(r"[;,.:’”»\"')\]]{1,4}$")
# French "n" and its raised "o" stand on two lines of an indented file.
_NUMERO = re.compile(r"\b([Nn]) (os?) (?=\d)")

"""Reads a Markdown source of the starter corpus into typed blocks that the writers lay out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from markdown_it.token import Token

NBSP = "\N{NO-BREAK SPACE}"
NOTE = re.compile(r"\[\^(\w+)\]")
NOTE_TEXT = re.compile(r"^\[\^(\w+)\]: (.+)$", re.MULTILINE)
FRONT_MATTER = re.compile(r"\A---\n(.+?)\n---\n(.+)\Z", re.DOTALL)
MARKS = {"strong_open": (1, 0), "strong_close": (-1, 0), "em_open": (0, 1), "em_close": (0, -1)}
# narrow no-break spaces are missing from the PDF standard fonts, so the wide one serves
SPACING = {
    "fr": (
        (re.compile(r"(?<=\S) (?=[;:!?»%€])"), NBSP),
        (re.compile(r"(?<=«) "), NBSP),
        (re.compile(r"(?<=\bn°) |(?<=\d) (?=euros?\b|millions?\b|milliards?\b)"), NBSP),
    ),
    "en": ((re.compile(r"(?<=EUR) (?=\d)|(?<=\d) (?=%)"), NBSP),),
}
THOUSANDS = re.compile(r"(?<=\d) (?=\d{3}\b)")


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text in one style; ``note`` names the footnote called after it."""

    text: str
    bold: bool = False
    italic: bool = False
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 1 to 3."""

    level: int
    runs: tuple[Run, ...]

    @property
    def text(self) -> str:
        """The heading without its styles."""
        return "".join(run.text for run in self.runs)


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph; ``aside`` ones are set apart as the notice at the head of a document."""

    runs: tuple[Run, ...]
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """A list item; ``number`` is null in a bulleted list."""

    runs: tuple[Run, ...]
    number: int | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first row is its header."""

    rows: tuple[tuple[tuple[Run, ...], ...], ...]


Block = Heading | Paragraph | Item | Table


@dataclass(frozen=True, slots=True)
class Source:
    """A document to build: what its front matter says, its blocks and its footnotes."""

    meta: Mapping[str, str]
    blocks: tuple[Block, ...]
    notes: Mapping[str, tuple[Run, ...]]


def read_source(path: Path) -> Source:
    """Parse the front matter and the body of ``path``.

    Raises:
        ValueError: The file has no front matter.
    """
    match = FRONT_MATTER.match(path.read_text(encoding="utf-8"))
    if match is None:
        raise ValueError(f"{path}: no YAML front matter; begin the file with a --- block")
    meta = {key: str(value) for key, value in yaml.safe_load(match[1]).items()}
    body = typeset(match[2], meta["lang"])
    markdown = MarkdownIt("commonmark").enable("table")
    notes = {
        key: _runs(markdown.parseInline(text)[0].children or ())
        for key, text in NOTE_TEXT.findall(body)
    }
    blocks = tuple(_blocks(markdown.parse(NOTE_TEXT.sub("", body))))
    return Source(meta=meta, blocks=blocks, notes=notes)


def typeset(text: str, lang: str) -> str:
    """Put no-break spaces where the typography of ``lang`` wants them."""
    for pattern, space in SPACING[lang]:
        text = pattern.sub(space, text)
    return THOUSANDS.sub(NBSP, text)


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    opened: list[str] = []
    numbers: list[int | None] = []
    rows: list[list[tuple[Run, ...]]] = []
    for token in tokens:
        if token.type in ("bullet_list_open", "ordered_list_open"):
            numbers.append(0 if token.type == "ordered_list_open" else None)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            numbers.pop()
        elif token.type == "tr_open":
            rows.append([])
        elif token.type == "table_close":
            yield Table(tuple(tuple(row) for row in rows))
            rows = []
        elif token.type == "inline":
            runs = _runs(token.children or ())
            if opened[-1] in ("th", "td"):
                rows[-1].append(runs)
            else:
                yield _text_block(opened, numbers, runs)
        if token.nesting > 0:
            opened.append(token.tag)
        elif token.nesting < 0:
            opened.pop()


def _text_block(opened: list[str], numbers: list[int | None], runs: tuple[Run, ...]) -> Block:
    tag = opened[-1]
    if tag.startswith("h"):
        return Heading(int(tag[1]), runs)
    if "li" in opened:
        last = numbers[-1]
        numbers[-1] = None if last is None else last + 1
        return Item(runs, numbers[-1])
    return Paragraph(runs, aside="blockquote" in opened)


def _runs(children: Sequence[Any]) -> tuple[Run, ...]:
    runs: list[Run] = []
    bold = italic = 0
    for child in children:
        if child.type in MARKS:
            bold, italic = bold + MARKS[child.type][0], italic + MARKS[child.type][1]
        elif child.type == "softbreak":
            runs.append(Run(" ", bool(bold), bool(italic)))
        elif child.content:
            for index, part in enumerate(NOTE.split(child.content)):
                if index % 2:
                    runs.append(Run("", note=part))
                elif part:
                    runs.append(Run(part, bool(bold), bool(italic)))
    return tuple(runs)

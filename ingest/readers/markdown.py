"""Reads Markdown: CommonMark, pipe tables, and what pandoc and slide exports add to it."""

from __future__ import annotations

import html
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import yaml
from markdown_it import MarkdownIt

from ingest.readers.blocks import Sections
from ingest.readers.encoding import decode, load, squash, tidy
from ingest.readers.pandoc import note_references_removed, prepared, references_rendered
from ingest.readers.sniff import format_of
from ingest.readers.text import LARGEST_TEXT
from kb.model import Metadata, Role

if TYPE_CHECKING:
    from markdown_it.token import Token

    from ingest.readers.base import Source
    from kb.model import Parsed

_FRONT_MATTER = re.compile(r"\s*---[ \t]*\n(.{0,65536}?)\n(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_LONGEST_BOLD_HEADING = 120
_LONGEST_PLAIN_HEADING = 70
_PLAIN_HEADING = re.compile(r"[^\W\d_][^\n]*[^\W\d_)\d]$")
_TAGS = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1>|<[^>]+>", re.DOTALL | re.IGNORECASE)
_BREAKING_TAG = re.compile(r"<(?:br|/?(?:p|div|li|tr|h[1-6]|ul|ol|table))\b[^>]*>", re.IGNORECASE)
_NOTES_PATH = ("Notes",)
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_ENGLISH_DATE = re.compile(r"([A-Za-z]+)\s+(\d{1,2}),?\s+(\d{4})$")


class MarkdownReader:
    """Reads Markdown, one section per top heading; no markup is left in the text."""

    name = "markdown"
    preference = 60

    def accepts(self, source: Source) -> bool:
        """Tell by the suffix: Markdown has no mark of its own."""
        return format_of(source) == self.name

    def read(self, source: Source) -> Parsed:
        """Read the text; YAML front matter becomes metadata, its abstract text."""
        text = decode(load(source, LARGEST_TEXT))
        front, text = _front_matter(text)
        body, notes = prepared(text)
        # An export's tab at the start of a line means a cell, not code.
        parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        tokens = parser.disable("code").parse(body)
        flow = _Flow(tokens)
        if abstract := front.get("abstract"):
            flow.sections.add(squash(str(abstract)), Role.BODY, ("Abstract",))
        flow.run(tokens)
        if notes:
            flow.sections.begin(_NOTES_PATH[0])
        for note in notes:
            flow.sections.add(_plain_note(note, parser), Role.NOTE, _NOTES_PATH)
        return flow.sections.parsed(source, _metadata(front, flow.title))


@dataclass(slots=True)
class _Flow:
    """Turns tokens into blocks."""

    tokens: list[Token]
    sections: Sections = field(default_factory=Sections)
    title: str | None = None
    _outline: list[tuple[int, str]] = field(default_factory=list)
    _markers: list[str] = field(default_factory=list)
    _row: list[str] = field(default_factory=list)
    _in_head: bool = False
    _lists: int = 0
    _split: int = 1
    _plain_headings: bool = False
    _begun: bool = False
    _ahead: str = ""

    def run(self, tokens: list[Token]) -> None:
        """Add every block; sections begin at the outermost level with two headings or more."""
        levels = Counter(int(each.tag[1]) for each in tokens if each.type == "heading_open")
        several = [level for level, count in levels.items() if count > 1]
        self._split = min(several or levels or [1])
        self._plain_headings = not levels
        following = iter([each.content for each in tokens if each.type == "inline"][1:])
        for place, token in enumerate(tokens):
            if token.type == "inline":
                self._ahead = next(following, "")
            self._take(token, tokens[place - 1] if place else None)

    def _take(self, token: Token, before: Token | None) -> None:
        match token.type:
            case "inline" if before is not None and before.type == "heading_open":
                self._heading(int(before.tag[1]), squash(_inline(token)))
            case "inline" if before is not None and before.type in {"th_open", "td_open"}:
                self._row.append(squash(_inline(token)))
            case "inline":
                self._paragraph(token)
            case "fence" | "code_block":
                self._add(token.content)
            case "html_block":
                for part in _untagged(token.content).split("\n\n"):
                    self._add(part)
            case _:
                self._turn(token)

    def _turn(self, token: Token) -> None:
        """Follow the lists and tables that a token opens or closes."""
        match token.type:
            case "bullet_list_open" | "ordered_list_open":
                self._lists += 1
            case "bullet_list_close" | "ordered_list_close":
                self._lists -= 1
            case "list_item_open":
                self._markers = [f"{token.info}{token.markup}"] if token.info else []
            case "table_open" | "table_close":
                self.sections.end_table()
            case "thead_open" | "thead_close":
                self._in_head = token.type == "thead_open"
            case "tr_close":
                self._end_row()

    def _path(self) -> tuple[str, ...]:
        return tuple(name for _, name in self._outline)

    def _add(self, text: str) -> None:
        if text.strip():
            self._begun = True
            self.sections.add(" ".join((*self._markers, text)), Role.BODY, self._path())
            self._markers = []

    def _heading(self, level: int, text: str) -> None:
        if not text:
            return
        self._outline = [item for item in self._outline if item[0] < level]
        if level <= self._split and self._begun:
            self.sections.begin()
            self._begun = False
        if self.title is None and level < 3:  # noqa: PLR2004 -- a title is no small heading
            self.title = text
        self.sections.add(text, Role.HEADING, self._path())
        self._outline.append((level, text))

    def _paragraph(self, token: Token) -> None:
        text = _inline(token)
        if not self._lists and self._is_heading(token, text):
            # Below any heading of the document's own, and replaced by the next of its kind.
            self._outline = [item for item in self._outline if item[0] < 7]  # noqa: PLR2004 -- after h6
            self.title = self.title or squash(text)
            self.sections.add(squash(text), Role.HEADING, self._path())
            self._outline.append((7, squash(text)))
        else:
            self._add(text)

    def _is_heading(self, token: Token, text: str) -> bool:
        """Tell a heading set in bold, or in an export without headings a short title line."""
        if _is_bold(token) and len(text) <= _LONGEST_BOLD_HEADING and not text.endswith((".", ":")):
            return True
        words = re.findall(r"[^\W\d_]{2,}", text)
        short = len(text) <= _LONGEST_PLAIN_HEADING and len(words) > 1
        titled = text[:1].isupper() and _PLAIN_HEADING.match(text)
        goes_on = self._ahead[:1].islower()
        return bool(self._plain_headings and short and titled and not goes_on)

    def _end_row(self) -> None:
        if any(self._row):
            text = " | ".join(self._row)
            self._begun = True
            self.sections.add(text, Role.TABLE, self._path(), header_row=self._in_head)
        self._row = []


def _is_bold(token: Token) -> bool:
    """Tell whether a paragraph is one stretch of bold words and nothing else."""
    children = [each for each in token.children or [] if each.content.strip() or each.nesting]
    if not children or children[0].type != "strong_open":
        return False
    depth = 0
    for place, each in enumerate(children):
        depth += each.nesting if each.type.startswith("strong") else 0
        if depth == 0:
            return place == len(children) - 1
    return False


def _inline(token: Token) -> str:
    """Return the words of an inline token; a picture gives its caption."""
    pieces = []
    for child in token.children or []:
        match child.type:
            case "softbreak":
                pieces.append(" ")
            case "hardbreak":
                pieces.append("\n")
            case "html_inline":
                pieces.append("\n" if _BREAKING_TAG.match(child.content) else "")
            case "image":
                pieces.append(_inline(child))
            case _:
                pieces.append(child.content)
    return note_references_removed(references_rendered("".join(pieces))).strip()


def _plain_note(note: str, parser: MarkdownIt) -> str:
    return " ".join(_inline(each) for each in parser.parse(note) if each.type == "inline")


def _untagged(markup: str) -> str:
    return html.unescape(_TAGS.sub("", _BREAKING_TAG.sub("\n\n", markup)))


def _front_matter(text: str) -> tuple[dict[str, Any], str]:
    """Split YAML front matter off; what isn't a YAML mapping stays text."""
    found = _FRONT_MATTER.match(text)
    if not found:
        return {}, text
    try:
        front = yaml.safe_load(found[1])
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}, text
    return (front, text[found.end() :]) if isinstance(front, dict) else ({}, text)


def _metadata(front: dict[str, Any], title: str | None) -> Metadata:
    language = _stated(front, "lang", "language")
    return Metadata(
        title=_stated(front, "title") or title,
        authors=_authors(front.get("author") or front.get("authors")),
        issuer=_stated(front, "issuer", "publisher"),
        published=_day(front.get("date")),
        language=language[:2].lower() if language else None,
        doi=_stated(front, "doi"),
        licence=_stated(front, "licence", "license"),
        url=_stated(front, "url", "source"),
    )


def _stated(front: dict[str, Any], *names: str) -> str | None:
    for name in names:
        if isinstance(value := front.get(name), str) and value.strip():
            return squash(tidy(value))
    return None


def _authors(value: object) -> tuple[str, ...]:
    each = value if isinstance(value, list) else [value]
    names = (item.get("name") if isinstance(item, dict) else item for item in each)
    return tuple(squash(tidy(name)) for name in names if isinstance(name, str) and name.strip())


def _day(value: object) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if not isinstance(value, str):
        return None
    found = _ENGLISH_DATE.match(value.strip())
    try:
        if found:
            return date(int(found[3]), _MONTHS.index(found[1].lower()) + 1, int(found[2]))
        return date.fromisoformat(value.strip()[:10])
    except ValueError:
        return None

"""Reads plain text: paragraphs from hard-wrapped lines, sections from form feeds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest.readers.blocks import Sections
from ingest.readers.encoding import MEBIBYTE, decode, load
from ingest.readers.sniff import format_of
from kb.errors import UnreadableError
from kb.model import Role

if TYPE_CHECKING:
    from ingest.readers.base import Source
    from kb.model import Parsed

LARGEST_TEXT = 20 * MEBIBYTE

_WRAPPED = 55  # characters: a file whose lines mostly reach this was wrapped by an editor
_WRAPPED_SHARE = 0.5
_NEW_POINT = re.compile(r"([-*•–—]|\(?\w{1,3}[.)])\s")
_UNDERLINE = re.compile(r"([=\-~^\"'*#+])\1{2,}$")
_RULE = re.compile(r"[\W_]+$")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_BINARY_SHARE = 0.02
_RST_MARKUP = (
    (re.compile(r"^\.\. .*\n(?:[ \t]+:[\w-]+:.*\n)*", re.MULTILINE), ""),
    (re.compile(r"`([^`<]+?)\s*(?:<[^`>]*>)?`__?(?!\w)"), r"\1"),
    (re.compile(r"``([^`]+)``"), r"\1"),
)
_SOFT_HYPHENATED = re.compile(r"[a-zà-ÿ]-$")


class TextReader:
    """Reads plain text of unknown make, reStructuredText and bibliographies too."""

    name = "text"
    preference = 70

    def accepts(self, source: Source) -> bool:
        """Tell whether the file is text that no other reader claims."""
        return format_of(source) == self.name

    def read(self, source: Source) -> Parsed:
        """Read the paragraphs; a form feed begins a section."""
        text = decode(load(source, LARGEST_TEXT))
        if len(_CONTROLS.findall(text)) > _BINARY_SHARE * len(text):
            raise UnreadableError(f"{source.name} is binary data, not text.")
        if source.suffix == ".rst":
            text = _without_rst_markup(text)
        sections = Sections()
        for sheet in text.split("\f"):
            sections.begin()
            _read_sheet(sheet, sections)
        return sections.parsed(source)


def _without_rst_markup(text: str) -> str:
    """Take comments, directives and the marks of links and code out of reStructuredText."""
    for pattern, put in _RST_MARKUP:
        text = pattern.sub(put, text)
    return text


def _read_sheet(sheet: str, sections: Sections) -> None:
    path: tuple[str, ...] = ()
    for paragraph in _paragraphs(sheet):
        title = _underlined(paragraph)
        if title:
            path = (title,)
            sections.add(title, Role.HEADING)
            paragraph = paragraph[paragraph.index(title) + 2 :]  # noqa: PLW2901 -- the rest of it
        for block in _joined(paragraph):
            sections.add(block, Role.BODY, path)


def _paragraphs(sheet: str) -> list[list[str]]:
    """Return the runs of lines between blank ones."""
    found: list[list[str]] = [[]]
    for line in sheet.split("\n"):
        if line.strip():
            found[-1].append(line.strip())
        elif found[-1]:
            found.append([])
    return [each for each in found if each]


def _underlined(lines: list[str]) -> str | None:
    """Return a heading's words where its second line underlines it (reStructuredText)."""
    body = lines[1:] if len(lines) > 2 and _UNDERLINE.match(lines[0]) else lines  # noqa: PLR2004 -- overline, words, underline
    if len(body) > 1 and _UNDERLINE.match(body[1]) and not _UNDERLINE.match(body[0]):
        return body[0]
    return None


def _joined(lines: list[str]) -> list[str]:
    """Return the blocks of a paragraph: wrapped lines joined, points of a list apart."""
    lines = [line for line in lines if not _RULE.match(line)]
    if not lines:
        return []
    long = sum(1 for line in lines[:-1] if len(line) >= _WRAPPED)
    if long < _WRAPPED_SHARE * max(1, len(lines) - 1):
        return ["\n".join(lines)]  # verse, addresses, code: its lines mean something
    blocks = [lines[0]]
    for line in lines[1:]:
        if _NEW_POINT.match(line):
            blocks.append(line)
        else:
            hyphen = _SOFT_HYPHENATED.search(blocks[-1]) and line[:1].islower()
            blocks[-1] = blocks[-1] + line if hyphen else f"{blocks[-1]} {line}"
    return blocks

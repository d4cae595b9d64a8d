r"""A dossier as Markdown: quotes with footnotes, and nobody's words taken for markup.

CommonMark with the footnotes of GitHub, Pandoc and others (``[^1]``). Every sign of a text that
could begin markup there stands behind a backslash, which CommonMark 0.31 allows before any ASCII
punctuation; those that mean something only at the beginning of a line, only there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from kb.export.told import Gap, Quote, Text, told

if TYPE_CHECKING:
    from kb.briefs.model import Dossier
    from kb.export.told import Source

_ANYWHERE: Final = re.compile(r"([\\`*_{}\[\]<>&|~$^#@])")
# Lists, underlines of headings, fences of divisions, and metadata at the top of a file.
_AT_LINE_START: Final = re.compile(r"^([-+=:%]|\d{1,9}(?=[.)]))", re.MULTILINE)
# What GitHub makes a link of without being asked: addresses, also without their scheme.
_LINKED: Final = re.compile(r"(?<=\bwww)\.|(?<=[A-Za-z]):(?=//)", re.IGNORECASE)
_SHORTCODE: Final = re.compile(r":(?=[\w+-]+:)")  # :smile:


def to_markdown(dossier: Dossier, base_url: str = "") -> bytes:
    """Write a dossier as Markdown in UTF-8; see ``told`` for ``base_url``."""
    telling = told(dossier, base_url)
    parts = [f"# {escape(telling.title)}", escape(telling.about)]
    notes: list[str] = []
    for block in telling.blocks:
        match block:
            case Text(text):
                parts.append(_lines(text))
            case Quote():
                notes.append(f"[^{len(notes) + 1}]: {_note(block.source)}")
                parts.append(_quote(block, len(notes)))
            case Gap(text):
                parts.append(f"**{escape(text)}**")
    written = "\n\n".join([*parts, *notes]) + "\n"
    return written.encode()


def escape(text: str) -> str:
    """Text of which nothing is markup."""
    signs = _ANYWHERE.sub(r"\\\1", text)
    linked = _SHORTCODE.sub(r"\\:", _LINKED.sub(lambda sign: f"\\{sign[0]}", signs))
    return _AT_LINE_START.sub(_behind_backslash, linked)


def _behind_backslash(found: re.Match[str]) -> str:
    """What begins a line, with the backslash before its sign; of ``1.`` it is the point."""
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


def _lines(text: str, before: str = "") -> str:
    """Lines that stay lines, each after ``before``."""
    return "\\\n".join(f"{before}{line}" for line in escape(text).split("\n"))


def _quote(quote: Quote, number: int) -> str:
    quoted = f"{_lines(quote.text, '> ')}[^{number}]"
    return f"{quoted}\n>\n> **{escape(quote.warning)}**" if quote.warning else quoted


def _note(source: Source) -> str:
    said = f"*{escape(source.title)}*, {escape(source.details)}."
    return f"{said} <{source.url}>" if source.url else said

"""Changes to a brief, each a pure function that gives the brief as it is then."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from kb.briefs.model import Paragraph
from kb.errors import UsageError
from kb.model import Span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kb.briefs.model import Block, Brief

LANGUAGES = ("fr", "en")
MAX_BLOCKS = 200
MAX_PARAGRAPH = 20_000  # characters
MAX_TITLE = 200
MAX_SPANS = 50  # of one quote
MAX_SPANS_TEXT = 1_000  # characters
_SPAN = re.compile(r"(\d{1,7}):(\d{1,8})-(\d{1,8})")


def renamed(brief: Brief, title: str, language: str | None = None) -> Brief:
    """Give it another title, and have it exported in another language.

    Raises:
        UsageError: The title is empty or too long, or the language is not one of ours.
    """
    title = " ".join(title.split())
    if not title or len(title) > MAX_TITLE:
        raise UsageError(f"title: a brief needs a title of at most {MAX_TITLE} characters.")
    language = language or brief.language
    if language not in LANGUAGES:
        raise UsageError(f"language: {language!r} is not one of {', '.join(LANGUAGES)}.")
    return replace(brief, title=title, language=language)


def added(brief: Brief, block: Block, at: int | None = None) -> Brief:
    """Put a block at a place, or at the end.

    Raises:
        UsageError: The brief is full, the place is none of its own, or a paragraph is too long.
    """
    if len(brief.blocks) >= MAX_BLOCKS:
        raise UsageError(
            f"A brief holds at most {MAX_BLOCKS} quotes and paragraphs: begin another."
        )
    at = len(brief.blocks) if at is None else at
    if not 0 <= at <= len(brief.blocks):
        raise UsageError(f"There is no place {at + 1} in this brief. Reload it and try again.")
    if isinstance(block, Paragraph):
        block = _checked(block.text)
    return replace(brief, blocks=(*brief.blocks[:at], block, *brief.blocks[at:]))


def moved(brief: Brief, index: int, to: int) -> Brief:
    """Move a block to another place; beyond an end it stays at that end.

    Raises:
        UsageError: There is no such block.
    """
    blocks = list(brief.blocks)
    block = blocks.pop(_known(brief, index))
    blocks.insert(max(0, to), block)
    return replace(brief, blocks=tuple(blocks))


def rewritten(brief: Brief, index: int, text: str) -> Brief:
    """Give a paragraph other words; without words it is taken out.

    Raises:
        UsageError: There is no such paragraph, or it is too long.
    """
    if not isinstance(brief.blocks[_known(brief, index)], Paragraph):
        raise UsageError("A quote stays as it is: remove it, or write a paragraph beside it.")
    if not text.strip():
        return removed(brief, index)
    blocks = (*brief.blocks[:index], _checked(text), *brief.blocks[index + 1 :])
    return replace(brief, blocks=blocks)


def removed(brief: Brief, index: int) -> Brief:
    """Take a block out.

    Raises:
        UsageError: There is no such block.
    """
    _known(brief, index)
    return replace(brief, blocks=(*brief.blocks[:index], *brief.blocks[index + 1 :]))


def written_spans(spans: Iterable[Span]) -> str:
    """Spans as forms and addresses carry them: ``3:120-231,4:0-15``, page or section first."""
    return ",".join(f"{span.number}:{span.start}-{span.end}" for span in spans)


def read_spans(text: str) -> tuple[Span, ...]:
    """Spans from how ``written_spans`` writes them.

    Raises:
        UsageError: They can't be read, are none or too many.
    """
    parts = text.split(",") if len(text) <= MAX_SPANS_TEXT else []
    found = [match for part in parts if (match := _SPAN.fullmatch(part.strip()))]
    if not found or len(found) != len(parts) or len(found) > MAX_SPANS:
        raise UsageError("spans: write them as PAGE:START-END, with commas between several.")
    numbers = [tuple(map(int, match.groups())) for match in found]
    return tuple(Span(page, None, None, start, end) for page, start, end in numbers)


def _checked(text: str) -> Paragraph:
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    if not text.strip() or len(text) > MAX_PARAGRAPH:
        raise UsageError(f"text: a paragraph has between 1 and {MAX_PARAGRAPH} characters.")
    return Paragraph(text)


def _known(brief: Brief, index: int) -> int:
    if not 0 <= index < len(brief.blocks):
        raise UsageError(f"There is no block {index + 1} in this brief. Reload it and try again.")
    return index

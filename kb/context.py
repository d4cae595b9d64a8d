"""What is encoded before a passage's text but never quoted: its document's title and heading."""

from __future__ import annotations

from collections.abc import Callable, Sequence

CountTokens = Callable[[str], int]

HEADING_ARROW = " › "
# Word pieces left for the context beside a passage of 200: together they stay under the 256 that
# the default encoder reads.
CONTEXT_TOKENS = 50


def encoded_text(before: str, text: str) -> str:
    """A passage as it is encoded: its context, then its text."""
    return f"{before}\n{text}" if before else text


def context(
    title: str, heading: str, count_tokens: CountTokens, limit: int = CONTEXT_TOKENS
) -> str:
    """Return "title — heading", cut at words to ``limit`` tokens.

    The title keeps at least half of them, then outer headings go first and the most specific one
    last.
    """
    path = tuple(part for part in heading.split(HEADING_ARROW) if part)
    return " — ".join(filter(None, fitted(title, path, count_tokens, limit)))


def fitted(
    title: str, path: Sequence[str], count_tokens: CountTokens, limit: int = CONTEXT_TOKENS
) -> tuple[str, str]:
    """Title and heading cut so that "title — heading" has at most ``limit`` tokens."""
    dash, arrow = count_tokens("—"), count_tokens(HEADING_ARROW)
    costs = [count_tokens(part) for part in path]
    whole = sum(costs) + arrow * (len(path) - 1) + dash if path else 0
    title = _first_words(title, count_tokens, max(limit // 2, limit - whole))
    room = limit - count_tokens(title) - (dash if title else 0)
    kept: list[str] = []
    for part, cost in zip(reversed(path), reversed(costs), strict=True):
        if kept and cost + arrow > room:
            break
        kept.insert(0, _first_words(part, count_tokens, room))
        room -= cost + arrow
    return title, HEADING_ARROW.join(filter(None, kept))


def _first_words(text: str, count_tokens: CountTokens, limit: int) -> str:
    words = text.split()
    for position, word in enumerate(words):
        limit -= count_tokens(word)
        if limit < 0:
            return " ".join(words[:position])
    return " ".join(words)

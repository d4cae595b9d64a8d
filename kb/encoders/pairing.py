"""A question and a sentence as the cross-encoder reads them, when it learns and when it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Tokens read of each part; together at most 238 with the four that stand around them.
QUESTION: Final = 40
TITLE: Final = 22
HEADING: Final = 22
SENTENCE: Final = 150
MAX_TOKENS: Final = QUESTION + TITLE + HEADING + SENTENCE + 4

_BEGIN: Final = 101
_SEPARATOR: Final = 102


def paired(
    tokenizer: Tokenizer, question: str, title: str, heading: str, sentence: str
) -> list[int]:
    """The token numbers: ``[CLS] question [SEP] title heading [SEP] sentence [SEP]``."""

    def numbers(text: str, limit: int) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False).ids[:limit]

    return [
        _BEGIN,
        *numbers(question, QUESTION),
        _SEPARATOR,
        *numbers(title, TITLE),
        *numbers(heading, HEADING),
        _SEPARATOR,
        *numbers(sentence, SENTENCE),
        _SEPARATOR,
    ]

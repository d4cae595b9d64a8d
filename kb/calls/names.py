"""Names of programmes, types of action and themes, found by what people write of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kb.analysis import fold

if TYPE_CHECKING:
    from collections.abc import Collection

_WORD = re.compile(r"\w+")


def named(known: Collection[str], asked: tuple[str, ...]) -> tuple[str, ...]:
    """Names as the base has them; a text that fits none stays, and finds nothing.

    A text is a whole name, else its initials or code (RIA, HORIZON-RIA), else some of its words,
    else the beginnings of some; case and accents do not matter.
    """
    names: list[str] = []
    for text in asked:
        wanted, code = _words(text), text.strip().upper()
        ways = (
            [name for name in known if name == text or _words(name) == wanted],
            [name for name in known if code in _codes(name)],
            [name for name in known if wanted and set(wanted) <= set(_words(name))],
            [name for name in known if wanted and _begins(wanted, _words(name))],
        )
        names += next((found for found in ways if found), [text])
    return tuple(dict.fromkeys(names))


def _words(text: str) -> list[str]:
    return _WORD.findall(fold(text))


def _begins(wanted: list[str], words: list[str]) -> bool:
    return all(any(word.startswith(part) for word in words) for part in wanted)


def _codes(name: str) -> set[str]:
    """The initials, also after the words in capitals, and the code at the end in brackets."""
    words = re.findall(r"[^\W\d_]\w*\+?", name)
    initials = "".join(word[0] for word in words if word[0].isupper() and not word.isupper())
    codes = {name.rpartition("(")[2].rstrip(")").strip().upper()} if name.endswith(")") else set()
    if initials:
        codes |= {initials.upper(), "-".join([*filter(str.isupper, words), initials]).upper()}
    return codes

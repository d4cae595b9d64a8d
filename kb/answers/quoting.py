"""What of a passage can stand as a quote: whole sentences, rows with headers, lists with points."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kb.model import Role
from kb.sentences import sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kb.model import Passage

Parts = tuple[tuple[int, int], ...]

# A definition of EU law can fill a passage; a list is quoted with its points up to this length.
MAX_LIST: Final = 900
# An opening that is longer than this is not repeated before a single point of its list.
_MAX_OPENING: Final = 300
_MIN_WORDS: Final = 5
_NO_EVIDENCE: Final = frozenset({Role.CONTENTS, Role.REFERENCES, Role.HEADING})
# The last heading of a list of sources that its reader did not tell from text.
_SOURCES: Final = re.compile(
    r"(?:^|› )(?:[\dIVX]+[.)]?\s+)?(?:sources?|références|references|bibliograph\w+|works cited"
    r"|further reading|pour aller plus loin)\s*$",
    re.IGNORECASE,
)
_PUBLISHED: Final = re.compile(r"\b(?:OJ|JO) [LC]\b")
_MARK: Final = re.compile(r"\(?(?:\d{1,3}|[a-z]|[ivx]{1,4})[.)]\s|[-–—•▪◦*]\s")
# Openings that point back to the sentence before. "Il faut", "it is necessary" point nowhere.
_POINTS_BACK: Final = re.compile(
    r"(?:(?:ce|cet|cette|ces)\s+(?:derni\w+|aides?|mesures?|dispositi\w+|mécanismes?|sommes?|montants?"
    r"|plafonds?|seuils?|règles?|obligations?|délais?|fonds|programmes?|taux|conditions?|documents?)\b"
    r"|(?:celui|celle|ceux|celles)-ci\b|elles?\s|ils\s"
    r"|il\s(?!(?:faut|y a|est (?:interdit|possible|nécessaire|important|utile|temps|recommandé|trop"
    r"|prévu|tenu|rappelé|souhaitable|préférable)|convient|s['’]agit|existe|importe|reste|suffit"
    r"|ne (?:faut|reste|suffit|s['’]agit)))"
    r"|leurs?\s|cela\s|ceci\s|dans (?:ces?|les autres|tous les autres) cas\b|toutefois\b|cependant\b"  # noqa: E501 -- one alternative a line
    r"|in (?:all )?(?:other|such|that|this|those|these) cases?\b|however\b|otherwise\b"
    r"|it\s(?!is (?:necessary|appropriate|important|possible|also|therefore|essential|clear|desirable"  # noqa: E501 -- one alternative a line
    r"|too|not too|forbidden|useful|worth|easy|hard|difficult|recommended)|should be (?:noted|clarified"  # noqa: E501 -- one alternative a line
    r"|possible|recalled))"
    r"|they\s|its\s|their\s|he\s|she\s|that is why\b|this\s|these\s|those\s|such\s|the (?:latter|former)\b"  # noqa: E501 -- one alternative a line
    r"|both\s(?:of (?:them|these)\s)?)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Quotable:
    """Parts of a passage's text that can be quoted together, and where what they rest on begins.

    ``parts`` are one stretch, or an opening with one of its points, or a table's header with one
    row. ``since`` is the start of the sentence before where the first word points back to it, else
    the start of the first part. ``points`` counts the points of a list that is quoted whole.
    """

    parts: Parts
    since: int
    points: int = 0

    def text(self, passage: Passage) -> str:
        """The words, each part on a line of its own."""
        return "\n".join(passage.text[start:end] for start, end in self.parts)

    def extended(self) -> Quotable:
        """The same with the sentence before where it rests on that."""
        (start, end), *others = self.parts
        return Quotable(((min(self.since, start), end), *others), self.since, self.points)

    def joined(self, other: Quotable, passage: Passage) -> Quotable | None:
        """Both as one quote where they are neighbours, or points of one list; else None."""
        one, two = sorted((self, other), key=lambda quote: quote.parts[-1])
        ours, theirs = one.parts, two.parts
        if theirs[-1][1] - ours[0][0] > MAX_LIST or min(len(theirs), len(ours)) == 0:
            return None
        if len(ours) == len(theirs) == 1 and ours[0][1] <= theirs[0][0]:
            if passage.text[ours[0][1] : theirs[0][0]].strip():
                return None
            return Quotable(((ours[0][0], theirs[0][1]),), one.since, one.points + two.points)
        if len(theirs) > 1 and ours[0] == theirs[0] and ours[-1][1] <= theirs[-1][0]:
            points = (*ours[1:], *theirs[1:])
            return Quotable((ours[0], *points), one.since, len(points))
        return None


def is_evidence(passage: Passage) -> bool:
    """Whether a passage says something: no contents or sources, no note that only cites an act."""
    if passage.role in _NO_EVIDENCE or _SOURCES.search(passage.heading):
        return False
    return passage.role is not Role.NOTE or _PUBLISHED.search(passage.text) is None


def quotable(passage: Passage) -> list[Quotable]:
    """Everything of a passage that can stand as a quote, in reading order."""
    text = passage.text
    if passage.role is Role.TABLE:
        return [Quotable(parts, parts[0][0]) for parts in _rows(text)]
    found = _merged(text, sentences(text, passage.language))
    quotes: list[Quotable] = []
    opening: tuple[int, int] | None = None
    for position, (start, end) in enumerate(found):
        if text[end - 1] == ":":
            opening = (start, end)
            last, points = _list_end(text, found[position + 1 :], start)
            if points:
                quotes.append(Quotable(((start, last),), start, points))
            continue
        mark = _MARK.match(text, start)
        opening = opening if mark else None
        defines = mark is not None and text[mark.end()] in "‘'«“\""
        if opening and not defines and opening[1] - opening[0] <= _MAX_OPENING:
            quotes.append(Quotable((opening, (start, end)), opening[0]))
        elif _is_sentence(text[start:end]):
            quotes.append(Quotable(((start, end),), _since(text, found, position)))
    return quotes


def _merged(text: str, found: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sentences with the short title of a point ("3. Rate.") joined to what follows on its line.

    So is what breaks off in a bracket to what closes it: a page may part it into two paragraphs.
    """
    merged: list[tuple[int, int]] = []
    for start, end in found:
        if merged:
            first, last = merged[-1]
            title = text[first:last]
            if _breaks_off(title) and not _breaks_off(text[first:end]):
                merged[-1] = (first, end)
                continue
            short = len(title.split()) < _MIN_WORDS and _MARK.match(title) is not None
            if short and "\n" not in text[last:start] and title[-1] not in ":;":
                merged[-1] = (first, end)
                continue
        merged.append((start, end))
    return merged


def _list_end(text: str, following: Sequence[tuple[int, int]], start: int) -> tuple[int, int]:
    """Where a list that opened at ``start`` ends, and how many points it has.

    Points carry marks, or end with semicolons until one that doesn't; what has neither is no list
    but what the opening announces, and one sentence of that is enough.
    """
    last, points, goes_on = 0, 0, True
    for first, end in following:
        marked = _MARK.match(text, first) is not None
        if end - start > MAX_LIST or not (marked or goes_on):
            break
        last, points = end, points + 1
        goes_on = text[end - 1] in ";,:"
    return last, points


def _since(text: str, found: Sequence[tuple[int, int]], position: int) -> int:
    start = found[position][0]
    mark = _MARK.match(text, start)
    first = mark.end() if mark else start
    if position == 0 or _POINTS_BACK.match(text, first) is None:
        return start
    before = found[position - 1]
    return before[0] if start - before[0] <= _MAX_OPENING else start


def _rows(text: str) -> list[Parts]:
    lines = [match.span() for match in re.finditer(r"[^\n]+", text)]
    rows = [line for line in lines if "|" in text[slice(*line)]]
    if len(rows) <= 1:
        return [(line,) for line in lines if _is_sentence(text[slice(*line)])]
    return [(rows[0], row) for row in rows[1:]]


def _breaks_off(text: str) -> bool:
    """Whether a bracket is left open; the one behind the mark of a point ("a)") closes none."""
    depth = 0
    for sign in text:
        if sign == "(":
            depth += 1
        elif sign == ")" and depth:
            depth -= 1
    return depth > 0


def _is_sentence(text: str) -> bool:
    """Not a heading or a fragment: a few words and an end, or many words, and no open bracket."""
    words = len(text.split())
    if _breaks_off(text):
        return False
    return words >= _MIN_WORDS and (text[-1] in ".;:!?»”)" or words >= 2 * _MIN_WORDS)

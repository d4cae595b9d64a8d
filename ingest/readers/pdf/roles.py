"""Tells headings, contents, references and notes from body text, and builds heading paths."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from ingest.readers.pdf.layout import BULLET, LEADERS
from ingest.readers.pdf.shapes import Item, Paragraph, Table
from kb.model import Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST_HEADING = 200
BOOKMARKED = 500.0
"""The least first part of a bookmarked heading's rank; type sizes stay below it."""

_CAPTION = re.compile(
    r"^(?:table(?:au)?|fig(?:ure|\.)?|graph(?:ique)?|chart|box|encadré|source|note|carte|map)s?\b"
    r"\s*(?:n°\s*)?(?:[\divxlc]+|:|\.)",
    re.IGNORECASE,
)
_KEYWORD = re.compile(
    r"^(?P<word>titre|title|partie|part|livre|annexe?|appendix|chapitre|chapter|section"
    r"|article|art\.)\s+(?P<number>[IVXLC]+\b|\d+(?:er|[-.]\d+)*|[A-Z]\b|premier|unique)"
    r"(?P<rest>.*)$",
    re.IGNORECASE | re.DOTALL,
)
_NUMBERED = re.compile(r"^(?P<number>\d{1,2}(?:\.\d{1,2})*|[A-Z](?:\.\d{1,2})*)[.)]?\s+[^\W\d_]")
_KEYWORD_RANK = {
    **dict.fromkeys(
        ("titre", "title", "partie", "part", "livre", "annex", "annexe", "appendix"), 5
    ),
    **dict.fromkeys(("chapitre", "chapter"), 4),
    "section": 3,
}
_CONTENTS = re.compile(
    r"^(?:table\s+of\s+contents|contents|table\s+des\s+mati[eè]res|sommaire"
    r"|(?:list|liste)\s+(?:of|des)\s+(?:tables|figures|boxes|tableaux|graphiques|encadrés|charts)"
    r"|index\s+des\s+tableaux)\W*$",
    re.IGNORECASE,
)
_REFERENCES = re.compile(
    r"^(?:[\dA-Z]{1,3}(?:\.\d+)*\.?\s+)?(?:references|références(?:\s+bibliographiques)?"
    r"|bibliograph(?:y|ie)|works\s+cited|literature\s+cited|ouvrages\s+cités)\W*$",
    re.IGNORECASE,
)
_PAGE_AT_END = re.compile(r"(?:\s|…|\.)(?:\d{1,4}|[ivxlc]{1,7})$")
_NOTE = re.compile(r"^(?:\d{1,3}|[*∗†‡§¶¹²³⁴-⁹]{1,3})\s?\S")
_UNFINISHED = (",", ";", "-", "–")


def is_caption(text: str) -> bool:
    """Whether a text is the caption of a table or figure, or the source below one."""
    return bool(_CAPTION.match(text))


def is_numbered(text: str) -> bool:
    """Whether a heading begins with its number: a chapter's, not the title of the work."""
    return bool(_NUMBERED.match(text) or _KEYWORD.match(text))


def normal(text: str) -> str:
    """Return a heading's letters and digits, folded, to compare it with a bookmark."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    return "".join(char for char in folded if char.isalnum())


def assign_roles(
    pages: Sequence[list[Item]], body: float, outline: Mapping[int, Sequence[tuple[int, str]]]
) -> None:
    """Set the role of every paragraph; footnotes move to the end of their page.

    ``outline`` holds, by 0-based page, the bookmarks that lead there with their depth.
    """
    contents = False
    for at, items in enumerate(pages):
        bookmarks = {normal(title): depth for depth, title in outline.get(at, ())}
        contents = _mark_contents(items, going_on=contents)
        _mark_notes(items, body)
        for item in items:
            if isinstance(item, Paragraph) and item.role is Role.BODY:
                item.rank = _heading_rank(item, body, bookmarks)
                if item.rank:
                    item.role = Role.HEADING
    _mark_references(pages)


def _mark_contents(items: list[Item], *, going_on: bool) -> bool:
    """Mark a table of contents; returns whether it may go on on the next page.

    A contents heading opens it, as do three lines with leaders; a long paragraph closes it.
    """
    paragraphs = [item for item in items if isinstance(item, Paragraph)]
    led = [bool(LEADERS.search(p.text) and _PAGE_AT_END.search(p.text)) for p in paragraphs]
    open_ = sum(led) >= 3 or (going_on and _resembles_list(paragraphs))  # noqa: PLR2004
    marked = False
    # Where entries have leaders, what comes after the last of them is no entry.
    last = max((at for at, leads in enumerate(led) if leads), default=len(led))
    for at, (paragraph, leads) in enumerate(zip(paragraphs, led, strict=True)):
        text = paragraph.text
        if len(text) < 60 and _CONTENTS.match(text.strip("_ ")):  # noqa: PLR2004 -- a heading
            open_ = True
            continue
        if open_ and not leads and (at > last or len(text) > 250):  # noqa: PLR2004 -- prose
            open_ = False
        if open_:
            paragraph.role = Role.CONTENTS
            marked = True
    return marked and open_


def _resembles_list(paragraphs: Sequence[Paragraph]) -> bool:
    entries = sum(
        bool(_CAPTION.match(p.text) or _PAGE_AT_END.search(p.text)) and len(p.text) < 160  # noqa: PLR2004
        for p in paragraphs
    )
    return entries > 0.6 * len(paragraphs)


def _mark_notes(items: list[Item], body: float) -> None:
    """Mark small print that ends a column and begins with a sign, and text set sideways."""
    flows: dict[int, list[Item]] = {}
    for item in items:
        flows.setdefault(item.flow, []).append(item)
    notes: list[Item] = []
    # Small print in the upper half of a page is a box or a figure.
    middle = max((p.bottom for p in items if isinstance(p, Paragraph)), default=0.0) / 2
    for flow in flows.values():
        trailing: list[Paragraph] = []
        for item in reversed(flow):
            if not isinstance(item, Paragraph) or item.size > 0.93 * body or item.top < middle:
                break
            trailing.append(item)
        while trailing and not _NOTE.match(trailing[-1].text):
            trailing.pop()
        notes += reversed(trailing)
    paragraphs = [item for item in items if isinstance(item, Paragraph)]
    upright = any(p.lines[0].words[0].quarter == 0 for p in paragraphs)
    notes += [p for p in paragraphs if upright and p.lines[0].words[0].quarter and p not in notes]
    # Much smaller than notes are the labels in figures (pages 2 and 5 of pasa_arxiv.pdf).
    for paragraph in paragraphs:
        if paragraph.role is Role.BODY and paragraph.size < 0.72 * body:
            paragraph.role = Role.NOTE
    for note in notes:
        if isinstance(note, Paragraph) and note.role is Role.BODY:
            note.role = Role.NOTE
    items[:] = [item for item in items if item not in notes]
    items += [n for n in notes if isinstance(n, Paragraph) and any(map(str.isalnum, n.text))]


def _heading_rank(
    paragraph: Paragraph, body: float, bookmarks: Mapping[str, int]
) -> tuple[float, ...] | None:
    """Return a heading's rank, highest first when sorted downwards, None for other paragraphs.

    A bookmark's depth ranks above the type size, which ranks above the keyword ("CHAPITRE"), the
    depth of the number, weight and capitals.
    """
    text = paragraph.text
    if len(text) > LONGEST_HEADING or len(paragraph.lines) > 4:  # noqa: PLR2004 -- a heading's
        return None
    letters = [char for char in text if char.isalpha()]
    depth = bookmarks.get(normal(text)) or bookmarks.get(normal(_unnumbered(text)))
    if depth is not None and letters:
        return (2 * BOOKMARKED - depth,)
    if not _may_head(paragraph, body, len(letters)):
        return None
    keyword, numbered = _KEYWORD.match(text), _NUMBERED.match(text)
    capitals = text.upper() == text and len(letters) > 3  # noqa: PLR2004 -- not an abbreviation
    if not _stands_out(paragraph, body, keyword, numbered, capitals=capitals):
        return None
    steps = numbered["number"].count(".") + 1 if numbered else 1
    level = _KEYWORD_RANK.get(keyword["word"].lower(), 1) if keyword else 0
    return (
        float(round(paragraph.size)),
        float(level),
        -float(steps),
        float(paragraph.bold),
        float(capitals),
        -float(paragraph.italic),
    )


def _may_head(paragraph: Paragraph, body: float, letters: int) -> bool:
    """Whether a short paragraph is worded like a heading: no formula, caption or list item."""
    text = paragraph.text
    return (
        letters >= max(2.0, 0.5 * len(text.replace(" ", "")))
        and not text.endswith(_UNFINISHED)
        and not _CAPTION.match(text)
        and not BULLET.match(text)
        and not (text[0].islower() or text[0] in "[{")
        and paragraph.size >= 0.75 * body
    )


def _number_of(text: str) -> list[str]:
    match = _NUMBERED.match(text)
    return match["number"].split(".") if match else []


def _unnumbered(text: str) -> str:
    return re.sub(r"^(?:[\dA-Z]{1,2}(?:\.\d+)*)\.?\s+", "", text)


def _stands_out(
    paragraph: Paragraph,
    body: float,
    keyword: re.Match[str] | None,
    numbered: re.Match[str] | None,
    *,
    capitals: bool,
) -> bool:
    """Whether a short paragraph looks like a heading by its setting or its wording."""
    text, size = paragraph.text, paragraph.size
    ended = text.endswith(".") and not re.fullmatch(r"\S+\.", text)
    ended = ended and not (paragraph.bold and capitals)
    if size >= 1.15 * body:
        return not ended or size >= 1.4 * body
    if ended:
        return False
    if keyword and len(text) <= 120:  # noqa: PLR2004 -- characters
        rest = keyword["rest"].strip()
        if not rest or (rest[0] in "-–—:." and len(paragraph.lines) == 1):
            return True
    if len(text) > 120 or len(paragraph.lines) > 3:  # noqa: PLR2004 -- characters, lines
        return False
    if paragraph.bold or (capitals and size >= 0.95 * body and len(text) >= 6):  # noqa: PLR2004
        return True
    set_apart = paragraph.italic or size >= 1.06 * body
    return set_apart and bool(keyword or numbered)


def _mark_references(pages: Sequence[list[Item]]) -> None:
    """Mark what stands under a heading such as "References", up to the next of its rank."""
    rank: tuple[float, ...] | None = None
    for items in pages:
        for item in items:
            if isinstance(item, Table) or item.role in (Role.CONTENTS, Role.NOTE):
                continue
            if item.rank and _REFERENCES.match(item.text):
                rank = item.rank
            elif rank and item.rank and item.rank >= rank:
                rank = None
            elif rank:
                item.role, item.rank = Role.REFERENCES, None


class Path:
    """The headings above the place reached, outermost first."""

    def __init__(self) -> None:
        self._stack: list[tuple[tuple[float, ...], str]] = []  # rank and text
        self._fresh = False

    @property
    def names(self) -> tuple[str, ...]:
        """The headings' texts."""
        return tuple(name for _, name in self._stack)

    def above(self, rank: tuple[float, ...], text: str) -> tuple[str, ...]:
        """Return the headings above one that is about to be entered."""
        if self._continues(text):
            return self.names[:-1]
        return tuple(name for _, name in self._kept(rank, text))

    def enter(self, rank: tuple[float, ...], text: str) -> None:
        """Go under a heading; "SECTION I" and the title on the next line are one name."""
        if self._continues(text):
            last_rank, last = self._stack[-1]
            self._stack[-1] = (max(last_rank, rank), f"{last} {text}")
            self._fresh = False
            return
        self._stack = self._kept(rank, text)
        self._stack.append((rank, text))
        self._fresh = True

    def _kept(self, rank: tuple[float, ...], text: str) -> list[tuple[tuple[float, ...], str]]:
        """Return the headings a new one stands under.

        "2.4" stands under "2" and beside "2.1", whatever the type sizes (the policy PDF sets them
        in two). A bare "3." may also number a list: there the size decides.
        """
        own = _number_of(text)
        kept: list[tuple[tuple[float, ...], str]] = []
        for over, name in self._stack:
            other = _number_of(name)
            if len(own) > 1 and other:
                above = len(other) < len(own) and own[: len(other)] == other
            else:
                above = over > rank
            if not above:
                break
            kept.append((over, name))
        return kept

    def _continues(self, text: str) -> bool:
        """Whether a heading is the title of the number just entered."""
        if not self._fresh or not self._stack or _KEYWORD.match(text) or _NUMBERED.match(text):
            return False
        keyword = _KEYWORD.match(self._stack[-1][1])
        return bool(keyword and not keyword["rest"].strip(" .:–—-"))

    def settle(self) -> None:
        """Text has come under the last heading: the next heading does not belong to it."""
        self._fresh = False

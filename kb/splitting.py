"""Documents cut into passages along their structure, each the exact text of its spans."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final
from uuid import UUID, uuid5

from kb.context import fitted
from kb.language import detect
from kb.model import Block, Page, Parsed, Passage, Role, Span
from kb.sentences import sentences, stretches

CountTokens = Callable[[str], int]

_NAMESPACE: Final = UUID("5f0c7b1e-6f5b-5e0a-9d5c-2f4a86f3c7d1")
_TINY: Final = 40  # tokens under which a passage looks for company
_OWN_LANGUAGE: Final = 60  # letters from which a passage's language is looked at
_OWN_THIRD_LANGUAGE: Final = 200  # the same in a document neither French nor English
_LETTERS: Final = 16  # characters a token may stand for
_PARAGRAPH: Final = re.compile(r"\S(?:[^\n]|\n(?![^\S\n]*\n))*")


@dataclass(frozen=True, slots=True)
class Limits:
    """The most encoder tokens of a passage's text and of its context, special tokens apart."""

    passage: int = 200
    context: int = 50


@dataclass(frozen=True, slots=True)
class _Part:
    """``text[start:end]`` of the page at index ``page``; ``continues`` the part before it."""

    page: int
    start: int
    end: int
    continues: bool = False


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is not divided further: a block, a sentence, or a stretch of a very long one.

    ``leads`` says that it announces the next piece. ``header`` is repeated where a passage begins
    with this piece.
    """

    parts: tuple[_Part, ...]
    tokens: int
    leads: bool = False
    header: _Part | None = None
    header_tokens: int = 0


@dataclass(slots=True)
class _Unit:
    """A block with what continues it on the next pages."""

    role: Role
    path: tuple[str, ...]
    parts: list[_Part]
    header: _Part | None


@dataclass(slots=True)
class _Section:
    """Neighbouring pieces of one role under one path."""

    role: Role
    path: tuple[str, ...]
    pieces: list[_Piece] = field(default_factory=list)


def split(  # noqa: PLR0913, PLR0917 -- all that a passage is made of is given by the caller
    parsed: Parsed,
    document_id: str,
    version: int,
    title: str,
    count_tokens: CountTokens,
    limits: Limits = Limits(),
    language: str | None = None,
) -> list[Passage]:
    """Cut a document into passages of at most ``limits.passage`` tokens, in reading order.

    Blocks under the same headings are packed together; headings open the passage that follows
    them. A block beyond the limit is cut at sentences, a sentence beyond it at clauses or words.
    Table rows, contents, references and notes never share a passage with body text.

    Args:
        parsed: Pages with blocks; a page that has none is read as paragraphs.
        document_id: The document's identity, part of each passage's.
        version: The version's number; passage ids do not depend on it.
        title: The document's title, which shares ``limits.context`` with the heading.
        count_tokens: Word pieces of a text without special tokens. Counts must add up over
            white space, as BERT's do: each block is counted once.
        limits: The encoder's.
        language: The document's, ISO 639-1; detected where absent.

    Returns:
        Passages whose ``text`` is ``page_text[start:end]`` of each span, joined by a space where
        a block goes on from the page before and by a newline elsewhere.
    """
    texts = [page.text for page in parsed.pages]
    spoken = language or detect("\n".join(text for text in texts if text.strip()))
    cutter = _Cutter(texts, count_tokens, limits.passage, spoken)
    runs = [
        (section, run)
        for section in _merged(_sections(_units(parsed.pages), cutter), limits.passage)
        for run in cutter.packed(section.pieces)
    ]
    runs.sort(key=lambda item: (item[1][0].parts[0].page, item[1][0].parts[0].start))
    headings = {
        path: fitted(title, path, count_tokens, limits.context)[1]
        for path in {section.path for section, _ in runs}
    }
    blank = Passage("", document_id, version, 0, "", (), "", spoken)
    found = (_passage(blank, parsed, cutter, run) for _, run in runs)
    seen: Counter[tuple[str, ...]] = Counter()
    return [
        _identified(
            replace(one, ordinal=at, heading=headings[section.path], role=section.role), seen
        )
        for at, (one, (section, _)) in enumerate(zip(found, runs, strict=True))
    ]


def _passage(blank: Passage, parsed: Parsed, cutter: _Cutter, run: Sequence[_Piece]) -> Passage:
    """The blank passage with the text, spans and language of these pieces."""
    header = (run[0].header,) if run[0].header else ()
    parts = cutter.joined([*header, *(part for piece in run for part in piece.parts)])
    text = cutter.text(parts)
    spans = []
    for part in parts:
        page = parsed.pages[part.page]
        page_number, section = (page.number, None) if parsed.paged else (None, page.number)
        spans.append(Span(page_number, page.label, section, part.start, part.end))
    # Too short a text does not tell its language; a third one is told from a long text only.
    least = _OWN_LANGUAGE if blank.language in {"fr", "en"} else _OWN_THIRD_LANGUAGE
    tells = sum(map(str.isalpha, text)) >= least
    language = detect(text, blank.language) if tells else blank.language
    return replace(blank, text=text, spans=tuple(spans), language=language)


def _identified(passage: Passage, seen: Counter[tuple[str, ...]]) -> Passage:
    """The passage under an id derived from its content; ``seen`` numbers equal ones on a page."""
    numbers = (str(span.number) for span in passage.spans)
    content = (passage.document_id, passage.role, *numbers, passage.text)
    seen[content] += 1
    return replace(passage, id=str(uuid5(_NAMESPACE, repr((*content, seen[content])))))


def _cost(pieces: Sequence[_Piece]) -> int:
    """Tokens of a passage made of these pieces, with the table header that it repeats."""
    return pieces[0].header_tokens + sum(piece.tokens for piece in pieces) if pieces else 0


def _blocks(page: Page) -> Iterator[Block]:
    """The page's blocks, or its paragraphs where the reader knew none.

    A table header that is no block of its own comes before the first row that repeats it.
    """
    starts = {block.start for block in page.blocks}
    for block in page.blocks:
        if block.header and block.header[0] not in starts:
            starts.add(block.header[0])
            yield replace(block, start=block.header[0], end=block.header[1], header=None)
        yield block
    if not page.blocks:
        for found in _PARAGRAPH.finditer(page.text):
            yield Block(found.start(), found.end())


def _units(pages: Sequence[Page]) -> list[_Unit]:
    """Blocks in reading order, each with the blocks that continue it."""
    units: list[_Unit] = []
    last: _Unit | None = None
    for index, page in enumerate(pages):
        for block in _blocks(page):
            inner = page.text[block.start : block.end].rstrip()
            if not inner.strip():
                continue
            start = block.start + len(inner) - len(inner.lstrip())
            part = _Part(index, start, block.start + len(inner))
            if block.continues and last and last.role is block.role:
                last.parts.append(replace(part, continues=True))
                continue
            header = _Part(index, *block.header) if block.header else None
            # A header row that names itself, or one after its row, is not to be repeated.
            repeated = header if header and header.end <= start else None
            units.append(_Unit(block.role, block.path, [part], repeated))
            if block.role is not Role.NOTE:  # notes stand between a sentence and its end
                last = units[-1]
    return units


def _sections(units: Iterable[_Unit], cutter: _Cutter) -> list[_Section]:
    """Units gathered by role and path, each under the headings that stand before it."""
    sections: list[_Section] = []
    notes: list[_Section] = []
    headings: list[_Unit] = []
    current: _Section | None = None
    for unit in units:
        if unit.role is Role.NOTE:
            notes.append(_Section(unit.role, unit.path, cutter.pieces(unit)))
        elif unit.role is Role.HEADING:
            headings.append(unit)
        elif current and not headings and (unit.role, unit.path) == (current.role, current.path):
            current.pieces += cutter.pieces(unit)
        else:
            lone, opening = cutter.openers(headings, unit)
            sections += _alone(lone, cutter)
            current = _Section(unit.role, unit.path, opening + cutter.pieces(unit))
            sections.append(current)
            headings = []
    return [*sections, *_alone(headings, cutter), *notes]


def _alone(headings: Iterable[_Unit], cutter: _Cutter) -> Iterator[_Section]:
    """Headings without a text under them; those of one path (a title page) together."""
    for path, units in groupby(headings, key=lambda unit: unit.path):
        yield _Section(Role.HEADING, path, [piece for one in units for piece in cutter.pieces(one)])


def _merged(sections: Iterable[_Section], limit: int) -> list[_Section]:
    """Sections with tiny neighbours in the outline put together, named after both."""
    merged: list[_Section] = []
    for section in sections:
        last = merged[-1] if merged else None
        if last and _belong_together(last, section, limit):
            last.pieces += section.pieces
            if last.path and last.path[:-1] == section.path[:-1] and last.path != section.path:
                last.path = (*last.path[:-1], f"{last.path[-1]}; {section.path[-1]}")
        else:
            merged.append(section)
    return merged


def _belong_together(last: _Section, section: _Section, limit: int) -> bool:
    """Whether two neighbours are tiny siblings, or an announcement and what it announces."""
    if last.role is not Role.BODY or section.role is not Role.BODY:
        return False
    before, after = _cost(last.pieces), _cost(section.pieces)
    if before >= _TINY or before + after > limit:
        return False
    if section.path[: len(last.path)] == last.path and last.pieces[-1].leads:
        return True
    siblings = bool(last.path and section.path) and last.path[:-1] == section.path[:-1]
    return siblings and after < _TINY


def _plain(text: str) -> str:
    return " ".join(["", *re.findall(r"\w+", text.casefold()), ""])


@dataclass(frozen=True, slots=True)
class _Cutter:
    """Page texts with the means to count and cut them."""

    texts: Sequence[str]
    count: CountTokens
    limit: int
    language: str

    def size(self, text: str) -> int:
        """Tokens, with a floor for text of few tokens and many characters (base64, blanks)."""
        return max(self.count(text), len(text) // _LETTERS)

    def text(self, parts: Iterable[_Part]) -> str:
        """What the parts say, joined as a passage's spans are."""
        words = ""
        for part in parts:
            if words:
                words += " " if part.continues else "\n"
            words += self.texts[part.page][part.start : part.end]
        return words

    def joined(self, parts: Iterable[_Part]) -> list[_Part]:
        """Parts of a page with nothing but white space between them made one."""
        found: list[_Part] = []
        for part in parts:
            last = found[-1] if found else None
            if (
                last
                and last.page == part.page
                and last.end <= part.start
                and not self.texts[part.page][last.end : part.start].strip()
            ):
                found[-1] = replace(last, end=part.end)
            else:
                found.append(part)
        return found

    def pieces(self, unit: _Unit) -> list[_Piece]:
        """A unit whole where it fits and announces nothing, else its sentences."""
        header, header_tokens = unit.header, 0
        if header:
            header_tokens = self.size(self.text([header]))
            if header_tokens > self.limit // 2:  # it would crowd out its own rows
                header, header_tokens = None, 0
        whole = self._piece(unit.parts, header=header, header_tokens=header_tokens)
        room = self.limit - header_tokens
        if whole.tokens <= room and not (whole.leads and unit.role is Role.BODY):
            return [whole]
        return self.finer(whole, room)

    def _piece(
        self, parts: Iterable[_Part], header: _Part | None = None, header_tokens: int = 0
    ) -> _Piece:
        held = tuple(parts)
        text = self.text(held)
        leads = text.endswith(":")
        return _Piece(held, self.size(text), leads, header, header_tokens)

    def openers(self, headings: Sequence[_Unit], unit: _Unit) -> tuple[list[_Unit], list[_Piece]]:
        """Divide headings into lone ones and the pieces that open the unit's passage.

        A heading opens it where the unit's path names it (or the reader gave none), and while
        the headings leave half of the passage to the text.
        """
        path = _plain(" ".join(unit.path))
        opening: list[_Piece] = []
        room = self.limit // 2
        for position in range(len(headings) - 1, -1, -1):
            piece = self._piece(headings[position].parts)
            words = _plain(self.text(piece.parts))
            named = words in path or any(words.startswith(_plain(part)) for part in unit.path)
            room -= piece.tokens
            if (unit.path and not named) or room < 0:
                return list(headings[: position + 1]), opening
            opening.insert(0, replace(piece, leads=True))
        return [], opening

    def finer(self, piece: _Piece, room: int) -> list[_Piece]:
        """Cut a piece at its sentences, and those beyond ``room`` tokens at clauses or words."""
        text = self.text(piece.parts)
        found = []
        for start, end in sentences(text, self.language):
            if self.size(text[start:end]) <= room:
                found.append((start, end))
            else:
                found += stretches(text, (start, end), room, self.size)
        return [
            self._piece(_slice(piece.parts, start, end), piece.header, piece.header_tokens)
            for start, end in found
        ]

    def packed(self, pieces: Iterable[_Piece]) -> list[list[_Piece]]:
        """Fill passages in order; what announces the next piece moves on with it."""
        waiting = deque(pieces)
        runs: list[list[_Piece]] = []
        run: list[_Piece] = []
        while waiting:
            piece = waiting.popleft()
            if run and (_glued(run[-1], piece) or _cost(run) + piece.tokens > self.limit):
                stays = len(run) if _glued(run[-1], piece) else self._stays(run)
                room = self.limit - _cost(run[stays:])
                if stays < len(run) and piece.tokens > room:
                    waiting.extendleft(reversed(self.finer(piece, room)))
                    continue
                runs.append(run[:stays])
                run = run[stays:]
            run.append(piece)
        return self._balanced([*runs, run] if run else runs)

    def _stays(self, run: Sequence[_Piece]) -> int:
        """How many pieces of a full run stay when those that announce the next one leave.

        What announces takes at most half of a passage, and leaves no passage of headings alone.
        """
        stays = len(run)
        while stays and run[stays - 1].leads and 2 * _cost(run[stays - 1 :]) <= self.limit:
            stays -= 1
        return len(run) if all(piece.leads for piece in run[:stays]) and stays else stays

    def _balanced(self, runs: list[list[_Piece]]) -> list[list[_Piece]]:
        """Give a tiny last passage pieces of the one before, so that neither is a scrap."""
        while len(runs) > 1 and _cost(runs[-1]) < _TINY and len(runs[-2]) > 1:
            before, last = runs[-2], runs[-1]
            moved = before[-1]
            if _glued(moved, last[0]) or _cost([moved, *last]) > min(
                self.limit, _cost(before[:-1])
            ):
                break
            runs[-2:] = [before[:-1], [moved, *last]]
        return runs


def _glued(first: _Piece, second: _Piece) -> bool:
    """Whether two pieces are fragments of one word, whose tokens do not add up."""
    end, start = first.parts[-1], second.parts[0]
    return end.page == start.page and end.end == start.start


def _slice(parts: Sequence[_Part], start: int, end: int) -> Iterator[_Part]:
    """The parts of ``joined[start:end]``, where ``joined`` has one character between parts."""
    base = 0
    for part in parts:
        low, high = max(start - base, 0), min(end - base, part.end - part.start)
        if low < high:
            yield _Part(part.page, part.start + low, part.start + high, part.continues and not low)
        base += part.end - part.start + 1

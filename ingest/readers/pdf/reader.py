"""The PDF reader: clean page text with headings, tables, notes and boxes; scans through OCR."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING

from ingest.readers.pdf.furniture import Furniture, find_furniture
from ingest.readers.pdf.layout import arrange
from ingest.readers.pdf.ocr import DPI, INSTALL, MAX_PIXELS, Ocr, Tesseract
from ingest.readers.pdf.pages import PageReader, opened
from ingest.readers.pdf.roles import BOOKMARKED, assign_roles, is_caption, is_numbered, normal
from ingest.readers.pdf.roles import Path as HeadingPath
from ingest.readers.pdf.shapes import (
    Item,
    Line,
    Paragraph,
    Sheet,
    Table,
    body_size,
    lines_of,
)
from ingest.readers.pdf.structure import Structure, find_identifiers, read_structure
from ingest.readers.pdf.text import Composer, Vocabulary, all_paragraphs, goes_on, join_columns
from kb.errors import UnreadableError
from kb.model import Metadata, Page, Parsed, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ingest.readers.base import Source

MAX_PAGES = 5_000
UNMAPPED = 0.3
"""Share of characters without a Unicode value from which a text layer is worth nothing."""
_HEADER_WITHIN = 1024  # a PDF's first line may stand anywhere here (ISO 32000-1, annex H)


@dataclass(slots=True)
class _Draft:
    """One page on its way: what is drawn on it, or what OCR read."""

    sheet: Sheet
    read: list[Paragraph] | None = None
    confidence: float | None = None
    lines: list[Line] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)


class PdfReader:
    """Reads PDF files, with or without a text layer."""

    name = "pdf"
    preference = 30

    def __init__(self, ocr: Ocr | None = None, *, today: Callable[[], date] = date.today) -> None:
        self._ocr = ocr or Tesseract()
        self._today = today

    def accepts(self, source: Source) -> bool:
        """Tell by the mark at the head, else by the suffix."""
        return b"%PDF-" in source.head[:_HEADER_WITHIN] or source.suffix == ".pdf"

    def read(self, source: Source) -> Parsed:
        """Read the file.

        Raises:
            UnreadableError: The file is damaged, encrypted, too long or without any text; the
                message says which, and the way out.
        """
        structure = read_structure(source.path, source.name, source.password, self._today())
        with opened(source.path, source.name, structure.password) as pages:
            if len(pages) > MAX_PAGES:
                raise UnreadableError(
                    f"{source.name}: {len(pages)} pages are more than the {MAX_PAGES} a document "
                    "may have; split it."
                )
            drafts, unread = self._drafts(pages)
        if not any(draft.sheet.words or draft.read for draft in drafts):
            raise UnreadableError(f"{source.name}: {_why_no_text(structure, drafts, unread)}")
        furniture = _lay_out(drafts)
        body = body_size([line for draft in drafts for line in draft.lines])
        assign_roles([draft.items for draft in drafts], body, structure.outline)
        for draft in drafts:
            draft.items = join_columns(draft.items, scanned=draft.read is not None)
        labels = structure.labels or furniture.labels
        metadata = _metadata(structure.metadata, drafts)
        made = _compose(drafts, labels, metadata.title or "")
        return Parsed(tuple(made), paged=True, metadata=metadata, warnings=_warnings(made, unread))

    def _drafts(self, pages: PageReader) -> tuple[list[_Draft], dict[int, str]]:
        """Read all pages; returns them and why some were left without text, by page number."""
        drafts: list[_Draft] = []
        unread: dict[int, str] = {}
        for index in range(len(pages)):
            draft = _Draft(pages.sheet(index))
            if _needs_ocr(draft.sheet):
                reason = self._recognise(pages, draft)
                if reason:
                    unread[index + 1] = reason
            drafts.append(draft)
        return drafts, unread

    def _recognise(self, pages: PageReader, draft: _Draft) -> str | None:
        """Read a page by OCR; returns why that was not possible, None if it was or is blank."""
        drawn = pages.picture(draft.sheet.number - 1, DPI, MAX_PIXELS)
        if drawn is None:
            return "the page is damaged and can't be drawn"
        picture, scale = drawn
        darkest, lightest = picture.getextrema()
        if int(lightest) - int(darkest) < 16:  # type: ignore[arg-type]  # noqa: PLR2004 -- one even grey
            return None
        if self._ocr.missing:
            return self._ocr.missing
        found = self._ocr.read(picture, scale)
        if found is None:
            return "OCR failed or took too long"
        layer = sum(char.isalnum() for word in draft.sheet.words for char in word.text)
        read = sum(char.isalnum() for p in found.paragraphs for char in p.text)
        if read > layer:
            draft.read, draft.confidence = found.paragraphs, round(found.confidence, 1)
        if draft.read or draft.sheet.unmapped > UNMAPPED:
            draft.sheet.words = []
        # A page with a number and nothing else keeps it: OCR had nothing to add.
        return None if draft.read or draft.sheet.words else "OCR found no words"


def _needs_ocr(sheet: Sheet) -> bool:
    """Whether a page has no text that could be used, though something is drawn on it.

    Fonts without a Unicode map give no characters, characters without meaning, or far fewer of
    them than there are pieces of text (truetype_font_nomapping.pdf: 5 for 52).
    """
    if sheet.blank:
        return False
    characters = sum(len(word.text) for word in sheet.words)
    if not characters or sheet.unmapped > UNMAPPED:
        return True
    if characters < 40 and (sheet.pictured > 0.5 or sheet.text_objects > 3 * characters):  # noqa: PLR2004
        return True
    return _is_garbled(sheet)


def _is_garbled(sheet: Sheet) -> bool:
    """Whether fewer than half of a page's characters, leaders aside, are letters or figures."""
    text = "".join(word.text for word in sheet.words)
    text = "".join(char for char in text if char not in ".…_·-|")
    return sum(char.isalnum() for char in text) < 0.5 * len(text)


def _lay_out(drafts: Sequence[_Draft]) -> Furniture:
    """Take running heads away and put what is left of every page into reading order."""
    for draft in drafts:
        if draft.read is not None:
            draft.lines = [line for paragraph in draft.read for line in paragraph.lines]
        else:
            draft.lines = lines_of(word for word in draft.sheet.words if word.quarter == 0)
    furniture = find_furniture([(draft.sheet, draft.lines) for draft in drafts])
    for draft in drafts:
        draft.lines = [line for line in draft.lines if id(line.words[0]) not in furniture.words]
        if draft.read is not None:
            draft.items = list(_without(draft.read, furniture.words))
        else:
            words = draft.sheet.words
            draft.sheet.words = [word for word in words if id(word) not in furniture.words]
            draft.items = arrange(draft.sheet)
    return furniture


def _without(paragraphs: Iterable[Paragraph], words: set[int]) -> Iterable[Paragraph]:
    for paragraph in paragraphs:
        paragraph.lines = [line for line in paragraph.lines if id(line.words[0]) not in words]
        if paragraph.lines:
            yield paragraph


def _compose(
    drafts: Sequence[_Draft], labels: Sequence[str] | dict[int, str], title: str
) -> list[Page]:
    """Write the pages' texts, with the heading path going on from page to page.

    The title is left out of the paths, where it would head every one, unless it is bookmarked.
    """
    vocabulary = Vocabulary(all_paragraphs(draft.items for draft in drafts))
    path = HeadingPath()
    pages: list[Page] = []
    last, full = "", False
    printed = labels if isinstance(labels, dict) else dict(enumerate(labels))
    for at, draft in enumerate(drafts):
        composer = Composer(vocabulary)
        going_on = _going_on(draft.items, last, full=full)
        for item in draft.items:
            if isinstance(item, Table):
                composer.table(item, path.names)
                path.settle()
            elif item.rank:
                text = composer.paragraph(item, path.above(item.rank, item.text))
                if item.rank[0] >= BOOKMARKED or normal(text) not in normal(title):
                    path.enter(item.rank, text.strip())
                last, full = "", False
            else:
                text = composer.paragraph(item, path.names, continues=item is going_on)
                path.settle()
                if item.role is Role.BODY and not is_caption(item.text):
                    last, full = text.strip(), item.full
        pages.append(_page(draft, composer, printed.get(at)))
    return pages


def _page(draft: _Draft, composer: Composer, label: str | None) -> Page:
    sheet = draft.sheet
    return Page(
        number=sheet.number,
        text=composer.text,
        label=label or None,
        blocks=tuple(composer.blocks),
        boxes=tuple(composer.boxes),
        width=round(sheet.width, 2),
        height=round(sheet.height, 2),
        ocr_confidence=draft.confidence,
    )


def _going_on(items: Sequence[Item], last: str, *, full: bool) -> Paragraph | None:
    """Return the paragraph of a page that goes on from the page before.

    The first, or one that begins in lower case after a figure or a table at the page's top.
    """
    for at, item in enumerate(items):
        if isinstance(item, Table) or item.role is not Role.BODY or is_caption(item.text):
            if isinstance(item, Paragraph) and item.role is Role.HEADING:
                return None
            continue
        if goes_on(last, full=full and at == 0, after=item.text):
            return item
    return None


def _metadata(stated: Metadata, drafts: Sequence[_Draft]) -> Metadata:
    """Add what is printed on the first page that has text to what the file states."""
    draft = next((draft for draft in drafts if draft.items), drafts[0])
    printed = find_identifiers(" ".join(line.text for line in draft.lines))
    title = stated.title or _printed_title(draft.items)
    if title and draft.read and (len(title.split()) < 2 or len(title) < 10):  # noqa: PLR2004
        title = None  # a scrap of a picture: c02-22.pdf begins with "_habter ="
    return replace(printed.overlaid(stated), title=title)


def _printed_title(items: Sequence[Item]) -> str | None:
    """Return the first of the page's large headings, with those of its size that follow.

    Not simply the largest: on pasa_arxiv.pdf that is the lettering of a logo.
    """
    headings = [
        item
        for item in items
        if isinstance(item, Paragraph) and item.rank and not is_numbered(item.text)
    ]
    if not headings:
        return None
    largest = max(heading.size for heading in headings)
    first = next(heading for heading in headings if heading.size > 0.85 * largest)
    for alike, group in groupby(items, lambda i: i in headings and _as_large(i, first)):
        if alike:
            return " ".join(i.text for i in group if isinstance(i, Paragraph))[:300]
    return None


def _as_large(item: Item, heading: Paragraph) -> bool:
    return isinstance(item, Paragraph) and abs(item.size - heading.size) < 0.05 * heading.size


def _warnings(pages: Sequence[Page], unread: dict[int, str]) -> tuple[str, ...]:
    """Return one line on the pages read by OCR, and one a reason for those left without text."""
    lines = []
    read = {page.number: page.ocr_confidence for page in pages if page.ocr_confidence is not None}
    if read:
        mean = sum(read.values()) / len(read)
        lines.append(f"{_numbers(read)} read by OCR (mean confidence {mean:.0f})")
    for reason in dict.fromkeys(unread.values()):
        numbers = [number for number, said in unread.items() if said == reason]
        lines.append(f"{_numbers(numbers)} left without text: {reason}")
    return tuple(lines)


def _numbers(numbers: Iterable[int]) -> str:
    """Return "page 3" or "pages 1, 4-7"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    single = len(runs) == 1 and len(runs[0]) == 1
    return f"{'page' if single else 'pages'} {', '.join(parts)}"


def _why_no_text(structure: Structure, drafts: Sequence[_Draft], unread: dict[int, str]) -> str:
    if structure.xfa:
        return (
            "has no text: it is a dynamic XFA form that only Adobe Reader can draw. Open it there "
            "and print it to a PDF."
        )
    reasons = set(unread.values())
    if not reasons:
        blank = "its page is blank" if len(drafts) == 1 else "all its pages are blank"
        return f"has no text: {blank}. Check that it is the right file."
    if any(INSTALL in reason for reason in reasons):
        return f"has no text layer (a scan?) and {reasons.pop()}: install it to read scans by OCR."
    return (
        f"has no text layer and {', '.join(sorted(reasons))}. Scan it again at 300 dpi, or give a "
        "version with text."
    )

"""Lays a source out as an A4 PDF: running head, page number, outline, table of contents."""

from __future__ import annotations

import io
from itertools import groupby
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from blocks import Heading, Item, Paragraph, Table
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle, PropertySet
from reportlab.lib.units import cm
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    FrameBreak,
    ListFlowable,
    ListItem,
    LongTable,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Spacer,
    TableStyle,
)
from reportlab.platypus import Paragraph as Text
from reportlab.platypus.tableofcontents import TableOfContents

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from blocks import Block, Run, Source
    from reportlab.pdfgen.canvas import Canvas

MARGIN = 2.3 * cm
GUTTER = 0.7 * cm
TITLE_HEIGHT = 4.6 * cm
FRONT_PAGES = 2
ROMAN = ("", "i", "ii")
INK = colors.HexColor("#1d3b3a")
RULE = colors.HexColor("#9db5b2")
PALE = colors.HexColor("#e9f1f0")
CONTENTS = {"fr": "Sommaire", "en": "Contents"}


def write_pdf(source: Source) -> bytes:
    """Return the PDF of ``source``, the same bytes at every run."""
    stream = io.BytesIO()
    document = _Document(stream, source)
    document.multiBuild(list(_story(source)))
    return stream.getvalue()


class _Document(BaseDocTemplate):
    """A document that numbers its front matter in roman and fills its outline."""

    def __init__(self, stream: io.BytesIO, source: Source) -> None:
        meta = source.meta
        # streams stay uncompressed so that the bytes do not depend on the zlib at hand
        super().__init__(
            stream,
            pagesize=A4,
            title=meta["title"],
            author=meta["authors"],
            subject=meta["issuer"],
            creator=meta["issuer"],
            lang=meta["lang"],
            invariant=1,
            pageCompression=0,
        )
        self.meta = meta
        self.headings = 0
        self.front = FRONT_PAGES if meta["layout"] == "cover" else 0
        self.addPageTemplates(_templates(meta["layout"], self.draw_margins))

    def beforeDocument(self) -> None:  # noqa: N802 -- reportlab's name
        """Count headings from one again, since the document is laid out several times."""
        self.headings = 0

    def draw_margins(self, canvas: Canvas, _document: BaseDocTemplate) -> None:
        """Draw the running head and the printed page label."""
        if self.page == 1:
            canvas.showOutline()
            if self.front:
                canvas.addPageLabel(0, style="ROMAN_LOWER", start=1)
                canvas.addPageLabel(self.front, style="ARABIC", start=1)
        width, height = A4
        canvas.saveState()
        canvas.setFillColor(INK)
        canvas.setStrokeColor(RULE)
        canvas.setFont("Helvetica", 8)
        canvas.drawString(MARGIN, height - 1.4 * cm, self.meta["head"])
        canvas.drawRightString(width - MARGIN, height - 1.4 * cm, self.meta["issuer"])
        canvas.line(MARGIN, height - 1.55 * cm, width - MARGIN, height - 1.55 * cm)
        label = ROMAN[self.page] if self.page <= self.front else str(self.page - self.front)
        canvas.drawCentredString(width / 2, 1.2 * cm, label)
        canvas.restoreState()

    def afterFlowable(self, flowable: Flowable) -> None:  # noqa: N802 -- reportlab's name
        """Record a heading in the outline and in the table of contents."""
        level = getattr(flowable, "outline_level", None)
        if level is None or not isinstance(flowable, Text):
            return
        text = flowable.getPlainText()
        self.headings += 1
        key = f"heading-{self.headings}"
        self.canv.bookmarkPage(key)
        self.canv.addOutlineEntry(text, key, level=level, closed=False)
        self.notify("TOCEntry", (level, text, self.page - self.front, key))


def _templates(layout: str, on_page: Any) -> list[PageTemplate]:
    width, height = A4[0] - 2 * MARGIN, A4[1] - 4.2 * cm
    bottom = 2.1 * cm
    body = Frame(MARGIN, bottom, width, height, 0, 0, 0, 0, id="body")
    if layout != "columns":
        return [PageTemplate(id="page", frames=[body], onPage=on_page)]
    column = (width - GUTTER) / 2
    right = MARGIN + column + GUTTER
    low = height - TITLE_HEIGHT
    first = [
        Frame(MARGIN, bottom + low, width, TITLE_HEIGHT, 0, 0, 0, 0, id="title"),
        Frame(MARGIN, bottom, column, low, 0, 0, 0, 0, id="first-left"),
        Frame(right, bottom, column, low, 0, 0, 0, 0, id="first-right"),
    ]
    later = [
        Frame(MARGIN, bottom, column, height, 0, 0, 0, 0, id="left"),
        Frame(right, bottom, column, height, 0, 0, 0, 0, id="right"),
    ]
    return [
        PageTemplate(id="first", frames=first, onPage=on_page, autoNextPageTemplate="later"),
        PageTemplate(id="later", frames=later, onPage=on_page),
    ]


def _style(name: str, size: float, *, bold: bool = False, **options: Any) -> ParagraphStyle:
    return ParagraphStyle(
        name,
        fontName="Helvetica-Bold" if bold else "Helvetica",
        fontSize=size,
        leading=size * 1.38,
        splitLongWords=0,
        **options,
    )


HEADINGS = {
    1: _style("title", 20, bold=True, textColor=INK, spaceAfter=10),
    2: _style("h2", 13, bold=True, textColor=INK, spaceBefore=12, spaceAfter=5, keepWithNext=1),
    3: _style("h3", 10.8, bold=True, spaceBefore=8, spaceAfter=3, keepWithNext=1),
}
BODY = _style("body", 10.3, spaceAfter=6)
NARROW = _style("narrow", 9.6, spaceAfter=5)
ASIDE = _style("aside", 9.2, backColor=PALE, borderPadding=6, spaceBefore=8, spaceAfter=12)
CELL = _style("cell", 8.8)
HEADER_CELL = _style("header-cell", 8.8, bold=True)
CONTENTS_LEVELS: list[PropertySet] = [
    _style("toc1", 10.3, spaceBefore=4),
    _style("toc2", 9.6, leftIndent=14),
]


def _story(source: Source) -> Iterator[Flowable]:
    meta, layout = source.meta, source.meta["layout"]
    head = [b for b in source.blocks if _is_head(b)]
    if layout == "cover":
        yield Spacer(1, 5 * cm)
    for block in head:
        yield from _flowables([block], source)
    if layout == "columns":
        yield FrameBreak()
    if layout == "cover":
        yield Text(f"{meta['issuer']}, {meta['authors']}, {meta['date']}", BODY)
        yield PageBreak()
        yield Text(CONTENTS[meta["lang"]], HEADINGS[2])
        yield TableOfContents(levelStyles=CONTENTS_LEVELS, dotsMinLevel=0)
        yield NextPageTemplate("page")
        yield PageBreak()
    yield from _flowables([b for b in source.blocks if not _is_head(b)], source)


def _is_head(block: Block) -> bool:
    return (isinstance(block, Heading) and block.level == 1) or (
        isinstance(block, Paragraph) and block.aside
    )


def _flowables(blocks: Sequence[Block], source: Source) -> Iterator[Flowable]:
    text = NARROW if source.meta["layout"] == "columns" else BODY
    for is_item, group in groupby(blocks, lambda block: isinstance(block, Item)):
        if is_item:
            yield _list([item for item in group if isinstance(item, Item)], text)
            continue
        for block in group:
            if isinstance(block, Heading):
                heading = Text(_markup(block.runs), HEADINGS[block.level])
                if block.level > 1:
                    heading.outline_level = block.level - 2  # type: ignore[attr-defined] # our mark
                yield heading
            elif isinstance(block, Table):
                yield _table(block, source.meta["layout"])
                yield Spacer(1, 8)
            elif isinstance(block, Paragraph):
                yield Text(_markup(block.runs), ASIDE if block.aside else text)


def _list(items: Sequence[Item], style: ParagraphStyle) -> ListFlowable:
    numbered = items[0].number is not None
    entries: list[Any] = [ListItem(Text(_markup(item.runs), style)) for item in items]
    return ListFlowable(
        entries,
        bulletType="1" if numbered else "bullet",
        bulletFormat="%s." if numbered else None,
        start=None if numbered else "•",
        leftIndent=14,
        bulletFontName="Helvetica",
        bulletFontSize=style.fontSize,
    )


def _table(table: Table, layout: str) -> LongTable:
    rows = [
        [Text(_markup(cell), CELL if number else HEADER_CELL) for cell in row]
        for number, row in enumerate(table.rows)
    ]
    full = A4[0] - 2 * MARGIN
    width = (full - GUTTER) / 2 if layout == "columns" else full
    shares = [max(len(_plain(row[i])) for row in table.rows) for i in range(len(rows[0]))]
    weights = [min(max(share, 9), 42) for share in shares]
    built = LongTable(rows, colWidths=[width * w / sum(weights) for w in weights], repeatRows=1)
    built.setStyle(
        TableStyle(
            [
                ("GRID", (0, 0), (-1, -1), 0.4, RULE),
                ("BACKGROUND", (0, 0), (-1, 0), PALE),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 4),
                ("RIGHTPADDING", (0, 0), (-1, -1), 4),
            ]
        )
    )
    return built


def _plain(runs: tuple[Run, ...]) -> str:
    return "".join(run.text for run in runs)


def _markup(runs: tuple[Run, ...]) -> str:
    parts = []
    for run in runs:
        text = escape(run.text)
        text = f"<b>{text}</b>" if run.bold else text
        parts.append(f"<i>{text}</i>" if run.italic else text)
    return "".join(parts)

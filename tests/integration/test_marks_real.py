"""Marks on real PDFs: what PDFium finds under them is the quote, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pypdfium2
import pytest

from ingest.readers.base import Source
from ingest.readers.pdf.pages import clean
from ingest.readers.pdf.reader import PdfReader
from kb.marks import marks_of
from kb.sentences import sentences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kb.marks import Mark
    from kb.model import Page

pytestmark = pytest.mark.slow

POLICY = "pdf/policy-en/st_kitts_nevis_food_nutrition_security_policy.pdf"
PAPER = "pdf/papers/pasa_arxiv.pdf"  # two columns, footnotes, formulas on page 6
DECISION = "pdf/journal-officiel-fr/jorf_decision_2023.pdf"
MOST_PAGES = 40


def quotes(page: Page) -> Iterator[tuple[int, int]]:
    """Every sentence of a page."""
    for block in page.blocks:
        for start, end in sentences(page.text[block.start : block.end]):
            yield block.start + start, block.start + end


def found_under(page: Any, marks: Sequence[Mark]) -> str:
    """The characters whose middle lies under marks, in the order of the marks."""
    text = page.get_textpage()
    left_edge, _, _, top_edge = page.get_bbox()
    whole = text.get_text_range()
    places = []
    for index in range(text.count_chars()):
        left, bottom, right, top = text.get_charbox(index, loose=True)
        places.append(((left + right) / 2 - left_edge, top_edge - (top + bottom) / 2))
    assert len(whole) == len(places)
    seen: dict[int, str] = {}
    for mark in marks:
        for index, (x, y) in enumerate(places):
            if mark.left <= x <= mark.right and mark.top <= y <= mark.bottom:
                seen.setdefault(index, whole[index])
    return "".join(seen.values())


def plain(text: str, *, figures: bool) -> str:
    """A text without what readers mend: spaces, hyphens, ligatures; and signs."""
    kept = str.isalnum if figures else str.isalpha
    return "".join(filter(kept, clean(text)))


@pytest.mark.parametrize(
    ("name", "without", "figures", "least"),
    [
        (POLICY, (), True, 700),
        (DECISION, (), True, 50),
        # Raised figures of footnotes stand within a line and, in its text, elsewhere.
        (PAPER, (6,), False, 600),
    ],
)
def test_the_words_under_the_marks_of_every_sentence_are_the_sentence(
    shared_data: Path,
    name: str,
    without: tuple[int, ...],
    figures: bool,  # noqa: FBT001 -- a case of the test
    least: int,
) -> None:
    """On two columns, across lines, across words that a line end cuts: all sentences are marked."""
    path = shared_data / name
    parsed = PdfReader().read(Source(path, path.name, path.read_bytes()[:65536]))
    document = pypdfium2.PdfDocument(path)
    looked_at = 0
    for page in parsed.pages[:MOST_PAGES]:
        if page.number in without:
            continue
        drawn = document[page.number - 1]
        for start, end in quotes(page):
            marks = marks_of(page, start, end)
            quote = page.text[start:end]
            assert marks, f"page {page.number}: {quote}"
            assert plain(found_under(drawn, marks), figures=figures) == plain(
                quote, figures=figures
            )
            looked_at += 1
    document.close()
    assert looked_at >= least


def test_marks_are_lines_high(shared_data: Path) -> None:
    """On two columns no mark is wider than a column, none higher than a large line."""
    path = shared_data / PAPER
    parsed = PdfReader().read(Source(path, path.name, path.read_bytes()[:65536]))
    page = parsed.pages[2]
    assert page.width
    marks = [mark for each in quotes(page) for mark in marks_of(page, *each)]
    assert max(mark.width for mark in marks) < page.width / 2
    assert max(mark.height for mark in marks) < 20

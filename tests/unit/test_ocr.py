"""What OCR reads on pictures of pages, where Tesseract is installed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from ingest.readers.base import Source
from ingest.readers.pdf.ocr import Tesseract
from ingest.readers.pdf.pages import opened
from ingest.readers.pdf.reader import PdfReader

if TYPE_CHECKING:
    from kb.model import Parsed

SCANS = (
    Path(os.environ.get("KB_SHARED_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
    / "pdf/robustness/ocrmypdf"
)
needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="tesseract is not installed"
)


def read(path: Path) -> Parsed:
    """Read a file; without OCR unless asked for."""
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    return PdfReader().read(Source(path, path.name, path.read_bytes()[: 64 * 1024]))


def error_rate(read: str, true: str, band: int = 150) -> float:
    """Return the edits that turn one text into the other, a share of the true one's length.

    Levenshtein's distance, within ``band`` places of the diagonal: more errors count as more.
    """
    one, two = " ".join(read.split()), " ".join(true.split())
    last = {to: to for to in range(band + 1)}
    for at, char in enumerate(one, 1):
        row: dict[int, int] = {}
        for to in range(max(0, at - band), min(len(two), at + band) + 1):
            swapped = last.get(to - 1, len(two)) + (to > 0 and char != two[to - 1])
            row[to] = min(last.get(to, len(two)) + 1, row.get(to - 1, len(two)) + 1, swapped)
        last = row
    return last.get(len(two), len(two)) / len(two)


def scan(tmp_path: Path, turn: int) -> Path:
    """Draw a page, take its picture, and put that into a PDF, turned clockwise."""
    drawn = tmp_path / "drawn.pdf"
    canvas = Canvas(str(drawn), pagesize=(400, 300), invariant=1)
    canvas.setFont("Helvetica", 14)
    for at in range(9):
        canvas.drawString(30, 260 - 24 * at, "Une garantie publique aide les associations.")
    canvas.save()
    with opened(drawn, drawn.name, None) as pages:
        made = pages.picture(0, 300, 25_000_000)
    assert made
    picture = made[0]
    path = tmp_path / "scan.pdf"
    picture.rotate(-turn, expand=True).save(path, resolution=300)
    return path


@needs_tesseract
@pytest.mark.parametrize("turn", [0, 90])
def test_a_scan_is_read_upright_or_turned_with_boxes_where_the_words_are(
    tmp_path: Path, turn: int
) -> None:
    """A scan is read upright or turned with boxes where the words are."""
    parsed = read(scan(tmp_path, turn))
    page = parsed.pages[0]
    assert page.text.count("Une garantie publique aide les associations") >= 8
    assert page.ocr_confidence is not None
    assert page.ocr_confidence > 80
    assert parsed.warnings[0].startswith("page 1 read by OCR (mean confidence")
    assert page.width is not None
    assert page.height is not None
    first = page.boxes[0]
    assert page.text[first.start : first.end] == "Une"
    if turn:  # lines run down, the first of them at the right
        assert first.left > page.width / 2
        assert first.top < page.height / 2
    else:
        assert first.left == pytest.approx(30, abs=3)
        assert first.bottom == pytest.approx(40, abs=4)


@needs_tesseract
def test_the_two_column_scan_is_read_with_few_errors() -> None:
    """The two column scan is read with few errors."""
    parsed = read(SCANS / "linn.pdf")
    # 1.1 % when written; half of that are bullets, which the reference text has as "0".
    assert error_rate(parsed.pages[0].text, (SCANS / "linn.txt").read_text()) < 0.02


@needs_tesseract
def test_french_keeps_its_accents() -> None:
    """French keeps its accents."""
    text = read(SCANS / "francais.pdf").pages[0].text
    assert all(word in text for word in ("île", "intérieure", "bûches", "cænogénèse"))


@needs_tesseract
def test_a_font_without_unicode_is_read_from_its_picture() -> None:
    """A font without Unicode is read from its picture."""
    assert read(SCANS / "truetype_font_nomapping.pdf").pages[0].text == "Phone"


def test_without_tesseract_what_is_missing_is_said() -> None:
    """Without Tesseract what is missing is said."""
    missing = Tesseract(command="/nowhere/tesseract").missing
    assert missing is not None
    assert "apt-get install tesseract-ocr" in missing


@needs_tesseract
def test_an_empty_picture_has_no_words() -> None:
    """An empty picture has no words."""
    found = Tesseract().read(Image.new("L", (300, 300), 255), 300 / 72)
    assert found is None or not found.paragraphs

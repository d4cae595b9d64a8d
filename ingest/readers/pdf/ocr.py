"""Reads pictures of pages with Tesseract: words with their places, paragraphs and confidence."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Any, Protocol

import pytesseract

from ingest.readers.pdf.layout import paragraphs_of
from ingest.readers.pdf.pages import clean
from ingest.readers.pdf.shapes import Line, Paragraph, Word

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from PIL.Image import Image

INSTALL = "apt-get install tesseract-ocr tesseract-ocr-fra tesseract-ocr-eng"
DPI, MAX_PIXELS = 300, 25_000_000
SECONDS_A_PAGE = 90
DOUBTFUL = 65.0
"""Mean confidence under which the page is tried turned.

Pages of text of the robustness set read at 93 to 96 the right way up, those of cardinal.pdf that
lie upside down or on their right side at 54. Graphs read at 74 to 79, too close to tell apart.
"""
_LEAST_SURE = 15.0  # words below are specks and the edges of pictures
# Bullets come out as a lone "e", "¢", "©" or "°", none of them a word in French or English.
# "*", "«" and "o" are left alone: they are read rightly more often than not.
_BELOW = set("gjpqy,;()[]{}Q|/çµ")  # what reaches below the baseline
_BULLET = re.compile(r"^[e¢©°]$")


@dataclass(frozen=True, slots=True)
class Recognised:
    """What was read on one picture; ``confidence`` is the words' mean, 0 to 100."""

    paragraphs: list[Paragraph]
    confidence: float


class Ocr(Protocol):
    """Reads the text of a picture."""

    @property
    def missing(self) -> str | None:
        """What is not installed, with the way to install it; None if all is there."""
        ...

    def read(self, picture: Image, scale: float) -> Recognised | None:
        """Read a picture of ``scale`` pixels per point; None if it took too long or failed."""
        ...


class Tesseract:
    """Tesseract, in a process of its own with a time limit for each page."""

    def __init__(
        self, languages: Sequence[str] = ("fra", "eng"), *, command: str | None = None
    ) -> None:
        self._wanted = languages
        self._command = command

    @cached_property
    def _languages(self) -> str | None:
        """The wanted languages that are installed, as Tesseract takes them; None without it."""
        if self._command:
            pytesseract.pytesseract.tesseract_cmd = self._command
        try:
            there = set(pytesseract.get_languages())
        except (pytesseract.TesseractNotFoundError, pytesseract.TesseractError, OSError):
            return None
        return "+".join(language for language in self._wanted if language in there) or None

    @property
    def missing(self) -> str | None:
        """What is not installed, with the way to install it; None if all is there."""
        if self._languages is None:
            return f"Tesseract is not installed ({INSTALL})"
        return None

    def read(self, picture: Image, scale: float) -> Recognised | None:
        """Read a picture of ``scale`` pixels per point; None if it took too long or failed.

        A page that reads badly is turned by what Tesseract takes for its direction, and the
        better reading is kept.
        """
        first = self._attempt(picture, scale, 0)
        if first and first.confidence >= DOUBTFUL:
            return first
        turn = self._direction(picture)
        second = self._attempt(picture, scale, turn) if turn else None
        found = [attempt for attempt in (first, second) if attempt]
        return max(found, key=lambda attempt: attempt.confidence, default=None)

    def _direction(self, picture: Image) -> int:
        """Return by how many degrees, clockwise, a picture has to be turned to stand upright."""
        try:
            said = pytesseract.image_to_osd(
                picture, config=f"--dpi {DPI}", output_type="dict", timeout=SECONDS_A_PAGE
            )
        except (pytesseract.TesseractError, RuntimeError, OSError):
            return 0  # too few letters to tell
        return int(said["rotate"]) % 360

    def _attempt(self, picture: Image, scale: float, turn: int) -> Recognised | None:
        # Four threads a page gain nothing and starve the other workers.
        os.environ.setdefault("OMP_THREAD_LIMIT", "1")
        turned = picture.rotate(-turn, expand=True) if turn else picture
        try:
            data = pytesseract.image_to_data(
                turned,
                lang=self._languages,
                config=f"--dpi {round(scale * 72)}",
                output_type="dict",
                timeout=SECONDS_A_PAGE,
            )
        except (pytesseract.TesseractError, RuntimeError, OSError):
            return None
        return _recognised(data, _Placing(picture.width, picture.height, scale, turn))


@dataclass(frozen=True, slots=True)
class _Placing:
    """Turns pixels of a turned picture into points of the page as displayed."""

    width: int
    height: int
    scale: float
    turn: int

    def word(self, text: str, pixels: tuple[int, int, int, int]) -> Word:
        left, top, right, bottom = pixels
        shown = {
            0: (left, top, right, bottom),
            90: (top, self.height - right, bottom, self.height - left),
            180: (self.width - right, self.height - bottom, self.width - left, self.height - top),
            270: (self.width - bottom, left, self.width - top, right),
        }[self.turn]
        s = self.scale
        word = Word(text, left / s, top / s, right / s, bottom / s, bottom / s, (bottom - top) / s)
        if self.turn:
            word.shown = (shown[0] / s, shown[1] / s, shown[2] / s, shown[3] / s)
        return word


def _recognised(data: dict[str, list[Any]], placing: _Placing) -> Recognised:
    """Gather Tesseract's words into its lines and blocks, and these into paragraphs."""
    lines: dict[tuple[int, int, int], list[Word]] = {}
    sure: list[float] = []
    for at, raw in enumerate(data["text"]):
        text, confidence = clean("".join(str(raw).split())), float(data["conf"][at])
        if not text or confidence < _LEAST_SURE:
            continue
        left, top = int(data["left"][at]), int(data["top"][at])
        edges = (left, top, left + int(data["width"][at]), top + int(data["height"][at]))
        place = (data["block_num"][at], data["par_num"][at], data["line_num"][at])
        lines.setdefault(place, []).append(placing.word(text, edges))
        sure.append(confidence)
    blocks: dict[int, list[Line]] = {}
    for (block, _, _), words in lines.items():
        if any(char.isalnum() for word in words for char in word.text):
            if len(words) > 1 and _BULLET.match(words[0].text):
                words[0].text = "•"
            blocks.setdefault(block, []).append(Line(words))
    _even_sizes(blocks.values())
    paragraphs: list[Paragraph] = []
    for block, column in blocks.items():
        # Tesseract's own paragraphs broke at every second line of linn.pdf.
        found = paragraphs_of(column)
        for paragraph in found:
            paragraph.flow = block
        paragraphs += found
    return Recognised(paragraphs, sum(sure) / len(sure) if sure else 0.0)


def _even_sizes(blocks: Iterable[list[Line]]) -> None:
    """Give lines one size: a picture shows the heights of letters, not type sizes.

    Only a size half as large again as the page's counts as another; below, lines without a "p"
    or an "l" came out as smaller print.
    """
    lines = [line for block in blocks for line in block]
    if not lines:
        return
    usual = median(word.size for line in lines for word in line.words)
    for line in lines:
        own = median(word.size for word in line.words)
        line.size = own if own > 1.5 * usual and len(line.words) > 1 else usual
        level = [word.base for word in line.words if not _BELOW.intersection(word.text)]
        line.base = median(level or [word.base - 0.2 * usual for word in line.words])
        for word in line.words:
            word.size = line.size

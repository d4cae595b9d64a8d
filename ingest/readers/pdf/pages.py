"""Reads words, rules and pictures of PDF pages through PDFium: the only module that touches it.

PDFium's own helpers cost a Python object a character; its C calls, made here in one loop a page,
read 123 pages of policy text (212,000 characters) in under a second.
"""

from __future__ import annotations

import ctypes
import math
import re
import unicodedata
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pypdfium2
import pypdfium2.raw as pdfium

from ingest.readers.pdf.shapes import Rule, Sheet, Word
from kb.errors import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PIL.Image import Image

MAX_OBJECTS = 20_000
"""Drawing objects looked at on one page; maps and plans have hundreds of thousands."""
MAX_SIDE = 14_400.0
"""Points; the specification's largest page (ISO 32000-1, annex C)."""

_PDFIUM_HYPHEN = 0x02  # PDFium's own mark for a hyphen that ends a line
_SOFT_HYPHEN = 0xAD
_SPACES = frozenset({9, 10, 13, 32, 0xA0, 0x202F, 0x205F, 0x3000, *range(0x2000, 0x200B)})
_ITALIC_FLAG, _BOLD_FLAG = 1 << 6, 1 << 18
_BOLD = re.compile(r"bold|black|heavy|demi|-medi(?![a-z])", re.IGNORECASE)
_ITALIC = re.compile(r"italic|oblique|-(?:bold|medi)?ital?(?![a-z])", re.IGNORECASE)
_THIN, _SHORTEST = 2.5, 6.0

# Ligatures by their letters (NFKC would also turn 10² into 102); symbol fonts' bullets, which
# have private code points; hyphens that only differ in whether a line may break after them.
_PLAIN = str.maketrans(
    {chr(0xFB00 + i): text for i, text in enumerate(("ff", "fi", "fl", "ffi", "ffl", "st", "st"))}
    | dict.fromkeys(("\uf0b7", "\uf0a7", "\uf0d8", "\uf076", "\uf0a8", "\uf06e"), "•")
    | dict.fromkeys(("\u2010", "\u2011"), "-")
    | dict.fromkeys(("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff"), None)
)
# Old TeX fonts draw an accent before its letter: "´e".
_LOOSE_ACCENT = re.compile(r"([´ˆ¨¸])([A-Za-zı])")
_COMBINING = {"´": "\u0301", "ˆ": "\u0302", "¨": "\u0308", "¸": "\u0327"}
_UNWANTED = {"Cc", "Cf", "Co", "Cs", "Cn"}


def clean(text: str) -> str:
    """Return a word as it is stored: NFC, ligatures spelt out, no control or private characters."""
    if text.isascii() and text.isprintable():
        return text
    text = text.translate(_PLAIN)
    text = _LOOSE_ACCENT.sub(
        lambda m: (m[2].replace("ı", "i") if m[1] != "¸" else m[2]) + _COMBINING[m[1]], text
    )
    text = "".join(char for char in text if unicodedata.category(char) not in _UNWANTED)
    return unicodedata.normalize("NFC", text)


@contextmanager
def opened(path: Path, name: str, password: str | None) -> Iterator[PageReader]:
    """Open a PDF for its pages and close it afterwards.

    Raises:
        UnreadableError: PDFium can't make pages of the file.
    """
    try:
        document = pypdfium2.PdfDocument(path, password=password)
    except (pypdfium2.PdfiumError, OSError) as error:
        raise UnreadableError(
            f"{name}: not a PDF that can be opened; it may be cut short or damaged "
            f"({str(error).rstrip('.')}). Open it in a viewer and save or print it to a new PDF."
        ) from error
    try:
        yield PageReader(document)
    finally:
        document.close()


class PageReader:
    """Gives the pages of one open document, one at a time and closed after use."""

    def __init__(self, document: Any) -> None:
        self._document = document
        # Filled-in fields are drawn over the page; flattened into it they become its text.
        self._form = document.get_formtype() != pdfium.FORMTYPE_NONE

    def __len__(self) -> int:
        """How many pages there are."""
        return len(self._document)

    def sheet(self, index: int) -> Sheet:
        """Read the page with this 0-based index; a page that can't be loaded has nothing on it."""
        try:
            page = self._load(index)
        except pypdfium2.PdfiumError:
            return Sheet(index + 1, 0.0, 0.0, blank=True)
        try:
            width, height = page.get_size()
            sheet = Sheet(index + 1, min(width, MAX_SIDE), min(height, MAX_SIDE))
            with suppress(pypdfium2.PdfiumError):  # a damaged page keeps what was read of it
                frame = _Frame(page)
                _read_drawing(page, frame, sheet)
                _read_words(page, frame, sheet)
            return sheet
        finally:
            page.close()

    def picture(self, index: int, dpi: int, max_pixels: int) -> tuple[Image, float] | None:
        """Render a page in greys; returns the picture and its pixels per point, None on damage."""
        page = self._load(index)
        try:
            width, height = page.get_size()
            fits = (max_pixels / max(1.0, width * height)) ** 0.5
            scale = min(dpi / 72, fits)
            bitmap = page.render(scale=scale, grayscale=True)
            try:
                return bitmap.to_pil().copy(), scale
            finally:
                bitmap.close()
        except pypdfium2.PdfiumError:
            return None
        finally:
            page.close()

    def _load(self, index: int) -> Any:
        page = self._document[index]
        if self._form and pdfium.FPDFPage_Flatten(page.raw, 0) == pdfium.FLATTEN_SUCCESS:
            page.close()
            page = self._document[index]
        return page


class _Frame:
    """Turns page space (origin bottom left, before rotation) into displayed points."""

    def __init__(self, page: Any) -> None:
        self._left, self._bottom, self._right, self._top = page.get_bbox()
        self.quarter = page.get_rotation() // 90

    def edges(
        self, left: float, bottom: float, right: float, top: float
    ) -> tuple[float, float, float, float]:
        """Return left, top, right, bottom as displayed."""
        if self.quarter == 0:
            return left - self._left, self._top - top, right - self._left, self._top - bottom
        if self.quarter == 1:
            return bottom - self._bottom, left - self._left, top - self._bottom, right - self._left
        if self.quarter == 2:  # noqa: PLR2004 -- half a turn
            return (
                self._right - right,
                bottom - self._bottom,
                self._right - left,
                top - self._bottom,
            )
        return self._top - top, self._right - right, self._top - bottom, self._right - left


def _read_words(page: Any, frame: _Frame, sheet: Sheet) -> None:
    textpage = page.get_textpage()
    try:
        words = _Words(textpage.raw, frame, sheet)
        words.read()
        sheet.words = words.found
        sheet.unmapped = words.unmapped / max(1, words.seen)
    finally:
        textpage.close()


class _Words:
    """Cuts one page's characters into words."""

    def __init__(self, raw: Any, frame: _Frame, sheet: Sheet) -> None:
        self._raw, self._frame, self._sheet = raw, frame, sheet
        self._rect, self._x, self._y = pdfium.FS_RECTF(), ctypes.c_double(), ctypes.c_double()
        self._chars: list[int] = []
        self._first = 0
        self._lead = 0
        self._edges = [0.0, 0.0, 0.0, 0.0]
        self._fonts: dict[int | None, tuple[float, bool, bool]] = {}
        self._taken: set[tuple[str, int, int]] = set()
        self.found: list[Word] = []
        self.seen = self.unmapped = 0

    def read(self) -> None:
        """Go through the characters once: a loop of C calls, the reader's innermost."""
        raw, rect, edges = self._raw, self._rect, self._edges
        unicode_of, box_of = pdfium.FPDFText_GetUnicode, pdfium.FPDFText_GetLooseCharBox
        em = 0.0
        for index in range(pdfium.FPDFText_CountChars(raw)):
            code = unicode_of(raw, index)
            if code in _SPACES:
                self._finish()
                continue
            self.seen += 1
            if (code < 32 or code >= 0xE000) and code != _PDFIUM_HYPHEN:  # noqa: PLR2004 -- rare
                self.unmapped += pdfium.FPDFText_HasUnicodeMapError(raw, index) == 1
            if not box_of(raw, index, rect):
                continue
            left, bottom, right, top = rect.left, rect.bottom, rect.right, rect.top
            if self._chars:
                far = 0.5 * em
                if (
                    left - edges[2] > far
                    or edges[0] - right > far
                    or bottom - edges[3] > far
                    or edges[1] - top > far
                ):
                    self._finish()  # it stands away from the word, though no space was drawn
            if self._chars:
                edges[0], edges[1] = min(edges[0], left), min(edges[1], bottom)
                edges[2], edges[3] = max(edges[2], right), max(edges[3], top)
            else:
                self._first = index
                edges[:] = left, bottom, right, top
                em = max(top - bottom, right - left, 1.0)
            self._chars.append(code)
            if code == _PDFIUM_HYPHEN:
                self._finish()
        self._finish()

    def _finish(self) -> None:
        if not self._chars:
            return
        # The first or last character may be a raised note sign.
        self._lead = self._first + len(self._chars) // 2
        if self._chars[-1] in (_PDFIUM_HYPHEN, _SOFT_HYPHEN):
            self._chars[-1] = 0x2D
        text = clean(_decoded(self._chars))
        self._chars = []
        left, top, right, bottom = self._frame.edges(*self._edges)
        sheet = self._sheet
        inside = right > 0 and bottom > 0 and left < sheet.width and top < sheet.height
        # Shadows and poor man's bold draw a word twice, a fraction of a point apart.
        key = (text, round(left / 2), round(top / 2))
        if not text or not inside or key in self._taken:
            return
        self._taken.add(key)
        angle = pdfium.FPDFText_GetCharAngle(self._raw, self._lead)
        turns = round(max(angle, 0.0) / (math.pi / 2)) % 4
        size, bold, italic = self._font(self._lead, sideways=turns % 2 == 1)
        first = self._font(self._first, sideways=turns % 2 == 1)
        if first[0] > 1.3 * size:  # the middle is a raised or sunken sign
            (size, bold, italic), self._lead = first, self._first
        word = Word(text, left, top, right, bottom, bottom, size, bold, italic)
        self._upright(word, (turns + self._frame.quarter) % 4)
        self.found.append(word)

    def _font(self, index: int, *, sideways: bool) -> tuple[float, bool, bool]:
        """Size in displayed points, bold, italic of a character."""
        owner = pdfium.FPDFText_GetTextObject(self._raw, index)
        key = ctypes.cast(owner, ctypes.c_void_p).value
        if key not in self._fonts:
            rect = self._rect
            pdfium.FPDFText_GetLooseCharBox(self._raw, index, rect)
            height = abs(rect.right - rect.left if sideways else rect.top - rect.bottom)
            self._fonts[key] = _font_of(owner, min(height, self._sheet.height))
        return self._fonts[key]

    def _upright(self, word: Word, quarter: int) -> None:
        """Give a word its baseline and, if set sideways, its place on the sheet turned upright."""
        x, y = self._x, self._y
        pdfium.FPDFText_GetCharOrigin(self._raw, self._lead, x, y)
        across, down, _, _ = self._frame.edges(x.value, y.value, x.value, y.value)
        word.base = down
        if not quarter:
            return
        left, top, right, bottom = shown = word.edges
        width, height = self._sheet.width, self._sheet.height
        turned = {
            1: (top, width - right, bottom, width - left),
            2: (width - right, height - bottom, width - left, height - top),
            3: (height - bottom, left, height - top, right),
        }[quarter]
        word.left, word.top, word.right, word.bottom = turned
        word.base = {1: width - across, 2: height - down, 3: across}[quarter]
        word.quarter, word.shown = quarter, shown


def _decoded(codes: list[int]) -> str:
    """Return the characters; halves of a surrogate pair are put together."""
    text = "".join(map(chr, codes))
    if any(0xD800 <= code <= 0xDFFF for code in codes):  # noqa: PLR2004 -- surrogates
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "ignore")
    return text


def _font_of(owner: Any, height: float) -> tuple[float, bool, bool]:
    """Return size, bold and italic of a text object.

    The size in the file is one before scaling (often 1), so it is taken from the height of a
    character's box, which is the font's ascent to descent at the size displayed.
    """
    if not owner:
        return height, False, False
    font = pdfium.FPDFTextObj_GetFont(owner)
    value = ctypes.c_float()
    nominal = 1.0
    if pdfium.FPDFTextObj_GetFontSize(owner, value):
        nominal = abs(value.value) or 1.0
    ascent, descent = ctypes.c_float(), ctypes.c_float()
    pdfium.FPDFFont_GetAscent(font, nominal, ascent)
    pdfium.FPDFFont_GetDescent(font, nominal, descent)
    extent = (ascent.value - descent.value) / nominal
    size = height / extent if 0.4 < extent < 2.5 else height  # noqa: PLR2004 -- else nonsense
    name = ctypes.create_string_buffer(128)
    pdfium.FPDFFont_GetBaseFontName(font, name, 128)
    face = name.value.decode("latin-1")
    flags = pdfium.FPDFFont_GetFlags(font)
    flags = max(flags, 0)
    bold = bool(flags & _BOLD_FLAG) or bool(_BOLD.search(face))
    bold = bold or pdfium.FPDFFont_GetWeight(font) >= 650  # noqa: PLR2004 -- semi-bold and up
    italic = bool(flags & _ITALIC_FLAG) or bool(_ITALIC.search(face))
    return round(size, 1), bold, italic


def _read_drawing(page: Any, frame: _Frame, sheet: Sheet) -> None:
    """Collect straight rules and how much of the page pictures cover."""
    count = pdfium.FPDFPage_CountObjects(page.raw)
    sheet.blank = count <= 0
    area = max(1.0, sheet.width * sheet.height)
    bounds = [ctypes.c_float() for _ in range(4)]
    for at in range(min(count, MAX_OBJECTS)):
        owner = pdfium.FPDFPage_GetObject(page.raw, at)
        kind = pdfium.FPDFPageObj_GetType(owner)
        sheet.text_objects += kind == pdfium.FPDF_PAGEOBJ_TEXT
        if kind == pdfium.FPDF_PAGEOBJ_TEXT or not pdfium.FPDFPageObj_GetBounds(owner, *bounds):
            continue
        left, top, right, bottom = frame.edges(*(bound.value for bound in bounds))
        if kind == pdfium.FPDF_PAGEOBJ_PATH:
            if min(right - left, bottom - top) <= _THIN:
                _add_rule(sheet, left, top, right, bottom)
            else:
                _read_strokes(owner, frame, sheet)
        else:
            across = min(right, sheet.width) - max(left, 0)
            down = min(bottom, sheet.height) - max(top, 0)
            sheet.pictured += max(0.0, across) * max(0.0, down) / area


def _add_rule(sheet: Sheet, left: float, top: float, right: float, bottom: float) -> None:
    if max(right - left, bottom - top) < _SHORTEST or len(sheet.rules) >= MAX_OBJECTS:
        return
    if right - left >= bottom - top:
        top = bottom = (top + bottom) / 2
    else:
        left = right = (left + right) / 2
    sheet.rules.append(Rule(left, top, right, bottom))


def _read_strokes(owner: Any, frame: _Frame, sheet: Sheet) -> None:
    """Take the straight strokes out of a path that draws several, as grids and frames do."""
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(owner, fill, stroke)
    count = pdfium.FPDFPath_CountSegments(owner)
    if not stroke.value or count > 500:  # noqa: PLR2004 -- a drawing, not a table
        return
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(owner, matrix)
    x, y = ctypes.c_float(), ctypes.c_float()
    last = start = (0.0, 0.0)
    for at in range(count):
        segment = pdfium.FPDFPath_GetPathSegment(owner, at)
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        point = (
            matrix.a * x.value + matrix.c * y.value + matrix.e,
            matrix.b * x.value + matrix.d * y.value + matrix.f,
        )
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            start = point
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            _add_stroke(sheet, frame, last, point)
        if pdfium.FPDFPathSegment_GetClose(segment):
            _add_stroke(sheet, frame, point, start)
        last = point


def _add_stroke(
    sheet: Sheet, frame: _Frame, one: tuple[float, float], two: tuple[float, float]
) -> None:
    left, right = sorted((one[0], two[0]))
    bottom, top = sorted((one[1], two[1]))
    if min(right - left, top - bottom) <= 0.5:  # noqa: PLR2004 -- straight along an edge
        _add_rule(sheet, *frame.edges(left, bottom, right, top))

"""Draws one page of a PDF as a picture; runs in a confined process, since files may be hostile."""

from __future__ import annotations

import io
import math
import os
from typing import TYPE_CHECKING, Any

import pypdfium2
import pypdfium2.raw as pdfium

from kb.errors import UnreadableError
from kb.pictures.sizes import MAX_SIDE

if TYPE_CHECKING:
    from PIL.Image import Image

_MAX_PIXELS = 8_000_000  # of a page that is very much higher than wide
_MAX_EDGE = 16_000  # pixels; WebP has at most 16,383
# Twice the effort makes files 3 % smaller and takes 0.25 s for a page of 1,400 pixels, not 0.12.
_QUALITY, _EFFORT = 75, 2


def draw(path: str, number: int, width: int) -> bytes:
    """Return a page as displayed, as WebP so many pixels wide; less where it is very high.

    Raises:
        UnreadableError: The file is no PDF that can be opened, or the page can't be drawn.
    """
    try:
        return _encoded(_picture(path, number, width))
    except pypdfium2.PdfiumError as error:
        raise UnreadableError(f"page {number} can't be drawn: {error}") from None
    except MemoryError:
        os._exit(1)  # what is left of the memory would fail the next picture


def _picture(path: str, number: int, width: int) -> Image:
    document = pypdfium2.PdfDocument(path)
    try:
        if not 1 <= number <= len(document):
            raise UnreadableError(f"has {len(document)} pages, and no page {number}")
        page = _flattened(document, number - 1)
        try:
            across, down = page.get_size()
            bitmap = page.render(scale=_scale(across, down, width))
            image: Image = bitmap.to_pil()
            return image.convert("RGB")
        finally:
            page.close()
    finally:
        document.close()


def _flattened(document: Any, index: int) -> Any:
    """Load a page with its filled-in fields put into it, as the reader of its text does."""
    page = document[index]
    if document.get_formtype() == pdfium.FORMTYPE_NONE:
        return page
    if pdfium.FPDFPage_Flatten(page.raw, 0) == pdfium.FLATTEN_SUCCESS:
        page.close()
        page = document[index]
    return page


def _scale(across: float, down: float, width: int) -> float:
    """Pixels per point for a page of so many points."""
    if not (0 < across < MAX_SIDE and 0 < down < MAX_SIDE):
        raise UnreadableError(f"a page of {across:.0f} by {down:.0f} points is not drawn")
    fits = math.sqrt(_MAX_PIXELS / (across * down))
    return min(width / across, fits, _MAX_EDGE / max(across, down))


def _encoded(image: Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "WEBP", quality=_QUALITY, method=_EFFORT)
    return written.getvalue()

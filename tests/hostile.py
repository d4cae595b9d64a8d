"""Files as they should not be: bombs, loops, lies and odd names, each made in a moment."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import openpyxl
from docx import Document as WordDocument
from pypdf import PdfReader, PdfWriter
from reportlab.pdfgen.canvas import Canvas

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MEBIBYTE = 1024 * 1024
PASSWORD = "sésame"  # noqa: S105 -- of files that a test makes
SENTENCE = "The workshop lends its ladder to every member for five euros a week."
_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
_DOCTYPE = f'<!DOCTYPE r [<!ENTITY l0 "ha">{_LAUGHS}]>'
_WORD_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"


@dataclass(frozen=True, slots=True)
class Case:
    """A file, what makes it, and what the report must say: an outcome and words of the reason.

    ``said`` is a regular expression looked for in the reason, or in the warnings of a file that
    is taken in.
    """

    name: str
    make: Callable[[Path], object]
    outcome: str
    said: str = ""


def text(content: str = SENTENCE) -> Callable[[Path], object]:
    """A file of this text."""
    return lambda path: path.write_text(content, encoding="utf-8")


def sparse(size: int) -> Callable[[Path], object]:
    """A file that begins with text and has this size, without taking that much disk."""

    def make(path: Path) -> None:
        with path.open("wb") as file:
            file.write((SENTENCE + "\n").encode() * 1000)
            file.truncate(size)

    return make


def pdf(pages: int = 1) -> bytes:
    """A sound PDF."""
    target = io.BytesIO()
    canvas = Canvas(target)
    for number in range(1, pages + 1):
        canvas.drawString(72, 720, f"{SENTENCE} This is page {number}.")
        canvas.showPage()
    canvas.save()
    return target.getvalue()


def docx() -> bytes:
    """A sound Word file."""
    target = io.BytesIO()
    document = WordDocument()
    document.add_heading("Workshop", 1)
    document.add_paragraph(SENTENCE)
    document.save(target)
    return target.getvalue()


def xlsx(price: str = "five euros") -> bytes:
    """A sound sheet; the same price gives the same bytes within a second."""
    target = io.BytesIO()
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Tool", "Price of a week"])
    sheet.append(["Ladder of the workshop", price])
    book.save(target)
    return target.getvalue()


def encrypted_pdf() -> bytes:
    """A sound PDF that opens with ``PASSWORD``."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf())))
    writer.encrypt(PASSWORD, algorithm="AES-256")
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def zeros(length: int) -> bytes:
    """Raw deflate data that unpacks to ``length`` zeros: one block of 16 MiB, many times."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(16 * MEBIBYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (length // (16 * MEBIBYTE)) + packer.flush()


def word_bomb(*, declared: int | None = None) -> bytes:
    """A Word file of a few MiB whose text is 4 GiB of zeros; ``declared`` is the size it states."""
    length = 4080 * MEBIBYTE
    packed = zeros(length)
    info = zipfile.ZipInfo("word/document.xml")
    info.compress_type = zipfile.ZIP_DEFLATED
    info.compress_size, info.file_size = len(packed), declared or length
    info.CRC = info.header_offset = 0
    target = io.BytesIO()
    target.write(info.FileHeader(zip64=False) + packed)
    with zipfile.ZipFile(target, "a") as archive:
        archive.filelist.append(info)
        archive.NameToInfo[info.filename] = info
        archive.writestr("[Content_Types].xml", "<Types/>")
    return target.getvalue()


def word_with(body: str) -> bytes:
    """A Word file whose text part is this XML."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(docx())) as sound, zipfile.ZipFile(target, "w") as archive:
        for name in sound.namelist():
            content = body.encode() if name == "word/document.xml" else sound.read(name)
            archive.writestr(name, content)
    return target.getvalue()


def raw_pdf(*objects: bytes) -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalogue."""
    out = b"%PDF-1.7\n"
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Root 1 0 R /Size %d >>\n"
        b"startxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table, len(objects) + 1, len(out))
    )


def looped_pdf() -> bytes:
    """A PDF whose page tree and outline hold themselves."""
    return raw_pdf(
        b"<< /Type /Catalog /Pages 2 0 R /Outlines 3 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [2 0 R] >>",
        b"<< /First 3 0 R /Last 3 0 R /Next 3 0 R /Parent 3 0 R /Title (again) >>",
    )


def swelling_pdf() -> bytes:
    """A PDF of a few hundred bytes a MiB whose one page draws 2 GiB of zeros."""
    packed = b"\x78\x9c" + zeros(2048 * MEBIBYTE)
    return raw_pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed),
    )


def vast_picture_pdf() -> bytes:
    """A PDF whose one page is the largest there may be, filled by a picture of 4 gigapixels."""
    packed = b"\x78\x9c" + zeros(512 * MEBIBYTE)
    draws = b"q 14400 0 0 14400 0 0 cm /P Do Q"
    return raw_pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 14400 14400] /Contents 4 0 R"
        b" /Resources << /XObject << /P 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(draws), draws),
        b"<< /Type /XObject /Subtype /Image /Width 65536 /Height 65536 /ColorSpace /DeviceGray"
        b" /BitsPerComponent 1 /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream"
        % (len(packed), packed),
    )


def nested(opening: str, inner: str, closing: str, depth: int) -> str:
    """Text within this many pairs of brackets."""
    return opening * depth + inner + closing * depth


def data(make: Callable[[], bytes]) -> Callable[[Path], object]:
    """A file of these bytes."""
    return lambda path: path.write_bytes(make())


def half(make: Callable[[], bytes]) -> Callable[[Path], object]:
    """A file that stops in the middle, as a download does."""
    return lambda path: path.write_bytes((whole := make())[: len(whole) // 2])


def _link(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


def _page(body: str, head: str = "") -> str:
    return f"<!doctype html><html><head><title>Page</title>{head}</head><body>{body}</body></html>"


GOOD = (
    Case("good.csv", text("Tool,Price\nLadder,five euros\n"), "added"),
    Case("good.docx", data(docx), "added"),
    Case("good.html", text(_page(f"<h1>Shop</h1><p>{SENTENCE} By HTML.</p>")), "added"),
    Case("good.md", text(f"# Shop\n\n{SENTENCE} By Markdown.\n"), "added"),
    Case("good.pdf", data(pdf), "added"),
    Case("good.txt", text(f"{SENTENCE} By text.\n"), "added"),
    Case("good.xlsx", data(xlsx), "added"),
)

BOMBS = (
    Case("bomb.docx", data(word_bomb), "failed", "unpacks to more than 200 MiB"),
    Case("liar.docx", data(partial(word_bomb, declared=9000)), "failed", "damaged Office file"),
    Case("swells.pdf", data(swelling_pdf), "failed", "above 1000 MB of memory"),
    Case("vast.pdf", data(vast_picture_pdf), "failed", "has no text"),
    Case("large.txt", sparse(205 * MEBIBYTE), "failed", "larger than 200 MB"),
    Case("long.txt", sparse(150 * MEBIBYTE), "failed", "larger than 20 MiB"),
    Case("many.pdf", data(partial(pdf, 6000)), "failed", "6000 pages are more than the 5000"),
    Case("cell.csv", text(f"a,b\n1,{'x' * 50_000_000}\n"), "failed", "larger than field limit"),
    Case("wide.csv", text(",".join(map(str, range(2000)))), "failed", "2,000 columns"),
    Case(
        "laughs.xml",
        text(f"<?xml version='1.0'?>{_DOCTYPE}<ACT><TI.ART>&l9;</TI.ART></ACT>"),
        "failed",
        "XML entities",
    ),
    Case("laughs.xhtml", text(f"{_DOCTYPE}<html><body><p>&l9;</p></body></html>"), "added"),
    Case(
        "laughs.docx",
        data(partial(word_with, f"{_DOCTYPE}<r>&l9;</r>")),
        "failed",
        "no readable Word file",
    ),
)

LOOPS = (
    Case(
        "deep.html",
        text(_page(nested("<div>", SENTENCE, "</div>", 100_000))),
        "failed",
        "too deeply",
    ),
    Case("deep.md", text(nested("> ", SENTENCE, "", 50_000)), "failed", "no text"),
    Case("deep.json", text(nested("[", "1", "]", 100_000)), "skipped", "no reader"),
    Case("brackets.md", text("[" * 100_000 + SENTENCE), "added"),
    Case("loop.pdf", data(looped_pdf), "failed", "has no text"),
    Case("itself.md", _link("itself.md"), "failed", "leads nowhere"),
    Case("dangling.md", _link("nowhere.md"), "failed", "leads nowhere"),
    Case("pipe.txt", os.mkfifo, "failed", "not a regular file"),
)

DAMAGED = (
    Case("page.pdf", text(_page(f"<p>{SENTENCE} By a wrong name.</p>")), "added", "holds HTML"),
    Case("half.pdf", half(pdf), "failed", "cut short"),
    Case("half.docx", half(docx), "failed", "damaged Office file"),
    Case("half.xlsx", half(xlsx), "failed", "damaged Office file"),
    Case("secret.pdf", data(encrypted_pdf), "failed", "password"),
    Case("sheet.docx", data(partial(xlsx, "six euros")), "added", "holds a table"),
    Case("noise.pdf", data(lambda: bytes(range(256)) * 400), "failed", "not a PDF"),
    Case("noise.docx", data(lambda: b"PK\x03\x04" + bytes(range(256)) * 40), "failed", "damaged"),
    Case("empty.xml", text(""), "skipped", "no reader"),
    *(
        Case(f"empty{suffix}", text(""), "failed", "is empty")
        for suffix in (".csv", ".docx", ".html", ".md", ".pdf", ".txt", ".xlsx")
    ),
)

ODD_NAMES = tuple(
    Case(name, text(f"{SENTENCE} Number {number}.\n"), "added")
    for number, name in enumerate(
        (
            "caf\u00e9.md",
            "cafe\u0301.md",
            "with many  spaces .txt",
            "\U0001f33b sunflower.md",
            "n" * 252 + ".md",
            "\u00e9" * 126 + ".md",
            os.fsdecode(b"latin-\xe9.txt"),
            "-rf.md",
            "--help.txt",
            "[bold red]markup[_].md",
            "line\nbreak.txt",
            "colour\x1b[31mred.txt",
            "no-suffix",
            "question?#%20&.md",
        )
    )
)

CASES: tuple[Case, ...] = (*GOOD, *BOMBS, *LOOPS, *DAMAGED, *ODD_NAMES)

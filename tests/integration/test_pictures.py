"""Pictures of pages: drawn apart, kept, true to the stored places, and no way to do harm."""

from __future__ import annotations

import io
import os
import secrets
import threading
from typing import TYPE_CHECKING

import pypdf
import pytest
from hostile import looped_pdf, raw_pdf, swelling_pdf, vast_picture_pdf
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from ingest.readers.base import Source
from ingest.readers.pdf.reader import PdfReader
from kb.errors import NotFoundError
from kb.maintenance import remove
from kb.marks import marks_of
from kb.pictures.sizes import WIDTHS
from kb.pictures.store import Pictures, PicturesBusyError, sweep_pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import Base

    Keep = Callable[[bytes], Path]

WORDS = "Une garantie publique couvre la moitié des pertes"
MEMORY_MB = 1000


def pdf(*pages: str, size: tuple[float, float] = (600, 800)) -> bytes:
    """A PDF with a line on each page."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=size)
    for page in pages:
        canvas.drawString(100, size[1] - 200, page)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def endless_pdf() -> bytes:
    """A small PDF whose page draws a form that draws another ten times, and so on."""
    forms = 9
    draws = b" ".join([b"/F Do"] * 10)
    links = [
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 600 800] /Length %d"
        b" /Resources << /XObject << /F %d 0 R >> >> >>\nstream\n%s\nendstream"
        % (len(draws), number + 1, draws)
        for number in range(5, 5 + forms)
    ]
    ink = b"0 0 m 600 800 l S"
    return raw_pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R"
        b" /Resources << /XObject << /F 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(draws), draws),
        *links,
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 600 800] /Length %d >>\nstream\n%s\nendstream"
        % (len(ink), ink),
    )


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    """Puts bytes among originals, named as ingest names them."""
    folder = tmp_path / "originals" / "ab"
    folder.mkdir(parents=True)

    def keep(content: bytes) -> Path:
        # Not the same for the same content: what one test draws is not to be there for another.
        path = folder / f"ab{secrets.token_hex(31)}"
        path.write_bytes(content)
        return path

    return keep


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures are kept."""
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def pictures(folder: Path) -> Iterator[Pictures]:
    """Pictures that the tests share, since processes take a while to start."""
    made = Pictures(folder, MEMORY_MB)
    yield made
    made.close()


def kept_in(folder: Path, original: Path | None = None) -> list[Path]:
    """What lies in a folder of pictures, or what of an original."""
    begins = original.name if original else ""
    return sorted(path for path in folder.rglob(f"{begins}*") if path.is_file())


@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_is_drawn_as_wide_as_asked(pictures: Pictures, keep: Keep, width: int) -> None:
    """It is WebP, in the proportions of the page."""
    drawn = Image.open(io.BytesIO(pictures.picture(keep(pdf("Un", "Deux")), 2, width)))
    assert drawn.format == "WEBP"
    assert abs(drawn.width - width) <= 1
    assert abs(drawn.height / drawn.width - 800 / 600) < 0.01


def test_a_picture_is_drawn_once_for_all_processes(
    pictures: Pictures, keep: Keep, folder: Path
) -> None:
    """Another process of the service finds it on the disk."""
    original = keep(pdf("Un"))
    first = pictures.picture(original, 1, 480)
    (file,) = kept_in(folder, original)
    file.write_bytes(first + b"kept")
    other = Pictures(folder, MEMORY_MB)
    assert other.picture(original, 1, 480) == first + b"kept"
    other.close()


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("cropped", [False, True])
def test_the_picture_shows_the_words_where_their_boxes_are(
    pictures: Pictures,
    keep: Keep,
    rotation: int,
    cropped: bool,  # noqa: FBT001 -- a case of the test
) -> None:
    """Whichever way a page is turned, whatever is cut off it: all ink lies under the marks."""
    writer = pypdf.PdfWriter(io.BytesIO(pdf(WORDS)))
    page = writer.pages[0]
    if cropped:
        page.cropbox = pypdf.generic.RectangleObject((60, 500, 500, 700))
    if rotation:
        page.rotate(rotation)
    out = io.BytesIO()
    writer.write(out)
    original = keep(out.getvalue())

    read = PdfReader().read(Source(original, "page.pdf", out.getvalue())).pages[0]
    assert read.text == WORDS
    marks = marks_of(read, 0, len(WORDS))
    image = Image.open(io.BytesIO(pictures.picture(original, 1, 1400))).convert("L")
    assert read.width
    scale = image.width / read.width
    ink = image.point(lambda value: 255 if value < 100 else 0).getbbox()
    assert ink is not None
    left, top, right, bottom = ink
    assert min(mark.left for mark in marks) * scale <= left + 3
    assert min(mark.top for mark in marks) * scale <= top + 3
    assert max(mark.right for mark in marks) * scale >= right - 3
    assert max(mark.bottom for mark in marks) * scale >= bottom - 3
    beyond = 5 * scale  # not far: ink does not fill the height of a line
    assert left - min(mark.left for mark in marks) * scale < beyond
    assert top - min(mark.top for mark in marks) * scale < beyond
    assert max(mark.right for mark in marks) * scale - right < beyond
    assert max(mark.bottom for mark in marks) * scale - bottom < beyond


@pytest.mark.parametrize(
    ("content", "number"),
    [
        (b"not a PDF at all", 1),
        (b"", 1),
        (pdf("Un")[:400], 1),
        (pdf("Un"), 2),
        (pdf("Un"), 10**6),
        (pdf("Un", size=(20_000, 800)), 1),
        (looped_pdf(), 1),
    ],
    ids=["no PDF", "nothing", "cut short", "no such page", "far beyond", "too wide", "looped"],
)
def test_what_cannot_be_drawn_is_not_there(
    pictures: Pictures, keep: Keep, content: bytes, number: int
) -> None:
    """That is said again without trying, and the next page is drawn."""
    original = keep(content)
    for _ in range(2):
        with pytest.raises(NotFoundError):
            pictures.picture(original, number, 480)
    assert pictures.picture(keep(pdf("Un")), 1, 480)


def test_a_very_high_page_is_drawn_within_bounds(pictures: Pictures, keep: Keep) -> None:
    """A roll of paper is no reason for a picture of a gigabyte."""
    original = keep(pdf("Un", size=(100, 14_000)))
    drawn = Image.open(io.BytesIO(pictures.picture(original, 1, 1400)))
    assert drawn.width * drawn.height <= 8_100_000
    assert drawn.height < 16_384


@pytest.mark.slow
@pytest.mark.parametrize("bomb", [endless_pdf, swelling_pdf, vast_picture_pdf])
def test_a_bomb_costs_a_process_and_no_more(
    keep: Keep, tmp_path: Path, bomb: Callable[[], bytes]
) -> None:
    """Time and memory of one page are limited; the next one is drawn."""
    pictures = Pictures(tmp_path / "pictures", MEMORY_MB, seconds=2)
    try:
        with pytest.raises(NotFoundError):
            pictures.picture(keep(bomb()), 1, 1400)
        assert pictures.picture(keep(pdf("Un")), 1, 480)
    finally:
        pictures.close()


@pytest.mark.slow
def test_when_too_many_are_asked_for_the_next_is_refused_at_once(
    keep: Keep, tmp_path: Path
) -> None:
    """Whoever sends endless pages does not have everybody's requests wait."""
    pictures = Pictures(tmp_path / "pictures", MEMORY_MB, seconds=3)
    refused = threading.Event()

    def ask(original: Path) -> None:
        try:
            pictures.picture(original, 1, 480)
        except PicturesBusyError:
            refused.set()
        except NotFoundError:
            pass

    bombs = [keep(endless_pdf() + b"%% %d" % number) for number in range(8)]
    threads = [threading.Thread(target=ask, args=(bomb,)) for bomb in bombs]
    for thread in threads:
        thread.start()
    assert refused.wait(30)
    for thread in threads:
        thread.join(30)
    pictures.close()


def test_what_was_not_used_for_the_longest_goes_first(
    pictures: Pictures, keep: Keep, tmp_path: Path
) -> None:
    """The folder stays below its bound, and what people look at stays in it."""
    folder = tmp_path / "bounded"
    first, second, third = (keep(pdf("Un")) for _ in range(3))
    size = len(pictures.picture(first, 1, 480))
    bounded = Pictures(folder, MEMORY_MB, max_bytes=int(2.5 * size))
    for age, original in enumerate((first, second)):
        bounded.picture(original, 1, 480)
        _age(folder, original, 1000 - age)
    bounded.picture(first, 1, 480)  # used again
    bounded.picture(third, 1, 480)
    assert {path.name[:64] for path in kept_in(folder)} == {first.name, third.name}
    bounded.close()


def _age(folder: Path, original: Path, seconds: int) -> None:
    (path,) = folder.rglob(f"{original.name}*")
    moment = path.stat().st_mtime - seconds
    os.utime(path, (moment, moment))


def test_a_folder_that_cannot_be_written_is_no_reason_not_to_show_a_page(
    keep: Keep, tmp_path: Path
) -> None:
    """A full disk makes it slow, and that is all."""
    folder = tmp_path / "full"
    folder.mkdir()
    original = keep(pdf("Un"))
    (folder / original.name[:2]).write_text("in the way")
    pictures = Pictures(folder, MEMORY_MB)
    assert pictures.picture(original, 1, 480)
    assert [path.name for path in kept_in(folder)] == [original.name[:2]]
    pictures.close()


def test_pictures_go_with_their_originals(pictures: Pictures, keep: Keep, folder: Path) -> None:
    """Those of other originals stay."""
    gone, stays = keep(pdf("Un")), keep(pdf("Deux"))
    for original in (gone, stays):
        pictures.picture(original, 1, 480)
    sweep_pictures(folder, {stays.name})
    assert [path.name[:64] for path in kept_in(folder)] == [stays.name]


@pytest.mark.parametrize("purge", [False, True])
def test_removing_a_document_erases_the_pictures_of_its_pages(base: Base, purge: bool) -> None:  # noqa: FBT001 -- a case of the test
    """What is purged is nowhere any more, not even as a picture."""
    (base.folder / "secret.pdf").write_bytes(pdf(WORDS))
    base.ingest()
    document_id = base.id_of("secret.pdf")
    (name,) = base.kb.record.all_originals()
    original = base.kb.settings.originals / name
    base.kb.pictures.picture(original, 1, 480)
    remove(base.kb, document_id, purge=purge)
    assert original.is_file() == bool(kept_in(base.kb.settings.pictures))
    assert not (purge and kept_in(base.kb.settings.pictures))
    if purge:
        with pytest.raises(NotFoundError):
            base.kb.pictures.picture(original, 1, 480)


def test_a_picture_drawn_while_its_document_is_purged_is_not_kept(
    pictures: Pictures, keep: Keep, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would stay for ever: the purge has looked for it already."""
    original = keep(pdf("Un"))
    write = Pictures._write  # noqa: SLF001 -- the moment between drawing and keeping

    def purged_meanwhile(self: Pictures, kept: Path, picture: bytes) -> None:
        original.unlink()
        write(self, kept, picture)

    monkeypatch.setattr(Pictures, "_write", purged_meanwhile)
    assert pictures.picture(original, 1, 480)
    assert kept_in(folder, original) == []

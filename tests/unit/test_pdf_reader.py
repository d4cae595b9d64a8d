"""What the PDF reader makes of small files drawn here, and of the shared ones where they are."""

from __future__ import annotations

import io
import os
import time
import unicodedata
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pypdf
import pytest
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import simpleSplit
from reportlab.pdfgen.canvas import Canvas

from ingest.readers.base import Source
from ingest.readers.pdf.pages import clean
from ingest.readers.pdf.reader import PdfReader
from kb.errors import UnreadableError
from kb.model import Block, Page, Parsed, Role

if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = Callable[[Callable[[Canvas], None]], Path]

    from PIL.Image import Image

    from ingest.readers.pdf.ocr import Recognised

SHARED = Path(
    os.environ.get("KB_SHARED_DATA") or Path(__file__).parents[2].parent / "shared" / "data"
)
HEIGHT = A4[1]
LEFT_WORDS = " ".join(f"gauche{number}" for number in range(120))
RIGHT_WORDS = " ".join(f"droite{number}" for number in range(120))


class NoOcr:
    """Stands for a machine without Tesseract."""

    missing = "Tesseract is not installed (apt-get install tesseract-ocr)"

    def read(self, picture: Image, scale: float) -> Recognised | None:
        """Never asked."""
        raise AssertionError(picture, scale)


def shared(path: str) -> Path:
    """Return a shared file, or skip the test where it is absent."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"{found} is not on this machine")
    return found


def read(path: Path, *, password: str | None = None, ocr: bool = False) -> Parsed:
    """Read a file; without OCR unless asked for."""
    source = Source(path, path.name, path.read_bytes()[: 64 * 1024], password)
    return PdfReader(None if ocr else NoOcr(), today=lambda: date(2031, 1, 1)).read(source)


@pytest.fixture
def draw(tmp_path: Path) -> Callable[[Callable[[Canvas], None]], Path]:
    """Return a function that saves what is drawn on a canvas as a file."""

    def saved(drawing: Callable[[Canvas], None]) -> Path:
        canvas = Canvas(str(tmp_path / "drawn.pdf"), pagesize=A4, invariant=1)
        drawing(canvas)
        canvas.save()
        return tmp_path / "drawn.pdf"

    return saved


def lines(canvas: Canvas, rows: list[str], left: float = 72, top: float = 720) -> float:
    """Write lines 13 points apart; returns the place of the next."""
    for row in rows:
        canvas.drawString(left, top, row)
        top -= 13
    return top


def texts(page: Page, role: Role | None = None) -> list[str]:
    """Return the texts of a page's blocks, of one role if given."""
    return [page.text[b.start : b.end] for b in page.blocks if role in (None, b.role)]


def assert_sound(parsed: Parsed) -> None:
    """Hold what every page promises: exact blocks and boxes, NFC, no control characters."""
    for page in parsed.pages:
        assert unicodedata.is_normalized("NFC", page.text)
        assert not [c for c in page.text if unicodedata.category(c) == "Cc" and c != "\n"]
        end = 0
        for block in page.blocks:
            words = page.text[block.start : block.end]
            assert words
            assert words == words.strip()
            assert not page.text[end : block.start].strip()
            end = block.end
        last = 0
        for box in page.boxes:
            word = page.text[box.start : box.end]
            assert word
            assert not any(char.isspace() for char in word)
            assert box.start >= last
            last = box.end
            assert box.left < box.right
            assert box.top < box.bottom


def test_two_columns_are_read_one_after_the_other_under_a_full_title(draw: Draw) -> None:
    """Two columns are read one after the other under a full title."""

    def drawing(canvas: Canvas) -> None:
        canvas.setFont("Helvetica-Bold", 16)
        canvas.drawString(72, 780, "Un titre qui court au-dessus des deux colonnes du texte")
        canvas.setFont("Helvetica", 10)
        for words, left in ((LEFT_WORDS, 72), (RIGHT_WORDS, 310)):
            lines(canvas, simpleSplit(words, "Helvetica", 10, 215), left)

    parsed = read(draw(drawing))
    assert_sound(parsed)
    text = parsed.pages[0].text
    assert text.index("titre") < text.index("gauche0")
    order = [word for word in text.split() if word.startswith(("gauche", "droite"))]
    assert order == (LEFT_WORDS + " " + RIGHT_WORDS).split()


def test_running_heads_and_page_numbers_are_left_out_and_the_numbers_become_labels(
    draw: Draw,
) -> None:
    """Running heads and page numbers are left out and the numbers become labels."""

    def drawing(canvas: Canvas) -> None:
        for number in range(1, 6):
            canvas.drawString(72, 810, f"Rapport annuel de l’association {number}")
            canvas.drawString(290, 30, f"{number + 6}")
            lines(canvas, [f"Le chapitre {word}." for word in ("un", "deux")])
            canvas.showPage()

    parsed = read(draw(drawing))
    assert [page.label for page in parsed.pages] == ["7", "8", "9", "10", "11"]
    assert all("Rapport" not in page.text for page in parsed.pages)
    assert all(not page.text.strip().endswith(("7", "8", "9")) for page in parsed.pages)


def test_a_figure_that_ends_a_text_is_no_page_number(draw: Draw) -> None:
    """A figure that ends a text is no page number."""

    def drawing(canvas: Canvas) -> None:
        for year in (2005, 19, 44):
            lines(canvas, ["The plan was made in the year"], top=60)
            canvas.drawString(72, 47, f"{year}")
            canvas.showPage()

    for page, year in zip(read(draw(drawing)).pages, ("2005", "19", "44"), strict=True):
        assert page.text.endswith(year)


def test_words_cut_at_a_line_end_are_mended_and_boxed_in_two_parts(draw: Draw) -> None:
    """Words cut at a line end are mended and boxed in two parts."""

    def drawing(canvas: Canvas) -> None:
        lines(
            canvas,
            [
                "La garantie publique soutient le finance-",
                "ment des associations dans un cadre de minimis-",
                "type, car la part de minimis-type reste petite, et l’avant-",
                "projet de loi le dit.",
            ],
        )

    parsed = read(draw(drawing))
    assert_sound(parsed)
    page = parsed.pages[0]
    assert "le financement des" in page.text
    assert "cadre de minimis-type, car" in page.text
    assert "l’avant-projet" in page.text
    start = page.text.index("financement")
    parts = [box for box in page.boxes if start <= box.start < start + len("financement")]
    assert [page.text[box.start : box.end] for box in parts] == ["finance", "ment"]
    assert parts[0].bottom < parts[1].bottom


def test_a_ruled_table_gives_a_row_a_line_with_its_header(draw: Draw) -> None:
    """A ruled table gives a row a line with its header."""
    rows = [["Outil", "Montant", "Année"], ["Garantie", "40", "2026"], ["Prêt", "", "2027"]]

    def drawing(canvas: Canvas) -> None:
        lines(canvas, ["Le tableau dit ce que chaque outil a reçu."])
        canvas.grid([72, 172, 272, 372], [600, 620, 640, 660])
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                canvas.drawString(76 + 100 * column, 646 - 20 * row, cell)

    parsed = read(draw(drawing))
    assert_sound(parsed)
    page = parsed.pages[0]
    assert texts(page, Role.TABLE) == [
        "Outil | Montant | Année",
        "Garantie | 40 | 2026",
        "Prêt | | 2027",
    ]
    table = [block for block in page.blocks if block.role is Role.TABLE]
    head = (table[0].start, table[0].end)
    assert [block.header for block in table] == [None, head, head]


def test_columns_of_figures_without_rules_are_a_table(draw: Draw) -> None:
    """Columns of figures without rules are a table."""

    def drawing(canvas: Canvas) -> None:
        for row, (name, *figures) in enumerate(
            [
                ("Région", "Lits", "Prix"),
                ("Nord", "12", "30"),
                ("Sud", "15", "45"),
                ("Est", "9", "7"),
            ]
        ):
            canvas.drawString(72, 700 - 14 * row, name)
            for column, figure in enumerate(figures):
                canvas.drawString(200 + 90 * column, 700 - 14 * row, figure)

    page = read(draw(drawing)).pages[0]
    assert texts(page, Role.TABLE)[:2] == ["Région | Lits | Prix", "Nord | 12 | 30"]


def test_headings_give_the_path_of_what_stands_under_them(draw: Draw) -> None:
    """Headings give the path of what stands under them."""

    def drawing(canvas: Canvas) -> None:
        for number in (1, 2):
            canvas.setFont("Helvetica-Bold", 15)
            canvas.drawString(72, 760, f"{number} Chapitre des garanties")
            canvas.setFont("Helvetica-Bold", 12)
            canvas.drawString(72, 720, f"{number}.1 Les banques")
            canvas.setFont("Helvetica", 10)
            lines(canvas, ["Une banque prête quand un tiers garantit."] * 3, top=690)
            canvas.showPage()

    for number, page in enumerate(read(draw(drawing)).pages, start=1):
        body = next(block for block in page.blocks if block.role is Role.BODY)
        assert body.path == (f"{number} Chapitre des garanties", f"{number}.1 Les banques")
        heading = [block for block in page.blocks if block.role is Role.HEADING][1]
        assert heading.path == (f"{number} Chapitre des garanties",)


def test_bookmarks_name_headings_that_do_not_stand_out(draw: Draw) -> None:
    """Bookmarks name headings that do not stand out."""

    def drawing(canvas: Canvas) -> None:
        canvas.bookmarkPage("a")
        canvas.addOutlineEntry("Ce que dit la loi", "a")
        lines(canvas, ["Ce que dit la loi"], top=760)
        lines(canvas, ["La loi ne dit rien des associations qui prêtent."] * 2)

    page = read(draw(drawing)).pages[0]
    assert page.blocks[0].role is Role.HEADING
    assert page.blocks[-1].path == ("Ce que dit la loi",)


def test_a_sentence_that_crosses_a_page_goes_on(draw: Draw) -> None:
    """A sentence that crosses a page goes on."""

    def drawing(canvas: Canvas) -> None:
        lines(canvas, ["Une phrase commence sur cette page et elle ne finit"], top=100)
        canvas.showPage()
        lines(canvas, ["que sur la suivante. Puis vient une autre."])
        canvas.showPage()
        lines(canvas, ["Une page nouvelle ne continue rien."])

    first, second, third = (page.blocks[0] for page in read(draw(drawing)).pages)
    assert (first.continues, second.continues, third.continues) == (False, True, False)


def test_contents_references_and_notes_have_their_roles(draw: Draw) -> None:
    """Contents references and notes have their roles."""

    def drawing(canvas: Canvas) -> None:
        canvas.setFont("Helvetica-Bold", 14)
        canvas.drawString(72, 760, "Sommaire")
        canvas.setFont("Helvetica", 10)
        lines(canvas, [f"Chapitre {n} {'.' * 60} {n + 3}" for n in (1, 2, 3)])
        canvas.showPage()
        lines(canvas, ["Le corps du texte renvoie à une note de bas de page."] * 3)
        canvas.setFont("Helvetica", 7)
        canvas.drawString(72, 90, "1 Voir la loi de finances.")
        canvas.showPage()
        canvas.setFont("Helvetica-Bold", 14)
        canvas.drawString(72, 760, "Bibliographie")
        canvas.setFont("Helvetica", 10)
        lines(canvas, ["Dupont, A. (2020). Les garanties. Paris."])

    contents, body, references = read(draw(drawing)).pages
    assert texts(contents, Role.CONTENTS)[0] == "Chapitre 1 … 4"
    assert texts(body, Role.NOTE) == ["1 Voir la loi de finances."]
    assert texts(references, Role.REFERENCES) == ["Dupont, A. (2020). Les garanties. Paris."]


def test_ligatures_and_bullets_become_letters_and_signs() -> None:
    """Ligatures and bullets become letters and signs."""
    assert clean("e\ufb03cace") == "efficace"
    assert clean("\uf0b7") == "•"
    assert clean("e\u0301te\u0301\u00ad") == "été"
    assert clean("d´ecret") == "décret"


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_boxes_of_a_turned_page_stand_on_it_as_displayed(draw: Draw, turn: int) -> None:
    """Boxes of a turned page stand on it as displayed."""

    def drawing(canvas: Canvas) -> None:
        width, height = A4
        canvas.translate(*{90: (width, 0.0), 180: (width, height), 270: (0.0, height)}[turn])
        canvas.rotate(turn)
        canvas.drawString(100, 300, "Premier mot")
        canvas.drawString(100, 200, "Dernier mot")

    def turned(writer: pypdf.PdfWriter) -> None:
        writer.pages[0].rotate(turn)

    parsed = read(rewritten(draw(drawing), turned))
    assert_sound(parsed)
    page = parsed.pages[0]
    assert page.width is not None
    assert page.height is not None
    assert (page.width > page.height) is (turn != 180)
    first, last = page.boxes[0], page.boxes[2]
    assert page.text[first.start : first.end] == "Premier"
    assert first.left == pytest.approx(100, abs=2)
    assert page.height - first.bottom == pytest.approx(300, abs=5)
    assert last.top > first.bottom


def test_a_side_stamp_is_a_note_after_the_text(draw: Draw) -> None:
    """A side stamp is a note after the text."""

    def drawing(canvas: Canvas) -> None:
        canvas.saveState()
        canvas.translate(30, 300)
        canvas.rotate(90)
        canvas.drawString(0, 0, "Version provisoire")
        canvas.restoreState()
        lines(canvas, ["Le texte se lit d’abord, le tampon ensuite."] * 2)

    page = read(draw(drawing)).pages[0]
    assert texts(page)[-1] == "Version provisoire"
    assert page.blocks[-1].role is Role.NOTE
    box = page.boxes[-1]
    assert box.bottom - box.top > box.right - box.left


def test_metadata_is_read_and_junk_is_not(draw: Draw) -> None:
    """Metadata is read and junk is not."""

    def named(canvas: Canvas) -> None:
        canvas.setTitle("Une garantie pour tous")
        canvas.setAuthor("Anne Dupont; Karim Said")
        lines(canvas, ["Texte. doi:10.1234/abcd.56."])

    parsed = read(draw(named))
    assert parsed.metadata.title == "Une garantie pour tous"
    assert parsed.metadata.authors == ("Anne Dupont", "Karim Said")
    assert parsed.metadata.doi == "10.1234/abcd.56"

    def junk(canvas: Canvas) -> None:
        canvas.setTitle("Microsoft Word - note_v3.docx")
        canvas.setFont("Helvetica-Bold", 20)
        canvas.drawString(72, 760, "Ce que coûte une garantie")
        canvas.setFont("Helvetica", 10)
        lines(canvas, ["Elle ne coûte rien tant que personne ne fait défaut."] * 3)

    assert read(draw(junk)).metadata.title == "Ce que coûte une garantie"


def rewritten(path: Path, change: Callable[[pypdf.PdfWriter], None]) -> Path:
    """Change a file through pypdf."""
    writer = pypdf.PdfWriter(clone_from=path)
    change(writer)
    data = io.BytesIO()
    writer.write(data)
    path.write_bytes(data.getvalue())
    return path


def test_printed_labels_come_from_the_file(draw: Draw) -> None:
    """Printed labels come from the file."""

    def drawing(canvas: Canvas) -> None:
        for _ in range(4):
            lines(canvas, ["Une page."])
            canvas.showPage()

    def label(writer: pypdf.PdfWriter) -> None:
        writer.set_page_label(0, 1, style=pypdf.constants.PageLabelStyle.LOWERCASE_ROMAN)
        writer.set_page_label(2, 3, style=pypdf.constants.PageLabelStyle.DECIMAL)

    pages = read(rewritten(draw(drawing), label)).pages
    assert [page.label for page in pages] == ["i", "ii", "1", "2"]


def test_an_encrypted_file_opens_with_its_password_alone(draw: Draw) -> None:
    """An encrypted file opens with its password alone."""

    def drawing(canvas: Canvas) -> None:
        lines(canvas, ["Un secret bien gardé."])

    path = rewritten(draw(drawing), lambda w: w.encrypt("clef", algorithm="AES-256"))
    with pytest.raises(UnreadableError, match=r"drawn.pdf: .*encrypted.*--password"):
        read(path)
    with pytest.raises(UnreadableError, match="does not open it"):
        read(path, password="autre")  # noqa: S106 -- a wrong one
    assert "secret" in read(path, password="clef").pages[0].text  # noqa: S106 -- made here


def test_a_file_with_an_owner_password_only_opens_without(draw: Draw) -> None:
    """A file with an owner password only opens without."""

    def drawing(canvas: Canvas) -> None:
        lines(canvas, ["Lisible par tous."])

    path = rewritten(draw(drawing), lambda w: w.encrypt("", "proprio", algorithm="AES-128"))
    assert read(path).pages[0].text == "Lisible par tous."


def test_a_page_of_drawings_is_left_without_text_and_said_so(draw: Draw) -> None:
    """A page of drawings is left without text and said so."""

    def drawing(canvas: Canvas) -> None:
        lines(canvas, ["Une page de texte."])
        canvas.showPage()
        canvas.circle(300, 400, 100, fill=1)
        canvas.showPage()
        canvas.showPage()

    parsed = read(draw(drawing))
    assert [len(page.blocks) for page in parsed.pages] == [1, 0, 0]
    assert len(parsed.warnings) == 1
    assert "page 2 left without text" in parsed.warnings[0]
    assert "apt-get install tesseract-ocr" in parsed.warnings[0]


def test_a_scan_without_tesseract_says_how_to_install_it(draw: Draw) -> None:
    """A scan without Tesseract says how to install it."""
    with pytest.raises(UnreadableError, match=r"has no text.*not installed"):
        read(draw(lambda canvas: canvas.circle(300, 400, 100, fill=1)))


def test_a_blank_or_broken_file_says_which(draw: Draw, tmp_path: Path) -> None:
    """A blank or broken file says which."""
    with pytest.raises(UnreadableError, match="has no text: its page is blank"):
        read(draw(lambda canvas: canvas.showPage()))
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7\nnothing here")
    with pytest.raises(UnreadableError, match=r"broken.pdf: not a PDF that can be opened"):
        read(broken)


def test_the_head_tells_before_the_name() -> None:
    """The head tells before the name."""
    reader = PdfReader(NoOcr())
    assert reader.accepts(Source(Path("x"), "x.bin", b"\n%PDF-1.4"))
    assert reader.accepts(Source(Path("x"), "X.PDF", b""))
    assert not reader.accepts(Source(Path("x"), "x.html", b"<html>"))


# --- the shared files ---------------------------------------------------------------------------


def blocks(page: Page, role: Role) -> list[Block]:
    """Return the blocks of one role."""
    return [block for block in page.blocks if block.role is role]


def test_the_policy_reads_fast_with_its_tables_labels_and_contents() -> None:
    """The policy reads fast with its tables labels and contents."""
    path = next(iter(shared("pdf/policy-en").glob("*.pdf")))
    start = time.process_time()
    parsed = read(path)
    seconds = time.process_time() - start
    assert_sound(parsed)
    # 90 pages/s of processor time on the build machine; a third of that leaves room for a busy one.
    assert len(parsed.pages) / seconds > 30
    assert [parsed.pages[index].label for index in (2, 13, 30, 61)] == ["ii", "3", "20", "51"]
    assert len(blocks(parsed.pages[2], Role.CONTENTS)) > 25
    rows = texts(parsed.pages[61], Role.TABLE)
    assert rows[0].startswith("| 2004 | 2005")
    assert rows[-1].endswith("| 613,210 | 714,322")
    assert blocks(parsed.pages[61], Role.TABLE)[1].header is not None
    assert next(iter(blocks(parsed.pages[13], Role.BODY))).continues


def test_the_paper_reads_column_by_column_with_notes_last() -> None:
    """The paper reads column by column with notes last."""
    parsed = read(next(iter(shared("pdf/papers").glob("*.pdf"))))
    assert_sound(parsed)
    text = parsed.pages[2].text
    marks = ["summarized as follows", "2 Related Work", "LLM Agents", "3 Datasets", "arxiv.org/"]
    assert [text.index(mark) for mark in marks] == sorted(text.index(mark) for mark in marks)
    assert len(blocks(parsed.pages[1], Role.NOTE)) >= 5
    assert len(blocks(parsed.pages[9], Role.REFERENCES)) > 10
    assert blocks(parsed.pages[10], Role.REFERENCES)
    assert parsed.pages[3].text.count(" | 2.0 | ") == 5


def test_the_official_journal_loses_its_running_head_alone() -> None:
    """The official journal loses its running head alone."""
    parsed = read(next(iter(shared("pdf/journal-officiel-fr").glob("*.pdf"))))
    assert_sound(parsed)
    assert all("Texte 5 sur" not in page.text for page in parsed.pages)
    assert texts(parsed.pages[0], Role.HEADING)[0].startswith("Décrets")
    assert parsed.metadata.language == "fr"


def robust_names() -> list[str]:
    """Return the names of the robustness files."""
    return sorted(path.name for path in (SHARED / "pdf/robustness/ocrmypdf").glob("*.pdf"))


@pytest.mark.parametrize("name", robust_names() or ["(none here)"])
def test_every_damaged_or_odd_file_is_read_or_named_unreadable(name: str) -> None:
    """Every damaged or odd file is read or named unreadable."""
    path = shared("pdf/robustness/ocrmypdf") / name
    if not path.exists():
        pytest.skip("the robustness files are not on this machine")
    try:
        assert_sound(read(path))
    except UnreadableError as error:
        assert name in str(error)  # noqa: PT017 -- either outcome is right

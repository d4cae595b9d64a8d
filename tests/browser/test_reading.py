"""Reading a page in a browser: marks where the words are, pages turned, pictures that fail."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browsing import DESKTOP, PHONE, Visitor
from conftest import Base
from fakes import HashingEncoder, TickingClock
from playwright.sync_api import expect
from serving import served

from api.app import create_app
from kb.bootstrap import open_knowledge_base
from kb.model import FULL_ACCESS
from kb.sentences import sentences
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, FloatRect, Locator

    from kb.bootstrap import KnowledgeBase
    from kb.model import Box, Page

STARTER = Path(__file__).parents[2] / "corpus" / "starter" / "garantie"
PAPER = "pdf/papers/pasa_arxiv.pdf"
FRENCH = "fonds-propres-garantie.fr.pdf"
# Pixels by which a rectangle on the screen may differ from its place: a rounding and its edge.
NEAR = 2.5


@dataclass(frozen=True, slots=True)
class Library:
    """A served base of PDFs: the documents' ids by file name."""

    kb: KnowledgeBase
    address: str
    ids: dict[str, str]

    def page(self, name: str, number: int) -> Page:
        """A page as it is stored."""
        generation = self.kb.record.current_id() or 0
        found = self.kb.record.page(generation, self.ids[name], number, FULL_ACCESS)
        assert found is not None
        return found[1]

    def at(self, name: str, number: int, start: int = 0, end: int = 0) -> str:
        """The address of a page with a place marked."""
        mark = f"&mark={start}-{end}#mark" if end else ""
        return f"/documents/{self.ids[name]}/pages/{number}?version=1{mark}"


def _library(folder: Path, *files: Path) -> Iterator[Library]:
    values: dict[str, Any] = {"home": folder / "home", "workers": 1, "rate_anonymous": 100_000}
    kb = open_knowledge_base(Settings(**values), clock=TickingClock(), encoder=HashingEncoder())
    base = Base(kb, folder / "files")
    for file in files:
        (base.folder / file.name).write_bytes(file.read_bytes())
    report = base.ingest()
    ids = {file.name: str(base.result(report, file.name).document_id) for file in files}
    with served(create_app(kb)) as address:
        yield Library(kb, address, ids)
    kb.close()


@pytest.fixture(scope="module")
def library(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A document of ours."""
    del browser  # without one nothing needs to be read
    yield from _library(tmp_path_factory.mktemp("library"), STARTER / FRENCH)


@pytest.fixture(scope="module")
def papers(
    browser: Browser, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Library]:
    """A paper in two columns."""
    del browser
    yield from _library(tmp_path_factory.mktemp("papers"), shared_data / PAPER)


def boxes_of(page: Page, start: int, end: int) -> list[Box]:
    """The boxes of a quote."""
    return [box for box in page.boxes if box.start < end and start < box.end]


def across_columns(page: Page) -> tuple[int, int]:
    """A sentence of a page that begins in one column and ends in the other."""
    middle = (page.width or 0) / 2
    for block in page.blocks:
        for start, end in sentences(page.text[block.start : block.end]):
            boxes = boxes_of(page, block.start + start, block.start + end)
            if boxes and boxes[0].right < middle < boxes[-1].left:
                return block.start + start, block.start + end
    pytest.fail(f"page {page.number} has no such sentence")


def seen(each: Locator) -> FloatRect:
    """Where something is on the screen."""
    found = each.bounding_box()
    assert found is not None
    return found


def places_on_page(visitor: Visitor, page: Page) -> list[tuple[float, float, float, float]]:
    """The rectangles on the screen, in points of the page that is shown there."""
    picture = seen(visitor.page.locator(".sheet img"))
    scale = picture["width"] / (page.width or 1)
    assert picture["height"] == pytest.approx((page.height or 0) * scale, abs=NEAR)
    rectangles = [seen(each) for each in visitor.page.locator(".marks rect").all()]
    return [
        (
            (each["x"] - picture["x"]) / scale,
            (each["y"] - picture["y"]) / scale,
            (each["x"] + each["width"] - picture["x"]) / scale,
            (each["y"] + each["height"] - picture["y"]) / scale,
        )
        for each in rectangles
    ]


def assert_on_boxes(visitor: Visitor, page: Page, start: int, end: int) -> None:
    """Check that the marks cover the boxes of a quote, and end where they end."""
    places = places_on_page(visitor, page)
    boxes = boxes_of(page, start, end)
    assert boxes
    near = NEAR / (seen(visitor.page.locator(".sheet img"))["width"] / (page.width or 1))
    for box in boxes:
        assert any(
            left - near <= box.left
            and top - near <= box.top
            and box.right <= right + near
            and box.bottom <= bottom + near
            for left, top, right, bottom in places
        ), box
    for left, top, right, bottom in places:
        inside = [
            box
            for box in boxes
            if left - near <= box.left <= right + near and top - near <= box.top <= bottom + near
        ]
        assert left == pytest.approx(min(box.left for box in inside), abs=near)
        assert right == pytest.approx(max(box.right for box in inside), abs=near)
        assert bottom - top <= max(box.bottom - box.top for box in inside) + 4 + 2 * near


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_marks_on_the_screen_are_the_boxes_of_the_quote(
    browser: Browser, papers: Library, size: dict[str, int], *, scripts: bool
) -> None:
    """On two columns of a real paper, at both sizes, also where the window cuts the picture."""
    page = papers.page("pasa_arxiv.pdf", 2)
    start, end = across_columns(page)
    options = {"viewport": size, "java_script_enabled": scripts}
    with Visitor(browser, papers.address, **options) as visitor:
        visitor.page.goto(papers.at("pasa_arxiv.pdf", 2, start, end))
        visitor.page.wait_for_load_state("networkidle")
        assert_on_boxes(visitor, page, start, end)
        marked = " ".join(visitor.page.locator("main mark").all_inner_texts())
        assert "".join(marked.split()) == "".join(page.text[start:end].split())
        assert visitor.overflow() <= 0


def test_a_mark_below_the_fold_comes_into_view(browser: Browser, library: Library) -> None:
    """Within the picture's own frame, and in the text."""
    page = library.page(FRENCH, 2)
    last = page.blocks[-1]
    with Visitor(browser, library.address, viewport={"width": 1280, "height": 600}) as visitor:
        visitor.page.goto(library.at(FRENCH, 2, last.start, last.end))
        visitor.page.wait_for_load_state("networkidle")
        assert_on_boxes(visitor, page, last.start, last.end)
        frame, mark = (seen(visitor.page.locator(each).first) for each in (".sheet", ".marks rect"))
        assert frame["y"] <= mark["y"] <= frame["y"] + frame["height"]
        expect(visitor.page.locator("#mark")).to_be_in_viewport()


def test_pages_are_turned_with_the_keyboard(browser: Browser, library: Library) -> None:
    """By arrows where nothing has the focus, by links everywhere; not while somebody types."""
    with Visitor(browser, library.address) as visitor:
        page = visitor.page
        page.goto(library.at(FRENCH, 1))
        page.keyboard.press("ArrowRight")
        expect(page.locator(".where")).to_contain_text("feuille 2 ")
        page.wait_for_load_state()
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".where")).to_contain_text("feuille 1 ")
        page.wait_for_load_state()
        page.get_by_label("Aller à la page").fill("4")
        page.keyboard.press("ArrowRight")
        expect(page.locator(".where")).to_contain_text("feuille 1 ")
        page.keyboard.press("Enter")
        expect(page.locator(".where")).to_contain_text("Page 4 (feuille 6 ")  # as printed
        page.get_by_role("link", name="Précédente").focus()
        page.keyboard.press("Enter")
        expect(page.locator(".where")).to_contain_text("feuille 5 ")


def test_a_page_that_is_not_there_is_asked_for(browser: Browser, library: Library) -> None:
    """The reader stays on the page, and is told beside the field."""
    with Visitor(browser, library.address) as visitor:
        page = visitor.page
        page.goto(library.at(FRENCH, 2))
        stayed = page.url
        field = page.get_by_label("Aller à la page")
        for _ in range(2):
            field.fill("999")
            page.keyboard.press("Enter")
            expect(page.get_by_role("alert")).to_contain_text("Cette page n’existe pas")
            expect(field).to_be_focused()
        assert page.url == stayed
        assert visitor.faults() == []
        assert visitor.overflow() == 0
        expect(page.get_by_text("Flèches gauche et droite")).to_be_visible()
        field.fill("4")
        page.keyboard.press("Enter")
        expect(page.locator(".where")).to_contain_text("Page 4 ")


def test_the_contents_lead_to_a_heading(browser: Browser, library: Library) -> None:
    """They are folded away until they are asked for."""
    with Visitor(browser, library.address) as visitor:
        page = visitor.page
        page.goto(library.at(FRENCH, 1))
        link = page.locator(".contents li a").nth(3)
        expect(link).not_to_be_visible()
        page.locator(".contents summary").click()
        heading = link.inner_text()
        link.click()
        place = page.url.rpartition("#")[2]
        expect(page.locator(f"#{place}")).to_contain_text(heading)
        expect(page.locator(f"#{place}")).to_be_in_viewport()


def test_without_its_picture_a_page_is_read_all_the_same(browser: Browser, tmp_path: Path) -> None:
    """The original is gone: no marks stand on nothing, and the text is there with its own."""
    for library in _library(tmp_path, STARTER / FRENCH):
        for path in library.kb.settings.originals.glob("*/*"):
            path.unlink()
        with Visitor(browser, library.address) as visitor:
            visitor.page.goto(library.at(FRENCH, 2, 0, 40))
            expect(visitor.page.locator("[data-failed]")).to_be_visible()
            expect(visitor.page.locator(".marks rect").first).not_to_be_visible()
            expect(visitor.page.locator("main mark").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_pages_of_a_real_paper_are_accessible(
    browser: Browser, papers: Library, size: dict[str, int], scheme: str
) -> None:
    """With tables, notes, a quote and the contents unfolded: axe finds nothing."""
    options = {"viewport": size, "color_scheme": scheme}
    with Visitor(browser, papers.address, **options) as visitor:
        for number in (1, 7):
            visitor.page.goto(papers.at("pasa_arxiv.pdf", number, 0, 60))
            visitor.page.locator(".contents summary").click()
            assert visitor.faults() == []
            assert visitor.overflow() <= 0
        visitor.page.goto(f"/documents/{papers.ids['pasa_arxiv.pdf']}")
        assert visitor.faults() == []

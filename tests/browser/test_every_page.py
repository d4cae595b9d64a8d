"""Every page: accessible, whole at every size, light, ours alone, and there without scripts."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from browsing import DESKTOP, PHONE, Visitor
from playwright.sync_api import expect
from serving import served

from api.app import create_app
from kb.search.engine import SearchEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browsing import Demo
    from playwright.sync_api import Browser, Page
    from starlette.types import ASGIApp, Receive, Scope, Send

    from kb.model import Answer

QUESTION: Final = "Quel est le plafond des aides de minimis sur trois ans ?"
NOTHING: Final = "Quelle est la capitale de l'Australie ?"
CALLS: Final = "/calls?q=associations"
# What anybody may open, and what only staff may.
OPEN: Final = {
    "home": "/",
    "answer": f"/?q={QUESTION}",
    "refusal": f"/?q={NOTHING}",
    "narrowed": f"/?q={QUESTION}&language=en&since=2020-01-01",
    "faults": "/?q=garantie&kind=nonsense&since=2026-02-31",
    "library": "/documents",
    "library of a theme": "/documents?theme=subventions",
    "document": "/documents/om-garantie-fonds-propres-fr",
    "page": "/documents/om-garantie-fonds-propres-fr/pages/4?version=1&mark=1025-1223",
    "calls": "/calls",
    "calls asked for": CALLS,
    "calendar": "/calls?view=calendar",
    "match": "/calls/match",
    "briefs": "/briefs",
    "sign in": "/login",
    "problems": "/problems",
    "accessibility": "/accessibility",
    "privacy": "/privacy",
    "missing": "/documents/nothing-here",
}
STAFF: Final = {
    "staff": "/staff",
    "upload": "/staff/uploads",
    "gaps": "/staff/gaps",
    "keys": "/staff/keys",
    "audit": "/staff/audit",
    "feedback": "/staff/feedback",
}
SCHEMES: Final = ("light", "dark")


def signed_in(visitor: Visitor, key: str) -> Page:
    """The page after signing in."""
    visitor.page.goto("/login")
    visitor.page.locator("input[name=key]").fill(key)
    visitor.page.locator("main form button").first.click()
    return visitor.page


@pytest.fixture(scope="module", params=["fr-FR", "en-GB"])
def visitors(request: pytest.FixtureRequest, browser: Browser, demo: Demo) -> Iterator[Visitor]:
    """Somebody of the team, in each language; they may open every page."""
    with Visitor(browser, demo.address, locale=request.param) as visitor:
        signed_in(visitor, demo.staff)
        yield visitor


@pytest.mark.parametrize("name", [*OPEN, *STAFF])
def test_pages_are_accessible(visitors: Visitor, name: str) -> None:
    """In both languages, by day and night, wide and narrow: axe finds nothing."""
    page = visitors.page
    page.goto({**OPEN, **STAFF}[name])
    faults: list[str] = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
        faults += [f"{scheme}: {fault}" for fault in visitors.faults()]
    for width in (320, 640):  # 640 is what 1280 leaves at 200 %
        page.set_viewport_size({"width": width, "height": 700})
        if visitors.overflow() > 0:
            faults.append(f"{width} pixels: {visitors.overflow()} too wide")
    page.set_viewport_size({"width": 320, "height": 700})
    faults += [f"narrow: {fault}" for fault in visitors.faults()]
    assert faults == []
    assert page.locator("h1").count() == 1
    assert page.title().strip(" –") not in {"", "Opération Milliard"}


@pytest.mark.parametrize("name", OPEN)
def test_pages_are_whole_in_their_language(visitors: Visitor, name: str) -> None:
    """A French page holds no English label, and an English one no French label."""
    visitors.page.goto(OPEN[name])
    language = visitors.page.locator("html").get_attribute("lang")
    said = visitors.page.locator(".site-header, .site-footer").all_inner_texts()
    english = "Library" in " ".join(said)
    assert english == (language == "en")


def test_the_first_page_is_light(browser: Browser, demo: Demo) -> None:
    """Everything that the home page brings is under 100 KB, without a cache."""
    with Visitor(browser, demo.address) as visitor:
        sizes: list[int] = []
        visitor.page.on(
            "response", lambda response: sizes.append(response.request.sizes()["responseBodySize"])
        )
        visitor.page.goto("/")
        visitor.page.wait_for_load_state("networkidle")
        assert len(sizes) > 2
        assert sum(sizes) < 100_000


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_from_a_question_to_the_marked_page(
    browser: Browser, demo: Demo, size: dict[str, int], *, scripts: bool
) -> None:
    """Ask, read the quotes, open the page of the first one: its words are marked there."""
    options = {"viewport": size, "java_script_enabled": scripts}
    with Visitor(browser, demo.address, **options) as visitor:
        page = visitor.page
        page.goto("/")
        page.get_by_role("searchbox").fill(QUESTION)
        page.get_by_role("button", name="Demander").click()
        quote = page.locator(".answers blockquote").first
        expect(quote).to_contain_text("300")
        words = " ".join(quote.inner_text().split())
        page.locator(".answers article .meta a").first.click()
        expect(page.locator("main mark").first).to_be_visible()
        marked = " ".join(" ".join(page.locator("main mark").all_inner_texts()).split())
        assert marked.replace(" ", "") in words.replace(" ", "")
        assert re.search(r"/documents/[^/]+/pages/\d+", page.url)


def test_asking_by_keyboard_alone(browser: Browser, demo: Demo) -> None:
    """Skip to the content, ask, tab to the source and open it: all without a mouse."""
    with Visitor(browser, demo.address) as visitor:
        page = visitor.page
        page.goto("/")
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_class("skip")
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_role("searchbox")).to_be_focused()
        page.keyboard.type(QUESTION)
        page.keyboard.press("Enter")
        source = page.locator(".answers article .meta a").first
        expect(source).to_be_visible()
        for _ in range(60):
            page.keyboard.press("Tab")
            if source.evaluate("each => each === document.activeElement"):
                break
        expect(source).to_be_focused()
        assert source.evaluate("each => getComputedStyle(each).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        expect(page.locator("main mark").first).to_be_visible()


def test_filters_narrow_without_a_new_page(browser: Browser, demo: Demo) -> None:
    """With scripts a choice takes effect at once, the address says it, and going back undoes it."""
    with Visitor(browser, demo.address) as visitor:
        page = visitor.page
        page.goto(OPEN["answer"])
        page.get_by_label("Langue du document").select_option("en")
        page.wait_for_url("**language=en**")
        expect(page.locator(".answers blockquote").first).to_have_attribute("lang", "en")
        for quote in page.locator(".answers blockquote").all():
            assert quote.get_attribute("lang") == "en"
        expect(page.get_by_role("status")).not_to_be_empty()
        page.go_back()
        expect(page.get_by_label("Langue du document")).to_have_value("")


def test_the_switch_of_language_stays(browser: Browser, demo: Demo) -> None:
    """Whoever switches to English keeps the question, and English on the next pages."""
    with Visitor(browser, demo.address) as visitor:
        page = visitor.page
        page.goto(OPEN["answer"])
        page.get_by_role("link", name="English").click()
        expect(page.locator("html")).to_have_attribute("lang", "en")
        expect(page.get_by_role("searchbox")).to_have_value(QUESTION)
        page.get_by_role("link", name="Library").click()
        expect(page.locator("html")).to_have_attribute("lang", "en")


def test_a_service_that_stops_is_said_and_comes_back(browser: Browser, demo: Demo) -> None:
    """What was read stays on the page, with what to do; when the service is back, it goes on."""
    gate = Gate(create_app(demo.kb))
    with served(gate) as address, Visitor(browser, address) as visitor:
        page = visitor.page
        page.goto(OPEN["answer"])
        language = page.get_by_label("Langue du document")
        gate.open = False
        language.select_option("en")
        expect(page.get_by_role("alert")).to_contain_text("Le service ne répond pas")
        expect(page.locator(".answers blockquote").first).to_contain_text("300")
        gate.open = True
        language.select_option("fr")
        page.wait_for_url("**language=fr**")
        expect(page.get_by_role("alert")).to_have_count(0)
        visitor.complaints.clear()  # the browser tells of the connection that broke


def test_while_it_reads_it_says_so(
    browser: Browser, demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The field and what is being read are there before the answer is, also without scripts."""
    answer = SearchEngine.answer_async

    async def answer_late(*asked: Any) -> Answer:
        await asyncio.sleep(3)
        return await answer(*asked)

    monkeypatch.setattr(SearchEngine, "answer_async", answer_late)
    with Visitor(browser, demo.address, java_script_enabled=False) as visitor:
        page = visitor.page
        page.goto(OPEN["answer"], wait_until="commit")
        expect(page.locator(".waiting")).to_be_visible()
        expect(page.get_by_role("searchbox")).to_have_value(QUESTION)
        expect(page.locator(".answers blockquote").first).to_be_visible(timeout=30_000)
        expect(page.locator(".waiting")).to_be_hidden()


class Gate:
    """A service that can be cut off: it then breaks every connection without an answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.open = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or break off."""
        if scope["type"] == "http" and not self.open:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise ConnectionAbortedError
        await self._app(scope, receive, send)

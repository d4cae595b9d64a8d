"""The search box for partners' pages: in a real browser, on another site, under a strict policy."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Base
from fakes import HashingEncoder, TickingClock
from playwright.sync_api import expect
from serving import served
from sqlalchemy import select, update
from starlette.responses import Response

from api.app import create_app
from kb.bootstrap import open_knowledge_base
from kb.record.schema import versions
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page, Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from kb.bootstrap import KnowledgeBase

SNIPPET = Path(__file__).parents[2] / "docs" / "partners" / "snippet"
EXAMPLE = "https://kb.example.org"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
POLICY = re.compile(r"^ *Content-Security-Policy: (.*)$", re.MULTILINE)
# Over what the snippet asks partners for: no text can become HTML at all.
NO_HTML = "require-trusted-types-for 'script'; trusted-types 'none'"

FRENCH = "La garantie couvre la moitié des pertes des investisseurs de l'économie sociale."
ENGLISH = "The lantern workshop lends forty lanterns to every village of the valley."
HOSTILE = (
    "Les phares bretons <img src=x onerror=\"alert('text')\"> emploient <script>alert(1)</script> "
    "douze gardiens de nuit."
)
TITLE = "<img src=x onerror=\"alert('title')\"> Phares"
CEILING = "Le plafond des aides de minimis est de {} euros par entreprise unique sur trois ans."
SIDECAR = f"""\
files:
  garantie.md: {{title: Garantie en fonds propres, issuer: Opération Milliard, language: fr,
                published: 2026-01-15}}
  lanterns.md: {{title: Lanterns, issuer: Lantern Forum, language: en, published: 2025-06-01,
                url: "https://forum.example/lanterns"}}
  plafond-2013.md: {{title: Plafond de 2013, language: fr, published: 2013-12-18}}
  plafond-2023.md: {{title: Plafond de 2023, language: fr, published: 2023-12-13}}
  rappel.md: {{title: Rappel, language: fr}}
  phares.txt: {{title: {json.dumps(TITLE)}, issuer: "<b>Bretagne</b>", language: fr}}
"""
ASKED = "Que couvre la garantie ?"
ASKED_IN_ENGLISH = "How many lanterns does the workshop lend?"
OFF_TOPIC = "Quelle est la capitale de l'Australie ?"


class Site:
    """A partner's site with the snippet's own files; ``service`` is whom its page asks."""

    def __init__(self) -> None:
        self.service = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give a file, under the policy that the snippet says is enough."""
        if scope["type"] != "http":
            return
        file = SNIPPET / scope["path"].removeprefix("/")
        if not file.is_file():
            await Response("nothing here", 404)(scope, receive, send)
            return
        text = file.read_text(encoding="utf-8").replace(EXAMPLE, self.service)
        stated = POLICY.search((SNIPPET / "search.html").read_text(encoding="utf-8"))
        assert stated
        response = Response(text, media_type=TYPES[file.suffix])
        for policy in (stated[1].replace(EXAMPLE, self.service), NO_HTML):
            response.headers.append("Content-Security-Policy", policy)
        await response(scope, receive, send)


class Holding:
    """The service, which holds answers back while ``free`` is not set."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.free = threading.Event()
        self.free.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, once it may."""
        if scope.get("path") == "/v1/answers":
            await asyncio.to_thread(self.free.wait)
        await self._app(scope, receive, send)


class Visit:
    """A page of the partner's site in a browser, and everything that it did."""

    def __init__(self, page: Page, site: str) -> None:
        self.page = page
        self.asked: list[Request] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request))  # noqa: PLW0108 -- Playwright marks its listeners, which a built-in does not let it
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        page.goto(f"{site}/search.html")

    def box(self, language: str) -> Locator:
        """The search box in a language."""
        return self.page.locator(f".om-search[lang={language}]")

    def ask(self, question: str, language: str = "fr") -> Locator:
        """Ask, and wait until something else than waiting is said; gives the box."""
        box = self.box(language)
        box.get_by_role("searchbox").fill(question)
        box.get_by_role("button").click()
        expect(box.get_by_role("status")).not_to_have_text(re.compile(r"^$|…$"), timeout=60_000)
        return box


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[Site, str]]:
    """A partner's site and its address."""
    partner = Site()
    with served(partner) as address:
        yield partner, address


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    """Six documents, one of them hostile."""
    folder = tmp_path_factory.mktemp("snippet")
    settings: dict[str, Any] = {"home": folder / "home", "workers": 1}
    kb = open_knowledge_base(Settings(**settings), clock=TickingClock(), encoder=HashingEncoder())
    base = Base(kb, folder / "files")
    base.write("metadata.yaml", SIDECAR)
    base.write("garantie.md", "# Garantie", FRENCH)
    base.write("lanterns.md", "# Lanterns", ENGLISH)
    base.write("phares.txt", HOSTILE)
    base.write("plafond-2013.md", "# Plafond", CEILING.format("200 000"))
    base.write("plafond-2023.md", "# Plafond", CEILING.format("300 000"))
    base.write("rappel.md", "# Rappel", CEILING.format("300 000"))
    report = base.ingest()
    assert report.exit_code == 0, report.as_json()
    # Ingestion takes no such address any more; a base of before may hold one.
    with kb.engine.begin() as connection:
        found = versions.c.title == TITLE
        details = json.loads(connection.scalar(select(versions.c.details).where(found)) or "{}")
        told = json.dumps({**details, "url": "javascript:alert('link')"})
        connection.execute(update(versions).where(found).values(details=told))
    yield kb
    kb.close()


@contextmanager
def _service(kb: KnowledgeBase, site: tuple[Site, str], rate: int) -> Iterator[Holding]:
    """The service, asked by the partner's page, so often a minute."""
    partner, address = site
    former = partner.service
    changed = {"cors_origins": address, "rate_anonymous": rate}
    kb.settings = kb.settings.model_copy(update=changed)
    holding = Holding(create_app(kb))
    with served(holding) as partner.service:
        yield holding
    partner.service = former


@pytest.fixture(scope="module")
def service(site: tuple[Site, str], evidence: KnowledgeBase) -> Iterator[Holding]:
    """The service, which answers as many questions as a test asks."""
    with _service(evidence, site, 100_000) as holding:
        yield holding


@pytest.fixture
def visit(browser: Browser, site: tuple[Site, str], service: Holding) -> Iterator[Visit]:
    """Somebody on the partner's page, who meets no error and no violation of the policy."""
    del service
    partner, address = site
    with browser.new_context(locale="fr-FR") as context:
        visit = Visit(context.new_page(), address)
        yield visit
    assert visit.complaints == []
    assert {request.url.rpartition(":")[2].partition("/")[0] for request in visit.asked} <= {
        partner.service.rpartition(":")[2],
        address.rpartition(":")[2],
    }


def test_answers_are_quotes_with_their_sources(visit: Visit, site: tuple[Site, str]) -> None:
    """In French: the quote word for word, and title, issuer, date and place below it."""
    box = visit.ask(ASKED)
    assert box.get_by_role("status").inner_text() == "1 citation trouvée."
    quote = box.locator("blockquote")
    assert quote.text_content() == FRENCH
    assert quote.get_attribute("lang") == "fr"
    said = box.locator("figcaption").inner_text()
    title = "Garantie en fonds propres"
    assert said == f"[1] {title} · Opération Milliard · 15 janvier 2026 · section 1"
    link = box.get_by_role("link", name=title)
    assert str(link.get_attribute("href")).startswith(f"{site[0].service}/v1/documents/")


def test_the_other_box_speaks_english_and_leaves_the_first_alone(visit: Visit) -> None:
    """Several boxes on a page each have their question and their answer."""
    french = visit.ask(ASKED)
    english = visit.ask(ASKED_IN_ENGLISH, "en")
    assert english.get_by_role("status").inner_text() == "1 quote found."
    assert english.locator("blockquote").text_content() == ENGLISH
    assert "Lantern Forum · 1 June 2025" in english.locator("figcaption").inner_text()
    link = english.get_by_role("link", name="Lanterns").get_attribute("href")
    assert link == "https://forum.example/lanterns"
    assert french.locator("blockquote").text_content() == FRENCH


def test_sources_that_agree_or_differ_stand_beside_the_quote(visit: Visit) -> None:
    """The same words elsewhere are named, and what others state otherwise is not left out."""
    box = visit.ask("Quel est le plafond des aides de minimis ?")
    assert box.get_by_role("status").inner_text() == "2 citations trouvées."
    assert box.locator(".om-also").inner_text() == "Également : [3] Rappel · section 1"
    said = box.get_by_role("region").inner_text()
    _, _, differs = said.partition("Les sources diffèrent, la plus récente d'abord :")
    assert [line for line in differs.splitlines() if line] == [
        "300 000 euros [1] · 13 décembre 2023 · version actuelle",
        "200 000 euros [2] · 18 décembre 2013 · version actuelle",
    ]


def test_what_is_not_evidenced_is_said_with_what_came_nearest(visit: Visit) -> None:
    """Nothing is quoted as an answer."""
    box = visit.ask(OFF_TOPIC)
    said = box.get_by_role("status").inner_text()
    assert said == "Les documents ne suffisent pas pour répondre."
    assert box.locator("figure").count() == 0
    assert "qui ne répondent pas" in box.get_by_role("region").inner_text()


def test_hostile_documents_stay_text(visit: Visit) -> None:
    """Markup is shown as it is written, and an address that is no web address is no link."""
    box = visit.ask("Combien de gardiens de nuit les phares bretons emploient-ils ?")
    assert "<img src=x onerror=" in str(box.locator("blockquote").text_content())
    caption = box.locator("figcaption")
    assert TITLE in caption.inner_text()
    assert "<b>Bretagne</b>" in caption.inner_text()
    assert box.locator("img, script, b").count() == 0
    assert caption.get_by_role("link").count() == 0


def test_no_key_no_cookie_and_nobody_else(visit: Visit, site: tuple[Site, str]) -> None:
    """The page asks its own site and the service, anonymously, and keeps nothing."""
    visit.ask(ASKED)
    asked = [request for request in visit.asked if request.url.startswith(site[0].service)]
    assert {request.url for request in asked} == {f"{site[0].service}/v1/answers"}
    for request in asked:
        assert not {"authorization", "x-api-key", "cookie"} & set(request.all_headers())
    assert visit.page.context.storage_state() == {"cookies": [], "origins": []}


def test_typing_again_cancels_the_former_question(visit: Visit, service: Holding) -> None:
    """Its answer is not shown, and the next one is."""
    box = visit.box("fr")
    service.free.clear()
    try:
        box.get_by_role("searchbox").fill(ASKED)
        box.get_by_role("button").click()
        expect(box.get_by_role("status")).to_have_text("Recherche en cours…")
        with visit.page.expect_event("requestfailed") as failed:
            box.get_by_role("searchbox").press_sequentially("?")
        assert failed.value.failure == "net::ERR_ABORTED"
        expect(box.get_by_role("status")).to_have_text("")
    finally:
        service.free.set()
    visit.ask(OFF_TOPIC)
    assert box.get_by_role("region").count() == 1
    assert box.locator("figure").count() == 0


def test_a_service_that_does_not_answer_is_not_waited_for_for_ever(
    visit: Visit, service: Holding
) -> None:
    """After a minute the visitor may try again."""
    visit.page.clock.install()
    service.free.clear()
    try:
        box = visit.box("fr")
        box.get_by_role("searchbox").fill(ASKED)
        box.get_by_role("button").click()
        expect(box.get_by_role("status")).to_have_text("Recherche en cours…")
        visit.page.clock.run_for(61_000)
        expect(box.get_by_role("status")).to_contain_text("ne répond pas")
    finally:
        service.free.set()


def test_the_keyboard_and_a_screen_reader_are_enough(visit: Visit) -> None:
    """A labelled field, a button, a message that is read out, a named region with the links."""
    box, page = visit.box("fr"), visit.page
    field = box.get_by_role("searchbox", name="Votre question, en français ou en anglais")
    field.focus()
    page.keyboard.type(ASKED)
    page.keyboard.press("Enter")
    region = box.get_by_role("region", name=f"Réponse à : {ASKED}")
    expect(region).to_be_visible(timeout=60_000)
    expect(field).to_be_focused()
    page.keyboard.press("Tab")
    expect(box.get_by_role("button", name="Chercher")).to_be_focused()
    page.keyboard.press("Tab")
    link = region.get_by_role("link", name="Garantie en fonds propres")
    expect(link).to_be_focused()
    outline = link.evaluate("each => getComputedStyle(each).outlineStyle")
    assert outline != "none"


# The contrast of a text with what is behind it (WCAG 2, "contrast ratio"); where nothing is, that
# is Chromium's own white or dark grey.
CONTRAST = """
each => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  let behind = each;
  let ground = "rgba(0, 0, 0, 0)";
  for (; behind && numbers(ground)[3] === 0; behind = behind.parentElement)
    ground = getComputedStyle(behind).backgroundColor;
  if (numbers(ground)[3] === 0) ground = dark ? "rgb(18, 18, 18)" : "rgb(255, 255, 255)";
  const light = (colour) => numbers(colour).slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const [one, other] = [light(getComputedStyle(each).color), light(ground)];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_small_telephone_shows_all_of_it(visit: Visit, scheme: Any) -> None:
    """At 320 pixels nothing hangs over, letters stand out, and fingers find what they touch."""
    page = visit.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 320, "height": 640})
    box = visit.ask("Combien de gardiens de nuit les phares bretons emploient-ils ?")
    visit.ask(ASKED_IN_ENGLISH, "en")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    for part in box.locator("input, button, figcaption, blockquote, p").all():
        assert part.evaluate(CONTRAST) >= 4.5
    for part in box.locator("input, button").all():
        size = part.bounding_box()
        assert size is not None
        assert size["height"] >= 44


def test_without_javascript_the_form_leads_to_the_service(
    browser: Browser, site: tuple[Site, str], service: Holding
) -> None:
    """The policy lets it, and there is a page."""
    del service
    with browser.new_context(java_script_enabled=False) as context:
        visit = Visit(context.new_page(), site[1])
        box = visit.box("fr")
        box.get_by_role("searchbox").fill(ASKED)
        with visit.page.expect_navigation() as landed:
            box.get_by_role("button").click()
        assert landed.value.status == 200
        assert landed.value.url.startswith(f"{site[0].service}/")


def test_who_asks_too_often_is_told_when_to_come_back(
    browser: Browser, site: tuple[Site, str], evidence: KnowledgeBase
) -> None:
    """The service's own refusal, in the visitor's words."""
    with (
        _service(evidence, site, 1),
        browser.new_context() as context,
    ):
        visit = Visit(context.new_page(), site[1])
        visit.ask(ASKED)
        box = visit.ask(ASKED)
        said = box.get_by_role("status").inner_text()
        assert box.locator("figure").count() == 0
    wanted = r"Trop de questions en peu de temps\. Réessayez dans \d+ secondes, à \d\d:\d\d:\d\d\."
    assert re.fullmatch(wanted, said)


def test_a_service_that_is_away_is_said_to_be(
    browser: Browser, site: tuple[Site, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the reason, the visitor can try again."""
    monkeypatch.setattr(site[0], "service", "http://127.0.0.1:1")
    with browser.new_context() as context:
        said = Visit(context.new_page(), site[1]).ask(ASKED).get_by_role("status").inner_text()
    assert said == "Le service ne répond pas. Vérifiez votre connexion, puis réessayez."

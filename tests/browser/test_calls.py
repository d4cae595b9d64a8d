"""A volunteer looks for money: from a word to a call, its sentences, its dates, and its alerts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from browsing import DESKTOP, PHONE, Visitor
from playwright.sync_api import expect

if TYPE_CHECKING:
    from browsing import Demo
    from playwright.sync_api import Browser, Page

ASKED: Final = "aide aux victimes de violences"
WAYS: Final = pytest.mark.parametrize(
    ("size", "scripts"),
    [(DESKTOP, True), (DESKTOP, False), (PHONE, True), (PHONE, False)],
    ids=["desktop", "desktop without scripts", "phone", "phone without scripts"],
)


def search(page: Page, words: str) -> None:
    """Write into the field of the page of calls and press Enter."""
    field = page.get_by_role("searchbox")
    field.fill(words)
    field.press("Enter")
    page.wait_for_url(re.compile(r"\?q="))


@WAYS
def test_from_a_word_to_the_sentences_of_a_call(
    browser: Browser, demo: Demo, size: dict[str, int], *, scripts: bool
) -> None:
    """Search, narrow down, open the best call, read where it says so, and come back."""
    options = {"viewport": size, "java_script_enabled": scripts}
    with Visitor(browser, demo.address, **options) as visitor:
        page = visitor.page
        page.goto("/")
        page.get_by_role("link", name="Appels à projets").first.click()
        search(page, ASKED)
        assert page.get_by_role("article").count() > 1
        page.get_by_label("Programme").select_option("CERV")
        page.get_by_role("button", name="Appliquer").click()
        page.wait_for_url(re.compile("programme=CERV"))
        expect(page.get_by_role("searchbox")).to_have_value(ASKED)
        shown = page.locator(".call-state .meta").all_inner_texts()
        assert set(shown) == {"CERV"}
        quote = page.locator(".why blockquote").first
        said = " ".join(quote.inner_text().split())
        place = page.locator(".why .meta a").first
        place.click()
        marked = " ".join(" ".join(page.locator("main mark").all_inner_texts()).split())
        assert marked.replace(" ", "") == said.replace(" ", "")
        page.go_back()
        title = page.locator(".call-title a").first
        name = title.inner_text()
        title.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        for heading in ("Conditions", "Ce que dit l’appel", "Ce qui a changé"):
            expect(page.get_by_role("heading", name=heading, level=2)).to_be_visible()
        assert visitor.overflow() <= 0


@WAYS
def test_from_the_calendar_to_a_day_and_a_call(
    browser: Browser, demo: Demo, size: dict[str, int], *, scripts: bool
) -> None:
    """Go to a month with deadlines, to one of its days, and open what is due on it."""
    options = {"viewport": size, "java_script_enabled": scripts, "locale": "en-GB"}
    with Visitor(browser, demo.address, **options) as visitor:
        page = visitor.page
        page.goto("/calls?programme=CERV")
        page.get_by_role("link", name="Calendar").click()
        following = page.get_by_role("link", name=re.compile("^The next one is on"))
        if following.count():
            following.click()
        page.locator("table.month td a").first.click()
        day = page.url.partition("#")[2]
        assert day.startswith("day-")
        assert "programme=CERV" in page.url
        due = page.locator(f"#{day} li a").first
        expect(due).to_be_in_viewport()
        name = due.inner_text()
        due.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        assert visitor.overflow() <= 0


@WAYS
def test_an_association_describes_itself(
    browser: Browser, demo: Demo, size: dict[str, int], *, scripts: bool
) -> None:
    """It is told what speaks for and against each call; nothing stands in the address."""
    options = {"viewport": size, "java_script_enabled": scripts}
    with Visitor(browser, demo.address, **options) as visitor:
        page = visitor.page
        page.goto("/calls")
        page.get_by_role("link", name="Décrivez votre association").click()
        words = "Nous accompagnons des femmes victimes de violences conjugales."
        page.get_by_label("Que fait votre association").fill(words)
        page.get_by_label("Partenaires").fill("beaucoup")
        page.get_by_role("button", name="Trouver les appels").click()
        error = page.get_by_role("link", name="Écrivez un nombre entier")
        error.click()
        field = page.get_by_label("Partenaires")
        expect(field).to_be_focused()
        expect(page.get_by_label("Que fait votre association")).to_have_value(words)
        field.fill("1")
        page.get_by_role("button", name="Trouver les appels").click()
        expect(page.get_by_role("heading", name="le plus proche d’abord")).to_be_visible()
        first = page.get_by_role("article").first
        expect(first.get_by_role("heading", name="Pourquoi il peut convenir")).to_be_visible()
        expect(first.get_by_role("heading", name="Ce qui peut l’exclure")).to_be_visible()
        assert first.locator("blockquote").count() >= 1
        assert "violences" not in page.url
        assert visitor.overflow() <= 0


def test_a_filter_changes_the_list_where_it_stands(browser: Browser, demo: Demo) -> None:
    """With scripts: no new page, the number is read out, the address follows, and back works."""
    with Visitor(browser, demo.address) as visitor:
        page = visitor.page
        page.goto("/calls")
        page.evaluate("window.kept = true")
        before = page.locator("#found").inner_text()
        page.get_by_label("Programme").focus()
        page.get_by_label("Programme").select_option("CERV")
        page.wait_for_url(re.compile("programme=CERV"))
        expect(page.locator("#found")).not_to_have_text(before)
        expect(page.get_by_label("Programme")).to_be_focused()
        count = re.match(r"\d+", page.locator("#found").inner_text())
        assert count
        expect(page.locator("#status")).to_contain_text(count[0])
        assert page.evaluate("window.kept") is True
        page.go_back()
        expect(page.locator("#found")).to_have_text(before)


def test_the_keyboard_is_enough(browser: Browser, demo: Demo) -> None:
    """From the top of the page to a call, with every stop visible."""
    with Visitor(browser, demo.address) as visitor:
        page = visitor.page
        page.goto("/calls")
        focus_on(page, "#q")
        page.keyboard.type("rights")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("q=rights"))
        focus_on(page, ".call-title a")
        title = str(page.evaluate("document.activeElement.textContent"))
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        focus_on(page, "summary")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Adresse du calendrier (ICS)")).to_be_visible()


def focus_on(page: Page, wanted: str) -> None:
    """Press Tab until something is focused that fits; whatever is on the way can be seen."""
    for _ in range(60):
        page.keyboard.press("Tab")
        found: dict[str, Any] = page.evaluate(
            """wanted => {
              const now = document.activeElement;
              const style = getComputedStyle(now);
              const box = now.getBoundingClientRect();
              return {
                fits: now.matches(wanted),
                outline: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
                seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
              };
            }""",
            wanted,
        )
        assert found["outline"]
        assert found["seen"]
        if found["fits"]:
            return
    pytest.fail(f"nothing like {wanted} is reached by Tab")


def test_an_address_is_copied_by_a_button(browser: Browser, demo: Demo) -> None:
    """And said to be; without scripts it stands there to be selected."""
    with Visitor(browser, demo.address, permissions=["clipboard-read", "clipboard-write"]) as ours:
        page = ours.page
        page.goto("/calls/follow?q=climat")
        page.get_by_role("button", name="Copier").first.click()
        expect(page.get_by_role("button", name="Copié")).to_be_visible()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == page.get_by_label("Adresse du calendrier (ICS)").input_value()
        assert page.request.get(copied).ok


@pytest.mark.parametrize(("scheme", "locale"), [("light", "en-GB"), ("dark", "fr-FR")])
def test_every_page_of_calls_is_accessible(
    browser: Browser, demo: Demo, scheme: str, locale: str
) -> None:
    """Axe finds nothing on those that are met on the way, wide and narrow."""
    faults: list[str] = []
    with Visitor(browser, demo.address, locale=locale, color_scheme=scheme) as visitor:
        page = visitor.page
        page.goto("/calls/match")
        page.locator("#description").fill("We support victims of violence.")
        page.locator("main form button").click()
        faults += visitor.faults()
        page.locator(".call-title a").first.click()
        paths = (
            page.url,
            "/calls?q=zeppelins&programme=CERV&status=any",
            "/calls?deadline_after=2026-02-31&budget_min=x&q=droits",
            "/calls?programme=nothing",
            "/calls?view=calendar&month=2026-09&status=any",
            "/calls/follow?q=climat&country=FR&budget_max=-1",
            "/calls/follow/deleted",
            "/v1/unsubscribe/nothing",
        )
        for path in paths:
            page.goto(path)
            for size in (DESKTOP, PHONE):
                page.set_viewport_size(size)  # type: ignore[arg-type]
                faults += [f"{path}: {fault}" for fault in visitors_faults(visitor)]
    assert faults == []


def visitors_faults(visitor: Visitor) -> list[str]:
    """What axe finds, and whether the page is wider than its window."""
    wide = visitor.overflow()
    return [*visitor.faults(), *([f"{wide} pixels too wide"] if wide > 0 else [])]

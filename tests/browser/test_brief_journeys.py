"""Briefs in a browser: quotes are collected, put in order, written between and passed on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from browsing import DESKTOP, PHONE, Visitor
from playwright.sync_api import expect

from kb.briefs.model import Paragraph, Reference
from kb.record.briefs import BriefsRecord

if TYPE_CHECKING:
    from browsing import Demo
    from playwright.sync_api import Browser, Locator, Page

    from kb.briefs.model import Brief

QUESTION: Final = "Quel est le plafond des aides de minimis sur trois ans ?"
ADD: Final = re.compile("Ajouter au dossier|Add to the brief")
ADDED: Final = re.compile("Ajouté au dossier|Added to the brief")
WRITTEN: Final = "Le plafond compte pour chaque association."


def collect(page: Page, count: int = 1, *, scripts: bool = True) -> None:
    """Ask, and add the first quotes of the answer to the brief, each time staying on the page."""
    page.goto(f"/?q={QUESTION}")
    asked = page.url
    for number in range(count):
        answer = page.locator(".answers > li").nth(number).locator("article").first
        button = answer.get_by_role("button", name=ADD)
        if scripts:
            button.click()
            expect(answer.get_by_role("link", name=ADDED)).to_be_visible()
            assert page.url == asked
        else:
            with page.expect_navigation():
                button.click()
            expect(page.locator("#added")).to_be_visible()
            assert page.url == f"{asked}#added"


def open_brief(page: Page) -> Locator:
    """Open the brief that quotes went to; gives its blocks."""
    page.goto("/briefs")
    page.locator("main li a").first.click()
    expect(page.locator("#brief")).to_be_visible()
    return page.locator(".brief-blocks > li")


def drag(page: Page, what: Locator, onto: Locator) -> None:
    """Drag with the mouse as a hand does, over all that lies between."""
    what.hover()
    page.mouse.down()
    place = onto.bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + 20, place["y"] + 10, steps=20)
    page.mouse.move(place["x"] + 25, place["y"] + 12, steps=3)
    page.mouse.up()


def kept(demo: Demo, page: Page) -> Brief:
    """The brief of an open page as the service keeps it."""
    secret = page.url.partition("#")[0].rpartition("/")[2]
    found = BriefsRecord(demo.kb.engine).by_secret(secret)
    assert found is not None
    return found.brief


@pytest.mark.parametrize("locale", ["fr-FR", "en-GB"])
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_from_an_answer_to_a_brief_passed_on(
    browser: Browser, demo: Demo, size: dict[str, int], locale: str, *, scripts: bool
) -> None:
    """Collect two quotes, write, put in order, pass on: who has the link reads it, no more."""
    options = {"viewport": size, "java_script_enabled": scripts, "locale": locale}
    french = locale == "fr-FR"
    with Visitor(browser, demo.address, **options) as visitor:
        page = visitor.page
        collect(page, 2, scripts=scripts)
        blocks = open_brief(page)
        expect(blocks).to_have_count(2)
        second = blocks.nth(1).locator("blockquote").inner_text()
        blocks.nth(1).get_by_role("button", name="Monter" if french else "Up").click()
        expect(blocks.nth(0).locator("blockquote")).to_have_text(second, use_inner_text=True)
        page.get_by_text("Écrire une introduction" if french else "Write an introduction").click()
        page.get_by_label("Votre texte" if french else "Your own words").first.fill(WRITTEN)
        page.get_by_role(
            "button", name="Ajouter ce paragraphe" if french else "Add this paragraph"
        ).first.click()
        expect(blocks).to_have_count(3)
        expect(blocks.nth(0).locator("textarea").first).to_have_value(WRITTEN)
        assert visitor.overflow() == 0
        copy = page.get_by_role("button", name="Copier" if french else "Copy")
        expect(copy).to_be_visible(visible=scripts)
        link = page.get_by_label("Lien pour le lire" if french else "Link to read it")
        address = link.input_value()
        words = [type(block) for block in kept(demo, page).blocks]
        assert words == [Paragraph, Reference, Reference]
    with Visitor(browser, demo.address, **options) as reader:
        reader.page.goto(address)
        expect(reader.page.get_by_text(WRITTEN)).to_be_visible()
        expect(reader.page.locator("blockquote")).to_have_count(2)
        assert reader.page.locator("textarea").count() == 0


def test_briefs_are_accessible(browser: Browser, demo: Demo) -> None:
    """Edited and read, by day and night, wide and narrow: axe finds nothing."""
    with Visitor(browser, demo.address) as visitor:
        page = visitor.page
        collect(page)
        open_brief(page)
        page.get_by_text("Écrire une introduction").click()
        page.get_by_label("Votre texte").first.fill(WRITTEN)
        page.get_by_role("button", name="Ajouter ce paragraphe").first.click()
        expect(page.locator(".brief-blocks > li")).to_have_count(2)
        faults: list[str] = []
        for way in ("", "?view=read"):
            page.goto(page.url.partition("?")[0].partition("#")[0] + way)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                faults += [f"{way} {scheme}: {fault}" for fault in visitor.faults()]
            page.set_viewport_size({"width": 320, "height": 700})
            faults += [f"{way} narrow: {fault}" for fault in visitor.faults()]
            assert visitor.overflow() == 0
            page.set_viewport_size({"width": 1280, "height": 900})
        assert faults == []


def test_what_is_written_is_saved_by_itself(browser: Browser, demo: Demo) -> None:
    """After a pause, without a new page; and before a block is moved."""
    with Visitor(browser, demo.address) as visitor:
        page = visitor.page
        collect(page)
        blocks = open_brief(page)
        page.get_by_text("Écrire une introduction").click()
        page.get_by_label("Votre texte").first.fill(WRITTEN)
        page.get_by_role("button", name="Ajouter ce paragraphe").first.click()
        field = blocks.nth(0).locator("textarea").first
        expect(field).to_have_value(WRITTEN)
        expect(blocks.nth(0).locator(".brief-state").first).to_have_text("Enregistré")
        expect(blocks.nth(0).locator(".brief-state").first).to_be_visible()
        field.press("End")
        field.press_sequentially(" Oui.")
        expect(blocks.nth(0).locator(".brief-state")).to_have_text("Enregistré")
        expect(field).to_be_focused()
        assert kept(demo, page).blocks[0] == Paragraph(f"{WRITTEN} Oui.")
        field.press_sequentially(" Encore.")
        blocks.nth(0).get_by_role("button", name="Descendre").click()
        moved = blocks.nth(1).locator("textarea").first
        expect(moved).to_have_value(f"{WRITTEN} Oui. Encore.")
        assert kept(demo, page).blocks[1] == Paragraph(f"{WRITTEN} Oui. Encore.")


def test_somebody_else_is_not_written_over(browser: Browser, demo: Demo) -> None:
    """Two people at one brief: the second is told, and both texts are there to be joined."""
    with Visitor(browser, demo.address) as one:
        page = one.page
        collect(page)
        open_brief(page)
        page.get_by_text("Écrire une introduction").click()
        page.get_by_label("Votre texte").first.fill("Le texte commun.")
        page.get_by_role("button", name="Ajouter ce paragraphe").first.click()
        expect(page.locator(".brief-blocks > li")).to_have_count(2)
        with Visitor(browser, demo.address, java_script_enabled=False) as other:
            other.page.goto(page.get_by_label("Lien pour le modifier").input_value())
            other.page.locator("#t0").fill("Le texte de l'autre.")
            other.page.get_by_role("button", name="Enregistrer ce paragraphe").click()
        page.locator("#t0").fill("Mon texte.")
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("Quelqu’un d’autre a modifié ce dossier")
        expect(alert).to_be_focused()
        expect(alert.locator("textarea")).to_have_value("Mon texte.")
        expect(page.locator("#t0")).to_have_value("Le texte de l'autre.")


def test_a_brief_is_ordered_by_keyboard_and_by_mouse(browser: Browser, demo: Demo) -> None:
    """A button keeps the focus so that it can be pressed again; a block can be dragged."""
    with Visitor(browser, demo.address) as visitor:
        page = visitor.page
        collect(page, 2)
        blocks = open_brief(page)
        page.get_by_text("Écrire une introduction").click()
        page.get_by_label("Votre texte").first.fill(WRITTEN)
        page.get_by_role("button", name="Ajouter ce paragraphe").first.click()
        expect(blocks).to_have_count(3)
        blocks.nth(0).get_by_role("button", name="Descendre").focus()
        page.keyboard.press("Enter")
        expect(blocks.nth(1).get_by_role("button", name="Descendre")).to_be_focused()
        page.keyboard.press("Enter")
        expect(blocks.nth(2).locator("textarea").first).to_have_value(WRITTEN)
        expect(blocks.nth(2).get_by_role("button", name="Monter")).to_be_focused()
        expect(page.get_by_role("status")).to_have_text("Déplacé")
        page.set_viewport_size({"width": 1280, "height": 2000})
        drag(page, blocks.nth(2).locator(".brief-grip"), blocks.nth(0).locator("blockquote"))
        expect(blocks.nth(0).locator("textarea").first).to_have_value(WRITTEN)
        assert isinstance(kept(demo, page).blocks[0], Paragraph)


def test_a_service_that_does_not_answer_loses_no_words(browser: Browser, demo: Demo) -> None:
    """It is said beside the text, which stays and is saved once the service is back."""
    with Visitor(browser, demo.address) as visitor:
        page = visitor.page
        collect(page)
        blocks = open_brief(page)
        page.get_by_text("Écrire une introduction").click()
        page.get_by_label("Votre texte").first.fill(WRITTEN)
        page.get_by_role("button", name="Ajouter ce paragraphe").first.click()
        field = blocks.nth(0).locator("textarea").first
        expect(field).to_have_value(WRITTEN)
        page.route("**/briefs/*", lambda route: route.abort())
        field.fill("Autre chose.")
        expect(page.get_by_role("status")).to_contain_text("Pas enregistré")
        expect(blocks.nth(0).locator(".brief-state")).to_contain_text("Votre texte est toujours là")
        expect(field).to_have_value("Autre chose.")
        page.unroute("**/briefs/*")
        blocks.nth(0).get_by_role("button", name="Enregistrer ce paragraphe").click()
        expect(page.get_by_role("status")).to_have_text("Enregistré")
        assert kept(demo, page).blocks[0] == Paragraph("Autre chose.")

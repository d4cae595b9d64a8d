"""The team's journey: sign in, add documents, find them, make and end a key, sign out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from browsing import DESKTOP, PHONE, Visitor
from fakes import TickingClock
from playwright.sync_api import expect
from reportlab.pdfgen.canvas import Canvas
from serving import served

from api.app import create_app
from kb.bootstrap import open_knowledge_base
from kb.keys import KeyRole, NewKey
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from kb.bootstrap import KnowledgeBase

# Of a run that reads an upload, on a machine that does much else.
PATIENCE: Final = 240_000
FACT: Final = "L'atelier des lanternes prête quarante lanternes à chaque village de la vallée."
QUESTION: Final = "Combien de lanternes l'atelier prête-t-il à chaque village ?"
MISSED: Final = "Quelle est la capitale de l'Australie ?"
# What the pages say in each language.
WORDS: Final[dict[str, dict[str, str]]] = {
    "fr-FR": {
        "team": "Équipe",
        "add": "Ajouter des documents",
        "title": "Titre",
        "everybody": "Tout le monde",
        "file": "Fichier",
        "upload": "Envoyer",
        "done": "Dans la bibliothèque",
        "failed": "N’a pas pu être lu",
        "again": "Regarder à nouveau",
        "open": "L’ouvrir",
        "missing": "Ce qui manque",
        "keys": "Clés",
        "name": "Nom",
        "make": "Créer la clé",
        "key": "Clé",
        "back": "Je l’ai copiée",
        "revoke": "Révoquer",
        "revoke it": "La révoquer",
        "revoked": "est révoquée",
        "audit": "Qui a demandé quoi",
        "access": "Mon accès",
        "sign in": "Se connecter",
        "sign out": "Se déconnecter",
    },
    "en-GB": {
        "team": "Team",
        "add": "Add documents",
        "title": "Title",
        "everybody": "Everybody",
        "file": "File",
        "upload": "Upload",
        "done": "In the library",
        "failed": "Could not be read",
        "again": "Look again",
        "open": "Open it",
        "missing": "What is missing",
        "keys": "Keys",
        "name": "Name",
        "make": "Make the key",
        "key": "Key",
        "back": "I have copied it",
        "revoke": "Revoke",
        "revoke it": "Revoke it",
        "revoked": "is revoked",
        "audit": "Who asked what",
        "access": "My access",
        "sign in": "Sign in",
        "sign out": "Sign out",
    },
}


@pytest.fixture(scope="module")
def kb(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    """A base as it is installed, which is empty: the run that reads an upload opens the same."""
    del browser  # without one nothing is tried
    values: dict[str, Any] = {
        "home": tmp_path_factory.mktemp("staff") / "home",
        "workers": 1,
        "rate_anonymous": 100_000,
        "rate_key": 100_000,
    }
    opened = open_knowledge_base(Settings(**values), clock=TickingClock())
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def service(kb: KnowledgeBase) -> Iterator[str]:
    """Its address."""
    with served(create_app(kb)) as address:
        yield address


def pdf(path: Path, *lines: str) -> Path:
    """A PDF of one page."""
    canvas = Canvas(str(path))
    for number, line in enumerate(lines):
        canvas.drawString(50, 780 - 20 * number, line)
    canvas.save()
    return path


def sign_in(kb: KnowledgeBase, page: Page, words: dict[str, str], name: str) -> None:
    """Sign in with a new key of the team."""
    _, text = kb.keys.create(NewKey(name, KeyRole.STAFF), kb.clock())
    page.goto("/")
    page.get_by_role("link", name=words["sign in"]).click()
    page.locator("input[name=key]").fill(text)
    page.get_by_role("button", name=words["sign in"]).click()
    expect(page.get_by_role("link", name=words["access"])).to_be_visible()


def go(page: Page, words: dict[str, str], where: str) -> None:
    """Open a page of the team by its menu."""
    page.locator(".site-nav").get_by_role("link", name=words["team"]).click()
    page.locator(".team-nav").get_by_role("link", name=words[where], exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(words[where])


def make_and_end_a_key(page: Page, words: dict[str, str], name: str) -> None:
    """Make a key, see it this once, and revoke it."""
    go(page, words, "keys")
    page.get_by_label(words["name"], exact=True).fill(name)
    page.get_by_role("button", name=words["make"]).click()
    text = page.get_by_label(words["key"], exact=True).input_value()
    assert re.fullmatch("omk_[0-9A-Za-z]{49}", text)
    page.get_by_role("link", name=words["back"]).click()
    assert text not in page.content()
    page.get_by_role("link", name=f"{words['revoke']} {name}").click()
    page.get_by_role("button", name=words["revoke it"]).click()
    expect(page.get_by_text(f"{name} {words['revoked']}")).to_be_visible()


def ask(page: Page, question: str) -> None:
    """Ask on the home page."""
    page.goto("/")
    page.get_by_role("searchbox").fill(question)
    page.keyboard.press("Enter")
    page.wait_for_url("**q=**")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "size"), [("fr-FR", DESKTOP), ("en-GB", PHONE)], ids=["fr", "en-phone"]
)
def test_the_teams_day_with_scripts(  # noqa: PLR0913, PLR0917 -- one parameter a fixture
    browser: Browser,
    kb: KnowledgeBase,
    service: str,
    tmp_path: Path,
    language: str,
    size: dict[str, int],
) -> None:
    """Several files at once, whose progress and reports come by themselves; all the rest."""
    words, name = WORDS[language], f"Équipe {language}"
    place = language[:2]
    good = pdf(tmp_path / f"lanternes-{place}.pdf", "Atelier", FACT, f"Rapport {place}.")
    broken = tmp_path / f"casse-{place}.pdf"
    broken.write_bytes(b"%PDF-1.7 nothing more")
    with Visitor(browser, service, locale=language, viewport=size) as visitor:
        page = visitor.page
        sign_in(kb, page, words, name)
        go(page, words, "add")
        page.get_by_label(words["everybody"]).check()
        page.get_by_label(words["file"]).set_input_files([good, broken])
        page.get_by_role("button", name=words["upload"]).click()
        sent = page.locator("#sent li")
        expect(sent).to_have_count(2)
        expect(sent.nth(0)).to_contain_text(words["done"], timeout=PATIENCE)
        expect(sent.nth(1)).to_contain_text(words["failed"], timeout=PATIENCE)
        expect(page.get_by_role("table")).to_contain_text(words["failed"])
        assert visitor.faults() == []
        assert visitor.overflow() == 0
        sent.nth(1).get_by_role("link").click()
        expect(page.get_by_role("table")).to_contain_text(broken.name)
        assert visitor.faults() == []
        page.go_back()
        page.get_by_role("link", name=good.name).first.click()
        page.get_by_role("link", name=words["open"]).click()
        page.wait_for_url("**/documents/**")
        ask(page, QUESTION)
        expect(page.locator("blockquote").first).to_contain_text("quarante lanternes")
        ask(page, MISSED)
        page.wait_for_load_state()
        make_and_end_a_key(page, words, f"Antenne {place}")
        assert kb.trail.flush(10)
        go(page, words, "missing")
        expect(page.locator("main ol")).to_contain_text(MISSED)
        go(page, words, "audit")
        expect(page.get_by_role("table")).to_contain_text(QUESTION)
        page.get_by_role("link", name=words["access"]).click()
        page.get_by_role("button", name=words["sign out"]).click()
        expect(page.get_by_role("link", name=words["sign in"])).to_be_visible()
        answered = page.goto("/staff")
        assert answered is not None
        assert answered.status == 404


@pytest.mark.slow
def test_the_teams_day_without_scripts(
    browser: Browser, kb: KnowledgeBase, service: str, tmp_path: Path
) -> None:
    """One file at a time by a plain form, whose report is looked at again by a link."""
    words = WORDS["fr-FR"]
    note = tmp_path / "phares.md"
    note.write_text("# Phares\n\nDouze gardiens veillent sur les phares bretons.\n", "utf-8")
    with Visitor(browser, service, java_script_enabled=False) as visitor:
        page = visitor.page
        sign_in(kb, page, words, "Sans scripts")
        go(page, words, "add")
        page.get_by_label(words["title"]).fill("Phares bretons")
        page.get_by_label(words["file"]).set_input_files(note)
        page.get_by_role("button", name=words["upload"]).click()
        page.wait_for_url("**/staff/uploads/*")
        again = page.get_by_role("link", name=words["again"])
        for _ in range(PATIENCE // 1000):
            if not again.is_visible():
                break
            page.wait_for_timeout(1000)
            again.click()
        expect(page.locator("main")).to_contain_text(words["done"])
        page.goto("/documents?q=phares")
        expect(page.locator(".documents")).to_contain_text("Phares bretons")
        make_and_end_a_key(page, words, "Antenne sans scripts")


def test_a_wrong_field_is_told_without_leaving_the_page(
    browser: Browser, kb: KnowledgeBase, service: str, tmp_path: Path
) -> None:
    """With scripts as without: beside the field, with the chosen file kept."""
    words = WORDS["fr-FR"]
    note = tmp_path / "note.md"
    note.write_text("# Note\n\nUne note.\n", "utf-8")
    with Visitor(browser, service) as visitor:
        page = visitor.page
        sign_in(kb, page, words, "Erreurs")
        go(page, words, "add")
        page.locator("#upload-form summary").click()
        page.locator("#upload-form").evaluate("form => { form.noValidate = true; }")
        page.locator("#f-url").fill("javascript:alert(1)")
        page.get_by_label(words["file"]).set_input_files(note)
        page.get_by_role("button", name=words["upload"]).click()
        expect(page.locator("#e-url")).to_be_visible()
        expect(page.locator("#f-url")).to_be_focused()
        assert page.url.endswith("/staff/uploads")
        assert page.locator("#f-file").evaluate("each => each.files[0].name") == "note.md"
        assert visitor.faults() == []


def test_a_connection_that_is_lost_is_told(
    browser: Browser, kb: KnowledgeBase, service: str, tmp_path: Path
) -> None:
    """And the file can be sent again."""
    words = WORDS["fr-FR"]
    note = tmp_path / "note.md"
    note.write_text("# Note\n\nUne note.\n", "utf-8")
    with Visitor(browser, service) as visitor:
        page = visitor.page
        sign_in(kb, page, words, "Réseau coupé")
        go(page, words, "add")
        page.route("**/staff/uploads", lambda route: route.abort())
        page.get_by_label(words["file"]).set_input_files(note)
        page.get_by_role("button", name=words["upload"]).click()
        expect(page.locator("#sent li")).to_contain_text("rechargez la page")
        expect(page.get_by_role("button", name=words["upload"])).to_be_enabled()

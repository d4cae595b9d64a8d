"""Asking in a browser: quotes with their pages, filters, and plain words for errors."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from kb.errors import StoreError
from kb.keys import KeyRole, NewKey
from kb.model import FULL_ACCESS, FeedbackKind
from kb.search.engine import SearchEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Base
    from httpx2 import Response

FRENCH = "La garantie couvre la moitié des pertes des investisseurs de l'économie sociale."
ENGLISH = "The lantern workshop lends forty lanterns to every village of the valley."
HOSTILE = (
    "Les phares <script>alert(1)</script> emploient douze gardiens de nuit & <b>trois</b> chats."
)
HIDDEN = "Le coffre secret contient neuf mille pièces d'argent."
ASKED = "Que couvre la garantie ?"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "fr"}
SIDECAR = """\
files:
  garantie.md: {title: Garantie, issuer: Opération Milliard, language: fr, published: 2026-01-15,
                themes: [garantie-mecanisme]}
  lanterns.md: {title: Lanterns, issuer: Lantern Forum, language: en, published: 2025-06-01}
  phares.md: {title: "<i>Phares</i>", language: fr, kind: research}
  coffre.md: {title: Coffre, issuer: Trésor caché, language: fr, visibility: internal,
              published: 2019-01-01}
"""


@pytest.fixture
def client(base: Base) -> Iterator[TestClient]:
    """Somebody with a browser, without a key, before four documents; one is not for them."""
    base.write("metadata.yaml", SIDECAR)
    base.write("garantie.md", "# Garantie", FRENCH)
    base.write("lanterns.md", "# Lanterns", ENGLISH)
    base.write("phares.md", "# Phares", HOSTILE)
    base.write("coffre.md", "# Coffre", HIDDEN)
    assert base.ingest().exit_code == 0
    with TestClient(create_app(base.kb), headers=BROWSER, raise_server_exceptions=False) as client:
        yield client


def ask(client: TestClient, question: str = ASKED, **parameters: str) -> Response:
    """The page of an answer."""
    return client.get("/", params={"q": question, **parameters})


def quotes(html: str) -> list[str]:
    """The quotes that a page shows, as a reader sees them."""
    found = re.findall(r"<blockquote[^>]*>(.*?)</blockquote>", html, re.DOTALL)
    return [unescape(re.sub(r"<[^>]+>", "", each)).strip() for each in found]


def test_an_answer_is_quotes_that_lead_to_their_pages(client: TestClient) -> None:
    """The words are the document's own, and the link is to their very place in its text."""
    page = ask(client)
    assert page.status_code == 200
    assert FRENCH in quotes(page.text)
    link = re.search(r'<p class="meta"><a href="([^"]+)"', page.text)
    assert link
    address = urlsplit(urljoin("/", unescape(link[1])))
    place = parse_qs(address.query)
    [mark] = place["mark"]
    start, end = map(int, mark.split("-"))
    stored = client.get(f"/v1{address.path}", params={"version": place["version"][0]})
    assert stored.json()["text"][start:end] == FRENCH
    reading = client.get(f"{address.path}?{address.query}")
    assert reading.status_code == 200
    assert FRENCH in unescape(re.sub(r"<[^>]+>", "", reading.text))


def test_pages_speak_the_language_of_the_browser_or_of_the_switch(client: TestClient) -> None:
    """French without a wish; the switch is remembered by a cookie, and the page stays the same."""
    assert '<html lang="fr">' in client.get("/", headers={"Accept-Language": "de"}).text
    assert '<html lang="en">' in client.get("/", headers={"Accept-Language": "en-US"}).text
    switched = ask(client, lang="en")
    assert '<html lang="en">' in switched.text
    assert FRENCH in quotes(switched.text)
    assert "kb_lang=en" in switched.headers["set-cookie"]
    assert '<html lang="en">' in client.get("/").text
    assert "Accept-Language" in switched.headers["vary"]


def test_a_refusal_says_what_was_searched_and_what_is_near(client: TestClient) -> None:
    """Nothing is quoted; the three documents that may be seen were searched."""
    page = ask(client, "Quelle est la capitale de l'Australie ?")
    assert quotes(page.text) == []
    assert "Pas assez de preuves" in page.text
    assert "3 documents ont été parcourus" in page.text
    assert "Ce qui s’en approche le plus" in page.text


def test_what_may_not_be_seen_is_neither_found_nor_counted(client: TestClient, base: Base) -> None:
    """Neither its words nor its issuer, year or number show; to staff all of them do."""
    page = ask(client, "Que contient le coffre secret ?")
    for told in ("neuf mille", "Trésor caché", "Coffre<", "2019-01-01"):
        assert told not in page.text
    _, key = base.kb.keys.create(NewKey("Équipe", KeyRole.STAFF), base.kb.clock())
    mine = client.get("/", params={"q": ASKED}, headers={"Authorization": f"Bearer {key}"})
    assert "Trésor caché (1)" in mine.text
    assert "2019-01-01" in mine.text


def test_filters_say_how_many_documents_they_leave(client: TestClient) -> None:
    """A campaign stands for its themes, and a year for all since it."""
    page = ask(client).text
    assert re.search(r'value="garantie-fonds-propres">Garantie en fonds propres \(1\)', page)
    assert re.search(r'value="2025-01-01">2025 \(2\)', page)
    assert re.search(r'value="2026-01-01">2026 \(1\)', page)
    narrowed = ask(client, theme="garantie-fonds-propres").text
    assert FRENCH in quotes(narrowed)
    assert re.search(r'value="garantie-fonds-propres" selected', narrowed)
    assert FRENCH not in quotes(ask(client, language="en").text)
    assert FRENCH not in quotes(ask(client, until="2025-12-31").text)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"q": "x" * 1001}, "La question est trop longue"),
        ({"q": ASKED, "kind": "nonsense"}, "Le filtre «\u00a0kind\u00a0» est inutilisable"),
        ({"q": ASKED, "since": "2026-02-31"}, "Cette période est inutilisable"),
        ({"q": ASKED, "since": "2026-02-01", "until": "2026-01-01"}, "Cette période"),
        ({"q": ASKED, "language": "français"}, "Le filtre «\u00a0language\u00a0»"),
        ({"q": "\x00\x01"}, ""),
        ({"q": "   "}, "Que disent les sources"),
        ({"q": "\U0001f600 ???"}, ""),
    ],
)
def test_what_cannot_be_used_is_said_beside_it(
    client: TestClient, parameters: dict[str, str], said: str
) -> None:
    """No address of the page ends in an error; what is wrong is named in plain words."""
    page = client.get("/", params=parameters)
    assert page.status_code in {200, 422}
    assert said in page.text
    assert "</html>" in page.text


def test_words_of_documents_and_readers_stay_words(client: TestClient) -> None:
    """Neither can become a part of the page, which allows no script of its own anyway."""
    page = ask(client, "Combien de gardiens de nuit <img src=x> les phares emploient-ils ?")
    assert "<script>alert" not in page.text
    assert "<img" not in page.text
    assert "<i>Phares" not in page.text
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", page.text)


def test_addresses_hold_under_a_path_of_a_larger_site(base: Base, client: TestClient) -> None:
    """No address begins at the root of the site: a proxy may put the service anywhere."""
    del base
    for path in ("/", "/documents", "/documents/nothing", "/accessibility", f"/?q={ASKED}"):
        page = client.get(path)
        for address in re.findall(r'(?:href|src|action)="([^"]*)"', page.text):
            assert not address.startswith("/"), f"{path}: {address}"
            resolved = urljoin(f"https://example.org/kb{path}", unescape(address))
            assert resolved.startswith("https://example.org/kb/"), f"{path}: {address}"


def test_people_get_pages_of_errors_and_programs_problems(client: TestClient) -> None:
    """By what is asked for; the status and the request's id are the same kind of thing in both."""
    page = client.get("/documents/nothing-here")
    assert page.status_code == 404
    assert "<h1>Il n’y a rien ici</h1>" in page.text
    assert page.headers["x-request-id"] in page.text
    english = client.get("/nothing", headers={"Accept-Language": "en"})
    assert "<h1>There is nothing here</h1>" in english.text
    problem = client.get("/documents/nothing-here", headers={"Accept": "application/json"})
    assert problem.status_code == 404
    assert problem.json()["type"] == "/problems/not-found"
    assert client.get("/v1/documents/nothing").json()["status"] == 404


def test_an_answer_that_breaks_off_says_so_in_its_place(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is there already; in the place of the answer stands what happened."""

    async def failing(*_asked: object) -> None:
        raise StoreError("a folder of the operator's is gone")

    monkeypatch.setattr(SearchEngine, "answer_async", failing)
    page = ask(client)
    assert page.status_code == 200
    assert "La réponse s’est interrompue" in page.text
    assert "folder" not in page.text


def test_an_empty_base_says_so(base: Base) -> None:
    """Whoever comes first is told that nothing is there yet."""
    with TestClient(create_app(base.kb), headers=BROWSER) as client:
        assert "aucun document" in client.get("/").text
        assert "aucun document" in ask(client).text


@pytest.mark.parametrize("form", ["docx", "pdf", "markdown", "bibtex", "ris", "csl-json"])
def test_the_quotes_can_be_taken_away(client: TestClient, form: str) -> None:
    """Each button below the answer gives a file of its format."""
    page = ask(client)
    links = [unescape(each) for each in re.findall(r'href="(\./export\?[^"]+)"', page.text)]
    [link] = [each for each in links if each.endswith(f"format={form}")]
    file = client.get(link.removeprefix("."))
    assert file.status_code == 200
    assert file.headers["content-disposition"].startswith("attachment")
    assert len(file.content) > 100
    if form == "markdown":
        assert FRENCH.replace("'", "'") in file.text
    refused = client.get("/export", params={"q": "Capitale de l'Australie ?", "format": form})
    assert refused.status_code == 404


def test_feedback_is_kept_and_what_is_missing_is_asked_for(client: TestClient, base: Base) -> None:
    """A verdict, a wrong citation and a missing document; a form of another site is refused."""
    page = ask(client)
    cited = re.search(r'<option value="(\{[^"]+)">', page.text)
    assert cited
    for fields in (
        {"kind": "helpful"},
        {"kind": "wrong_citation", "cited": unescape(cited[1]), "comment": "Autre dispositif."},
        {"kind": "missing_document", "question": "", "comment": "Le rapport de 2024."},
    ):
        taken = client.post("/feedback", data={"question": ASKED, **fields})
        assert taken.status_code == 200, taken.text
        assert "<h1>Merci</h1>" in taken.text
    kept = base.kb.feedback.listed(10)
    assert {each.kind for each in kept} == {
        FeedbackKind.HELPFUL,
        FeedbackKind.WRONG_CITATION,
        FeedbackKind.MISSING_DOCUMENT,
    }
    missing = client.post("/feedback", data={"kind": "wrong_citation", "comment": "Non."})
    assert missing.status_code == 422
    assert "Choisissez la citation" in missing.text
    assert "Non." in missing.text
    foreign = client.post(
        "/feedback", data={"kind": "helpful"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert foreign.status_code == 403
    assert base.kb.record.current_id() is not None
    assert base.kb.record.count_documents(base.kb.record.current_id() or 0, FULL_ACCESS) == 4

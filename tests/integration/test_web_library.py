"""The library's page: what it holds in charts that filter, and the documents in a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest
from conftest import Base
from fakes import HashingEncoder, TickingClock
from lxml import html
from starlette.testclient import TestClient

from api.app import create_app
from api.web import library
from kb.bootstrap import open_knowledge_base
from kb.keys import KeyRole, NewKey
from kb.record.audit import Action, Chosen
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpx2 import Response

SIDECAR = """\
files:
  etude.md: {title: "Étude <b>des</b> garanties & co", kind: research, language: fr, issuer: Avise,
             published: 2024-05-02, themes: [garantie-mecanisme]}
  guide.md: {title: "A guide to guarantees", kind: research, language: en, issuer: Avise}
  plan.md: {title: "Plan secret", kind: note, language: fr, issuer: Bureau, visibility: internal}
"""
ENGLISH = {"Accept-Language": "en"}


class Reader:
    """Somebody who reads the library."""

    def __init__(self, base: Base, client: TestClient) -> None:
        self.base = base
        self.client = client

    def get(self, path: str = "/documents", **headers: str) -> Response:
        """An answer."""
        return self.client.get(path, headers=headers)

    def page(self, path: str = "/documents", **headers: str) -> Any:
        """A page, parsed."""
        answered = self.get(path, **headers)
        assert answered.status_code == 200, answered.text
        return html.fromstring(answered.text, base_url=urljoin("http://testserver", path))

    def key(self, role: KeyRole) -> str:
        """A new key."""
        new = NewKey(f"{role} {len(self.base.kb.keys.listed())}", role)
        _, text = self.base.kb.keys.create(new, self.base.kb.clock())
        return text


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A service with three documents, one of them for the team."""
    folder = tmp_path_factory.mktemp("web-library")
    values: dict[str, Any] = {"home": folder / "home", "workers": 1, "rate_anonymous": 100_000}
    kb = open_knowledge_base(Settings(**values), clock=TickingClock(), encoder=HashingEncoder())
    base = Base(kb, folder / "files")
    base.write("metadata.yaml", SIDECAR)
    for name in ("etude", "guide", "plan"):
        base.write(f"{name}.md", f"# {name}", f"Les phares de {name} sont gardés.")
    assert base.ingest().exit_code == 0
    with TestClient(create_app(kb)) as client:
        yield Reader(base, client)
    kb.close()


def of_class(page: Any, name: str, below: str = "") -> list[Any]:
    """The elements of a class, or what is below them."""
    found: list[Any] = page.xpath(f"//*[contains(concat(' ', @class, ' '), ' {name} ')]{below}")
    return found


def titles(page: Any) -> list[str]:
    """The titles in the list."""
    return [each.text_content() for each in of_class(page, "documents", "//h3/a")]


def bars(page: Any, chart: str) -> dict[str, str]:
    """The lines of a chart: what each says, and where it leads."""
    said = {}
    for link in page.xpath(f"//section[@aria-labelledby='{chart}']//a[@class='bar']"):
        said[" ".join(link.text_content().split())] = urljoin(page.base_url, link.get("href"))
    return said


def test_what_is_held_is_counted_in_words_and_figures(reader: Reader) -> None:
    """In the reader's language; a chart's line is a link that filters."""
    page = reader.page()
    assert page.get("lang") == "fr"
    assert list(bars(page, "kinds")) == ["Recherche 2 documents"]
    assert list(bars(page, "languages")) == ["anglais 1 document", "français 1 document"]
    assert list(bars(page, "campaigns")) == ["Garantie en fonds propres 1 document"]
    english = reader.page(**ENGLISH)
    assert english.get("lang") == "en"
    [(said, where)] = bars(english, "years").items()
    assert said == "2024 1 document"
    narrowed = reader.page(where.removeprefix("http://testserver"))
    assert titles(narrowed) == ["Étude <b>des</b> garanties & co"]
    assert narrowed.xpath("//a[@class='bar' and @aria-current='true']")


def test_the_list_leads_to_the_documents(reader: Reader) -> None:
    """Titles are text, in their own language."""
    page = reader.page("/documents?order=title")
    assert titles(page) == ["A guide to guarantees", "Étude <b>des</b> garanties & co"]
    [guide, study] = of_class(page, "documents", "//h3/a")
    assert guide.get("lang") == "en"
    assert study.xpath(".//b") == []
    where = urljoin(page.base_url, guide.get("href"))
    assert where == f"http://testserver/documents/{reader.base.id_of('guide.md')}"


def test_what_is_for_others_is_not_there(reader: Reader) -> None:
    """Nobody but the team reads of it, by whatever filter."""
    for path in ("/documents", "/documents?issuer=Bureau", "/documents?q=secret&kind=note"):
        said = reader.get(path).text
        assert "Plan secret" not in said
        assert "1 note" not in said
    nothing = reader.page("/documents?issuer=Bureau")
    assert titles(nothing) == titles(reader.page("/documents?issuer=Nobody")) == []
    assert of_class(nothing, "empty", "//a")
    staff = reader.page(**{"X-API-Key": reader.key(KeyRole.STAFF)})
    assert "Plan secret" in titles(staff)
    assert "Réservé à l’équipe" in staff.text_content()
    assert "Réservé" not in reader.page().text_content()


def test_a_form_with_empty_fields_narrows_nothing(reader: Reader) -> None:
    """As browsers send it."""
    page = reader.page("/documents?q=&order=newest&kind=&language=&year=&theme=&after=")
    assert len(titles(page)) == 2


def test_pages_follow_each_other(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their addresses keep the filters."""
    monkeypatch.setattr(library, "_SHOWN", 1)
    first = reader.page("/documents?order=title&kind=research")
    [further] = first.xpath("//a[@rel='next']")
    where = urljoin(first.base_url, further.get("href")).removeprefix("http://testserver")
    assert "kind=research" in where
    second = reader.page(where)
    assert titles(first) + titles(second) == [
        "A guide to guarantees",
        "Étude <b>des</b> garanties & co",
    ]
    assert second.xpath("//a[@rel='next']") == []
    assert of_class(second, "pages-nav", "//a")


@pytest.mark.parametrize(
    "asked",
    [
        "kind=novel",
        "year=abc",
        "year=10000",
        "language=%00",
        "order=worst",
        f"q={'x' * 201}",
        "q=%00",
        "issuer=a%0Ab",
    ],
)
def test_what_cannot_be_meant_is_refused(reader: Reader, asked: str) -> None:
    """As a page to people, and never as an error of the service."""
    answered = reader.get(f"/documents?{asked}", Accept="text/html")
    assert answered.status_code == 422
    assert answered.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "asked", ["q=%25_%5C%27%22", "q=%3Cscript%3E", "theme=%F0%9F%92%A1", "after=nothing", "x=y"]
)
def test_strange_words_find_nothing_or_everything(reader: Reader, asked: str) -> None:
    """And stay text."""
    answered = reader.get(f"/documents?{asked}")
    assert answered.status_code == 200
    assert "<script>" not in answered.text


def test_looking_leaves_a_trace(reader: Reader) -> None:
    """Which documents were listed, under which filters, and the words apart from them."""
    reader.get("/documents?q=guide&language=en")
    assert reader.base.kb.trail.flush(10)
    [event] = reader.base.kb.trail.record.listed(Chosen(action=Action.DOCUMENTS), 1)
    assert event.query == "guide"
    assert event.filters == {"language": "en"}
    assert [each.document_id for each in event.returned] == [reader.base.id_of("guide.md")]


def test_an_empty_base_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Instead of nothing."""
    values: dict[str, Any] = {"home": tmp_path_factory.mktemp("empty") / "home", "workers": 1}
    kb = open_knowledge_base(Settings(**values), clock=TickingClock(), encoder=HashingEncoder())
    with TestClient(create_app(kb)) as client:
        page = html.fromstring(client.get("/documents").text)
    kb.close()
    assert "aucun document" in of_class(page, "empty")[0].text_content()

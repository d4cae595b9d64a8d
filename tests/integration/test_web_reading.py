"""Reading documents in a browser: their pages with the quoted words marked, and the ways around."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from calls_making import made, record, take
from conftest import Base
from fakes import HashingEncoder, TickingClock
from PIL import Image
from reportlab.pdfgen.canvas import Canvas
from starlette.testclient import TestClient

from api.app import create_app
from kb.bootstrap import open_knowledge_base
from kb.keys import KeyRole, NewKey
from kb.model import FULL_ACCESS, Page
from kb.pictures.store import Pictures, PicturesBusyError
from kb.record.audit import Action, Chosen
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from httpx2 import Response

    from kb.bootstrap import KnowledgeBase

FIRST = "La garantie publique couvre la moitié des pertes que les investisseurs"
SECOND = "subissent quand une coopérative ne rembourse pas ce qui lui fut prêté."
HIDDEN = "Les phares bretons emploient douze gardiens de nuit."
SIDECAR = """\
files:
  garantie.pdf: {title: "La garantie <en fonds propres>", language: fr, kind: policy,
                 issuer: Opération Milliard, published: 2026-01-15, identifier: garantie,
                 url: "https://forum.example/garantie.pdf"}
  notes.md: {title: Notes, language: fr, identifier: notes}
  phares.pdf: {title: Phares, language: fr, identifier: phares, visibility: internal}
"""
NOTES = """\
# Notes

## Premier point

Le premier paragraphe dit ce qui compte.

| Outil | Montant |
|---|---|
| Prêt | 40 |

## Second point

Le second paragraphe conclut.
"""


def pdf(*pages: str) -> bytes:
    """A PDF with a line on each page."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(600, 800), invariant=1)
    canvas.setAuthor("Groupe de travail")
    canvas.addPageLabel(0, "ROMAN_LOWER")
    for page in pages:
        canvas.drawString(60, 600, page)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who reads; ``staff`` is a key that sees everything."""

    kb: KnowledgeBase
    client: TestClient
    staff: str

    def get(
        self, path: str, *, as_staff: bool = False, language: str = "fr", tag: str = ""
    ) -> Response:
        """Open a page; ``tag`` is that of what the browser has already."""
        headers = {"Accept": "text/html", "Accept-Language": language, "If-None-Match": tag}
        key = {"X-API-Key": self.staff} if as_staff else {}
        return self.client.get(path, headers={**headers, **key})

    def read(self, path: str, language: str = "fr") -> str:
        """Open a page that is there; gives its HTML."""
        response = self.get(path, language=language)
        assert response.status_code == 200, response.text
        return response.text

    def stored(self, document_id: str, number: int) -> Page:
        """A page as it is stored."""
        generation = self.kb.record.current_id() or 0
        found = self.kb.record.page(generation, document_id, number, FULL_ACCESS)
        assert found is not None
        return found[1]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A base of a PDF for everybody, one for staff, notes of two versions, and a call."""
    folder = tmp_path_factory.mktemp("reading")
    values: dict[str, Any] = {"home": folder / "home", "workers": 1, "rate_anonymous": 100_000}
    kb = open_knowledge_base(Settings(**values), clock=TickingClock(), encoder=HashingEncoder())
    base = Base(kb, folder / "files")
    _write(base.folder, "Le premier paragraphe dit autre chose.")
    base.ingest()
    _write(base.folder, NOTES)
    base.ingest()
    take(kb, [record(made("LADDER-2026-01"), "The fund pays for ladders.", "Apply by letter.")])
    _, staff = kb.keys.create(NewKey("Équipe", KeyRole.STAFF), kb.clock())
    with TestClient(create_app(kb), follow_redirects=False) as client:
        yield Reader(kb, client, staff)
    kb.close()


def _write(folder: Path, notes: str) -> None:
    (folder / "metadata.yaml").write_text(SIDECAR, encoding="utf-8")
    (folder / "garantie.pdf").write_bytes(pdf(FIRST, SECOND))
    (folder / "phares.pdf").write_bytes(pdf(HIDDEN))
    (folder / "notes.md").write_text(notes, encoding="utf-8")


def marked(html: str) -> str:
    """The text that a page marks."""
    return unescape(" ".join(re.findall(r"<mark[^>]*>(.*?)</mark>", html, re.DOTALL)))


def rectangles(html: str) -> list[tuple[float, ...]]:
    """The marks on the picture: left, top, width, height."""
    found = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', html)
    return [tuple(map(float, each)) for each in found]


def test_the_quote_is_marked_in_the_text_and_where_its_boxes_are(reader: Reader) -> None:
    """In both the same words: from the first box's left edge to the last one's right edge."""
    page = reader.stored("garantie-fr", 1)
    start = page.text.index("couvre")
    end = page.text.index("pertes") + len("pertes")
    html = reader.read(f"/documents/garantie-fr/pages/1?version=1&mark={start}-{end}")
    assert marked(html) == "couvre la moitié des pertes"
    boxes = [box for box in page.boxes if start <= box.start < end]
    ((left, top, width, height),) = rectangles(html)
    assert (left, top) == (boxes[0].left, min(box.top for box in boxes))
    assert left + width == pytest.approx(boxes[-1].right, abs=0.11)
    assert top + height == pytest.approx(max(box.bottom for box in boxes), abs=0.11)
    assert f'viewBox="0 0 {page.width} {page.height}"' in html
    assert html.count('id="mark"') == 1


def test_a_quote_on_two_pages_is_marked_on_both(reader: Reader) -> None:
    """Each leads to the other, with everything marked there too."""
    html = reader.read("/documents/garantie-fr/pages/1?version=1&mark=3-70&mark=2.0-9")
    assert marked(html) == FIRST[3:70]
    ((address, said),) = re.findall(r'<a href="([^"]*mark=[^"]*)">(La citation[^<]*)<', html)
    assert said == "La citation continue page 2"
    assert "2?version=1&amp;mark=0-9&amp;mark=1.3-70#mark" in address
    html = reader.read("/documents/garantie-fr/pages/2?version=1&mark=0-9&mark=1.3-70")
    assert marked(html) == "subissent"
    assert "La citation commence page 1" in html


@pytest.mark.parametrize(
    "marks",
    [
        "mark=0-100000",
        "mark=70-3",
        "mark=garbage",
        "mark=-5-9",
        "mark=",
        "mark=999999999999999999-9999999999999999999999",
        "mark=%00",
    ],
)
def test_a_place_that_is_not_there_is_said_and_nothing_is_marked(
    reader: Reader, marks: str
) -> None:
    """The page is shown: whoever followed a wrong link can still read it."""
    html = reader.read(f"/documents/garantie-fr/pages/1?version=1&{marks}")
    assert FIRST[:40] in html
    assert "<mark" not in html
    assert rectangles(html) == []
    assert "n’est pas dans ce texte" in html


def test_a_great_many_places_are_no_harm(reader: Reader) -> None:
    """Those after the first fifty are left out; an address too long is refused as such."""
    marks = "&".join(f"mark={n}-{n + 1}" for n in range(60))
    assert reader.get(f"/documents/garantie-fr/pages/1?version=1&{marks}").status_code == 200
    marks = "&".join(f"mark={n}-{n + 1}" for n in range(3_000))
    assert reader.get(f"/documents/garantie-fr/pages/1?version=1&{marks}").status_code == 414


def test_places_without_a_version_are_not_believed_where_the_text_has_changed(
    reader: Reader,
) -> None:
    """They may have been of the former text: no mark, and that is said."""
    assert marked(reader.read("/documents/notes-fr/pages/2?version=2&mark=0-5"))
    html = reader.read("/documents/notes-fr/pages/2?mark=0-5")
    assert marked(html) == ""
    assert "n’est pas dans ce texte" in html
    assert marked(reader.read("/documents/garantie-fr/pages/1?mark=0-5"))  # it has one version


def test_a_page_says_where_it_stands(reader: Reader) -> None:
    """Its printed and its physical number, its neighbours, its source at that page."""
    html = reader.read("/documents/garantie-fr/pages/1")
    assert "Page i (feuille 1 sur 2)" in html
    assert 'rel="next"' in html
    assert 'rel="prev"' not in html
    # It keeps its place all the same, so that "next" stays where it was pressed.
    assert re.search(r'<a class="[^"]*" role="link" aria-disabled="true">.*Précédente', html)
    assert 'href="https://forum.example/garantie.pdf#page=1"' in html
    assert "../../../v1/documents/garantie-fr/original?version=1" in html
    assert "La garantie &lt;en fonds propres&gt;" in html
    assert "Opération Milliard" in html
    assert "15 janvier 2026" in html


def test_a_former_version_says_so_and_leads_to_the_current_one(reader: Reader) -> None:
    """Nobody quotes an old text unknowingly."""
    html = reader.read("/documents/notes-fr/pages/1?version=1")
    assert "autre chose" in html
    assert "C’est une ancienne version." in html
    assert "C’est une ancienne version." not in reader.read("/documents/notes-fr/pages/1?version=2")


def test_formats_without_pages_are_text_with_headings_and_tables(reader: Reader) -> None:
    """No picture is promised; sections are counted as such."""
    html = reader.read("/documents/notes-fr/pages/1")
    assert "<img" not in html
    assert "Section 1 sur 2" in html
    assert re.search(r'<h4 id="t\d+">Premier point</h4>', html)
    assert '<th scope="col">Outil</th>' in html
    assert "<td>40</td>" in html


def test_the_outline_leads_to_headings(reader: Reader) -> None:
    """Each at the page or section that it stands on, and at its place there."""
    html = reader.read("/documents/notes-fr/pages/1")
    links = {
        unescape(name): address
        for address, name in re.findall(
            r'<li class="level-\d"><a href="([^"]+)"[^>]*>([^<]+)', html
        )
    }
    address = links["Second point"]
    path, _, place = address.replace("../../../", "/").partition("#")
    assert f'id="{place}">Second point<' in reader.read(unescape(path))


@pytest.mark.parametrize(("wanted", "number"), [("ii", 2), ("2", 2), (" 1 ", 1), ("i", 1)])
def test_one_goes_to_a_page_by_its_printed_label_or_its_number(
    reader: Reader, wanted: str, number: int
) -> None:
    """What is printed on the page is what people know."""
    response = reader.client.get(
        "/documents/garantie-fr/pages", params={"page": wanted, "version": 1}
    )
    assert response.status_code == 303
    assert response.headers["location"].endswith(f"garantie-fr/pages/{number}?version=1")


@pytest.mark.parametrize("wanted", ["3", "0", "-1", "xii", "", "٣", "9" * 40, "<b>"])
def test_a_page_that_does_not_exist_is_said_beside_the_field(reader: Reader, wanted: str) -> None:
    """With how many there are; what was typed stays in the field."""
    response = reader.client.get(
        "/documents/garantie-fr/pages", params={"page": wanted}, headers={"Accept-Language": "fr"}
    )
    assert response.status_code == 404
    assert "le document a 2 pages" in response.text
    assert 'aria-describedby="go-to-error"' in response.text
    assert "<b>" not in response.text


def test_a_page_out_of_range_leads_to_the_document(reader: Reader) -> None:
    """It is not there, but the document is."""
    response = reader.get("/documents/garantie-fr/pages/999")
    assert response.status_code == 404
    assert "le document a 2 pages" in response.text


def test_the_document_page_says_what_it_is(reader: Reader) -> None:
    """Who, when, in which language, how it begins, which versions there are, how to cite it."""
    html = reader.read("/documents/garantie-fr")
    assert FIRST[:40] in html
    assert "Groupe de travail. <cite>La garantie &lt;en fonds propres&gt;</cite> (2026)." in html
    assert "2 pages" in html
    html = reader.read("/documents/notes-fr")
    assert "affichée ici" in html
    assert html.count("Ancienne version") == 1


def test_a_call_leads_to_its_own_page(reader: Reader) -> None:
    """Deadlines and budget are there; other documents have no such link."""
    document_id = reader.kb.finder.one("LADDER-2026-01", FULL_ACCESS, reader.kb.clock())
    assert document_id
    html = reader.read(f"/documents/{document_id.document.id}")
    assert 'href="../calls/LADDER-2026-01"' in html
    assert "../calls/" not in reader.read("/documents/garantie-fr").partition("<main")[2]


def test_english_readers_are_told_in_english_and_quoted_in_french(reader: Reader) -> None:
    """The language of the text is stated, so that it is read out rightly."""
    html = reader.read("/documents/garantie-fr/pages/1", language="en")
    assert "Text of the page" in html
    assert '<div class="page-text" lang="fr">' in html


def test_the_picture_is_given_in_fixed_sizes_and_once(reader: Reader) -> None:
    """A width in between gives the next larger one; what the browser has is not sent again."""
    address = "/documents/garantie-fr/pages/1/picture?version=1"
    response = reader.get(f"{address}&width=500")
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(response.content)).width == pytest.approx(900, abs=1)
    assert "private" in response.headers["cache-control"]
    again = reader.get(f"{address}&width=900", tag=response.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("garantie-fr/pages/3/picture", 404),
        ("garantie-fr/pages/1/picture?version=7", 404),
        ("notes-fr/pages/1/picture", 404),
        ("nothing/pages/1/picture", 404),
        ("garantie-fr/pages/1/picture?width=99999", 422),
        ("garantie-fr/pages/1/picture?width=x", 422),
        ("garantie-fr/pages/0/picture", 422),
    ],
)
def test_a_picture_that_cannot_be_is_refused_plainly(
    reader: Reader, address: str, status: int
) -> None:
    """No page, no version, no PDF, no such width."""
    assert reader.get(f"/documents/{address}").status_code == status


def test_where_too_many_pictures_are_asked_for_one_is_told_to_come_back(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page itself is read meanwhile."""

    def busy(_self: Pictures, _original: Path, _number: int, _width: int) -> bytes:
        raise PicturesBusyError

    monkeypatch.setattr(Pictures, "picture", busy)
    refused = reader.client.get("/documents/garantie-fr/pages/1/picture")
    assert refused.status_code == 503
    assert refused.json()["type"] == "/problems/busy"
    assert int(refused.headers["retry-after"]) > 0
    assert reader.get("/documents/garantie-fr/pages/1").status_code == 200


@pytest.mark.parametrize("path", ["", "/pages?page=1", "/pages/1", "/pages/1/picture", "/pages/7"])
def test_what_one_may_not_see_is_not_there(reader: Reader, path: str) -> None:
    """It answers as what does not exist does, also once somebody else has had the picture drawn."""
    hidden = f"/documents/phares-fr{path}"
    seen = reader.get(hidden, as_staff=True)
    assert seen.status_code in {200, 303, 404}
    refused = reader.get(hidden)
    assert refused.status_code == 404
    absent = reader.get(f"/documents/nowhere-fr{path}")
    ours = refused.text.replace(refused.headers["x-request-id"], "")
    theirs = absent.text.replace(absent.headers["x-request-id"], "")
    assert ours.replace("phares", "nowhere") == theirs
    tag = seen.headers.get("etag", '"x"')
    assert reader.get(hidden, tag=tag).status_code == 404


def test_the_text_is_shown_where_the_original_is_missing(tmp_path: Path) -> None:
    """A picture that can't be drawn is no error of the page."""
    values: dict[str, Any] = {"home": tmp_path / "home", "workers": 1, "rate_anonymous": 100_000}
    kb = open_knowledge_base(Settings(**values), clock=TickingClock(), encoder=HashingEncoder())
    base = Base(kb, tmp_path / "files")
    (base.folder / "garantie.pdf").write_bytes(pdf(FIRST))
    base.ingest(identifier="garantie", language="fr")
    (name,) = kb.record.all_originals()
    (kb.settings.originals / name).unlink()
    with TestClient(create_app(kb)) as client:
        page = client.get("/documents/garantie-fr/pages/1?version=1&mark=0-5")
        assert page.status_code == 200
        assert FIRST[5:30] in page.text
        assert client.get("/documents/garantie-fr/pages/1/picture").status_code == 404
    kb.close()


def test_who_reads_what_is_noted(reader: Reader) -> None:
    """Documents, pages and pictures, and what was asked for in vain."""
    asked = (
        ("/documents/garantie-fr", Action.DOCUMENT),
        ("/documents/garantie-fr/pages/1", Action.PAGE),
        ("/documents/garantie-fr/pages/1/picture", Action.PICTURE),
        ("/documents/phares-fr/pages/1", Action.PAGE),
    )
    requests = {reader.get(path).headers["x-request-id"]: action for path, action in asked}
    assert reader.kb.trail.flush(10)
    noted = {
        event.request_id: (event.action, len(event.returned))
        for event in reader.kb.trail.record.listed(Chosen(), 50)
        if event.request_id in requests
    }
    shown = [(action, int("phares" not in path)) for path, action in asked]
    assert [noted[each] for each in requests] == shown


def test_staff_read_how_a_document_is_mended(reader: Reader) -> None:
    """No page does it: they are told the commands that do, and others are not."""
    path = "/documents/garantie-fr"
    assert "kb remove garantie-fr" in reader.get(path, as_staff=True).text
    assert "kb remove" not in reader.read(path)

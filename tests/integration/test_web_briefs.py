"""The pages of briefs: begun, filled, ordered, passed on, and told apart by who looks at them."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from lxml import html
from starlette.testclient import TestClient

from api.app import create_app
from api.web.briefs import way_back
from kb.briefs import editing
from kb.briefs.model import Paragraph, Reference
from kb.keys import KeyRole, NewKey
from kb.record.audit import Action, Chosen
from kb.record.briefs import BriefsRecord, read_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Base
    from httpx2 import Response

    from kb.briefs.model import Brief
    from kb.model import Hit

GUARANTEE = "The guarantee covers half of the losses of an investor who takes a share."
LANTERNS = "The lantern workshop lends forty lanterns to every village of the valley."
REVISION = re.compile(r'name="revision" value="(\d+)"')
ANOTHER_SITE: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://elsewhere.example"},
]


class Desk:
    """Somebody at a browser of their own, and what they do with briefs."""

    def __init__(self, base: Base, client: TestClient) -> None:
        self.base = base
        self.client = client
        self.client.headers.update({"Accept-Language": "en", "Accept": "text/html"})
        self.record = BriefsRecord(base.kb.engine)

    def add(self, hit: Hit, **other: str) -> Response:
        """Press the button beside a quote."""
        form = {
            "document_id": hit.document.id,
            "version": str(hit.document.version),
            "spans": editing.written_spans(hit.passage.spans),
            **other,
        }
        return self.client.post("/briefs/add", data=form)

    def begin(self, title: str = "Guarantees") -> str:
        """Begin a brief; gives its secret."""
        response = self.client.post("/briefs", data={"title": title})
        assert response.status_code == 303, response.text
        return str(response.headers["location"]).rpartition("/")[2]

    def read(self, address: str, **parameters: str) -> str:
        """A brief's page as text."""
        response = self.client.get(f"/briefs/{address}", params=parameters)
        assert response.status_code == 200, response.text
        return unescape(response.text)

    def do(self, address: str, do: str, **form: Any) -> Response:
        """Send one of the page's forms, with the page's revision unless another is given."""
        if "revision" not in form:
            found = REVISION.search(self.client.get(f"/briefs/{address}").text)
            assert found
            form["revision"] = found[1]
        return self.client.post(f"/briefs/{address}", data={"do": do, **form})

    def brief(self, address: str) -> Brief:
        """A brief as it is kept."""
        found = self.record.by_secret(address)
        assert found is not None
        return found.brief


@pytest.fixture
def library(base: Base) -> Base:
    """A public document and one for the coalition."""
    base.write("metadata.yaml", "files: {lanterns.md: {visibility: coalition, title: Lanterns}}")
    base.write("guarantee.md", "# Guarantee", GUARANTEE)
    base.write("lanterns.md", "# Lanterns", LANTERNS)
    base.ingest()
    return base


@pytest.fixture
def app(library: Base) -> Iterator[Any]:
    """The service, running."""
    made = create_app(library.kb)
    with TestClient(made):
        yield made


@pytest.fixture
def desk(library: Base, app: Any) -> Desk:
    """Somebody without a key."""
    return another(library, app)


def another(library: Base, app: Any, **cookies: str) -> Desk:
    """Somebody else, with a browser of their own."""
    return Desk(library, TestClient(app, follow_redirects=False, cookies=cookies))


def signed_in(library: Base, app: Any, role: KeyRole) -> tuple[Desk, str]:
    """Somebody signed in, and the token of their forms."""
    _, key = library.kb.keys.create(NewKey(role.value, role), library.kb.clock())
    somebody = another(library, app)
    assert somebody.client.post("/login", data={"key": key}).status_code == 303
    return somebody, str(somebody.client.get("/v1/session").json()["csrf_token"])


def test_a_quote_is_added_and_one_is_led_back(desk: Desk, library: Base) -> None:
    """The first begins a brief, which the browser then knows; twice the same is once."""
    hit = library.hits("guarantee losses")[0]
    back = "../../documents/guarantee/pages/1?version=1&mark=3-9#mark"
    for _ in range(2):
        response = desk.add(hit, next=back)
        assert response.status_code == 303
        led = "../documents/guarantee/pages/1?version=1&mark=3-9#added"
        assert response.headers["location"] == led
    [brief] = desk.record.listed()
    assert len(brief.blocks) == 1
    page = unescape(desk.client.get("/briefs").text)
    assert brief.title in page
    assert "1 quote" in page
    address = desk.client.cookies["kb_brief"]
    assert GUARANTEE in desk.read(address)
    assert "1 quote, up to date" in desk.read(address)


def test_a_script_is_told_in_words(desk: Desk, library: Base) -> None:
    """So that the page needs not be left."""
    desk.client.headers["Accept"] = "application/json"
    told = desk.add(library.hits("guarantee losses")[0]).json()
    assert re.fullmatch(r"Added to the brief “Brief of .*”: 1 quote\.", told["message"])
    assert told["brief"] == desk.client.cookies["kb_brief"]
    again = desk.add(library.hits("guarantee losses")[0]).json()
    assert re.fullmatch(r"Already in the brief “Brief of .*”: 1 quote\.", again["message"])
    assert again["brief"] == told["brief"]


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_where_no_brief_can_be_begun_it_is_said(
    desk: Desk, library: Base, monkeypatch: pytest.MonkeyPatch, accept: str
) -> None:
    """In words of its own, with the title that was given; a script has the page shown."""
    monkeypatch.setattr("kb.briefs.keeping.MAX_OPEN_BRIEFS", 0)
    desk.client.headers["Accept"] = accept
    begun = desk.client.post("/briefs", data={"title": "Lanterns for all"})
    added = desk.add(library.hits("guarantee losses")[0])
    for response in (begun, added):
        assert response.status_code == 422
        assert "No further brief can be begun" in response.text
    assert 'value="Lanterns for all"' in begun.text
    assert "aria-invalid" not in begun.text
    assert desk.record.listed() == []


def test_the_link_to_change_a_brief_is_not_taken_for_the_other(desk: Desk) -> None:
    """It is folded away, and the one that is passed on can be copied with a button."""
    page = html.fromstring(desk.read(desk.begin()))
    assert page.xpath("//details//input[@id='edit-link']")
    assert not page.xpath("//details//input[@id='read-link']")
    assert page.xpath("//button[@data-copy='read-link'][@hidden]")  # scripts show it


@pytest.mark.parametrize(
    ("given", "led"),
    [
        ("./?q=a%20b", "?q=a%20b"),
        ("../../documents/a/pages/3", "documents/a/pages/3"),
        ("/calls?status=open#x", "calls?status=open"),
        ("", ""),
        ("//elsewhere.example/x", ""),
        ("..//elsewhere.example", "elsewhere.example"),  # a path here
        ("/\\elsewhere.example", ""),
        ("../\\\\elsewhere.example", ""),
        ("../../../..", ""),
        ("a b", ""),
        ("x\r\nSet-Cookie: a=b", ""),
    ],
)
def test_nobody_is_led_to_another_site(given: str, led: str) -> None:
    """Where a form says to go back to lies under the service."""
    assert way_back(given) == led


def test_an_address_of_another_site_leads_nowhere(desk: Desk, library: Base) -> None:
    """It is a path here, where there is nothing."""
    response = desk.add(library.hits("guarantee losses")[0], next="https://elsewhere.example/")
    assert response.headers["location"].startswith("../https://")
    assert response.next_request is not None
    assert response.next_request.url.host == "testserver"


def test_what_may_not_be_seen_cannot_be_added(desk: Desk, library: Base) -> None:
    """It is answered like what never was."""
    hidden = desk.add(library.hits("lantern workshop")[0])
    never = desk.client.post(
        "/briefs/add", data={"document_id": "never", "version": "1", "spans": "1:0-9"}
    )
    assert (hidden.status_code, never.status_code) == (404, 404)
    assert desk.record.listed() == []
    wrong = desk.client.post("/briefs/add", data={"document_id": "a", "version": "1", "spans": "x"})
    assert wrong.status_code == 422


def test_a_reader_without_rights_sees_that_a_quote_is_missing(library: Base, app: Any) -> None:
    """And nothing else of it: neither words nor title, nor which document it is."""
    partner, token = signed_in(library, app, KeyRole.PARTNER)
    for query in ("guarantee losses", "lantern workshop"):
        assert partner.add(library.hits(query)[0], csrf_token=token).status_code == 303
    secret = partner.client.cookies["kb_brief"]
    assert LANTERNS in partner.read(secret)
    for address in (secret, read_secret(secret)):
        page = another(library, app).read(address)
        assert GUARANTEE in page
        assert "1 quote can't be shown." in page
        assert "lantern" not in page.lower()
        assert "lanterns" not in another(library, app).read(address, view="read").lower()


def test_the_form_of_a_session_holds_its_token(library: Base, app: Any) -> None:
    """Without it the session counts for nothing, and nothing is added."""
    partner, _ = signed_in(library, app, KeyRole.PARTNER)
    refused = partner.add(library.hits("guarantee losses")[0])
    assert refused.status_code == 403
    assert partner.record.listed() == []


@pytest.mark.parametrize("headers", ANOTHER_SITE)
def test_another_site_changes_no_brief(desk: Desk, library: Base, headers: dict[str, str]) -> None:
    """Neither begins, fills nor deletes one, nor says which one this browser adds to."""
    secret = desk.begin()
    desk.client.headers.update(headers)
    assert desk.client.post("/briefs", data={"title": "Theirs"}).status_code == 403
    assert desk.add(library.hits("guarantee losses")[0]).status_code == 403
    refused = desk.do(secret, "delete")
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers
    assert desk.brief(secret).blocks == ()


def test_a_brief_is_written_and_ordered(desk: Desk, library: Base) -> None:
    """With the page's own forms: paragraphs anywhere, blocks up, down, to a place and out."""
    secret = desk.begin()
    desk.add(library.hits("guarantee losses")[0])
    [place] = desk.brief(secret).blocks
    assert isinstance(place, Reference)
    desk.do(secret, "write", block=0, text="First.\r\n\r\nAnd <b>more</b>.")
    desk.do(secret, "write", block=2, text="Last.")
    first, last = Paragraph("First.\n\nAnd <b>more</b>."), Paragraph("Last.")
    assert desk.brief(secret).blocks == (first, place, last)
    assert "<p>And &lt;b&gt;more&lt;/b&gt;.</p>" in desk.client.get(f"/briefs/{secret}").text
    assert desk.do(secret, "up", block=2).headers["location"].endswith("#b1")
    assert desk.brief(secret).blocks == (first, last, place)
    desk.do(secret, "down", block=0)
    assert desk.brief(secret).blocks == (last, first, place)
    desk.do(secret, "to", block=2, to=0)
    assert desk.brief(secret).blocks == (place, last, first)
    desk.do(secret, "edit", block=1, text="Anew.")
    desk.do(secret, "edit", block=2, text="  ")
    assert desk.brief(secret).blocks == (place, Paragraph("Anew."))
    desk.do(secret, "remove", block=0)
    desk.do(secret, "rename", title="  Garanties   2026 ", language="fr")
    brief = desk.brief(secret)
    assert (brief.title, brief.language, len(brief.blocks)) == ("Garanties 2026", "fr", 1)


@pytest.mark.parametrize(
    ("do", "form", "said"),
    [
        ("rename", {"title": "x" * 201, "language": "fr"}, "at most 200 characters"),
        ("rename", {"title": " ", "language": "fr"}, "at most 200 characters"),
        ("write", {"block": 0, "text": "x" * 20_001}, "between 1 and 20,000"),
        ("edit", {"block": 0, "text": "x" * 20_001}, "between 1 and 20,000"),
        ("remove", {"block": 7}, "not there any more"),
    ],
)
def test_what_cannot_be_done_is_said_beside_it(
    desk: Desk, do: str, form: dict[str, Any], said: str
) -> None:
    """With what was written, and nothing is changed."""
    secret = desk.begin()
    desk.do(secret, "write", block=0, text="Words.")
    before = desk.brief(secret)
    response = desk.do(secret, do, **form)
    assert response.status_code == 422
    assert said in response.text
    assert "x" * 20_001 not in form.values() or "x" * 20_001 in response.text
    if do != "remove":
        assert 'aria-describedby="fault"' in response.text
    assert desk.brief(secret) == before
    assert desk.client.post("/briefs", data={"title": " "}).status_code == 422


def test_a_stale_change_keeps_both_texts(desk: Desk, library: Base, app: Any) -> None:
    """What somebody else saved stays, and what was written is shown beside it."""
    secret = desk.begin()
    desk.do(secret, "write", block=0, text="As it was.")
    before = desk.brief(secret).revision
    other = another(library, app)
    other.do(secret, "edit", block=0, text="Theirs.")
    response = desk.do(secret, "edit", block=0, text="Mine.", revision=before)
    assert response.status_code == 409
    page = unescape(response.text)
    assert "Somebody else has changed this brief" in page
    assert "Mine." in page
    assert "Theirs." in page
    assert desk.brief(secret).blocks == (Paragraph("Theirs."),)
    moved = desk.do(secret, "remove", block=0, revision=before)
    assert moved.status_code == 409
    assert desk.brief(secret).blocks == (Paragraph("Theirs."),)


def test_who_may_read_cannot_change(desk: Desk) -> None:
    """Nor find out the address by which one could."""
    secret = desk.begin()
    desk.do(secret, "write", block=0, text="Words.")
    reading = read_secret(secret)
    page = desk.read(reading)
    assert "Words." in page
    assert "textarea" not in page
    assert secret not in page.replace(reading, "")
    for do in ("write", "delete", "current", "staff"):
        answered = desk.client.post(f"/briefs/{reading}", data={"do": do, "text": "No."})
        assert answered.status_code == 404
    assert desk.brief(secret).blocks == (Paragraph("Words."),)


def test_only_staff_share_with_staff(library: Base, app: Any) -> None:
    """They find the brief by its number, which opens nothing for others."""
    staff, token = signed_in(library, app, KeyRole.STAFF)
    nobody = another(library, app)
    secret = nobody.begin("For everybody")
    assert nobody.do(secret, "staff").status_code == 404
    assert staff.do(secret, "staff", csrf_token=token).status_code == 303
    number = str(nobody.brief(secret).id)
    assert "For everybody" in unescape(staff.client.get("/briefs").text)
    assert "For everybody" in staff.read(number)
    assert secret not in staff.read(number)
    partner, _ = signed_in(library, app, KeyRole.PARTNER)
    for other in (nobody, partner):
        assert other.client.get(f"/briefs/{number}").status_code == 404
        assert "Of the team" not in other.client.get("/briefs").text
    lost = staff.do(number, "unstaff", csrf_token=token)
    assert lost.headers["location"] == "../briefs"
    assert staff.client.get(f"/briefs/{number}").status_code == 404


def test_a_browser_knows_several_briefs(desk: Desk) -> None:
    """The last begun or chosen is the one that quotes are added to; one can be forgotten."""
    first, second = desk.begin("One"), desk.begin("Two")
    assert desk.client.cookies["kb_brief"].split(".") == [second, first]
    desk.do(first, "current")
    assert desk.client.cookies["kb_brief"].split(".") == [first, second]
    desk.do(first, "forget")
    assert desk.client.cookies["kb_brief"] == second
    assert desk.brief(first).title == "One"
    desk.do(second, "delete")
    assert "kb_brief" not in desk.client.cookies
    assert [brief.title for brief in desk.record.listed()] == ["One"]


def test_an_outdated_quote_is_seen_at_once(desk: Desk, library: Base) -> None:
    """On top how many, beside it why, with the way to what is newer."""
    desk.add(library.hits("guarantee losses")[0])
    library.write("guarantee.md", "# Guarantee", GUARANTEE.replace("half", "two thirds"))
    library.ingest()
    desk.add(library.hits("guarantee losses")[0])
    secret = desk.client.cookies["kb_brief"]
    for page in (desk.read(secret), desk.read(secret, view="read")):
        assert "1 of 2 quotes is outdated." in page
        assert "The document has a newer version (since 1 March 2026)." in page
        assert f'href="../documents/{library.id_of("guarantee.md")}">See the newer version' in page


def test_a_secret_address_goes_nowhere_else(desk: Desk) -> None:
    """No cache keeps it, no search finds it, no other site is told; the cookie is for no script."""
    secret = desk.begin()
    response = desk.client.get(f"/briefs/{secret}")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-robots-tag"] == "noindex"
    assert response.headers["referrer-policy"] in {"no-referrer", "same-origin"}
    [cookie] = desk.client.post("/briefs", data={"title": "Another"}).headers.get_list("set-cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Max-Age=31536000" in cookie


def test_what_a_brief_showed_is_in_the_audit_trail(desk: Desk, library: Base) -> None:
    """With its number, never its address."""
    hit = library.hits("guarantee losses")[0]
    desk.add(hit)
    secret = desk.client.cookies["kb_brief"]
    desk.read(secret)
    assert library.kb.trail.flush(30)
    [event] = library.kb.trail.record.listed(Chosen(action=Action.BRIEF), 10)
    assert [each.passage_id for each in event.returned] == [hit.passage.id]
    assert event.filters == {"brief": desk.brief(secret).id}
    kept = b"".join(path.read_bytes() for path in library.kb.settings.home.glob("record.db*"))
    assert secret.encode() not in kept


def test_a_brief_is_exported_as_it_stands_for_whoever_asks(desk: Desk, library: Base) -> None:
    """By either address, as a file that no cache keeps."""
    desk.add(library.hits("guarantee losses")[0])
    secret = desk.client.cookies["kb_brief"]
    for address in (secret, read_secret(secret)):
        response = desk.client.get(f"/briefs/{address}/export", params={"format": "markdown"})
        assert response.status_code == 200
        assert GUARANTEE in response.text.replace("\n> ", " ")
        assert response.headers["content-disposition"].startswith("attachment")
        assert response.headers["cache-control"] == "no-store"
    assert desk.client.get(f"/briefs/{secret}/export", params={"format": "x"}).status_code == 422


def test_there_is_no_brief_at_other_addresses(desk: Desk) -> None:
    """Whatever they look like."""
    for address in ("nothing", "1", "999999999", "9" * 60):
        missing = desk.client.get(f"/briefs/{address}")
        assert missing.status_code == 404
        assert "Ask whoever sent it to you" in missing.text
        assert "sign in" not in missing.text.partition("<main")[2]
        assert desk.client.post(f"/briefs/{address}", data={"do": "delete"}).status_code == 404


def test_the_pages_speak_french_first(app: Any) -> None:
    """To who says nothing of languages."""
    client = TestClient(app, headers={"Accept": "text/html"})
    assert "<h1>Dossiers de citations</h1>" in client.get("/briefs").text
    client.post("/briefs", data={"title": "Garanties"})
    secret = client.cookies["kb_brief"]
    page = unescape(client.get(f"/briefs/{secret}").text)
    assert "Ce dossier est encore vide." in page
    assert "Réglages du dossier" in page

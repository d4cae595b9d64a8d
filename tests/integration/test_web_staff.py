"""The team's pages: who may open them, what they show, and what their forms do."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest
from conftest import Base
from fakes import HashingEncoder, TickingClock
from lxml import html
from starlette.testclient import TestClient

from api.app import create_app
from kb.bootstrap import open_knowledge_base
from kb.keys import KeyRole, NewKey
from kb.model import FeedbackKind
from kb.record.feedback import Cited, Feedback
from kb.record.uploads import NewUpload, UploadsRecord, UploadState
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpx2 import Response

PAGES = (
    *("/staff", "/staff/uploads", "/staff/gaps", "/staff/feedback", "/staff/keys", "/staff/audit"),
    *("/staff/audit/export", "/staff/keys/1/revoke", "/staff/keys/1/rotate"),
)
HOST = "http://testserver"
ASKED = "Quel âge ont les phares du Pérou ?"
NOTE = "# Phares\n\nLes phares bretons sont gardés par des bénévoles.\n".encode()


class Team:
    """A service whose uploads wait, and browsers that are signed in to it."""

    def __init__(self, base: Base, client: TestClient) -> None:
        self.base = base
        self.kb = base.kb
        self.anybody = client
        self._count = 0

    def key(self, role: KeyRole = KeyRole.STAFF, **more: Any) -> tuple[str, str]:
        """A new key: its name and its text."""
        self._count += 1
        name = f"{role} {self._count}"
        return name, self.kb.keys.create(NewKey(name, role, **more), self.kb.clock())[1]

    def browser(self, language: str = "fr") -> TestClient:
        """A browser that nobody is signed in with."""
        made = TestClient(
            self.anybody.app, follow_redirects=False, headers={"Accept-Language": language}
        )
        made.portal = self.anybody.portal  # the loop that the service runs on
        return made

    def signed_in(self, role: KeyRole = KeyRole.STAFF, language: str = "fr") -> Browser:
        """A browser in which somebody with a new key has signed in."""
        name, text = self.key(role)
        client = self.browser(language)
        assert client.post("/login", data={"key": text}).status_code == 303
        return Browser(client, name)


class Browser:
    """A browser in which somebody is signed in."""

    def __init__(self, client: TestClient, key: str) -> None:
        self.client = client
        self.key = key

    @property
    def csrf(self) -> str:
        """The session's token."""
        token: str = self.client.get("/v1/session").json()["csrf_token"]
        return token

    def page(self, path: str, status: int = 200) -> Any:
        """A page, parsed."""
        return parsed(self.client.get(path), status)

    def post(self, path: str, files: Any = None, **fields: Any) -> Response:
        """Send a form with the session's token before all other fields."""
        return self.client.post(path, data={"csrf_token": self.csrf, **fields}, files=files)


def parsed(answered: Response, status: int = 200) -> Any:
    """A page, which is one."""
    assert answered.status_code == status, answered.text
    assert answered.headers["content-type"].startswith("text/html")
    return html.fromstring(answered.text)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """A service with a document, an unanswered question and feedback; uploads only wait."""
    folder = tmp_path_factory.mktemp("staff")
    values: dict[str, Any] = {"home": folder / "home", "workers": 1, "max_file_mb": 1}
    values |= {"rate_anonymous": 100_000, "rate_key": 100_000}
    kb = open_knowledge_base(Settings(**values), clock=TickingClock(), encoder=HashingEncoder())
    base = Base(kb, folder / "files")
    base.write("garantie.md", "# Garantie", "La garantie couvre la moitié des pertes.")
    assert base.ingest().exit_code == 0
    kb.feedback.add(
        Feedback(
            at=kb.clock(),
            kind=FeedbackKind.WRONG_CITATION,
            comment="<i>Faux</i> chiffre",
            citation=Cited(base.id_of("garantie.md"), 1, 1, "la moitié"),
        )
    )
    with pytest.MonkeyPatch.context() as patched, TestClient(create_app(kb)) as client:
        patched.setattr("api.rates.STRICT", {})
        patched.setattr("api.ingesting.UploadRunner._step", lambda _runner: None)
        client.post("/v1/answers", json={"question": ASKED})
        assert kb.trail.flush(10)
        yield Team(base, client)
    kb.close()


@pytest.fixture(scope="module")
def staff(team: Team) -> Browser:
    """Somebody of the team."""
    return team.signed_in()


# Who may


@pytest.mark.parametrize(
    "path",
    [
        *PAGES,
        *(f"/staff/uploads/{'0' * 16}", "/staff/uploads/x", "/staff/keys/x/revoke"),
        *("/staff/audit?since=x", "/staff/uploads?before=x", "/staff/nothing"),
    ],
)
def test_for_others_there_is_nothing(team: Team, path: str) -> None:
    """Nobody without a key, no partner, and nobody whose key is narrowed to collections."""
    narrowed = team.key(collections=("bretagne",))[1]
    partner = team.key(KeyRole.PARTNER)[1]
    client = team.browser()
    for headers in ({}, {"X-API-Key": partner}, {"X-API-Key": narrowed}):
        for method in ("GET", "POST", "DELETE"):
            said = client.request(method, path, headers=headers)
            other = client.request("GET", "/staff/nothing", headers=headers)
            assert said.status_code == 404
            assert said.json()["detail"] == other.json()["detail"]


@pytest.mark.parametrize("path", [path for path in PAGES if path != "/staff/audit/export"])
@pytest.mark.parametrize("language", ["fr", "en"])
def test_pages_speak_the_readers_language(team: Team, path: str, language: str) -> None:
    """Each with one heading and the menu of the team."""
    client = team.browser(language)
    headers = {"X-API-Key": team.key()[1]}
    page = parsed(client.get(path, headers=headers))
    assert page.get("lang") == language
    assert len(page.xpath("//h1")) == 1
    menu = {"fr": "Pages de l’équipe", "en": "Pages of the team"}[language]
    assert page.xpath(f"//nav[@aria-label='{menu}']")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/staff/keys", {"name": "Stolen", "role": "staff"}),
        ("/staff/keys/1/revoke", {}),
        ("/staff/keys/1/rotate", {}),
    ],
)
@pytest.mark.parametrize("token", [None, "wrong"])
def test_a_form_without_the_sessions_token_changes_nothing(
    team: Team, staff: Browser, path: str, fields: dict[str, str], token: str | None
) -> None:
    """Which another site does not know."""
    before = [(key.name, key.revoked) for key in team.kb.keys.listed()]
    sent = fields if token is None else {**fields, "csrf_token": token}
    answered = staff.client.post(path, data=sent)
    assert answered.status_code == 403
    assert answered.json()["type"] == "/problems/csrf-token-missing"
    assert [(key.name, key.revoked) for key in team.kb.keys.listed()] == before


# Overview, gaps, feedback


def test_the_overview_says_how_the_base_is(staff: Browser) -> None:
    """Ready, with what it holds."""
    page = staff.page("/staff")
    assert "Le service est prêt." in page.text_content()
    assert "Garantie" in page.text_content()
    assert page.xpath("//dl//dd")[0].text_content() == "1"


def test_what_is_missing_leads_to_the_question(staff: Browser) -> None:
    """Which can be asked again."""
    page = staff.page("/staff/gaps?since=&language=")
    assert ASKED in [each.text_content() for each in page.xpath("//li/h2")]
    [again] = page.xpath(f"//a[contains(., '{ASKED}')]")
    assert urljoin(f"{HOST}/staff/gaps", again.get("href")).startswith(f"{HOST}/?q=Quel")
    assert "Rien ne manque" in staff.page("/staff/gaps?since=2030-01-01").text_content()


def test_feedback_leads_to_the_page_that_it_is_about(team: Team, staff: Browser) -> None:
    """And is text, whatever it says."""
    page = staff.page("/staff/feedback?kind=wrong_citation")
    assert "<i>Faux</i> chiffre" in page.text_content()
    [link] = page.xpath("//a[.='la moitié']")
    where = urljoin(f"{HOST}/staff/feedback", link.get("href"))
    assert where == f"{HOST}/documents/{team.base.id_of('garantie.md')}/pages/1?version=1"
    assert "Aucun retour" in staff.page("/staff/feedback?kind=helpful").text_content()


# Audit


def test_the_trail_is_narrowed_and_paged(
    team: Team, staff: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By way in, action and days; what comes later has an address of its own."""
    for _ in range(3):
        team.anybody.get("/documents")
    assert team.kb.trail.flush(10)
    page = staff.page("/staff/audit?action=answer&door=http&since=2026-03-01&until=")
    [row] = page.xpath("//tbody/tr")
    assert ASKED in row.text_content()
    assert "pas assez de preuves" in row.text_content()
    monkeypatch.setattr("api.web.staff._SHOWN", 2)
    first = staff.page("/staff/audit?action=documents")
    [further] = first.xpath("//a[@rel='next']")
    where = urljoin(f"{HOST}/staff/audit", further.get("href")).removeprefix(HOST)
    assert "action=documents" in where
    assert len(first.xpath("//tbody/tr")) == 2
    assert staff.page(where).xpath("//tbody/tr")


def test_the_trail_is_told_in_words(team: Team, staff: Browser) -> None:
    """And pictures, of which each page that is read has one, are shown to who chooses them."""
    document = team.base.id_of("garantie.md")
    for path in ("pages/1?version=1", "pages/1/picture?version=1"):
        team.anybody.get(f"/documents/{document}/{path}")
    team.anybody.get("/documents?kind=research&order=title&language=fr")
    team.anybody.get("/calls")
    assert team.kb.trail.flush(10)
    rows = [row.text_content() for row in staff.page("/staff/audit").xpath("//tbody/tr")]
    assert not any("Image d’une page" in row for row in rows)
    [page] = [row for row in rows if "Une page" in row]
    assert "page 1, version 1" in page
    assert "document_id" not in "".join(rows)
    said = "Type de document\u00a0: Recherche, Langue\u00a0: français, Trier par\u00a0: Par titre"
    assert any(said in row for row in rows)
    assert not any("[" in row or "order" in row for row in rows)
    [picture, *_] = staff.page("/staff/audit?action=picture").xpath("//tbody/tr")
    assert document in picture.text_content()  # nothing was shown that would name it beside


def test_days_in_the_wrong_order_are_told_beside_the_field(staff: Browser) -> None:
    """With what was written."""
    page = staff.page("/staff/audit?since=2026-03-02&until=2026-03-01", status=422)
    [field] = page.xpath("//input[@name='since']")
    assert (field.get("value"), field.get("aria-invalid")) == ("2026-03-02", "true")
    assert page.xpath(f"//p[@id='{field.get('aria-describedby')}']")


def test_the_trail_is_downloaded_as_a_table(staff: Browser) -> None:
    """Of the events that are meant, for a spreadsheet."""
    answered = staff.client.get("/staff/audit/export?action=answer")
    assert answered.headers["content-type"].startswith("text/csv")
    assert "attachment" in answered.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answered.text.lstrip("\ufeff"))))
    assert [(row["action"], row["query"]) for row in rows] == [("answer", ASKED)]


def test_hashed_questions_are_said_to_be(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Instead of empty lines."""
    values: dict[str, Any] = {"home": tmp_path_factory.mktemp("hashed"), "audit_queries": "hashed"}
    kb = open_knowledge_base(Settings(**values), clock=TickingClock(), encoder=HashingEncoder())
    _, text = kb.keys.create(NewKey("Team", KeyRole.STAFF), kb.clock())
    headers = {"X-API-Key": text, "Accept-Language": "fr"}
    with TestClient(create_app(kb)) as client:
        for path in ("/staff/audit", "/staff/gaps"):
            assert "empreintes" in client.get(path, headers=headers).text
        empty = client.get("/staff", headers=headers).text
        assert "La base est vide" in empty
        assert "n’est pas prêt" not in empty
    kb.close()


# Keys


def test_a_key_is_made_and_shown_once(team: Team, staff: Browser) -> None:
    """With the settings that were asked for; the list knows its end alone."""
    made = staff.post(
        "/staff/keys",
        name=" Réseau ",
        role="partner",
        collections="plans, bretagne ,",
        expires="2026-12-31",
        rate="120",
    )
    page = parsed(made)
    assert made.headers["cache-control"] == "no-store"
    [text] = page.xpath("//input[@readonly]/@value")
    session = team.browser().get("/v1/session", headers={"X-API-Key": text}).json()
    assert session["role"] == "partner"
    assert session["name"] == "Réseau"
    assert session["collections"] == ["plans", "bretagne"]
    assert session["expires"].startswith("2026-12-31T23:00")
    listed = staff.page("/staff/keys").text_content()
    assert "Réseau" in listed
    assert text not in listed
    assert f"…{text[-4:]}" in listed
    again = parsed(staff.post("/staff/keys", name="Réseau", role="staff"), 422)
    assert "porte déjà ce nom" in again.text_content()
    assert again.xpath("//input[@name='name']/@value") == ["Réseau"]
    assert again.xpath("//input[@value='staff']/@checked")
    assert again.xpath("//input[@name='csrf_token']")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "omk_" + "0" * 49),
        ("name", "x" * 201),
        ("name", "a\u202eb"),
        ("collections", "x" * 201),
        ("expires", "2026-02-28"),
        ("expires", "soon"),
        ("expires", "9999-12-31"),
        ("rate", "0"),
        ("rate", "many"),
        ("rate", "-1"),
        ("rate", "\u00b2"),
    ],
)
def test_what_cannot_be_a_key_is_told_beside_the_field(
    team: Team, staff: Browser, field: str, value: str
) -> None:
    """Nothing is made, and what was written stays."""
    before = len(team.kb.keys.listed())
    form = {"name": "New one", "role": "partner", field: value}
    page = parsed(staff.post("/staff/keys", **form), 422)
    assert len(team.kb.keys.listed()) == before
    [wrong] = page.xpath("//*[@aria-invalid='true']")
    assert wrong.get("name") == field
    assert page.xpath(f"//p[@id='e-{field}']")
    assert f"e-{field}" in wrong.get("aria-describedby")


def test_a_key_is_revoked_after_a_question(team: Team, staff: Browser) -> None:
    """Looking at the question changes nothing; the list says what was done."""
    name, text = team.key(KeyRole.PARTNER)
    key = team.kb.keys.listed()[-1]
    asked = staff.page(f"/staff/keys/{key.id}/revoke")
    assert name in asked.xpath("//h1")[0].text_content()
    assert team.kb.keys.by_key(text, team.kb.clock()) is not None
    done = staff.post(f"/staff/keys/{key.id}/revoke")
    assert done.status_code == 303
    assert team.kb.keys.by_key(text, team.kb.clock()) is None
    where = urljoin(f"{HOST}/staff/keys/{key.id}/revoke", done.headers["location"])
    said = staff.page(where.removeprefix(HOST))
    assert name in said.xpath("//p[@role='status']")[0].text_content()
    for what in ("revoke", "rotate"):
        assert staff.client.get(f"/staff/keys/{key.id}/{what}").status_code == 404
        assert staff.post(f"/staff/keys/{key.id}/{what}").status_code == 404


def test_a_key_gets_a_new_text(team: Team, staff: Browser) -> None:
    """Which is shown once; the old one opens nothing."""
    name, text = team.key(KeyRole.PARTNER)
    key = team.kb.keys.listed()[-1]
    page = parsed(staff.post(f"/staff/keys/{key.id}/rotate"))
    [fresh] = page.xpath("//input[@readonly]/@value")
    assert team.kb.keys.by_key(text, team.kb.clock()) is None
    found = team.kb.keys.by_key(fresh, team.kb.clock())
    assert found is not None
    assert found.name == name


def test_an_expired_key_is_revoked_and_not_replaced(team: Team, staff: Browser) -> None:
    """A new text would have expired too."""
    team.key(expires=team.kb.clock() + timedelta(seconds=2))
    key = team.kb.keys.listed()[-1]
    team.kb.clock()
    assert staff.client.get(f"/staff/keys/{key.id}/rotate").status_code == 404
    staff.page(f"/staff/keys/{key.id}/revoke")


def test_who_ends_their_own_key_is_signed_out(team: Team) -> None:
    """And warned before."""
    own = team.signed_in()
    key = next(each for each in team.kb.keys.listed() if each.name == own.key)
    assert "vous êtes connecté" in own.page(f"/staff/keys/{key.id}/revoke").text_content()
    assert "déconnecté" in parsed(own.post(f"/staff/keys/{key.id}/rotate")).text_content()
    assert own.client.get("/staff").status_code == 404
    other = team.signed_in()
    key = next(each for each in team.kb.keys.listed() if each.name == other.key)
    done = other.post(f"/staff/keys/{key.id}/revoke")
    assert urljoin(f"{HOST}/staff/keys/1/revoke", done.headers["location"]) == f"{HOST}/login"


# Uploads


def _folders(team: Team) -> set[str]:
    folder = team.kb.settings.uploads
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def test_a_plain_form_uploads_a_file(team: Team, staff: Browser) -> None:
    """And leads to the page that says what becomes of it."""
    done = staff.post(
        "/staff/uploads",
        files={"file": ("phares.md", NOTE)},
        title="Phares",
        kind="research",
        visibility="coalition",
        language="fr",
        published="2026-01-15",
        issuer="",
        url="",
        theme=["garantie-mecanisme", "garantie-epargne"],
        collection="bretagne, phares",
    )
    assert done.status_code == 303, done.text
    where = urljoin(f"{HOST}/staff/uploads", done.headers["location"]).removeprefix(HOST)
    page = staff.page(where)
    assert page.xpath("//*[@id='upload']/@data-state") == ["waiting"]
    upload_id = where.rpartition("/")[2]
    found = UploadsRecord(team.kb.engine).get(upload_id)
    assert found is not None
    assert (found.name, found.key, found.size) == ("phares.md", staff.key, len(NOTE))
    said = (team.kb.settings.uploads / upload_id / "metadata.yaml").read_text("utf-8")
    for stated in ("title: Phares", "visibility: coalition", "2026-01-15", "bretagne", "phares"):
        assert stated in said
    assert "issuer" not in said
    assert "csrf" not in said
    assert "phares.md" in staff.page("/staff/uploads").text_content()


@pytest.mark.parametrize(
    ("fields", "file", "wrong"),
    [
        ({"title": "x" * 501}, ("a.md", NOTE), "title"),
        ({"url": "javascript:alert(1)"}, ("a.md", NOTE), "url"),
        ({"published": "2026-02-30"}, ("a.md", NOTE), "published"),
        ({"collection": ",".join("abcdefghijklmnopqrstuvw")}, ("a.md", NOTE), "collection"),
        ({}, ("a.md", b""), "file"),
    ],
)
def test_a_field_that_cannot_be_used_is_told_beside_it(
    team: Team, staff: Browser, fields: dict[str, str], file: tuple[str, bytes], wrong: str
) -> None:
    """Nothing is kept of the file, and the others stay as they were written."""
    before = _folders(team)
    form = {"title": "Mes phares", "visibility": "public", **fields}
    page = parsed(staff.post("/staff/uploads", files={"file": file}, **form), 422)
    assert [each.get("name") for each in page.xpath("//*[@aria-invalid='true']")] == [wrong]
    assert page.xpath(f"//p[@id='e-{wrong}']")
    assert page.xpath("//input[@value='public']/@checked")
    assert page.xpath("//input[@name='title']/@value") == [form["title"]]
    assert page.xpath("//input[@name='csrf_token']/@value") == [staff.csrf]
    assert _folders(team) == before


def test_a_file_that_is_too_large_is_told(team: Team, staff: Browser) -> None:
    """In the page's words."""
    before = _folders(team)
    sent = staff.post("/staff/uploads", files={"file": ("a.txt", b"x" * (1024 * 1024 + 1))})
    page = parsed(sent, 413)
    assert "1 Mo" in page.xpath("//p[@id='e-file']")[0].text_content()
    assert _folders(team) == before


@pytest.mark.parametrize("sent", ["none", "wrong", "after"])
def test_an_upload_without_the_sessions_token_is_not_taken(
    team: Team, staff: Browser, sent: str
) -> None:
    """It must stand before the file, which is not written otherwise."""
    before = _folders(team)
    parts: list[Any] = [("file", ("a.md", NOTE))]
    if sent == "wrong":
        parts.insert(0, ("csrf_token", (None, "0" * 64)))
    if sent == "after":
        parts.append(("csrf_token", (None, staff.csrf)))
    answered = staff.client.post("/staff/uploads", files=parts)
    assert answered.status_code == 403
    assert answered.json()["type"] == "/problems/csrf-token-missing"
    assert _folders(team) == before


def test_a_large_upload_of_others_is_as_at_any_address(team: Team) -> None:
    """A partner who is signed in may send what they may send anywhere, and finds nothing."""
    partner = team.signed_in(KeyRole.PARTNER)
    fields = {"csrf_token": partner.csrf}
    for path in ("/staff/uploads", "/staff/nothing"):
        small = partner.client.post(path, data=fields, files={"file": ("a.md", NOTE)})
        large = partner.client.post(path, data=fields, files={"file": ("a.md", b"x" * 200_000)})
        assert (small.status_code, large.status_code) == (404, 413)


@pytest.mark.parametrize("path", ["/staff/uploads/0123456789abcdef", "/staff/uploads/nonsense"])
def test_an_upload_that_is_not_there(staff: Browser, path: str) -> None:
    """Is not found."""
    assert staff.client.get(path).status_code in {404, 422}


def test_a_report_names_the_document_and_its_readers(team: Team, staff: Browser) -> None:
    """And how it is mended, with the folder that it lies in."""
    uploads, now = UploadsRecord(team.kb.engine), team.kb.clock()
    uploads.add(NewUpload("abc0", "garantie.md", 9), now)
    upload = uploads.claim("claim", now, now + timedelta(minutes=1))
    assert upload is not None
    file = {"path": "garantie.md", "outcome": "added", "reason": "", "pages": 1, "passages": 1}
    file |= {"document_id": team.base.id_of("garantie.md"), "warnings": []}
    uploads.end("claim", UploadState.DONE, now, None, {"files": [file]})
    page = staff.page(f"/staff/uploads/{upload.id}")
    [row] = page.xpath("//tbody/tr")
    assert [each.text_content() for each in row.xpath(".//strong")] == ["Garantie"]
    assert "Tout le monde" in row.text_content()
    assert f'kb ingest "KB_HOME/uploads/{upload.id}/{upload.name}"' in page.text_content()

"""Who a request comes from: keys, sessions, and changes that another site asks for."""

import json
import logging
import re
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from conftest import MakeKb
from fakes import TickingClock
from httpx2 import Response
from sqlalchemy import event, text
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access import CurrentCaller, StaffCaller
from api.app import create_app
from api.login import FormCaller, Session
from api.schemas import Problem
from kb.bootstrap import KnowledgeBase
from kb.keys import KeyRole, NewKey, new_key
from kb.record.keys import IDLE, SESSION

PUBLIC = "https://calls.example.org/kb"
ANOTHER_SITE = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://elsewhere.example.org"},
    {"Origin": "http://testserver.elsewhere.example.org"},
    {"Origin": "null"},
    {"Origin": "http://["},
]
THIS_SITE = [
    {},
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    {"Origin": "http://testserver"},
    {"Origin": "https://calls.example.org"},
]


async def _who(caller: CurrentCaller) -> dict[str, Any]:
    return {"client": caller.client, "door": caller.door, "role": caller.role}


async def _who_by_form(caller: FormCaller) -> dict[str, Any]:
    return await _who(caller)


async def _for_staff(caller: StaffCaller) -> dict[str, Any]:
    return await _who(caller)


class Service:
    """A service with three routes of the test, and what its requests left in their state."""

    def __init__(self, kb: KnowledgeBase) -> None:
        self.kb = kb
        self.states: list[dict[str, Any]] = []
        self._addresses = (f"198.51.100.{number}" for number in range(1, 255))
        app = create_app(kb)
        for path, route in (("who", _who), ("form", _who_by_form), ("staff", _for_staff)):
            app.api_route(f"/test/{path}", methods=["GET", "HEAD", "POST", "DELETE"])(route)
        app.add_middleware(_remembering(self.states))
        self.app = app

    @property
    def clock(self) -> TickingClock:
        """The service's clock, to be set forward."""
        assert isinstance(self.kb.clock, TickingClock)
        return self.kb.clock

    def client(self, **options: Any) -> TestClient:
        """A browser or program with an address and cookies of its own."""
        options.setdefault("client", (next(self._addresses), 50_000))
        return TestClient(self.app, follow_redirects=False, **options)

    def key(self, name: str = "Équipe", role: KeyRole = KeyRole.STAFF, **settings: Any) -> str:
        """A new key."""
        return self.kb.keys.create(NewKey(name, role, **settings), self.kb.clock())[1]

    def signed_in(self, key: str, **options: Any) -> tuple[TestClient, str]:
        """A browser that has signed in, and its CSRF token."""
        client = self.client(**options)
        assert client.post("/login", data={"key": key}).status_code == 303
        return client, client.get("/v1/session").json()["csrf_token"]


def _remembering(states: list[dict[str, Any]]) -> Any:
    class Remembering:
        def __init__(self, app: ASGIApp) -> None:
            self._app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            states.append(scope.setdefault("state", {}))
            await self._app(scope, receive, send)

    return Remembering


@pytest.fixture
def service(make_kb: MakeKb) -> Iterator[Service]:
    """A service over an empty base, on its own host and behind a public address."""
    made = Service(make_kb(public_url="http://calls.example.org/kb"))
    with TestClient(made.app):
        yield made


def _problem(response: Response, status: int, slug: str) -> Problem:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate_json(response.content)
    assert problem.type == f"/problems/{slug}"
    return problem


# Keys


@pytest.mark.parametrize(
    "written",
    [
        lambda key: {"Authorization": f"Bearer {key}"},
        lambda key: {"Authorization": f"bearer   {key} "},
        lambda key: {"X-API-Key": key},
        lambda key: {"X-API-Key": key, "Authorization": f"Bearer {key}"},
    ],
)
def test_a_key_gives_its_role(service: Service, written: Any) -> None:
    """In either header, or the same in both."""
    key = service.key(role=KeyRole.PARTNER, collections=("plans",))
    headers = written(key)
    who = service.client().get("/test/who", headers=headers).json()
    assert who == {"client": "key:1", "door": "http", "role": "partner"}
    response = service.client().get("/v1/session", headers=headers)
    Session.model_validate_json(response.content)
    assert response.json() == {
        "role": "partner",
        "name": "Équipe",
        "collections": ["plans"],
        "expires": None,
        "csrf_token": None,
    }
    assert response.headers["cache-control"] == "no-store"
    # A program has no cookie that another site could use.
    assert service.client().post("/test/who", headers=headers).json() == who


def test_without_a_key_the_caller_is_anonymous(service: Service) -> None:
    """Nothing is known of them but their address."""
    response = service.client().get("/v1/session")
    Session.model_validate_json(response.content)
    assert set(response.json().values()) == {"anonymous", None}


def test_a_key_that_is_not_accepted_is_answered_in_one_way(service: Service) -> None:
    """Whatever the reason, in the same words, and never as if none was given."""
    good, other = service.key(), service.key("Other")
    expired = service.key("Expired", expires=service.clock.now + timedelta(minutes=1))
    revoked = service.key("Revoked")
    service.kb.keys.revoke("Revoked", service.kb.clock())
    service.clock.now += timedelta(minutes=1)
    name, scheme = b"x-api-key", b"authorization"
    malformed = (good[:-1], f"{good}x", good.lower(), "omk_é", "")
    refused = [
        *([(name, key.encode())] for key in (new_key(), revoked, expired, *malformed)),
        *([(scheme, b"Bearer " + key.encode())] for key in (new_key(), revoked, *malformed)),
        *([(scheme, value.encode())] for value in (good, f"Basic {good}", "Bearer", "")),
        [(name, good.encode()), (scheme, b"Bearer " + other.encode())],
        [(name, good.encode()), (scheme, b"Basic eDp5")],
        [(name, good.encode()), (name, other.encode())],
    ]
    answers = set()
    for headers in refused:
        response = service.client().get("/v1/session", headers=headers)
        _problem(response, 401, "key-not-accepted")
        assert response.headers["www-authenticate"] == "Bearer"
        assert service.states[-1]["failed_key"] is True
        answers.add(json.dumps({**response.json(), "request_id": ""}))
    assert len(answers) == 1
    assert service.client().get("/v1/session", headers={"X-API-Key": good}).status_code == 200
    assert "failed_key" not in service.states[-1]


def test_a_key_in_an_address_or_a_cookie_is_none(service: Service) -> None:
    """Addresses are written down by too many."""
    key = service.key()
    client = service.client(cookies={"kb_session": key, "key": key})
    for name in ("key", "api_key", "access_token", "x-api-key"):
        assert client.get("/v1/session", params={name: key}).json()["role"] == "anonymous"


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("/run/kb.sock", "/run/kb.sock"),
    ],
)
def test_who_has_no_key_is_counted_by_address(service: Service, address: str, client: str) -> None:
    """An IPv6 subscriber has a whole network; IPv4 is the same in either spelling."""
    who = service.client(client=(address, 50_000)).get("/test/who").json()
    assert who == {"client": f"address:{client}", "door": "http", "role": None}


def test_liveness_asks_the_database_nothing(service: Service) -> None:
    """Also of a browser that has a session."""
    client, _ = service.signed_in(service.key())
    asked: list[str] = []
    event.listen(
        service.kb.engine, "before_cursor_execute", lambda *said: asked.append(str(said[2]))
    )
    assert client.get("/healthz").status_code == 200
    assert asked == []
    client.get("/v1/session")
    assert asked != []


def test_keys_open_while_the_database_is_written(service: Service) -> None:
    """As by an ingest run: the use is not noted, and nothing fails."""
    key = service.key()
    client, _ = service.signed_in(key)
    service.clock.now += timedelta(minutes=5)
    before = service.kb.keys.listed()
    writer = sqlite3.connect(service.kb.settings.home / "record.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert client.get("/v1/session").json()["role"] == "staff"
    response = service.client().get("/v1/session", headers={"X-API-Key": key})
    assert response.json()["role"] == "staff"
    writer.execute("ROLLBACK")
    writer.close()
    assert service.kb.keys.listed() == before
    client.get("/v1/session")
    assert service.kb.keys.listed() != before


def test_a_database_that_is_away_is_a_problem(service: Service) -> None:
    """Nobody is taken for anonymous meanwhile."""
    key = service.key()
    client, _ = service.signed_in(key)
    with service.kb.engine.begin() as connection:
        connection.execute(text("ALTER TABLE keys RENAME TO away"))
    _problem(client.get("/v1/session"), 503, "store-not-available")
    response = service.client().get("/v1/session", headers={"X-API-Key": key})
    _problem(response, 503, "store-not-available")


# Signing in and out


def test_the_page_asks_for_a_key_in_the_visitors_language(service: Service) -> None:
    """French first; it runs nothing of others, is framed by nobody and kept by no cache."""
    page = service.client().get("/login")
    assert page.status_code == 200
    assert '<html lang="fr">' in page.text
    assert "Collez la clé" in page.text
    assert re.search(
        r'(?s)<label for="key">.*<input id="key" name="key" type="password"', page.text
    )
    english = service.client().get("/login", headers={"Accept-Language": "en"})
    assert '<html lang="en">' in english.text
    assert "Paste the key" in english.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "form-action 'self'; frame-ancestors 'none'; base-uri 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    # With `no-referrer` a browser would hide the origin of the form.
    assert page.headers["referrer-policy"] == "same-origin"


def test_a_key_is_exchanged_for_a_session(service: Service) -> None:
    """The browser then is who the key is; scripts of a page can't read the cookie."""
    key = service.key(expires=service.clock.now + timedelta(days=1))
    client = service.client()
    response = client.post("/login", data={"key": f"  {key}\r\n"})
    assert response.status_code == 303
    assert response.next_request is not None
    assert response.next_request.url == "http://testserver/"
    assert response.headers["cache-control"] == "no-store"
    [cookie] = response.headers.get_list("set-cookie")
    assert re.fullmatch(r"kb_session=[\w-]{43}; HttpOnly; Path=/; SameSite=lax", cookie)
    assert key not in cookie
    answer = client.get("/v1/session")
    Session.model_validate_json(answer.content)
    assert re.fullmatch("[0-9a-f]{64}", answer.json()["csrf_token"])
    assert (answer.json()["role"], answer.json()["name"]) == ("staff", "Équipe")
    assert answer.json()["expires"] is not None
    who = {"client": "key:1", "door": "session", "role": "staff"}
    assert client.get("/test/who").json() == who
    assert client.get("/test/staff").json() == who
    page = client.get("/login").text
    assert "Équipe" in page
    assert page.index("Se déconnecter") < page.index("Collez la clé")


@pytest.mark.parametrize(
    ("public_url", "address"),
    [("", "https://testserver"), (PUBLIC, "http://testserver"), (PUBLIC, "https://testserver")],
)
def test_over_https_the_cookie_is_for_this_host_alone(
    make_kb: MakeKb, public_url: str, address: str
) -> None:
    """Browsers send it back encrypted only, and take it from no neighbouring site."""
    service = Service(make_kb(public_url=public_url))
    with TestClient(service.app):
        client = service.client(base_url=address)
        response = client.post("/login", data={"key": service.key()})
        [cookie] = response.headers.get_list("set-cookie")
        pattern = r"(__Host-kb_session=[\w-]{43}); HttpOnly; Path=/; SameSite=lax; Secure"
        found = re.fullmatch(pattern, cookie)
        assert found is not None
        client.cookies.clear()
        whole = {"Cookie": found[1]}
        assert client.get("/v1/session", headers=whole).json()["role"] == "staff"
        planted = {"Cookie": found[1].removeprefix("__Host-")}
        assert client.get("/v1/session", headers=planted).json()["role"] == "anonymous"
        [cookie] = client.post("/logout").headers.get_list("set-cookie")
        assert re.fullmatch(
            r'__Host-kb_session=""; expires=.*; HttpOnly; Max-Age=0; Path=/; SameSite=lax; Secure',
            cookie,
        )


def test_a_wrong_key_is_told_on_the_page(service: Service) -> None:
    """A slip is told apart; unknown, revoked and expired keys are not. None opens a session."""
    good = service.key()
    revoked = service.key("Revoked")
    service.kb.keys.revoke("Revoked", service.kb.clock())
    expired = service.key("Expired", expires=service.clock.now + timedelta(minutes=1))
    service.clock.now += timedelta(minutes=1)

    def asked(**form: Any) -> str:
        response = service.client().post("/login", **form)
        assert response.status_code == 401
        assert response.headers["content-type"].startswith("text/html")
        assert "set-cookie" not in response.headers
        assert service.states[-1]["failed_key"] is True
        return str(response.text)

    pages = {asked(data={"key": key}) for key in (new_key(), revoked, expired)}
    assert len(pages) == 1
    assert "Clé refusée" in pages.pop()
    for slip in (good[:-1], "<script>", ""):
        page = asked(data={"key": slip})
        assert "mal recopiée" in page
        assert "<script>" not in page
    assert "mal recopiée" in asked(data={})
    assert "mal recopiée" in asked(json={"key": good})
    as_file = {"key": ("key", good)}
    assert service.client().post("/login", files=as_file).status_code == 400


@pytest.mark.parametrize("headers", ANOTHER_SITE)
def test_another_site_cannot_sign_somebody_in(service: Service, headers: dict[str, str]) -> None:
    """As somebody whose searches it would like to read."""
    response = service.client().post("/login", data={"key": service.key()}, headers=headers)
    _problem(response, 403, "cross-site-request")
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("headers", THIS_SITE)
def test_this_sites_own_form_signs_in(service: Service, headers: dict[str, str]) -> None:
    """Also where it is reached at its public address, and from a program that is no browser."""
    response = service.client().post("/login", data={"key": service.key()}, headers=headers)
    assert response.status_code == 303


def test_signing_in_begins_a_new_session(service: Service) -> None:
    """A token that was in the browser before is not kept, and opens nothing afterwards."""
    key = service.key()
    client, _ = service.signed_in(key)
    former = client.cookies["kb_session"]
    assert client.post("/login", data={"key": service.key("Other")}).status_code == 303
    assert client.cookies["kb_session"] != former
    assert client.get("/v1/session").json()["name"] == "Other"
    old = service.client(cookies={"kb_session": former})
    assert old.get("/v1/session").json()["role"] == "anonymous"
    planted = service.client(cookies={"kb_session": "planted"})
    planted.post("/login", data={"key": key})
    assert service.kb.keys.session("planted", service.kb.clock()) is None


@pytest.mark.parametrize("how", ["form", "multipart", "header"])
def test_signing_out_ends_the_session(service: Service, how: str) -> None:
    """In the service, not only in the browser; the page's own form does it."""
    client, csrf = service.signed_in(service.key())
    token = client.cookies["kb_session"]
    page = client.get("/login").text
    assert f'<input type="hidden" name="csrf_token" value="{csrf}">' in page
    sent: dict[str, dict[str, Any]] = {
        "form": {"data": {"csrf_token": csrf}},
        "multipart": {"files": {"csrf_token": (None, csrf)}},
        "header": {"headers": {"X-CSRF-Token": csrf}},
    }
    response = client.post("/logout", **sent[how])
    assert response.status_code == 303
    assert response.next_request is not None
    assert response.next_request.url == "http://testserver/login?ended=session"
    assert "Max-Age=0" in response.headers["set-cookie"]
    assert "kb_session" not in client.cookies
    stolen = service.client(cookies={"kb_session": token})
    assert stolen.get("/v1/session").json()["role"] == "anonymous"


def test_signing_out_is_told_and_leaves_no_brief_unseen(service: Service) -> None:
    """Others may use the device: the briefs that it knows are named, and can be forgotten."""
    client, csrf = service.signed_in(service.key())
    client.headers["Accept-Language"] = "en"
    client.post("/logout", data={"csrf_token": csrf})
    told = client.get("/login?ended=session").text
    assert "You are signed out." in told
    assert "Your briefs stay on this device" not in told
    client.post("/briefs", data={"title": "Guarantees"})
    assert client.cookies["kb_brief"]
    assert "Your briefs stay on this device" not in client.get("/login").text
    told = client.get("/login?ended=session").text
    assert "Your briefs stay on this device" in told
    response = client.post("/logout", data={"briefs": "forget"})
    assert response.headers["location"] == "./login?ended=briefs"
    assert "kb_brief" not in client.cookies
    assert "knows no brief any more" in client.get("/login?ended=briefs").text
    assert client.get("/login?ended=x").status_code == 422


def test_who_is_not_signed_in_may_sign_out(service: Service) -> None:
    """A page that was left open does not end in an error."""
    response = service.client(cookies={"kb_session": "ended"}).post("/logout")
    assert response.status_code == 303
    assert "Max-Age=0" in response.headers["set-cookie"]


@pytest.mark.parametrize("headers", ANOTHER_SITE)
def test_another_site_cannot_sign_somebody_out(service: Service, headers: dict[str, str]) -> None:
    """Browsers send it no cookie, and would take away theirs if the answer said so."""
    response = service.client().post("/logout", data={}, headers=headers)
    _problem(response, 403, "cross-site-request")
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("ending", ["revoked", "rotated", "expired", "old", "idle"])
def test_a_session_ends_with_its_key_and_in_time(service: Service, ending: str) -> None:
    """The browser is anonymous then, and is not refused."""
    key = service.key(expires=service.clock.now + timedelta(days=1))
    client, _ = service.signed_in(key)
    match ending:
        case "revoked":
            service.kb.keys.revoke("Équipe", service.kb.clock())
        case "rotated":
            service.kb.keys.rotate("Équipe", service.kb.clock())
        case "expired":
            service.clock.now += timedelta(days=1)
        case "idle":
            service.clock.now += IDLE
        case _:
            ends = service.clock.now + SESSION
            while service.clock.now < ends - IDLE:
                service.clock.now += IDLE - timedelta(minutes=1)
                assert client.get("/v1/session").json()["role"] == "staff"
            service.clock.now = ends
    response = client.get("/v1/session")
    assert (response.status_code, response.json()["role"]) == (200, "anonymous")
    assert client.post("/test/who").json()["role"] is None


# Changes that another site asks for


def test_a_change_by_cookie_needs_the_sessions_token(service: Service) -> None:
    """Its own, in the header; looking needs none."""
    client, csrf = service.signed_in(service.key())
    _, others = service.signed_in(service.key("Other"))
    assert csrf != others
    for method in ("POST", "DELETE"):
        sent = client.request(method, "/test/staff", headers={"X-CSRF-Token": csrf})
        assert sent.json()["door"] == "session"
        for wrong in ({}, *({"X-CSRF-Token": token} for token in (others, "", csrf[:-1]))):
            response = client.request(method, "/test/staff", headers=wrong)
            _problem(response, 403, "csrf-token-missing")
    response = client.post("/v1/answers", json={"question": "Qui ?"})
    _problem(response, 403, "csrf-token-missing")
    response = client.post("/test/staff", content="{}", headers={"Content-Type": "text/plain"})
    _problem(response, 403, "csrf-token-missing")
    raw = [(b"x-csrf-token", "é".encode())]
    _problem(client.post("/test/staff", headers=raw), 403, "csrf-token-missing")
    for method in ("GET", "HEAD"):
        assert client.request(method, "/test/staff").status_code == 200


@pytest.mark.parametrize("headers", ANOTHER_SITE)
def test_another_site_changes_nothing(service: Service, headers: dict[str, str]) -> None:
    """Though it had the token, by header or form."""
    client, csrf = service.signed_in(service.key())
    response = client.post("/test/staff", headers={**headers, "X-CSRF-Token": csrf})
    _problem(response, 403, "cross-site-request")
    response = client.post("/logout", data={"csrf_token": csrf}, headers=headers)
    _problem(response, 403, "cross-site-request")
    assert client.get("/v1/session").json()["role"] == "staff"


@pytest.mark.parametrize("headers", THIS_SITE)
def test_this_site_changes_with_the_token(service: Service, headers: dict[str, str]) -> None:
    """At its own host and at its public address."""
    client, csrf = service.signed_in(service.key())
    sent = client.post("/test/staff", headers={**headers, "X-CSRF-Token": csrf})
    assert sent.json()["role"] == "staff"


def test_a_form_holds_the_token_in_a_field(service: Service) -> None:
    """Where the route checks it; with a wrong one, or none, nothing is done."""
    client, csrf = service.signed_in(service.key())
    _, others = service.signed_in(service.key("Other"))
    assert client.post("/test/form", data={"csrf_token": csrf}).json()["role"] == "staff"
    for form in ({"csrf_token": others}, {"csrf_token": ""}, {"other": csrf}):
        _problem(client.post("/test/form", data=form), 403, "csrf-token-missing")
    as_file = {"csrf_token": ("token.txt", csrf)}
    _problem(client.post("/test/form", files=as_file), 403, "csrf-token-missing")
    assert client.get("/v1/session").json()["role"] == "staff"


@pytest.mark.parametrize(
    "media_type", ["application/x-www-form-urlencoded", "MULTIPART/Form-Data; boundary=x"]
)
def test_a_form_is_anybodys_where_the_route_does_not_check(
    service: Service, media_type: str
) -> None:
    """The session counts for nothing, whatever the form says: no route can forget to check."""
    client, csrf = service.signed_in(service.key(), client=("203.0.113.7", 50_000))
    body, headers = f"csrf_token={csrf}", {"Content-Type": media_type}
    who = client.post("/test/who", content=body, headers=headers).json()
    assert who == {"client": "address:203.0.113.7", "door": "http", "role": None}
    assert client.post("/test/staff", content=body, headers=headers).status_code == 404


def test_the_links_of_mails_work_for_who_is_signed_in(service: Service) -> None:
    """Their forms hold a secret of their own, and no session's token."""
    client, _ = service.signed_in(service.key())
    response = client.post(f"/v1/unsubscribe/{'x' * 43}", data={"List-Unsubscribe": "One-Click"})
    assert response.status_code == 200


def test_a_key_beside_a_cookie_decides(service: Service) -> None:
    """A program needs no token; a wrong key is refused though there is a session."""
    client, _ = service.signed_in(service.key())
    partner = {"X-API-Key": service.key("Partner", KeyRole.PARTNER)}
    assert client.post("/test/who", headers=partner).json()["role"] == "partner"
    response = client.get("/v1/session", headers={"X-API-Key": new_key()})
    _problem(response, 401, "key-not-accepted")


def test_no_secret_is_written_down(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """Neither keys nor tokens stand in a log, however much is logged, or in the database."""
    for name in ("", "sqlalchemy.engine", "api"):
        caplog.set_level(logging.DEBUG, logger=name)
    key = service.key()
    wrong = new_key()
    client, csrf = service.signed_in(key)
    token = client.cookies["kb_session"]
    client.post("/login", data={"key": wrong})
    client.post("/test/form", data={"csrf_token": csrf})
    service.client().get("/v1/session", headers={"X-API-Key": key})
    service.client().get("/v1/session", headers={"Authorization": f"Bearer {wrong}"})
    kept = b"".join(path.read_bytes() for path in service.kb.settings.home.glob("record.db*"))
    assert "Équipe".encode() in kept
    for secret in (key, wrong, token, csrf):
        assert secret not in caplog.text
        assert secret.encode() not in kept

"""Saved searches over HTTP: secret addresses, confirming and unsubscribing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from mailbox_server import Inbox, free_port
from starlette.testclient import TestClient

from api.app import create_app
from api.following import CreatedSearch
from api.schemas import Problem
from kb.calls.searches import resolve
from kb.model import Visibility
from kb.record.searches import SearchesRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import MakeKb

    from kb.bootstrap import KnowledgeBase

PUBLIC = "https://calls.example.org/kb"
READER = "camille.ladder@example.org"
ASKED = {"name": "Échelles", "query": {"status": ["open"], "country": ["fr"]}}


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """A mail server's inbox."""
    made = Inbox()
    yield made
    made.close()


@pytest.fixture
def service(make_kb: MakeKb) -> Iterator[Callable[..., tuple[TestClient, KnowledgeBase]]]:
    """Starts the service; keywords are settings."""
    opened: list[TestClient] = []

    def start(**settings: Any) -> tuple[TestClient, KnowledgeBase]:
        kb = make_kb(**settings)
        client = TestClient(create_app(kb), follow_redirects=False)
        opened.append(client.__enter__())
        return client, kb

    yield start
    for client in opened:
        client.__exit__(None, None, None)


def _mailing(inbox: Inbox, port: int | None = None) -> dict[str, Any]:
    port = port or inbox.serve().port
    return {
        "smtp_url": f"smtp://127.0.0.1:{port}?tls=none",
        "mail_from": "alertes@calls.example.org",
        "public_url": f"{PUBLIC}/",
    }


def _link(inbox: Inbox, page: str) -> str:
    """The path of a link in the last mail, as the service has it."""
    plain = next(inbox.mails[-1].iter_parts()).get_content()
    [found] = re.findall(rf"{re.escape(PUBLIC)}(/v1/{page}/[\w-]{{43}})\s", plain)
    return str(found)


def _mail_states(kb: KnowledgeBase) -> list[str | None]:
    return [search.mail for search in SearchesRecord(kb.engine).listed()]


def test_a_saved_search_has_secret_addresses(service: Any) -> None:
    """The answer holds them this once, and is kept by no cache."""
    client, kb = service(public_url=PUBLIC)
    response = client.post("/v1/searches", json=ASKED)
    assert response.status_code == 201, response.text
    assert response.headers["cache-control"] == "no-store"
    CreatedSearch.model_validate_json(response.content)
    made = response.json()
    assert re.fullmatch(r"oms_[\w-]{43}", made["secret"])
    assert made["feeds"] == {
        "ics": f"{PUBLIC}/v1/feeds/{made['secret']}/calls.ics",
        "atom": f"{PUBLIC}/v1/feeds/{made['secret']}/calls.atom",
    }
    assert made["query"] == {"status": ["open"], "country": ["FR"]}
    assert (made["language"], made["email"]) == ("fr", None)
    found = resolve(SearchesRecord(kb.engine), made["secret"])
    assert found is not None
    assert found.visibility is Visibility.PUBLIC


def test_whoever_has_the_secret_may_delete_the_search(service: Any) -> None:
    """At once, and once; another's secret is not found."""
    client, kb = service()
    secret = client.post("/v1/searches", json=ASKED).json()["secret"]
    assert client.delete(f"/v1/searches/{secret[:-1]}").status_code == 404
    assert client.delete(f"/v1/searches/{secret}").status_code == 204
    assert resolve(SearchesRecord(kb.engine), secret) is None
    response = client.delete(f"/v1/searches/{secret}")
    assert response.status_code == 404
    Problem.model_validate_json(response.content)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "\r\n"}, "name"),
        ({"query": {"ladder": 1}}, "ladder"),
        ({"query": {"status": ["ajar"]}}, "status"),
        ({"query": {"budget_min": -1}}, "budget_min"),
        ({"query": "climat"}, "query"),
        ({"language": "de"}, "language"),
        ({"colour": "red"}, "colour"),
        ({"email": READER}, "sends no mails"),
    ],
)
def test_what_cannot_be_saved_is_a_problem(
    service: Any, changed: dict[str, Any], said: str
) -> None:
    """It names the field, and nothing is kept."""
    client, kb = service()
    response = client.post("/v1/searches", json={**ASKED, **changed})
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert said in response.text
    assert SearchesRecord(kb.engine).listed() == []


def test_an_address_is_confirmed_by_a_button_and_not_by_looking(service: Any, inbox: Inbox) -> None:
    """Programs that check mails open links: only the button confirms, also when pressed twice."""
    client, kb = service(**_mailing(inbox))
    response = client.post("/v1/searches", json={**ASKED, "email": READER, "name": "<b>É</b>"})
    assert response.json()["email"] == "to_be_confirmed"
    assert READER not in response.text
    assert inbox.recipients == [READER]
    path = _link(inbox, "searches/confirm")
    for _ in range(2):
        page = client.get(path)
        assert page.status_code == 200
        assert "&lt;b&gt;É&lt;/b&gt;" in page.text
        assert page.text.index("Confirmer l") < page.text.index("Confirm the")
        assert _mail_states(kb) == ["asked"]
    for _ in range(2):
        assert client.post(path).status_code == 200
        assert _mail_states(kb) == ["confirmed"]


def test_pages_run_nothing_and_are_framed_by_nobody(service: Any, inbox: Inbox) -> None:
    """Their policy allows their own style and a form to themselves; no cache keeps them."""
    client, _ = service(**_mailing(inbox))
    client.post("/v1/searches", json={**ASKED, "email": READER})
    for path in (_link(inbox, "searches/confirm"), _link(inbox, "unsubscribe")):
        page = client.get(path)
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "form-action 'self'; frame-ancestors 'none'; base-uri 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert READER not in page.text


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_link_that_confirms_nothing_says_so(service: Any, method: str) -> None:
    """One that has expired and one that never was look the same."""
    client, _ = service()
    response = client.request(method, f"/v1/searches/confirm/{'x' * 43}")
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")
    assert "plus valable" in response.text


def test_one_click_erases_the_address(service: Any, inbox: Inbox) -> None:
    """A mail program posts without cookies; looking changes nothing; the search stays."""
    client, kb = service(**_mailing(inbox))
    secret = client.post("/v1/searches", json={**ASKED, "email": READER}).json()["secret"]
    client.post(_link(inbox, "searches/confirm"))
    path = _link(inbox, "unsubscribe")
    assert str(inbox.mails[0]["List-Unsubscribe"]) == f"<{PUBLIC}{path}>"
    assert "Effacer l" in client.get(path).text
    assert _mail_states(kb) == ["confirmed"]
    client.cookies.clear()
    pressed = client.post(path, data={"List-Unsubscribe": "One-Click"})
    assert pressed.status_code == 200
    assert _mail_states(kb) == [None]
    kept = b"".join(path.read_bytes() for path in kb.settings.home.glob("record.db*"))
    assert READER.encode() not in kept
    assert resolve(SearchesRecord(kb.engine), secret) is not None
    assert client.post(_link(inbox, "searches/confirm")).status_code == 404


def test_unsubscribing_answers_the_same_whatever_the_token(service: Any, inbox: Inbox) -> None:
    """Nobody learns by trying whether an address is known."""
    client, _ = service(**_mailing(inbox))
    client.post("/v1/searches", json={**ASKED, "email": READER})
    path = _link(inbox, "unsubscribe")
    unknown = f"/v1/unsubscribe/{'x' * 43}"
    assert client.get(path).text == client.get(unknown).text
    assert client.post(path).text == client.post(unknown).text == client.post(path).text


def test_an_answer_does_not_tell_whether_an_address_is_known(service: Any, inbox: Inbox) -> None:
    """After three questions a day no more are sent, and the answer stays what it was."""
    client, _ = service(**_mailing(inbox))
    answers = [client.post("/v1/searches", json={**ASKED, "email": READER}) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {201}
    shapes = {
        tuple(sorted((key, str(value)) for key, value in answer.json().items() if key in ASKED))
        for answer in answers
    }
    assert len(shapes) == 1
    assert {answer.json()["email"] for answer in answers} == {"to_be_confirmed"}
    assert inbox.recipients == [READER] * 3


def test_a_mail_server_that_is_away_changes_no_answer(
    service: Any, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The search is saved, the log says what happened without the address, a later run asks."""
    client, kb = service(**_mailing(inbox, port=free_port()))
    assert client.post("/v1/searches", json={**ASKED, "email": READER}).status_code == 201
    assert _mail_states(kb) == ["waiting"]
    assert "question to the address of search 1" in caplog.text
    assert READER not in caplog.text


def test_a_mail_server_that_is_set_wrongly_is_for_the_log(
    service: Any, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Callers read that the service can't; whoever runs it reads which setting."""
    client, _ = service(**{**_mailing(inbox), "mail_from": "nobody"})
    response = client.post("/v1/searches", json=ASKED)
    assert response.status_code == 503
    assert "KB_MAIL_FROM" not in response.text
    assert "KB_MAIL_FROM" in caplog.text

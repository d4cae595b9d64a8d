"""Saved searches over HTTP: secret addresses, confirming and unsubscribing."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from calls_making import CHECKED, brussels, made, record, take
from fakes import TickingClock
from mailbox_server import Inbox, free_port
from starlette.testclient import TestClient
from typer.testing import CliRunner

from api.app import create_app
from api.schemas import Problem
from kb import bootstrap, maintenance
from kb.calls.searches import resolve
from kb.cli import app
from kb.client.models import CreatedSearch
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


def _without_token(text: str) -> str:
    """A page without the token of its own address, which the switch of languages holds."""
    return re.sub(r"unsubscribe/[\w-]{43}", "unsubscribe/…", text)


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
    found = resolve(SearchesRecord(kb.engine), made["secret"], kb.clock())
    assert found is not None
    assert found.visibility is Visibility.PUBLIC


def test_whoever_has_the_secret_may_delete_the_search(service: Any) -> None:
    """At once, and once; another's secret is not found."""
    client, kb = service()
    secret = client.post("/v1/searches", json=ASKED).json()["secret"]
    assert client.delete(f"/v1/searches/{secret[:-1]}").status_code == 404
    assert client.delete(f"/v1/searches/{secret}").status_code == 204
    assert resolve(SearchesRecord(kb.engine), secret, kb.clock()) is None
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
        assert "Confirmer l’adresse" in page.text
        english = client.get(path, headers={"Accept-Language": "en"})
        assert "Confirm the address" in english.text
        assert _mail_states(kb) == ["asked"]
    for _ in range(2):
        assert client.post(path).status_code == 200
        assert _mail_states(kb) == ["confirmed"]


def test_pages_run_nothing_and_are_framed_by_nobody(service: Any, inbox: Inbox) -> None:
    """Their policy allows what is ours and a form to themselves; no cache keeps them."""
    client, _ = service(**_mailing(inbox))
    client.post("/v1/searches", json={**ASKED, "email": READER})
    for path in (_link(inbox, "searches/confirm"), _link(inbox, "unsubscribe")):
        page = client.get(path)
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
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
    assert "Effacer l’adresse" in client.get(path).text
    assert _mail_states(kb) == ["confirmed"]
    client.cookies.clear()
    pressed = client.post(path, data={"List-Unsubscribe": "One-Click"})
    assert pressed.status_code == 200
    assert _mail_states(kb) == [None]
    kept = b"".join(path.read_bytes() for path in kb.settings.home.glob("record.db*"))
    assert READER.encode() not in kept
    assert resolve(SearchesRecord(kb.engine), secret, kb.clock()) is not None
    assert client.post(_link(inbox, "searches/confirm")).status_code == 404


def test_unsubscribing_answers_the_same_whatever_the_token(service: Any, inbox: Inbox) -> None:
    """Nobody learns by trying whether an address is known."""
    client, _ = service(**_mailing(inbox))
    client.post("/v1/searches", json={**ASKED, "email": READER})
    path = _link(inbox, "unsubscribe")
    unknown = f"/v1/unsubscribe/{'x' * 43}"
    looked = {_without_token(client.get(each).text) for each in (path, unknown)}
    pressed = {_without_token(client.post(each).text) for each in (path, unknown, path)}
    assert (len(looked), len(pressed)) == (1, 1)


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


class Morning:
    """A service that somebody follows, and the run that sends digests each morning."""

    def __init__(self, client: TestClient, kb: KnowledgeBase) -> None:
        self.client = client
        self.kb = kb
        self._day = 0

    def see(self, *calls: Any, visibility: Visibility = Visibility.PUBLIC) -> None:
        """Ingest calls as they stand a day later."""
        self._day += 1
        checked = CHECKED + timedelta(days=self._day)
        take(self.kb, [record(call, checked=checked) for call in calls], visibility)

    def follow(self, inbox: Inbox, **query: Any) -> str:
        """Save a search and confirm its address through the link in the mail; its secret."""
        body = {"name": "Rivières", "query": query, "email": READER}
        response = self.client.post("/v1/searches", json=body)
        assert response.status_code == 201, response.text
        confirmed = self.client.post(_link(inbox, "searches/confirm"))
        assert "confirmée" in confirmed.text
        inbox.mails.clear()
        secret: str = response.json()["secret"]
        return secret

    def run(self) -> dict[str, Any]:
        """Run ``kb alerts run``."""
        result = CliRunner().invoke(app, ["alerts", "run", "--json"])
        assert result.exit_code == 0, result.output
        report: dict[str, Any] = json.loads(result.stdout)
        return report


@pytest.fixture
def morning(service: Any, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> Morning:
    """A service with two calls; commands open its base."""
    client, kb = service(**_mailing(inbox))
    opening, settings, encoder = bootstrap.open_knowledge_base, kb.settings, kb.encoder
    monkeypatch.setattr(
        bootstrap,
        "open_knowledge_base",
        lambda: opening(settings, encoder=encoder, clock=TickingClock(kb.clock())),
    )
    made_morning = Morning(client, kb)
    made_morning.see(_rivers("2026-04-15"), made("LIFE-1", deadlines=(brussels("2026-06-01"),)))
    return made_morning


SUMMER = (brussels("2026-07-01"),)


def _rivers(*days: str, **fields: Any) -> Any:
    return made(
        "CERV/2026:RIVERS",
        title="Rivers and their people",
        programme="CERV",
        deadlines=tuple(map(brussels, days)),
        **fields,
    )


def _plain(inbox: Inbox) -> str:
    """The words of the one mail that came."""
    [mail] = inbox.mails
    return str(next(mail.iter_parts()).get_content())


def test_a_moved_deadline_is_told_from_what_to_what_and_once(
    morning: Morning, inbox: Inbox
) -> None:
    """From saving the search to the mail, over the real base: one digest, then none."""
    morning.follow(inbox, programme=["CERV"])
    assert morning.run()["digests"] == []
    morning.see(_rivers("2026-07-15"), made("LIFE-1", deadlines=(brussels("2026-06-02"),)))
    report = morning.run()
    assert [(each["state"], each["calls"]) for each in report["digests"]] == [("sent", 1)]
    text = _plain(inbox)
    assert inbox.recipients[-1] == READER
    assert "Rivers and their people" in text
    assert "2026-04-15 17:00" in text
    assert "2026-07-15 17:00" in text
    assert "LIFE-1" not in text
    assert f"{PUBLIC}/calls/CERV%2F2026%3ARIVERS" in text
    assert morning.client.get("/calls/CERV%2F2026%3ARIVERS").status_code == 200
    assert morning.run()["digests"] == []
    assert len(inbox.mails) == 1


def test_what_a_call_was_and_how_it_ends_is_told(morning: Morning, inbox: Inbox) -> None:
    """New, reopened and gone, each once; after unsubscribing nothing."""
    morning.follow(inbox, programme=["CERV"])
    morning.see(made("CERV-2", title="More rivers", programme="CERV", deadlines=SUMMER))
    morning.run()
    assert "Nouvel appel" in _plain(inbox)
    inbox.mails.clear()
    morning.see(_rivers("2026-02-01"))
    morning.run()
    assert "Appel fermé" in _plain(inbox)
    inbox.mails.clear()
    morning.see(_rivers("2026-08-01"))
    morning.run()
    assert "Appel rouvert" in _plain(inbox)
    inbox.mails.clear()
    gone = record(_rivers(), gone=True, checked=CHECKED + timedelta(days=9))
    take(morning.kb, [gone])
    morning.run()
    assert "Appel retiré" in _plain(inbox)
    assert morning.client.post(_link(inbox, "unsubscribe")).status_code == 200
    inbox.mails.clear()
    morning.see(_rivers("2026-09-01"))
    assert morning.run()["digests"] == []
    assert inbox.mails == []


def test_a_question_is_followed_by_the_calls_that_say_it(morning: Morning, inbox: Inbox) -> None:
    """A digest tells of those that the feed of the same search shows, and of no others."""
    secret = morning.follow(inbox, query="jeunesse")
    morning.see(
        made("YOUTH-1", title="Youth work in every village", deadlines=SUMMER),
        made("LIGHT-1", title="Lighthouses", deadlines=SUMMER),
    )
    assert [each["calls"] for each in morning.run()["digests"]] == [1]
    text = _plain(inbox)
    assert "Youth work" in text
    assert "Lighthouses" not in text
    feed = morning.client.get(f"/v1/feeds/{secret}/calls.atom").text
    assert "Lighthouses" not in feed


def test_a_digest_tells_nothing_that_its_reader_may_not_see(morning: Morning, inbox: Inbox) -> None:
    """A call for the coalition, and one that was narrowed after it was told of."""
    morning.follow(inbox, programme=["CERV"])
    hidden = made("CERV-9", title="Hidden", programme="CERV", deadlines=SUMMER)
    morning.see(hidden, visibility=Visibility.COALITION)
    assert morning.run()["digests"] == []
    morning.see(_rivers("2026-07-15"), visibility=Visibility.INTERNAL)
    assert morning.run()["digests"] == []
    assert inbox.mails == []


def test_a_rollback_takes_back_what_was_told_and_tells_it_again(
    morning: Morning, inbox: Inbox
) -> None:
    """Of what is not so any more nobody is told; when it is so again, they are."""
    morning.follow(inbox, programme=["CERV"])
    morning.see(_rivers("2026-07-15"))
    maintenance.rollback(morning.kb)
    assert morning.run()["digests"] == []
    morning.see(_rivers("2026-07-15"))
    assert [each["calls"] for each in morning.run()["digests"]] == [1]
    assert "2026-07-15 17:00" in _plain(inbox)


def test_digests_and_feeds_follow_the_same_calls(morning: Morning, inbox: Inbox) -> None:
    """Without a status what is open and forthcoming: a call that always stands is in neither."""
    secret = morning.follow(inbox, programme=["CERV"])
    morning.see(made("STANDING", title="Standing water", programme="CERV", rolling=True))
    assert morning.run()["digests"] == []
    feed = morning.client.get(f"/v1/feeds/{secret}/calls.atom").text
    assert "Rivers" in feed
    assert "Standing" not in feed

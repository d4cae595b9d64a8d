"""The client for Python over the real service on a socket: one suite, waited for and awaited."""

from __future__ import annotations

import asyncio
import inspect
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from mcp_base import COALITION, ENGLISH, ON_PAGE, OPEN_CALL, evidence_in
from serving import served
from starlette.responses import HTMLResponse, JSONResponse

from api.app import create_app
from kb.client import (
    AsyncClient,
    Client,
    KeyNotAcceptedError,
    NotFoundError,
    ServiceError,
    TooManyRequestsError,
    UnavailableError,
    asking,
    clients,
    models,
)
from kb.errors import UsageError
from kb.keys import KeyRole, NewKey, new_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import Base
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

QUESTION = "What does the guarantee cover?"
OFF_TOPIC = "Quelle est la capitale de l'Australie ?"
TODAY = "2026-03-01"


class Awaited:
    """An asynchronous client that is used as the other one is."""

    def __init__(self, client: AsyncClient, runner: asyncio.Runner) -> None:
        self._client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """A method that waits for what the client's method gives."""

        def method(*args: Any, **kwargs: Any) -> Any:
            given = getattr(self._client, name)(*args, **kwargs)
            if inspect.isawaitable(given):
                return self._runner.run(_wait_for(given))
            return self._each(given)

        return method

    def _each(self, given: Any) -> Iterator[Any]:
        try:
            while (item := self._runner.run(_wait_for(anext(given, None)))) is not None:
                yield item
        finally:
            self._runner.run(given.aclose())


async def _wait_for(given: Any) -> Any:
    return await given


Opened = Any  # a ``Client``, or what behaves like one


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., Opened]]:
    """What opens a client, of either kind."""
    with asyncio.Runner() as runner:
        opened: list[Opened] = []

        def connect(url: str, key: str | None = "", **options: Any) -> Opened:
            if request.param == "sync":
                opened.append(Client(url, key, **options))
            else:
                opened.append(Awaited(AsyncClient(url, key, **options), runner))
            return opened[-1]

        yield connect
        for client in opened:
            client.close()


class Recording:
    """The service, with what it was asked."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.asked: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and note the request."""
        if scope["type"] == "http":
            self.asked.append(scope)
        await self._app(scope, receive, send)


class Newer:
    """A newer service: every object of its JSON has a member more, its streams an event more."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with more than the client knows."""
        start: Message = {}
        body = b""

        async def send_more(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
            elif message["type"] == "http.response.body":
                body += message.get("body", b"")
                if not message.get("more_body"):
                    await _send_all(send, start, _with_more(body))
            else:
                await send(message)

        headers = [each for each in scope.get("headers", ()) if each[0] != b"accept-encoding"]
        await self._app({**scope, "headers": headers}, receive, send_more)


async def _send_all(send: Send, start: Message, body: bytes) -> None:
    headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    await send({**start, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _with_more(body: bytes) -> bytes:
    if not body.startswith(b"event: "):
        return json.dumps(_more(json.loads(body))).encode()
    lines = [
        b"data: " + json.dumps(_more(json.loads(line.removeprefix(b"data: ")))).encode()
        if line.startswith(b"data: ")
        else line
        for line in body.split(b"\n")
    ]
    return b'event: mood\ndata: {"good": true}\n\n' + b"\n".join(lines)


def _more(value: Any) -> Any:
    if isinstance(value, list):
        return [_more(item) for item in value]
    if isinstance(value, dict):
        return {name: _more(item) for name, item in value.items()} | {"later": {"more": 1}}
    return value


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    """Six documents and three calls of every visibility."""
    with evidence_in(tmp_path_factory.mktemp("client")) as base:
        yield base


@contextmanager
def _service(base: Base, rate: int = 100_000) -> Iterator[tuple[str, Recording]]:
    base.kb.settings = base.kb.settings.model_copy(update={"rate_anonymous": rate})
    app = Recording(create_app(base.kb))
    with served(app) as url:
        yield url, app


@pytest.fixture(scope="module")
def service(evidence: Base) -> Iterator[tuple[str, Recording]]:
    """The service's address, and what it was asked."""
    with _service(evidence) as started:
        yield started


@pytest.fixture(scope="module")
def url(service: tuple[str, Recording]) -> str:
    """The service's address."""
    return service[0]


@pytest.fixture(scope="module")
def key(evidence: Base) -> str:
    """A partner's key."""
    kb = evidence.kb
    return kb.keys.create(NewKey("Réseau", KeyRole.PARTNER), kb.clock())[1]


@pytest.fixture
def client(connect: Callable[..., Opened], url: str) -> Opened:
    """Somebody without a key."""
    return connect(url)


def test_a_search_finds_passages(client: Opened) -> None:
    """Typed, narrowed as the service narrows."""
    found = client.search("guarantee", top_k=2, language="en", since="2026-01-01")
    assert isinstance(found, models.SearchResult)
    [hit] = found.hits
    assert ENGLISH in hit.text
    assert client.search("guarantee", kind="research", issuer="Région").hits == []


def test_many_searches_are_one_request(client: Opened) -> None:
    """Each finds what it finds alone; what can't be understood has its problem in its place."""
    found = client.search_many(["ladders", {"query": "communes", "top_k": 1}, " "])
    first, second, third = found.results
    assert [hit.passage_id for hit in first.hits] == [
        hit.passage_id for hit in client.search("ladders").hits
    ]
    assert len(second.hits) == 1
    assert isinstance(third, models.Problem)
    assert third.type == "/problems/request-not-understood"


def test_an_answer_is_quoted_or_refused(client: Opened) -> None:
    """Every sentence leads to its citation."""
    answer = client.answer(QUESTION)
    assert isinstance(answer, models.Answer)
    assert [sentence.text for sentence in answer.sentences] == [ENGLISH]
    [cited] = [each for each in answer.citations if each.number in answer.sentences[0].citations]
    assert (cited.quote, cited.verified) == (ENGLISH, True)
    assert client.answer(OFF_TOPIC).status == "insufficient_evidence"
    assert client.answer(QUESTION, issuer="Région").sentences == []


def test_an_answer_comes_as_events(client: Opened) -> None:
    """They are what the answer in one piece is."""
    sources, *sentences, end = client.stream_answer(QUESTION)
    whole = client.answer(QUESTION)
    assert isinstance(sources, models.SearchResult)
    assert all(isinstance(each, models.SentenceEvent) for each in sentences)
    assert [each.text for each in sentences] == [each.text for each in whole.sentences]
    assert sentences[0].introduces == whole.citations
    assert isinstance(end, models.EndEvent)
    assert end.status == whole.status


def test_who_leaves_a_stream_early_may_go_on(client: Opened) -> None:
    """Nothing is left behind in the connection."""
    events = client.stream_answer(QUESTION)
    assert isinstance(next(events), models.SearchResult)
    events.close()
    assert client.answer(QUESTION).status == "answered"


def test_documents_come_from_all_pages(client: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few the service gives at once."""
    whole = list(client.documents())
    monkeypatch.setattr(asking, "_MANY", 1)
    assert list(client.documents()) == whole
    assert {"fonds-fr", "guarantee-en", "ladders-en"} < {document.id for document in whole}


def test_a_document_is_read_page_by_page_and_as_it_came(
    client: Opened, evidence: Base, tmp_path: Path
) -> None:
    """The original is the file itself, and is there only once it is whole."""
    document = client.document("ladders-en")
    assert isinstance(document, models.DocumentDetail)
    assert document.page_count == 2
    page = client.page(document.id, 2, version=document.version)
    assert isinstance(page, models.Page)
    assert ON_PAGE in page.text
    saved = client.original(document.id, tmp_path / "ladders.pdf")
    assert saved.read_bytes() == (evidence.folder / "ladders.pdf").read_bytes()
    with pytest.raises(NotFoundError):
        client.original("no-such-document", tmp_path / "nothing.pdf")
    assert [path.name for path in tmp_path.iterdir()] == ["ladders.pdf"]


def test_calls_come_from_all_pages(client: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their status on a day."""
    asked: dict[str, Any] = {"as_of": TODAY, "sort": "deadline"}
    whole = list(client.calls(**asked))
    monkeypatch.setattr(asking, "_MANY", 1)
    assert list(client.calls(**asked)) == whole
    assert [call.identifier for call in whole] == ["LADDER-2026-01", "OTHER-2026-01"]
    assert isinstance(whole[0], models.CallHit)
    assert list(client.calls(status=["closed"], country=["FR", "DE"], as_of=TODAY)) == []


def test_a_call_is_shown_in_full(client: Opened) -> None:
    """With its texts and its history."""
    call = client.call("LADDER-2026-01", as_of=TODAY, language="en")
    assert isinstance(call, models.CallDetail)
    assert call.status == "open"
    assert any(OPEN_CALL in text.text for text in call.pages)


def test_calls_are_matched_with_an_association(client: Opened) -> None:
    """By what it says of itself."""
    found = client.match_calls("We lend ladders.", name="Ladders", as_of=TODAY, limit=1)
    assert isinstance(found, models.MatchList)
    assert found.profile == "Ladders"
    assert [call.identifier for call in found.hits] == ["LADDER-2026-01"]


@pytest.mark.parametrize(
    ("form", "begins"), [("ics", b"BEGIN:VCALENDAR"), ("csv", b"\xef\xbb\xbf"), ("xlsx", b"PK")]
)
def test_calls_come_as_files(client: Opened, form: str, begins: bytes) -> None:
    """For calendars and spreadsheets."""
    made = client.call_file(form, status=["open"], as_of=TODAY)
    assert made.startswith(begins)


@pytest.mark.parametrize(("form", "begins"), [("docx", b"PK"), ("pdf", b"%PDF"), ("ris", b"TY  -")])
def test_quotes_are_exported(client: Opened, form: str, begins: bytes) -> None:
    """Those of a question, or citations as an answer gave them."""
    made = client.export(form, question=QUESTION, narrowing={"issuer": "Guarantee Forum"})
    assert made.startswith(begins)
    citations = client.answer(QUESTION).citations
    assert client.export(form, citations=citations, title="Notes").startswith(begins)
    with pytest.raises(NotFoundError):
        client.export(form, question=QUESTION, narrowing={"issuer": "Région"})


def test_a_search_is_saved_and_deleted(client: Opened) -> None:
    """Its addresses work until then."""
    saved = client.save_search("Échelles", query="ladders", status=["open"], language="en")
    assert isinstance(saved, models.CreatedSearch)
    assert saved.query == {"query": "ladders", "status": ["open"]}
    assert httpx.get(saved.feeds.ics, trust_env=False).text.startswith("BEGIN:VCALENDAR")
    assert client.delete_search(saved.secret) is None
    with pytest.raises(NotFoundError) as refused:
        client.delete_search(saved.secret)
    assert saved.secret not in str(refused.value)


def test_feedback_is_taken(client: Opened, evidence: Base) -> None:
    """A citation is given as it was got, also of a document without pages."""
    answer = client.answer(QUESTION)
    received = client.feedback(
        "wrong_citation", question=QUESTION, citation=answer.citations[0], comment="Not half."
    )
    assert isinstance(received, models.FeedbackReceived)
    [kept, *_] = evidence.kb.feedback.listed(1, None, None)
    assert kept.citation is not None
    assert (kept.citation.document_id, kept.citation.quote) == ("guarantee-en", ENGLISH)


def test_the_service_says_what_it_holds(client: Opened) -> None:
    """As far as the caller sees it."""
    status = client.status()
    assert isinstance(status, models.Status)
    assert status.generation is not None
    assert status.generation.documents == len(list(client.documents()))


def test_a_key_opens_what_is_its_own(
    connect: Callable[..., Opened], service: tuple[str, Recording], key: str
) -> None:
    """It travels in a header, under the client's name, and never in an address."""
    url, recording = service
    recording.asked.clear()
    [hit] = connect(url, key).search("moulins flottants", top_k=1).hits
    assert COALITION in hit.text
    [asked] = recording.asked
    headers = dict(asked["headers"])
    assert headers[b"authorization"] == f"Bearer {key}".encode()
    assert headers[b"user-agent"].startswith(b"operation-milliard-kb/")
    assert key.encode() not in asked["query_string"] + asked["raw_path"]


def test_a_key_comes_from_the_environment(
    connect: Callable[..., Opened], url: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless another, or none, is given."""
    monkeypatch.setenv("KB_KEY", f"{key}\n")
    named = connect(url, None).status().generation
    assert named.documents > connect(url, "").status().generation.documents


def test_a_key_that_is_not_accepted_is_told_apart(connect: Callable[..., Opened], url: str) -> None:
    """A mistyped one without asking anybody."""
    with pytest.raises(KeyNotAcceptedError):
        connect(url, new_key()).status()
    with pytest.raises(UsageError, match="mistyped"):
        connect(url, "omk_123")


def test_what_is_not_there_is_a_problem_with_its_request(client: Opened) -> None:
    """As it is for what is not the caller's to see."""
    with pytest.raises(NotFoundError) as refused:
        client.document("no/such document?")
    error = refused.value
    assert (error.status, error.type) == (404, "/problems/not-found")
    assert error.request_id
    assert error.detail in str(error)


def test_fields_that_cannot_be_used_are_named(client: Opened) -> None:
    """For programs and for people."""
    with pytest.raises(ServiceError) as refused:
        client.search("ladders", top_k=1000)
    assert [error.field for error in refused.value.errors] == ["top_k"]
    assert "top_k" in str(refused.value)


def test_a_newer_service_does_not_break_the_client(
    connect: Callable[..., Opened], evidence: Base
) -> None:
    """What it says beside what is known is left out, at every depth."""
    with served(Newer(create_app(evidence.kb))) as newer, served(create_app(evidence.kb)) as now:
        asked: list[Callable[[Opened], Any]] = [
            lambda client: client.answer(QUESTION).citations,
            lambda client: client.search_many(["ladders", " "]).results[0].hits,
            lambda client: client.document("ladders-en"),
            lambda client: list(client.documents()),
            lambda client: client.call("LADDER-2026-01", as_of=TODAY),
            lambda client: client.match_calls("We lend ladders.", as_of=TODAY),
            lambda client: [type(event) for event in client.stream_answer(QUESTION)],
        ]
        for ask in asked:
            assert ask(connect(newer)) == ask(connect(now))
        with pytest.raises(NotFoundError):
            connect(newer).document("no-such-document")


def test_who_asks_too_often_waits_as_long_as_the_service_says(
    connect: Callable[..., Opened], evidence: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no longer than is bearable."""
    with _service(evidence, rate=60) as (url, _):
        refused = _exhaust(connect(url, retries=0))
        assert refused.retry_after == 1
        assert connect(url).status().version
        monkeypatch.setattr(clients, "LONGEST_WAIT", 0.5)
        assert _exhaust(connect(url)).retry_after == 1


def _exhaust(client: Opened) -> TooManyRequestsError:
    """Ask until it is too often."""
    with pytest.raises(TooManyRequestsError) as refused:  # noqa: PT012 -- which of them is not said
        while True:
            client.status()
    return refused.value


class Refusing:
    """A service that refuses everything in one way, and counts."""

    def __init__(self, status: int, problem: str) -> None:
        self.asked = 0
        self._status = status
        self._problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse."""
        if scope["type"] != "http":
            return
        self.asked += 1
        body = {
            "type": f"/problems/{self._problem}",
            "title": "Refused",
            "status": self._status,
            "detail": "Not now.",
            "instance": scope["path"],
        }
        headers = {"Retry-After": "0"} if self._status in {429, 503} else {}
        await JSONResponse(body, self._status, headers)(scope, receive, send)


@pytest.mark.parametrize(
    ("refusal", "error", "tries"),
    [
        ((429, "too-many-requests"), TooManyRequestsError, (3, 3)),
        ((503, "busy"), UnavailableError, (3, 3)),
        ((503, "took-too-long"), UnavailableError, (3, 1)),
        ((500, "internal-error"), ServiceError, (1, 1)),
    ],
)
def test_only_what_can_do_no_harm_is_sent_again(
    connect: Callable[..., Opened],
    refusal: tuple[int, str],
    error: type[ServiceError],
    tries: tuple[int, int],
) -> None:
    """A search may be asked twice; feedback is sent again only where nothing was begun."""
    refusing = Refusing(*refusal)
    with served(refusing) as url:
        client = connect(url)
        with pytest.raises(error):
            client.search("ladders")
        searched, refusing.asked = refusing.asked, 0
        with pytest.raises(error):
            client.feedback("helpful")
        assert (searched, refusing.asked) == tries


def test_an_address_that_is_not_the_service_is_said_to_be_none(
    connect: Callable[..., Opened],
) -> None:
    """Whatever it answers."""
    with served(HTMLResponse("<h1>Welcome</h1>")) as url, pytest.raises(ServiceError) as refused:
        connect(url).status()
    assert "Is 127.0.0.1 the address of the service?" in str(refused.value)
    bad = HTMLResponse("<h1>Bad gateway</h1>", 502)
    with served(bad) as url, pytest.raises(ServiceError) as broken:
        connect(url).status()
    assert (broken.value.status, broken.value.type) == (502, "about:blank")


def test_both_clients_can_do_the_same() -> None:
    """With the same parameters and the same words."""
    for name, member in vars(Client).items():
        if not name.startswith("_"):
            other = vars(AsyncClient)[name]
            assert other.__doc__ == member.__doc__
            assert inspect.signature(getattr(Client, name)).parameters == (
                inspect.signature(getattr(AsyncClient, name)).parameters
            )

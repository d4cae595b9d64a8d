"""Feedback from everyone, and the list that staff make of it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Base, MakeKb
from fakes import HashingEncoder, TickingClock
from httpx2 import Response
from sqlalchemy import text
from starlette.testclient import TestClient

from api.app import create_app
from api.feedback_schemas import FeedbackList, GapList
from kb import maintenance
from kb.audited import Audit, note_answer
from kb.bootstrap import KnowledgeBase, open_knowledge_base
from kb.client.models import FeedbackReceived
from kb.encoders.choice import make_encoder
from kb.encoders.models import DEFAULT
from kb.keys import KeyRole, NewKey
from kb.model import FULL_ACCESS, Filters
from kb.record.schema import feedback
from kb.settings import Settings

PUBLIC = "La garantie couvre la moitié des pertes des investisseurs de l'économie sociale."
INTERNAL = "La stratégie confidentielle vise le ministère des phares bretons."
ASKED = "Quel âge ont les phares du Pérou ?"


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a base with a public document and an internal one."""
    folder = tmp_path_factory.mktemp("feedback")
    values: dict[str, Any] = {"home": folder / "home", "workers": 1}
    kb = open_knowledge_base(Settings(**values), clock=TickingClock(), encoder=HashingEncoder())
    made = Base(kb, folder / "files")
    made.write("metadata.yaml", "files:\n  strategie.md: {visibility: internal}\n")
    made.write("garantie.md", "# Garantie", PUBLIC)
    made.write("strategie.md", "# Stratégie", INTERNAL)
    made.ingest()
    kb.close()
    return kb.settings.home


class Service:
    """The service over a copy of it, and who asks."""

    def __init__(self, base: Base, client: TestClient) -> None:
        self.base = base
        self.kb: KnowledgeBase = base.kb
        self.client = client
        self.staff = self.key(KeyRole.STAFF)

    def key(self, role: KeyRole) -> dict[str, str]:
        """The headers of a new key."""
        new = NewKey(f"{role.value} {len(self.kb.keys.listed())}", role, None)
        return {"X-API-Key": self.kb.keys.create(new, self.kb.clock())[1]}

    def say(self, headers: dict[str, str] | None = None, **said: Any) -> Response:
        """Give feedback."""
        return self.client.post("/v1/feedback", json=said, headers=headers or {})

    def read(self, path: str, **asked: Any) -> Any:
        """What staff read."""
        answered = self.client.get(path, params=asked, headers=self.staff)
        assert answered.status_code == 200, answered.text
        return answered.json()

    def cited(self, name: str, **changed: Any) -> dict[str, Any]:
        """A citation of a document."""
        document = self.base.id_of(name)
        return {"document_id": document, "version": 1, "page": 1, "quote": "ses mots", **changed}


@pytest.fixture
def start(ingested: Path, make_kb: MakeKb, tmp_path: Path) -> Iterator[Any]:
    """Starts the service; keywords are settings."""
    opened: list[TestClient] = []

    def make(**settings: Any) -> Service:
        home = shutil.copytree(ingested, tmp_path / "home")
        base = Base(make_kb(home, **settings), tmp_path / "files")
        client = TestClient(create_app(base.kb))
        opened.append(client.__enter__())
        return Service(base, client)

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def service(start: Any) -> Service:
    """The service as it is by default."""
    made: Service = start()
    return made


def test_everyone_may_say_what_they_think(service: Service) -> None:
    """It is kept with who said it, as far as a key says so, and read by staff, newest first."""
    partner = service.key(KeyRole.PARTNER)
    said: list[tuple[dict[str, str], dict[str, Any]]] = [
        ({}, {"kind": "helpful", "request_id": "0f8e6a2c4b7d4f1e"}),
        (partner, {"kind": "not_helpful", "question": ASKED, "comment": "Trop général"}),
        ({}, {"kind": "wrong_citation", "citation": service.cited("garantie.md")}),
        (service.staff, {"kind": "missing_document", "comment": "The lighthouse report"}),
    ]
    for headers, body in said:
        answered = service.say(headers, **body)
        assert answered.status_code == 201, answered.text
        FeedbackReceived.model_validate_json(answered.content)
        assert set(answered.json()) == {"kind", "received"}
    found = service.read("/v1/feedback")
    FeedbackList.model_validate(found)
    missing, wrong, not_helpful, helpful = found["feedback"]
    assert (helpful["request_id"], helpful["role"], helpful["key"]) == (
        "0f8e6a2c4b7d4f1e",
        None,
        None,
    )
    assert (not_helpful["role"], not_helpful["key"]) == ("partner", "partner 1")
    assert (not_helpful["question"], not_helpful["language"]) == (ASKED, "fr")
    assert wrong["citation"] == service.cited("garantie.md")
    assert (missing["role"], missing["language"]) == ("staff", "en")


def test_what_is_said_stays_text(service: Service) -> None:
    """Whatever it looks like, with its accents and line breaks."""
    comment = "<script>alert(1)</script>\n=1+1 'x'; DROP TABLE feedback; --\u2028é"
    assert service.say(kind="helpful", comment=comment).status_code == 201
    [kept] = service.read("/v1/feedback")["feedback"]
    assert kept["comment"] == comment


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "kind"),
        ({"kind": "angry"}, "kind"),
        ({"kind": "wrong_citation"}, "citation"),
        ({"kind": "wrong_citation", "citation": None}, "citation"),
        ({"kind": "wrong_citation", "citation": {"document_id": "x"}}, "version"),
        ({"kind": "missing_document"}, "comment"),
        ({"kind": "missing_document", "question": "  ", "comment": "x"}, "question"),
        ({"kind": "missing_document", "question": None, "comment": None}, "comment"),
        ({"kind": "helpful", "question": "x" * 1001}, "question"),
        ({"kind": "helpful", "comment": "x" * 2001}, "comment"),
        ({"kind": "helpful", "comment": ""}, "comment"),
        ({"kind": "helpful", "request_id": "a b c d e f"}, "request_id"),
        ({"kind": "helpful", "email": "x"}, "email"),
    ],
)
def test_what_cant_be_used_is_named(service: Service, said: dict[str, Any], field: str) -> None:
    """And nothing is kept."""
    refused = service.say(**said)
    assert refused.status_code == 422
    errors = refused.json()["errors"]
    named = {each["field"].rpartition(".")[2] for each in errors}
    assert field in named or any(f"'{field}'" in each["message"] for each in errors)
    assert service.read("/v1/feedback")["feedback"] == []


def test_a_citation_of_what_may_not_be_seen_is_one_of_nothing(service: Service) -> None:
    """The same statements run, and the same bytes come back."""
    hidden = service.cited("strategie.md")
    same = {"X-Request-ID": "the-same-request"}
    others = [
        service.cited("garantie.md", document_id="no-such-document"),
        service.cited("garantie.md", version=2),
        service.cited("garantie.md", page=99),
        hidden,
    ]
    answers = [service.say(same, kind="wrong_citation", citation=each) for each in others]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert service.read("/v1/feedback")["feedback"] == []
    # Whoever may see it may say so, and it is looked for in feedback of any kind.
    assert service.say(service.staff, kind="wrong_citation", citation=hidden).status_code == 201
    assert service.say(kind="helpful", citation=hidden).status_code == 404


def test_feedback_is_read_page_by_page_and_by_kind(service: Service) -> None:
    """Following `next` gives each once."""
    for number in range(5):
        kind = "helpful" if number % 2 else "not_helpful"
        service.say(kind=kind, comment=str(number))

    def all_of(**asked: Any) -> list[str]:
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = service.read("/v1/feedback", limit=2, **asked, **cursor)
            found += [each["comment"] for each in page["feedback"]]
            if page["next"] is None:
                return found
            cursor = {"cursor": page["next"]}

    assert all_of() == ["4", "3", "2", "1", "0"]
    assert all_of(kind="helpful") == ["3", "1"]


def test_where_questions_are_hashed_that_of_feedback_is(start: Any) -> None:
    """The comment is kept: it is what people say to be read."""
    service: Service = start(audit_queries="hashed")
    service.say(kind="missing_document", question=ASKED, comment="Le rapport")
    [kept] = service.read("/v1/feedback")["feedback"]
    assert (kept["question"], kept["comment"], kept["language"]) == (None, "Le rapport", "fr")
    assert kept["question_hash"]
    with service.kb.engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM feedback")).all()
    assert "Pérou" not in str(rows)


def test_purging_a_document_erases_what_was_quoted_of_it(service: Service) -> None:
    """The rest of what was said stays."""
    said = service.cited("garantie.md", quote=PUBLIC)
    service.say(kind="wrong_citation", citation=said, comment="Non")
    maintenance.remove(service.kb, said["document_id"], purge=True)
    [kept] = service.read("/v1/feedback")["feedback"]
    assert kept["citation"] == {**said, "quote": None}
    assert kept["comment"] == "Non"
    with service.kb.engine.connect() as connection:
        quotes = connection.execute(feedback.select()).all()
    assert "moitié des pertes" not in str(quotes)


def test_staff_see_what_is_asked_for_and_not_found(service: Service) -> None:
    """Answers without evidence, with the documents that came nearest, and missing documents."""
    kb = service.kb
    for _ in range(2):
        given = kb.search.answer(ASKED, Filters(FULL_ACCESS))
        note_answer(Audit(kb), given, Filters(FULL_ACCESS))
    assert kb.trail.flush(30)
    service.say(kind="missing_document", comment="The bridges report")
    found = service.read("/v1/gaps")
    GapList.model_validate(found)
    first, second = found["gaps"]
    assert (first["question"], first["count"], first["callers"]) == (ASKED, 2, 1)
    nearest = {hit.document.id for hit in given.nearest}
    assert {each["id"] for each in first["documents"]} == nearest != set()
    assert (second["question"], second["comments"]) == (None, ["The bridges report"])
    assert service.read("/v1/gaps", limit=1) == {"total": 2, "gaps": [first]}
    assert service.read("/v1/gaps", language="en")["total"] == 1
    assert service.read("/v1/gaps", since="2026-03-02")["total"] == 0


def test_french_and_english_stand_together(make_kb: MakeKb, tmp_path: Path) -> None:
    """By the default encoder."""
    kb = make_kb(tmp_path / "home", encoder=make_encoder(DEFAULT))
    asked = [
        "Combien d'associations y a-t-il en France ?",
        "How many associations are there in France?",
        "Qu'est-ce que le contrat d'engagement républicain ?",
    ]
    with TestClient(create_app(kb)) as client:
        service = Service(Base(kb, tmp_path / "files"), client)
        for question in asked:
            service.say(kind="missing_document", question=question)
        first, second = service.read("/v1/gaps")["gaps"]
    assert sorted(first["wordings"]) == sorted(asked[:2])
    assert (first["count"], first["languages"]) == (2, ["en", "fr"])
    assert second["wordings"] == asked[2:]

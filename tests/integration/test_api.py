"""The HTTP service over a small knowledge base."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Base
from fakes import HashingEncoder, TickingClock
from starlette.testclient import TestClient

from api import schemas
from api.access import caller_access
from api.app import create_app
from kb.bootstrap import open_knowledge_base
from kb.model import FULL_ACCESS, PUBLIC_ACCESS, Filters
from kb.settings import Settings
from kb.shapes import document_json, search_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI
    from pydantic import BaseModel

    from kb.bootstrap import KnowledgeBase

PUBLIC_FR = "La garantie couvre la moitié des pertes des investisseurs de l'économie sociale."
PUBLIC_EN = "The guarantee covers half of the losses of investors in the social economy."
INTERNAL = "La stratégie confidentielle vise le ministère des phares bretons."
OLDER = "Le plafond des subventions est de deux cent mille euros sur trois ans."
NEWER = "Le plafond des subventions est de trois cent mille euros sur trois ans."

SIDECAR = """\
files:
  garantie.md: {title: Garantie, identifier: garantie, language: fr, kind: policy,
                issuer: Collectif des garanties, published: 2026-01-15, themes: [garantie]}
  guarantee.md: {title: Guarantee, identifier: garantie, language: en, kind: policy}
  strategie.md: {title: Stratégie, kind: note, visibility: internal}
  "plafond né en été.html": {title: Plafond, identifier: plafond, language: fr, kind: research}
"""


def _open(folder: Path, encoder: HashingEncoder | None = None) -> KnowledgeBase:
    values: dict[str, Any] = {"home": folder / "home", "workers": 1}
    return open_knowledge_base(
        Settings(**values), clock=TickingClock(), encoder=encoder or HashingEncoder()
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    """Four documents: one in two languages, one internal, one with two versions."""
    folder = tmp_path_factory.mktemp("api")
    kb = _open(folder)
    made = Base(kb, folder / "files")
    made.write("metadata.yaml", SIDECAR)
    made.write("garantie.md", "# Garantie", PUBLIC_FR, "# Suite", "Le fonds prête aux communes.")
    made.write("guarantee.md", "# Guarantee", PUBLIC_EN)
    made.write("strategie.md", "# Stratégie", INTERNAL)
    for text in (OLDER, NEWER):
        made.write("plafond né en été.html", f"<html><body><h1>Plafond</h1><p>{text}</p></body>")
        report = made.ingest()
        assert report.exit_code == 0, report.as_json()
    yield made
    kb.close()


@pytest.fixture
def app(base: Base) -> FastAPI:
    """The service."""
    return create_app(base.kb)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """An anonymous caller."""
    with TestClient(app, follow_redirects=False) as opened:
        yield opened


def _get(client: TestClient, path: str, model: type[BaseModel], **parameters: Any) -> Any:
    response = client.get(path, params=parameters)
    assert response.status_code == 200, response.text
    model.model_validate_json(response.content)
    return response.json()


def _answer(client: TestClient, **body: Any) -> Any:
    response = client.post("/v1/answers", json=body)
    assert response.status_code == 200, response.text
    schemas.Answer.model_validate_json(response.content)
    return response.json()


def _problem(response: Any, status: int) -> schemas.Problem:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return schemas.Problem.model_validate_json(response.content)


def test_search_gives_what_every_door_gives(client: TestClient, base: Base) -> None:
    """Search gives what every door gives."""
    found = _get(client, "/v1/search", schemas.SearchResult, query="garantie pertes", top_k=2)
    said = search_json(base.kb.search.search("garantie pertes", Filters(), 2))
    assert found.pop("took_ms") >= 0
    said.pop("took_ms")
    assert found == said
    assert found["hits"][0]["document_id"] == "garantie-fr"


def test_q_is_another_name_of_query(client: TestClient) -> None:
    """Q is another name of query."""
    named = _get(client, "/v1/search", schemas.SearchResult, query="plafond")
    short = _get(client, "/v1/search", schemas.SearchResult, q="plafond", unknown="ignored")
    assert named["hits"] == short["hits"] != []


@pytest.mark.parametrize(
    ("narrowed", "expected"),
    [
        ({"kind": "research"}, {"plafond-fr"}),
        ({"language": "en"}, {"garantie-en"}),
        ({"theme": "garantie"}, {"garantie-fr"}),
        ({"issuer": "Collectif des garanties"}, {"garantie-fr"}),
        ({"since": "2026-01-15", "until": "2026-01-15"}, {"garantie-fr"}),
        ({"until": "2020-01-01"}, set()),
        ({}, {"garantie-fr", "garantie-en", "plafond-fr"}),
    ],
)
def test_a_search_is_narrowed_by_its_filters(
    client: TestClient, narrowed: dict[str, str], expected: set[str]
) -> None:
    """A search is narrowed by its filters."""
    query = "garantie guarantee pertes losses plafond"
    found = _get(client, "/v1/search", schemas.SearchResult, query=query, top_k=100, **narrowed)
    assert {hit["document_id"] for hit in found["hits"]} == expected


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": "a" * 1001}, "query"),
        ({"q": "a" * 1001}, "q"),
        ({"query": "a", "top_k": "0"}, "top_k"),
        ({"query": "a", "top_k": "101"}, "top_k"),
        ({"query": "a", "top_k": "ten"}, "top_k"),
        ({"query": "a", "kind": "novel"}, "kind"),
        ({"query": "a", "language": "french"}, "language"),
        ({"query": "a", "since": "2026-13-01"}, "since"),
        ({"query": "a", "since": "2026-02-01", "until": "2026-01-01"}, "until"),
    ],
)
def test_a_bad_parameter_is_named(
    client: TestClient, parameters: dict[str, str], field: str
) -> None:
    """A bad parameter is named."""
    problem = _problem(client.get("/v1/search", params=parameters), 422)
    assert field in [error.field for error in problem.errors or ()]
    assert problem.instance == "/v1/search"


def test_a_query_of_blanks_is_not_understood(client: TestClient) -> None:
    """A query of blanks is not understood."""
    assert "empty" in _problem(client.get("/v1/search", params={"query": "  "}), 422).detail


def test_an_answer_quotes_the_page_that_it_cites(client: TestClient) -> None:
    """An answer quotes the page that it cites."""
    answer = _answer(client, question="Que couvre la garantie ?", language="fr")
    assert answer["status"] == "answered"
    assert all(citation["verified"] for citation in answer["citations"])
    citation = answer["citations"][0]
    page = _get(client, citation["url"], schemas.Page)
    texts = [page["text"][span["start"] : span["end"]] for span in citation["spans"]]
    assert "".join(texts) == citation["quote"]


def test_insufficient_evidence_is_an_answer(client: TestClient) -> None:
    """Insufficient evidence is an answer."""
    answer = _answer(client, question="How tall is the Eiffel tower?")
    assert answer["status"] == "insufficient_evidence"
    assert answer["sentences"] == answer["citations"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "question"), ({"question": "a", "kind": "novel"}, "kind"), ({"question": 3}, "question")],
)
def test_a_bad_field_of_a_question_is_named(
    client: TestClient, body: dict[str, Any], field: str
) -> None:
    """A bad field of a question is named."""
    problem = _problem(client.post("/v1/answers", json=body), 422)
    assert [error.field for error in problem.errors or ()] == [field]


def test_documents_are_listed_page_by_page(client: TestClient) -> None:
    """Documents are listed page by page."""
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        listed = _get(client, "/v1/documents", schemas.DocumentList, limit=2, cursor=cursor)
        assert len(listed["documents"]) <= 2
        seen += [document["id"] for document in listed["documents"]]
        cursor = listed["next"]
    assert seen == ["garantie-en", "garantie-fr", "plafond-fr"]


def test_a_last_page_that_is_full_has_no_next(client: TestClient) -> None:
    """A last page that is full has no next."""
    assert _get(client, "/v1/documents", schemas.DocumentList, limit=3)["next"] is None


def test_at_most_100_documents_are_listed_at_once(client: TestClient) -> None:
    """At most 100 documents are listed at once."""
    problem = _problem(client.get("/v1/documents", params={"limit": 101}), 422)
    assert [error.field for error in problem.errors or ()] == ["limit"]


def test_a_document_shows_its_versions_and_translations(client: TestClient, base: Base) -> None:
    """A document shows its versions and translations."""
    shown = _get(client, "/v1/documents/plafond-fr", schemas.DocumentDetail)
    assert shown["version"] == 2
    assert shown["page_count"] == 1
    assert [(each["version"], each["current"]) for each in shown["versions"]] == [
        (2, True),
        (1, False),
    ]
    assert shown["translations"] == []
    generation = base.kb.record.current_id() or 0
    document = base.kb.record.document(generation, "garantie-fr", PUBLIC_ACCESS)
    assert document is not None
    other = _get(client, "/v1/documents/garantie-fr", schemas.DocumentDetail)
    assert {name: other[name] for name in document_json(document)} == document_json(document)
    assert [each["id"] for each in other["translations"]] == ["garantie-en"]


def test_an_older_version_can_be_read(client: TestClient) -> None:
    """An older version can be read."""
    path = "/v1/documents/plafond-fr"
    assert _get(client, path, schemas.DocumentDetail, version=1)["version"] == 1
    assert OLDER in _get(client, f"{path}/pages/1", schemas.Page, version=1)["text"]
    assert NEWER in _get(client, f"{path}/pages/1", schemas.Page)["text"]
    assert OLDER in client.get(f"{path}/original", params={"version": 1}).text


def test_a_page_names_its_neighbours(client: TestClient) -> None:
    """A page names its neighbours."""
    path = "/v1/documents/garantie-fr"
    count = _get(client, path, schemas.DocumentDetail)["page_count"]
    pages = [_get(client, f"{path}/pages/{number}", schemas.Page) for number in range(1, count + 1)]
    assert {page["page_count"] for page in pages} == {count}
    assert [page["prev"] for page in pages] == [None, *range(1, count)]
    assert [page["next"] for page in pages] == [*range(2, count + 1), None]
    assert all(page["page"] is None and page["section"] for page in pages)


def test_an_original_is_saved_and_never_run(client: TestClient, base: Base) -> None:
    """An original is saved and never run."""
    response = client.get("/v1/documents/plafond-fr/original")
    assert response.status_code == 200
    assert response.content == (base.folder / "plafond né en été.html").read_bytes()
    assert response.headers["content-type"] == "text/html"
    assert response.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-disposition"] == (
        "attachment; filename*=utf-8''plafond%20n%C3%A9%20en%20%C3%A9t%C3%A9.html"
    )


@pytest.mark.parametrize("rest", ["", "/pages/1", "/original", "?version=1"])
def test_what_may_not_be_seen_is_told_like_what_does_not_exist(
    client: TestClient, app: FastAPI, base: Base, rest: str
) -> None:
    """What may not be seen is told like what does not exist."""
    hidden = base.id_of("strategie.md")
    own = {"instance", "request_id"}
    problems = [
        _problem(client.get(f"/v1/documents/{name}{rest}"), 404).model_dump(exclude=own)
        for name in (hidden, "nothing")
    ]
    assert problems[0] == problems[1]
    app.dependency_overrides[caller_access] = lambda: FULL_ACCESS
    assert client.get(f"/v1/documents/{hidden}{rest}").status_code == 200


@pytest.mark.parametrize(
    "path", ["garantie-fr?version=9", "garantie-fr/pages/99", "garantie-fr/original?version=9"]
)
def test_a_version_or_page_that_does_not_exist_is_not_found(client: TestClient, path: str) -> None:
    """A version or page that does not exist is not found."""
    _problem(client.get(f"/v1/documents/{path}"), 404)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("garantie-fr/pages/0", "number"),
        ("garantie-fr/pages/x", "number"),
        (f"garantie-fr/pages/{10**30}", "number"),
        ("garantie-fr?version=0", "version"),
        ("a%00b", "document_id"),
    ],
)
def test_a_number_or_id_that_can_not_be_is_named(client: TestClient, path: str, field: str) -> None:
    """A number or id that can not be is named."""
    problem = _problem(client.get(f"/v1/documents/{path}"), 422)
    assert [error.field for error in problem.errors or ()] == [field]


def test_an_internal_document_is_in_no_search_answer_list_or_count(
    client: TestClient, app: FastAPI, base: Base
) -> None:
    """An internal document is in no search answer list or count."""

    def seen() -> tuple[bool, bool, bool, int]:
        query = "stratégie confidentielle du ministère des phares"
        found = _get(client, "/v1/search", schemas.SearchResult, query=query, top_k=100)
        answer = _answer(client, question=query)
        listed = _get(client, "/v1/documents", schemas.DocumentList)
        status = _get(client, "/v1/status", schemas.Status)
        return (
            hidden in {hit["document_id"] for hit in found["hits"]},
            hidden in str(answer),
            hidden in {document["id"] for document in listed["documents"]},
            status["generation"]["documents"],
        )

    hidden = base.id_of("strategie.md")
    assert seen() == (False, False, False, 3)
    app.dependency_overrides[caller_access] = lambda: FULL_ACCESS
    assert seen() == (True, True, True, 4)


def test_status_tells_no_setting(client: TestClient, base: Base) -> None:
    """Status tells no setting."""
    response = client.get("/v1/status")
    assert str(base.kb.settings.home) not in response.text
    assert set(response.json()) == {"version", "generation"}


def test_the_service_is_alive_and_ready(client: TestClient) -> None:
    """The service is alive and ready."""
    assert _get(client, "/healthz", schemas.Health) == {"status": "alive"}
    ready = _get(client, "/readyz", schemas.Readiness)
    assert ready["checks"] == {"encoder": True, "index": True, "database": True}


def test_the_documentation_asks_nothing_of_other_sites(client: TestClient) -> None:
    """The documentation asks nothing of other sites."""
    page = client.get("/docs")
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert "static/swagger-ui-bundle.js" in addresses
    assert not [address for address in addresses if "//" in address]
    for address in addresses:
        assert client.get(f"/{address}").status_code == 200
    assert "default-src 'none'; script-src 'self'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "referrer"),
    [
        ("/docs", "no-referrer"),
        ("/static/docs.js", "no-referrer"),
        ("/v1/status", "no-referrer"),
        ("/nowhere", "no-referrer"),
        ("/", "same-origin"),  # a form of the page says where it was sent from
    ],
)
def test_every_response_has_the_security_headers(
    client: TestClient, path: str, referrer: str
) -> None:
    """Every response has the security headers."""
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == referrer
    assert "default-src 'none'" in headers["content-security-policy"]


def test_an_empty_base_is_served_and_answers_as_soon_as_it_is_filled(tmp_path: Path) -> None:
    """An empty base is served and answers as soon as it is filled."""
    kb = _open(tmp_path)
    made = Base(kb, tmp_path / "files")
    with TestClient(create_app(kb)) as client:
        for path in ("/v1/search?q=garantie", "/readyz"):
            assert _problem(client.get(path), 503).type == "/problems/nothing-ingested"
        _problem(client.get("/v1/documents/nothing"), 404)
        assert _get(client, "/v1/documents", schemas.DocumentList)["documents"] == []
        assert _get(client, "/v1/status", schemas.Status)["generation"] is None
        made.write("garantie.md", PUBLIC_FR)
        made.ingest()
        assert _get(client, "/v1/search", schemas.SearchResult, q="garantie")["hits"]
        _get(client, "/readyz", schemas.Readiness)
    kb.close()


def test_a_base_of_another_encoder_is_not_available(tmp_path: Path) -> None:
    """A base of another encoder is not available."""
    made = Base(_open(tmp_path), tmp_path / "files")
    made.write("garantie.md", PUBLIC_FR)
    made.ingest()
    made.kb.close()
    other = _open(tmp_path, HashingEncoder("other"))
    with TestClient(create_app(other)) as client:
        searched = _problem(client.get("/v1/search?q=garantie"), 503)
        assert searched.type == "/problems/store-not-available"
        assert _problem(client.get("/readyz"), 503).detail == "Not ready: index."
        _get(client, "/v1/documents", schemas.DocumentList)
    other.close()


def test_a_service_without_a_base_opens_that_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service without a base opens that of the environment."""
    monkeypatch.setenv("KB_HOME", str(tmp_path / "home"))
    with TestClient(create_app()) as client:
        assert client.get("/healthz").status_code == 200
        assert _problem(client.get("/readyz"), 503).type == "/problems/nothing-ingested"

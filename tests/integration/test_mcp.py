"""The MCP server in this process and as ``kb mcp``, asked by the SDK's own client."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp_base import (
    COALITION,
    COLLECTED,
    ENGLISH,
    INTERNAL,
    ON_PAGE,
    OPEN_CALL,
    SECRETS,
    evidence_in,
    open_base,
    write_files,
)
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, PromptReference, ResourceTemplateReference

from api import schemas
from api.access import Caller
from api.mcp import resources
from api.mcp.asking import Asking
from api.mcp.prompts import POLICY_BRIEF
from api.mcp.server import make_server
from api.mcp.texts import answer_text
from api.mcp.tools import TOOLS
from api.mcp.uris import DOCUMENT_TEMPLATE, PAGE_TEMPLATE, document_uri, page_uri
from api.mcp.working import seen_through
from kb.audited import Audit
from kb.client import examples
from kb.keys import Door, KeyRole, access_of
from kb.model import FULL_ACCESS, Filters, Kind, Visibility
from kb.record.audit import Action, Chosen, Outcome
from kb.shapes import answer_json, search_json
from kb.stopping import Stop, in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from conftest import Base, MakeKb
    from mcp_types import CallToolResult

    from kb.bootstrap import KnowledgeBase

pytestmark = pytest.mark.anyio

KB = ["-c", "from kb.cli import main; main()"]
AS_PARTNER = ["--role", "partner"]
GUIDE = Path(__file__).parents[2] / "docs" / "partners" / "mcp.md"
PUBLIC_URL = "https://kb.example"
ROLES: dict[str, tuple[KeyRole | None, tuple[str, ...] | None]] = {
    "public": (None, None),
    "partner": (KeyRole.PARTNER, None),
    "staff": (KeyRole.STAFF, None),
    "collection": (KeyRole.PARTNER, ("quartiers",)),
}
# What is asked of every tool about a document, and what of all of them.
QUESTIONS = (COALITION, INTERNAL, COLLECTED, "moulins flottants phares bretons guérites")


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of the service."""
    return "asyncio"


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    """Six documents and three calls, one of them internal."""
    with evidence_in(tmp_path_factory.mktemp("mcp")) as base:
        yield base


@asynccontextmanager
async def asked_by(
    kb: KnowledgeBase, role: str = "public", *, mode: str = "auto", address: str | None = None
) -> AsyncIterator[Client]:
    """A client of the server, as somebody of a role."""
    known, collections = ROLES[role]
    caller = Caller(known, access_of(known, collections), "test", Door.MCP)
    server = make_server(kb, lambda _: Asking(Audit(kb, caller, f"of-{role}"), address))
    async with Client(server, mode=mode) as client:
        yield client


def said(result: CallToolResult) -> str:
    """The texts of a result."""
    return "\n".join(getattr(block, "text", "") for block in result.content)


async def given(client: Client, name: str, **arguments: Any) -> tuple[str, Any]:
    """The text and the JSON of a tool that succeeds; the client holds it to the tool's schema."""
    result = await client.call_tool(name, arguments)
    assert not result.is_error, said(result)
    return said(result), result.structured_content


async def refused(client: Client, name: str, **arguments: Any) -> str:
    """What a tool says that does not succeed."""
    result = await client.call_tool(name, arguments)
    assert result.is_error
    assert result.structured_content is None
    return said(result)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_tools_say_what_they_take_and_give(evidence: Base, mode: str) -> None:
    """Whichever version of the protocol is spoken, tools come with schemas and read only."""
    async with asked_by(evidence.kb, mode=mode) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(listed) == {
        *("search_evidence", "answer_with_citations", "find_calls", "get_document", "get_page")
    }
    for tool in listed.values():
        assert tool.description
        assert tool.title
        assert tool.input_schema["additionalProperties"] is False
        assert tool.output_schema is not None
        assert tool.output_schema["additionalProperties"] is False
        hints = tool.annotations
        assert hints is not None
        assert (hints.read_only_hint, hints.idempotent_hint) == (True, True)
        assert (hints.destructive_hint, hints.open_world_hint) == (False, False)
    taken = listed["search_evidence"].input_schema["properties"]
    assert taken["query"]["maxLength"] == schemas.MAX_QUESTION
    assert taken["top_k"]["maximum"] == schemas.MAX_TOP_K
    assert set(taken) == {
        *("query", "top_k", "kind", "language", "theme", "issuer", "since", "until")
    }
    asked = set(listed["find_calls"].input_schema["properties"])
    assert asked > {
        *("query", "status", "programme", "applicant", "country", "theme", "deadline_before"),
        *("deadline_after", "limit", "cursor", "as_of"),
    }


async def test_a_search_gives_what_every_door_gives(evidence: Base) -> None:
    """The JSON is that of the others, with addresses that lead somewhere from outside."""
    async with asked_by(evidence.kb, address=PUBLIC_URL) as client:
        text, found = await given(client, "search_evidence", query="ladders", kind="research")
    expected = search_json(evidence.kb.search.search("ladders", Filters(kind=Kind.RESEARCH), 10))
    for shape in (found, expected):
        shape.pop("took_ms")
    for hit in expected["hits"]:
        if hit["url"].startswith("/"):
            hit["url"] = PUBLIC_URL + hit["url"]
    assert found == expected
    assert f"{PUBLIC_URL}/v1/documents/ladders-en/pages/1?version=1" in text
    assert "Ladder library · 2024-05-01 · p. 1" in text
    assert ON_PAGE in text


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_french_question_is_answered_from_an_english_document(
    evidence: Base, mode: str
) -> None:
    """The text can be quoted from: words, title, issuer, date, page and address."""
    question = "Que couvre la garantie pour les investisseurs de l'économie sociale ?"
    async with asked_by(evidence.kb, mode=mode) as client:
        text, answer = await given(client, "answer_with_citations", question=question)
    assert answer["status"] == "answered"
    assert answer["language"] == "fr"
    assert text.startswith("Réponse tirée des documents.")
    assert f"[1] “{ENGLISH}”" in text
    source = (
        "Guarantee · Guarantee Forum · 2026-01-15 · section 1 · https://forum.example/guarantee"
    )
    assert f"Source : {source}" in text
    assert "Document : guarantee-en, version 1" in text


async def test_quotes_are_the_stored_words_at_their_spans(evidence: Base) -> None:
    """Also of a page of a PDF, in the JSON and in the text."""
    async with asked_by(evidence.kb) as client:
        question = "To how many villages does the ladder library lend ladders?"
        text, answer = await given(client, "answer_with_citations", question=question)
        cited = answer["citations"][0]
        _, page = await given(
            client, "get_page", document_id=cited["document_id"], number=cited["page"]
        )
    span = cited["spans"][0]
    stored = evidence.kb.record.page_texts([(cited["document_id"], cited["version"], 2)])
    assert span["page"] == 2
    assert cited["quote"] == page["text"][span["start"] : span["end"]] == ON_PAGE
    assert page["text"] in stored.values()
    assert cited["verified"]
    assert f"“{cited['quote']}”" in text


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Quel est le diamètre de la lune ?", "PREUVES INSUFFISANTES"),
        ("What is the diameter of the moon?", "INSUFFICIENT EVIDENCE"),
    ],
)
async def test_insufficient_evidence_is_said_plainly(
    evidence: Base, question: str, words: str
) -> None:
    """It is an answer, no error, and names what is nearest without quoting it as an answer."""
    async with asked_by(evidence.kb) as client:
        text, answer = await given(client, "answer_with_citations", question=question)
    assert text.startswith(words)
    assert (answer["status"], answer["sentences"]) == ("insufficient_evidence", [])
    assert all(hit["title"] in text for hit in answer["nearest"])
    assert "“" not in text


async def test_filters_narrow(evidence: Base) -> None:
    """As they do over HTTP."""
    async with asked_by(evidence.kb) as client:
        for narrowing in (
            {"kind": "research"},
            {"issuer": "Région"},
            {"theme": "guarantee"},
            {"since": "2026-01-01"},
            {"until": "2025-12-31"},
        ):
            _, found = await given(client, "search_evidence", query="prête garantie", **narrowing)
            filters: dict[str, Any] = {
                name: date.fromisoformat(value) if name in {"since", "until"} else value
                for name, value in narrowing.items()
            }
            expected = evidence.kb.search.search("prête garantie", Filters(**filters), 10)
            ids = [hit["document_id"] for hit in found["hits"]]
            assert ids == [hit.document.id for hit in expected.hits] != []


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_calls_are_found_with_their_status_and_sentences(
    evidence: Base, language: str
) -> None:
    """As they stand today, or on the day that is asked for."""
    asked: dict[str, Any] = {"query": "ladders for a village", "language": language}
    async with asked_by(evidence.kb) as client:
        text, found = await given(client, "find_calls", status=["open"], **asked)
        later, closed = await given(client, "find_calls", as_of="2026-12-01", **asked)
        bare, nothing = await given(
            client, "find_calls", status=["rolling"], applicant=["association"], **asked
        )
    first = found["hits"][0]
    assert first["identifier"] == "LADDER-2026-01"
    assert first["why"][0]["quote"] == OPEN_CALL
    assert OPEN_CALL in text
    assert ("ferme bientôt" if language == "fr" else "closing soon") not in text
    assert "2026-04-01 17:00" in text
    assert first["status_reason"] in text
    assert {hit["status"] for hit in closed["hits"]} == {"closed"}
    assert ("fermé" if language == "fr" else "closed") in later
    assert nothing["hits"] == []
    assert bare == (
        "Aucun appel ne passe les filtres." if language == "fr" else "No call passes the filters."
    )


async def test_calls_come_in_pages(evidence: Base) -> None:
    """The text names the cursor, and the pages hold each call once."""
    async with asked_by(evidence.kb) as client:
        text, first = await given(client, "find_calls", limit=1)
        assert first["next"] in text
        _, second = await given(client, "find_calls", limit=1, cursor=first["next"])
        other = await refused(client, "find_calls", limit=1, cursor=first["next"], query="ladders")
    assert second["next"] is None
    ids = [page["hits"][0]["identifier"] for page in (first, second)]
    assert ids == ["LADDER-2026-01", "OTHER-2026-01"]
    assert other.startswith("cursor is of another order")


async def test_documents_and_pages_are_shown(evidence: Base) -> None:
    """A document with its pages; a page with whose it is, then its stored text alone."""
    async with asked_by(evidence.kb, address=PUBLIC_URL) as client:
        text, document = await given(client, "get_document", document_id="ladders-en")
        assert (document["page_count"], document["paged"]) == (2, True)
        assert "Ladder library" in text
        assert "2 pages" in text
        result = await client.call_tool("get_page", {"document_id": "ladders-en", "number": 2})
        about, words = (getattr(block, "text", "") for block in result.content)
    url = f"{PUBLIC_URL}/v1/documents/ladders-en/pages/2?version=1"
    assert about == f"Ladder library · 2024-05-01 · p. 2 · {url}"
    found = evidence.kb.record.page_texts([("ladders-en", 1, 2)])
    assert [words] == list(found.values())
    assert result.structured_content is not None
    assert result.structured_content["text"] == words
    assert (result.structured_content["prev"], result.structured_content["next"]) == (1, None)


@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        ("search_evidence", {}, "query (Field required)"),
        ("search_evidence", {"query": " \n "}, "query ("),
        ("search_evidence", {"query": "x" * 1001}, "query ("),
        ("search_evidence", {"query": "x", "top_k": 0}, "top_k ("),
        ("search_evidence", {"query": "x", "top_k": 101}, "top_k ("),
        ("search_evidence", {"query": "x", "kind": "novel"}, "kind ("),
        ("search_evidence", {"query": "x", "language": "french"}, "language ("),
        ("search_evidence", {"query": "x", "since": "yesterday"}, "since ("),
        (
            "search_evidence",
            {"query": "x", "since": "2026-02-01", "until": "2026-01-01"},
            "until (until must not lie before since)",
        ),
        ("search_evidence", {"query": "x", "visibility": "internal"}, "visibility ("),
        ("search_evidence", {"query": "\ud800"}, "query ("),
        ("answer_with_citations", {"question": ["x"]}, "question ("),
        ("answer_with_citations", {"question": "x" * 1001}, "question ("),
        ("find_calls", {"limit": 1000}, "limit ("),
        ("find_calls", {"status": ["sometimes"]}, "status is 'sometimes'"),
        ("find_calls", {"deadline_after": "soon"}, "deadline_after ("),
        ("find_calls", {"as_of": "1900-01-01"}, "as_of is 1900-01-01"),
        ("find_calls", {"cursor": "???"}, "cursor is not one of ours"),
        ("get_document", {"document_id": ""}, "document_id ("),
        ("get_document", {"document_id": "a\x00b"}, "document_id ("),
        ("get_document", {"document_id": "x", "version": 10**30}, "version ("),
        ("get_page", {"document_id": "x"}, "number (Field required)"),
        ("get_page", {"document_id": "x", "number": 0}, "number ("),
    ],
)
async def test_bad_input_is_told_by_its_name(
    evidence: Base, tool: str, arguments: dict[str, Any], named: str
) -> None:
    """As the result of the tool, so that an assistant can mend it."""
    async with asked_by(evidence.kb) as client:
        assert named in await refused(client, tool, **arguments)


async def test_there_is_no_other_tool_or_prompt(evidence: Base) -> None:
    """That is an error of the protocol."""
    async with asked_by(evidence.kb) as client:
        with pytest.raises(MCPError, match="There is no tool 'remove'") as tool:
            await client.call_tool("remove", {})
        with pytest.raises(MCPError, match="There is no prompt 'praise'") as prompt:
            await client.get_prompt("praise", {})
    assert (tool.value.code, prompt.value.code) == (INVALID_PARAMS, INVALID_PARAMS)


async def everything(client: Client, base: Base) -> str:
    """All that somebody can get hold of, by every tool, resource, listing and completion."""
    generation = base.kb.record.current_id() or 0
    ids = [each.id for each in base.kb.record.list_documents(generation, FULL_ACCESS)]
    calls: list[tuple[str, dict[str, Any]]] = []
    for question in QUESTIONS:
        calls += [
            ("search_evidence", {"query": question, "top_k": 100}),
            ("answer_with_citations", {"question": question}),
            ("find_calls", {"query": question, "limit": 100}),
        ]
    for each in ids:
        calls += [("get_document", {"document_id": each})]
        calls += [("get_page", {"document_id": each, "number": 1, "version": 1})]
    got = [await client.call_tool(name, arguments) for name, arguments in calls]
    told = [result.model_dump_json() for result in got]
    told += [(await client.list_resources()).model_dump_json()]
    for uri in [document_uri(each) for each in ids] + [page_uri(each, 1) for each in ids]:
        try:
            told += [(await client.read_resource(uri)).model_dump_json()]
        except MCPError as error:
            told += [error.message]
    reference = ResourceTemplateReference(uri=DOCUMENT_TEMPLATE)
    for begun in ("", *(each[:3] for each in ids)):
        typed = {"name": "document_id", "value": begun}
        told += [(await client.complete(reference, typed)).model_dump_json()]
    # What was asked is said again in the results; it is nothing that was found.
    text = "\n".join(told)
    for question in QUESTIONS:
        text = text.replace(json.dumps(question, ensure_ascii=False), "")
    return text


@pytest.mark.parametrize("role", sorted(ROLES))
async def test_nobody_gets_hold_of_what_is_not_theirs(evidence: Base, role: str) -> None:
    """By no tool, resource, listing or completion; and whoever may see it finds it there."""
    async with asked_by(evidence.kb, role) as client:
        text = await everything(client, evidence)
    known, collections = ROLES[role]
    seen = access_of(known, collections).visibilities
    for visibility, words in SECRETS.items():
        for secret in words:
            assert (secret in text) == (visibility in seen and collections is None), secret
    assert ("guérites en papier" in text) == (Visibility.COALITION in seen)
    assert (ENGLISH in text) == (collections is None)


async def test_forbidden_and_absent_are_the_same_words(evidence: Base) -> None:
    """Whatever is asked for, nobody learns that there is something."""
    hidden = evidence.id_of("strategie.md")
    async with asked_by(evidence.kb) as client:
        for tool, more in (("get_document", {}), ("get_page", {"number": 1})):
            answers = [
                await client.call_tool(tool, {"document_id": each, **more})
                for each in (hidden, "absent")
            ]
            assert answers[0].is_error
            assert answers[0].model_dump() == answers[1].model_dump()
        for uri in ("evidence://documents/{}", "evidence://documents/{}/pages/1"):
            errors = []
            for each in (hidden, "absent"):
                with pytest.raises(MCPError) as caught:
                    await client.read_resource(uri.format(each))
                errors.append((caught.value.code, caught.value.message))
            assert errors[0] == errors[1]
        with pytest.raises(MCPError, match=errors[0][1]):
            await client.read_resource("evidence://documents/guarantee-en/pages/99")


async def test_resources_are_listed_in_pages(
    evidence: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor leads through all that the caller may see, once."""
    monkeypatch.setattr(resources, "PAGE_SIZE", 2)
    async with asked_by(evidence.kb, "staff") as client:
        uris, cursor, pages = [], None, 0
        while pages == 0 or cursor is not None:
            page = await client.list_resources(cursor=cursor)
            assert len(page.resources) <= 2
            uris += [resource.uri for resource in page.resources]
            cursor, pages = page.next_cursor, pages + 1
        with pytest.raises(MCPError, match="cursor is not one of ours"):
            await client.list_resources(cursor="\n")
    assert len(uris) == len(set(uris)) == 9
    assert pages == 5


async def test_resources_are_documents_and_their_pages(evidence: Base) -> None:
    """A document with its outline; a page word for word, and whose it is."""
    async with asked_by(evidence.kb) as client:
        templates = (await client.list_resource_templates()).resource_templates
        assert [each.uri_template for each in templates] == [DOCUMENT_TEMPLATE, PAGE_TEMPLATE]
        [read] = (await client.read_resource("evidence://documents/guarantee-en")).contents
        document = json.loads(read.text)  # type: ignore[union-attr]
        assert document["title"] == "Guarantee"
        [section] = document["outline"]
        assert section["headings"] == ["Guarantee"]
        page, about = (await client.read_resource(section["uri"] + "?version=1")).contents
        assert ENGLISH in page.text  # type: ignore[union-attr]
        assert page.uri == section["uri"] + "?version=1"
        assert "Guarantee Forum · 2026-01-15" in about.text  # type: ignore[union-attr]
        for uri in ("file:///etc/passwd", "evidence://documents/", "evidence://documents/a/b"):
            with pytest.raises(MCPError, match="Resources are named evidence:"):
                await client.read_resource(uri)


async def test_the_prompt_tells_how_to_write_a_brief(evidence: Base) -> None:
    """In French unless English is asked for: use the tools, quote, say what is not evidenced."""
    async with asked_by(evidence.kb) as client:
        [listed] = (await client.list_prompts()).prompts
        assert [each.name for each in listed.arguments or ()] == ["topic", "language", "audience"]
        french = await client.get_prompt(POLICY_BRIEF, {"topic": "Les {garanties}"})
        english = await client.get_prompt(
            POLICY_BRIEF, {"topic": "Guarantees", "language": "en", "audience": "the press"}
        )
        for arguments, named in (
            ({}, "topic"),
            ({"topic": "x", "language": "de"}, "language"),
            ({"topic": "x" * 1001}, "topic"),
            ({"topic": "x", "tone": "y"}, "tone"),
        ):
            with pytest.raises(MCPError, match=named):
                await client.get_prompt(POLICY_BRIEF, arguments)
    for prompt, words in (
        (french, ("Les {garanties}", "mot pour mot", "numéro de page", "non établi")),
        (english, ("Guarantees", "the press", "word for word", "page number", "not evidenced")),
    ):
        [message] = prompt.messages
        text = getattr(message.content, "text", "")
        assert all(each in text for each in words)
        assert {name for name in TOOLS if f"`{name}`" in text} == {*TOOLS} - {"get_document"}


async def test_arguments_are_completed(evidence: Base) -> None:
    """Ids by their beginning, languages and audiences by what they hold."""
    async with asked_by(evidence.kb) as client:
        reference = ResourceTemplateReference(uri=PAGE_TEMPLATE)
        for begun, expected in (("gua", ["guarantee-en"]), ("zzz", []), ("\x00", [])):
            typed = {"name": "document_id", "value": begun}
            found = (await client.complete(reference, typed)).completion
            assert (found.values, found.has_more) in ((expected, False), (expected, None))
        number = await client.complete(reference, {"name": "number", "value": ""})
        prompt = PromptReference(name=POLICY_BRIEF)
        language = await client.complete(prompt, {"name": "language", "value": "e"})
    assert number.completion.values == []
    assert language.completion.values == ["en"]


async def test_an_empty_base_says_so(make_kb: MakeKb) -> None:
    """There is nothing to list, and whoever searches is told why they find nothing."""
    async with asked_by(make_kb()) as client:
        assert (await client.list_resources()).resources == []
        for tool, asked in (
            ("search_evidence", {"query": "x"}),
            ("answer_with_citations", {"question": "x"}),
            ("find_calls", {}),
        ):
            assert "The knowledge base is empty." in await refused(client, tool, **asked)
        assert "There is no such document" in await refused(client, "get_document", document_id="x")


async def test_what_the_caller_cannot_mend_goes_to_the_log(
    make_kb: MakeKb, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callers get no names of folders, and the log no words of theirs."""

    def broken(*_: object) -> None:
        raise RuntimeError("phares bretons")

    kb = make_kb()
    monkeypatch.setattr(kb.record, "current_id", broken)
    for mode in ("auto", "legacy"):
        async with asked_by(kb, mode=mode) as client:
            text = await refused(client, "get_document", document_id="secret-id")
            assert text == "The knowledge base can't answer at the moment; its log says why."
            with pytest.raises(MCPError, match="can't answer at the moment") as caught:
                await client.list_resources()
            assert caught.value.code == INTERNAL_ERROR
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert {record.getMessage() for record in told} == {
        "get_document failed",
        "resources/list failed",
    }
    assert {record.name for record in told} == {"api.mcp.errors"}


async def test_every_request_leaves_its_trace(evidence: Base) -> None:
    """Who asked what through which door, and what they were given."""
    kb = evidence.kb
    async with asked_by(kb, "partner") as client:
        _, found = await given(client, "search_evidence", query="ladders", kind="research")
        await given(client, "answer_with_citations", question="Quelle est la masse de la lune ?")
        await given(client, "find_calls", query="ladders")
        await given(client, "get_page", document_id="ladders-en", number=2)
        await refused(client, "get_document", document_id="absent")
        await client.list_resources()
    assert kb.trail.flush(30)
    events = kb.trail.record.listed(Chosen(door=Door.MCP), 6)[::-1]
    assert {(each.role, each.request_id) for each in events} == {(KeyRole.PARTNER, "of-partner")}
    assert [(each.action, each.outcome) for each in events] == [
        (Action.SEARCH, Outcome.FOUND),
        (Action.ANSWER, Outcome.INSUFFICIENT_EVIDENCE),
        (Action.CALLS, Outcome.FOUND),
        (Action.PAGE, Outcome.FOUND),
        (Action.DOCUMENT, Outcome.NOTHING),
        (Action.DOCUMENTS, Outcome.FOUND),
    ]
    assert events[0].query == "ladders"
    assert events[0].filters == {"kind": "research"}
    passages = [hit["passage_id"] for hit in found["hits"]]
    assert [each.passage_id for each in events[0].returned] == passages != []
    assert [each.document_id for each in events[3].returned] == ["ladders-en"]
    assert events[4].filters == {"document_id": "absent"}


async def test_an_abandoned_request_is_told_once_and_waited_for() -> None:
    """Work in a thread ends at its next checkpoint, and nothing goes on unseen."""
    told = 0
    begun, ended = asyncio.Event(), False
    loop = asyncio.get_running_loop()

    def work(stop: Stop) -> None:
        nonlocal ended
        loop.call_soon_threadsafe(begun.set)
        try:
            while True:
                stop.check()
                time.sleep(0.01)
        finally:
            ended = True

    async def watched() -> None:
        nonlocal told
        try:
            await in_thread(work)
        except asyncio.CancelledError:
            told += 1
            raise

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: seen_through(watched()))
        await begun.wait()
        tasks.cancel_scope.cancel()
    assert ended
    assert told == 1


def test_texts_tell_what_sources_differ_in_and_what_is_replaced() -> None:
    """Each value with its date and state, and where else a sentence stands."""
    answer: dict[str, Any] = examples.ANSWERS[0]
    old = {**answer["citations"][0], "current": False, "version_date": "2024-01-01"}
    differs = [
        {"value": "la moitié", "citation": 2, "date": None, "current": True},
        {"value": "un tiers", "citation": 1, "date": "2024-01-01", "current": False},
    ]
    shape = {**answer, "citations": [old, *answer["citations"][1:]], "differs": differs}
    text = answer_text(shape)
    assert "- la moitié [2] · sans date · version actuelle" in text
    assert "- un tiers [1] · 2024-01-01 · version remplacée" in text
    assert "2026-11-22 → 2024-01-01 · p. 3" in text
    assert "version 1 (version remplacée)" in text
    assert "Également : [2] Guaranteeing" in text
    assert "- one third [1] · no date" in answer_text(
        {**shape, "language": "en", "differs": [{**differs[1], "value": "one third", "date": None}]}
    )


def test_the_guide_for_partners_says_what_is_there() -> None:
    """Its settings can be pasted, and it names every tool and the prompt."""
    guide = GUIDE.read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE)) == set(TOOLS)
    assert f"`{POLICY_BRIEF}`" in guide
    assert f"`{DOCUMENT_TEMPLATE}` et `{PAGE_TEMPLATE}`" in guide
    remote, local = map(json.loads, re.findall(r"```json\n(.*?)```", guide, re.DOTALL))
    assert remote["servers"]["operation-milliard"]["url"].endswith("/mcp")
    assert local["mcpServers"]["operation-milliard"]["args"] == ["mcp", *AS_PARTNER]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a base that was ingested with the default encoder, by the command."""
    folder = tmp_path_factory.mktemp("stdio")
    base = open_base(folder)  # only to write the files
    write_files(base)
    base.kb.close()
    started = folder / "started"
    subprocess.run(
        [sys.executable, *KB, "ingest", str(base.folder)],
        env=_environment(started),
        check=True,
        capture_output=True,
    )
    return started


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "KB_HOME": str(home), "KB_WORKERS": "1"}


@asynccontextmanager
async def started(home: Path, *options: str) -> AsyncIterator[Client]:
    """A client of ``kb mcp`` as a child process."""
    command = StdioServerParameters(
        command=sys.executable, args=[*KB, "mcp", *options], env=_environment(home)
    )
    async with Client(stdio_client(command)) as client:
        yield client


@pytest.mark.slow
async def test_kb_mcp_serves_staff_and_can_be_narrowed(home: Path) -> None:
    """Whoever can start it can read the files; a role and collections show less."""
    secret = {"query": "ministère des phares bretons"}
    for options, internal, collected, english in (
        ((), True, True, True),
        (AS_PARTNER, False, True, True),
        (("--role", "public"), False, False, True),
        (("--collection", "quartiers"), False, True, False),
    ):
        async with started(home, *options) as client:
            info = client.server_info
            assert info is not None
            assert info.title == "Opération Milliard"
            uris = {each.uri for each in (await client.list_resources()).resources}
            text, _ = await given(client, "search_evidence", **secret)
        assert (INTERNAL in text) == internal, options
        assert ("evidence://documents/guerites-fr" in uris) == collected, options
        assert ("evidence://documents/guarantee-en" in uris) == english, options


@pytest.mark.slow
async def test_kb_mcp_answers_a_french_question_from_english(home: Path) -> None:
    """With the encoder that is shipped, and a quote that stands on the stored page."""
    question = "Que couvre la garantie pour les investisseurs de l'économie sociale ?"
    async with started(home, "--role", "public") as client:
        text, answer = await given(client, "answer_with_citations", question=question)
        cited = answer["citations"][0]
        span = cited["spans"][0]
        where = {"document_id": cited["document_id"], "number": span["page"] or span["section"]}
        _, page = await given(client, "get_page", **where)
    assert cited["quote"] == page["text"][span["start"] : span["end"]]
    assert ENGLISH in text


@pytest.mark.slow
def test_the_output_of_kb_mcp_is_protocol_alone(home: Path) -> None:
    """Garbage and the end of the input included; and nothing that is asked is written down."""
    messages: list[Any] = [
        _request(
            1,
            "initialize",
            protocolVersion="2025-11-25",
            capabilities={},
            clientInfo={"name": "test", "version": "0"},
        ),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        "moulins flottants {",
        {"jsonrpc": "2.0", "id": "x", "method": 7, "params": "moulins flottants"},
        _request(
            2,
            "tools/call",
            name="search_evidence",
            arguments={"query": "moulins flottants", "top_k": "moulins flottants"},
        ),
        _request(3, "tools/call", name="search_evidence", arguments="moulins flottants"),
        _request(
            4,
            "tools/call",
            name="answer_with_citations",
            arguments={"question": "moulins flottants"},
        ),
        _request(5, "moulins flottants"),
    ]
    lines = [each if isinstance(each, str) else json.dumps(each) for each in messages]
    with subprocess.Popen(
        [sys.executable, *KB, "mcp", "--role", "public"],
        env=_environment(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write("\n".join(lines) + "\n")
        process.stdin.flush()
        answers: dict[Any, Any] = {}
        while not {1, 2, 3, 4, 5} <= set(answers):
            answer = json.loads(process.stdout.readline())
            assert answer["jsonrpc"] == "2.0"
            answers[answer.get("id")] = answer
        process.stdin.close()
        rest, errors = process.stdout.read(), process.stderr.read()
    assert process.returncode == 0
    assert rest == ""
    assert answers[2]["result"]["isError"]
    assert answers[4]["result"]["structuredContent"]["question"] == "moulins flottants"
    assert answers[3]["error"]["code"] == INVALID_PARAMS
    assert "error" in answers[5]
    assert "moulins" not in errors
    assert "Traceback" not in errors


def _request(number: int, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


@pytest.mark.slow
def test_ctrl_c_ends_kb_mcp_at_once(home: Path) -> None:
    """Although a thread waits for the next line."""
    with subprocess.Popen(
        [sys.executable, *KB, "mcp"],
        env=_environment(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(_request(1, "ping")) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == -signal.SIGINT


async def test_the_json_is_that_of_the_other_doors(evidence: Base) -> None:
    """An answer too: what differs is how addresses are written."""
    question = "Que couvre la garantie ?"
    async with asked_by(evidence.kb) as client:
        _, answer = await given(client, "answer_with_citations", question=question)
    expected = answer_json(evidence.kb.search.answer(question, Filters()))
    for shape in (answer, expected):
        shape.pop("took_ms", None)
        for cited in (*shape["citations"], *shape["nearest"]):
            cited.pop("url")
    assert answer == expected

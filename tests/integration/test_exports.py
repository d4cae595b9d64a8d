"""Exports over a real base: by command, over HTTP, and for each only what they may see."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docx
import pytest
import rispy
from mcp_base import COALITION, ENGLISH, ON_PAGE, evidence_in
from starlette.testclient import TestClient
from typer.main import get_command

from api.app import create_app
from kb import bootstrap
from kb.briefs import keeping
from kb.briefs.editing import added
from kb.briefs.model import Dossier, Missing, Paragraph, Quoted, Reference
from kb.cli import main
from kb.errors import NotFoundError, UsageError
from kb.export import gather
from kb.export.cli import app
from kb.export.formats import FORMS, ExportFormat, file_name
from kb.export.wanted import WantedQuote
from kb.keys import KeyRole, NewKey
from kb.model import FULL_ACCESS, PUBLIC_ACCESS, Filters, Span
from kb.record.audit import Action, Chosen, Outcome
from kb.record.briefs import BriefsRecord
from kb.shapes import answer_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Base

    from kb.bootstrap import KnowledgeBase

_GROUP: Any = get_command(app)
_COMMANDS = _GROUP.commands["export"].commands
QUESTION = "What does the guarantee cover?"
OFF_TOPIC = "Quelle est la capitale de l'Australie ?"


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    """Six documents and three calls of every visibility."""
    with evidence_in(tmp_path_factory.mktemp("exports")) as base:
        yield base


@pytest.fixture(scope="module")
def kb(evidence: Base) -> KnowledgeBase:
    """The knowledge base of the documents."""
    return evidence.kb


@pytest.fixture(scope="module")
def client(kb: KnowledgeBase) -> Iterator[TestClient]:
    """Somebody without a key."""
    kb.settings = kb.settings.model_copy(update={"rate_anonymous": 1_000_000})
    with TestClient(create_app(kb)) as opened:
        yield opened


@pytest.fixture(scope="module")
def partner(kb: KnowledgeBase) -> dict[str, str]:
    """The headers of a partner, who sees what is for the coalition."""
    return {"X-API-Key": kb.keys.create(NewKey("Réseau", KeyRole.PARTNER), kb.clock())[1]}


@pytest.fixture
def commands(kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that open this base."""
    opening, settings, encoder = bootstrap.open_knowledge_base, kb.settings, kb.encoder
    monkeypatch.setattr(
        bootstrap, "open_knowledge_base", lambda: opening(settings, encoder=encoder)
    )


def _reference(kb: KnowledgeBase, name: str, words: str) -> Reference:
    """Where words stand in a document, whoever may see it."""
    generation = kb.record.current_id() or 0
    listed = kb.record.list_documents(generation, FULL_ACCESS)
    found = next(each for each in listed if each.id.startswith(name))
    for number, label, text in kb.record.page_texts_of(found):
        if words in text:
            start = text.index(words)
            page, section = (number, None) if found.paged else (None, number)
            span = Span(page, label, section, start, start + len(words))
            return Reference(found.id, found.version, (span,))
    raise AssertionError(words)


def _cited(reference: Reference, **said: Any) -> dict[str, Any]:
    """A reference as JSON."""
    [span] = reference.spans
    return {
        "document_id": reference.document_id,
        "version": reference.version,
        "spans": [
            {"page": span.page, "section": span.section, "start": span.start, "end": span.end}
        ],
        **said,
    }


def _main(*arguments: str) -> int:
    """The exit code of a command."""
    try:
        main(["export", *arguments])
    except SystemExit as done:
        return int(done.code or 0)
    return 0


def test_an_answer_is_exported_with_all_its_citations(kb: KnowledgeBase) -> None:
    """Those of each sentence first, then those that say the same; under the question."""
    answer = kb.search.answer(QUESTION, Filters(PUBLIC_ACCESS))
    dossier = gather.of_answer(kb, answer, PUBLIC_ACCESS)
    quotes = [block.citation.quote for block in dossier.blocks if isinstance(block, Quoted)]
    assert (dossier.title, dossier.language) == (QUESTION, "en")
    assert len(quotes) == len(dossier.blocks) == len(answer.citations)
    assert quotes[0] == ENGLISH


def test_what_is_not_answered_is_not_exported(kb: KnowledgeBase) -> None:
    """An empty file would be taken for an answer."""
    answer = kb.search.answer(OFF_TOPIC, Filters(PUBLIC_ACCESS))
    with pytest.raises(NotFoundError, match="do not suffice"):
        gather.of_answer(kb, answer, PUBLIC_ACCESS)


def test_words_that_are_not_those_of_the_page_are_no_quote(kb: KnowledgeBase) -> None:
    """However they came there; spaces do not matter."""
    place = _cited(_reference(kb, "guarantee", ENGLISH))
    wanted = [
        WantedQuote.model_validate({**place, "quote": quote})
        for quote in (None, ENGLISH.replace(" ", "\n "), ENGLISH.replace("half", "all"))
    ]
    shown = gather.of_quotes(kb, wanted, PUBLIC_ACCESS).blocks
    assert [type(block) for block in shown] == [Quoted, Quoted, Missing]


def test_an_export_has_a_greatest_length(
    kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that nobody fills the memory."""
    monkeypatch.setattr(gather, "MAX_CHARACTERS", len(ENGLISH))
    wanted = WantedQuote.model_validate(_cited(_reference(kb, "guarantee", ENGLISH)))
    assert gather.of_quotes(kb, [wanted], PUBLIC_ACCESS).blocks
    with pytest.raises(UsageError, match="in parts"):
        gather.of_quotes(kb, [wanted, wanted], PUBLIC_ACCESS)


@pytest.mark.parametrize("form", list(ExportFormat))
def test_every_format_is_a_file_to_be_saved(client: TestClient, form: ExportFormat) -> None:
    """With its media type and a name made of its title."""
    asked = {"format": form.value, "question": QUESTION, "title": 'Été/"2026"\n<b>'}
    response = client.post("/v1/exports", json=asked)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == FORMS[form].media_type
    named = response.headers["Content-Disposition"]
    ending = FORMS[form].ending
    assert named.startswith("attachment; ")
    assert f"filename*=UTF-8''%C3%89t%C3%A9-_2026_%20_b_.{ending}" in named
    assert f'filename="t-_2026_ _b_.{ending}"' in named
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_a_word_document_holds_the_quote_and_its_source(client: TestClient) -> None:
    """In the language that is asked for."""
    asked = {"format": "docx", "question": QUESTION, "language": "fr", "title": "Garantie"}
    content = client.post("/v1/exports", json=asked).content
    text = "\n".join(each.text for each in docx.Document(io.BytesIO(content)).paragraphs)
    assert text.startswith("Garantie\nÉtabli le ")
    assert f"“{ENGLISH}”" in text


def test_a_question_is_narrowed_as_answers_are(client: TestClient) -> None:
    """Nothing else may be."""
    narrowed = {"format": "ris", "question": QUESTION, "narrowing": {"issuer": "Région"}}
    assert client.post("/v1/exports", json=narrowed).status_code == 404
    narrowed["narrowing"] = {"issuer": "Guarantee Forum"}
    assert client.post("/v1/exports", json=narrowed).status_code == 200


def test_citations_of_an_answer_are_exported_as_they_are(client: TestClient) -> None:
    """With all their members."""
    citations = client.post("/v1/answers", json={"question": QUESTION}).json()["citations"]
    response = client.post("/v1/exports", json={"format": "ris", "citations": citations})
    titles = {entry["title"] for entry in rispy.loads(response.text)}
    assert titles == {citation["title"] for citation in citations}
    asked = {"format": "markdown", "citations": citations}
    assert ENGLISH in client.post("/v1/exports", json=asked).text


def test_what_one_may_not_see_is_missing_like_what_is_not_there(
    client: TestClient, kb: KnowledgeBase, partner: dict[str, str]
) -> None:
    """Nothing in the file tells one from the other."""
    hidden = _cited(_reference(kb, "allies", COALITION))
    removed = {**hidden, "document_id": "nothing-0a1b2c3d"}
    for form in ("markdown", "bibtex", "docx", "pdf"):
        told = [
            client.post("/v1/exports", json={"format": form, "citations": [each]}).content
            for each in (hidden, removed)
        ]
        assert told[0] == told[1]
    asked = {"format": "markdown", "citations": [hidden]}
    assert COALITION not in client.post("/v1/exports", json=asked).text
    assert COALITION in client.post("/v1/exports", json=asked, headers=partner).text


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"format": "docx"}, "body"),
        ({"format": "docx", "question": "a", "brief": "b"}, "body"),
        ({"format": "docx", "brief": "b", "narrowing": {}}, "body"),
        ({"format": "odt", "question": "a"}, "format"),
        ({"format": "docx", "citations": []}, "citations"),
        ({"format": "docx", "question": "a" * 1001}, "question"),
        ({"format": "docx", "question": "a", "language": "de"}, "language"),
        (
            {"format": "docx", "citations": [{"document_id": "a", "version": "1", "spans": []}]},
            "citations.0.version",
        ),
    ],
)
def test_what_cannot_be_understood_names_its_field(
    client: TestClient, asked: dict[str, Any], field: str
) -> None:
    """As a problem of RFC 9457."""
    response = client.post("/v1/exports", json=asked)
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert field in [error["field"] for error in response.json()["errors"]]


def test_a_brief_is_exported_by_its_secret(
    client: TestClient, kb: KnowledgeBase, partner: dict[str, str]
) -> None:
    """With what its author wrote; to each reader with the quotes that they may see."""
    record = BriefsRecord(kb.engine)
    brief, secret = keeping.begin(record, "Note au ministère", "fr", kb.clock())
    brief = added(brief, Paragraph("Ce que nous demandons."))
    brief = added(brief, _reference(kb, "ladders", ON_PAGE))
    assert record.save(added(brief, _reference(kb, "allies", COALITION)), kb.clock())
    asked = {"format": "markdown", "brief": secret}
    seen = client.post("/v1/exports", json=asked).text
    assert seen.startswith("# Note au ministère\n")
    assert "Ce que nous demandons." in seen
    assert ON_PAGE in seen
    assert "p.\u00a02" in seen
    assert COALITION not in seen
    assert COALITION in client.post("/v1/exports", json=asked, headers=partner).text
    unknown = client.post("/v1/exports", json={"format": "pdf", "brief": "x" * 43})
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/not-found")


def test_an_export_leaves_its_trace(client: TestClient, kb: KnowledgeBase) -> None:
    """What was quoted, and as what; also that nothing was found."""
    client.post("/v1/exports", json={"format": "ris", "question": QUESTION})
    client.post("/v1/exports", json={"format": "ris", "question": OFF_TOPIC})
    assert kb.trail.flush(10)
    refused, exported, *_ = kb.trail.record.listed(Chosen(), limit=2)
    assert (exported.action, exported.outcome) == (Action.EXPORT, Outcome.FOUND)
    assert (exported.query, exported.filters) == (QUESTION, {"form": "ris"})
    assert exported.returned[0].document_id == "guarantee-en"
    assert refused.outcome is Outcome.INSUFFICIENT_EVIDENCE


@pytest.mark.usefixtures("commands")
def test_the_command_writes_what_the_name_of_the_file_ends_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Never over a file that is there, unless it is forced."""
    out = tmp_path / "note.docx"
    assert _main("answer", QUESTION, "--out", str(out), "--in", "fr", "--title", "Note") == 0
    assert docx.Document(str(out)).paragraphs[0].text == "Note"
    before = out.read_bytes()
    assert _main("answer", QUESTION, "--out", str(out)) == 2
    assert out.read_bytes() == before
    assert "--force" in capsys.readouterr().err
    assert _main("answer", QUESTION, "--out", str(out), "--force") == 0
    assert docx.Document(str(out)).paragraphs[0].text == QUESTION
    assert _main("answer", QUESTION, "--out", str(tmp_path / "note.odt")) == 2
    assert "--format" in capsys.readouterr().err
    assert _main("answer", OFF_TOPIC, "--out", str(tmp_path / "b.docx")) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["note.docx"]


@pytest.mark.usefixtures("commands")
def test_the_command_shows_texts_and_keeps_the_rest_from_a_terminal(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe gets every format."""
    assert _main("answer", QUESTION, "--kind", "policy") == 0
    assert ENGLISH.encode() in capfdbinary.readouterr().out
    assert _main("answer", QUESTION, "--format", "pdf") == 0
    assert capfdbinary.readouterr().out.startswith(b"%PDF")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert _main("answer", QUESTION, "--format", "pdf") == 2
    told = capfdbinary.readouterr()
    assert (told.out, b"--out" in told.err) == (b"", True)


@pytest.mark.usefixtures("commands")
def test_quotes_that_were_kept_are_looked_up_again(
    kb: KnowledgeBase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An answer as JSON, or its citations alone; what is neither is told with its place."""
    said = answer_json(kb.search.answer(QUESTION, Filters(PUBLIC_ACCESS)))
    file = tmp_path / "kept.json"
    for value in (said, said["citations"]):
        file.write_text(json.dumps(value), encoding="utf-8")
        assert _main("quotes", str(file), "--format", "bibtex") == 0
        assert re.search(r"@techreport\{guarantee-en-v1,", capsys.readouterr().out)
    for wrong, reason in (
        ("{", "is no JSON"),
        ("{}", "citations"),
        ('[{"document_id": "a", "version": 1, "spans": [{"start": 1}]}]', "0.spans.0.end"),
    ):
        file.write_text(wrong, encoding="utf-8")
        assert _main("quotes", str(file)) == 2
        assert reason in capsys.readouterr().err
    assert _main("quotes", str(tmp_path / "nothing.json")) == 3


@pytest.mark.usefixtures("commands")
def test_a_brief_is_exported_by_its_address(
    kb: KnowledgeBase, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or by its secret alone."""
    _, secret = keeping.begin(BriefsRecord(kb.engine), "Écoles", "fr", kb.clock())
    for address in (secret, f"https://kb.example/briefs/{secret}?x=1", f"/briefs/{secret}/"):
        assert _main("brief", address) == 0
        assert capsys.readouterr().out.startswith("# Écoles\n")
    assert _main("brief", "x" * 43) == 2
    assert "no brief" in capsys.readouterr().err


def test_the_commands_of_the_documentation_are_understood() -> None:
    """With their options, whatever they would find."""
    text = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")
    commands = [
        shlex.split(line) for line in re.findall(r"^\$ kb export (.+)$", text, re.MULTILINE)
    ]
    assert {name for name, *_ in commands} == set(_COMMANDS)
    for name, *arguments in commands:
        told = arguments[: arguments.index(">")] if ">" in arguments else arguments
        _COMMANDS[name].make_context(name, told).close()


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Qui peut demander une garantie ?", "Qui peut demander une garantie.pdf"),
        ("../../etc/passwd", "-..-etc-passwd.pdf"),
        ("a" * 300, f"{'a' * 80}.pdf"),
        ("\x00\u202e", "export.pdf"),
        ("CON", "file-CON.pdf"),
    ],
)
def test_a_file_is_named_by_its_title(title: str, name: str) -> None:
    """Safe to write in any folder."""
    dossier = Dossier(title, "fr", date(2026, 3, 1), ())
    assert file_name(dossier, ExportFormat.PDF) == name

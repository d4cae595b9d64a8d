"""The command line: shapes of its JSON, exit codes, and one line instead of a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from kb import bootstrap
from kb.cli import app, main
from kb.lock import writer_lock

if TYPE_CHECKING:
    from conftest import Base

DOCUMENT_KEYS = ["document_id", "version", "title", "issuer", "published"]
SPAN_KEYS = {"page", "page_label", "section", "start", "end"}
HIT_KEYS = [
    "rank",
    "score",
    "passage_id",
    *DOCUMENT_KEYS,
    "kind",
    "language",
    "heading",
    "text",
    "page",
    "page_label",
    "spans",
    "url",
]
CITATION_KEYS = [
    "number",
    "passage_id",
    *DOCUMENT_KEYS,
    "version_date",
    "current",
    "language",
    "page",
    "page_label",
    "spans",
    "quote",
    "url",
    "verified",
]
ANSWER_KEYS = [
    "question",
    "language",
    "took_ms",
    "status",
    "confidence",
    "sentences",
    "citations",
    "differs",
    "nearest",
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty KB_HOME."""
    monkeypatch.setenv("KB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def filled(base: Base, monkeypatch: pytest.MonkeyPatch) -> Base:
    """A base with two documents that commands open, with the tests' encoder."""
    base.write("price.txt", "The ladder costs 5 euros a day.")
    base.write("saw.txt", "The saw is lent on Sundays.")
    base.ingest()
    settings, encoder, opening = base.kb.settings, base.kb.encoder, bootstrap.open_knowledge_base
    monkeypatch.setattr(
        bootstrap, "open_knowledge_base", lambda: opening(settings, encoder=encoder)
    )
    return base


def run(*arguments: str) -> tuple[int, str]:
    """A command's exit code and output, for commands that succeed or exit by themselves."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """A command's exit code and what it said on standard error."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    said = capsys.readouterr()
    assert "Traceback" not in said.err + said.out
    assert isinstance(caught.value.code, int)
    return caught.value.code, " ".join(said.err.split())


@pytest.mark.usefixtures("filled")
def test_search_prints_the_documented_json() -> None:
    """The keys of a search and of its hits, in their order."""
    code, output = run("search", "ladder", "--json")
    found = json.loads(output)
    assert code == 0
    assert list(found) == ["query", "language", "took_ms", "hits"]
    assert [list(hit) for hit in found["hits"]] == [HIT_KEYS] * 2
    best = found["hits"][0]
    assert (best["rank"], best["text"]) == (1, "The ladder costs 5 euros a day.")
    assert [set(span) for span in best["spans"]] == [SPAN_KEYS]
    assert best["url"] == f"/v1/documents/{best['document_id']}/pages/1?version=1"


@pytest.mark.usefixtures("filled")
def test_ask_prints_the_documented_json() -> None:
    """The keys of an answer, of its sentences and citations."""
    code, output = run("ask", "What does the ladder cost a day?", "--json")
    found = json.loads(output)
    assert code == 0
    assert list(found) == ANSWER_KEYS
    assert (found["status"], found["nearest"]) == ("answered", [])
    sentence = {"text": "The ladder costs 5 euros a day.", "citations": [1], "also": []}
    assert (found["sentences"], found["differs"]) == ([sentence], [])
    assert 0.5 <= found["confidence"] <= 1
    assert [list(citation) for citation in found["citations"]] == [CITATION_KEYS]
    assert found["citations"][0]["verified"] is True


@pytest.mark.usefixtures("filled")
def test_a_refusal_prints_the_same_json() -> None:
    """A question without an answer has the same keys, and the nearest passages."""
    code, output = run("ask", "Who won the football world cup in Brazil?", "--json")
    found = json.loads(output)
    assert code == 0
    assert list(found) == ANSWER_KEYS
    assert (found["status"], found["sentences"]) == ("insufficient_evidence", [])
    assert 0 <= found["confidence"] < 0.5
    assert [list(hit) for hit in found["nearest"]] == [HIT_KEYS] * 2


@pytest.mark.usefixtures("filled")
def test_what_people_read_names_quote_and_place() -> None:
    """Without ``--json`` an answer shows the quote with its document."""
    code, output = run("ask", "What does the ladder cost a day?")
    assert code == 0
    assert "“The ladder costs 5 euros a day.”" in " ".join(output.split())
    assert "price.txt" in output
    assert "price.txt" in run("search", "ladder")[1]


def test_status_doctor_remove_and_rollback_go_together(filled: Base) -> None:
    """A base can be looked at, checked, thinned and taken back from the command line."""
    code, output = run("status", "--documents", "--json")
    found = json.loads(output)
    assert code == 0
    assert list(found) == ["generation", "kept", "settings", "documents"]
    assert {each["id"] for each in found["documents"]} == {
        filled.id_of("price.txt"),
        filled.id_of("saw.txt"),
    }
    code, output = run("doctor", "--json")
    assert code == 0
    assert {tuple(check) for check in json.loads(output)} == {("name", "sound", "seen")}
    filled.write("saw.txt", "The saw is broken.")
    filled.ingest()
    assert run("remove", filled.id_of("price.txt"))[0] == 0
    assert run("rollback")[0] == 0
    texts = [hit["text"] for hit in json.loads(run("search", "ladder saw", "--json")[1])["hits"]]
    assert texts == ["The saw is lent on Sundays."]


def test_ingest_reports_in_json_and_fails_softly(filled: Base, tmp_path: Path) -> None:
    """One missing path is a failed line and exit code 1; the others are in."""
    filled.write("new.txt", "The windmill is new.")
    code, output = run("ingest", str(filled.folder), str(tmp_path / "missing.pdf"), "--json")
    report = json.loads(output)
    assert code == 1
    assert (report["added"], report["unchanged"], report["failed"]) == (1, 2, 1)
    [failed] = [each for each in report["files"] if each["outcome"] == "failed"]
    assert failed["path"] == str(tmp_path / "missing.pdf")
    assert "exist" in failed["reason"]
    assert run("ingest", str(filled.folder))[0] == 0


def test_a_damaged_index_is_exit_code_3_with_the_way_out(
    filled: Base, capsys: pytest.CaptureFixture[str]
) -> None:
    """``kb doctor`` says what is unsound and what mends it; then it is mended."""
    for path in sorted((filled.kb.settings.index_folder / "1.0").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    code, said = refused(capsys, "search", "ladder")
    assert (code, "kb doctor --repair" in said) == (3, True)
    assert run("doctor")[0] == 3
    assert run("doctor", "--repair")[0] == 0
    assert run("search", "ladder")[0] == 0


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("command", [["search", "ladder"], ["ask", "What is a ladder?"]])
def test_an_empty_base_says_how_to_fill_it(
    capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """Exit code 3, and the command to begin with."""
    code, said = refused(capsys, *command)
    assert (code, "kb ingest" in said) == (3, True)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("arguments", "expected", "named"),
    [
        (["search", "ladder", "--colour", "red"], 2, "--colour"),
        (["seerch", "ladder"], 2, "seerch"),
        (["search"], 2, "Missing argument"),
        (["search", "ladder", "--since", "yesterday"], 2, "--since"),
        (["search", "ladder", "--until", "2026-02-30"], 2, "--until"),
        (["search", "ladder", "--top-k", "0"], 2, "--top-k"),
        (["search", "ladder", "--kind", "poem"], 2, "--kind"),
        (["ingest"], 2, "Missing argument"),
        (["remove", "nothing"], 2, "nothing"),
        (["rollback"], 2, "older generation"),
        (["doctor", "--repair"], 2, "ingested"),
    ],
)
def test_what_can_be_mended_is_one_message_and_an_exit_code(
    capsys: pytest.CaptureFixture[str], arguments: list[str], expected: int, named: str
) -> None:
    """The message names what was wrong; there is no traceback."""
    code, said = refused(capsys, *arguments)
    assert (code, named in said) == (expected, True)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("query", ["", "   ", "ladder " * 200])
def test_a_question_that_can_not_be_asked_is_exit_code_2(
    capsys: pytest.CaptureFixture[str], query: str
) -> None:
    """Empty and overlong questions are told so."""
    assert refused(capsys, "search", query)[0] == 2
    assert refused(capsys, "ask", query)[0] == 2


def test_a_bad_setting_is_exit_code_2_and_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The variable, or the field of kb.toml, is in the message."""
    monkeypatch.setenv("KB_WORKERS", "many")
    code, said = refused(capsys, "status")
    assert (code, "KB_WORKERS" in said) == (2, True)
    monkeypatch.delenv("KB_WORKERS")
    home.mkdir()
    (home / "kb.toml").write_text("wokers = 3\n", encoding="utf-8")
    code, said = refused(capsys, "status")
    assert (code, "wokers in" in said) == (2, True)


def test_a_database_url_that_is_none_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip in KB_DATABASE_URL is told as such, an unknown kind of database too."""
    for url in ("nonsense", "nosuch://host/db"):
        monkeypatch.setenv("KB_DATABASE_URL", url)
        code, said = refused(capsys, "status")
        assert (code, "KB_DATABASE_URL" in said) == (2, True)
    assert home.is_dir()


def test_a_file_in_the_place_of_home_is_exit_code_3(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names KB_HOME and says what to do."""
    home.touch()
    for command in (["search", "ladder"], ["ingest", str(home)], ["status"]):
        code, said = refused(capsys, *command)
        assert (code, f"KB_HOME {home} can't be used" in said) == (3, True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_can_not_be_written_is_exit_code_3(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A read-only folder is told, with KB_HOME as the way out."""
    home.mkdir(mode=0o500)
    code, said = refused(capsys, "ingest", str(home))
    assert (code, "KB_HOME" in said) == (3, True)


def test_a_file_that_is_no_database_is_exit_code_3(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged record is told by its path."""
    home.mkdir()
    (home / "record.db").write_bytes(b"no database" * 500)
    code, said = refused(capsys, "status")
    assert (code, "record.db" in said) == (3, True)


def test_a_second_run_is_exit_code_3_and_names_the_first(
    filled: Base, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands that write wait for nobody; those that read go on."""
    folder, removed = str(filled.folder), filled.id_of("saw.txt")
    code, said = [0], [""]
    with writer_lock(filled.kb.settings.lock):
        for command in (["ingest", folder], ["remove", removed], ["rollback"]):
            code[0], said[0] = _elsewhere(filled.kb.settings.home, command)
            assert code[0] == 3
            assert f"process {os.getpid()} (" in said[0]
        assert run("search", "ladder")[0] == 0
    assert capsys.readouterr().err == ""


def _elsewhere(home: Path, command: list[str]) -> tuple[int, str]:
    """Run a command as a process of its own, with the tests' encoder."""
    code = (
        "import sys; from fakes import HashingEncoder; from kb import bootstrap; "
        "opening = bootstrap.open_knowledge_base; "
        "bootstrap.open_knowledge_base = lambda: opening(encoder=HashingEncoder()); "
        "from kb.cli import main; main(sys.argv[1:])"
    )
    tests = Path(__file__).parents[1]
    environment = {**os.environ, "KB_HOME": str(home)}
    environment["PYTHONPATH"] = os.pathsep.join([str(tests), str(tests.parent)])
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, " ".join(done.stderr.split())


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Each command that is installed is there with a sentence."""
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    listed = capsys.readouterr().out
    for command in ("ingest", "ask", "search", "serve", "status", "doctor", "remove", "rollback"):
        assert command in listed


@pytest.mark.parametrize("command", ["ingest", "ask", "search", "status", "doctor", "remove"])
def test_every_command_explains_its_options(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """``--help`` names the command's options and needs no base."""
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert "--" in capsys.readouterr().out

"""``kb ingest URL``: a document of the web becomes one of the base, and is cited by its address."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from conftest import EVERYTHING, Base
from web_server import INSIDE, PUBLIC, Names, WebServer, answer, redirect, web_of

from ingest.progress import Progress
from ingest.report import Outcome, Report
from ingest.run import Options, ingest
from kb.maintenance import remove
from kb.model import FULL_ACCESS, Metadata, Visibility
from kb.shapes import answer_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KB = [sys.executable, "-c", "from kb.cli import main; main()"]
COVERS = "La garantie couvre la moitié des pertes des investisseurs de l'économie sociale."
COVERS_MORE = "La garantie couvre les deux tiers des pertes des investisseurs."


def _page(text: str) -> bytes:
    return f"<html lang=fr><body><h1>La garantie</h1><p>{text}</p></body></html>".encode()


@pytest.fixture
def server() -> Iterator[WebServer]:
    """A server with one page about a guarantee."""
    with WebServer() as opened:
        opened.routes["/garantie"] = lambda: answer(_page(COVERS))
        yield opened


@pytest.fixture
def url(server: WebServer) -> str:
    """The address of the page."""
    return f"http://doc.example:{server.port}/garantie?year=2026"


def _ingest(base: Base, url: str, **metadata: Any) -> Report:
    kb = base.kb
    web = web_of(kb.settings.fetched, Names(doc_example=[[PUBLIC]]))
    fetched = web.fetch_all([url], Progress())
    assert not fetched.failed
    return ingest(kb, fetched.paths, Options(Metadata(**metadata)))


def _outcomes(report: Report) -> list[tuple[Outcome, int | None]]:
    return [(each.outcome, each.version) for each in report.files]


def test_a_page_that_was_fetched_is_cited_by_its_address(base: Base, url: str) -> None:
    """The address is part of what is known of the document, and of every citation of it."""
    assert _outcomes(_ingest(base, url)) == [(Outcome.ADDED, 1)]
    said = answer_json(base.kb.search.answer("Que couvre la garantie ?", EVERYTHING))
    (document,) = base.kb.record.list_documents(base.kb.record.current_id() or 0, FULL_ACCESS)
    assert document.metadata.url == url
    assert {citation["url"] for citation in said["citations"]} == {url}


def test_an_address_is_one_document_with_versions(base: Base, server: WebServer, url: str) -> None:
    """Fetched again it is left alone; once it has changed it is a new version of the same."""
    first = _ingest(base, url)
    assert _outcomes(_ingest(base, url)) == [(Outcome.UNCHANGED, 1)]
    server.routes["/garantie"] = lambda: answer(_page(COVERS_MORE))
    changed = _ingest(base, url)
    assert _outcomes(changed) == [(Outcome.UPDATED, 2)]
    assert changed.files[0].document_id == first.files[0].document_id
    assert any(COVERS_MORE in hit.passage.text for hit in base.hits("garantie pertes"))


def test_what_was_said_of_an_address_stays_said(base: Base, server: WebServer, url: str) -> None:
    """A page that was kept internal stays so when it is fetched anew."""
    _ingest(base, url, visibility=Visibility.INTERNAL)
    server.routes["/garantie"] = lambda: answer(_page(COVERS_MORE))
    _ingest(base, url)
    (document,) = base.kb.record.list_documents(base.kb.record.current_id() or 0, FULL_ACCESS)
    assert document.visibility is Visibility.INTERNAL


def test_pruning_another_folder_leaves_it(base: Base, url: str) -> None:
    """What was fetched lies beside the base, not in anybody's folder."""
    _ingest(base, url)
    note = base.write("note.md", "Une note sur les phares.")
    base.ingest()
    note.unlink()
    report = base.ingest(prune=True)
    assert [each.outcome for each in report.files] == [Outcome.WITHDRAWN]
    assert base.hits("garantie pertes")


@pytest.mark.parametrize("purge", [False, True])
def test_a_purge_erases_what_was_fetched(base: Base, url: str, *, purge: bool) -> None:
    """A removal leaves the file, which can be taken back in; a purge leaves nothing of it."""
    (told,) = _ingest(base, url).files
    assert told.document_id is not None
    remove(base.kb, told.document_id, purge=purge)
    left = [path.name for path in base.kb.settings.fetched.rglob("*") if path.is_file()]
    assert left == ([] if purge else ["garantie.html", "metadata.yaml"])


def test_a_purge_erases_what_was_uploaded(base: Base) -> None:
    """Its file lies in a folder of its own; those of others stay."""
    folders = [base.kb.settings.uploads / name for name in ("00aa", "00bb")]
    for folder, text in zip(folders, (COVERS, COVERS_MORE), strict=True):
        folder.mkdir(parents=True)
        (folder / "note.md").write_text(f"# Garantie\n\n{text}\n")
    report = ingest(base.kb, [folder / "note.md" for folder in folders])
    remove(base.kb, report.files[0].document_id or "", purge=True)
    assert [folder.exists() for folder in folders] == [False, True]


@pytest.mark.slow
def test_the_command_goes_on_after_an_address_that_fails(tmp_path: Path) -> None:
    """Addresses and files are mixed; a refused one is a failed line, exit 1, and the file is in."""
    note = tmp_path / "note.md"
    note.write_text("# Phares\n\nLes phares bretons sont entretenus par une association.\n")
    with WebServer(INSIDE) as inside:
        refused = f"http://127.0.0.1:{inside.port}/secret?token=hidden"
        arguments = [refused, str(note), "http://u:shibboleth@localhost/", "ftp://doc.example/a"]
        done = subprocess.run(
            [*KB, "ingest", "--json", *arguments],
            env={**os.environ, "KB_HOME": str(tmp_path / "home"), "KB_WORKERS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert [(each["path"], each["outcome"]) for each in report["files"]] == [
        (f"http://127.0.0.1:{inside.port}/secret", "failed"),
        ("http://localhost/", "failed"),
        ("ftp://doc.example/a", "failed"),
        (str(note), "added"),
    ]
    assert inside.asked == []
    assert "hidden" not in done.stdout + done.stderr
    assert "shibboleth" not in done.stdout + done.stderr


def test_an_address_that_leads_elsewhere_is_known_as_it_was_given(
    base: Base, server: WebServer, url: str
) -> None:
    """A redirect does not change which document it is, nor how it is cited."""
    server.routes["/garantie"] = lambda: redirect("/moved/here.html")
    server.routes["/moved/here.html"] = lambda: answer(_page(COVERS))
    report = _ingest(base, url)
    (document,) = base.kb.record.list_documents(base.kb.record.current_id() or 0, FULL_ACCESS)
    assert document.metadata.url == url
    assert report.files[0].path.endswith("/here.html")

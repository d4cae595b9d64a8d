"""Staff upload documents: taken in by the service, read by a run of its own, and followed."""

from __future__ import annotations

import io
import json
import os
import stat
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from asgi_client import Client, run, settle
from hostile import docx, word_bomb
from starlette.testclient import TestClient

from api import upload_schemas as schemas
from api.app import create_app
from api.ingesting import Patience, UploadRunner, environment
from kb.bootstrap import KnowledgeBase, open_knowledge_base
from kb.keys import KeyRole, NewKey
from kb.lock import writer_lock
from kb.model import FULL_ACCESS
from kb.record.uploads import NewUpload, Upload, UploadsRecord, UploadState
from kb.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import MakeKb
    from fastapi import FastAPI
    from starlette.types import Receive, Scope, Send

NOTE = "# Phares\n\nLes phares bretons sont entretenus par une association de bénévoles.\n".encode()
QUICK = Patience(poll=0.05, lease=20, first=0.05, longest=0.1, tries=1000)
LONG = 240.0  # on a machine that does much else


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    """A knowledge base as it is installed: the child process opens the same."""
    values: dict[str, Any] = {
        "home": tmp_path_factory.mktemp("uploads") / "home",
        "workers": 1,
        "max_file_mb": 6,
        "rate_key": 100_000,
        "rate_anonymous": 100_000,
    }
    opened = open_knowledge_base(Settings(**values))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def app(kb: KnowledgeBase) -> FastAPI:
    """The service over it."""
    return create_app(kb)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    """A running service, asked without a key."""
    with TestClient(app) as opened:
        yield opened


def _key(kb: KnowledgeBase, name: str, role: KeyRole, **more: Any) -> dict[str, str]:
    listed = {each.name for each in kb.keys.listed() if each.revoked is None}
    if name in listed:
        kb.keys.revoke(name, kb.clock())
    _, text = kb.keys.create(NewKey(name, role, **more), kb.clock())
    return {"Authorization": f"Bearer {text}"}


@pytest.fixture(scope="module")
def staff(kb: KnowledgeBase) -> dict[str, str]:
    """The headers of staff."""
    return _key(kb, "Équipe plaidoyer", KeyRole.STAFF)


def _upload(
    client: TestClient,
    staff: dict[str, str],
    name: str,
    content: bytes,
    **fields: str | list[str],
) -> Any:
    response = client.post(
        "/v1/documents", headers=staff, data=fields, files={"file": (name, content)}
    )
    assert response.status_code == 202, response.text
    found = response.json()
    schemas.Upload.model_validate_json(response.content)
    assert response.headers["Location"] == f"/v1/uploads/{found['id']}"
    return found


def _ended(client: TestClient, staff: dict[str, str], upload: dict[str, Any]) -> Any:
    """The upload once it is done or has failed."""
    until = time.monotonic() + LONG
    while time.monotonic() < until:
        response = client.get(f"/v1/uploads/{upload['id']}", headers=staff)
        assert response.status_code == 200, response.text
        schemas.Upload.model_validate_json(response.content)
        if response.json()["state"] in {"done", "failed"}:
            return response.json()
        time.sleep(0.1)
    pytest.fail(f"still not read: {response.text}")


def _folders(kb: KnowledgeBase) -> set[str]:
    folder = kb.settings.uploads
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


# Who may


def _answers(client: TestClient, headers: dict[str, str]) -> list[tuple[int, Any]]:
    asked = (
        ("POST", "/v1/documents"),
        ("GET", "/v1/uploads"),
        ("GET", "/v1/uploads?cursor=nonsense"),
        ("GET", "/v1/uploads/0123456789abcdef"),
        ("GET", "/v1/uploads/nonsense"),
        ("GET", "/v1/nothing-at-all"),
    )
    found = []
    for method, path in asked:
        files = {"file": ("a.md", NOTE)} if method == "POST" else None
        response = client.request(method, path, headers=headers, files=files)
        said = response.json()
        found.append((response.status_code, [said[n] for n in ("type", "title", "detail")]))
    return found


def test_for_others_than_staff_there_is_nothing(kb: KnowledgeBase, client: TestClient) -> None:
    """Nor for staff whose key is narrowed: what they upload could replace what they may not see."""
    before = _folders(kb)
    for headers in (
        {},
        _key(kb, "Partenaire", KeyRole.PARTNER),
        _key(kb, "Antenne", KeyRole.STAFF, collections=("bretagne",)),
    ):
        answers = _answers(client, headers)
        assert answers == [answers[-1]] * len(answers)
        assert answers[0][0] == 404
    assert _folders(kb) == before
    assert UploadsRecord(kb.engine).listed(10) == []


def test_a_large_body_of_others_is_not_read(client: TestClient, app: FastAPI) -> None:
    """They are answered as at any address before anything of it is asked for."""
    del client  # the service runs

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await app({"http_version": "1.1", "scheme": "http", **scope}, receive, send)

    async def asked(path: str) -> tuple[int | None, int]:
        headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": "900000"}
        sent = Client(served, path, method="POST", headers=headers).say(b"--x", more=True)
        until = time.monotonic() + LONG
        while not sent.is_complete and time.monotonic() < until:
            await settle()
        return sent.status, sent.unheard

    async def steps() -> None:
        uploaded, elsewhere = await asked("/v1/documents"), await asked("/v1/nothing-at-all")
        assert uploaded == elsewhere
        assert uploaded[1] == 1

    run(steps())


# What comes in


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "novel"}, "kind"),
        ({"visibility": "secret"}, "visibility"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"title": "a\x00b"}, "title"),
        ({"title": "x" * 501}, "title"),
        ({"title": ["one", "two"]}, "title"),
        ({"theme": [f"theme {number}" for number in range(21)]}, "theme"),
        ({"surprise": "!"}, "surprise"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(
    kb: KnowledgeBase,
    client: TestClient,
    staff: dict[str, str],
    fields: dict[str, str | list[str]],
    field: str,
) -> None:
    """And nothing is kept."""
    before = _folders(kb)
    response = client.post(
        "/v1/documents", headers=staff, data=fields, files={"file": ("a.md", NOTE)}
    )
    assert response.status_code == 422, response.text
    problem = response.json()
    assert problem["type"] == "/problems/request-not-understood"
    assert {each["field"] for each in problem["errors"]} == {field}
    assert _folders(kb) == before


def test_a_body_that_is_no_form_is_refused(client: TestClient, staff: dict[str, str]) -> None:
    """JSON, a form without a file, and two files."""
    for sent, field in (
        ({"json": {"file": "x"}}, "content-type"),
        ({"data": {"title": "x"}, "files": {"title": (None, "x")}}, "file"),
        ({"files": [("file", ("a.md", NOTE)), ("file", ("b.md", NOTE))]}, "file"),
    ):
        response = client.post("/v1/documents", headers=staff, **sent)
        assert response.status_code == 422, response.text
        assert [each["field"] for each in response.json()["errors"]] == [field]


def test_a_file_that_is_too_large_leaves_nothing(
    kb: KnowledgeBase, client: TestClient, staff: dict[str, str]
) -> None:
    """Whether its length was stated or not."""
    before = _folders(kb)
    large = b"x" * (6 * 1024 * 1024 + 1)
    request = client.build_request("POST", "/v1/documents", files={"file": ("a.txt", large)})
    stated = {**staff, "Content-Type": request.headers["Content-Type"]}
    body = request.read()
    for content in (body, iter([body[:500_000], body[500_000:]])):
        response = client.post("/v1/documents", headers=stated, content=content)
        assert response.status_code == 413, response.text
        assert response.json()["type"] == "/problems/body-too-large"
    assert _folders(kb) == before


# What becomes of it


@pytest.mark.slow
def test_an_upload_becomes_a_document(
    kb: KnowledgeBase, client: TestClient, staff: dict[str, str]
) -> None:
    """With what was said of it; without a visibility only staff see it."""
    upload = _upload(
        client,
        staff,
        "../../Phares d'été.md",
        NOTE,
        title="Les phares",
        kind="research",
        theme=["mer", "bénévolat"],
        collection="bretagne",
        issuer="Amis des phares",
        licence="CC-BY-4.0",
        url="https://phares.example/note",
    )
    assert (upload["state"], upload["by"]) == ("waiting", "Équipe plaidoyer")
    assert upload["name"] == "Phares d'été.md"
    file = kb.settings.uploads / upload["id"] / "Phares d'été.md"
    assert file.read_bytes() == NOTE
    ended = _ended(client, staff, upload)
    assert ended["state"] == "done", ended
    (told,) = ended["report"]["files"]
    assert (told["path"], told["outcome"]) == ("Phares d'été.md", "added")
    document = client.get(f"/v1/documents/{told['document_id']}", headers=staff).json()
    stated = {
        "title": "Les phares",
        "kind": "research",
        "visibility": "internal",
        "themes": ["mer", "bénévolat"],
        "issuer": "Amis des phares",
        "licence": "CC-BY-4.0",
        "url": "https://phares.example/note",
    }
    assert {name: document[name] for name in stated} == stated
    assert client.get(f"/v1/documents/{told['document_id']}").status_code == 404
    assert file.is_file()
    again = _upload(client, staff, "again.md", NOTE, collection="bretagne")
    (told_again,) = _ended(client, staff, again)["report"]["files"]
    assert (told_again["outcome"], told_again["document_id"]) == ("skipped", told["document_id"])
    assert told_again["reason"] == f"the same file as KB_HOME/uploads/{upload['id']}/{file.name}"


@pytest.mark.slow
def test_archives_cannot_escape_their_folder(
    kb: KnowledgeBase, client: TestClient, staff: dict[str, str], tmp_path: Path
) -> None:
    """Members that lead outside are never written, links are not followed, bombs not unpacked."""
    home = kb.settings.home
    before = {path for path in home.parent.rglob("*") if home not in path.parents}
    uploads = {
        name: _upload(client, staff, name, content, visibility="public")
        for name, content in (
            ("slip.docx", _slip(tmp_path / "outside")),
            ("link.docx", _link()),
            ("bomb.docx", word_bomb()),
            ("plain.zip", _zip({"note.md": NOTE})),
        )
    }
    ended = {name: _ended(client, staff, upload) for name, upload in uploads.items()}
    assert ended["slip.docx"]["state"] == "done", ended["slip.docx"]
    assert "unpacks to more than" in ended["bomb.docx"]["reason"]
    assert "no reader" in ended["plain.zip"]["reason"]
    assert {ended[name]["state"] for name in ("link.docx", "bomb.docx", "plain.zip")} == {"failed"}
    assert not list(tmp_path.iterdir())
    assert {path for path in home.parent.rglob("*") if home not in path.parents} == before
    for upload in uploads.values():
        folder = kb.settings.uploads / upload["id"]
        assert {path.name for path in folder.iterdir()} == {upload["name"], "metadata.yaml"}
    said = json.dumps(ended)
    assert str(home) not in said
    assert "root:" not in said


def _zip(members: dict[str | zipfile.ZipInfo, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def _members(content: bytes) -> dict[str | zipfile.ZipInfo, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _slip(outside: Path) -> bytes:
    ways = ("../escaped.txt", "word/../../../escaped.txt", "..\\escaped.txt", str(outside))
    return _zip(_members(docx()) | dict.fromkeys(ways, b"escaped"))


def _link() -> bytes:
    members = _members(docx())
    del members["word/document.xml"]
    link = zipfile.ZipInfo("word/document.xml")
    link.create_system = 3  # Unix, whose permissions say that it is a link
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    return _zip({**members, link: b"/etc/passwd"})


@pytest.mark.slow
def test_uploads_are_listed_page_by_page(
    kb: KnowledgeBase, client: TestClient, staff: dict[str, str]
) -> None:
    """The newest first, each once."""
    record = UploadsRecord(kb.engine)
    for number in range(3):
        claimed = f"{number:016x}"
        record.add(NewUpload(claimed, f"{number}.md", 1), kb.clock())
    everything = [each.id for each in record.listed(100)]
    found: list[str] = []
    cursor: str | None = None
    while cursor is not None or not found:
        asked = {"limit": "2"} | ({} if cursor is None else {"cursor": cursor})
        response = client.get("/v1/uploads", params=asked, headers=staff)
        schemas.UploadList.model_validate_json(response.content)
        found += [each["id"] for each in response.json()["uploads"]]
        cursor = response.json()["next"]
    assert found == everything
    assert client.get("/v1/uploads/ffffffffffffffff", headers=staff).status_code == 404
    some = client.get("/v1/uploads", params={"fields": "uploads.state"}, headers=staff).json()
    assert all(set(each) == {"state"} for each in some["uploads"])


# The runner


@pytest.fixture
def own(tmp_path: Path) -> Iterator[KnowledgeBase]:
    """A base of a test's own, as it is installed."""
    values: dict[str, Any] = {"home": tmp_path / "home", "workers": 1}
    opened = open_knowledge_base(Settings(**values))
    yield opened
    opened.close()


def _waiting(kb: KnowledgeBase, upload_id: str = "00ff", name: str = "note.md") -> Upload:
    """An upload as a route leaves it."""
    folder = kb.settings.uploads / upload_id
    folder.mkdir(parents=True)
    (folder / name).write_bytes(NOTE)
    return UploadsRecord(kb.engine).add(NewUpload(upload_id, name, len(NOTE)), kb.clock())


def _until(kb: KnowledgeBase, upload: Upload, what: Callable[[Upload], bool]) -> Upload:
    until = time.monotonic() + LONG
    while time.monotonic() < until:
        found = UploadsRecord(kb.engine).get(upload.id)
        assert found is not None
        if what(found):
            return found
        time.sleep(0.02)
    pytest.fail(f"it never came to that: {found}")


def _is_over(upload: Upload) -> bool:
    return upload.state in {UploadState.DONE, UploadState.FAILED}


@pytest.mark.slow
def test_an_upload_waits_for_another_run_that_writes(own: KnowledgeBase) -> None:
    """It says so while it waits, and is read as soon as the other has ended."""
    upload = _waiting(own)
    runner = UploadRunner(own, QUICK)
    with writer_lock(own.settings.lock):
        runner.start()
        waits = _until(own, upload, lambda each: each.reason is not None)
    assert waits.state in {UploadState.WAITING, UploadState.RUNNING}
    assert "Another run is writing to KB_HOME" in (waits.reason or "")
    assert "it is tried again" in (waits.reason or "")
    done = _until(own, upload, _is_over)
    runner.stop()
    assert (done.state, done.reason) == (UploadState.DONE, None)
    assert done.attempts > 1


@pytest.mark.slow
def test_an_upload_does_not_wait_for_ever(own: KnowledgeBase) -> None:
    """After so many tries it has failed, and says why."""
    upload = _waiting(own)
    runner = UploadRunner(own, Patience(poll=0.05, first=0.05, tries=2))
    with writer_lock(own.settings.lock):
        runner.start()
        failed = _until(own, upload, _is_over)
        runner.stop()
    assert (failed.state, failed.attempts) == (UploadState.FAILED, 2)
    assert "Another run is writing" in (failed.reason or "")
    assert "Tried 2 times: given up" in (failed.reason or "")


@pytest.mark.slow
def test_what_a_service_left_is_read_by_the_next(own: KnowledgeBase) -> None:
    """What waited, and what was being read when it was stopped or killed."""
    killed = _waiting(own, "00aa", "killed.md")
    past = own.clock() - timedelta(hours=1)
    assert UploadsRecord(own.engine).claim("gone", own.clock(), past) is not None
    waited = _waiting(own, "00bb", "waited.md")
    runner = UploadRunner(own, QUICK)
    runner.start()
    ended = [_until(own, each, _is_over) for each in (killed, waited)]
    runner.stop()
    assert [each.state for each in ended] == [UploadState.DONE, UploadState.DONE]
    assert [each.attempts for each in ended] == [2, 1]


@pytest.mark.slow
def test_stopping_ends_the_run_and_keeps_the_upload(own: KnowledgeBase) -> None:
    """No process is left behind, nothing is there by half, and the next start reads it."""
    upload = _waiting(own)
    runner = UploadRunner(own, QUICK)
    runner.start()
    _until(own, upload, lambda each: each.state is UploadState.RUNNING)
    runner.stop()
    left = _until(own, upload, lambda each: each.state is UploadState.WAITING)
    assert left.reason is None
    # On a busy machine the end may come when all is written; then the next start adds nothing.
    assert own.record.current_id() in {None, 1}
    with writer_lock(own.settings.lock):
        pass  # whoever read it has let it go
    again = UploadRunner(own, QUICK)
    again.start()
    assert _until(own, upload, _is_over).state is UploadState.DONE
    again.stop()
    assert own.record.count_documents(own.record.current_id() or 0, FULL_ACCESS) == 1


@pytest.mark.slow
def test_two_services_read_each_upload_once(own: KnowledgeBase) -> None:
    """Each claims what it reads, and one waits while the other reads."""
    uploads = [_waiting(own, f"00{number}", f"note-{number}.md") for number in range(3)]
    for number, upload in enumerate(uploads):
        file = own.settings.uploads / upload.id / upload.name
        file.write_bytes(NOTE + f"\nNote {number} parle de la balise {number}.\n".encode())
    with_own_connection = open_knowledge_base(own.settings)
    runners = [UploadRunner(each, QUICK) for each in (own, with_own_connection)]
    for runner in runners:
        runner.start()
    ended = [_until(own, each, _is_over) for each in uploads]
    for runner in runners:
        runner.stop()
    with_own_connection.close()
    assert [each.state for each in ended] == [UploadState.DONE] * 3
    assert [each.attempts for each in ended] == [1, 1, 1]
    assert [each.report and each.report["added"] for each in ended] == [1, 1, 1]


def test_a_run_that_cannot_be_understood_has_failed(own: KnowledgeBase) -> None:
    """Its file is gone: the run says so, and so does the upload."""
    upload = _waiting(own)
    (own.settings.uploads / upload.id / upload.name).unlink()
    runner = UploadRunner(own, QUICK)
    runner.start()
    failed = _until(own, upload, _is_over)
    runner.stop()
    assert (failed.state, failed.reason) == (UploadState.FAILED, "does not exist")


# The record


def test_of_many_who_claim_one_gets_it(make_kb: MakeKb) -> None:
    """However many processes ask at the same moment."""
    kb = make_kb()
    for number in range(3):
        _waiting(kb, f"00{number}")
    now = datetime.now(UTC)
    start = threading.Barrier(8)

    def claim(number: int) -> Upload | None:
        start.wait()
        return UploadsRecord(kb.engine).claim(f"claim-{number}", now, now + timedelta(hours=1))

    with ThreadPoolExecutor(8) as pool:
        claimed = [each for each in pool.map(claim, range(8)) if each is not None]
    assert [each.id for each in claimed] == ["000"]


def test_an_upload_that_ends_whatever_reads_it_is_given_up(make_kb: MakeKb) -> None:
    """It is lost as often as is allowed, then it has failed; others go on."""
    kb = make_kb()
    record, now = UploadsRecord(kb.engine), datetime.now(UTC)
    _waiting(kb)
    for number in range(3):
        assert record.claim(f"claim-{number}", now, now) is not None
        now += timedelta(seconds=1)
        record.free_lost(now, most=3)
    found = record.get("00ff")
    assert found is not None
    assert found.state is UploadState.FAILED
    assert "3 times over" in (found.reason or "")


def test_who_has_lost_a_claim_changes_nothing(make_kb: MakeKb) -> None:
    """A process that was slow does not undo what another has begun."""
    kb = make_kb()
    record, now = UploadsRecord(kb.engine), datetime.now(UTC)
    _waiting(kb)
    record.claim("slow", now, now)
    record.free_lost(now + timedelta(seconds=1), most=3)
    record.claim("other", now + timedelta(seconds=1), now + timedelta(hours=1))
    assert not record.renew("slow", now + timedelta(hours=2))
    assert not record.put_back("slow", now)
    assert not record.end("slow", UploadState.DONE, now, None, None)
    found = record.get("00ff")
    assert found is not None
    assert (found.state, found.attempts) == (UploadState.RUNNING, 2)


def test_settings_reach_the_run_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is set in the service, also beside its environment, is set in the run alike."""
    values: dict[str, Any] = {
        "home": tmp_path.resolve(),
        "workers": 3,
        "index_api_key": "lent-ladder",
        "dense_weight": 1.25,
        "mail_from": "",
        "log": "json",
    }
    settings = Settings(**values)
    monkeypatch.setenv("KB_WORKERS", "7")
    monkeypatch.setenv("KB_PASSWORD", "of another command")
    given = environment(settings)
    assert "KB_PASSWORD" not in given
    for name in set(os.environ) - set(given):
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "kb.toml").write_text("workers = 5\n")
    assert load_settings() == settings

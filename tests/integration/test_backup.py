"""``kb backup``: a consistent archive of the base, while others write to it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import re
import shutil
import sys
import tarfile
import threading
from typing import TYPE_CHECKING, Any

import pytest
from backing_up import (
    EVERYTHING,
    MARKER,
    NOW,
    assert_sound,
    backup_of,
    driven,
    id_of,
    opened,
    restored,
    settings_of,
    silent,
    write,
)
from fakes import TickingClock
from starlette.testclient import TestClient
from typer.testing import CliRunner

from api.app import create_app
from ingest.run import Options, ingest
from kb import maintenance, restore
from kb.archive import open_archive
from kb.backup import back_up
from kb.cli import app
from kb.errors import NotFoundError, StoreError, UsageError
from kb.index.edge import EdgeIndex
from kb.lock import keeping_lock, writer_lock
from kb.model import FULL_ACCESS, Metadata
from kb.record.writing import Draft
from kb.settings import LISTED

if TYPE_CHECKING:
    from pathlib import Path

    from backup_base import LivedIn

pytest_plugins = ("backup_base",)


def _asked(home: Path, known: LivedIn) -> dict[str, tuple[int, bytes]]:
    """What the service over a base answers to many requests, anonymous and with keys."""
    found: dict[str, tuple[int, bytes]] = {}
    with opened(home) as kb, TestClient(create_app(kb)) as client:
        ids = [*(id_of(kb, stem) for stem in ("ladder", "saw", "plan", "board")), "gone-1"]
        paths = [
            *(f"/v1/search?query={word}" for word in ("ladder", "scie", "mill", "hoist", MARKER)),
            *(f"/v1/documents/{each}{part}" for each in ids for part in _PARTS),
            *(f"/v1/calls{form}" for form in ("", ".csv", ".jsonl", ".ics", ".atom", "/RIVERS-1")),
            *(f"/v1/feeds/{known.search}/calls.{form}" for form in ("ics", "atom")),
            *("/v1/documents", "/v1/status", "/v1/session", "/readyz"),
        ]
        for holder in ("", *known.keys):
            headers = {"Authorization": f"Bearer {known.keys[holder]}"} if holder else {}
            for path in paths:
                found[f"{holder} {path}"] = _body(client.get(path, headers=headers))
            for question in ("What does the ladder cost?", "Combien coûte la scie ?"):
                answer = client.post("/v1/answers", json={"question": question}, headers=headers)
                found[f"{holder} {question}"] = _body(answer)
    return found


_PARTS = ("", "?version=1", "/pages/1", "/pages/1?version=2", "/original", "/original?version=1")


def _body(response: Any) -> tuple[int, bytes]:
    """Status and body without what is another at every request."""
    body = re.sub(rb'"took_ms":[\d.]+', b"", response.content)
    return response.status_code, re.sub(rb'"request_id":"[^"]*"', b"", body)


def _rolled_back(home: Path) -> None:
    with opened(home) as kb:
        maintenance.rollback(kb)


def test_a_restored_base_answers_byte_for_byte(lived_in: LivedIn, tmp_path: Path) -> None:
    """Searches, answers, pages, originals, calls, feeds and keys, also after each rollback."""
    home, again = restored(lived_in.file, tmp_path / "home"), tmp_path / "again"
    shutil.copytree(lived_in.home, again)
    said = _asked(again, lived_in)
    assert _asked(home, lived_in) == said
    for path in ("/v1/search?query=ladder", f"/v1/feeds/{lived_in.search}/calls.ics"):
        assert said[f" {path}"][0] == 200
    assert said[" /v1/session"] != said["staff /v1/session"]
    assert said["revoked /v1/session"][0] == 401
    assert b"7 euros" in said[" /v1/search?query=ladder"][1]
    for _ in range(2):
        _rolled_back(home)
        _rolled_back(again)
        assert _asked(home, lived_in) == _asked(again, lived_in)
    with opened(home) as kb, pytest.raises(NotFoundError):
        maintenance.rollback(kb)


def test_a_restored_base_takes_in_more(lived_in: LivedIn, tmp_path: Path) -> None:
    """It is sound, and a run, a removal and the next backup go as before."""
    home = restored(lived_in.file, tmp_path / "home")
    assert {path.name for path in home.iterdir()} == {
        *("record.db", "index", "originals", "pull", "uploads"),
        *("writer.lock", "keeping.lock"),
    }
    assert [path.name for path in (home / "pull").iterdir()] == [LISTED]
    assert (home / "uploads" / "note.md").read_text(encoding="utf-8") == "# Uploaded\n"
    with opened(home, TickingClock(NOW)) as kb:
        write(tmp_path / "files", "more.md", "# Winch", "The winch costs 12 euros.")
        assert ingest(kb, [tmp_path / "files"]).generation
        maintenance.remove(kb, id_of(kb, "ladder"))
        assert kb.search.search("winch", EVERYTHING).hits[0].passage.text
    second = restored(backup_of(home, tmp_path / "second.tar"), tmp_path / "second")
    assert_sound(second)
    assert_sound(home)


def test_a_backup_is_a_plain_tar_without_secrets(lived_in: LivedIn) -> None:
    """Other programs list it; every member is named with its sum; settings are left out."""
    with tarfile.open(lived_in.file) as tar:
        members = {each.name: each for each in tar.getmembers()}
        manifest = json.loads((tar.extractfile("manifest.json") or io.BytesIO()).read())
        for stated in manifest["members"]:
            name = stated["path"] + (".gz" if stated["packed"] else "")
            held = members.pop(name.rstrip("/"))
            content = b"" if held.isdir() else (tar.extractfile(held) or io.BytesIO()).read()
            assert held.size == stated["size"]
            assert hashlib.sha256(content).hexdigest() == stated["sha256"]
    assert set(members) == {"manifest.json", "seal"}
    paths = [stated["path"] for stated in manifest["members"]]
    assert paths[:2] == [f"pull/{LISTED}", "record.db"]
    assert not [path for path in paths if "toml" in path or "lock" in path or "answers" in path]
    assert len(manifest["about"]["generations"]) == 3
    assert MARKER.encode() not in lived_in.file.read_bytes()


def test_a_backup_of_the_same_is_the_same(lived_in: LivedIn, tmp_path: Path) -> None:
    """Nothing of the moment or the machine is in it but when it was made."""
    again = backup_of(lived_in.home, tmp_path / "kb.tar")
    assert again.read_bytes() == lived_in.file.read_bytes()


def test_only_its_owner_reads_a_backup(lived_in: LivedIn, tmp_path: Path) -> None:
    """From the first byte, whatever the mask; nothing else is left in the folder."""
    before = os.umask(0)
    try:
        file = backup_of(lived_in.home, tmp_path / "kb.tar")
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_is_there_is_kept(
    lived_in: LivedIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless ``--replace`` is said; a backup never lies within what it backs up."""
    monkeypatch.setenv("KB_HOME", str(lived_in.home))
    file = tmp_path / "kb.tar"
    file.write_text("mine", encoding="utf-8")
    for name, said in (
        (file, "--replace"),
        (tmp_path, "exists"),
        (tmp_path / "no" / "kb.tar", "no folder"),
        (lived_in.home / "kb.tar", "lies in KB_HOME"),
    ):
        refused = CliRunner().invoke(app, ["backup", str(name)])
        assert isinstance(refused.exception, UsageError), refused.output
        assert said in str(refused.exception)
    assert file.read_text(encoding="utf-8") == "mine"
    done = CliRunner().invoke(app, ["backup", str(file), "--replace"])
    assert done.exit_code == 0, done.output
    assert "generation 4 and 2 before it" in done.output
    assert "kb.toml is left out" in done.output
    with open_archive(file) as archive:
        assert archive.manifest.about.generations == (4, 3, 2)


def test_there_must_be_a_base(tmp_path: Path) -> None:
    """Looking for one makes none."""
    with pytest.raises(NotFoundError, match="holds no base"):
        backup_of(tmp_path / "home", tmp_path / "kb.tar")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"database_url": "postgresql://kb:geheim@db/kb"}, "pg_dump"),
        ({"database_url": "sqlite://"}, "no SQLite file"),
        ({"index_url": "http://127.0.0.1:6333"}, "Qdrant's snapshots"),
    ],
)
def test_servers_have_tools_of_their_own(
    stated: dict[str, str], said: str, tmp_path: Path, small: bytes
) -> None:
    """Both commands say which, before they do anything."""
    (tmp_path / "kb.tar").write_bytes(small)
    config = settings_of(tmp_path / "home", **stated)
    with pytest.raises(UsageError, match=said) as caught:
        back_up(config, tmp_path / "other.tar", NOW, silent)
    with pytest.raises(UsageError, match=said):
        restore.restore(config, tmp_path / "kb.tar", silent)
    assert "geheim" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["kb.tar"]


def test_a_database_elsewhere_is_backed_up_and_not_restored_there(
    tmp_path: Path, small: bytes
) -> None:
    """A backup always becomes ``record.db``; where another is named, that is said."""
    (tmp_path / "kb.tar").write_bytes(small)
    home = restored(tmp_path / "kb.tar", tmp_path / "home")
    (home / "record.db").rename(tmp_path / "elsewhere.db")
    config = settings_of(home, database_url=f"sqlite:///{tmp_path / 'elsewhere.db'}")
    file = back_up(config, tmp_path / "second.tar", NOW, silent).file
    with pytest.raises(UsageError, match="KB_DATABASE_URL"):
        restore.restore(config, file, silent, replace=True)
    assert_sound(restored(file, tmp_path / "again"))


def test_what_the_base_lost_is_told(other: Path, tmp_path: Path) -> None:
    """A missing original and a missing index are left out, with an exit code that says so."""
    for original in (other / "originals").rglob("*"):
        if original.is_file():
            original.unlink()
    shutil.rmtree(other / "index")
    done = CliRunner().invoke(
        app, ["backup", str(tmp_path / "kb.tar")], env={"KB_HOME": str(other)}
    )
    assert done.exit_code == 1
    assert "originals/" in done.output
    assert "index/1.0 is missing" in done.output
    with opened(restored(tmp_path / "kb.tar", tmp_path / "again")) as kb:
        unsound = {check.name for check in maintenance.examine(kb) if not check.sound}
        assert unsound == {"index", "originals"}
        maintenance.repair(kb, lambda _count: None)


def test_a_run_under_way_is_not_in_a_backup(other: Path, tmp_path: Path) -> None:
    """Its draft belongs to no generation; what it was to publish is taken in again."""
    with opened(other) as kb, writer_lock(kb.settings.lock):
        Draft(kb.engine, kb.encoder.name, NOW)
        kb.index.writer(2, 1)
        file = backup_of(other, tmp_path / "kb.tar")
    home = restored(file, tmp_path / "again")
    assert [path.name for path in (home / "index").iterdir()] == ["1.0"]
    assert_sound(home)
    with opened(home) as kb:
        write(tmp_path / "files", "more.md", "# Winch", "The winch costs 12 euros.")
        assert ingest(kb, [tmp_path / "files"]).generation


# Beside others that write.


def test_what_is_taken_away_waits_for_a_backup(other: Path) -> None:
    """A removal begins when it has ended; rollback, run and removal each name who is waited for."""
    with opened(other) as kb:
        lock, removed = kb.settings.keeping_lock, id_of(kb, "new")
        held, over = threading.Event(), threading.Event()

        def copying() -> None:
            with keeping_lock(lock):
                held.set()
                over.wait(30)

        copy = threading.Thread(target=copying)
        copy.start()
        held.wait(30)
        with pytest.raises(StoreError, match=f"process {os.getpid()}"), keeping_lock(lock, 0.3):
            pytest.fail("it was held by two")
        removal = threading.Thread(target=maintenance.remove, args=(kb, removed))
        removal.start()
        removal.join(0.5)
        assert removal.is_alive()
        assert kb.search.search("ladder", EVERYTHING).hits
        over.set()
        removal.join(30)
        copy.join()
        assert not kb.search.search("ladder", EVERYTHING).hits


def test_a_run_publishes_when_the_backup_has_ended(other: Path, tmp_path: Path) -> None:
    """What it narrows in older generations is never narrow in the record alone."""
    write(tmp_path / "files", "more.md", "# Winch", "The winch costs 12 euros.")
    with opened(other) as kb:
        run = threading.Thread(target=ingest, args=(kb, [tmp_path / "files"]))
        with keeping_lock(kb.settings.keeping_lock):
            run.start()
            for _ in range(600):
                if (kb.settings.index_folder / "2.0").exists() or not run.is_alive():
                    break
                run.join(0.1)
            run.join(0.5)
            assert run.is_alive()
            assert kb.record.current_id() == 1
        run.join(60)
        assert kb.record.current_id() == 2


def test_a_run_that_published_leaves_the_rest_when_a_backup_takes_long(
    other: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is no longer needed is taken away by the next run."""
    unused = other / "originals" / "ab" / "ab12"
    unused.parent.mkdir()
    unused.write_bytes(b"unused")
    monkeypatch.setattr(keeping_lock, "__defaults__", (0.2,))
    with opened(other) as kb:
        with keeping_lock(kb.settings.keeping_lock), writer_lock(kb.settings.lock):
            maintenance.sweep_originals(kb)
            maintenance.discard_unused(kb)
        assert unused.exists()
        assert "The next run takes it away" in caplog.text
        maintenance.sweep_originals(kb)
        assert not unused.exists()


def test_readers_change_nothing_of_a_finished_generation(lived_in: LivedIn) -> None:
    """Or a backup might copy half of what they write: the first to open one finds it settled."""

    def contents(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*")
            if path.is_file()
        }

    with opened(lived_in.home) as kb:
        folder = kb.settings.index_folder / "fresh"
        shutil.copytree(kb.settings.index_folder, folder)
        index = EdgeIndex(folder, kb.encoder.dimension)
        number, parent = 99, kb.record.current_id()
        writer = index.writer(number, parent)
        writer.drop([id_of(kb, "ladder")])
        writer.finish()
        before = contents(index.folder(number))
        for _ in range(2):
            index.reader(number).close()
            assert contents(index.folder(number)) == before
        shutil.rmtree(folder)


CHURNING = """
import random, sys
from pathlib import Path
from test_backup import churn
churn(Path(sys.argv[1]), Path(sys.argv[2]), random.Random(int(sys.argv[3])))
"""


def churn(home: Path, folder: Path, chance: random.Random) -> None:
    """Ingest, narrow, withdraw, remove and roll back until standard input ends."""
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    edition = 0
    with opened(home, TickingClock()) as kb:
        while not ended.is_set():
            edition += 1
            shutil.rmtree(folder, ignore_errors=True)
            shown = chance.choice(["public", "coalition", "internal"])
            for number in chance.sample(range(8), 6):
                text = f"The ladder {number} costs {number + 10 * edition} euros."
                write(folder, f"note-{number}.md", f"# Note {number}", text)
            write(folder, "metadata.yaml", f"files:\n  note-3.md: {{visibility: {shown}}}")
            ingest(kb, [folder], Options(Metadata(), prune=True, restore=True))
            listed = kb.record.list_documents(kb.record.current_id() or 0, FULL_ACCESS)
            maintenance.remove(kb, chance.choice(listed).id, purge=chance.random() < 0.5)
            if edition % 4 == 0 and len(kb.record.kept()) > 1:
                maintenance.rollback(kb)


@pytest.mark.slow
def test_every_backup_made_beside_a_writer_is_sound(tmp_path: Path) -> None:
    """While another process publishes, narrows, removes and rolls back, and this one searches."""
    seed = 20260302
    chance, home = random.Random(seed), tmp_path / "home"  # noqa: S311 -- a test is to be repeated
    with opened(home) as kb:
        write(tmp_path / "files", "note-0.md", "# Note 0", "The ladder 0 costs 1 euro.")
        ingest(kb, [tmp_path / "files"])
    log = tmp_path / "log"
    writing = driven(CHURNING, home, tmp_path / "files", seed, log=log)
    seen: set[tuple[int, ...]] = set()
    try:
        with opened(home) as kb:
            for number in range(8):
                threading.Event().wait(chance.uniform(0.2, 1.5))
                kb.search.search("ladder", EVERYTHING)
                file = backup_of(home, tmp_path / f"{number}.tar")
                assert writing.poll() is None, log.read_text()
                with open_archive(file) as archive:
                    seen.add(archive.manifest.about.generations)
                assert_sound(restored(file, tmp_path / f"home-{number}"))
                shutil.rmtree(tmp_path / f"home-{number}")
    finally:
        writing.communicate()
    assert writing.returncode == 0, log.read_text()
    assert len(seen) > 2, "the writer did not come to write"
    assert_sound(home)

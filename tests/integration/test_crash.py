"""Runs killed at any moment: what was published answers on, and the next run mends the rest."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fakes import HashingEncoder

from ingest.run import Options, ingest
from kb import maintenance
from kb.bootstrap import open_knowledge_base
from kb.model import FULL_ACCESS, Filters
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from conftest import MakeKb
    from numpy.typing import NDArray

    from kb.bootstrap import KnowledgeBase

SEED = 20260301
KILLS = 20
LONGEST = 1.2  # seconds until a kill; an undisturbed run takes about one
FILES = 30
QUERIES = ("What does the ladder cost?", "Combien coûte la scie ?", "windmill on the hill")
EVERYBODY = FULL_ACCESS


def write_state(folder: Path, number: int) -> None:
    """Fill the folder: a third of the files differ from state to state, some come and go."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in range(FILES):
        edition = number if file % 3 == 0 else 0
        if (file + number) % 10 == 0:
            continue
        thing = ("ladder", "saw", "windmill on the hill")[file % 3]
        parts = [f"# Note {file}", f"The {thing} costs {file + 100 * edition} euros."]
        parts += [f"## Part {part}\n\n" + f"Line {part} of note {file}. " * 40 for part in range(3)]
        (folder / f"note-{file}.md").write_text("\n\n".join(parts), encoding="utf-8")
    hidden = number % FILES
    sidecar = f"files:\n  note-{hidden}.md: {{visibility: internal, issuer: Board {number}}}\n"
    (folder / "metadata.yaml").write_text(sidecar, encoding="utf-8")


def run_once(home: Path, folder: Path) -> None:
    """Run an undisturbed ingest."""
    values: dict[str, Any] = {"home": home, "workers": 1}
    kb = open_knowledge_base(Settings(**values), encoder=HashingEncoder())
    ingest(kb, [folder], Options(prune=True))
    kb.close()


def state(kb: KnowledgeBase) -> list[object]:
    """What the current generation holds, but for when it was ingested."""
    record, generation = kb.record, kb.record.current_id() or 0
    with kb.generations.current() as view:
        held: list[object] = [record.passage_ids(generation), view.index.ids()]
    for document, passages in record.current_documents(generation):
        for version in record.versions(generation, document.id, EVERYBODY):
            pages = [
                record.page(generation, document.id, number, EVERYBODY, version.version)
                for number in range(1, record.page_count(version) + 1)
            ]
            texts = [found[1] for found in pages if found]
            held.append((replace(version, ingested=document.ingested), texts))
        held.append(passages)
    return [_without_time(item) for item in held]


def _without_time(item: object) -> object:
    if isinstance(item, tuple):
        document, texts = item
        return (document.id, document.version, document.current, document.metadata, texts)
    return item


def answers(kb: KnowledgeBase) -> list[object]:
    """What a few searches give, with their scores."""
    everything = Filters(access=EVERYBODY)
    return [
        [(hit.passage, round(hit.score, 6)) for hit in kb.search.search(query, filters).hits]
        for query in QUERIES
        for filters in (everything, Filters())
    ]


DRIVER = """
import sys
from pathlib import Path
from test_crash import run_once
print("ready", flush=True)
sys.stdin.readline()
run_once(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def start(home: Path, folder: Path, scratch: Path) -> subprocess.Popen[str]:
    """Start an ingest in a process of its own that waits for the word to begin."""
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parent), str(here.parents[1])])
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(home), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(scratch)},
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def begin(process: subprocess.Popen[str]) -> None:
    """Let it begin."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def alive(session: int) -> set[int]:
    """The processes of a session, those that read files included, where the system lists them."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its_session = path.read_text("utf-8").rpartition(")")[2].split()[:4]
        except OSError:
            continue  # it has just ended
        if int(its_session) == session and state != "Z":
            found.add(int(path.parent.name))
    return found


def ended(session: int) -> bool:
    """Whether the reading processes notice in time that their run is gone."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if not alive(session):
            return True
        time.sleep(0.05)
    for process in alive(session):
        os.kill(process, signal.SIGKILL)
    return False


def assert_tidy(kb: KnowledgeBase) -> None:
    """No folder, original or note of a run that did not end is left."""
    home, kept = kb.settings.home, [generation.id for generation in kb.record.kept()]
    folders = sorted(path.name.partition(".")[0] for path in (home / "index").iterdir())
    assert folders == sorted(str(number) for number in kept)
    assert not [path for path in (home / "index").iterdir() if not path.name[-1].isdecimal()]
    originals = {
        str(path.relative_to(home / "originals"))
        for path in (home / "originals").rglob("*")
        if path.is_file()
    }
    assert originals == set(kb.record.all_originals())
    assert {path.name for path in home.iterdir()} <= {
        "index",
        "originals",
        "record.db",
        "record.db-shm",
        "record.db-wal",
        "writer.lock",
        "keeping.lock",
    }


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A place for temporary files with a short path: some systems bound that of a socket."""
    with tempfile.TemporaryDirectory(prefix="kb-") as folder:
        yield Path(folder)


@pytest.mark.slow
def test_a_run_killed_at_any_moment_leaves_what_was_published(
    make_kb: MakeKb, tmp_path: Path, scratch: Path
) -> None:
    """After each of 20 kills a running service answers as before; one more run mends the rest."""
    home, fresh, folder = tmp_path / "home", tmp_path / "fresh", tmp_path / "files"
    chance = random.Random(SEED)  # noqa: S311 -- moments, not secrets
    write_state(folder, 0)
    run_once(home, folder)
    service = make_kb(home)
    published, target = [0], 1
    before = answers(service), state(service)
    write_state(folder, target)
    sessions: list[int] = []
    for _ in range(KILLS):
        generation = service.record.current_id()
        process = start(home, folder, scratch)
        begin(process)
        try:
            process.wait(timeout=chance.uniform(0, LONGEST))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        else:
            assert process.returncode == 0
        sessions.append(process.pid)
        if service.record.current_id() == generation:
            assert (answers(service), state(service)) == before
        else:
            before = answers(service), state(service)
            published.append(target)
            target += 1
            write_state(folder, target)
    assert all(map(ended, sessions)), "reading processes outlived their run"
    run_once(home, folder)
    assert_tidy(service)
    assert [check for check in maintenance.examine(service) if not check.sound] == []
    undisturbed = make_kb(fresh)
    for number in [*published, target]:
        write_state(folder, number)
        run_once(fresh, folder)
    assert state(service) == state(undisturbed)


def test_a_run_that_fails_leaves_what_was_published(make_kb: MakeKb, tmp_path: Path) -> None:
    """An error in the middle of indexing publishes nothing and leaves nothing behind."""

    class FailingEncoder(HashingEncoder):
        """Fails at its first passage."""

        def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
            """Fail."""
            raise RuntimeError(f"no vectors for {len(texts)} texts")

    home, folder = tmp_path / "home", tmp_path / "files"
    write_state(folder, 0)
    run_once(home, folder)
    service = make_kb(home)
    before = answers(service), state(service)
    write_state(folder, 1)
    failing = make_kb(home, encoder=FailingEncoder())
    with pytest.raises(RuntimeError, match="no vectors"):
        ingest(failing, [folder], Options(prune=True))
    assert (answers(service), state(service)) == before
    assert_tidy(service)
    run_once(home, folder)
    assert service.record.current_id() != 1
    assert all(check.sound for check in maintenance.examine(service))

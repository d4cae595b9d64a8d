"""One run over everything that can be wrong with a file: each is a line, none stops the others."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hostile
import pytest
from hostile import CASES, MEBIBYTE, PASSWORD

from ingest.files import digest, find
from ingest.report import Outcome
from ingest.run import Options, ingest
from kb.errors import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from conftest import Base, MakeKb

NOBODY = 65534
MOST_PARENT, MOST_WORKER = 1500 * MEBIBYTE, 1000 * MEBIBYTE
VANISHING = [f"zz-vanishing-{number}.txt" for number in range(5)]
# What a reason must not be: an exception's name, or a path that says nothing to the reader.
_INTERNAL = re.compile(r"Traceback|Error\b|could not be (?:read|taken in):|<string>, line 0")


@dataclass(slots=True)
class Run:
    """A finished ``kb ingest``: its report by file name, and the peaks of memory in bytes."""

    code: int
    stdout: str
    stderr: str
    parent: int
    worker: int

    @property
    def report(self) -> dict[str, Any]:
        """The printed JSON."""
        found: dict[str, Any] = json.loads(self.stdout)
        return found

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        """The lines by the names of their files, as they are printed."""
        return {each["path"].rpartition("/")[2]: each for each in self.report["files"]}


def printed(name: str) -> str:
    """A name as the report shows it."""
    return re.sub(r"[\x00-\x1f\ud800-\udfff]", "\ufffd", name)


def kb_ingest(
    home: Path,
    *arguments: str | Path,
    settings: Mapping[str, str] | None = None,
    vanishing: Iterable[Path] = (),
) -> Run:
    """Run the command; ``vanishing`` are deleted when it has listed the files and begins."""
    command = [sys.executable, "-c", "from kb.cli import main; main()", "ingest", *arguments]
    environment = {**os.environ, "KB_HOME": str(home), **(settings or {})}
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        told: list[str] = []
        peaks: dict[int, int] = {}
        watching = threading.Thread(target=_watch, args=(process, peaks))
        reading = threading.Thread(target=_follow, args=(process, told, list(vanishing)))
        watching.start()
        reading.start()
        assert process.stdout is not None
        stdout = process.stdout.read()
        process.wait()
        watching.join()
        reading.join()
    parent = peaks.pop(process.pid, 0)
    return Run(process.returncode, stdout, "".join(told), parent, max(peaks.values(), default=0))


def _follow(process: subprocess.Popen[str], told: list[str], vanishing: list[Path]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        told.append(line)
        if line.startswith("reading: "):
            for path in vanishing:
                path.unlink(missing_ok=True)


def _watch(process: subprocess.Popen[str], peaks: dict[int, int]) -> None:
    """Note the peak of memory of a process and of all that it started."""
    while process.poll() is None:
        for number in _family(process.pid):
            peaks[number] = max(peaks.get(number, 0), _peak(number))
        time.sleep(0.1)


def _family(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            status = (entry / "stat").read_text()
        except OSError:
            continue
        parent = int(status.rpartition(")")[2].split()[1])
        children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def _peak(number: int) -> int:
    try:
        status = Path(f"/proc/{number}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


@pytest.fixture(scope="module")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run over every hostile file, some of which vanish while it is going."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("hostile")
    for case in CASES:
        case.make(folder / case.name)
    vanishing = [folder / name for name in VANISHING]
    for path in vanishing:
        path.write_text(f"{hostile.SENTENCE} In {path.name}.")
    run = kb_ingest(home, folder, "--json", vanishing=vanishing)
    shutil.rmtree(folder)
    return run


@pytest.mark.slow
def test_the_run_ends_with_partial_success_and_no_traceback(hostile_run: Run) -> None:
    """Exit code 1, every file once in the report, nothing on standard error but progress."""
    assert hostile_run.code == 1, hostile_run.stderr
    assert "Traceback" not in hostile_run.stderr
    names = [each["path"].rpartition("/")[2] for each in hostile_run.report["files"]]
    assert sorted(names) == sorted([printed(case.name) for case in CASES] + VANISHING)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: printed(case.name)[:30])
def test_each_hostile_file_is_a_line_that_says_why(hostile_run: Run, case: hostile.Case) -> None:
    """A bomb, a loop or a damaged file fails in plain words; an odd name is no fault."""
    line = hostile_run.files[printed(case.name)]
    assert line["outcome"] == case.outcome
    said = " ".join([line["reason"], *line["warnings"]])
    assert re.search(case.said, said), said
    assert not _INTERNAL.search(said)
    assert bool(line["reason"]) == (case.outcome != "added")


@pytest.mark.slow
def test_files_that_vanish_while_a_run_goes_on_are_named(hostile_run: Run) -> None:
    """They were listed, and were gone when their turn came."""
    for name in VANISHING:
        line = hostile_run.files[name]
        assert line["outcome"] == "failed"
        assert line["reason"] == "can't be opened: No such file or directory"


@pytest.mark.slow
def test_memory_stays_bounded(hostile_run: Run) -> None:
    """The command stays under 1.5 GB and each of its workers under 1 GB."""
    if not Path("/proc/self/status").exists():
        pytest.skip("memory is measured by /proc")
    assert 0 < hostile_run.parent < MOST_PARENT
    assert 0 < hostile_run.worker < MOST_WORKER


@pytest.mark.slow
def test_degenerate_pdfs_are_read_or_refused_in_plain_words(
    shared_data: Path, tmp_path: Path
) -> None:
    """Scans, forms, blank pages and fonts without a map: those without text are the failures."""
    folder = shared_data / "pdf" / "robustness"
    run = kb_ingest(tmp_path / "home", folder, "--json")
    assert "Traceback" not in run.stderr
    assert sorted(run.files) == sorted(path.name for path in folder.rglob("*") if path.is_file())
    reasons = {name: line["reason"] for name, line in run.files.items() if line["reason"]}
    assert not [reason for reason in reasons.values() if _INTERNAL.search(reason)]
    failed = {name for name, line in run.files.items() if line["outcome"] == "failed"}
    assert {"blank.pdf", "invalid.pdf", "livecycle.pdf", "no_contents.pdf", "trivial.pdf"} <= failed
    assert run.code == 1
    assert run.parent < MOST_PARENT
    assert run.worker < MOST_WORKER


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "make", "setting", "reason"),
    [
        (
            "many.pdf",
            partial(hostile.pdf, 4900),
            {"KB_WORKER_SECONDS": "3"},
            "took more than 3 seconds to read; KB_WORKER_SECONDS sets the limit",
        ),
        (
            "swells.pdf",
            hostile.swelling_pdf,
            {"KB_WORKER_MEMORY_MB": "600"},
            "above 600 MB of memory; KB_WORKER_MEMORY_MB sets the limit",
        ),
    ],
)
def test_a_reader_that_hangs_or_eats_memory_costs_its_own_file(
    tmp_path: Path,
    name: str,
    make: Callable[[], bytes],
    setting: dict[str, str],
    reason: str,
) -> None:
    """Each limit fails the file that crosses it; what is beside it is taken in."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "good.txt").write_text(hostile.SENTENCE)
    (folder / name).write_bytes(make())
    # One process, so that the good file is read by the one that replaces the one that ended.
    run = kb_ingest(tmp_path / "home", folder, "--json", settings={"KB_WORKERS": "1", **setting})
    assert run.code == 1
    assert "Traceback" not in run.stderr
    assert reason in run.files[name]["reason"]
    assert run.files["good.txt"]["outcome"] == "added"
    if "KB_WORKER_MEMORY_MB" in setting:
        assert run.worker < 600 * MEBIBYTE


def test_a_run_leaves_no_temporary_files(base: Base) -> None:
    """The folder in which readers put theirs goes with the run, also what a killed one left."""
    reading = base.kb.settings.home / "reading"
    reading.mkdir()
    (reading / "left-by-a-killed-run").write_text("scan")
    base.write("good.txt", hostile.SENTENCE)
    assert base.ingest().exit_code == 0
    assert not reading.exists()


@pytest.mark.parametrize(
    ("password", "outcome", "reason"),
    [
        (None, Outcome.FAILED, "needs a password"),
        ("wrong", Outcome.FAILED, "password"),
        (PASSWORD, Outcome.ADDED, ""),
    ],
)
def test_an_encrypted_pdf_opens_with_its_password(
    base: Base, password: str | None, outcome: Outcome, reason: str
) -> None:
    """The right password takes it in; none or a wrong one is said."""
    (base.folder / "secret.pdf").write_bytes(hostile.encrypted_pdf())
    report = ingest(base.kb, [base.folder], Options(password=password))
    assert [each.outcome for each in report.files] == [outcome]
    assert reason in report.files[0].reason


def test_two_copies_of_a_file_under_one_name_are_read_at_once(make_kb: MakeKb, base: Base) -> None:
    """Both are lines of the report: one is in, the other is said to be the same."""
    for folder in ("a", "b", "c"):
        (base.folder / folder).mkdir()
        (base.folder / folder / "SOURCE.txt").write_text(hostile.SENTENCE)
    report = ingest(make_kb(workers=2), [base.folder])
    assert sorted(each.outcome for each in report.files) == ["added", "skipped", "skipped"]
    assert all("the same file as" in each.reason for each in report.files[1:])


def test_a_name_that_is_no_utf8_is_known_again(base: Base) -> None:
    """It is unchanged the second time, and withdrawn only when its file is gone."""
    path = base.folder / os.fsdecode(b"march\xe9.txt")
    path.write_text(hostile.SENTENCE)
    outcomes = [base.ingest(prune=True).files[0].outcome for _ in range(2)]
    assert outcomes == [Outcome.ADDED, Outcome.UNCHANGED]
    path.unlink()
    assert base.ingest(prune=True).files[0].outcome is Outcome.WITHDRAWN


def test_a_terminal_is_not_told_what_a_file_name_says(tmp_path: Path) -> None:
    """Control signs of a name are replaced in the table."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "red\x1b[31m\n[bold].txt").write_text("")
    run = kb_ingest(tmp_path / "home", folder)
    assert run.code == 1
    assert "\x1b" not in run.stdout
    assert "[bold]" in run.stdout.replace("\n", "")


def test_a_path_that_begins_with_a_hyphen_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--`` ends the options, as everywhere."""
    monkeypatch.chdir(tmp_path)
    Path("-rf.md").write_text("")
    run = kb_ingest(tmp_path / "home", "--json", "--", "-rf.md")
    assert run.files["-rf.md"]["reason"] == "-rf.md is empty."


def test_what_may_not_be_read_is_named() -> None:
    """A folder and a file without permission are failures with that reason."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "closed").mkdir()
        (folder / "closed" / "note.md").write_text(hostile.SENTENCE)
        (folder / "closed").chmod(0)
        (folder / "private.md").write_text(hostile.SENTENCE)
        (folder / "private.md").chmod(0)
        is_root = os.geteuid() == 0
        if is_root:  # permissions mean nothing to root
            os.seteuid(NOBODY)
        try:
            found = find([folder])
            with pytest.raises(UnreadableError, match="can't be opened: Permission denied"):
                digest(folder / "private.md", 1)
        finally:
            if is_root:
                os.seteuid(0)
            (folder / "closed").chmod(0o700)
    problems = {each.path.name: each.problem for each in found}
    assert problems == {"closed": "can't be opened: Permission denied", "private.md": None}

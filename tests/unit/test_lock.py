from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from kb.errors import StoreError
from kb.lock import writer_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLDER = """
import sys
from pathlib import Path
from kb.lock import writer_lock
sys.argv = ["kb", "ingest", "reports"]
with writer_lock(Path(LOCK)):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its input ends."""
    code = HOLDER.replace("LOCK", repr(str(tmp_path / "writer.lock")))
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_writer_is_told_who_holds_the_lock(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    """The message names the process and its command; the exit code is that of the store."""
    with pytest.raises(StoreError) as caught, writer_lock(tmp_path / "writer.lock"):
        pass
    assert f"process {holder.pid} (kb ingest)" in str(caught.value)
    assert caught.value.exit_code == 3


def test_the_lock_of_a_killed_process_is_free(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    """A crash leaves no lock that somebody would have to delete."""
    holder.kill()
    holder.wait()
    with writer_lock(tmp_path / "writer.lock"):
        pass


def test_a_second_thread_is_refused_too(tmp_path: Path) -> None:
    """Two runs in one process are two writers."""
    refused: list[StoreError] = []

    def write() -> None:
        try:
            with writer_lock(tmp_path / "writer.lock"):
                pass
        except StoreError as error:
            refused.append(error)

    with writer_lock(tmp_path / "writer.lock"):
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert re.search(rf"process {os.getpid()} \(", str(refused[0]))


def test_the_lock_is_free_after_its_block_also_after_an_error(tmp_path: Path) -> None:
    """An error in a run passes through unchanged, and the next run may begin."""
    lock = tmp_path / "new" / "writer.lock"
    holder = lock.with_suffix(".holder.json")
    with pytest.raises(ZeroDivisionError), writer_lock(lock):
        _ = 1 / 0
    with writer_lock(lock):
        assert json.loads(holder.read_text("utf-8"))["pid"] == os.getpid()
    assert not holder.exists()


def test_an_error_of_permissions_in_the_run_is_not_blamed_on_the_lock(tmp_path: Path) -> None:
    """What the run itself was refused keeps its own message."""
    with pytest.raises(PermissionError, match="ladder"), writer_lock(tmp_path / "writer.lock"):
        raise PermissionError(13, "Permission denied", "ladder")


def test_a_lock_where_a_folder_is_a_file_is_an_error_of_the_store(tmp_path: Path) -> None:
    """A home that can't hold the lock is told, with what to set."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="KB_HOME"), writer_lock(tmp_path / "file" / "writer.lock"):
        pass

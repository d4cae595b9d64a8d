"""The README's commands run and print what it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
# `make test` runs this test; the service is started beside the commands that call it.
_NOT_RUN = {"make test"}
_SERVE = "make serve"


def _blocks() -> Iterator[tuple[str, list[str]]]:
    """Commands of the README's console blocks with the lines shown below each."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            yield command.strip(), [line for line in shown.splitlines() if line.strip()]


def _flat(text: str) -> str:
    return re.sub(r"[\s»”]+", "", text)


@contextmanager
def _serving(environment: dict[str, str]) -> Iterator[None]:
    server = subprocess.Popen(
        ["make", "serve"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 90
        while True:
            try:
                urllib.request.urlopen("http://127.0.0.1:8000/readyz", timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the service did not become ready"
                assert server.poll() is None, "the service has ended"
                time.sleep(0.3)
        yield
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=30)


@pytest.mark.slow
def test_readme_commands_run_and_print_what_it_shows() -> None:
    """A newcomer who copies the commands sees what the README promises."""
    if not (ROOT / ".venv" / "installed").exists():
        pytest.skip("the README's commands need the .venv that `make demo` makes")
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    with ExitStack() as stack:
        for command, shown in _blocks():
            if command in _NOT_RUN:
                continue
            if command == _SERVE:
                stack.enter_context(_serving(environment))
                continue
            if command.startswith("export "):
                name, _, value = command.removeprefix("export ").partition("=")
                environment[name] = value
                continue
            finished = subprocess.run(  # noqa: S602 -- the README's own command lines
                command,
                shell=True,
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=600,
            )
            assert finished.returncode == 0, f"{command}\n{finished.stdout}\n{finished.stderr}"
            for line in shown:
                assert _flat(line) in _flat(finished.stdout), f"{command} does not print {line!r}"

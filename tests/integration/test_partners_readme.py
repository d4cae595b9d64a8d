"""What partners are told is what they get: the guide's commands and programs run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from mcp_base import ENGLISH, evidence_in
from serving import served

from api.app import create_app
from api.problem_kinds import KINDS
from kb.client import Client
from kb.keys import KeyRole, NewKey

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTNERS = Path(__file__).parents[2] / "docs" / "partners"
GUIDE = (PARTNERS / "README.md").read_text(encoding="utf-8")
EXAMPLE = "https://kb.example.org"


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


def _commands() -> Iterator[tuple[str, list[str]]]:
    """Commands of the console blocks with the lines shown below each."""
    for block in _blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            if not command.startswith("export "):
                yield command, shown.splitlines()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A service that a partner has a key for, as the guide's variables."""
    with evidence_in(tmp_path_factory.mktemp("guide")) as base:
        _, key = base.kb.keys.create(NewKey("Réseau", KeyRole.PARTNER), base.kb.clock())
        base.kb.settings = base.kb.settings.model_copy(update={"rate_anonymous": 100_000})
        with served(create_app(base.kb)) as url:
            yield {**os.environ, "SERVICE": url, "KB_KEY": key}


@pytest.mark.parametrize(("command", "shown"), list(_commands()))
def test_commands_print_what_is_shown(
    environment: dict[str, str], command: str, shown: list[str]
) -> None:
    """A partner who copies a command sees it work."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert shown
    for line in shown:
        assert line in done.stdout, f"{command} does not print {line!r}"


@pytest.mark.parametrize("program", _blocks("python"))
def test_programs_run(environment: dict[str, str], program: str, tmp_path: Path) -> None:
    """They find the key in the environment, and print quotes."""
    file = tmp_path / "program.py"
    file.write_text(program.replace(EXAMPLE, environment["SERVICE"]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, file.name],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert ENGLISH in done.stdout


def test_every_problem_is_in_the_table_with_what_to_do() -> None:
    """In the words of the pages at ``/problems``."""
    rows = [line for line in GUIDE.splitlines() if line.startswith("| `/problems/")]
    assert rows == [
        f"| `/problems/{slug}` | {kind.status} | {kind.french} | *{kind.english}* |"
        for slug, kind in KINDS.items()
    ]


def test_every_method_of_the_client_is_named() -> None:
    """Whoever reads the guide knows what there is."""
    methods = {name for name in vars(Client) if not name.startswith("_")} - {"send", "close"}
    [line] = [line for line in GUIDE.splitlines() if line.startswith("`search`, ")]
    assert set(re.findall(r"`(\w+)`", line)) - {"AsyncClient"} == methods


def test_what_goes_is_said_with_its_day(environment: dict[str, str]) -> None:
    """The day is that of the service's own header."""
    reply = httpx.get(f"{environment['SERVICE']}/v1/search?q=ladders", trust_env=False)
    sunset = parsedate_to_datetime(reply.headers["Sunset"]).date()
    assert f"| `q` de · *of* `GET /v1/search` | `query` | {sunset} |" in GUIDE


def test_the_policy_for_sites_is_that_of_the_snippet() -> None:
    """Which the browser's tests hold it to."""
    policy = re.compile(r"^ *(Content-Security-Policy: .*)$", re.MULTILINE)
    page = (PARTNERS / "snippet" / "search.html").read_text(encoding="utf-8")
    assert policy.findall(GUIDE) == policy.findall(page)


def test_links_lead_somewhere() -> None:
    """Files, and headings as GitHub names them."""
    anchors = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^## (.*)$", GUIDE, re.MULTILINE)
    }
    for link in re.findall(r"\]\(([^)]+)\)", GUIDE):
        path, _, anchor = link.partition("#")
        assert (PARTNERS / path).exists()
        assert not anchor or anchor in anchors

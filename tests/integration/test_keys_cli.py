"""``kb keys`` on the command line, and what it changes for a service that runs."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fakes import HashingEncoder
from starlette.testclient import TestClient
from typer.testing import CliRunner

from api.app import create_app
from kb.bootstrap import open_knowledge_base
from kb.calls.dates import brussels_day
from kb.cli import main
from kb.errors import NotFoundError, UsageError
from kb.keys import is_well_formed
from kb.keys_cli import app
from kb.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty KB_HOME."""
    monkeypatch.setenv("KB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def service(home: Path) -> Iterator[TestClient]:
    """A service over the same home, with a database connection and a clock of its own."""
    assert home == load_settings().home
    kb = open_knowledge_base(encoder=HashingEncoder())
    with TestClient(create_app(kb)) as client:
        yield client
    kb.close()


def _done(*arguments: str) -> Result:
    done = CliRunner().invoke(app, ["keys", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def _made(*arguments: str) -> str:
    return _done(*arguments).stdout.strip()


def _listed() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(_done("list", "--json").stdout)
    return found


def _role(service: TestClient, key: str) -> str:
    answer = service.get("/v1/session", headers={"X-API-Key": key})
    return str(answer.json()["role"] if answer.status_code == 200 else answer.status_code)


def test_a_key_is_shown_once_and_alone() -> None:
    """On standard output, so that a script can take it; the warning stands beside."""
    done = _done("create", "Réseau", "--role", "partner")
    key = done.stdout.strip()
    assert done.stdout == f"{key}\n"
    assert is_well_formed(key)
    assert "shown this once" in done.stderr
    assert key not in done.stderr
    rotated = _done("rotate", "Réseau")
    assert is_well_formed(rotated.stdout.strip())
    assert "shown this once" in rotated.stderr
    shown = _done("list").output + _done("list", "--json").output + _done("revoke", "Réseau").output
    assert key not in shown
    assert rotated.stdout.strip() not in shown


def test_keys_are_listed_with_their_settings_and_state() -> None:
    """For people as a table, for scripts as JSON."""
    day = brussels_day(datetime.now(UTC)) + timedelta(days=30)
    options = ("--collection", "plans", "--collection", "guarantee", "--rate", "60")
    _made("create", "Réseau", "--role", "partner", *options, "--expires", day.isoformat())
    _made("create", "Équipe", "--role", "staff")
    key = _made("rotate", "Équipe")
    first, old, new = _listed()
    assert first["name"] == "Réseau"
    assert (first["role"], first["rate"], first["state"]) == ("partner", 60, "active")
    assert first["collections"] == ["plans", "guarantee"]
    assert brussels_day(datetime.fromisoformat(first["expires"]) - timedelta(seconds=1)) == day
    assert (old["state"], new["state"]) == ("revoked", "active")
    assert (new["collections"], new["expires"], new["last_used"]) == (None, None, None)
    assert key.endswith(new["hint"])
    table = _done("list").stdout
    rows = [line.split() for line in table.splitlines() if "…" in line]
    assert [row[0] for row in rows] == ["Réseau", "Équipe", "Équipe"]
    assert day.isoformat() in rows[0]
    assert rows[2][1:3] == ["all", "staff"]
    assert rows[2][-3:] == ["never", "active", f"…{new['hint']}"]


def test_a_key_works_until_the_end_of_its_last_day_in_brussels() -> None:
    """A key for today works tonight; one for yesterday can't be made."""
    today = brussels_day(datetime.now(UTC))
    with pytest.raises(UsageError, match="expires"):
        _made("create", "Late", "--role", "staff", "--expires", str(today - timedelta(days=1)))
    with pytest.raises(UsageError, match="without end"):
        _made("create", "Late", "--role", "staff", "--expires", "9999-12-31")
    assert _listed() == []
    _made("create", "June", "--role", "staff", "--expires", "2099-06-30")
    assert _listed()[0]["expires"] == "2099-06-30T22:00:00+00:00"


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "Réseau", "--role", "partner"),
        ("create", "New", "--role", "anonymous"),
        ("create", "New", "--role", "staff", "--rate", "0"),
        ("create", "New", "--role", "staff", "--rate", "100001"),
        ("create", "New", "--role", "staff", "--expires", "soon"),
        ("create", "New", "--role", "staff", "--collection", ""),
        ("create", "New\n", "--role", "staff"),
        ("create", "New"),
        ("revoke", "New"),
        ("rotate", "New"),
    ],
)
def test_what_cannot_be_done_exits_with_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """The message says what it is about, and nothing changes."""
    _made("create", "Réseau", "--role", "staff")
    before = _listed()
    with pytest.raises(SystemExit) as caught:
        main(["keys", *arguments])
    assert caught.value.code == 2
    assert capsys.readouterr().err
    assert _listed() == before


def test_an_unknown_name_is_told() -> None:
    """Also that of a key that was revoked."""
    _made("create", "Réseau", "--role", "staff")
    _done("revoke", "Réseau")
    with pytest.raises(NotFoundError, match="'Réseau'"):
        _done("revoke", "Réseau")


def test_a_running_service_knows_at_once(service: TestClient) -> None:
    """A key opens when it is made, and no more when it is rotated or revoked."""
    key = _made("create", "Équipe", "--role", "staff")
    assert _role(service, key) == "staff"
    rotated = _made("rotate", "Équipe")
    assert (_role(service, key), _role(service, rotated)) == ("401", "staff")
    _done("revoke", "Équipe")
    assert _role(service, rotated) == "401"
    assert _role(service, _made("create", "Équipe", "--role", "partner")) == "partner"


def test_the_list_tells_when_a_key_was_last_used(service: TestClient) -> None:
    """Of the key that was used, and no other."""
    key = _made("create", "Used", "--role", "staff")
    _made("create", "Unused", "--role", "staff")
    service.get("/v1/session", headers={"X-API-Key": key})
    used, unused = _listed()
    assert used["last_used"] >= used["created"]
    assert unused["last_used"] is None
    assert re.search(r"Used .*\d{4}-\d\d-\d\d +active", _done("list").stdout)

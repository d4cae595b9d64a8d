"""``kb searches`` and ``kb alerts`` on the command line."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from mailbox_server import Inbox
from typer.testing import CliRunner

from kb.errors import NotFoundError, StoreError, UsageError
from kb.following_cli import app
from kb.lock import writer_lock
from kb.record.searches import SearchesRecord
from kb.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READER = "camille.ladder@example.org"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty KB_HOME."""
    monkeypatch.setenv("KB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    """A mail server's inbox, with the settings that use it."""
    made = Inbox()
    monkeypatch.setenv("KB_SMTP_URL", f"smtp://127.0.0.1:{made.serve().port}?tls=none")
    monkeypatch.setenv("KB_MAIL_FROM", "alertes@calls.example.org")
    monkeypatch.setenv("KB_PUBLIC_URL", "https://calls.example.org")
    yield made
    made.close()


def _run(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_search_is_made_listed_and_deleted(home: Path) -> None:
    """Its secret is shown once: no list has it."""
    said = _run("searches", "create", "Climat", "--status", "open", "--country", "FR,BE")
    [secret] = set(re.findall(r"oms_[\w-]{43}", said))
    made = json.loads(_run("searches", "create", "Culture", "--language", "en", "--json"))
    assert made["feeds"]["ics"] == f"/v1/feeds/{made['secret']}/calls.ics"
    listed = json.loads(_run("searches", "list", "--json"))
    assert [(each["id"], each["name"]) for each in listed] == [(1, "Climat"), (2, "Culture")]
    assert listed[0]["query"] == {"status": ["open"], "country": ["FR", "BE"]}
    assert listed[0]["visibility"] == "public"
    shown = _run("searches", "list")
    assert "Climat" in shown
    assert secret not in shown + json.dumps(listed)
    assert "Deleted search 1, Climat." in _run("searches", "delete", "Climat")
    _run("searches", "delete", "2")
    with pytest.raises(NotFoundError):
        _run("searches", "delete", "2")
    assert home.is_dir()


def test_an_address_needs_a_mail_server(home: Path) -> None:
    """The message says what to set, and nothing is saved."""
    with pytest.raises(UsageError, match="KB_SMTP_URL"):
        _run("searches", "create", "Climat", "--email", READER)
    assert json.loads(_run("searches", "list", "--json")) == []
    with pytest.raises(UsageError, match="KB_SMTP_URL"):
        _run("alerts", "run")
    assert json.loads(_run("alerts", "run", "--dry-run", "--json"))["digests"] == []
    assert home.is_dir()


def test_an_address_is_asked_when_its_search_is_made(home: Path, inbox: Inbox) -> None:
    """One mail, and none by the runs that follow; no list shows the address."""
    _run("searches", "create", "Climat", "--email", READER)
    assert inbox.recipients == [READER]
    report = json.loads(_run("alerts", "run", "--json"))
    assert (report["asked"], report["digests"], report["exit_code"]) == (0, [], 0)
    assert "0 digests sent" in _run("alerts", "run")
    listed = _run("searches", "list", "--json")
    assert json.loads(listed)[0]["email"] == "asked"
    assert READER not in listed
    assert home.is_dir()


def test_two_runs_do_not_overlap(home: Path, inbox: Inbox) -> None:
    """The second is told that the first is on."""
    with writer_lock(load_settings().alerts_lock), pytest.raises(StoreError, match="Another run"):
        _run("alerts", "run")
    _run("alerts", "run")
    assert inbox.mails == []
    assert home.is_dir()


def test_a_cut_off_digest_is_told_with_its_search(home: Path, inbox: Inbox) -> None:
    """Exit code 1, once."""
    from kb.bootstrap import open_knowledge_base  # noqa: PLC0415 -- opened as a command does
    from kb.record.digests import DigestsRecord, Parcel  # noqa: PLC0415 -- as above

    _run("searches", "create", "Climat", "--email", READER)
    kb = open_knowledge_base()
    search = SearchesRecord(kb.engine).listed()[0]
    DigestsRecord(kb.engine).claim(Parcel(search.id, {"news:1": "a"}, 1, "<1@x>", "t"), kb.clock())
    kb.close()
    done = CliRunner().invoke(app, ["alerts", "run"], catch_exceptions=False)
    assert done.exit_code == 1
    assert "1 digest may not have arrived: search 1, Climat." in done.stderr
    _run("alerts", "run")
    assert len(inbox.mails) == 1
    assert home.is_dir()


def test_a_filter_is_taken_as_by_the_search_for_calls(home: Path) -> None:
    """Nought is a value; what can't be meant is told with the name of its option."""
    assert json.loads(_run("searches", "create", "All", "--budget-min", "0", "--json"))
    [search] = json.loads(_run("searches", "list", "--json"))
    assert search["query"] == {"budget_min": 0}
    with pytest.raises(UsageError, match="--deadline-after is 'soon'"):
        _run("searches", "create", "Soon", "--deadline-after", "soon")
    assert home.is_dir()

"""Pulling the EU portal again: cheaply, and on where an interruption left it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from local_source import EuPortal, LocalSource, Reply, Request, eu_details
from pulling import (
    SEARCH,
    TOPICS,
    counts,
    kept,
    page,
    pulled,
    settings_of,
    text,
)

from ingest.calls.pulls.eu_portal import Asked
from kb.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import MakeKb

    from kb.bootstrap import KnowledgeBase

pytest_plugins = ("pull_base",)


@pytest.fixture
def kb(source: LocalSource, make_kb: MakeKb) -> KnowledgeBase:
    """An empty base whose sources are all on that server."""
    base: KnowledgeBase = make_kb(**settings_of(source))
    return base


@pytest.mark.usefixtures("portal")
def test_a_second_pull_is_cheap(kb: KnowledgeBase, source: LocalSource) -> None:
    """Calls whose rows are as they were cost nothing but the list, and make no version."""
    pulled(kb)
    before = len(source.asked(TOPICS))
    outcome = pulled(kb)
    assert counts(outcome) == {"unchanged": 5}
    assert outcome.report is not None
    assert outcome.report.generation is None
    assert len(source.asked(TOPICS)) == before


def test_details_are_asked_for_conditionally(
    kb: KnowledgeBase, portal: EuPortal, source: LocalSource
) -> None:
    """After a week, and where a row changed, details are asked for only if they have changed."""
    pulled(kb)
    kb.clock.now += timedelta(days=8)  # type: ignore[attr-defined] # the tests' clock
    portal.rows[0]["metadata"]["deadlineDate"] = ["2099-04-01T00:00:00.000+0000"]
    portal.details["cerv-2099-lend-001"] = eu_details(1, conditions="<p>Alone is fine.</p>")
    source.requests.clear()
    outcome = pulled(kb)
    assert len(source.asked(TOPICS)) == 5
    assert all(request.headers["If-None-Match"] for request in source.asked(TOPICS))
    assert counts(outcome) == {"changed": 2, "unchanged": 3}
    assert "three partners" in text(kb, "CERV-2099-LEND-000")
    assert "Alone is fine" in text(kb, "CERV-2099-LEND-001")


def test_times_of_the_index_are_no_change(
    kb: KnowledgeBase, portal: EuPortal, source: LocalSource
) -> None:
    """A row that was only taken in anew by the portal's index has not changed."""
    pulled(kb)
    source.requests.clear()
    for row in portal.rows:
        row["metadata"]["esDA_IngestDate"] = ["2026-03-01T08:00:00.000+0000"]
        row["weight"] = 5.0
    assert counts(pulled(kb)) == {"unchanged": 5}
    assert source.asked(TOPICS) == []


def test_a_pull_that_was_killed_goes_on(
    tmp_path: Path, source: LocalSource, portal: EuPortal, make_kb: MakeKb
) -> None:
    """What was listed before ``kill -9`` is not asked for again; ``fresh`` asks for all."""
    portal.page_size = 2
    third = threading.Event()
    release = threading.Event()

    def stuck(request: Request) -> Reply:
        if request.query["pageNumber"] == ["3"] and not release.is_set():
            third.set()
            release.wait(30)
        return portal._search(request)  # noqa: SLF001 -- as above

    source.routes[SEARCH] = stuck
    home = tmp_path / "killed"
    named = {f"KB_{name.upper()}": value for name, value in settings_of(source).items()}
    child = subprocess.Popen(
        [sys.executable, "-c", "from ingest.calls.cli import app; app()", "pull", "eu-portal"],
        env={**os.environ, **named, "KB_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert third.wait(60)
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    release.set()
    source.requests.clear()
    kb = make_kb(home, **settings_of(source))
    kb.clock.now = kb_time(home)  # type: ignore[attr-defined] # the tests' clock
    outcome = pulled(kb, Asked(details=False))
    assert outcome.went_on
    assert counts(outcome) == {"new": 5}
    assert [request.query["pageNumber"] for request in source.asked(SEARCH)] == [["3"]]
    assert kept(kb) == ["answers.db"]


def kb_time(home: Path) -> datetime:
    """When the pull in a home was begun."""
    (note,) = (home / "pull").glob("*/begun")
    return datetime.fromisoformat(note.read_text())


@pytest.mark.parametrize("how", ["fresh", "old", "another"])
def test_an_interrupted_pull_is_begun_anew(
    kb: KnowledgeBase, source: LocalSource, portal: EuPortal, how: str
) -> None:
    """With ``--fresh``, after a day, and for another question nothing kept is used."""
    portal.page_size = 3
    source.fault(SEARCH, portal._search(page(1)), *[Reply(500)] * 3)  # noqa: SLF001 -- as above
    with pytest.raises(SourceError):
        pulled(kb, Asked(details=False))
    source.requests.clear()
    if how == "old":
        kb.clock.now += timedelta(days=1, seconds=1)  # type: ignore[attr-defined]
    asked = Asked(details=False, programmes=("43251589",) if how == "another" else ())
    outcome = pulled(kb, asked, fresh=how == "fresh")
    assert not outcome.went_on
    assert len(source.asked(SEARCH)) == 2

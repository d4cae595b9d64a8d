"""Facts of real calls, against what was judged by reading."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.calls.base import CallRecord
from ingest.calls.facts import facts_of
from ingest.calls.saved import read_saved

CHECKED = datetime(2026, 8, 1, tzinfo=UTC)
JUDGED = Path(__file__).parents[2] / "evaluation" / "calls" / "facts_judged.jsonl"
PORTAL = Path("calls") / "eu-portal-2026-08" / "open_calls.normalised.jsonl"


def judged() -> dict[str, set[tuple[str, str]]]:
    """What was judged right, by identifier."""
    right = defaultdict(set)
    for line in JUDGED.read_text(encoding="utf-8").splitlines():
        each = json.loads(line)
        if each["right"]:
            right[each["identifier"]].add((each["field"], each["value"]))
    return right


@pytest.fixture(scope="module")
def records(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[CallRecord]:
    """The portal's calls of which a fact was judged."""
    source = shared_data / PORTAL
    if not source.is_file():
        pytest.skip(f"{source} is absent")
    wanted = judged()
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    path = tmp_path_factory.mktemp("calls") / PORTAL.name
    path.write_text(
        "".join(line for line in lines if json.loads(line)["topicId"] in wanted), encoding="utf-8"
    )
    read = read_saved("eu-portal-normalised", path, path.name, CHECKED)
    return [each for each in read if isinstance(each, CallRecord)]


def test_facts_judged_right_are_found(records: list[CallRecord]) -> None:
    """Every fact of the portal's calls that was judged right is still taken."""
    right = judged()
    found = {
        (record.call.identifier, fact.field, fact.value)
        for record in records
        for fact in facts_of(record.pages, record.language)
    }
    wanted = {
        (record.call.identifier, *fact)
        for record in records
        for fact in right[record.call.identifier]
    }
    assert len(wanted) > 100
    assert not wanted - found


def test_evidence_stands_in_the_pages(records: list[CallRecord]) -> None:
    """The evidence of every fact is a stretch of the page that it names, without outer space."""
    for record in records:
        texts = {page.number: page.text for page in record.pages}
        for fact in facts_of(record.pages, record.language):
            quote = texts[fact.page][fact.start : fact.end]
            assert quote
            assert quote == quote.strip()

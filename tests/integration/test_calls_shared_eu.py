"""Real answers of the EU portal are read whole."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from ingest.calls.base import CallRecord, Flaw
from ingest.calls.saved import read_saved, recognise
from kb.model import DeadlineModel

if TYPE_CHECKING:
    from pathlib import Path

CHECKED = datetime(2026, 8, 10, tzinfo=UTC)
EXPORT = "calls/eu-portal-2026-08"
_MISREAD = ("â€", "Ã©", "ï»¿", "Â°", "â‚", "\ufeff", "\x9d")


def _read(path: Path) -> list[CallRecord]:
    kind = recognise(path, path.name)
    assert kind is not None
    found = list(read_saved(kind, path, path.name, CHECKED))
    assert [each for each in found if isinstance(each, Flaw)] == []
    return [each for each in found if isinstance(each, CallRecord)]


@pytest.mark.slow
def test_both_forms_of_the_export_give_the_same_629_calls(shared_data: Path) -> None:
    """Lines or no lines, packed or not; every block is an exact slice; no mojibake is left."""
    lines = _read(shared_data / EXPORT / "open_calls.normalised.jsonl")
    packed = _read(shared_data / EXPORT / "open.jsonl.gz")
    assert lines == packed
    assert len({record.key for record in lines}) == len(lines) == 629
    assert sum(record.call.deadline_model is DeadlineModel.TWO_STAGE for record in lines) == 28
    assert all(record.call.deadlines and record.call.programme for record in lines)
    for page in (page for record in lines for page in record.pages):
        assert not any(sign in page.text for sign in _MISREAD)
        assert all(page.text[block.start : block.end].strip() for block in page.blocks)


def test_recorded_pages_of_the_search_give_topics_alone(shared_data: Path) -> None:
    """Of 2023 there are tenders and updates alone, of 2026 one of two rows is stale."""
    folder = shared_data / "apis" / "sedia"
    assert _read(folder / "search_v2.96_2023-01.json") == []
    (record,) = _read(folder / "search_v2.151_2026_transcribed_excerpt.json")
    assert record.call.identifier == "HORIZON-MISS-2027-05-SOIL-01-two-stage"
    assert record.call.deadline_model is DeadlineModel.TWO_STAGE
    assert record.call.budget is None  # the overview names its sibling alone


def test_the_recorded_bulk_file_gives_its_calls(shared_data: Path) -> None:
    """Three of four objects are calls; one has three cut-offs."""
    records = _read(shared_data / "apis/sedia/grantsTenders_2026-09_transcribed_excerpt.json")
    assert [len(record.call.deadlines) for record in records] == [1, 1, 3]


@pytest.mark.parametrize("folder", ["apis/openalex", "apis/hal", "apis/crossref", "apis/cellar"])
def test_answers_of_research_sources_are_no_calls(shared_data: Path, folder: str) -> None:
    """They go to the readers of documents."""
    for path in sorted((shared_data / folder).iterdir()):
        assert recognise(path, path.name) is None

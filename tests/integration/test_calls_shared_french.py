"""Recorded French calls: how many there are, what is known of them, and clean texts."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import pytest

from ingest.calls.base import CallRecord
from ingest.calls.saved import read_saved, recognise

if TYPE_CHECKING:
    from pathlib import Path

    from kb.model import Call

CHECKED = datetime(2026, 8, 1, tzinfo=UTC)
AIDS = "aides-territoires-2021/aides-territoires_periurbain.csv"
# Files with how many calls they hold: all, with a deadline, with known applicants, rolling.
FILES = [
    (AIDS, "aides-territoires", (274, 22, 274, 252)),
    ("france-2026/iledefrance_raw.json", "ile-de-france", (100, 64, 100, 0)),
    ("france-2026/iledefrance/metadata.json", "french-pages", (100, 65, 100, 0)),
    ("france-2026/paris/metadata.json", "french-pages", (17, 17, 0, 0)),
    ("france-2026/ssd/metadata.json", "french-pages", (29, 24, 0, 0)),
]
_LEFT_OVERS = re.compile(
    r"SOURCE HTML|CONTENU PDF|^(?:TITRE|RESUME|DESCRIPTION|OBJECTIF|DEMARCHES|CONTACT) ?:|\|\|\||"
    r"après le signe @|Partager sur|Sommaire Sommaire|Votre avis nous intéresse|&[a-z]+;|Ã|â€"
    r"|\ufffd",
    re.MULTILINE,
)


def read(shared_data: Path, name: str) -> list[CallRecord]:
    """The records of a saved file, each of which is sound."""
    return read_once(shared_data / "calls" / name)


@cache
def read_once(path: Path) -> list[CallRecord]:
    """The records of a file, read by the first test that asks for them."""
    kind = recognise(path, path.name)
    assert kind
    found = list(read_saved(kind, path, path.name, CHECKED))
    assert all(isinstance(each, CallRecord) for each in found)
    return [each for each in found if isinstance(each, CallRecord)]


@pytest.mark.parametrize(("name", "kind", "counts"), FILES)
def test_every_recorded_call_is_read(
    shared_data: Path, name: str, kind: str, counts: tuple[int, ...]
) -> None:
    """Every call is read once, with the facts that are known of it."""
    path = shared_data / "calls" / name
    assert recognise(path, path.name) == kind
    records = read(shared_data, name)
    calls: list[Call] = [record.call for record in records]
    assert len(records) == len({record.key for record in records})
    assert counts == (
        len(records),
        sum(bool(call.deadlines) for call in calls),
        sum(bool(call.applicants) for call in calls),
        sum(call.rolling for call in calls),
    )
    assert all(call.funder and call.url and call.countries == ("FR",) for call in calls)


@pytest.mark.parametrize("name", [name for name, *_ in FILES])
def test_texts_hold_nothing_of_their_wrapping(shared_data: Path, name: str) -> None:
    """Texts begin with the title, go on after it, and hold no marks, menus or mojibake."""
    for record in read(shared_data, name):
        first, *_ = record.pages
        assert len(first.text) > len(record.call.title)
        for page in record.pages:
            found = _LEFT_OVERS.search(page.text)
            assert not found, (record.call.identifier, page.label, found)
            assert page.blocks


def test_the_list_and_the_pages_of_the_region_name_the_same_calls(shared_data: Path) -> None:
    """The region's list and its pages give the same hundred keys."""
    listed = {record.key for record in read(shared_data, "france-2026/iledefrance_raw.json")}
    assert listed == {
        record.key for record in read(shared_data, "france-2026/iledefrance/metadata.json")
    }


@pytest.mark.parametrize("table", ["backer_subcategory", "pays_de_la_loire_categories_mapping"])
def test_tables_beside_the_aids_are_no_calls(shared_data: Path, table: str) -> None:
    """The mapping tables beside the aids are not recognised."""
    path = shared_data / "calls/aides-territoires-2021" / f"{table}.csv"
    assert recognise(path, path.name) is None


@pytest.mark.parametrize(
    ("key", "moment"),
    [
        # The list has the day of the page's update or of a download; the page states the last day.
        ("seine-saint-denis:fipd-2026", "2026-01-31T17:00"),
        ("seine-saint-denis:appel-a-projet-politique-de-la-ville-2026", "2025-11-30T17:00"),
        ("seine-saint-denis:aap-mildeca-2025-pour-la-seine-saint-denis", None),
    ],
)
def test_days_of_updates_are_not_taken_for_deadlines(
    shared_data: Path, key: str, moment: str | None
) -> None:
    """A page's day of update is no deadline."""
    (call,) = (
        record.call
        for record in read(shared_data, "france-2026/ssd/metadata.json")
        if record.key == key
    )
    assert (call.deadlines[0].isoformat()[:16] if call.deadlines else None) == moment

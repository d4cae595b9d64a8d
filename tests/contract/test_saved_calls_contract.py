"""What every format of saved answers promises, over one small file of each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from eu_answers import TOPIC, answer, exported, row, topic, write_bulk

from ingest.calls.base import CallRecord
from ingest.calls.saved import SAVED, read_saved, recognise

if TYPE_CHECKING:
    from pathlib import Path

CHECKED = datetime(2031, 3, 1, 9, tzinfo=UTC)
STATUSES = {None, "forthcoming", "open", "closed"}
AID = {
    "slug": "a1b2-preter-des-echelles",
    "name": "Prêter des échelles",
    "financers": ["Ville des Échelles"],
    "description": "<p>La ville aide qui prête des échelles.</p>",
    "targeted_audiences": ["Associations"],
    "perimeter": "France",
    "recurrence": "Ponctuelle",
    "submission_deadline": "2031-09-16",
}
LISTED = {
    "titre": "Prêter des échelles",
    "organisme": "Région Île-de-France",
    "date_limite": "2031-09-16",
    "url_source": "https://www.iledefrance.fr/aides-et-appels-a-projets/4242",
    "resume": "La région aide qui prête des échelles.",
    "categories": [],
    "tags": [],
    "public_cible": ["Associations"],
    "perimetre_geo": "Île-de-France",
}
PAGE = LISTED | {
    "id": "0f3a",
    "source_id": "paris_fr",
    "url_source": "https://www.paris.fr/pages/preter-des-echelles-4242",
    "content_file": "data\\paris\\content\\0f3a.txt",
    "pdf_filename": None,
}
OWN = """calls:
  - identifier: OWN-1
    title: Prêter des échelles
    deadlines: [2031-09-16]
    description: Une fondation aide qui prête des échelles.
"""
FILES = {
    "eu-portal-search": json.dumps(answer(row())),
    "eu-portal-topic": json.dumps(topic()),
    "eu-portal-normalised": json.dumps(exported()),
    "aides-territoires": json.dumps({"count": 1, "next": None, "results": [AID]}),
    "ile-de-france": json.dumps([LISTED]),
    "french-pages": json.dumps([PAGE]),
    "own": OWN,
}


@pytest.fixture(params=sorted(SAVED))
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A format and a file of it with one call."""
    form = str(request.param)
    path = tmp_path / ("calls.yaml" if form == "own" else "metadata.json")
    if form == "eu-portal-bulk":
        write_bulk(path, 1)
    else:
        path.write_text(FILES[form], encoding="utf-8")
    return form, path


def records(form: str, path: Path) -> list[CallRecord]:
    """What a file holds; none of it may be a flaw."""
    found = list(read_saved(form, path, path.name, CHECKED))
    assert all(isinstance(each, CallRecord) for each in found), found
    return [each for each in found if isinstance(each, CallRecord)]


def test_a_file_is_of_its_own_format_alone(saved: tuple[str, Path]) -> None:
    """The content decides; no other format that is asked before it takes the file."""
    form, path = saved
    assert recognise(path, path.name) == form


def test_a_call_has_an_identity_and_a_source(saved: tuple[str, Path]) -> None:
    """What merges and what is told: identifier, title, source, language, when it was given."""
    [record] = records(*saved)
    assert record.call.identifier.strip() == record.call.identifier
    assert record.key == record.call.identifier.casefold()
    assert record.call.title
    assert record.source
    assert record.language in {"en", "fr"}
    assert record.checked.tzinfo is not None
    assert record.status in STATUSES
    assert not record.gone


def test_facts_and_sources_are_not_a_formats_to_give(saved: tuple[str, Path]) -> None:
    """The run adds both."""
    [record] = records(*saved)
    assert (record.call.facts, record.call.sources, record.call.first_seen) == ((), (), None)


def test_times_are_aware_and_in_order(saved: tuple[str, Path]) -> None:
    """Every deadline once, earliest first."""
    [record] = records(*saved)
    moments = record.call.deadlines
    assert moments
    assert all(moment.tzinfo is not None for moment in moments)
    assert all(one < other for one, other in pairwise(moments))


def test_texts_are_pages_whose_blocks_are_exact(saved: tuple[str, Path]) -> None:
    """Numbered from 1 and labelled; the first begins with the title; blocks do not overlap."""
    [record] = records(*saved)
    assert [page.number for page in record.pages] == list(range(1, len(record.pages) + 1))
    assert record.pages[0].text.startswith(record.call.title)
    for page in record.pages:
        assert page.label
        assert page.text.strip() == page.text
        assert all(0 <= block.start < block.end <= len(page.text) for block in page.blocks)
        assert all(one.end <= other.start for one, other in pairwise(page.blocks))


def test_reading_twice_gives_the_same(saved: tuple[str, Path]) -> None:
    """What has not changed makes no version."""
    assert records(*saved) == records(*saved)


@pytest.mark.parametrize("text", ['{"results": []}', "[]", "a;b\n1;2\n", "# Note\n", "{", TOPIC])
def test_what_is_no_saved_answer_is_none(tmp_path: Path, text: str) -> None:
    """Ordinary files go to the readers of documents."""
    path = tmp_path / "file.json"
    path.write_text(text, encoding="utf-8")
    assert recognise(path, path.name) is None

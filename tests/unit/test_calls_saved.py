"""Saved answers are recognised by what they hold, and read within limits."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from eu_answers import answer, bulk_item, exported, row, topic, write_bulk

from ingest.calls.base import CallRecord, Flaw
from ingest.calls.saved import read_saved, recognise
from ingest.calls.sources import streams
from kb.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

CHECKED = datetime(2031, 1, 5, 12, 0, tzinfo=UTC)


def _write(folder: Path, content: str | bytes, name: str = "saved.json") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _read(path: Path) -> tuple[list[str], list[Flaw]]:
    kind = recognise(path, path.name)
    assert kind is not None
    found = list(read_saved(kind, path, path.name, CHECKED))
    records = [each.call.identifier for each in found if isinstance(each, CallRecord)]
    return records, [each for each in found if isinstance(each, Flaw)]


BULK = {"fundingData": {"GrantTenderObj": [bulk_item()]}}


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("eu-portal-search", json.dumps(answer(row()))),
        ("eu-portal-search", json.dumps(answer(row()), indent=1, sort_keys=True)),
        ("eu-portal-search", json.dumps([answer(row()), answer(row("CERV-2031-X"))])),
        ("eu-portal-topic", json.dumps(topic())),
        ("eu-portal-bulk", json.dumps(BULK)),
        ("eu-portal-normalised", json.dumps(exported()) + "\n"),
        ("eu-portal-normalised", json.dumps([exported()])),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_each_format_is_recognised_by_its_content(
    tmp_path: Path, kind: str, content: str, *, packed: bool
) -> None:
    """Neither the name nor packing matters; a byte order mark doesn't either."""
    data = b"\xef\xbb\xbf" + content.encode()
    path = _write(tmp_path, gzip.compress(data) if packed else data, "anything")
    assert recognise(path, path.name) == kind
    records, flaws = _read(path)
    assert records
    assert flaws == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "Plain words about a call for proposals.",
        "{",
        '{"results": [{"id": "https://openalex.org/W1", "title": "Rivers"}], "meta": {}}',
        '{"response": {"docs": [{"halId_s": "hal-1", "title_s": ["Rivers"]}]}}',
        '{"title": "TopicDetails", "fundingData": 3}',
        "name;amount\nRivers;3\n",
        "<html><body>TopicDetails</body></html>",
        b"\x1f\x8b broken gzip",
        b"%PDF-1.7 \x00\x01\r\xff",
        "[]",
        "null",
    ],
)
def test_other_files_are_no_saved_answers(tmp_path: Path, content: str | bytes) -> None:
    """Ordinary documents go to the readers of documents."""
    path = _write(tmp_path, content)
    assert recognise(path, path.name) is None


def test_a_file_that_is_not_there_is_no_saved_answer(tmp_path: Path) -> None:
    """Asking about it does no harm."""
    assert recognise(tmp_path / "none.json", "none.json") is None


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(exported("A-2031-1")) + json.dumps(exported("A-2031-2"))[:200],
        "\n".join([json.dumps(exported("A-2031-1")), '{"topicId": ']),
        json.dumps([exported("A-2031-1"), exported("A-2031-2")])[:-300],
    ],
)
def test_a_cut_export_gives_the_records_before_the_cut_and_a_flaw(
    tmp_path: Path, text: str
) -> None:
    """What can be read is read, and the loss is told."""
    records, flaws = _read(_write(tmp_path, text))
    assert records == ["A-2031-1"]
    assert len(flaws) == 1
    assert "cut or broken" in flaws[0].problem


def test_a_cut_page_of_the_search_gives_the_rows_before_the_cut(tmp_path: Path) -> None:
    """Rows are read one by one, not page by page."""
    text = json.dumps(answer(row("A-2031-1"), row("A-2031-2")))
    records, flaws = _read(_write(tmp_path, text[:-40]))
    assert records == ["A-2031-1"]
    assert [flaw.where for flaw in flaws] == ["saved.json"]


def test_a_cut_bulk_file_gives_the_calls_before_the_cut(tmp_path: Path) -> None:
    """So a download that broke off still serves."""
    both = {"fundingData": {"GrantTenderObj": [bulk_item(1), bulk_item(2)]}}
    records, flaws = _read(_write(tmp_path, json.dumps(both)[:-30]))
    assert records == ["LIFE-2031-BOGS-1"]
    assert len(flaws) == 1


def test_a_damaged_gzip_file_gives_what_came_before_the_damage(tmp_path: Path) -> None:
    """The flaw names the file."""
    packed = gzip.compress(
        "".join(json.dumps(exported(f"A-2031-{n}")) for n in range(400)).encode()
    )
    records, flaws = _read(_write(tmp_path, packed[: len(packed) * 2 // 3]))
    assert records[:2] == ["A-2031-0", "A-2031-1"]
    assert len(flaws) == 1
    assert "saved.json" in flaws[0].problem


def test_rows_of_one_call_on_several_pages_make_one_record(tmp_path: Path) -> None:
    """Pages of one answer, one a line, are read as one answer."""
    stub: dict[str, Any] = row(status=None, descriptionByte=None)
    text = "\n".join(json.dumps(answer(each)) for each in (stub, row(), row("B-2031-1")))
    records, flaws = _read(_write(tmp_path, text))
    assert records == ["HORIZON-CL2-2031-01-RIVERS-01", "B-2031-1"]
    assert flaws == []


def test_a_file_that_unpacks_beyond_the_limit_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small file that holds gigabytes is no way to fill the machine."""
    monkeypatch.setattr(streams, "LARGEST", 300_000)
    bomb = gzip.compress(json.dumps(exported()).encode() + b" " * 3_000_000)
    records, flaws = _read(_write(tmp_path, bomb))
    assert len(records) == 1
    assert "more than" in flaws[0].problem


def test_the_bulk_file_leaves_tenders_out(tmp_path: Path) -> None:
    """Half of a generated file are tenders."""
    path = tmp_path / "grantsTenders.json"
    write_bulk(path, items=20)
    records, flaws = _read(path)
    assert len(records) == 10
    assert flaws == []


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    """The message lists the formats there are."""
    with pytest.raises(UsageError, match="eu-portal-bulk"):
        list(read_saved("other", tmp_path, "x", CHECKED))

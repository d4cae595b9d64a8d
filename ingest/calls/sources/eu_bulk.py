"""Reads the EU portal's bulk file ``grantsTenders.json`` (130 MB) as a stream; it has no texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, BinaryIO

import ijson  # type: ignore[import-untyped]  # it ships no types

from ingest.calls.base import CallRecord, Flaw
from ingest.calls.sources.eu_fields import Fields, wrong
from ingest.calls.sources.eu_record import record_of
from ingest.calls.sources.eu_terms import TYPES
from ingest.calls.sources.eu_topic import stated_of
from ingest.calls.sources.streams import opened
from kb.errors import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

SOURCE = "eu-portal-bulk"
_ROOT = re.compile(
    rb'\s*(?:\xef\xbb\xbf)?\s*\{\s*"fundingData"\s*:\s*\{\s*"GrantTenderObj"\s*:\s*\['
)
_ITEMS = "fundingData.GrantTenderObj.item"


def accepts(head: bytes, name: str) -> bool:  # noqa: ARG001 -- every format is asked alike
    """Tell whether the file is the bulk file."""
    return bool(_ROOT.match(head))


def read(path: Path, name: str, checked: datetime) -> Iterator[CallRecord | Flaw]:
    """Yield the calls of a bulk file."""
    with opened(path, name) as stream:
        yield from read_bulk(stream, checked)


def read_bulk(stream: BinaryIO, checked: datetime) -> Iterator[CallRecord | Flaw]:
    """Yield the calls of the bulk file, one at a time in memory; tenders are left out.

    A file that is cut ends with a flaw.
    """
    place = 0
    try:
        for place, item in enumerate(ijson.items(stream, _ITEMS, use_float=True), 1):
            try:
                if record := _record(item, checked):
                    yield record
            except UnreadableError as error:
                yield Flaw(_where(place, item), str(error))
    except ijson.JSONError as error:
        yield Flaw(f"after item {place}", f"the file is cut or broken: {error}")


def _record(item: Any, checked: datetime) -> CallRecord | None:
    if not isinstance(item, dict):
        raise wrong(_ITEMS, "an object", item)
    kind = item.get("type")
    if isinstance(kind, bool) or not isinstance(kind, (int, str)):
        raise wrong("type", "a code", kind)
    if str(kind) not in TYPES:
        return None
    return record_of(stated_of(Fields(item)), SOURCE, "en", checked)


def _where(place: int, item: Any) -> str:
    name = item.get("identifier") if isinstance(item, dict) else None
    return f"item {place}" + (f" ({name})" if isinstance(name, str) else "")

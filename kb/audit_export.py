"""The audit trail as a file: lines of JSON, or a table for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from kb.audit import event_json
from kb.calls.export import harmless, to_jsonl
from kb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kb.record.audit import Event

_BETWEEN = " | "
_MARK = b"\xef\xbb\xbf"  # of UTF-8, by which Excel knows it


class Form(StrEnum):
    """How events are written."""

    JSONL = "jsonl"
    CSV = "csv"


def exported(events: Iterable[Event], form: Form) -> Iterator[bytes]:
    """Write events one after the other; nothing is held but the one that is written."""
    if form is Form.CSV:
        yield _MARK + _csv_row(list(_COLUMNS))
        for event in events:
            values = event_json(event)
            yield _csv_row([_cell(read(values)) for read in _COLUMNS.values()])
    else:
        for event in events:
            yield to_jsonl([event_json(event)])


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its place once it is whole; nobody but its owner may read it.

    Raises:
        UsageError: It can't be written there.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}.") from None


def _csv_row(cells: list[Any]) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\r\n").writerow(cells)
    return written.getvalue().encode()


def _cell(value: Any) -> Any:
    return harmless(value) if isinstance(value, str) else value


def _plain(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda values: values[name]


def _documents(values: dict[str, Any]) -> str:
    shown = (f"{each['document_id']} v{each['version']}" for each in values["returned"])
    return _BETWEEN.join(dict.fromkeys(shown))


def _passages(values: dict[str, Any]) -> str:
    shown = (each["passage_id"] for each in values["returned"])
    return _BETWEEN.join(each for each in shown if each)


def _filters(values: dict[str, Any]) -> str:
    return json.dumps(values["filters"], ensure_ascii=False) if values["filters"] else ""


_FIRST = ("id", "at", "request_id", "door", "role", "key_id", "key", "action")
_THEN = ("query", "query_hash", "language")
_COLUMNS: dict[str, Callable[[dict[str, Any]], Any]] = {
    **{name: _plain(name) for name in (*_FIRST, *_THEN)},
    "filters": _filters,
    "outcome": _plain("outcome"),
    "documents": _documents,
    "passages": _passages,
    "took_ms": _plain("took_ms"),
    "generation": _plain("generation"),
}

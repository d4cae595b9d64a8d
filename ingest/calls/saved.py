"""Recognises saved answers of sources of calls, and reads them into records.

Each format is a module with ``accepts(head, name)``, which is asked with the first 64 KiB of the
file, unpacked, and ``read(path, name, checked)``, which yields records and flaws.
``ingest.calls.sources.streams`` opens a file (gzip or not) and splits JSON into values.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from ingest.calls.base import CallRecord, Flaw
from ingest.calls.sources.streams import head_of
from kb.errors import UnreadableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

# In the order in which they are asked. Imported when asked, for what the others cost.
SAVED = {
    "eu-portal-search": "ingest.calls.sources.eu_portal",
    "eu-portal-topic": "ingest.calls.sources.eu_topic",
    "eu-portal-bulk": "ingest.calls.sources.eu_bulk",
    "eu-portal-normalised": "ingest.calls.sources.eu_normalised",
    "aides-territoires": "ingest.calls.sources.aides_territoires",
    "ile-de-france": "ingest.calls.sources.ile_de_france",
    "french-pages": "ingest.calls.sources.french_pages",
    "own": "ingest.calls.sources.own",
}
_BINARY = b"\x00"  # no saved answer holds one, and most other files do
# Formats whose texts lie in files beside the list: it is read in its own folder.
BESIDE = frozenset({"french-pages"})


class SavedFormat(Protocol):
    """A module that reads one format of saved answers."""

    def accepts(self, head: bytes, name: str) -> bool:
        """Tell whether a file that begins with ``head`` (64 KiB, unpacked) is of this format."""

    def read(self, path: Path, name: str, checked: datetime) -> Iterator[CallRecord | Flaw]:
        """Yield what the file holds, in its order; ``checked`` is when it was saved.

        Raises:
            UnreadableError: The rest of the file can't be read.
        """


def recognise(path: Path, name: str) -> str | None:
    """Return the name of a saved answer's format; nothing for any other file."""
    head = head_of(path, name)
    if not head or _BINARY in head:
        return None
    return next((kind for kind in SAVED if _format(kind).accepts(head, name)), None)


def read_saved(kind: str, path: Path, name: str, checked: datetime) -> Iterator[CallRecord | Flaw]:
    """Yield the records of a saved answer; a file that is cut ends with a flaw that says so.

    Raises:
        UsageError: There is no such format.
    """
    if kind not in SAVED:
        raise UsageError(f"There is no format {kind!r}; there are: {', '.join(SAVED)}.")
    try:
        yield from _format(kind).read(path, name, checked)
    except UnreadableError as error:
        yield Flaw(name, str(error))


def _format(kind: str) -> SavedFormat:
    return cast("SavedFormat", import_module(SAVED[kind]))

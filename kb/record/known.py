"""What a run knows of files and versions: those already there, and the one to be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kb.record import rows

if TYPE_CHECKING:
    from sqlalchemy import Row

    from kb.model import Metadata


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What a run knows of a version before it is written."""

    document_id: str
    work: str
    number: int
    sha256: str
    original: str | None
    media_type: str
    source: str
    paged: bool
    warnings: tuple[str, ...]
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class KnownSource:
    """A file that the building generation already holds, and the version it gave.

    ``sha256`` is that of the version's original: a copy has the same, another format has not.
    """

    path: str
    fingerprint: str
    version_key: int
    document_id: str
    number: int
    indexed: bool
    removed: bool
    sha256: str
    current: bool
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """A version that the building generation already holds."""

    key: int
    document_id: str
    number: int
    sha256: str
    source: str
    current: bool
    metadata: Metadata


def known_version(row: Row[Any]) -> KnownVersion:
    """The version of a row of ``versions`` joined with its ``members``."""
    return KnownVersion(
        row.key,
        row.document_id,
        row.number,
        row.sha256,
        row.source,
        row.current,
        rows.metadata_of(row),
    )

"""What a run knows of files and versions: those already there, and the one to be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kb.model import Visibility

if TYPE_CHECKING:
    from datetime import date

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
    """A file that the building generation already holds, and the version it gave."""

    path: str
    fingerprint: str
    version_key: int
    document_id: str
    number: int
    indexed: bool
    removed: bool


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """A version that the building generation already holds."""

    key: int
    document_id: str
    number: int
    sha256: str
    version_date: date | None
    visibility: Visibility
    source: str
    current: bool


def known_version(row: Row[Any]) -> KnownVersion:
    """The version of a row of ``versions`` joined with its ``members.current``."""
    return KnownVersion(
        row.key,
        row.document_id,
        row.number,
        row.sha256,
        row.version_date,
        Visibility(row.visibility),
        row.source,
        row.current,
    )


def wider(visibility: Visibility) -> tuple[Visibility, ...]:
    """The visibilities by which more people see a document than by this one."""
    widest_first = tuple(Visibility)
    return widest_first[: widest_first.index(visibility)]

"""Which document a file is, and which of its versions (docs/decisions/0005)."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from kb.analysis import fold

if TYPE_CHECKING:
    from kb.model import Metadata
    from kb.record.known import KnownVersion

_MAX_SLUG = 80


def identify(metadata: Metadata, path: str, language: str) -> tuple[str, str]:
    """Return the ids of the document and of its work, which translations share.

    Both are safe in a URL. ``path`` is the absolute path of the file.
    """
    if metadata.celex:
        work = _apart(metadata.celex, metadata.celex.upper(), "[A-Z0-9-]+")
    elif metadata.doi:
        work = f"doi-{_apart(metadata.doi)}"
    elif metadata.identifier:
        work = _apart(metadata.identifier)
    else:
        stem = path.rpartition("/")[2].rpartition(".")[0] or path.rpartition("/")[2]
        digest = hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()[:8]
        alone = f"{slug(stem)}-{digest}".strip("-")
        return alone, alone
    return f"{work}-{language}", work


def _apart(text: str, said: str = "", safe: str = "[a-z0-9-]+") -> str:
    """A name as part of an id; one that loses signs by it is told apart by a digest."""
    said = said or fold(text)
    if re.fullmatch(safe, said) and len(said) <= _MAX_SLUG:
        return said
    digest = hashlib.sha256(text.lower().encode()).hexdigest()[:8]
    return f"{slug(text)}-{digest}".strip("-")


def slug(text: str) -> str:
    """Text in lower case ASCII letters, digits and single hyphens, at most 80 of them."""
    return re.sub(r"[^a-z0-9]+", "-", fold(text)).strip("-")[:_MAX_SLUG].rstrip("-")


def same_content(sha256: str, known: list[KnownVersion]) -> KnownVersion | None:
    """The version with this content: the current one, or a dated one of a work.

    An undated file that went back to what it was two versions ago is a new version.
    """
    for version in known:
        if version.sha256 == sha256 and (version.current or version.metadata.version_date):
            return version
    return None


def is_newest(metadata: Metadata, known: list[KnownVersion]) -> bool:
    """Whether a version becomes the current one: undated, or dated no earlier than the others."""
    dates = [version.metadata.version_date for version in known if version.metadata.version_date]
    return metadata.version_date is None or not dates or metadata.version_date >= max(dates)

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
        work = metadata.celex.upper()
    elif metadata.doi:
        work = f"doi-{slug(metadata.doi)}"
    elif metadata.identifier:
        work = slug(metadata.identifier)
    else:
        stem = path.rpartition("/")[2].rpartition(".")[0] or path.rpartition("/")[2]
        digest = hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()[:8]
        alone = f"{slug(stem)}-{digest}".strip("-")
        return alone, alone
    return f"{work}-{language}", work


def slug(text: str) -> str:
    """Text in lower case ASCII letters, digits and single hyphens, at most 80 of them."""
    return re.sub(r"[^a-z0-9]+", "-", fold(text)).strip("-")[:_MAX_SLUG].rstrip("-")


def same_content(sha256: str, known: list[KnownVersion]) -> KnownVersion | None:
    """The version with this content: the current one, or a dated one of a work.

    An undated file that went back to what it was two versions ago is a new version.
    """
    for version in known:
        if version.sha256 == sha256 and (version.current or version.version_date):
            return version
    return None


def is_newest(metadata: Metadata, known: list[KnownVersion]) -> bool:
    """Whether a version becomes the current one: undated, or dated no earlier than the others."""
    dates = [version.version_date for version in known if version.version_date]
    return metadata.version_date is None or not dates or metadata.version_date >= max(dates)

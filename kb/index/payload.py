"""What a point's payload holds, and what of it can be filtered; shared by every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kb.analysis import fold

if TYPE_CHECKING:
    from kb.index.base import Point

DENSE = "dense"
SPARSE = "bm25"
KEYWORDS = ("document_id", "kind", "language", "visibility", "issuer", "themes")
DATES = ("published",)


def payload(point: Point) -> dict[str, Any]:
    """The payload of a point; a document without a date has no ``published``."""
    document = point.document
    values: dict[str, Any] = {
        "document_id": document.id,
        "kind": document.kind.value,
        "language": point.passage.language,
        "visibility": document.visibility.value,
        "issuer": issuer_key(document.metadata.issuer or ""),
        "themes": list(document.metadata.themes),
    }
    if document.metadata.published:
        values["published"] = f"{document.metadata.published.isoformat()}T00:00:00Z"
    return values


def issuer_key(issuer: str) -> str:
    """An issuer's name as it is compared: without case, accents or extra spaces."""
    return " ".join(fold(issuer).split())

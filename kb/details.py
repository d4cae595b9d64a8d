"""A document and a page in full, as every door shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kb.shapes import document_json, page_json

if TYPE_CHECKING:
    from kb.model import Access, Document, Page
    from kb.record.reading import Record


def document_detail(
    record: Record, generation: int, document: Document, access: Access
) -> dict[str, Any]:
    """A version of a document, with the other versions and the translations that one may see."""
    versions = record.versions(generation, document.id, access)
    translations = record.translations(generation, document.id, access)
    return {
        **document_json(document),
        "page_count": record.page_count(document),
        "versions": [document_json(other) for other in versions],
        "translations": [document_json(other) for other in translations],
    }


def page_detail(record: Record, document: Document, page: Page) -> dict[str, Any]:
    """A page or section, with the numbers of those before and after it."""
    count, number = record.page_count(document), page.number
    return {
        **page_json(document, page),
        "page_count": count,
        "prev": number - 1 if number > 1 else None,
        "next": number + 1 if number < count else None,
    }

"""Documents and pages as tools and resources give them; what may not be seen is not found."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from api.mcp.uris import page_uri
from kb import details
from kb.audited import note_named
from kb.errors import NotFoundError
from kb.model import Span
from kb.record.audit import Action
from kb.shapes import document_json, page_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.mcp.asking import Asking
    from api.mcp.uris import Named
    from kb.bootstrap import KnowledgeBase
    from kb.model import Access, Document, Page

# What assistants have no use for: words are quoted by their offsets, not by their place on paper.
LAYOUT = ("boxes", "width", "height")


def document_detail(kb: KnowledgeBase, asking: Asking, named: Named) -> dict[str, Any]:
    """A version of a document, its other versions and its translations.

    Raises:
        NotFoundError: There is none, or the caller may not see it.
    """
    generation, document = _document(kb, asking, named)
    return _detail(kb, asking.access, generation, document)


def document_outlined(kb: KnowledgeBase, asking: Asking, named: Named) -> dict[str, Any]:
    """The same with its pages or sections, and the headings that passages stand under on each.

    Raises:
        NotFoundError: There is none, or the caller may not see it.
    """
    generation, document = _document(kb, asking, named)
    headings: dict[int, dict[str, None]] = {}
    for passage in kb.record.passages(document):
        if passage.heading:
            headings.setdefault(passage.spans[0].number, {})[passage.heading] = None
    outline = [
        {
            "page": number if document.paged else None,
            "section": None if document.paged else number,
            "page_label": label,
            "uri": page_uri(document.id, number),
            "headings": list(headings.get(number, ())),
        }
        for number, label, _ in kb.record.page_texts_of(document)
    ]
    return {**_detail(kb, asking.access, generation, document), "outline": outline}


def page_detail(
    kb: KnowledgeBase, asking: Asking, named: Named
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A page or section with its text as citations quote it, and its source as they name it.

    Raises:
        NotFoundError: There is none, or the caller may not see it.
    """
    generation, number, wanted = kb.record.current_id(), named.number or 1, named.version
    found = None
    if generation is not None:
        found = kb.record.page(generation, named.document_id, number, asking.access, wanted)
    note_named(
        asking.audit, Action.PAGE, found and found[0], named.document_id, wanted, page=number
    )
    if found is None:
        raise _not_found()
    document, page = found
    whole = details.page_detail(kb.record, document, page)
    shown = {name: value for name, value in whole.items() if name not in LAYOUT}
    return shown, _source(document, page)


def listed(kb: KnowledgeBase, access: Access, after: str, most: int) -> Sequence[Document]:
    """Documents that the caller may see, by id, those after ``after``."""
    generation = kb.record.current_id()
    return [] if generation is None else kb.record.list_documents(generation, access, after, most)


def _document(kb: KnowledgeBase, asking: Asking, named: Named) -> tuple[int, Document]:
    generation, document = kb.record.current_id(), None
    if generation is not None:
        document = kb.record.document(generation, named.document_id, asking.access, named.version)
    note_named(asking.audit, Action.DOCUMENT, document, named.document_id, named.version)
    if generation is None or document is None:
        raise _not_found()
    return generation, document


def _detail(
    kb: KnowledgeBase, access: Access, generation: int, document: Document
) -> dict[str, Any]:
    return details.document_detail(kb.record, generation, document, access)


def _source(document: Document, page: Page) -> dict[str, Any]:
    known = document_json(document)
    numbers = (page.number, None) if document.paged else (None, page.number)
    span = Span(numbers[0], page.label, numbers[1], 0, len(page.text))
    named = ("title", "issuer", "published", "version_date")
    return {
        **{name: known[name] for name in named},
        "spans": [asdict(span)],
        "url": page_url(document, span),
    }


def _not_found() -> NotFoundError:
    """One answer for what isn't there and what the caller may not see: they can't be told apart."""
    return NotFoundError("There is no such document, version or page here that you may read.")

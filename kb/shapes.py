"""The JSON that every door returns: command line, HTTP, and what comes after."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kb.model import Answer, Citation, Document, Hit, Page, Span
    from kb.record.reading import Generation
    from kb.search.engine import SearchResult


def search_json(result: SearchResult) -> dict[str, Any]:
    """A search with its hits."""
    return {
        "query": result.query,
        "language": result.language,
        "took_ms": result.took_ms,
        "hits": [hit_json(hit) for hit in result.hits],
    }


def hit_json(hit: Hit) -> dict[str, Any]:
    """A passage found; ``page`` is its first span's."""
    passage, document = hit.passage, hit.document
    return {
        "rank": hit.rank,
        "score": round(hit.score, 4),
        "passage_id": passage.id,
        **_document_fields(document),
        "kind": document.kind.value,
        "language": passage.language,
        "heading": passage.heading,
        "text": passage.text,
        "page": passage.spans[0].page,
        "page_label": passage.spans[0].page_label,
        "spans": [asdict(span) for span in passage.spans],
        "url": page_url(document, passage.spans[0]),
    }


def answer_json(answer: Answer) -> dict[str, Any]:
    """An answer: its sentences, what they cite, or the nearest passages of a refusal."""
    return {
        "question": answer.question,
        "language": answer.language,
        "status": answer.status,
        "confidence": round(answer.confidence, 4),
        "sentences": [
            {
                "text": sentence.text,
                "citations": list(sentence.citations),
                "also": list(sentence.also),
            }
            for sentence in answer.sentences
        ],
        "citations": [citation_json(citation) for citation in answer.citations],
        "differs": [
            {
                "value": stated.value,
                "citation": stated.citation,
                "date": _date(stated.day),
                "current": stated.current,
            }
            for stated in answer.differs
        ],
        "nearest": [hit_json(hit) for hit in answer.nearest],
    }


def citation_json(citation: Citation) -> dict[str, Any]:
    """Exact words with their document and page, who says it and when."""
    return {
        "number": citation.number,
        "passage_id": citation.passage.id,
        **_document_fields(citation.document),
        "version_date": _date(citation.document.metadata.version_date),
        "current": citation.document.current,
        "language": citation.passage.language,
        "page": citation.spans[0].page,
        "page_label": citation.spans[0].page_label,
        "spans": [asdict(span) for span in citation.spans],
        "quote": citation.quote,
        "url": page_url(citation.document, citation.spans[0]),
        "verified": citation.verified,
    }


def document_json(document: Document) -> dict[str, Any]:
    """A version of a document with everything known of it but its text."""
    metadata = document.metadata
    return {
        "id": document.id,
        "version": document.version,
        "current": document.current,
        "title": document.title,
        "kind": document.kind.value,
        "visibility": document.visibility.value,
        "language": document.language,
        "authors": list(metadata.authors),
        "issuer": metadata.issuer,
        "published": _date(metadata.published),
        "version_date": _date(metadata.version_date),
        "themes": list(metadata.themes),
        "celex": metadata.celex,
        "eli": metadata.eli,
        "doi": metadata.doi,
        "identifier": metadata.identifier,
        "licence": metadata.licence,
        "url": metadata.url,
        "paged": document.paged,
        "ingested": document.ingested.isoformat(timespec="seconds"),
    }


def page_json(document: Document, page: Page) -> dict[str, Any]:
    """A page or section with its text, boxes and size (PDF points)."""
    return {
        "document_id": document.id,
        "version": document.version,
        "title": document.title,
        "page": page.number if document.paged else None,
        "section": None if document.paged else page.number,
        "page_label": page.label,
        "text": page.text,
        "width": page.width,
        "height": page.height,
        "ocr_confidence": page.ocr_confidence,
        "boxes": [
            [box.start, box.end, box.left, box.top, box.right, box.bottom] for box in page.boxes
        ],
    }


def generation_json(generation: Generation) -> dict[str, Any]:
    """A published generation."""
    return {
        "id": generation.id,
        "created": generation.created.isoformat(timespec="seconds"),
        "documents": generation.documents,
        "passages": generation.passages,
        "encoder": generation.encoder,
    }


def page_url(document: Document, span: Span) -> str:
    """Where the page can be read: at its source if that is known, else in this service."""
    source = document.metadata.url
    if source is None:
        return f"/v1/documents/{document.id}/pages/{span.number}?version={document.version}"
    return f"{source}#page={span.page}" if span.page and "#" not in source else source


def _document_fields(document: Document) -> dict[str, Any]:
    return {
        "document_id": document.id,
        "version": document.version,
        "title": document.title,
        "issuer": document.metadata.issuer,
        "published": _date(document.metadata.published),
    }


def _date(day: Any) -> str | None:
    return None if day is None else day.isoformat()

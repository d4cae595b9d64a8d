"""The JSON that every door returns: command line, HTTP, and what comes after."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC
from typing import TYPE_CHECKING, Any

from kb.calls.dates import BRUSSELS
from kb.calls.news import describe
from kb.calls.status import said_status
from kb.index.conditions import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from kb.calls.finder import CallHit, CallPage
    from kb.calls.match import Match, Statement
    from kb.calls.news import CallNews
    from kb.model import (
        Answer,
        Citation,
        Document,
        Fact,
        Hit,
        Page,
        Sentence,
        Span,
        Stated,
    )
    from kb.record.calls import Coverage
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
        "took_ms": answer.took_ms,
        "status": answer.status,
        "confidence": round(answer.confidence, 4),
        "sentences": [_sentence_json(sentence) for sentence in answer.sentences],
        "citations": [citation_json(citation) for citation in answer.citations],
        "differs": [_stated_json(stated) for stated in answer.differs],
        "nearest": [hit_json(hit) for hit in answer.nearest],
    }


def sentence_steps_json(answer: Answer) -> Iterator[dict[str, Any]]:
    """Each sentence with ``introduces``: the citations that none before it refers to."""
    known: set[int] = set()
    for sentence in answer.sentences:
        numbers = {*sentence.citations, *sentence.also} - known
        known |= numbers
        introduced = [citation_json(answer.citations[number - 1]) for number in sorted(numbers)]
        yield {**_sentence_json(sentence), "introduces": introduced}


def answer_end_json(answer: Answer, retrieval_ms: float) -> dict[str, Any]:
    """What is said of an answer beside its sentences, and what of its time went into what."""
    return {
        "status": answer.status,
        "confidence": round(answer.confidence, 4),
        "differs": [_stated_json(stated) for stated in answer.differs],
        "nearest": [hit_json(hit) for hit in answer.nearest],
        "timings": {
            "retrieval_ms": retrieval_ms,
            "reading_ms": round(answer.took_ms - retrieval_ms, 1),
            "total_ms": answer.took_ms,
        },
    }


def _sentence_json(sentence: Sentence) -> dict[str, Any]:
    return {
        "text": sentence.text,
        "citations": list(sentence.citations),
        "also": list(sentence.also),
    }


def _stated_json(stated: Stated) -> dict[str, Any]:
    return {
        "value": stated.value,
        "citation": stated.citation,
        "date": _date(stated.day),
        "current": stated.current,
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
        "valid_until": _date(metadata.valid_until),
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


def call_page_json(page: CallPage, language: str) -> dict[str, Any]:
    """One page of calls with facet counts and the cursor of the next."""
    return {
        "total": page.total,
        "facets": page.facets,
        "next": page.next,
        "hits": [call_hit_json(hit, language) for hit in page.hits],
    }


def call_hit_json(hit: CallHit, language: str) -> dict[str, Any]:
    """A call with its status now; times are Brussels time, money is whole euros."""
    call, status = hit.call, hit.status
    return {
        "identifier": call.identifier,
        "document_id": hit.document.id,
        "title": call.title,
        "programme": call.programme,
        "action_types": list(call.action_types),
        "status": status.status.value,
        "status_reason": status.reasons.get(language) or status.reasons["en"],
        "portal_status": said_status(call),
        "opens": None if call.opens is None else brussels(call.opens),
        "deadlines": [brussels(moment) for moment in call.deadlines],
        "deadline_model": call.deadline_model,
        "next_deadline": None if status.next_deadline is None else brussels(status.next_deadline),
        "days_left": status.days_left,
        "budget": call.budget,
        "budget_shared": call.budget_shared,
        "grant_min": call.grant_min,
        "grant_max": call.grant_max,
        "applicants": [applicant.value for applicant in call.applicants] or [UNKNOWN],
        "countries": list(call.countries) or [UNKNOWN],
        "score": None if hit.score is None else round(hit.score, 4),
        "why": [citation_json(citation) for citation in hit.why],
        "url": call.url,
        "sources": [
            {
                "name": source.name,
                "url": source.url,
                "checked": source.checked.astimezone(UTC).isoformat(timespec="seconds"),
                "status": source.status,
                "language": source.language,
                "gone": source.gone,
            }
            for source in call.sources
        ],
    }


def call_detail_json(
    hit: CallHit,
    language: str,
    facts: Sequence[tuple[Fact, Citation]],
    history: Sequence[CallNews],
) -> dict[str, Any]:
    """Everything known of a call, each fact from its text with the sentence, and its history."""
    call = hit.call
    return {
        **call_hit_json(hit, language),
        "call_id": call.call_id,
        "call_title": call.call_title,
        "topic_id": call.topic_id,
        "programme_id": call.programme_id,
        "funder": call.funder,
        "rolling": call.rolling,
        "expected_grants": call.expected_grants,
        "consortium_min": call.consortium_min,
        "cofinancing": call.cofinancing,
        "themes": list(call.themes),
        "keywords": list(call.keywords),
        "languages": list(call.languages),
        "links": [{"name": link.name, "url": link.url} for link in call.links],
        "facts": [
            {"field": fact.field, "value": fact.value, "citation": citation_json(citation)}
            for fact, citation in facts
        ],
        "history": [news_json(news, language) for news in history],
    }


def call_text_json(document: Document, number: int, label: str | None, text: str) -> dict[str, Any]:
    """One of the texts of a call: description, conditions, how to apply."""
    return {
        "section": number,
        "label": label,
        "text": text,
        "url": f"/v1/documents/{document.id}/pages/{number}?version={document.version}",
    }


def match_json(found: Match, language: str) -> dict[str, Any]:
    """A call for a profile, with what speaks for it and what may rule it out."""
    return {
        **call_hit_json(found.hit, language),
        "fits": [_statement_json(each, language) for each in found.fits],
        "rules_out": [_statement_json(each, language) for each in found.rules_out],
    }


def _statement_json(statement: Statement, language: str) -> dict[str, Any]:
    return {
        "field": statement.field,
        "says": statement.says[language],
        "citation": citation_json(statement.citation),
    }


def news_json(news: CallNews, language: str) -> dict[str, Any]:
    """What changed of a call, with a sentence that says so."""
    return {
        "id": news.id,
        "identifier": news.identifier,
        "title": news.title,
        "at": news.at.astimezone(UTC).isoformat(timespec="seconds"),
        "kind": news.kind.value,
        "field": news.field,
        "before": news.before,
        "after": news.after,
        "says": describe(news, language),
    }


def brussels(moment: datetime) -> str:
    """An aware moment in Brussels time: 2026-03-17T17:00:00+01:00."""
    return moment.astimezone(BRUSSELS).isoformat(timespec="seconds")


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


def coverage_json(coverage: Coverage) -> dict[str, Any]:
    """Of how many calls each field is known, and in how many of these by a sentence."""
    return {
        "total": coverage.total,
        "fields": {
            name: {"known": known, "quoted": quoted}
            for name, (known, quoted) in coverage.fields.items()
        },
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

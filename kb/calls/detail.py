"""Everything that is known of one call: its fields, the sentences behind them, its history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kb.calls.why import cite_fact
from kb.shapes import call_detail_json, call_text_json

if TYPE_CHECKING:
    from kb.bootstrap import KnowledgeBase
    from kb.calls.finder import CallHit
    from kb.model import Access, Citation, Fact


def cited_facts(kb: KnowledgeBase, hit: CallHit) -> list[tuple[Fact, Citation]]:
    """The facts that were taken from a call's text, each with its sentence as a citation.

    A fact whose sentence is not on its page any more is left out, like any quote that fails.
    """
    if not hit.call.facts:
        return []
    passages = kb.record.passages(hit.document)
    found = [(fact, cite_fact(kb.record, hit.document, passages, fact)) for fact in hit.call.facts]
    return [(fact, citation) for fact, citation in found if citation is not None]


def detail_json(kb: KnowledgeBase, hit: CallHit, access: Access, language: str) -> dict[str, Any]:
    """A call as every door shows it in full."""
    generation = kb.record.current_id() or 0
    history = kb.calls.news(generation, access, document_ids=[hit.document.id])
    pages = kb.record.page_texts_of(hit.document)
    return call_detail_json(hit, language, cited_facts(kb, hit), history) | {
        "pages": [call_text_json(hit.document, *page) for page in pages]
    }

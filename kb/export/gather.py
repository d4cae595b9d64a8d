"""What is exported: an answer's quotes, quotes that somebody chose, or a brief, as a dossier."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from kb.briefs.model import Dossier, Missing, Paragraph, Quoted, Reference
from kb.briefs.resolve import resolve
from kb.calls.dates import brussels_day
from kb.errors import NotFoundError, UsageError
from kb.record.audit import Action, Outcome, Returned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kb.audited import Audit
    from kb.bootstrap import KnowledgeBase
    from kb.briefs.model import Block, Brief, Shown
    from kb.export.formats import ExportFormat
    from kb.export.wanted import WantedQuote
    from kb.model import Access, Answer, Citation

MAX_CHARACTERS: Final = 500_000  # of an export: about 200 pages, two seconds, 150 MB
_TITLES: Final = {"fr": "Citations", "en": "Quotes"}


def of_answer(
    kb: KnowledgeBase,
    answer: Answer,
    access: Access,
    language: str | None = None,
    title: str | None = None,
) -> Dossier:
    """The quotes of an answer, each followed by those that say the same elsewhere.

    Title and language are by default the question and its own.

    Raises:
        NotFoundError: The documents do not suffice to answer.
        UsageError: It is too long.
    """
    if not answer.sentences:
        raise NotFoundError(
            "The documents do not suffice to answer this question: there is nothing to export. "
            "Ask it to see what comes nearest."
        )
    order = [n for said in answer.sentences for n in (*said.citations, *said.also)]
    by_number = {citation.number: citation for citation in answer.citations}
    blocks = [_reference(by_number[number]) for number in dict.fromkeys(order)]
    return _dossier(kb, title or answer.question, language or answer.language, blocks, access)


def of_quotes(
    kb: KnowledgeBase,
    wanted: Sequence[WantedQuote],
    access: Access,
    language: str | None = None,
    title: str | None = None,
) -> Dossier:
    """Chosen quotes in their order; French unless told otherwise.

    Raises:
        UsageError: It is too long.
    """
    language = language or "fr"
    blocks = [each.reference() for each in wanted]
    made = _dossier(kb, title or _TITLES[language], language, blocks, access)
    shown = zip(wanted, made.blocks, strict=True)
    return replace(made, blocks=tuple(_as_given(quote, block) for quote, block in shown))


def of_brief(
    kb: KnowledgeBase,
    brief: Brief,
    access: Access,
    language: str | None = None,
    title: str | None = None,
) -> Dossier:
    """A brief as it stands today for whoever reads; by default with its own title and language.

    Raises:
        UsageError: It is too long.
    """
    return _dossier(kb, title or brief.title, language or brief.language, brief.blocks, access)


def note_export(audit: Audit, dossier: Dossier, form: ExportFormat, query: str | None) -> None:
    """Note an export with the passages that it quotes; ``query`` is the question it answers."""
    quoted = [block.citation for block in dossier.blocks if isinstance(block, Quoted)]
    audit.note(
        Action.EXPORT,
        query,
        Outcome.FOUND if quoted else Outcome.NOTHING,
        tuple(Returned(c.document.id, c.document.version, c.passage.id) for c in quoted),
        filters={"form": form.value},
        language=dossier.language,
    )


def _reference(citation: Citation) -> Reference:
    return Reference(citation.document.id, citation.document.version, citation.spans)


def _as_given(wanted: WantedQuote, block: Shown) -> Shown:
    """A block, or that it is missing where its page has other words than those that were given."""
    if isinstance(block, Quoted) and not wanted.is_given_by(block.citation.quote):
        return Missing(wanted.reference())
    return block


def _dossier(
    kb: KnowledgeBase, title: str, language: str, blocks: Sequence[Block], access: Access
) -> Dossier:
    now = kb.clock()
    shown = resolve(kb, blocks, access, now)
    length = sum(_length(block) for block in shown)
    if length > MAX_CHARACTERS:
        raise UsageError(
            f"The export has {length} characters, more than the {MAX_CHARACTERS} that one can "
            "have: export it in parts."
        )
    return Dossier(title, language, brussels_day(now), shown)


def _length(block: Shown) -> int:
    if isinstance(block, Paragraph):
        return len(block.text)
    return len(block.citation.quote) if isinstance(block, Quoted) else 0

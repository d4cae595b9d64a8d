"""Makes dossiers for tests of exports: quotes of documents that need no base."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from kb.briefs.model import Dossier, Missing, Outdated, Paragraph, Quoted, Reference, Shown
from kb.model import Citation, Document, Kind, Metadata, Passage, Span, Visibility

DAY = date(2026, 3, 1)
FRENCH = "La garantie couvre la moitié des pertes des investisseurs : c'est peu."
ENGLISH = "The guarantee covers half of the losses of investors."
REPORT: dict[str, Any] = {
    "title": "Garantir les fonds propres",
    "issuer": "Opération Milliard",
    "published": date(2026, 1, 22),
}
# Signs that mean something to Markdown, HTML, TeX, RIS, JSON, XML or a terminal, in a title.
HOSTILE = (
    "50 % & plus_{x}^2 ~ $a$ #1 \\input{secret} <b>bold</b> [link](javascript:alert(1))\r\n"
    "TY  - BOOK | \"quoted\" 'single' `code` *stars* שלום 🌳 "
    "\x00\x1b[31m\ud800 \u202eturned @x }{ {{{"
)


def page(number: int, label: str | None = None, start: int = 0, end: int = 10) -> Span:
    """A span of a page."""
    return Span(number, label, None, start, end)


def section(number: int, label: str | None = None) -> Span:
    """A span of a section of a format without pages."""
    return Span(None, label, number, 0, 10)


def document(
    name: str = "garantie-fr",
    version: int = 1,
    kind: Kind = Kind.RESEARCH,
    language: str = "fr",
    **metadata: Any,
) -> Document:
    """A version of a document; keywords are its metadata."""
    stated = Metadata(**{**REPORT, **metadata})
    return Document(
        name,
        version,
        stated.title or "",
        kind,
        Visibility.PUBLIC,
        language,
        stated,
        "file.pdf",
        paged=True,
        ingested=datetime(2026, 2, 3, 23, 30, tzinfo=UTC),
    )


def quoted(
    quote: str = FRENCH,
    *spans: Span,
    of: Document | None = None,
    language: str = "fr",
    outdated: tuple[Outdated, ...] = (),
    since: date | None = None,
) -> Quoted:
    """A quote of a document, by default of its fourth page."""
    source = of or document(language=language)
    places = spans or (page(4),)
    passage = Passage("p1", source.id, source.version, 0, quote, places, "", language)
    citation = Citation(1, passage, source, places, quote, verified=True)
    return Quoted(citation, outdated, since)


def missing() -> Missing:
    """A quote that can't be shown."""
    return Missing(Reference("gone-fr", 1, (page(1),)))


def dossier(*blocks: Shown, title: str = "Fonds propres", language: str = "fr") -> Dossier:
    """A dossier of one day."""
    numbered: list[Shown] = []
    number = 0
    for block in blocks:
        if isinstance(block, Quoted):
            number += 1
            citation = replace(block.citation, number=number)
            numbered.append(replace(block, citation=citation))
        else:
            numbered.append(block)
    return Dossier(title, language, DAY, tuple(numbered))


def everything(language: str = "fr") -> Dossier:
    """A dossier with everything that one can hold."""
    return dossier(
        Paragraph("Ce que nous demandons.\nSans détour.\n\nEt pourquoi :"),
        quoted(FRENCH, page(4, "ii"), page(5, "iii")),
        quoted(
            ENGLISH,
            section(2, "Article 3"),
            of=document(
                "guarantee-en",
                language="en",
                title="Guaranteeing equity",
                issuer="European Commission",
                version_date=date(2025, 7, 1),
                url="https://example.org/a_guarantee?x=1&y=2",
            ),
            language="en",
            outdated=(Outdated.SUPERSEDED,),
            since=date(2026, 2, 1),
        ),
        missing(),
        language=language,
    )

"""What a bibliography says of each version of a document that a dossier quotes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from kb.briefs.model import Quoted
from kb.calls.dates import brussels_day
from kb.export.told import address, clean, web_address
from kb.model import Kind

if TYPE_CHECKING:
    from datetime import date

    from kb.briefs.model import Dossier
    from kb.model import Citation, Document

# The sectors of CELEX numbers that hold law: treaties, agreements, legislation, and consolidated
# texts; 6 holds the case-law. The others, such as 5 (what is only prepared), hold documents.
_LAW: Final = frozenset("01234")
_CASES: Final = "6"


class EntryType(StrEnum):
    """What is cited, as reference managers tell works apart."""

    LAW = "law"
    CASE = "case"
    REPORT = "report"
    ARTICLE = "article"
    WEBPAGE = "webpage"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of a document.

    ``key`` is unique in a base and always the same. Names are whole: nobody can tell a person's
    from an institution's, and an institution's must not be split into first and last. ``accessed``
    is the day on which its text came into the base: that text is what is quoted.
    """

    key: str
    type: EntryType
    title: str
    authors: tuple[str, ...]
    issuer: str
    issued: date | None
    version: date | None
    language: str
    number: str
    doi: str
    eli: str
    url: str
    accessed: date


def entries(dossier: Dossier, base_url: str = "") -> tuple[Entry, ...]:
    """One entry for each version that is quoted, in the order in which they first are."""
    first: dict[tuple[str, int], Citation] = {}
    for block in dossier.blocks:
        if isinstance(block, Quoted):
            document = block.citation.document
            first.setdefault((document.id, document.version), block.citation)
    return tuple(_entry(citation, base_url) for citation in first.values())


def _entry(citation: Citation, base_url: str) -> Entry:
    document = citation.document
    metadata = document.metadata
    doi = clean(metadata.doi or "")
    eli = web_address(metadata.eli) or ""
    # The whole document, not the page of its first quote.
    own = web_address(metadata.url) or eli or (doi and web_address(f"https://doi.org/{doi}"))
    return Entry(
        key=f"{re.sub('[^A-Za-z0-9-]', '-', document.id)}-v{document.version}",
        type=_type_of(document),
        title=clean(document.title),
        authors=tuple(name for name in map(clean, metadata.authors) if name),
        issuer=clean(metadata.issuer or ""),
        issued=metadata.published or metadata.version_date,
        version=metadata.version_date,
        language=document.language,
        number=clean(metadata.celex or metadata.identifier or ""),
        doi=doi,
        eli=eli,
        url=own or address(citation, base_url) or "",
        accessed=brussels_day(document.ingested),
    )


def _type_of(document: Document) -> EntryType:
    metadata = document.metadata
    sector = (metadata.celex or "")[:1]
    if sector in _LAW or (metadata.eli and not sector):
        return EntryType.LAW
    if sector == _CASES:
        return EntryType.CASE
    match document.kind:
        case Kind.CALL:
            return EntryType.WEBPAGE
        case Kind.NOTE:
            return EntryType.DOCUMENT
        case Kind.RESEARCH if metadata.doi:
            return EntryType.ARTICLE
    return EntryType.REPORT

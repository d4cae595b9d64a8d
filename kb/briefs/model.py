"""The nouns of a brief: what is written, what is quoted, and how a quote stands today."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    from kb.model import Citation, Span


@dataclass(frozen=True, slots=True)
class Reference:
    """A quote by its place: no words of a document are kept outside the record of its pages."""

    document_id: str
    version: int
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """What the author of a brief writes, as plain text; a blank line parts paragraphs."""

    text: str


Block = Paragraph | Reference


@dataclass(frozen=True, slots=True)
class Brief:
    """A brief as it is kept. ``staff`` says that staff find it without its address."""

    id: int
    title: str
    language: str
    blocks: tuple[Block, ...]
    staff: bool
    created: datetime
    changed: datetime
    revision: int


class Outdated(StrEnum):
    """Why a quote should not be used as it stands."""

    SUPERSEDED = "superseded"  # the document has a newer version
    NO_LONGER_IN_FORCE = "no_longer_in_force"  # its validity has ended
    CALL_CLOSED = "call_closed"


@dataclass(frozen=True, slots=True)
class Quoted:
    """A quote with its verified citation, and why it is outdated, where it is, and since when."""

    citation: Citation
    outdated: tuple[Outdated, ...] = ()
    since: date | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """A quote that can't be shown: removed, changed, or not for whoever reads; all look alike."""

    reference: Reference


Shown = Paragraph | Quoted | Missing


@dataclass(frozen=True, slots=True)
class Dossier:
    """What is exported or read: a title, a language (``fr`` or ``en``), a day, and blocks."""

    title: str
    language: str
    day: date
    blocks: tuple[Shown, ...]

"""The nouns of the knowledge base, on one screen: documents, pages, passages, citations."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime  # noqa: TC003 -- dataclass fields are read at run time
from enum import StrEnum


class Kind(StrEnum):
    """What a document is for."""

    RESEARCH = "research"
    POLICY = "policy"
    CALL = "call"
    NOTE = "note"


class Visibility(StrEnum):
    """Who may see a document, from everybody to staff alone."""

    PUBLIC = "public"
    COALITION = "coalition"
    INTERNAL = "internal"

    def wider(self) -> tuple[Visibility, ...]:
        """The visibilities by which more people see a document than by this one."""
        widest_first = tuple(Visibility)
        return widest_first[: widest_first.index(self)]


class Role(StrEnum):
    """What a stretch of page text does in its document."""

    BODY = "body"
    HEADING = "heading"
    TABLE = "table"
    CONTENTS = "contents"
    REFERENCES = "references"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Box:
    """Where ``page_text[start:end]`` (one word, or one run on a line) stands on the page picture.

    Offsets are Unicode code points into the page's stored text; the edges are PDF points from the
    page's top left corner as displayed.
    """

    start: int
    end: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading or table row: ``page_text[start:end]`` with its place in the outline.

    ``path`` holds the headings above it, outermost first. ``header`` is the span on the same page
    of the table header to repeat before this row. ``continues`` says that the block goes on where
    the previous page's last body block stopped.
    """

    start: int
    end: int
    role: Role = Role.BODY
    path: tuple[str, ...] = ()
    header: tuple[int, int] | None = None
    continues: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A physical page, or a section of a format without pages, with its clean text.

    ``number`` is 1-based. ``label`` is what is printed on the page ("xii"). ``blocks`` are in
    reading order and do not overlap. ``ocr_confidence`` (0 to 100) is set where the text was read
    from a picture.
    """

    number: int
    text: str
    label: str | None = None
    blocks: tuple[Block, ...] = ()
    boxes: tuple[Box, ...] = ()
    width: float | None = None
    height: float | None = None
    ocr_confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is said about a document, by its file, a ``metadata.yaml`` beside it, or an option.

    ``identifier`` names a work that has neither CELEX number nor DOI (a call's identifier).
    ``version_date`` dates one version of a work whose text changes (a consolidated act).
    """

    title: str | None = None
    authors: tuple[str, ...] = ()
    issuer: str | None = None
    published: date | None = None
    language: str | None = None
    kind: Kind | None = None
    visibility: Visibility | None = None
    themes: tuple[str, ...] = ()
    celex: str | None = None
    eli: str | None = None
    doi: str | None = None
    identifier: str | None = None
    licence: str | None = None
    url: str | None = None
    version_date: date | None = None

    def overlaid(self, other: Metadata) -> Metadata:
        """Return this metadata with every field that ``other`` states put over it."""
        stated = {name: value for name in self.__slots__ if (value := getattr(other, name))}
        return replace(self, **stated)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file as a reader gives it: pages (``paged``) or sections, metadata, and what went wrong."""

    pages: tuple[Page, ...]
    paged: bool
    metadata: Metadata = field(default_factory=Metadata)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """``page_text[start:end]`` of one page, offsets in Unicode code points.

    ``page`` is the physical page (1-based) and ``page_label`` the printed one; a format without
    pages has ``page`` null and a 1-based ``section``.
    """

    page: int | None
    page_label: str | None
    section: int | None
    start: int
    end: int

    @property
    def number(self) -> int:
        """The number under which the page or section is stored."""
        return self.page or self.section or 1


@dataclass(frozen=True, slots=True)
class Passage:
    """The retrieved unit: an ordered list of spans of one version of a document."""

    id: str
    document_id: str
    version: int
    ordinal: int
    text: str
    spans: tuple[Span, ...]
    heading: str
    language: str
    role: Role = Role.BODY


@dataclass(frozen=True, slots=True)
class Document:
    """A version of a work as it is shown: its identity, number and metadata."""

    id: str
    version: int
    title: str
    kind: Kind
    visibility: Visibility
    language: str
    metadata: Metadata
    source: str
    paged: bool
    ingested: datetime
    current: bool = True


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search is narrowed to; every part acts inside the index query.

    ``visibilities`` is what the caller may see and always applies.
    """

    visibilities: tuple[Visibility, ...] = (Visibility.PUBLIC,)
    kind: Kind | None = None
    language: str | None = None
    theme: str | None = None
    issuer: str | None = None
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found, with its document and its rank (1-based)."""

    rank: int
    score: float
    passage: Passage
    document: Document


@dataclass(frozen=True, slots=True)
class Citation:
    """Exact words of one version of a document, checked against its stored page text."""

    number: int
    passage: Passage
    document: Document
    spans: tuple[Span, ...]
    quote: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer with the numbers of the citations that carry it.

    ``also`` numbers citations that say the same elsewhere: in a translation, another version's
    text or another document.
    """

    text: str
    citations: tuple[int, ...]
    also: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Stated:
    """What one citation states where others state otherwise: the words, as they stand there.

    ``day`` is that of the version, else of publication; ``current`` says that the cited version is
    the document's current one.
    """

    value: str
    citation: int
    day: date | None
    current: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """Quoted sentences, best first, or no sentences where the evidence does not suffice.

    ``confidence`` (0 to 1) is the evidence for the best sentence that was found, also of a
    refusal: one threshold on it decides. ``differs`` holds the numbers or dates in which the
    sentences differ on the same thing, newest first.
    """

    question: str
    language: str
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    nearest: tuple[Hit, ...]
    confidence: float = 0.0
    differs: tuple[Stated, ...] = ()

    @property
    def status(self) -> str:
        """``answered`` or ``insufficient_evidence``."""
        return "answered" if self.sentences else "insufficient_evidence"

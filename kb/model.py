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


class FeedbackKind(StrEnum):
    """What somebody says."""

    HELPFUL = "helpful"
    NOT_HELPFUL = "not_helpful"
    WRONG_CITATION = "wrong_citation"
    MISSING_DOCUMENT = "missing_document"


@dataclass(frozen=True, slots=True)
class Access:
    """What a caller may see: documents of these visibilities.

    With ``collections``, of those only what is in one of them; null is no such limit. The default
    is what anybody may see.
    """

    visibilities: tuple[Visibility, ...] = (Visibility.PUBLIC,)
    collections: tuple[str, ...] | None = None


PUBLIC_ACCESS = Access()
# Of whoever can read the store's files: it sees everything.
FULL_ACCESS = Access(tuple(Visibility))


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
    ``valid_until`` is the last day on which what it says is in force, where that is known.
    ``collections`` names sets of documents that a key may be narrowed to.
    """

    title: str | None = None
    authors: tuple[str, ...] = ()
    issuer: str | None = None
    published: date | None = None
    language: str | None = None
    kind: Kind | None = None
    visibility: Visibility | None = None
    themes: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    celex: str | None = None
    eli: str | None = None
    doi: str | None = None
    identifier: str | None = None
    licence: str | None = None
    url: str | None = None
    version_date: date | None = None
    valid_until: date | None = None

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


class CallStatus(StrEnum):
    """What can be done about a call at a moment; ``kb.calls.status`` computes it."""

    FORTHCOMING = "forthcoming"
    OPEN = "open"
    CLOSING_SOON = "closing_soon"  # open, with a deadline within 30 days
    CLOSED = "closed"
    ROLLING = "rolling"  # open without a deadline
    UNKNOWN = "unknown"


class DeadlineModel(StrEnum):
    """What several deadlines of a call are to each other."""

    SINGLE_STAGE = "single-stage"
    TWO_STAGE = "two-stage"  # whoever is invited after the first comes back for the second
    CUT_OFFS = "multiple cut-off"  # each is a chance of its own


class Applicant(StrEnum):
    """Who may apply, as far as a call says so in words that a rule understands."""

    ASSOCIATION = "association"
    NGO = "ngo"
    FOUNDATION = "foundation"
    SOCIAL_ENTERPRISE = "social_enterprise"
    PUBLIC = "public"
    COMPANY = "company"
    SME = "sme"
    RESEARCH = "research"
    EDUCATION = "education"
    INTERNATIONAL = "international"
    INDIVIDUAL = "individual"
    ANY = "any"  # any legal entity


@dataclass(frozen=True, slots=True)
class Link:
    """An address with what stands there."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A statement of a call's text from which a field of the call was taken.

    ``field`` names the field of ``Call``. ``value`` is what was taken, in that field's terms. The
    evidence is ``page_text[start:end]`` of the page ``page`` (1-based): a whole sentence.
    """

    field: str
    value: str
    page: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class CallSource:
    """Where a call was found, when it was last seen there, and what status it was said to have.

    ``gone`` says that the source does not list it any more.
    """

    name: str
    url: str | None
    checked: datetime
    status: str | None = None
    language: str = "en"
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A call for proposals, a topic of one, or a standing grant scheme: what is known of it.

    Times are aware and in Brussels time. Money is in whole euros. What is empty is unknown.
    ``deadlines`` holds every stage and cut-off, earliest first. ``budget`` is the whole call's;
    ``budget_shared`` says that sibling topics share it. ``grant_min`` and ``grant_max`` are what
    one project gets. ``countries`` holds ISO 3166 codes, or ``EU``, ``ASSOCIATED``, ``ANY``
    (``kb.calls.places``). ``consortium_min`` counts the participants needed. ``cofinancing`` is
    the highest share of the costs that the grant pays, in percent. ``facts`` are the statements of
    the text that fields were taken from; the other fields are the sources' own. ``first_seen`` is
    when it came into the base.
    """

    identifier: str
    title: str
    programme: str | None = None
    programme_id: str | None = None
    call_id: str | None = None
    call_title: str | None = None
    topic_id: str | None = None
    action_types: tuple[str, ...] = ()
    funder: str | None = None
    opens: datetime | None = None
    deadlines: tuple[datetime, ...] = ()
    deadline_model: DeadlineModel | None = None
    rolling: bool = False
    budget: int | None = None
    budget_shared: bool = False
    grant_min: int | None = None
    grant_max: int | None = None
    expected_grants: int | None = None
    applicants: tuple[Applicant, ...] = ()
    countries: tuple[str, ...] = ()
    consortium_min: int | None = None
    cofinancing: float | None = None
    themes: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    url: str | None = None
    links: tuple[Link, ...] = ()
    facts: tuple[Fact, ...] = ()
    sources: tuple[CallSource, ...] = ()
    first_seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A version of a work as it is shown: its identity, number and metadata.

    ``call`` is what is known of a call, where the document is one and it was asked for.
    """

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
    call: Call | None = None


@dataclass(frozen=True, slots=True)
class CallFilters:
    """What a search among calls is narrowed to; several values of one field are alternatives.

    Statuses are those at ``now``. A call of which a field is unknown passes a filter on applicants,
    countries or money (whole euros), since it may fit; it does not pass one on deadlines.
    ``heads`` asks for one passage a call, its first.
    """

    now: datetime
    statuses: tuple[CallStatus, ...] = ()
    programmes: tuple[str, ...] = ()
    action_types: tuple[str, ...] = ()
    applicants: tuple[Applicant, ...] = ()
    countries: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    deadline_after: date | None = None
    deadline_before: date | None = None
    budget_min: int | None = None
    budget_max: int | None = None
    heads: bool = True


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search is narrowed to; every part acts inside the index query.

    ``access`` is what the caller may see and always applies. ``call`` narrows to calls.
    """

    access: Access = PUBLIC_ACCESS
    kind: Kind | None = None
    language: str | None = None
    theme: str | None = None
    issuer: str | None = None
    since: date | None = None
    until: date | None = None
    call: CallFilters | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked for: the ``top_k`` best passages for a query."""

    query: str
    filters: Filters
    top_k: int = 10


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
    sentences differ on the same thing, newest first. ``took_ms`` is how long it took.
    """

    question: str
    language: str
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    nearest: tuple[Hit, ...]
    confidence: float = 0.0
    differs: tuple[Stated, ...] = ()
    took_ms: float = field(default=0.0, compare=False)

    @property
    def status(self) -> str:
        """``answered`` or ``insufficient_evidence``."""
        return "answered" if self.sentences else "insufficient_evidence"

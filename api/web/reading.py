"""Reading a document: what it is, its pages with the quoted words marked, their pictures."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from api.access import CallerAccess, OpenKnowledgeBase
from api.audited import Audited
from api.documents import DocumentId, PageNumber, Version
from api.problems import problem_response
from api.replies import VARY, Reply
from api.web.page_text import PageText, Paragraph
from api.web.places import Place, read_places, written_on
from api.web.site import CurrentSite, Site
from kb.audited import note_named
from kb.bootstrap import KnowledgeBase
from kb.errors import NotFoundError
from kb.marks import Mark, marks_of
from kb.model import Access, Document, Page, Role
from kb.pictures.sizes import MAX_SIDE, WIDTHS
from kb.pictures.store import PicturesBusyError, picture_name
from kb.record.audit import Action
from kb.record.outline import Heading, outline_of, page_labels
from kb.record.reading import StoredFile

router = APIRouter(prefix="/documents/{document_id}", include_in_schema=False)

_PDF: Final = "application/pdf"
_FIRST_LINES = 600  # characters
_FIRST_PAGES = 3  # on one of which they are looked for: before them are covers
_RETRY_AFTER = "3"

Marks = Annotated[list[str], Query(alias="mark")]
Wanted = Annotated[str, Query(alias="page", max_length=40)]


@dataclass(frozen=True, slots=True)
class _Opened:
    """A version of a document that the caller may read, and where it was looked for."""

    kb: KnowledgeBase
    access: Access
    generation: int
    document: Document

    @property
    def count(self) -> int:
        """How many pages or sections it has."""
        return self.kb.record.page_count(self.document)

    @property
    def newer(self) -> Document | None:
        """The current version, where this is another."""
        if self.document.current:
            return None
        return self.kb.record.document(self.generation, self.document.id, self.access)

    @property
    def original(self) -> StoredFile | None:
        """The file that it was read from, where that is kept."""
        return self.kb.record.original(
            self.generation, self.document.id, self.access, self.document.version
        )

    def page(self, number: int) -> Page | None:
        """One of its pages or sections; null where there is no such."""
        found = self.kb.record.page(
            self.generation, self.document.id, number, self.access, self.document.version
        )
        return None if found is None else found[1]

    def outline(self) -> tuple[Heading, ...]:
        """Its headings."""
        return outline_of(self.kb.engine, self.document)

    def call(self) -> str | None:
        """The identifier of the call that it is the text of, if it is one."""
        found = self.kb.calls.of(self.generation, [self.document.id], self.access)
        known = found.get(self.document.id)
        return known.call.identifier if known and known.call else None


@router.get("")
def show_document(
    document_id: DocumentId,
    site: CurrentSite,
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    audit: Audited,
    version: Version = None,
) -> HTMLResponse:
    """Show what a document is, and the ways into it."""
    opened = _open(kb, document_id, access, version)
    shown = None if opened is None else opened.document
    note_named(audit, Action.DOCUMENT, shown, document_id, version)
    if opened is None:
        raise _not_found()
    return _document_page(site, opened)


@router.get("/pages")
def go_to_page(
    document_id: DocumentId,
    site: CurrentSite,
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    version: Version = None,
    wanted: Wanted = "",
) -> Response:
    """Lead to the page with this printed label, else with this number."""
    opened = _open(kb, document_id, access, version)
    if opened is None:
        raise _not_found()
    wanted = wanted.strip()
    labels = page_labels(kb.engine, opened.document)
    named = (number for number, label in labels.items() if label and label == wanted)
    number = next(named, None)
    if number is None and wanted.isdecimal() and int(wanted) in labels:
        number = int(wanted)
    if number is None:
        return _document_page(site, opened, missing=wanted)
    return site.redirect(f"/documents/{document_id}/pages/{number}", version=version)


@router.get("/pages/{number}")
def show_page(
    document_id: DocumentId,
    number: PageNumber,
    site: CurrentSite,
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    audit: Audited,
    marks: Marks = [],  # noqa: B006 -- FastAPI reads the default and never changes it
    version: Version = None,
) -> HTMLResponse:
    """Show a page or section: its picture and its text, with what is quoted marked in both."""
    opened = _open(kb, document_id, access, version)
    page = None if opened is None else opened.page(number)
    shown = None if opened is None or page is None else opened.document
    note_named(audit, Action.PAGE, shown, document_id, version, page=number)
    if opened is None:
        raise _not_found()
    if page is None:
        return _document_page(site, opened, missing=str(number))
    # A place is one in the text of a version: without it, it might by now be another text's.
    certain = version is not None or opened.document.version == 1
    places = read_places(marks, number) if certain else ()
    return _page(site, opened, page, places, lost=bool(marks) and not places)


@router.get("/pages/{number}/picture")
def show_picture(
    request: Request,
    document_id: DocumentId,
    number: PageNumber,
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    reply: Reply,
    audit: Audited,
    version: Version = None,
    width: Annotated[int, Query(ge=min(WIDTHS), le=max(WIDTHS))] = 900,
) -> Response:
    """Give the picture of a page, at least so many pixels wide."""
    opened = _open(kb, document_id, access, version)
    shown = None if opened is None else opened.document
    note_named(audit, Action.PICTURE, shown, document_id, version, page=number)
    stored = None if opened is None else opened.original
    if opened is None or stored is None or stored.media_type != _PDF or number > opened.count:
        raise _not_found()
    original = kb.settings.originals / stored.path
    pixels = next(each for each in WIDTHS if each >= width)
    tag = f'"{picture_name(original.name[:32], number, pixels)}"'
    headers = {"ETag": tag, "Vary": VARY, "Cache-Control": "private, no-cache"}
    if reply.is_known(tag):
        return Response(status_code=304, headers=headers)
    try:
        picture = kb.pictures.picture(original, number, pixels)
    except PicturesBusyError as error:
        retry = {"Retry-After": _RETRY_AFTER}
        return problem_response(
            request.scope, 503, str(error), slug="busy", title=error.title, headers=retry
        )
    return Response(picture, media_type="image/webp", headers=headers)


def _page(
    site: Site, opened: _Opened, page: Page, places: tuple[Place, ...], *, lost: bool
) -> HTMLResponse:
    document = opened.document
    here = [place for place in places if place.number == page.number]
    sound = [place for place in here if place.start < place.end <= len(page.text)]
    drawn = [marks_of(page, place.start, place.end) for place in sound]
    outline = opened.outline()
    return site.page(
        "page.html",
        document=document,
        page=page,
        count=opened.count,
        newer=opened.newer,
        outline=outline,
        current=_current(outline, page.number),
        source_url=_source_url(document, page.number),
        parts=PageText(page, [(place.start, place.end) for place in sound]).parts(),
        quoted=_spans(places) if sound else "",
        lost=lost or len(sound) < len(here),
        elsewhere=_elsewhere(places, page.number),
        picture=_picture(opened, page, drawn),
        original=opened.original is not None,
        widths=WIDTHS,
    )


def _spans(places: Iterable[Place]) -> str:
    """Quoted places as a brief takes them, in reading order."""
    ordered = sorted(places, key=lambda place: (place.number, place.start))
    return ",".join(f"{each.number}:{each.start}-{each.end}" for each in ordered)


def _document_page(site: Site, opened: _Opened, missing: str | None = None) -> HTMLResponse:
    """What a document is; ``missing`` is a page that was asked for and is not in it."""
    kb, document = opened.kb, opened.document
    return site.page(
        "document.html",
        status=200 if missing is None else 404,
        document=document,
        missing=missing,
        count=opened.count,
        newer=opened.newer,
        call=opened.call(),
        outline=opened.outline(),
        current=None,
        versions=kb.record.versions(opened.generation, document.id, opened.access),
        translations=kb.record.translations(opened.generation, document.id, opened.access),
        first_lines=_first_lines(opened),
        original=opened.original is not None,
        source_url=_source_url(document),
    )


def _open(
    kb: KnowledgeBase, document_id: str, access: Access, version: int | None
) -> _Opened | None:
    generation = kb.record.current_id()
    if generation is None:
        return None
    document = kb.record.document(generation, document_id, access, version)
    return None if document is None else _Opened(kb, access, generation, document)


def _not_found() -> NotFoundError:
    """One answer for what isn't there and what the caller may not see: they can't be told apart."""
    return NotFoundError("There is no such document, version or page here that you may read.")


@dataclass(frozen=True, slots=True)
class _Picture:
    """The picture of a page and the marks on it; ``whole`` says that no quote is left without."""

    width: float
    height: float
    marks: tuple[Mark, ...]
    whole: bool


def _picture(opened: _Opened, page: Page, drawn: list[tuple[Mark, ...]]) -> _Picture | None:
    """What is to be shown of a page's picture; null where there is none."""
    width, height = page.width or 0.0, page.height or 0.0
    stored = opened.original
    if stored is None or stored.media_type != _PDF or not _is_drawn(width, height):
        return None
    return _Picture(width, height, tuple(mark for each in drawn for mark in each), all(drawn))


def _is_drawn(width: float, height: float) -> bool:
    """Whether a page of so many points is drawn at all."""
    return 0 < width < MAX_SIDE and 0 < height < MAX_SIDE


def _elsewhere(places: tuple[Place, ...], number: int) -> list[dict[str, Any]]:
    """The other pages that a quote stands on, each with the marks of its address."""
    others = sorted({place.number for place in places} - {number})
    return [{"number": other, "marks": written_on(places, other)} for other in others]


def _current(outline: tuple[Heading, ...], number: int) -> int | None:
    """Which heading of the outline a page begins under: the last that stands on it or before."""
    before = [at for at, heading in enumerate(outline) if heading.number <= number]
    on_it = [at for at in before if outline[at].number == number]
    return next(iter(on_it or before[-1:]), None)


def _source_url(document: Document, number: int | None = None) -> str | None:
    """Where the document is published, at a page of it; nothing but an address of the web."""
    url = document.metadata.url
    if url is None or not url.lower().startswith(("http://", "https://")):
        return None
    return f"{url}#page={number}" if number and document.paged and "#" not in url else url


def _first_lines(opened: _Opened) -> str:
    """How the text begins, for a glance."""
    text = ""
    for number in range(1, _FIRST_PAGES + 1):
        page = None if text else opened.page(number)
        for part in PageText(page).parts() if page else ():
            if isinstance(part, Paragraph) and part.role == Role.BODY and len(text) < _FIRST_LINES:
                text += "".join(piece.text for piece in part.pieces) + "\n\n"
    if len(text) <= _FIRST_LINES:
        return text.strip()
    return text[:_FIRST_LINES].rpartition(" ")[0] + "\u00a0…"

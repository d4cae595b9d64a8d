"""Documents, their pages and their originals."""

import logging
from email.utils import format_datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import FileResponse, Response

from api import schemas
from api.access import CallerAccess, OpenKnowledgeBase
from api.audited import Audited
from api.openapi import problems
from api.replies import VARY, Reply
from api.selection import Fields
from kb.audit import of_documents
from kb.audited import note_named
from kb.bootstrap import KnowledgeBase
from kb.details import document_detail, page_detail
from kb.errors import NotFoundError
from kb.record.audit import Action, Outcome
from kb.shapes import document_json

router = APIRouter(prefix="/v1/documents", tags=["documents"])

MAX_LISTED = 100
# No document has as many; larger numbers than a database's integers would be an error there.
_MAX_NUMBER = 1_000_000

DocumentId = Annotated[str, Path(max_length=200, pattern=r"^[^\x00-\x1f]+$")]
PageNumber = Annotated[int, Path(ge=1, le=_MAX_NUMBER, description="Of the page or section.")]
Version = Annotated[
    int | None,
    Query(ge=1, le=_MAX_NUMBER, description="Its number; without it, the current version."),
]

_log = logging.getLogger(__name__)


@router.get(
    "",
    response_model=schemas.DocumentList,
    responses=problems(422),
    summary="List documents",
)
def list_documents(
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    reply: Reply,
    audit: Audited,
    cursor: Annotated[
        str,
        Query(max_length=200, pattern=r"^[^\x00-\x1f]*$", description="`next` of the page before."),
    ] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED, description="How many at most.")] = 50,
    fields: Fields = None,
) -> Response:
    """List documents in their current version, by id. Follow `next` until it is null."""
    generation = kb.record.current_id()
    if generation is None:
        return reply.json({"documents": [], "next": None}, schemas.DocumentList, fields)
    found = kb.record.list_documents(generation, access, cursor, limit + 1)
    more = len(found) > limit
    listed = found[:limit]
    outcome = Outcome.FOUND if listed else Outcome.NOTHING
    audit.note(Action.DOCUMENTS, None, outcome, of_documents(listed), generation=generation)
    shown = {
        "documents": [document_json(document) for document in listed],
        "next": listed[-1].id if more else None,
    }
    return reply.json(shown, schemas.DocumentList, fields)


@router.get(
    "/{document_id}",
    response_model=schemas.DocumentDetail,
    responses=problems(404, 422),
    summary="Show a document",
)
def show_document(
    document_id: DocumentId,
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    reply: Reply,
    audit: Audited,
    version: Version = None,
    fields: Fields = None,
) -> Response:
    """Show a version of a document, its other versions and its translations."""
    generation = _generation(kb)
    document = kb.record.document(generation, document_id, access, version)
    note_named(audit, Action.DOCUMENT, document, document_id, version)
    if document is None:
        raise _not_found()
    shown = document_detail(kb.record, generation, document, access)
    return reply.json(shown, schemas.DocumentDetail, fields)


@router.get(
    "/{document_id}/pages/{number}",
    response_model=schemas.Page,
    responses=problems(404, 422),
    summary="Read a page",
)
def show_page(
    document_id: DocumentId,
    number: PageNumber,
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    reply: Reply,
    audit: Audited,
    version: Version = None,
    fields: Fields = None,
) -> Response:
    """Read a page, or a section of a format without pages, with the places of its words."""
    found = kb.record.page(_generation(kb), document_id, number, access, version)
    note_named(audit, Action.PAGE, found and found[0], document_id, version, page=number)
    if found is None:
        raise _not_found()
    return reply.json(page_detail(kb.record, *found), schemas.Page, fields)


@router.get(
    "/{document_id}/original",
    response_class=FileResponse,
    responses={
        200: {
            "description": "The file as it was ingested, to be saved.",
            "content": {
                "*/*": {"schema": {"type": "string", "format": "binary"}}  # the file's own
            },
        },
        **problems(404, 422),
    },
    summary="Download the original",
)
def download_original(
    document_id: DocumentId,
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    reply: Reply,
    audit: Audited,
    version: Version = None,
) -> Response:
    """Download the file that a version was read from.

    Browsers save it and never run what it holds: it was made by others.
    """
    generation = _generation(kb)
    stored = kb.record.original(generation, document_id, access, version)
    shown = None
    if stored is not None:
        shown = kb.record.document(generation, document_id, access, version)
    note_named(audit, Action.ORIGINAL, shown, document_id, version)
    if stored is None or shown is None:
        raise _not_found()
    path = kb.settings.originals / stored.path
    if not path.is_file():
        _log.error("The original %s of %s is missing; see `kb doctor`.", path, document_id)
        raise _not_found()
    headers = {
        # Not the file's own: a copy that the caller may not see is kept in the same file.
        "ETag": f'"{path.name[:32]}"',
        "Last-Modified": format_datetime(shown.ingested, usegmt=True),
        "Vary": VARY,
    }
    if reply.is_known(headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return FileResponse(
        path,
        # A name that isn't UTF-8 on the disk comes with lone surrogates, which no header can hold.
        filename=stored.name.encode(errors="surrogateescape").decode(errors="replace"),
        headers={
            **headers,
            # Stated here, since Starlette says of any text that it is UTF-8.
            "Content-Type": stored.media_type,
            "Content-Security-Policy": "sandbox; default-src 'none'",
        },
    )


def _generation(kb: KnowledgeBase) -> int:
    generation = kb.record.current_id()
    if generation is None:
        raise _not_found()
    return generation


def _not_found() -> NotFoundError:
    """One answer for what isn't there and what the caller may not see: they can't be told apart."""
    return NotFoundError("There is no such document, version or page here that you may read.")

"""Exports: an answer, chosen quotes or a brief as a document or a bibliography."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Body, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from api.access import Caller, CurrentCaller, OpenKnowledgeBase, search_engine, service_address
from api.audited import Audited
from api.export_schemas import EXAMPLES, ExportRequest, file_responses
from api.openapi import problems
from api.schemas import Narrowing
from api.streaming import until_left
from kb.audited import note_answer
from kb.bootstrap import KnowledgeBase
from kb.briefs import keeping
from kb.briefs.model import Dossier
from kb.errors import NotFoundError
from kb.export.formats import FORMS, ExportFormat, file_name, written
from kb.export.gather import note_export, of_answer, of_brief, of_quotes
from kb.model import Answer
from kb.record.briefs import BriefsRecord

router = APIRouter(prefix="/v1", tags=["exports"])


@router.post(
    "/exports",
    response_class=Response,
    responses=file_responses() | problems(404, 413, 422, 503),
    summary="Export quotes with their sources",
)
async def export(
    asked: Annotated[ExportRequest, Body(openapi_examples=EXAMPLES)],
    caller: CurrentCaller,
    kb: OpenKnowledgeBase,
    audit: Audited,
    request: Request,
) -> Response:
    """Write quotes with their sources as a document, or the works quoted as a bibliography.

    What is exported is the answer to a `question`, `citations` that an answer gave, or a `brief`;
    exactly one of them. `docx`, `pdf` and `markdown` hold each quote with a footnote, and warn
    where a document has a newer version, a text is no longer in force, or a call has closed.
    `bibtex`, `ris` and `csl-json` hold one entry for each version of a document that is quoted.

    Every quote is looked up again on its stored page. What was removed and what the caller may not
    see is missing alike, and the documents say so in its place. Where the documents do not suffice
    to answer the question there is nothing to export (404).
    """
    answer: Answer | None = None
    if asked.question is not None:
        engine = await search_engine(kb)
        filters = (asked.narrowing or Narrowing.model_validate({})).filters(caller.access)
        async with until_left(request.receive):
            answer = await engine.answer_async(asked.question, filters)
        if not answer.sentences:
            note_answer(audit, answer, filters)

    def make() -> Response:
        dossier = _dossier(kb, asked, answer, caller)
        note_export(audit, dossier, asked.format, asked.question)
        return download(dossier, asked.format, service_address(kb, request))

    return await run_in_threadpool(make)


def download(dossier: Dossier, form: ExportFormat, base_url: str) -> Response:
    """An export as a file to be saved; browsers never show it as a page of the service."""
    name = file_name(dossier, form)
    plain = name.encode("ascii", "ignore").decode().replace('"', "").strip() or f"export.{form}"
    return Response(
        written(dossier, form, base_url),
        headers={
            # Stated here, since Starlette says of any text that it is UTF-8 a second time.
            "Content-Type": FORMS[form].media_type,
            "Content-Disposition": (
                f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
            ),
            "Content-Security-Policy": "sandbox; default-src 'none'",
        },
    )


def _dossier(
    kb: KnowledgeBase, asked: ExportRequest, answer: Answer | None, caller: Caller
) -> Dossier:
    around = (caller.access, asked.language, asked.title)
    if answer is not None:
        return of_answer(kb, answer, *around)
    if asked.citations is not None:
        return of_quotes(kb, asked.citations, *around)
    opened = keeping.opened(BriefsRecord(kb.engine), asked.brief or "", staff=caller.is_whole_staff)
    if opened is None:
        raise NotFoundError("There is no brief at this address: it may have been removed.")
    return of_brief(kb, opened.brief, *around)

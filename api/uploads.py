"""Uploads of documents by staff: taken in here, read by ``kb ingest``, and what became of each."""

import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Annotated, Any, Final

import yaml
from fastapi import APIRouter, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse, Response

from api import upload_schemas as schemas
from api.access import STAFF, Caller, OpenKnowledgeBase, StaffCaller
from api.authentication import CSRF_FIELD, same_token
from api.openapi import problems
from api.problems import CsrfTokenError, problem_response
from api.receiving import MAX_FIELD, MAX_FIELDS, FileTooLargeError, Form, FormError, receive
from api.receiving import Fields as Given
from api.replies import Reply
from api.selection import Fields
from kb.bootstrap import KnowledgeBase
from kb.errors import NotFoundError, StoreError
from kb.filenames import safe_name
from kb.maintenance import INCOMING
from kb.record.uploads import NewUpload, Upload, UploadsRecord, upload_json
from kb.settings import Settings

router = APIRouter(prefix="/v1", tags=["uploads"])

# A key that is narrowed to collections could replace documents of others with what it uploads.

_MEGABYTE: Final = 1024 * 1024
# Beside the file, its own name and headers: what the fields and the headers of each may have.
_ROOM_FOR_FIELDS: Final = MAX_FIELDS * (MAX_FIELD + 1024)
# Where the form of the pages is sent.
PAGE: Final = "/staff/uploads"
_SIDECAR: Final = "metadata.yaml"
_REPEATED: Final = frozenset({"theme", "collection"})
_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": {"schema": schemas.form_schema()}},
    }
}


def large_bodies(settings: Settings) -> Mapping[tuple[str, str], int]:
    """The routes whose bodies are read piece by piece, and how many bytes those may have."""
    most = settings.max_file_mb * _MEGABYTE + _ROOM_FOR_FIELDS
    return {("POST", "/v1/documents"): most, ("POST", PAGE): most}


@router.post(
    "/documents",
    status_code=202,
    response_model=schemas.Upload,
    responses={
        202: {
            "description": "The file is taken in; it waits to be read.",
            "headers": {
                "Location": {
                    "description": "Where to see what becomes of it.",
                    "schema": {"type": "string"},
                }
            },
        },
        **problems(404, 413, 422, 503),
    },
    openapi_extra=_FORM,
    summary="Upload a document",
)
async def upload_document(
    request: Request, caller: StaffCaller, kb: OpenKnowledgeBase
) -> JSONResponse:
    """Upload one document, which is read as soon as nothing else is being ingested.

    What is said in the fields goes before what the file says itself. Without `visibility` only
    staff see it. The same file for the same readers is recognised; another one with the same CELEX
    number, DOI or identifier is a new version. The file is kept, so that pruning folders leaves the
    document.
    """
    try:
        upload = await take_in(request, caller, kb)
    except FileTooLargeError:
        return problem_response(
            request.scope,
            413,
            f"The file may have {kb.settings.max_file_mb} MB at most.",
            slug="body-too-large",
            title="Body too large",
            headers={"Connection": "close"},
        )
    where = {"Location": f"/v1/uploads/{upload.id}", "Cache-Control": "no-store"}
    return JSONResponse(upload_json(upload), 202, where)


@router.get(
    "/uploads",
    dependencies=[STAFF],
    response_model=schemas.UploadList,
    responses=problems(404, 422, 503),
    summary="List uploads",
)
def list_uploads(
    kb: OpenKnowledgeBase,
    reply: Reply,
    cursor: Annotated[
        str | None,
        Query(pattern=r"^[1-9][0-9]{0,17}$", description="`next` of the page before."),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most.")] = 50,
    fields: Fields = None,
) -> Response:
    """List what staff have uploaded, the newest first. Follow `next` until it is null."""
    found = UploadsRecord(kb.engine).listed(limit + 1, None if cursor is None else int(cursor))
    shown = {
        "uploads": [upload_json(each) for each in found[:limit]],
        "next": str(found[limit - 1].number) if len(found) > limit else None,
    }
    return reply.json(shown, schemas.UploadList, fields)


@router.get(
    "/uploads/{upload_id}",
    dependencies=[STAFF],
    response_model=schemas.Upload,
    responses=problems(404, 422, 503),
    summary="What became of an upload",
)
def show_upload(
    upload_id: Annotated[str, Path(max_length=32, pattern="^[0-9a-f]+$")],
    kb: OpenKnowledgeBase,
    reply: Reply,
    fields: Fields = None,
) -> Response:
    """Show whether an upload waits, is being read, is done or has failed, and why.

    It waits while something else is ingested, and after a restart of the service.
    """
    upload = UploadsRecord(kb.engine).get(upload_id)
    if upload is None:
        raise NotFoundError("There is no such upload.")
    return reply.json(upload_json(upload), schemas.Upload, fields)


async def take_in(
    request: Request,
    caller: Caller,
    kb: KnowledgeBase,
    meant: Callable[[Given], Given] = lambda given: given,
) -> Upload:
    """Keep the file of a form, and have it read.

    The form of a session holds the session's token in a field before the file. ``meant`` makes the
    fields of ``UploadFields`` of those that were given.

    Raises:
        CsrfTokenError: It is not there.
        RequestValidationError: The form can't be used; its ``body`` holds the fields that had come.
        FileTooLargeError: The file is larger than it may be.
        ClientLeftError: The client left in the middle.
        StoreError: The file can't be kept.
    """
    upload_id = secrets.token_hex(8)
    incoming = kb.settings.uploads / f"{INCOMING}{upload_id}"
    largest = kb.settings.max_file_mb * _MEGABYTE
    try:
        await run_in_threadpool(incoming.mkdir, parents=True)
        form = await receive(request, incoming / "file", largest, _token_check(request))
        return await run_in_threadpool(_keep, kb, caller, incoming, form, meant, upload_id)
    except FormError as error:
        raise _refused(error.field, error.message, meant(error.others)) from None
    except OSError as error:
        raise StoreError(f"{incoming} can't be written: {error.strerror}. Make room.") from None
    finally:
        # Also where the request was cancelled: what was kept until then is read all the same.
        shutil.rmtree(incoming, ignore_errors=True)
        request.app.state.upload_runner.wake()


def _token_check(request: Request) -> Callable[[Given], None]:
    """What refuses a session's form without its token, before anything of the file is written."""
    waiting: Caller | None = getattr(request.state, "form_caller", None)

    def check(fields: Given) -> None:
        [given] = fields.get(CSRF_FIELD, ("",))[:1]
        if waiting is not None and not same_token(given, waiting.csrf):
            raise CsrfTokenError

    return check


def _keep(
    kb: KnowledgeBase,
    caller: Caller,
    incoming: FilePath,
    form: Form,
    meant: Callable[[Given], Given],
    upload_id: str,
) -> Upload:
    """Put a file that has come in into its folder, with what is said of it, and have it wait."""
    stated = _fields(meant(form.fields)).stated()
    name = safe_name(form.file_name)
    (incoming / "file").rename(incoming / name)
    sidecar = yaml.safe_dump({"files": {name: stated}}, allow_unicode=True)
    (incoming / _SIDECAR).write_text(sidecar, encoding="utf-8")
    folder = kb.settings.uploads / upload_id
    incoming.rename(folder)
    new = NewUpload(upload_id, name, form.size)
    if caller.key is not None:
        new = replace(new, key_id=caller.key.id, key=caller.key.name)
    try:
        return UploadsRecord(kb.engine).add(new, kb.clock())
    except SQLAlchemyError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _fields(given: Given) -> schemas.UploadFields:
    """Read the fields of a form.

    Raises:
        RequestValidationError: One is unknown, out of range, or repeated without sense.
    """
    values: dict[str, Any] = {}
    for name, stated in given.items():
        if name not in _REPEATED and len(stated) > 1:
            raise _refused(name, "is given more than once", given)
        values[name] = list(stated) if name in _REPEATED else stated[0]
    try:
        return schemas.UploadFields.model_validate(values)
    except ValidationError as error:
        errors = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(errors, body=given) from None


def _refused(field: str, message: str, given: Given) -> RequestValidationError:
    return RequestValidationError([{"loc": ("body", field), "msg": message}], body=given)

"""Uploads by the team: the form, what became of each file, and why."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from starlette.responses import HTMLResponse, Response

from api.access import OpenKnowledgeBase, StaffCaller, StaffSending
from api.authentication import CSRF_FIELD
from api.receiving import FILE_FIELD, FileTooLargeError
from api.uploads import PAGE, take_in
from api.web.asked import Number, Stated
from api.web.site import CurrentSite
from api.web.texts import later as _
from kb.errors import NotFoundError
from kb.model import FULL_ACCESS, Kind, Visibility
from kb.record.uploads import UploadsRecord, UploadState
from kb.themes import campaigns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.receiving import Fields
    from api.web.site import Site
    from kb.bootstrap import KnowledgeBase
    from kb.model import Document
    from kb.record.uploads import Upload

router = APIRouter(prefix=PAGE, include_in_schema=False)

_SHOWN: Final = 20
_NO_FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})


STATES: Final = {
    UploadState.WAITING: _("Waits to be read"),
    UploadState.RUNNING: _("Is being read"),
    UploadState.DONE: _("In the library"),
    UploadState.FAILED: _("Could not be read"),
}
OUTCOMES: Final = {
    "added": _("added"),
    "updated": _("added as a new version"),
    "unchanged": _("known already, nothing changed"),
    "skipped": _("left out"),
    "withdrawn": _("withdrawn"),
    "failed": _("could not be read"),
}
VISIBILITIES: Final = {
    Visibility.INTERNAL: _("The team only"),
    Visibility.COALITION: _("The coalition: partners and the team"),
    Visibility.PUBLIC: _("Everybody"),
}
# What may be wrong with each field, in the words of the page.
_FAULTS: Final = {
    FILE_FIELD: _("Choose one file that is not empty."),
    "title": _("A title has at most 500 characters, on one line."),
    "issuer": _("An issuer has at most 200 characters, on one line."),
    "url": _("Write an address that begins with https:// or http://."),
    "collection": _("Write at most 20 names of at most 200 characters, with commas between."),
    "published": _("Give a day that exists."),
    "valid_until": _("Give a day that exists."),
}


class Asked(Stated):
    """Where the list goes on."""

    before: Number | None = None


@router.get("")
def uploads(
    asked: Annotated[Asked, Query()],
    caller: StaffCaller,
    site: CurrentSite,
    kb: OpenKnowledgeBase,
) -> HTMLResponse:
    """Show the form, and what was uploaded, the newest first."""
    del caller
    return _page(site, kb, before=asked.before)


@router.post("")
async def upload(
    request: Request, caller: StaffSending, site: CurrentSite, kb: OpenKnowledgeBase
) -> Response:
    """Take in a file and lead to the page that says what becomes of it."""
    site.caller = caller  # whose token ``take_in`` checks
    given: Mapping[str, tuple[str, ...]] = _NO_FIELDS
    try:
        taken = await take_in(request, caller, kb, _meant)
        return site.redirect(f"{PAGE}/{taken.id}")
    except FileTooLargeError:
        status, headers = 413, {"Connection": "close"}
        most = site.texts.number(kb.settings.max_file_mb)
        faults = {FILE_FIELD: site.gettext("The file may have %(most)s MB at most.", most=most)}
    except RequestValidationError as error:
        status, headers, given = 422, {}, error.body or _NO_FIELDS
        faults = {name: _fault(site, name) for name in _wrong(error)}
    return await run_in_threadpool(
        _page, site, kb, given=given, errors=faults, status=status, headers=headers
    )


@router.get("/{upload_id}")
def show_upload(
    upload_id: Annotated[str, Path(max_length=32, pattern="^[0-9a-f]+$")],
    caller: StaffCaller,
    site: CurrentSite,
    kb: OpenKnowledgeBase,
) -> HTMLResponse:
    """Show what became of an upload, and of each file in it."""
    del caller
    found = UploadsRecord(kb.engine).get(upload_id)
    if found is None:
        raise NotFoundError("There is no such upload.")
    return site.page(
        "staff_upload.html",
        upload=found,
        documents=_documents(kb, found),
        states=STATES,
        outcomes=OUTCOMES,
        visibilities=VISIBILITIES,
    )


def _documents(kb: KnowledgeBase, upload: Upload) -> dict[str, Document]:
    """What an upload's files are in the library today, by id; of a long list those at its head."""
    generation = kb.record.current_id()
    if generation is None or upload.report is None:
        return {}
    ids = dict.fromkeys(file["document_id"] for file in upload.report["files"])
    named = [each for each in ids if each][:_SHOWN]
    found = (kb.record.document(generation, each, FULL_ACCESS) for each in named)
    return {document.id: document for document in found if document is not None}


def _page(
    site: Site,
    kb: KnowledgeBase,
    *,
    before: int | None = None,
    given: Mapping[str, tuple[str, ...]] = _NO_FIELDS,
    errors: Mapping[str, str] = MappingProxyType({}),
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    found = UploadsRecord(kb.engine).listed(_SHOWN + 1, before)
    return site.page(
        "staff_uploads.html",
        status=status,
        headers=headers,
        uploads=found[:_SHOWN],
        next=found[_SHOWN - 1].number if len(found) > _SHOWN else None,
        before=before,
        given={name: ", ".join(values) for name, values in given.items()},
        themes=given.get("theme", ()),
        errors=errors,
        campaigns=campaigns().all,
        kinds=list(Kind),
        visibilities=VISIBILITIES,
        states=STATES,
        largest=kb.settings.max_file_mb,
    )


def _meant(given: Fields) -> Fields:
    """The fields that are filled in, collections one by one, without the session's token."""
    filled = {
        name: tuple(value.strip() for value in values if value.strip())
        for name, values in given.items()
        if name != CSRF_FIELD
    }
    named = (part.strip() for value in filled.pop("collection", ()) for part in value.split(","))
    filled["collection"] = tuple(part for part in named if part)
    return {name: values for name, values in filled.items() if values}


def _wrong(error: RequestValidationError) -> list[str]:
    """The names of the fields that can't be used."""
    places: list[Any] = [found["loc"] for found in error.errors()]
    return list(dict.fromkeys(str(place[1]) for place in places if len(place) > 1))


def _fault(site: Site, field: str) -> str:
    return site.gettext(_FAULTS.get(field, _("This can't be used.")))

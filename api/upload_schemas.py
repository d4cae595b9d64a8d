"""The shapes of uploads; see ``api.schemas``."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kb.client import examples
from kb.client.models import Shape
from kb.model import Kind, Visibility
from kb.record.uploads import UploadState

_MOST_NAMES = 20

# Without control signs: what is stated is shown in lists, calendars and on terminals.
_TEXT = r"^[^\x00-\x1f\x7f]+$"

_Name = Annotated[str, Field(min_length=1, max_length=200, pattern=_TEXT)]
_Names = Annotated[list[_Name], Field(max_length=_MOST_NAMES)]


class UploadFields(BaseModel):
    """What is said of an uploaded document, over what its file says itself."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=500, pattern=_TEXT)] | None = Field(
        None, description="Its title; without it, that of the file."
    )
    kind: Kind | None = Field(None, description="What it is for; without it, `note`.")
    visibility: Visibility = Field(
        Visibility.INTERNAL, description="Who may see it; without it, staff alone."
    )
    theme: _Names = Field([], description="Its themes; the field may be repeated.")
    issuer: _Name | None = Field(None, description="Who issued it.")
    language: Annotated[str, Field(pattern="^[a-z]{2}$")] | None = Field(
        None, description="`fr` or `en`; without it, that of its text."
    )
    published: date | None = Field(None, description="When it was published.")
    licence: _Name | None = Field(None, description="Its licence.")
    valid_until: date | None = Field(None, description="The last day on which it is in force.")
    collection: _Names = Field(
        [], description="Sets that keys may be narrowed to; the field may be repeated."
    )
    url: Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\s\x00-\x1f]+$")] | None = (
        Field(None, description="Where it was published; citations lead there.")
    )

    def stated(self) -> dict[str, Any]:
        """The fields that are stated, under their names in a ``metadata.yaml``."""
        values = self.model_dump(mode="json", exclude_none=True)
        themes, collections = values.pop("theme"), values.pop("collection")
        return values | {
            name: listed
            for name, listed in (("themes", themes), ("collections", collections))
            if listed
        }


def form_schema() -> dict[str, Any]:
    """The form as OpenAPI describes it: the fields and the file.

    A form has no nulls: what is not stated is left out of it.
    """
    schema = UploadFields.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)  # Kind and Visibility are components already
    fields = {name: _without_null(field) for name, field in schema["properties"].items()}
    file = {
        "type": "string",
        "minLength": 1,
        "contentMediaType": "application/octet-stream",
        "description": "The document: PDF, HTML, DOCX, Markdown, text, CSV or XLSX.",
    }
    return {**schema, "properties": {"file": file, **fields}, "required": ["file"]}


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    ways = [way for way in field.get("anyOf", ()) if way.get("type") != "null"]
    if not ways:
        return field
    [way] = ways
    others = {name: value for name, value in field.items() if name not in {"anyOf", "default"}}
    return {**way, **others}


class UploadedFile(Shape):
    """What became of a file, or of a part of it."""

    path: str = Field(description="Its name.")
    outcome: Literal["added", "updated", "unchanged", "skipped", "withdrawn", "failed"]
    reason: str = Field(description="Why it failed or was skipped; else empty.")
    document_id: str | None
    version: int | None
    pages: int
    passages: int
    warnings: list[str]


class UploadReport(Shape):
    """What the run did that read an upload."""

    added: int
    updated: int
    unchanged: int
    skipped: int
    withdrawn: int
    failed: int
    pages: int
    passages: int
    seconds: float
    generation: int | None = Field(description="The one it published; null if nothing changed.")
    calls: dict[str, int] = Field(description="Of saved answers of sources of calls, by outcome.")
    files: list[UploadedFile] = Field(description="The first hundred.")


_EXAMPLE: dict[str, Any] = {
    "id": "5d0a1f7c9e3b4a68",
    "name": "garantie.pdf",
    "size": 482113,
    "by": "Équipe plaidoyer",
    "state": "done",
    "created": "2026-11-23T09:30:00+00:00",
    "started": "2026-11-23T09:30:01+00:00",
    "ended": "2026-11-23T09:30:09+00:00",
    "attempts": 1,
    "next_try": None,
    "reason": None,
    "report": {
        "added": 1,
        "updated": 0,
        "unchanged": 0,
        "skipped": 0,
        "withdrawn": 0,
        "failed": 0,
        "pages": 12,
        "passages": 48,
        "seconds": 6.4,
        "generation": 5,
        "calls": {},
        "files": [
            {
                "path": "garantie.pdf",
                "outcome": "added",
                "reason": "",
                "document_id": examples.DOCUMENT["id"],
                "version": 1,
                "pages": 12,
                "passages": 48,
                "warnings": [],
            }
        ],
    },
}


class Upload(Shape):
    """A document that was uploaded, and what became of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    name: str = Field(description="The name of its file, made safe.")
    size: int = Field(description="Of the file, in bytes.")
    by: str | None = Field(description="The name of the key that it came with.")
    state: UploadState
    created: datetime
    started: datetime | None = Field(description="When it was last begun to be read.")
    ended: datetime | None
    attempts: int = Field(description="How often it was begun.")
    next_try: datetime | None = Field(description="While it waits: not before then.")
    reason: str | None = Field(description="Why it failed, or why it still waits.")
    report: UploadReport | None


class UploadList(Shape):
    """A page of uploads, the newest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"uploads": [_EXAMPLE], "next": None}]}
    )

    uploads: list[Upload]
    next: str | None = Field(description="The `cursor` of the next page; null on the last.")

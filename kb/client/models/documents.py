"""Documents, their versions and their pages."""

from datetime import date, datetime

from pydantic import ConfigDict, Field

from kb.client import examples
from kb.client.models.base import Shape
from kb.model import Kind, Visibility


class Document(Shape):
    """A version of a document with everything known of it but its text."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.DOCUMENT]})

    id: str
    version: int = Field(ge=1)
    current: bool = Field(description="Searches find this version of the document.")
    title: str
    kind: Kind
    visibility: Visibility
    language: str
    authors: list[str]
    issuer: str | None
    published: date | None
    version_date: date | None = Field(description="The day of this version, of a consolidated act.")
    valid_until: date | None = Field(description="The last day on which it is in force, if known.")
    themes: list[str]
    celex: str | None = Field(description="The CELEX number of an EU act.")
    eli: str | None = Field(description="The European Legislation Identifier.")
    doi: str | None
    identifier: str | None = Field(description="Another identifier, such as that of a call.")
    licence: str | None
    url: str | None = Field(description="Where the document was published.")
    paged: bool = Field(description="It has pages; otherwise it has sections.")
    ingested: datetime


class DocumentDetail(Document):
    """A version of a document, with its other versions and its translations."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **examples.DOCUMENT,
                    "page_count": 12,
                    "versions": [examples.DOCUMENT],
                    "translations": [],
                }
            ]
        }
    )

    page_count: int = Field(description="How many pages or sections it has.", ge=0)
    versions: list[Document] = Field(description="Every version that can be read, newest first.")
    translations: list[Document] = Field(description="The same work in other languages.")


class DocumentList(Shape):
    """A page of documents."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"documents": [examples.DOCUMENT], "next": examples.DOCUMENT["id"]}]
        }
    )

    documents: list[Document]
    next: str | None = Field(description="The `cursor` of the next page; null on the last.")


class Page(Shape):
    """A page or section with its text, as citations quote it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "document_id": examples.DOCUMENT["id"],
                    "version": 1,
                    "title": examples.DOCUMENT["title"],
                    "page": 3,
                    "section": None,
                    "page_label": "3",
                    "text": examples.QUOTE,
                    "width": 595.28,
                    "height": 841.89,
                    "ocr_confidence": None,
                    "boxes": [[0, 2, 72.0, 90.5, 83.2, 102.5]],
                    "page_count": 12,
                    "prev": 2,
                    "next": 4,
                }
            ]
        }
    )

    document_id: str
    version: int = Field(ge=1)
    title: str
    page: int | None = Field(description="The physical page, 1-based; null without pages.")
    section: int | None = Field(description="The section, 1-based, of a format without pages.")
    page_label: str | None
    text: str
    width: float | None = Field(description="In PDF points.")
    height: float | None = Field(description="In PDF points.")
    ocr_confidence: float | None = Field(
        description="From 0 to 100, where the text was read from a picture."
    )
    boxes: list[tuple[int, int, float, float, float, float]] = Field(
        description="Where words stand: start and end in `text`, then left, top, right and bottom "
        "in PDF points from the top left corner."
    )
    page_count: int = Field(ge=1)
    prev: int | None = Field(description="The page or section before this one.")
    next: int | None = Field(description="The page or section after this one.")

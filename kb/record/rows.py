"""Rows of the system of record to and from the nouns of ``kb.model``."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from kb.model import (
    Block,
    Box,
    Document,
    Kind,
    Metadata,
    Page,
    Passage,
    Role,
    Span,
    Visibility,
)
from kb.record.schema import passages

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

# What parts blocks from boxes in a layout; within a text its quotes would have backslashes.
_BOXES = b', "boxes": ['
_PIECE = 4096  # bytes that are unpacked at once
_COLUMNS = ("title", "kind", "language", "issuer", "published", "version_date", "valid_until")
_LISTS = ("authors", "themes", "collections")
_DETAILS = (*_LISTS, "celex", "eli", "doi", "identifier", "licence", "url")


def metadata_values(metadata: Metadata) -> dict[str, Any]:
    """Column values of ``versions`` for metadata that states title, kind, visibility, language."""
    values: dict[str, Any] = {name: getattr(metadata, name) for name in _COLUMNS}
    values["details"] = json.dumps(
        {name: getattr(metadata, name) for name in _DETAILS}, ensure_ascii=False, sort_keys=True
    )
    return values


def metadata_of(row: Row[Any]) -> Metadata:
    """The metadata of a row of ``versions`` joined with its ``members.visibility``."""
    details: dict[str, Any] = json.loads(row.details)
    # Rows that were written before there were collections have none.
    details |= {name: tuple(details.get(name, ())) for name in _LISTS}
    return Metadata(
        title=row.title,
        kind=Kind(row.kind),
        visibility=Visibility(row.visibility),
        language=row.language,
        issuer=row.issuer,
        published=row.published,
        version_date=row.version_date,
        valid_until=row.valid_until,
        **details,
    )


def document_of(row: Row[Any]) -> Document:
    """The document of a row of ``versions`` joined with its ``members``."""
    metadata = metadata_of(row)
    return Document(
        id=row.document_id,
        version=row.number,
        title=row.title,
        kind=Kind(row.kind),
        visibility=Visibility(row.visibility),
        language=row.language,
        metadata=metadata,
        source=row.source,
        paged=row.paged,
        ingested=row.ingested.replace(tzinfo=UTC),
        current=row.current,
    )


def with_metadata(document: Document, metadata: Metadata) -> Document:
    """A document under other metadata that states title, kind, visibility and language."""
    if not (metadata.title and metadata.kind and metadata.visibility and metadata.language):
        raise ValueError("metadata without title, kind, visibility or language")
    return replace(
        document,
        title=metadata.title,
        kind=metadata.kind,
        visibility=metadata.visibility,
        language=metadata.language,
        metadata=metadata,
    )


def page_values(page: Page) -> dict[str, Any]:
    """Column values of ``pages`` but for the version."""
    layout = {
        "blocks": [_compact(asdict(block)) for block in page.blocks],
        "boxes": [
            [box.start, box.end, *(round(v, 1) for v in (box.left, box.top, box.right, box.bottom))]
            for box in page.boxes
        ],
    }
    return {
        "number": page.number,
        "label": page.label,
        "text": page.text,
        "layout": zlib.compress(json.dumps(layout, ensure_ascii=False).encode(), 6),
        "width": page.width,
        "height": page.height,
        "ocr_confidence": page.ocr_confidence,
    }


def page_of(row: Row[Any]) -> Page:
    """The page of a row of ``pages``."""
    layout = json.loads(zlib.decompress(row.layout))
    return Page(
        number=row.number,
        text=row.text,
        label=row.label,
        blocks=tuple(_block(values) for values in layout["blocks"]),
        boxes=tuple(Box(*values) for values in layout["boxes"]),
        width=row.width,
        height=row.height,
        ocr_confidence=row.ocr_confidence,
    )


def blocks_of(layout: bytes) -> tuple[Block, ...]:
    """The blocks of a page's layout. Its boxes, the most of it, stand after them and stay packed.

    For the 123 pages of a policy PDF this takes 8 ms, unpacking everything 70.
    """
    inflater, read, packed = zlib.decompressobj(), bytearray(), layout
    while _BOXES not in read and (piece := inflater.decompress(packed, _PIECE)):
        read += piece
        packed = inflater.unconsumed_tail
    values = json.loads(bytes(read.partition(_BOXES)[0]) + b"}")
    return tuple(_block(each) for each in values["blocks"])


def passage_values(passage: Passage) -> dict[str, Any]:
    """Column values of ``passages`` but for the version."""
    return {
        "ordinal": passage.ordinal,
        "id": passage.id,
        "heading": passage.heading,
        "language": passage.language,
        "role": passage.role,
        "text": passage.text,
        "spans": json.dumps(
            [[s.page, s.page_label, s.section, s.start, s.end] for s in passage.spans],
            ensure_ascii=False,
        ),
    }


def passage_of(row: Row[Any], document_id: str, version: int) -> Passage:
    """The passage of a row of ``passages``."""
    return Passage(
        id=row.id,
        document_id=document_id,
        version=version,
        ordinal=row.ordinal,
        text=row.text,
        spans=tuple(Span(*values) for values in json.loads(row.spans)),
        heading=row.heading,
        language=row.language,
        role=Role(row.role),
    )


def load_passages(connection: Connection, version: Row[Any]) -> list[Passage]:
    """The passages of a row of ``versions``, in reading order."""
    query = (
        select(passages).where(passages.c.version_key == version.key).order_by(passages.c.ordinal)
    )
    return [
        passage_of(row, version.document_id, version.number) for row in connection.execute(query)
    ]


def naive(moment: datetime) -> datetime:
    """A moment as the database keeps it: UTC without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def _compact(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def _block(values: dict[str, Any]) -> Block:
    header = values.get("header")
    return Block(
        start=values.get("start", 0),
        end=values["end"],
        role=Role(values.get("role", Role.BODY)),
        path=tuple(values.get("path", ())),
        header=(header[0], header[1]) if header else None,
        continues=values.get("continues", False),
    )

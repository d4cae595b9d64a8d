"""Briefs in the system of record: secrets as hashes, blocks as JSON, saved one after another."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, literal, or_, select, update

from kb.briefs.model import Brief, Paragraph, Reference
from kb.model import Span
from kb.record import rows
from kb.record.audit import storable
from kb.record.schema import briefs
from kb.record.searches import hashed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Engine, Row

    from kb.briefs.model import Block

# A brief of somebody without a key is forgotten when it was not changed for so long.
KEPT = timedelta(days=365)
_RANDOM_BYTES = 32


@dataclass(frozen=True, slots=True)
class Opened:
    """A brief with what the secret by which it was found allows."""

    brief: Brief
    may_edit: bool


def new_secret() -> str:
    """A secret by which a brief is edited."""
    return secrets.token_urlsafe(_RANDOM_BYTES)


def read_secret(secret: str) -> str:
    """The secret by which a brief is read, from that by which it is edited; never the other way."""
    digest = hashlib.sha256(f"read:{secret}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class BriefsRecord:
    """Reads and writes briefs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, brief: Brief, secret: str, key_name: str | None, limit: int) -> Brief | None:
        """Keep a new brief, whose ``id`` it gets; null where ``limit`` of them are kept already.

        Those that were forgotten by their owners are erased first.
        """
        values = {
            "edit_sha256": hashed(secret),
            "read_sha256": hashed(read_secret(secret)),
            **_values(brief),
            "key_name": key_name,
            "created": rows.naive(brief.created),
            "revision": brief.revision,
        }
        room = select(*(literal(value) for value in values.values())).where(
            select(func.count()).select_from(briefs).scalar_subquery() < limit
        )
        old = (
            briefs.c.key_name.is_(None),
            briefs.c.staff.is_(False),
            briefs.c.changed < rows.naive(brief.created - KEPT),
        )
        with self._engine.begin() as connection:
            connection.execute(delete(briefs).where(*old))
            added = connection.execute(insert(briefs).from_select(list(values), room))
            if added.rowcount == 0:
                return None
            kept = select(briefs).where(briefs.c.edit_sha256 == values["edit_sha256"])
            return _brief_of(connection.execute(kept).one())

    def by_secret(self, secret: str) -> Opened | None:
        """The brief with this secret, of either kind: one look-up by hash."""
        mark = hashed(secret)
        query = select(briefs).where(
            or_(briefs.c.edit_sha256 == mark, briefs.c.read_sha256 == mark)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else Opened(_brief_of(row), row.edit_sha256 == mark)

    def of_staff(self, number: int) -> Brief | None:
        """The brief of a number, where it is one for staff."""
        query = select(briefs).where(briefs.c.id == number, briefs.c.staff)
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else _brief_of(row)

    def listed(self, *, staff: bool | None = None) -> list[Brief]:
        """Briefs, the last changed first: every one, or those for staff."""
        query = select(briefs).order_by(briefs.c.changed.desc(), briefs.c.id.desc())
        if staff is not None:
            query = query.where(briefs.c.staff.is_(staff))
        with self._engine.connect() as connection:
            return [_brief_of(row) for row in connection.execute(query)]

    def save(self, brief: Brief, now: datetime) -> Brief | None:
        """Keep a changed brief under the next revision.

        Null where somebody else has saved since its revision was read, or it is gone: nothing is
        written then.
        """
        mine = update(briefs).where(briefs.c.id == brief.id, briefs.c.revision == brief.revision)
        saved = replace(brief, changed=now, revision=brief.revision + 1)
        with self._engine.begin() as connection:
            written = connection.execute(mine.values(**_values(saved), revision=saved.revision))
        return saved if written.rowcount else None

    def delete(self, number: int) -> bool:
        """Erase a brief; false where it is not there."""
        with self._engine.begin() as connection:
            return bool(connection.execute(delete(briefs).where(briefs.c.id == number)).rowcount)


def _values(brief: Brief) -> dict[str, Any]:
    return {
        "title": storable(brief.title),
        "language": brief.language,
        "blocks": _blocks_json(brief.blocks),
        "staff": brief.staff,
        "changed": rows.naive(brief.changed),
    }


def _blocks_json(blocks: Sequence[Block]) -> str:
    return storable(json.dumps([_block_values(block) for block in blocks], ensure_ascii=False))


def _block_values(block: Block) -> dict[str, Any]:
    if isinstance(block, Paragraph):
        return {"text": block.text}
    spans = [[span.number, span.start, span.end] for span in block.spans]
    return {"document_id": block.document_id, "version": block.version, "spans": spans}


def _block_of(values: dict[str, Any]) -> Block:
    if "text" in values:
        return Paragraph(values["text"])
    spans = tuple(Span(number, None, None, start, end) for number, start, end in values["spans"])
    return Reference(values["document_id"], values["version"], spans)


def _brief_of(row: Row[Any]) -> Brief:
    return Brief(
        id=row.id,
        title=row.title,
        language=row.language,
        blocks=tuple(_block_of(values) for values in json.loads(row.blocks)),
        staff=row.staff,
        created=row.created.replace(tzinfo=UTC),
        changed=row.changed.replace(tzinfo=UTC),
        revision=row.revision,
    )

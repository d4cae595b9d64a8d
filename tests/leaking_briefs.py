"""A brief that quotes all there is, read by those who may see some of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaking_asks import Ask
from sqlalchemy import func, select

from kb.briefs import keeping
from kb.briefs.editing import MAX_BLOCKS, added
from kb.briefs.model import Reference
from kb.model import Span
from kb.record.briefs import BriefsRecord, read_secret
from kb.record.schema import pages, versions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kb.bootstrap import KnowledgeBase


def brief_asks(kb: KnowledgeBase) -> Iterator[Ask]:
    """Read such a brief by either address, and export it; it is made anew for what is new."""
    secret = _brief_of_everything(kb)
    for address in (secret, read_secret(secret)):
        named = {"address": address}
        at = f"/briefs/{address}"
        yield Ask("GET /briefs/{address}", "GET", at, named=named)
        form = (("format", "markdown"),)
        yield Ask("GET /briefs/{address}/export", "GET", f"{at}/export", form, named=named)


def _brief_of_everything(kb: KnowledgeBase) -> str:
    record = BriefsRecord(kb.engine)
    brief, secret = keeping.begin(record, "Everything", "fr", kb.clock(), "staff")
    for reference in _everything(kb):
        brief = added(brief, reference)
    record.save(brief, kb.clock())
    return secret


def _everything(kb: KnowledgeBase) -> list[Reference]:
    """The whole of each page of each version, the newest first."""
    query = (
        select(versions.c.document_id, versions.c.number, pages.c.number, func.length(pages.c.text))
        .join(pages, pages.c.version_key == versions.c.key)
        .where(func.length(pages.c.text) > 0)
        .order_by(versions.c.key.desc())
        .limit(MAX_BLOCKS)
    )
    with kb.engine.connect() as connection:
        found = connection.execute(query).all()
    return [
        Reference(document_id, version, (Span(page, None, None, 0, length),))
        for document_id, version, page, length in found
    ]

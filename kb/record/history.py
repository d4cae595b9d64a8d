"""Taking back: removal of documents from every generation, abandoning of the newest one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update

from kb.errors import NotFoundError
from kb.record import rows
from kb.record.schema import (
    call_checks,
    call_news,
    calls,
    documents,
    feedback,
    generations,
    members,
    pages,
    passages,
    removed_contents,
    sources,
    versions,
)

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Engine


def remove_document(engine: Engine, document_id: str, now: datetime, *, purge: bool) -> None:
    """Remove a document from every generation at once; ``purge`` erases its texts too.

    Raises:
        NotFoundError: There is no such document.
    """
    keys = select(versions.c.key).where(versions.c.document_id == document_id)
    with engine.begin() as connection:
        changed = connection.execute(
            update(documents)
            .where(documents.c.id == document_id)
            .values(removed=func.coalesce(documents.c.removed, rows.naive(now)))
        )
        if changed.rowcount == 0:
            raise NotFoundError(
                f"There is no document {document_id!r}. `kb status --documents` lists them."
            )
        _remember_contents(connection, document_id)
        if not purge:
            return
        for table in (sources, members, passages, pages, calls):
            connection.execute(delete(table).where(table.c.version_key.in_(keys)))
        for told in (call_news, call_checks):
            connection.execute(delete(told).where(told.c.document_id == document_id))
        quoted = update(feedback).where(feedback.c.document_id == document_id)
        connection.execute(quoted.values(quote=None))
        connection.execute(delete(versions).where(versions.c.document_id == document_id))


def source_paths(engine: Engine, document_id: str) -> list[str]:
    """The files that the versions of a document came from, in every generation."""
    named = select(versions.c.source).where(versions.c.document_id == document_id)
    known = (
        select(sources.c.path)
        .join(versions, versions.c.key == sources.c.version_key)
        .where(versions.c.document_id == document_id)
    )
    with engine.connect() as connection:
        return sorted({*connection.scalars(named), *connection.scalars(known)})


def _remember_contents(connection: Connection, document_id: str) -> None:
    kept = select(removed_contents.c.sha256).where(removed_contents.c.document_id == document_id)
    held = select(versions.c.sha256, versions.c.document_id).where(
        versions.c.document_id == document_id, versions.c.sha256.not_in(kept)
    )
    connection.execute(
        insert(removed_contents).from_select(["sha256", "document_id"], held.distinct())
    )


def abandon_newest(engine: Engine) -> tuple[int, int]:
    """Make the generation before the current one current again; returns (abandoned, current).

    Raises:
        NotFoundError: No older generation is kept.
    """
    with engine.begin() as connection:
        kept = connection.scalars(
            select(generations.c.id)
            .where(generations.c.state == "published")
            .order_by(generations.c.id.desc())
            .limit(2)
        ).all()
        if len(kept) < 2:  # noqa: PLR2004 -- the current one and the one before it
            raise NotFoundError("There is no older generation to go back to.")
        connection.execute(
            update(generations).where(generations.c.id == kept[0]).values(state="abandoned")
        )
        # What was told of it no longer holds; the next run tells it anew.
        connection.execute(delete(call_news).where(call_news.c.generation == kept[0]))
    return kept[0], kept[1]


def unpublished(engine: Engine) -> list[int]:
    """Generations that no reader opens any more, or that were never finished."""
    with engine.connect() as connection:
        return list(
            connection.scalars(select(generations.c.id).where(generations.c.state != "published"))
        )

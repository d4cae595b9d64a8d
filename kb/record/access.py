"""Who may see what, as SQL: every query on behalf of a caller goes through here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, insert, or_, select, true

from kb.record.rows import naive
from kb.record.schema import collected, keys, members, versions

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from kb.model import Access


def visible_to(access: Access | None) -> ColumnElement[bool]:
    """The condition on ``members`` and ``versions`` that a caller may see them; null sees all."""
    if access is None:
        return true()
    seen = members.c.visibility.in_([visibility.value for visibility in access.visibilities])
    if access.collections is None:
        return seen
    within = select(collected.c.document_id).where(collected.c.collection.in_(access.collections))
    return and_(seen, versions.c.document_id.in_(within))


def key_in_force(now: datetime) -> ColumnElement[bool]:
    """The condition on ``keys`` that one opens anything: neither revoked nor expired."""
    lasting = or_(keys.c.expires.is_(None), keys.c.expires > naive(now))
    return and_(keys.c.revoked.is_(None), lasting)


def collect(
    connection: Connection, generation: int, changed: Collection[int]
) -> dict[str, set[str]]:
    """Note which collections documents are in, as their current versions say.

    Looks at the versions that a generation's run wrote and at those with ``changed`` metadata.
    What a collection holds is the same for every generation: who was shut out stays so after a
    rollback. Returns the collections of each document for which they have changed.
    """
    current = (
        select(versions.c.document_id, versions.c.details)
        .join(members, members.c.version_key == versions.c.key)
        .where(members.c.generation == generation, members.c.current)
    )
    wanted = [current.where(versions.c.born == generation)]
    wanted += [current.where(versions.c.key == key) for key in changed]
    stated: dict[str, set[str]] = {}
    for query in wanted:
        for row in connection.execute(query):
            stated[row.document_id] = set(json.loads(row.details).get("collections", ()))
    known: dict[str, set[str]] = {}
    for row in connection.execute(select(collected)):
        known.setdefault(row.document_id, set()).add(row.collection)
    differing = {key: names for key, names in stated.items() if names != known.get(key, set())}
    for document_id, names in differing.items():
        connection.execute(delete(collected).where(collected.c.document_id == document_id))
        if names:
            rows = [{"document_id": document_id, "collection": name} for name in sorted(names)]
            connection.execute(insert(collected), rows)
    return differing

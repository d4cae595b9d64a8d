"""Where a page of calls ended, as a text that travels and is read back with care."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass
from typing import Any

from kb.calls.query import Sort
from kb.errors import UsageError

RANKING = -1
_MOST = 300  # signs of a cursor of ours; one has less than 100
_EXACT = 2**53  # up to here a number of JSON is a whole number


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last call of a page: its order, phase (``RANKING`` or a number), value and passage.

    The value is what the call was sorted by: a number, its place in a ranking, or 0 where it has
    none.
    """

    order: Sort
    phase: int
    value: float
    passage_id: str

    def text(self, query: int) -> str:
        """The cursor as it travels, with the digest of the query that it belongs to."""
        values = [self.order.value, self.phase, self.value, self.passage_id, query]
        written = json.dumps(values, separators=(",", ":"))
        return base64.urlsafe_b64encode(written.encode()).decode().rstrip("=")


def read_cursor(text: str | None, order: Sort, phases: int, query: int) -> Cursor | None:
    """Read a cursor of the query with this digest, in this order, which has so many phases.

    Raises:
        UsageError: It is not one of ours, or one of another order or query.
    """
    if text is None:
        return None
    try:
        made, asked = _read(text)
    except (ValueError, TypeError):
        raise UsageError("cursor is not one of ours: ask for the first page again.") from None
    if made.order is not order or not RANKING <= made.phase < phases:
        raise UsageError("cursor is of another order: ask for the first page again.")
    if asked != query:
        raise UsageError("cursor is of another query: ask for the first page again.")
    return made


def _read(text: str) -> tuple[Cursor, int]:
    if len(text) > _MOST:
        raise ValueError
    padded = text + "=" * (-len(text) % 4)
    values: Any = json.loads(base64.b64decode(padded.encode("ascii"), b"-_", validate=True))
    order, phase, value, passage_id, query = values
    if type(phase) is not int or type(value) not in {int, float} or not abs(value) <= _EXACT:
        raise ValueError
    if not isinstance(passage_id, str):
        raise TypeError
    return Cursor(Sort(order), phase, value, str(uuid.UUID(passage_id))), query

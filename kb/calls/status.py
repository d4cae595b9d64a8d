"""The status of a call at a moment, computed from its dates when it is read, with the reason.

``kb.index.conditions`` states the same rules as filters; a property test holds them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kb.calls.dates import BRUSSELS, days_between
from kb.model import CallStatus, DeadlineModel

if TYPE_CHECKING:
    from datetime import datetime

    from kb.model import Call, CallSource

SOON_DAYS = 30
# The words of sources, as ``CallSource.status`` keeps them.
SAID_FORTHCOMING, SAID_OPEN, SAID_CLOSED = "forthcoming", "open", "closed"


@dataclass(frozen=True, slots=True)
class Status:
    """A status with its reason in words and the next deadline that a new applicant can meet.

    ``reasons`` has the sentence in each language of the product. ``days_left`` counts the calendar
    days of Brussels to that deadline.
    """

    status: CallStatus
    reasons: dict[str, str]
    next_deadline: datetime | None = None
    days_left: int | None = None


def usable_deadlines(call: Call) -> tuple[datetime, ...]:
    """The deadlines that someone who has not applied yet can meet: of two stages only the first."""
    if call.deadline_model is DeadlineModel.TWO_STAGE:
        return call.deadlines[:1]
    return call.deadlines


def withdrawn(call: Call) -> bool:
    """Whether every source that once listed the call has ceased to."""
    return bool(call.sources) and all(source.gone for source in call.sources)


def said_status(call: Call) -> str | None:
    """The status that the source last checked gives in its own word."""
    source = _speaker(call)
    return None if source is None else source.status


def status_at(call: Call, now: datetime) -> Status:
    """Compute a call's status at an aware moment."""
    usable = usable_deadlines(call)
    coming = next((moment for moment in usable if moment > now), None)
    if withdrawn(call):
        return _withdrawn(call)
    if usable and coming is None:
        return _over(call, usable[-1])
    days = None if coming is None else days_between(now, coming)
    if call.opens is not None and call.opens > now:
        reasons = _told(call, {"fr": f"ouvre le {_day(call.opens, 'fr')}", "en": f"opens on {_day(call.opens, 'en')}"})
        return Status(CallStatus.FORTHCOMING, reasons, coming, days)
    if call.opens is None and said_status(call) == SAID_FORTHCOMING:
        return Status(CallStatus.FORTHCOMING, _announced(call), coming, days)
    if coming is not None and days is not None:
        return _running(call, coming, days)
    if call.rolling:
        return Status(CallStatus.ROLLING, {"fr": "permanent, sans date limite", "en": "open all year, no deadline"})
    return _undated(call)

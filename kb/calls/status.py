"""The status of a call at a moment, computed from its dates when it is read, with the reason.

``kb.index.conditions`` states the same rules as filters; a property test holds them together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kb.calls.dates import BRUSSELS, days_between
from kb.model import CallStatus, DeadlineModel

if TYPE_CHECKING:
    from datetime import datetime

    from kb.model import Call, CallSource

SOON_DAYS = 30
# The words of sources, as ``CallSource.status`` keeps them.
SAID_FORTHCOMING, SAID_OPEN, SAID_CLOSED = "forthcoming", "open", "closed"

Words = dict[str, str]


@dataclass(frozen=True, slots=True)
class Status:
    """A status, the next deadline that a new applicant can meet, and the reason in words.

    ``days_left`` counts the calendar days of Brussels to that deadline. ``reasons`` has one
    sentence in each language of the product.
    """

    status: CallStatus
    next_deadline: datetime | None = None
    days_left: int | None = None
    reasons: Words = field(default_factory=dict)


def usable_deadlines(call: Call) -> tuple[datetime, ...]:
    """The deadlines that someone who has not applied yet can meet: of two stages only the first.

    In whole seconds, earliest first: the index holds no fractions.
    """
    moments = tuple(sorted(moment.replace(microsecond=0) for moment in call.deadlines))
    return moments[:1] if call.deadline_model is DeadlineModel.TWO_STAGE else moments


def withdrawn(call: Call) -> bool:
    """Whether every source that once listed the call has ceased to."""
    return bool(call.sources) and all(source.gone for source in call.sources)


def said(call: Call) -> CallSource | None:
    """The source that was checked last among those that give a status in their own word."""
    told = [source for source in call.sources if source.status and not source.gone]
    return max(told, key=lambda source: source.checked, default=None)


def said_status(call: Call) -> str | None:
    """The status in that source's word: ``forthcoming``, ``open`` or ``closed``."""
    source = said(call)
    return None if source is None else source.status


def cut_offs_missing(call: Call) -> bool:
    """Whether a call of several cut-offs is known by one of them alone.

    Some sources give the first only: when that has passed, the call may well be open.
    """
    several = call.deadline_model is DeadlineModel.CUT_OFFS and len(call.deadlines) == 1
    return several and said_status(call) != SAID_CLOSED


def status_at(call: Call, now: datetime) -> Status:
    """Compute a call's status at an aware moment.

    A deadline is missed from its own second on: a call that closes at 17:00 is closed at 17:00:00.
    """
    usable = usable_deadlines(call)
    coming = next((moment for moment in usable if moment > now), None)
    days = None if coming is None else days_between(now, coming)
    if withdrawn(call):
        return Status(CallStatus.CLOSED, reasons=_withdrawn(call))
    if usable and coming is None:
        status = CallStatus.UNKNOWN if cut_offs_missing(call) else CallStatus.CLOSED
        return Status(status, reasons=_over(call, usable[-1]))
    if call.opens is not None and call.opens.replace(microsecond=0) > now:
        return Status(CallStatus.FORTHCOMING, coming, days, _opens(call, call.opens))
    # Whatever a source once announced: with its deadline this near, a call takes applications.
    near = days is not None and days <= SOON_DAYS
    if call.opens is None and said_status(call) == SAID_FORTHCOMING and not near:
        return Status(CallStatus.FORTHCOMING, coming, days, _announced(call))
    if coming is not None and days is not None:
        status = CallStatus.CLOSING_SOON if near else CallStatus.OPEN
        return Status(status, coming, days, _running(call, coming, days))
    return _undated(call)


def _undated(call: Call) -> Status:
    if call.rolling:
        reasons = {
            "fr": "Ouvert en continu, sans date limite.",
            "en": "Open all the time, without a deadline.",
        }
        return Status(CallStatus.ROLLING, reasons=_with_doubt(call, SAID_OPEN, reasons))
    closed = said_status(call) == SAID_CLOSED
    status = CallStatus.CLOSED if closed else CallStatus.UNKNOWN
    return Status(status, reasons=_said_alone(call))


def day_of(moment: datetime) -> str:
    """A moment's day in Brussels, as it is written in both languages' reasons: 2026-03-17."""
    return moment.astimezone(BRUSSELS).date().isoformat()


def _hour(moment: datetime) -> str:
    return f"{day_of(moment)} {moment.astimezone(BRUSSELS):%H:%M}"


def _withdrawn(call: Call) -> Words:
    last = max(source.checked for source in call.sources)
    return {
        "fr": f"Retiré : la source ne le liste plus (vérifié le {day_of(last)}).",
        "en": f"Withdrawn: its source does not list it any more (checked {day_of(last)}).",
    }


def _over(call: Call, last: datetime) -> Words:
    if call.deadline_model is DeadlineModel.TWO_STAGE:
        words = {
            "fr": f"La première étape s'est close le {_hour(last)} ; la suite est sur invitation.",
            "en": f"The first stage closed on {_hour(last)}; what follows is by invitation.",
        }
    elif cut_offs_missing(call):
        words = {
            "fr": f"L'échéance connue est passée ({_hour(last)}), mais il y en a d'autres.",
            "en": f"The known cut-off has passed ({_hour(last)}), but there are others.",
        }
    elif len(call.deadlines) > 1 or call.deadline_model is DeadlineModel.CUT_OFFS:
        words = {
            "fr": f"La dernière échéance connue est passée ({_hour(last)}).",
            "en": f"The last cut-off known has passed ({_hour(last)}).",
        }
    else:
        words = {
            "fr": f"Date limite passée ({_hour(last)}).",
            "en": f"The deadline has passed ({_hour(last)}).",
        }
    return _with_doubt(call, SAID_CLOSED, words)


def _opens(call: Call, opens: datetime) -> Words:
    words = {"fr": f"Ouvre le {day_of(opens)}.", "en": f"Opens on {day_of(opens)}."}
    return _with_doubt(call, SAID_FORTHCOMING, words)


def _announced(call: Call) -> Words:
    source = said(call)
    checked = "" if source is None else day_of(source.checked)
    return {
        "fr": f"Annoncé par la source au {checked}, sans date d'ouverture connue.",
        "en": f"Announced by its source as of {checked}; no opening date is known.",
    }


def _running(call: Call, coming: datetime, days: int) -> Words:
    left_fr = "aujourd'hui" if days == 0 else f"dans {days} jour{'s' if days > 1 else ''}"
    left_en = "today" if days == 0 else f"in {days} day{'s' if days > 1 else ''}"
    words = {
        "fr": f"Ouvert jusqu'au {_hour(coming)} ({left_fr}).",
        "en": f"Open until {_hour(coming)} ({left_en}).",
    }
    return _with_doubt(call, SAID_OPEN, words)


def _said_alone(call: Call) -> Words:
    source = said(call)
    if source is None:
        return {
            "fr": "Aucune date et aucun statut ne sont donnés : à vérifier à la source.",
            "en": "No date and no status is given: check at the source.",
        }
    checked, status = day_of(source.checked), source.status or ""
    return {
        "fr": f"Aucune date connue ; la source disait « {FRENCH[status]} » au {checked}.",
        "en": f"No date is known; its source said “{status}” as of {checked}.",
    }


FRENCH = {SAID_FORTHCOMING: "à venir", SAID_OPEN: "ouvert", SAID_CLOSED: "fermé"}


def _with_doubt(call: Call, agreeing: str, words: Words) -> Words:
    """Add what the source says where it is otherwise."""
    source = said(call)
    if source is None or source.status in {None, agreeing}:
        return words
    checked, status = day_of(source.checked), source.status or ""
    return {
        "fr": f"{words['fr']} La source disait « {FRENCH[status]} » au {checked}.",
        "en": f"{words['en']} Its source said “{status}” as of {checked}.",
    }

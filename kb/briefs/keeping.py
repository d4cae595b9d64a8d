"""Briefs that are begun, opened by an address, and saved against what others save meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kb.briefs.editing import added, renamed
from kb.briefs.model import Brief
from kb.errors import UsageError
from kb.record.briefs import Opened, new_secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from kb.briefs.model import Reference
    from kb.record.briefs import BriefsRecord

MAX_BRIEFS = 10_000
# From here on only who has a key may begin more: nobody fills it for all.
MAX_OPEN_BRIEFS = 5_000
_MAX_DIGITS = 9
_TRIES = 5


def begin(
    record: BriefsRecord, title: str, language: str, now: datetime, key_name: str | None = None
) -> tuple[Brief, str]:
    """Keep a new brief, empty; returns it with the secret that edits it, which is shown once.

    Raises:
        UsageError: Title or language can't be used, or too many briefs are kept.
    """
    blank = Brief(0, "", language, (), staff=False, created=now, changed=now, revision=1)
    brief, secret = renamed(blank, title, language), new_secret()
    most = MAX_OPEN_BRIEFS if key_name is None else MAX_BRIEFS
    kept = record.add(brief, secret, key_name, most)
    if kept is None:
        raise UsageError(
            f"No more than {most} briefs can be kept here. `kb briefs remove` makes room."
        )
    return kept, secret


def opened(record: BriefsRecord, address: str, *, staff: bool) -> Opened | None:
    """The brief of an address: a secret of either kind or, for staff, the number of one of theirs.

    No secret is a number: it has 43 signs.
    """
    if not (address.isascii() and address.isdecimal() and len(address) <= _MAX_DIGITS):
        return record.by_secret(address)
    brief = record.of_staff(int(address)) if staff else None
    return None if brief is None else Opened(brief, may_edit=True)


def append(
    record: BriefsRecord, reopen: Callable[[], Brief], reference: Reference, now: datetime
) -> Brief:
    """Add a quote at the end, whatever else is saved meanwhile; one that is there stays one.

    Raises:
        UsageError: The brief is full, or is changed so often that nothing can be added.
    """
    for _ in range(_TRIES):
        brief = reopen()
        if reference in brief.blocks:
            return brief
        saved = record.save(added(brief, reference), now)
        if saved is not None:
            return saved
    raise UsageError("The brief is being changed by others all the time: try again in a moment.")

"""What a source gives: records of calls, one a call and source, with the texts as pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 -- pydantic reads dataclass fields at run time

from kb.calls.identity import call_key
from kb.model import Call, Page  # noqa: TC001 -- as above


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What one source says of one call at one time.

    ``source`` names the source (``eu-portal``, ``aides-territoires``, …). ``call`` holds what its
    structured fields say: no facts, no sources. ``status`` is the source's own word:
    ``forthcoming``, ``open``, ``closed`` or nothing. ``pages`` are its texts in ``language``,
    numbered from 1, each with a label ("Description", "Conditions") and with blocks; the first
    begins with the title. ``checked`` is when the source gave it. ``gone`` says that it was asked
    for and is not there any more; of such a record only the identifier and the source count.
    """

    source: str
    checked: datetime
    language: str
    call: Call
    pages: tuple[Page, ...]
    status: str | None = None
    gone: bool = False
    licence: str | None = None

    @property
    def key(self) -> str:
        """What makes records of several sources one call."""
        return call_key(self.call.identifier)


@dataclass(frozen=True, slots=True)
class Flaw:
    """A record that can't be read: where it stands, and what is wrong with it."""

    where: str
    problem: str

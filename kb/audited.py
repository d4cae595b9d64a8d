"""What every door leaves in the audit trail: who asks is known once, then a line a question."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from kb.audit import of_answer, of_documents, of_hits
from kb.keys import Door, KeyRole
from kb.model import FULL_ACCESS, Access
from kb.record.audit import Action, Event, Outcome, Returned

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kb.bootstrap import KnowledgeBase
    from kb.model import Answer, Document, Filters
    from kb.record.keys import Key
    from kb.search.engine import SearchResult

_NARROWED = ("kind", "language", "theme", "issuer", "since", "until")


class Asker(Protocol):
    """Who asks, as every door knows it."""

    @property
    def role(self) -> KeyRole | None:
        """Null for who has no key."""
        ...

    @property
    def access(self) -> Access:
        """What they may see."""
        ...

    @property
    def door(self) -> Door:
        """How they came in."""
        ...

    @property
    def key(self) -> Key | None:
        """With which key."""
        ...


@dataclass(frozen=True, slots=True)
class Command:
    """Whoever can start a command can read the store's files, and is staff."""

    role: KeyRole = KeyRole.STAFF
    access: Access = FULL_ACCESS
    door: Door = Door.CLI
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """The trail of one request, by default that of a command.

    ``started`` is by ``time.perf_counter``.
    """

    kb: KnowledgeBase
    caller: Asker = field(default_factory=Command)
    request_id: str = field(default_factory=lambda: secrets.token_hex(8))
    started: float = field(default_factory=time.perf_counter)

    def note(  # noqa: PLR0913 -- an event has so many sides, and most calls name few
        self,
        action: Action,
        query: str | None,
        outcome: Outcome,
        returned: Iterable[Returned] = (),
        *,
        filters: Mapping[str, Any] | None = None,
        language: str | None = None,
        generation: int | None = None,
        took_ms: float | None = None,
        door: Door | None = None,
    ) -> None:
        """Note what was asked and given, before it is sent; also that there was nothing.

        It waits for nothing, so that it may be called on the event loop.

        ``generation`` is by default the one that searches are answered from, ``took_ms`` the time
        since the request began, ``door`` the caller's. ``filters`` must not repeat the question.

        Raises:
            StoreError: The trail can't be written: the request is not to be answered.
        """
        key = self.caller.key
        took = (time.perf_counter() - self.started) * 1000 if took_ms is None else took_ms
        self.kb.trail.note(
            Event(
                at=self.kb.clock(),
                request_id=self.request_id,
                door=door or self.caller.door,
                role=self.caller.role,
                action=action,
                outcome=outcome,
                key_id=None if key is None else key.id,
                key=None if key is None else key.name,
                query=query,
                language=language,
                filters=filters or {},
                returned=tuple(returned),
                took_ms=round(took, 1),
                generation=self.kb.generations.open_id if generation is None else generation,
            )
        )


def narrowed(filters: Filters) -> dict[str, Any]:
    """What a search was narrowed to, but for what its caller may see."""
    stated = {name: getattr(filters, name) for name in _NARROWED}
    return {name: str(value) for name, value in stated.items() if value is not None}


def note_search(
    audit: Audit, found: SearchResult, filters: Filters, action: Action = Action.SEARCH
) -> None:
    """Note a search of passages; ``Action.BATCH`` for each one of a batch."""
    audit.note(
        action,
        found.query,
        Outcome.FOUND if found.hits else Outcome.NOTHING,
        of_hits(found.hits),
        filters=narrowed(filters),
        language=found.language,
        took_ms=found.took_ms,
    )


def note_answer(audit: Audit, given: Answer, filters: Filters) -> None:
    """Note an answer, or that the evidence did not suffice and what came nearest."""
    audit.note(
        Action.ANSWER,
        given.question,
        Outcome(given.status),
        of_answer(given),
        filters=narrowed(filters),
        language=given.language,
    )


def note_named(
    audit: Audit,
    action: Action,
    found: Document | None,
    document_id: str,
    version: int | None,
    **part: int,
) -> None:
    """Note that a document, or a part of one, was asked for by its name."""
    named = {"document_id": document_id, "version": version, **part}
    audit.note(
        action,
        None,
        Outcome.NOTHING if found is None else Outcome.FOUND,
        () if found is None else of_documents([found]),
        filters={name: value for name, value in named.items() if value is not None},
    )

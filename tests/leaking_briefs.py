"""Briefs that quote all there is, made by who may see it and read by whoever has an address."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from leaking_markers import found_in
from sqlalchemy import func, select

from kb.briefs import keeping
from kb.briefs.editing import added
from kb.briefs.model import Paragraph, Reference
from kb.model import Span
from kb.record.briefs import BriefsRecord, read_secret
from kb.record.schema import pages, versions

if TYPE_CHECKING:
    import random

    from leaking_asks import Ask
    from leaking_markers import Markers

    from kb.bootstrap import KnowledgeBase
    from kb.briefs.model import Block

_MOST = 60  # quotes


@dataclass(frozen=True, slots=True)
class Kept:
    """A brief: the addresses to edit and to read it, what it quotes, and its authors' own words."""

    secret: str
    reading: str
    number: int
    references: tuple[Reference, ...]
    own: set[str]

    @property
    def addresses(self) -> tuple[str, str]:
        """Whoever knows one of them has the brief."""
        return self.secret, self.reading


class Briefs:
    """The briefs of one base."""

    def __init__(self, kb: KnowledgeBase, markers: Markers) -> None:
        self._kb = kb
        self._record = BriefsRecord(kb.engine)
        self._markers = markers
        self._made_for: int | None = -1
        self.kept: list[Kept] = []
        self.ended: list[str] = []  # addresses that were good once

    def begin(self) -> None:
        """One that is there, and one that is deleted again."""
        self.renew()
        ended = self._begun(staff=False)
        self._record.delete(ended.number)
        self.ended += ended.addresses

    def renew(self) -> None:
        """A brief of what there is now, where something has changed, and the last few before."""
        generation = self._kb.record.current_id()
        if generation != self._made_for:
            self.kept = [*self.kept[-3:], self._begun(staff=len(self.kept) % 2 == 0)]
            self._made_for = generation

    def made(self) -> Kept:
        """A brief that nobody has changed yet."""
        self.kept.append(self._begun(staff=False))
        return self.kept[-1]

    def note(self, ask: Ask) -> None:
        """Have what somebody writes into a brief known as theirs."""
        for kept in self.kept:
            if ask.named.get("address") in (*kept.addresses, str(kept.number)):
                kept.own.update(found_in(ask.said))

    def address(self, chance: random.Random) -> str:
        """The address of a brief of either kind, or by its number, or one that is none."""
        kept = chance.choice(self.kept[-2:])
        others = (str(kept.number), "nothing", *self.ended[:1])
        return chance.choice((*kept.addresses, *kept.addresses, *others))

    def _begun(self, *, staff: bool) -> Kept:
        title, said = self._markers.word(), self._markers.word()
        brief, secret = keeping.begin(self._record, title, "fr", self._kb.clock(), "staff")
        references = _everything(self._kb)
        blocks: tuple[Block, ...] = (Paragraph(f"Words {said}."), *references)
        for block in blocks:
            brief = added(brief, block)
        assert self._record.save(replace(brief, staff=staff), self._kb.clock()) is not None
        return Kept(secret, read_secret(secret), brief.id, references, {title, said})


def _everything(kb: KnowledgeBase) -> tuple[Reference, ...]:
    """The whole of each page of each version that any generation may show, the newest first."""
    query = (
        select(versions.c.document_id, versions.c.number, pages.c.number, func.length(pages.c.text))
        .join(pages, pages.c.version_key == versions.c.key)
        .where(func.length(pages.c.text) > 0)
        .order_by(versions.c.key.desc())
        .limit(_MOST)
    )
    with kb.engine.connect() as connection:
        found = connection.execute(query).all()
    return tuple(
        Reference(document_id, version, (Span(page, None, None, 0, length),))
        for document_id, version, page, length in found
    )

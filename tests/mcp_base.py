"""A small base for assistants: documents of every visibility, in both languages, and calls."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from calls_making import brussels, made, record, take
from conftest import Base
from fakes import HashingEncoder, TickingClock
from reportlab.pdfgen.canvas import Canvas

from kb.bootstrap import open_knowledge_base
from kb.model import Applicant, Visibility
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENGLISH = "The guarantee covers half of the losses of investors in the social economy."
FRENCH = "Le fonds régional prête aux communes qui rénovent leurs écoles."
BEFORE = "Neighbours who repaired roofs founded it in a barn that nobody else wanted."
ON_PAGE = "The ladder library lends ladders to two hundred villages every summer."
COALITION = "Les alliés préparent la pétition des moulins flottants."
INTERNAL = "La stratégie confidentielle vise le ministère des phares bretons."
COLLECTED = "Les guérites en papier servent aux réunions de quartier."
OPEN_CALL = "The fund pays for ladders that an association lends to its village."
# Words that stand in one document alone, or name it, by who may see it.
SECRETS = {
    Visibility.COALITION: ("moulins flottants", "Pétition", "allies-"),
    Visibility.INTERNAL: ("phares bretons", "Stratégie", "strategie-", "HIDDEN-2026-01"),
}

SIDECAR = """\
files:
  guarantee.md: {title: Guarantee, identifier: guarantee, language: en, kind: policy,
                 issuer: Guarantee Forum, published: 2026-01-15, themes: [guarantee],
                 url: "https://forum.example/guarantee"}
  fonds.md: {title: Fonds régional, identifier: fonds, language: fr, kind: policy,
             issuer: Région, published: 2025-06-01}
  ladders.pdf: {title: Ladder library, identifier: ladders, language: en, kind: research,
                published: 2024-05-01}
  allies.md: {title: Pétition, kind: note, language: fr, visibility: coalition}
  strategie.md: {title: Stratégie, kind: note, language: fr, visibility: internal}
  guerites.md: {title: Guérites, identifier: guerites, kind: note, language: fr,
                visibility: coalition, collections: [quartiers]}
"""


def open_base(folder: Path, **settings: Any) -> Base:
    """An empty base; whoever opens it closes it."""
    values: dict[str, Any] = {"home": folder / "home", "workers": 1, **settings}
    kb = open_knowledge_base(Settings(**values), clock=TickingClock(), encoder=HashingEncoder())
    return Base(kb, folder / "files")


def write_files(base: Base) -> None:
    """Write the documents and what is said about them."""
    base.write("metadata.yaml", SIDECAR)
    base.write("guarantee.md", "# Guarantee", ENGLISH)
    base.write("fonds.md", "# Fonds", FRENCH)
    base.write("allies.md", "# Pétition", COALITION)
    base.write("strategie.md", "# Stratégie", INTERNAL)
    base.write("guerites.md", "# Guérites", COLLECTED)
    (base.folder / "ladders.pdf").write_bytes(_pdf(BEFORE, ON_PAGE))


def _pdf(*pages: str) -> bytes:
    written = io.BytesIO()
    canvas = Canvas(written)
    for text in pages:
        canvas.drawString(72, 700, text)
        canvas.showPage()
    canvas.save()
    return written.getvalue()


@contextmanager
def evidence_in(folder: Path) -> Iterator[Base]:
    """Six documents and three calls, one of them internal."""
    base = open_base(folder)
    write_files(base)
    report = base.ingest()
    assert report.exit_code == 0, report.as_json()
    ladders = made(
        "LADDER-2026-01",
        deadlines=(brussels("2026-04-01"),),
        opens=brussels("2026-01-01", "00:00"),
        programme="Village Fund",
        budget=2_000_000,
        applicants=(Applicant.ASSOCIATION,),
        countries=("FR",),
    )
    other = made("OTHER-2026-01", title="Bridges over brooks", deadlines=(brussels("2026-05-01"),))
    take(base.kb, [record(ladders, OPEN_CALL), other])
    take(base.kb, [made("HIDDEN-2026-01", title="Lighthouses")], Visibility.INTERNAL)
    yield base
    base.kb.close()

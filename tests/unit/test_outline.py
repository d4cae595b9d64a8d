"""The outline of a document: each heading once, where it is printed, and not too many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kb.model import FULL_ACCESS
from kb.record.outline import Heading, outline_of

if TYPE_CHECKING:
    from conftest import Base

PAGES = """\
<h1>Le plan</h1><p>Une introduction.</p>
<h2>Garantie</h2><h3>Son objet</h3><p>Elle couvre des pertes.</p><p>Elle dure dix ans.</p>
<h2>Subvention</h2><p>Elle est annuelle.</p>
<h3>Son objet</h3><p>Elle paie des salaires.</p>
"""


def outline(base: Base, name: str, most: int = 200) -> tuple[Heading, ...]:
    """The outline of the document of a file."""
    document_id = base.id_of(name)
    document = base.kb.record.document(base.kb.record.current_id() or 0, document_id, FULL_ACCESS)
    assert document is not None
    return outline_of(base.kb.engine, document, most)


def words_at(base: Base, name: str, heading: Heading) -> str:
    """What stands where a heading leads."""
    generation = base.kb.record.current_id() or 0
    found = base.kb.record.page(generation, base.id_of(name), heading.number, FULL_ACCESS)
    assert found is not None
    return found[1].text[heading.start :]


def test_headings_are_found_where_they_are_printed(base: Base) -> None:
    """Also two in a row, and one that another part of the document has too."""
    (base.folder / "plan.html").write_text(f"<html><body>{PAGES}</body></html>", encoding="utf-8")
    base.ingest()
    found = outline(base, "plan.html")
    titles = [heading.title for heading in found]
    assert titles[-4:] == ["Garantie", "Son objet", "Subvention", "Son objet"]
    assert [heading.level for heading in found[-3:]] == [
        found[-4].level + 1,
        found[-4].level,
        found[-4].level + 1,
    ]
    for heading in found:
        assert words_at(base, "plan.html", heading).startswith(heading.title)


def test_the_deepest_headings_are_left_out_first(base: Base) -> None:
    """A document of a thousand headings is still found one's way in."""
    parts = "".join(
        f"<h2>Partie {one}</h2><p>Un.</p>"
        + "".join(f"<h3>Point {one}.{two}</h3><p>Deux.</p>" for two in range(9))
        for one in range(9)
    )
    (base.folder / "long.html").write_text(f"<html><body>{parts}</body></html>", encoding="utf-8")
    base.ingest()
    assert len(outline(base, "long.html")) == 90
    assert [each.title for each in outline(base, "long.html", most=20)] == [
        f"Partie {one}" for one in range(9)
    ]
    assert len(outline(base, "long.html", most=5)) == 5


def test_a_text_without_headings_has_no_outline(base: Base) -> None:
    """There is nothing to lead to."""
    base.write("note.txt", "Une note.", "Elle dit une chose.")
    base.ingest()
    assert outline(base, "note.txt") == ()

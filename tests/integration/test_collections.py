"""Collections narrow what a key sees, in the index and in the record, in every generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from kb.maintenance import rollback
from kb.model import FULL_ACCESS, Access, Filters, Visibility
from kb.record.database import open_database
from kb.record.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Base

EVERYBODY = tuple(Visibility)
ROOF = Access(EVERYBODY, ("roofs",))


@pytest.fixture
def two(base: Base) -> Base:
    """A note on slates in the collection roofs, one on bricks in none."""
    base.write("slates.md", "# Slates", "Slates cover the workshop and cost 40 euros.")
    base.write("bricks.md", "# Bricks", "Bricks carry the workshop and cost 30 euros.")
    _state(base, "  slates.md: {collections: roofs}")
    base.ingest()
    return base


def _state(base: Base, *lines: str) -> None:
    (base.folder / "metadata.yaml").write_text("\n".join(("files:", *lines)) + "\n", "utf-8")


def _seen(base: Base, access: Access) -> set[str]:
    """The documents that an access sees; every way of asking must agree."""
    generation = base.kb.record.current_id() or 0
    listed = base.kb.record.list_documents(generation, access)
    found = base.found("workshop cost", Filters(access))
    with base.kb.generations.current() as view:
        counted = view.index.count(Filters(access))
        languages = view.index.facet("kind", Filters(access), 10)
    assert base.kb.record.count_documents(generation, access) == len(listed)
    assert {document.id for document in listed} == found
    assert counted == sum(languages.values()) == len(found)
    return found


def test_a_narrowed_access_sees_its_collections_alone(two: Base) -> None:
    """Search, lists, counts and facets agree; no collection means none of the documents."""
    slates, bricks = two.id_of("slates.md"), two.id_of("bricks.md")
    assert _seen(two, FULL_ACCESS) == {slates, bricks}
    assert _seen(two, ROOF) == {slates}
    assert _seen(two, Access(EVERYBODY, ("roofs", "walls"))) == {slates}
    assert _seen(two, Access(EVERYBODY, ())) == set()
    assert _seen(two, Access((Visibility.INTERNAL,), ("roofs",))) == set()
    generation = two.kb.record.current_id() or 0
    assert two.kb.record.page(generation, bricks, 1, ROOF) is None
    assert two.kb.record.original(generation, bricks, ROOF) is None


@pytest.mark.parametrize("said", ["none", "walls"])
def test_leaving_a_collection_holds_for_older_generations_too(two: Base, said: str) -> None:
    """A rollback gives nobody back what they were shut out of, nor does its index count it."""
    slates = two.id_of("slates.md")
    two.write("tiles.md", "# Tiles", "Tiles cover the workshop as well.")
    two.ingest()
    _state(two, f"  slates.md: {{collections: {said}}}")
    report = two.ingest()
    assert two.result(report, "slates.md").reason == "changed collections"
    assert _seen(two, ROOF) == set()
    for _ in range(2):
        rollback(two.kb)
        assert _seen(two, ROOF) == set()
        assert slates in _seen(two, FULL_ACCESS)


def test_what_was_said_once_stays_said(two: Base) -> None:
    """A changed file stays in its collection when the run does not speak of collections."""
    (two.folder / "metadata.yaml").unlink()
    two.write("slates.md", "# Slates", "Slates cover the workshop and cost 50 euros.")
    two.ingest()
    assert _seen(two, ROOF) == {two.id_of("slates.md")}
    assert "50 euros" in two.hits("slates cost", Filters(ROOF))[0].passage.text


def test_a_copy_in_another_collection_is_a_document_of_its_own(two: Base) -> None:
    """Whoever sees the copy's collection alone finds it."""
    two.write("copy.md", "# Slates", "Slates cover the workshop and cost 40 euros.")
    _state(two, "  slates.md: {collections: roofs}", "  copy.md: {collections: [walls]}")
    two.ingest()
    assert _seen(two, Access(EVERYBODY, ("walls",))) == {two.id_of("copy.md")}


def test_a_database_of_the_first_schema_goes_on(tmp_path: Path) -> None:
    """Its saved searches get the columns that they lack."""
    url = f"sqlite:///{tmp_path / 'record.db'}"
    engine = open_database(url)
    with engine.begin() as connection:
        for name in ("collections", "key_name"):
            connection.execute(text(f"ALTER TABLE saved_searches DROP COLUMN {name}"))
        connection.execute(text("ALTER TABLE versions DROP COLUMN valid_until"))
        connection.execute(text("UPDATE facts SET value = '1' WHERE name = 'schema'"))
    engine.dispose()
    engine = open_database(url)
    with engine.connect() as connection:
        connection.execute(text("SELECT collections, key_name FROM saved_searches"))
        found = connection.scalar(text("SELECT value FROM facts WHERE name = 'schema'"))
    engine.dispose()
    assert found == str(SCHEMA_VERSION)

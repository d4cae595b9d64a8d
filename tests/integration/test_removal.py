"""What was removed or narrowed stays so: in every answer, every generation, every file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kb import maintenance
from kb.answers.verify import verify
from kb.errors import NotFoundError, StoreError
from kb.lock import writer_lock
from kb.model import FULL_ACCESS, PUBLIC_ACCESS, Access, Filters, Kind, Visibility
from kb.record.history import remove_document

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Base, MakeKb

MARKER = "zanzibarquetzal"
PUBLIC = Filters()
EVERYBODY = FULL_ACCESS
TEXT = f"The {MARKER} ladder costs 5 euros and is lent to every member of the workshop."


@pytest.fixture
def twice(base: Base) -> Base:
    """A base with a secret document in both of its generations, and another one."""
    base.write("secret.md", f"# {MARKER} secret", TEXT)
    base.write("other.md", "# Other", "The saw costs 9 euros.")
    base.ingest()
    base.write("other.md", "# Other", "The saw costs 10 euros.")
    base.ingest()
    return base


def assert_nowhere(base: Base, document_id: str) -> None:
    """The document is in no answer of the current generation."""
    record, generation = base.kb.record, base.kb.record.current_id() or 0
    assert document_id not in base.found(f"{MARKER} ladder")
    assert MARKER not in str(base.kb.search.answer("What does the ladder cost?", PUBLIC))
    listed = record.list_documents(generation, EVERYBODY)
    assert document_id not in {document.id for document in listed}
    for version in (None, 1):
        assert record.document(generation, document_id, EVERYBODY, version) is None
        assert record.page(generation, document_id, 1, EVERYBODY, version) is None
        assert record.original(generation, document_id, EVERYBODY, version) is None
    assert record.versions(generation, document_id, EVERYBODY) == []
    assert all(check.sound for check in maintenance.examine(base.kb))


@pytest.mark.parametrize("purge", [False, True])
def test_a_removed_document_is_nowhere_also_after_a_rollback(twice: Base, *, purge: bool) -> None:
    """It is not found, cited, listed or read, in this generation and in the one before."""
    removed = twice.id_of("secret.md")
    assert removed in twice.found(f"{MARKER} ladder")
    maintenance.remove(twice.kb, removed, purge=purge)
    assert_nowhere(twice, removed)
    maintenance.rollback(twice.kb)
    assert_nowhere(twice, removed)
    assert twice.found("saw") == {twice.id_of("other.md")}


@pytest.mark.parametrize("purge", [False, True])
def test_a_removed_document_stays_out_when_its_folder_is_ingested_again(
    twice: Base, *, purge: bool
) -> None:
    """It is skipped with the reason, unchanged or rewritten, until ``--restore`` takes it back."""
    removed = twice.id_of("secret.md")
    maintenance.remove(twice.kb, removed, purge=purge)
    for text in (TEXT, TEXT.replace("5", "6")):
        twice.write("secret.md", f"# {MARKER} secret", text)
        result = twice.result(twice.ingest(), "secret.md")
        assert (result.outcome, result.document_id) == ("skipped", removed)
        assert "kb ingest --restore" in result.reason
        assert_nowhere(twice, removed)
    assert twice.result(twice.ingest(restore=True), "secret.md").outcome in {"added", "updated"}
    assert "6 euros" in twice.hits(f"{MARKER} ladder")[0].passage.text
    assert all(check.sound for check in maintenance.examine(twice.kb))


def test_an_unchanged_document_can_be_restored(twice: Base) -> None:
    """Taking a removed document back needs no change of its file."""
    removed = twice.id_of("secret.md")
    maintenance.remove(twice.kb, removed)
    assert twice.result(twice.ingest(restore=True), "secret.md").document_id == removed
    assert removed in twice.found(f"{MARKER} ladder")
    assert twice.ingest().generation is None


def test_a_quote_of_a_purged_document_is_no_longer_verified(twice: Base) -> None:
    """What a partner stored of it can't be confirmed by the base any more."""
    passage = twice.hits(f"{MARKER} ladder")[0].passage
    quotes = [(passage, passage.spans, passage.text)]
    assert verify(twice.kb.record, quotes) == [True]
    maintenance.remove(twice.kb, passage.document_id, purge=True)
    assert verify(twice.kb.record, quotes) == [False]


def test_removing_what_is_not_there_changes_nothing(twice: Base) -> None:
    """An unknown id is an error that says how to find ids; twice removed is no error."""
    with pytest.raises(NotFoundError, match="kb status --documents"):
        maintenance.remove(twice.kb, "no-such-document")
    removed = twice.id_of("secret.md")
    maintenance.remove(twice.kb, removed)
    maintenance.remove(twice.kb, removed, purge=True)
    assert_nowhere(twice, removed)


def files_with(folder: Path, words: str) -> list[str]:
    """The files under a folder that hold these words in any case."""
    wanted = words.lower().encode()
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and wanted in path.read_bytes().lower()
    ]


def test_purge_leaves_no_trace_of_the_text_in_any_file(base: Base) -> None:
    """Text, title, issuer and theme of every version are erased from database, log and index."""
    home = base.kb.settings.home
    for number in range(1, 3):
        base.write("secret.md", f"# {MARKER} secret", f"{TEXT} Version {number}.")
        base.write("other.md", "# Other", f"The saw costs {number} euros.")
        base.write(
            "metadata.yaml",
            f"files:\n  secret.md:\n    issuer: {MARKER} board\n    themes: [{MARKER}]",
        )
        base.ingest()
    assert {name.partition("/")[0] for name in files_with(home, MARKER)} >= {"originals", "index"}
    maintenance.remove(base.kb, base.id_of("secret.md"), purge=True)
    assert files_with(home, MARKER) == []
    assert base.found("saw") == {base.id_of("other.md")}


def test_purge_keeps_the_original_that_another_document_shares(base: Base) -> None:
    """Two documents made from the same bytes: erasing one leaves the other readable."""
    base.write("one.md", "# One", "The ladder costs 5 euros.")
    base.ingest()
    base.write("one.md", "# One", "The ladder costs 6 euros.")
    base.ingest()
    base.write("two.md", "# One", "The ladder costs 5 euros.")
    base.ingest()
    one, two = base.id_of("one.md"), base.id_of("two.md")
    maintenance.remove(base.kb, one, purge=True)
    stored = base.kb.record.original(base.kb.record.current_id() or 0, two, EVERYBODY)
    assert stored is not None
    assert "5 euros" in (base.kb.settings.originals / stored.path).read_text("utf-8")


@pytest.mark.parametrize("rewritten", [False, True])
def test_narrowing_hides_a_document_from_the_public_in_every_generation(
    twice: Base, *, rewritten: bool
) -> None:
    """No version of it is found, listed or read by the public any more, also after rollbacks."""
    narrowed, other = twice.id_of("secret.md"), twice.id_of("other.md")
    assert narrowed in twice.found(f"{MARKER} ladder", PUBLIC)
    (twice.folder / "other.md").unlink()
    if rewritten:
        twice.write("secret.md", f"# {MARKER} secret", TEXT.replace("5", "6"))
    twice.ingest(visibility=Visibility.INTERNAL)
    record, public = twice.kb.record, Access((Visibility.PUBLIC, Visibility.COALITION))
    for current in (3, 2, 1):
        assert record.current_id() == current
        assert narrowed not in twice.found(f"{MARKER} ladder", Filters(public))
        assert narrowed in twice.found(f"{MARKER} ladder")
        assert other in twice.found("saw", PUBLIC)
        assert record.versions(current, narrowed, public) == []
        assert record.page(current, narrowed, 1, public, version=1) is None
        with twice.kb.generations.current() as view:
            assert view.index.count(PUBLIC) == 1
        if current > 1:
            maintenance.rollback(twice.kb)


def test_narrowing_hides_older_versions_too(base: Base) -> None:
    """A version that was public before is not readable by number when the document is internal."""
    for number in (1, 2):
        base.write("secret.md", "# Secret", f"The ladder costs {number} euros.")
        base.ingest()
    base.ingest(visibility=Visibility.INTERNAL)
    generation, document_id = base.kb.record.current_id() or 0, base.id_of("secret.md")
    assert len(base.kb.record.versions(generation, document_id, EVERYBODY)) == 2
    assert base.kb.record.versions(generation, document_id, PUBLIC_ACCESS) == []


def test_narrowing_holds_at_once_for_a_service_that_is_running(
    twice: Base, make_kb: MakeKb
) -> None:
    """Another process that has the generation open stops showing it at its next query."""
    service = make_kb(twice.kb.settings.home)
    query = f"{MARKER} ladder"
    assert service.search.search(query, PUBLIC).hits[0].document.id == twice.id_of("secret.md")
    twice.ingest(visibility=Visibility.COALITION)
    assert service.search.search(query, PUBLIC).hits == []
    maintenance.remove(twice.kb, twice.id_of("secret.md"))
    found = service.search.search(query, Filters(access=EVERYBODY)).hits
    assert {hit.document.id for hit in found} <= {twice.id_of("other.md")}


def test_widening_shows_a_document_from_now_on(base: Base) -> None:
    """What becomes public is found by the public, and not before."""
    base.write("secret.md", "# Secret", "The ladder costs 5 euros.")
    base.ingest(visibility=Visibility.INTERNAL)
    assert base.found("ladder", PUBLIC) == set()
    base.ingest(visibility=Visibility.PUBLIC)
    assert base.found("ladder", PUBLIC) == {base.id_of("secret.md")}


@pytest.mark.parametrize("purge", [False, True])
def test_a_copy_of_a_removed_file_stays_out(twice: Base, *, purge: bool) -> None:
    """The same bytes under another name are not the way back in, also after a second purge."""
    removed = twice.id_of("secret.md")
    maintenance.remove(twice.kb, removed, purge=purge)
    maintenance.remove(twice.kb, removed, purge=purge)
    twice.write("copy.md", f"# {MARKER} secret", TEXT)
    result = twice.result(twice.ingest(), "copy.md")
    assert (result.outcome, result.document_id) == ("skipped", removed)
    assert f"{MARKER}" not in str(twice.hits(f"{MARKER} ladder"))


def test_a_rollback_takes_back_what_was_shown_by_mistake(base: Base) -> None:
    """Widened visibility ends with its generation, in the record as in the index."""
    base.write("secret.md", f"# {MARKER} secret", TEXT)
    base.ingest(visibility=Visibility.INTERNAL)
    secret = base.id_of("secret.md")
    base.ingest(visibility=Visibility.PUBLIC)
    assert secret in base.found(f"{MARKER} ladder", PUBLIC)
    maintenance.rollback(base.kb)
    generation = base.kb.record.current_id() or 0
    assert base.found(f"{MARKER} ladder", PUBLIC) == set()
    assert base.kb.record.document(generation, secret, PUBLIC.access) is None
    assert base.kb.record.list_documents(generation, PUBLIC.access) == []


def test_a_run_that_does_not_say_who_may_see_widens_nothing(base: Base) -> None:
    """A forgotten option, or a ``metadata.yaml`` that is gone, publishes nothing."""
    base.write("secret.md", f"# {MARKER} secret", TEXT)
    base.ingest(visibility=Visibility.INTERNAL, kind=Kind.POLICY)
    assert base.ingest().generation is None
    base.write("secret.md", f"# {MARKER} secret", TEXT, "The saw costs 9 euros.")
    base.ingest()
    assert base.found("saw", PUBLIC) == set()
    assert base.found("saw", Filters(EVERYBODY, kind=Kind.POLICY)) == {base.id_of("secret.md")}


def test_an_older_version_is_shown_to_no_more_people_than_the_current_one(base: Base) -> None:
    """A dated version that arrives late does not uncover an internal work."""
    base.write("new.md", "The ladder costs 6 euros.")
    base.write("old.md", "The ladder costs 5 euros.")
    both = "identifier: ladder, language: en"
    base.write(
        "metadata.yaml",
        f"files:\n  new.md: {{{both}, version_date: 2031-01-01, visibility: internal}}\n"
        f"  old.md: {{{both}, version_date: 2030-01-01, visibility: public}}",
    )
    (base.folder / "old.md").rename(base.folder / ".old.md")
    base.ingest()
    (base.folder / ".old.md").rename(base.folder / "old.md")
    base.ingest()
    generation = base.kb.record.current_id() or 0
    assert len(base.kb.record.versions(generation, "ladder-en", EVERYBODY)) == 2
    assert base.kb.record.versions(generation, "ladder-en", PUBLIC.access) == []


def test_another_format_that_is_internal_narrows_its_document(base: Base) -> None:
    """Of two statements about one work the narrower one holds."""
    base.write("act.html", f"<html><body><main><p>{TEXT}</p></main></body></html>")
    base.write("act.txt", TEXT)
    base.write(
        "metadata.yaml",
        "defaults: {identifier: ladder, language: en}\nfiles:\n  act.txt: {visibility: internal}",
    )
    base.ingest()
    assert base.found(f"{MARKER} ladder") == {"ladder-en"}
    assert base.found(f"{MARKER} ladder", PUBLIC) == set()


def test_a_restored_document_goes_with_the_rollback(twice: Base) -> None:
    """The generation before the restoring one never had it: the base stays sound."""
    removed = twice.id_of("secret.md")
    maintenance.remove(twice.kb, removed)
    twice.ingest(restore=True)
    assert removed in twice.found(f"{MARKER} ladder")
    maintenance.rollback(twice.kb)
    assert_nowhere(twice, removed)
    assert twice.result(twice.ingest(), "secret.md").outcome == "added"


def test_an_interrupted_purge_can_be_finished(twice: Base) -> None:
    """Purging again erases the original that the first one had left."""
    removed = twice.id_of("secret.md")
    remove_document(twice.kb.engine, removed, twice.kb.clock(), purge=True)
    maintenance.remove(twice.kb, removed, purge=True)
    originals = (path for path in twice.kb.settings.originals.rglob("*") if path.is_file())
    assert not any(MARKER in path.read_text() for path in originals)


def test_purging_erases_what_pulls_have_kept(base: Base) -> None:
    """A source's answers hold the text too; the next pull asks for them again."""
    base.write("echelle.md", "# Échelle", "Une échelle est prêtée à qui la demande.")
    base.ingest()
    kept = base.kb.settings.pulls / "answers.db"
    kept.parent.mkdir()
    kept.write_text("Une échelle est prêtée à qui la demande.", encoding="utf-8")
    maintenance.remove(base.kb, base.id_of("echelle.md"), purge=True)
    assert not kept.exists()


def test_a_purge_while_a_pull_is_under_way_says_to_purge_again(base: Base) -> None:
    """The pull keeps answers meanwhile; the document is removed all the same."""
    base.write("echelle.md", "# Échelle", "Une échelle est prêtée à qui la demande.")
    base.ingest()
    removed = base.id_of("echelle.md")
    kept = base.kb.settings.pulls / "answers.db"
    kept.parent.mkdir()
    kept.write_text("Une échelle est prêtée.", encoding="utf-8")
    with (
        writer_lock(base.kb.settings.pull_lock),
        pytest.raises(StoreError, match=r"is removed, but a pull .* purge again when it has ended"),
    ):
        maintenance.remove(base.kb, removed, purge=True)
    assert kept.exists()
    assert base.found("échelle") == set()
    maintenance.remove(base.kb, removed, purge=True)
    assert not kept.exists()

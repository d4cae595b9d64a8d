"""What becomes of files that change, come back, vanish, or hold the same work."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from ingest.identity import identify
from kb import maintenance
from kb.model import FULL_ACCESS, Filters, Metadata

if TYPE_CHECKING:
    from conftest import Base

EVERYBODY = FULL_ACCESS
ACT = """<?xml version="1.0" encoding="UTF-8"?>
<html xmlns="http://www.w3.org/1999/xhtml"><body>
<div class="eli-container"><p class="oj-doc-ti">COMMISSION REGULATION (EU) 2031/77</p>
<p class="oj-doc-ti">of 4 May 2031</p><p class="oj-doc-ti">on the lending of ladders</p>
<p class="oj-ti-art">Article 1</p><p class="oj-sti-art">Ladders</p>
<p class="oj-normal">1.   A ladder is lent to whoever asks for it.</p></div></body></html>"""


def current(base: Base) -> int:
    """The number of the current generation."""
    return base.kb.record.current_id() or 0


def text_of(base: Base, document_id: str, version: int | None = None) -> str:
    """The stored text of a version's first page."""
    found = base.kb.record.page(current(base), document_id, 1, EVERYBODY, version)
    assert found is not None
    return found[1].text


def state(base: Base) -> tuple[object, ...]:
    """What the current generation holds, down to ids and offsets."""
    record, generation = base.kb.record, current(base)
    found = [(document, passages) for document, passages in record.current_documents(generation)]
    with base.kb.generations.current() as view:
        return found, record.passage_ids(generation), view.index.ids()


def test_a_changed_file_is_a_new_version(base: Base) -> None:
    """Only the new text is found; the old one is read by its number."""
    base.write("price.txt", "The ladder costs 5 euros.")
    base.ingest()
    base.write("price.txt", "The ladder costs 9 euros.")
    result = base.result(base.ingest(), "price.txt")
    assert (result.outcome, result.version) == ("updated", 2)
    assert [hit.passage.text for hit in base.hits("ladder")] == ["The ladder costs 9 euros."]
    document_id = base.id_of("price.txt")
    assert [text_of(base, document_id, version) for version in (None, 2, 1)] == [
        "The ladder costs 9 euros.",
        "The ladder costs 9 euros.",
        "The ladder costs 5 euros.",
    ]
    versions = base.kb.record.versions(current(base), document_id, EVERYBODY)
    assert [(each.version, each.current) for each in versions] == [(2, True), (1, False)]


def test_a_file_that_goes_back_to_an_old_text_is_a_third_version(base: Base) -> None:
    """History is never rewritten: what was said again was said anew."""
    for number, text in enumerate(("It costs 5 euros.", "It costs 9 euros.", "It costs 5 euros.")):
        base.write("price.txt", text)
        assert base.result(base.ingest(), "price.txt").version == number + 1
    assert len(base.kb.record.versions(current(base), base.id_of("price.txt"), EVERYBODY)) == 3
    assert [hit.passage.text for hit in base.hits("costs")] == ["It costs 5 euros."]


def test_the_same_input_twice_changes_nothing(base: Base) -> None:
    """A second run publishes nothing, encodes nothing and leaves every id as it was."""
    base.write("price.md", "# Prices", "The ladder costs 5 euros.", "The saw costs 9 euros.")
    base.write("other.txt", "A windmill stands on the hill.")
    base.ingest()
    before, encoded = state(base), base.kb.encoder.passages_seen  # type: ignore[attr-defined]
    report = base.ingest()
    assert (report.generation, report.counts) == (None, {"unchanged": 2})
    assert (state(base), base.kb.encoder.passages_seen) == (before, encoded)  # type: ignore[attr-defined]


def test_only_what_changed_is_encoded_again(base: Base) -> None:
    """A run over a large folder with one new file costs one file."""
    for number in range(5):
        base.write(f"note-{number}.txt", f"Ladder number {number} is lent.")
    base.ingest()
    encoded = base.kb.encoder.passages_seen  # type: ignore[attr-defined]
    base.write("note-3.txt", "Ladder number 3 is broken.")
    base.ingest()
    assert base.kb.encoder.passages_seen == encoded + 1  # type: ignore[attr-defined]


def test_changed_metadata_is_an_update_without_a_new_version(base: Base) -> None:
    """Title, issuer and themes follow ``metadata.yaml``; filters see the new ones."""
    base.write("price.txt", "The ladder costs 5 euros.")
    base.ingest()
    base.write(
        "metadata.yaml",
        "files:\n  price.txt:\n    title: Prices\n    issuer: The Board\n    themes: [lending]",
    )
    result = base.result(base.ingest(), "price.txt")
    assert (result.outcome, result.version) == ("updated", 1)
    assert result.reason == "changed issuer, themes, title"
    [hit] = base.hits("ladder", Filters(theme="lending", issuer="the board"))
    assert (hit.document.title, hit.document.version) == ("Prices", 1)
    assert base.ingest().generation is None


def test_prune_withdraws_and_rollback_brings_back(base: Base) -> None:
    """A vanished file's document is left out only with ``--prune``, and only for a while."""
    base.write("kept.txt", "The saw is lent.")
    base.write("gone.txt", "The ladder is lent.")
    base.ingest()
    gone = base.id_of("gone.txt")
    (base.folder / "gone.txt").unlink()
    assert base.ingest().generation is None
    report = base.ingest(prune=True)
    assert base.result(report, "gone.txt").outcome == "withdrawn"
    assert gone not in base.found("ladder lent")
    assert base.kb.record.document(current(base), gone, EVERYBODY) is None
    maintenance.rollback(base.kb)
    assert gone in base.found("ladder lent")
    assert text_of(base, gone) == "The ladder is lent."


def test_prune_spares_what_was_ingested_from_elsewhere(base: Base) -> None:
    """Files outside the ingested folder are not taken for vanished."""
    outside = base.folder.parent / "elsewhere.txt"
    outside.write_text("The ladder is lent.", encoding="utf-8")
    folder, base.folder = base.folder, outside
    base.ingest()
    outside.unlink()
    base.folder = folder
    base.write("kept.txt", "The saw is lent.")
    base.ingest(prune=True)
    assert len(base.found("lent")) == 2


@pytest.mark.parametrize("order", [("2030-01-01", "2031-01-01"), ("2031-01-01", "2030-01-01")])
def test_the_newest_dated_version_is_current_in_either_order(
    base: Base, order: tuple[str, str]
) -> None:
    """Consolidations of one act are one document; an older one that comes later is history."""
    for day in order:
        name, work = f"act-{day}.txt", "celex: 32031R0077, language: en"
        base.write(name, f"The ladder is lent as of {day}.")
        stated = (base.folder / "metadata.yaml").read_text() if order[0] != day else "files:"
        base.write(
            "metadata.yaml",
            f"{stated.rstrip()}\n  {name}: {{{work}, version_date: {day}}}",
        )
        base.ingest()
    [hit] = base.hits("ladder")
    assert hit.document.id == "32031R0077-en"
    assert hit.passage.text == "The ladder is lent as of 2031-01-01."
    versions = base.kb.record.versions(current(base), "32031R0077-en", EVERYBODY)
    dates = [str(each.metadata.version_date) for each in versions if each.current]
    assert (len(versions), dates) == (2, ["2031-01-01"])
    assert base.ingest().generation is None
    assert all(check.sound for check in maintenance.examine(base.kb))


def test_another_format_of_the_same_version_is_skipped(base: Base) -> None:
    """Of two renditions of one work one is indexed; the other's line says which."""
    base.write("act.html", ACT)
    base.write("act.txt", "A ladder is lent to whoever asks for it.")
    base.write(
        "metadata.yaml",
        "defaults: {celex: 32031R0077, version_date: 2031-05-04, language: en}",
    )
    report = base.ingest()
    skipped = base.result(report, "act.txt")
    assert base.result(report, "act.html").outcome == "added"
    assert (skipped.outcome, skipped.document_id) == ("skipped", "32031R0077-en")
    assert "another format of 32031R0077-en" in skipped.reason
    assert base.ingest().generation is None


def test_an_identical_file_is_skipped(base: Base) -> None:
    """The same bytes under two names are one document; the other's line names the first."""
    base.write("a.txt", "The ladder is lent.")
    base.write("b.txt", "The ladder is lent.")
    skipped = base.result(base.ingest(), "b.txt")
    assert skipped.outcome == "skipped"
    assert skipped.reason.endswith("/a.txt")
    assert len(base.hits("ladder")) == 1
    assert base.ingest().generation is None


def test_an_identical_file_with_other_readers_is_a_document_of_its_own(base: Base) -> None:
    """What is internal does not hide the public copy of the same bytes."""
    base.write("a.txt", "The ladder is lent.")
    base.write("b.txt", "The ladder is lent.")
    base.write("metadata.yaml", "files:\n  a.txt: {visibility: internal}")
    base.ingest()
    assert len(base.found("ladder")) == 2
    assert base.found("ladder", Filters()) == {base.id_of("b.txt")}


def test_a_skipped_copy_that_changes_becomes_a_document(base: Base) -> None:
    """Once the bytes differ there are two documents, each with its own text."""
    base.write("a.txt", "The ladder is lent.")
    base.write("b.txt", "The ladder is lent.")
    base.ingest()
    base.write("b.txt", "The ladder is broken.")
    assert base.result(base.ingest(), "b.txt").outcome == "added"
    assert {hit.passage.text for hit in base.hits("ladder")} == {
        "The ladder is lent.",
        "The ladder is broken.",
    }


def test_a_failed_file_leaves_its_last_version_in_place(base: Base) -> None:
    """A file that can't be read any more is a line of the report, and its text stays."""
    base.write("price.md", "The ladder costs 5 euros.")
    base.ingest()
    (base.folder / "price.md").write_bytes(b"\x00\x01\x02" * 50)
    report = base.ingest()
    assert base.result(report, "price.md").outcome in {"failed", "skipped"}
    assert [hit.passage.text for hit in base.hits("ladder")] == ["The ladder costs 5 euros."]


def test_identical_files_of_one_name_are_read_side_by_side(base: Base) -> None:
    """Copies in two folders, read at the same moment, each end in a line of their own."""
    for folder in ("one", "two", "three"):
        (base.folder / folder).mkdir(parents=True)
        base.write(f"{folder}/SOURCE.txt", "The ladder is lent.")
    outcomes = [result.outcome for result in base.ingest().files]
    assert sorted(outcomes) == ["added", "skipped", "skipped"]


def test_a_version_number_is_not_used_again_after_a_rollback(base: Base) -> None:
    """A citation of an abandoned version never points at another text."""
    base.write("price.md", "The ladder costs 5 euros.")
    base.ingest()
    base.write("price.md", "The ladder costs 6 euros.")
    base.ingest()
    maintenance.rollback(base.kb)
    base.write("price.md", "The ladder costs 7 euros.")
    assert base.result(base.ingest(), "price.md").version == 3


def test_a_renamed_file_with_a_new_text_is_a_new_version(base: Base) -> None:
    """An identifier holds a document together when its file takes another name."""
    base.write("metadata.yaml", "defaults: {identifier: ladder-price, language: en}")
    old = base.write("price-2030.md", "The ladder costs 5 euros.")
    base.ingest()
    old.unlink()
    base.write("price-2031.md", "The ladder costs 6 euros.")
    result = base.result(base.ingest(), "price-2031.md")
    assert (result.outcome, result.document_id, result.version) == (
        "updated",
        "ladder-price-en",
        2,
    )


def test_a_file_under_a_new_identifier_leaves_no_copy_behind(base: Base) -> None:
    """The document that it was is withdrawn in the same run."""
    base.write("price.txt", "The ladder costs 5 euros.")
    base.ingest()
    before = base.id_of("price.txt")
    base.write("metadata.yaml", "defaults: {identifier: prices, language: en}")
    outcomes = {result.document_id: result.outcome for result in base.ingest().files}
    assert outcomes == {before: "withdrawn", "prices-en": "added"}
    assert base.found("ladder") == {"prices-en"}


def test_a_copy_becomes_a_document_when_its_original_changes(base: Base) -> None:
    """The text that two files held is still found while one of them holds it."""
    base.write("a.txt", "The ladder is lent.")
    base.write("b.txt", "The ladder is lent.")
    base.ingest()
    base.write("a.txt", "The ladder is broken.")
    assert base.result(base.ingest(), "b.txt").outcome == "added"
    assert len(base.found("ladder")) == 2
    assert base.ingest().generation is None


def test_identifiers_that_lose_signs_stay_apart() -> None:
    """Two works whose names differ only in signs that an id can't hold are two documents."""
    ids = {
        identify(Metadata(identifier=name), "/a.txt", "fr")[0]
        for name in ("Προϋπολογισμός", "Бюджет", "budget/1", "budget.1", "budget-1")
    }
    assert len(ids) == 5
    assert all(re.fullmatch("[a-z0-9-]+", each) for each in ids)

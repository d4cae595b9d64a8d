"""Briefs hold places, not words: shown anew to each reader, dated, and saved by one at a time."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from backing_up import backup_of, restored
from backing_up import opened as opened_base
from calls_making import brussels, document_id, made, take
from calls_making import record as record_of
from fakes import TickingClock
from sqlalchemy import event, text
from typer.testing import CliRunner

from kb.answers.verify import verify
from kb.briefs import editing, keeping
from kb.briefs.cli import app
from kb.briefs.model import Missing, Outdated, Paragraph, Quoted, Reference
from kb.briefs.resolve import resolve
from kb.errors import NotFoundError, UsageError
from kb.maintenance import remove
from kb.model import FULL_ACCESS, PUBLIC_ACCESS, Access, Span, Visibility
from kb.record.briefs import KEPT, BriefsRecord, new_secret, read_secret
from kb.record.database import open_database
from kb.record.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Base

    from kb.briefs.model import Block, Brief, Shown
    from kb.model import Hit

GUARANTEE = "The guarantee covers half of the losses of an investor who takes a share."
LANTERNS = "The lantern workshop lends forty lanterns to every village of the valley."
NEWER = "The guarantee covers two thirds of the losses of an investor who takes a share."
COALITION = Access((Visibility.PUBLIC, Visibility.COALITION))


def reference(hit: Hit) -> Reference:
    """The place of a passage, as a form gives it."""
    spans = editing.read_spans(editing.written_spans(hit.passage.spans))
    return Reference(hit.document.id, hit.document.version, spans)


def shown(base: Base, *blocks: Block, access: Access = FULL_ACCESS) -> tuple[Shown, ...]:
    """Blocks as a reader is shown them now."""
    return resolve(base.kb, blocks, access, base.kb.clock())


def quoted(shown: Shown) -> Quoted:
    """A quote that is there."""
    assert isinstance(shown, Quoted)
    return shown


@pytest.fixture
def two(base: Base) -> Base:
    """A public document and one for the coalition."""
    base.write("metadata.yaml", "files: {lanterns.md: {visibility: coalition, title: Lanterns}}")
    base.write("guarantee.md", "# Guarantee", GUARANTEE)
    base.write("lanterns.md", "# Lanterns", LANTERNS)
    base.ingest()
    return base


def test_a_quote_is_read_from_its_page(two: Base) -> None:
    """Numbered in order between paragraphs, with its passage and label, word for word."""
    first, second = two.hits("guarantee losses")[0], two.hits("lantern workshop")[0]
    blocks = (Paragraph("Before."), reference(second), Paragraph("Between."), reference(first))
    before, lanterns, between, guarantee = shown(two, *blocks)
    assert (before, between) == (blocks[0], blocks[2])
    citation = quoted(lanterns).citation
    assert (citation.number, citation.quote) == (1, second.passage.text)
    assert citation.passage == second.passage
    assert citation.spans == second.passage.spans
    assert quoted(guarantee).citation.number == 2
    assert verify(two.kb.record, [(citation.passage, citation.spans, citation.quote)]) == [True]
    assert quoted(guarantee).outdated == ()


def test_what_may_not_be_seen_is_missing(two: Base) -> None:
    """Like what never was, what has no such words, and what was removed; others stay."""
    guarantee = reference(two.hits("guarantee losses")[0])
    lanterns = reference(two.hits("lantern workshop")[0])
    beyond = replace(guarantee, spans=(Span(1, None, None, 0, 10_000),))
    nowhere = replace(guarantee, spans=(Span(9, None, None, 0, 5),))
    blocks = (
        lanterns,
        replace(guarantee, document_id="never-was"),
        replace(guarantee, version=7),
        replace(guarantee, spans=()),
        replace(guarantee, spans=(Span(1, None, None, 5, 5),)),
        beyond,
        nowhere,
        guarantee,
    )
    *others, last = shown(two, *blocks, access=PUBLIC_ACCESS)
    assert others == [Missing(block) for block in blocks[:-1]]
    assert quoted(last).citation.number == 1
    assert quoted(shown(two, lanterns, access=COALITION)[0]).citation.document.title == "Lanterns"
    remove(two.kb, lanterns.document_id)
    assert shown(two, lanterns) == (Missing(lanterns),)


def test_an_empty_base_misses_everything(base: Base) -> None:
    """Nothing was ingested yet."""
    anything = Reference("a", 1, (Span(1, None, None, 0, 1),))
    assert shown(base, anything, Paragraph("Words.")) == (Missing(anything), Paragraph("Words."))


def test_a_quote_of_a_former_version_is_superseded(two: Base) -> None:
    """It still reads as it did, and tells since when there is a newer one."""
    old = reference(two.hits("guarantee losses")[0])
    two.write("guarantee.md", "# Guarantee", NEWER)
    two.ingest()
    new = reference(two.hits("guarantee losses")[0])
    before, after = map(quoted, shown(two, old, new))
    assert GUARANTEE in before.citation.quote
    assert before.outdated == (Outdated.SUPERSEDED,)
    assert before.since == two.kb.clock().date()
    assert NEWER in after.citation.quote
    assert (after.outdated, after.since) == ((), None)


def test_a_text_is_in_force_until_its_last_day(two: Base) -> None:
    """As said beside it; what is said once holds until it is said anew, or the text changes."""
    here = reference(two.hits("guarantee losses")[0])
    now = two.kb.clock()
    last = now.date()
    two.write("metadata.yaml", f"files: {{guarantee.md: {{valid_until: {last}}}}}")
    two.ingest()
    [today] = resolve(two.kb, [here], FULL_ACCESS, now)
    [tomorrow] = resolve(two.kb, [here], FULL_ACCESS, now + timedelta(days=1))
    assert quoted(today).outdated == ()
    assert quoted(tomorrow).outdated == (Outdated.NO_LONGER_IN_FORCE,)
    assert quoted(tomorrow).since == last + timedelta(days=1)
    (two.folder / "metadata.yaml").unlink()
    two.ingest()
    current = two.kb.record.document(two.kb.record.current_id() or 0, here.document_id, FULL_ACCESS)
    assert current is not None
    assert current.metadata.valid_until == last
    two.write("guarantee.md", "# Guarantee", NEWER)
    two.ingest()
    current = two.kb.record.document(two.kb.record.current_id() or 0, here.document_id, FULL_ACCESS)
    assert current is not None
    assert (current.version, current.metadata.valid_until) == (2, None)


def test_a_quote_of_a_call_tells_when_it_has_closed(base: Base) -> None:
    """From the second of its deadline on, with its day; a withdrawn call is closed too."""
    closes = brussels("2026-03-03")
    take(base.kb, [made("LADDER-1", deadlines=(closes,)), made("LADDER-2", rolling=True)])
    hits = {hit.document.id: hit for hit in base.hits("ladders village lends people")}
    dated, rolling = (
        reference(hits[document_id(base.kb, name)]) for name in ("LADDER-1", "LADDER-2")
    )
    before, after = closes - timedelta(seconds=1), closes
    states = [
        [quoted(each) for each in resolve(base.kb, (dated, rolling), PUBLIC_ACCESS, moment)]
        for moment in (before, after)
    ]
    assert [each.outdated for each in states[0]] == [(), ()]
    assert [each.outdated for each in states[1]] == [(Outdated.CALL_CLOSED,), ()]
    assert states[1][0].since == closes.date()
    take(base.kb, [record_of(made("LADDER-2", rolling=True), gone=True)])
    [gone] = resolve(base.kb, (rolling,), PUBLIC_ACCESS, after)
    assert Outdated.CALL_CLOSED in quoted(gone).outdated


def test_many_quotes_take_no_more_queries_than_one(two: Base) -> None:
    """A brief of two hundred is read like one of two."""
    hits = [two.hits("guarantee losses")[0], two.hits("lantern workshop")[0]]
    counts = []
    for times in (1, 100):
        heard: list[str] = []

        def hear(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
            heard.append(statement)  # noqa: B023 -- removed before the next turn

        event.listen(two.kb.engine, "before_cursor_execute", hear)
        assert len(shown(two, *[reference(hit) for hit in hits * times])) == 2 * times
        event.remove(two.kb.engine, "before_cursor_execute", hear)
        counts.append(len(heard))
    assert counts[0] == counts[1]


# Kept


@pytest.fixture
def record(base: Base) -> BriefsRecord:
    """The briefs of a base."""
    return BriefsRecord(base.kb.engine)


def begun(base: Base, record: BriefsRecord, key: str | None = None) -> tuple[Brief, str]:
    """A new brief."""
    return keeping.begin(record, "Garantie", "fr", base.kb.clock(), key)


def test_two_secrets_open_a_brief_and_only_one_edits(base: Base, record: BriefsRecord) -> None:
    """Of neither does the database hold more than a hash."""
    brief, secret = begun(base, record)
    reading = read_secret(secret)
    for address, may_edit in ((secret, True), (reading, False)):
        found = keeping.opened(record, address, staff=False)
        assert found is not None
        assert (found.brief, found.may_edit) == (brief, may_edit)
    assert record.by_secret(new_secret()) is None
    assert record.by_secret(read_secret(reading)) is None
    kept = b"".join(path.read_bytes() for path in base.kb.settings.home.glob("record.db*"))
    assert b"Garantie" in kept
    assert secret.encode() not in kept
    assert reading.encode() not in kept


def test_a_number_opens_what_staff_share(base: Base, record: BriefsRecord) -> None:
    """For staff alone, and only while it is shared."""
    brief, _ = begun(base, record)
    number = str(brief.id)
    assert keeping.opened(record, number, staff=True) is None
    saved = record.save(replace(brief, staff=True), base.kb.clock())
    assert saved is not None
    assert keeping.opened(record, number, staff=False) is None
    found = keeping.opened(record, number, staff=True)
    assert found is not None
    assert found.brief == saved
    assert record.listed(staff=True) == [saved]


def test_a_stale_save_writes_nothing(base: Base, record: BriefsRecord) -> None:
    """Whoever read before another saved is told, and the other's words stay."""
    brief, secret = begun(base, record)
    mine = editing.added(brief, Paragraph("Mine."))
    theirs = record.save(editing.added(brief, Paragraph("Theirs.")), base.kb.clock())
    assert theirs is not None
    assert theirs.revision == brief.revision + 1
    assert record.save(mine, base.kb.clock()) is None
    found = record.by_secret(secret)
    assert found is not None
    assert found.brief == theirs
    assert record.delete(brief.id)
    assert record.save(theirs, base.kb.clock()) is None
    assert not record.delete(brief.id)


def test_a_quote_is_added_whoever_saves_meanwhile(two: Base) -> None:
    """Once, however often it is asked for."""
    record = BriefsRecord(two.kb.engine)
    brief, secret = begun(two, record)
    place = reference(two.hits("guarantee losses")[0])
    stale = [brief]

    def reopen() -> Brief:
        found = record.by_secret(secret)
        assert found is not None
        return stale.pop() if stale else found.brief

    record.save(editing.added(brief, Paragraph("Theirs.")), two.kb.clock())
    for _ in range(2):
        saved = keeping.append(record, reopen, place, two.kb.clock())
    assert saved.blocks == (Paragraph("Theirs."), place)


def test_untouched_briefs_of_nobody_are_forgotten(base: Base, record: BriefsRecord) -> None:
    """After a year, when the next is begun; those of a key and those of staff stay."""
    nobodys, secret = begun(base, record)
    keyed, _ = begun(base, record, "Équipe")
    shared, _ = begun(base, record)
    shared = record.save(replace(shared, staff=True), base.kb.clock()) or shared
    clock = base.kb.clock
    assert isinstance(clock, TickingClock)
    clock.now += KEPT - timedelta(hours=1)
    touched, _ = begun(base, record)
    assert nobodys in record.listed()
    clock.now += timedelta(hours=2)
    newest, _ = begun(base, record)
    assert {each.id for each in record.listed()} == {keyed.id, shared.id, touched.id, newest.id}
    assert record.by_secret(secret) is None


def test_nobody_fills_the_base_for_all(
    base: Base, record: BriefsRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has a key may begin more than who has none, and neither without end."""
    monkeypatch.setattr(keeping, "MAX_OPEN_BRIEFS", 1)
    monkeypatch.setattr(keeping, "MAX_BRIEFS", 2)
    begun(base, record)
    with pytest.raises(UsageError, match="kb briefs remove"):
        begun(base, record)
    begun(base, record, "Équipe")
    with pytest.raises(UsageError, match="No more than 2"):
        begun(base, record, "Équipe")


def test_a_purge_leaves_no_words_in_a_brief(two: Base) -> None:
    """A brief never held any: only where they stood."""
    record = BriefsRecord(two.kb.engine)
    brief, _ = begun(two, record)
    place = reference(two.hits("lantern workshop")[0])
    record.save(editing.added(brief, place), two.kb.clock())
    remove(two.kb, place.document_id, purge=True)
    kept = b"".join(path.read_bytes() for path in two.kb.settings.home.glob("record.db*"))
    assert b"Garantie" in kept
    assert b"forty lanterns" not in kept
    [left] = record.listed()
    assert shown(two, *left.blocks) == (Missing(place),)


def test_whatever_is_written_is_kept(base: Base, record: BriefsRecord) -> None:
    """Line breaks and signs of every language; half characters, which no database has, are not."""
    brief, secret = begun(base, record)
    written = "Une « note » –\n\nsuite 😀\x00 \ud800"
    record.save(editing.added(brief, Paragraph(written)), base.kb.clock())
    found = record.by_secret(secret)
    assert found is not None
    assert found.brief.blocks == (Paragraph(written.replace("\ud800", "?")),)


def test_a_backup_holds_the_briefs(base: Base, record: BriefsRecord, tmp_path: Path) -> None:
    """Their addresses open them in the base that is made of it."""
    brief, secret = begun(base, record)
    home = restored(backup_of(base.kb.settings.home, tmp_path / "kb.tar"), tmp_path / "again")
    with opened_base(home) as kb:
        found = BriefsRecord(kb.engine).by_secret(read_secret(secret))
    assert found is not None
    assert (found.brief, found.may_edit) == (brief, False)


def test_whoever_runs_the_base_lists_and_removes_briefs(
    base: Base, record: BriefsRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By number, without addresses or words."""
    monkeypatch.setenv("KB_HOME", str(base.kb.settings.home))
    brief, secret = begun(base, record)
    record.save(editing.added(brief, Paragraph("Our own words.")), base.kb.clock())
    listed = CliRunner().invoke(app, ["briefs", "list"])
    assert "Garantie" in listed.output
    as_json = CliRunner().invoke(app, ["briefs", "list", "--json"])
    [told] = json.loads(as_json.output)
    assert (told["id"], told["title"], told["blocks"]) == (brief.id, "Garantie", 1)
    assert secret not in as_json.output
    assert "Our own words" not in as_json.output
    removed = CliRunner().invoke(app, ["briefs", "remove", str(brief.id)])
    assert removed.output.strip() == f"Removed brief {brief.id}."
    assert record.listed() == []
    again = CliRunner().invoke(app, ["briefs", "remove", str(brief.id)])
    assert isinstance(again.exception, NotFoundError)


def test_a_database_of_the_second_schema_goes_on(tmp_path: Path) -> None:
    """Its versions get the column that they lack; briefs can be kept."""
    url = f"sqlite:///{tmp_path / 'record.db'}"
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE versions DROP COLUMN valid_until"))
        connection.execute(text("DROP TABLE briefs"))
        connection.execute(text("UPDATE facts SET value = '2' WHERE name = 'schema'"))
    engine.dispose()
    engine = open_database(url)
    with engine.connect() as connection:
        connection.execute(text("SELECT valid_until FROM versions"))
        found = connection.scalar(text("SELECT value FROM facts WHERE name = 'schema'"))
    assert found == str(SCHEMA_VERSION)
    assert BriefsRecord(engine).listed() == []
    engine.dispose()

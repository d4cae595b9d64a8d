"""Generations: what readers see while runs publish, roll back and repair."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

import pytest
from fakes import HashingEncoder

from kb import maintenance
from kb.errors import NotFoundError, StoreError
from kb.model import Filters

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Base, MakeKb

    from kb.bootstrap import KnowledgeBase


def assert_sound(kb: KnowledgeBase) -> None:
    """Index, record and originals agree."""
    assert [check for check in maintenance.examine(kb) if not check.sound] == []


class Asker(threading.Thread):
    """Asks one thing over and over, and remembers which answers and errors it got."""

    def __init__(self, ask: Callable[[], str]) -> None:
        super().__init__()
        self._ask = ask
        self._over = threading.Event()
        self.asked = threading.Event()
        self.answers: list[str] = []
        self.errors: list[Exception] = []

    def run(self) -> None:
        """Ask until told to stop."""
        while not self._over.is_set():
            try:
                answer = self._ask()
            except Exception as error:  # noqa: BLE001 -- whatever a reader meets is a failure
                self.errors.append(error)
            else:
                if self.answers[-1:] != [answer]:
                    self.answers.append(answer)
            self.asked.set()

    def catch_up(self) -> None:
        """Wait until a question that was asked from now on has been answered."""
        for _ in range(2):  # the first may have been asked before
            self.asked.clear()
            assert self.asked.wait(60)

    def stop(self) -> None:
        """End it."""
        self._over.set()
        self.join()


def test_readers_answer_without_a_gap_while_runs_publish(base: Base, make_kb: MakeKb) -> None:
    """A reader goes on from the old answers to the new ones, in order and without an error."""
    base.write("price.txt", "The ladder costs 0 euros.")
    base.ingest()
    service = make_kb(base.kb.settings.home)

    def ask() -> str:
        return service.search.search("ladder costs", Filters()).hits[0].passage.text

    askers = [Asker(ask), Asker(ask)]
    for asker in askers:
        asker.start()
        asker.catch_up()
    for price in range(1, 4):
        base.write("price.txt", f"The ladder costs {price} euros.")
        base.ingest()
        for asker in askers:
            asker.catch_up()
    maintenance.rollback(base.kb)
    for asker in askers:
        asker.catch_up()
        asker.stop()
    prices = [0, 1, 2, 3, 2]
    for asker in askers:
        assert asker.errors == []
        assert asker.answers == [f"The ladder costs {price} euros." for price in prices]


def test_an_old_generation_is_closed_after_its_last_query(base: Base) -> None:
    """A query under way keeps its generation open; the next one opens the new one."""
    base.write("one.md", "# One", "The first ladder.")
    base.ingest()
    generations = base.kb.generations
    with generations.current() as old:
        base.write("two.md", "# Two", "The second ladder.")
        base.ingest()
        with generations.current() as new:
            assert (old.generation, new.generation) == (1, 2)
            assert (old.index.count(), new.index.count()) == (1, 2)
        assert old.index.count() == 1
    with pytest.raises(Exception, match="not initialized"):
        old.index.count()
    with generations.current() as again:
        assert again is new


def test_closing_waits_for_the_query_under_way(base: Base) -> None:
    """A service that is being ended answers what it was asked."""
    base.write("one.md", "# One", "The first ladder.")
    base.ingest()
    with base.kb.generations.current() as view:
        base.kb.generations.close()
        assert view.index.count() == 1
    with pytest.raises(Exception, match="not initialized"):
        view.index.count()


def test_three_generations_are_kept_and_each_is_sound(base: Base) -> None:
    """The fourth run lets the first one go, on disk too."""
    for number in range(1, 5):
        base.write("price.txt", f"The ladder costs {number} euros.")
        assert base.ingest().generation == number
        assert_sound(base.kb)
    assert [generation.id for generation in base.kb.record.kept()] == [4, 3, 2]
    assert base.kb.index.generations() == {4, 3, 2}


def test_rollback_answers_as_before_the_last_run(base: Base) -> None:
    """Going back brings the old text, and the next run goes on from there."""
    base.write("price.txt", "The ladder costs 5 euros.")
    base.ingest()
    base.write("price.txt", "The ladder costs 9 euros.")
    base.ingest()
    assert maintenance.rollback(base.kb) == (2, 1)
    assert [hit.passage.text for hit in base.hits("ladder")] == ["The ladder costs 5 euros."]
    assert_sound(base.kb)
    report = base.ingest()
    assert (report.as_json()["updated"], report.generation) == (1, 3)
    assert [hit.passage.text for hit in base.hits("ladder")] == ["The ladder costs 9 euros."]
    assert_sound(base.kb)


def test_rollback_needs_an_older_generation(base: Base) -> None:
    """The first generation, or none at all, can't be gone back from."""
    with pytest.raises(NotFoundError):
        maintenance.rollback(base.kb)
    base.write("one.md", "# One", "The first ladder.")
    base.ingest()
    with pytest.raises(NotFoundError):
        maintenance.rollback(base.kb)
    assert base.found("ladder")


def test_repair_rebuilds_a_lost_index_from_the_record(base: Base) -> None:
    """Without its folder the index is reported unsound, and is the same after the repair."""
    base.write("one.md", "# One", "The first ladder.", "It costs 5 euros.")
    base.write("two.md", "# Two", "The second ladder.")
    base.ingest()
    before = base.hits("What does the ladder cost?")
    base.kb.generations.close()
    shutil.rmtree(base.kb.settings.index_folder)
    assert [check.name for check in maintenance.examine(base.kb) if not check.sound] == ["index"]
    with pytest.raises(StoreError, match="kb doctor --repair"):
        base.hits("ladder")
    repaired = maintenance.repair(base.kb, lambda _count: None)
    assert repaired.passages == sum(hit.document is not None for hit in before)
    assert_sound(base.kb)
    after = base.hits("What does the ladder cost?")
    assert [hit.passage for hit in after] == [hit.passage for hit in before]
    assert [hit.score for hit in after] == pytest.approx([hit.score for hit in before])


def test_nothing_can_be_repaired_before_something_was_ingested(base: Base) -> None:
    """An empty base is sound and has nothing to rebuild."""
    assert_sound(base.kb)
    with pytest.raises(NotFoundError):
        maintenance.repair(base.kb, lambda _count: None)


def test_another_encoder_is_refused_until_everything_is_encoded_again(
    base: Base, make_kb: MakeKb
) -> None:
    """Vectors of two models are never compared; the message names both and the way out."""
    base.write("one.md", "# One", "The first ladder.")
    base.ingest()
    other = make_kb(base.kb.settings.home, encoder=HashingEncoder("other", dimension=32))
    said = r"encoder hashing.*KB_ENCODER is other.*kb doctor --repair"
    with pytest.raises(StoreError, match=said):
        other.search.search("ladder", Filters())
    assert [check.name for check in maintenance.examine(other) if not check.sound] == ["encoder"]
    assert maintenance.repair(other, lambda _count: None).encoder == "other"
    assert other.search.search("ladder", Filters()).hits
    with pytest.raises(StoreError, match="KB_ENCODER is hashing"):
        base.ingest()


def test_a_service_goes_on_from_its_own_generation_while_another_encoder_takes_over(
    base: Base, make_kb: MakeKb
) -> None:
    """It answers until its generation is let go; a process that begins later is refused."""
    base.write("one.txt", "The first ladder.")
    base.ingest()
    home = base.kb.settings.home
    service, late = make_kb(home), make_kb(home)
    assert service.search.search("ladder", Filters()).hits
    other = make_kb(home, encoder=HashingEncoder("other", dimension=32))
    for _ in range(2):
        maintenance.repair(other, lambda _count: None)
        assert [hit.passage.text for hit in service.search.search("ladder", Filters()).hits] == [
            "The first ladder."
        ]
        with service.generations.current() as view:
            assert view.generation == 1
        with pytest.raises(StoreError, match="encoder other"):
            late.search.search("ladder", Filters())
    maintenance.repair(other, lambda _count: None)
    with pytest.raises(StoreError, match=r"encoder other.*KB_ENCODER is hashing.*--repair"):
        service.search.search("ladder", Filters())


def test_a_service_takes_the_newest_generation_of_its_encoder(base: Base, make_kb: MakeKb) -> None:
    """Also one that was published after its last query; and the current one after a rollback."""
    base.write("one.txt", "The first ladder.")
    base.ingest()
    service = make_kb(base.kb.settings.home)
    assert service.search.search("ladder", Filters()).hits
    base.write("two.txt", "The second ladder.")
    base.ingest()
    other = make_kb(base.kb.settings.home, encoder=HashingEncoder("other", dimension=32))
    maintenance.repair(other, lambda _count: None)
    assert len(service.search.search("ladder", Filters()).hits) == 2
    maintenance.rollback(other)
    with service.generations.current() as view:
        assert view.generation == 2
    assert len(base.hits("ladder")) == 2


def test_a_removed_document_is_in_no_answer_of_a_service_that_another_encoder_outran(
    base: Base, make_kb: MakeKb
) -> None:
    """The generation that it goes on from is kept, and so are removals from it."""
    base.write("one.txt", "The first ladder.")
    base.write("two.txt", "The second ladder.")
    base.ingest()
    service = make_kb(base.kb.settings.home)
    assert len(service.search.search("ladder", Filters()).hits) == 2
    other = make_kb(base.kb.settings.home, encoder=HashingEncoder("other", dimension=32))
    maintenance.repair(other, lambda _count: None)
    maintenance.remove(other, base.id_of("one.txt"), purge=True)
    found = [hit.passage.text for hit in service.search.search("ladder", Filters()).hits]
    assert found == ["The second ladder."]


def test_a_folder_with_a_foreign_name_beside_the_generations_is_left_alone(
    base: Base, tmp_path: Path
) -> None:
    """What the index did not make it does not delete."""
    foreign = base.kb.settings.index_folder / "notes"
    foreign.mkdir(parents=True)
    base.write("one.md", "# One", "The first ladder.")
    base.ingest()
    assert foreign.is_dir()
    assert base.kb.index.generations() == {1}
    assert foreign.is_relative_to(tmp_path)

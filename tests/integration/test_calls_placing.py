"""Records of calls into the base: versions, news, checks, and taking all of it back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from calls_making import CHECKED, EVERYBODY, brussels, made, record, take
from fakes import HashingEncoder
from sqlalchemy import func, select

from ingest.calls.base import Flaw
from ingest.calls.facts import with_facts
from ingest.calls.run import take_calls
from kb import maintenance
from kb.calls.query import CallQuery
from kb.errors import StoreError
from kb.model import PUBLIC_ACCESS, Access, Applicant, Metadata, Visibility
from kb.record.schema import call_checks, call_news, calls, documents, versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from conftest import MakeKb
    from numpy.typing import NDArray
    from sqlalchemy import Table

    from ingest.calls.base import CallRecord
    from kb.bootstrap import KnowledgeBase
    from kb.model import Call, Page

PAST, SPRING, SUMMER = brussels("2026-02-10"), brussels("2026-04-15"), brussels("2026-07-15")
PUBLIC = PUBLIC_ACCESS
MARKER = "zanzibarquetzal"


@pytest.fixture
def kb(make_kb: MakeKb) -> KnowledgeBase:
    """An empty base."""
    return make_kb()


def _later(days: int = 1) -> datetime:
    return CHECKED + timedelta(days=days)


def _told(kb: KnowledgeBase) -> list[str]:
    """The news of the base in words."""
    generation = kb.record.current_id() or 0
    return [
        " ".join(str(part) for part in (each.kind, each.field, each.before, each.after) if part)
        for each in kb.calls.news(generation, None)
    ]


def _call(kb: KnowledgeBase, identifier: str = "LADDER-2026-01") -> Call:
    hit = kb.finder.one(identifier, EVERYBODY, kb.clock())
    assert hit is not None
    return hit.call


def _version(kb: KnowledgeBase, identifier: str = "LADDER-2026-01") -> int:
    hit = kb.finder.one(identifier, EVERYBODY, kb.clock())
    assert hit is not None
    return hit.document.version


def _found(kb: KnowledgeBase, access: Access = EVERYBODY) -> list[str]:
    page = kb.finder.find(CallQuery(), access, kb.clock())
    assert page.total == len(page.hits)
    return [hit.call.identifier for hit in page.hits]


def _count(kb: KnowledgeBase, table: Table) -> int:
    with kb.engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def _sound(kb: KnowledgeBase) -> bool:
    return all(check.sound for check in maintenance.examine(kb))


def test_a_new_call_is_one_document_and_news(kb: KnowledgeBase) -> None:
    """It is found, has the moment at which it came in, and the base is sound."""
    report = take(kb, [made(deadlines=(SPRING,))])
    assert report.as_json()["calls"] == {"new": 1}
    assert report.exit_code == 0
    assert _found(kb) == ["LADDER-2026-01"]
    assert _told(kb) == ["new"]
    first_seen = _call(kb).first_seen
    assert first_seen is not None
    assert first_seen <= kb.clock()
    assert _sound(kb)


def test_sources_that_write_an_identifier_in_other_cases_are_one_call(kb: KnowledgeBase) -> None:
    """One document, found by any case, with every source."""
    take(kb, [made("HORIZON-Cl2-É/1:x", deadlines=(SPRING,))])
    other = record(made("horizon-cl2-É/1:X", budget=5), source="eu-portal-bulk")
    report = take(kb, [other])
    assert report.as_json()["calls"] == {"changed": 1}
    assert _found(kb) == ["HORIZON-Cl2-É/1:x"]
    call = _call(kb, "HORIZON-CL2-É/1:X ")
    assert (call.budget, [each.name for each in call.sources]) == (
        5,
        ["eu-portal", "eu-portal-bulk"],
    )
    assert kb.record.count_documents(kb.record.current_id() or 0, EVERYBODY) == 1


def test_nothing_new_makes_no_generation_and_notes_when_it_was_looked_at(
    kb: KnowledgeBase,
) -> None:
    """The moment of the check moves on; nothing is encoded or told."""
    encoder = kb.encoder
    assert isinstance(encoder, HashingEncoder)
    take(kb, [made(deadlines=(SPRING,))])
    seen = encoder.passages_seen
    report = take(kb, [record(made(deadlines=(SPRING,)), checked=_later())])
    assert report.generation is None
    assert report.as_json()["calls"] == {"unchanged": 1}
    assert (encoder.passages_seen, _told(kb), _version(kb)) == (seen, ["new"], 1)
    assert [each.checked for each in _call(kb).sources] == [_later()]
    take(kb, [record(made(deadlines=(SPRING,)))])
    assert [each.checked for each in _call(kb).sources] == [_later()], "never earlier"


def test_an_older_record_changes_nothing(kb: KnowledgeBase) -> None:
    """An old file that is ingested again does not bring an old deadline back."""
    take(kb, [record(made(deadlines=(SUMMER,)), checked=_later())])
    report = take(kb, [made(deadlines=(SPRING,))])
    assert (report.generation, report.as_json()["calls"]) == (None, {"unchanged": 1})
    assert _call(kb).deadlines == (SUMMER,)


@pytest.mark.parametrize(
    ("before", "after", "news", "counted"),
    [
        (
            {"deadlines": (SPRING,)},
            {"deadlines": (SUMMER,)},
            ["changed deadlines 2026-04-15 17:00 2026-07-15 17:00"],
            "changed",
        ),
        (
            {"deadlines": (PAST,)},
            {"deadlines": (SUMMER,)},
            ["reopened", "changed deadlines 2026-02-10 17:00 2026-07-15 17:00"],
            "reopened",
        ),
        ({"budget": None}, {"budget": 5}, ["changed budget 5"], "changed"),
        ({"keywords": ("a",)}, {"keywords": ("b",)}, [], "updated"),
    ],
)
def test_what_changes_is_told_once(
    kb: KnowledgeBase,
    before: dict[str, Any],
    after: dict[str, Any],
    news: list[str],
    counted: str,
) -> None:
    """Field by field from what to what, and counted under the most telling."""
    take(kb, [made(**before)])
    report = take(kb, [record(made(**after), checked=_later())])
    assert report.as_json()["calls"] == {counted: 1}
    assert _told(kb) == ["new", *news]
    assert _version(kb) == 2
    assert take(kb, [record(made(**after), checked=_later(2))]).generation is None


def test_a_call_that_its_source_closes_is_told(kb: KnowledgeBase) -> None:
    """Without dates the source's own word counts."""
    take(kb, [record(made(), status="open")])
    report = take(kb, [record(made(), status="closed", checked=_later())])
    assert report.as_json()["calls"] == {"closed": 1}
    assert _told(kb) == ["new", "closed", "changed status open closed"]


def test_a_call_is_gone_when_no_source_lists_it_any_more(kb: KnowledgeBase) -> None:
    """One source that ceases is no withdrawal while another still lists it; it may come back."""
    call = made(deadlines=(SPRING,))
    take(kb, [record(call), record(call, source="eu-portal-bulk")])
    take(kb, [record(made(), gone=True, checked=_later())])
    assert _told(kb) == ["new"]
    gone = record(made(), source="eu-portal-bulk", gone=True, checked=_later())
    assert take(kb, [gone]).as_json()["calls"] == {"gone": 1}
    assert _told(kb) == ["new", "gone"]
    assert _call(kb).deadlines == (SPRING,)
    assert take(kb, [gone]).generation is None
    back = record(call, checked=_later(2))
    assert take(kb, [back]).as_json()["calls"] == {"reopened": 1}


def test_a_source_that_does_not_list_an_unknown_call_says_nothing(kb: KnowledgeBase) -> None:
    """No document is made of it."""
    report = take(kb, [record(made(), gone=True)])
    assert (report.generation, report.as_json()["calls"]) == (None, {"unchanged": 1})
    assert _count(kb, documents) == 0


def test_a_call_that_comes_twice_in_one_run_is_one_version(kb: KnowledgeBase) -> None:
    """Told once, against what was known before the run."""
    first, second = made(deadlines=(SPRING,)), made(deadlines=(SUMMER,))
    report = take(kb, [record(first), record(second), record(first, source="eu-portal-bulk")])
    assert report.as_json()["calls"] == {"new": 1}
    assert (_told(kb), _version(kb), _count(kb, versions)) == (["new"], 1, 1)
    later = _later()
    moved, budgeted = made(deadlines=(SPRING,)), made(deadlines=(SPRING,), budget=4)
    report = take(kb, [record(moved, checked=later), record(budgeted, checked=later)])
    assert report.as_json()["calls"] == {"changed": 1}
    assert _told(kb)[1:] == [
        "changed deadlines 2026-07-15 17:00 2026-04-15 17:00",
        "changed budget 4",
    ]
    assert (_version(kb), _count(kb, versions), _sound(kb)) == (2, 2, True)


def test_old_and_new_states_in_one_run_that_end_where_it_was_change_nothing(
    kb: KnowledgeBase,
) -> None:
    """No generation is published for a way there and back."""
    new = made(deadlines=(SUMMER,))
    take(kb, [record(new, checked=_later())])
    old = record(made(deadlines=(SPRING,)), checked=_later())
    report = take(kb, [old, record(new, checked=_later())])
    assert (report.generation, report.as_json()["calls"]) == (None, {"unchanged": 1})
    assert _count(kb, versions) == 1


def test_rules_that_have_become_better_are_no_news(
    kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they find comes into the base at the next look, without telling anybody."""
    take(kb, [made(deadlines=(SPRING,))])

    def better(call: Call, pages: object, language: str) -> Call:
        del pages, language
        return replace(call, applicants=(Applicant.NGO,))

    monkeypatch.setattr("ingest.calls.placing.with_facts", better)
    report = take(kb, [record(made(deadlines=(SPRING,)), checked=_later())])
    assert report.as_json()["calls"] == {"updated": 1}
    assert (_told(kb), _call(kb).applicants) == (["new"], (Applicant.NGO,))


def test_an_odd_call_does_not_end_the_run(
    kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a flaw with its identifier; the others are in and nothing of it is left."""

    def failing(call: Call, pages: Sequence[Page], language: str) -> Call:
        if call.identifier == "ODD":
            raise ValueError("no such word")
        return with_facts(call, pages, language)

    monkeypatch.setattr("ingest.calls.placing.with_facts", failing)
    report = take(kb, [made("A"), made("ODD"), made("B")])
    assert report.as_json()["calls"] == {"new": 2}
    assert report.counts.flaws == [
        Flaw("ODD", "could not be taken in: ValueError: no such word"),
    ]
    assert (report.exit_code, sorted(_found(kb)), _sound(kb)) == (1, ["A", "B"], True)
    monkeypatch.undo()
    assert take(kb, [made("ODD")]).as_json()["calls"] == {"new": 1}


def test_a_source_that_fails_in_the_middle_leaves_the_base_as_it_was(kb: KnowledgeBase) -> None:
    """Nothing half-written is seen then or later."""
    take(kb, [made("A", deadlines=(SPRING,))])

    def broken() -> object:
        yield record(made("A", deadlines=(SUMMER,)), checked=_later())
        yield record(made("B"))
        raise StoreError("The source has gone.")

    with pytest.raises(StoreError, match="gone"):
        take_calls(kb, broken(), where="https://calls.example/")  # type: ignore[arg-type]
    assert (_found(kb), _told(kb), kb.record.current_id()) == (["A"], ["new"], 1)
    assert (_count(kb, versions), _count(kb, calls), _sound(kb)) == (1, 1, True)


def test_a_run_that_fails_while_it_indexes_leaves_nothing_half_written(
    make_kb: MakeKb, tmp_path: Path
) -> None:
    """No call, news or check of it is there; the next run tells all of it."""

    class FailingEncoder(HashingEncoder):
        """Fails at its first passage."""

        def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
            """Fail."""
            raise RuntimeError(f"no vectors for {len(texts)} texts")

    kb, failing = make_kb(tmp_path / "home"), make_kb(tmp_path / "home", encoder=FailingEncoder())
    take(kb, [made("A", deadlines=(SPRING,))])
    found = [record(made("A", deadlines=(SUMMER,)), checked=_later()), record(made("B"))]
    with pytest.raises(RuntimeError, match="no vectors"):
        take(failing, found)
    assert (_found(kb), _told(kb), _call(kb, "A").deadlines) == (["A"], ["new"], (SPRING,))
    counted = [_count(kb, table) for table in (calls, call_news, call_checks, documents)]
    assert counted == [1, 1, 1, 1]
    report = take(kb, found)
    assert report.as_json()["calls"] == {"changed": 1, "new": 1}
    assert (sorted(_found(kb)), len(_told(kb)), _sound(kb)) == (["A", "B"], 3, True)


DYING = """
import os, sys
from pathlib import Path
from calls_making import CHECKED, brussels, made, record, take
from datetime import timedelta
from fakes import HashingEncoder
from kb.bootstrap import open_knowledge_base
from kb.settings import Settings

class Dying(HashingEncoder):
    def encode_passages(self, texts):
        os._exit(9)

kb = open_knowledge_base(Settings(home=Path(sys.argv[1]), workers=1), encoder=Dying())
moved = made("A", deadlines=(brussels("2026-07-15"),))
take(kb, [record(moved, checked=CHECKED + timedelta(days=1)), record(made("B"))])
"""


def test_a_run_that_is_killed_leaves_nothing_half_written(make_kb: MakeKb, tmp_path: Path) -> None:
    """What it had written of calls is not seen, and the next run erases it and tells anew."""
    kb = make_kb(tmp_path / "home")
    take(kb, [made("A", deadlines=(SPRING,))])
    tests = Path(__file__).parents[1]
    path = os.pathsep.join([str(tests), str(tests.parent)])
    done = subprocess.run(
        [sys.executable, "-c", DYING, str(tmp_path / "home")],
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert done.returncode == 9
    assert _count(kb, calls) == 3
    assert (_found(kb), _told(kb), _call(kb, "A").deadlines) == (["A"], ["new"], (SPRING,))
    found = record(made("A", deadlines=(SUMMER,)), checked=_later())
    assert take(kb, [found]).as_json()["calls"] == {"changed": 1}
    assert (_count(kb, calls), _count(kb, versions), _count(kb, call_checks)) == (2, 2, 1)
    assert (_found(kb), len(_told(kb)), _sound(kb)) == (["A"], 2, True)


def test_a_rollback_takes_versions_and_news_back(kb: KnowledgeBase) -> None:
    """The next run tells it again, under new numbers."""
    take(kb, [made("A", deadlines=(SPRING,))])
    found: list[CallRecord | Call] = [
        record(made("A", deadlines=(SUMMER,)), checked=_later()),
        made("B"),
    ]
    take(kb, found)
    told, newest = _told(kb), kb.calls.newest_news()
    maintenance.rollback(kb)
    assert (_found(kb), _told(kb), _call(kb, "A").deadlines) == (["A"], ["new"], (SPRING,))
    assert _sound(kb)
    report = take(kb, found)
    assert report.as_json()["calls"] == {"changed": 1, "new": 1}
    assert _told(kb) == told
    generation = kb.record.current_id() or 0
    assert len(kb.calls.news(generation, None, after_id=newest)) == 2
    assert (_version(kb, "A"), _sound(kb)) == (3, True)


@pytest.mark.parametrize("purge", [False, True])
def test_a_removed_call_is_nowhere_until_it_is_restored(kb: KnowledgeBase, *, purge: bool) -> None:
    """No list, detail, news or feed shows it, also after a rollback, and no run brings it back."""
    take(kb, [made("A", deadlines=(SPRING,))])
    take(kb, [made("B", deadlines=(SPRING,))])
    hit = kb.finder.one("A", EVERYBODY, kb.clock())
    assert hit is not None
    maintenance.remove(kb, hit.document.id, purge=purge)
    for generation in (2, 1):
        assert kb.record.current_id() == generation
        assert _found(kb) == (["B"] if generation == 2 else [])
        assert kb.finder.one("A", EVERYBODY, kb.clock()) is None
        assert hit.document.id not in {n.document_id for n in kb.calls.news(generation, None)}
        if generation == 2:
            report = take(kb, [record(made("A", deadlines=(SUMMER,)), checked=_later())])
            assert (report.generation, report.as_json()["calls"]) == (None, {"removed": 1})
            maintenance.rollback(kb)
    found = [record(made("A", deadlines=(SPRING,)))]
    report = take_calls(kb, found, where="https://calls.example/", restore=True)
    assert Counter(report.as_json()["calls"]) == {"new" if purge else "updated": 1}
    assert (_found(kb), _sound(kb)) == (["A"], True)


def test_a_purged_call_leaves_no_trace_in_any_file(kb: KnowledgeBase) -> None:
    """Texts, fields, news and source records of every version are erased."""
    for day, title in enumerate((f"{MARKER} ladders", f"More {MARKER} ladders")):
        call = made("A", title=title, funder=f"{MARKER} fund", keywords=(MARKER,))
        take_calls(
            kb,
            [record(call, f"{MARKER} is paid for.", checked=_later(day))],
            where=f"https://{MARKER}.example/",
            stated=Metadata(themes=(MARKER,)),
        )
    hit = kb.finder.one("A", EVERYBODY, kb.clock())
    assert hit is not None
    assert len(_told(kb)) == 3
    maintenance.remove(kb, hit.document.id, purge=True)
    assert [_count(kb, table) for table in (calls, versions, call_news, call_checks)] == [0] * 4
    left = [
        str(path.relative_to(kb.settings.home))
        for path in kb.settings.home.rglob("*")
        if path.is_file() and MARKER.encode() in path.read_bytes().lower()
    ]
    assert left == []


@pytest.mark.parametrize("rewritten", [False, True])
def test_narrowing_hides_a_call_in_every_generation(kb: KnowledgeBase, *, rewritten: bool) -> None:
    """From lists, details and news of whoever may not see it, also after rollbacks."""
    take(kb, [made("A", deadlines=(SPRING,))])
    take(kb, [made("B", deadlines=(SPRING,))])
    narrowed = made("A", deadlines=(SUMMER,) if rewritten else (SPRING,))
    report = take(kb, [record(narrowed, checked=_later())], visibility=Visibility.COALITION)
    assert Counter(report.as_json()["calls"]) == {"changed" if rewritten else "updated": 1}
    for generation in (3, 2, 1):
        assert kb.record.current_id() == generation
        assert "A" not in _found(kb, PUBLIC)
        assert "A" in _found(kb, Access((*PUBLIC.visibilities, Visibility.COALITION)))
        assert kb.finder.one("A", PUBLIC, kb.clock()) is None
        assert {each.identifier for each in kb.calls.news(generation, PUBLIC)} <= {"B"}
        assert _sound(kb)
        if generation > 1:
            maintenance.rollback(kb)


def test_who_may_see_a_call_is_kept_where_nothing_is_said_anew(kb: KnowledgeBase) -> None:
    """A pull without ``--visibility`` publishes nothing that was internal."""
    take(kb, [made()], visibility=Visibility.INTERNAL)
    found = [record(made(deadlines=(SUMMER,)), checked=_later())]
    take_calls(kb, found, where="https://calls.example/")
    assert (_found(kb, PUBLIC), len(_found(kb))) == ([], 1)


def test_a_repaired_base_finds_calls_as_before(kb: KnowledgeBase) -> None:
    """Heads, facets, statuses and dates are built again from the record."""
    take(
        kb,
        [
            made("A", deadlines=(SPRING,), programme="LIFE", countries=("FR",)),
            record(made("B", rolling=True), "One part.", "Another part."),
        ],
        visibility=Visibility.COALITION,
    )
    before = kb.finder.find(CallQuery(), EVERYBODY, kb.clock())
    maintenance.repair(kb, lambda _: None)
    after = kb.finder.find(CallQuery(), EVERYBODY, kb.clock())
    assert (after.facets, after.total) == (before.facets, 2)
    assert [hit.document.id for hit in after.hits] == [hit.document.id for hit in before.hits]
    assert (_found(kb, PUBLIC), _told(kb), _sound(kb)) == ([], ["new", "new"], True)


def test_the_moments_that_are_kept_are_aware(kb: KnowledgeBase) -> None:
    """What comes out of the base can be compared with now."""
    take(kb, [made(deadlines=(SPRING,), opens=CHECKED)])
    call = _call(kb)
    moments = [call.opens, call.first_seen, *call.deadlines, *(s.checked for s in call.sources)]
    assert all(moment and moment.tzinfo for moment in moments)
    assert [moment for moment in call.deadlines if moment.astimezone(UTC) == SPRING] != []


PUBLIC = PUBLIC_ACCESS


def _news(kb: KnowledgeBase, access: Access) -> list[str]:
    generation = kb.record.current_id() or 0
    return [each.kind.value for each in kb.calls.news(generation, access)]


def test_what_was_hidden_is_not_told_when_a_call_is_opened_to_more(kb: KnowledgeBase) -> None:
    """They hear of a new call, not of what it was; its hidden deadlines are in no calendar."""
    hidden = made(title="Secret draft", budget=111, deadlines=(brussels("2026-05-01"),))
    take(kb, [hidden], Visibility.COALITION)
    shown = made(budget=222)
    take(kb, [record(shown, checked=_later())], Visibility.PUBLIC)
    generation = kb.record.current_id() or 0
    assert _news(kb, PUBLIC) == ["new"]
    assert "Secret draft" not in repr(kb.calls.news(generation, PUBLIC))
    [document] = kb.calls.of(generation, ["ladder-2026-01"], PUBLIC)
    assert kb.calls.earlier(generation, [document], PUBLIC) == {}
    assert kb.calls.earlier(generation, [document], EVERYBODY)
    assert {"new", "changed"} <= set(_news(kb, EVERYBODY))


def test_a_call_that_is_opened_to_more_people_is_new_to_them(kb: KnowledgeBase) -> None:
    """Nothing else of it has changed, and nobody could have told them before."""
    take(kb, [made()], Visibility.INTERNAL)
    assert _news(kb, PUBLIC) == []
    take(kb, [made()], Visibility.PUBLIC)
    assert _news(kb, PUBLIC) == ["new"]


def test_news_belong_to_their_generation(kb: KnowledgeBase) -> None:
    """Whoever reads an older generation does not skip what a newer one tells."""
    take(kb, [made()])
    older = kb.record.current_id() or 0
    take(kb, [record(made(budget=5), checked=_later())])
    assert len(kb.calls.news(older, PUBLIC)) == 1
    assert len(kb.calls.news(kb.record.current_id() or 0, PUBLIC)) == 2


def test_a_change_that_is_found_again_after_a_rollback_is_the_same(kb: KnowledgeBase) -> None:
    """Whoever was told of it is not told again."""
    take(kb, [made()])
    again = record(made(budget=5), checked=_later())
    take(kb, [again])
    generation = kb.record.current_id() or 0
    before = [each.digest for each in kb.calls.news(generation, PUBLIC)]
    maintenance.rollback(kb)
    take(kb, [again])
    after = [each.digest for each in kb.calls.news(kb.record.current_id() or 0, PUBLIC)]
    assert after == before


@pytest.mark.parametrize(("one", "other"), [("ÉTÉ-2026", "ETE-2026"), ("a:b", "a-b")])
def test_identifiers_that_differ_are_two_calls(kb: KnowledgeBase, one: str, other: str) -> None:
    """Only case makes no difference."""
    take(kb, [made(one), made(other)])
    assert {_call(kb, one).identifier, _call(kb, other).identifier} == {one, other}
    assert len(_found(kb)) == 2


def test_an_identifier_that_is_too_long_is_a_flaw(kb: KnowledgeBase) -> None:
    """It could be stored nowhere else and asked for at no door; the others are in."""
    report = take(kb, [made("X" * 301), made()])
    assert [flaw.problem for flaw in report.counts.flaws] == [
        "identifier has 301 characters; 1 to 300 are taken"
    ]
    assert _found(kb) == ["LADDER-2026-01"]

"""``kb ingest`` of saved answers of sources of calls, beside documents."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from eu_answers import TOPIC, action, answer, bulk_item, exported, row, topic
from fakes import HashingEncoder, TickingClock
from sqlalchemy import delete
from typer.testing import CliRunner

from ingest.cli import checked_at
from ingest.run import Options, ingest
from kb import bootstrap, maintenance
from kb.calls.dates import BRUSSELS
from kb.calls.query import CallQuery
from kb.cli import app
from kb.errors import UsageError
from kb.model import FULL_ACCESS, PUBLIC_ACCESS, Access, Filters, Kind, Visibility
from kb.record.schema import calls

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Base

    from ingest.report import Report
    from kb.calls.finder import CallHit
    from kb.model import Call

PUBLIC = PUBLIC_ACCESS
EVERYBODY = FULL_ACCESS
AID: dict[str, Any] = {
    "slug": "prêter-des-échelles",
    "url": "/aides/prêter-des-échelles/",
    "name": "Prêter des échelles",
    "financers": ["Agence des Échelles"],
    "description": "<p>On prête des échelles aux villages.</p>",
    "targeted_audiences": ["Association"],
    "aid_types": ["Subvention"],
    "submission_deadline": "2031-04-30",
}
REGION: dict[str, Any] = {
    "nom_de_l_aide_de_la_demarche": "Chorales de quartier",
    "porteur_aide": "Région Île-de-France",
    "qui_peut_en_beneficier": ["Association - Régie par la loi de 1901"],
    "chapo_txt": "La Région aide les chorales.",
    "date_cloture": "2031-06-29T22:00:00+00:00",
    "url_descriptif": "https://www.iledefrance.fr/aides-et-appels-a-projets/42",
}
CSV = (
    "Nom,Lien,Financeurs,Descriptif,Date Clôture\n"
    "Planter des haies,/aides/planter-des-haies/,Agence,On plante des haies.,2031-05-31\n"
)
PAGE = (
    "TITRE: Une fête des voisins\nURL: https://www.paris.fr/pages/fete-des-voisins-77\n"
    "DATE_LIMITE: \n\n--- SOURCE HTML ---\nDESCRIPTION: La Ville paie la fête.\n"
)


def _put(base: Base, name: str, content: object) -> Path:
    path = base.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, str) else json.dumps(content)
    path.write_bytes(gzip.compress(data.encode()) if name.endswith(".gz") else data.encode())
    return path


def _age(path: Path, day: str) -> None:
    """Have a file be saved at noon of a day."""
    moment = datetime.fromisoformat(f"{day}T11:00+00:00").timestamp()
    os.utime(path, (moment, moment))


def _ingest(base: Base, **options: Any) -> Report:
    return ingest(base.kb, [base.folder], Options(**options))


def _hit(base: Base, identifier: str = TOPIC) -> CallHit:
    hit = base.kb.finder.one(identifier, EVERYBODY, base.kb.clock())
    assert hit is not None
    return hit


def _call(base: Base, identifier: str = TOPIC) -> Call:
    return _hit(base, identifier).call


def _listed(base: Base, access: Access = EVERYBODY) -> list[str]:
    page = base.kb.finder.find(CallQuery(), access, base.kb.clock(), limit=100)
    return sorted(hit.call.identifier for hit in page.hits)


def test_every_saved_answer_in_a_folder_is_recognised(base: Base) -> None:
    """Whatever its name, packed or not, beside ordinary documents; each call is one document."""
    _put(base, "search.json", answer(row(), row("LIFE-2031-A")))
    _put(base, "details.json.gz", topic())
    _put(base, "all.json", {"fundingData": {"GrantTenderObj": [bulk_item(3)]}})
    _put(base, "export.jsonl", json.dumps(exported("CERV-2031-B")) + json.dumps(exported("C-2031")))
    _put(base, "aids.json", {"count": 1, "results": [AID]})
    _put(base, "aids.csv", CSV)
    _put(base, "idf.json", {"total_count": 1, "results": [REGION]})
    _put(base, "page.txt", PAGE)
    base.write("note.md", "# Note", "The ladder costs 5 euros.")
    base.write("table.csv", "name;price\nladder;5\n")
    report = _ingest(base)
    assert [each for each in report.files if each.outcome == "failed"] == []
    assert report.calls == {"new": 9}
    assert report.as_json()["calls"] == {"new": 9}
    assert _listed(base) == [
        "C-2031",
        "CERV-2031-B",
        TOPIC,
        "LIFE-2031-A",
        "LIFE-2031-BOGS-3",
        "aides-territoires:planter-des-haies",
        "aides-territoires:prêter-des-échelles",
        "ile-de-france:42",
        "paris:77",
    ]
    assert base.result(report, "search.json").reason == "2 calls: 2 new"
    assert base.result(report, "aids.csv").reason == "1 call: 1 new"
    assert base.result(report, "note.md").document_id == base.id_of("note.md")
    assert base.kb.record.count_documents(1, EVERYBODY) == 11
    assert base.id_of("note.md") in base.found("ladder costs", Filters(EVERYBODY, kind=Kind.NOTE))
    assert all(check.sound for check in maintenance.examine(base.kb))


def test_a_list_and_the_page_of_a_call_make_one_call(base: Base) -> None:
    """In whichever order they are named: the fullest texts, and the fields of both."""
    _put(base, "a-details.json", topic(frameworkProgramme={}, budgetOverviewJSONItem={}))
    _put(base, "b-search.json", answer(row(crossCuttingPriorities=["AI"])))
    report = _ingest(base)
    assert report.calls == {"new": 1}
    call = _call(base)
    assert [source.name for source in call.sources] == ["eu-portal"]
    assert call.programme_id == "43108390"
    assert [link.name for link in call.links] == ["Portal page", "Submission: Research"]
    document = _hit(base).document
    labels = [
        found[1].label
        for number in (1, 2, 3)
        if (found := base.kb.record.page(1, document.id, number, EVERYBODY))
    ]
    assert labels == ["Description", "Conditions", "Support"]
    again = _ingest(base)
    assert (again.generation, again.calls) == (None, {"unchanged": 1})


def test_nothing_new_makes_no_generation_and_the_check_moves_on(base: Base) -> None:
    """A list that was saved again and says the same is unchanged, and was checked later."""
    path = _put(base, "search.json", answer(row()))
    _age(path, "2026-01-10")
    _ingest(base)
    assert [source.checked.date().isoformat() for source in _call(base).sources] == ["2026-01-10"]
    _age(path, "2026-02-20")
    encoder = base.kb.encoder
    assert isinstance(encoder, HashingEncoder)
    seen = encoder.passages_seen
    report = _ingest(base)
    assert (report.generation, report.exit_code) == (None, 0)
    assert base.result(report, "search.json").outcome == "unchanged"
    assert base.result(report, "search.json").reason == "1 call: 1 unchanged"
    assert [source.checked.date().isoformat() for source in _call(base).sources] == ["2026-02-20"]
    assert encoder.passages_seen == seen


def test_a_moved_deadline_is_a_new_version_and_news(base: Base) -> None:
    """Dates that the newer list gives; the older list changes nothing back."""
    old = _put(base, "january.json", answer(row()))
    _age(old, "2026-01-10")
    _ingest(base)
    new = _put(base, "february.json", answer(row(deadlineDate=["2031-11-04T00:00:00.000+0000"])))
    _age(new, "2026-02-10")
    report = _ingest(base)
    assert report.calls == {"changed": 1}
    news = base.kb.calls.news(report.generation or 0, None)[1:]
    assert [(each.field, each.before, each.after) for each in news] == [
        ("deadlines", "2031-09-16 17:00", "2031-11-04 17:00")
    ]
    assert _ingest(base).generation is None


def test_checked_says_when_saved_answers_were_saved(base: Base) -> None:
    """It counts instead of the dates of files, which copying changes."""
    _put(base, "search.json", answer(row()))
    checked = datetime(2026, 1, 5, 11, tzinfo=UTC)
    _ingest(base, checked=checked)
    assert [source.checked for source in _call(base).sources] == [checked]
    _put(base, "search.json", answer(row(title=["Older rivers"])))
    assert _ingest(base, checked=checked - timedelta(days=1)).generation is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05", "2026-01-05T12:00+01:00"),
        ("2026-03-01", "2026-03-01T08:00+01:00"),  # today, which is not at noon yet
        ("2026-01-05T09:30", "2026-01-05T09:30+01:00"),
        ("2026-01-05T09:30:00Z", "2026-01-05T09:30+00:00"),
    ],
)
def test_checked_takes_a_day_or_a_moment(text: str, expected: str) -> None:
    """A day is its noon in Brussels, at the latest now."""
    now = datetime(2026, 3, 1, 8, tzinfo=BRUSSELS)
    assert checked_at(text, now) == datetime.fromisoformat(expected)


@pytest.mark.parametrize("text", ["2026-03-02", "2026-03-01T08:01", "yesterday", "", "01/05/2026"])
def test_checked_refuses_what_is_no_day_or_still_to_come(text: str) -> None:
    """The message names the option."""
    with pytest.raises(UsageError, match="--checked"):
        checked_at(text, datetime(2026, 3, 1, 8, tzinfo=BRUSSELS))


def test_broken_records_are_named_and_the_others_are_in(base: Base) -> None:
    """Exit code 1; each line says the file, the place in it and what is wrong."""
    broken = [row("", title=["Without identifier"]), row("B-2031", deadlineDate=["soon"])]
    _put(base, "search.json", answer(row(), *broken, 7))
    _put(base, "export.jsonl", json.dumps(exported("A-2031")) + json.dumps(exported("X"))[:99])
    report = _ingest(base)
    assert report.exit_code == 1
    assert report.calls == {"new": 2}
    failed = [each for each in report.files if each.outcome == "failed"]
    assert len(failed) == 4
    assert all(str(base.folder) in each.path and each.reason for each in failed)
    assert "deadlineDate" in next(each.reason for each in failed if "soon" in each.reason)
    assert base.result(report, "search.json").reason == "1 call: 1 new"
    assert base.result(report, "export.jsonl").outcome == "added"
    assert all(check.sound for check in maintenance.examine(base.kb))


def test_many_broken_records_do_not_flood_the_report(base: Base) -> None:
    """Twenty are told one by one, the others counted."""
    _put(base, "search.json", answer(*(row("", url=[f"u{n}"]) for n in range(30)), row()))
    report = _ingest(base)
    reasons = [each.reason for each in report.files if each.outcome == "failed"]
    # Rows without identifier are one call to the reader, unless it tells them apart.
    assert 1 <= len(reasons) <= 21
    assert report.calls == {"new": 1}


def test_a_file_without_a_readable_call_has_failed(base: Base) -> None:
    """An answer that found nothing is no fault."""
    _put(base, "broken.json", answer(row("")))
    _put(base, "nothing.json", json.dumps(answer(row("", type=["0"]))))
    report = _ingest(base)
    assert base.result(report, "broken.json").outcome == "failed"
    assert base.result(report, "nothing.json").outcome == "unchanged"
    assert (report.generation, report.exit_code) == (None, 1)


def test_metadata_beside_a_list_and_options_hold_for_its_calls(base: Base) -> None:
    """Theme and visibility; the option counts over the file, the kind is always that of calls."""
    _put(base, "search.json", answer(row()))
    base.write("metadata.yaml", "files:\n  search.json: {visibility: internal, themes: [Eau]}")
    base.ingest(kind=Kind.NOTE)
    document = _hit(base).document
    assert (document.visibility, document.kind) == (Visibility.INTERNAL, Kind.CALL)
    assert document.metadata.themes == ("Eau",)
    assert _listed(base, PUBLIC) == []
    (base.folder / "metadata.yaml").unlink()
    assert base.ingest().generation is None, "what was said once holds"
    report = base.ingest(visibility=Visibility.PUBLIC, themes=("Rivières",))
    assert report.calls == {"updated": 1}
    assert _listed(base, PUBLIC) == [TOPIC]
    facets = base.kb.finder.find(CallQuery(), PUBLIC, base.kb.clock()).facets["theme"]
    assert facets.keys() >= {"Rivières"}
    assert "Eau" not in facets
    told = base.kb.calls.news(report.generation or 0, PUBLIC)
    assert [each.kind.value for each in told] == ["new"], "to those who see it now"


def test_of_two_statements_about_one_call_the_narrower_holds(base: Base) -> None:
    """One folder says internal, another nothing or more: it is one internal call, told once."""
    for folder, stated in (("a", "internal"), ("b", "public"), ("c", "coalition")):
        _put(base, f"{folder}/search.json", answer(row()))
        _put(base, f"{folder}/metadata.yaml", f"defaults: {{visibility: {stated}}}")
    _put(base, "d/search.json", answer(row()))
    report = _ingest(base)
    assert report.calls == {"new": 1}
    assert [base.result(report, f"{each}/search.json").reason for each in "abcd"] == [
        "1 call: 1 new"
    ] * 4
    assert _hit(base).document.visibility is Visibility.INTERNAL
    assert len(base.kb.calls.news(report.generation or 0, None)) == 1
    assert _ingest(base).generation is None


def test_a_saved_answer_is_not_kept_among_the_originals(base: Base) -> None:
    """A call belongs to no single file, and a purge must find its text nowhere."""
    _put(base, "search.json", answer(row()))
    _ingest(base)
    assert [path for path in base.kb.settings.originals.rglob("*") if path.is_file()] == []


def test_a_removed_call_is_said_to_be(base: Base) -> None:
    """With the way to take it back in."""
    _put(base, "search.json", answer(row(), row("LIFE-2031-A")))
    _ingest(base)
    maintenance.remove(base.kb, _hit(base).document.id, purge=True)
    report = _ingest(base)
    assert report.calls == {"removed": 1, "unchanged": 1}
    assert "kb ingest --restore" in base.result(report, "search.json").reason
    assert report.generation is None
    assert base.ingest(restore=True).calls == {"new": 1, "unchanged": 1}
    assert _listed(base) == [TOPIC, "LIFE-2031-A"]


def test_a_file_that_is_known_as_a_table_becomes_calls(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a base held before it knew of calls is replaced, also where the file is the same."""
    monkeypatch.setattr("ingest.run.recognise", lambda _path, _name: None)
    _put(base, "aids.csv", CSV)
    base.write("note.md", "# Note", "The ladder costs 5 euros.")
    _ingest(base)
    table = base.id_of("aids.csv")
    assert _listed(base) == []
    monkeypatch.undo()
    report = _ingest(base)
    assert report.calls == {"new": 1}
    withdrawn = [each for each in report.files if each.outcome == "withdrawn"]
    assert [each.document_id for each in withdrawn] == [table]
    assert table not in base.found("haies")
    assert base.result(report, "note.md").outcome == "unchanged"
    assert _ingest(base).generation is None
    assert all(check.sound for check in maintenance.examine(base.kb))


def test_a_document_of_that_kind_without_facts_is_no_call(base: Base) -> None:
    """Sheets about calls, also those of a base that was made before, are documents as ever."""
    base.write("sheet.md", "# A call", "Apply for ladders until May.")
    base.ingest(kind=Kind.CALL)
    sheet = base.id_of("sheet.md")
    assert sheet in base.found("ladders", Filters(EVERYBODY, kind=Kind.CALL))
    page = base.kb.finder.find(CallQuery(query="ladders"), EVERYBODY, base.kb.clock())
    assert (page.total, page.hits) == (0, ())
    _put(base, "search.json", answer(row()))
    base.ingest()
    assert _listed(base) == [TOPIC]
    with base.kb.engine.begin() as connection:
        connection.execute(delete(calls))
    assert (_listed(base), base.kb.finder.one(TOPIC, EVERYBODY, base.kb.clock())) == ([], None)
    assert base.found("rivers") != set()


def test_two_calls_of_one_folder_do_not_hide_each_other(base: Base) -> None:
    """A topic and its sibling with an almost equal name are two."""
    _put(base, "search.json", answer(row("LIFE-2031-A.1"), row("LIFE-2031-A-1")))
    assert _ingest(base).calls == {"new": 2}
    assert _listed(base) == ["LIFE-2031-A-1", "LIFE-2031-A.1"]


@pytest.fixture
def command(base: Base, monkeypatch: pytest.MonkeyPatch) -> Base:
    """A base that commands open, with the tests' encoder and clock."""
    settings, encoder, opening = base.kb.settings, base.kb.encoder, bootstrap.open_knowledge_base
    monkeypatch.setattr(
        bootstrap,
        "open_knowledge_base",
        lambda: opening(settings, encoder=encoder, clock=TickingClock()),
    )
    return base


def test_the_command_tells_what_became_of_calls(command: Base) -> None:
    """In words and as JSON, with exit code 1 where records are broken."""
    path = _put(command, "search.json", answer(row(), row("B-2031", deadlineDate=["soon"])))
    result = CliRunner().invoke(app, ["ingest", str(path), "--checked", "2026-01-05"])
    said = " ".join(result.stdout.split())
    assert result.exit_code == 1
    assert "1 call: 1 new" in said
    assert "failed │ 1" in said
    assert "calls new │ 1" in said
    result = CliRunner().invoke(app, ["ingest", str(path), "--checked", "2026-01-06", "--json"])
    report = json.loads(result.stdout)
    assert (report["calls"], report["generation"]) == ({"unchanged": 1}, None)
    checked = [source.checked.date().isoformat() for source in _call(command).sources]
    assert checked == ["2026-01-06"]


def test_a_call_with_two_actions_keeps_both_deadlines(base: Base) -> None:
    """Every cut-off is there, earliest first."""
    both = [action("2031-09-16"), action("2031-03-04")]
    _put(base, "details.json", topic(actions=both))
    _ingest(base)
    days = [moment.date().isoformat() for moment in _call(base).deadlines]
    assert days == ["2031-03-04", "2031-09-16"]

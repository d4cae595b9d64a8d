"""The commands about calls: what they print, as tables and JSON, and what they refuse."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import feedparser
import openpyxl
import pytest
from calls_making import NOW, brussels, made, record, take
from fakes import HashingEncoder, TickingClock
from icalendar import Calendar
from typer.testing import CliRunner

from kb import bootstrap
from kb.cli import app, main
from kb.model import Applicant
from kb.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.calls.base import CallRecord
    from kb.bootstrap import KnowledgeBase

HIT_KEYS = {
    *("identifier", "title", "programme", "status", "status_reason", "portal_status", "deadlines"),
    *("days_left", "budget", "grant_min", "grant_max", "applicants", "countries", "score", "why"),
    *("url", "sources"),
}
CLOSES = brussels("2026-03-17")
CHOIRS = made(
    "CHOIRS-2026-01",
    title="Choirs [sing] across a border",
    programme="Choirs of Europe",
    action_types=("CHOIR Project Grants",),
    opens=brussels("2026-01-10", "00:00"),
    deadlines=(CLOSES,),
    budget=3_000_000,
    grant_min=10_000,
    grant_max=60_000,
    url="https://choirs.example/calls/1",
)
TEXT = "Choirs that sing in two countries are paid for their journeys by train."
PUBLIC = "Only public bodies may apply."
PROFILE = "name: Les Échelles\ndescription: We sing in choirs that go to two countries.\n"


def records() -> list[CallRecord]:
    """Three calls: one open with a text, one for public bodies alone, one that is over."""
    towns = made("TOWNS", title="Towns that sing in choirs", deadlines=(brussels("2026-09-01"),))
    over = made("OVER", title="A call that is over", deadlines=(brussels("2026-02-01"),))
    return [
        record(CHOIRS, TEXT, status="open"),
        record(towns, "Towns are paid for choirs that sing.", PUBLIC),
        record(over),
    ]


def opened(home: Path) -> KnowledgeBase:
    """A base with the tests' encoder, a second or more after noon of 1 March 2026."""
    values: dict[str, Any] = {"home": home, "workers": 1}
    settings, encoder = Settings(**values), HashingEncoder()
    return bootstrap.open_knowledge_base(settings, encoder=encoder, clock=TickingClock())


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a base of three calls."""
    home = tmp_path_factory.mktemp("home")
    kb = opened(home)
    take(kb, records())
    kb.close()
    return home


@pytest.fixture
def calls(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands open the base of three calls, and print to a wide terminal."""
    monkeypatch.setenv("COLUMNS", "200")
    kb = opened(filled)
    monkeypatch.setattr(bootstrap, "open_knowledge_base", lambda: kb)


def run(*arguments: str) -> str:
    """What a command that succeeds prints."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None, result.exception
    assert result.exit_code == 0
    return result.stdout


def printed(*arguments: str) -> str:
    """The same without frames, on one line."""
    return " ".join(run(*arguments).replace("│", " ").replace("┃", " ").split())


def told(*arguments: str) -> Any:
    """The JSON that a command prints."""
    return json.loads(run(*arguments, "--json"))


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command says that exits with 2."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    said = capsys.readouterr()
    assert caught.value.code == 2
    assert "Traceback" not in said.err + said.out
    return " ".join(said.err.replace("│", " ").split())


@pytest.mark.usefixtures("calls")
def test_calls_print_the_documented_json() -> None:
    """A page has total, facets, next and hits, and a hit the fields that are documented."""
    page = told("calls", "choirs in two countries", "--status", "open")
    assert list(page) == ["total", "facets", "next", "hits"]
    assert (page["total"], page["next"]) == (2, None)
    assert page["facets"]["status"]["closing_soon"] == 1
    hit = page["hits"][0]
    assert set(hit) >= HIT_KEYS
    expected = {
        "identifier": "CHOIRS-2026-01",
        "title": "Choirs [sing] across a border",
        "programme": "Choirs of Europe",
        "status": "closing_soon",
        "status_reason": "Ouvert jusqu'au 2026-03-17 17:00 (dans 16 jours).",
        "portal_status": "open",
        "deadlines": ["2026-03-17T17:00:00+01:00"],
        "days_left": 16,
        "budget": 3_000_000,
        "grant_min": 10_000,
        "grant_max": 60_000,
        "applicants": ["unknown"],
        "countries": ["unknown"],
        "url": "https://choirs.example/calls/1",
    }
    assert {name: hit[name] for name in expected} == expected
    assert isinstance(hit["score"], float)
    assert [why["quote"] for why in hit["why"]] == [TEXT]
    assert hit["why"][0]["verified"] is True
    assert {name: hit["sources"][0][name] for name in ("name", "url", "checked")} == {
        "name": "eu-portal",
        "url": "https://choirs.example/calls/1",
        "checked": "2026-02-28T11:00:00+00:00",
    }


@pytest.mark.usefixtures("calls")
def test_calls_are_a_table_in_either_language() -> None:
    """People read titles, statuses, deadlines and sums in French, or in English where asked."""
    french = printed("calls", "choirs in two countries")
    for words in ("3 appels", "Échéance", "ferme bientôt", "2026-03-17", "16 j", "fermé", TEXT):
        assert words in french
    assert "Choirs [sing] across a border" in french
    assert "CHOIRS-2026-01" in french
    english = printed("calls", "--language", "en")
    for words in ("3 calls", "Deadline", "closing soon", "16 d", "€10,000 – €60,000"):
        assert words in english
    assert "1 call " in printed("calls", "--programme", "choirs", "--language", "en")


@pytest.mark.usefixtures("calls")
def test_pages_follow_the_printed_cursor() -> None:
    """What a page prints after ``--cursor`` leads to the next one, to the last."""
    found = []
    more: tuple[str, ...] = ()
    for _ in range(3):
        page = told("calls", "--limit", "1", *more)
        found += [hit["identifier"] for hit in page["hits"]]
        shown = run("calls", "--limit", "1", *more)
        more = ("--cursor", str(page["next"]))
        assert page["next"] is None or f"--cursor {page['next']}" in shown
    assert found == ["CHOIRS-2026-01", "TOWNS", "OVER"]
    assert page["next"] is None


@pytest.mark.usefixtures("calls")
def test_every_option_narrows() -> None:
    """Options may be given several times and together."""
    wanted = ("--status", "open", "--status", "closed", "--deadline-before", "2026-03-17")
    page = told("calls", *wanted, "--sort", "newest", "--applicant", "ngo", "--country", "fr")
    assert {hit["identifier"] for hit in page["hits"]} == {"CHOIRS-2026-01", "OVER"}
    money = told("calls", "--budget-min", "3000000", "--action-type", "project", "--theme", "none")
    assert money["total"] == 0


@pytest.mark.usefixtures("calls")
def test_as_of_looks_from_another_day() -> None:
    """A day is looked at from its noon in Brussels, by every command that knows statuses."""
    on_the_day = told("call", "choirs-2026-01", "--as-of", "2026-03-17")
    assert (on_the_day["status"], on_the_day["days_left"]) == ("closing_soon", 0)
    after = told("call", "CHOIRS-2026-01", "--as-of", "2026-03-18", "--language", "en")
    assert (after["status"], after["days_left"]) == ("closed", None)
    assert after["status_reason"] == (
        "The deadline has passed (2026-03-17 17:00). Its source said “open” as of 2026-02-28."
    )
    assert told("calls", "--status", "open", "--as-of", "2025-12-31")["total"] == 2
    assert told("calls", "--status", "forthcoming", "--as-of", "2025-12-31")["total"] == 1


@pytest.mark.usefixtures("calls")
def test_a_call_is_shown_with_its_sentences_and_history() -> None:
    """Everything known of a call is printed in words, its identifier taken in any case."""
    shown = told("call", "towns")
    assert [(fact["field"], fact["value"]) for fact in shown["facts"]] == [("applicants", "public")]
    assert shown["facts"][0]["citation"]["quote"] == PUBLIC
    assert [news["kind"] for news in shown["history"]] == ["new"]
    french, english = printed("call", "TOWNS"), printed("call", "TOWNS", "--language", "en")
    for words in ("Candidats admis", "organismes publics", f"« {PUBLIC} »", "Nouvel appel"):
        assert words in french
    for words in ("Who may apply", "public bodies", f"« {PUBLIC} »", "New call", "2026-09-01"):
        assert words in english
    assert "https://choirs.example/calls/1" in printed("call", CHOIRS.identifier)
    assert "3 000 000 €" in printed("call", CHOIRS.identifier)


@pytest.mark.usefixtures("calls")
def test_match_tells_what_fits_and_what_may_not(tmp_path: Path) -> None:
    """A profile's calls come with quotes for and against, and what is over is left out."""
    path = tmp_path / "profile.yaml"
    path.write_text(PROFILE, encoding="utf-8")
    found = told("match", str(path))
    assert list(found) == ["profile", "hits"]
    assert found["profile"] == "Les Échelles"
    assert [hit["identifier"] for hit in found["hits"]] == ["CHOIRS-2026-01", "TOWNS"]
    best, second = found["hits"]
    assert set(best) >= HIT_KEYS | {"fits", "rules_out"}
    assert (best["fits"][0]["citation"]["quote"], best["rules_out"]) == (TEXT, [])
    assert [each["citation"]["quote"] for each in second["rules_out"]] == [PUBLIC]
    assert second["rules_out"][0]["says"] == "Candidats admis : organismes publics"
    french = printed("match", str(path))
    assert "1. Choirs [sing] across a border Choirs of Europe · CHOIRS-2026-01" in french
    assert "2. Towns that sing in choirs TOWNS · ouvert (184 j)" in french
    assert f"Attention — Candidats admis : organismes publics : « {PUBLIC} »" in french
    english = printed("match", str(path), "--language", "en", "--limit", "2")
    assert "ferme" not in english
    assert f"Mind — Who may apply: public bodies: « {PUBLIC} »" in english
    assert "(184 d)" in english
    closed = told("match", str(path), "--status", "closed")
    assert [hit["identifier"] for hit in closed["hits"]] == ["OVER"]
    assert "Aucun appel" in printed("match", str(path), "--status", "rolling")


def test_changes_tell_what_is_new_and_what_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """News are told since a day, seven days ago by default, in either language."""
    kb = opened(tmp_path / "home")
    take(kb, records())
    monkeypatch.setattr(bootstrap, "open_knowledge_base", lambda: kb)
    monkeypatch.setenv("COLUMNS", "200")
    moved = replace(CHOIRS, deadlines=(brussels("2026-04-01"),), applicants=(Applicant.NGO,))
    take(kb, [record(moved, TEXT, status="open", checked=NOW)])
    news = told("changes")["changes"]
    assert [(each["kind"], each["field"]) for each in news] == [
        *[("new", None)] * 3,
        ("changed", "deadlines"),
        ("changed", "applicants"),
    ]
    assert news[3]["says"] == "Date limite : 2026-03-17 17:00 → 2026-04-01 17:00"
    assert (news[3]["before"], news[3]["after"]) == ("2026-03-17 17:00", "2026-04-01 17:00")
    english = printed("changes", "--language", "en", "--since", "2026-03-01")
    assert "Deadline: 2026-03-17 17:00" in english
    assert told("changes", "--since", "2026-03-02")["changes"] == []
    assert "Rien n'a changé" in printed("changes", "--since", "2026-03-02")


@pytest.mark.usefixtures("calls")
def test_every_form_of_export_can_be_read(tmp_path: Path) -> None:
    """A query is written as a table, lines, a calendar or a feed, by the file's suffix."""

    def exported(name: str) -> Path:
        path = tmp_path / name
        run("calls", "--status", "open,closed", "--export", str(path))
        return path

    rows = list(csv.reader(io.StringIO(exported("a.csv").read_text(encoding="utf-8-sig"))))
    assert len(rows) == 4
    sheet = openpyxl.load_workbook(exported("a.xlsx")).active
    assert sheet is not None
    assert sheet.max_row == 4
    lines = exported("a.JSONL").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["identifier"] for line in lines} == {"CHOIRS-2026-01", "TOWNS", "OVER"}
    events = Calendar.from_ical(exported("a.ics").read_bytes()).walk("VEVENT")
    assert CLOSES in {event.decoded("DTSTART") for event in events}
    feed = feedparser.parse(exported("a.atom").read_bytes())
    assert len(feed.entries) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--status", "opened"), "--status is 'opened'; it must be one of forthcoming"),
        (("--applicant", "choir"), "--applicant is 'choir'; it must be one of association"),
        (("--country", "France"), "--country is 'FRANCE'; write it as a code"),
        (("--deadline-after", "soon"), "--deadline-after is 'soon'; write it as YYYY-MM-DD"),
        (("--deadline-before", "2026-02-30"), "--deadline-before is '2026-02-30'"),
        (("--budget-min", "much"), "Invalid value for '--budget-min'"),
        (("--budget-max", "-1"), "--budget-max is -1; it must lie between"),
        (("--budget-min", "2", "--budget-max", "1"), "--budget-min is 2, after budget_max"),
        (("--sort", "size"), "--sort is 'size'; it must be one of relevance"),
        (("--limit", "0"), "--limit is 0; it must lie between 1 and 100"),
        (("--limit", "101"), "--limit is 101"),
        (("--cursor", "abc"), "--cursor is not one of ours"),
        (("--as-of", "yesterday"), "--as-of is 'yesterday'; write it as YYYY-MM-DD"),
        (("--as-of", "0001-01-01"), "--as-of is 0001-01-01; it must lie between 1990-01-01"),
        (("--as-of", "9999-12-31"), "--as-of is 9999-12-31; it must lie between 1990-01-01"),
        (("--language", "de"), "--language is 'de'; it must be one of fr, en"),
        (("--export", "calls.pdf"), "--export is 'calls.pdf'; it must end with one of .csv"),
        (("--export", "calls"), "--export is 'calls'; it must end with one of"),
        (("--colour", "red"), "No such option: --colour"),
    ],
)
@pytest.mark.usefixtures("calls")
def test_a_value_that_cannot_be_meant_exits_with_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    """A bad value is one line that names the option, and no traceback."""
    assert words in refused(capsys, "calls", *arguments)


@pytest.mark.usefixtures("calls")
def test_other_commands_refuse_alike(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A missing call, profile or day is told with its name."""
    path = tmp_path / "profile.yaml"
    path.write_text(PROFILE, encoding="utf-8")
    assert "no call 'NONE'" in refused(capsys, "call", "NONE")
    assert "none.yaml can't be read" in refused(capsys, "match", "none.yaml")
    assert "--limit is 51" in refused(capsys, "match", str(path), "--limit", "51")
    assert "--status is 'x'" in refused(capsys, "match", str(path), "--status", "x")
    path.write_text("aims: [ladders]", encoding="utf-8")
    assert "description: Field required" in refused(capsys, "match", str(path))
    assert "--since is 'x'; write it as" in refused(capsys, "changes", "--since", "x")
    assert "--language is 'x'" in refused(capsys, "call", "TOWNS", "--language", "x")


@pytest.mark.usefixtures("calls")
def test_a_folder_that_is_not_there_takes_no_export(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """An export that can't be written exits with 3 and names the file."""
    path = tmp_path / "none" / "a.csv"
    with pytest.raises(SystemExit) as caught:
        main(["calls", "--export", str(path)])
    assert caught.value.code == 3
    assert str(path) in capsys.readouterr().err.replace("\n", "")


def test_an_empty_base_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nothing was ingested, calls can't be found, and nothing has changed."""
    monkeypatch.setenv("KB_HOME", str(tmp_path / "home"))
    with pytest.raises(SystemExit) as caught:
        main(["calls"])
    assert (caught.value.code, "kb ingest" in capsys.readouterr().err) == (3, True)
    assert "no call 'X'" in refused(capsys, "call", "X")
    assert told("changes")["changes"] == []

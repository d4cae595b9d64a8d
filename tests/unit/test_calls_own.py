"""Calls that an association writes down by hand are read strictly, mistakes told one by one."""

from __future__ import annotations

import json
import re
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ingest.calls.base import CallRecord, Flaw
from ingest.calls.saved import read_saved, recognise
from ingest.calls.sources import own, own_yaml
from ingest.calls.sources.own import FIELDS, FILE_FIELDS, accepts, read
from ingest.run import ingest
from kb.calls.dates import BRUSSELS
from kb.errors import UnreadableError
from kb.model import Applicant, DeadlineModel, Link

if TYPE_CHECKING:
    from conftest import MakeKb

CHECKED = datetime(2031, 1, 5, 12, 0, tzinfo=UTC)
CORPUS = Path(__file__).parents[2] / "corpus"
README = CORPUS / "calls" / "README.md"
EU_CALLS = CORPUS / "calls" / "eu-associations.yaml"


def _file(folder: Path, text: str, name: str = "calls.yaml") -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def _read(path: Path) -> tuple[list[CallRecord], list[Flaw]]:
    assert recognise(path, path.name) == "own"
    found = list(read_saved("own", path, path.name, CHECKED))
    records = [each for each in found if isinstance(each, CallRecord)]
    return records, [each for each in found if isinstance(each, Flaw)]


def _one(folder: Path, *lines: str) -> tuple[list[CallRecord], list[Flaw]]:
    """Read a file of one call with these lines beside its identifier and title."""
    own_lines = "".join(f"    {line}\n" for line in lines)
    text = f"calls:\n  - identifier: rive:2031\n    title: Rives\n{own_lines}"
    return _read(_file(folder, text))


FULL = """
source: fondation-rive
checked: 2031-02-01
licence: CC-BY-4.0
language: fr
calls:
  - identifier: rive:jardins
    title: "Jardins de rive : édition 2031"
    programme: Fondation Rive
    call_id: RIVE-2031
    call_title: Programme 2031
    action_types: [Subvention]
    funder: Fondation Rive
    opens: 2031-02-15
    deadlines: [2031-09-30, 2031-03-15 12:00]
    deadline_model: multiple cut-off
    status: open
    budget: 1 500 000
    grant_min: 5000
    grant_max: 40_000
    expected_grants: 30
    applicants: [association, ngo]
    countries: [FR, NO, EL]
    consortium_min: 2
    cofinancing: 72,5 %
    themes: jardins
    keywords: [on, 2031, off]
    url: https://rive.example/jardins
    links:
      - name: Règlement
        url: https://rive.example/reglement.pdf
    language: fr
    description: |
      Des jardins au bord de l'eau.
    conditions: |
      Un an au plus.
"""


def test_every_field_is_read(tmp_path: Path) -> None:
    """YAML guesses nothing: NO is Norway, a keyword may be a number or the word off."""
    [record], flaws = _read(_file(tmp_path, FULL))
    assert flaws == []
    call = record.call
    assert (record.source, record.language, record.licence) == ("fondation-rive", "fr", "CC-BY-4.0")
    assert record.checked == datetime(2031, 2, 1, 12, tzinfo=BRUSSELS)
    assert record.status == "open"
    assert (call.identifier, call.title) == ("rive:jardins", "Jardins de rive : édition 2031")
    assert call.opens == datetime(2031, 2, 15, tzinfo=BRUSSELS)
    assert call.deadlines == (
        datetime(2031, 3, 15, 12, tzinfo=BRUSSELS),
        datetime(2031, 9, 30, 17, tzinfo=BRUSSELS),
    )
    assert call.deadline_model is DeadlineModel.CUT_OFFS
    assert (call.budget, call.grant_min, call.grant_max) == (1_500_000, 5_000, 40_000)
    assert (call.expected_grants, call.consortium_min, call.cofinancing) == (30, 2, 72.5)
    assert call.applicants == (Applicant.ASSOCIATION, Applicant.NGO)
    assert call.countries == ("FR", "NO", "GR")
    assert call.themes == ("jardins",)
    assert call.keywords == ("on", "2031", "off")
    assert call.links == (Link("Règlement", "https://rive.example/reglement.pdf"),)
    assert [(page.number, page.label) for page in record.pages] == [
        (1, "Description"),
        (2, "Conditions"),
    ]
    assert record.pages[0].text.startswith("Jardins de rive : édition 2031\n")


def test_the_example_shows_every_field() -> None:
    """So that a field added later is tested too; rolling excludes deadlines."""
    top = yaml.safe_load(FULL)
    assert set(top) == set(FILE_FIELDS)
    assert {*top["calls"][0], "rolling"} == set(FIELDS)


def test_an_identifier_and_a_title_are_enough(tmp_path: Path) -> None:
    """What is left out or left empty is unknown; the text is the title."""
    [record], flaws = _one(tmp_path, "programme:", "deadlines: []", 'funder: ""', "budget: ~")
    assert flaws == []
    assert (record.source, record.checked, record.language) == ("own", CHECKED, "en")
    call = record.call
    assert (call.programme, call.deadlines, call.funder, call.budget) == (None, (), None, None)
    assert [page.text for page in record.pages] == ["Rives"]


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2031-03-15", datetime(2031, 3, 15, 17, tzinfo=BRUSSELS)),
        ("2031-03-15 09:30", datetime(2031, 3, 15, 9, 30, tzinfo=BRUSSELS)),
        ("2031-07-15T12:00:00Z", datetime(2031, 7, 15, 14, tzinfo=BRUSSELS)),
        ("'2031-07-15 12:00 +0200'", datetime(2031, 7, 15, 12, tzinfo=BRUSSELS)),
    ],
)
def test_deadlines_are_in_brussels(tmp_path: Path, written: str, moment: datetime) -> None:
    """A day without an hour ends at 17:00; an offset counts."""
    [record], _ = _one(tmp_path, f"deadlines: {written}")
    assert record.call.deadlines == (moment,)


@pytest.mark.parametrize(
    ("lines", "field", "told"),
    [
        (["deadline: 2031-03-15"], "deadline", "no such field; there are: identifier, title"),
        (["deadlines: 31/03/2031"], "deadlines", "'31/03/2031' is no date"),
        (["deadlines: 2031-02-30"], "deadlines", "is no date"),
        (["deadlines: 0231-03-15"], "deadlines", "year 231"),
        (["deadlines: [2031-03-15, soon]"], "deadlines", "'soon' is no date"),
        (["deadlines: {first: 2031-03-15}"], "deadlines", "should be a text, is a mapping"),
        (["opens: 20310315"], "opens", "is no date"),
        (["opens: 2031-04-01", "deadlines: 2031-03-15"], "opens", "after the last deadline"),
        (["deadline_model: three-stage"], "deadline_model", "none of: single-stage, two-stage"),
        (
            ["deadline_model: single-stage", "deadlines: [2031-03-15, 2031-04-15]"],
            "deadline_model",
            "say two-stage or multiple cut-off",
        ),
        (["rolling: perhaps"], "rolling", "true or false"),
        (["rolling: true", "deadlines: 2031-03-15"], "rolling", "no deadlines"),
        (["status: closing"], "status", "forthcoming, open, closed"),
        (["budget: 1.5 million"], "budget", "whole euros"),
        (["budget: 1,500,000"], "budget", "whole euros"),
        (["budget: -5"], "budget", "whole euros"),
        (["budget: 0"], "budget", "whole euros"),
        (["budget: 1" + "0" * 400], "budget", "whole euros"),
        (["grant_min: 10", "grant_max: 5"], "grant_min", "10 is more than grant_max, 5"),
        (["grant_min: 10", "budget: 5"], "grant_min", "10 is more than budget, 5"),
        (["expected_grants: some"], "expected_grants", "whole number"),
        (["cofinancing: 120"], "cofinancing", "up to 100"),
        (["cofinancing: 0"], "cofinancing", "above 0"),
        (["applicants: [association, club]"], "applicants", "'club' is none of: association"),
        (["countries: France"], "countries", "'France' is no country code"),
        (["countries: [FR, ZZ]"], "countries", "'ZZ' is no country code"),
        (["language: english"], "language", "no language code"),
        (["url: rive.example"], "url", "https://"),
        (["url: 'javascript:alert(1)'"], "url", "https://"),
        (["url: 'http://['"], "url", "http"),
        (["links: https://rive.example"], "links", "a name and a url"),
        (["links: [{name: A, url: rive.example}]"], "links", "no web address"),
        (["links: [{name: A, adress: b}]"], "links", "adress: there is no such field"),
        (["themes: {a: b}"], "themes", "should be a text"),
        (["themes: [[a]]"], "themes", "is a list"),
        (["funder: &f Rive", "programme: *f"], "programme", "the alias *f"),
        (["funder: A", "funder: B"], "funder", "stands twice"),
        (["description: [a, b]"], "description", "is a list"),
        ([f"programme: {'x' * 501}"], "programme", "at most 500"),
    ],
)
def test_what_is_wrong_is_told_with_call_and_field(
    tmp_path: Path, lines: list[str], field: str, told: str
) -> None:
    """The call is left out: half a call would mislead."""
    records, flaws = _one(tmp_path, *lines)
    assert records == []
    assert [flaw.where for flaw in flaws] == ["calls[1] rive:2031 (line 2)"]
    assert flaws[0].problem.startswith(f"{field}: ")
    assert told in flaws[0].problem


def test_all_mistakes_are_told_and_the_other_calls_read(tmp_path: Path) -> None:
    """Nobody wants to mend a file one mistake at a time."""
    text = """
    calls:
      - {identifier: A, title: First}
      - {title: Second, budget: much, status: maybe}
      - third
      - {identifier: D, title: Fourth}
      - {identifier: E}
    """
    records, flaws = _read(_file(tmp_path, text))
    assert [record.call.identifier for record in records] == ["A", "D"]
    told = [(flaw.where, flaw.problem.partition(":")[0]) for flaw in flaws]
    assert told == [
        ("calls[2] (line 4)", "budget"),
        ("calls[2] (line 4)", "identifier"),
        ("calls[2] (line 4)", "status"),
        ("calls[3]", "A call is a mapping with an identifier and a title at least."),
        ("calls[5] E (line 7)", "title"),
    ]


def test_two_calls_with_one_identifier_are_told(tmp_path: Path) -> None:
    """Else the second would silently replace the first; a translation is no second call."""
    text = """
    calls:
      - {identifier: rive, title: Banks, language: en}
      - {identifier: Rive, title: Rives, language: fr}
      - {identifier: RIVE, title: Again, language: fr}
    """
    records, flaws = _read(_file(tmp_path, text))
    assert [record.language for record in records] == ["en", "fr"]
    assert "calls[2] too" in flaws[0].problem


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("source: eu-portal", "source: 'eu-portal' is read from its own answers"),
        ("source: Fondation Rive", "source: 'Fondation Rive' is no name"),
        ("checked: yesterday", "checked: 'yesterday' is no date"),
        ("language: french", "language: "),
        ("licence: [a]", "licence: "),
    ],
)
def test_a_mistake_at_the_top_stops_the_file(tmp_path: Path, line: str, told: str) -> None:
    """It would be in every call: under a wrong name they would stay beside the right ones."""
    records, [flaw] = _read(_file(tmp_path, f"{line}\ncalls:\n  - {{identifier: A, title: B}}\n"))
    assert records == []
    assert (flaw.where, told in flaw.problem) == ("calls.yaml", True)


def test_an_unknown_field_at_the_top_leaves_the_calls(tmp_path: Path) -> None:
    """It concerns none of them; also after the list."""
    [record], [flaw] = _read(
        _file(tmp_path, "calls:\n  - {identifier: A, title: B}\nlicense: CC0\nlanguage: fr\n")
    )
    assert record.language == "fr"
    assert flaw.problem.startswith("license: there is no such field")


@pytest.mark.parametrize(
    ("tail", "told"),
    [
        ("  - identifier: B\n    title: : :\n", "line 4: this is no YAML"),
        ("  - identifier: B\n    title: 'B\n", "this is no YAML"),
        ("  - {identifier: B, title: B\n", "this is no YAML"),
        ("  - [[[[[[[[[[[[\n", "levels deep"),
        ("  - {[a, b]: c}\n", "a name is expected"),
        ("---\nidentifier: B\n", "a second document"),
        ("  - {identifier: B}\n\t- x\n", "this is no YAML"),
    ],
)
def test_a_broken_file_gives_the_calls_before_the_break(
    tmp_path: Path, tail: str, told: str
) -> None:
    """The line is named, and a call whose end is missing is not read."""
    path = _file(tmp_path, f"calls:\n  - {{identifier: A, title: A}}\n{tail}")
    records, flaws = _read(path)
    assert [record.call.identifier for record in records] == ["A"]
    assert told in flaws[-1].problem
    assert re.search(r"line \d", flaws[-1].problem)


def test_bombs_of_aliases_and_values_are_harmless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Aliases are never followed, and values are counted."""
    levels = "".join(f"    x{n}: &x{n} [{','.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 9))
    text = f"calls:\n  - identifier: A\n    title: A\n    x0: &x0 lol\n{levels}"
    records, flaws = _read(_file(tmp_path, text))
    assert (records, len(flaws)) == ([], 9)
    monkeypatch.setattr(own_yaml, "MOST_VALUES", 50)
    many = "calls:\n" + "".join(f"  - {{identifier: A{n}, title: A}}\n" for n in range(30))
    records, flaws = _read(_file(tmp_path, many))
    assert len(records) == 7
    assert "more than 50 values" in flaws[0].problem


def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no list that somebody wrote."""
    monkeypatch.setattr(own, "LARGEST", 20)
    path = _file(tmp_path, "calls:\n  - {identifier: A, title: A}\n")
    with pytest.raises(UnreadableError, match=r"calls\.yaml is larger"):
        list(read(path, path.name, CHECKED))


@pytest.mark.parametrize(
    ("name", "text", "accepted"),
    [
        ("a.yaml", "calls: []", True),
        ("A.YML", "# ours\nlanguage: fr\ncalls:\n- title: x\n", True),
        ("a.yaml", '{"calls": [{"identifier": "A"}]}', True),
        ("a.yaml", "---\ncalls:\n- {}\n...\n", True),
        ("a.json", "calls:\n- title: x\n", False),
        ("a.txt", "calls:\n- title: x\n", False),
        ("a.yaml", "", False),
        ("a.yaml", "calls: none", False),
        ("a.yaml", "calls: {a: b}", False),
        ("a.yaml", "calls: [open, close]", False),
        ("a.yaml", "jobs:\n  calls:\n  - title: x\n", False),
        ("a.yaml", "- calls:\n  - title: x\n", False),
        ("a.yaml", "description: |\n  calls:\n  - title: x\n", False),
        ("a.yaml", "title: : :\ncalls:\n- title: x\n", False),
        ("a.yaml", "\x01\x02", False),
        ("a.yaml", "[" * 60_000, False),
        ("a.yaml", "*a", False),
    ],
)
def test_only_yaml_with_a_list_of_calls_is_accepted(name: str, text: str, accepted: bool) -> None:  # noqa: FBT001 -- a column of the table
    """Other YAML is left to whoever knows it."""
    assert accepts(text.encode(), name) is accepted


@pytest.mark.parametrize("path", sorted(CORPUS.rglob("*.y*ml")), ids=lambda path: path.name)
def test_of_the_corpus_only_calls_are_accepted(path: Path) -> None:
    """Profiles, glossary, themes and metadata are something else."""
    assert (recognise(path, path.name) == "own") is (path.parent.name == "calls")


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading(text: str) -> None:
    """Whatever stands in a file, it is read or a reason is given."""
    own_yaml.read_yaml(f"calls:\n- identifier: A\n{text}")
    accepts(text.encode("utf-8", "replace"), "a.yaml")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(FIELDS), _VALUES))
def test_whatever_fields_hold_a_call_is_read_or_its_mistakes_told(
    tmp_path_factory: pytest.TempPathFactory, fields: dict[str, Any]
) -> None:
    """Nothing is dropped in silence and nothing raises."""
    path = tmp_path_factory.mktemp("own") / "calls.yaml"
    path.write_text(yaml.safe_dump({"calls": [fields]}), encoding="utf-8")
    found = list(read(path, path.name, CHECKED))
    assert found
    assert len({type(each) for each in found}) == 1


def test_texts_lose_the_line_breaks_of_an_editor(tmp_path: Path) -> None:
    """Also before a capital; short lines, points and paragraphs stay their own."""
    text = """
    calls:
      - identifier: A
        title: Rives
        description: |
          ## What it pays for
          The foundation pays for gardens at the water, which are open to all
          Europeans and
          to others.

          - paths along the bank, wide enough for chairs with wheels, and
            benches
          - trees

          Contact: Ada
          Tel. 01 23
    """
    [record], _ = _read(_file(tmp_path, text))
    assert [record.pages[0].text[b.start : b.end] for b in record.pages[0].blocks] == [
        "Rives",
        "What it pays for",
        "The foundation pays for gardens at the water, which are open to all Europeans and",
        "to others.",
        "- paths along the bank, wide enough for chairs with wheels, and benches",
        "- trees",
        "Contact: Ada",
        "Tel. 01 23",
    ]


def test_the_example_of_the_readme_is_read(tmp_path: Path) -> None:
    """The documentation is right, and describes every field there is."""
    text = README.read_text(encoding="utf-8")
    block = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert block is not None
    [record], flaws = _read(_file(tmp_path, block[1]))
    assert (flaws, record.call.grant_max, record.language) == ([], 15_000, "fr")
    described = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\|(.*?)\|", text, re.MULTILINE))))
    assert described == {*FIELDS, *FILE_FIELDS}


def test_the_calls_of_the_corpus_agree_with_the_portal(shared_data: Path, tmp_path: Path) -> None:
    """Names, dates, amounts and addresses are the portal's."""
    records, flaws = _read(EU_CALLS)
    assert (len(records), flaws) == (12, [])
    [listed] = (shared_data / "calls").glob("eu-portal-*/open_calls.normalised.jsonl")
    ours = {record.call.identifier for record in records}
    rows = listed.read_text(encoding="utf-8").splitlines()
    mine = _file(tmp_path, "\n".join(row for row in rows if json.loads(row)["topicId"] in ours))
    saved = read_saved("eu-portal-normalised", mine, mine.name, CHECKED)
    portal = {record.key: record for record in saved if isinstance(record, CallRecord)}
    for record in records:
        theirs = portal[record.key]
        for name in ("identifier", "programme", "call_id", "call_title", "action_types", "url"):
            assert getattr(record.call, name) == getattr(theirs.call, name), (record.key, name)
        for name in ("deadlines", "deadline_model", "grant_min", "expected_grants", "funder"):
            assert getattr(record.call, name) == getattr(theirs.call, name), (record.key, name)
        assert record.call.title == theirs.call.title.rstrip(".")
        assert record.status == theirs.status


def test_the_calls_of_the_corpus_come_into_a_base(make_kb: MakeKb) -> None:
    """Once: reading the file again changes nothing."""
    kb = make_kb()
    report = ingest(kb, [EU_CALLS])
    assert (report.exit_code, report.calls["new"]) == (0, 12)
    assert ingest(kb, [EU_CALLS]).generation is None

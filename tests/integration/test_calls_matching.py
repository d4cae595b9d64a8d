"""Calls for an association: what fits goes first, and every statement is a quote of the call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from calls_making import EVERYBODY, NOW, brussels, made, record, take
from fakes import HashingEncoder, TickingClock

from kb.bootstrap import open_knowledge_base
from kb.calls.match import Match, Statement, match, unquoted, verdicts
from kb.calls.profile import Profile
from kb.calls.query import CallQuery
from kb.errors import StoreError, UsageError
from kb.model import PUBLIC_ACCESS, Access, Applicant, Call, Fact, Visibility
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import MakeKb

    from kb.bootstrap import KnowledgeBase

SUBJECT = "The fund pays for workshops in which children build ladders."
TEXTS = {
    "FITS": (
        SUBJECT,
        "Associations may apply. Applicants must be established in an EU Member State.",
        "The grant pays up to 80 % of the eligible costs. The maximum grant is EUR 60 000.",
    ),
    "PUBLIC": (SUBJECT, "Only public bodies may apply."),
    "NORWAY": (SUBJECT, "Applicants must be established in Norway."),
    "SHARE": (SUBJECT, "The grant covers at most 30 % of the eligible costs."),
    "MANY": (SUBJECT, "A consortium of at least 6 partners must apply."),
    "SILENT": ("The fund pays for workshops in which children paint ladders.",),
    "OVER": (SUBJECT, "Associations may apply."),
}
PROFILE = Profile(
    "We teach children in villages how ladders are made.",
    aims=("workshops in which children build ladders",),
    grant_min_eur=5_000,
    grant_max_eur=80_000,
    partners_count=2,
)


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    """Six open calls, one that is over, and one that only the coalition sees."""
    values: dict[str, Any] = {"home": tmp_path_factory.mktemp("match"), "workers": 1}
    kb = open_knowledge_base(Settings(**values), clock=TickingClock(), encoder=HashingEncoder())
    closes = {"OVER": brussels("2026-02-01")}
    take(
        kb,
        [
            record(made(name, deadlines=(closes.get(name, brussels("2026-06-01")),)), *texts)
            for name, texts in TEXTS.items()
        ],
    )
    take(kb, [record(made("HIDDEN"), SUBJECT)], Visibility.COALITION)
    yield kb
    kb.close()


def matched(
    kb: KnowledgeBase,
    profile: Profile = PROFILE,
    limit: int = 50,
    visible: Access = PUBLIC_ACCESS,
    **values: Any,
) -> dict[str, Match]:
    """The calls for a profile by their identifiers, in their order."""
    asked = CallQuery.from_values(values)
    found = match(kb, profile, asked, access=visible, now=NOW, limit=limit)
    return {each.hit.call.identifier: each for each in found}


def fields(statements: tuple[Statement, ...]) -> list[str]:
    """What statements are about."""
    return [statement.field for statement in statements]


def test_every_statement_is_a_verified_quote(some: KnowledgeBase) -> None:
    """Each thing that is said of a call stands word for word on a page of it."""
    found = matched(some)
    statements = [
        (each, statement) for each in found.values() for statement in (*each.fits, *each.rules_out)
    ]
    assert len(statements) > len(TEXTS)
    for each, statement in statements:
        citation, span = statement.citation, statement.citation.spans[0]
        key = (citation.document.id, citation.document.version, span.number)
        page = some.record.page_texts([key])[key]
        assert citation.verified
        assert citation.document.id == each.hit.document.id
        assert page[span.start : citation.spans[-1].end] == citation.quote
        assert set(statement.says) == {"fr", "en"}


def test_what_rules_a_call_out_stands_under_it(some: KnowledgeBase) -> None:
    """A call that says it is for others is behind those that do not, with that sentence."""
    found = matched(some)
    order = list(found)
    assert set(order[:3]) == {"FITS", "OVER", "SILENT"}
    assert set(order[3:]) == {"PUBLIC", "NORWAY", "SHARE", "MANY"}
    ruled = {
        name: [(s.field, s.citation.quote) for s in each.rules_out]
        for name, each in found.items()
        if each.rules_out
    }
    assert ruled == {
        "PUBLIC": [("applicants", "Only public bodies may apply.")],
        "NORWAY": [("countries", "Applicants must be established in Norway.")],
        "SHARE": [("cofinancing", "The grant covers at most 30 % of the eligible costs.")],
        "MANY": [("consortium_min", "A consortium of at least 6 partners must apply.")],
    }
    says = found["PUBLIC"].rules_out[0].says
    assert "organismes publics" in says["fr"]
    assert "public bodies" in says["en"]


def test_what_speaks_for_a_call_stands_under_it(some: KnowledgeBase) -> None:
    """Subject, applicants, country, share and ceiling that suit are told, each with its words."""
    fits = matched(some)["FITS"].fits
    assert fields(fits) == ["subject", "applicants", "countries", "cofinancing", "grant_max"]
    assert fits[0].citation.quote == SUBJECT
    assert fits[1].citation.quote == "Associations may apply."
    assert matched(some)["FITS"].hit.why[0].quote == SUBJECT


def test_what_no_sentence_says_is_not_stated(some: KnowledgeBase) -> None:
    """A call that is silent on who may apply is neither said to fit nor to be ruled out."""
    silent = matched(some)["SILENT"]
    assert fields(silent.fits) == ["subject"]
    assert silent.rules_out == ()


def test_a_field_of_a_source_without_a_sentence_states_nothing(make_kb: MakeKb) -> None:
    """What only a structured field says has no quote, so that it is not stated."""
    kb = make_kb()
    take(kb, [record(made("FIELDS", applicants=(Applicant.PUBLIC,), grant_max=1), SUBJECT)])
    found = matched(kb)["FIELDS"]
    assert (fields(found.fits), found.rules_out) == (["subject"], ())


def test_another_profile_is_judged_by_its_own_fields(some: KnowledgeBase) -> None:
    """A town of Norway with many partners fits what an association in France does not."""
    town = replace(PROFILE, legal_form=Applicant.PUBLIC, country="NO", partners_count=8)
    found = matched(some, town)
    ruled = {name: fields(each.rules_out) for name, each in found.items() if each.rules_out}
    assert ruled == {
        "FITS": ["applicants", "countries"],
        "OVER": ["applicants"],
        "SHARE": ["cofinancing"],
    }
    poor = replace(PROFILE, partners_count=None, grant_min_eur=70_000)
    found = matched(some, poor)
    assert fields(found["MANY"].fits) == ["subject"]
    assert fields(found["FITS"].rules_out) == ["grant_max"]


def test_filters_and_visibility_hold_for_matches(some: KnowledgeBase) -> None:
    """Only calls that pass the filters are ranked, and only those that the caller may see."""
    assert set(matched(some, status="open")) == set(TEXTS) - {"OVER"}
    assert "HIDDEN" not in matched(some)
    assert "HIDDEN" in matched(some, visible=EVERYBODY)
    assert set(matched(some, programme="none")) == set()


@pytest.mark.parametrize("limit", [1, 3])
def test_a_limit_keeps_the_best(some: KnowledgeBase, limit: int) -> None:
    """Fewer matches are the first of more."""
    assert list(matched(some, limit=limit)) == list(matched(some))[:limit]


@pytest.mark.parametrize("limit", [0, -1, 51])
def test_a_limit_out_of_range_is_refused(some: KnowledgeBase, limit: int) -> None:
    """Between 1 and 50 matches can be asked for."""
    with pytest.raises(UsageError, match="between 1 and 50"):
        matched(some, limit=limit)


def test_an_empty_base_says_what_to_do(make_kb: MakeKb) -> None:
    """Nothing can be matched before something was ingested."""
    with pytest.raises(StoreError, match="kb ingest"):
        matched(make_kb())


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([("applicants", "public")], {"public": False}),
        ([("applicants", "public"), ("applicants", "ngo")], {"ngo": True}),
        ([("applicants", "any")], {"any": True}),
        ([("countries", "EU")], {"EU": True}),
        ([("countries", "BE"), ("countries", "FR")], {"FR": True}),
        ([("countries", "BE"), ("countries", "NO")], {"BE": False, "NO": False}),
        ([("consortium_min", "1")], {"1": True}),
        ([("consortium_min", "3")], {"3": True}),
        ([("consortium_min", "4")], {"4": False}),
        ([("grant_min", "80000")], {"80000": True}),
        ([("grant_min", "80001")], {"80001": False}),
        ([("grant_max", "5000")], {"5000": True}),
        ([("grant_max", "4999")], {"4999": False}),
        ([("cofinancing", "50")], {"50": True}),
        ([("cofinancing", "49.5")], {"49.5": False}),
        ([("budget", "7000000")], {}),
        ([], {}),
    ],
)
def test_each_fact_is_judged_at_its_border(
    facts: list[tuple[str, str]], expected: dict[str, bool]
) -> None:
    """One who fits among those named is enough; numbers are judged up to the border itself."""
    stated = tuple(Fact(field, value, 1, 0, 9) for field, value in facts)
    found = verdicts(Call("X", "X", facts=stated), PROFILE)
    assert {fact.value: verdict.fits for fact, verdict in found.items()} == expected


def test_data_without_a_sentence_may_rule_a_call_out_too() -> None:
    """By the same rules, and apart: what a sentence states is left to its quote."""
    call = made(
        "DATA",
        applicants=(Applicant.PUBLIC,),
        countries=("NO", "IS"),
        grant_min=2_000_000,
        cofinancing=30.0,
        consortium_min=2,
    )
    assert unquoted(call, PROFILE) == [
        ("applicants", "public"),
        ("countries", "NO"),
        ("countries", "IS"),
        ("grant_min", "2000000"),
        ("cofinancing", "30"),
    ]
    stated = replace(call, facts=(Fact("grant_min", "2000000", 1, 0, 9),))
    assert ("grant_min", "2000000") not in unquoted(stated, PROFILE)
    assert unquoted(made("SILENT"), PROFILE) == []

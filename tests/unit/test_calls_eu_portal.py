"""Answers of the EU portal become records of calls, strictly and one by one."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from eu_answers import (
    CALL,
    PORTAL,
    RIA,
    TOPIC,
    action,
    answer,
    budget,
    bulk_item,
    exported,
    overview,
    row,
    topic,
)

from ingest.calls.base import CallRecord, Flaw
from ingest.calls.sources.eu_bulk import read_bulk
from ingest.calls.sources.eu_normalised import record_of_item
from ingest.calls.sources.eu_portal import read_rows, record_of_topic
from ingest.calls.sources.eu_terms import deadline_of, opening_of
from ingest.calls.sources.programmes import PROGRAMMES, programme_name
from kb.calls.dates import BRUSSELS, deadline, opening
from kb.errors import UnreadableError
from kb.model import DeadlineModel, Link

CHECKED = datetime(2031, 1, 5, 12, 0, tzinfo=UTC)
CLOSES = deadline(date(2031, 9, 16))
OPENS = opening(date(2031, 2, 4))


def _records(*rows: Any) -> list[CallRecord]:
    found = list(read_rows(answer(*rows), CHECKED))
    assert all(isinstance(each, CallRecord) for each in found), found
    return [each for each in found if isinstance(each, CallRecord)]


def _record(**metadata: Any) -> CallRecord:
    return _records(row(**metadata))[0]


def _topic(**fields: Any) -> CallRecord:
    return record_of_topic(topic(**fields), "en", CHECKED)


def test_a_row_gives_the_fields_of_its_call() -> None:
    """Every structured field of a row has its place."""
    record = _record()
    call = record.call
    assert (record.source, record.language, record.status) == ("eu-portal", "en", "open")
    assert (call.identifier, call.topic_id, call.call_id) == (TOPIC, TOPIC, CALL)
    assert (call.title, call.call_title) == ("Rivers and their people", "Culture of water")
    assert (call.programme, call.programme_id) == ("Horizon Europe", "43108390")
    assert call.action_types == ("HORIZON Research and Innovation Actions",)
    assert (call.opens, call.deadlines) == (OPENS, (CLOSES,))
    assert call.deadline_model is DeadlineModel.SINGLE_STAGE
    assert (call.keywords, call.themes) == (("Rivers", "Heritage"), ("SSH",))
    assert call.funder == "European Commission"
    assert call.url == f"{PORTAL}/topic-details/{TOPIC}"


def test_all_sources_of_the_portal_agree_on_a_call() -> None:
    """A search row, a topic answer and the export say the same of what all of them state."""
    records = (_record(), _topic(), record_of_item(exported(), CHECKED))
    fields = ("identifier", "programme", "action_types", "deadlines", "deadline_model", "call_id")
    for name in fields:
        assert len({getattr(each.call, name) for each in records}) == 1, name
    assert {each.key for each in records} == {TOPIC.casefold()}


def test_an_address_of_data_is_replaced_by_the_page_for_people() -> None:
    """The link in the product opens something that people can read."""
    data = row() | {"url": f"https://ec.europa.eu/data/topicDetails/{TOPIC}.json"}
    assert _records(data)[0].call.url == f"{PORTAL}/topic-details/{TOPIC}"


@pytest.mark.parametrize(
    "metadata",
    [
        {"DATASOURCE": ["SEDIA_PRD_CENTRICITY"]},
        {"DATASOURCE": ["SEDIA_FAQ"]},
        {"type": ["0"]},
        {"type": ["6"]},
        {"type": ["0"], "DATASOURCE": None},
        {"type": ["6"], "DATASOURCE": None, "identifier": []},
    ],
)
def test_rows_that_are_no_calls_are_left_out(metadata: dict[str, Any]) -> None:
    """Tenders, updates, questions and the index that is not kept up give nothing, not a flaw."""
    assert list(read_rows(answer(row(**metadata)), CHECKED)) == []


@pytest.mark.parametrize("metadata", [{"DATASOURCE": None}, {"type": None}, {"type": ["2"]}])
def test_rows_that_are_calls_by_type_or_reference_count(metadata: dict[str, Any]) -> None:
    """The oldest answers name no data source, a stub may have no type."""
    assert len(_records(row(**metadata))) == 1


def test_stubs_are_merged_into_the_row_that_says_most() -> None:
    """Status and description win; what the best row lacks comes from the poorer ones."""
    stub = row(status=None, descriptionByte=None, tags=["Bridges"], title=["Old title"])
    best = row(startDate=None)
    for rows in ([stub, best], [best, stub]):
        (record,) = _records(*rows)
        assert record.call.title == "Rivers and their people"
        assert record.call.opens == OPENS
        assert "Bridges" in record.call.keywords
        assert "map rivers" in record.pages[0].text


def test_translations_of_a_call_are_records_of_their_own() -> None:
    """One record a language, with one key."""
    french = row(language=["fr"], title=["Les rivières"])
    first, second = _records(row(), french)
    assert (first.language, second.language) == ("en", "fr")
    assert first.key == second.key


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2031-09-16", CLOSES),
        ("2031-09-16T00:00:00.000+0000", CLOSES),
        ("2031-09-16T17:00:00.000+0000", CLOSES),
        ("2031-09-16T17:00:00Z", CLOSES),
        (1947283200000, CLOSES),
        ("1947283200000", CLOSES),
        ("16 September 2031", CLOSES),
        ("2031-09-16T12:00:00.000+0200", datetime(2031, 9, 16, 12, 0, tzinfo=BRUSSELS)),
        ("2031-09-16T12:00:00.000+0000", datetime(2031, 9, 16, 14, 0, tzinfo=BRUSSELS)),
        ("2031-09-16T12:00:00", datetime(2031, 9, 16, 12, 0, tzinfo=BRUSSELS)),
        ("2031-12-02T00:00:00.000+0000", datetime(2031, 12, 2, 17, 0, tzinfo=BRUSSELS)),
    ],
)
def test_deadlines_are_read_as_decided(written: str | int, moment: datetime) -> None:
    """A day closes at 17:00 in Brussels, summer and winter; an hour counts with its offset."""
    assert deadline_of(written, "deadlineDate") == moment


@pytest.mark.parametrize(
    "written",
    ["2031-02-04", "2031-02-04T00:00:00.000+0000", 1927929600000, "2031-02-04T08:38:17.926+0100"],
)
def test_a_call_opens_with_its_day_in_brussels(written: str | int) -> None:
    """Whatever the hour at which the portal's editors published it."""
    assert opening_of(written, "startDate") == OPENS


@pytest.mark.parametrize("written", ["soon", "2031-13-40", "2031-02-30T00:00:00.000+0000", 10**30])
def test_a_date_that_is_none_is_an_error_that_names_its_field(written: str | int) -> None:
    """A wrong deadline is worse than none."""
    with pytest.raises(UnreadableError, match="deadlineDate"):
        deadline_of(written, "deadlineDate")


def test_deadlines_of_all_actions_count_once_in_order() -> None:
    """Cut-offs may stand at the topic, at one of its actions or at several."""
    actions = json.dumps([action("2031-12-02"), action("2031-09-16", "2032-02-03")])
    call = _record(actions=[actions], deadlineModel=["multiple cut-off"]).call
    days = [date(2031, 9, 16), date(2031, 12, 2), date(2032, 2, 3)]
    assert call.deadlines == tuple(map(deadline, days))
    assert call.deadline_model is DeadlineModel.CUT_OFFS


def test_a_day_and_the_same_day_with_an_hour_are_one_deadline() -> None:
    """The portal gives the hour at the topic and the day alone at its actions."""
    noon = "2031-09-16T12:00:00.000+0200"
    call = _record(actions=[json.dumps([action("2031-09-16")])], deadlineDate=[noon]).call
    assert call.deadlines == (datetime(2031, 9, 16, 12, 0, tzinfo=BRUSSELS),)


def test_a_continuous_call_without_a_date_is_rolling() -> None:
    """With a date, the date counts."""
    assert _record(deadlineModel=["continuous"], deadlineDate=[]).call.rolling
    assert not _record(deadlineModel=["continuous"]).call.rolling


def _money(*entries: dict[str, Any]) -> tuple[object, ...]:
    call = _record(budgetOverview=[json.dumps(overview(*entries))]).call
    return call.budget, call.budget_shared, call.grant_min, call.grant_max, call.expected_grants


def test_only_the_topic_s_own_entries_of_the_budget_count() -> None:
    """RIVERS-01 is neither RIVERS-010 nor its siblings."""
    others = (budget(f"{TOPIC}0 - {RIA}", 1), budget(f"{CALL}-RIVERS-02 - {RIA}", 2))
    money = _money(*others, budget(f"{TOPIC} - {RIA}", "9000000"))
    assert money == (9000000, False, 2000000, 3000000, 3)


def test_a_sum_that_stands_at_a_sibling_too_is_the_call_s_pot() -> None:
    """It is given as the budget, and said to be shared."""
    money = _money(budget(f"{TOPIC} - {RIA}"), budget(f"{CALL}-RIVERS-02 - {RIA}"))
    assert money[:2] == (9000000, True)


def test_several_actions_of_a_topic_add_up_and_repeats_count_once() -> None:
    """Two types of action have a pot each; an entry repeated under two keys is one."""
    first, second = budget(f"{TOPIC} - {RIA}"), budget(f"{TOPIC} - HORIZON-IA Innovation", 500)
    assert _money(first, second, first)[0] == 9000500


def test_zero_means_unknown() -> None:
    """The portal writes 0 where it has no figure."""
    nothing = {"minContribution": 0, "maxContribution": 0, "expectedGrants": 0}
    money = _money(budget(f"{TOPIC} - {RIA}", "0", **nothing), budget(f"{CALL}-9 - {RIA}", "0"))
    assert money == (None, False, None, None, None)


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"title": "not a list"}, "metadata.title"),
        ({"deadlineDate": [20310916]}, "metadata.deadlineDate"),
        ({"deadlineDate": ["soon"]}, "deadlineDate"),
        ({"budgetOverview": ["{broken"]}, "metadata.budgetOverview"),
        ({"budgetOverview": [json.dumps({"budgetTopicActionMap": []})]}, "budgetTopicActionMap"),
        ({"actions": [json.dumps({"status": 1})]}, "metadata.actions"),
        ({"actions": [json.dumps([action(None)])]}, "deadlineDates"),
        ({"identifier": []}, "identifier"),
    ],
)
def test_an_unexpected_field_is_a_flaw_that_names_it(metadata: dict[str, Any], field: str) -> None:
    """The other calls of the page are read all the same."""
    found = list(read_rows(answer(row(**metadata), row("B-2031-1")), CHECKED))
    flaws = [each for each in found if isinstance(each, Flaw)]
    assert len(flaws) == 1
    assert field in flaws[0].problem
    assert "70000001TOPICSen" in flaws[0].where
    assert [each.call.identifier for each in found if isinstance(each, CallRecord)] == ["B-2031-1"]


@pytest.mark.parametrize("wrong", [{}, {"results": None}, {"results": {}}, {"results": [3]}])
def test_a_page_of_another_shape_is_a_flaw(wrong: dict[str, Any]) -> None:
    """An error message of the API is not taken for an empty page."""
    (flaw,) = read_rows(wrong, CHECKED)
    assert isinstance(flaw, Flaw)


def test_absent_fields_are_unknown() -> None:
    """A row with an identifier and a title is a call, with its title as its text."""
    names = row()["metadata"]
    kept = ("identifier", "title", "DATASOURCE", "type")
    record = _record(**{name: None for name in names if name not in kept})
    assert record.status is None
    assert record.call.deadlines == ()
    assert record.pages[0].text == "Rivers and their people"


def test_cascade_calls_have_an_identifier_of_their_own() -> None:
    """Their rows carry the identifier of the topic that pays for them."""
    cascade = row(
        type=["8"],
        callTitle=["Open call for river apps"],
        callccm2Id=["7001"],
        descriptionByte=None,
        description=["<p>Small teams build apps.</p>"],
        furtherInformation=["<p>Apply by form.</p>"],
        budget=["600000"],
    ) | {"url": f"{PORTAL}/competitive-calls-cs/7001"}
    first, second = _records(row(), cascade)
    assert first.key != second.key
    assert second.call.identifier == "eu-cascade:7001"
    assert second.call.title == "Open call for river apps"
    assert second.call.budget == 600000
    assert "build apps" in second.pages[0].text
    assert "Apply by form." in second.pages[1].text


def test_a_topic_answer_gives_everything_in_four_pages() -> None:
    """What is the topic's own, with the title and the call's title first, then what is shared."""
    record = _topic(destinationDescription="<p>Water for all.</p>")
    labels = ["Description", "Destination", "Conditions", "Support"]
    assert [page.label for page in record.pages] == labels
    assert [page.number for page in record.pages] == [1, 2, 3, 4]
    assert record.pages[1].text == "Water for all."
    assert record.pages[0].text.split("\n\n") == [
        "Rivers and their people",
        "Culture of water",
        "Scope:",
        "Proposals map rivers.",
    ]
    call = record.call
    assert (call.opens, call.deadlines) == (OPENS, (CLOSES,))
    assert (call.budget, call.grant_min, call.grant_max, call.expected_grants) == (
        *(9000000, 2000000, 3000000, 3),
    )
    assert call.keywords == ("Rivers", "Bridges")
    assert Link("Submission: Research", "https://example.eu/draft?t=1") in call.links


def test_a_topic_s_budget_may_be_json_in_a_text() -> None:
    """Both spellings of the portal are read."""
    text = json.dumps(overview(budget(f"{TOPIC} - {RIA}", 77)))
    assert _topic(budgetOverviewJSONItem=None, budgetOverview=text).call.budget == 77


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"description": ["list"]}, "description"),
        ({"actions": "text"}, "actions"),
        ({"frameworkProgramme": 3}, "frameworkProgramme"),
        ({"identifier": ""}, "identifier"),
        ({"plannedOpeningDateLong": [1]}, "plannedOpeningDateLong"),
    ],
)
def test_a_topic_of_another_shape_is_an_error_that_names_the_field(
    fields: dict[str, Any], field: str
) -> None:
    """Unknown shapes fail loudly."""
    with pytest.raises(UnreadableError, match=field):
        _topic(**fields)


@pytest.mark.parametrize("details", [{}, {"TopicDetails": None}, {"error": "none"}])
def test_an_answer_without_a_topic_is_an_error(details: dict[str, Any]) -> None:
    """What the portal says instead of a topic is not taken for one."""
    with pytest.raises(UnreadableError, match="TopicDetails"):
        record_of_topic(details, "en", CHECKED)


def _bulk(*items: Any) -> list[CallRecord | Flaw]:
    text = json.dumps({"fundingData": {"GrantTenderObj": items}})
    return list(read_bulk(io.BytesIO(text.encode()), CHECKED))


def test_the_bulk_file_gives_calls_without_texts() -> None:
    """Dates in milliseconds, all of them, and the titles as the page."""
    days = [1947283200000, 1953936000000]
    (record,) = _bulk(bulk_item(deadlineDatesLong=days, actions=[]))
    assert isinstance(record, CallRecord)
    assert record.source == "eu-portal-bulk"
    assert record.status == "forthcoming"
    assert record.call.programme == "LIFE"
    assert record.call.opens == OPENS
    assert record.call.deadlines == (CLOSES, deadline(date(2031, 12, 2)))
    assert record.pages[0].text == "Bogs and peat\n\nWet land"
    assert len(record.pages) == 1


def test_a_bad_object_of_the_bulk_file_is_a_flaw_among_calls() -> None:
    """It is named by its place and identifier."""
    wrong = bulk_item(2, deadlineDatesLong="soon")
    first, flaw, third = _bulk(bulk_item(1), wrong, bulk_item(3))
    assert isinstance(first, CallRecord)
    assert isinstance(third, CallRecord)
    assert isinstance(flaw, Flaw)
    assert "LIFE-2031-BOGS-2" in flaw.where
    assert "deadlineDatesLong" in flaw.problem


def test_the_export_is_read_with_its_texts_mended_and_parted() -> None:
    """Its ``stage`` is never right and not read."""
    record = record_of_item(exported(), CHECKED)
    call = record.call
    assert call.title == "Rivers’ people"
    assert call.deadline_model is DeadlineModel.SINGLE_STAGE
    assert (call.budget, call.grant_min, call.grant_max) == (None, 2000000, 3000000)
    assert call.keywords == ("Rivers", "Soils, water and air")
    assert call.themes == ("SSH", "AI")
    assert record.pages[0].text.split("\n\n") == [
        "Rivers’ people",
        "Culture of water",
        "Expected Outcome:",
        "Rivers are mapped.",
        "Scope:",
        "Proposals map rivers.",
    ]
    assert record.pages[1].text == "Water (2030-31) This destination keeps water clean."
    assert record.pages[2].text.startswith("Conditions\n\n1. Admissibility Conditions: ten pages")


def test_external_action_calls_link_to_their_own_kind_of_page() -> None:
    """The export's address for them leads nowhere."""
    item = exported("EuropeAid/1/DD/ACT/XX", reference="186000PROSPECTSEN", programmeId="111111")
    call = record_of_item(item, CHECKED).call
    assert call.url == f"{PORTAL}/prospect-details/186000PROSPECTSEN"
    assert call.programme == "EU External Action"


def test_programmes_have_one_short_name_each() -> None:
    """An unknown code keeps the source's words, without the abbreviation."""
    names = [programme.name for programme in PROGRAMMES.values()]
    assert len(names) == len(set(names))
    assert programme_name("43251589", "Citizens, Equality, Rights and Values") == "CERV"
    assert programme_name("9", "New Fund for Rivers (NFR)") == "New Fund for Rivers"
    assert programme_name("9") is None

"""Answers of the EU portal as its search API, topic pages and bulk file shape them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

TOPIC = "HORIZON-CL2-2031-01-RIVERS-01"
CALL = "HORIZON-CL2-2031-01"
PORTAL = "https://ec.europa.eu/info/funding-tenders/opportunities/portal/screen/opportunities"
RIA = "HORIZON-RIA HORIZON  Research and Innovation Actions"


def budget(action: str, year: object = "9000000", **more: Any) -> dict[str, Any]:
    """An entry of a budget overview."""
    stated = {"expectedGrants": 3, "minContribution": 2000000, "maxContribution": 3000000}
    return {"action": action, "budgetYearMap": {"2031": year}, **stated, **more}


def overview(*entries: dict[str, Any]) -> dict[str, Any]:
    """A budget overview of one call."""
    return {"budgetYearsColumns": ["2031"], "budgetTopicActionMap": {"1": list(entries)}}


def action(*deadlines: object, **more: Any) -> dict[str, Any]:
    """An action of a topic, with its deadlines."""
    return {
        "status": {"id": 31094502, "abbreviation": "Open", "description": "Open"},
        "types": [{"typeOfAction": RIA, "typeOfMGA": []}],
        "plannedOpeningDate": "2031-02-04",
        "submissionProcedure": {"abbreviation": "single-stage", "description": "single-stage"},
        "deadlineDates": list(deadlines),
        **more,
    }


def row(identifier: str = TOPIC, **metadata: Any) -> dict[str, Any]:
    """A row of the search API; a field that is given as nothing is left out."""
    stated: dict[str, Any] = {
        "identifier": [identifier],
        "title": ["Rivers and their people"],
        "type": ["1"],
        "DATASOURCE": ["SEDIA"],
        "language": ["en"],
        "status": ["31094502"],
        "callIdentifier": [CALL],
        "callTitle": ["Culture of water"],
        "frameworkProgramme": ["43108390"],
        "typesOfAction": ["HORIZON  Research and Innovation Actions"],
        "keywords": [identifier, CALL, "Rivers", "Heritage"],
        "crossCuttingPriorities": ["SSH"],
        "startDate": ["2031-02-04T00:00:00.000+0000"],
        "deadlineDate": ["2031-09-16T00:00:00.000+0000"],
        "deadlineModel": ["single-stage"],
        "descriptionByte": ["<p>Scope:</p><p>Proposals map rivers.</p>"],
        **metadata,
    }
    return {
        "reference": "70000001TOPICSen",
        "url": f"{PORTAL}/topic-details/{identifier}",
        "language": "en",
        "databaseLabel": "SEDIA",
        "summary": "Rivers and their people",
        "metadata": {name: value for name, value in stated.items() if value is not None},
    }


def answer(*rows: Any) -> dict[str, Any]:
    """A page of the search API."""
    return {"apiVersion": "2.151", "totalResults": len(rows), "results": list(rows)}


def topic(**fields: Any) -> dict[str, Any]:
    """The answer for one topic."""
    stated: dict[str, Any] = {
        "type": 1,
        "ccm2Id": 70000001,
        "identifier": TOPIC,
        "title": "Rivers and their people",
        "callIdentifier": CALL,
        "callTitle": "Culture of water",
        "frameworkProgramme": {
            "id": 43108390,
            "abbreviation": "HORIZON",
            "description": "Horizon Europe (HORIZON)",
        },
        "plannedOpeningDateLong": 1927929600000,
        "description": "<p class='topicdescriptionkind'>Scope:</p><p>Proposals map rivers.</p>",
        "conditions": "<p>1. Admissibility Conditions: ten pages.</p>",
        "supportInfo": "<p>Ask your contact point.</p>",
        "keywords": ["Rivers"],
        "tags": ["rivers", "Bridges"],
        "flags": ["SSH"],
        "links": [{"criterionDescription": "Research", "url": "https://example.eu/draft?t=1"}],
        "latestInfos": [],
        "actions": [action("2031-09-16")],
        "budgetOverviewJSONItem": overview(budget(f"{TOPIC} - {RIA}")),
        **fields,
    }
    return {"TopicDetails": stated}


def bulk_item(number: int = 1, **fields: Any) -> dict[str, Any]:
    """An object of the bulk file."""
    return {
        "type": 1,
        "ccm2Id": 70000000 + number,
        "identifier": f"LIFE-2031-BOGS-{number}",
        "title": "Bogs and peat",
        "callIdentifier": "LIFE-2031-BOGS",
        "callTitle": "Wet land",
        "plannedOpeningDateLong": 1927929600000,
        "deadlineDatesLong": [1947283200000],
        "frameworkProgramme": {
            "id": 43252405,
            "abbreviation": "LIFE2027",
            "description": "Programme for Environment and Climate Action (LIFE)",
        },
        "status": {"id": 31094501, "abbreviation": "Forthcoming"},
        "deadlineModel": {},
        "topicActions": [{"abbreviation": "LIFE-PJG", "description": "LIFE Project Grants"}],
        "actions": [action("1947283200000", submissionProcedure={})],
        "keywords": ["Peat"],
        "tags": [],
        "flags": [],
        "links": [],
        **fields,
    }


def write_bulk(path: Path, items: int, filler: int = 0) -> None:
    """Write a bulk file; ``filler`` characters make each object as long as the real ones."""
    with path.open("w", encoding="utf-8") as file:
        file.write('{"fundingData": {"GrantTenderObj": [')
        for number in range(items):
            kind = 0 if number % 2 else 1
            item = bulk_item(number, type=kind, latestInfos=[{"content": "x" * filler}])
            file.write(("," if number else "") + json.dumps(item))
        file.write("]}}")


def exported(identifier: str = TOPIC, **fields: Any) -> dict[str, Any]:
    """A record of the public export, whose texts have lost their tags."""
    page = f"{PORTAL}/topic-details/{identifier.lower()}"
    return {
        "reference": "70000001TOPICSen",
        "topicId": identifier,
        "title": "Riversâ€™ people",
        "programme": "Horizon Europe",
        "programmeId": "43108390",
        "callIdentifier": CALL,
        "callTitle": "Culture of water",
        "deadline": "2031-09-16",
        "stage": "two-stage",
        "callStatus": "open",
        "budgetMin": 2000000,
        "budgetMax": 3000000,
        "expectedGrants": 3,
        "keywords": f"{identifier}, {CALL}, Rivers, Soils, water and air",
        "portalUrl": page,
        "documentsUrl": f"{PORTAL}/documents/{identifier.lower()}",
        "description": "Expected Outcome:Rivers are mapped.Scope:Proposals map rivers.",
        "objectives": "Water (2030-31) This destination keeps water clean.",
        "submissionProcedure": {"abbreviation": "single-stage", "description": "single-stage"},
        "deadlineModel": "single-stage",
        "crossCuttingPriorities": "SSH, AI",
        "typesOfAction": "HORIZON  Research and Innovation Actions",
        "topicConditions": '">Conditions1. Admissibility Conditions: ten pagesThe limit holds.',
        "supportInfo": "Ask your contact point.",
        **fields,
    }

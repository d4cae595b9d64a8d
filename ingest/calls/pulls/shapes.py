"""The shapes in which public sources are known to answer: paths, types, known codes.

Of the EU portal's search API these are versions 2.96 (2023) and 2.151 (2026).
"""

from __future__ import annotations

from ingest.calls.pulls.shape import ANYTHING, BOOLEAN, LIST, NUMBER, OBJECT, TEXT, Expected
from ingest.calls.sources.programmes import PROGRAMMES

_STATUSES = frozenset({"31094501", "31094502", "31094503"})
_TYPES = frozenset({"0", "1", "2", "6", "8", "11"})
_DATASOURCES = frozenset({"SEDIA", "SEDIA_PRD_CENTRICITY", "SEDIA_FAQ"})
_MODELS = frozenset({"single-stage", "two-stage", "multiple cut-off"})


def _texts(path: str, values: frozenset[str] = frozenset(), *, always: bool) -> list[Expected]:
    """A metadata field: a list of texts."""
    return [
        Expected(path, (LIST,), always=always),
        Expected(f"{path}[]", (TEXT,), always=always, values=values),
    ]


def _unused(parent: str, names: str) -> list[Expected]:
    """Fields that are known and not read: they are no news, whatever they hold."""
    prefix = f"{parent}." if parent else ""
    return [Expected(f"{prefix}{name}", ANYTHING, always=False) for name in names.split()]


_ALWAYS = ("identifier", "title")
_USUALLY = (
    "startDate",
    "deadlineDate",
    "descriptionByte",
    "callIdentifier",
    "callTitle",
    "ccm2Id",
    "callccm2Id",
    "typesOfAction",
    "keywords",
    "tags",
    "url",
    "crossCuttingPriorities",
    "programmePeriod",
    "programmeDivision",
)
_METADATA = "results[].metadata"
_OVERVIEW = f"{_METADATA}.budgetOverview[](json)"
_ACTION = f"{_OVERVIEW}.budgetTopicActionMap{{}}[]"
_UNUSED_IN_SEARCH = (
    *_unused(
        "",
        "bestBets groupByField queryLanguage responseTime sort terms warnings spellingSuggestion",
    ),
    *_unused(
        "results[]",
        "accessRestriction apiVersion checksum children citation content contentType database "
        "databaseLabel groupById pages title weight",
    ),
    *_unused(
        _METADATA,
        "REFERENCE allowPartnerSearch caName cenTagsA cftId corporate-search-version datasource "
        "destination destinationGroup esDA_IngestDate esDA_QueueDate esST_FileName esST_URL "
        "es_ContentType es_SortDate focusArea language latestInfos links sortStatus "
        "specificObjective typeOfMGAs",
    ),
    *_unused(_OVERVIEW, "budgetYearsColumns"),
    *_unused(
        _ACTION,
        "deadlineDates deadlineModel expectedGrants maxContribution minContribution "
        "plannedOpeningDate",
    ),
)

SEARCH = (
    Expected("apiVersion", (TEXT,)),
    Expected("totalResults", (NUMBER,)),
    Expected("pageNumber", (NUMBER,)),
    Expected("pageSize", (NUMBER,)),
    Expected("results", (LIST,)),
    Expected("results[]", (OBJECT,)),
    Expected("results[].reference", (TEXT,)),
    Expected("results[].url", (TEXT,), always=False),
    Expected("results[].language", (TEXT,)),
    Expected("results[].summary", (TEXT,), always=False),
    Expected(_METADATA, (OBJECT,)),
    *(field for name in _ALWAYS for field in _texts(f"{_METADATA}.{name}", always=True)),
    *(field for name in _USUALLY for field in _texts(f"{_METADATA}.{name}", always=False)),
    *_texts(f"{_METADATA}.DATASOURCE", _DATASOURCES, always=True),
    *_texts(f"{_METADATA}.status", _STATUSES, always=False),
    *_texts(f"{_METADATA}.type", _TYPES, always=True),
    *_texts(f"{_METADATA}.deadlineModel", _MODELS, always=False),
    Expected(f"{_METADATA}.frameworkProgramme", (LIST,), always=False),
    Expected(
        f"{_METADATA}.frameworkProgramme[]",
        (TEXT,),
        always=False,
        values=frozenset(PROGRAMMES),
        open=True,
    ),
    *_texts(f"{_METADATA}.actions", always=False),
    Expected(f"{_METADATA}.actions[](json)", (LIST,), always=False),
    *_texts(f"{_METADATA}.budgetOverview", always=False),
    Expected(_OVERVIEW, (OBJECT,), always=False),
    Expected(f"{_OVERVIEW}.budgetTopicActionMap", (OBJECT,), always=False),
    Expected(f"{_ACTION}.action", (TEXT,), always=False),
    Expected(f"{_ACTION}.budgetYearMap", (OBJECT,), always=False),
    *_UNUSED_IN_SEARCH,
)

FACETS = (
    Expected("apiVersion", (TEXT,)),
    Expected("facets", (LIST,)),
    Expected("facets[].name", (TEXT,)),
    Expected("facets[].count", (NUMBER,)),
    Expected("facets[].values", (LIST,)),
    Expected("facets[].values[].rawValue", (TEXT,)),
    Expected("facets[].values[].value", (TEXT,)),
    Expected("facets[].values[].count", (NUMBER,)),
    *_unused("", "terms"),
    *_unused("facets[]", "apiVersion database rawName"),
    *_unused("facets[].values[]", "apiVersion"),
)

_TOPIC_TEXTS = ("description", "conditions", "supportInfo", "callIdentifier", "callTitle")
_TOPIC_LISTS = ("keywords", "tags", "flags", "latestInfos", "links", "topicMGAs", "actions")

TOPIC = (
    Expected("TopicDetails", (OBJECT,)),
    Expected("TopicDetails.identifier", (TEXT,)),
    Expected("TopicDetails.title", (TEXT,)),
    Expected("TopicDetails.type", (NUMBER, TEXT)),
    *(Expected(f"TopicDetails.{name}", (TEXT,), always=False) for name in _TOPIC_TEXTS),
    *(Expected(f"TopicDetails.{name}", (LIST,), always=False) for name in _TOPIC_LISTS),
    Expected("TopicDetails.frameworkProgramme", (OBJECT,), always=False),
    Expected("TopicDetails.frameworkProgramme.id", (NUMBER,), always=False),
    Expected("TopicDetails.frameworkProgramme.abbreviation", (TEXT,), always=False),
    Expected("TopicDetails.frameworkProgramme.description", (TEXT,), always=False),
    Expected("TopicDetails.actions[].status", (OBJECT,), always=False),
    Expected("TopicDetails.actions[].status.id", (NUMBER,), always=False, values=_STATUSES),
    Expected("TopicDetails.actions[].deadlineDates", (LIST,), always=False),
    Expected("TopicDetails.actions[].deadlineDates[]", (TEXT, NUMBER), always=False),
    Expected("TopicDetails.actions[].plannedOpeningDate", (TEXT, NUMBER), always=False),
    Expected("TopicDetails.budgetOverviewJSONItem", (OBJECT, TEXT), always=False),
    *_unused(
        "TopicDetails",
        "additionalDossiers allowPartnerSearch callDetailsJSONItem callccm2Id ccm2Id cftId "
        "deadlineDatesLong deadlineModel destinationDescription destinationDetails "
        "infoPackDossiers plannedOpeningDateLong programmeDivision publicationDateLong "
        "sepTemplate sme status topicActions",
    ),
    *_unused("TopicDetails.actions[]", "types submissionProcedure"),
    *_unused("TopicDetails.actions[].status", "abbreviation description"),
)

_OBJECT = "fundingData.GrantTenderObj[]"

BULK = (
    Expected("fundingData", (OBJECT,)),
    Expected("fundingData.GrantTenderObj", (LIST,)),
    Expected(_OBJECT, (OBJECT,)),
    Expected(f"{_OBJECT}.identifier", (TEXT,)),
    Expected(f"{_OBJECT}.title", (TEXT,)),
    Expected(f"{_OBJECT}.type", (NUMBER,), values=_TYPES),
    Expected(f"{_OBJECT}.callIdentifier", (TEXT,), always=False),
    Expected(f"{_OBJECT}.callTitle", (TEXT,), always=False),
    Expected(f"{_OBJECT}.publicationDateLong", (NUMBER,), always=False),
    Expected(f"{_OBJECT}.plannedOpeningDateLong", (NUMBER,), always=False),
    Expected(f"{_OBJECT}.deadlineDatesLong", (LIST,), always=False),
    Expected(f"{_OBJECT}.deadlineDatesLong[]", (NUMBER,), always=False),
    Expected(f"{_OBJECT}.status", (OBJECT,), always=False),
    Expected(f"{_OBJECT}.status.id", (NUMBER,), always=False, values=_STATUSES),
    Expected(f"{_OBJECT}.frameworkProgramme", (OBJECT,), always=False),
    Expected(f"{_OBJECT}.frameworkProgramme.id", (NUMBER,), always=False),
    Expected(f"{_OBJECT}.actions", (LIST,), always=False),
    Expected(f"{_OBJECT}.keywords", (LIST,), always=False),
    Expected(f"{_OBJECT}.tags", (LIST,), always=False),
    *_unused(
        _OBJECT,
        "additionalCpvs additionalDossiers allowPartnerSearch callccm2Id ccm2Id cftId contractType "
        "contractingAuthority deadlineModel flags infoPackDossiers latestInfos links lots mainCpv "
        "placesOfDeliveryOrPerformance procedureType programmeDivision sme topicActions topicMGAs "
        "url uuid",
    ),
    *_unused(f"{_OBJECT}.status", "abbreviation description"),
    *_unused(f"{_OBJECT}.frameworkProgramme", "abbreviation description"),
)

_AID_TEXTS = ("description", "eligibility", "perimeter", "submission_deadline", "recurrence")

AIDS = (
    Expected("count", (NUMBER,)),
    Expected("next", (TEXT,), always=False),
    Expected("results", (LIST,)),
    Expected("results[]", (OBJECT,)),
    Expected("results[].id", (NUMBER,)),
    Expected("results[].slug", (TEXT,)),
    Expected("results[].name", (TEXT,)),
    Expected("results[].financers", (LIST,)),
    *(Expected(f"results[].{name}", (TEXT,), always=False) for name in _AID_TEXTS),
    Expected("results[].application_url", (TEXT,), always=False),
    Expected("results[].european_aid", (TEXT, BOOLEAN), always=False),
    Expected("results[].is_live", (BOOLEAN,), always=False),
)

_REGION_TEXTS = (
    "nom_de_l_aide_de_la_demarche",
    "porteur_aide",
    "entete",
    "objectif",
    "modalite",
    "date_ouverture",
    "date_cloture",
    "url_descriptif",
)

REGION = (
    Expected("total_count", (NUMBER,)),
    Expected("results", (LIST,)),
    Expected("results[]", (OBJECT,)),
    Expected("results[].id_aide", (TEXT, NUMBER), always=False),
    Expected("results[].reference_administrative", (TEXT, NUMBER), always=False),
    *(Expected(f"results[].{name}", (TEXT,), always=False) for name in _REGION_TEXTS),
    Expected("results[].theme", (LIST, TEXT), always=False),
    Expected("results[].qui_peut_en_beneficier", (LIST, TEXT), always=False),
)

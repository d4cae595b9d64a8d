"""What every index promises: the embedded one and the one on a server."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from calls_making import NOW, brussels, made, source
from fakes import HashingEncoder
from qdrant_client import QdrantClient

from kb.analysis import (
    BM25_B,
    BM25_K,
    BM25_MEAN_LENGTH,
    OPENING_TIMES,
    SparseTerms,
    passage_terms,
    sparse,
    term_number,
    terms,
)
from kb.calls.status import usable_deadlines
from kb.errors import StoreError
from kb.index.base import Order, Placed, Point, unseen_rarity
from kb.index.edge import EdgeIndex
from kb.index.server import ServerIndex
from kb.model import (
    FULL_ACCESS,
    PUBLIC_ACCESS,
    Access,
    Applicant,
    Call,
    CallFilters,
    CallStatus,
    DeadlineModel,
    Document,
    Filters,
    Kind,
    Metadata,
    Passage,
    Span,
    Visibility,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kb.index.base import IndexReader, VectorIndex

# The client's local mode stands in for a server and says that it keeps no payload indexes.
pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect")

ENCODER = HashingEncoder()
ALL = Filters(FULL_ACCESS)
# Each text is a passage of its own document; words are chosen so that counts differ.
TEXTS = {
    "ladders": "The ladder is lent to whoever asks. A ladder is returned clean.",
    "saws": "The saw is lent for one week to members of the workshop.",
    "moulins": "Le moulin est prêté aux membres de l'atelier, sans frais.",
    "undated": "The workshop keeps a list of members and of ladders.",
    "minutes": "The board discussed the ladder, the saw and the budget of the workshop.",
}
METADATA = {
    "ladders": Metadata(
        issuer="Ministère des Échelles", published=date(2024, 5, 1), themes=("lending", "wood")
    ),
    "saws": Metadata(issuer="Workshop", published=date(2025, 5, 1), themes=("lending",)),
    "moulins": Metadata(issuer="Workshop", published=date(2026, 5, 1), themes=("moulins",)),
    "undated": Metadata(issuer="Workshop"),
    "minutes": Metadata(issuer="Board", published=date(2025, 6, 30)),
}
KINDS = {"ladders": Kind.POLICY, "saws": Kind.CALL, "moulins": Kind.CALL}
VISIBILITIES = {"undated": Visibility.COALITION, "minutes": Visibility.INTERNAL}


def passage_id(name: str) -> str:
    """The id of a text's passage."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def point(name: str, text: str | None = None) -> Point:
    """A text as the index holds it."""
    text = text or TEXTS[name]
    language = "fr" if name == "moulins" else "en"
    kind, visibility = KINDS.get(name, Kind.NOTE), VISIBILITIES.get(name, Visibility.PUBLIC)
    metadata = METADATA.get(name, Metadata())
    document = Document(
        id=name,
        version=1,
        title=name,
        kind=kind,
        visibility=visibility,
        language=language,
        metadata=metadata,
        source=name,
        paged=False,
        ingested=datetime(2026, 1, 1, tzinfo=UTC),
    )
    spans = (Span(None, None, 1, 0, len(text)),)
    passage = Passage(passage_id(name), name, 1, 0, text, spans, "", language)
    return Point(
        passage, document, ENCODER.encode_passages([text])[0], passage_terms(text, language)
    )


def write(index: VectorIndex, generation: int, parent: int | None, *names: str) -> None:
    """Write a generation that adds these texts to its parent's."""
    writer = index.writer(generation, parent)
    if names:
        writer.add([point(name) for name in names])
    writer.finish()


def make(engine: str, folder: Path) -> VectorIndex:
    """An empty index."""
    if engine == "edge":
        return EdgeIndex(folder / "index", ENCODER.dimension)
    return ServerIndex(QdrantClient(":memory:"), ENCODER.dimension)


@pytest.fixture(params=["edge", "server"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> VectorIndex:
    """An empty index of each engine."""
    return make(request.param, tmp_path)


@pytest.fixture(scope="module", params=["edge", "server"])
def reader(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[IndexReader]:
    """A generation with every text, open for the tests that only read."""
    index = make(request.param, tmp_path_factory.mktemp("read"))
    write(index, 1, None, *TEXTS)
    opened = index.reader(1)
    yield opened
    opened.close()


def both_legs(reader: IndexReader, filters: Filters) -> set[str]:
    """The documents that pass the filters, which both legs and the count must agree on."""
    question = "ladder saw moulin members workshop atelier lent prêté"
    vector = ENCODER.encode_queries([question])[0]
    by_dense = {scored.id for scored in reader.dense(vector, filters, 10)}
    both = {**_weights(question, "en"), **_weights(question, "fr")}
    by_term = {scored.id for scored in reader.lexical(_sparse(both), filters, 10)}
    assert by_dense == by_term
    assert reader.count(filters) == len(by_dense)
    names = {passage_id(name): name for name in TEXTS}
    return {names[key] for key in by_dense}


def query_terms(text: str, language: str) -> SparseTerms:
    """The terms of a text at weight 1."""
    return sparse(dict.fromkeys(terms(text, language), 1.0))


def _weights(text: str, language: str) -> dict[int, float]:
    sparse = query_terms(text, language)
    return dict(zip(sparse.indices, sparse.values, strict=True))


def _sparse(weights: dict[int, float]) -> SparseTerms:
    ordered = sorted(weights)
    return SparseTerms(tuple(ordered), tuple(weights[number] for number in ordered))


def idf(term: str) -> float:
    """Its formula in ``kb.index.base``, counted over the texts."""
    holding = sum(term in terms(text, _language(name)) for name, text in TEXTS.items())
    return math.log((len(TEXTS) - holding + 0.5) / (holding + 0.5) + 1)


def bm25(question: str, name: str) -> float:
    """Robertson and Zaragoza's score of a text, computed from its words."""
    opening = terms(TEXTS[name].partition(". ")[0], _language(name))
    words = [*terms(TEXTS[name], _language(name)), *opening * (OPENING_TIMES - 1)]
    norm = BM25_K * (1 - BM25_B + BM25_B * len(words) / BM25_MEAN_LENGTH)
    score = 0.0
    for term in set(terms(question, "en")):
        count = words.count(term)
        score += idf(term) * count * (BM25_K + 1) / (count + norm)
    return score


def _language(name: str) -> str:
    return "fr" if name == "moulins" else "en"


def test_a_generation_tells_its_languages(reader: IndexReader) -> None:
    """Each language once, in alphabetical order."""
    assert reader.languages == ("en", "fr")


@pytest.mark.parametrize(
    ("filters", "passing"),
    [
        (Filters(), {"ladders", "saws", "moulins"}),
        (
            Filters(Access((Visibility.PUBLIC, Visibility.COALITION))),
            {"ladders", "saws", "moulins", "undated"},
        ),
        (Filters(Access((Visibility.INTERNAL,))), {"minutes"}),
        (ALL, set(TEXTS)),
        (Filters(kind=Kind.CALL), {"saws", "moulins"}),
        (Filters(language="fr"), {"moulins"}),
        (Filters(theme="lending"), {"ladders", "saws"}),
        (Filters(theme="lending", kind=Kind.CALL), {"saws"}),
        (Filters(issuer="ministere des  echelles"), {"ladders"}),
        (Filters(issuer="MINISTÈRE DES ÉCHELLES"), {"ladders"}),
        (Filters(issuer="Ministère"), set()),
        (Filters(theme="unknown"), set()),
    ],
)
def test_filters_act_on_both_legs(reader: IndexReader, filters: Filters, passing: set[str]) -> None:
    """Both legs and the count see exactly what passes the filters."""
    assert both_legs(reader, filters) == passing


@pytest.mark.parametrize(
    ("since", "until", "passing"),
    [
        (date(2025, 1, 1), None, {"saws", "moulins", "minutes"}),
        (None, date(2025, 6, 30), {"ladders", "saws", "minutes"}),
        (date(2025, 5, 1), date(2025, 5, 1), {"saws"}),
        (date(2030, 1, 1), None, set()),
    ],
)
def test_date_filters_include_their_days_and_drop_undated_documents(
    reader: IndexReader, since: date | None, until: date | None, passing: set[str]
) -> None:
    """The first and last day count; a document without a date is in no period."""
    filters = Filters(FULL_ACCESS, since=since, until=until)
    assert both_legs(reader, filters) == passing


def test_nobody_sees_anything_without_a_visibility(reader: IndexReader) -> None:
    """A caller who may see nothing finds nothing."""
    assert both_legs(reader, Filters(Access(()))) == set()


def test_dense_scores_are_cosines_best_first(reader: IndexReader) -> None:
    """The dense leg returns every passage with its cosine, in falling order."""
    vector = ENCODER.encode_queries(["a ladder for the members"])[0]
    found = reader.dense(vector, ALL, 10)
    expected = {passage_id(name): float(point(name).dense @ vector) for name in TEXTS}
    assert {scored.id: scored.score for scored in found} == pytest.approx(expected, abs=1e-5)
    assert np.all(np.diff([scored.score for scored in found]) <= 0)


def test_lexical_scores_are_bm25_best_first(reader: IndexReader) -> None:
    """The lexical leg returns the passages that share a term, with their BM25 score."""
    question = "ladder budget members"
    weights = dict.fromkeys((term_number(term) for term in terms(question, "en")), 1.0)
    found = reader.lexical(_sparse(weights), ALL, 10)
    expected = {name: score for name in TEXTS if (score := bm25(question, name))}
    assert [scored.id for scored in found] == [
        passage_id(name) for name in sorted(expected, key=lambda name: -expected[name])
    ]
    assert [scored.score for scored in found] == pytest.approx(
        sorted(expected.values(), reverse=True), rel=1e-4
    )


def test_a_term_counts_by_its_weight_in_the_query(reader: IndexReader) -> None:
    """Half the weight of a query's term is half the score."""
    number = term_number(terms("budget", "en")[0])
    whole, half = (reader.lexical(_sparse({number: weight}), ALL, 1) for weight in (1.0, 0.5))
    assert half[0].score == pytest.approx(whole[0].score / 2, rel=1e-4)


def test_limit_and_among_bound_both_legs(reader: IndexReader) -> None:
    """A leg returns at most ``limit`` passages, and only those among the given ids."""
    vector = ENCODER.encode_queries(["ladder"])[0]
    ladder = query_terms("ladder", "en")
    among = {passage_id("minutes"), passage_id("undated"), passage_id("saws")}
    assert len(reader.dense(vector, ALL, 2)) == 2
    assert len(reader.lexical(ladder, ALL, 2)) == 2
    assert {scored.id for scored in reader.dense(vector, ALL, 10, among)} == among
    found = {scored.id for scored in reader.lexical(ladder, ALL, 10, among)}
    assert found == {passage_id("minutes"), passage_id("undated")}
    assert reader.dense(vector, ALL, 10, set()) == []
    assert reader.lexical(ladder, ALL, 10, set()) == []


def test_filters_hold_among_given_ids(reader: IndexReader) -> None:
    """Naming a passage does not show it to somebody who may not see it."""
    vector = ENCODER.encode_queries(["budget"])[0]
    among = {passage_id("minutes")}
    assert reader.dense(vector, Filters(), 10, among) == []
    assert reader.lexical(query_terms("budget", "en"), Filters(), 10, among) == []


def test_a_query_without_terms_finds_nothing_by_words(reader: IndexReader) -> None:
    """No terms: no lexical candidates and no rarity."""
    empty = SparseTerms((), ())
    assert reader.lexical(empty, ALL, 10) == []
    assert reader.rarity(empty, FULL_ACCESS) == {}


def test_rarity_is_the_inverse_document_frequency(reader: IndexReader) -> None:
    """Common, rare and unseen terms have the frequency that BM25 uses."""
    words = [terms(word, "en")[0] for word in ("workshop", "ladder", "budget", "zeppelin")]
    sparse = _sparse(dict.fromkeys((term_number(word) for word in words), 1.0))
    expected = {term_number(word): idf(word) for word in words}
    assert reader.rarity(sparse, FULL_ACCESS) == pytest.approx(expected, rel=1e-3)


def test_a_word_of_hidden_passages_alone_is_as_rare_as_one_that_is_nowhere(
    reader: IndexReader,
) -> None:
    """Else the confidence of an answer would tell whether a name stands in them."""
    hidden, nowhere, shown = (
        term_number(terms(word, "en")[0]) for word in ("budget", "zeppelin", "ladder")
    )
    told = reader.rarity(_sparse(dict.fromkeys((hidden, nowhere, shown), 1.0)), PUBLIC_ACCESS)
    assert told[hidden] == told[nowhere] == unseen_rarity(len(TEXTS))
    assert told[shown] == pytest.approx(idf(terms("ladder", "en")[0]), rel=1e-3)


def test_ids_and_count_are_everything_written(reader: IndexReader) -> None:
    """A generation knows what it holds."""
    assert reader.ids() == {passage_id(name) for name in TEXTS}
    assert reader.count() == len(TEXTS)


def test_an_empty_generation_answers_nothing(index: VectorIndex) -> None:
    """A generation without points is searched without an error."""
    write(index, 1, None)
    reader = index.reader(1)
    assert reader.dense(point("saws").dense, ALL, 10) == []
    assert reader.lexical(query_terms("saw", "en"), ALL, 10) == []
    assert (reader.ids(), reader.count()) == (set(), 0)
    reader.close()


def test_a_child_holds_its_parent_and_leaves_it_untouched(index: VectorIndex) -> None:
    """A generation begins as its parent's copy; adding and dropping change it alone."""
    write(index, 1, None, "ladders", "saws")
    writer = index.writer(2, 1)
    writer.drop(["saws"])
    writer.add([point("moulins")])
    writer.finish()
    parent, child = index.reader(1), index.reader(2)
    assert parent.ids() == {passage_id("ladders"), passage_id("saws")}
    assert child.ids() == {passage_id("ladders"), passage_id("moulins")}
    assert both_legs(child, ALL) == {"ladders", "moulins"}
    assert index.generations() == {1, 2}
    parent.close()
    child.close()


def test_a_point_added_again_replaces_the_first(index: VectorIndex) -> None:
    """The same id holds one point, with the newest vectors."""
    write(index, 1, None, "ladders")
    writer = index.writer(2, 1)
    writer.add([point("ladders", "A windmill stands on the hill.")])
    writer.finish()
    reader = index.reader(2)
    assert reader.count() == 1
    assert reader.lexical(query_terms("ladder", "en"), ALL, 10) == []
    assert len(reader.lexical(query_terms("windmill", "en"), ALL, 10)) == 1
    reader.close()


@pytest.mark.parametrize("purge", [False, True])
def test_erase_takes_a_document_out_of_a_kept_generation(
    index: VectorIndex, *, purge: bool
) -> None:
    """An erased document is in no leg of the generation, and its words are no longer counted."""
    write(index, 1, None, *TEXTS)
    index.erase(1, ["minutes", "never-there"], purge=purge)
    reader = index.reader(1)
    assert both_legs(reader, ALL) == set(TEXTS) - {"minutes"}
    number = term_number(terms("budget", "en")[0])
    unseen = math.log((len(TEXTS) - 1 + 0.5) / 0.5 + 1)
    rare = reader.rarity(_sparse({number: 1.0}), FULL_ACCESS)
    assert rare[number] == pytest.approx(unseen, rel=1e-3)
    reader.close()


def test_narrow_changes_who_sees_a_document_of_a_kept_generation(index: VectorIndex) -> None:
    """A narrowed document leaves the public's answers and stays in those of staff."""
    write(index, 1, None, *TEXTS)
    index.narrow(1, ["saws"], Visibility.INTERNAL)
    reader = index.reader(1)
    assert both_legs(reader, Filters()) == {"ladders", "moulins"}
    assert both_legs(reader, ALL) == set(TEXTS)
    reader.close()


def test_a_kept_generation_can_be_changed_more_than_once(index: VectorIndex) -> None:
    """Erasing and narrowing one after the other keep the effect of each."""
    write(index, 1, None, *TEXTS)
    index.erase(1, ["saws"])
    index.narrow(1, ["ladders"], Visibility.INTERNAL)
    index.erase(1, ["moulins"])
    reader = index.reader(1)
    assert both_legs(reader, Filters()) == set()
    assert both_legs(reader, ALL) == {"ladders", "undated", "minutes"}
    reader.close()


def test_an_open_reader_goes_on_while_its_generation_is_erased_from(index: VectorIndex) -> None:
    """A removal never breaks the queries of a reader that was open before."""
    write(index, 1, None, *TEXTS)
    reader = index.reader(1)
    index.erase(1, ["saws"])
    assert {"ladders", "moulins"} <= both_legs(reader, ALL)
    reader.close()


def test_abort_leaves_nothing(index: VectorIndex) -> None:
    """A generation given up is not there, and its parent is as before."""
    write(index, 1, None, "ladders")
    writer = index.writer(2, 1)
    writer.add([point("saws")])
    writer.abort()
    assert index.generations() == {1}
    with pytest.raises(StoreError):
        index.reader(2)
    reader = index.reader(1)
    assert reader.count() == 1
    reader.close()


def test_a_writer_begins_anew_over_an_unfinished_one(index: VectorIndex) -> None:
    """What a killed run left under the same number is not in the next one."""
    write(index, 1, None, "ladders")
    index.writer(2, 1).add([point("saws")])
    write(index, 2, 1, "moulins")
    reader = index.reader(2)
    assert reader.ids() == {passage_id("ladders"), passage_id("moulins")}
    reader.close()


def test_discard_deletes_generations_and_no_others(index: VectorIndex) -> None:
    """Numbers that begin alike are told apart; one that is not there is no error."""
    for number in (1, 2, 12):
        write(index, number, None, "ladders")
    index.discard([1, 7])
    assert index.generations() == {2, 12}


def test_a_reader_of_a_missing_generation_is_told_the_way_out(index: VectorIndex) -> None:
    """What to run is in the message."""
    with pytest.raises(StoreError, match="kb doctor --repair"):
        index.reader(7)


def test_a_discarded_generation_never_breaks_a_reader_in_another_way(index: VectorIndex) -> None:
    """A reader open on a discarded generation goes on, or says what to do."""
    write(index, 1, None, *TEXTS)
    reader = index.reader(1)
    index.discard([1])
    try:
        found = reader.lexical(query_terms("ladder", "en"), ALL, 10)
    except StoreError as error:
        found = []
        said = str(error)
    if isinstance(index, EdgeIndex):
        assert len(found) == 3
    else:
        assert "kb doctor" in said
    reader.close()


def test_a_purge_rewrites_the_embedded_files_this_once(tmp_path: Path) -> None:
    """Nothing of a purged document's payload stays on disk; later removals cost no rewriting."""
    index = EdgeIndex(tmp_path, ENCODER.dimension)
    write(index, 1, None, *TEXTS)
    segments = {path.name for path in tmp_path.glob("*/segments/*")}
    assert _files_with(tmp_path, b"ministere des echelles")
    index.erase(1, ["ladders"], purge=True)
    assert _files_with(tmp_path, b"ministere des echelles") == []
    rewritten = {path.name for path in tmp_path.glob("*/segments/*")}
    assert not rewritten & segments
    index.erase(1, ["saws"])
    assert {path.name for path in tmp_path.glob("*/segments/*")} & rewritten


def _files_with(folder: Path, words: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and words in path.read_bytes()]


# Calls beside the texts: each is a document of two passages, of which the first is its head.
CALLS: dict[str, Call] = {
    "open": made(
        "open",
        programme="LIFE",
        programme_id="77",
        action_types=("Project Grants",),
        applicants=(Applicant.ASSOCIATION, Applicant.PUBLIC),
        countries=("EU",),
        themes=("soil", "water"),
        opens=brussels("2026-01-10"),
        deadlines=(brussels("2026-06-01"),),
        budget=4_000_000,
    ),
    "cut-offs": made(
        "cut-offs",
        programme="LIFE",
        programme_id="77",
        action_types=("Project Grants", "Prizes"),
        applicants=(Applicant.COMPANY,),
        countries=("FR", "BE"),
        themes=("soil",),
        deadlines=(brussels("2026-02-01"), brussels("2026-03-20"), brussels("2026-06-01")),
        grant_min=10_000,
        grant_max=60_000,
    ),
    "stages": made(
        "stages",
        programme="Horizon Europe",
        opens=brussels("2026-04-01"),
        deadlines=(brussels("2026-09-01"), brussels("2027-02-01")),
        deadline_model=DeadlineModel.TWO_STAGE,
        grant_max=900_000,
    ),
    "over": made("over", programme="LIFE", deadlines=(brussels("2026-02-10"),), budget=4_000_000),
    "rolling": made("rolling", rolling=True, countries=("NO",)),
    "left": made("left", deadlines=(brussels("2026-06-01"),), sources=(source("open", gone=True),)),
    "announced": made("announced", sources=(source("forthcoming"),)),
    "said-closed": made("said-closed", sources=(source("closed"),)),
    "silent": made("silent"),
    "members": made("members", programme="LIFE", deadlines=(brussels("2026-06-01"),)),
}
# Ids without dashes.
HEADS = {uuid.uuid5(uuid.NAMESPACE_URL, f"{name}/0").hex: name for name in CALLS}


def call_points(name: str) -> list[Point]:
    """The head of a call and one passage more."""
    hidden = name == "members"
    document = Document(
        id=name,
        version=1,
        title=name,
        kind=Kind.CALL,
        visibility=Visibility.COALITION if hidden else Visibility.PUBLIC,
        language="en",
        metadata=Metadata(themes=("stated",) if name == "open" else ()),
        source=name,
        paged=False,
        ingested=NOW,
        call=CALLS[name],
    )
    points = []
    for ordinal, text in enumerate((f"The fund {name} lends ladders.", "Ladders must be mended.")):
        key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}/{ordinal}"))
        spans = (Span(None, None, 1, 0, len(text)),)
        passage = Passage(key, name, 1, ordinal, text, spans, "", "en")
        dense = ENCODER.encode_passages([text])[0]
        points.append(Point(passage, document, dense, passage_terms(text, "en")))
    return points


@pytest.fixture(scope="module", params=["edge", "server"])
def calls(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[IndexReader]:
    """A generation with the calls and the texts."""
    index = make(request.param, tmp_path_factory.mktemp("calls"))
    writer = index.writer(1, None)
    writer.add([point(name) for name in TEXTS])
    writer.add([each for name in CALLS for each in call_points(name)])
    writer.finish()
    opened = index.reader(1)
    yield opened
    opened.close()


def asked(visible: Access = PUBLIC_ACCESS, **fields: Any) -> Filters:
    """Filters on calls as they stand at noon of 1 March 2026."""
    return Filters(access=visible, call=CallFilters(**{"now": NOW, **fields}))


def heads(ids: list[str]) -> list[str]:
    """The names of calls by the ids of their heads."""
    return [HEADS[key.replace("-", "")] for key in ids]


def found_by(calls: IndexReader, filters: Filters) -> set[str]:
    """The calls that filters let through, on which all ways of asking must agree."""
    vector = ENCODER.encode_queries(["fund ladders"])[0]
    scored = [each.id for each in calls.dense(vector, filters, 100)]
    listed = calls.unordered("published", filters, 100, None, ())
    assert len(scored) == len(set(scored)) == calls.count(filters)
    assert set(scored) == set(listed)
    return set(heads(scored))


EVERY = set(CALLS) - {"members"}
LIFE = {"open", "cut-offs", "over"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, EVERY),
        ({"visible": FULL_ACCESS}, set(CALLS)),
        ({"statuses": (CallStatus.OPEN,)}, {"open", "cut-offs"}),
        ({"statuses": (CallStatus.CLOSING_SOON,)}, {"cut-offs"}),
        ({"statuses": (CallStatus.FORTHCOMING,)}, {"stages", "announced"}),
        ({"statuses": (CallStatus.CLOSED,)}, {"over", "left", "said-closed"}),
        ({"statuses": (CallStatus.ROLLING,)}, {"rolling"}),
        ({"statuses": (CallStatus.UNKNOWN,)}, {"silent"}),
        ({"statuses": (CallStatus.ROLLING, CallStatus.UNKNOWN)}, {"rolling", "silent"}),
        ({"statuses": tuple(CallStatus)}, EVERY),
        ({"programmes": ("LIFE",)}, LIFE),
        ({"programmes": ("77", "Horizon Europe")}, {"open", "cut-offs", "stages"}),
        ({"programmes": ("unknown",)}, EVERY - LIFE - {"stages"}),
        ({"action_types": ("Prizes",)}, {"cut-offs"}),
        ({"applicants": (Applicant.NGO,)}, EVERY - {"cut-offs"}),
        ({"applicants": (Applicant.SME,)}, EVERY - {"open"}),
        ({"countries": ("FR",)}, EVERY - {"rolling"}),
        ({"countries": ("DE",)}, EVERY - {"rolling", "cut-offs"}),
        ({"countries": ("NO",)}, EVERY - {"open", "cut-offs"}),
        ({"themes": ("water", "none")}, {"open"}),
        ({"themes": ("stated",)}, {"open"}),
        (
            {"deadline_after": date(2026, 6, 1), "deadline_before": date(2026, 6, 1)},
            {"open", "cut-offs", "left"},
        ),
        ({"deadline_before": date(2026, 3, 20)}, {"over", "cut-offs"}),
        ({"deadline_after": date(2026, 9, 1)}, {"stages"}),
        ({"deadline_after": date(2026, 9, 2)}, set()),
        ({"budget_min": 4_000_000}, EVERY - {"cut-offs", "stages"}),
        ({"budget_min": 4_000_001}, EVERY - {"cut-offs", "stages", "open", "over"}),
        ({"budget_max": 10_000}, EVERY - {"stages", "open", "over"}),
        ({"budget_max": 9_999}, EVERY - {"stages", "open", "over", "cut-offs"}),
        ({"programmes": ("LIFE",), "statuses": (CallStatus.CLOSED,)}, {"over"}),
    ],
)
def test_call_filters_narrow_inside_the_engine(
    calls: IndexReader, fields: dict[str, Any], expected: set[str]
) -> None:
    """Each filter lets through the calls that meet it, and those that may: by their heads alone."""
    assert found_by(calls, asked(**fields)) == expected


def test_passages_of_calls_pass_the_same_filters(calls: IndexReader) -> None:
    """Without ``heads`` every passage of a call counts, and no other document's."""
    assert calls.count(asked(heads=False)) == 2 * len(EVERY)
    assert calls.count(asked(heads=False, statuses=(CallStatus.OPEN,))) == 4


def test_a_facet_counts_values_of_what_passes(calls: IndexReader) -> None:
    """Values are counted within the filters, most frequent first, and no more than asked for."""
    programmes = calls.facet("programme", asked(), 10)
    assert programmes == {"unknown": 5, "LIFE": 3, "Horizon Europe": 1}
    assert list(programmes) == ["unknown", "LIFE", "Horizon Europe"]
    assert calls.facet("programme", asked(FULL_ACCESS), 10)["LIFE"] == 4
    assert calls.facet("programme", asked(), 1) == {"unknown": 5}
    kinds = calls.facet("action_types", asked(programmes=("LIFE",)), 10)
    assert kinds == {"Project Grants": 2, "Prizes": 1, "unknown": 1}
    assert calls.facet("themes", asked(countries=("NO",)), 10) == {}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (
            Order("amount"),
            [("cut-offs", 60_000), ("stages", 900_000), ("open", 4e6), ("over", 4e6)],
        ),
        (
            Order("amount", descending=True),
            [("open", 4e6), ("over", 4e6), ("stages", 900_000), ("cut-offs", 60_000)],
        ),
        (Order("amount", start=900_000), [("stages", 900_000), ("open", 4e6), ("over", 4e6)]),
        (
            Order("amount", descending=True, start=900_000),
            [("stages", 900_000), ("cut-offs", 60_000)],
        ),
        (Order("amount", start=5e6), []),
    ],
)
def test_calls_are_sorted_by_a_number(
    calls: IndexReader, order: Order, expected: list[tuple[str, float]]
) -> None:
    """Ascending or descending, from a value on; what has none is left out."""
    placed = calls.ordered(order, asked(), 100)
    assert [each.value for each in placed] == [value for _, value in expected]
    named = zip(heads([each.id for each in placed]), [each.value for each in placed], strict=True)
    assert sorted(named) == sorted(expected)


def test_a_call_with_several_values_comes_for_each(calls: IndexReader) -> None:
    """A call with cut-offs stands at each of them, one of two stages at the first alone."""
    placed = calls.ordered(Order("deadlines"), asked(), 100)
    values = [each.value for each in placed]
    assert values == sorted(values)
    moments = {name: usable_deadlines(call) for name, call in CALLS.items() if name in EVERY}
    expected = [(name, d.timestamp()) for name, days in moments.items() for d in days]
    pairs = [(name, each.value) for each in placed for name in heads([each.id])]
    assert sorted(pairs) == sorted(expected)


def test_an_order_holds_within_limits_and_leaves_out(calls: IndexReader) -> None:
    """At most ``limit`` come, and never one that is to be left out."""
    whole = calls.ordered(Order("deadlines"), asked(), 100)
    assert [each.value for each in calls.ordered(Order("deadlines"), asked(), 3)] == [
        each.value for each in whole[:3]
    ]
    without = {each.id for each in whole[:2]}
    left = calls.ordered(Order("deadlines"), asked(), 100, without)
    assert sorted(left, key=_place) == sorted((p for p in whole if p.id not in without), key=_place)


def _place(placed: Placed) -> tuple[float, str]:
    return placed.value, placed.id


def test_calls_without_a_value_are_listed_by_id(calls: IndexReader) -> None:
    """What has no value comes by id, a part at a time, and what is left out does not come."""
    undated = {"rolling", "announced", "said-closed", "silent"}
    whole = calls.unordered("closes", asked(), 100, None, ())
    assert whole == sorted(whole)
    assert set(heads(whole)) == undated
    parts: list[str] = []
    while batch := calls.unordered("closes", asked(), 3, parts[-1] if parts else None, ()):
        parts += batch
    assert parts == whole
    assert calls.unordered("closes", asked(), 100, whole[0], (whole[2],)) == [whole[1], whole[3]]
    never = "00000000-0000-0000-0000-000000000000"
    assert calls.unordered("closes", asked(), 100, never, ()) == whole


def test_the_status_follows_the_moment_and_not_the_writing(calls: IndexReader) -> None:
    """The same generation answers for another day with that day's statuses."""
    later = NOW + timedelta(days=60)
    filters = asked(now=later, statuses=(CallStatus.OPEN,))
    assert found_by(calls, filters) == {"open", "cut-offs", "stages"}
    assert found_by(calls, asked(now=later, statuses=(CallStatus.CLOSED,))) >= {"over", "left"}


def test_calls_erased_or_narrowed_leave_counts_and_orders(index: VectorIndex) -> None:
    """A call that is taken back is in no count, facet or order of those who may not see it."""
    writer = index.writer(1, None)
    writer.add([each for name in ("open", "over", "cut-offs") for each in call_points(name)])
    writer.finish()
    index.erase(1, ["open"])
    index.narrow(1, ["over"], Visibility.INTERNAL)
    reader = index.reader(1)
    assert found_by(reader, asked()) == {"cut-offs"}
    assert reader.facet("programme", asked(), 10) == {"LIFE": 1}
    assert {each.id for each in reader.ordered(Order("deadlines"), asked(), 10)} == {
        call_points("cut-offs")[0].passage.id
    }
    assert found_by(reader, asked(FULL_ACCESS)) == {"cut-offs", "over"}
    reader.close()

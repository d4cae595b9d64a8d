"""The search engine: builds the query pipeline and runs it on the current generation."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from haystack import Pipeline
from haystack.core.errors import PipelineRuntimeError

from kb.answers.extract import AnswerExtractor
from kb.errors import UsageError
from kb.model import Search
from kb.search.calls import (
    CALL_CANDIDATES,
    CALL_LEXICAL_WEIGHT,
    CallRanker,
    CallRetriever,
)
from kb.search.components import (
    Answerer,
    DenseRetriever,
    Fuser,
    LexicalRetriever,
    LookUps,
    QueryAnalyser,
    QueryEncoder,
    Ranker,
)
from kb.stopping import NEVER, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from kb.encoders.base import Encoder
    from kb.encoders.cross import CrossEncoder
    from kb.index.generations import Generations, View
    from kb.model import Answer, Filters, Hit
    from kb.record.reading import Record
    from kb.search.components import Query
    from kb.stopping import Stop

MAX_QUESTION = 1000
MAX_TOP_K = 100
# An answer is looked for in this many passages, more of one document than a list of hits shows:
# an act answers from the article that a list would have left out.
ANSWER_PASSAGES = 50
ANSWER_PER_DOCUMENT = 10
# Queries of a batch between which its work may stop.
ENCODED_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Ranking:
    """How candidates become a ranking.

    ``candidate_k`` is per leg; ``dense_weight`` that of the dense leg, the lexical one has 1;
    ``per_document`` the most passages shown of one document.
    """

    candidate_k: int
    dense_weight: float
    per_document: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found, in what language it was understood, in how many milliseconds."""

    query: str
    language: str
    took_ms: float
    hits: list[Hit]


class SearchEngine:
    """Searches and answers; safe to share between threads."""

    def __init__(
        self,
        record: Record,
        generations: Generations,
        encoder: Encoder,
        ranking: Ranking,
        reader: CrossEncoder | None = None,
    ) -> None:
        self._record = record
        self._generations = generations
        self._encoder = encoder
        self._search = _pipeline(record, encoder, ranking)
        self._answer = _pipeline(
            record, encoder, replace(ranking, per_document=ANSWER_PER_DOCUMENT)
        )
        _add_answer(self._answer, AnswerExtractor(record, encoder, reader))
        self._calls = _calls_pipeline(record, encoder, ranking.dense_weight)

    def search(
        self, query: str, filters: Filters, top_k: int = 10, stop: Stop = NEVER
    ) -> SearchResult:
        """Find passages.

        Raises:
            UsageError: The query is empty or too long, or ``top_k`` is out of range.
            StoreError: There is no index to search.
            Stopped: The work is to stop.
        """
        asked = Search(query, filters, top_k)
        _check(asked)
        started = time.perf_counter()
        with self._generations.current() as view:
            found = _run(self._search, asked, view, stop)
        return _result(found["analyser"]["query"], found["ranker"]["hits"].value, started)

    async def search_async(self, query: str, filters: Filters, top_k: int = 10) -> SearchResult:
        """Find passages in a thread of its own; otherwise as ``search``.

        A whole run in one thread, not ``Pipeline.run_async``, which gives each component another
        (docs/decisions/0004). When this is cancelled, the work stops first.
        """
        return await in_thread(lambda stop: self.search(query, filters, top_k, stop))

    def search_batch(
        self, searches: Sequence[Search], stop: Stop = NEVER
    ) -> list[SearchResult | UsageError]:
        """Find for each, in their order, what ``search`` would find; all in one generation.

        It takes less time than one by one: vectors are made on every core, and what one has looked
        up serves the others. A search that can't be understood has its error in its place.

        Raises:
            StoreError: There is no index to search.
            Stopped: The work is to stop.
        """
        faults = [_fault(asked) for asked in searches]
        with self._generations.current() as view:
            sound = [asked for asked, fault in zip(searches, faults, strict=True) if not fault]
            vectors = iter(self._vectors([asked.query for asked in sound], stop))
            look_ups = LookUps(self._record, view.generation)

            def one(asked: Search) -> SearchResult:
                started = time.perf_counter()
                shared = {"encoded": next(vectors), "look_ups": look_ups}
                found = _run(self._search, asked, view, stop, **shared)
                return _result(found["analyser"]["query"], found["ranker"]["hits"].value, started)

            return [fault or one(asked) for asked, fault in zip(searches, faults, strict=True)]

    async def search_batch_async(
        self, searches: Sequence[Search]
    ) -> list[SearchResult | UsageError]:
        """Search for each in one thread; otherwise as ``search_batch``.

        Threads for several of them would be of no use: the index keeps Python's lock while it
        searches (0.41 s for 1,000 queries in one thread, 0.41 s in two).
        """
        return await in_thread(lambda stop: self.search_batch(searches, stop))

    def _vectors(self, queries: Sequence[str], stop: Stop) -> list[NDArray[np.float32]]:
        vectors: list[NDArray[np.float32]] = []
        for start in range(0, len(queries), ENCODED_AT_ONCE):
            stop.check()
            vectors += list(self._encoder.encode_queries(queries[start : start + ENCODED_AT_ONCE]))
        return vectors

    def calls(self, query: str, filters: Filters, view: View, top_k: int) -> list[Hit]:
        """Rank the calls of an open generation, each with its best passage.

        Raises:
            UsageError: The query is empty or too long, or ``top_k`` is out of range.
        """
        asked = Search(query, filters, top_k)
        _check(asked)
        found = _run(self._calls, asked, view, NEVER)
        hits: list[Hit] = found["ranker"]["hits"].value
        return hits

    def answer(
        self,
        question: str,
        filters: Filters,
        stop: Stop = NEVER,
        told: Callable[[SearchResult], None] | None = None,
    ) -> Answer:
        """Answer a question with quoted, verified sentences, or say that evidence is missing.

        ``told`` is called once with the passages in which the answer is then looked for.

        Raises:
            UsageError: The question is empty or too long.
            StoreError: There is no index to search.
            Stopped: The work is to stop.
        """
        asked = Search(question, filters, ANSWER_PASSAGES)
        _check(asked)
        started = time.perf_counter()

        def tell(query: Query, hits: list[Hit]) -> None:
            if told is not None:
                told(_result(query, hits, started))

        with self._generations.current() as view:
            found = _run(self._answer, asked, view, stop, told=tell)
        answer: Answer = found["answerer"]["answer"]
        return replace(answer, took_ms=_since(started))

    async def answer_async(
        self,
        question: str,
        filters: Filters,
        told: Callable[[SearchResult], None] | None = None,
    ) -> Answer:
        """Answer in a thread of its own, in which ``told`` is called; otherwise as ``answer``.

        When this is cancelled, the work stops first.
        """
        return await in_thread(lambda stop: self.answer(question, filters, stop, told))


def _pipeline(record: Record, encoder: Encoder, ranking: Ranking) -> Pipeline:
    return _connected(
        encoder,
        dense=DenseRetriever(ranking.candidate_k),
        lexical=LexicalRetriever(ranking.candidate_k),
        fuser=Fuser(ranking.dense_weight),
        ranker=Ranker(record, ranking.per_document),
    )


def _calls_pipeline(record: Record, encoder: Encoder, dense_weight: float) -> Pipeline:
    return _connected(
        encoder,
        dense=CallRetriever(CALL_CANDIDATES),
        lexical=LexicalRetriever(CALL_CANDIDATES),
        fuser=Fuser(dense_weight, CALL_LEXICAL_WEIGHT),
        ranker=CallRanker(record),
    )


def _connected(encoder: Encoder, **steps: Any) -> Pipeline:
    """The query path with its steps ``dense``, ``lexical``, ``fuser`` and ``ranker``."""
    pipeline = Pipeline()
    pipeline.add_component("analyser", QueryAnalyser())
    pipeline.add_component("encoder", QueryEncoder(encoder))
    for name, step in steps.items():
        pipeline.add_component(name, step)
    for receiver in ("encoder", "dense", "lexical", "fuser", "ranker"):
        pipeline.connect("analyser.query", f"{receiver}.query")
    for receiver in ("dense", "fuser"):
        pipeline.connect("encoder.vector", f"{receiver}.vector")
    pipeline.connect("dense.candidates", "fuser.dense")
    pipeline.connect("lexical.candidates", "fuser.lexical")
    pipeline.connect("fuser.ranked", "ranker.ranked")
    return pipeline


def _add_answer(pipeline: Pipeline, extractor: AnswerExtractor) -> None:
    pipeline.add_component("answerer", Answerer(extractor))
    pipeline.connect("analyser.query", "answerer.query")
    pipeline.connect("ranker.hits", "answerer.hits")


def _run(
    pipeline: Pipeline, asked: Search, view: View, stop: Stop, **others: Any
) -> dict[str, Any]:
    """Run a pipeline; an error of a step comes out as it was, and not as Haystack's own.

    So a database that is locked is told from a flaw.
    """
    inputs = {"text": asked.query, "filters": asked.filters, "top_k": asked.top_k}
    held = {"view": view, "stop": stop}
    try:
        return pipeline.run({**inputs, **held, **others}, include_outputs_from={"analyser"})
    except PipelineRuntimeError as error:
        raise error.__cause__ or error from None


def _result(query: Query, hits: list[Hit], started: float) -> SearchResult:
    return SearchResult(query.text, query.language, _since(started), hits)


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)


def _check(asked: Search) -> None:
    fault = _fault(asked)
    if fault:
        raise fault


def _fault(asked: Search) -> UsageError | None:
    if not asked.query.strip():
        return UsageError("The question is empty: write what you are looking for.")
    if len(asked.query) > MAX_QUESTION:
        return UsageError(
            f"The question has {len(asked.query)} characters; at most {MAX_QUESTION} are read."
        )
    if not 1 <= asked.top_k <= MAX_TOP_K:
        return UsageError(f"top_k is {asked.top_k}; it must lie between 1 and {MAX_TOP_K}.")
    return None

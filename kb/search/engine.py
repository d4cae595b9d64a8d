"""The search engine: builds the query pipeline and runs it on the current generation."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from haystack import Pipeline

from kb.answers.extract import AnswerExtractor
from kb.errors import UsageError
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
    QueryAnalyser,
    QueryEncoder,
    Ranker,
)

if TYPE_CHECKING:
    from kb.encoders.base import Encoder
    from kb.index.generations import Generations, View
    from kb.model import Answer, Filters, Hit
    from kb.record.reading import Record

MAX_QUESTION = 1000
MAX_TOP_K = 100
# An answer is looked for in this many passages, more of one document than a list of hits shows:
# an act answers from the article that a list would have left out.
ANSWER_PASSAGES = 50
ANSWER_PER_DOCUMENT = 10


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
    ) -> None:
        self._generations = generations
        self._search = _pipeline(record, encoder, ranking)
        self._answer = _pipeline(
            record, encoder, replace(ranking, per_document=ANSWER_PER_DOCUMENT)
        )
        _add_answer(self._answer, AnswerExtractor(record, encoder))
        self._calls = _calls_pipeline(record, encoder, ranking.dense_weight)

    def search(self, query: str, filters: Filters, top_k: int = 10) -> SearchResult:
        """Find passages.

        Raises:
            UsageError: The query is empty or too long, or ``top_k`` is out of range.
            StoreError: There is no index to search.
        """
        _check(query, top_k)
        started = time.perf_counter()
        with self._generations.current() as view:
            found = self._search.run(
                _inputs(query, filters, top_k, view), include_outputs_from={"analyser"}
            )
        return _result(query, found, started)

    async def search_async(self, query: str, filters: Filters, top_k: int = 10) -> SearchResult:
        """Find passages in a thread of its own; otherwise as ``search``.

        A whole run in one thread, not ``Pipeline.run_async``, which gives each component another:
        40 searches at once took 0.92 s against 1.24 s, and a caller that leaves can't release the
        index while a component still reads it (docs/decisions/0004).
        """
        return await asyncio.to_thread(self.search, query, filters, top_k)

    def calls(self, query: str, filters: Filters, view: View, top_k: int) -> list[Hit]:
        """Rank the calls of an open generation, each with its best passage.

        Raises:
            UsageError: The query is empty or too long, or ``top_k`` is out of range.
        """
        _check(query, top_k)
        found = self._calls.run(_inputs(query, filters, top_k, view))
        hits: list[Hit] = found["ranker"]["hits"]
        return hits

    def answer(self, question: str, filters: Filters) -> Answer:
        """Answer a question with quoted, verified sentences, or say that evidence is missing.

        Raises:
            UsageError: The question is empty or too long.
            StoreError: There is no index to search.
        """
        _check(question, ANSWER_PASSAGES)
        with self._generations.current() as view:
            found = self._answer.run(_inputs(question, filters, ANSWER_PASSAGES, view))
        answer: Answer = found["answerer"]["answer"]
        return answer

    async def answer_async(self, question: str, filters: Filters) -> Answer:
        """Answer in a thread of its own; otherwise as ``answer``."""
        return await asyncio.to_thread(self.answer, question, filters)


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


def _inputs(query: str, filters: Filters, top_k: int, view: Any) -> dict[str, Any]:
    return {"text": query, "filters": filters, "top_k": top_k, "view": view}


def _result(query: str, found: dict[str, Any], started: float) -> SearchResult:
    took = round((time.perf_counter() - started) * 1000, 1)
    return SearchResult(query, found["analyser"]["query"].language, took, found["ranker"]["hits"])


def _check(query: str, top_k: int) -> None:
    if not query.strip():
        raise UsageError("The question is empty: write what you are looking for.")
    if len(query) > MAX_QUESTION:
        raise UsageError(
            f"The question has {len(query)} characters; at most {MAX_QUESTION} are read."
        )
    if not 1 <= top_k <= MAX_TOP_K:
        raise UsageError(f"top_k is {top_k}; it must lie between 1 and {MAX_TOP_K}.")

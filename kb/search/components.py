"""The steps of the query path as thin Haystack components.

Annotations are read at run time by Haystack, so they are imported for real.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from haystack import component
from numpy.typing import NDArray

from kb.analysis import SparseTerms
from kb.answers.extract import AnswerExtractor, Sought
from kb.index.base import Scored, unseen_rarity
from kb.index.generations import View
from kb.language import detect
from kb.lexicon.artefact import LANGUAGES
from kb.lexicon.query import query_terms
from kb.model import Answer, Filters, Hit, Role
from kb.search.fusion import Legs, as_mapping, fuse
from kb.stopping import Stop

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from kb.encoders.base import Encoder
    from kb.index.base import IndexReader
    from kb.model import Access, Document, Passage
    from kb.record.reading import Record

# Contents lists, reference lists and lone headings name a subject without saying anything of it:
# they match its words better than the passages that treat it. A z-score of 1.5 puts them below
# any passage that says as much, and leaves them to be found when nothing else does.
ROLE_PENALTY = {Role.CONTENTS: 1.5, Role.REFERENCES: 1.5, Role.HEADING: 1.5}

# Passages that are looked up at once, best first: a penalty only lowers a score, so that the first
# hits seldom need the last of 200 candidates.
LOOKED_UP = 40

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Handed(Generic[T]):
    """A value that a step hands on as it is, and that no step changes.

    Haystack deep-copies every other input of a step: 9 of a search's 21 ms went into that.
    """

    value: T

    def __deepcopy__(self, _memo: object) -> Handed[T]:
        """Stay one and the same."""
        return self


@dataclass(frozen=True, slots=True)
class Query:
    """A question as the legs need it.

    ``terms`` are its weighted terms by the language of the passages they are looked for in: its own
    words in its own language, their translations in another.
    """

    text: str
    language: str
    terms: Mapping[str, SparseTerms]
    filters: Filters
    top_k: int

    def by_language(self, view: View) -> dict[str, Filters]:
        """The languages to look in, each with the filters that narrow to it."""
        wanted = self.filters.language
        languages = view.index.languages if wanted is None else (wanted,)
        return {language: replace(self.filters, language=language) for language in languages}

    def terms_in(self, language: str) -> SparseTerms:
        """The terms for passages in a language; those in a third one are asked in its own words."""
        return self.terms.get(language, self.terms[self.language])

    def __deepcopy__(self, _memo: object) -> Query:
        """Stay one and the same, as what is ``Handed``."""
        return self


# Candidates of one leg by language. Each language is asked apart: asked together, the question's
# own language would fill every place of the lexical leg.
ByLanguage = Handed[dict[str, list[Scored]]]
Ranked = Handed[list[Scored]]
Hits = Handed[list[Hit]]
# Told the question and its hits before the answer is looked for in them.
Found = Callable[[Query, list[Hit]], None]


@component
class QueryAnalyser:
    """Tells the language of a question and its weighted terms."""

    @component.output_types(query=Query)
    def run(self, text: str, filters: Filters, top_k: int, stop: Stop) -> dict[str, Any]:
        """Analyse a question; one that can't be told apart counts as French."""
        stop.check()
        language = detect(text)
        terms = {target: query_terms(text, language, target) for target in {*LANGUAGES, language}}
        return {"query": Query(text, language, terms, filters, top_k)}


@component
class QueryEncoder:
    """Makes the vector of a question."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    @component.output_types(vector=NDArray[np.float32])
    def run(
        self, query: Query, stop: Stop, encoded: NDArray[np.float32] | None = None
    ) -> dict[str, Any]:
        """Encode a question, unless it was ``encoded`` already, with others."""
        stop.check()
        if encoded is None:
            encoded = self._encoder.encode_queries([query.text])[0]
        return {"vector": encoded}


@component
class DenseRetriever:
    """The dense leg: the nearest passages by cosine."""

    def __init__(self, candidate_k: int) -> None:
        self._candidate_k = candidate_k

    @component.output_types(candidates=ByLanguage)
    def run(
        self, query: Query, vector: NDArray[np.float32], view: View, stop: Stop
    ) -> dict[str, Any]:
        """Retrieve ``candidate_k`` passages of each language."""
        stop.check()
        found = {
            language: view.index.dense(vector, filters, self._candidate_k)
            for language, filters in query.by_language(view).items()
        }
        return {"candidates": Handed(found)}


@component
class LexicalRetriever:
    """The lexical leg: the best passages by BM25."""

    def __init__(self, candidate_k: int) -> None:
        self._candidate_k = candidate_k

    @component.output_types(candidates=ByLanguage)
    def run(self, query: Query, view: View, stop: Stop) -> dict[str, Any]:
        """Retrieve ``candidate_k`` passages of each language."""
        stop.check()
        found = {
            language: view.index.lexical(query.terms_in(language), filters, self._candidate_k)
            for language, filters in query.by_language(view).items()
        }
        return {"candidates": Handed(found)}


@component
class Fuser:
    """Has both legs score the union of their candidates, then merges legs and languages.

    The lexical leg weighs 1, or with ``covered`` so much for a question of which one passage holds
    every word, and less as the best passage holds less of it.
    """

    def __init__(self, dense_weight: float, covered: float | None = None) -> None:
        self._dense_weight = dense_weight
        self._covered = covered

    @component.output_types(ranked=Ranked)
    def run(  # noqa: PLR0913, PLR0917 -- each is a socket of the step
        self,
        query: Query,
        vector: NDArray[np.float32],
        view: View,
        dense: ByLanguage,
        lexical: ByLanguage,
        stop: Stop,
    ) -> dict[str, Any]:
        """Merge; only what one leg has not scored is asked of it again."""
        legs: dict[str, Legs] = {}
        for language, filters in query.by_language(view).items():
            stop.check()
            by_dense = as_mapping(dense.value[language])
            by_term = as_mapping(lexical.value[language])
            terms = query.terms_in(language)
            unscored = by_term.keys() - by_dense.keys()
            if unscored:
                found = view.index.dense(vector, filters, len(unscored), unscored)
                by_dense.update(as_mapping(found))
            unscored = by_dense.keys() - by_term.keys()
            if unscored:
                found = view.index.lexical(terms, filters, len(unscored), unscored)
                by_term.update(as_mapping(found))
            weight = 1.0
            if self._covered is not None:
                weight = self._covered * _coverage(view.index, terms, by_term, filters.access)
            legs[language] = Legs(by_dense, by_term, weight)
        return {"ranked": Handed(fuse(legs, self._dense_weight))}


def _coverage(
    index: IndexReader, terms: SparseTerms, by_term: Mapping[str, float], access: Access
) -> float:
    """How much of a question's words the best passage holds, rare ones first: 0 to 1."""
    rare = index.rarity(terms, access)
    asked = sum(
        weight * rare[number] for number, weight in zip(terms.indices, terms.values, strict=True)
    )
    return min(1.0, max(by_term.values(), default=0.0) / asked) if asked else 0.0


class LookUps:
    """What searches of one generation have looked up, so that none looks it up again."""

    def __init__(self, record: Record, generation: int) -> None:
        self._record = record
        self._generation = generation
        self._known: dict[Access, dict[str, tuple[Passage, Document]]] = {}

    def found(self, keys: Sequence[str], access: Access) -> Mapping[str, tuple[Passage, Document]]:
        """These passages and others, by id, as far as the caller may see them."""
        known = self._known.setdefault(access, {})
        missing = [key for key in keys if key not in known]
        if missing:
            known.update(self._record.found(self._generation, missing, access))
        return known

    def __deepcopy__(self, _memo: object) -> LookUps:
        """Stay one and the same, to be shared."""
        return self


@component
class Ranker:
    """Turns ranked ids into hits: visible ones, with few passages a document."""

    def __init__(self, record: Record, per_document: int) -> None:
        self._record = record
        self._per_document = per_document

    @component.output_types(hits=Hits)
    def run(
        self,
        query: Query,
        ranked: Ranked,
        view: View,
        stop: Stop,
        look_ups: LookUps | None = None,
    ) -> dict[str, Any]:
        """Rank; the system of record has the last word on what may be shown."""
        look_ups = look_ups or LookUps(self._record, view.generation)
        step = max(LOOKED_UP, 2 * query.top_k)
        hits: list[Hit] = []
        for end in range(step, len(ranked.value) + step, step):
            stop.check()
            keys = [scored.id for scored in ranked.value[end - step : end]]
            found = look_ups.found(keys, query.filters.access)
            hits = self._hits(ranked.value[:end], found, query.top_k)
            best_left = max((scored.score for scored in ranked.value[end:]), default=-math.inf)
            if len(hits) == query.top_k and hits[-1].score > best_left:
                break
        return {"hits": Handed(hits)}

    def _hits(
        self,
        ranked: Sequence[Scored],
        found: Mapping[str, tuple[Passage, Document]],
        top_k: int,
    ) -> list[Hit]:
        scores = {
            scored.id: scored.score - ROLE_PENALTY.get(found[scored.id][0].role, 0.0)
            for scored in ranked
            if scored.id in found
        }
        shown: Counter[str] = Counter()
        hits: list[Hit] = []
        for key, score in sorted(scores.items(), key=lambda item: (-item[1], item[0])):
            passage, document = found[key]
            if shown[document.id] < self._per_document:
                shown[document.id] += 1
                hits.append(Hit(len(hits) + 1, score, passage, document))
            if len(hits) == top_k:
                break
        return hits


@component
class Answerer:
    """Chooses the sentences that answer, each with a verified citation."""

    def __init__(self, extractor: AnswerExtractor) -> None:
        self._extractor = extractor

    @component.output_types(answer=Answer)
    def run(
        self, query: Query, hits: Hits, view: View, stop: Stop, told: Found | None = None
    ) -> dict[str, Any]:
        """Answer from the hits, or say that they do not suffice."""
        stop.check()
        if told is not None:
            told(query, hits.value)
        index = view.index

        def rarity(numbers: Collection[int]) -> dict[int, float]:
            ordered = tuple(sorted(numbers))
            told = SparseTerms(ordered, (1.0,) * len(ordered))
            return index.rarity(told, query.filters.access)

        sought = Sought(
            query.text,
            query.language,
            rarity,
            unseen_rarity(index.count()),
        )
        return {"answer": self._extractor.answer(sought, hits.value, stop)}

"""A bench asked through the product's own query path, and what its measures are."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from evaluation.bases import Chosen, bench_base
from evaluation.machine import bar, commit
from evaluation.measures import Run, means, per_query
from kb.errors import UsageError
from kb.model import FULL_ACCESS, Filters

if TYPE_CHECKING:
    from evaluation.benches import Bench
    from kb.bootstrap import KnowledgeBase
    from kb.encoders.base import Encoder
    from kb.model import Document, Hit

DEPTH = 100
EVERYTHING = Filters(FULL_ACCESS)
# A version that its own language's list holds this high must be in the merged list this high.
_OWN_TOP, _MERGED_TOP = 10, 20


@dataclass(frozen=True, slots=True)
class Result:
    """A bench's run under some settings.

    ``values`` holds each measure by judged query. ``both`` says of a mixed corpus, by query where
    either version ranks among the first 10 of its own language, whether the merged 20 hold both.
    """

    bench: Bench
    settings: dict[str, Any]
    run: Run
    values: dict[str, dict[str, float]]
    both: dict[str, bool] | None
    seconds: float
    commit: str

    @property
    def measures(self) -> dict[str, float]:
        """The mean of each measure."""
        found = means(self.values)
        if self.both is not None:
            found["both@20"] = round(sum(self.both.values()) / max(len(self.both), 1), 4)
        return found

    def as_json(self) -> dict[str, Any]:
        """What is printed for scripts."""
        return {
            "bench": self.bench.name,
            "measures": self.measures,
            "queries": len(self.bench.qrels),
            "documents": self.bench.documents,
            "settings": self.settings,
            "seconds": self.seconds,
            "commit": self.commit,
        }


def retrieve(bench: Bench, chosen: Chosen, encoder: Encoder | None = None) -> Result:
    """Ask every judged query of a bench and measure the documents found.

    A document ranks where its best passage does.
    """
    asked = {query: text for query, text in bench.queries.items() if query in bench.qrels}
    run: Run = {}
    both: dict[str, bool] = {}
    with bench_base(bench, chosen, encoder, per_document=1) as base:
        started = time.monotonic()
        with bar(f"{bench.name}: queries", len(asked)) as advance:
            for query, text in asked.items():
                hits = _hits(base, text, EVERYTHING)
                run[query] = _ranked([hit.document for hit in hits])
                judged = {key for key, relevance in bench.qrels[query].items() if relevance > 0}
                if versions := judged & bench.in_all_corpora:
                    both |= _both(base, query, text, versions, hits)
                advance(1)
        seconds = round(time.monotonic() - started, 1)
    return Result(
        bench,
        chosen.shown(per_document=1),
        run,
        per_query(bench.qrels, run),
        both if len(bench.corpora) > 1 else None,
        seconds,
        commit(),
    )


def _hits(base: KnowledgeBase, text: str, filters: Filters) -> list[Hit]:
    try:
        return base.search.search(text, filters, DEPTH).hits
    except UsageError:  # a query that the product refuses has found nothing
        return []


def _ranked(documents: list[Document]) -> list[str]:
    """Ids in the bench; a work's other version keeps its place under a name nobody judged."""
    seen: set[str] = set()
    ranked = []
    for document in documents:
        work = document.source
        ranked.append(document.id if work in seen else work)
        seen.add(work)
    return ranked


def _both(
    base: KnowledgeBase, query: str, text: str, works: set[str], merged: list[Hit]
) -> dict[str, bool]:
    """Whether the merged list holds both versions; nothing where neither language ranks one."""
    ranked = {
        hit.document.source
        for language in ("fr", "en")
        for hit in _hits(base, text, replace(EVERYTHING, language=language))[:_OWN_TOP]
        if hit.document.source in works
    }
    if not ranked:
        return {}
    versions: dict[str, set[str]] = {work: set() for work in ranked}
    for hit in merged[:_MERGED_TOP]:
        versions.get(hit.document.source, set()).add(hit.document.id)
    return {query: all(len(found) > 1 for found in versions.values())}

"""Who says whether a citation answers: the gold set's judged quotes, or SQuAD's answer texts."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from evaluation.answers import Posed
from evaluation.benches import Bench, BenchDocument
from evaluation.measures import means, per_query
from evaluation.retrieval import DEPTH, EVERYTHING
from kb.errors import UsageError
from kb.model import FULL_ACCESS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from evaluation.benches import Qrels
    from evaluation.gold import Judged, Judgement, Question
    from evaluation.measures import Run
    from kb.bootstrap import KnowledgeBase
    from kb.model import Citation
    from kb.record.reading import Record

# A citation bears an answer when it holds this share of the judged quote's words, in their place.
_HELD = 0.6


def gold_questions(
    questions: Iterable[Question], judgements: Iterable[Judgement], record: Record
) -> list[Posed]:
    """The gold questions, judged by their own quotes and by what was said of other citations."""
    said: dict[str, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        said[judgement.question].append(judgement)
    return [_gold_question(one, said[one.id], record) for one in questions]


def _gold_question(one: Question, said: Sequence[Judgement], record: Record) -> Posed:
    def bears(citation: Citation) -> bool:
        return any(covers(record, citation, answer) for answer in one.answers)

    def relevant(citation: Citation) -> bool | None:
        judged = [bool(row.relevant) for row in said if covers(record, citation, row)]
        return True if bears(citation) else any(judged) if judged else None

    crossing = "crossing languages" if one.crosses else "one language"
    groups = (one.language, crossing) if one.answers else ()
    return Posed(one.id, one.question, bool(one.answers), groups, bears, relevant)


def covers(record: Record, citation: Citation, judged: Judged) -> bool:
    """Whether a citation holds most of the judged quote's words where they stand on the page."""
    if not judged.is_of(citation.document.id):
        return False
    key = (citation.passage.document_id, citation.passage.version, judged.page)
    text = record.page_texts([key]).get(key, "")
    spans = [span for span in citation.spans if span.number == judged.page]
    for start, end in places(judged.quote, text):
        words = [match.start() + start for match in re.finditer(r"\w+", text[start:end])]
        held = sum(any(span.start <= word < span.end for span in spans) for word in words)
        if held >= _HELD * len(words):
            return True
    return False


def places(quote: str, text: str) -> Iterator[tuple[int, int]]:
    """Where a quote stands in a page, whatever white space is between its words."""
    pattern = r"\s+".join(map(re.escape, quote.split()))
    return (match.span() for match in re.finditer(pattern, text))


def gold_retrieval(base: KnowledgeBase, questions: Iterable[Question]) -> dict[str, float]:
    """How high the judged documents of the answerable questions rank, by measure."""
    ids = document_ids(base)
    qrels: Qrels = {}
    run: Run = {}
    for one in questions:
        judged = {key: 1 for key in ids if any(answer.is_of(key) for answer in one.answers)}
        if judged:
            hits = base.search.search(one.question, EVERYTHING, DEPTH).hits
            qrels[one.id] = judged
            run[one.id] = list(dict.fromkeys(hit.document.id for hit in hits))
    return means(per_query(qrels, run)) if qrels else {}


def document_ids(base: KnowledgeBase) -> list[str]:
    """The id of every document that a base holds."""
    found: list[str] = []
    generation = base.record.current_id() or 0
    everyone = FULL_ACCESS
    while part := base.record.list_documents(generation, everyone, after=(found or [""])[-1]):
        found += [document.id for document in part]
    return found


def read_squad(folder: Path) -> tuple[Bench, list[Posed]]:
    """Paragraphs and questions of the one file in a folder that is in SQuAD's layout.

    A citation bears the answer when it is from the question's own paragraph and contains one of
    the answer texts; it is relevant when it is from that paragraph.

    Raises:
        UsageError: The folder has no such file, or several.
    """
    files = {path: data for path in sorted(folder.glob("*.json")) if (data := _articles(path))}
    if len(files) != 1:
        raise UsageError(f"{folder} has {len(files)} files in SQuAD's layout; it must have one.")
    [articles] = files.values()
    documents: dict[str, BenchDocument] = {}
    posed: list[Posed] = []
    for article in articles:
        for paragraph in article["paragraphs"]:
            key = f"p{len(documents)}"
            documents[key] = BenchDocument(key, article.get("title", ""), paragraph["context"])
            posed += [_squad_question(key, row) for row in paragraph["qas"]]
    queries = {one.id: one.text for one in posed}
    return Bench(f"{folder.name}-answers", (tuple(documents.values()),), queries, {}), posed


def _squad_question(paragraph: str, row: dict[str, Any]) -> Posed:
    texts = [answer["text"] for answer in row["answers"]]

    def relevant(citation: Citation) -> bool:
        return citation.document.source == paragraph

    def bears(citation: Citation) -> bool:
        return relevant(citation) and any(text in citation.quote for text in texts)

    return Posed(row["id"], row["question"], bool(texts), (), bears, relevant)


def _articles(path: Path) -> list[dict[str, Any]]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    articles = data.get("data", []) if isinstance(data, dict) else []
    return [one for one in articles if isinstance(one, dict) and "paragraphs" in one]

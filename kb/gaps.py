"""What is missing: questions without sufficient evidence, those that mean the same together.

They stand together where every two of them are as near to each other as ``ALIKE`` says, by the
encoder's cosine, and hold the same numbers. Questions are taken most frequent first, and each joins
the group whose least alike member is nearest: the same questions always give the same groups.

Measured with the default encoder on 123 questions in French and English that stand beside near
misses (``tests/gap_questions.py``), as the mean of twenty orders:

| least cosine | half that chose it: joined of 50 pairs | wrongly | other half: of 47 | wrongly |
|---|---|---|---|---|
| 0.65 | 27.6 | 14.6 | 29.8 | 15.2 |
| 0.70 | 26.4 | 10.0 | 28.1 | 6.5 |
| **0.75** | **24.9** | **1.4** | **20.2** | **2.2** |
| 0.80 | 23.7 | 0.2 | 17.6 | 0.9 |

What is not joined is a line more on the list; what is joined wrongly hides a need behind another.
Rejected, at 0.75: nearness to a group's first question alone (25.9 and 4.2; 21.2 and 3.8) or to its
nearest (27.3 and 7.7; 21.7 and 5.8); joining whatever the numbers, which makes one of the budgets
of two years (24.9 and 5.4 in the first half). That two questions ask for the same kind of thing
(how many, when, who) as another condition joined fewer, right and wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from kb.encoders.base import Encoder
    from kb.model import Access, Document
    from kb.record.audit import Returned
    from kb.record.feedback import Feedback, FeedbackRecord
    from kb.record.questions import QuestionsRecord, Unanswered
    from kb.record.reading import Record

ALIKE = 0.75
MAX_QUESTIONS = 1_000  # distinct ones, the newest
MAX_WORDINGS = 10
MAX_COMMENTS = 20
MAX_DOCUMENTS = 5
_CHUNK = 50  # texts that are encoded at once, so that searches get their turn between
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is asked for and not found.

    ``question`` is the most frequent of its ``wordings``; null where only hashes are kept, or
    where people said in ``comments`` alone what they missed. ``callers`` counts keys, with all who
    have none as one. ``documents`` were the nearest when it was asked last.
    """

    question: str | None
    wordings: tuple[str, ...]
    count: int
    callers: int
    first: datetime
    last: datetime
    languages: tuple[str, ...]
    documents: tuple[Document, ...]
    comments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gaps:
    """The acquisition list: its beginning, and how many gaps there are."""

    total: int
    gaps: tuple[Gap, ...]


@dataclass(slots=True)
class _Asked:
    """A question with all that is known of it; ``text`` is what is compared with others."""

    question: str | None
    text: str | None
    first: datetime
    last: datetime
    count: int = 0
    callers: set[tuple[str | None, str | None]] = field(default_factory=set)
    languages: set[str] = field(default_factory=set)
    shown: tuple[Returned, ...] = ()
    comments: list[str] = field(default_factory=list)


class GapFinder:
    """Finds what is missing; it remembers the vectors of the questions that it looked at last."""

    def __init__(
        self,
        record: Record,
        questions: QuestionsRecord,
        feedback: FeedbackRecord,
        encoder: Encoder,
    ) -> None:
        self._record = record
        self._questions = questions
        self._feedback = feedback
        self._encoder = encoder
        self._vectors: dict[str, NDArray[np.float32]] = {}

    def find(
        self,
        access: Access,
        limit: int,
        since: datetime | None = None,
        language: str | None = None,
    ) -> Gaps:
        """What was asked most first, then what was asked last; documents as far as ``access``."""
        asked = self._asked(since, language)
        told = [each for each in asked if each.text is not None]
        groups = [[told[place] for place in group] for group in self._grouped(told)]
        groups += [[each] for each in asked if each.text is None]
        groups.sort(key=_order)
        shown = tuple(self._gap(group, access) for group in groups[:limit])
        return Gaps(len(groups), shown)

    def _asked(self, since: datetime | None, language: str | None) -> list[_Asked]:
        """The newest questions, those asked most often first."""
        unanswered = self._questions.unanswered(MAX_QUESTIONS, since, language)
        found = {each.query_hash: _asked_of(each) for each in unanswered}
        missing = self._feedback.missing(MAX_QUESTIONS, since, language)
        requests = {said.request_id for said in missing if said.request_id}
        known = self._questions.questions_of(requests)
        for said in missing:
            of = known.get(said.request_id or "")
            mark = said.question_hash or (of.query_hash if of else f"feedback {said.id}")
            asked = found.setdefault(mark, _Asked(None, None, said.at, said.at))
            counted = of is not None and of.unanswered and of.query_hash == mark
            _add(asked, said, counted=counted and asked.count > 0)
            asked.question = asked.question or said.question or (of.text if of else None)
            asked.text = asked.question or asked.text or said.comment
        newest = sorted(found, key=lambda mark: (found[mark].last, mark), reverse=True)
        kept = (found[mark] for mark in newest[:MAX_QUESTIONS])
        return sorted(kept, key=lambda each: _order([each]))

    def _grouped(self, asked: Sequence[_Asked]) -> list[list[int]]:
        texts = [each.text or "" for each in asked]
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        vectors = {text: self._vectors[text] for text in texts if text in self._vectors}
        for start in range(0, len(new), _CHUNK):
            chunk = new[start : start + _CHUNK]
            vectors.update(zip(chunk, self._encoder.encode_queries(chunk), strict=True))
        self._vectors = vectors
        return grouped(texts, np.array([vectors[text] for text in texts]))

    def _gap(self, group: Sequence[_Asked], access: Access) -> Gap:
        wordings = [each.question for each in group if each.question is not None]
        comments = [comment for each in group for comment in each.comments]
        return Gap(
            question=wordings[0] if wordings else None,
            wordings=tuple(wordings[:MAX_WORDINGS]),
            count=sum(each.count for each in group),
            callers=len(set[Any]().union(*(each.callers for each in group))),
            first=min(each.first for each in group),
            last=max(each.last for each in group),
            languages=tuple(sorted(set[str]().union(*(each.languages for each in group)))),
            documents=self._nearest(group, access),
            comments=tuple(dict.fromkeys(comments))[:MAX_COMMENTS],
        )

    def _nearest(self, group: Sequence[_Asked], access: Access) -> tuple[Document, ...]:
        """The documents that were nearest when each was asked, those that are still there."""
        generation = self._record.current_id()
        if generation is None:
            return ()
        newest = sorted(group, key=lambda each: each.last, reverse=True)
        ids = dict.fromkeys(shown.document_id for each in newest for shown in each.shown)
        found = (self._record.document(generation, each, access) for each in ids)
        there = (document for document in found if document is not None)
        return tuple(document for document, _ in zip(there, range(MAX_DOCUMENTS), strict=False))


def grouped(texts: Sequence[str], vectors: NDArray[np.float32]) -> list[list[int]]:
    """Put texts together that mean the same; ``vectors`` has a row of length 1 for each.

    Returns:
        Groups of places in ``texts``, each in the order of the texts.
    """
    if not texts:
        return []
    numbers = [" ".join(sorted(_NUMBER.findall(text))) for text in texts]
    codes = np.unique(numbers, return_inverse=True)[1]
    alike = np.where(codes[:, None] == codes[None, :], vectors @ vectors.T, -1.0)
    # For each group, how near each text is to the member that it is least like.
    nearest = np.empty_like(alike)
    groups: list[list[int]] = []
    for place in range(len(texts)):
        reached = nearest[: len(groups), place]
        best = int(reached.argmax()) if groups else -1
        if groups and reached[best] >= ALIKE:
            groups[best].append(place)
            np.minimum(nearest[best], alike[place], out=nearest[best])
        else:
            nearest[len(groups)] = alike[place]
            groups.append([place])
    return groups


def _order(group: Sequence[_Asked]) -> tuple[int, float, str]:
    last = max(each.last for each in group)
    return -sum(each.count for each in group), -last.timestamp(), group[0].text or ""


def _asked_of(unanswered: Unanswered) -> _Asked:
    return _Asked(
        question=unanswered.text,
        text=unanswered.text,
        first=unanswered.first,
        last=unanswered.last,
        count=unanswered.count,
        callers=set(unanswered.callers),
        languages=set(unanswered.languages),
        shown=unanswered.shown,
    )


def _add(asked: _Asked, said: Feedback, *, counted: bool) -> None:
    """Add what somebody said of a question; ``counted`` says that its request was counted."""
    if not counted:
        asked.count += 1
        asked.first, asked.last = min(asked.first, said.at), max(asked.last, said.at)
        asked.callers.add((said.role and said.role.value, said.key))
    if said.language:
        asked.languages.add(said.language)
    if said.comment:
        asked.comments.append(said.comment)


def gap_json(gap: Gap) -> dict[str, Any]:
    """A gap as every door shows it."""
    return {
        "question": gap.question,
        "wordings": list(gap.wordings),
        "count": gap.count,
        "callers": gap.callers,
        "first": gap.first.astimezone(UTC).isoformat(timespec="seconds"),
        "last": gap.last.astimezone(UTC).isoformat(timespec="seconds"),
        "languages": list(gap.languages),
        "documents": [{"id": each.id, "title": each.title} for each in gap.documents],
        "comments": list(gap.comments),
    }

"""How well calls are found by questions and matched with profiles, and how many statements hold.

Every question and profile goes through the product's own finder and matching, at one moment and
without a filter on status: the judgements leave dates out.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import fmean
from typing import TYPE_CHECKING, Any

from evaluation.benches import shared_data
from evaluation.calls_judged import (
    FOLDER,
    precision,
    read_profiles_judged,
    read_questions,
    read_statements_judged,
    statement_key,
)
from evaluation.documents import documents_base, existing_base
from evaluation.machine import ROOT, commit
from kb.calls.match import SUBJECT, match
from kb.calls.profile import read_profile
from kb.calls.query import CallQuery
from kb.errors import UsageError
from kb.model import FULL_ACCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from evaluation.bases import Chosen
    from evaluation.benches import Qrels
    from evaluation.calls_judged import Question, StatementJudgement
    from evaluation.measures import Run
    from kb.bootstrap import KnowledgeBase
    from kb.calls.match import Match

NOW = datetime(2026, 8, 15, 12, tzinfo=UTC)
CALLS = "calls/eu-portal-2026-08/open_calls.normalised.jsonl"
PROFILES = ROOT / "corpus" / "profiles"
# Statements of so many calls a profile are judged: those that somebody reads.
_READ = 10
_DEPTH = 50
# The name of a measure here and in ir_measures; what is not judged counts as not relevant.
_OF_PROFILES = {"nDCG@10": "nDCG@10", "P@10 (2, 3)": "P(rel=2)@10", "P@10 (1-3)": "P(rel=1)@10"}
_OF_QUESTIONS = {"nDCG@10": "nDCG@10", "success@5 (2, 3)": "Success(rel=2)@5"}

Values = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Said:
    """A statement about a call for a profile, as it is judged."""

    key: str
    field: str
    profile: str
    identifier: str
    fits: bool
    says: str
    quote: str


@dataclass(frozen=True, slots=True)
class CallsOutcome:
    """What was ranked, and its measures by profile and by question."""

    questions: tuple[Question, ...]
    profile_values: Values
    question_values: Values
    said: tuple[Said, ...]
    judged: Mapping[str, StatementJudgement]
    calls: int
    encoder: str
    seconds: float
    commit: str = field(default_factory=commit)

    @property
    def unjudged(self) -> list[Said]:
        """The statements that nobody has judged."""
        return [one for one in self.said if one.key not in self.judged]

    def as_json(self) -> dict[str, Any]:
        """What is printed for scripts."""
        groups: dict[str, Callable[[Question], bool]] = {
            "all": lambda _: True,
            "fr": lambda one: one.language == "fr",
            "en": lambda one: one.language == "en",
            "tune": lambda one: one.half == "tune",
            "report": lambda one: one.half == "report",
        }
        names = sorted(next(iter(self.profile_values.values()), {}))
        return {
            "calls": self.calls,
            "now": NOW.isoformat(),
            "encoder": self.encoder,
            "profiles": {
                "mean": _means(self.profile_values, names),
                **{name: _means(self.profile_values, [name]) for name in names},
            },
            "questions": {
                name: {"questions": len(ids), **_means(self.question_values, ids)}
                for name, wanted in groups.items()
                if (ids := [one.id for one in self.questions if wanted(one)])
            },
            "by_question": _means_each(self.question_values["nDCG@10"]),
            "statements": self._statements(),
            "seconds": self.seconds,
            "commit": self.commit,
        }

    def _statements(self) -> dict[str, Any]:
        fields = sorted({one.field for one in self.said} - {SUBJECT})
        groups = {"eligibility": fields, SUBJECT: [SUBJECT], **{name: [name] for name in fields}}
        return {name: self._precision(among) for name, among in groups.items()}

    def _precision(self, fields: Collection[str]) -> dict[str, Any]:
        among = [one for one in self.said if one.field in fields]
        known = [self.judged[one.key].right for one in among if one.key in self.judged]
        return {**precision(sum(known), len(known)), "unjudged": len(among) - len(known)}


def calls_base(chosen: Chosen, home: Path | None = None) -> AbstractContextManager[KnowledgeBase]:
    """The base of the judged calls, open: one in a home, or one that is built and kept."""
    if home is not None:
        return existing_base(home, chosen)
    return documents_base([shared_data() / CALLS], chosen)


def measure_calls(
    kb: KnowledgeBase, folder: Path = FOLDER, profiles: Path = PROFILES
) -> CallsOutcome:
    """Rank the calls of a base for every profile and question, and measure.

    Raises:
        UsageError: Judgements or profiles can't be read.
        StoreError: There is no index to search.
    """
    started = time.perf_counter()
    qrels, questions = read_profiles_judged(folder), read_questions(folder)
    matches = {name: _matched(kb, profiles / f"{name}.yaml") for name in qrels}
    found = {
        name: [each.hit.call.identifier for each in matched] for name, matched in matches.items()
    }
    asked: Qrels = {one.id: one.grades for one in questions}
    page = kb.finder.find(CallQuery(), FULL_ACCESS, NOW, limit=1)
    return CallsOutcome(
        tuple(questions),
        measured(qrels, found, _OF_PROFILES),
        measured(asked, {one.id: _found(kb, one) for one in questions}, _OF_QUESTIONS),
        tuple(said for name, matched in matches.items() for said in _said(name, matched[:_READ])),
        read_statements_judged(folder),
        page.total,
        kb.encoder.name,
        round(time.perf_counter() - started, 1),
    )


def measured(qrels: Qrels, run: Run, names: Mapping[str, str]) -> Values:
    """Measures by name and query; a query that finds nothing has 0."""
    import ir_measures  # noqa: PLC0415 -- keeps `kb --help` quick

    scored = {
        query: {key: 1 / rank for rank, key in enumerate(found, start=1)}
        for query, found in run.items()
        if found
    }
    parsed = {ir_measures.parse_measure(theirs): ours for ours, theirs in names.items()}
    values: Values = {ours: dict.fromkeys(qrels, 0.0) for ours in names}
    for metric in ir_measures.iter_calc(list(parsed), qrels, scored):
        if metric.query_id in qrels:
            values[parsed[metric.measure]][metric.query_id] = float(metric.value)
    return values


def _matched(kb: KnowledgeBase, path: Path) -> list[Match]:
    return match(
        kb,
        read_profile(path),
        CallQuery(),
        access=FULL_ACCESS,
        now=NOW,
        limit=_DEPTH,
    )


def _found(kb: KnowledgeBase, question: Question) -> list[str]:
    try:
        asked = CallQuery(query=question.question)
        page = kb.finder.find(asked, FULL_ACCESS, NOW, limit=_DEPTH)
    except UsageError:  # one that the product refuses to take finds nothing
        return []
    return [hit.call.identifier for hit in page.hits]


def _said(profile: str, matches: Sequence[Match]) -> list[Said]:
    return [
        Said(
            statement_key(profile, each.hit.call.identifier, statement),
            statement.field,
            profile,
            each.hit.call.identifier,
            fits,
            re.sub(r"\s+", " ", statement.says["en"]),
            statement.citation.quote,
        )
        for each in matches
        for fits, statements in ((True, each.fits), (False, each.rules_out))
        for statement in statements
    ]


def _means(values: Values, keys: Sequence[str]) -> dict[str, float]:
    return {name: round(fmean(found[key] for key in keys), 4) for name, found in values.items()}


def _means_each(values: Mapping[str, float]) -> dict[str, float]:
    return {key: round(value, 4) for key, value in values.items()}

"""A small bench that guards against regressions: minutes, where the whole takes an hour."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from evaluation.answers import ask
from evaluation.bases import Chosen
from evaluation.benches import read_bench
from evaluation.catalogue import EURLEX, SERVICE_PUBLIC, XQUAD, bench_folder, direction
from evaluation.documents import STARTER, documents_base
from evaluation.gold import read_gold, read_judgements
from evaluation.judging import document_ids, gold_questions, gold_retrieval
from evaluation.machine import ROOT, commit
from evaluation.measures import MAIN
from evaluation.retrieval import retrieve
from kb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evaluation.benches import Bench

FIGURES = ROOT / "evaluation" / "results" / "small.json"
STARTER_GOLD = "starter-gold"
_QUERIES, _DOCUMENTS = 120, 300
# What a figure may lose. An answer more or less is 0.02 of the starter corpus's questions.
_TOLERANCE = {MAIN: 0.01, "first three": 0.03, "unanswerable refused": 0.07}


def _eurlex(asked: str, found: str) -> Bench:
    return direction(bench_folder(EURLEX), asked, found)


BENCHES: dict[str, Callable[[], Bench]] = {
    "eurlex-fr-en": lambda: _eurlex("fr", "en"),
    "eurlex-en-fr": lambda: _eurlex("en", "fr"),
    SERVICE_PUBLIC: lambda: read_bench(bench_folder(SERVICE_PUBLIC)),
    XQUAD: lambda: read_bench(bench_folder(XQUAD)),
}
PARTS = (*BENCHES, STARTER_GOLD)


def figures(name: str) -> dict[str, float]:
    """What a part of the small bench measures now: a name of ``BENCHES``, or the starter gold.

    Raises:
        UsageError: Its data is not there.
    """
    if name != STARTER_GOLD:
        part = BENCHES[name]().part(_QUERIES, _DOCUMENTS)
        return {MAIN: retrieve(part, Chosen()).measures[MAIN]}
    chosen = Chosen()
    with documents_base([STARTER], chosen) as base:
        held = document_ids(base)
        questions = [one for one in read_gold() if not one.answers or one.is_answered_by(held)]
        posed = gold_questions(questions, read_judgements(), base.record)
        outcome = ask(base, posed, chosen.shown(), gold_retrieval(base, questions))
    measured = outcome.as_json()["measures"]
    return {name: measured[name] for name in _TOLERANCE}


def committed(name: str) -> dict[str, float]:
    """The figures of a part that are committed to.

    Raises:
        UsageError: There are none.
    """
    try:
        found: dict[str, float] = json.loads(FIGURES.read_text("utf-8"))["figures"][name]
    except (OSError, ValueError, KeyError):
        raise UsageError(
            f"{FIGURES} holds no figures of {name}: commit to some with `kb eval small --update`."
        ) from None
    return found


def losses(name: str, measured: Mapping[str, float]) -> list[str]:
    """What has fallen by more than its tolerance below the committed figures, in words."""
    return [
        f"{name}: {measure} is {measured.get(measure, 0.0):.4f}, committed is {figure:.4f}"
        for measure, figure in committed(name).items()
        if measured.get(measure, 0.0) < figure - _TOLERANCE[measure]
    ]


def update(measured: Mapping[str, Mapping[str, float]]) -> None:
    """Commit to these figures from now on."""
    found = {"commit": commit(), "encoder": Chosen().shown()["encoder"], "figures": measured}
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")

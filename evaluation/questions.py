"""The sets of questions that answers are measured on, each over its base."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, get_args

from evaluation.answers import Outcome, ask
from evaluation.bases import bench_base
from evaluation.benches import shared_data
from evaluation.catalogue import XQUAD, bench_folder
from evaluation.documents import STARTER, documents_base, existing_base
from evaluation.gold import FOLDER, Half, read_gold, read_judgements
from evaluation.judging import gold_questions, gold_retrieval, read_squad

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from evaluation.bases import Chosen

# What the gold questions are asked of, beside the starter corpus.
_SHARED = ("law", "text", "pdf")


def every_outcome(chosen: Chosen) -> Iterator[tuple[str, Callable[[], Outcome]]]:
    """What is reported: the gold set, each of its halves, and SQuAD's questions."""
    for half in get_args(Half):
        yield f"gold, {half}", partial(ask_gold, chosen, half=half)
    yield "xquad, answers", partial(ask_squad, bench_folder(XQUAD), chosen)


def ask_gold(
    chosen: Chosen, folder: Path | None = None, half: Half = "all", home: Path | None = None
) -> Outcome:
    """Ask the gold questions of a base in a home, or of one made of all that they were written on.

    Raises:
        UsageError: The questions can't be read, or the real material is not there.
    """
    folder = folder or FOLDER
    questions = read_gold(folder, half)
    folders = [] if home else [STARTER, *(shared_data() / name for name in _SHARED)]
    opened = existing_base(home, chosen) if home else documents_base(folders, chosen)
    with opened as base:
        posed = gold_questions(questions, read_judgements(folder), base.record)
        ranked = gold_retrieval(base, questions)
        # Whatever was chosen for benches: `kb ingest` has split these documents.
        return ask(base, posed, {**chosen.shown(), "passages": "split"}, ranked)


def ask_squad(folder: Path, chosen: Chosen) -> Outcome:
    """Ask the questions of a folder in SQuAD's layout, of its own paragraphs."""
    bench, posed = read_squad(folder)
    with bench_base(bench, chosen) as base:
        return ask(base, posed, chosen.shown())

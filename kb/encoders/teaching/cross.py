"""Teaches the cross-encoder: which sentence answers a question, and when none does.

It begins as the taught encoder and reads a question and a sentence together (Nogueira & Cho (2019),
"Passage Re-ranking with BERT"). A group is a question with the sentences of a passage and others
like them; the loss is that of choosing among them or none of them, whose score is always 0, so that
a score says by itself whether a sentence answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Final

import torch
from torch.nn import functional
from transformers import BertConfig, BertModel

from kb.encoders.cross import Stated
from kb.encoders.pairing import paired

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from tokenizers import Tokenizer
    from torch import Tensor

    from kb.encoders.teaching.lessons import Lesson, Pair
    from kb.encoders.teaching.questions import Question, Taught, Text

DROPOUT: Final = 0.1
HEAD: Final = ("answers.weight", "answers.bias")
_GROUPS: Final = 32  # of a step
_SIZE: Final = 12  # sentences of a group
_NEAREST: Final = 40  # sentences of each language that lie near a question
_MEANS_THE_SAME: Final = 0.8  # cosine from which a sentence may answer as the answer does
_BESIDE: Final = 8  # lessons before and after one
_LESSONS_LEFT_OUT: Final = 6 / 7


@dataclass(frozen=True, slots=True)
class Group:
    """A question, the sentences that answer it (or none), and sentences that don't.

    ``beside`` stand in the same passage, ``like`` are near in meaning elsewhere.
    """

    question: str
    answers: tuple[Stated, ...]
    beside: tuple[Stated, ...]
    like: tuple[Stated, ...] = field(default=())


class CrossEncoder(torch.nn.Module):
    """Scores a question and a sentence read together; from 0 the sentence answers."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        size = weights["embeddings.word_embeddings.weight"].shape
        config = BertConfig(
            vocab_size=size[0],
            hidden_size=size[1],
            intermediate_size=4 * size[1],
            num_hidden_layers=sum(name.endswith("self.query.weight") for name in weights),
            max_position_embeddings=len(weights["embeddings.position_embeddings.weight"]),
            hidden_dropout_prob=DROPOUT,
            attention_probs_dropout_prob=DROPOUT,
        )
        self.bert = BertModel(config, add_pooling_layer=False)
        self.bert.load_state_dict(dict(weights), strict=False)
        # Shared with the encoder: the package has them once.
        self.bert.embeddings.word_embeddings.weight.requires_grad = False
        self.answers = torch.nn.Linear(size[1], 1)
        torch.nn.init.normal_(self.answers.weight, std=0.02)
        torch.nn.init.zeros_(self.answers.bias)

    def forward(self, ids: Tensor) -> Tensor:
        """Numbers of shape (pairs, tokens), filled up with 0, to scores of shape (pairs,)."""
        mask = (ids != 0).long()
        hidden = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask[:, :, None].to(hidden.dtype)
        mean = (hidden * weights).sum(1) / weights.sum(1)
        scores: Tensor = self.answers(mean)[:, 0].float()
        return scores

    def save(self, path: Path) -> None:
        """Write the weights but for the word vectors, which are the encoder's."""
        state = {name.removeprefix("bert."): w.cpu() for name, w in self.state_dict().items()}
        torch.save({n: w for n, w in state.items() if "word_embeddings" not in n}, path)


@dataclass(frozen=True, slots=True)
class Course:
    """Steps over random groups; the learning rate rises for a twentieth of them, then falls to 0.

    On one H200 1,432 steps took 280 s. The loss was still falling (1.13 to 0.95 in the last 350).
    """

    steps: int = 1432
    rate: float = 1.2e-4

    def rate_at(self, number: int) -> float:
        """The learning rate of a step (from 0)."""
        done = number / self.steps
        return self.rate * min(20 * done + 0.02, 1 - done)


@dataclass(frozen=True, slots=True)
class Learner:
    """A cross-encoder with all that its steps need."""

    model: CrossEncoder
    tokenizer: Tokenizer
    chance: random.Random
    course: Course = field(default_factory=Course)

    def run(self, groups: Sequence[Group], progress: Callable[[float], None]) -> None:
        """Take all steps of the course over random groups; ``progress`` hears each loss."""
        self.model.train()
        learnt = [weight for weight in self.model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(learnt, weight_decay=0.01, betas=(0.9, 0.98))
        order: list[int] = []
        for number in range(self.course.steps):
            if len(order) < _GROUPS:
                order = self.chance.sample(range(len(groups)), len(groups))
            loss = self._loss([groups[order.pop()] for _ in range(min(_GROUPS, len(order)))])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call] # torch has no types for it
            torch.nn.utils.clip_grad_norm_(learnt, 1.0)
            for group in optimizer.param_groups:
                group["lr"] = self.course.rate_at(number)
            optimizer.step()
            progress(float(loss.detach()))
        self.model.eval()

    def _loss(self, groups: Sequence[Group]) -> Tensor:
        chance = self.chance
        rows: list[list[int]] = []
        bounds: list[tuple[int, int, int]] = []
        for group in groups:
            right = chance.sample(group.answers, min(len(group.answers), 2))
            room = _SIZE - len(right)
            like = chance.sample(group.like, min(len(group.like), room // 2))
            beside = chance.sample(group.beside, min(len(group.beside), room - len(like)))
            start = len(rows)
            every = (*right, *beside, *like)
            rows += [self._numbers(group.question, each) for each in every]
            bounds.append((start, start + len(right), len(rows)))
        scores = _scores(self.model, rows)
        losses = []
        for start, right_end, end in bounds:
            whole = torch.cat([scores.new_zeros(1), scores[start:end]]).logsumexp(0)
            answered = scores[start:right_end].logsumexp(0) if right_end > start else 0.0
            losses.append(whole - answered)
            if right_end > start:  # each answer by itself, not only the best of them
                losses.append(functional.softplus(-scores[start:right_end]).mean() * 0.5)
        return torch.stack(losses).sum() / len(groups)

    def _numbers(self, question: str, stated: Stated) -> list[int]:
        """The tokens of a pair; one title in three is missing, as in real files."""
        title = stated.title if self.chance.random() > 1 / 3 else ""
        return paired(self.tokenizer, question, title, stated.heading, stated.sentence)


def question_groups(
    taught: Sequence[Taught], pool: Pool, vectors: Callable[[Sequence[str]], Tensor]
) -> list[Group]:
    """Groups of every question, in either language, over its text in either.

    ``vectors`` are the taught encoder's. Of what lies near a question, sentences that mean what its
    answer does are left out, and of a question that its text doesn't answer all of the same act,
    which may answer it elsewhere.
    """
    found: list[Group] = []
    for each in taught:
        own = {sentence for text in each.texts.values() for sentence in text.sentences}
        for question in each.questions:
            first = next(iter(each.texts.values()))
            answers = [first.sentences[number] for number in sorted(question.answers)[:2]]
            act = None if answers else each.name
            for asked in (question.asked.english, question.asked.french):
                like = pool.near(vectors([asked])[0], own, act, vectors(answers))
                found += [_group(asked, question, text, like) for text in each.texts.values()]
    return found


def lesson_groups(lessons: Sequence[Lesson], chance: random.Random) -> list[Group]:
    """Headings and defined terms with their articles among the act's others: a seventh of them."""
    found: list[Group] = []
    for at, lesson in enumerate(lessons):
        for asked, told in product(("en", "fr"), repeat=2):
            if chance.random() < _LESSONS_LEFT_OUT:
                continue
            beside = [
                other
                for other in lessons[max(0, at - _BESIDE) : at + _BESIDE + 1]
                if other.asked.english != lesson.asked.english
            ]
            sides = [_side(each.passage, told) for each in (lesson, *beside)]
            right, *others = (Stated("", "", side) for side in sides)
            found.append(Group(lesson.question(asked, chance), (right,), tuple(others)))
    return found


class Pool:
    """Sentences of everywhere, with their vectors, for questions to be told from."""

    def __init__(
        self,
        sentences: Sequence[tuple[str, str, Stated]],
        vectors: Callable[[Sequence[str]], Tensor],
    ) -> None:
        """Take sentences with their language and act."""
        self._sentences = sentences
        self._vectors = vectors([stated.sentence for _, _, stated in sentences])
        english = [language == "en" for language, _, _ in sentences]
        self._english = torch.tensor(english, device=self._vectors.device)

    def near(
        self, vector: Tensor, own: AbstractSet[str], act: str | None, answers: Tensor
    ) -> tuple[Stated, ...]:
        """Of each language's nearest, those that are no part of the text and no answer."""
        scores = self._vectors @ vector
        found: list[Stated] = []
        for language in (self._english, ~self._english):
            count = min(_NEAREST, int(language.sum()))
            places = scores.masked_fill(~language, -9).topk(count).indices
            for place in places.tolist():
                _, of, stated = self._sentences[place]
                means = answers @ self._vectors[place] if len(answers) else None
                if stated.sentence in own or of == act:
                    continue
                if means is None or float(means.max()) < _MEANS_THE_SAME:
                    found.append(stated)
        return tuple(found)


def _group(asked: str, question: Question, text: Text, like: tuple[Stated, ...]) -> Group:
    units = [
        (Stated(text.title, text.heading, said), bool(numbers & question.answers))
        for said, numbers in text.units()
    ]
    right = tuple(stated for stated, answers in units if answers)
    return Group(asked, right, tuple(stated for stated, answers in units if not answers), like)


def _side(pair: Pair, language: str) -> str:
    return pair.english if language == "en" else pair.french


def _scores(model: CrossEncoder, rows: Sequence[Sequence[int]]) -> Tensor:
    """Scores in the order of the rows, which are run with others of about their length."""
    device = model.answers.weight.device
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    found: list[Tensor] = []
    for start in range(0, len(order), 128):
        part = [rows[row] for row in order[start : start + 128]]
        longest = max(map(len, part))
        filled = torch.tensor([[*r, *[0] * (longest - len(r))] for r in part]).to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            found.append(model(filled))
    places = torch.empty(len(order), dtype=torch.long)
    places[torch.tensor(order)] = torch.arange(len(order))
    return torch.cat(found)[places.to(device)]

"""Teaches the encoder French: a teacher's English vectors, and questions that find their passages.

A French paragraph is to lie where the stock model puts its English translation (Reimers & Gurevych
(2020), "Making Monolingual Sentence Embeddings Multilingual using Knowledge Distillation"), nearer
to it than to others of its batch; English paragraphs, and random words that keep the whole
vocabulary in place, stay where the stock model has them; headings and defined terms of either
language find the passages of either language (InfoNCE over the batch).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize
from transformers import BertModel

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from kb.encoders.teaching.lessons import Lesson, Pair

DIMENSION: Final = 384
_TOKENS: Final = 16_384  # of a batch
_PARAGRAPH: Final = 128  # tokens read of a paragraph
_PASSAGE: Final = 144  # tokens read of a lesson's passage
_QUESTION: Final = 48
_TEMPERATURE: Final = 0.05
_NEIGHBOURS: Final = 40  # lessons of a batch from one place
_SAME: Final = 0.95  # cosine from which two paragraphs of a batch are no negatives of each other
_DISTILLED: Final = 8.0  # weight of 1 - cosine to the teacher
_CONTRAST: Final = 0.3  # weight of telling a paragraph's translation from others
_FIRST_WORD: Final = 1996  # the first whole word among BERT's pieces
_SEPARATOR: Final = 102


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps whose learning rate goes from ``begin`` to ``end``, and what they are made of.

    A round has every French paragraph once and every lesson once, and once more for each of
    ``neighbours`` beside lessons of its own act. ``english`` is how many batches of English
    paragraphs come to one of French ones, ``noise`` how many of random words to one of all others.
    """

    steps: int
    begin: float
    end: float
    english: float
    noise: float
    neighbours: int

    def rate(self, number: int) -> float:
        """The learning rate of a step (from 0); the first thirty rise to it."""
        done = number / self.steps
        return min(1.0, (number + 1) / 30) * (self.begin + (self.end - self.begin) * done)


# First far and fast; then settling, with more to hold English in its place: after the first stage
# English questions found their paragraphs a little worse than with the original.
STAGES: Final = (
    Stage(500, 3e-4, 2e-4, english=0.2, noise=0.2, neighbours=2),
    Stage(900, 2e-4, 0.0, english=0.5, noise=0.4, neighbours=1),
)

# The share of what was learnt that is kept (Wortsman et al. (2022), "Robust fine-tuning of
# zero-shot models"). Vectors alone at 1, 0.85 and 0.7: French administration, which no lesson is
# like, 0.766, 0.783, 0.786; XQuAD 0.928, 0.934, 0.939; French law 0.670, 0.674, 0.666.
KEPT: Final = 0.8


class Teacher:
    """A model that learns no more: the stock one's vectors of English, the taught one's of all."""

    def __init__(
        self,
        folder: Path,
        tokenizer: Tokenizer,
        device: str = "cpu",
        weights: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        model = _bert(folder).eval()  # type: ignore[no-untyped-call] # torch has no types for it
        if weights is not None:
            words = weights["embeddings.word_embeddings.weight"]
            model.embeddings.word_embeddings = torch.nn.Embedding(len(words), DIMENSION, 0)
            model.load_state_dict(weights, strict=False)
        self._model: BertModel = model.to(device, torch.bfloat16)
        self._tokenizer = tokenizer

    def vectors(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit vectors, shape (texts, 384)."""
        ids = _encode(self._tokenizer, texts, _PARAGRAPH)
        found = torch.zeros(len(ids), DIMENSION, device=self._model.device)
        with torch.inference_mode():
            for batch in batches([len(each) for each in ids]):
                found[batch] = _vectors(self._model, [ids[number] for number in batch])
        return found


class Student:
    """The model that is taught, in bfloat16 with a copy of its weights in float32."""

    def __init__(
        self, folder: Path, tokenizer: Tokenizer, new: NDArray[np.float32], device: str = "cpu"
    ) -> None:
        model = _bert(folder)
        self._stock = {name: weight.detach().clone() for name, weight in model.named_parameters()}
        stock = model.embeddings.word_embeddings.weight.data
        longer = torch.nn.Embedding(len(stock) + len(new), DIMENSION, padding_idx=0)
        longer.weight.data = torch.cat([stock, torch.from_numpy(new)])
        model.embeddings.word_embeddings = longer
        # transformers wraps torch's `to` in a type without its arguments
        model = model.to(device)  # type: ignore[arg-type]
        self._tokenizer = tokenizer
        self._weights = {
            name: weight.detach().clone().float().requires_grad_()
            for name, weight in model.named_parameters()
        }
        self._model: BertModel = model.to(torch.bfloat16)

    def vectors(self, texts: Sequence[str], limit: int) -> torch.Tensor:
        """Unit vectors, shape (texts, 384), with their gradient."""
        return _vectors(self._model, _encode(self._tokenizer, texts, limit))

    def optimizer(self) -> torch.optim.Optimizer:
        """AdamW; word vectors learn three times as fast as the rest."""
        words = [weight for name, weight in self._weights.items() if "word_embeddings" in name]
        rest = [weight for name, weight in self._weights.items() if "word_embeddings" not in name]
        return torch.optim.AdamW(
            [
                {"params": words, "speed": 3.0, "weight_decay": 0.0},
                {"params": rest, "speed": 1.0, "weight_decay": 0.01},
            ],
            betas=(0.9, 0.98),
            fused=True,
        )

    def step(self, loss: torch.Tensor, optimizer: torch.optim.Optimizer, rate: float) -> None:
        """Change the weights by one step."""
        loss.backward()  # type: ignore[no-untyped-call] # torch has no types for it
        pairs = list(zip(self._weights.values(), self._model.parameters(), strict=True))
        for weight, live in pairs:
            weight.grad = None if live.grad is None else live.grad.float()
            live.grad = None
        torch.nn.utils.clip_grad_norm_(self._weights.values(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["speed"]
        optimizer.step()
        with torch.no_grad():
            for weight, live in pairs:
                live.copy_(weight)

    def kept(self) -> dict[str, torch.Tensor]:
        """The weights in float32: the stock model's, moved by what is kept of the lessons."""
        kept = {}
        for name, weight in self._weights.items():
            stock, learnt = self._stock[name], weight.detach().cpu().clone()
            learnt[: len(stock)] = stock + KEPT * (learnt[: len(stock)] - stock)
            kept[name] = learnt
        return kept


@dataclass(frozen=True, slots=True)
class School:
    """All that a step needs."""

    student: Student
    teacher: Teacher
    pairs: Sequence[Pair]
    lessons: Sequence[Lesson]
    words: Sequence[str]
    chance: random.Random

    def run(self, stage: Stage, progress: Callable[[str, float], None]) -> None:
        """Take all steps; ``progress`` hears the kind and the loss of each."""
        optimizer = self.student.optimizer()
        for number, (kind, batch) in zip(range(stage.steps), self._rounds(stage), strict=False):
            loss = self._losses[kind](self, batch)
            self.student.step(loss, optimizer, stage.rate(number))
            progress(kind, loss.item())

    def _rounds(self, stage: Stage) -> Iterator[tuple[str, list[int]]]:
        """The kinds and batches of one round after the other, without end."""
        french = [len(pair.french) // 5 for pair in self.pairs]
        english = [len(pair.english) // 5 for pair in self.pairs]
        longest = [
            max(len(each.passage.english), len(each.passage.french)) // 5 for each in self.lessons
        ]
        while True:
            plan = [("french", batch) for batch in self._shuffled(french)]
            kept = int(len(plan) * stage.english)
            plan += [("english", batch) for batch in self._shuffled(english)[:kept]]
            plan += [("lesson", batch) for batch in self._shuffled(longest, 128)]
            plan += [
                ("lesson", batch) for _ in range(stage.neighbours) for batch in self._neighbours()
            ]
            plan += [("noise", [])] * int(len(plan) * stage.noise)
            self.chance.shuffle(plan)
            yield from plan

    def _shuffled(self, lengths: Sequence[int], most: int = 512) -> list[list[int]]:
        """Batches of about one length, in random order."""
        noisy = [length + self.chance.random() * 3 for length in lengths]
        found = batches(noisy, most)
        self.chance.shuffle(found)
        return found

    def _neighbours(self) -> list[list[int]]:
        """Lessons from one place: an act's own articles are the hardest to tell apart."""
        numbers = list(range(len(self.lessons)))
        start = self.chance.randrange(_NEIGHBOURS)
        cuts = [0, *range(start + 8, len(numbers), _NEIGHBOURS)]
        return [numbers[cut : cut + _NEIGHBOURS] for cut in cuts if len(numbers) - cut > 8]  # noqa: PLR2004 -- too few to choose among

    def _french(self, batch: list[int]) -> torch.Tensor:
        given = self.student.vectors(
            [self._thinned(self.pairs[number].french) for number in batch], _PARAGRAPH
        )
        wanted = self.teacher.vectors([self.pairs[number].english for number in batch])
        itself = torch.eye(len(batch), dtype=torch.bool, device=wanted.device)
        same = (wanted @ wanted.T > _SAME) & ~itself
        scores = (given @ wanted.T / _TEMPERATURE).masked_fill(same, -1e4)
        return _far(given, wanted) + _CONTRAST * cross_entropy(scores, _diagonal(scores))

    def _english(self, batch: list[int]) -> torch.Tensor:
        texts = [self.pairs[number].english for number in batch]
        return _far(self.student.vectors(texts, _PARAGRAPH), self.teacher.vectors(texts))

    def _noise(self, _batch: list[int]) -> torch.Tensor:
        """Random words alone, and paragraphs with two words in five replaced."""
        length = self.chance.randint(6, 44)
        texts = []
        for number in range(72):
            words = self.chance.choice(self.pairs).english.split()
            start = self.chance.randrange(max(1, len(words) - length))
            cut = words[start : start + length]
            texts.append(
                " ".join(self.chance.choices(self.words, k=length))
                if number % 2
                else " ".join(
                    self.chance.choice(self.words) if self.chance.random() < 0.4 else word  # noqa: PLR2004 -- two in five
                    for word in cut
                )
            )
        return _far(self.student.vectors(texts, _PARAGRAPH), self.teacher.vectors(texts))

    def _lesson(self, batch: list[int]) -> torch.Tensor:
        taught = [self.lessons[number] for number in batch]
        asked = [each.question(self._language(), self.chance) for each in taught]
        told = [
            each.passage.french if self._language() == "fr" else each.passage.english
            for each in taught
        ]
        questions = self.student.vectors(asked, _QUESTION)
        passages = self.student.vectors(told, _PASSAGE)
        same = torch.tensor(
            [[one is not two and _alike(one, two) for two in taught] for one in taught],
            device=questions.device,
        )
        scores = (questions @ passages.T / _TEMPERATURE).masked_fill(same, -1e4)
        right = _diagonal(scores)
        return (cross_entropy(scores, right) + cross_entropy(scores.T, right)) / 2

    def _language(self) -> str:
        return self.chance.choice(("fr", "en"))

    def _thinned(self, text: str) -> str:
        """A third of the texts without an eighth of their words: no word alone carries a text."""
        words = text.split()
        if len(words) <= 6 or self.chance.random() > 0.3:  # noqa: PLR2004 -- shorter ones would lose their sense
            return text
        return " ".join(word for word in words if self.chance.random() > 0.12) or text  # noqa: PLR2004 -- an eighth

    _losses = {"french": _french, "english": _english, "noise": _noise, "lesson": _lesson}  # noqa: RUF012 -- dispatch, never changed


def whole_words(tokenizer: Tokenizer) -> list[str]:
    """The English words of the stock vocabulary, for random texts."""
    return [
        piece
        for piece, number in sorted(tokenizer.get_vocab().items())
        if number >= _FIRST_WORD and piece.isascii() and piece.isalpha() and len(piece) > 1
    ]


def batches(lengths: Sequence[float], most: int = 512) -> list[list[int]]:
    """Numbers of texts, those of like length together, about 16,384 tokens in each batch."""
    order = np.argsort(np.array(lengths), kind="stable").tolist()
    found, start = [], 0
    while start < len(order):
        length = max(lengths[order[min(start + 32, len(order) - 1)]], 4)
        size = min(most, max(16, int(_TOKENS / min(length, _PARAGRAPH))))
        found.append(order[start : start + size])
        start += size
    return found


def _alike(one: Lesson, other: Lesson) -> bool:
    """Whether what answers one may answer the other too: no negatives of each other."""
    return one.asked.english == other.asked.english or one.passage.english == other.passage.english


def _diagonal(scores: torch.Tensor) -> torch.Tensor:
    return torch.arange(len(scores), device=scores.device)


def _far(given: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    return _DISTILLED * (1 - (given * wanted).sum(1)).mean()


def _encode(tokenizer: Tokenizer, texts: Sequence[str], limit: int) -> list[list[int]]:
    found = [encoded.ids for encoded in tokenizer.encode_batch(list(texts))]
    return [[*ids[: limit - 1], _SEPARATOR] if len(ids) > limit else ids for ids in found]


def _vectors(model: BertModel, ids: Sequence[Sequence[int]]) -> torch.Tensor:
    """Mean of the last layer over the tokens, of length 1."""
    longest = max(map(len, ids))
    rows = [[*each, *[0] * (longest - len(each))] for each in ids]
    tokens = torch.tensor(rows, device=model.device)
    mask = (tokens != 0).long()
    hidden = model(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
    weights = mask[:, :, None].float()
    return normalize((hidden * weights).sum(1) / weights.sum(1), dim=1)


def _bert(folder: Path) -> BertModel:
    # Eager attention: its backward pass was 1.4 times as fast on two cores as the fused one.
    model: BertModel = BertModel.from_pretrained(
        folder, add_pooling_layer=False, attn_implementation="eager"
    )
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model

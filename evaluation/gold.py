"""The gold set: questions people would ask, with the quotes that answer them, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeVar
from zlib import crc32

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evaluation.machine import ROOT
from kb.errors import UsageError
from kb.language import detect

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

FOLDER = ROOT / "evaluation" / "gold"
JUDGEMENTS = "judgements.jsonl"
# One half is there to choose thresholds on, the other to report.
Half = Literal["all", "tune", "report"]
Written = Annotated[str, Field(min_length=1)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


_Kind = TypeVar("_Kind", bound=_Row)


class Judged(_Row):
    """Words of a page that answer. ``document`` may lack the eight digits that a path adds."""

    document: Written
    page: int = Field(ge=1)
    quote: Written

    @property
    def language(self) -> str:
        """The language that the document's id ends in, else that of the quote."""
        ending = self.document.rpartition("-")[2]
        return ending if ending in {"fr", "en"} else detect(self.quote)

    def is_of(self, document_id: str) -> bool:
        """Whether this is the document that is meant."""
        return self.document in {document_id, document_id.rpartition("-")[0]}


class Judgement(Judged):
    """What a person said of a citation that the questions' own quotes do not cover."""

    question: Written
    relevant: Literal[0, 1]


class Question(_Row):
    """A question with who would ask it and why.

    An answerable one has ``answers``, each enough by itself. Any other has ``why_not``, and where
    it is a close one ``near``, the nearest document, with the ``names`` that the base does discuss.
    """

    id: Written
    question: Written
    language: Literal["fr", "en"]
    asked_by: Literal["staff", "volunteer", "partner"]
    why: Written
    answers: tuple[Judged, ...] = ()
    names: tuple[Written, ...] = ()
    near: Written | None = None
    why_not: Written | None = None

    def is_answered_by(self, document_ids: Collection[str]) -> bool:
        """Whether one of these documents holds an answer."""
        return any(answer.is_of(key) for answer in self.answers for key in document_ids)

    @property
    def crosses(self) -> bool:
        """Whether no judged quote is in the question's language."""
        return all(answer.language != self.language for answer in self.answers)

    @property
    def half(self) -> Half:
        """The half that it falls into."""
        return "report" if crc32(self.id.encode()) % 2 else "tune"


def read_gold(folder: Path = FOLDER, half: Half = "all") -> list[Question]:
    """The questions of a folder, the answerable ones first.

    Raises:
        UsageError: There are none, or a line is not as it should be; the message names it.
    """
    found: dict[str, Question] = {}
    for path in sorted(folder.glob("*answerable*.jsonl")):
        answerable = not path.name.startswith("un")
        for place, question in _rows(path, Question):
            if question.id in found:
                raise UsageError(f"{place}: the id {question.id} is there twice.")
            if answerable != bool(question.answers) or answerable == bool(question.why_not):
                wanted = "answers and no why_not" if answerable else "why_not and no answers"
                raise UsageError(f"{place}: a question of this file has {wanted}.")
            found[question.id] = question
    if not found:
        raise UsageError(f"{folder} holds no questions: expected *answerable*.jsonl.")
    return [one for one in found.values() if half in {"all", one.half}]


def read_judgements(folder: Path = FOLDER) -> list[Judgement]:
    """What people said of citations; nothing where the folder has no such file."""
    path = folder / JUDGEMENTS
    return [row for _, row in _rows(path, Judgement)] if path.is_file() else []


def _rows(path: Path, kind: type[_Kind]) -> Iterator[tuple[str, _Kind]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield f"{path}:{number}", kind.model_validate_json(line)
            except ValidationError as error:
                problem = error.errors()[0]
                field = ".".join(map(str, problem["loc"])) or "line"
                raise UsageError(f"{path}:{number}: {field}: {problem['msg']}") from None

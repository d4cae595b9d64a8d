"""What was judged of calls: which fit profiles and questions, and which statements are right."""

from __future__ import annotations

import csv
import hashlib
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zlib import crc32

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from evaluation.machine import ROOT
from kb.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from evaluation.benches import Qrels
    from kb.calls.match import Statement

FOLDER = ROOT / "evaluation" / "calls"
PROFILES, QUESTIONS = "judgements.tsv", "questions.yaml"
STATEMENTS = "statements_judged.jsonl"
_COLUMNS = ["profile", "identifier", "grade", "reason"]
_SHORT = 12
Grade = Annotated[int, Field(ge=1, le=3)]
Written = Annotated[str, Field(min_length=1)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Judged(_Row):
    """A call that fits: 3 it is about this, 2 in part, 1 a related subject."""

    identifier: Written
    grade: Grade


class Question(_Row):
    """A question about calls with the calls that fit; any other does not."""

    id: Written
    question: Written
    language: Literal["fr", "en"]
    asked_by: Literal["staff", "volunteer", "partner"]
    calls: tuple[Judged, ...]

    @property
    def half(self) -> str:
        """The half that it falls into: changes are chosen on one and reported on the other."""
        return "report" if crc32(self.id.encode()) % 2 else "tune"

    @property
    def grades(self) -> dict[str, int]:
        """The grades by identifier."""
        return {each.identifier: each.grade for each in self.calls}


class StatementJudgement(_Row):
    """What somebody said who read a statement's sentence on its page."""

    key: Written
    right: bool
    why: Written


def read_profiles_judged(folder: Path = FOLDER) -> Qrels:
    """The grades of calls by profile.

    Raises:
        UsageError: The file can't be read, or a line is not as it should be.
    """
    path, found = folder / PROFILES, dict[str, dict[str, int]]()
    rows = csv.reader(_text(path).splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    if next(rows, []) != _COLUMNS:
        raise UsageError(f"{path} must begin with the columns {', '.join(_COLUMNS)}.")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(_COLUMNS) or row[2] not in {"1", "2", "3"}:
            raise UsageError(f"{path}:{number} is not profile, identifier, grade 1 to 3, reason.")
        grades = found.setdefault(row[0], {})
        if row[1] in grades:
            raise UsageError(f"{path}:{number}: {row[1]} is judged twice for {row[0]}.")
        grades[row[1]] = int(row[2])
    return found


def read_questions(folder: Path = FOLDER) -> list[Question]:
    """The questions.

    Raises:
        UsageError: The file can't be read, or a question is not as it should be.
    """
    path = folder / QUESTIONS
    try:
        found = TypeAdapter(list[Question]).validate_python(yaml.safe_load(_text(path)))
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not YAML: {error}") from None
    except ValidationError as error:
        problem = error.errors()[0]
        raise UsageError(
            f"{path}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        ) from None
    ids = [one.id for one in found]
    if len(set(ids)) < len(ids):
        raise UsageError(f"{path}: an id is there twice.")
    return found


def read_statements_judged(folder: Path = FOLDER) -> dict[str, StatementJudgement]:
    """What was said of statements, by key; nothing where the folder has no such file.

    Raises:
        UsageError: A line is not as it should be.
    """
    path, found = folder / STATEMENTS, dict[str, StatementJudgement]()
    lines = _text(path).splitlines() if path.is_file() else []
    for number, line in enumerate(lines, start=1):
        try:
            row = StatementJudgement.model_validate_json(line)
        except ValidationError as error:
            raise UsageError(f"{path}:{number}: {error.errors()[0]['msg']}") from None
        found[row.key] = row
    return found


def statement_key(profile: str, identifier: str, statement: Statement) -> str:
    """A statement's name: it stays while profile, call, field and quote stay."""
    digest = hashlib.sha256(statement.citation.quote.encode()).hexdigest()[:_SHORT]
    return f"{profile}/{identifier}/{statement.field}/{digest}"


def precision(right: int, judged: int) -> dict[str, Any]:
    """The share that is right, with its 95 % interval by Wilson (1927)."""
    if not judged:
        return {"right": 0, "judged": 0}
    from scipy.stats import binomtest  # noqa: PLC0415 -- keeps `kb --help` quick

    low, high = binomtest(right, judged).proportion_ci(method="wilson")
    share = {"precision": right / judged, "low": float(low), "high": float(high)}
    return {"right": right, "judged": judged, **{k: round(v, 4) for k, v in share.items()}}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}") from None

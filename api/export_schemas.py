"""What is asked of exports, as OpenAPI shows it."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from api.schemas import Narrowing, Question
from kb.client import examples
from kb.export.formats import FORMS, ExportFormat
from kb.export.wanted import WantedQuote

MAX_CITATIONS = 200
_SOURCES = ("question", "citations", "brief")
_Citations = Annotated[list[WantedQuote], Field(min_length=1, max_length=MAX_CITATIONS)]
_WHAT = "What is exported is one of `question`, `citations` and `brief`."


def _stated(schema: dict[str, Any]) -> None:
    """Leave null out of what is said of a field: what is not wanted is not stated."""
    del schema["default"]
    schema |= schema.pop("anyOf")[0]


def _described(schema: dict[str, Any]) -> None:
    """Say of the whole what no field can: exactly one thing is exported, a question narrowed."""
    schema["oneOf"] = [{"required": [name]} for name in _SOURCES]
    schema["dependentRequired"] = {"narrowing": ["question"]}


class ExportRequest(BaseModel):
    """What is exported, and as what."""

    model_config = ConfigDict(json_schema_extra=_described)

    format: ExportFormat = Field(
        description="A document with notes, or a bibliography for a reference manager.",
        examples=["docx"],
    )
    question: Question | None = Field(
        None,
        description="A question, whose answer's quotes are exported.",
        examples=["Qui peut demander une garantie en fonds propres ?"],
        json_schema_extra=_stated,
    )
    narrowing: Narrowing | None = Field(
        None,
        description="What the answer to `question` is looked for in.",
        json_schema_extra=_stated,
    )
    citations: _Citations | None = Field(
        None,
        description="Quotes, as `citations` of an answer gives them; each is looked up again.",
        json_schema_extra=_stated,
    )
    brief: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None,
        description="The secret of a brief: the last part of its address.",
        json_schema_extra=_stated,
    )
    title: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="The title; by default the question, or the title of the brief."
    )
    language: Literal["fr", "en"] | None = Field(
        None,
        description="Of what stands around the quotes; by default that of the question or brief.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        stated = [name for name in _SOURCES if name in self.model_fields_set]
        if len(stated) != 1 or getattr(self, stated[0]) is None:
            raise PydanticCustomError("source", _WHAT)
        if "narrowing" in self.model_fields_set and not (self.narrowing and self.question):
            raise PydanticCustomError("narrowing", "Only a `question` can be narrowed.")
        return self


EXAMPLES: dict[str, Any] = {
    "answer": {
        "summary": "The answer to a question, as a Word document",
        "value": {"format": "docx", "question": "Qui peut demander une garantie ?"},
    },
    "quotes": {
        "summary": "Quotes that an answer gave, for a reference manager",
        "value": {
            "format": "bibtex",
            "citations": [
                {
                    name: examples.CITATION[name]
                    for name in ("document_id", "version", "spans", "quote")
                }
            ],
        },
    },
}


def file_responses() -> dict[int | str, dict[str, Any]]:
    """What a route that gives exports answers with."""
    file = {"schema": {"type": "string", "format": "binary"}}
    content: dict[str, Any] = {form.media_type.partition(";")[0]: file for form in FORMS.values()}
    works = {"type": "array", "items": {"type": "object"}, "description": "Works, by CSL 1.0.2."}
    content[FORMS[ExportFormat.CSL_JSON].media_type] = {"schema": works}
    return {200: {"description": "The file, to be saved.", "content": content}}

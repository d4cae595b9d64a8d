"""The tools: what each takes and gives, and how it is done on behalf of a caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

from mcp_types import Tool, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from api import call_schemas, schemas
from api.access import search_engine
from api.audited import stated
from api.mcp.documents import LAYOUT, document_detail, page_detail
from api.mcp.texts import answer_text, calls_text, document_text, search_text, source_text
from api.mcp.uris import MAX_ID, MAX_NUMBER, Named
from api.metrics import metrics
from api.problems import NothingIngestedError
from kb.audit import of_calls
from kb.audited import note_answer, note_search
from kb.calls.dates import noon
from kb.record.audit import Action, Outcome
from kb.shapes import answer_json, call_page_json, search_json
from kb.stopping import in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from api.mcp.asking import Asking
    from kb.bootstrap import KnowledgeBase
    from kb.calls.finder import CallPage

_STRICT = ConfigDict(extra="forbid", str_strip_whitespace=True)

DocumentId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_ID,
        pattern=r"^[^\x00-\x1f]+$",
        description="The id of a document, as other tools give it.",
    ),
]
Number = Annotated[int, Field(ge=1, le=MAX_NUMBER)]


class SearchEvidence(schemas.Narrowing):
    """What ``search_evidence`` takes."""

    model_config = _STRICT

    query: schemas.Question = Field(description="Words or a question, in French or English.")
    top_k: int = Field(10, ge=1, le=schemas.MAX_TOP_K, description="How many passages at most.")


class AnswerWithCitations(schemas.Narrowing):
    """What ``answer_with_citations`` takes."""

    model_config = _STRICT

    question: schemas.Question = Field(description="One question, in French or English.")


class FindCalls(call_schemas.CallNarrowing, call_schemas.Told):
    """What ``find_calls`` takes."""

    model_config = _STRICT

    limit: int = Field(20, ge=1, le=100, description="How many calls at most.")
    cursor: str | None = Field(
        None, max_length=8000, description="`next` of the page before, with the same filters."
    )


class GetDocument(BaseModel):
    """What ``get_document`` takes."""

    model_config = _STRICT

    document_id: DocumentId
    version: Number | None = Field(None, description="Without it, the current version.")


class GetPage(GetDocument):
    """What ``get_page`` takes."""

    number: Number = Field(description="Of the page, or of the section where there are no pages.")


@dataclass(frozen=True, slots=True)
class Told:
    """What a tool gives: texts for whoever reads them, and the same as JSON."""

    texts: tuple[str, ...]
    shape: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EvidenceTool:
    """A tool with the model of what it takes and the schema of what it gives."""

    name: str
    title: str
    description: str
    takes: type[BaseModel]
    gives: dict[str, Any]
    run: Callable[[KnowledgeBase, Any, Asking], Awaitable[Told]]

    def as_listed(self) -> Tool:
        """The tool as clients see it; it reads, the same each time, and what is here alone."""
        return Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=_short(self.takes.model_json_schema()),
            output_schema=self.gives,
            annotations=ToolAnnotations(
                read_only_hint=True,
                destructive_hint=False,
                idempotent_hint=True,
                open_world_hint=False,
            ),
        )


async def _search_evidence(kb: KnowledgeBase, asked: SearchEvidence, asking: Asking) -> Told:
    engine, filters = await search_engine(kb), asked.filters(asking.access)
    found = await engine.search_async(asked.query, filters, asked.top_k)
    note_search(asking.audit, found, filters)
    shape = asking.reachable(search_json(found))
    return Told((search_text(shape),), shape)


async def _answer(kb: KnowledgeBase, asked: AnswerWithCitations, asking: Asking) -> Told:
    engine, filters = await search_engine(kb), asked.filters(asking.access)
    given = await engine.answer_async(asked.question, filters)
    metrics().answers.labels(given.status).inc()
    note_answer(asking.audit, given, filters)
    shape = asking.reachable(answer_json(given))
    return Told((answer_text(shape),), shape)


async def _find_calls(kb: KnowledgeBase, asked: FindCalls, asking: Asking) -> Told:
    page = await in_thread(lambda _: _calls(kb, asked, asking))
    asking.audit.note(
        Action.CALLS,
        asked.query or None,
        Outcome.FOUND if page.hits else Outcome.NOTHING,
        of_calls(page.hits),
        filters=stated(asked, "query", "cursor"),
        language=asked.language,
    )
    shape = asking.reachable(call_page_json(page, asked.language))
    return Told((calls_text(shape, asked.language, near=page.near),), shape)


def _calls(kb: KnowledgeBase, asked: FindCalls, asking: Asking) -> CallPage:
    if kb.record.current_id() is None:
        raise NothingIngestedError
    now = kb.clock() if asked.as_of is None else noon(asked.as_of)
    return kb.finder.find(asked.asked(), asking.access, now, cursor=asked.cursor, limit=asked.limit)


async def _get_document(kb: KnowledgeBase, asked: GetDocument, asking: Asking) -> Told:
    named = Named(asked.document_id, version=asked.version)
    shape = asking.reachable(await in_thread(lambda _: document_detail(kb, asking, named)))
    return Told((document_text(shape),), shape)


async def _get_page(kb: KnowledgeBase, asked: GetPage, asking: Asking) -> Told:
    named = Named(asked.document_id, asked.number, asked.version)
    shape, source = await in_thread(lambda _: page_detail(kb, asking, named))
    return Told((source_text(asking.reachable(source)), shape["text"]), shape)


def _schema(model: type[BaseModel], without: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a tool gives, as a schema that is short: assistants read it with every tool."""
    schema: dict[str, Any] = _short(model.model_json_schema(mode="serialization"), "examples")
    for name in without:
        del schema["properties"][name]
        schema["required"].remove(name)
    return schema


def _short(schema: Any, *dropped: str) -> Any:
    """The same without the titles that pydantic makes of names, and without what is ``dropped``."""
    if isinstance(schema, list):
        return [_short(each, *dropped) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _short(value, *dropped)
        for name, value in schema.items()
        # A property may be called ``title`` too: what stands there is a schema and no text.
        if name not in dropped and not (name == "title" and isinstance(value, str))
    }


TOOLS: Final = {
    tool.name: tool
    for tool in (
        EvidenceTool(
            "search_evidence",
            "Search evidence",
            "Find passages of research, policy, law and calls for proposals, each word for word "
            "with its document, issuer, date, page and address. A question in French finds "
            "English documents too, and the other way round. To know whether the documents answer "
            "a question, use answer_with_citations.",
            SearchEvidence,
            _schema(schemas.SearchResult),
            _search_evidence,
        ),
        EvidenceTool(
            "answer_with_citations",
            "Answer with citations",
            "Answer one question with sentences quoted word for word, each with its document, "
            "issuer, date, page and address; every quote was compared with the stored page. Where "
            "the documents do not suffice the status is insufficient_evidence: then say so, and "
            "do not answer from memory.",
            AnswerWithCitations,
            _schema(schemas.Answer),
            _answer,
        ),
        EvidenceTool(
            "find_calls",
            "Find calls",
            "Find calls for proposals (EU and French), each with its status now, next deadline, "
            "money, who may apply, and the sentences that fit the query. A query ranks and hides "
            "nothing: narrow with status (open, forthcoming, rolling), applicant, country, "
            "programme, theme and deadlines. Follow `next` with `cursor`.",
            FindCalls,
            _schema(call_schemas.CallList),
            _find_calls,
        ),
        EvidenceTool(
            "get_document",
            "Get a document",
            "Show what a document is: title, issuer, date, language, number of pages, its other "
            "versions and its translations. Read its pages with get_page.",
            GetDocument,
            _schema(schemas.DocumentDetail),
            _get_document,
        ),
        EvidenceTool(
            "get_page",
            "Get a page",
            "Read the stored text of a page, or of a section where a document has no pages: the "
            "text that quotes are compared with. Read what stands around a quote before you rely "
            "on it.",
            GetPage,
            _schema(schemas.Page, without=LAYOUT),
            _get_page,
        ),
    )
}

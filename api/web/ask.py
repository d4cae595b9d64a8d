"""Asking: one field, an answer made of quotes, and what it can be narrowed to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from markupsafe import Markup
from pydantic import ValidationError

from api import schemas
from api.access import CallerAccess, OpenKnowledgeBase, search_engine
from api.audited import Audited
from api.metrics import metrics
from api.problems import stream_problem
from api.streaming import Stream
from api.web.site import CurrentSite
from kb.audited import note_answer
from kb.themes import campaigns

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from starlette.responses import Response
    from starlette.types import Scope

    from api.web.site import Site
    from kb.bootstrap import KnowledgeBase
    from kb.model import Access, Answer

router = APIRouter(include_in_schema=False)

# Where the answer goes in the page around it; no text of a reader can hold it, they are escaped.
_FOLLOWS: Final = Markup("<!-- the answer follows -->")
FILTERS: Final = ("theme", "kind", "language", "issuer", "since", "until")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of an answer says; ``errors`` are by field, in the page's language."""

    question: str
    values: Mapping[str, str]
    narrowing: schemas.Narrowing
    errors: Mapping[str, str]


@router.get("/")
async def ask(
    site: CurrentSite,
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    audit: Audited,
) -> Response:
    """Show the field to ask in and, where something was asked, the answer.

    The page is sent at once and its answer as soon as it is found.
    """
    asked = read_asked(site.request.query_params, site)
    shown = {"asked": asked, **await run_in_threadpool(_shown, kb, access, asked)}
    status = 422 if asked.errors else 200
    if not asked.question or "q" in asked.errors or not shown["documents"]:
        return site.page("ask.html", status=status, **shown)
    engine = await search_engine(kb)

    async def pieces() -> AsyncGenerator[bytes]:
        before, _, after = site.render("answer.html", here_follows=_FOLLOWS, **shown).partition(
            _FOLLOWS
        )
        yield before.encode()
        filters = asked.narrowing.filters(access)
        answer = await engine.answer_async(asked.question, filters)
        metrics().answers.labels(answer.status).inc()
        note_answer(audit, answer, filters)
        yield (await run_in_threadpool(_part, site, answer, shown)).encode()
        yield after.encode()

    def broken(scope: Scope, error: Exception) -> bytes:
        stream_problem(scope, error)  # told to the log and the figures
        return site.render("ask_broken.html", **shown).encode()

    return Stream(pieces(), broken, {**site.headers(), "Content-Type": "text/html; charset=utf-8"})


def _part(site: Site, answer: Answer, shown: Mapping[str, Any]) -> str:
    return site.render("ask_answer.html", answer=answer, groups=grouped(answer), **shown)


def grouped(answer: Answer) -> list[dict[str, Any]]:
    """The quotes of an answer by what they say: the best, and the same elsewhere."""
    return [
        {
            "number": number,
            "best": answer.citations[sentence.citations[0] - 1],
            "also": [answer.citations[each - 1] for each in sentence.also],
        }
        for number, sentence in enumerate(answer.sentences, start=1)
    ]


def read_asked(parameters: Mapping[str, str], site: Site) -> Asked:
    """Read the address of an answer; a filter that can't be used is left out, and said so."""
    values = {name: parameters.get(name, "").strip() for name in FILTERS}
    given: dict[str, Any] = {name: value for name, value in values.items() if value}
    errors: dict[str, str] = {}
    while True:
        try:
            narrowing = schemas.Narrowing.model_validate(given)
            break
        except ValidationError as error:
            for found in error.errors():
                name = str(found["loc"][0])
                errors[name] = _fault(name, site)
                given.pop(name, None)
    question = " ".join(parameters.get("q", "").split())
    if len(question) > schemas.MAX_QUESTION:
        errors["q"] = site.gettext(
            "The question is too long: it may have %(most)s characters.",
            most=site.texts.number(schemas.MAX_QUESTION),
        )
    return Asked(question, values, narrowing, errors)


def _fault(name: str, site: Site) -> str:
    if name in {"since", "until"}:
        return site.gettext(
            "This period can't be used: give days that exist, the first one not after the last."
        )
    return site.gettext("This value can't be used; all are shown.")


def _shown(kb: KnowledgeBase, access: Access, asked: Asked) -> dict[str, Any]:
    """What stands around an answer: campaigns, and the choices of the filters with counts."""
    generation = kb.record.current_id()
    documents = 0 if generation is None else kb.record.count_documents(generation, access)
    return {
        "documents": documents,
        "searched": documents,
        "campaigns": campaigns().all,
        "choices": {name: [] for name in FILTERS},
        "formats": [],
    }

"""Asking: one field, an answer made of quotes, and what it can be narrowed to."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from markupsafe import Markup
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from api import schemas
from api.access import CallerAccess, OpenKnowledgeBase, search_engine, service_address
from api.audited import Audited
from api.exports import download
from api.metrics import metrics
from api.problems import stream_problem
from api.streaming import Stream, until_left
from api.web.site import CurrentSite
from kb.audited import note_answer
from kb.export.formats import ExportFormat
from kb.export.gather import note_export, of_answer
from kb.record import library
from kb.themes import campaigns

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from starlette.types import Scope

    from api.web.site import Site
    from kb.bootstrap import KnowledgeBase
    from kb.model import Access, Answer

router = APIRouter(include_in_schema=False)

# Where the answer goes in the page around it; no text of a reader can hold it, they are escaped.
_FOLLOWS: Final = Markup("<!-- the answer follows -->")
_MOST_ISSUERS: Final = 100
FILTERS: Final = ("theme", "kind", "language", "issuer", "since", "until")


# What an answer can be taken away as; the names are the same in both languages.
FORMATS: Final = (
    (ExportFormat.DOCX, "Word"),
    (ExportFormat.PDF, "PDF"),
    (ExportFormat.MARKDOWN, "Markdown"),
    (ExportFormat.BIBTEX, "BibTeX"),
    (ExportFormat.RIS, "RIS"),
    (ExportFormat.CSL_JSON, "CSL-JSON"),
)


class Choice(NamedTuple):
    """A value of a filter, its name, and how many documents have it, where that is known."""

    value: str
    name: str
    documents: int | None


class Parameters(BaseModel):
    """What an address may say; what of it can't be used is told on the page."""

    q: str = ""
    theme: str = ""
    kind: str = ""
    language: str = ""
    issuer: str = ""
    since: str = ""
    until: str = ""


class Wanted(Parameters):
    """The answer that an address is about, and what it is to be a file of."""

    format: ExportFormat


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of an answer says; ``errors`` are by field, in the page's language."""

    question: str
    values: Mapping[str, str]
    narrowing: schemas.Narrowing
    errors: Mapping[str, str]


@router.get("/")
async def ask(
    parameters: Annotated[Parameters, Query()],
    site: CurrentSite,
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    audit: Audited,
) -> Response:
    """Show the field to ask in and, where something was asked, the answer.

    The page is sent at once and its answer as soon as it is found.
    """
    asked = read_asked(parameters.model_dump(), site)
    shown = {"asked": asked, **await run_in_threadpool(_shown, kb, access, asked, site)}
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


@router.get("/export")
async def export(
    parameters: Annotated[Wanted, Query()],
    site: CurrentSite,
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    audit: Audited,
) -> Response:
    """Give the quotes of an answer as a file.

    Raises:
        NotFoundError: The documents do not suffice to answer.
    """
    asked, form = read_asked(parameters.model_dump(), site), parameters.format
    if not asked.question or asked.errors:
        return site.redirect("/", **{**asked.values, "q": asked.question})
    engine = await search_engine(kb)
    async with until_left(site.request.receive):
        answer = await engine.answer_async(asked.question, asked.narrowing.filters(access))

    def make() -> Response:
        dossier = of_answer(kb, answer, access, site.language)
        note_export(audit, dossier, form, asked.question)
        return download(dossier, form, service_address(kb, site.request))

    return await run_in_threadpool(make)


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


def _shown(kb: KnowledgeBase, access: Access, asked: Asked, site: Site) -> dict[str, Any]:
    """What stands around an answer: campaigns, and the choices of the filters with counts."""
    generation = kb.record.current_id()
    narrowing = asked.narrowing
    wanted = library.Wanted(
        theme=narrowing.theme,
        kind=narrowing.kind,
        language=narrowing.language,
        issuer=narrowing.issuer,
        since=narrowing.since,
        until=narrowing.until,
    )
    held = library.Library(kb.engine)
    counts = None if generation is None else held.counts(generation, access, wanted)
    return {
        "documents": 0 if generation is None else kb.record.count_documents(generation, access),
        "searched": counts.documents if counts else 0,
        "campaigns": campaigns().all,
        "choices": _choices(counts, asked, site) if counts else {},
        "formats": FORMATS,
    }


def _choices(counts: library.Counts, asked: Asked, site: Site) -> dict[str, list[Choice]]:
    """What each filter can be set to, with how many documents that leaves."""
    texts = site.texts
    found = {
        "theme": _theme_choices(counts, site.language),
        "kind": [_choice(each, site.kind_name(each.value)) for each in counts.kinds],
        "language": [_choice(each, texts.language_name(each.value)) for each in counts.languages],
        "issuer": [_choice(each, each.value) for each in counts.issuers[:_MOST_ISSUERS]],
        "since": _cumulated(counts.published, "{}-01-01"),
        "until": _cumulated(counts.published[::-1], "{}-12-31"),
    }
    for name, choices in found.items():
        value = asked.values[name]
        if value and name not in asked.errors and value not in {each.value for each in choices}:
            choices.append(Choice(value, value, None))
    return found


def _theme_choices(counts: library.Counts, language: str) -> list[Choice]:
    """Campaigns, each with its themes below it."""
    documents = {each.value: each.documents for each in counts.themes + counts.campaigns}
    found: list[Choice] = []
    for campaign in campaigns().all:
        named = [(campaign.id, campaign.label[language])]
        named += [(theme.id, f"\u2003{theme.label[language]}") for theme in campaign.themes]
        found += [Choice(key, name, documents[key]) for key, name in named if key in documents]
    return found


def _choice(count: library.Count, name: str) -> Choice:
    return Choice(count.value, name, count.documents)


def _cumulated(years: Sequence[library.Count], day: str) -> list[Choice]:
    """Years with the documents from the first up to each: those since it, or until it."""
    totals = accumulate(each.documents for each in years)
    return [
        Choice(day.format(each.value.zfill(4)), each.value, total)
        for each, total in zip(years, totals, strict=True)
    ]

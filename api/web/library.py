"""The library: what the base holds, counted, and its documents in a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import HTMLResponse

from api.access import CallerAccess, OpenKnowledgeBase
from api.audited import Audited
from api.web.asked import Line, Stated
from api.web.site import KINDS, CurrentSite
from kb.audit import of_documents
from kb.model import Kind
from kb.record.audit import Action, Outcome
from kb.record.library import Count, Counts, Library, Order, Wanted
from kb.themes import campaigns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from api.web.site import Site
    from kb.audited import Audit
    from kb.model import Document

router = APIRouter(include_in_schema=False)

_SHOWN: Final = 30  # documents of a page
_BARS: Final = 8  # of a chart; the others are folded
_MOST_BARS: Final = 60
_FILTERS: Final = ("theme", "kind", "language", "issuer", "year")


class Asked(Stated):
    """What the address of the library says."""

    q: Line | None = None
    theme: Line | None = None
    kind: Kind | None = None
    language: Annotated[str, Field(pattern="^[a-z]{2,3}$")] | None = None
    issuer: Line | None = None
    year: Annotated[int, Field(ge=1, le=9999)] | None = None
    order: Order | None = None
    after: Line | None = None

    def wanted(self) -> Wanted:
        """Which documents are meant."""
        narrowed = {name: getattr(self, name) for name in _FILTERS}
        return Wanted(words=self.q or "", **narrowed)


@dataclass(frozen=True, slots=True)
class Bar:
    """A value with how many documents have it; ``share`` is in percent of the longest bar."""

    value: str
    name: str
    documents: int
    share: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """Counts by one field, which the parameter ``field`` of the address filters by."""

    id: str
    field: str
    title: str
    bars: tuple[Bar, ...]
    folded: tuple[Bar, ...]


@router.get("/documents")
def library(
    asked: Annotated[Asked, Query()],
    site: CurrentSite,
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    audit: Audited,
) -> HTMLResponse:
    """Show what the base holds, and the documents that are meant, a page of them."""
    generation = kb.record.current_id()
    if generation is None:
        return site.page("library.html", asked=asked, counts=None, documents=[], charts=[])
    held, wanted, order = Library(kb.engine), asked.wanted(), asked.order or Order.NEWEST
    counts = held.counts(generation, access, wanted)
    found = held.listed(generation, access, wanted, order, asked.after, _SHOWN + 1)
    listed = found[:_SHOWN]
    _note(audit, asked, listed, generation)
    return site.page(
        "library.html",
        asked=asked,
        counts=counts,
        documents=listed,
        next=listed[-1].id if len(found) > _SHOWN else None,
        charts=_charts(site, counts, asked),
        chosen=_chosen(site, asked),
    )


def _note(audit: Audit, asked: Asked, listed: list[Document], generation: int) -> None:
    stated = asked.model_dump(mode="json", exclude={"q"}, exclude_none=True)
    outcome = Outcome.FOUND if listed else Outcome.NOTHING
    returned = of_documents(listed)
    audit.note(Action.DOCUMENTS, asked.q, outcome, returned, filters=stated, generation=generation)


def _charts(site: Site, counts: Counts, asked: Asked) -> list[Chart]:
    """The charts that say something: those of fields that a document has."""
    of_campaigns = {campaign.id for campaign in campaigns().all}
    themes: Iterable[Count] = (each for each in counts.themes if each.value not in of_campaigns)
    if asked.theme in of_campaigns:
        among = campaigns().themes_of(asked.theme)
        themes = (each for each in themes if each.value in among)
    drawn = (
        ("campaigns", "theme", site.gettext("Campaigns"), counts.campaigns),
        ("kinds", "kind", site.gettext("Kinds"), counts.kinds),
        ("years", "year", site.gettext("Years"), counts.years),
        ("languages", "language", site.gettext("Languages"), counts.languages),
        ("issuers", "issuer", site.gettext("Issuers"), counts.issuers),
        ("themes", "theme", site.gettext("Themes"), tuple(themes)),
    )
    charts = (_chart(site, *each, asked) for each in drawn)
    return [chart for chart in charts if chart.bars]


def _chart(
    site: Site, name: str, field: str, title: str, counts: tuple[Count, ...], asked: Asked
) -> Chart:
    longest = max((each.documents for each in counts), default=1)
    named = _names(site)[field]
    chosen = getattr(asked, field)
    bars = tuple(
        Bar(
            value=each.value,
            name=named(each.value),
            documents=each.documents,
            share=max(1, round(100 * each.documents / longest)),
            chosen=each.value == str(chosen),
        )
        for each in counts[:_MOST_BARS]
    )
    return Chart(name, field, title, bars[:_BARS], bars[_BARS:])


def _chosen(site: Site, asked: Asked) -> list[tuple[str, str]]:
    """The filters that are set, each with the name of its value."""
    names = _names(site)
    stated = {name: getattr(asked, name) for name in _FILTERS}
    return [(name, names[name](str(value))) for name, value in stated.items() if value is not None]


def _names(site: Site) -> dict[str, Callable[[str], str]]:
    """How the values of each field are called in the page's language."""
    return {
        "theme": lambda theme: campaigns().label(theme, site.language),
        "kind": lambda kind: site.gettext(KINDS[kind]),
        "language": site.texts.language_name,
        "issuer": str,
        "year": str,
    }

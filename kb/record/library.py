"""What the base holds, counted and listed for one caller by campaign, kind, issuer and so on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    distinct,
    exists,
    extract,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Text

from kb.analysis import fold
from kb.record import rows
from kb.record.reading import visible
from kb.record.schema import members, versions
from kb.themes import campaigns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Engine, Row, Select
    from sqlalchemy.sql.compiler import SQLCompiler

    from kb.model import Access, Document, Kind

_MOST_WORDS: Final = 10  # of a search in titles
_ACCENTED: Final = "àáâãäåçèéêëìíîïñòóôõöùúûüýÿ"


class Order(StrEnum):
    """What stands first in the list."""

    NEWEST = "newest"  # what came in last
    TITLE = "title"
    DATE = "date"  # of the version, else of publication: the latest; without one at the end


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which documents are meant; what is null or empty narrows nothing.

    ``theme`` is a theme or a whole campaign; ``words`` all stand in the title, whatever their case
    and accents; ``year`` is that of the version, else of publication. ``since`` and ``until`` are
    days of publication, as searches have them.
    """

    words: str = ""
    theme: str | None = None
    kind: Kind | None = None
    language: str | None = None
    issuer: str | None = None
    year: int | None = None
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many documents have a value."""

    value: str
    documents: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many documents are meant, and by each field how many if all others stay as they are.

    The most frequent values come first, years newest first, campaigns in the association's order.
    ``published`` are years of publication alone.
    """

    documents: int
    campaigns: tuple[Count, ...]
    themes: tuple[Count, ...]
    kinds: tuple[Count, ...]
    languages: tuple[Count, ...]
    issuers: tuple[Count, ...]
    years: tuple[Count, ...]
    published: tuple[Count, ...]


class Library:
    """Counts and lists the current documents of a generation, as far as a caller may see them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def counts(self, generation: int, access: Access, wanted: Wanted) -> Counts:
        """Count by every field: four queries, each over the documents that are visible."""
        held = visible(generation, access).where(members.c.current, *_titled(wanted))
        dated = held.where(*_published(wanted))
        table: Select[Any] = dated.where(*_themed(wanted)).with_only_columns(
            *_CELL.values(), func.count().label("documents")
        )
        of_theme = dated.where(*_chosen(replace(wanted, theme=None)))
        of_day = held.where(*_themed(wanted), *_chosen(wanted))
        with self._engine.connect() as connection:
            cells = connection.execute(table.group_by(*_CELL.values())).all()
            return Counts(
                documents=sum(_by(cells, wanted, "kind", itself=True).values()),
                campaigns=_campaigns(connection, of_theme),
                themes=_themes(connection, of_theme),
                kinds=_ranked(_by(cells, wanted, "kind")),
                languages=_ranked(_by(cells, wanted, "language")),
                issuers=_ranked(_by(cells, wanted, "issuer")),
                years=_newest(_by(cells, wanted, "year")),
                published=_newest(_years(connection, of_day)),
            )

    def listed(  # noqa: PLR0913, PLR0917 -- a page of a list has so many sides
        self,
        generation: int,
        access: Access,
        wanted: Wanted,
        order: Order = Order.NEWEST,
        after: str | None = None,
        limit: int = 50,
    ) -> list[Document]:
        """List documents, those behind the one with the id ``after``; from the start if it is gone.

        Documents that are equal in order stand by their ids.
        """
        held = visible(generation, access).where(members.c.current)
        value, descending = _ORDERS[order]
        query = held.where(
            *_titled(wanted), *_themed(wanted), *_chosen(wanted), *_published(wanted)
        )
        with self._engine.connect() as connection:
            if after is not None:
                query = query.where(_behind(connection, held, order, after))
            query = query.order_by(value.desc() if descending else value, versions.c.document_id)
            return [rows.document_of(row) for row in connection.execute(query.limit(limit))]


class _Folded(FunctionElement[str]):
    """A text as ``kb.analysis.fold`` has it; PostgreSQL leaves ligatures as they are."""

    name = "fold"
    type = Text()
    inherit_cache = True


@compiles(_Folded)
def _folded(element: _Folded, compiler: SQLCompiler, **options: Any) -> str:
    return f"fold({compiler.process(element.clauses, **options)})"


@compiles(_Folded, "postgresql")
def _folded_postgresql(element: _Folded, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    return f"translate(lower({text}), '{_ACCENTED}', '{fold(_ACCENTED)}')"


class _ThemesOf(FunctionElement[str]):
    """The themes in the details of a version, a row each in the column ``value``.

    PostgreSQL calls the column so too: its function has an output parameter of this name.
    """

    name = "themes_of"
    type = Text()
    inherit_cache = True


@compiles(_ThemesOf)
def _themes_of(element: _ThemesOf, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)}, '$.themes')"


@compiles(_ThemesOf, "postgresql")
def _themes_of_postgresql(element: _ThemesOf, compiler: SQLCompiler, **options: Any) -> str:
    details = compiler.process(element.clauses, **options)
    return f"json_array_elements_text(CAST({details} AS json) -> 'themes')"


_DAY: Final = func.coalesce(versions.c.version_date, versions.c.published)
_CELL: Final[dict[str, ColumnElement[Any]]] = {
    "kind": versions.c.kind.label("kind"),
    "language": versions.c.language.label("language"),
    "issuer": versions.c.issuer.label("issuer"),
    "year": extract("year", _DAY).label("year"),
}
# What each order goes by, and whether the largest comes first.
_ORDERS: Final[dict[Order, tuple[ColumnElement[Any], bool]]] = {
    Order.NEWEST: (versions.c.ingested, True),
    Order.TITLE: (_Folded(versions.c.title), False),
    Order.DATE: (func.coalesce(_DAY, date.min), True),
}


def _titled(wanted: Wanted) -> list[ColumnElement[bool]]:
    """That all words stand in the title."""
    title = _Folded(versions.c.title)
    words = fold(wanted.words).split()[:_MOST_WORDS]
    return [title.contains(word, autoescape=True) for word in words]


def _themed(wanted: Wanted) -> list[ColumnElement[bool]]:
    """That a document is on the theme, or on one of the campaign."""
    if wanted.theme is None:
        return []
    stated = _ThemesOf(versions.c.details).table_valued("value")
    among = campaigns().themes_of(wanted.theme)
    return [exists(select(stated.c.value).where(stated.c.value.in_(among)))]


def _chosen(wanted: Wanted) -> list[ColumnElement[bool]]:
    """That the other fields are as wanted."""
    return [
        column == getattr(wanted, name)
        for name, column in _CELL.items()
        if getattr(wanted, name) is not None
    ]


def _published(wanted: Wanted) -> list[ColumnElement[bool]]:
    """That a document was published in the period; one without a day of publication was not."""
    limits: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        limits.append(versions.c.published >= wanted.since)
    if wanted.until is not None:
        limits.append(versions.c.published <= wanted.until)
    return limits


def _behind(
    connection: Connection, held: Select[Any], order: Order, after: str
) -> ColumnElement[bool]:
    """That a document stands behind another, which is one that the caller may see."""
    value, descending = _ORDERS[order]
    place = connection.scalar(
        held.where(versions.c.document_id == after).with_only_columns(value.label("place"))
    )
    if place is None:
        return true()
    further = value < place if descending else value > place
    return or_(further, and_(value == place, versions.c.document_id > after))


def _by(
    cells: Sequence[Row[Any]], wanted: Wanted, field: str, *, itself: bool = False
) -> Counter[str]:
    """Add up cells by a field, where the others, and with ``itself`` also that, are as wanted."""
    asked = {
        name: getattr(wanted, name)
        for name in _CELL
        if getattr(wanted, name) is not None and (itself or name != field)
    }
    found: Counter[str] = Counter()
    for cell in cells:
        fits = all(getattr(cell, name) == value for name, value in asked.items())
        if fits and (value := getattr(cell, field)) is not None:
            found[str(value)] += cell.documents
    return found


def _campaigns(connection: Connection, held: Select[Any]) -> tuple[Count, ...]:
    """How many documents are on each campaign; one on two of its themes counts once."""
    stated = _ThemesOf(versions.c.details).table_valued("value")
    names = [campaign.id for campaign in campaigns().all]
    among = {name: stated.c.value.in_(campaigns().themes_of(name)) for name in names}
    counted = [func.count(distinct(case((among[name], versions.c.key)))) for name in names]
    query = held.join(stated, true()).with_only_columns(*counted)
    found = connection.execute(query).one()
    return tuple(Count(name, count) for name, count in zip(names, found, strict=True) if count)


def _themes(connection: Connection, held: Select[Any]) -> tuple[Count, ...]:
    stated = _ThemesOf(versions.c.details).table_valued("value")
    query = (
        held.join(stated, true())
        .with_only_columns(stated.c.value, func.count(distinct(versions.c.key)))
        .group_by(stated.c.value)
    )
    return _ranked(Counter({row[0]: row[1] for row in connection.execute(query)}))


def _years(connection: Connection, held: Select[Any]) -> Counter[str]:
    """How many documents were published in each year."""
    year = extract("year", versions.c.published)
    query = held.where(versions.c.published.is_not(None)).with_only_columns(year, func.count())
    return Counter({str(row[0]): row[1] for row in connection.execute(query.group_by(year))})


def _newest(years: Counter[str]) -> tuple[Count, ...]:
    return tuple(sorted(_ranked(years), key=_value, reverse=True))


def _ranked(found: Counter[str]) -> tuple[Count, ...]:
    """The most frequent first, those that are equally so by name."""
    ranked = sorted(found.items(), key=lambda each: (-each[1], fold(each[0])))
    return tuple(Count(value, documents) for value, documents in ranked)


def _value(count: Count) -> str:
    return count.value

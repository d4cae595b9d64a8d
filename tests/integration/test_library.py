"""The library counts and lists what a caller may see, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from conftest import Base
from fakes import HashingEncoder, TickingClock
from sqlalchemy.dialects import postgresql

from kb.bootstrap import open_knowledge_base
from kb.maintenance import remove
from kb.model import FULL_ACCESS, PUBLIC_ACCESS, Access, Kind, Visibility
from kb.record import library
from kb.record.library import Count, Counts, Library, Order, Wanted
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

SIDECAR = """\
files:
  etude.md: {title: "Étude des garanties", kind: research, language: fr, issuer: Avise,
             published: 2024-05-02, themes: [garantie-mecanisme, garantie-epargne]}
  loi.md: {title: "Loi de 2014", kind: policy, language: fr, issuer: Parlement,
           published: 2014-07-31, version_date: 2024-01-01, themes: [subventions-droit, phares]}
  guide.md: {title: "a guide to guarantees", kind: research, language: en, issuer: Avise}
  plan.md: {title: "Plan secret", kind: note, language: fr, issuer: Bureau,
            visibility: internal, published: 1999-01-01, themes: [europe-appels, secret]}
  alliance.md: {title: "Alliance", kind: note, language: fr, visibility: coalition,
                collections: [bretagne], themes: [garantie-mecanisme]}
"""
PARTNER = Access((Visibility.PUBLIC, Visibility.COALITION))
BRITTANY = Access(tuple(Visibility), ("bretagne",))


def _filled(base: Base) -> Base:
    """Five documents, of which one is for the coalition and one for staff."""
    base.write("metadata.yaml", SIDECAR)
    for number, name in enumerate(("etude", "loi", "guide", "plan", "alliance")):
        base.write(f"{name}.md", f"# {name}", f"Les phares numéro {number} sont gardés.")
    report = base.ingest()
    assert report.exit_code == 0, report.as_json()
    return base


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    """A base that tests only read."""
    folder = tmp_path_factory.mktemp("library")
    values: dict[str, Any] = {"home": folder / "home", "workers": 1}
    kb = open_knowledge_base(Settings(**values), clock=TickingClock(), encoder=HashingEncoder())
    yield _filled(Base(kb, folder / "files"))
    kb.close()


def counts(base: Base, wanted: Wanted = Wanted(), access: Access = PUBLIC_ACCESS) -> Counts:  # noqa: B008 -- a frozen value
    """What is counted now."""
    return Library(base.kb.engine).counts(base.kb.record.current_id() or 0, access, wanted)


def titles(
    base: Base,
    wanted: Wanted = Wanted(),  # noqa: B008 -- as above
    access: Access = PUBLIC_ACCESS,
    order: Order = Order.TITLE,
) -> list[str]:
    """The titles in the list."""
    generation = base.kb.record.current_id() or 0
    found = Library(base.kb.engine).listed(generation, access, wanted, order)
    return [document.title for document in found]


def test_what_is_hidden_is_counted_nowhere(held: Base) -> None:
    """Neither the document nor its theme, issuer, year or kind."""
    assert counts(held) == Counts(
        documents=3,
        campaigns=(Count("garantie-fonds-propres", 1), Count("subventions", 1)),
        themes=(
            Count("garantie-epargne", 1),
            Count("garantie-mecanisme", 1),
            Count("phares", 1),
            Count("subventions-droit", 1),
        ),
        kinds=(Count("research", 2), Count("policy", 1)),
        languages=(Count("fr", 2), Count("en", 1)),
        issuers=(Count("Avise", 2), Count("Parlement", 1)),
        years=(Count("2024", 2),),
        published=(Count("2024", 1), Count("2014", 1)),
    )
    assert counts(held, access=PARTNER).documents == 4
    assert counts(held, access=FULL_ACCESS).documents == 5
    within = counts(held, access=BRITTANY)
    assert (within.documents, within.themes) == (1, (Count("garantie-mecanisme", 1),))


def test_a_hidden_value_finds_nothing(held: Base) -> None:
    """As one that no document has."""
    for wanted in (
        Wanted(words="secret"),
        Wanted(theme="secret"),
        Wanted(theme="europe"),
        Wanted(issuer="Bureau"),
        Wanted(year=1999),
        Wanted(issuer="nobody"),
    ):
        found = counts(held, wanted)
        assert (found.documents, titles(held, wanted)) == (0, [])
        assert found.issuers == () or wanted.issuer is not None


def test_only_what_is_current_is_counted_and_listed(base: Base) -> None:
    """No former version, nothing that was removed; what came in last stands first."""
    held = _filled(base)
    held.write("guide.md", "# Guide", "Another text of the guide, about lighthouses.")
    held.write("new.md", "# Neuf", "Un document tout neuf parle des phares.")
    held.ingest()
    assert counts(held).documents == 4
    assert set(titles(held, order=Order.NEWEST)[:2]) == {"Neuf", "a guide to guarantees"}
    remove(held.kb, held.id_of("loi.md"))
    after = counts(held)
    assert (after.documents, after.years) == (3, (Count("2024", 1),))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(words="ETUDE"), ["Étude des garanties"]),
        (Wanted(words="garanties étude"), ["Étude des garanties"]),
        (Wanted(words="100%"), []),
        (Wanted(words="_"), []),
        (Wanted(theme="garantie-epargne"), ["Étude des garanties"]),
        (Wanted(theme="garantie-fonds-propres"), ["Étude des garanties"]),
        (Wanted(kind=Kind.POLICY), ["Loi de 2014"]),
        (Wanted(language="en"), ["a guide to guarantees"]),
        (Wanted(issuer="Avise", year=2024), ["Étude des garanties"]),
        (Wanted(), ["a guide to guarantees", "Étude des garanties", "Loi de 2014"]),
    ],
)
def test_filters_narrow_the_list_and_its_count(
    held: Base, wanted: Wanted, expected: list[str]
) -> None:
    """Titles whatever their case and accents; a campaign has the documents of its themes."""
    assert titles(held, wanted) == expected
    assert counts(held, wanted).documents == len(expected)


def test_each_field_is_counted_under_the_other_filters(held: Base) -> None:
    """So that another value of it can be chosen."""
    found = counts(held, Wanted(kind=Kind.RESEARCH, language="fr"))
    assert found.documents == 1
    assert found.kinds == (Count("policy", 1), Count("research", 1))
    assert found.languages == (Count("en", 1), Count("fr", 1))
    assert found.issuers == (Count("Avise", 1),)
    of_theme = counts(held, Wanted(theme="phares"))
    assert of_theme.documents == 1
    assert Count("garantie-epargne", 1) in of_theme.themes


@pytest.mark.parametrize("order", Order)
def test_pages_of_the_list_follow_each_other(held: Base, order: Order) -> None:
    """Each document stands on one of them, in whichever order."""
    shelf, generation = Library(held.kb.engine), held.kb.record.current_id() or 0
    whole = shelf.listed(generation, FULL_ACCESS, Wanted(), order)
    assert len(whole) == 5
    paged, after = [], None
    while found := shelf.listed(generation, FULL_ACCESS, Wanted(), order, after, 2):
        paged += found
        after = found[-1].id
    assert paged == whole
    gone = shelf.listed(generation, PUBLIC_ACCESS, Wanted(), order, held.id_of("plan.md"))
    assert gone == shelf.listed(generation, PUBLIC_ACCESS, Wanted(), order)


def test_what_has_no_date_stands_behind_what_has_one(held: Base) -> None:
    """By date, the latest first."""
    assert titles(held, order=Order.DATE)[-1] == "a guide to guarantees"


def test_postgresql_is_asked_in_its_own_words() -> None:
    """It knows neither ``fold`` nor ``json_each``."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    [titled] = library._titled(Wanted(words="étude"))  # noqa: SLF001 -- no server to ask
    [themed] = library._themed(Wanted(theme="phares"))  # noqa: SLF001 -- as above
    assert "translate(lower(versions.title)" in str(titled.compile(dialect=dialect))
    said = str(themed.compile(dialect=dialect))
    assert "json_array_elements_text(CAST(versions.details AS json) -> 'themes')" in said

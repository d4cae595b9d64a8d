"""``kb pull``: fetches calls from public sources, and shows what changed."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ingest.showing import Shown
from kb.commands import JsonOption, opened, print_json
from kb.errors import UsageError
from kb.model import Metadata, Visibility

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ingest.calls.pulls.running import Options, Pulled
    from ingest.calls.pulls.shape import Difference
    from kb.bootstrap import KnowledgeBase
    from kb.settings import Settings

app = typer.Typer()
pull = typer.Typer(no_args_is_help=True)
app.add_typer(pull, name="pull", help="Fetch calls from public sources.")

_CHANGES_SHOWN = 20
_FLAWS_SHOWN = 20

ProgrammeOption = Annotated[
    list[str] | None,
    typer.Option("--programme", help="Name, abbreviation or code; can be repeated."),
]
CheckOption = Annotated[
    bool,
    typer.Option("--check", help="Compare the source with what is known of it; write nothing."),
]
FreshOption = Annotated[
    bool, typer.Option("--fresh", help="Do not go on with a pull that was interrupted.")
]
VisibilityOption = Annotated[Visibility | None, typer.Option(help="Who may see the calls.")]
ThemesOption = Annotated[
    list[str] | None, typer.Option("--theme", help="A theme; can be repeated.")
]


@pull.callback()
def _root() -> None:
    """Fetch calls from public sources."""


@pull.command(name="eu-portal")
def eu_portal(
    programme: ProgrammeOption = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Closed calls too, with a deadline since."),
    ] = None,
    language: Annotated[Literal["en", "fr"], typer.Option(help="Of the texts.")] = "en",
    details: Annotated[
        bool, typer.Option(help="Fetch the details of calls that are new or have changed.")
    ] = True,
    check: CheckOption = False,
    fresh: FreshOption = False,
    visibility: VisibilityOption = None,
    theme: ThemesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pull the EU Funding & Tenders Portal: calls that are open or announced."""
    from ingest.calls.pulls.check import check_eu_portal  # noqa: PLC0415 -- keeps `kb --help` quick
    from ingest.calls.pulls.eu_portal import Asked  # noqa: PLC0415 -- as above
    from ingest.calls.pulls.running import pull_eu_portal  # noqa: PLC0415 -- as above

    codes = _codes(programme or ())
    asked = Asked(codes, since.date() if since else None, language, details)
    if check:
        _check(lambda settings, options: check_eu_portal(settings, asked, options), as_json=as_json)
    stated = _stated(visibility, theme)
    _pull(
        lambda kb, options: pull_eu_portal(kb, asked, options), stated, fresh=fresh, as_json=as_json
    )


@pull.command(name="eu-portal-bulk")
def eu_portal_bulk(
    programme: ProgrammeOption = None,
    check: CheckOption = False,
    fresh: FreshOption = False,
    visibility: VisibilityOption = None,
    theme: ThemesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pull the portal's daily file of all its calls, without texts; about 130 MB."""
    from ingest.calls.pulls.check import check_bulk  # noqa: PLC0415 -- keeps `kb --help` quick
    from ingest.calls.pulls.running import pull_bulk  # noqa: PLC0415 -- as above

    codes = _codes(programme or ())
    if check:
        _check(check_bulk, as_json=as_json)
    stated = _stated(visibility, theme)
    _pull(lambda kb, options: pull_bulk(kb, codes, options), stated, fresh=fresh, as_json=as_json)


@pull.command(name="aides-territoires")
def aides_territoires(
    check: CheckOption = False,
    fresh: FreshOption = False,
    visibility: VisibilityOption = None,
    theme: ThemesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pull the French aids for associations; needs KB_AIDES_TERRITOIRES_TOKEN."""
    from ingest.calls.pulls.check import (  # noqa: PLC0415 -- keeps `kb --help` quick
        check_aides_territoires,
    )
    from ingest.calls.pulls.running import pull_aides_territoires  # noqa: PLC0415 -- as above

    if check:
        _check(check_aides_territoires, as_json=as_json)
    _pull(pull_aides_territoires, _stated(visibility, theme), fresh=fresh, as_json=as_json)


@pull.command(name="ile-de-france")
def ile_de_france(
    check: CheckOption = False,
    fresh: FreshOption = False,
    visibility: VisibilityOption = None,
    theme: ThemesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pull the calls of the region Île-de-France from its open data."""
    from ingest.calls.pulls.check import check_ile_de_france  # noqa: PLC0415 -- keeps `kb --help` quick
    from ingest.calls.pulls.running import pull_ile_de_france  # noqa: PLC0415 -- as above

    if check:
        _check(check_ile_de_france, as_json=as_json)
    _pull(pull_ile_de_france, _stated(visibility, theme), fresh=fresh, as_json=as_json)


def _pull(
    pulling: Callable[[KnowledgeBase, Options], Pulled],
    stated: Metadata,
    *,
    fresh: bool,
    as_json: bool,
) -> None:
    from ingest.calls.pulls.running import Options  # noqa: PLC0415 -- keeps `kb --help` quick

    with opened() as kb, Shown() as progress:
        pulled = pulling(kb, Options(stated, fresh, progress))
    if as_json:
        print_json(pulled.as_json())
    else:
        _show(pulled)
    raise typer.Exit(pulled.exit_code)


def _stated(visibility: Visibility | None, theme: list[str] | None) -> Metadata:
    return Metadata(visibility=visibility, themes=tuple(theme or ()))


def _check(checking: Callable[[Settings, Options], list[Difference]], *, as_json: bool) -> None:
    """Compare a source with what is known of it, show what differs, and end."""
    from ingest.calls.pulls.running import Options  # noqa: PLC0415 -- keeps `kb --help` quick
    from kb.settings import load_settings  # noqa: PLC0415 -- as above

    found = checking(load_settings(), Options())
    fits = not any(difference.is_fault for difference in found)
    if as_json:
        print_json({"fits": fits, "differences": [_difference_json(each) for each in found]})
    else:
        _show_differences(found, fits=fits)
    raise typer.Exit(0 if fits else 1)


def _codes(programmes: Sequence[str]) -> tuple[str, ...]:
    """The codes of programmes that are named by name, abbreviation or code.

    Raises:
        UsageError: There is no such programme.
    """
    from ingest.calls.sources.programmes import PROGRAMMES  # noqa: PLC0415 -- keeps `kb --help` quick

    codes: list[str] = []
    for said in programmes:
        wanted = said.strip().casefold()
        named = [
            code
            for code, known in PROGRAMMES.items()
            if wanted in {code, known.name.casefold(), known.abbreviation.casefold()}
        ]
        if not named and not (wanted.isascii() and wanted.isdigit()):
            known_names = ", ".join(sorted({each.abbreviation for each in PROGRAMMES.values()}))
            raise UsageError(
                f"--programme {said!r} is not known. Known are {known_names}; a code of the portal "
                "does too."
            )
        codes += named or [wanted]
    return tuple(dict.fromkeys(codes))


def _show(pulled: Pulled) -> None:
    from kb.calls.news import describe  # noqa: PLC0415 -- keeps `kb --help` quick

    console = Console()
    for warning in pulled.warnings:
        console.print(f"[yellow]Note:[/yellow] {escape(warning)}")
    report = pulled.report
    if report is None:
        console.print("The source has not changed since it was last pulled.")
        return
    table = Table(f"Calls of {pulled.source}", "")
    for name, count in report.counts.counts.most_common():
        table.add_row(name, str(count))
    table.add_row("flaws", str(len(report.counts.flaws)))
    table.add_row("seconds", f"{report.seconds:.1f}")
    console.print(table)
    for news in pulled.news[:_CHANGES_SHOWN]:
        line = f"{news.identifier}: {describe(news, 'en')}"
        console.print(escape(line), soft_wrap=True, highlight=False)
    if len(pulled.news) > _CHANGES_SHOWN:
        console.print(f"… and {len(pulled.news) - _CHANGES_SHOWN} more; --json lists them all.")
    for flaw in report.counts.flaws[:_FLAWS_SHOWN]:
        console.print(escape(f"{flaw.where}: {flaw.problem}"), soft_wrap=True, highlight=False)
    if len(report.counts.flaws) > _FLAWS_SHOWN:
        console.print(f"… and {len(report.counts.flaws) - _FLAWS_SHOWN} more flaws.")
    if report.generation is None:
        console.print("Nothing has changed in the base.")


def _show_differences(found: list[Difference], *, fits: bool) -> None:
    console = Console()
    if found:
        table = Table("Answer", "Difference", "Field", "Found")
        for each in found:
            table.add_row(each.answer, each.kind.value, escape(each.path), escape(each.found))
        console.print(table)
    console.print(
        "The source answers as it is known to."
        if fits
        else "The source has changed: a pull may fail or miss something until this is looked into."
    )


def _difference_json(difference: Difference) -> dict[str, Any]:
    return {
        "answer": difference.answer,
        "kind": difference.kind.value,
        "path": difference.path,
        "found": difference.found,
        "fault": difference.is_fault,
    }

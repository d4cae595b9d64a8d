"""``kb export``: an answer, chosen quotes or a brief as a document or a bibliography."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kb.commands import (
    EVERYTHING,
    IssuerOption,
    KindOption,
    LanguageOption,
    SinceOption,
    ThemeOption,
    UntilOption,
    filters_from,
    opened,
)
from kb.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from kb.bootstrap import KnowledgeBase
    from kb.briefs.model import Dossier
    from kb.export.formats import ExportFormat
    from kb.export.wanted import WantedQuote

app = typer.Typer()
_export = typer.Typer(
    no_args_is_help=True, help="Write an answer, quotes or a brief as a document or bibliography."
)
app.add_typer(_export, name="export")

FormatName = Literal["docx", "markdown", "pdf", "bibtex", "ris", "csl-json"]

FormatOption = Annotated[
    FormatName | None,
    typer.Option("--format", help="By default what the name of --out ends with, or markdown."),
]
OutOption = Annotated[Path | None, typer.Option(help="The file to write; default: the terminal.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]
InOption = Annotated[
    Literal["fr", "en"] | None, typer.Option("--in", help="The language of what stands around.")
]
TitleOption = Annotated[str | None, typer.Option(help="The title of the export.")]


@_export.command()
def answer(
    question: Annotated[str, typer.Argument(help="A question, in French or English.")],
    form: FormatOption = None,
    out: OutOption = None,
    force: ForceOption = False,
    written_in: InOption = None,
    title: TitleOption = None,
    kind: KindOption = None,
    language: LanguageOption = None,
    theme: ThemeOption = None,
    issuer: IssuerOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
) -> None:
    """Answer a question, and write the quotes with their sources."""
    from kb.export.gather import of_answer  # noqa: PLC0415 -- keeps `kb --help` quick

    chosen = _form(form, out)
    filters = filters_from(kind, language, theme, issuer, since, until)
    with opened() as kb:
        found = kb.search.answer(question, filters)
        dossier = of_answer(kb, found, EVERYTHING, written_in, title)
        _write(kb, dossier, chosen, out, force=force, query=question)


@_export.command()
def quotes(
    file: Annotated[Path, typer.Argument(help="JSON of `kb ask --json`, or a list of citations.")],
    form: FormatOption = None,
    out: OutOption = None,
    force: ForceOption = False,
    written_in: InOption = None,
    title: TitleOption = None,
) -> None:
    """Write quotes that were kept, each looked up again where it stands."""
    from kb.export.gather import of_quotes  # noqa: PLC0415 -- keeps `kb --help` quick

    chosen, wanted = _form(form, out), _read(file)
    with opened() as kb:
        dossier = of_quotes(kb, wanted, EVERYTHING, written_in, title)
        _write(kb, dossier, chosen, out, force=force)


@_export.command()
def brief(
    address: Annotated[str, typer.Argument(help="Its address, its secret, or a staff number.")],
    form: FormatOption = None,
    out: OutOption = None,
    force: ForceOption = False,
    written_in: InOption = None,
    title: TitleOption = None,
) -> None:
    """Write a brief as it stands today."""
    from kb.briefs import keeping  # noqa: PLC0415 -- keeps `kb --help` quick
    from kb.export.gather import of_brief  # noqa: PLC0415 -- as above
    from kb.record.briefs import BriefsRecord  # noqa: PLC0415 -- as above

    chosen = _form(form, out)
    secret = address.partition("?")[0].rstrip("/").rpartition("/")[2]
    with opened() as kb:
        found = keeping.opened(BriefsRecord(kb.engine), secret, staff=True)
        if found is None:
            raise NotFoundError("There is no brief at this address: it may have been removed.")
        dossier = of_brief(kb, found.brief, EVERYTHING, written_in, title)
        _write(kb, dossier, chosen, out, force=force)


def _form(name: FormatName | None, out: Path | None) -> ExportFormat:
    """The format that is asked for, by its name or by what the file's name ends with."""
    from kb.export.formats import FORMS, ExportFormat  # noqa: PLC0415 -- keeps `kb --help` quick

    if name is not None:
        return ExportFormat(name)
    if out is None:
        return ExportFormat.MARKDOWN
    endings = {form.ending: each for each, form in FORMS.items()}
    ending = out.suffix.lstrip(".").lower()
    if ending not in endings:
        known = ", ".join(f".{each}" for each in endings)
        raise UsageError(f"--out is {str(out)!r}: end it with one of {known}, or give --format.")
    return endings[ending]


def _read(path: Path) -> list[WantedQuote]:
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 -- keeps `kb --help` quick

    from kb.export.wanted import WantedQuote  # noqa: PLC0415 -- as above

    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        listed = value.get("citations") if isinstance(value, dict) else value
        return TypeAdapter(list[WantedQuote]).validate_python(listed)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "citations"
        raise UsageError(
            f"{path} holds no citations as `kb ask --json` gives them: {where}: {first['msg']}."
        ) from None
    except ValueError as error:  # neither JSON nor UTF-8
        raise UsageError(f"{path} is no JSON: {error}.") from None


def _write(
    kb: KnowledgeBase,
    dossier: Dossier,
    form: ExportFormat,
    out: Path | None,
    *,
    force: bool,
    query: str | None = None,
) -> None:
    from kb.audited import Audit  # noqa: PLC0415 -- keeps `kb --help` quick
    from kb.export.formats import FORMS, written  # noqa: PLC0415 -- as above
    from kb.export.gather import note_export  # noqa: PLC0415 -- as above

    if out is None and FORMS[form].binary and sys.stdout.isatty():
        raise UsageError(f"{form} is nothing for a terminal: name a file with --out.")
    content = written(dossier, form, kb.settings.public_url.rstrip("/"))
    note_export(Audit(kb), dossier, form, query)
    if out is None:
        typer.get_binary_stream("stdout").write(content)
        return
    try:
        with out.open("wb" if force else "xb") as file:
            file.write(content)
    except FileExistsError:
        raise UsageError(f"{out} is there already: --force writes over it.") from None
    typer.echo(f"{out}", err=True)

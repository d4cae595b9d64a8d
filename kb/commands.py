"""Commands over what is known: search, ask, status, doctor, remove, rollback."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kb.errors import NotFoundError, StoreError, UsageError
from kb.model import FULL_ACCESS, Filters, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kb.bootstrap import KnowledgeBase
    from kb.model import Answer, Citation, Document, Hit, Span, Stated
    from kb.record.calls import Coverage
    from kb.search.engine import SearchResult

app = typer.Typer()

# Whoever can start this command can read the store's files: it sees everything.
EVERYTHING = FULL_ACCESS

KindOption = Annotated[Kind | None, typer.Option(help="Only documents of this kind.")]
LanguageOption = Annotated[str | None, typer.Option(help="Only passages in fr or en.")]
ThemeOption = Annotated[str | None, typer.Option(help="Only documents on this theme.")]
IssuerOption = Annotated[str | None, typer.Option(help="Only documents of this issuer.")]
SinceOption = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Published on or after.")
]
UntilOption = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Published on or before.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@contextmanager
def opened() -> Iterator[KnowledgeBase]:
    """Open the knowledge base of the environment for a command."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 -- as above

    from kb.bootstrap import open_knowledge_base  # noqa: PLC0415 -- keeps `kb --help` quick

    kb = open_knowledge_base()
    try:
        yield kb
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise StoreError(
            f"The database can't be used: {reason}. Try again, or check KB_DATABASE_URL."
        ) from None
    finally:
        kb.close()


def print_json(value: Any) -> None:
    """Print JSON with its accents."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="Words or a question, in French or English.")],
    kind: KindOption = None,
    language: LanguageOption = None,
    theme: ThemeOption = None,
    issuer: IssuerOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    top_k: Annotated[int, typer.Option("--top-k", min=1, max=100, help="How many.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Find passages, each with its document and page."""
    from kb.audited import Audit, note_search  # noqa: PLC0415 -- keeps `kb --help` quick
    from kb.shapes import search_json  # noqa: PLC0415 -- as above

    filters = filters_from(kind, language, theme, issuer, since, until)
    with opened() as kb:
        kb.encoder.encode_queries([query])  # loading the model is no part of the search's time
        result = kb.search.search(query, filters, top_k)
        note_search(Audit(kb), result, filters)
    if as_json:
        print_json(search_json(result))
    else:
        _show_hits(result)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="A question, in French or English.")],
    kind: KindOption = None,
    language: LanguageOption = None,
    theme: ThemeOption = None,
    issuer: IssuerOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer with exact quotes, or say that the evidence does not suffice."""
    from kb.audited import Audit, note_answer  # noqa: PLC0415 -- keeps `kb --help` quick
    from kb.shapes import answer_json  # noqa: PLC0415 -- as above

    filters = filters_from(kind, language, theme, issuer, since, until)
    with opened() as kb:
        audit = Audit(kb)
        answer = kb.search.answer(question, filters)
        note_answer(audit, answer, filters)
    if as_json:
        print_json(answer_json(answer))
    else:
        _show_answer(answer)


@app.command()
def status(
    documents: Annotated[bool, typer.Option("--documents", help="List every document.")] = False,
    calls: Annotated[
        bool, typer.Option("--calls", help="Of how many calls each field is known.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what the base holds, its generations and its settings."""
    from kb.shapes import coverage_json, document_json, generation_json  # noqa: PLC0415 -- as above

    with opened() as kb:
        kept = kb.record.kept()
        listed = list(_all_documents(kb)) if documents and kept else []
        coverage = kb.calls.coverage(kept[0].id) if calls and kept else None
        settings = kb.settings.shown()
        if as_json:
            found = {
                "generation": generation_json(kept[0]) if kept else None,
                "kept": [generation_json(generation) for generation in kept],
                "settings": settings,
            }
            if documents:
                found["documents"] = [document_json(document) for document in listed]
            if coverage is not None:
                found["calls"] = coverage_json(coverage)
            print_json(found)
            return
    console = _console()
    console.print(_generations_table(kept) if kept else "Nothing was ingested yet.")
    if listed:
        console.print(_documents_table(listed))
    if coverage is not None:
        console.print(_coverage_table(coverage))
    console.print(_pairs_table("Settings", settings))


@app.command()
def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Build the index again.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check that the index is what the system of record says."""
    from kb import maintenance  # noqa: PLC0415 -- as above

    with opened() as kb:
        if repair:
            generation = maintenance.repair(kb, lambda _count: None)
            typer.echo(
                f"Built generation {generation.id}: {generation.passages} passages.", err=True
            )
        checks = maintenance.examine(kb)
    if as_json:
        print_json([{"name": c.name, "sound": c.sound, "seen": c.seen} for c in checks])
    else:
        table = Table("Check", "Sound", "Seen")
        for check in checks:
            table.add_row(
                check.name, "yes" if check.sound else "[bold red]no[/]", escape(check.seen)
            )
        _console().print(table)
    if not all(check.sound for check in checks):
        typer.echo("kb: `kb doctor --repair` builds the index again.", err=True)
        raise typer.Exit(3)


@app.command()
def remove(
    document: Annotated[str, typer.Argument(help="The document's id, as search shows it.")],
    purge: Annotated[bool, typer.Option("--purge", help="Erase its text and original.")] = False,
) -> None:
    """Remove a document for good: it is never found or cited again."""
    from kb import maintenance  # noqa: PLC0415 -- as above

    with opened() as kb:
        maintenance.remove(kb, document, purge=purge)
    typer.echo(f"Removed {document}{', its text and its original' if purge else ''}.")


@app.command()
def rollback() -> None:
    """Go back to the state before the last run; removals stay."""
    from kb import maintenance  # noqa: PLC0415 -- as above

    with opened() as kb:
        abandoned, current = maintenance.rollback(kb)
    typer.echo(f"Generation {current} is current again; {abandoned} is abandoned.")


def _console() -> Console:
    """A console that wraps on a terminal and leaves lines whole for a pipe."""
    console = Console()
    console.soft_wrap = not console.is_terminal
    return console


def filters_from(
    kind: Kind | None,
    language: str | None,
    theme: str | None,
    issuer: str | None,
    since: datetime | None,
    until: datetime | None,
) -> Filters:
    """What a search of a command is narrowed to.

    Raises:
        UsageError: No document can lie between the two days.
    """
    if since and until and since > until:
        raise UsageError("--since is later than --until: no document can lie between them.")
    return Filters(
        access=EVERYTHING,
        kind=kind,
        language=language,
        theme=theme,
        issuer=issuer,
        since=since.date() if since else None,
        until=until.date() if until else None,
    )


def _all_documents(kb: KnowledgeBase) -> Iterator[Document]:
    generation = kb.record.current_id()
    if generation is None:
        raise NotFoundError("Nothing was ingested yet.")
    after = ""
    while page := kb.record.list_documents(generation, EVERYTHING, after, 500):
        yield from page
        after = page[-1].id


def place(span: Span) -> str:
    """A span's place in words: "p. 3 (iii)" or "section 4, Article 3"."""
    where = f"p. {span.page}" if span.page else f"section {span.section}"
    if not span.page_label or span.page_label == str(span.page):
        return where
    return f"{where} ({span.page_label})" if span.page else f"{where}, {span.page_label}"


def _source(document: Document, span: Span) -> str:
    parts = [
        document.title,
        document.metadata.issuer,
        _dated(document),
        place(span),
    ]
    return " · ".join(escape(str(part)) for part in parts if part)


def _dated(document: Document) -> str | None:
    """When it was published, and the day of its version where it has one."""
    metadata = document.metadata
    days = [day.isoformat() for day in (metadata.published, metadata.version_date) if day]
    return " → ".join(dict.fromkeys(days)) or None


def _show_hits(result: SearchResult) -> None:
    console = _console()
    if not result.hits:
        console.print("Nothing was found.")
    for hit in result.hits:
        _show_hit(console, hit)
    console.print(f"[dim]{len(result.hits)} passages, {result.took_ms:.0f} ms[/]")


def _show_hit(console: Console, hit: Hit) -> None:
    console.print(f"[bold]{hit.rank}.[/] {_source(hit.document, hit.passage.spans[0])}")
    if hit.passage.heading:
        console.print(f"   [italic]{escape(hit.passage.heading)}[/]")
    console.print(f"   {escape(' '.join(hit.passage.text.split()))}")
    console.print(f"   [dim]{hit.document.id}, version {hit.document.version}[/]\n")


def _show_answer(answer: Answer) -> None:
    console = _console()
    console.print(f"[bold]{escape(answer.question)}[/]\n")
    if not answer.sentences:
        french = answer.language == "fr"
        console.print(
            "Les documents ne suffisent pas pour répondre. Les plus proches :"
            if french
            else "The documents do not suffice to answer. The nearest:"
        )
        for hit in answer.nearest:
            console.print(f" - {_source(hit.document, hit.passage.spans[0])}")
        return
    by_number = {citation.number: citation for citation in answer.citations}
    for sentence in answer.sentences:
        for number in sentence.citations:
            _show_citation(console, by_number[number])
        for number in sentence.also:
            console.print(f"    [dim]{_also(answer.language, by_number[number])}[/]")
        console.print()
    if answer.differs:
        french = answer.language == "fr"
        console.print(
            "Les sources diffèrent, la plus récente d'abord :"
            if french
            else "The sources differ, newest first:"
        )
        for stated in answer.differs:
            console.print(f" - {_stated(answer.language, stated)}", highlight=False)


def _show_citation(console: Console, citation: Citation) -> None:
    quote = "\n    ".join(" ".join(line.split()) for line in citation.quote.split("\n") if line)
    marks = ("«\u00a0", "\u00a0»") if citation.passage.language == "fr" else ("“", "”")
    console.print(f"[{citation.number}] {marks[0]}{escape(quote)}{marks[1]}", highlight=False)
    console.print(f"    [dim]{_source(citation.document, citation.spans[0])}[/]")


def _also(language: str, citation: Citation) -> str:
    """Where the same statement stands besides."""
    source = f"[{citation.number}] {_source(citation.document, citation.spans[0])}"
    other = citation.passage.language
    if language == "fr":
        where = {"fr": "également", "en": "également en anglais"}.get(other, f"également ({other})")
        return f"{where}\u00a0: {source}"
    where = {"en": "also", "fr": "also in French"}.get(other, f"also ({other})")
    return f"{where}: {source}"


def _stated(language: str, stated: Stated) -> str:
    """A value with its citation, its date and whether the version cited is in force."""
    french = language == "fr"
    day = stated.day.isoformat() if stated.day else "sans date" if french else "no date"
    state = (
        ("version actuelle" if french else "current version")
        if stated.current
        else ("version remplacée" if french else "version replaced")
    )
    return f"{escape(stated.value)} [{stated.citation}] · {day} · {state}"


def _generations_table(kept: list[Any]) -> Table:
    table = Table("Generation", "Created", "Documents", "Passages", "Encoder", title="Kept")
    for position, generation in enumerate(kept):
        table.add_row(
            f"{generation.id}{' (current)' if position == 0 else ''}",
            generation.created.isoformat(timespec="seconds"),
            str(generation.documents),
            str(generation.passages),
            generation.encoder,
        )
    return table


def _coverage_table(coverage: Coverage) -> Table:
    table = Table("Field", "Known", "By a quote", "Share", title=f"{coverage.total} calls")
    for name, (known, quoted) in coverage.fields.items():
        share = known / coverage.total if coverage.total else 0
        table.add_row(name, str(known), str(quoted), f"{share:.0%}")
    return table


def _documents_table(documents: list[Document]) -> Table:
    table = Table()
    for name in ("Document", "Version", "Kind", "Language", "Visibility", "Title"):
        table.add_column(name, overflow="fold")
    for document in documents:
        table.add_row(
            document.id,
            str(document.version),
            document.kind.value,
            document.language,
            document.visibility.value,
            escape(document.title),
        )
    return table


def _pairs_table(title: str, values: dict[str, Any]) -> Table:
    table = Table("Setting", "Value", title=title)
    for name, value in values.items():
        table.add_row(f"KB_{name.upper()}", escape(str(value)))
    return table

"""``kb lexicon``: learn the lexicon again, compile the glossary, show what a question becomes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from kb.errors import UsageError

app = typer.Typer()
_lexicon = typer.Typer(no_args_is_help=True, help="The words that cross French and English.")
app.add_typer(_lexicon, name="lexicon")

_DATA = Path(__file__).parent / "data"
_PARALLEL = Path("parallel") / "eu_law_en_fr.tsv.gz"
_EUROVOC = Path("thesaurus") / "eurovoc" / "eurovoc_fr_en.tsv"


@_lexicon.command()
def train(
    parallel: Annotated[
        Path | None, typer.Option(help="Parallel paragraphs; default: in KB_SHARED_DATA.")
    ] = None,
    eurovoc: Annotated[
        Path | None, typer.Option(help="EuroVoc labels; default: in KB_SHARED_DATA.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The file to write.")] = _DATA / "en-fr.lexicon",
) -> None:
    """Learn the bilingual lexicon: the same sources give the same bytes."""
    from kb.lexicon import sources  # noqa: PLC0415 -- keeps `kb --help` quick
    from kb.lexicon import train as training  # noqa: PLC0415 -- as above

    _check_writable(out)
    typer.echo("Reading the sources …", err=True)
    bitext = sources.read_bitext(parallel or _shared(_PARALLEL), eurovoc or _shared(_EUROVOC))
    recipe = training.train(bitext, out, _tell)
    entries = ", ".join(f"{count} {language}" for language, count in recipe["entries"].items())
    typer.echo(f"Wrote {out}: {out.stat().st_size} bytes, entries {entries}.")


@_lexicon.command()
def glossary(
    source: Annotated[Path, typer.Argument(help="The YAML file.")] = Path("corpus/glossary.yaml"),
    out: Annotated[Path, typer.Option(help="The package's copy.")] = _DATA / "glossary.json",
) -> None:
    """Check the glossary and compile it into the package."""
    from kb.lexicon.glossary import read_glossary, write_compiled  # noqa: PLC0415 -- as above

    _check_writable(out)
    found = read_glossary(source)
    write_compiled(found, out)
    typer.echo(f"Wrote {out}: {len(found.notions)} entries.")


@_lexicon.command()
def show(
    question: Annotated[str, typer.Argument(help="Words or a question.")],
    target: Annotated[str, typer.Option("--to", help="Language of the passages: fr or en.")],
) -> None:
    """Show the terms and weights with which a question looks for passages of a language."""
    from kb.language import detect  # noqa: PLC0415 -- as above
    from kb.lexicon.artefact import LANGUAGES  # noqa: PLC0415 -- as above
    from kb.lexicon.query import query_weights  # noqa: PLC0415 -- as above

    if target not in LANGUAGES:
        raise UsageError(f"--to {target}: the lexicon knows {' and '.join(LANGUAGES)}.")
    weights = query_weights(question, detect(question), target)
    for term, weight in sorted(weights.items(), key=lambda item: (-item[1], item[0])):
        typer.echo(f"{weight:.2f}  {term}")


def _shared(path: Path) -> Path:
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    found = Path(os.environ.get("KB_SHARED_DATA", beside)) / path
    if not found.is_file():
        raise UsageError(
            f"{found} is absent: set KB_SHARED_DATA to the folder of real material, or name the "
            "files with --parallel and --eurovoc."
        )
    return found


def _check_writable(out: Path) -> None:
    if not out.parent.is_dir():
        raise UsageError(f"--out {out}: the folder {out.parent} does not exist.")


def _tell(step: str, done: int) -> None:
    from kb.lexicon.train import ROUNDS  # noqa: PLC0415 -- as above

    typer.echo(f"Aligning: round {done} of {ROUNDS}" if step == "align" else "Phrases …", err=True)

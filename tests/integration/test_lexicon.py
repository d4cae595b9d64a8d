"""The lexicon at work: learnt by the command, and crossing languages through the real index."""

from __future__ import annotations

import gzip
import hashlib
import uuid
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from kb.analysis import passage_terms, stem
from kb.cli import app, main
from kb.index.base import Point
from kb.index.edge import EdgeIndex
from kb.lexicon.artefact import read_lexicon
from kb.lexicon.query import GLOSSARY_FILE, LEXICON_FILE, query_terms
from kb.model import FULL_ACCESS, Document, Filters, Kind, Metadata, Passage, Span, Visibility

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kb.index.base import IndexReader

ROOT = Path(__file__).parents[2]
# Two texts of each subject, as an association would file them.
PASSAGES = {
    "aide-fr": ("fr", "Une aide de minimis ne dépasse pas 300 000 euros sur trois ans."),
    "aide-en": ("en", "De minimis aid stays below EUR 300 000 over three years."),
    "ess-fr": ("fr", "L'économie sociale et solidaire réunit associations et coopératives."),
    "ess-en": ("en", "The social and solidarity economy brings cooperatives together."),
    "chiffre-fr": ("fr", "Le chiffre d'affaires de l'atelier a doublé cette année."),
    "chiffre-en": ("en", "The turnover of the workshop doubled this year."),
    "affaires-en": ("en", "These figures concern legal affairs and other affairs of the chamber."),
    "don-fr": ("fr", "Les dons des particuliers ouvrent droit à une réduction d'impôt."),
    "don-en": ("en", "Donations by individuals give a right to a tax reduction."),
}
NOUNS = {"saw": "scie", "ladder": "échelle", "hammer": "marteau", "brush": "brosse"}
ADJECTIVES = {"red": "rouge", "old": "ancienne", "long": "longue", "clean": "propre"}


def point(name: str) -> Point:
    """A text as the index holds it; its vector plays no part."""
    language, text = PASSAGES[name]
    passage = Passage(
        str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
        name,
        1,
        0,
        text,
        (Span(None, None, 1, 0, len(text)),),
        "",
        language,
    )
    document = Document(
        id=name,
        version=1,
        title=name,
        kind=Kind.NOTE,
        visibility=Visibility.PUBLIC,
        language=language,
        metadata=Metadata(),
        source=name,
        paged=False,
        ingested=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return Point(passage, document, np.full(4, 0.5, np.float32), passage_terms(text, language))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexReader]:
    """The passages in the embedded index."""
    index = EdgeIndex(tmp_path_factory.mktemp("index"), 4)
    writer = index.writer(1, None)
    writer.add([point(name) for name in PASSAGES])
    writer.finish()
    opened = index.reader(1)
    yield opened
    opened.close()


def best(reader: IndexReader, question: str, language: str, target: str) -> str:
    """The first passage of a language for a question."""
    filters = Filters(FULL_ACCESS, language=target)
    found = reader.lexical(query_terms(question, language, target), filters, 3)
    names = {point(name).passage.id: name for name in PASSAGES}
    return names[found[0].id]


@pytest.mark.parametrize("target", ["fr", "en"])
@pytest.mark.parametrize(
    ("question", "language", "subject"),
    [
        ("Quel est le plafond des aides de minimis ?", "fr", "aide"),
        ("What is the ceiling of de minimis aid?", "en", "aide"),
        ("Que réunit l'ESS ?", "fr", "ess"),
        ("Who is in the SSE?", "en", "ess"),
        ("quel chiffre d'affaires ?", "fr", "chiffre"),
        ("how did the turnover change?", "en", "chiffre"),
        ("réduction d'impôt pour un don", "fr", "don"),
        ("tax reduction for a donation", "en", "don"),
    ],
)
def test_a_question_finds_its_passage_in_both_languages(
    reader: IndexReader, question: str, language: str, subject: str, target: str
) -> None:
    """By words, phrases and acronyms, through the engine's own inverse document frequency."""
    assert best(reader, question, language, target) == f"{subject}-{target}"


@pytest.fixture
def small_sources(tmp_path: Path) -> tuple[Path, Path]:
    """A parallel file and labels made here: every noun with every adjective."""
    rows = [
        f"32000r{number:04}\t2020-01-01\tThe {noun} is {adjective} and lent.\tLa {nom} est"
        f" {adjectif} et prêtée.\n"
        for number, ((noun, nom), (adjective, adjectif)) in enumerate(
            product(NOUNS.items(), ADJECTIVES.items())
        )
    ]
    parallel, labels = tmp_path / "pairs.tsv.gz", tmp_path / "labels.tsv"
    parallel.write_bytes(gzip.compress("".join(rows).encode()))
    labels.write_text("id\ten\tfr\n1\tsocial economy\téconomie sociale\n", encoding="utf-8")
    return parallel, labels


def run(*arguments: str) -> str:
    """The output of a command that succeeds."""
    result = CliRunner().invoke(app, ["lexicon", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit code of a command that is refused, and what it said."""
    with pytest.raises(SystemExit) as caught:
        main(["lexicon", *arguments])
    return int(caught.value.code or 0), capsys.readouterr().err


def train(sources: tuple[Path, Path], out: Path) -> bytes:
    """Run the command and read what it wrote."""
    run("train", "--parallel", str(sources[0]), "--eurovoc", str(sources[1]), "--out", str(out))
    return out.read_bytes()


def test_training_twice_gives_the_same_bytes(
    small_sources: tuple[Path, Path], tmp_path: Path
) -> None:
    """And a lexicon in which every noun and adjective has its translation."""
    one = train(small_sources, tmp_path / "one")
    assert one == train(small_sources, tmp_path / "other")
    lexicon = read_lexicon(tmp_path / "one")
    for english, french in {**NOUNS, **ADJECTIVES}.items():
        found = lexicon.translations([stem(french, "fr")], "fr")
        assert found[0][0] == stem(english, "en")
    assert "2011/833/EU" in lexicon.recipe["licence"]


def test_a_part_of_the_real_pairs_gives_the_same_bytes_twice(
    shared_data: Path, tmp_path: Path
) -> None:
    """Words of law are learnt from the first 2,000 paragraphs; figures and labels included."""
    whole = shared_data / "parallel" / "eu_law_en_fr.tsv.gz"
    with gzip.open(whole, "rb") as lines:
        part = b"".join(line for _, line in zip(range(2000), lines, strict=False))
    (tmp_path / "part.tsv.gz").write_bytes(gzip.compress(part))
    sources = (
        tmp_path / "part.tsv.gz",
        shared_data / "thesaurus" / "eurovoc" / "eurovoc_fr_en.tsv",
    )
    assert train(sources, tmp_path / "one") == train(sources, tmp_path / "other")
    lexicon = read_lexicon(tmp_path / "one")
    assert lexicon.translations(["articl"], "fr")[0][0] == "articl"
    assert lexicon.translations(["conseil"], "fr")[0][0] == "council"


def test_the_package_was_learnt_from_the_sources_at_hand(shared_data: Path) -> None:
    """The recipe in the artefact names the files by their checksums."""
    made_from = {
        "eu_law_en_fr.tsv.gz": shared_data / "parallel" / "eu_law_en_fr.tsv.gz",
        "eurovoc_fr_en.tsv": shared_data / "thesaurus" / "eurovoc" / "eurovoc_fr_en.tsv",
    }
    for source in read_lexicon(LEXICON_FILE).recipe["sources"]:
        digest = hashlib.sha256(made_from[source["name"]].read_bytes()).hexdigest()
        assert source["sha256"] == digest


def test_the_glossary_command_writes_the_copy(tmp_path: Path) -> None:
    """The one in the package, from the one in the corpus."""
    out = tmp_path / "glossary.json"
    assert "entries" in run("glossary", str(ROOT / "corpus" / "glossary.yaml"), "--out", str(out))
    assert out.read_bytes() == GLOSSARY_FILE.read_bytes()


def test_what_a_question_becomes_is_shown() -> None:
    """Weights and terms, heaviest first."""
    lines = run("show", "Quelle subvention ?", "--to", "en").splitlines()
    assert lines[0].split()[1] == "grant"
    weights = [float(line.split()[0]) for line in lines]
    assert weights == sorted(weights, reverse=True)


def test_wrong_input_is_refused(
    capsys: pytest.CaptureFixture[str], small_sources: tuple[Path, Path], tmp_path: Path
) -> None:
    """Exit code 2 and one line that names the file or the option."""
    parallel, labels = (str(path) for path in small_sources)
    absent = str(tmp_path / "absent" / "file")
    for arguments, named in (
        (["train", "--parallel", absent, "--eurovoc", labels], absent),
        (["train", "--parallel", parallel, "--eurovoc", absent], absent),
        (["train", "--parallel", parallel, "--eurovoc", labels, "--out", absent], "--out"),
        (["glossary", absent], absent),
        (["show", "subvention", "--to", "latin"], "--to"),
    ):
        code, said = refused(capsys, *arguments)
        assert code == 2
        assert named in said


def test_without_the_sources_the_folder_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The message says which variable to set."""
    monkeypatch.setenv("KB_SHARED_DATA", str(tmp_path))
    code, said = refused(capsys, "train")
    assert code == 2
    assert "KB_SHARED_DATA" in said

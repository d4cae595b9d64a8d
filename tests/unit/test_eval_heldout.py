from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from evaluation.catalogue import direction
from evaluation.heldout import is_held_out, write_held_out
from kb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HELD = next(f"3200{n}r0001" for n in range(1000) if is_held_out(f"3200{n}r0001"))
TRAINED = next(f"3200{n}r0001" for n in range(1000) if not is_held_out(f"3200{n}r0001"))
TEXT = (
    "1. The manager pays out each advance within thirty days of a complete request, and no later.",
    "1. Le gestionnaire verse chaque avance sous trente jours à compter d'une demande complète.",
)


def act(
    celex: str, heading: tuple[str, str] = ("Payment of advances", "Paiement des avances")
) -> list[tuple[str, ...]]:
    """An act of one article, as the rows of two versions."""
    rows = [("Article 1", "Article premier"), heading, TEXT, ("ANNEX", "ANNEXE"), TEXT]
    old = [("Article 1", "Article premier"), ("Old heading", "Ancien titre"), TEXT]
    return [
        *((celex, "2020-01-01", *pair) for pair in rows),
        *((celex, "2010-01-01", *pair) for pair in old),
    ]


@pytest.fixture
def parallel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of real material with a parallel corpus that a test writes."""
    monkeypatch.setenv("KB_SHARED_DATA", str(tmp_path))
    (tmp_path / "parallel").mkdir()
    return tmp_path / "parallel" / "eu_law_en_fr.tsv.gz"


def write(path: Path, rows: Sequence[tuple[str, ...]]) -> None:
    """Write the parallel corpus."""
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines("\t".join(row) + "\n" for row in rows)


def test_headings_ask_for_the_paragraphs_under_them(parallel: Path, tmp_path: Path) -> None:
    """Only acts kept out, in their newest version, up to the next division; both languages."""
    write(parallel, [*act(HELD), *act(TRAINED, ("Never seen", "Jamais vu"))])
    assert write_held_out(tmp_path / "bench") == 1
    key = f"{HELD}-1"
    for language, asked, text in (
        ("en", "Payment of advances", TEXT[0]),
        ("fr", "Paiement des avances", TEXT[1]),
    ):
        bench = direction(tmp_path / "bench", language, language)
        assert bench.queries == {key: asked}
        assert [(one.id, one.text) for one in bench.corpora[0]] == [(key, text)]
        assert bench.qrels == {key: {key: 1}}
    assert direction(tmp_path / "bench", "fr", "en", "fr").in_all_corpora == {key}


def test_a_heading_that_two_articles_share_is_not_asked(parallel: Path, tmp_path: Path) -> None:
    """Both stay in the corpus: one relevant document a query must be true."""
    others = ("Scope", "Champ d'application")
    again = [(HELD, "2020-01-01", *pair) for pair in (others, TEXT, others, TEXT)]
    write(parallel, [*act(HELD), *again])
    assert write_held_out(tmp_path / "bench") == 1
    assert direction(tmp_path / "bench", "en", "fr").documents == 3


@pytest.mark.parametrize(
    "heading",
    [
        ("Article 5", "Article 5"),
        ("(a) Payment of it", "a) Paiement"),
        ("The payment is made.", "Le paiement est fait."),
        ("PAYMENT OF ADVANCES", "PAIEMENT DES AVANCES"),
        ("Payment of advances", "12 Paiement"),
    ],
)
def test_what_is_no_heading_in_both_languages_is_text(
    parallel: Path, tmp_path: Path, heading: tuple[str, str]
) -> None:
    """A number before it or a stop after it tells a paragraph."""
    rows = [(HELD, "2020-01-01", *pair) for pair in (heading, TEXT)]
    rows += [(HELD, "2020-01-01", *pair) for pair in (("Ends here", "Fin là"), TEXT)]
    write(parallel, rows)
    write_held_out(tmp_path / "bench")
    asked = direction(tmp_path / "bench", "en", "en")
    assert list(asked.queries.values()) == ["Ends here"]


def test_a_broken_line_is_told(parallel: Path, tmp_path: Path) -> None:
    """The message names file and line; so it does when there is no file."""
    with pytest.raises(UsageError, match="can't be read"):
        write_held_out(tmp_path / "bench")
    write(parallel, [(HELD, "2020-01-01", "alone")])
    with pytest.raises(UsageError, match=r"eu_law_en_fr\.tsv\.gz:1 has 3 columns"):
        write_held_out(tmp_path / "bench")


def test_one_act_in_twenty_is_kept_out() -> None:
    """The share holds over many identifiers, and an act is always on the same side."""
    acts = [f"3{year}r{number:04}" for year in range(1990, 2026) for number in range(200)]
    assert 0.045 < sum(map(is_held_out, acts)) / len(acts) < 0.055

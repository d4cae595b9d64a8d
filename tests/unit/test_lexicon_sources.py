"""What the lexicon is learnt from: held-out acts, repeats, and files that are wrong."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from kb.errors import UsageError
from kb.lexicon.sources import LABEL_COPIES, held_out, read_bitext, read_parallel

if TYPE_CHECKING:
    from pathlib import Path

# crc32 of the first is 0 modulo 20.
KEPT_ASIDE, LEARNT = "32020r0013", "32014r0651"
LABELS = "id\ten\tfr\talt_en\talt_fr\n1\tsocial economy\téconomie sociale\t\t\n2\t2030\t2030\t\t\n"


def parallel(folder: Path, *rows: tuple[str, str, str]) -> Path:
    """A parallel file of acts, English and French."""
    path = folder / "pairs.tsv.gz"
    text = "".join(f"{celex}\t2024-01-01\t{english}\t{french}\n" for celex, english, french in rows)
    path.write_bytes(gzip.compress(text.encode()))
    return path


def labels(folder: Path, text: str = LABELS) -> Path:
    """A file of labels."""
    path = folder / "labels.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def test_held_out_acts_and_repeats_are_not_learnt_from(tmp_path: Path) -> None:
    """A paragraph of a held-out act isn't learnt from another act either; figures are left out."""
    assert held_out(KEPT_ASIDE)
    assert not held_out(LEARNT)
    path = parallel(
        tmp_path,
        (KEPT_ASIDE, "The saw is lent.", "La scie est prêtée."),
        (LEARNT, "The saw is lent.", "La scie est prêtée."),
        (LEARNT, "Ladders cost 300 euros.", "Les échelles coûtent 300 euros."),
        (LEARNT, "Ladders: cost 500 euros!", "Les échelles coûtent 500 euros."),
        (LEARNT, "1.", "1."),
    )
    bitext = read_bitext(path, labels(tmp_path))
    assert bitext.english[0] == ("ladder", "cost", "euro")
    assert bitext.english[1:] == [("social", "economi")] * LABEL_COPIES
    assert len(bitext.french) == 1 + LABEL_COPIES
    assert [source.pairs for source in bitext.sources] == [1, 1]


def test_a_row_without_its_columns_is_named(tmp_path: Path) -> None:
    """File and line."""
    path = tmp_path / "pairs.tsv.gz"
    path.write_bytes(gzip.compress(b"a\tb\tc\td\na\tb\n"))
    with pytest.raises(UsageError, match=r"pairs\.tsv\.gz, line 2: 2 columns"):
        list(read_parallel(path))


@pytest.mark.parametrize(
    "content",
    # mtime=0: a test's name must not hold the second at which it was collected
    [b"not gzip", gzip.compress(b"a\tb\tc\td\n" * 99, mtime=0)[:30], b""],
    ids=["no gzip", "cut short", "empty"],
)
def test_a_file_that_is_no_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    """Damaged, cut short, empty: one message that names it."""
    path = tmp_path / "pairs.tsv.gz"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"pairs\.tsv\.gz"):
        read_bitext(path, labels(tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [("id\ten\n1\tx\n", "no column fr"), ("id\ten\tfr\n", "holds no pair")],
)
def test_labels_that_are_no_table_are_refused(tmp_path: Path, text: str, message: str) -> None:
    """The missing column, or that there is nothing in it."""
    path = parallel(tmp_path, (LEARNT, "The saw is lent.", "La scie est prêtée."))
    with pytest.raises(UsageError, match=message):
        read_bitext(path, labels(tmp_path, text))

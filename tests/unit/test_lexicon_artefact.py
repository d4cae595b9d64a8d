"""The lexicon's file: what is written is read, and what is damaged is refused."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.errors import StoreError
from kb.lexicon.artefact import Entry, read_lexicon, write_lexicon
from kb.lexicon.query import LEXICON_FILE
from kb.lexicon.train import RECIPE

if TYPE_CHECKING:
    from pathlib import Path

# Changes with the recipe (kb/lexicon/train.py), never otherwise.
SHA256 = "2571fca4481ed5db173a1e87943819231f292e609a4081e6d1b680381a200777"

ENGLISH = ("equity", "fund", "own", "turnover")
FRENCH = ("affair", "chiffr", "fond", "propr")
NUMBERS = st.integers(0, 3)
WEIGHTED = st.lists(
    st.tuples(NUMBERS, st.floats(0.01, 1)), min_size=1, max_size=4, unique_by=lambda item: item[0]
)
KEYS = st.one_of(st.tuples(NUMBERS), st.tuples(NUMBERS, NUMBERS))
ENTRIES = st.dictionaries(KEYS, st.tuples(WEIGHTED, st.floats(0, 7.9)), min_size=1)


def write(path: Path, french: list[Entry]) -> Path:
    """A lexicon of a few words."""
    english = [Entry((3,), [(0, 0.5), (1, 0.5)])]
    write_lexicon(
        path, {"en": ENGLISH, "fr": FRENCH}, {"en": english, "fr": french}, {"recipe": "test"}
    )
    return path


@given(ENTRIES)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    entries: dict[tuple[int, ...], tuple[list[tuple[int, float]], float]],
) -> None:
    """Every key with its translations, heaviest first, to a byte's precision; and no other key."""
    path = tmp_path_factory.mktemp("lexicon") / "x.lexicon"
    listed = [Entry(key, weighted, liking) for key, (weighted, liking) in entries.items()]
    lexicon = read_lexicon(write(path, listed))
    for first in range(4):
        for key in ((first,), *((first, second) for second in range(4))):
            words = [FRENCH[number] for number in key]
            found = lexicon.translations(words, "fr")
            weighted, liking = entries.get(key, ([], None))
            expected = {ENGLISH[number]: weight for number, weight in weighted}
            assert dict(found) == pytest.approx(expected, abs=1 / 255)
            assert [weight for _, weight in found] == sorted((w for _, w in found), reverse=True)
            assert (lexicon.preference(words, "fr") is None) == (liking is None)
            if liking is not None:
                assert lexicon.preference(words, "fr") == pytest.approx(liking, abs=1 / 32)


def test_words_that_it_does_not_know_have_no_translation(tmp_path: Path) -> None:
    """Neither alone nor beside a known one."""
    lexicon = read_lexicon(write(tmp_path / "x.lexicon", [Entry((2,), [(1, 1.0)])]))
    assert lexicon.translations(["fond"], "fr") == [("fund", 1.0)]
    assert lexicon.translations(["moulin"], "fr") == []
    assert lexicon.translations(["fond", "moulin"], "fr") == []
    assert lexicon.translations([], "fr") == []


def test_the_order_of_entries_does_not_change_the_bytes(tmp_path: Path) -> None:
    """The same lexicon is the same file."""
    entries = [Entry((2,), [(1, 0.6), (2, 0.4)]), Entry((1, 0), [(3, 0.9)], 3.0)]
    one = write(tmp_path / "one", entries).read_bytes()
    other = write(tmp_path / "other", entries[::-1]).read_bytes()
    assert one == other


@pytest.mark.parametrize("kept", [0, 4, 20, 200, -9])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    """With its name, and never with a traceback of numpy's."""
    path = write(tmp_path / "x.lexicon", [Entry((2,), [(1, 1.0)])])
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(StoreError, match=r"x\.lexicon"):
        read_lexicon(path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    """The message says what makes a new one."""
    path = tmp_path / "x.lexicon"
    path.write_bytes(b"SQLite format 3\0" * 4)
    with pytest.raises(StoreError, match="kb lexicon train"):
        read_lexicon(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The store's error, with the path."""
    with pytest.raises(StoreError, match="absent"):
        read_lexicon(tmp_path / "absent.lexicon")


def test_the_lexicon_in_the_package_is_the_one_that_was_measured() -> None:
    """Its checksum, recipe and licence notes; a few megabytes."""
    whole = LEXICON_FILE.read_bytes()
    assert hashlib.sha256(whole).hexdigest() == SHA256
    assert len(whole) < 5_000_000
    recipe = read_lexicon(LEXICON_FILE).recipe
    assert recipe["recipe"] == RECIPE
    assert recipe["date"] == "2026-11-25"
    assert {source["name"] for source in recipe["sources"]} == {
        "eu_law_en_fr.tsv.gz",
        "eurovoc_fr_en.tsv",
    }
    assert "2011/833/EU" in recipe["licence"]
    assert "CC-BY-4.0" in recipe["licence"]
    assert "EuroVoc" in recipe["licence"]

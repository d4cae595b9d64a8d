"""Bytes become clean text."""

from __future__ import annotations

import codecs
import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.readers.base import Source
from ingest.readers.encoding import decode, load, squash, tidy
from kb.errors import UnreadableError

if TYPE_CHECKING:
    from pathlib import Path

FRENCH = "L’échelle prêtée à Noël coûte 12 €, dès le 1er août."
PLAIN_FRENCH = "L'\xe9chelle pr\xeat\xe9e \xe0 No\xebl co\xfbte douze francs."


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_french_comes_through_whatever_the_encoding(encoding: str) -> None:
    """French comes through whatever the encoding."""
    assert decode(FRENCH.encode(encoding)) == FRENCH


def test_a_big_endian_mark_is_honoured() -> None:
    """A big endian mark is honoured."""
    assert decode(codecs.BOM_UTF16_BE + FRENCH.encode("utf-16-be")) == FRENCH


def test_a_declared_latin_1_is_read_as_browsers_read_it() -> None:
    """A declared latin 1 is read as browsers read it."""
    page = b'<html><meta charset="ISO-8859-1"><p>l\x92\xe9quit\xe9</p>'
    assert decode(page).endswith("<p>l’équité</p>")


def test_an_xml_declaration_names_the_encoding() -> None:
    """An xml declaration names the encoding."""
    text = '<?xml version="1.0" encoding="iso-8859-15"?><p>5 €</p>'
    assert decode(text.encode("iso-8859-15")) == text


@pytest.mark.parametrize("name", ["klingon", "hex", "base64", "utf-7", "rot13"])
def test_a_senseless_declaration_does_no_harm(name: str) -> None:
    """A senseless declaration does no harm."""
    page = f'<meta charset="{name}"><p>'.encode() + PLAIN_FRENCH.encode("latin-1")
    assert "<p>" in decode(page)


def test_utf8_with_a_stray_byte_stays_utf8() -> None:
    """Utf8 with a stray byte stays utf8."""
    data = FRENCH.encode() * 20 + b" \x96 " + FRENCH.encode() * 20
    assert decode(data) == FRENCH * 20 + " – " + FRENCH * 20


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Échelle prêtée à l’été.", "cp1252"),
        ("Съешь же ещё этих мягких французских булок, да выпей чаю. Это русский текст.", "cp1251"),
        ("Η σκάλα δανείζεται σε όποιον τη ζητήσει, χωρίς έξοδα και χωρίς όρους.", "cp1253"),
    ],
)
def test_undeclared_encodings_are_guessed(text: str, encoding: str) -> None:
    """Undeclared encodings are guessed."""
    assert decode(text.encode(encoding)) == text


def test_line_ends_become_newlines() -> None:
    """Line ends become newlines."""
    assert decode(b"one\r\ntwo\rthree\nfour") == "one\ntwo\nthree\nfour"


def test_mojibake_is_mended() -> None:
    """Mojibake is mended."""
    assert tidy("l’Ã©quitÃ©") == "l’équité"


@pytest.mark.parametrize(
    "text", ["“quoted” ‘words’", "ﬁn", "1\u00a0000 €", "À Évreux, ÇA VA", "n° 12 & <b>", "œuvre…"]
)
def test_legitimate_characters_stay(text: str) -> None:
    """Legitimate characters stay."""
    assert tidy(text) == text


def test_controls_and_invisible_characters_go() -> None:
    """Controls and invisible characters go."""
    assert tidy("a\x00b\x1b\u200bc\u00add\ufeffe\u202ef\u2028g") == "abcdef\ng"


def test_squash_makes_one_line_of_plain_spaces() -> None:
    """Squash makes one line of plain spaces."""
    assert squash("  EUR\u00a0300\u202f000 \n\t de  minimis ") == "EUR 300 000 de minimis"


@given(st.text())
def test_tidy_text_is_nfc_and_printable(text: str) -> None:
    """Tidy text is nfc and printable."""
    clean = tidy(text)
    assert unicodedata.is_normalized("NFC", clean)
    assert not [c for c in clean if unicodedata.category(c) in {"Cc", "Cs"} and c != "\n"]


@given(st.binary(max_size=300))
def test_any_bytes_decode(data: bytes) -> None:
    """Any bytes decode."""
    assert "\r" not in decode(data)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r\ufeff")))
def test_utf8_round_trips(text: str) -> None:
    """Utf8 round trips."""
    assert decode(text.encode()) == text


def test_load_names_the_limit(tmp_path: Path) -> None:
    """Load names the limit."""
    path = tmp_path / "long.txt"
    path.write_bytes(b"x" * 2_000_000)
    with pytest.raises(UnreadableError, match=r"long\.txt is larger than 1 MiB"):
        load(Source(path, path.name, b"x"), 1024 * 1024)


def test_load_refuses_a_folder(tmp_path: Path) -> None:
    """Load refuses a folder."""
    with pytest.raises(UnreadableError, match="can't be opened"):
        load(Source(tmp_path, "folder", b""), 10)

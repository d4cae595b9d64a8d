"""Bytes to clean text: finds the encoding, mends mojibake, removes what can't be shown."""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import TYPE_CHECKING

import ftfy
from charset_normalizer import from_bytes
from ftfy.badness import is_bad

from kb.errors import UnreadableError

if TYPE_CHECKING:
    from ingest.readers.base import Source

MEBIBYTE = 1024 * 1024

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins with the UTF-16 mark, so it is asked first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(
    rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]+)|<meta[^>]{0,300}?charset\s*=\s*["']?\s*([\w.:-]+)""",
    re.IGNORECASE,
)
_DECLARATION_WITHIN = 4096
_SAMPLE = 64 * 1024  # charset-normalizer reads this much: the whole of a large file takes minutes
_STRAY_SHARE = 0.1  # of the characters beyond ASCII: above it the file is no damaged UTF-8

# Every other character of the classes Cc and Cf that no word needs; the joiners U+200C and U+200D
# stay since scripts and emoji need them. A line or paragraph separator is a newline.
_INVISIBLE = (
    "\ufeff\u00ad\u200b\u200e\u200f\u2060\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_REMOVED: dict[int, str | None] = dict.fromkeys(
    (*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000))
)
_REMOVED.update(dict.fromkeys(map(ord, _INVISIBLE)))
_REMOVED.update({ord("\t"): " ", ord("\n"): "\n", ord("\v"): "\n", ord("\f"): "\n"})
_REMOVED.update({0x85: "\n", 0x2028: "\n", 0x2029: "\n"})

_MOJIBAKE = ftfy.TextFixerConfig(
    unescape_html=False,
    remove_terminal_escapes=False,
    fix_encoding=True,
    fix_latin_ligatures=False,
    fix_character_width=False,
    uncurl_quotes=False,
    fix_line_breaks=False,
    remove_control_chars=False,
    normalization=None,
)
# What French and English text in Windows-1252 does not hold.
_FOREIGN = re.compile(
    "[^\\x00-\\x7f\\xa0àâäçéèêëîïôöùûüÿæœÀÂÄÇÉÈÊËÎÏÔÖÙÛÜŸÆŒ€£§°±²³«»‘’‚“”„–—…•·×†‡‰™©®¼½¾ªº´\\xad¿¡ñÑáíóúßÁÍÓÚ]"
)
_SPACES = re.compile(r"\s+")


def load(source: Source, limit: int) -> bytes:
    """Return the file's bytes.

    Raises:
        UnreadableError: The file is empty, can't be opened, or is larger than ``limit`` bytes.
    """
    try:
        with source.path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise UnreadableError(f"{source.name} can't be opened: {error.strerror}.") from error
    if len(data) > limit:
        message = f"{source.name} is larger than {limit // MEBIBYTE} MiB, the limit for its format."
        raise UnreadableError(f"{message} Split it into smaller files.")
    if not data.strip():
        raise UnreadableError(f"{source.name} is empty.")
    return data


def decode(data: bytes) -> str:
    """Return the text of ``data``, newlines normalised, without raising.

    Tried in turn: byte order mark, strict UTF-8, the encoding that an XML or HTML head declares,
    UTF-8 with a few stray bytes, the guess of charset-normalizer, Windows-1252.
    """
    return _unmarked(_decode(data)).replace("\r\n", "\n").replace("\r", "\n")


def tidy(text: str) -> str:
    """Return ``text`` in NFC with mojibake mended and without control characters but newline.

    Quotes, ligatures, widths and spaces stay as they are: only what an encoding error made is
    changed (``Ã©`` to ``é``).
    """
    if not text.isascii() and is_bad(text):
        text = ftfy.fix_text(text, _MOJIBAKE)
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_REMOVED)
    return unicodedata.normalize("NFC", text)


def squash(text: str) -> str:
    """Return ``text`` on one line, each run of white space (no-break too) as one plain space."""
    return _SPACES.sub(" ", text).strip()


def _decode(data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    return _declared(data) or _damaged(data) or _guessed(data)


def _declared(data: bytes) -> str | None:
    """Decode as the head says; Latin-1 means Windows-1252, as every browser has it (WHATWG)."""
    found = _DECLARED.search(data[:_DECLARATION_WITHIN])
    if not found:
        return None
    try:
        encoding = codecs.lookup((found[1] or found[2]).decode("ascii")).name
    except LookupError:
        return None
    if encoding in {"iso8859-1", "ascii", "cp1252"}:
        return data.decode("cp1252", errors="kb.latin1")
    try:
        return data.decode(encoding)
    except (UnicodeError, TypeError, AttributeError, LookupError):
        return None


def _damaged(data: bytes) -> str | None:
    """Decode UTF-8 in which a few bytes of Windows-1252 were pasted, or nothing."""
    strays = 0

    def stray(error: UnicodeError) -> tuple[str, int]:
        nonlocal strays
        if not isinstance(error, UnicodeDecodeError):
            raise error
        strays += 1
        return error.object[error.start : error.end].decode("cp1252", "kb.latin1"), error.end

    codecs.register_error("kb.stray", stray)
    text = data.decode("utf-8", errors="kb.stray")
    beyond_ascii = sum(1 for char in text if char > "\x7f")
    return text if strays <= _STRAY_SHARE * beyond_ascii else None


def _guessed(data: bytes) -> str:
    """Decode as Windows-1252 where that gives French or English, else as charset-normalizer says.

    The guess alone took short French texts for Central European ("prętée" for "prêtée").
    """
    western = data.decode("cp1252", errors="kb.latin1")
    if not _FOREIGN.search(western):
        return western
    best = from_bytes(data[:_SAMPLE]).best()
    try:
        return data.decode(best.encoding) if best else western
    except (UnicodeError, LookupError):
        return western


def _unmarked(text: str) -> str:
    return text.removeprefix("\ufeff")


def _latin1(error: UnicodeError) -> tuple[str, int]:
    """Read the five bytes that Windows-1252 leaves undefined as Latin-1 does."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("kb.latin1", _latin1)

"""Names of files that others state (an answer's header, an upload), made safe to write under."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_BYTES: Final = 200

_LONGEST_SUFFIX = 20
_SEPARATORS = re.compile(r"[/\\]")
_NOT_EVERYWHERE = re.compile(r'[<>:"|?*]')  # Windows takes none of these
# Names that mean something else than a document: devices on Windows, and what states metadata.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?|metadata\.ya?ml", re.IGNORECASE)


def safe_name(stated: str, default: str = "document") -> str:
    """Make a name that can be written in any folder, and stays in it, of one that others state.

    It is one part of a path, at most ``MAX_BYTES`` long in UTF-8, without control and format signs,
    begins with no dot, and is never that of a ``metadata.yaml``. Its suffix is kept.
    """
    printable = "".join(sign for sign in stated if sign.isspace() or not _is_hidden(sign))
    last = _SEPARATORS.split(unicodedata.normalize("NFC", printable))[-1]
    words = " ".join(_NOT_EVERYWHERE.sub("_", last).split())
    # Names that begin with a dot or with ~$ are passed over when folders are read.
    name = words.lstrip(". ~$").rstrip(". ") or default
    if _RESERVED.fullmatch(name):
        name = f"file-{name}"
    return _shortened(name)


def _is_hidden(sign: str) -> bool:
    """Whether a sign is a control or format sign, a lone surrogate, or none at all."""
    return unicodedata.category(sign).startswith("C")


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAX_BYTES:
        return name
    stem, dot, suffix = name.rpartition(".")
    end = f"{dot}{suffix}" if stem and len(suffix.encode()) <= _LONGEST_SUFFIX else ""
    kept = (stem if end else name).encode()[: MAX_BYTES - len(end.encode())]
    return kept.decode(errors="ignore").rstrip(". ") + end

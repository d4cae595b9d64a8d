"""Reads through pypdf what a PDF says about itself: metadata, page labels, bookmarks, encryption.

Every part is optional and often wrong, so a part that can't be read is left out. pypdf raises
errors of many kinds on damaged files, which is why they are caught broadly here and only here.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import pypdf
from pypdf.generic import Destination

from ingest.readers.act_metadata import consolidation
from ingest.readers.pdf.pages import clean
from kb.errors import UnreadableError
from kb.model import Metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_JUNK_TITLE = re.compile(
    r"^(?:untitled.*|sans titre.*|document\s*\d*|(?:microsoft\s+)?(?:word|powerpoint|excel)\s+-.*"
    r"|adobe photoshop pdf|blank|scan\w*[\s_-]*\d*|.*\.(?:docx?|pdf|indd|pptx?|xlsx?|odt|rtf|tex)"
    r"|slide \d+|title|titre|[\d_\s.-]+|.{1,3})$",
    re.IGNORECASE,
)
_JUNK_AUTHOR = re.compile(
    r"^(?:user|admin\w*|owner|unknown|author|auteur|pc|.*\b(?:user|utilisateur)\b.*|\W*)$",
    re.IGNORECASE,
)
_DOI = re.compile(r"\b(10\.\d{4,9}/[^\s\"<>|,;]+)")
_ELI = re.compile(r"(?:https?://)?data\.europa\.eu(/eli/[\w/.-]*\w)", re.IGNORECASE)
_MAX_BOOKMARKS = 5_000
_HEAD = 500


@dataclass(slots=True)
class Structure:
    """What a PDF says about itself.

    ``labels`` is empty where the file has no page labels of its own. ``outline`` holds, by
    0-based page, bookmarks with their depth (1 for the outermost). ``xfa`` says that it is a
    form whose pages only Adobe's programs can draw.
    """

    metadata: Metadata = field(default_factory=Metadata)
    labels: list[str] = field(default_factory=list)
    outline: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    password: str | None = None
    xfa: bool = False


def read_structure(path: Path, name: str, password: str | None, today: date) -> Structure:
    """Read what the file says about itself.

    Raises:
        UnreadableError: The file is encrypted and neither the empty password nor the one given
            opens it.
    """
    # It reports every repair of a damaged file, which our own message sums up.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    structure = Structure()
    try:
        reader = pypdf.PdfReader(path)
        encrypted = reader.is_encrypted
    except Exception:  # noqa: BLE001 -- see the module's docstring
        return structure
    if encrypted:
        structure.password = _unlock(reader, name, password)
    with suppress(Exception):
        structure.metadata = _metadata(reader, name, today)
    with suppress(Exception):
        if "/PageLabels" in reader.root_object:
            structure.labels = list(reader.page_labels)
    with suppress(Exception):
        _add_bookmarks(reader, reader.outline, 1, structure.outline)
    with suppress(Exception):
        form: Any = reader.root_object.get("/AcroForm")
        structure.xfa = form is not None and "/XFA" in form.get_object()
    with suppress(Exception):
        structure.xfa = structure.xfa or bool(reader.root_object.get("/NeedsRendering"))
    return structure


def _unlock(reader: pypdf.PdfReader, name: str, password: str | None) -> str | None:
    """Return the password that opens the file, None for the empty one."""
    for attempt in ("", password):
        if attempt is None:
            continue
        try:
            opened = bool(reader.decrypt(attempt))
        except Exception:  # noqa: BLE001 -- see the module's docstring; PDFium may still know it
            return password
        if opened:
            return attempt or None
    said = "the password given does not open it" if password else "it needs a password"
    raise UnreadableError(
        f"{name}: the PDF is encrypted and {said}. Give its password with --password, or save a "
        "copy without one."
    )


def _metadata(reader: pypdf.PdfReader, name: str, today: date) -> Metadata:
    info: Any = {}
    with suppress(Exception):
        info = reader.metadata or {}
    xmp: Any = None
    with suppress(Exception):
        xmp = reader.xmp_metadata
    titles = [_string(info, "/Title"), *_xmp_texts(xmp, "dc_title")]
    authors = [_string(info, "/Author"), *_xmp_texts(xmp, "dc_creator")]
    language = None
    with suppress(Exception):
        language = str(reader.root_object.get("/Lang") or "")
    return Metadata(
        title=next((t for t in titles if is_title(t, name)), None),
        authors=_authors(authors),
        published=_published(info, today),
        language=_language(language or ""),
        doi=find_doi(" ".join([*_xmp_texts(xmp, "dc_identifier"), _string(info, "/doi")])),
    )


def is_title(title: str, name: str) -> bool:
    """Whether a title names the work, rather than the program or the file that it came from."""
    stem = name.rpartition(".")[0] or name
    return bool(title) and not _JUNK_TITLE.match(title) and title.lower() != stem.lower()


def _string(info: Any, key: str) -> str:
    with suppress(Exception):
        value = info.get(key)
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        return _tidy(str(value)) if value is not None else ""
    return ""


def _tidy(text: str) -> str:
    return " ".join(clean(word) for word in text.replace("\x00", "").split()).strip()


def _xmp_texts(xmp: Any, name: str) -> list[str]:
    with suppress(Exception):
        value = getattr(xmp, name)
        if isinstance(value, str):
            return [_tidy(value)]
        values: Iterable[Any] = value.values() if isinstance(value, dict) else value or ()
        return [_tidy(str(part)) for part in values]
    return []


def _authors(stated: Sequence[str]) -> tuple[str, ...]:
    for line in stated:
        names = [part.strip() for part in re.split(r"\s*;\s*|\s+and\s+|\s+et\s+", line)]
        names = [part for part in names if part and not _JUNK_AUTHOR.match(part)]
        if names:
            return tuple(dict.fromkeys(names))
    return ()


def _published(info: Any, today: date) -> date | None:
    """Return the day the file was made, unless a clock that was never set wrote it."""
    match = re.match(r"D?:?\s*(\d{4})-?(\d{2})-?(\d{2})", _string(info, "/CreationDate"))
    if not match:
        return None
    with suppress(ValueError):
        day = date(int(match[1]), int(match[2]), int(match[3]))
        if date(1993, 1, 2) <= day <= today:
            return day
    return None


def _language(tag: str) -> str | None:
    code = re.split(r"[-_]", tag.strip().lower())[0]
    return code if re.fullmatch(r"[a-z]{2}", code) else None


def find_doi(text: str) -> str | None:
    """Return the first DOI in a text, without the punctuation that ends its sentence."""
    match = _DOI.search(text)
    return match[1].rstrip(".)]}’'") if match else None


def find_identifiers(text: str) -> Metadata:
    """Return the DOI, the ELI and the consolidated act that the head of a first page names.

    What is named further down is some other document: a note that cites an act is not that act.
    """
    text = text[:_HEAD]
    eli, state = _ELI.search(text), consolidation(text)
    return Metadata(
        doi=find_doi(text),
        celex=state.celex if state else None,
        version_date=state.day if state else None,
        eli=f"http://data.europa.eu{eli[1]}" if eli else None,
    )


def _add_bookmarks(
    reader: pypdf.PdfReader,
    entries: Sequence[Any],
    depth: int,
    outline: dict[int, list[tuple[int, str]]],
) -> None:
    if depth > 12:  # noqa: PLR2004 -- a loop in the file
        return
    for entry in entries:
        if isinstance(entry, list):
            _add_bookmarks(reader, entry, depth + 1, outline)
        elif isinstance(entry, Destination) and len(outline) < _MAX_BOOKMARKS:
            with suppress(Exception):
                page = reader.get_destination_page_number(entry)
                title = _tidy(entry.title or "")
                if page is not None and page >= 0 and title:
                    outline.setdefault(page, []).append((depth, title))

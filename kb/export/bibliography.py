"""Bibliographies for reference managers: BibTeX, RIS and CSL-JSON.

The entries are those of Patashnik's BibTeX (1988, with ``url`` and the like of biblatex), of the
RIS specification of Research Information Systems, and of the schema of CSL 1.0.2.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from kb.export.entries import Entry, EntryType, entries

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from kb.briefs.model import Dossier

_CSL_TYPES: Final[Mapping[EntryType, str]] = {
    EntryType.LAW: "legislation",
    EntryType.CASE: "legal_case",
    EntryType.REPORT: "report",
    EntryType.ARTICLE: "article",  # published by itself: of a journal nothing is known
    EntryType.WEBPAGE: "webpage",
    EntryType.DOCUMENT: "document",
}
_RIS_TYPES: Final[Mapping[EntryType, str]] = {
    EntryType.LAW: "STAT",
    EntryType.CASE: "CASE",
    EntryType.REPORT: "RPRT",
    EntryType.ARTICLE: "UNPB",  # as above
    EntryType.WEBPAGE: "ELEC",
    EntryType.DOCUMENT: "GEN",
}
# BibTeX counts every brace, also one behind a backslash: a single one has to be written in words.
_TEX: Final[Mapping[str, str]] = {
    **{sign: f"\\{sign}" for sign in "%&#_$"},
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
# What fonts make one sign of: dashes, quotation marks, guillemets, turned question marks.
_LIGATURE: Final = re.compile(r"([-'`,<>])(?=\1)|[?!](?=`)")
_TEX_LANGUAGES: Final = {"fr": "french", "en": "english"}


def to_csl_json(dossier: Dossier, base_url: str = "") -> bytes:
    """Write what a dossier quotes as CSL-JSON in UTF-8."""
    listed = [_csl(entry) for entry in entries(dossier, base_url)]
    return (json.dumps(listed, ensure_ascii=False, indent=2) + "\n").encode()


def to_ris(dossier: Dossier, base_url: str = "") -> bytes:
    """Write what a dossier quotes as RIS in UTF-8."""
    return "\r\n".join(_ris(entry) for entry in entries(dossier, base_url)).encode()


def to_bibtex(dossier: Dossier, base_url: str = "") -> bytes:
    """Write what a dossier quotes as BibTeX in UTF-8."""
    return "\n".join(_bibtex(entry) for entry in entries(dossier, base_url)).encode()


def _csl(entry: Entry) -> dict[str, Any]:
    said: dict[str, Any] = {
        "id": entry.key,
        "type": _CSL_TYPES[entry.type],
        "title": entry.title,
        "author": [{"literal": name} for name in _authors(entry)],
        "publisher": entry.issuer,
        "issued": _date_parts(entry.issued),
        "accessed": _date_parts(entry.accessed),
        "version": entry.version and entry.version.isoformat(),
        "number": entry.number,
        "language": entry.language,
        "DOI": entry.doi,
        "URL": entry.url,
        "note": _note(entry),
    }
    return {name: value for name, value in said.items() if value}


def _date_parts(day: date | None) -> dict[str, Any] | None:
    return None if day is None else {"date-parts": [[day.year, day.month, day.day]]}


def _ris(entry: Entry) -> str:
    # A comma parts a family name from a first name: the name of an institution that has one would
    # be split. Then it is the publisher alone.
    authors = [name for name in _authors(entry) if "," not in name or name != entry.issuer]
    issued = entry.issued
    said = [
        ("TY", _RIS_TYPES[entry.type]),
        ("ID", entry.key),
        ("TI", entry.title),
        *(("AU", name) for name in authors),
        ("PB", entry.issuer),
        ("PY", issued and str(issued.year)),
        ("DA", issued and issued.strftime("%Y/%m/%d")),
        ("Y2", entry.accessed.strftime("%Y/%m/%d")),
        ("ET", entry.version and entry.version.isoformat()),
        ("M1", entry.number),
        ("LA", entry.language),
        ("DO", entry.doi),
        ("UR", entry.url),
        ("N1", _note(entry)),
    ]
    lines = [f"{tag}  - {value}" for tag, value in said if value]
    return "\r\n".join([*lines, "ER  - ", ""])


def _bibtex(entry: Entry) -> str:
    report = entry.type is EntryType.REPORT and entry.issuer
    issued = entry.issued
    said = {
        # The inner braces keep capitals, and names in one piece.
        "title": f"{{{_tex(entry.title)}}}",
        "author": " and ".join(f"{{{_tex(name)}}}" for name in _authors(entry)),
        "institution" if report else "organization": entry.issuer and f"{{{_tex(entry.issuer)}}}",
        "year": issued and str(issued.year),
        "date": issued and issued.isoformat(),
        "version": entry.version and entry.version.isoformat(),
        "number": _tex(entry.number),
        "langid": _TEX_LANGUAGES.get(entry.language, ""),
        "language": entry.language,
        "doi": _verbatim(entry.doi),
        "url": _verbatim(entry.url),
        "urldate": entry.accessed.isoformat(),
        "note": _tex(_note(entry)),
    }
    lines = [f"  {name} = {{{value}}},\n" for name, value in said.items() if value]
    return f"@{'techreport' if report else 'misc'}{{{entry.key},\n{''.join(lines)}}}\n"


def _authors(entry: Entry) -> tuple[str, ...]:
    """Who wrote it; the institution answers for what names nobody."""
    return entry.authors or ((entry.issuer,) if entry.issuer else ())


def _note(entry: Entry) -> str:
    return f"ELI: {entry.eli}" if entry.eli and entry.eli != entry.url else ""


def _tex(text: str) -> str:
    return _LIGATURE.sub(r"\g<0>{}", "".join(_TEX.get(sign, sign) for sign in text))


def _verbatim(text: str) -> str:
    """An address as TeX reads addresses: sign by sign, but for braces, which it counts."""
    return re.sub(r"[{}\\]", lambda sign: f"%{ord(sign[0]):02X}", text)

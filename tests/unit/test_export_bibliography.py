"""Bibliographies, read by libraries that know nothing of how they were written."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
import rispy
from bibtexparser.entrypoint import parse_string
from bibtexparser.middlewares import LatexDecodingMiddleware, SeparateCoAuthors, SplitNameParts
from citeproc import (
    Citation,
    CitationItem,
    CitationStylesBibliography,
    CitationStylesStyle,
    formatter,
)
from citeproc.source.json import CiteProcJSON
from exports_making import ENGLISH, HOSTILE, document, dossier, everything, missing, page, quoted
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pylatexenc.latex2text import (
    LatexNodes2Text,
    MacroTextSpec,
    get_default_latex_context_db,
)

from kb.export.bibliography import to_bibtex, to_csl_json, to_ris
from kb.export.told import clean
from kb.model import Kind

if TYPE_CHECKING:
    from kb.briefs.model import Dossier
    from kb.model import Document

LAW: dict[str, Any] = {
    "title": "Règlement (UE) 2023/2831 : aides de minimis",
    "issuer": "Commission européenne",
    "published": date(2023, 12, 13),
    "version_date": date(2024, 1, 1),
    "celex": "32023R2831",
    "eli": "http://data.europa.eu/eli/reg/2023/2831/oj",
    "url": "https://eur-lex.europa.eu/legal-content/FR/TXT/?uri=CELEX:32023R2831",
}
# Any signs, and more of those that mean something to TeX, RIS or JSON.
WORDS = st.one_of(
    st.text(alphabet=st.characters(codec="utf-8"), min_size=1),
    st.text(alphabet=" \n\\{}%&#_$~^<>|\"'`,-!?=@A1é", min_size=1, max_size=40),
)


def _decoder() -> LatexNodes2Text:
    """A reader of LaTeX that also knows the macros of ASCII signs, which pylatexenc 2.11 lacks."""
    known = get_default_latex_context_db()
    signs = {"textbraceleft": "{", "textbraceright": "}", "textasciicircum": "^"}
    macros = [MacroTextSpec(name, sign) for name, sign in signs.items()]
    known.add_context_category("signs", macros=macros, prepend=True)
    return LatexNodes2Text(latex_context=known, keep_comments=True, strict_latex_spaces=True)


DECODER = _decoder()


def _bibtex(export: Dossier) -> list[dict[str, str]]:
    """Entries as bibtexparser reads them, braces and LaTeX undone."""
    library = parse_string(
        to_bibtex(export).decode(), append_middleware=[LatexDecodingMiddleware(decoder=DECODER)]
    )
    assert library.failed_blocks == []
    return [
        {"type": entry.entry_type, "key": entry.key}
        | {name: field.value for name, field in entry.fields_dict.items()}
        for entry in library.entries
    ]


def _ris(export: Dossier) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rispy.loads(to_ris(export).decode())
    return found


def _csl(export: Dossier) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(to_csl_json(export))
    return found


def test_every_version_that_is_quoted_is_one_entry() -> None:
    """However often it is quoted; what is missing is none, and keys are always the same."""
    first, second = document(version=1), document(version=2)
    export = dossier(
        quoted(of=second), quoted(of=first), missing(), quoted("other", page(9), of=second)
    )
    keys = ["garantie-fr-v2", "garantie-fr-v1"]
    assert [entry["key"] for entry in _bibtex(export)] == keys
    assert [entry["id"] for entry in _ris(export)] == keys
    assert [entry["id"] for entry in _csl(export)] == keys
    assert to_bibtex(export) == to_bibtex(export)


def test_a_law_says_what_it_is_known_by() -> None:
    """CELEX number, ELI, version, and the day on which its text came into the base."""
    export = dossier(quoted(of=document("32023R2831-fr", kind=Kind.POLICY, **LAW)))
    [bibtex], [ris], [csl] = _bibtex(export), _ris(export), _csl(export)
    assert csl == {
        "id": "32023R2831-fr-v1",
        "type": "legislation",
        "title": LAW["title"],
        "author": [{"literal": "Commission européenne"}],
        "publisher": "Commission européenne",
        "issued": {"date-parts": [[2023, 12, 13]]},
        "accessed": {"date-parts": [[2026, 2, 4]]},
        "version": "2024-01-01",
        "number": "32023R2831",
        "language": "fr",
        "URL": LAW["url"],
        "note": f"ELI: {LAW['eli']}",
    }
    assert (bibtex["type"], bibtex["title"]) == ("misc", LAW["title"])
    assert (bibtex["number"], bibtex["langid"]) == ("32023R2831", "french")
    assert (bibtex["url"], bibtex["urldate"]) == (LAW["url"], "2026-02-04")
    assert (bibtex["date"], bibtex["version"]) == ("2023-12-13", "2024-01-01")
    assert bibtex["note"] == f"ELI: {LAW['eli']}"
    assert (ris["type_of_reference"], ris["title"]) == ("STAT", LAW["title"])
    assert (ris["year"], ris["access_date"]) == ("2023", "2026/02/04")
    assert ris["urls"] == [LAW["url"]]


@pytest.mark.parametrize(
    ("source", "bibtex", "ris", "csl"),
    [
        (document(), "techreport", "RPRT", "report"),
        (document(issuer=None), "misc", "RPRT", "report"),
        (document(doi="10.1234/a_b"), "misc", "UNPB", "article"),
        (document(celex="32023R2831"), "misc", "STAT", "legislation"),
        (document(celex="02014R0651-20230701"), "misc", "STAT", "legislation"),
        (document(celex="62019CJ0042"), "misc", "CASE", "legal_case"),
        (document(celex="52021DC0778"), "techreport", "RPRT", "report"),
        (document(eli="http://data.europa.eu/eli/x"), "misc", "STAT", "legislation"),
        (document(kind=Kind.CALL, identifier="LIFE-2026"), "misc", "ELEC", "webpage"),
        (document(kind=Kind.NOTE), "misc", "GEN", "document"),
    ],
)
def test_the_type_is_that_of_the_document(
    source: Document, bibtex: str, ris: str, csl: str
) -> None:
    """Laws, judgments, reports, calls and notes are told apart."""
    export = dossier(quoted(of=source))
    assert _bibtex(export)[0]["type"] == bibtex
    assert _ris(export)[0]["type_of_reference"] == ris
    assert _csl(export)[0]["type"] == csl


def test_an_institution_keeps_its_name_in_one_piece() -> None:
    """Also one with a comma or an "and"; in RIS it is then the publisher alone."""
    name = "Ministère de l'Économie, des Finances and Others"
    export = dossier(quoted(of=document(issuer=name)), quoted(ENGLISH, of=document("other")))
    raw = parse_string(
        to_bibtex(export).decode(),
        append_middleware=[
            SeparateCoAuthors(),
            SplitNameParts(),
        ],
    )
    [part] = raw.entries[0]["author"]
    assert (part.first, part.last) == ([], [f"{{{name}}}"])
    assert _csl(export)[0]["author"] == [{"literal": name}]
    first, second = _ris(export)
    assert "authors" not in first
    assert first["publisher"] == name
    assert second["authors"] == ["Opération Milliard"]


def test_a_source_without_an_address_is_found_by_its_doi_or_in_the_service() -> None:
    """Or has none."""
    assert _csl(dossier(quoted(of=document(doi="10.1/x"))))[0]["URL"] == "https://doi.org/10.1/x"
    assert "URL" not in _csl(dossier(quoted()))[0]
    [entry] = json.loads(to_csl_json(dossier(quoted()), "https://kb.example"))
    assert entry["URL"].startswith("https://kb.example/documents/garantie-fr/pages/4?version=1")


@settings(max_examples=200, deadline=None)
@given(WORDS)
@example(HOSTILE)
@example("a -- b --- ``c'' ?` <<d>> ,,e")
@example("\\'e \\\\ {\\%} }{ %\n@article{x,")
def test_a_title_comes_back_as_it_was(title: str) -> None:
    """From every format, but for what no line can hold."""
    shown = clean(title)
    if not shown:
        return
    export = dossier(quoted(of=document(title=title)))
    assert _bibtex(export)[0]["title"] == shown
    assert _ris(export)[0]["title"] == shown
    assert _csl(export)[0]["title"] == shown


def test_a_citation_style_writes_it_out() -> None:
    """A processor of CSL finds author, title, day and address."""
    export = dossier(*everything().blocks, quoted(of=document("law", kind=Kind.POLICY, **LAW)))
    source = CiteProcJSON(_csl(export))
    style = CitationStylesStyle("harvard-cite-them-right", validate=False)
    bibliography = CitationStylesBibliography(style, source, formatter.plain)
    bibliography.register(Citation([CitationItem(key) for key in source]))
    written = " ".join(map(str, bibliography.bibliography()))
    for part in ("Opération Milliard", "Guaranteeing equity", "(2026)", "example.org/a_guarantee"):
        assert part in written


def test_nothing_quoted_is_an_empty_bibliography() -> None:
    """Which every format can be."""
    assert _bibtex(dossier()) == []
    assert _ris(dossier()) == []
    assert _csl(dossier()) == []

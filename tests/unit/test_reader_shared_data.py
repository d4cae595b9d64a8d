"""Real acts and pages, where they are at hand: every file is read or refused in plain words."""

from __future__ import annotations

import os
import unicodedata
from functools import cache
from pathlib import Path

import pytest

from ingest.readers import reader_for
from ingest.readers.base import Source
from kb.errors import UnreadableError
from kb.model import Parsed, Role

DATA = Path(
    os.environ.get("KB_SHARED_DATA") or Path(__file__).parents[2].parent / "shared" / "data"
)
LAW = DATA / "law" / "eurlex"
FOLDERS = ("law", "text", "apis/cellar", "calls/aides-territoires-2021", "pdf")

pytestmark = pytest.mark.skipif(not LAW.is_dir(), reason=f"no shared data in {DATA}")


@cache
def parsed(relative: str) -> Parsed:
    """Return what the file says."""
    path = DATA / relative
    with path.open("rb") as file:
        source = Source(path, path.name, file.read(65536))
    return reader_for(source).read(source)


def formex(relative: str) -> str:
    """Return the Formex rendition beside a consolidated text."""
    folder = (DATA / relative).with_suffix(".fmx4")
    return str(next(folder.glob("*.0001.xml")).relative_to(DATA))


FILES = [
    path.relative_to(DATA).as_posix()
    for folder in FOLDERS
    for path in sorted((DATA / folder).rglob("*"))
    if path.is_file() and path.suffix != ".pdf"
]
CONSOLIDATED = [each for each in FILES if each.endswith(("/en.html", "/fr.html"))]


@pytest.mark.parametrize("relative", FILES)
def test_every_file_is_read_or_refused_in_plain_words(relative: str) -> None:
    """Every file is read or refused in plain words."""
    try:
        result = parsed(relative)
    except UnreadableError as error:
        assert Path(relative).name in str(error)  # noqa: PT017 -- either outcome is right
        return
    for page in result.pages:
        assert unicodedata.is_normalized("NFC", page.text)
        assert not {"►", "▼", "◄", "\u00a0", "\ue000", "\ue001"} & set(page.text)
        for block in page.blocks:
            words = page.text[block.start : block.end]
            assert words == words.strip() != ""


@pytest.mark.parametrize("relative", CONSOLIDATED)
def test_formex_and_xhtml_of_an_act_read_alike(relative: str) -> None:
    """All but a few sections are the same (annexes with pictures and code tables differ)."""
    xhtml, xml = parsed(relative), parsed(formex(relative))
    assert xhtml.metadata == xml.metadata
    assert [page.label for page in xhtml.pages] == [page.label for page in xml.pages]
    differing = [a.label for a, b in zip(xhtml.pages, xml.pages, strict=True) if a.text != b.text]
    assert len(differing) <= 3


@pytest.mark.parametrize(
    ("language", "amount", "title"),
    [
        ("en", "exceed EUR 300 000 over", "De minimis aid"),
        ("fr", "excéder 300 000 EUR sur", "Aides de minimis"),
    ],
)
def test_the_ceiling_of_small_aid_stands_in_article_3(
    language: str, amount: str, title: str
) -> None:
    """The ceiling of small aid stands in article 3."""
    relative = f"law/eurlex/32023r2831/2023-12-13/{language}.xml"
    page = next(page for page in parsed(relative).pages if page.label == "Article 3")
    assert amount in page.text
    assert page.blocks[-1].path == (f"Article 3 — {title}",)


def test_point_17_is_one_block_in_every_format() -> None:
    """Point 17 is one block in every format."""
    renditions = [
        "law/eurlex/32019r2088/2019-11-27/en.xml",
        "law/eurlex/32019r2088/2026-07-02/en.html",
    ]
    found = []
    for relative in (*renditions, formex(renditions[1])):
        page = next(page for page in parsed(relative).pages if page.label == "Article 2")
        blocks = [page.text[block.start : block.end] for block in page.blocks]
        found.append(next(each for each in blocks if each.startswith("(17) ‘sustainable")))
    assert found[0].endswith("tax compliance;")
    assert len(set(found)) == 1


def test_what_was_deleted_is_in_no_rendition() -> None:
    """What was deleted is in no rendition."""
    relative = "law/eurlex/32014r0651/2023-07-01/en.html"
    for each in (relative, formex(relative)):
        labels = [page.label for page in parsed(each).pages]
        assert "Article 36a" in labels
        assert not {"Article 37", "Article 40"} & set(labels)


@pytest.mark.parametrize(
    ("relative", "celex", "version"),
    [
        ("law/eurlex/32014r0651/2023-07-01/fr.html", "32014R0651", "2023-07-01"),
        ("law/eurlex/32014r0651/2014-06-17/fr.xml", "32014R0651", "2014-06-17"),
        ("law/eurlex/32014l0024/2014-02-26/en.xml", "32014L0024", "2014-02-26"),
        ("law/eurlex/32020r1503/2020-10-07/fr.xml", "32020R1503", "2020-10-07"),
    ],
)
def test_acts_know_their_number_and_version(relative: str, celex: str, version: str) -> None:
    """Acts know their number and version."""
    facts = parsed(relative).metadata
    assert (facts.celex, str(facts.version_date)) == (celex, version)


def test_a_manifest_is_refused_as_one() -> None:
    """A manifest is refused as one."""
    manifest = next((LAW / "32019r2088").rglob("*.doc.xml")).relative_to(DATA)
    with pytest.raises(UnreadableError, match="manifest that describes 32019R2088"):
        parsed(str(manifest))


def test_a_legislative_file_keeps_accents_and_loses_menus() -> None:
    """A legislative file keeps accents and loses menus."""
    text = parsed("law/assemblee-dossiers/15_engagement_association.html").pages[0].text
    assert "déposée le 4 avril 2018" in text
    assert "Plan du site" not in text


def test_a_manuscript_keeps_headings_tables_and_notes() -> None:
    """A manuscript keeps headings tables and notes."""
    name = "text/chaudhry_heiss_dynamics_of_international_giving_manuscript.md"
    blocks = [block for page in parsed(name).pages for block in page.blocks]
    roles = [block.role for block in blocks]
    assert roles.count(Role.NOTE) > 5
    assert roles.count(Role.TABLE) > 15
    assert not any("[@" in page.text or "[^" in page.text for page in parsed(name).pages)

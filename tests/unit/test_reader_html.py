"""Web pages lose their menus and keep their words."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from ingest.readers.base import Source
from ingest.readers.html import HtmlReader
from kb.errors import UnreadableError
from kb.model import Role

if TYPE_CHECKING:
    from pathlib import Path

    from kb.model import Parsed

SENTENCE = "L’association prête une échelle à toute personne qui en fait la demande écrite. "
PAGE = f"""<!DOCTYPE html><html lang="fr-FR"><head><title>Échelles - Site</title>
<meta property="og:title" content="Les échelles"><meta name="author" content="Ada Rung">
<meta property="article:published_time" content="2031-05-04T10:00:00Z">
<meta property="og:site_name" content="Ladder Union">
<link rel="canonical" href="https://example.org/echelles"></head><body>
<nav><ul><li><a href="/">Accueil</a></li><li><a href="/plan">Plan du site</a></li></ul></nav>
<main><h1>Les échelles</h1><p>{SENTENCE * 3}</p><h2>Prêt</h2>
<p>Le prêt dure <b>3</b> mo<i>is</i> ; il est <a href="x">gratuit</a>. {SENTENCE}</p>
<ol><li>Demander une échelle au dépôt.</li><li>La rendre propre et sèche.</li></ol>
<h2>Tailles</h2><p>{SENTENCE}</p><table><tr><th>Taille</th><th>Mètres</th></tr>
<tr><td>Petite</td><td>2</td></tr></table></main>
<footer><p>Mentions légales</p></footer><script>alert("non")</script></body></html>"""


def read(folder: Path, page: str | bytes) -> Parsed:
    """Read a file of these contents."""
    path = folder / "page.html"
    path.write_bytes(page.encode() if isinstance(page, str) else page)
    return HtmlReader().read(Source(path, path.name, path.read_bytes()[:65536]))


def test_main_text_without_menus_in_sections(tmp_path: Path) -> None:
    """Main text without menus in sections."""
    parsed = read(tmp_path, PAGE)
    text = "\n".join(page.text for page in parsed.pages)
    assert len(parsed.pages) == 3
    assert not [word for word in ("Accueil", "Plan du site", "Mentions", "alert") if word in text]
    assert "Le prêt dure 3 mois ; il est gratuit." in text
    assert [page.blocks[-1].path[-1] for page in parsed.pages] == [
        "Les échelles",
        "Prêt",
        "Tailles",
    ]


def test_numbered_points_keep_the_number_shown(tmp_path: Path) -> None:
    """Numbered points keep the number shown."""
    assert "2. La rendre propre et sèche." in read(tmp_path, PAGE).pages[1].text


def test_tables_become_rows_under_their_header(tmp_path: Path) -> None:
    """Tables become rows under their header."""
    page = read(tmp_path, PAGE).pages[2]
    assert page.text.endswith("Taille | Mètres\nPetite | 2")
    assert page.blocks[-1].role is Role.TABLE
    assert page.blocks[-1].header


def test_the_head_states_the_metadata(tmp_path: Path) -> None:
    """The head states the metadata."""
    facts = read(tmp_path, PAGE).metadata
    assert (facts.title, facts.authors, facts.issuer) == (
        "Les échelles",
        ("Ada Rung",),
        "Ladder Union",
    )
    assert (facts.published, facts.language) == (date(2031, 5, 4), "fr")
    assert facts.url == "https://example.org/echelles"


def test_no_date_is_guessed(tmp_path: Path) -> None:
    """No date is guessed."""
    assert (
        read(
            tmp_path, f"<html><body><p>Le 3 mai 2020. {SENTENCE * 4}</p></body></html>"
        ).metadata.published
        is None
    )


def test_a_latin_1_page_laid_out_by_tables_keeps_its_accents(tmp_path: Path) -> None:
    """A latin 1 page laid out by tables keeps its accents."""
    page = f"""<html><head><meta http-equiv="Content-Type" content="text/html; charset=ISO-8859-1">
<title>Dossier</title></head><body><table><tr><td><font>Travaux pr&eacute;paratoires<br><br>
{SENTENCE * 2}<br>Adopté le 5 mai
, en séance.</font></td></tr></table></body></html>"""
    text = read(tmp_path, page.encode("cp1252")).pages[0].text
    assert "Travaux préparatoires" in text
    assert "échelle à toute personne" in text
    assert "Adopté le 5 mai, en séance." in text


def test_a_tiny_page_is_read_whole(tmp_path: Path) -> None:
    """A tiny page is read whole."""
    assert read(tmp_path, "<html><body><div>Gone.</div></body></html>").pages[0].text == "Gone."


@pytest.mark.parametrize(
    "page", ["<html></html>", "<html><body><nav>Menu</nav></body></html>", "<!-- -->"]
)
def test_a_page_without_words_is_unreadable(tmp_path: Path, page: str) -> None:
    """A page without words is unreadable."""
    with pytest.raises(UnreadableError):
        read(tmp_path, page)


def test_deep_nesting_ends(tmp_path: Path) -> None:
    """Deep nesting ends."""
    page = "<html><body>" + "<div>" * 20_000 + SENTENCE
    try:
        parsed = read(tmp_path, page)
    except UnreadableError as error:
        assert "page.html" in str(error)  # noqa: PT017 -- either outcome is right
    else:
        assert parsed.pages

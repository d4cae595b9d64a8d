"""EUR-Lex XHTML of both shapes becomes articles, points and rows."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from ingest.readers.act_metadata import act_metadata, consolidation
from ingest.readers.base import Source
from ingest.readers.eurlex import EurlexReader
from kb.errors import UnreadableError
from kb.model import Role

if TYPE_CHECKING:
    from pathlib import Path

    from kb.model import Page, Parsed

HEAD = '<?xml version="1.0" encoding="UTF-8"?><html xmlns="http://www.w3.org/1999/xhtml"><body>'
TITLE = """<p class="oj-hd-lg">EN</p><p class="oj-hd-date">6.5.2031</p>
<div class="eli-main-title"><p class="oj-doc-ti">
   COMMISSION REGULATION (EU) 2031/77</p><p class="oj-doc-ti">of 4 May 2031
</p><p class="oj-doc-ti">on the lending of <span class="oj-italic">ladders</span></p>
<p class="oj-doc-ti">(Text with EEA relevance)</p></div>"""


def point(marker: str, inner: str) -> str:
    """Return a point of a list as the Official Journal lays it out."""
    return f"""<table border="0"><col width="4%"/><tbody><tr>
  <td valign="top"><p class="oj-normal">{marker}</p></td><td valign="top">{inner}</td>
</tr></tbody></table>"""


def note(number: str) -> str:
    """Return the link to a note."""
    return f"""<a id="ntc{number}-L" href="#ntr{number}-L"
   >(<span class="oj-super oj-note-tag">{number}</span>)</a>"""


def paragraph(words: str) -> str:
    """Return a paragraph of the Official Journal."""
    return f'<p class="oj-normal">{words}</p>'


RECITALS = "".join(point(f"({n})", paragraph(f"Reason {n} for ladders.")) for n in range(1, 24))
QUOTED = """<p class="oj-ti-art">‘Article 9</p><p class="oj-sti-art">Steps</p>
<p class="oj-normal">Steps are low.’;</p>"""
JOURNAL = (
    HEAD
    + TITLE
    + f"""<div class="eli-subdivision" id="pbl_1"><p class="oj-normal">THE EUROPEAN COMMISSION,</p>
<p class="oj-normal">Having regard to the Treaty on Ladders {note("1")}, and to wood,</p>
<p class="oj-normal">Whereas:</p>
{RECITALS}
<p class="oj-normal">HAS ADOPTED THIS REGULATION:</p></div>
<div id="cpt_I"><p class="oj-ti-section-1">CHAPTER I</p><p class="oj-ti-section-2">
  <span class="oj-bold">LADDERS</span></p>
<p class="oj-ti-art">Article 1</p><div class="eli-title"><p class="oj-sti-art">Scope</p></div>
<p class="oj-normal">1.   A ladder of EUR&#160;300&#160;000 is long:</p>
{point("(a)", paragraph("it has rungs, namely:") + point("(i)", paragraph("a first rung;")))}
{point("(b)", f'<p class="oj-normal">it leans {note("2")} on a wall.</p>')}
<p class="oj-ti-art">Article 2</p><p class="oj-sti-art">Amendment</p>
<p class="oj-normal">The Stairs Regulation is amended:</p>
{point("(1)", paragraph("Article 9 is replaced:") + QUOTED)}
<p class="oj-normal">Done at Brussels, 4 May 2031.</p></div>
<p class="oj-note">
<a id="ntr1-L" href="#ntc1-L">(<span class="oj-super">1</span>)</a>  A note on wood.</p>
<div class="eli-container" id="anx_I"><p class="oj-doc-ti">ANNEX</p><p class="oj-doc-ti">LENGTHS</p>
<table border="0" class="oj-table"><tbody><tr class="oj-table"><td><p class="oj-tbl-hdr">Kind</p>
</td>
<td><p class="oj-tbl-hdr">Metres</p></td></tr><tr><td rowspan="2"><p class="oj-tbl-txt">Small</p>
</td>
<td><p class="oj-tbl-txt">2</p></td></tr><tr><td><p class="oj-tbl-txt">3</p></td></tr></tbody>
</table>
</div><p class="oj-normal">ELI: http://data.europa.eu/eli/reg/2031/77/oj</p></body></html>"""
)
CONSOLIDATED = (
    HEAD
    + """<p class="reference">02031R0077 — EN — 01.07.2033 — 002.001</p><hr class="separator"/>
<p class="disclaimer">A documentation tool.</p><table><tr><td><p class="arrow"><a href="x">►B</a>
</p></td>
<td><p class="title-doc-first">COMMISSION REGULATION (EU) 2031/77</p></td></tr></table>
<p class="hd-modifiers">Amended by:</p><table><tr><td><p class="toc-1">L 5</p></td></tr></table>
<hr class="separator"/><p class="arrow"><a href="x">▼B</a></p>
<p class="title-doc-first">COMMISSION REGULATION (EU) 2031/77</p>
<p class="title-doc-first">of 4 May 2031</p><p class="title-doc-last">on the lending of ladders</p>
<p class="title-division-1">CHAPTER I</p><p class="title-division-2">LADDERS</p>
<p class="title-article-norm">Article 1</p><p class="stitle-article-norm">Scope</p>
<div class="norm"><span class="no-parag">1.  </span><div class="norm inline-element">
<p class="norm inline-element">A ladder of EUR&#160;300&#160;000 is long:</p>
<div class="grid-container grid-list"><div class="list grid-list-column-1"><span>(a) </span></div>
<div class="grid-list-column-2"><p class="norm">it has rungs, namely:</p>
<div class="grid-container grid-list"><div class="list grid-list-column-1"><span>(i) </span></div>
<div class="grid-list-column-2"><p class="norm">a first rung;</p></div></div></div></div>
<p class="modref"><a href="x" title="REPLACED">▼M2</a> —————</p>
<div class="grid-container grid-list"><div class="list grid-list-column-1"><span>(b) </span></div>
<div class="grid-list-column-2"><p class="norm">it <span>
   <a href="x">
     <span class="boldface">►M1</span>
   </a>
 </span>&#160;leans<span class="boldface">&#160;◄ </span> (<a href="#E0001" id="src.E0001">
   <span class="superscript">1</span>
 </a>) on a wall.</p></div></div></div></div>
<hr class="separator-short"/><p class="footnote">(<a href="#src.E0001" id="E0001">
   <span class="superscript">1</span>
 </a>) A note on walls.</p></body></html>"""
)


def read(folder: Path, markup: str) -> Parsed:
    """Read a file of these contents."""
    path = folder / "act.xml"
    path.write_text(markup, encoding="utf-8")
    source = Source(path, path.name, path.read_bytes()[:65536])
    reader = EurlexReader()
    assert reader.accepts(source)
    return reader.read(source)


def words(page: Page) -> list[str]:
    """Return the texts of the page's blocks."""
    return [page.text[block.start : block.end] for block in page.blocks]


@pytest.fixture
def journal(tmp_path: Path) -> Parsed:
    """Return the act as the Official Journal prints it."""
    return read(tmp_path, JOURNAL)


@pytest.fixture
def consolidated(tmp_path: Path) -> Parsed:
    """Return the act as amended."""
    return read(tmp_path, CONSOLIDATED)


def test_sections_are_preamble_recitals_articles_annexes_notes(journal: Parsed) -> None:
    """Sections are preamble recitals articles annexes notes."""
    labels = [page.label for page in journal.pages]
    assert labels == [
        *(
            "Preamble",
            "recitals 1–20",
            "recitals 21–23",
            "Article 1",
            "Article 2",
            "ANNEX",
            "Notes",
        ),
    ]


def test_each_recital_is_a_block_with_its_number(journal: Parsed) -> None:
    """Each recital is a block with its number."""
    assert words(journal.pages[1])[:3] == [
        "Whereas:",
        "(1) Reason 1 for ladders.",
        "(2) Reason 2 for ladders.",
    ]
    assert words(journal.pages[2])[-1] == "HAS ADOPTED THIS REGULATION:"


def test_each_point_is_a_block_with_its_marker(journal: Parsed) -> None:
    """Each point is a block with its marker."""
    assert words(journal.pages[3])[4:] == [
        "1. A ladder of EUR 300 000 is long:",
        "(a) it has rungs, namely:",
        "(i) a first rung;",
        "(b) it leans on a wall.",
    ]


def test_blocks_know_their_chapter_and_article(journal: Parsed) -> None:
    """Blocks know their chapter and article."""
    assert journal.pages[3].blocks[-1].path == ("CHAPTER I — LADDERS", "Article 1 — Scope")
    roles = [block.role for block in journal.pages[3].blocks[:5]]
    assert roles == [Role.HEADING] * 4 + [Role.BODY]


def test_markers_of_notes_leave_no_trace_and_notes_stay(journal: Parsed) -> None:
    """Markers of notes leave no trace and notes stay."""
    assert "Having regard to the Treaty on Ladders, and to wood," in journal.pages[0].text
    assert words(journal.pages[-1]) == ["(1) A note on wood."]
    assert journal.pages[-1].blocks[0].role is Role.NOTE


def test_an_article_that_is_quoted_opens_no_section(journal: Parsed) -> None:
    """An article that is quoted opens no section."""
    assert words(journal.pages[4])[2:] == [
        "The Stairs Regulation is amended:",
        "(1) Article 9 is replaced:",
        "‘Article 9",
        "Steps",
        "Steps are low.’;",
        "Done at Brussels, 4 May 2031.",
    ]


def test_a_real_table_gives_rows_that_stand_alone(journal: Parsed) -> None:
    """A real table gives rows that stand alone."""
    annex = journal.pages[5]
    assert annex.text.endswith("Kind | Metres\nSmall | 2\nSmall | 3")
    header = annex.blocks[-1].header
    assert header
    assert annex.text[slice(*header)] == "Kind | Metres"
    assert annex.blocks[-1].path == ("ANNEX — LENGTHS",)


def test_the_title_says_what_the_act_is(journal: Parsed) -> None:
    """The title says what the act is."""
    facts = journal.metadata
    assert (
        facts.title == "COMMISSION REGULATION (EU) 2031/77 of 4 May 2031 on the lending of ladders"
    )
    assert (facts.celex, facts.language, facts.issuer) == (
        "32031R0077",
        "en",
        "European Commission",
    )
    assert facts.published == facts.version_date == date(2031, 5, 4)
    assert facts.url == "https://eur-lex.europa.eu/legal-content/EN/TXT/?uri=CELEX:32031R0077"
    assert facts.eli == "http://data.europa.eu/eli/reg/2031/77/oj"


def test_the_imprint_is_left_out(journal: Parsed) -> None:
    """The imprint is left out."""
    assert not any("ELI:" in page.text or "6.5.2031" in page.text for page in journal.pages)


def test_a_consolidated_text_reads_like_the_journal(journal: Parsed, consolidated: Parsed) -> None:
    """A consolidated text reads like the journal."""
    assert consolidated.pages[1].text == journal.pages[3].text


def test_a_consolidated_text_is_dated_by_its_head(consolidated: Parsed) -> None:
    """A consolidated text is dated by its head."""
    facts = consolidated.metadata
    assert (facts.celex, facts.version_date) == ("32031R0077", date(2033, 7, 1))
    assert facts.published == date(2031, 5, 4)
    assert (facts.url or "").endswith("CELEX:02031R0077-20330701")


def test_signs_of_amendments_and_their_list_are_left_out(consolidated: Parsed) -> None:
    """Signs of amendments and their list are left out."""
    text = "\n".join(page.text for page in consolidated.pages)
    assert not {"►", "▼", "◄", "—————"} & set(text.split())
    assert "Amended by" not in text
    assert text.count("COMMISSION REGULATION") == 1


def test_older_classes_without_prefix_are_known(tmp_path: Path) -> None:
    """Older classes without prefix are known."""
    parsed = read(tmp_path, JOURNAL.replace("oj-", ""))
    assert parsed.pages[3].text.startswith("CHAPTER I\n\nLADDERS\n\nArticle 1\n\nScope")


def test_damaged_xhtml_is_still_read(tmp_path: Path) -> None:
    """Damaged xhtml is still read."""
    parsed = read(tmp_path, JOURNAL.replace("</body></html>", "<div><p>"))
    assert parsed.pages[3].label == "Article 1"


def test_french_labels_follow_the_language(tmp_path: Path) -> None:
    """French labels follow the language."""
    markup = JOURNAL.replace('lg">EN<', 'lg">FR<').replace("Whereas:", "considérant ce qui suit:")
    labels = [page.label for page in read(tmp_path, markup).pages]
    assert labels[:3] == ["Préambule", "considérants 1–20", "considérants 21–23"]


def test_raised_letters_and_numbers_stay_in_their_words(tmp_path: Path) -> None:
    """Raised letters and numbers stay in their words."""
    article = """<p class="oj-ti-art">Article premier</p><p class="oj-normal">Le règlement (CE) n
      <span class="oj-super">o</span> 7/2001
      vaut le 1<span class="oj-super">er</span> mai ; voilà.</p>"""
    page = read(tmp_path, HEAD + article + "</body></html>").pages[0]
    assert words(page)[1] == "Le règlement (CE) no 7/2001 vaut le 1er mai ; voilà."


def test_an_act_without_words_is_unreadable(tmp_path: Path) -> None:
    """An act without words is unreadable."""
    with pytest.raises(UnreadableError, match="holds no text"):
        read(tmp_path, HEAD + '<p class="oj-normal"> </p></body></html>')


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    """Entities are not expanded."""
    bomb = '<!DOCTYPE html [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]>'
    markup = (
        HEAD.replace("<html", bomb + "<html") + '<p class="oj-normal">Words &b;.</p></body></html>'
    )
    assert "lollol" not in read(tmp_path, markup).pages[0].text


@pytest.mark.parametrize(
    ("title", "celex", "issuer", "eli"),
    [
        (
            "Regulation (EU) No 651/2014 of the Commission of 1 May 2014",
            "32014R0651",
            "European Commission",
            "reg/2014/651",
        ),
        (
            "DIRECTIVE 2014/24/EU OF THE EUROPEAN PARLIAMENT AND OF THE COUNCIL of 2 May 2014",
            "32014L0024",
            "European Parliament and Council",
            "dir/2014/24",
        ),
        (
            "DIRECTIVE 91/676/EEC OF THE COUNCIL of 12 December 1991",
            "31991L0676",
            "Council of the European Union",
            "dir/1991/676",
        ),
        (
            "RÈGLEMENT DÉLÉGUÉ (UE) 2022/1288 DE LA COMMISSION du 6 avril 2022",
            "32022R1288",
            "Commission européenne",
            "reg_del/2022/1288",
        ),
        (
            "RÉGLEMENT (UE) No 7/2014 DE LA COMMISSION du 1er juin 2014",
            "32014R0007",
            "Commission européenne",
            "reg/2014/7",
        ),
        (
            "DÉCISION D’EXÉCUTION (UE) 2020/5 DU CONSEIL du 3 août 2020",
            "32020D0005",
            "Conseil de l’Union européenne",
            "dec_impl/2020/5",
        ),
        (
            "Directive 2014/24/UE du Parlement européen et du Conseil du 2 mai 2014",
            "32014L0024",
            "Parlement européen et Conseil",
            "dir/2014/24",
        ),
    ],
)
def test_titles_in_both_languages_name_the_act(
    title: str, celex: str, issuer: str, eli: str
) -> None:
    """Titles in both languages name the act."""
    facts = act_metadata(title, None)
    assert (facts.celex, facts.issuer) == (celex, issuer)
    assert facts.eli == f"http://data.europa.eu/eli/{eli}/oj"
    assert facts.published


def test_a_title_without_number_or_date_states_neither() -> None:
    """A title without number or date states neither."""
    facts = act_metadata("Charter of Ladders", "en")
    assert (facts.celex, facts.url, facts.eli, facts.published) == (None, None, None, None)


def test_an_impossible_date_is_no_consolidation() -> None:
    """An impossible date is no consolidation."""
    assert consolidation("02014R0651 — EN — 31.02.2023 — 1") is None

"""Formex XML reads like the XHTML made from it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from ingest.readers.base import Source
from ingest.readers.formex import FormexReader
from kb.errors import UnreadableError
from kb.model import Role

if TYPE_CHECKING:
    from pathlib import Path

    from kb.model import Page, Parsed

DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'
ACT = (
    DECLARATION
    + """<CONS.ACT xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<INFO.CONSLEG START.DATE="20330701"/><CONS.DOC><BIB.INSTANCE><LG.DOC>EN</LG.DOC>
<PAGE.TOTAL>9</PAGE.TOTAL>
</BIB.INSTANCE><FAM.COMP><BIB.DATA><NO.CELEX>32031R0077</NO.CELEX><TITLE><TI><P>Twice</P></TI>
</TITLE>
</BIB.DATA></FAM.COMP><TITLE><TI><P><HT TYPE="UC">Commission Regulation</HT> (EU) 2031/77</P>
<P>of <DATE ISO="20310504">4 May 2031</DATE></P><P>on ladders</P></TI></TITLE><PREAMBLE>
<PREAMBLE.INIT><P>THE EUROPEAN COMMISSION,</P></PREAMBLE.INIT><GR.CONSID>
<GR.CONSID.INIT>Whereas:</GR.CONSID.INIT>
<CONSID><NP><NO.P>(1)</NO.P><TXT>Ladders help.</TXT></NP></CONSID></GR.CONSID></PREAMBLE>
<ENACTING.TERMS>
<TOC><TOC.BLK><TOC.ITEM><NO.ITEM>CHAPTER I:</NO.ITEM><ITEM.CONT>Ladders</ITEM.CONT></TOC.ITEM>
</TOC.BLK></TOC>
<DIVISION><TITLE><TI><P>CHAPTER I</P></TI><STI><P><HT TYPE="BOLD">LADDERS</HT></P></STI></TITLE>
<ARTICLE><TI.ART>Article 1</TI.ART><STI.ART>Scope</STI.ART><PARAG><NO.PARAG>1.</NO.PARAG><ALINEA>
<P>A <QUOT.START CODE="2018"/>ladder<QUOT.END CODE="2019"/> of
EUR\u00a0<FT TYPE="NUMBER">1300000</FT> is long<NOTE NOTE.ID="E1"><P>A note.</P></NOTE>:</P>
<LIST TYPE="alpha"><ITEM><NP><NO.P>(a)</NO.P><TXT>it has rungs;</TXT></NP></ITEM></LIST>
<LIST TYPE="DASH"><ITEM><P>of ash.</P></ITEM></LIST></ALINEA></PARAG></ARTICLE>
<?CLG.MDFO ID="O1" IDREF="C1" ACTION="DELETED"?>gone<ARTICLE><TI.ART>Article 2</TI.ART>
<ALINEA>Repealed words.</ALINEA></ARTICLE><?CLG.MDFC ID="C1" IDREF="O1"?>
<ARTICLE><TI.ART>Article 3</TI.ART><STI.ART>Amendment</STI.ART><ALINEA><P>It reads:</P><P>
<QUOT.S LEVEL="1">
<ARTICLE><TI.ART><QUOT.START CODE="2018"/>Article 9</TI.ART><STI.ART>Steps</STI.ART>
<ALINEA>Steps are low.<QUOT.END CODE="2019"/></ALINEA></ARTICLE></QUOT.S>;</P></ALINEA></ARTICLE>
</DIVISION>
</ENACTING.TERMS><CONS.ANNEX><TITLE><TI><P>ANNEX</P></TI><STI><P>LENGTHS</P></STI></TITLE><CONTENTS>
<GR.SEQ LEVEL="1"><TITLE><TI><P>PART A</P></TI></TITLE><TBL COLS="2"><CORPUS>
<ROW TYPE="HEADER"><CELL COL="1">Kind</CELL><CELL COL="2">Metres</CELL></ROW>
<ROW><CELL COL="1" ROWSPAN="2">Small</CELL><CELL COL="2">2</CELL></ROW><ROW><CELL COL="2">3</CELL>
</ROW>
</CORPUS></TBL></GR.SEQ></CONTENTS></CONS.ANNEX></CONS.DOC></CONS.ACT>"""
)
MANIFEST = (
    DECLARATION
    + """<DOC xmlns:xsi="http://formex.publications.europa.eu/schema"><FMX><DOC.MAIN.PUB>
<LG.DOC>EN</LG.DOC>
<NO.CELEX>32031R0077</NO.CELEX><REF.PHYS FILE="CL2031.xml"/></DOC.MAIN.PUB></FMX></DOC>"""
)


def read(folder: Path, markup: str) -> Parsed:
    """Read a file of these contents."""
    path = folder / "act.xml"
    path.write_text(markup, encoding="utf-8")
    return FormexReader().read(Source(path, path.name, path.read_bytes()[:65536]))


def words(page: Page) -> list[str]:
    """Return the texts of the page's blocks."""
    return [page.text[block.start : block.end] for block in page.blocks]


@pytest.fixture
def act(tmp_path: Path) -> Parsed:
    """Return a consolidated act."""
    return read(tmp_path, ACT)


def test_sections_follow_the_structure(act: Parsed) -> None:
    """Sections follow the structure."""
    assert [page.label for page in act.pages] == [
        *("Preamble", "recital 1", "Contents", "Article 1", "Article 3", "ANNEX", "Notes"),
    ]


def test_an_article_reads_as_printed(act: Parsed) -> None:
    """An article reads as printed."""
    assert words(act.pages[3]) == [
        *("CHAPTER I", "LADDERS", "Article 1", "Scope"),
        "1. A ‘ladder’ of EUR 1 300 000 is long:",
        "(a) it has rungs;",
        "— of ash.",
    ]


def test_deleted_provisions_are_left_out(act: Parsed) -> None:
    """Deleted provisions are left out."""
    text = "\n".join(page.text for page in act.pages)
    assert "Repealed" not in text
    assert "gone" not in text
    assert act.warnings == ()


def test_a_deletion_without_end_is_reported(tmp_path: Path) -> None:
    """A deletion without end is reported."""
    parsed = read(tmp_path, ACT.replace('ID="C1"', 'ID="C9"'))
    assert "1 passages that a later act deleted" in parsed.warnings[0]


def test_a_quoted_article_opens_no_section_and_keeps_its_end(act: Parsed) -> None:
    """A quoted article opens no section and keeps its end."""
    assert words(act.pages[4])[2:] == ["It reads:", "‘Article 9", "Steps", "Steps are low.’;"]


def test_rows_repeat_cells_that_span_rows(act: Parsed) -> None:
    """Rows repeat cells that span rows."""
    assert act.pages[5].text.endswith("Kind | Metres\nSmall | 2\nSmall | 3")
    assert act.pages[5].blocks[-1].path == ("ANNEX — LENGTHS", "PART A")


def test_notes_are_numbered_at_the_end(act: Parsed) -> None:
    """Notes are numbered at the end."""
    assert words(act.pages[-1]) == ["(1) A note."]
    assert act.pages[-1].blocks[0].role is Role.NOTE


def test_metadata_are_those_of_the_consolidation(act: Parsed) -> None:
    """Metadata are those of the consolidation."""
    facts = act.metadata
    assert facts.title == "COMMISSION REGULATION (EU) 2031/77 of 4 May 2031 on ladders"
    assert (facts.celex, facts.version_date) == ("32031R0077", date(2033, 7, 1))


def test_a_manifest_says_that_it_holds_no_text(tmp_path: Path) -> None:
    """A manifest says that it holds no text."""
    with pytest.raises(
        UnreadableError, match=r"Formex manifest that describes 32031R0077 .* CL2031"
    ):
        read(tmp_path, MANIFEST)


def test_a_billion_laughs_are_refused(tmp_path: Path) -> None:
    """A billion laughs are refused."""
    entities = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(12)
    )
    bomb = f"{DECLARATION}<!DOCTYPE ACT [{entities}]><ACT><BIB.INSTANCE/><P>&m;</P></ACT>"
    with pytest.raises(UnreadableError, match="declares XML entities"):
        read(tmp_path, bomb)


def test_a_wide_billion_laughs_is_refused_too(tmp_path: Path) -> None:
    """A wide billion laughs is refused too."""
    path = tmp_path / "act.xml"
    path.write_bytes('<!DOCTYPE ACT [<!ENTITY a "ha">]><ACT>&a;</ACT>'.encode("utf-16"))
    with pytest.raises(UnreadableError, match="declares XML entities"):
        FormexReader().read(Source(path, path.name, b""))


def test_a_local_file_is_not_read_in(tmp_path: Path) -> None:
    """A local file is not read in."""
    secret = tmp_path / "secret.dtd"
    secret.write_text("<!ENTITY a 'secret'>")
    parsed = read(tmp_path, f'<!DOCTYPE ACT SYSTEM "{secret}"><ACT><P>Words.</P></ACT>')
    assert "secret" not in parsed.pages[0].text


def test_broken_xml_is_unreadable(tmp_path: Path) -> None:
    """Broken xml is unreadable."""
    with pytest.raises(UnreadableError, match="no well-formed XML"):
        read(tmp_path, ACT[:900])


def test_deep_nesting_is_unreadable(tmp_path: Path) -> None:
    """Deep nesting is unreadable."""
    with pytest.raises(UnreadableError):
        read(tmp_path, "<ACT>" + "<P>" * 5000 + "x" + "</P>" * 5000 + "</ACT>")

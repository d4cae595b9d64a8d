"""The texts of calls: mended, and cut into blocks of HTML or bare text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.calls.sources.joints import unglued
from ingest.calls.sources.texts import mended, page_of_html, page_of_text
from kb.model import Page, Role


def _blocks(page: Page) -> list[str]:
    return [page.text[block.start : block.end] for block in page.blocks]


@pytest.mark.parametrize(
    ("broken", "sound"),
    [
        ("the unionâ€™s own â€œtoolâ€\x9d", "the union’s own “tool”"),
        ("3 â‚¬ for cafÃ©s", "3 € for cafés"),
        ("networks of COâ‚‚ and more", "networks of CO₂ and more"),
        ("Marie SkÅ‚odowska", "Marie Skłodowska"),
        ("page limitï»¿described in Annex A", "page limit described in Annex A"),
        ("ï»¿First", "First"),
        ("two\u200b words\u0007", "two words"),
        ("\uf0b7 point", "• point"),
        ("e\u0301t\u00e9", "été"),
    ],
)
def test_mojibake_marks_and_controls_are_mended(broken: str, sound: str) -> None:
    """What an encoding error made is undone, and what can't be seen is gone."""
    assert mended(broken) == sound


@pytest.mark.parametrize(
    "sound",
    ["Pâté « déjà vu » … – naïve", "Ça va ?\nOui.", "São Paulo, Škoda, Łódź", "« pâ… » – 10 °C"],
)
def test_sound_text_stays_as_it_is(sound: str) -> None:
    """Mending changes nothing that is right."""
    assert mended(sound) == sound


def test_html_becomes_headings_paragraphs_points_and_rows() -> None:
    """Each piece of an HTML fragment is a block of its role, under its headings."""
    html = (
        '<p class="topicdescriptionkind">Expected Outcome:</p><p>One &amp; two.<br>Three.</p>'
        "<ul><li>first;</li><li><p>second</p></li></ul><ol start='3'><li>third</li></ol>"
        "<script>alert(1)</script>"
        "<table><tr><th>Year</th><th>Sum</th></tr><tr><td>2031</td><td>9</td></tr></table>"
    )
    page = page_of_html(2, "Description", html, "A title")
    assert (page.number, page.label) == (2, "Description")
    assert _blocks(page) == [
        "A title",
        "Expected Outcome:",
        "One & two.\nThree.",
        "first;",
        "second",
        "3. third",
        "Year | Sum",
        "2031 | 9",
    ]
    assert [block.role for block in page.blocks[:3]] == [Role.HEADING, Role.HEADING, Role.BODY]
    assert page.blocks[2].path == ("A title", "Expected Outcome:")
    assert page.blocks[7].header == (page.blocks[6].start, page.blocks[6].end)


def test_a_table_that_lays_out_a_page_gives_its_paragraphs() -> None:
    """A cell as long as a text is no figure of a table."""
    page = page_of_html(
        1, "Description", f"<table><tr><td><p>{'word ' * 100}</p></td></tr></table>"
    )
    assert [block.role for block in page.blocks] == [Role.BODY]


@pytest.mark.parametrize("html", ["", "   ", "<script>x</script>", "<p></p>"])
def test_html_without_text_gives_an_empty_page_or_the_title(html: str) -> None:
    """A call without a description still has its title."""
    assert page_of_html(1, "Description", html).blocks == ()
    assert _blocks(page_of_html(1, "Description", html, "Title")) == ["Title"]


def test_html_nested_beyond_reason_is_read_without_its_tags() -> None:
    """Markup that no parser takes still gives its words."""
    page = page_of_html(1, "Description", "<div>" * 5000 + "Deep words." + "</div>" * 5000)
    assert "Deep words." in page.text


def test_a_text_longer_than_a_section_is_one_page() -> None:
    """A call's text is never cut into several pages."""
    page = page_of_html(1, "Description", "<p>A sentence of words.</p>" * 9000)
    assert len(page.blocks) == 9000
    assert set(_blocks(page)) == {"A sentence of words."}


@pytest.mark.parametrize(
    ("glued", "parted"),
    [
        ("Outcome:Project results", ["Outcome:", "Project results"]),
        ("works efficiently;Development of", ["works efficiently;", "Development of"]),
        ("General conditions1. Admissibility of", ["General conditions", "1. Admissibility of"]),
        ("is funded.Scope:Many rivers", ["is funded.", "Scope:", "Many rivers"]),
        ("ConditionsThe limit", ["Conditions", "The limit"]),
        (
            "page limit and layoutdescribed in Annex A",
            ["page limit and layout", "described in Annex A"],
        ),
        ("the Programme.5a. Evaluation and", ["the Programme.", "5a. Evaluation and"]),
        ("outcomes:improved water, and", ["outcomes:", "improved water, and"]),
        (
            "ask help@agency.europa.euFunding & more",
            ["ask help@agency.europa.eu", "Funding & more"],
        ),
        ("the effort.nullActivities follow", ["the effort.", "Activities follow"]),
        ("rural areasImproved resilience of", ["rural areas", "Improved resilience of"]),
        ('">Conditions', ["Conditions"]),
        ("le projet.Il faut agir", ["le projet.", "Il faut agir"]),
        ("cases:▪ one is", ["cases:", "▪ one is"]),
    ],
)
def test_lines_are_parted_where_tags_were_lost(glued: str, parted: list[str]) -> None:
    """A line break stands at each joint, so that a sentence can be quoted whole."""
    assert [line for line in unglued(glued).split("\n") if line] == parted


@pytest.mark.parametrize(
    "whole",
    [
        "LinkedIn, YouTube, eHealth, iPhone, GitHub and CO2 by InvestEU; REPowerEU",
        "see https://www.Example.eu/SomePath.Html;Session=A:B and Dr.House at 15:30",
        "e.g.The U.S.A. and the Ph.D. of SoilWise, LifeWatch ERIC and NetZeroCities",
        "Processes4Planet, EU4Health (re)Organise with node.js 2.1",
        "A sentence. Another one: it has a list; and an end.",
    ],
)
def test_names_addresses_and_sound_sentences_stay_whole(whole: str) -> None:
    """No break is put where nothing was lost."""
    assert unglued(whole) == whole


def test_bare_text_has_its_headings_and_paragraphs() -> None:
    """The portal's own headings are headings, above what follows them."""
    page = page_of_text(1, "Conditions", "Scope:Proposals map rivers.2. Eligible CountriesAll may.")
    assert _blocks(page) == ["Scope:", "Proposals map rivers.", "2. Eligible Countries", "All may."]
    assert page.blocks[3].path == ("2. Eligible Countries",)


def test_lines_wrapped_by_an_editor_are_joined() -> None:
    """A sentence that an editor cut into lines is whole again; a new point stays apart."""
    text = (
        "The scheme supports associations that work with the residents\n"
        "of a quarter and with its schools, all the year through, and\n"
        "pays for what they need.\n- a first point of the list that follows here in the text\n"
    )
    assert len(_blocks(page_of_text(1, "Description", text))) == 2


@given(st.text(max_size=300), st.text(max_size=40))
def test_blocks_are_exact_slices_in_order(text: str, title: str) -> None:
    """Whatever the text, blocks follow each other and hold trimmed words of the page."""
    for page in (page_of_text(1, "x", text, title), page_of_html(1, "x", text, title)):
        last = 0
        for block in page.blocks:
            words = page.text[block.start : block.end]
            assert block.start >= last
            assert words == words.strip() != ""
            last = block.end

"""What a page view is made of: quoted places in an address, and text set with them told apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api.web.page_text import PageText, Paragraph, Piece, Table
from api.web.places import MOST, Place, read_places, written_on
from kb.model import Block, Page, Role
from kb.record.rows import blocks_of, page_of, page_values

NUMBERS = st.integers(1, 9_999_999)
PLACES = st.lists(
    st.builds(Place, NUMBERS, st.integers(0, 9_999_999), st.integers(0, 9_999_999)),
    max_size=MOST,
    unique=True,
)


def laid_out(text: str, *blocks: Block) -> Page:
    """A page of these blocks."""
    return Page(1, text, blocks=blocks)


def said(pieces: tuple[Piece, ...]) -> str:
    """The text of pieces, what is quoted in brackets."""
    return "".join(f"[{piece.text}]" if piece.quoted else piece.text for piece in pieces)


@given(PLACES, NUMBERS)
def test_places_survive_the_address(places: list[Place], number: int) -> None:
    """Whichever page they are on, that page's own come first."""
    read = read_places(written_on(places, number), number)
    assert sorted(read, key=str) == sorted(places, key=str)
    mine = [place.number == number for place in read]
    assert mine == sorted(mine, reverse=True)


@given(st.lists(st.text(max_size=30), max_size=200), NUMBERS)
def test_whatever_stands_in_an_address_is_read_or_left_out(asked: list[str], number: int) -> None:
    """Nothing raises, and nothing is taken for a place that is not one."""
    places = read_places(asked, number)
    assert len(places) <= MOST
    assert all(place.number >= 1 and place.start >= 0 for place in places)
    assert read_places(written_on(places, number), number) == places or len(places) > 1


def test_ten_thousand_places_are_cut_to_a_few() -> None:
    """An address is anybody's."""
    assert len(read_places((f"{n}-{n + 1}" for n in range(10_000)), 1)) == MOST


def test_what_is_no_place_is_left_out() -> None:
    """Signs, words, other digits, and numbers beyond any page."""
    wrong = ["", "12", "-5-9", "5–9", "٣-٥", "1.2.3-4", "0.1-2", "99999999-3", "a-b", "5-9 "]
    assert read_places(wrong, 1) == ()


def test_a_page_is_set_by_the_roles_of_its_blocks() -> None:
    """Headings of the page's own order, without a gap between their levels, then paragraphs."""
    text = "Titre\n\nPartie\n\nUn texte.\n\n1 Une note"
    page = laid_out(
        text,
        Block(0, 5, Role.HEADING, ("a", "b", "c")),
        Block(7, 13, Role.HEADING, ("a", "b", "c", "d")),
        Block(15, 24),
        Block(26, 36, Role.NOTE),
    )
    parts = PageText(page).parts()
    assert [(part.role, getattr(part, "level", None)) for part in parts] == [
        ("heading", 3),
        ("heading", 4),
        ("body", None),
        ("note", None),
    ]


def test_text_that_no_block_holds_is_shown_too() -> None:
    """Nothing of a page is lost."""
    parts = PageText(laid_out("Avant. Milieu. Après.", Block(7, 14))).parts()
    assert [said(part.pieces) for part in parts if isinstance(part, Paragraph)] == [
        "Avant. ",
        "Milieu.",
        " Après.",
    ]


def test_a_quote_is_marked_across_paragraphs() -> None:
    """The first of its pieces, and that alone, is where a link leads."""
    page = laid_out("Un deux.\n\nTrois quatre.", Block(0, 8), Block(10, 23))
    parts = [part for part in PageText(page, [(3, 15)]).parts() if isinstance(part, Paragraph)]
    assert [said(part.pieces) for part in parts] == ["Un [deux.]", "[Trois] quatre."]
    assert [piece.first for part in parts for piece in part.pieces] == [False, True, False, False]


def test_rows_are_a_table_with_its_heads() -> None:
    """Cells are parted by bars, empty ones stay, and a quote is marked within them."""
    text = "Outil | Montant\n\nPrêt | | 40\nDon | 50"
    header = (0, 15)
    page = laid_out(
        text,
        Block(0, 15, Role.TABLE),
        Block(17, 28, Role.TABLE, header=header),
        Block(29, 37, Role.TABLE, header=header),
    )
    (table,) = PageText(page, [(26, 35)]).parts()
    assert isinstance(table, Table)
    assert [[said(cell) for cell in row] for row in table.heads] == [["Outil", "Montant"]]
    assert [[said(cell) for cell in row] for row in table.rows] == [
        ["Prêt", "", "[40]"],
        ["[Don]", "50"],
    ]


def test_two_tables_with_heads_of_their_own_stay_two() -> None:
    """Though nothing stands between them."""
    text = "A | B\n\n1 | 2\n\nC | D\n\n3 | 4"
    page = laid_out(
        text,
        Block(0, 5, Role.TABLE),
        Block(7, 12, Role.TABLE, header=(0, 5)),
        Block(14, 19, Role.TABLE),
        Block(21, 26, Role.TABLE, header=(14, 19)),
    )
    assert [len(part.rows) for part in PageText(page).parts() if isinstance(part, Table)] == [1, 1]


@given(
    st.lists(st.text("ab |\n", min_size=1, max_size=12), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(-3, 60), st.integers(-3, 60)), max_size=4),
)
def test_setting_a_page_changes_none_of_its_letters(
    lines: list[str], quoted: list[tuple[int, int]]
) -> None:
    """Whatever the blocks and the quotes: the letters of the text, in order, and those quoted."""
    blocks, text = [], ""
    for at, line in enumerate(lines):
        text += "\n\n" if text else ""
        role = Role.TABLE if at % 2 else Role.BODY
        blocks.append(Block(len(text), len(text) + len(line), role))
        text += line
    shown, marked = "", ""
    for part in PageText(laid_out(text, *blocks), quoted).parts():
        cells = [part.pieces] if isinstance(part, Paragraph) else sum(part.rows, ())
        for piece in (piece for cell in cells for piece in cell):
            shown += piece.text
            marked += piece.text if piece.quoted else ""
    assert letters(shown) == letters(text)
    meant = {n for a, b in quoted if 0 <= a < b <= len(text) for n in range(a, b)}
    assert letters(marked) == letters("".join(text[n] for n in sorted(meant)))


def letters(text: str) -> str:
    """A text without what stands between words and cells."""
    return "".join(filter(str.isalpha, text))


@given(st.lists(st.text(min_size=1, max_size=40), max_size=40))
def test_blocks_are_read_without_the_boxes_behind_them(names: list[str]) -> None:
    """As they are of the whole layout, also where a heading looks like the end of the blocks."""
    path = (*names, '], "boxes": [')
    page = Page(1, "ab", blocks=(Block(0, 1, Role.HEADING, path), Block(1, 2, Role.BODY, path)))

    class Row:
        """What the database gives."""

        def __init__(self) -> None:
            for name, value in page_values(page).items():
                setattr(self, name, value)

    row = Row()
    assert blocks_of(row.layout) == page_of(row).blocks == page.blocks  # type: ignore[arg-type,attr-defined]

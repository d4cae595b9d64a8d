"""Markdown exports, read by a parser of CommonMark and GitHub's extensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from exports_making import HOSTILE, document, dossier, everything, quoted
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from kb.briefs.model import Outdated, Paragraph
from kb.export.markdown import to_markdown
from kb.export.told import clean, told

if TYPE_CHECKING:
    from markdown_it.token import Token

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
# Any signs at all, and more of those that mean something.
WORDS = st.one_of(
    st.text(alphabet=st.characters(codec="utf-8")),
    st.text(alphabet=" \n\t`*_{}[]()<>#+-.!|~&;:=\"'^$\\@/%1a", max_size=40),
)
PLAIN = {"text", "hardbreak"}


def _blocks(markdown: bytes) -> list[Token]:
    return PARSER.parse(markdown.decode())


def _inside(token: Token) -> list[Token]:
    return token.children or []


def test_an_export_reads_as_it_should() -> None:
    """Title, what is written, quotes with notes, warnings, and a gap."""
    assert to_markdown(everything()).decode() == (
        "# Fonds propres\n\n"
        "Établi le 1er mars 2026. 2 citations, comparées mot pour mot au texte conservé de leurs "
        "pages. 1 citation est à revoir\u00a0: un avertissement la suit.\n\n"
        "Ce que nous demandons.\\\nSans détour.\n\n"
        "Et pourquoi :\n\n"
        "> «\u00a0La garantie couvre la moitié des pertes des investisseurs : c'est peu.\u00a0»"
        "[^1]\n\n"
        "> “The guarantee covers half of the losses of investors.”[^2]\n>\n"
        "> **Attention\u00a0: le document cité a une version plus récente (depuis le 1er février "
        "2026).**\n\n"
        "**Une citation ne peut pas être montrée ici\u00a0: son document a été retiré ou modifié, "
        "ou ne vous est pas ouvert.**\n\n"
        "[^1]: *Garantir les fonds propres*, Opération Milliard, 22 janvier 2026, "
        "p.\u00a0ii–iii (pages 4–5 du fichier).\n\n"
        "[^2]: *Guaranteeing equity*, European Commission, 22 janvier 2026, version du 1er juillet "
        "2025, en anglais, section 2, Article 3. <https://example.org/a_guarantee?x=1&y=2>\n"
    )


@settings(max_examples=200, deadline=None)
@given(WORDS)
@example(HOSTILE)
@example("- a\n+ b\n1. c\n2) d\n# e\n> f\n---\n===\n~~~\n```\n    g")
@example("| a | b |\n|---|---|\n| c | d |")
@example("[^1]: note\n[a]: https://example.org\n&copy; &#65; <!-- c -->\n***x***\n_y_")
def test_what_people_write_is_never_markup(text: str) -> None:
    """Every paragraph is read as its own words, and as nothing else."""
    export = dossier(Paragraph(text))
    expected = [each.text.split("\n") for each in told(export).blocks]
    tokens = _blocks(to_markdown(export))[6:]  # after the title and what is said of it
    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
    read = []
    for token in tokens:
        if token.type == "inline":
            assert {child.type for child in _inside(token)} <= PLAIN
            words = ["\n" if c.type == "hardbreak" else c.content for c in _inside(token)]
            read.append("".join(words).split("\n"))
    assert read == expected


@settings(max_examples=200, deadline=None)
@given(WORDS)
@example(HOSTILE)
def test_a_title_is_never_markup(title: str) -> None:
    """A heading holds the title's words alone."""
    opened, inline, *_ = _blocks(to_markdown(dossier(title=title)))
    assert (opened.type, opened.tag) == ("heading_open", "h1")
    assert "".join(child.content for child in _inside(inline)) == (clean(title) or "—")


@pytest.mark.parametrize("words", [HOSTILE, "a\nb\n- c\n> d\n1. e"])
def test_a_quote_stays_one_quote(words: str) -> None:
    """With its warning in the same block, and its title in the note."""
    source = document(title=HOSTILE)
    export = dossier(quoted(words, of=source, outdated=(Outdated.SUPERSEDED,)))
    tokens = _blocks(to_markdown(export))
    kinds = [token.type for token in tokens]
    assert kinds.count("blockquote_open") == 1
    assert not {"html_block", "fence", "table_open", "bullet_list_open"} & set(kinds)
    inner = {child.type for token in tokens for child in _inside(token)}
    assert not {"html_inline", "link_open", "image", "code_inline"} & inner


def test_bare_addresses_and_mentions_stay_words() -> None:
    """Sites that make links of them unasked do not here."""
    text = to_markdown(
        dossier(Paragraph("https://a.example www.a.example @me #12 :smile:"))
    ).decode()
    assert r"https\://a.example www\.a.example \@me \#12 \:smile:" in text

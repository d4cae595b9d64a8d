"""Real acts, a decision and a paper: who they are, which version holds, and every offset."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from ingest.report import Outcome
from kb.context import context, encoded_text
from kb.maintenance import examine
from kb.model import FULL_ACCESS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from real_base import RealBase

    from kb.model import Document, Page, Passage

pytest_plugins = ("real_base",)
pytestmark = pytest.mark.slow

EVERYBODY = FULL_ACCESS
MOST_TOKENS = 200
# What the default encoder reads: the rest is two special tokens.
WINDOW, SPECIAL = 256, 2
DISCLOSURE = "32019R2088"


def readable(base: RealBase) -> Iterator[tuple[Document, list[Passage]]]:
    """Every current document with its passages."""
    return base.kb.record.current_documents(base.generation)


def page_of(base: RealBase, document_id: str, number: int) -> Page:
    """A page or section of the current version."""
    found = base.kb.record.page(base.generation, document_id, number, EVERYBODY)
    assert found is not None
    return found[1]


def labels(base: RealBase, document: Document) -> list[str | None]:
    """The printed labels of a document's pages or sections."""
    count = base.kb.record.page_count(document)
    return [page_of(base, document.id, number).label for number in range(1, count + 1)]


def document(base: RealBase, start: str) -> Document:
    """The current document whose id begins so."""
    listed = base.kb.record.list_documents(base.generation, EVERYBODY, limit=500)
    return next(each for each in listed if each.id.startswith(start))


def test_nothing_fails(real_base: RealBase) -> None:
    """Every file is in, or skipped for a reason that is no fault; the index is sound."""
    assert [each for each in real_base.report.files if each.outcome is Outcome.FAILED] == []
    assert real_base.report.exit_code == 0
    assert all(each.reason for each in real_base.report.files if each.outcome is Outcome.SKIPPED)
    assert all(check.sound for check in examine(real_base.kb))


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("celex", ["32019R2088", "32020R1503", "32023R2831"])
def test_an_act_is_its_celex_number_and_language(
    real_base: RealBase, celex: str, language: str
) -> None:
    """Each language is a document of its own, linked to its translation."""
    found = document(real_base, f"{celex}-{language}")
    assert found.language == found.metadata.language == language
    assert found.kind is Kind.POLICY
    other = {"en": "fr", "fr": "en"}[language]
    linked = real_base.kb.record.translations(real_base.generation, found.id, EVERYBODY)
    assert [each.id for each in linked] == [f"{celex}-{other}"]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_two_dates_of_an_act_are_two_versions_the_newer_one_current(
    real_base: RealBase, language: str
) -> None:
    """The consolidated text is what is found; the original one can still be read."""
    found = real_base.kb.record.versions(
        real_base.generation, f"{DISCLOSURE}-{language}", EVERYBODY
    )
    seen = [(each.version, each.metadata.version_date, each.current) for each in found]
    assert seen == [(2, date(2026, 7, 2), True), (1, date(2019, 11, 27), False)]
    sources = [each.source for each in found]
    assert sources[0].endswith(f"2026-07-02/{language}.html")
    assert sources[1].endswith(f"2019-11-27/{language}.xml")
    passages = dict(readable_by_id(real_base))[f"{DISCLOSURE}-{language}"]
    assert {passage.version for passage in passages} == {2}


@pytest.mark.parametrize("language", ["en", "fr"])
def test_formex_and_xhtml_are_one_version(real_base: RealBase, language: str) -> None:
    """The text is indexed from one of them; the other, and its manifest, are said to be skipped."""
    name = f"{language}.fmx4/CL2019R2088{language.upper()}0030010.0001"
    act = real_base.line(f"{name}.xml")
    assert (act.outcome, act.document_id, act.version) == (
        Outcome.SKIPPED,
        f"{DISCLOSURE}-{language}",
        2,
    )
    assert act.reason == f"another format of {DISCLOSURE}-{language}, version 2"
    assert real_base.line(f"{name}.doc.xml").outcome is Outcome.SKIPPED


@pytest.mark.parametrize(
    ("document_id", "title", "issuer", "adopted"),
    [
        ("32023R2831-en", "(EU) 2023/2831", "European Commission", date(2023, 12, 13)),
        ("32023R2831-fr", "(UE) 2023/2831", "Commission européenne", date(2023, 12, 13)),
        ("32020R1503-en", "(EU) 2020/1503", "European Parliament and Council", date(2020, 10, 7)),
        ("32020R1503-fr", "(UE) 2020/1503", "Parlement européen et Conseil", date(2020, 10, 7)),
        ("32019R2088-fr", "(UE) 2019/2088", "Parlement européen et Conseil", date(2019, 11, 27)),
    ],
)
def test_an_act_says_who_issued_it_and_when(
    real_base: RealBase, document_id: str, title: str, issuer: str, adopted: date
) -> None:
    """Title, issuer, date of adoption and the address on EUR-Lex come from the file itself."""
    found = document(real_base, document_id)
    assert title in found.title
    assert found.metadata.issuer == issuer
    assert found.metadata.published == adopted
    assert found.metadata.celex == document_id.partition("-")[0]
    assert found.metadata.eli is not None
    language = found.language.upper()
    start = f"https://eur-lex.europa.eu/legal-content/{language}/TXT/?uri=CELEX:"
    assert found.metadata.url is not None
    assert found.metadata.url.startswith(start)


def test_every_passage_is_its_page_text(real_base: RealBase) -> None:
    """Each span of each passage is in the stored page, and together they are the passage."""
    pages: dict[tuple[str, int], str] = {}
    wrong: list[str] = []
    seen = 0
    for each, passages in readable(real_base):
        for passage in passages:
            seen += 1
            parts = []
            for span in passage.spans:
                key = each.id, span.number
                if key not in pages:
                    pages[key] = page_of(real_base, *key).text
                parts.append(pages[key][span.start : span.end])
            if not parts or not all(parts) or not _joins(passage.text, parts):
                wrong.append(passage.id)
    assert seen == sum(len(passages) for _, passages in readable(real_base)) > 1000
    assert wrong == []


def test_every_passage_fits_what_the_encoder_reads(real_base: RealBase) -> None:
    """At most 200 tokens of its own, and with its context no more than the model's window."""
    count = real_base.kb.encoder.count_tokens
    for each, passages in readable(real_base):
        for passage in passages:
            assert count(passage.text) <= MOST_TOKENS, passage.id
            before = context(each.title, passage.heading, count)
            whole = encoded_text(before, passage.text)
            assert count(whole) + SPECIAL <= WINDOW, passage.id


def test_pages_carry_what_is_printed_on_them(real_base: RealBase) -> None:
    """Roman and arabic page labels of a PDF, the articles of an act, none where none is printed."""
    assert labels(real_base, document(real_base, "om-garantie-fonds-propres-fr"))[:4] == [
        "i",
        "ii",
        "1",
        "2",
    ]
    articles = labels(real_base, document(real_base, "32023R2831-fr"))
    assert {"Article premier", "Article 3", "Article 8"} <= set(articles)
    assert {"Article 1", "Article 3"} <= set(
        labels(real_base, document(real_base, "32023R2831-en"))
    )
    assert set(labels(real_base, document(real_base, "jorf-decision-2023"))) == {None}


def readable_by_id(base: RealBase) -> Iterator[tuple[str, list[Passage]]]:
    """Passages by the id of their document."""
    return ((each.id, passages) for each, passages in readable(base))


def _joins(text: str, parts: list[str]) -> bool:
    """Whether a text is its parts with a space or a newline between two of them."""
    position = 0
    for number, part in enumerate(parts):
        if number:
            if text[position : position + 1] not in {" ", "\n"}:
                return False
            position += 1
        if text[position : position + len(part)] != part:
            return False
        position += len(part)
    return position == len(text)

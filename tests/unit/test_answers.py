from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from fakes import HashingEncoder

from kb.analysis import term_number, terms
from kb.answers.extract import MAX_PER_DOCUMENT, MAX_SENTENCES, NEAREST, AnswerExtractor
from kb.answers.question import Asked, asked_for, fitness
from kb.language import detect
from kb.model import Document, Hit, Kind, Metadata, Passage, Role, Span, Visibility

if TYPE_CHECKING:
    from collections.abc import Collection

    from kb.model import Answer


@dataclass
class Shelf:
    """Documents of one page each: the record that quotes are checked against, and the hits."""

    pages: dict[str, str]

    def page_texts(
        self, wanted: Collection[tuple[str, int, int]]
    ) -> dict[tuple[str, int, int], str]:
        """The stored text of pages by (document id, version, page number)."""
        return {key: self.pages[key[0]] for key in wanted if key[0] in self.pages}


def hit(rank: int, name: str, text: str, language: str, role: Role = Role.BODY) -> Hit:
    """A passage that is the whole of its document's page."""
    document = Document(
        id=name,
        version=1,
        title=name,
        kind=Kind.NOTE,
        visibility=Visibility.PUBLIC,
        language=language,
        metadata=Metadata(),
        source=name,
        paged=True,
        ingested=datetime(2026, 1, 1, tzinfo=UTC),
    )
    spans = (Span(1, None, None, 0, len(text)),)
    return Hit(rank, 1.0, Passage(name, name, 1, 0, text, spans, "", language, role), document)


def ask(question: str, *texts: str, stored: dict[str, str] | None = None, **kinds: Role) -> Answer:
    """Answer from texts in their order of rank; ``stored`` replaces what the pages say."""
    language = detect(question)
    names = [f"text-{position}" for position in range(len(texts))]
    hits = [
        hit(rank, name, text, language, kinds.get(name.replace("-", "_"), Role.BODY))
        for rank, (name, text) in enumerate(zip(names, texts, strict=True), start=1)
    ]
    encoder = HashingEncoder()
    shelf = Shelf({**dict(zip(names, texts, strict=True)), **(stored or {})})
    extractor = AnswerExtractor(shelf, encoder)  # type: ignore[arg-type]
    rarity = {term_number(term): 3.0 for term in terms(question, language)}
    return extractor.answer(question, language, encoder.encode_queries([question])[0], rarity, hits)


def quotes(answer: Answer) -> list[str]:
    """The quotes, best first."""
    return [citation.quote for citation in answer.citations]


def test_an_amount_is_preferred_where_an_amount_is_asked_for() -> None:
    """Of two sentences with the same words the one that states a sum comes first."""
    answer = ask(
        "What is the ceiling of the ladder grant?",
        "The ceiling of the ladder grant is set by the board every year in spring.",
        "The ceiling of the ladder grant is 5 000 euros for each of the members.",
    )
    assert "5 000 euros" in quotes(answer)[0]


def test_a_french_amount_is_preferred_too() -> None:
    """The same in French, with the sum in words and a sign."""
    answer = ask(
        "Quel est le plafond de la subvention pour les échelles ?",
        "Le plafond de la subvention pour les échelles est fixé par le conseil chaque année.",
        "Le plafond de la subvention pour les échelles est de 2,5 millions d'euros par an.",
    )
    assert "2,5 millions" in quotes(answer)[0]


@pytest.mark.parametrize(
    "question",
    ["Who won the football world cup in Brazil?", "Quelle est la recette des crêpes bretonnes ?"],
)
def test_a_question_that_nothing_speaks_of_is_not_answered(question: str) -> None:
    """A refusal says so in its status, quotes nothing, and shows what is nearest."""
    texts = [f"The ladder number {number} is lent to members." for number in range(8)]
    answer = ask(question, *texts)
    assert (answer.status, answer.sentences, answer.citations) == ("insufficient_evidence", (), ())
    assert [near.rank for near in answer.nearest] == list(range(1, NEAREST + 1))


def test_nothing_found_is_not_answered() -> None:
    """Without hits there is no answer and nothing near."""
    answer = ask("What is the ceiling of the ladder grant?")
    assert (answer.status, answer.nearest) == ("insufficient_evidence", ())


def test_an_answer_takes_sentences_from_several_documents() -> None:
    """What two documents say is quoted from both, and shown without the nearest."""
    answer = ask(
        "Who may borrow the ladder?",
        "Every member may borrow the ladder for a week.",
        "Neighbours may borrow the ladder on a Sunday only.",
    )
    assert {citation.document.id for citation in answer.citations} == {"text-0", "text-1"}
    assert answer.nearest == ()


def test_an_answer_has_few_sentences_and_few_of_one_document() -> None:
    """However much there is to quote, the limits hold and numbers run from one."""
    sentences = [f"The ladder costs {number} euros in shop {number}." for number in range(20)]
    texts = [" ".join(sentences[start : start + 4]) for start in range(0, 20, 4)]
    answer = ask("What does the ladder cost?", *texts)
    assert 1 < len(answer.sentences) <= MAX_SENTENCES
    by_document = [citation.document.id for citation in answer.citations]
    assert max(by_document.count(name) for name in by_document) <= MAX_PER_DOCUMENT
    assert [c.number for c in answer.citations] == list(range(1, len(answer.citations) + 1))
    assert [s.citations for s in answer.sentences] == [(c.number,) for c in answer.citations]


def test_what_is_said_twice_is_quoted_once() -> None:
    """The same sentence in another document, but for case and signs, adds nothing."""
    answer = ask(
        "What does the ladder cost?",
        "The ladder costs 5 euros a day.",
        "THE LADDER COSTS 5 EUROS A DAY!",
    )
    assert quotes(answer) == ["The ladder costs 5 euros a day."]


def test_a_quote_is_its_spans_word_for_word() -> None:
    """Each quote is exactly the page's text between the offsets of its span."""
    text = "Opening hours vary.  The ladder costs 5\neuros a day. It is clean."
    answer = ask("What does the ladder cost?", text)
    [citation] = answer.citations
    [span] = citation.spans
    assert citation.quote == text[span.start : span.end] == "The ladder costs 5\neuros a day."
    assert citation.verified
    assert answer.sentences[0].text == citation.quote


def test_what_is_not_on_its_page_is_not_shown() -> None:
    """A page that was changed behind the base's back is left out; the others answer."""
    texts = ("The ladder costs 5 euros a day.", "A ladder costs 7 euros by the week.")
    stored = {"text-0": "The ladder costs 6 euros a day."}
    answer = ask("What does the ladder cost?", *texts, stored=stored)
    assert quotes(answer) == [texts[1]]
    assert [citation.number for citation in answer.citations] == [1]


def test_nothing_verified_is_no_answer() -> None:
    """When no quote holds, the answer is a refusal."""
    stored = {"text-0": "The ladder costs 6 euros a day."}
    answer = ask("What does the ladder cost?", "The ladder costs 5 euros a day.", stored=stored)
    assert (answer.status, answer.sentences) == ("insufficient_evidence", ())
    assert [near.document.id for near in answer.nearest] == ["text-0"]


def test_a_table_row_is_quoted_with_its_header() -> None:
    """A row says what its columns are; both parts are verified where they stand."""
    text = "Tool | Price a day\nLadder | 5 euros\nSaw | 9 euros"
    answer = ask("What is the price of the ladder a day?", text, text_0=Role.TABLE)
    citation = answer.citations[0]
    assert citation.quote == "Tool | Price a day\nLadder | 5 euros"
    assert [text[span.start : span.end] for span in citation.spans] == [
        "Tool | Price a day",
        "Ladder | 5 euros",
    ]


@pytest.mark.parametrize("role", [Role.CONTENTS, Role.REFERENCES, Role.HEADING])
def test_lists_and_headings_are_never_quoted(role: Role) -> None:
    """They name a subject and say nothing of it."""
    answer = ask("What does the ladder cost?", "The ladder costs 5 euros a day.", text_0=role)
    assert answer.status == "insufficient_evidence"


def test_a_list_is_quoted_with_its_points() -> None:
    """A sentence that opens a list is no answer without it."""
    text = "The ladder is lent to:\n(a) every member of the workshop;\n(b) every neighbour."
    assert quotes(ask("Who is the ladder lent to?", text)) == [text]


def test_the_same_question_has_the_same_answer() -> None:
    """Nothing in an answer depends on chance."""
    texts = [f"The ladder costs {number} euros in the shop." for number in range(9)]
    assert ask("What does the ladder cost?", *texts) == ask("What does the ladder cost?", *texts)


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("Quel est le plafond des aides ?", Asked.AMOUNT),
        ("How much may be granted?", Asked.AMOUNT),
        ("Quand ferme l'appel ?", Asked.DATE),
        ("When does the call close?", Asked.DATE),
        ("Combien d'associations sont membres ?", Asked.NUMBER),
        ("Qu'est-ce qu'une entreprise en difficulté ?", Asked.DEFINITION),
        ("Who may apply?", Asked.ANYTHING),
    ],
)
def test_a_question_tells_what_kind_of_fact_it_asks_for(question: str, asked: Asked) -> None:
    """In both languages."""
    assert asked_for(question) is asked


@pytest.mark.parametrize(
    ("sentence", "asked", "fits"),
    [
        ("It is 5 000 €.", Asked.AMOUNT, True),
        ("Elle est de 300 000 euros.", Asked.AMOUNT, True),
        ("It is set every year.", Asked.AMOUNT, False),
        ("Before 3 May 2031.", Asked.DATE, True),
        ("Avant le 3 mai 2031.", Asked.DATE, True),
        ("Before spring.", Asked.DATE, False),
        ("Anything at all, even 5 euros.", Asked.ANYTHING, False),
    ],
)
def test_a_sentence_states_such_a_fact_or_not(sentence: str, asked: Asked, *, fits: bool) -> None:
    """Sums and days are told from sentences without them."""
    assert (fitness(sentence, asked, frozenset(), "en") > 0) is fits


def test_hits_of_one_document_are_near_once() -> None:
    """A refusal names the nearest documents, not one document five times."""
    encoder = HashingEncoder()
    one = hit(1, "one", "The ladder is lent.", "en")
    hits = [one, replace(one, rank=2), hit(3, "two", "The saw is lent.", "en")]
    extractor = AnswerExtractor(Shelf({}), encoder)  # type: ignore[arg-type]
    vector = encoder.encode_queries(["unrelated"])[0]
    answer = extractor.answer("Unrelated zeppelins?", "en", vector, {}, hits)
    assert [near.document.id for near in answer.nearest] == ["one", "two"]

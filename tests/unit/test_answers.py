from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from fakes import HashingEncoder

from kb.answers.choose import MAX_PER_DOCUMENT, MAX_SENTENCES
from kb.answers.extract import NEAREST, AnswerExtractor, Sought
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


def hit(  # noqa: PLR0913, PLR0917 -- all that a passage has
    rank: int,
    name: str,
    text: str,
    language: str,
    role: Role = Role.BODY,
    metadata: Metadata | None = None,
) -> Hit:
    """A passage that is the whole of its document's page."""
    document = Document(
        id=name,
        version=1,
        title=name,
        kind=Kind.NOTE,
        visibility=Visibility.PUBLIC,
        language=language,
        metadata=metadata or Metadata(),
        source=name,
        paged=True,
        ingested=datetime(2026, 1, 1, tzinfo=UTC),
    )
    spans = (Span(1, None, None, 0, len(text)),)
    return Hit(rank, 1.0, Passage(name, name, 1, 0, text, spans, "", language, role), document)


def answer_from(question: str, hits: list[Hit], stored: dict[str, str] | None = None) -> Answer:
    """Answer from hits; ``stored`` replaces what pages say. Every word is as rare as another."""
    language = detect(question)
    encoder = HashingEncoder()
    pages = {each.document.id: each.passage.text for each in hits}
    shelf = Shelf({**pages, **(stored or {})})
    extractor = AnswerExtractor(shelf, encoder)  # type: ignore[arg-type]
    sought = Sought(question, language, lambda numbers: dict.fromkeys(numbers, 3.0), 9.0)
    return extractor.answer(sought, hits)


def ask(question: str, *texts: str, stored: dict[str, str] | None = None, **kinds: Role) -> Answer:
    """Answer from texts in their order of rank, each in the question's language."""
    language = detect(question)
    names = [f"text-{position}" for position in range(len(texts))]
    hits = [
        hit(rank, name, text, language, kinds.get(name.replace("-", "_"), Role.BODY))
        for rank, (name, text) in enumerate(zip(names, texts, strict=True), start=1)
    ]
    return answer_from(question, hits, stored)


def quotes(answer: Answer) -> list[str]:
    """The quotes that are shown, best first."""
    return [sentence.text for sentence in answer.sentences]


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
    by_document = [citation.document.id for citation in answer.citations[: len(answer.sentences)]]
    assert max(by_document.count(name) for name in by_document) <= MAX_PER_DOCUMENT
    assert [c.number for c in answer.citations] == list(range(1, len(answer.citations) + 1))
    shown = [number for sentence in answer.sentences for number in sentence.citations]
    assert shown == list(range(1, len(answer.sentences) + 1))


def test_what_is_said_twice_is_quoted_once() -> None:
    """The same sentence in another document, but for case and signs, is cited with the first."""
    answer = ask(
        "What does the ladder cost?",
        "The ladder costs 5 euros a day.",
        "THE LADDER COSTS 5 EUROS A DAY!",
    )
    assert quotes(answer) == ["The ladder costs 5 euros a day."]
    [sentence] = answer.sentences
    assert (sentence.citations, sentence.also) == ((1,), (2,))
    assert [citation.document.id for citation in answer.citations] == ["text-0", "text-1"]
    assert answer.citations[1].quote == "THE LADDER COSTS 5 EUROS A DAY!"


def test_a_translation_is_cited_with_the_sentence_in_the_language_of_the_question() -> None:
    """Of one work in two languages the reader's is shown, whichever was found first."""
    work = Metadata(identifier="ladder-rules")
    french = "Le prix InvestEU 2031 est de 5 000 euros par an."
    english = "The prix InvestEU 2031 est de 5 000 euros par an."
    answer = answer_from(
        "Quel est le prix InvestEU 2031 ?",
        [
            hit(1, "rules-en", english, "en", metadata=work),
            hit(2, "rules-fr", french, "fr", metadata=work),
        ],
    )
    [sentence] = answer.sentences
    assert sentence.text == french
    [also] = [c for c in answer.citations if c.number in sentence.also]
    assert (also.document.id, also.quote, also.verified) == ("rules-en", english, True)


def test_sources_that_state_different_amounts_stand_side_by_side() -> None:
    """Newest first, each with its citation; the same amount twice differs in nothing."""
    old, new = Metadata(published=date(2019, 1, 1)), Metadata(published=date(2026, 1, 1))
    question = "What is the ceiling of the ladder grant?"
    hits = [
        hit(1, "old", "The ceiling of the ladder grant is 5 000 euros a year.", "en", metadata=old),
        hit(2, "new", "The ceiling of the ladder grant is 7 000 euros now.", "en", metadata=new),
    ]
    answer = answer_from(question, hits)
    cited = {citation.number: citation.document.id for citation in answer.citations}
    assert [(each.value, cited[each.citation], each.day) for each in answer.differs] == [
        ("7 000 euros", "new", date(2026, 1, 1)),
        ("5 000 euros", "old", date(2019, 1, 1)),
    ]
    assert all(each.current for each in answer.differs)
    assert answer_from(question, hits[:1]).differs == ()


def test_amounts_of_other_things_do_not_differ() -> None:
    """Two amounts in one sentence, or of another thing, are no contradiction."""
    answer = ask(
        "What is the ceiling of the ladder grant?",
        "The ceiling of the ladder grant is 5 000 euros a year.",
        "The ceiling of the ladder grant is 5 000 euros, or 9 000 euros for two.",
    )
    assert answer.differs == ()


@pytest.mark.parametrize(
    "former",
    [
        "The earlier ceiling of the ladder grant was 9 000 euros.",
        "Before 2024 the ceiling of the ladder grant was 9 000 euros.",
        "The ceiling of the ladder grant was previously 9 000 euros.",
    ],
)
def test_what_was_formerly_contradicts_nobody(former: str) -> None:
    """A sentence that says so itself states no other ceiling of today."""
    hits = [
        hit(1, "new", "The ceiling of the ladder grant is 5 000 euros a year.", "en"),
        hit(2, "old", former, "en"),
    ]
    assert answer_from("What is the ceiling of the ladder grant?", hits).differs == ()


def test_confidence_is_high_for_an_answer_and_low_for_a_refusal() -> None:
    """It is stated in both cases, and one threshold lies between."""
    texts = ("The ceiling of the ladder grant is 5 000 euros for each of the members.",)
    answered = ask("What is the ceiling of the ladder grant?", *texts)
    refused = ask("Who won the football world cup in Brazil?", *texts)
    assert 0 <= refused.confidence < 0.5 <= answered.confidence <= 1
    assert ask("What is the ceiling of the ladder grant?").confidence == 0


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
    """A row says what its columns are; every part is verified where it stands."""
    text = "Tool | Price a day\nLadder | 5 euros\nSaw | 9 euros"
    answer = ask("What is the price of the ladder a day?", text, text_0=Role.TABLE)
    citation = answer.citations[0]
    assert citation.quote.startswith("Tool | Price a day\nLadder | 5 euros")
    parts = [text[span.start : span.end] for span in citation.spans]
    assert "\n".join(parts) == citation.quote


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


def test_hits_of_one_document_are_near_once() -> None:
    """A refusal names the nearest documents, not one document five times."""
    one = hit(1, "one", "The ladder is lent.", "en")
    hits = [one, replace(one, rank=2), hit(3, "two", "The saw is lent.", "en")]
    answer = answer_from("Unrelated zeppelins?", hits)
    assert [near.document.id for near in answer.nearest] == ["one", "two"]

"""The questions that the product is for: the fact, where it stands, and its exact words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from kb.model import FULL_ACCESS, Filters

if TYPE_CHECKING:
    from real_base import RealBase

    from kb.model import Answer, Citation

pytest_plugins = ("real_base",)
pytestmark = pytest.mark.slow

EVERYTHING = Filters(FULL_ACCESS)
LOOKED_AT = 3  # sentences in which a reader looks for the answer
PLAN = "operation-milliard-orientations-2026-2028"


@dataclass(frozen=True, slots=True)
class Topic:
    """A question, the fact that answers it, and the places where that fact may be quoted from.

    ``fact`` is a regular expression; a place is the beginning of a document's id and the printed
    label of the page or section (any, where it is empty).
    """

    question: str
    fact: str
    places: tuple[tuple[str, str], ...]

    def diagnose(self, answer: Answer) -> str | None:
        """Say what is wrong with an answer, or nothing."""
        for sentence in answer.sentences[:LOOKED_AT]:
            if re.search(self.fact, " ".join(sentence.text.split())):
                cited = [_of(answer, number) for number in sentence.citations]
                if any(self._is_place(citation) for citation in cited):
                    return None
        quotes = "\n".join(
            f"- {_of(answer, each.citations[0]).document.id}: {each.text}"
            for each in answer.sentences
        )
        return f"expected {self.fact!r} from {self.places}, found\n{quotes or answer.status}"

    def _is_place(self, citation: Citation) -> bool:
        return any(
            citation.document.id.startswith(start)
            and (not label or any(span.page_label == label for span in citation.spans))
            for start, label in self.places
        )


def act(celex: str, language: str, article: str) -> tuple[str, str]:
    """An article of an act."""
    return f"{celex}-{language}", article


ASKED = (
    Topic(
        "Quel est le plafond des aides de minimis par entreprise unique sur trois ans ?",
        r"300 000 (?:EUR|euros)",
        (act("32023R2831", "fr", "Article 3"),),
    ),
    Topic(
        "What is the ceiling of de minimis aid per single undertaking over three years?",
        r"EUR 300 000",
        (
            act("32023R2831", "en", "Article 3"),
            act("32023R2831", "en", "recitals 1–20"),
            ("om-garantie-fonds-propres-en", "2"),
        ),
    ),
    Topic(
        "Quelle est l'offre la plus élevée que couvre le règlement sur le financement "
        "participatif ?",
        r"5 000 000",
        (act("32020R1503", "fr", "Article premier"), ("om-quasi-fonds-propres-fr", "")),
    ),
    Topic(
        "What is the largest offer that the crowdfunding regulation covers?",
        r"5 000 000",
        (act("32020R1503", "en", "Article 1"),),
    ),
    Topic(
        "Qu'est-ce qu'un investissement durable ?",
        r"17\) «\s?investissement durable\s?»",
        (act("32019R2088", "fr", "Article 2"),),
    ),
    Topic(
        "What is a sustainable investment?",
        r"\(17\) ‘sustainable investment’ means",
        (act("32019R2088", "en", "Article 2"),),
    ),
    Topic(
        "Combien de membres l'association vise-t-elle en 2028 ?",
        r"Devenir 5000",
        ((PLAN, ""),),
    ),
)
REWORDED = (
    Topic(
        "How much de minimis aid can one company receive in three years?",
        r"EUR 300 000",
        (
            act("32023R2831", "en", ""),
            ("om-subvention-cadre-en", ""),
            ("om-garantie-fonds-propres-en", "2"),
        ),
    ),
    Topic(
        "Quel est le montant maximal d'une offre de financement participatif dans le règlement ?",
        r"supérieur à 5 000 000 EUR",
        (act("32020R1503", "fr", "Article premier"),),
    ),
    Topic(
        "Combien d'adhérents l'association vise-t-elle en 2028 ?", r"Devenir 5000", ((PLAN, ""),)
    ),
    Topic(
        "Until when does Regulation 2023/2831 apply?",
        r"until 31 December 2030",
        (act("32023R2831", "en", "Article 8"),),
    ),
    Topic(
        "Jusqu'à quand le règlement 2023/2831 est-il applicable ?",
        r"31 décembre 2030",
        (act("32023R2831", "fr", "Article 8"),),
    ),
    Topic(
        "Within how many working days must de minimis aid be recorded in the central register?",
        r"within 20 working days",
        (act("32023R2831", "en", "Article 6"),),
    ),
    Topic(
        "Combien d'années les États membres conservent-ils les informations sur les aides de "
        "minimis ?",
        r"dix années",
        (act("32023R2831", "fr", "Article 6"),),
    ),
    Topic(
        "How long is the reflection period for non-sophisticated investors?",
        r"four calendar days",
        (act("32020R1503", "en", "Article 22"),),
    ),
    Topic(
        "Pendant combien de jours un investisseur non averti peut-il se rétracter d'une offre de "
        "financement participatif ?",
        r"quatre jours calendaires",
        (act("32020R1503", "fr", "Article 22"), ("om-quasi-fonds-propres-fr", "")),
    ),
    Topic(
        "What does sustainability risk mean?",
        r"\(22\) ‘sustainability risk’ means",
        (act("32019R2088", "en", "Article 2"),),
    ),
    Topic(
        "Qu'entend-on par entreprise unique ?",
        r"on entend par «\s?entreprise unique\s?»",
        (act("32023R2831", "fr", "Article 2"),),
    ),
    Topic(
        "From what date does Regulation 2019/2088 apply?",
        r"from 10 March 2021",
        (act("32019R2088", "en", "Article 20"),),
    ),
    Topic(
        "À partir de quel montant une convention est-elle obligatoire pour une subvention ?",
        r"23 000 euros",
        (("om-conventions-comptes-rendus-fr", ""),),
    ),
    Topic(
        "Quel est le plafond de minimis pour les services d'intérêt économique général ?",
        r"750 000 euros",
        (("om-de-minimis-associations-fr", "1"),),
    ),
)
UNANSWERABLE = (
    "Quelle est la capitale de l'Australie ?",
    "Who won the football world cup in 2018?",
    "Quel est le taux de TVA sur les panneaux solaires ?",
    "What is the minimum wage in Portugal?",
    "How many members does Greenpeace have in Germany?",
    "Quel est le prix du carbone sur le marché européen en 2025 ?",
    # near to the corpus
    "What is the ceiling of de minimis aid in the fisheries sector in Norway?",
    "Which fine was imposed on a bank under the crowdfunding regulation in 2024?",
    "Quel est le montant du livret A ?",
)


@pytest.mark.parametrize("topic", [*ASKED, *REWORDED], ids=lambda topic: topic.question)
def test_one_of_the_first_sentences_holds_the_fact(real_base: RealBase, topic: Topic) -> None:
    """It is quoted from the article or page that states it."""
    answer = real_base.kb.search.answer(topic.question, EVERYTHING)
    assert topic.diagnose(answer) is None, topic.diagnose(answer)


@pytest.mark.parametrize("topic", [*ASKED, *REWORDED], ids=lambda topic: topic.question)
def test_every_quote_is_what_its_page_says(real_base: RealBase, topic: Topic) -> None:
    """Each sentence is the quote of its citation, verified, and in the stored page text."""
    answer = real_base.kb.search.answer(topic.question, EVERYTHING)
    assert answer.sentences
    for sentence in answer.sentences:
        assert sentence.citations
        for number in sentence.citations:
            citation = _of(answer, number)
            assert citation.verified
            assert citation.quote == sentence.text
            assert _stored(real_base, citation) == " ".join(citation.quote.split("\n"))


@pytest.mark.parametrize("question", UNANSWERABLE)
def test_what_the_documents_do_not_say_is_refused(real_base: RealBase, question: str) -> None:
    """No sentence is given, but the nearest documents."""
    answer = real_base.kb.search.answer(question, EVERYTHING)
    assert answer.status == "insufficient_evidence", [each.text for each in answer.sentences]
    assert answer.citations == ()
    assert answer.nearest


def _of(answer: Answer, number: int) -> Citation:
    return next(citation for citation in answer.citations if citation.number == number)


def _stored(base: RealBase, citation: Citation) -> str:
    """The stored page text at a citation's spans, joined and on one line."""
    parts = []
    for span in citation.spans:
        found = base.kb.record.page(
            base.generation,
            citation.document.id,
            span.number,
            FULL_ACCESS,
            citation.document.version,
        )
        assert found is not None
        assert found[1].label == span.page_label
        parts.append(found[1].text[span.start : span.end])
    return " ".join(" ".join(parts).split("\n"))

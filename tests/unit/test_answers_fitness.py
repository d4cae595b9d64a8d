from __future__ import annotations

import pytest

from kb.answers.dictionary import PackageDictionary
from kb.answers.fitness import fitness, shape_of
from kb.answers.terms import question_terms
from kb.language import detect


def fits(question: str, sentence: str) -> float:
    """How well a sentence has the shape that a question asks for."""
    terms = question_terms(question, detect(question), PackageDictionary())
    return fitness(sentence, detect(sentence), shape_of(question, terms), terms)


@pytest.mark.parametrize(
    ("question", "good", "bad"),
    [
        ("Quel est le montant ?", "Il est de 300 000 euros.", "Il est de 300 000 personnes."),
        ("Quel est le taux ?", "Elle est de 80 %.", "Elle est de 80 000 euros."),
        ("What rate applies?", "It is 80 % at most.", "It is EUR 80 000 at most."),
        ("What is the ceiling?", "It is 5 000 € a year.", "It is set every year in spring."),
        ("When does it end?", "It ends on 3 May 2031.", "It ends in spring, as always."),
        ("Quand ferme l'appel ?", "Il ferme le 3 mai 2031.", "Il ferme au printemps."),
        ("How long may it last?", "It may last two years.", "It may last until it is over."),
        (
            "How many employees are there?",
            "There are 12 employees in the office.",
            "There are 12 rooms and a garden for the parties of friends, and employees like them.",
        ),
        (
            "Combien de salariés a l'agence ?",
            "The agency has 340 employees.",
            "The agency has 340 buildings.",
        ),
        (
            "Who is the president of the bank?",
            "The president of the bank is Ms Anna Keller.",
            "The bank is led by its president and its council.",
        ),
        (
            "Who is the president of the bank?",
            "The president of the bank is Ms Anna Keller.",
            "The treasurer of the bank is Ms Anna Keller.",
        ),
        (
            "Que propose la commission ?",
            "La commission propose un fonds.",
            "La commission siège à Bruxelles.",
        ),
        ("Why are they rare?", "They are rare because they cost much.", "They are rare."),
        (
            "What is a ladder grant?",
            "‘ladder grant’ means money for ladders;",
            "A ladder grant is a sum of money for ladders.",
        ),
        (
            "What is a ladder grant?",
            "A ladder grant is a sum of money for ladders.",
            "Ladder grants close in May.",
        ),
    ],
)
def test_a_sentence_of_the_shape_fits_better(question: str, good: str, bad: str) -> None:
    """The right unit, the thing that is counted beside the number, the role with the name."""
    assert fits(question, good) > fits(question, bad)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("Quel est le montant ?", "Il est fixé chaque année."),
        ("When does it end?", "It ends in spring."),
        ("How many members are there?", "There are members."),
        ("Who is the president of the bank?", "The bank is large."),
    ],
)
def test_a_fact_that_is_not_stated_counts_against_a_sentence(question: str, sentence: str) -> None:
    """Less than a sentence of which nothing is known."""
    assert fits(question, sentence) < 0


def test_the_number_of_an_act_is_no_amount() -> None:
    """A reference to a regulation answers neither "how much" nor "when"."""
    sentence = "This follows from Regulation (EU) No 651/2014 of 17 June 2014."
    assert fits("What is the ceiling?", sentence) < 0
    assert fits("When does it end?", sentence) < 0

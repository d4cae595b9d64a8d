from __future__ import annotations

import pytest

from kb.answers.question import Asked, asked_for, asking_words, counted_words, names, role_words


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        # as people speak, in the order of words that they use
        ("c'est quoi un SIEG ?", Asked.DEFINITION),
        ("Un titre associatif, c'est quoi ?", Asked.DEFINITION),
        ("combien ça fait en euros ?", Asked.AMOUNT),
        ("À combien s'élève la dotation ?", Asked.AMOUNT),
        ("how much can we get?", Asked.AMOUNT),
        ("Quel est le plafond des aides ?", Asked.AMOUNT),
        ("What is the pay cap there?", Asked.AMOUNT),
        ("Jusqu'à quand court l'appel ?", Asked.DATE),
        ("D'ici quand faut-il répondre ?", Asked.DATE),
        ("C'est quand, la date limite ?", Asked.DATE),
        ("Until when does it apply?", Asked.DATE),
        ("Combien de temps avons-nous ?", Asked.DURATION),
        ("How early can notes be paid back?", Asked.DURATION),
        ("Quel est le délai de paiement ?", Asked.DURATION),
        ("Combien d'adhérents avons-nous ?", Asked.NUMBER),
        ("How many signatures does it need?", Asked.NUMBER),
        ("Qui préside le comité ?", Asked.WHO),
        ("Who's the head of the unit?", Asked.WHO),
        ("Par qui est géré le fonds ?", Asked.WHO),
        ("Who may apply?", Asked.CONDITION),
        ("who's eligible?", Asked.CONDITION),
        ("À quelles conditions peut-on candidater ?", Asked.CONDITION),
        ("Quelles associations sont exclues ?", Asked.CONDITION),
        ("Que propose la Commission ?", Asked.POSITION),
        ("Qu'est-ce qu'on demande aux mairies ?", Asked.POSITION),
        ("What do we ask the ministry?", Asked.POSITION),
        ("Pourquoi commencer par là ?", Asked.REASON),
        ("Why are small tickets rare?", Asked.REASON),
        ("Quels documents faut-il joindre ?", Asked.LIST),
        ("Peut-on garder le reste ?", Asked.YES_NO),
        ("Can we keep the rest?", Asked.YES_NO),
        ("Comment réduire ce risque ?", Asked.MANNER),
        # words of a kind that the question does not ask for
        ("L'aide aux coûts de transaction peut-elle se cumuler ?", Asked.YES_NO),
        ("When two charities merge, is the aid still counted?", Asked.ANYTHING),
        ("Qu'est-ce que le plafond glissant ?", Asked.DEFINITION),
    ],
)
def test_the_kind_of_a_question_is_told_from_its_words(question: str, asked: Asked) -> None:
    """In French and in English, whatever comes first."""
    assert asked_for(question) is asked


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("Que finance InvestEU en France ?", ["InvestEU"]),
        ("What did Regulation 69/2001 say?", ["Regulation", "69/2001"]),
        ("LIFE finance-t-il les ONG en 2026 ?", ["LIFE", "ONG", "2026"]),
        ("Notre association touche 18 000 € par an", []),
        ("Who leads the Court of Auditors?", ["Court", "Auditors"]),
    ],
)
def test_names_are_capitals_years_and_act_numbers(question: str, found: list[str]) -> None:
    """What somebody has or wants is no name, nor is the word that opens the question."""
    assert names(question) == found


def test_words_that_ask_are_told_from_what_is_asked_about() -> None:
    """Of "the pay cap" the pay must be said, of "how many members" the members."""
    assert asking_words("What is the pay cap there?").split() == ["cap"]
    assert "member" not in asking_words("How many members are there?")
    assert counted_words("How many members are there?").split()[0] == "members"
    assert role_words("Who is the president of the bank?") == "president"
    assert role_words("Combien de présidents ?") == ""

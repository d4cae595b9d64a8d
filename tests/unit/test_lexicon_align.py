"""Word alignment and phrases over a small bitext made here."""

from __future__ import annotations

import numpy as np
import pytest

from kb.lexicon.align import FREE_ROUNDS, Aligner, Counts
from kb.lexicon.phrases import MIN_COUNT, Phrase, find_phrases

# Each word stands in several pairs, so that only one translation explains all of them.
PAIRS = [
    ("saw red", "scie rouge"),
    ("saw green", "scie verte"),
    ("ladder red", "echelle rouge"),
    ("ladder green long", "echelle verte longue"),
    ("saw long", "scie longue"),
    ("ladder old", "echelle vieille"),
    ("saw old", "scie vieille"),
] * 4
# "pomme de terre" is a potato, "pomme" an apple, "terre" earth.
PHRASES = [
    ("potato cheap", "pomme terre cheres"),
    ("potato large", "pomme terre grandes"),
    ("potato old", "pomme terre vieilles"),
    ("apple cheap", "pomme cheres"),
    ("apple large", "pomme grandes"),
    ("earth large", "terre grandes"),
    ("earth old", "terre vieilles"),
] * MIN_COUNT


def numbered(texts: list[str]) -> tuple[list[list[int]], list[str]]:
    """Texts as numbers of their words, and the words."""
    words = sorted({word for text in texts for word in text.split()})
    return [[words.index(word) for word in text.split()] for text in texts], words


class Learnt:
    """A bitext aligned."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        english, self.english = numbered([pair[0] for pair in pairs])
        french, self.french = numbered([pair[1] for pair in pairs])
        self.sizes = len(self.english), len(self.french)
        self.rounds: list[int] = []
        self.aligner = Aligner(english, french, self.sizes)
        self.counts: Counts = self.aligner.train(self.rounds.append)

    def best(self, french: str) -> str:
        """What a French word is aligned with most."""
        own = self.counts.french == self.french.index(french)
        return self.english[int(self.counts.english[own][self.counts.aligned[own].argmax()])]


@pytest.mark.parametrize(
    ("french", "english"),
    [("scie", "saw"), ("echelle", "ladder"), ("longue", "long"), ("vieille", "old")],
)
def test_words_that_explain_each_other_are_aligned(french: str, english: str) -> None:
    """Every text holds two or three words; only together do they tell which is which."""
    assert Learnt(PAIRS).best(french) == english


def test_every_word_is_aligned_at_most_once_in_each_text() -> None:
    """Agreed probabilities of one word of one text sum to one at most, in both directions."""
    for chunk, cells, agreed in Learnt(PAIRS).aligner.alignments():
        assert np.bincount(cells.english, agreed, len(chunk.english)).max() <= 1 + 1e-9
        assert np.bincount(cells.french, agreed, len(chunk.french)).max() <= 1 + 1e-9


def test_aligning_twice_gives_the_same_bits() -> None:
    """The artefact is to be the same byte for byte."""
    one, other = Learnt(PAIRS), Learnt(PAIRS)
    assert one.counts.aligned.tobytes() == other.counts.aligned.tobytes()
    assert one.rounds == other.rounds == list(range(1, 2 * FREE_ROUNDS + 1))


def found_phrases(pairs: list[tuple[str, str]]) -> tuple[Learnt, dict[str, Phrase]]:
    """The French phrases of a bitext by their words."""
    learnt = Learnt(pairs)
    words = [
        (learnt.counts.english, learnt.counts.french, learnt.sizes[0]),
        (learnt.counts.french, learnt.counts.english, learnt.sizes[1]),
    ]
    shares: list[dict[int, list[tuple[int, float]]]] = []
    for own, other, size in words:
        total = np.bincount(own, learnt.counts.aligned, size)
        shares.append({})
        for key in range(len(own)):
            share = float(learnt.counts.aligned[key] / total[own[key]])
            shares[-1].setdefault(int(own[key]), []).append((int(other[key]), share))
    _, french = find_phrases(learnt.aligner.alignments(), (shares[0], shares[1]), learnt.sizes)
    return learnt, {" ".join(learnt.french[n] for n in phrase.terms): phrase for phrase in french}


def test_two_words_that_mean_something_else_become_a_phrase() -> None:
    """Its translation is the word that stands for both."""
    learnt, phrases = found_phrases(PHRASES)
    phrase = phrases["pomme terre"]
    assert phrase.count == 3 * MIN_COUNT
    term, expected = phrase.translations[0]
    assert learnt.english[term] == "potato"
    assert expected > 0.5
    assert phrase.difference > 0.15


def test_words_that_mean_what_they_say_are_no_phrase() -> None:
    """A red saw is a "scie rouge": its words are enough."""
    _, phrases = found_phrases(PAIRS)
    assert "scie rouge" not in phrases

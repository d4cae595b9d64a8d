from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from kb.encoders.cross import CrossEncoder, Stated
from kb.encoders.pairing import HEADING, MAX_TOKENS, QUESTION, SENTENCE, TITLE, paired
from kb.encoders.shipped import CROSS_ENCODER, FILES, FOLDER, MANIFEST, Shipped, package_models
from kb.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

READER = CrossEncoder()
FUND = "Fonds Tournesol"
SENTENCES = [
    Stated(FUND, "", "Le fonds Tournesol garantit 60 % du capital emprunté."),
    Stated(FUND, "", "Les dossiers sont déposés à l'antenne locale avant le 15 mars de l'année."),
    Stated(FUND, "", "Le fonds Tournesol est présidé par Mme Odile Kermarrec."),
    Stated(FUND, "", "Seules les coopératives de moins de cinquante salariés y ont accès."),
]


ASKED = {
    "Quelle part du prêt est couverte par Tournesol ?": 0,
    "What share of the loan does Tournesol cover?": 0,
    "Jusqu'à quand peut-on envoyer sa demande à Tournesol ?": 1,
    "By when do we have to apply to the Tournesol fund?": 1,
    "Qui est à la tête du fonds Tournesol ?": 2,
    "Who chairs the Tournesol fund?": 2,
    "Qui peut demander l'aide de Tournesol ?": 3,
    "Who may apply to Tournesol?": 3,
}


def test_the_sentence_that_answers_has_the_highest_score() -> None:
    """In either language, though all four speak of the fund; one in eight may be missed."""
    best = {question: int(np.argmax(READER.score(question, SENTENCES))) for question in ASKED}
    missed = {question for question in ASKED if best[question] != ASKED[question]}
    assert len(missed) <= 1, missed


def test_what_nothing_answers_scores_lower() -> None:
    """Questions that a sentence answers are told from others, also from one on the same fund."""
    answered = ("Who chairs the Tournesol fund?", "Quelle part du prêt Tournesol couvre-t-il ?")
    others = ("Who won the football world cup in Brazil?", "En quelle année est né Tournesol ?")
    lowest = min(READER.score(question, SENTENCES).max() for question in answered)
    assert all(READER.score(question, SENTENCES).max() < lowest for question in others)


def test_a_sentence_has_the_very_same_score_in_any_company() -> None:
    """No neighbour, order or thread changes a bit of it."""
    question = "Who chairs the Tournesol fund?"
    alone = np.concatenate([READER.score(question, [each]) for each in SENTENCES])
    assert np.array_equal(READER.score(question, SENTENCES), alone)
    assert np.array_equal(READER.score(question, SENTENCES[::-1])[::-1], alone)
    fresh = CrossEncoder(Shipped())
    with ThreadPoolExecutor(8) as threads:
        for found in threads.map(lambda _: fresh.score(question, SENTENCES), range(8)):
            assert np.array_equal(found, alone)


def test_nothing_to_read_has_no_score() -> None:
    """An empty list gives an empty row."""
    assert READER.score("Who?", []).shape == (0,)


def test_every_part_has_its_room() -> None:
    """An overlong part is cut, and takes no room of another."""
    tokenizer, long = package_models().tokenizer, "garantie " * 400
    short = paired(tokenizer, "qui", "", "", "oui")
    assert len(short) == len(paired(tokenizer, "", "", "", "")) + 2
    assert len(paired(tokenizer, long, long, long, long)) == MAX_TOKENS
    assert MAX_TOKENS == QUESTION + TITLE + HEADING + SENTENCE + 4
    assert MAX_TOKENS <= 256
    assert np.isfinite(READER.score(long, [Stated(long, long, long)])).all()


def test_a_damaged_file_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """One flipped bit is enough: wrong weights would answer wrongly in silence."""
    for name in (*FILES, MANIFEST):
        shutil.copyfile(FOLDER / name, tmp_path / name)
    content = bytearray((tmp_path / CROSS_ENCODER).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / CROSS_ENCODER).write_bytes(content)
    with pytest.raises(StoreError, match=rf"{CROSS_ENCODER}.*sha256.*--force-reinstall"):
        CrossEncoder(Shipped(tmp_path)).score("Who?", SENTENCES)

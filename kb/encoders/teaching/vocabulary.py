"""French words for an English vocabulary, each begun as the mean of its English translations.

The stock vocabulary cuts a French word into 1.98 pieces, with 12,000 French words added into 1.34:
passages are a third shorter to the encoder. Begun at their translations' vectors the new words mean
something from the first step: after 300 steps French questions found English articles as they did
after hours from random ones. (Initialising from translations: Minixhofer et al. (2022), "WECHSEL".)
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from tokenizers import Tokenizer

from kb.analysis import fold
from kb.lexicon.align import Aligner

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from kb.encoders.teaching.lessons import Pair

MIN_COUNT: Final = 4  # rarer words keep the pieces they are cut into
MIN_SHARE: Final = 0.08  # of a word's alignments; what is rarer is chance
_LONGEST: Final = 80  # words of a paragraph that is aligned
_WORD: Final = re.compile(r"[^\W\d_]+")


def load_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer that neither cuts nor fills."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def extend(
    stock: Path, embeddings: NDArray[np.float32], pairs: Sequence[Pair]
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Return ``tokenizer.json`` with French words added, and a vector for each new word.

    ``embeddings`` are the stock model's word vectors, shape (pieces, dimension).
    """
    tokenizer = load_tokenizer(stock)
    described: dict[str, Any] = json.loads(stock.read_text(encoding="utf-8"))
    pieces: dict[str, int] = described["model"]["vocab"]
    counts = Counter(word for pair in pairs for word in _words(pair.french))
    new = [
        word
        for word, count in counts.most_common()
        if count >= MIN_COUNT and len(word) > 2 and word not in pieces  # noqa: PLR2004 -- letters and elisions are pieces already
    ]

    def meaning(word: str) -> NDArray[np.float32]:
        ids = tokenizer.encode(word, add_special_tokens=False).ids
        mean: NDArray[np.float32] = embeddings[ids].mean(axis=0)
        return mean

    translations = _translations(pairs)
    vectors = []
    for word in new:
        found = translations.get(word) or [(word, 1.0)]
        shares = np.array([share for _, share in found], dtype=np.float32)
        stacked = np.stack([meaning(translation) for translation, _ in found])
        vectors.append(shares @ stacked / shares.sum())
        pieces[word] = len(pieces)
    return described, np.stack(vectors)


def _translations(pairs: Iterable[Pair]) -> dict[str, list[tuple[str, float]]]:
    """English words of each French word with their share of its alignments."""
    english: dict[str, int] = {}
    french: dict[str, int] = {}
    sides: tuple[list[list[int]], list[list[int]]] = ([], [])
    for pair in pairs:
        words = _words(pair.english), _words(pair.french)
        if all(0 < len(side) <= _LONGEST for side in words):
            for side, numbers, found in zip(sides, (english, french), words, strict=True):
                side.append([numbers.setdefault(word, len(numbers)) for word in found])
    counts = Aligner(*sides, (len(english), len(french))).train(lambda _round: None)
    totals = np.bincount(counts.french, counts.aligned, len(french))
    of_english, of_french = list(english), list(french)
    translations: dict[str, list[tuple[str, float]]] = {}
    for key in np.nonzero(counts.aligned >= MIN_SHARE * totals[counts.french])[0]:
        word = int(counts.french[key])
        share = float(counts.aligned[key] / max(totals[word], 1e-12))
        listed = translations.setdefault(of_french[word], [])
        listed.append((of_english[int(counts.english[key])], share))
    return translations


def _words(text: str) -> list[str]:
    return _WORD.findall(fold(text))

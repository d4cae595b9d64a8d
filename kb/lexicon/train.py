"""Makes the lexicon: reads the sources, aligns, finds phrases, prunes and writes the artefact."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kb.lexicon import align, phrases, sources
from kb.lexicon.artefact import MAX_TERMS, Entry, write_lexicon

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from kb.lexicon.align import Counts, Ints
    from kb.lexicon.phrases import Phrase, Translations
    from kb.lexicon.sources import Bitext

RECIPE: Final = 1  # raised with every change that makes another artefact
DATE: Final = "2026-11-25"  # of the recipe; the clock has no place in a file that is made again
ROUNDS: Final = align.FREE_ROUNDS + align.AGREEING_ROUNDS

MIN_TERM_COUNT: Final = 2
MIN_ALIGNED: Final = 0.5  # expected alignments of a translation
MIN_SHARE: Final = 0.02  # of a term's alignments
MAX_TRANSLATIONS: Final = 10

LICENCE: Final = (
    "Derived figures. EU legal texts: European Union, reuse with attribution (Commission Decision"
    " 2011/833/EU), in a compilation under CC-BY-4.0 (SFHAJJI/lex-corpus-eu-eurlex). EuroVoc:"
    " Publications Office of the European Union, reuse with attribution (same decision)."
)


def train(
    bitext: Bitext, out: Path, progress: Callable[[str, int], None] = lambda _step, _done: None
) -> dict[str, Any]:
    """Learn a lexicon from a bitext, write it and return its recipe.

    ``progress`` is told the step and how many rounds of it are done.
    """
    english, french = _vocabulary(bitext.english), _vocabulary(bitext.french)
    sizes = len(english), len(french)
    aligner = align.Aligner(*_numbered(bitext, english, french), sizes)
    counts = aligner.train(lambda done: progress("align", done))
    of_english = _translations(counts.english, counts.french, counts)
    of_french = _translations(counts.french, counts.english, counts)
    progress("phrases", 0)
    found = phrases.find_phrases(aligner.alignments(), (of_english, of_french), sizes)
    entries = {
        "en": _entries(of_english, found[0]),
        "fr": _entries(of_french, found[1]),
    }
    recipe = _recipe(bitext, sizes, entries)
    write_lexicon(out, {"en": list(english), "fr": list(french)}, entries, recipe)
    return recipe


def _vocabulary(texts: Sequence[Sequence[str]]) -> dict[str, int]:
    """Terms seen at least twice, in alphabetical order, with their numbers."""
    counts = Counter(term for text in texts for term in text)
    often = [term for term, count in counts.items() if count >= MIN_TERM_COUNT]
    kept = sorted(sorted(often, key=lambda term: (-counts[term], term))[:MAX_TERMS])
    return {term: number for number, term in enumerate(kept)}


def _numbered(
    bitext: Bitext, english: dict[str, int], french: dict[str, int]
) -> tuple[list[list[int]], list[list[int]]]:
    """The pairs as numbers; those of which one side has no known term are left out."""
    left, right = [], []
    for texts in zip(bitext.english, bitext.french, strict=True):
        one = [english[term] for term in texts[0] if term in english]
        two = [french[term] for term in texts[1] if term in french]
        if one and two:
            left.append(one)
            right.append(two)
    return left, right


def _translations(sources_: Ints, targets: Ints, counts: Counts) -> dict[int, Translations]:
    """Each term's translations as shares of its alignments, most first, the rare ones pruned."""
    totals = np.bincount(sources_, counts.aligned)
    kept = np.nonzero(
        (counts.aligned >= MIN_ALIGNED) & (counts.aligned >= MIN_SHARE * totals[sources_])
    )[0]
    found: dict[int, Translations] = {}
    for key in kept:
        source = int(sources_[key])
        share = float(counts.aligned[key] / totals[source])
        found.setdefault(source, []).append((int(targets[key]), share))
    for source, listed in found.items():
        found[source] = sorted(listed, key=lambda item: (-item[1], item[0]))[:MAX_TRANSLATIONS]
    return found


def _entries(words: dict[int, Translations], found: Sequence[Phrase]) -> list[Entry]:
    listed = [Entry((word,), translations) for word, translations in words.items()]
    for phrase in found:
        preference = phrase.difference * math.log(phrase.count)
        listed.append(Entry(phrase.terms, phrase.translations[:MAX_TRANSLATIONS], preference))
    return listed


def _recipe(
    bitext: Bitext, sizes: tuple[int, int], entries: dict[str, list[Entry]]
) -> dict[str, Any]:
    return {
        "recipe": RECIPE,
        "method": "IBM Model 1 with a position prior, directions agreeing; phrases of two terms",
        "sources": [asdict(source) for source in bitext.sources],
        "date": DATE,
        "held_out": f"acts with crc32(celex) % {sources.HELD_OUT_OF} == 0",
        "rounds": [align.FREE_ROUNDS, align.AGREEING_ROUNDS],
        "terms": {"en": sizes[0], "fr": sizes[1]},
        "entries": {language: len(listed) for language, listed in entries.items()},
        "licence": LICENCE,
    }

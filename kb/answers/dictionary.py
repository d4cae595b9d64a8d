"""How a question's words may be said otherwise: the package's lexicon and glossary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kb.lexicon.query import default_glossary, default_lexicon

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kb.lexicon.glossary import Match


class PackageDictionary:
    """The lexicon and the glossary that come with the package, read when first used."""

    def translations(self, terms: Sequence[str], source: str) -> list[tuple[str, float]]:
        """What a term, or a phrase of two, becomes in the other language, with its share."""
        return default_lexicon().translations(terms, source)

    def notions(self, text: str, language: str) -> Iterable[Match]:
        """The notions that a question names."""
        return default_glossary().find(text, language)

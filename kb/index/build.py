"""Passages of the system of record to points of the index, in batches."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from kb.analysis import passage_terms
from kb.calls.programmes import purpose
from kb.context import context, encoded_text
from kb.index.base import Point

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from kb.encoders.base import Encoder
    from kb.index.base import IndexWriter
    from kb.model import Document, Passage

# Large enough to sort by length within, small enough to hold: 512 passages are 2 MB of text.
_BATCH = 512


def write_passages(
    writer: IndexWriter,
    encoder: Encoder,
    documents: Iterable[tuple[Document, list[Passage]]],
    advance: Callable[[int], None] = lambda _count: None,
) -> int:
    """Encode and add every passage; ``advance`` hears how many more are in. Returns the number."""
    total = 0
    vectors = _Vectors(encoder)
    pairs = ((document, passage) for document, found in documents for passage in found)
    while batch := list(islice(pairs, _BATCH)):
        for part in _by_length(batch):
            writer.add(_points(vectors, part))
            advance(len(part))
        total += len(batch)
    return total


def _by_length(batch: list[tuple[Document, Passage]]) -> Iterator[list[tuple[Document, Passage]]]:
    """Parts of a batch with texts of like length, so that encoding pads little."""
    ordered = iter(sorted(batch, key=lambda pair: len(pair[1].text)))
    while part := list(islice(ordered, 64)):
        yield part


class _Vectors:
    """Encodes passages; what calls repeat word for word is encoded once.

    Half of the passages of the portal's calls are conditions and objectives that stand in many of
    them: of 12,507 passages of 629 calls 5,572 differ. They say nothing of one call, so they are
    encoded without its title, which makes them the same; the lexical leg keeps the title.

    The head of a call is encoded with what its programme is for, in both languages: a call of the
    portal may hold little more than its title.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._repeated: dict[str, NDArray[np.float32]] = {}

    def context(self, document: Document, passage: Passage) -> str:
        """What is read before a passage's text: its document's title and its headings."""
        return context(document.title, passage.heading, self._encoder.count_tokens)

    def encode(
        self, pairs: Sequence[tuple[Document, Passage]], contexts: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        """A vector for each passage."""
        texts = [
            _encoded(document, passage, before)
            for (document, passage), before in zip(pairs, contexts, strict=True)
        ]
        wanted = list(dict.fromkeys(text for text in texts if text not in self._repeated))
        made = dict(zip(wanted, self._encoder.encode_passages(wanted), strict=True))
        for text, (document, passage) in zip(texts, pairs, strict=True):
            if _is_general(document, passage) and text in made:
                self._repeated[text] = made[text]
        return [self._repeated[text] if text in self._repeated else made[text] for text in texts]


def _encoded(document: Document, passage: Passage, before: str) -> str:
    if _is_general(document, passage):
        return passage.text
    return encoded_text("\n".join((before, *_purpose(document, passage))), passage.text)


def _purpose(document: Document, passage: Passage) -> tuple[str, ...]:
    """What the programme of a call is for, in English and in French, beside its head."""
    if document.call is None or passage.ordinal:
        return ()
    return purpose(document.call.identifier) or ()


def _read(document: Document, passage: Passage, before: str) -> str:
    """What the lexical leg reads before a passage's text."""
    known = _purpose(document, passage)
    return f"{before}\n{known[passage.language == 'fr']}" if known else before


def _is_general(document: Document, passage: Passage) -> bool:
    """Whether a passage of a call stands after its description: conditions, how to apply."""
    return document.call is not None and passage.spans[0].number > 1


def _points(vectors: _Vectors, pairs: list[tuple[Document, Passage]]) -> list[Point]:
    contexts = [vectors.context(document, passage) for document, passage in pairs]
    return [
        Point(
            passage,
            document,
            vector,
            passage_terms(passage.text, passage.language, _read(document, passage, before)),
        )
        for (document, passage), vector, before in zip(
            pairs, vectors.encode(pairs, contexts), contexts, strict=True
        )
    ]

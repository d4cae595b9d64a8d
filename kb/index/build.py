"""Passages of the system of record to points of the index, in batches."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from kb.analysis import passage_terms
from kb.context import context, encoded_text
from kb.index.base import Point

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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
    pairs = ((document, passage) for document, found in documents for passage in found)
    while batch := list(islice(pairs, _BATCH)):
        for part in _by_length(batch):
            writer.add(_points(encoder, part))
            advance(len(part))
        total += len(batch)
    return total


def _by_length(batch: list[tuple[Document, Passage]]) -> Iterator[list[tuple[Document, Passage]]]:
    """Parts of a batch with texts of like length, so that encoding pads little."""
    ordered = iter(sorted(batch, key=lambda pair: len(pair[1].text)))
    while part := list(islice(ordered, 64)):
        yield part


def _points(encoder: Encoder, pairs: list[tuple[Document, Passage]]) -> list[Point]:
    contexts = [
        context(document.title, passage.heading, encoder.count_tokens)
        for document, passage in pairs
    ]
    texts = [
        encoded_text(before, passage.text)
        for before, (_, passage) in zip(contexts, pairs, strict=True)
    ]
    vectors = encoder.encode_passages(texts)
    return [
        Point(passage, document, vector, passage_terms(passage.text, passage.language, before))
        for (document, passage), vector, before in zip(pairs, vectors, contexts, strict=True)
    ]

"""A base of many passages for measuring load: acts of the shared material beside a base's own.

    python -m evaluation.load.base HOME NEW_HOME [--passages N]

The acts are the French and English paragraphs of ``parallel``, split as ``kb ingest`` splits. To
encode 100,000 passages takes two processors a quarter of an hour and more, so the vectors of the
acts are estimated: a linear map from the mean of a text's word vectors, fitted to what the encoder
makes of 2,000 of the passages (cosine 0.84 to the encoder's own on passages that were not fitted).
They lie where the encoder's would, which is enough to measure speed, and not enough for relevance.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load_file

from evaluation.bases import Chosen
from evaluation.benches import shared_data
from evaluation.machine import bar
from kb.bootstrap import open_knowledge_base
from kb.encoders.shipped import FOLDER, WORDS, package_models
from kb.errors import UsageError
from kb.index.build import write_passages
from kb.lock import writer_lock
from kb.model import Kind, Metadata, Page, Parsed, Visibility
from kb.record.known import NewVersion
from kb.record.writing import Draft
from kb.splitting import split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from kb.bootstrap import KnowledgeBase
    from kb.encoders.base import Encoder
    from kb.model import Passage

PASSAGES = 100_000
_ACTS = Path("parallel") / "eu_law_en_fr.tsv.gz"
_LANGUAGES = ("en", "fr")
_PAGE = 3000  # characters
_TITLE = 150
_FITTED = 2000
# Chosen on 1,200 passages: 0.001 and 0.1 gave cosines of 0.83 and 0.79.
_RIDGE = 0.01


@dataclass(frozen=True, slots=True)
class Act:
    """An act in one language."""

    celex: str
    language: str
    paragraphs: tuple[str, ...]

    @property
    def id(self) -> str:
        """Its document's."""
        return f"load-{self.celex}-{self.language}"

    @property
    def title(self) -> str:
        """The beginning of its first paragraph, which is long."""
        return self.paragraphs[0][:_TITLE].rpartition(" ")[0] or self.celex

    @property
    def pages(self) -> tuple[Page, ...]:
        """Its paragraphs on pages of about the length of a printed one."""
        texts = [""]
        for paragraph in self.paragraphs:
            if texts[-1] and len(texts[-1]) + len(paragraph) > _PAGE:
                texts.append("")
            texts[-1] += ("\n\n" if texts[-1] else "") + paragraph
        return tuple(Page(number, text) for number, text in enumerate(texts, start=1))


class EstimatedVectors:
    """The vectors of an encoder, estimated from the words of a text.

    Args:
        encoder: Whose vectors are wanted.
        texts: What is encoded in earnest, to fit to.
    """

    def __init__(self, encoder: Encoder, texts: Sequence[str]) -> None:
        self._encoder = encoder
        stored = load_file(FOLDER / WORDS)
        self._words = stored["words"].astype(np.float32) * stored["scales"]
        made = encoder.encode_passages(texts)
        means = self._means(texts)
        square = means.T @ means + _RIDGE * np.eye(means.shape[1], dtype=np.float32)
        self._map = np.linalg.solve(square, means.T @ made)

    @property
    def name(self) -> str:
        """That of the encoder, whose queries are compared with these."""
        return self._encoder.name

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._encoder.dimension

    def count_tokens(self, text: str) -> int:
        """How many word pieces a text has."""
        return self._encoder.count_tokens(text)

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages, estimated."""
        estimated = self._means(texts) @ self._map
        lengths = np.linalg.norm(estimated, axis=1, keepdims=True)
        unit: NDArray[np.float32] = (estimated / np.maximum(lengths, 1e-9)).astype(np.float32)
        return unit

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of queries, as the encoder makes them."""
        return self._encoder.encode_queries(texts)

    def _means(self, texts: Sequence[str]) -> NDArray[np.float32]:
        encoded = package_models().tokenizer.encode_batch(list(texts))
        means = np.stack([self._words[each.ids].mean(axis=0) for each in encoded])
        return np.hstack([means, np.ones((len(texts), 1), np.float32)])


def enlarge(kb: KnowledgeBase, wanted: int) -> None:
    """Publish a generation with as many acts as it takes to hold so many passages.

    Raises:
        UsageError: There are not as many in the shared material.
    """
    with writer_lock(kb.settings.lock):
        draft = Draft(kb.engine, kb.encoder.name, kb.clock())
        current = kb.record.current()
        held = current.passages if current else 0
        added = _written(draft, kb.encoder, wanted - held)
        passages = [passage.text for found in added.values() for passage in found]
        sample = Random(26).sample(passages, min(_FITTED, len(passages)))  # noqa: S311 -- as ever
        writer = kb.index.writer(draft.id, draft.parent)
        with bar("acts: passages", len(passages)) as advance:
            documents = draft.current_documents(list(added), {})
            write_passages(writer, EstimatedVectors(kb.encoder, sample), documents, advance)
        writer.finish()
        draft.publish({}, [], {})


def _written(draft: Draft, encoder: Encoder, wanted: int) -> dict[str, list[Passage]]:
    """Write acts until there are so many passages; returns those of each document."""
    added: dict[str, list[Passage]] = {}
    left = wanted
    with bar("acts: passages to write", wanted) as advance:
        for act in _acts():
            if left <= 0:
                return added
            pages = act.pages
            parsed = Parsed(pages, paged=True)
            count = encoder.count_tokens
            found = split(parsed, act.id, 1, act.title, count, language=act.language)[:left]
            draft.add(_version(act), pages, found, current=True)
            added[act.id] = found
            left -= len(found)
            advance(len(found))
    if left > 0:
        raise UsageError(
            f"The acts of {shared_data() / _ACTS} have {wanted - left} passages, and {wanted} are "
            "wanted: ask for fewer with --passages."
        )
    return added


def _acts() -> Iterator[Act]:
    """Every act in either language, in an order that is the same at every run."""
    found: dict[str, list[list[str]]] = {}
    with gzip.open(shared_data() / _ACTS, "rt", encoding="utf-8") as lines:
        for line in lines:
            celex, _, *texts = line.rstrip("\n").split("\t")
            found.setdefault(celex, []).append(texts)
    for celex in sorted(found, key=lambda each: hashlib.sha256(each.encode()).digest()):
        for language, paragraphs in zip(_LANGUAGES, zip(*found[celex], strict=True), strict=True):
            yield Act(celex, language, paragraphs)


def _version(act: Act) -> NewVersion:
    return NewVersion(
        document_id=act.id,
        work=f"load-{act.celex}",
        number=1,
        sha256=hashlib.sha256(act.id.encode()).hexdigest(),
        original=None,
        media_type="text/plain",
        source=f"{_ACTS}#{act.celex}",
        paged=True,
        warnings=(),
        metadata=Metadata(
            title=act.title,
            kind=Kind.POLICY,
            visibility=Visibility.PUBLIC,
            language=act.language,
        ),
    )


def enlarged_copy(home: Path, new: Path, wanted: int) -> None:
    """Make a base of so many passages of a copy of another.

    Raises:
        UsageError: There are not as many in the shared material.
    """
    shutil.copytree(home, new, dirs_exist_ok=True)
    kb = open_knowledge_base(Chosen().settings(new))
    try:
        enlarge(kb, wanted)
    finally:
        kb.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Make a larger base of a copy of another."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.load.base", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("home", type=Path, help="The base to begin with; it stays as it is.")
    parser.add_argument("new", type=Path, help="The folder to make.")
    parser.add_argument("--passages", type=int, default=PASSAGES, help="How many to end with.")
    options = parser.parse_args(arguments)
    enlarged_copy(options.home, options.new, options.passages)


if __name__ == "__main__":
    main()

"""Bases to measure, built with the product's own parts and kept in a cache."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from platformdirs import user_cache_path
from pydantic import ValidationError

import kb
from evaluation.machine import bar
from evaluation.vectors import RememberedVectors
from kb.bootstrap import open_knowledge_base
from kb.errors import UsageError
from kb.index.build import write_passages
from kb.language import detect
from kb.lock import writer_lock
from kb.model import Kind, Metadata, Page, Parsed, Passage, Span, Visibility
from kb.record.known import NewVersion
from kb.record.writing import Draft
from kb.settings import Settings
from kb.splitting import split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evaluation.benches import Bench, BenchDocument
    from kb.bootstrap import KnowledgeBase
    from kb.encoders.base import Encoder

# Settings that change what is found; where things lie and how files are read does not.
_MEASURED = frozenset({"encoder", "candidate_k", "dense_weight", "per_document"})
# Not a setting of the product: `whole` makes one passage of each document of a bench, `split` as
# many as the product would.
_PASSAGES = ("split", "whole")
# What decides, beside the vectors, what a base holds. Queries are no part of it.
CODE_OF_INDEX = ("index/*.py", "calls/programmes.py", "analysis.py", "context.py")
CODE_OF_PASSAGES = ("language.py", "record/*.py", "sentences.py", "splitting.py")
# Raise it when bases are built otherwise here.
_BUILDING = "1"
_KEPT_DAYS = 14
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Chosen:
    """Settings to measure with, as they were stated; all others are the product's."""

    product: dict[str, str] = field(default_factory=dict)
    passages: str = "whole"

    @classmethod
    def read(cls, stated: Sequence[str]) -> Chosen:
        """Read ``NAME=VALUE`` of each.

        Raises:
            UsageError: A name is unknown or a value out of range.
        """
        pairs = [pair.partition("=") for pair in stated]
        values = {name.strip().lower().removeprefix("kb_"): value for name, _, value in pairs}
        valid = sorted({"passages", *_MEASURED})
        for name, sign, value in pairs:
            if not sign or name.strip().lower().removeprefix("kb_") not in valid:
                raise UsageError(
                    f"{name + sign + value!r} is no setting to measure with. "
                    f"State NAME=VALUE; the names are {', '.join(valid)}."
                )
        passages = values.pop("passages", "whole")
        if passages not in _PASSAGES:
            raise UsageError(f"passages is {passages!r}; it can be {' or '.join(_PASSAGES)}.")
        chosen = cls(values, passages)
        chosen.settings(Path())
        return chosen

    def settings(self, home: Path, **defaults: Any) -> Settings:
        """The product's settings in a home; ``defaults`` hold where nothing else was stated.

        What the environment says of the user's own base does not count here.
        """
        own = {"home": home, "database_url": "", "index_url": ""}
        try:
            return Settings(**{**defaults, **self.product, **own})
        except ValidationError as error:
            problem = error.errors()[0]
            raise UsageError(f"{problem['loc'][0]}: {problem['msg']}") from None

    def shown(self, **defaults: Any) -> dict[str, Any]:
        """Every setting that is measured, with its value."""
        values = self.settings(Path(), **defaults).model_dump(mode="json")
        shown = {name: value for name, value in values.items() if name in _MEASURED}
        return {**shown, "passages": self.passages}


def cache() -> Path:
    """Where bases, vectors and runs are kept: ``KB_EVAL_CACHE``, or the user's cache folder."""
    stated = os.environ.get("KB_EVAL_CACHE")
    return Path(stated) if stated else user_cache_path("operation-milliard-kb") / "evaluation"


def product_encoder(chosen: Chosen) -> Encoder:
    """The encoder that the product chooses for these settings; one model is loaded once."""
    return _encoder(chosen.settings(Path()).encoder)


@lru_cache(maxsize=1)
def _encoder(name: str) -> Encoder:
    with tempfile.TemporaryDirectory() as home:
        opened = open_knowledge_base(Chosen({"encoder": name}).settings(Path(home)))
        opened.close()
    return opened.encoder


@contextmanager
def bench_base(
    bench: Bench, chosen: Chosen, encoder: Encoder | None = None, **defaults: Any
) -> Iterator[KnowledgeBase]:
    """A base that holds a bench's documents, open; built where the cache has none.

    A hit's ``document.source`` is the document's id in the bench, ``document.id`` one of its own.
    """
    encoder = encoder or product_encoder(chosen)
    vectors = RememberedVectors(encoder, cache() / "vectors")
    contents = json.dumps([[(d.id, d.title, d.text) for d in corpus] for corpus in bench.corpora])
    key = digest(vectors.state, chosen.passages, contents, code(*CODE_OF_INDEX, *CODE_OF_PASSAGES))
    home = cached(f"bench-{key}", lambda folder: _build(bench, chosen, vectors, folder))
    opened = open_knowledge_base(chosen.settings(home, **defaults), encoder=vectors)
    try:
        yield opened
    finally:
        opened.close()


def cached(name: str, build: Callable[[Path], None]) -> Path:
    """The folder of a base in the cache; what was not used for two weeks makes room."""
    bases = cache() / "bases"
    bases.mkdir(parents=True, exist_ok=True)
    home = bases / name
    if not home.is_dir():
        building = Path(tempfile.mkdtemp(prefix=".building-", dir=bases))
        try:
            build(building)
            building.rename(home)
        except OSError:
            if not home.is_dir():  # else another process has built it meanwhile
                raise
        finally:
            shutil.rmtree(building, ignore_errors=True)
    home.touch()
    for path in (*bases.iterdir(), *(cache() / "vectors").glob("*.db")):
        if time.time() - path.stat().st_mtime > _KEPT_DAYS * _DAY:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return home


def digest(*parts: str) -> str:
    """A short hash of texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def code(*patterns: str) -> str:
    """A hash of modules of the product."""
    folder = Path(kb.__file__).parent
    files = sorted(path for pattern in patterns for path in folder.glob(pattern))
    return digest(_BUILDING, *(path.read_text(encoding="utf-8") for path in files))


def _build(bench: Bench, chosen: Chosen, encoder: Encoder, home: Path) -> None:
    """Write every document and its passages as one published generation."""
    base = open_knowledge_base(chosen.settings(home), encoder=encoder)
    with writer_lock(base.settings.lock):
        draft = Draft(base.engine, encoder.name, base.clock())
        passages: dict[str, int] = {}
        with bar(f"{bench.name}: documents", bench.documents) as advance:
            for number, corpus in enumerate(bench.corpora):
                for document in corpus:
                    passages |= _write(draft, encoder, chosen, number, document)
                    advance(1)
        writer = base.index.writer(draft.id, None)
        with bar(f"{bench.name}: passages", sum(passages.values())) as advance:
            documents = draft.current_documents(list(passages), {})
            write_passages(writer, encoder, documents, advance)
        writer.finish()
        draft.publish({}, [], {})
    base.close()


def _write(
    draft: Draft, encoder: Encoder, chosen: Chosen, corpus: int, document: BenchDocument
) -> dict[str, int]:
    """Write one document; returns how many passages it has, by its id."""
    stem = re.sub(r"[^A-Za-z0-9.]+", "-", document.id)[:100]
    document_id = f"{stem}-{digest(str(corpus), document.id)[:8]}"
    language = detect(document.text)
    page = Page(1, document.text)
    if chosen.passages == "whole":
        passages = [_whole(document, document_id, language)] if document.text.strip() else []
    else:
        parsed = Parsed((page,), paged=False)
        passages = split(
            parsed, document_id, 1, document.title, encoder.count_tokens, language=language
        )
    version = NewVersion(
        document_id=document_id,
        work=document.id[:200],
        number=1,
        sha256=hashlib.sha256(f"{document_id}\n{document.text}".encode()).hexdigest(),
        original=None,
        media_type="text/plain",
        source=document.id,
        paged=False,
        warnings=(),
        metadata=Metadata(
            title=document.title,
            kind=Kind.POLICY,
            visibility=Visibility.PUBLIC,
            language=language,
        ),
    )
    draft.add(version, [page], passages, current=True)
    return {document_id: len(passages)}


def _whole(document: BenchDocument, document_id: str, language: str) -> Passage:
    span = Span(None, None, 1, 0, len(document.text))
    key = str(uuid5(NAMESPACE_URL, document_id))
    return Passage(key, document_id, 1, 0, document.text, (span,), "", language)

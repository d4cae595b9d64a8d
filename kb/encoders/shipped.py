"""The models in this package: their files, checked, and how onnxruntime runs them.

The encoder and the cross-encoder share a tokenizer and word vectors, which are two thirds of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kb.errors import StoreError
from kb.stopping import NEVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

    from kb.stopping import Stop

FOLDER: Final = Path(__file__).parent / "bilingual"
TOKENIZER: Final = "tokenizer.json"
WORDS: Final = "words.safetensors"
ENCODER: Final = "encoder.onnx"
CROSS_ENCODER: Final = "cross-encoder.onnx"
FILES: Final = (TOKENIZER, WORDS, ENCODER, CROSS_ENCODER)
MANIFEST: Final = "checksums.json"


class Shipped:
    """The files of a folder, each read and checked when it is first used; safe between threads.

    Each text is run alone, two cores on two texts: quantisation takes its range from what is run
    together, so a text's vector would depend on its neighbours (measured: cosine 0.993 between
    two batches), and a text alone needs neither padding nor a mask.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._sessions: dict[str, InferenceSession] = {}

    @cached_property
    def checksums(self) -> dict[str, str]:
        """The sha256 of each file.

        Raises:
            StoreError: They can't be read.
        """
        try:
            stated = json.loads((self._folder / MANIFEST).read_text(encoding="utf-8"))["sha256"]
            return {name: str(stated[name]) for name in FILES}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(_damaged(self._folder / MANIFEST, str(error))) from None

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """It neither cuts nor fills."""
        from tokenizers import Tokenizer as Loaded  # noqa: PLC0415 -- vendor, when used

        tokenizer = Loaded.from_str(self._read(TOKENIZER).decode("utf-8"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def run(
        self, name: str, rows: Sequence[Sequence[int]], stop: Stop = NEVER
    ) -> list[NDArray[np.float32]]:
        """What a graph makes of each text's token numbers, in their order.

        Raises:
            StoreError: A file is missing or damaged.
            Stopped: The work is to stop; texts that were not begun are left out.
        """
        session = self._session(name)

        def alone(ids: Sequence[int]) -> NDArray[np.float32]:
            found: NDArray[np.float32] = session.run(None, {"words": self._vectors(ids)})[0][0]
            return found

        if len(rows) == 1:
            return [alone(rows[0])]
        # Longest first: the cores are done at the same time.
        order = sorted(range(len(rows)), key=lambda row: -len(rows[row]))
        running = {row: self._workers.submit(alone, rows[row]) for row in order}
        try:
            for future in running.values():
                future.result()
                stop.check()
        except BaseException:
            wait([future for future in running.values() if not future.cancel()])
            raise
        return [running[row].result() for row in range(len(rows))]

    def _vectors(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Word vectors of shape (1, tokens, dimension)."""
        words, scales = self._words
        vectors: NDArray[np.float32] = words[ids].astype(np.float32) * scales[ids]
        return vectors[None]

    @cached_property
    def _words(self) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        from safetensors.numpy import load  # noqa: PLC0415 -- vendor, when used

        stored = load(self._read(WORDS))
        return stored["words"], stored["scales"]

    def _session(self, name: str) -> InferenceSession:
        with self._lock:  # cached_property has no lock of its own
            _ = self._words, self._workers
            if name not in self._sessions:
                self._sessions[name] = _session(self._read(name))
            return self._sessions[name]

    @cached_property
    def _workers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_cores(), thread_name_prefix="encoder")

    def _read(self, name: str) -> bytes:
        path = self._folder / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise StoreError(_damaged(path, error.strerror or str(error))) from None
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.checksums[name]:
            raise StoreError(_damaged(path, f"its sha256 is {digest}"))
        return content


@cache
def package_models() -> Shipped:
    """The models of this package, read once for all that use them."""
    return Shipped()


def _session(graph: bytes) -> InferenceSession:
    import onnxruntime  # noqa: PLC0415 -- vendor, when used

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the workers share out the cores
    options.enable_cpu_mem_arena = False  # it keeps the largest of every shape it saw
    # Processors without VNNI would clip sums of products: cosine 0.988 to what others make of
    # a text. With this they make the same (emulated Haswell against AVX-512 VNNI: 1.0000).
    options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(
        graph,
        options,
        providers=["CPUExecutionProvider"],
        # Its fused kernel is slower than the two that it replaces: 79 passages/s against 97.
        disabled_optimizers=["SkipLayerNormFusion"],
    )


def _damaged(path: Path, seen: str) -> str:
    return (
        f"The default encoder's {path} can't be used: {seen}. Install the package again: "
        "pip install --force-reinstall operation-milliard-kb"
    )


def _cores() -> int:
    affinity: Any = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1

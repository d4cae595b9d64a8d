from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from kb.encoders import onnx
from kb.encoders.models import DEFAULT
from kb.encoders.onnx import MAX_TOKENS, PARTS, OnnxEncoder
from kb.encoders.shipped import FILES, FOLDER, MANIFEST, TOKENIZER, Shipped
from kb.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

ENCODER = OnnxEncoder()
TEXTS = [
    "La garantie couvre la moitié des pertes des investisseurs.",
    "The guarantee covers half of the losses of investors.",
    "Un moulin à vent.",
    "Le plafond des aides de minimis est de 300 000 euros sur trois ans. " * 12,
]


def copied(folder: Path) -> Path:
    """The encoder's files in a folder where they may be spoilt."""
    for name in (*FILES, MANIFEST):
        shutil.copyfile(FOLDER / name, folder / name)
    return folder


def test_a_text_has_the_very_same_vector_in_any_company() -> None:
    """Each is run alone: no neighbour, order or thread changes a bit of it."""
    alone = np.concatenate([ENCODER.encode_passages([text]) for text in TEXTS])
    assert np.array_equal(ENCODER.encode_passages(TEXTS), alone)
    assert np.array_equal(ENCODER.encode_passages(TEXTS[::-1] * 3)[:4][::-1], alone)
    assert np.array_equal(ENCODER.encode_queries(TEXTS), alone)


def test_threads_share_one_encoder() -> None:
    """A fresh encoder that eight threads ask at once loads and answers as one alone does."""
    encoder = OnnxEncoder(Shipped())
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: encoder.encode_passages(TEXTS), range(16)))
    for vectors in found:
        assert np.array_equal(vectors, ENCODER.encode_passages(TEXTS))


def test_what_goes_over_the_end_is_not_read() -> None:
    """A text is cut after as many tokens as the model has places, its end mark kept."""
    words = ["guarantee"] * 2000
    assert ENCODER.count_tokens("guarantee") == 1
    longest = " ".join(words[: MAX_TOKENS - 2])
    one_less = " ".join(words[: MAX_TOKENS - 3])
    whole, cut, short = ENCODER.encode_passages([longest, " ".join(words), one_less])
    assert np.array_equal(whole, cut)
    assert not np.array_equal(whole, short)


def test_a_translation_is_nearer_than_another_sentence() -> None:
    """French and English lie in one space."""
    french, english, windmill, _ = ENCODER.encode_passages(TEXTS)
    assert french @ english > 0.5
    assert french @ english > max(french @ windmill, english @ windmill) + 0.2


def test_the_name_tells_the_weights() -> None:
    """It ends in eight digits of the checksums of the files that make a vector, and of no other."""
    sums = json.loads((FOLDER / MANIFEST).read_text("utf-8"))["sha256"]
    assert ENCODER.name.rpartition("-")[0] == DEFAULT
    assert ENCODER.name == onnx.model_name(sums)
    for name in FILES:
        another = onnx.model_name({**sums, name: "0" * 64})
        assert (another != ENCODER.name) == (name in PARTS)


@pytest.mark.parametrize("name", PARTS)
def test_a_damaged_file_is_refused_with_the_way_out(tmp_path: Path, name: str) -> None:
    """One flipped bit is enough: wrong weights would answer wrongly in silence."""
    content = bytearray((copied(tmp_path) / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StoreError, match=rf"{name}.*sha256.*--force-reinstall"):
        OnnxEncoder(Shipped(tmp_path)).encode_queries(["moulin"])


@pytest.mark.parametrize("name", [*PARTS, MANIFEST])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    """An installation that lost a file says which."""
    (copied(tmp_path) / name).unlink()
    with pytest.raises(StoreError, match=name):
        OnnxEncoder(Shipped(tmp_path)).encode_queries(["moulin"])


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"sha256": {"model.onnx": "0"}}'])
def test_checksums_that_cannot_be_read_are_refused(tmp_path: Path, content: str) -> None:
    """Without them nothing tells the weights."""
    (copied(tmp_path) / MANIFEST).write_text(content, encoding="utf-8")
    with pytest.raises(StoreError, match=MANIFEST):
        _ = OnnxEncoder(Shipped(tmp_path)).name


def test_nothing_is_read_before_it_is_needed(tmp_path: Path) -> None:
    """The dimension is known and tokens are counted without the weights."""
    shipped = Shipped(copied(tmp_path))
    for name in FILES:
        if name != TOKENIZER:
            (tmp_path / name).unlink()
    encoder = OnnxEncoder(shipped)
    assert (encoder.dimension, encoder.count_tokens("échelle") > 0) == (384, True)


def test_the_default_imports_no_torch() -> None:
    """A query takes a fraction of a second, of which importing torch would be several."""
    code = (
        "import sys; from kb.encoders.choice import make_encoder; "
        f"make_encoder({DEFAULT!r}).encode_queries(['moulin']); "
        "print(*{'torch', 'transformers', 'sentence_transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

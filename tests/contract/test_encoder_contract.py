"""What every encoder promises: the default, larger models, and the stand-in in the tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from fakes import HashingEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from kb.encoders.models import STOCK
from kb.encoders.onnx import OnnxEncoder
from kb.encoders.sentence_transformer import SentenceTransformerEncoder

if TYPE_CHECKING:
    from kb.encoders.base import Encoder

HASHING = HashingEncoder()
DEFAULT = OnnxEncoder()
STOCK_ENCODER = SentenceTransformerEncoder(STOCK)
STARTER = Path(__file__).parents[2] / "corpus" / "starter"


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """A model of the architecture of multilingual-e5-small, with random weights."""
    from tiny_models import xlm_roberta  # noqa: PLC0415 -- imports torch, for this one alone

    texts = [path.read_text("utf-8") for path in sorted(STARTER.rglob("*.html"))]
    folder = tmp_path_factory.mktemp("models") / "multilingual-e5-small"
    return SentenceTransformerEncoder(str(xlm_roberta(folder, texts, dimension=384)))


# Random weights promise everything but meaning.
TRAINED = ["hashing", "default", pytest.param("stock", marks=pytest.mark.slow)]


@pytest.fixture(params=[*TRAINED, pytest.param("larger", marks=pytest.mark.slow)])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    """Each of the encoders."""
    if request.param == "larger":
        made: Encoder = request.getfixturevalue("larger")
        return made
    fixed: dict[str, Encoder] = {
        "hashing": HASHING,
        "default": DEFAULT,
        "stock": STOCK_ENCODER,
    }
    return fixed[request.param]


TEXTS = ["A ladder is lent to whoever asks.", "", "Une échelle est prêtée.", "ladder " * 2000]


def test_vectors_have_the_stated_shape_and_length_one(encoder: Encoder) -> None:
    """Passages and queries give rows of the stated dimension, also when empty or overlong."""
    for encode in (encoder.encode_passages, encoder.encode_queries):
        vectors = encode(TEXTS)
        assert vectors.shape == (len(TEXTS), encoder.dimension)
        assert vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)


def test_no_texts_give_no_rows(encoder: Encoder) -> None:
    """An empty list is encoded as an empty matrix of the right width."""
    assert encoder.encode_passages([]).shape == (0, encoder.dimension)
    assert encoder.encode_queries([]).shape == (0, encoder.dimension)


def test_a_text_has_one_vector_whatever_stands_beside_it(encoder: Encoder) -> None:
    """Batches and their order do not change a vector's direction."""
    alone = np.concatenate([encoder.encode_passages([text]) for text in TEXTS])
    together = encoder.encode_passages(TEXTS)
    backwards = encoder.encode_passages(TEXTS[::-1])[::-1]
    for other in (together, backwards):
        assert (alone * other).sum(axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=2e-3)


@pytest.mark.parametrize("encoder", TRAINED, indirect=True)
def test_a_query_is_nearest_to_the_passage_that_speaks_of_it(encoder: Encoder) -> None:
    """The dot product orders passages by what they have in common with the query."""
    passages = ["The ladder is lent for a week.", "The tax on boats was raised.", "A windmill."]
    query = encoder.encode_queries(["who is the ladder lent to"])[0]
    assert int(np.argmax(encoder.encode_passages(passages) @ query)) == 0


def test_tokens_add_up_over_white_space(encoder: Encoder) -> None:
    """Splitting counts on this: the tokens of two words are those of the one and of the other."""
    assert encoder.count_tokens("") == 0
    assert encoder.count_tokens("  \n ") == 0
    one, other = "Une échelle,", "l'économie (300 000 €)"
    both = encoder.count_tokens(one) + encoder.count_tokens(other)
    assert encoder.count_tokens(f"{one} {other}") == both
    assert encoder.count_tokens("ladder " * 2000) >= 2000


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])), max_size=4))
@settings(max_examples=50, deadline=None)
def test_any_text_has_a_vector_of_length_one(texts: list[str]) -> None:
    """No text, however odd, breaks the stand-in or has a vector without direction."""
    vectors = HashingEncoder().encode_passages(texts)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)


@given(st.text(max_size=200), st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_tokens_of_any_two_texts_add_up(one: str, other: str) -> None:
    """The default tokenizer adds up over a space for any two texts."""
    both = DEFAULT.count_tokens(one) + DEFAULT.count_tokens(other)
    assert DEFAULT.count_tokens(f"{one} {other}") == both

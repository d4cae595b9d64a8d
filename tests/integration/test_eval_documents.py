from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evaluation import documents
from evaluation.bases import Chosen
from evaluation.documents import documents_base, existing_base
from evaluation.retrieval import EVERYTHING
from evaluation.vectors import RememberedVectors
from kb.errors import StoreError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and a user's home that must stay empty."""
    monkeypatch.setenv("KB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KB_EVAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one note."""
    path = tmp_path / "files"
    path.mkdir()
    text = "Le délai de paiement de la subvention est de soixante jours.\n"
    (path / "note.txt").write_text(text, encoding="utf-8")
    return path


def found(folder: Path) -> list[str]:
    """The text that a base of the folder finds."""
    with documents_base([folder], Chosen()) as base:
        hits = base.search.search("délai de paiement", EVERYTHING).hits
        return [hit.passage.text.strip() for hit in hits]


def test_documents_are_ingested_once(
    folder: Path, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked again nothing is built; another index is built from the same reading."""
    [text] = found(folder)
    assert text.startswith("Le délai de paiement")
    built = sorted(path.name for path in (own_cache / "bases").iterdir())
    assert len(built) == 2, "as it was ingested, and as it is asked"
    monkeypatch.setattr(documents, "_KB", tmp_path / "nothing is to be ingested again")
    assert found(folder) == [text]
    assert sorted(path.name for path in (own_cache / "bases").iterdir()) == built
    monkeypatch.setattr(documents, "CODE_OF_INDEX", ("analysis.py",))
    assert found(folder) == [text]
    assert len(list((own_cache / "bases").iterdir())) == 3
    assert not (tmp_path / "home").exists(), "the user's own base is left alone"


def test_an_index_built_again_uses_remembered_vectors(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time other terms are indexed nothing is encoded."""
    found(folder)
    seen: list[str] = []
    remember = RememberedVectors.encode_passages

    def heard(self: RememberedVectors, texts: list[str]) -> object:
        seen.extend(texts)
        return remember(self, texts)

    monkeypatch.setattr(RememberedVectors, "encode_passages", heard)
    monkeypatch.setattr(documents, "CODE_OF_INDEX", ("analysis.py",))
    found(folder)
    assert any("soixante jours" in text for text in seen)


def test_a_run_that_fails_is_told_and_leaves_nothing(
    folder: Path, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the folder."""
    failing = tmp_path / "kb"
    failing.write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    failing.chmod(0o700)
    monkeypatch.setattr(documents, "_KB", failing)
    with pytest.raises(StoreError, match="files"), documents_base([folder], Chosen()):
        pass
    assert list((own_cache / "bases").iterdir()) == []


def test_an_existing_base_is_opened_as_it_is(tmp_path: Path) -> None:
    """A home without one is told."""
    with pytest.raises(UsageError, match="holds no base"), existing_base(tmp_path, Chosen()):
        pass

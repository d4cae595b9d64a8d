from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kb.errors import UsageError
from kb.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty KB_HOME, and no other setting from outside."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"KB_{name.upper()}", raising=False)
    monkeypatch.setenv("KB_HOME", str(tmp_path))
    return tmp_path


def test_defaults_put_everything_under_home(home: Path) -> None:
    """Without other settings, record, index, originals and lock lie in KB_HOME."""
    settings = load_settings()
    assert settings.home == home
    assert settings.database == f"sqlite:///{home / 'record.db'}"
    assert {settings.index_folder, settings.originals, settings.lock.parent} == {
        home / "index",
        home / "originals",
        home,
    }


def test_the_file_goes_over_defaults_and_the_environment_over_the_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each setting comes from the most immediate place that states it."""
    default = load_settings()
    (home / "kb.toml").write_text("candidate_k = 50\nworkers = 3\n", encoding="utf-8")
    assert load_settings().workers == 3
    monkeypatch.setenv("KB_WORKERS", "5")
    settings = load_settings()
    assert (settings.workers, settings.candidate_k) == (5, 50)
    assert settings.per_document == default.per_document


def test_the_environment_mends_a_bad_value_of_the_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is overridden is not looked at."""
    (home / "kb.toml").write_text('workers = "many"\n', encoding="utf-8")
    monkeypatch.setenv("KB_WORKERS", "5")
    assert load_settings().workers == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KB_WORKERS", "many"),
        ("KB_WORKERS", "0"),
        ("KB_CANDIDATE_K", "1001"),
        ("KB_DENSE_WEIGHT", "-1"),
        ("KB_DENSE_WEIGHT", "nan"),
        ("KB_MAX_FILE_MB", ""),
    ],
)
def test_a_bad_value_in_the_environment_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The message names the variable, not a field of some class."""
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=f"{name}: "):
        load_settings()
    assert home.is_dir()


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('workers = "many"', "workers in "),
        ("candidate_k = 0", "candidate_k in "),
        ("wokers = 3", "wokers in "),
        ("[ladders]\nlent = true", "ladders in "),
    ],
)
def test_a_bad_line_of_the_file_is_named(home: Path, line: str, named: str) -> None:
    """The message names the field and the file; an unknown name is an error too."""
    (home / "kb.toml").write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_settings()
    assert f"{named}{home / 'kb.toml'}" in str(caught.value)


def test_every_problem_is_told_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bad settings are mended in one go."""
    (home / "kb.toml").write_text("candidate_k = 0\n", encoding="utf-8")
    monkeypatch.setenv("KB_WORKERS", "many")
    with pytest.raises(UsageError, match=r"(?s)(?=.*candidate_k in )(?=.*KB_WORKERS)"):
        load_settings()


@pytest.mark.parametrize("content", [b"workers = \n", b"workers = \xff\xfe\n"])
def test_a_file_that_is_not_toml_is_named(home: Path, content: bytes) -> None:
    """A slip of the pen in kb.toml is told with the file's path."""
    (home / "kb.toml").write_bytes(content)
    with pytest.raises(UsageError, match=r"kb\.toml can't be read"):
        load_settings()


def test_a_home_that_is_not_a_folder_is_left_to_whoever_opens_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in its place is not a fault of kb.toml."""
    (home / "file").touch()
    monkeypatch.setenv("KB_HOME", str(home / "file"))
    assert load_settings().home == home / "file"


def test_a_home_of_an_unknown_user_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``~somebody`` that the system does not know is an error about KB_HOME."""
    monkeypatch.setenv("KB_HOME", "~no-such-user-here/kb")
    with pytest.raises(UsageError, match="KB_HOME"):
        load_settings()
    assert home.is_dir()


def test_keys_are_not_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index's key is in no printed form of the settings."""
    monkeypatch.setenv("KB_INDEX_API_KEY", "lent-ladder")
    settings = load_settings()
    assert settings.index_api_key.get_secret_value() == "lent-ladder"
    assert "lent-ladder" not in f"{settings!r}{settings}{settings.model_dump(mode='json')}"
    assert home == settings.home

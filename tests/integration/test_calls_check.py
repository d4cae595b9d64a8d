"""``kb pull`` as a command: ``--check``, and what it shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from local_lists import BULK, Aids, Region, bulk_file, with_ranges
from local_source import EuPortal, LocalSource, eu_row, in_json
from pulling import (
    SEARCH,
    settings_of,
)
from typer.testing import CliRunner

from ingest.calls.pulls import shapes
from ingest.calls.pulls.shape import Expected, compare
from kb.cli import app
from kb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = ("pull_base",)


@pytest.fixture
def commands(source: LocalSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of commands: a home of their own, sources on the server, no pauses."""
    for name, value in settings_of(source).items():
        monkeypatch.setenv(f"KB_{name.upper()}", value)
    monkeypatch.setenv("KB_SOURCE_PAUSE", "0")
    monkeypatch.setenv("KB_HOME", str(tmp_path / "commanded"))
    return tmp_path / "commanded"


def run(*arguments: str) -> tuple[int, str]:
    """A command's exit code and output."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout


CHECKS: dict[str, Callable[[LocalSource], object]] = {
    "eu-portal": lambda source: EuPortal(source, [eu_row(0)]).with_details(),
    "eu-portal-bulk": lambda source: source.routes.update(
        {BULK: with_ranges(bulk_file(3), '"v1"')}
    ),
    "aides-territoires": lambda source: Aids(source, 3),
    "ile-de-france": lambda source: Region(source, 3),
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_of_a_known_shape_fits(source: LocalSource, commands: Path, name: str) -> None:
    """``--check`` asks for a little, exits with 0, and leaves no file behind."""
    CHECKS[name](source)
    code, output = run("pull", name, "--check", "--json")
    found = json.loads(output)
    assert [each for each in found["differences"] if each["fault"]] == []
    assert (code, found["fits"]) == (0, True)
    assert not commands.exists()
    assert len(source.requests) <= 3


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("apis/sedia/search_v2.151_2026_transcribed_excerpt.json", shapes.SEARCH),
        ("calls/eu-portal-raw-excerpt/sedia_search_page_excerpt.json", shapes.SEARCH),
        ("apis/sedia/facet_v2.96_2023-01.json", shapes.FACETS),
        ("apis/sedia/grantsTenders_2026-09_transcribed_excerpt.json", shapes.BULK),
    ],
)
def test_recorded_answers_have_the_known_shapes(
    shared_data: Path, path: str, expected: tuple[Expected, ...]
) -> None:
    """What is written down of a source holds for what it was seen to answer, and is all of it."""
    answer = json.loads((shared_data / path).read_text(encoding="utf-8"))
    assert compare("answer", answer, expected) == []


@pytest.mark.usefixtures("commands")
def test_a_check_of_another_shape_says_what_differs(source: LocalSource) -> None:
    """Missing fields, other types and unknown codes are faults; new fields are information."""
    row = eu_row(0, status=["99"], colour=["green"])
    row["metadata"]["title"] = "Ladders"
    del row["metadata"]["DATASOURCE"]
    EuPortal(source, [row]).with_details()
    source.routes[SEARCH] = lambda _: in_json(
        {"apiVersion": "3", "totalResults": 1, "pageNumber": 1, "pageSize": 5, "results": [row]}
    )
    code, output = run("pull", "eu-portal", "--check", "--json")
    found = {(each["kind"], each["path"]): each for each in json.loads(output)["differences"]}
    assert code == 1
    assert ("missing", "results[].metadata.DATASOURCE") in found
    assert ("unexpected type", "results[].metadata.title") in found
    assert found["unknown value", "results[].metadata.status[]"]["found"] == "99"
    assert not found["new field", "results[].metadata.colour"]["fault"]


@pytest.mark.usefixtures("commands")
def test_the_command_shows_what_changed(portal: EuPortal) -> None:
    """A table of counts, then a line a change; JSON for scripts."""
    del portal.rows[2:]
    code, output = run("pull", "eu-portal", "--no-details")
    assert code == 0
    assert "Calls of eu-portal" in output
    assert "CERV-2099-LEND-001: New call: Lending libraries of things, part 1" in output
    code, output = run("pull", "eu-portal", "--no-details", "--json")
    found = json.loads(output)
    assert (code, found["calls"], found["changes"]) == (0, {"unchanged": 2}, [])


@pytest.mark.usefixtures("commands", "portal")
def test_an_unknown_programme_is_refused(source: LocalSource) -> None:
    """The message lists the abbreviations; names and abbreviations are understood in any case."""
    result = CliRunner().invoke(app, ["pull", "eu-portal", "--programme", "lunar"])
    assert isinstance(result.exception, UsageError)
    assert "CERV" in str(result.exception)
    code, _ = run("pull", "eu-portal", "--programme", "cerv", "--no-details")
    query = source.asked(SEARCH)[0].json_part("query")
    assert code == 0
    assert {"terms": {"frameworkProgramme": ["43251589"]}} in query["bool"]["must"]

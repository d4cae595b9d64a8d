"""An association's profile: what a file may say, and what is told of one that can't be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kb.calls.profile import MAX_AIMS, MAX_DESCRIPTION, MAX_PROFILE, Profile, read_profile
from kb.errors import UsageError
from kb.model import Applicant

PROFILES = Path(__file__).parents[2] / "corpus" / "profiles"
FULL = """\
name: Les Échelles
description: >
  We lend ladders in forty villages
  and teach how to mend them.
aims:
  - workshops in which children build a ladder
  - a network of tool libraries
legal_form: NGO
country: be
budget_eur: 120000
grant_min_eur: 5000
grant_max_eur: 80000
partners: [Ville de Lille]
partners_count: 2
languages: [fr, nl]
"""


def written(folder: Path, content: str | bytes) -> Path:
    """A profile's file."""
    path = folder / "profile.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(folder: Path, content: str | bytes) -> str:
    """What is said of a file that can't be used, which names it."""
    path = written(folder, content)
    with pytest.raises(UsageError) as caught:
        read_profile(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    return said


def test_a_full_profile_is_read(tmp_path: Path) -> None:
    """Every field of a file comes into the profile; codes may be in any case."""
    found = read_profile(written(tmp_path, FULL))
    assert found == Profile(
        description="We lend ladders in forty villages and teach how to mend them.\n",
        name="Les Échelles",
        aims=("workshops in which children build a ladder", "a network of tool libraries"),
        legal_form=Applicant.NGO,
        country="BE",
        budget_eur=120_000,
        grant_min_eur=5_000,
        grant_max_eur=80_000,
        partners=("Ville de Lille",),
        partners_count=2,
        languages=("fr", "nl"),
    )


def test_a_description_is_enough(tmp_path: Path) -> None:
    """A description alone is a French association of which no more is known."""
    found = read_profile(written(tmp_path, "description: We lend ladders.\naims: ['', ' ']\n"))
    assert found == Profile("We lend ladders.")
    assert (found.legal_form, found.country) == (Applicant.ASSOCIATION, "FR")
    assert (found.partners_count, found.grant_max_eur) == (None, None)


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_profiles_of_the_corpus_can_be_used(path: Path) -> None:
    """Every example profile is read, with aims to rank by."""
    assert read_profile(path).aims


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "must be a mapping with a description"),
        ("- We lend ladders.", "must be a mapping"),
        ("aims: [ladders]", "description: Field required"),
        ("description: '  '", "description is empty"),
        ("description: 7", "description: Input should be a valid string"),
        ("description: 2026-13-45", "is not YAML that can be read"),
        ("description: [", "is not YAML that can be read"),
        ("[" * 20_000, "is not YAML that can be read"),
        (b"description: \xff\xfe\xff", "is not YAML that can be read"),
        ("description: a\ncolour: red", "unknown field 'colour'; known are aims, budget_eur"),
        ("description: a\n1: red", "unknown field '1'"),
        ("description: a\naims: ladders", "aims: "),
        ("description: a\naims:\n" + "- b\n" * (MAX_AIMS + 1), "aims is too long"),
        ("description: " + "a" * (MAX_DESCRIPTION + 1), "description is too long"),
        ("description: a\nlegal_form: choir", "legal_form is 'choir'; it must be one of assoc"),
        ("description: a\ncountry: France", "country is 'FRANCE'; write it as"),
        ("description: a\ncountry: NO", "country is False; write a text in quotes"),
        ("description: a\nbudget_eur: much", "budget_eur: Input should be a valid integer"),
        ("description: a\nbudget_eur: -1", "budget_eur is -1; it must lie between"),
        ("description: a\nbudget_eur: yes", "budget_eur is True"),
        (
            "description: a\ngrant_min_eur: 9\ngrant_max_eur: 8",
            "grant_min_eur is 9, above grant_max_eur, 8",
        ),
        ("a: &a [x, x]\ndescription: *a", "unknown field 'a'"),
        ("description: a\nname: " + "n" * MAX_PROFILE, "is larger than 64 KiB"),
    ],
)
def test_a_profile_that_cannot_be_used_is_told_why(
    tmp_path: Path, content: str | bytes, told: str
) -> None:
    """A file that is no profile is refused with its path, the field, and what is wrong."""
    assert told in refusal(tmp_path, content)


def test_a_missing_file_or_a_folder_is_told(tmp_path: Path) -> None:
    """A path where no file can be read is named with the reason."""
    for path, reason in ((tmp_path / "none.yaml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(UsageError, match=reason) as caught:
            read_profile(path)
        assert str(path) in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@given(
    st.dictionaries(
        st.sampled_from([*Profile.__slots__]) | st.text(max_size=5) | st.integers(),
        VALUES,
        max_size=5,
    )
)
@example({"description": "a", "budget_eur": 10**5000})
@example({"description": "a", "country": 10**5000})
def test_values_of_any_kind_are_understood_or_refused(values: dict[Any, Any]) -> None:
    """Whatever a file holds, a profile comes of it or one error that users are told."""
    try:
        made = Profile.from_values(values, "profile.yaml")
    except UsageError as error:
        assert "profile.yaml" in str(error)  # noqa: PT017 -- no error is as good
    else:
        assert made.description.strip()

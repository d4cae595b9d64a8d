"""Countries and names as people write them, and what calls mean by them."""

from __future__ import annotations

import pytest

from kb.calls.names import named
from kb.calls.places import MEMBER_STATES, accepting, country_code
from kb.index.conditions import accepted_as
from kb.model import Applicant

PROGRAMMES = (
    "Horizon Europe",
    "Horizon 2020",
    "Erasmus+",
    "Erasmus+ 2014-2020",
    "LIFE",
    "Creative Europe",
    "Connecting Europe Facility",
    "Citizens, Equality, Rights and Values (CERV)",
    "Fonds d'échelles de l'Île-de-France",
)
ACTIONS = (
    "HORIZON Research and Innovation Actions",
    "HORIZON JU Research and Innovation Actions",
    "HORIZON Innovation Actions",
    "LIFE Project Grants",
)


@pytest.mark.parametrize(
    ("text", "code"), [("fr", "FR"), (" el ", "GR"), ("UK", "GB"), ("GR", "GR"), ("eu", "EU")]
)
def test_codes_are_those_of_iso(text: str, code: str) -> None:
    """Codes are read in any case, and those of the Commission's own are put right."""
    assert country_code(text) == code


def test_a_call_for_the_union_accepts_its_members_alone() -> None:
    """An applicant from a Member State fits what is open to the Union; another does not."""
    assert len(MEMBER_STATES) == 27
    assert set(accepting("fr")) == {"FR", "EU", "ANY"}
    assert set(accepting("EL")) == {"GR", "EU", "ANY"}
    assert set(accepting("NO")) == {"NO", "ASSOCIATED", "ANY"}  # it may be associated
    assert set(accepting("EU")) == {"EU", "ANY"}


def test_a_kind_of_applicant_fits_what_is_open_to_its_like() -> None:
    """An association fits calls for NGOs and for anybody, and no calls for companies."""
    assert set(accepted_as(Applicant.ASSOCIATION)) == {"association", "ngo", "any"}
    assert set(accepted_as(Applicant.SME)) == {"sme", "company", "any"}
    assert set(accepted_as(Applicant.COMPANY)) == {"company", "any"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("horizon europe", ["Horizon Europe"]),
        ("HORIZON", ["Horizon Europe", "Horizon 2020"]),
        ("erasmus", ["Erasmus+"]),
        ("ERASMUS+", ["Erasmus+"]),
        ("life", ["LIFE"]),
        ("cef", ["Connecting Europe Facility"]),
        ("cerv", ["Citizens, Equality, Rights and Values (CERV)"]),
        ("equality values", ["Citizens, Equality, Rights and Values (CERV)"]),
        ("crea", ["Creative Europe"]),
        ("echelles ILE-DE-FRANCE", ["Fonds d'échelles de l'Île-de-France"]),
        ("43108390", ["43108390"]),
        ("+", ["+"]),
    ],
)
def test_programmes_are_found_by_name_part_and_code(text: str, found: list[str]) -> None:
    """A whole name is meant alone; else initials or a code, else words, else their beginnings."""
    assert named(PROGRAMMES, (text,)) == tuple(found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("RIA", ACTIONS[:2]),
        ("ria", ACTIONS[:2]),
        ("HORIZON-RIA", ACTIONS[:1]),
        ("HORIZON-JU-RIA", ACTIONS[1:2]),
        ("IA", ACTIONS[2:3]),
        ("HORIZON Innovation Actions", ACTIONS[2:3]),
        ("innovation actions", ACTIONS[:3]),
        ("project", ACTIONS[3:]),
    ],
)
def test_types_of_action_are_found_by_name_and_initials(text: str, found: tuple[str, ...]) -> None:
    """Initials leave out the programme in capitals, unless they stand after it with a dash."""
    assert named(ACTIONS, (text,)) == found


def test_names_come_once_whatever_finds_them() -> None:
    """Several texts may mean one name; without texts nothing is meant."""
    assert named(PROGRAMMES, ("life", "LIFE", "nothing")) == ("LIFE", "nothing")
    assert named(PROGRAMMES, ()) == ()

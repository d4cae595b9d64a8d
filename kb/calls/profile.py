"""An association as it describes itself, to be matched with calls."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import TypeAdapter, ValidationError

from kb.calls.places import country_code
from kb.calls.query import shown
from kb.errors import UsageError
from kb.model import Applicant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_DESCRIPTION = 5000
MAX_AIMS = 20
MAX_PROFILE = 64 * 1024  # bytes of a file
MAX_MONEY = 10**12


@dataclass(frozen=True, slots=True)
class Profile:
    """What an association does and could carry; only the description is needed.

    Money is in whole euros: ``budget_eur`` a year, ``grant_min_eur`` and ``grant_max_eur`` its own
    share of a project. ``partners_count`` is how many others it could bring.
    """

    description: str
    name: str = ""
    aims: tuple[str, ...] = ()
    legal_form: Applicant = Applicant.ASSOCIATION
    country: str = "FR"
    budget_eur: int | None = None
    grant_min_eur: int | None = None
    grant_max_eur: int | None = None
    partners: tuple[str, ...] = ()
    partners_count: int | None = None
    languages: tuple[str, ...] = ()

    @classmethod
    def from_values(cls, values: Mapping[str, Any], where: str) -> Profile:
        """Check what is stated and make a profile of it.

        Raises:
            UsageError: A field is missing, unknown or out of range; the message names it.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(str(name) for name in set(values) - known)
        if unknown:
            listed = ", ".join(sorted(known))
            raise UsageError(f"{where}: unknown field {unknown[0]!r}; known are {listed}.")
        try:
            made = _PROFILE.validate_python(_tidied(values, where))
        except ValidationError as error:
            raise UsageError(f"{where}: {_problem(error)}") from None
        made.check(where)
        return made

    def check(self, where: str) -> None:
        """Refuse what can't be meant.

        Raises:
            UsageError: A field is empty, too long or out of range.
        """
        if not self.description.strip():
            raise UsageError(f"{where}: description is empty; say what the association does.")
        too_long = {
            "description": len(self.description) > MAX_DESCRIPTION,
            "aims": len(self.aims) > MAX_AIMS or any(len(a) > MAX_DESCRIPTION for a in self.aims),
        }
        for name, wrong in too_long.items():
            if wrong:
                raise UsageError(f"{where}: {name} is too long.")
        if not re.fullmatch("[A-Z]{2}", country_code(self.country)):
            told = shown(self.country)
            raise UsageError(f"{where}: country is {told}; write it as two letters, such as FR.")
        for name in ("budget_eur", "grant_min_eur", "grant_max_eur", "partners_count"):
            number = getattr(self, name)
            if number is not None and not 0 <= number <= MAX_MONEY:
                told = shown(number)
                raise UsageError(f"{where}: {name} is {told}; it must lie between 0 and 10^12.")
        low, high = self.grant_min_eur, self.grant_max_eur
        if low is not None and high is not None and low > high:
            raise UsageError(f"{where}: grant_min_eur is {low}, above grant_max_eur, {high}.")


_PROFILE = TypeAdapter(Profile)


def _tidied(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The values that say something, codes in the case that they have in the model."""
    tidy = {name: value for name, value in values.items() if value is not None}
    for name, value in tidy.items():
        if isinstance(value, bool):  # YAML 1.1 reads the country NO as one, pydantic a number
            raise UsageError(f"{where}: {name} is {value}; write a text in quotes or a number.")
        if name == "country" and isinstance(value, str):
            tidy[name] = country_code(value)
        if name == "legal_form" and isinstance(value, str):
            tidy[name] = value.strip().lower().replace("-", "_")
        if name == "aims" and isinstance(value, list | tuple):
            tidy[name] = [each for each in value if not isinstance(each, str) or each.strip()]
    return tidy


def _problem(error: ValidationError) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else "profile"
    if name == "legal_form":
        known = ", ".join(Applicant)
        return f"{name} is {shown(first['input'])}; it must be one of {known}."
    return f"{name}: {first['msg']}."


def read_profile(path: Path) -> Profile:
    """Read a profile from a YAML file.

    Raises:
        UsageError: The file can't be read, or a field of it can't be used.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_PROFILE + 1)
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}.") from None
    if len(content) > MAX_PROFILE:
        raise UsageError(f"{path} is larger than {MAX_PROFILE // 1024} KiB: is it a profile?")
    try:
        values = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a day such as 2026-13-45
        raise UsageError(f"{path} is not YAML that can be read: {error}") from None
    if not isinstance(values, dict):
        raise UsageError(f"{path} must be a mapping with a description at least.")
    return Profile.from_values(values, str(path))

"""An association as it describes itself, to be matched with calls."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import TypeAdapter, ValidationError

from kb.calls.places import country_code
from kb.errors import UsageError
from kb.model import Applicant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_DESCRIPTION = 5000
MAX_AIMS = 20
MAX_PROFILE = 64 * 1024  # bytes of a file
_MOST_MONEY = 10**12


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
            made = _PROFILE.validate_python({k: v for k, v in values.items() if v is not None})
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else "profile"
            raise UsageError(f"{where}: {name}: {first['msg']}.") from None
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
            "country": len(country_code(self.country)) != len("FR"),
        }
        for name, wrong in too_long.items():
            if wrong:
                raise UsageError(f"{where}: {name} is too long or not of its form.")
        for name in ("budget_eur", "grant_min_eur", "grant_max_eur", "partners_count"):
            number = getattr(self, name)
            if number is not None and not 0 <= number <= _MOST_MONEY:
                raise UsageError(f"{where}: {name} is {number}; it must lie between 0 and 10^12.")


_PROFILE = TypeAdapter(Profile)


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
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise UsageError(f"{path} must be a mapping with a description at least.")
    return Profile.from_values(values, str(path))

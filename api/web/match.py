"""Which calls fit an association that describes itself; nothing of what it says is kept."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Form
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse

from api.access import CallerAccess, CurrentCaller, OpenKnowledgeBase
from api.audited import Audited
from api.login import CHECKED_FORM
from api.web.calls_filters import COMING
from api.web.calls_words import CallWords
from api.web.site import CurrentSite, Site
from kb.audit import of_matches
from kb.calls.match import Match, match, unquoted
from kb.calls.places import EU, country_code, is_country
from kb.calls.profile import MAX_AIMS, MAX_DESCRIPTION, MAX_MONEY, Profile
from kb.calls.query import CallQuery
from kb.model import Applicant
from kb.record.audit import Action, Outcome

router = APIRouter(include_in_schema=False)

SHOWN: Final = 10
_MAX_AIM: Final = 1000
_MAX_PARTNERS: Final = 1000
_GROUPING: Final = re.compile(r"[\s\u00a0\u202f'€]")
_NUMBERS: Final = ("grant_min_eur", "grant_max_eur", "partners_count")

# Longer than any field may be: what is too long is said beside the field.
_Text = Annotated[str, Field(max_length=3 * MAX_DESCRIPTION)]
_Word = Annotated[str, Field(max_length=50)]


class Described(BaseModel):
    """The fields of the form, as they were written."""

    description: _Text = ""
    aims: _Text = ""
    legal_form: _Word = Applicant.ASSOCIATION.value
    country: _Word = "FR"
    grant_min_eur: _Word = ""
    grant_max_eur: _Word = ""
    partners_count: _Word = ""


@dataclass(frozen=True, slots=True)
class _Read:
    """What was written, as a profile; none where there are ``errors``, which are by field."""

    profile: Profile | None
    errors: Mapping[str, str]


@router.get("/calls/match")
async def describe(site: CurrentSite, caller: CurrentCaller) -> HTMLResponse:
    """Show the form."""
    del caller  # everybody gets the same form
    return _page(site, Described(), {})


@router.post("/calls/match", dependencies=[CHECKED_FORM])
def match_calls(
    described: Annotated[Described, Form()],
    site: CurrentSite,
    access: CallerAccess,
    kb: OpenKnowledgeBase,
    audit: Audited,
) -> HTMLResponse:
    """Rank calls for an association, each with what speaks for it and what may rule it out.

    The answer stands at no address of its own, and the audit trail keeps that something was asked
    but no word of it.
    """
    read = _read(described, site)
    if read.profile is None:
        return _page(site, described, read.errors, status=422)
    if kb.record.current_id() is None:
        return site.page("calls_none.html", status=503)
    found = match(
        kb,
        read.profile,
        CallQuery(status=COMING),
        access=access,
        now=kb.clock(),
        limit=SHOWN,
    )
    audit.note(
        Action.MATCH,
        None,
        Outcome.FOUND if found else Outcome.NOTHING,
        of_matches(found),
    )
    data = [unquoted(each.hit.call, read.profile) for each in found]
    return _page(site, described, {}, found=found, data=data)


def _page(
    site: Site,
    described: Described,
    errors: Mapping[str, str],
    *,
    status: int = 200,
    found: Sequence[Match] | None = None,
    data: Sequence[Sequence[tuple[str, str]]] = (),
) -> HTMLResponse:
    words = CallWords(site)
    names = {
        code: site.texts.country_name(code) for code in map(str, site.texts.locale.territories)
    }
    countries = [(code, name) for code, name in names.items() if is_country(code) and code != EU]
    return site.page(
        "calls_match.html",
        status=status,
        words=words,
        described=described,
        errors=errors,
        found=found,
        unquoted=data,
        forms=words.kinds(),
        countries=sorted(countries, key=lambda pair: words.sorting(pair[1])),
        most=MAX_DESCRIPTION,
    )


def _read(described: Described, site: Site) -> _Read:
    """Read the form; messages say what to write instead."""
    aims = tuple(line.strip() for line in described.aims.splitlines() if line.strip())
    numbers = {name: _number(getattr(described, name)) for name in _NUMBERS}
    errors = _errors_in_words(described, aims, site) | _errors_in_numbers(numbers, site)
    if errors:
        return _Read(None, errors)
    return _Read(
        Profile(
            described.description.strip(),
            aims=aims,
            legal_form=Applicant(described.legal_form),
            country=country_code(described.country),
            grant_min_eur=numbers["grant_min_eur"],
            grant_max_eur=numbers["grant_max_eur"],
            partners_count=numbers["partners_count"],
        ),
        {},
    )


def _errors_in_words(described: Described, aims: Sequence[str], site: Site) -> dict[str, str]:
    _, errors = site.gettext, dict[str, str]()
    if not described.description.strip():
        errors["description"] = _("Say in a few sentences what your association does.")
    elif len(described.description) > MAX_DESCRIPTION:
        most = site.texts.number(MAX_DESCRIPTION)
        errors["description"] = _("This is too long: %(most)s characters at most.", most=most)
    if len(aims) > MAX_AIMS or any(len(aim) > _MAX_AIM for aim in aims):
        errors["aims"] = _(
            "These are too many or too long: %(most)s short lines at most.", most=MAX_AIMS
        )
    if described.legal_form not in dict(CallWords(site).kinds()):
        errors["legal_form"] = _("Choose one of the list.")
    if not is_country(country_code(described.country)):
        errors["country"] = _("Choose one of the list.")
    return errors


def _errors_in_numbers(numbers: Mapping[str, int | None], site: Site) -> dict[str, str]:
    _, errors = site.gettext, dict[str, str]()
    for name, number in numbers.items():
        most = _MAX_PARTNERS if name == "partners_count" else MAX_MONEY
        if number is not None and not 0 <= number <= most:
            errors[name] = _("Write a whole number, for example 20 000.")
    low, high = numbers["grant_min_eur"], numbers["grant_max_eur"]
    if low is not None and high is not None and high < low and not errors:
        errors["grant_max_eur"] = _("This is less than the smallest grant above.")
    return errors


def _number(text: str) -> int | None:
    """A whole number as people write it; nothing of an empty field, -1 of what is none."""
    digits = _GROUPING.sub("", text)
    if not digits:
        return None
    return int(digits) if digits.isascii() and digits.isdigit() else -1

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
from kb.bootstrap import KnowledgeBase
from kb.calls.match import MAX_LIMIT, Match, match, unquoted
from kb.calls.places import EU, MEMBER_STATES, country_code, is_country
from kb.calls.profile import MAX_AIMS, MAX_DESCRIPTION, MAX_MONEY, Profile
from kb.calls.query import CallQuery
from kb.model import Access, Applicant, CallStatus
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


# What an association states of itself in the form; a call that asks for another is not for it.
_LIMITS: Final = {"applicants", "countries", "consortium_min", "grant_min", "grant_max"}


@dataclass(frozen=True, slots=True)
class Fitting:
    """A call for an association; ``unquoted`` may rule it out by the data of its sources alone."""

    match: Match
    unquoted: Sequence[tuple[str, str]]

    @property
    def within(self) -> bool:
        """Whether it breaks none of the limits that the association stated."""
        against = {each.field for each in self.match.rules_out} | {
            field for field, _ in self.unquoted
        }
        return not against & _LIMITS


@dataclass(frozen=True, slots=True)
class Found:
    """The calls shown, closest first: those within the limits, and those that these rule out.

    ``closed`` is how many calls were not looked at since they are closed.
    """

    within: Sequence[Fitting]
    beyond: Sequence[Fitting]
    closed: int


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
    found = _found(kb, read.profile, access)
    shown = [each.match for each in (*found.within, *found.beyond)]
    outcome = Outcome.FOUND if shown else Outcome.NOTHING
    audit.note(Action.MATCH, None, outcome, of_matches(shown))
    return _page(site, described, {}, found=found)


def _found(kb: KnowledgeBase, profile: Profile, access: Access) -> Found:
    """Look through more than are shown: those that limits rule out may stand before all others."""
    asked, now = CallQuery(status=COMING), kb.clock()
    matches = match(kb, profile, asked, access=access, now=now, limit=MAX_LIMIT)
    found = [Fitting(each, unquoted(each.hit.call, profile)) for each in matches]
    within = [each for each in found if each.within][:SHOWN]
    return Found(
        within,
        [each for each in found if not each.within][: SHOWN - len(within)],
        kb.finder.counts(asked, access, now)["status"][CallStatus.CLOSED],
    )


def _page(
    site: Site,
    described: Described,
    errors: Mapping[str, str],
    *,
    status: int = 200,
    found: Found | None = None,
) -> HTMLResponse:
    words = CallWords(site)
    names = {
        code: site.texts.country_name(code) for code in map(str, site.texts.locale.territories)
    }
    countries = sorted(
        ((code, name) for code, name in names.items() if is_country(code) and code != EU),
        key=lambda pair: words.sorting(pair[1]),
    )
    return site.page(
        "calls_match.html",
        status=status,
        words=words,
        described=described,
        errors=errors,
        found=found,
        forms=words.kinds(),
        # Those of the Union first: most who come are from there.
        members=[pair for pair in countries if pair[0] in MEMBER_STATES],
        others=[pair for pair in countries if pair[0] not in MEMBER_STATES],
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
    labels = {
        "grant_min_eur": _("Smallest grant that is worth the work"),
        "grant_max_eur": _("Largest grant that you could manage"),
        "partners_count": _("Partners that you could bring"),
    }
    for name, number in numbers.items():
        most = _MAX_PARTNERS if name == "partners_count" else MAX_MONEY
        if number is not None and not 0 <= number <= most:
            errors[name] = _(
                "%(field)s: write a whole number, for example %(example)s.",
                field=labels[name],
                example="3" if name == "partners_count" else site.texts.number(20_000),
            )
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

"""Rules for how many participants an application needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest.calls.facts.values import COUNT, count
from ingest.calls.facts.words import PASSED_ON, phrases, plain, rules, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.calls.facts.statements import Statement

# Adjectives that narrow nobody down, and nouns that name any participant.
_ANY = words(
    """legal | independent | different | eligible | separate | distinct | full | partner
    participating | applicant | autonomous | juridiquement | distincts? | différente?s?
    indépendante?s? | éligibles?"""
)
_MEMBERS = words(
    """applicants? | legal entities | entities | organi[sz]ations | partners | participants
    beneficiaries | institutions | members | partenaires | structures | organismes | entités
    acteurs | établissements | membres"""
)
# Those who must be of one kind or from one part of the world need others beside them.
_OF_A_KIND = phrases(
    """from at least one | from (?:the |one )?(?:region|world|africa|third|associated) | represent
    cover | with\\b | that\\b | which\\b | who\\b | active\\b | speciali | qui\\b | dont\\b
    ayant\\b | représent | dans le domaine"""
)
_NEEDED = rf"(?P<count>{COUNT})(?: ?\(\d{{1,2}}\))? (?:{_ANY} )*{_MEMBERS}"
_NUMBERS = rules(
    rf"<at least> {_NEEDED}(?! {_OF_A_KIND})",
    rf"minimum (?:number )?of {_NEEDED}(?! {_OF_A_KIND})",
    rf"{_NEEDED} (?:at least|minimum|au moins|au minimum)(?! {_OF_A_KIND})",
)
_TOGETHER = re.compile(
    phrases(
        """consorti | partnership | collaborati | submitted (?:jointly )?by | made by
        presented by | number of (?:partners|participants|applicants) | groupement | partenariat
        portée?s? par | nombre de partenaires"""
    )
)
# The consortium of Horizon Europe: one from a Member State and two from other countries.
_STANDARD = re.compile(
    r"at least one (?:independent )?legal entity [^.]*"
    r"\bat least two (?:other )?(?:independent )?legal entities"
)
_ALONE = rules(
    r"\b(?:submitted|made|presented|apply\b[^.]{0,40}) (?:by|as)\W{0,4}(?:either )?(?:as)?\W{0,3}"
    r"(?:a single|one or more|a sole) (?:applicant|entit|organi|legal)",
    r"consorti\w+ or (?:from )?(?:a )?single (?:legal )?(?:entit|applicant|organi)",
    r"(?:individual|single) (?:applicants?|applications?) or (?:by )?(?:a )?consorti",
    r"(?:seule?|individuellement) ou en (?:groupement|consortium|partenariat)",
)
# Conditions, wishes, partners beside those who apply, and other numbers.
_NOT_THE_NUMBER = re.compile(
    PASSED_ON
    + "|"
    + phrases(
        r"""^\W*(?:consortia|consortiums) of | ^\W*if\b | \bin case | cas où | lorsque
        \bunless\b(?! otherwise provided)
        should be involved | stakeholders | expected to | encouraged | recommended | recommandé
        additional | in addition | besides | d'autres | supplémentaires? | en plus | outre\b
        other than | associated partner | advis | \bpilots?\b | buyers | must not be counted"""
    )
)


def consortium(statement: Statement) -> Iterator[tuple[str, str]]:
    """The number of participants that an application needs; one where a single one may apply.

    Judged on the held-out half of the shared calls: 11 of 11 right (Wilson 95 %: 0.74 to 1); 8 of
    10 before numbers of participants of one kind were ruled out. A number of countries alone
    ("from three countries") was rejected: it is not always that of the participants.
    """
    lead, text = plain(statement.lead), plain(statement.item)
    if _NOT_THE_NUMBER.search(text) or _NOT_THE_NUMBER.search(lead):
        return
    needed = _number(text, f"{lead} {text}")
    if needed:
        yield "consortium_min", str(needed)


def _number(text: str, whole: str) -> int:
    """How many; zero where nothing is said."""
    if any(pattern.search(text) for pattern in _ALONE):
        return 1
    if not _TOGETHER.search(whole):
        return 0
    if _STANDARD.search(text):
        return 3
    for pattern in _NUMBERS:
        match = pattern.search(text)
        if match is not None and count(match["count"]) > 1:
            return count(match["count"])
    return 0

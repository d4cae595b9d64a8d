"""Rules for who may apply: the words that say that somebody may, and where they name whom."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest.calls.facts.kinds import kinds
from ingest.calls.facts.words import PASSED_ON, phrases, plain, rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.calls.facts.statements import Statement
    from kb.model import Applicant

_EXAMPLES = re.compile(
    r"\bsuch as\b|\bfor (?:example|instance)\b|\be\.g\.|\bpar exemple\b|\bnotamment\b"
    r"|\btel(?:le)?s? que\b"
)
# An exclusion is never turned round: a statement that holds one says nothing here.
_EXCLUDES = re.compile(
    phrases(
        r"""\bnot\b(?![- ](?:for|only|limited)) | \bcannot\b | \bexcept\b | \bexception\b
        \bexclud | \bunless\b | \bother than\b | \bneither\b | \bineligible\b | \bno longer\b
        \bonly if\b | \bn(?:e|')\s?\w+ (?:pas|que|plus|ni)\b | \bne sont pas\b
        \bne (?:peu|pourr|doi|devr)\w+ (?:pas|être)\b | \bsauf\b | \bhormis\b | \bhors\b | \bexclu
        \bnon éligible | \binéligible | \buniquement s | à l'exception\b"""
    )
)
# Who helps, advises, pays, or gets something from whoever applies.
_OTHERS = re.compile(
    PASSED_ON
    + "|"
    + phrases(
        r"""\bas (?:associated )?partners?\b | jury | \bexperts?\b | associated partner
        target group | public cible | partenaires? (?:financiers?|associés?)
        letters? of support"""
    )
)

# Words after which applicants are named.
_BEFORE = rules(
    r"<applicant>(?: \([^)]*\))?(?: (?:and|or) [a-z ]+)? (?:<must>|<may>)"
    r" (?:each |all |either )?be:?",
    r"\b(?:to be eligible|to become a beneficiary|in order to be eligible|to apply)\b"
    r"[^:.]{0,80} <must>(?: be|:)",
    r"<scheme> (?:is|are)(?: also| only)? (?:open|available|addressed|aimed|targeted|limited)"
    r" (?:to|at|for)\b",
    r"\b(?:applications?|proposals?)\b[^:.]{0,30} (?:<must>|<may>) be"
    r" (?:submitted|made|presented) (?:jointly )?by\b",
    r"\beligible (?:applicants?|participants?|organi[sz]ations|entities|bodies|beneficiaries)\b"
    r"(?: (?:are|include|is|may be|can be))?(?: the following)?[ :?–-]",
    r"\b(?:who (?:can|may) (?:apply|participate)|eligibility)\W{0,3}[?:]",
    r"\bpeuvent (?:ainsi |également |donc )?<postuler>[^:]{0,60}:",
    r"<dispositif>[^:.]{0,60} (?:est|sont)(?: exclusivement| principalement| réservée?s?)?"
    r" (?:destinée?s?|ouverte?s?|réservée?s?|accessibles?|adressée?s?|dédiée?s?)"
    r"(?: exclusivement| uniquement| principalement| prioritairement)? (?=à |aux? |a )",
    r"<dispositif>[^:.]{0,40} s'adresse(?:nt)?(?: \w+ment)? (?=à |aux? )",
    r"<candidat>(?: éligibles?| concernée?s?| possibles?| potentiels?)? ?(?: sont)?:",
    r"<candidat> [ée]ligibles?\n",
    r"<candidat> éligibles (?:sont )?(?:les|des)\b",
    r"\bqui peut <postuler>[^?:]{0,60}[?:]",
    r"\bqui peut (?:en )?b[ée]n[ée]ficier\b[^?:]{0,60}[?:]",
    r"\b(?:sont éligibles|est éligible)\b ?(?:à [^:]{0,40})?:",
    r"\bpeuvent être (?:candidats?|bénéficiaires?|porteurs?)\b ?(?:à [^:]{0,40})?:",
    r"<candidat> (?:<doit>|<peut>) (?:obligatoirement |impérativement )?être\b",
)
# Words before which they are named.
_AFTER = rules(
    r"<may> (?:also )?(?:apply\b|submit (?:an? |their )?(?:application|proposal)"
    r"|participate (?:as|in the call)|be (?:applicants|beneficiaries|coordinators))",
    r"\b(?:is|are) eligible (?:to (?:apply|receive|participate)|for funding"
    r"|as (?:applicants|beneficiaries))",
    r"<peut> (?:également |ainsi |donc |aussi )?(?:y )?<postuler>",
)
_LAST_PART = re.compile(r"[;:\n]")
# A line that goes on in lower case was wrapped; any other begins a point of a list.
_WRAPPED = re.compile(r"\s*\n\s*(?=[^\W\d_A-ZÀ-Þ])")


def applicants(statement: Statement) -> Iterator[tuple[str, str]]:
    """Who may apply, by the words that say so.

    Statements with an exclusion, a condition ("uniquement s'il s'agit de") or examples ("such as")
    are left out whole. Judged on the held-out half of the shared calls: 23 of 23 right (Wilson
    95 %: 0.86 to 1), and 60 of 60 more in the audience lines of one source.
    """
    lead, item = plain(statement.lead), _lines(statement.item)
    if lead and not lead.endswith((":", "?")):
        lead += ":"
    whole = f"{lead} {item}" if lead else item
    if _EXAMPLES.search(whole):
        return  # others may apply too, whom the filter would leave out
    if _EXCLUDES.search(whole) or _OTHERS.search(f"{whole} {statement.under.lower()}"):
        return
    for kind in dict.fromkeys(_named(lead, item)):
        yield "applicants", kind.value


def _lines(text: str) -> str:
    """The text as rules read it, but for its line breaks."""
    return "\n".join(plain(line) for line in _WRAPPED.sub(" ", text).split("\n")).strip()


def _named(lead: str, item: str) -> Iterator[Applicant]:
    if lead:
        if any(pattern.search(lead) for pattern in _BEFORE):
            yield from kinds(item)
        return
    for pattern in _BEFORE:
        if (match := pattern.search(item)) is not None:
            yield from kinds(item[match.end() :])
    for pattern in _AFTER:
        if (match := pattern.search(item)) is not None:
            yield from kinds(_LAST_PART.split(item[: match.start()])[-1])

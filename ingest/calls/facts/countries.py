"""Rules for the countries from which one may apply: what a sentence names, as ISO 3166 codes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from babel import Locale

from ingest.calls.facts.words import PASSED_ON, phrases, plain, rules, words
from kb.calls.places import ANY, ASSOCIATED, EU, MEMBER_STATES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.calls.facts.statements import Statement

# Conditions on a part of the consortium, on owners, suppliers or places of work, and exceptions.
_NOT_ALL = re.compile(
    PASSED_ON
    + "|"
    + phrases(
        r"""coordinators?\b | lead applicant | associated partner | procure | supplier | import
        one of (?:the|its) (?:partners|beneficiaries) | \bcontrol | \bown(?:ed|ership) | holding
        at least | minimum | au moins | different (?:eligible )?(?:countr|member) | \bsame\b
        \bnot\b | ineligible | non-eligible | exclud | \bexcept | exceptionally | \bunless\b
        \bif\b
        sauf | hormis | à l'exception | \bne sont pas\b | in addition\b | may become | deemed
        \bmay (?:also )?participate\b | headquarter | third countries which | certain calls
        topics identified | (?:some|certain) topics | \bfor proposals (?:in|under|on)\b
        placement | secondment | \bpilots?\b | demonstrat | case stud"""
    )
)
_SOMEBODY = words(
    """applicants? | beneficiar(?:y|ies) | participants? | contestants? | entit(?:y|ies) | they | it
    organi[sz]ations? | institutions? | candidates? | compan(?:y|ies) | smes? | ngos? | bod(?:y|ies)
    establishments? | (?:legal |natural )persons?"""
)
_CUES = rules(
    r"participation\b[^.;]{0,50} limited to (?:legal )?entities <placed> in",
    rf"{_SOMEBODY}[^.:]{{0,80}} <must>(?: each| all)? (?:also )?be (?:legally )?<placed>"
    r"(?: \([^)]*\))?(?: either)? in",
    r"\b(?:to be eligible|in order to be eligible)\b.{0,400}?\bbe (?:\w+ )?<placed>"
    r"(?: \([^)]*\))? (?:either )?in",
    r"\b(?:open|limited|restricted|addressed) (?:only )?to\b[^.:]{0,80} (?:<placed> in|from)\b",
    rf"{_SOMEBODY}[^.:]{{0,60}} must be\b[^.]{{0,250}}{_SOMEBODY},? (?:legally )?<placed> in",
    r"\beligible countries (?:are|include|comprise)?[ :]",
    r"^\W*(?:\d[\d.]*\W*)?eligible countries\W*$",
    r"<candidat>[^.:]{0,100} <doit>[^.:]{0,60} <établi>",
    r"\b(?:associations?|entreprises?|sociétés?)\b[^.:]{0,100} <doit>[^.:]{0,60} <établi>",
)
_STOP = re.compile(r"\[\[|\(see |; ?(?:and )?(?:must|be|identify|have)\b|, and must\b")

_GROUPS = (
    (
        (EU,),
        re.compile(
            r"\b(?:eu|european union|union)? ?member states?\b(?! of (?:the )?(?!eu|european))|"
            + words(
                """(?:the|l') ?(?:eu|european union|union(?!'))(?!') | eu countries
                countries of the (?:eu|european union) | états? membres?
                l'union européenne | l'ue"""
            )
        ),
    ),
    (
        ("IS", "LI", "NO"),
        re.compile(
            r"(?<!listed )\beea (?:countries|states|members)\b"
            r"|\beuropean economic area\b|\bespace économique européen\b"
        ),
    ),
    (
        (ASSOCIATED,),
        re.compile(
            r"(?<!following )(?<!additional )\bassociat(?:ed|ion) (?:countr(?:y|ies)|states?)\b"
            r"|\bcountr(?:y|ies) associated (?:to|with)\b|\bpays associés?\b"
        ),
    ),
    (
        (ANY,),
        re.compile(
            words(
                """anywhere in the world | any country | all countries of the world
                n'importe quel pays"""
            )
        ),
    ),
)
# What names fewer states than it seems, blanked before groups are looked for.
_FEWER = re.compile(
    r"\b(?:african union|edctp(?: association)?|mercosur|oecd|asean|au|council of europe|nato|efta)"
    r"(?:'s)? (?:member )?(?:states?|countries|members?)"
    r"|\bnon-?eu (?:member states?|countries)|\beu (?:candidate|acceding|neighbou?r\w*)"
    r"|\b(?:outside|bordering|beyond|accession to) the (?:eu|european union|union)\b"
    r"|\b(?:delegation|institution|law|funding|interest)s? (?:of|to|by|in) the"
    r" (?:eu|european union|union)\b"
)

# Names that calls use beside those of the Unicode Locale Data.
_ALSO = {
    "the netherlands": "NL",
    "czech republic": "CZ",
    "slovak republic": "SK",
    "uk": "GB",
    "great britain": "GB",
    "turkey": "TR",
    "republic of korea": "KR",
    "moldova": "MD",
    "bosnia and herzegovina": "BA",
    "bosnia-herzegovina": "BA",
    "republic of moldova": "MD",
    "usa": "US",
    "united states of america": "US",
    "new-zealand": "NZ",
    "faroe islands": "FO",
    "republic of north macedonia": "MK",
    "république tchèque": "CZ",
    "république de corée": "KR",
}
# Also parts of other names, or everyday words.
_DOUBTFUL = ("guinea", "guinée", "niger", "chad", "tchad", "jordan", "dominica")
_NO_COUNTRIES = ("EU", "EZ", "UN", "QO", "ZZ", "XA", "XB")
_CODE_LENGTH = 2
_WITHIN = 30  # characters: "- the following EU Member States"


@lru_cache
def _names() -> tuple[re.Pattern[str], dict[str, str]]:
    """A pattern of the names of countries in English and French, and the code of each."""
    codes = dict(_ALSO)
    for language in ("en", "fr"):
        for code, name in Locale(language).territories.items():
            if len(code) == _CODE_LENGTH and code not in _NO_COUNTRIES:
                codes.setdefault(plain(name), code)
    for name in _DOUBTFUL:
        codes.pop(name, None)
    longest_first = sorted(codes, key=len, reverse=True)
    pattern = rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])"
    return re.compile(pattern), codes


def countries(statement: Statement) -> Iterator[tuple[str, str]]:
    """The countries that a sentence on who may take part names; ``EU`` for its Member States.

    Groups without names but ``ASSOCIATED`` give nothing: their members stand elsewhere, so that the
    countries named may be fewer than those meant. Judged on the held-out half of the
    shared calls: 50 of 50 right (Wilson 95 %: 0.93 to 1); 49 of 55 before hosts, placements and
    conditions on some proposals were ruled out. A sentence that only adds a country ("any entity
    established in X is eligible too") was rejected: alone it would exclude all others.
    """
    lead, item = plain(statement.lead), plain(statement.item)
    if _NOT_ALL.search(f"{lead} {item}"):
        return
    if lead:
        if any(cue.search(lead) for cue in _CUES):
            yield from (("countries", code) for code in _listed(item))
        return
    for cue in _CUES:
        if (match := cue.search(item)) is not None:
            yield from (("countries", code) for code in _named(item[match.end() :])[1])
            return


def _listed(item: str) -> tuple[str, ...]:
    """The countries of an item that begins with one: other items say something about countries."""
    first, codes = _named(item)
    return codes if first <= _WITHIN else ()


def _named(text: str) -> tuple[int, tuple[str, ...]]:
    """Where the first country or group stands in a text, and the codes of all."""
    stop = _STOP.search(text)
    clean = _FEWER.sub(lambda match: " " * len(match[0]), text[: stop.start()] if stop else text)
    found = [
        (match.start(), code)
        for codes, pattern in _GROUPS
        for match in pattern.finditer(clean)
        for code in codes
    ]
    pattern, codes_of = _names()
    found += [(match.start(), codes_of[match[0]]) for match in pattern.finditer(clean)]
    codes = dict.fromkeys(code for _, code in found)
    if EU in codes:
        # Where the Member States are named as a group and one by one, the group says it.
        codes = dict.fromkeys(code for code in codes if code not in MEMBER_STATES)
    return min((start for start, _ in found), default=len(text)), tuple(codes)

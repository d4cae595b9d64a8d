"""Rules for the countries from which one may apply: what a sentence names, as ISO 3166 codes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from babel import Locale

from kb.calls.places import ANY, EU, MEMBER_STATES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.calls.fact_statements import Statement

# Conditions on a part of the consortium, on owners, subcontractors, places of work, exceptions.
_NOT_ALL = re.compile(
    r"coordinators?\b|subcontract|third part|fstp|sub-?grant|procure|\bcontrol|\bown(?:ed|ership)|supplier|associated partner"
    r"|at least|different (?:eligible )?(?:countr|member)|\bnot (?:be )?(?:eligible|established|listed)|\bnot\b|ineligible|non-eligible"
    r"|\bunless\b|\bexcept|\bif\b|certain calls|in addition\b|may become|headquarter|deemed|\bpilots?\b|demonstrat|case stud"
    r"|exclud|au moins|sauf|hormis|à l'exception|\bne sont pas\b|sous-traitan|\bmay (?:also )?participate\b|exceptionally"
    r"|placement|secondment|holding|\bsame\b|\bfor proposals (?:in|under|on)\b|topics identified|(?:some|certain) topics|one of (?:the|its) (?:partners|beneficiaries)|lead applicant|import|third countries which|minimum"
)
_PLACED = r"(?:established|located|based|registered|residing|resident|incorporated|headquartered)"
_WHO = (
    r"(?:applicants?|beneficiar(?:y|ies)|participants?|contestants?|entit(?:y|ies)|organi[sz]ations?|they|it|institutions?|candidates?"
    r"|companies|smes?|ngos?|bodies)"
)
_FR_WHO = r"(?:candidats?|porteurs?|structures?|associations?|organismes?|demandeurs?|bénéficiaires?|entreprises?|sociétés?)"
_CUES = tuple(
    re.compile(each)
    for each in (
        rf"participation\b[^.;]{{0,50}}\blimited to (?:legal )?entities {_PLACED} in",
        rf"\b{_WHO}\b[^.:]{{0,80}}\b(?:must|should|shall|have to)(?: each| all)? (?:also )?be (?:legally )?{_PLACED}"
        r"(?: \([^)]*\))?(?: either)? in",
        rf"\b(?:to be eligible|in order to be eligible)\b.{{0,400}}?\bbe (?:\w+ )?{_PLACED}(?: \([^)]*\))? (?:either )?in",
        rf"\b(?:open|limited|restricted|addressed) (?:only )?to\b[^.:]{{0,80}}\b(?:{_PLACED} in|from)\b",
        rf"\b{_WHO}\b[^.:]{{0,60}}\bmust be\b[^.]{{0,250}}\b(?:organi[sz]ations?|entit(?:y|ies)|bod(?:y|ies)|establishments?|institutions?|compan(?:y|ies)|persons?)"
        rf"\b,? (?:legally )?{_PLACED} in",
        r"\beligible countries (?:are|include|comprise)?[ :]",
        r"^\W*(?:\d[\d.]*\W*)?eligible countries\W*$",
        rf"\b{_FR_WHO}\b[^.:]{{0,100}}\b(?:doi(?:t|vent)|devr(?:a|ont))\b[^.:]{{0,60}}\b(?:établie?s?|implantée?s?|située?s?|domiciliée?s?"
        r"|basée?s?|immatriculée?s?|(?:leur|son|un) siège(?: social)?)\b",
    )
)  # fmt: skip
_STOP = re.compile(r"\[\[|\(see |; ?(?:and )?(?:must|be|identify|have)\b|, and must\b|;identify")

_GROUPS = (
    ((EU,), re.compile(r"\b(?:eu|european union|union)? ?member states?\b(?! of (?:the )?(?!eu|european))|\bthe (?:eu|european union|union(?!'))\b"
                       r"|\bcountries of the (?:eu|european union)\b|\beu countries\b"
                       r"|\bétats? membres?\b|\bl'union européenne\b|\bl'ue\b")),
    (("IS", "LI", "NO"), re.compile(r"(?<!listed )\beea (?:countries|states|members)|\beuropean economic area\b|\bespace économique européen\b")),
    ((ANY,), re.compile(r"\banywhere in the world\b|\bany country\b|\ball countries of the world\b|\bn'importe quel pays\b")),
)  # fmt: skip
# What names fewer states than it seems, taken out before groups are looked for.
_FEWER = re.compile(
    r"\b(?:african union|edctp(?: association)?|mercosur|oecd|asean|au|council of europe|nato|efta)(?:'s)? (?:member )?(?:states?|countries|members?)"
    r"|\bnon-?eu (?:member states?|countries)|\beu (?:candidate|acceding|neighbou?r\w*)|\b(?:outside|bordering|beyond) the (?:eu|european union)"
    r"|\b(?:delegation|institution|law|funding|accession)s? (?:of|to|by|in) the (?:eu|european union)|accession to the eu"
)

# Names that calls use beside those of the Unicode Locale Data.
_ALSO = {
    "the netherlands": "NL", "czech republic": "CZ", "slovak republic": "SK", "republic of korea": "KR", "uk": "GB",
    "great britain": "GB", "turkey": "TR", "bosnia and herzegovina": "BA", "bosnia-herzegovina": "BA", "moldova": "MD",
    "republic of moldova": "MD", "usa": "US", "united states of america": "US", "new-zealand": "NZ",
    "republic of north macedonia": "MK", "faroe islands": "FO", "république tchèque": "CZ", "république de corée": "KR",
}  # fmt: skip
# Also something else: parts of other names, or everyday words.
_DOUBTFUL = {"guinea", "niger", "chad", "jordan", "guinée", "dominica", "tchad"}
_COUNTRY_CODE = 2
_WITHIN = 30  # characters: "- the following EU Member States"


@lru_cache
def _names() -> tuple[re.Pattern[str], dict[str, str]]:
    """A pattern of the names of countries in English and French, and the code of each."""
    codes = dict(_ALSO)
    for language in ("en", "fr"):
        for code, name in Locale(language).territories.items():
            if (
                len(code) == _COUNTRY_CODE
                and code.isalpha()
                and code not in {"EU", "EZ", "UN", "QO", "ZZ", "XA", "XB"}
            ):
                codes.setdefault(name.lower().replace("’", "'"), code)
    for name in _DOUBTFUL:
        codes.pop(name, None)
    longest_first = sorted(codes, key=len, reverse=True)
    pattern = rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])"
    return re.compile(pattern), codes


def countries(statement: Statement) -> Iterator[tuple[str, str]]:
    """The countries that a sentence on who may take part names; ``EU`` for its Member States.

    Groups without names ("associated countries") give nothing: their members stand elsewhere.
    """
    lead, item = _plain(statement.lead), _plain(statement.item)
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


def _plain(text: str) -> str:
    return " ".join(text.lower().replace("’", "'").split())


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
        codes = dict.fromkeys(code for code in codes if code not in MEMBER_STATES)
    return min((start for start, _ in found), default=len(text)), tuple(codes)

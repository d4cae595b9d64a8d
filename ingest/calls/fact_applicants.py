"""Rules for who may apply: which words say that someone may, and which words name whom."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kb.model import Applicant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.calls.fact_statements import Statement

# An exclusion is never turned round: a statement that holds one says nothing here.
_EXCLUDES = re.compile(
    r"\bnot\b(?![- ](?:for|only|limited))|\bcannot\b|\bexcept\b|\bexcluding\b|\bexclud|\bunless\b|\bother than\b"
    r"|\bexception\b|\bneither\b|\bineligible\b|\bn(?:e|')\s?\w+ (?:pas|que|plus|ni)\b|\bne sont pas\b|\bsauf\b|\bhormis\b"
    r"|\bexclus|\bexclue?s?\b|\bnon éligible|\binéligible|\bhors\b|\bà l'exception\b|\bonly if\b|\buniquement s|"
    r"\bne (?:peu|pourr|doi|devr)\w+ (?:pas|être)\b|\bno longer\b"
)
# Who gets something from whoever applies, or pays, advises and helps.
_OTHERS = re.compile(
    r"third part|fstp|sub-?grant|subcontract|sous-traitan|\bas (?:associated )?partners?\b|jury|\bexperts?\b|associated partner|target group|public cible"
    r"|partenaires? (?:financiers?|associés?)|letters? of support"
)

_SCHEME = (
    r"(?:calls?(?: for proposals)?|topics?|contests?|competitions?|prizes?|programmes?|schemes?|grants?|funding|support"
    r"|actions?|participation|applications?)"
)
_FR_SCHEME = (
    r"(?:appels?(?: à (?:projets?|candidatures?|propositions?|manifestations? d'intérêt))?|aap|ami|dispositifs?|aides?"
    r"|fonds|prix|concours|subventions?|programmes?|trophées?|soutiens?|candidatures?|bourses?)"
)
_MAY = (
    r"(?:can|may|could|are able to|are invited to|are encouraged to|are eligible to|is eligible to)"
)
_FR_MAY = r"(?:peu(?:t|vent)|pourr(?:a|ont)|sont invitée?s à|sont habilitée?s à|sont autorisée?s à|sont éligibles pour)"
_FR_APPLY = (
    r"(?:candidater|postuler|répondre|déposer|participer|soumettre|présenter|soumissionner|être candidat"
    r"|bénéficier (?:de (?:ce|cette|l'|la|cet)|d'une|du)|prétendre|solliciter|faire acte de candidature|concourir)"
)

# Words after which the eligible are named.
BEFORE = tuple(
    re.compile(each)
    for each in (
        r"\b(?:applicants?|beneficiar(?:y|ies)|contestants?|candidates?|proposers?|lead partners?|lead applicants?)\b"
        r"(?: \([^)]*\))?(?: (?:and|or) [a-z ]+)? (?:must|should|shall|can|may|have to) (?:each |all |either )?be:?",
        r"\b(?:to be eligible|to become a beneficiary|in order to be eligible|to apply)\b[^:.]{0,80}"
        r"\b(?:must|should|shall)(?: be|:)",
        rf"\b{_SCHEME} (?:is|are)(?: also| only)? (?:open|available|addressed|aimed|targeted|directed|limited)"
        r" (?:to|at|for)\b",
        r"\b(?:applications?|proposals?)\b[^:.]{0,30}\b(?:must|can|may|should|shall) be (?:submitted|made|presented)"
        r" (?:jointly )?by\b",
        r"\beligible (?:applicants?|participants?|organi[sz]ations|entities|bodies|beneficiaries)\b"
        r"(?: (?:are|include|is|may be|can be))?(?: the following)?[ :?–-]",
        r"\b(?:who (?:can|may) (?:apply|participate)|eligibility)\W{0,3}[?:]",
        r"\bthe legal entities may for example be\b",
        r"\bpeuvent (?:ainsi |également |donc )?" + _FR_APPLY + r"\b[^:]{0,60}:",
        rf"\b{_FR_SCHEME}\b[^:.]{{0,60}}\b(?:est|sont)(?: exclusivement| principalement| réservée?s?)?"
        r" (?:destinée?s?|ouverte?s?|réservée?s?|accessibles?|adressée?s?|dédiée?s?)(?: exclusivement| uniquement"
        r"| principalement| prioritairement)? (?=à |aux? |a )",
        rf"\b{_FR_SCHEME}\b[^:.]{{0,40}}\bs'adresse(?:nt)?(?: \w+ment)? (?=à |aux? )",
        r"\b(?:b[ée]n[ée]ficiaires?|structures?|organismes?|porteurs?(?: de projets?)?|candidats?|demandeurs?)"
        r"(?: [ée]ligibles?| concern[ée]e?s| possibles?| potentiels?)? ?(?: sont)?:",
        r"\b(?:b[ée]n[ée]ficiaires?|structures?|organismes?|porteurs?(?: de projets?)?|candidats?) [ée]ligibles?\n",
        r"\b(?:structures|organismes|porteurs|demandeurs|candidats) éligibles (?:sont )?(?:les|:|des)\b",
        r"\bqui peut (?:candidater|postuler|répondre|participer|(?:en )?b[ée]n[ée]ficier|déposer)\b[^?:]{0,60}[?:]",
        r"\b(?:sont éligibles|peuvent être (?:candidats?|bénéficiaires?|porteurs?)|est éligible)\b ?(?:à [^:]{0,40})?:",
        r"\b(?:le candidat|le demandeur|le porteur(?: de projet)?|les candidats|les demandeurs|les porteurs(?: de projets?)?)"
        r" (?:doit|doivent|devra|devront|peut|peuvent) (?:obligatoirement |impérativement )?être\b",
    )
)  # fmt: skip
# Words before which they are named.
AFTER = tuple(
    re.compile(each)
    for each in (
        rf"\b{_MAY} (?:also )?(?:apply\b|submit (?:an? |their )?(?:application|proposal)|participate (?:as|in the call)"
        r"|be (?:applicants|beneficiaries|coordinators))",
        r"\b(?:is|are) eligible (?:to (?:apply|receive|participate)|for funding|as (?:applicants|beneficiaries))",
        rf"\b{_FR_MAY} (?:également |ainsi |donc |aussi )?(?:y )?{_FR_APPLY}\b",
    )
)  # fmt: skip

# Expressions whose "and" and commas join no two applicants, as one word each.
_COMPOUNDS = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (
            r"(?:any |all )?(?:types? of )?(?:legal (?:entit\w+|persons?)|entit\w+|bod(?:y|ies)|organi[sz]ations?)"
            r"[ ,]*\(?(?:whether |either )?(?:public (?:or|and) private|private (?:or|and) public|public/private)"
            r"(?: bod(?:y|ies)| entit\w+| law)?\)?",
            " anyentity ",
        ),
        (
            r"(?:any |all )?(?:public (?:or|and|and/or) private|private (?:or|and) public)"
            r" (?:legal )?(?:entit\w+|bod(?:y|ies)|organi[sz]ations?)",
            " anyentity ",
        ),
        (r"any (?:type of )?legal (?:entit\w+|persons?)\b(?! established)", " anyentity "),
        (r"toutes? (?:les )?personnes? morales?(?: de droit)?(?: publi\w+ (?:ou|et) (?:de droit )?privée?s?)?", " anyentity "),
        (
            r"(?:personnes? morales?|organismes?|structures?|entités?|acteurs?)(?: de droit)?"
            r" publi(?:cs?|ques?) (?:ou|et|et/ou) (?:de droit )?privée?s?",
            " anyentity ",
        ),
        (r"(?:micro[-, ]*)?small[- ](?:and|to)[- ]medium[- ]sized[- ](?:enterprises|businesses|companies)", "smes"),
        (r"petites et moyennes entreprises", "pme"),
        (r"économie sociale et solidaire", "ess"),
        (r"non[- ]profit (?:or|and) (?:for[- ])?profit", "mixed"),
        (r"recherche et (?:développement|d'innovation)|enseignement supérieur et (?:de la )?recherche", "enseignement supérieur"),
    )
)  # fmt: skip

# Words that may stand before the name of an applicant.
_LIGHT = frozenset(
    "the a an any all other either both also only be by to as of eligible following established existing registered"
    " accredited recognised recognized european national regional local international independent private small large"
    " legally relevant including such young french grassroots one are is"
    " à au aux le les la l' des de du d' un une toute toutes tous tout autre autres également notamment seul seuls seule"
    " seules exclusivement uniquement petite petites petits grande grandes grands jeune jeunes différentes différents divers"
    " diverses y compris être soit suivant suivants suivantes éligible éligibles leurs sont".split()
)
# Everything from such a word on describes the applicant, and so do words joined to it by "and".
_DESCRIBES = re.compile(
    r"\b(?:in|for|with|within|which|who|that|whose|from|located|established|working|active|having|on behalf|operating|engaged"
    r"|supporting|must|should|if|when|provided"
    r"|dans|pour|avec|auprès|afin|en faveur|au profit|au sein|qui|dont|ayant|souhaitant|située?s?|implantée?s?|œuvrant"
    r"|intervenant|proposant|menant|disposant|justifiant|agissant|travaillant|exerçant|accueillant|gérant|porteurs?|portant"
    r"|en charge|chargée?s?|représentant|en partenariat|sous réserve|à condition|afin|sur|doi(?:t|vent)|devr\w+)\b"
)

KINDS: tuple[tuple[tuple[Applicant, ...], re.Pattern[str]], ...] = tuple(
    (kind if isinstance(kind, tuple) else (kind,), re.compile(rf"(?:{pattern})(?![\w-])"))
    for kind, pattern in (
        (Applicant.ANY, r"anyentity|legal (?:persons?|entit(?:y|ies))(?=\W*$)"),
        ((Applicant.NGO, Applicant.COMPANY), r"mixed|private (?:legal )?(?:entit\w+|bod(?:y|ies)|organi[sz]ations?)"),
        (Applicant.SME, r"smes?|pme|tpe|mpme|small businesses|very small enterprises|micro-?enterprises?|très petites entreprises"),
        (
            Applicant.SOCIAL_ENTERPRISE,
            r"social (?:economy )?enterprises?|social economy (?:entities|organi[sz]ations|actors|enterprises)"
            r"|(?:entreprises?|structures?|acteurs?|organismes?|sociétés?)(?: \w+)? (?:de l'|relevant de l'|du champ de l')"
            r"(?:ess|économie sociale)|(?:entreprises?|structures?) (?:sociales?|solidaires?|d'insertion)"
            r"|(?:scic|scop|esus|siae)|coopératives? d'intérêt collectif|sociétés? coopératives? d'intérêt collectif",
        ),
        (
            Applicant.NGO,
            r"(?:non[- ]?governmental organi[sz]ations?|ngos?|civil society (?:organi[sz]ations?|actors)|csos?"
            r"|(?:non[- ]?profit|not[- ]for[- ]profit)(?:[- ]making)? (?:legal |private )?(?:organi[sz]ations?|entit\w+|bod(?:y|ies))"
            r"|ong|organisations? non gouvernementales?"
            r"|(?:structures?|organismes?|organisations?|personnes morales)(?: de droit privé| privée?s?)? (?:à|sans) but non lucratif"
            r"|(?:structures?|organismes?|organisations?)(?: \w+)? sans but lucratif)",
        ),
        (
            Applicant.ASSOCIATION,
            r"associations?(?! (?:agreement|countr|européenne de libre))|(?:structures?|organismes?|acteurs?|porteurs?) associati(?:fs?|ves?)",
        ),
        (Applicant.FOUNDATION, r"foundations?|fondations?"),
        (
            Applicant.PUBLIC,
            r"public (?:bod(?:y|ies)|authorit\w+|entit\w+|institutions?|organi[sz]ations?|administrations?|sector)"
            r"|(?:local|regional|national|municipal|governmental|competent)(?:[ ,/]+(?:and|or) (?:local|regional|national))?"
            r" (?:authorit\w+|governments?|administrations?)|municipalit\w+|ministr(?:y|ies)|towns|cities"
            r"|collectivités?|communes?|epci|ept|intercommunalités?|départements|régions|communautés? (?:de communes|d'agglomération"
            r"|urbaines?)|métropoles?|mairies?|villes|établissements? publics?|syndicats? mixtes?|administrations?"
            r"|services? (?:de l'|déconcentrés )état|personnes publiques|organismes? publics?|acteurs publics|gip|groupements? d'intérêt public",
        ),
        (
            Applicant.RESEARCH,
            r"research (?:and technology )?(?:organi[sz]ations?|institutions?|institutes?|cent(?:re|er)s?|bodies|performing organi[sz]ations)"
            r"|(?:organismes?|centres?|instituts?|établissements?|structures?|équipes?|laboratoires?)(?: publics?)? de recherche|laboratoires?",
        ),
        (
            Applicant.EDUCATION,
            r"universit\w+|higher education (?:institutions?|establishments?)|schools?|education(?:al)?(?: and training)?"
            r" (?:institutions?|establishments?|providers?|organi[sz]ations?)|vet (?:providers?|institutions?)|training (?:providers?|cent(?:re|er)s?)"
            r"|(?:établissements?|organismes?)(?: \w+)? (?:d'enseignement|scolaires?|de formation|d'éducation)|établissements? scolaires?"
            r"|écoles?|lycées?|collèges?|cfa|centres? de formation",
        ),
        (Applicant.INTERNATIONAL, r"international (?:european )?(?:research )?organi[sz]ations?|organisations? internationales?"),
        (
            Applicant.COMPANY,
            r"compan(?:y|ies)|enterprises?|undertakings?|businesses|start-?ups?|for[- ]profit organi[sz]ations?|industr(?:y|ies)"
            r"|entreprises?(?! (?:commerciale )?(?:de l'ess|de l'économie sociale|solidaires?|sociales?|d'insertion))"
            r"|sociétés? (?:commerciales?|anonymes?|privées?)|sociétés",
        ),
        (Applicant.INDIVIDUAL, r"natural persons?|individuals|personnes? physiques?|particuliers"),
    )
)  # fmt: skip

_CUTS = re.compile(
    r"(?P<strong>;|\n|•)|,|/|\b(?:et/ou|and/or|et|ou|and|or|ainsi que|as well as|mais aussi|but also)\b"
)
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\]]*\]")
_WRAPPED = re.compile(r"\s*\n\s*(?=[^\W\d_A-ZÀ-Þ])")  # a line that goes on in lower case
_BULLET = re.compile(r"^\W+")
_CATEGORY = re.compile(r"(?P<wide>[^-–]{3,40}) [-–] (?P<narrow>.+)")


def applicants(statement: Statement) -> Iterator[tuple[str, str]]:
    """Who may apply, by the words that say so; a kind counts only where it begins a list's part."""
    lead, item = _plain(statement.lead), _plain(statement.item)
    if lead and not lead.endswith((":", "?")):
        lead += ":"
    whole = f"{lead} {item}" if lead else item
    if _EXCLUDES.search(whole) or _OTHERS.search(f"{whole} {statement.under.lower()}"):
        return
    for kind in dict.fromkeys(_named(lead, item)):
        yield "applicants", kind.value


def _plain(text: str) -> str:
    whole = _WRAPPED.sub(" ", text)
    lines = (" ".join(line.split()) for line in whole.lower().replace("’", "'").split("\n"))
    return "\n".join(lines).strip()


def _named(lead: str, item: str) -> Iterator[Applicant]:
    if lead:
        if any(pattern.search(lead) for pattern in BEFORE):
            yield from kinds(item)
        return
    for pattern in BEFORE:
        if (match := pattern.search(item)) is not None:
            yield from kinds(item[match.end() :])
    for pattern in AFTER:
        if (match := pattern.search(item)) is not None:
            before = re.split(r"[;:\n]", item[: match.start()])[-1]
            yield from kinds(before)


def kinds(text: str) -> Iterator[Applicant]:
    """The applicants that a list of names names, each by how its part of the list begins."""
    for pattern, word in _COMPOUNDS:
        text = pattern.sub(word, text)
    text = _BRACKETS.sub(" ", text)
    described, start = False, 0
    for cut in [*_CUTS.finditer(text), None]:
        part = text[start : cut.start() if cut else len(text)]
        if not described:
            yield from _head(part)
        described = described or _DESCRIBES.search(part) is not None
        if cut is not None:
            start = cut.end()
            described = described and cut["strong"] is None


def _head(part: str) -> tuple[Applicant, ...]:
    """The applicants whose name begins this part, behind words that may stand before it."""
    bare = _BULLET.sub("", part).strip()
    if category := _CATEGORY.fullmatch(bare):
        return _head(category["narrow"]) or _head(category["wide"])
    words = bare.replace("l'", "l' ").replace("d'", "d' ").split()
    while words:
        rest = " ".join(words).replace("' ", "'")
        for kind, pattern in KINDS:
            if pattern.match(rest):
                return kind
        if words[0] not in _LIGHT:
            return ()
        words = words[1:]
    return ()

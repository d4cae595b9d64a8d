"""Which applicants a list of names names, in French and English."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest.calls.facts.words import phrases, words
from kb.model import Applicant

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALL = " anyentity "
_BODY_EN = r"(?:legal )?(?:entit\w+|persons?|bod(?:y|ies)|organi[sz]ations?)"
_BODY_FR = r"(?:personnes? morales?|organismes?|structures?|entités?|acteurs?)(?: de droit)?"
_EITHER_EN = r"(?:public(?: or | and |/)private|private (?:or|and) public)"
# Expressions whose "and" and commas join no two applicants, each as one word.
_COMPOUNDS = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (rf"{_BODY_EN}[ ,]*\(?(?:whether |either )?{_EITHER_EN}(?: {_BODY_EN}| law)?\)?", _ALL),
        (rf"{_EITHER_EN} {_BODY_EN}", _ALL),
        (r"any (?:type of )?legal (?:entit\w+|persons?)\b(?! established)", _ALL),
        (rf"{_BODY_FR} publi(?:cs?|ques?) (?:ou|et|et/ou) (?:de droit )?privée?s?", _ALL),
        (r"toutes? (?:les )?personnes? morales?", _ALL),
        (r"small[- ](?:and|to)[- ]medium[- ]sized[- ](?:enterprises|businesses|companies)", "smes"),
        (r"petites et moyennes entreprises", "pme"),
        (r"économie sociale et solidaire", "ess"),
        (r"non[- ]profit (?:or|and) (?:for[- ])?profit", "mixed"),
        (r"enseignement supérieur et (?:de la |de )?recherche", "enseignement supérieur"),
    )
)

# Words that may stand before the name of an applicant.
_LIGHT = frozenset(
    [
        *("the", "a", "an", "any", "all", "other", "either", "both", "also", "only", "one"),
        *("be", "is", "are", "by", "to", "as", "of", "following", "including", "such"),
        *("eligible", "established", "existing", "registered", "accredited", "legally"),
        *("recognised", "recognized", "relevant", "independent", "private", "grassroots"),
        *("european", "national", "regional", "local", "international", "french"),
        *("small", "large", "young"),
        *("à", "au", "aux", "le", "les", "la", "l'", "des", "de", "du", "d'", "un", "une"),
        *("tout", "tous", "toute", "toutes", "autre", "autres", "également", "notamment"),
        *("seul", "seule", "seuls", "seules", "exclusivement", "uniquement", "y", "compris"),
        *("petite", "petites", "petits", "grande", "grandes", "grands", "jeune", "jeunes"),
        *("différents", "différentes", "divers", "diverses", "être", "soit", "sont", "leurs"),
        *("suivant", "suivants", "suivantes", "éligible", "éligibles"),
    ]
)
# What follows such a word describes the applicant, and so do words that "and" joins to it: the
# schools of "associations that work in schools and companies" may not apply.
_DESCRIBES = re.compile(
    words(
        r"""in | for | with | within | which | who | that | whose | from | located | established
        working | active | having | on behalf | operating | engaged | supporting | must | should
        if | when | provided | dans | pour | avec | auprès | afin | en faveur | au profit
        au sein | qui | dont | ayant | souhaitant | située?s? | implantée?s? | œuvrant
        intervenant | proposant | menant | disposant | justifiant | agissant | travaillant
        exerçant | accueillant | gérant | porteurs? | portant | en charge | chargée?s?
        représentant | en partenariat | sous réserve | à condition | sur | doi(?:t|vent)
        devr\w+"""
    )
)
_NON_PROFIT = "(?:non[- ]?profit|not[- ]for[- ]profit)(?:[- ]making)?"
_BODY = "(?:structures?|organismes?|organisations?|personnes morales)"
_SOCIAL = "(?:solidaires?|sociales?|d'insertion)"
_OF_SOCIAL_ECONOMY = r"(?:de l'|relevant de l'|du champ de l')(?:ess|économie sociale)"

KINDS: tuple[tuple[tuple[Applicant, ...], re.Pattern[str]], ...] = tuple(
    (kind, re.compile(rf"{phrases(listed)}(?![\w-])"))
    for kind, listed in (
        ((Applicant.ANY,), r"anyentity | legal (?:persons?|entit(?:y|ies))(?=\W*$)"),
        (
            (Applicant.NGO, Applicant.COMPANY),
            r"mixed | private (?:legal )?(?:entit\w+|bod(?:y|ies)|organi[sz]ations?)",
        ),
        (
            (Applicant.SME,),
            """smes? | pme | tpe | mpme | small businesses | very small enterprises
            micro-?enterprises? | très petites entreprises""",
        ),
        (
            (Applicant.SOCIAL_ENTERPRISE,),
            rf"""social (?:economy )?enterprises?
            social economy (?:entities|organi[sz]ations|actors|enterprises)
            (?:entreprises?|structures?|acteurs?|organismes?)(?: \w+)? {_OF_SOCIAL_ECONOMY}
            sociétés?(?: \w+)? {_OF_SOCIAL_ECONOMY} | (?:entreprises?|structures?) {_SOCIAL}
            scic | scop | esus | siae | (?:sociétés? )?coopératives? d'intérêt collectif""",
        ),
        (
            (Applicant.NGO,),
            rf"""non[- ]?governmental organi[sz]ations? | ngos? | csos? | ong
            civil society (?:organi[sz]ations?|actors) | organisations? non gouvernementales?
            {_NON_PROFIT} (?:legal |private )?(?:organi[sz]ations?|entit\w+|bod(?:y|ies))
            {_BODY}(?: de droit privé| privée?s?)? (?:à|sans) but (?:non )?lucratif""",
        ),
        (
            (Applicant.ASSOCIATION,),
            r"""associations?(?! (?:agreement|countr|européenne de libre))
            (?:structures?|organismes?|acteurs?|porteurs?) associati(?:fs?|ves?)""",
        ),
        ((Applicant.FOUNDATION,), "foundations? | fondations?"),
        (
            (Applicant.PUBLIC,),
            r"""public (?:bod(?:y|ies)|authorit\w+|entit\w+|institutions?|organi[sz]ations?)
            public administrations? | public sector | municipalit\w+ | ministr(?:y|ies) | towns
            cities
            (?:local|regional|national|municipal|competent) (?:authorit\w+|governments?)
            (?:local|regional|national) administrations? | governmental authorit\w+
            local and regional authorit\w+ | regional and local authorit\w+
            collectivités? | communes? | epci | ept | intercommunalités? | départements | régions
            communautés? (?:de communes|d'agglomération|urbaines?) | métropoles? | mairies? | villes
            (?:établissements?|organismes?) publics? | syndicats? mixtes? | administrations?
            services? (?:de l'|déconcentrés de l')état | personnes publiques | acteurs publics
            gip | groupements? d'intérêt public""",
        ),
        (
            (Applicant.RESEARCH,),
            r"""research (?:and technology )?(?:organi[sz]ations?|institutions?|institutes?)
            research (?:cent(?:re|er)s?|bodies|performing organi[sz]ations)
            (?:organismes?|centres?|instituts?|établissements?)(?: publics?)? de recherche
            (?:structures?|équipes?)(?: publiques?)? de recherche
            laboratoires?""",
        ),
        (
            (Applicant.EDUCATION,),
            r"""universit\w+ | higher education (?:institutions?|establishments?) | schools?
            education(?:al)?(?: and training)? (?:institutions?|establishments?|providers?)
            education(?:al)?(?: and training)? organi[sz]ations?
            vet (?:providers?|institutions?) | training (?:providers?|cent(?:re|er)s?)
            (?:établissements?|organismes?)(?: \w+)? (?:d'enseignement|de formation|d'éducation)
            établissements? (?:scolaires?|d'enseignement) | écoles? | lycées? | collèges? | cfa
            (?:centres?|organismes?) de formation""",
        ),
        (
            (Applicant.INTERNATIONAL,),
            """international (?:european )?(?:research )?organi[sz]ations?
            organisations? internationales?""",
        ),
        (
            (Applicant.COMPANY,),
            rf"""compan(?:y|ies) | enterprises? | undertakings? | businesses | start-?ups?
            for[- ]profit organi[sz]ations? | industr(?:y|ies)
            entreprises?(?! (?:commerciales? )?(?:{_SOCIAL}|{_OF_SOCIAL_ECONOMY}))
            sociétés?(?! (?:savante|coopérative))""",
        ),
        (
            (Applicant.INDIVIDUAL,),
            "natural persons? | individuals | personnes? physiques? | particuliers",
        ),
    )
)

_CUTS = re.compile(
    r"(?P<strong>;|\n|•)|,|/"
    r"|\b(?:et/ou|and/or|et|ou|and|or|ainsi que|as well as|mais aussi|but also)\b"
)
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\]]*\]")
_BULLET = re.compile(r"^\W+")
_CATEGORY = re.compile(r"(?P<wide>[^-–]{3,40}) [-–] (?P<narrow>.+)")


def kinds(text: str) -> Iterator[Applicant]:
    """The applicants that a list of names names, each by how its part of the list begins.

    Args:
        text: The list, as rules read it (``ingest.calls.facts.words``).
    """
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
    """The applicants whose name begins this part, behind words that may stand before it.

    Of "Association - Fondation", a category and what it narrows to, the latter counts.
    """
    bare = _BULLET.sub("", part).strip()
    if category := _CATEGORY.fullmatch(bare):
        return _head(category["narrow"]) or _head(category["wide"])
    names = bare.replace("l'", "l' ").replace("d'", "d' ").split()
    while names:
        rest = " ".join(names).replace("' ", "'")
        for kind, pattern in KINDS:
            if pattern.match(rest):
                return kind
        if names[0] not in _LIGHT:
            return ()
        names = names[1:]
    return ()

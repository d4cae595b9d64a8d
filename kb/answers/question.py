"""What a question asks for: the kind of fact, the names it gives, the words that only ask."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from kb.analysis import terms


class Asked(Enum):
    """The shape of what would answer."""

    AMOUNT = "amount"
    DATE = "date"
    NUMBER = "number"
    DURATION = "duration"
    WHO = "who"
    WHERE = "where"
    CONDITION = "condition"
    DEFINITION = "definition"
    POSITION = "position"
    REASON = "reason"
    LIST = "list"
    YES_NO = "yes or no"
    MANNER = "manner"
    ANYTHING = "anything"


# Facts that a sentence states or does not.
FACTS: Final = frozenset({Asked.AMOUNT, Asked.DATE, Asked.NUMBER, Asked.DURATION, Asked.WHO})

_PERIODS: Final = (
    r"temps|années?|ans?\b|mois|semaines?|jours?|heures?|minutes?"
    r"|time|days?|months?|weeks?|years?|hours?"
)
_SIZES: Final = (
    r"plafonds?|montants?|budgets?|taux|prix|coûts?|seuils?|dotations?|enveloppes?|pourcentages?"
    r"|cofinancement|quotité|tarifs?|sommes?|intensité|intensity"
    r"|ceilings?|caps?|amounts?|rates?|sizes?|thresholds?|co-?financing|costs?|prices?"
    r"|percentages?|shares?|limits?|envelopes?|sums?|fees?"
)
_ROLES: Final = (
    r"président\w*|directeurs?|directrices?|trésori\w+|secrétaires?|ministres?|commissaires?"
    r"|rapporteur\w*|chefs?|dirigeants?|maires?|auteurs?|autrices?|porte-parole|fondat\w+"
    r"|presidents?|directors?|treasurers?|secretar\w+|ministers?|commissioners?|heads?|leaders?"
    r"|chairs?|chairm[ae]n|chairwom[ae]n|chairpersons?|mayors?|authors?|founders?|managers?"
    r"|coordinators?|ceo|spokespersons?"
)
_LEADS: Final = (
    r"dirige\w*|préside\w*|pilote\w*|anime\w*|gère\w*|a (?:écrit|rédigé|fondé|signé)"
    r"|leads?|led|heads?|headed|runs?|ran|chairs?|chaired|presides?|wrote|founded|signed|manages?"
)
_MAY: Final = (
    r"peu(?:t|vent)|pou(?:vons|vez|rra|rrait|rraient)|(?:a|ont) (?:le )?droit|doi(?:t|vent)"
    r"|may|can|could|must|should|(?:is|are) (?:it )?(?:eligible|allowed|entitled)"
)
_BODIES: Final = (
    r"organismes?|autorités?|administrations?|services?|institutions?|ministères?|personnes?"
    r"|body|bodies|authorit\w+|ministry|organisations?|agency|agencies|person"
)
_ASKS: Final = (
    r"(?:demand|propos|recommand|préconis|défend|réclam|souhait|plaid|revendiqu|pens"
    r"|ask|recommend|want|call for|think|say|suggest|advocat|argu)\w*"
)
_WHAT: Final = r"(?:quel(?:le)?s?|what|which|what['’]s)"
# The first kind decides whose words the question has.
_WORDS: Final = {
    Asked.DURATION: (
        rf"\b(?:combien (?:de |d['’])|how many (?:\w+ )?)(?:{_PERIODS})",
        r"\bhow (?:long|early|soon)\b",
        r"\b(?:depuis|pendant|pour|au bout de|sous) combien\b|\b(?:quelle|quelle est la) durée\b",
        r"\bquels? (?:est |sont )?(?:le |les |son |leur )?délais?\b",
        r"\bwhat (?:is )?(?:the )?(?:time limit|duration)\b|\bwithin what time\b",
    ),
    Asked.DATE: (
        # "When two charities merge, is ...?" asks for no date.
        r"^(?:et |and |so |alors |c['’]est )?(?:quand|when)\b(?!.*, )|\b(?:quand|when)\s?\?",
        r"\b(?:depuis|jusqu['’]à|d['’]ici|à partir de|pour|avant) quand\b",
        r"\b(?:until|till|since|by|from) when\b|\bc['’]est quand\b",
        r"\bquelles? (?:est |sont |était )?(?:la |les )?(?:dates?|années?|échéances?)\b",
        r"\b(?:what|which) (?:is |was )?(?:the )?(?:\w+ )?(?:date|deadline|year|day|month)\b",
        r"\bquel (?:jour|mois)\b|\bdeadline\b|\bdate limite\b|\bdernier délai\b",
    ),
    Asked.AMOUNT: (
        r"\bhow (?:much|large|big|high|expensive|little|small)\b",
        r"\bwhat (?:share|proportion|percentage|part)\b",
        r"\bquel(?:le)? (?:est )?(?:la |le )?(?:part|proportion|pourcentage|poids)\b",
        r"\bcombien (?:ça|cela|ca|d['’]argent|d['’]euros?|coûte\w*|fait|vaut|touche\w*|reçoi\w*)\b",
        r"\bcombien (?:peut|pèse\w*|paie\w*|donne\w*|on|faut|la|le|les|un|une)\b|\bcombien l['’]",
        r"\b(?:à|de|jusqu['’]à|à partir de) combien\b(?! (?:de\b|d['’]))",
        rf"\b{_WHAT}\b(?:\s+[\w'’-]+){{0,4}}?\s+(?:{_SIZES})\b",
        r"\b(?:largest|highest|lowest|smallest|maximum|minimum|maximale?)\b",
        r"\bthe most (?:it|we|you|they|a|an|the)\b",
        r"\b(?:la|le|les) (?:\w+ )?plus (?:grande?|élevée?|haute?|petite?|faible|gros(?:se)?)\b",
    ),
    Asked.NUMBER: (
        r"\bcombien\b|\bhow many\b",
        r"\b(?:quel|what) (?:est |is )?(?:le |the )?(?:nombre|number)\b",
    ),
    Asked.POSITION: (
        rf"\bqu['’]est-ce que?\s?(?:l['’]|la |le |les |['’])?(?:on |nous |[\w-]+ ){{0,3}}?{_ASKS}",
        rf"\bque {_ASKS}",
        r"\bque (?:veut|veulent|dit|disent|pense\w*|répon\w+)\b",
        rf"\bwhat (?:do|does|did|would|should) (?:[\w'’-]+ ){{1,5}}?{_ASKS}",
        r"\b(?:notre|nos|leurs?) (?:positions?|propositions?|demandes?|revendications?)\b",
        r"\b(?:our|their|its) (?:positions?|proposals?|demands?|stance|asks?)\b",
        r"\b(?:la|the) (?:positions?|stance)\b",
    ),
    Asked.CONDITION: (
        rf"\b(?:qui|who) (?:\w+ )?(?:{_MAY})\b|\bwho['’]s eligible|\bwho (?:is|are) eligible",
        r"\b(?:à|sous|dans) quel(?:le)?s? (?:conditions?|cas)\b|\béligib|\beligib",
        r"\b(?:under|on) (?:what|which) (?:conditions?|terms)|\b(?:what|which) conditions?\b",
        r"\bquelles? (?:sont les )?conditions?\b|\brequirements?\b|\bin (?:what|which) cases?\b",
        rf"\bquel(?:le)?s [\w-]+ (?:{_MAY})\b|\b(?:which|what) [\w-]+ (?:{_MAY})\b",
        r"\bexclu(?:es?|s|ded)?\b",
    ),
    Asked.WHO: (
        r"^(?:mais |et |alors |so |and )?(?:qui|who|whom|whose)\b",
        r"\b(?:à|par|de|avec|chez|auprès de|pour) qui\b|\b(?:by|to|from|with|for) whom\b",
        rf"\b(?:quel(?:le)?s?|which|what) (?:{_BODIES})\b",
        rf"\bquel(?:le)? (?:est|était|sera) (?:le |la |l['’])?(?:nom (?:du|de la) )?(?:{_ROLES})\b",
        rf"\b(?:what|who)(?: is|['’]s| was) (?:the )?(?:name of (?:the )?)?(?:{_ROLES})\b",
        rf"\b(?:which|what|quel(?:le)?) (?:{_ROLES})\b",
        r"\bc['’]est qui\b|\bqui (?:est|c['’]est)\b|\bcomment s['’]appelle\b",
    ),
    Asked.WHERE: (
        r"^(?:où|where)\b|\b(?:quelle|which|what) (?:adresse|address|site|page|e-?mail)\b",
        r"\bd['’]où\b|\bin (?:what|which) (?:city|country|town)\b",
    ),
    Asked.DEFINITION: (
        r"\bc['’]est quoi\b|\bqu['’]est[- ]ce qu(?:['’]|e (?:l['’]|la |le |les ))",
        r"\bqu['’]entend|\bdéfini(?:tion|t|r|ssez)?\b|\bque signifie|\bsignifie\b|\bveut dire\b",
        r"\bwhat (?:is|are)\b(?! (?:the )?(?:rules?|reasons?))|\bwhat['’]s\b",
        r"\bdefin(?:e[ds]?|ition)\b|\bmean(?:s|t|ing)?\b|\bwhat counts as\b|\bstands? for\b",
        r"\bexplain\b|\bexpliquer? (?:ce|à|le|la|les)\b|\bexpliquer l['’]",
    ),
    Asked.REASON: (r"\b(?:pourquoi|why|how come|pour quelles? raisons?|for what reasons?)\b",),
    Asked.MANNER: (r"(?:^|[,:] )(?:comment|how|de quelle (?:façon|manière)|par quel)\b",),
    Asked.LIST: (
        r"\b(?:quel(?:le)?s|lesquel(?:le)?s)\b|\b(?:which|what)\s+(?:[\w-]+\s+)?[\w-]+s\b",
        r"\b(?:liste[rz]?|énumère\w*|list)\b|\bwhat are\b",
    ),
    Asked.YES_NO: (
        r"\best-ce qu|\b\w+-(?:t-)?(?:il|elle|on|ils|elles|nous|je|tu|vous)\b",
        r"^\W*(?:can|may|is|are|does|do|did|will|would|should|must|has|have|could|was|were|shall)\b",
        r"^(?:on peut|y a-t-il)\b",
    ),
}
_PATTERNS: Final = {
    asked: re.compile("|".join(words), re.IGNORECASE) for asked, words in _WORDS.items()
}
_ROLE: Final = re.compile(rf"\b(?:{_ROLES}|{_LEADS})\b", re.IGNORECASE)
_SIZE: Final = re.compile(
    rf"\b(?:{_SIZES}|largest|highest|lowest|smallest|maximum|minimum|grande?|élevée?|haute?|petite?"
    r"|poids|faible|part|proportion|share|much|large|big|high|money|argent|euros?|coûte\w*"
    r"|touche\w*|reçoi\w*|pèse\w*|paie\w*|donne\w*)\b",
    re.IGNORECASE,
)
# What is counted: in French the noun after "combien de", past an adjective that may precede it; in
# English the last word before a verb or a preposition.
_HEAD: Final = re.compile(
    r"\b(?:combien (?:de |d['’])|nombre (?:de |d['’]|des ))"
    r"(?:(?:vrai|nouve|grand|petit|autre|bon|jeune|vieux|vieil|différent)\w*\s+)?(?P<fr>\w+)"
    r"|\b(?:how many|number of) (?P<en>\w+(?: (?!(?:is|are|was|were|has|have|had|do|does|did|can|could"  # noqa: E501 -- one alternative a line
    r"|must|may|might|should|shall|will|would|in|of|at|to|for|from|on|with|we|you|they|it|the|a|an)\b)"
    r"\w+){0,3})",
    re.IGNORECASE,
)
_RATE: Final = re.compile(
    r"\b(?:taux|rates?|quotité|percentages?|pourcentages?|(?:what|which) (?:share|proportion)"
    r"|quel(?:le)? (?:est )?(?:la |le )?(?:part|proportion|poids))\b",
    re.IGNORECASE,
)
_MONEY: Final = re.compile(
    r"\b(?:combien d['’](?:argent|euros?)|how much money|euros?|montants?|budgets?|prix|coûte?s?"
    r"|enveloppes?|dotations?|amounts?|costs?|prices?|fees?|sums?)\b|€",
    re.IGNORECASE,
)
# A year, an act's number, or a capital that does not open the question; an acronym wherever it
# stands. Other numbers are what somebody has or wants ("we receive EUR 18 000").
_NAMES: Final = re.compile(
    r"(?<=[\s'’(«“\"])[A-ZÀ-Ý][\w+]*(?:-[A-ZÀ-Ý\d]\w*)*|\b[A-ZÀ-Ý]{2,}[\w+]*"
    r"|(?<![\d.,])\d+/\d+|\b(?:18|19|20)\d\d\b|(?<=no )\d+|(?<=n° )\d+"
)
# Where the whole base comes from: to name it says nothing of what is asked.
_EVERYWHERE: Final = frozenset(
    (
        *("france", "french", "français", "française", "françaises", "europe", "european"),
        *("européen", "européens", "européenne", "européennes", "union", "eu", "ue"),
        *("état", "états", "etat", "etats", "state", "states", "i", "je", "we"),
    )
)


def asked_for(question: str) -> Asked:
    """The shape that the question asks for; the first rule that matches."""
    for asked, pattern in _PATTERNS.items():
        if pattern.search(question):
            return asked
    return Asked.ANYTHING


def asking_words(question: str) -> str:
    """The words by which something is asked for ("how large"), which an answer need not say."""
    asked = asked_for(question)
    if asked is Asked.ANYTHING:
        return ""
    found = " ".join(match.group() for match in _PATTERNS[asked].finditer(question))
    if asked is Asked.AMOUNT:  # of "the pay cap" the pay must be said
        return " ".join(_SIZE.findall(found))
    # Of "combien de salariés" and "who is the director" the noun must be said.
    return _ROLE.sub(" ", found) if asked is Asked.WHO else found


def role_words(question: str) -> str:
    """The role or deed by which a question asks for a person ("president", "led")."""
    return " ".join(_ROLE.findall(question)) if asked_for(question) is Asked.WHO else ""


def counted_words(question: str) -> str:
    """What is counted in "how many X" and its like."""
    match = _HEAD.search(question)
    return "" if match is None else match["fr"] or match["en"].rpartition(" ")[2]


def asks_rate(question: str) -> bool:
    """Whether an amount is asked for as a share."""
    return _RATE.search(question) is not None


def asks_money(question: str) -> bool:
    """Whether an amount is asked for in money."""
    return _MONEY.search(question) is not None


def names(question: str) -> list[str]:
    """Names, acronyms, years and act numbers as written, but for what is named everywhere."""
    found = [match.group().rstrip(".,/-") for match in _NAMES.finditer(question)]
    return [name for name in found if name and name.lower() not in _EVERYWHERE]


def name_terms(question: str, language: str) -> frozenset[str]:
    """The index terms of a question's names."""
    return frozenset(terms(" ".join(names(question)), language))

"""The small language in which the rules for facts are written, and the words they share.

A rule reads a sentence in lower case with straight apostrophes, its figures masked
(``ingest.calls.facts.values``). In a rule ``<grant>`` stands for any of the words under that name
in ``WORDS``, ``…`` for up to 110 characters of the same clause, ``~`` for up to 30, and ``#a``,
``#r``, ``#p`` for an amount, a range of amounts and a percentage. The rest is a regular expression.
"""

from __future__ import annotations

import re

_GAPS = {"…": "[^#.;]{0,110}?", "~": "[^#.;]{0,30}?"}
_GAP = re.compile("[…~]")
_FIGURE = re.compile("#([arp])")
_NAME = re.compile(r"(?<!P)<([\w ]+)>")
_BETWEEN = re.compile(r"\s*\n\s*|\s+\|\s+")


def phrases(listed: str) -> str:
    """A pattern for any of the phrases; lines and `` | `` set them apart."""
    return f"(?:{'|'.join(each for each in _BETWEEN.split(listed.strip()) if each)})"


def words(listed: str) -> str:
    """A pattern for any of the phrases where no letter stands before or after."""
    return rf"(?<!\w){phrases(listed)}(?!\w)"


WORDS = {
    # What one project gets.
    "grant": words(
        """grants? | contributions? | funding | subsid(?:y|ies) | lump sums? | awards?
        financial support"""
    ),
    "aid": words(
        """subventions? | aides? | montants? | financements? | soutiens? | participations?
        dotations? | prises? en charge | contributions? | concours financiers?"""
    ),
    "may not": words("(?:can|must|may|should|shall|will|do|does) ?not | not"),
    "up to": words(
        """up to | maximum of | limited to | capped at | no more than | not exceeding
        ceiling of"""
    ),
    "at most": words(
        """plafonnée?s? à | limitée?s? à | dans la limite de | jusqu'à | à hauteur de | maximum
        maximale?s? | maximum de | au maximum(?: de| à)?
        n(?:e|') ?\\w+ (?:pas |pourra |pourront )?(?:dépasser|excéder|être supérieure?s? à)
        (?:doi(?:t|vent)|devr(?:a|ont)) (?:être)?(?:,[^,]*,)? ?inférieure?s?(?: ou égale?s?)? à
        (?:doi(?:t|vent)|devr(?:a|ont)) pas (?:dépasser|excéder|être supérieure?s? à)
        (?:représenter|couvrir) plus de"""
    ),
    "at least": words(
        """at least | a minimum of | minimum | no fewer than | not less than | au moins
        au minimum | a minima | minimum de"""
    ),
    # What the call is named when it says for whom it is.
    "scheme": words(
        """calls? | calls? for proposals | topics? | contests? | competitions? | prizes?
        programmes? | schemes? | grants? | funding | support | actions? | participation"""
    ),
    "dispositif": words(
        """appels? | aap | ami | dispositifs? | aides? | fonds | prix | concours | subventions?
        programmes? | trophées? | soutiens? | candidatures? | bourses?"""
    ),
    "applicant": words(
        """applicants? | beneficiar(?:y|ies) | contestants? | candidates? | proposers?
        lead partners?"""
    ),
    "candidat": words(
        """b[ée]n[ée]ficiaires? | structures? | organismes? | porteurs?(?: de projets?)?
        candidats? | demandeurs?"""
    ),
    "must": words("must | should | shall | have to | has to"),
    "doit": words("doit | doivent | devra | devront"),
    "may": words("can | may | could | (?:are|is) (?:able|invited|encouraged|eligible) to"),
    "peut": words(
        """peut | peuvent | pourra | pourront | sont (?:invitée?s|habilitée?s|autorisée?s) à
        sont éligibles pour"""
    ),
    "postuler": words(
        """candidater | postuler | répondre | déposer | participer | soumettre | présenter
        soumissionner | être candidate?s? | prétendre | solliciter | concourir
        faire acte de candidature | bénéficier (?:de (?:ce|cette|cet|l')|d'une|du)"""
    ),
    # Where somebody is at home.
    "placed": words(
        "established | located | based | registered | residing | resident | incorporated"
    ),
    "établi": words(
        """établie?s? | implantée?s? | situées? | situés? | domiciliée?s? | basée?s?
        immatriculée?s? | (?:leur|son|un) siège(?: social)?"""
    ),
}
# Who is paid by the beneficiary: what is said of them is not said of the call.
PASSED_ON = phrases(
    """third part | sub-?grant | sub-?project | fstp | cascad | financial support to
    subcontract | sous-traitan"""
)


def rule(text: str) -> re.Pattern[str]:
    """Compile a rule of this language; each ``#a``, ``#r`` or ``#p`` becomes a group."""
    named = _NAME.sub(lambda match: WORDS[match[1]], text)
    gapped = _GAP.sub(lambda match: _GAPS[match[0]], named)
    return re.compile(_FIGURE.sub(r"#(\\d+)\1", gapped))


def rules(*texts: str) -> tuple[re.Pattern[str], ...]:
    """Compile several rules."""
    return tuple(rule(text) for text in texts)


def plain(text: str) -> str:
    """A sentence as rules read it."""
    return " ".join(text.lower().replace("’", "'").split())

"""The EU's funding programmes: the portal's code, a short name for people, the abbreviation."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingest.readers.encoding import squash


@dataclass(frozen=True, slots=True)
class Programme:
    """A programme as it is called everywhere in the product."""

    name: str
    abbreviation: str


# Codes: the portal's own list of January 2023 and the programmes of the calls of August 2026. The
# names are the short ones in use, so that a call has the same programme whichever source gave it.
PROGRAMMES = {
    "43108390": Programme("Horizon Europe", "HORIZON"),
    "43152860": Programme("Digital Europe", "DIGITAL"),
    "43353764": Programme("Erasmus+", "ERASMUS"),
    "43251589": Programme("CERV", "CERV"),
    "43252405": Programme("LIFE", "LIFE"),
    "43251814": Programme("Creative Europe", "CREA"),
    "43254019": Programme("ESF+", "ESF"),
    "43332642": Programme("EU4Health", "EU4H"),
    "43252386": Programme("Justice", "JUST"),
    "43251447": Programme("AMIF", "AMIF"),
    "43252368": Programme("ISF", "ISF"),
    "43251530": Programme("BMVI", "BMVI"),
    "44181033": Programme("European Defence Fund", "EDF"),
    "43251567": Programme("Connecting Europe Facility", "CEF"),
    "43298916": Programme("Euratom", "EURATOM"),
    "43252449": Programme("RFCS", "RFCS"),
    "43637601": Programme("Pilot Projects & Preparatory Actions", "PPPA"),
    "43252476": Programme("Single Market Programme", "SMP"),
    "43392145": Programme("EMFAF", "EMFAF"),
    "43089234": Programme("Innovation Fund", "INNOVFUND"),
    "43253967": Programme("Renewable Energy FM", "RENEWFM"),
    "44416173": Programme("Interregional Innovation", "I3"),
    "43252433": Programme("Pericles IV", "PERI"),
    "43251842": Programme("EU Anti-Fraud Programme", "EUAF"),
    "43298203": Programme("Union Civil Protection Mechanism", "UCPM"),
    "43298664": Programme("Promotion of Agricultural Products", "AGRIP"),
    "43251882": Programme("Information Measures for the CAP", "IMCAP"),
    "44773133": Programme("Information Measures for Cohesion Policy", "IMREG"),
    "44773066": Programme("Just Transition Mechanism", "JTM"),
    "43252517": Programme("Social Prerogatives", "SOCPL"),
    "43254037": Programme("European Solidarity Corps", "ESC"),
    "43697167": Programme("European Parliament", "EP"),
    "45532249": Programme("EU Agencies", "EUBA"),
    "46324255": Programme("ERDF-TA", "ERDF-TA"),
    "111111": Programme("EU External Action", "RELEX"),
    "31045243": Programme("Horizon 2020", "H2020"),
    "31059093": Programme("Erasmus+ 2014-2020", "EPLUS"),
    "31059083": Programme("Creative Europe 2014-2020", "CREA"),
    "31076817": Programme("REC 2014-2020", "REC"),
    "31059088": Programme("Europe for Citizens 2014-2020", "EFC"),
    "31070247": Programme("Justice 2014-2020", "JUST"),
    "31107710": Programme("LIFE 2014-2020", "LIFE"),
    "31059643": Programme("COSME 2014-2020", "COSME"),
    "31077795": Programme("AMIF 2014-2020", "AMIF"),
    "31077817": Programme("ISF Police 2014-2020", "ISFP"),
    "31077833": Programme("ISF Borders 2014-2020", "ISFB"),
    "31084250": Programme("Pilot Projects & Preparatory Actions 2014-2020", "PPPA"),
    "31061266": Programme("Health Programme 2014-2020", "3HP"),
    "31109727": Programme("EDIDP 2014-2020", "EDIDP"),
    "42810547": Programme("Europe Direct 2014-2020", "ED"),
    "31072773": Programme("Promotion of Agricultural Products 2014-2020", "AGRIP"),
    "31084392": Programme("Hercule III 2014-2020", "HERC"),
    "31061273": Programme("Consumer Programme 2014-2020", "CP"),
    "31098847": Programme("EMFF 2014-2020", "EMFF"),
    "31082527": Programme("Union Civil Protection Mechanism 2014-2020", "UCPM"),
    "31061225": Programme("RFCS 2014-2020", "RFCS"),
    "42198993": Programme("Information Measures for the CAP 2014-2020", "IMCAP"),
    "31088049": Programme("European Statistics 2014-2020", "ESTAT"),
    "31059098": Programme("EU Aid Volunteers 2014-2020", "EUAID"),
    "31075571": Programme("Intra-Africa Academic Mobility 2014-2020", "PANAF"),
    "42992790": Programme("European Solidarity Corps 2014-2020", "ESC"),
}

# "Digital Europe Programme (DIGITAL)": what a description adds to the name.
_BRACKETED = re.compile(r"\s*\([A-Z0-9+&-]+(?: - [\d-]+)?\)\s*$")


def programme_name(code: str, stated: str = "") -> str | None:
    """Return a programme's short name; of one that is not in the list, the source's own words."""
    known = PROGRAMMES.get(code.strip())
    return known.name if known else _BRACKETED.sub("", squash(stated)) or None

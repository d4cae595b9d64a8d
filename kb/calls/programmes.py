"""What the EU's funding programmes are for, in English and French, for calls that do not say it.

A call seldom says what its programme is: "CERV" and "Daphne" are known to those who already apply.
Names are the official ones, of the acts named here; the words on what is paid for are ours. They
are found with the head of a call and never quoted, since they are no part of its text.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Purpose(NamedTuple):
    """What a programme or a strand of it pays for, in English and in French."""

    en: str
    fr: str


# By the parts with which identifiers begin, years left out; a strand adds to its programme.
PURPOSES: dict[str, Purpose] = {
    # Regulation (EU) 2021/692
    "CERV": Purpose(
        "Citizens, Equality, Rights and Values: associations and civil society that defend rights",
        "Citoyens, égalité, droits et valeurs : associations qui défendent les droits",
    ),
    "CERV-CHAR-LITI": Purpose(
        "Charter of Fundamental Rights: discrimination, hate speech, support of victims, civic "
        "space, litigation",
        "Charte des droits fondamentaux : discriminations, discours de haine, soutien aux "
        "victimes, espace civique, action en justice",
    ),
    "CERV-CITIZENS": Purpose(
        "taking part in democracy, town twinning, meetings of inhabitants, remembrance",
        "participation démocratique, jumelages de villes, rencontres d'habitants, mémoire",
    ),
    "CERV-DAPHNE": Purpose(
        "Daphne: violence against women and children, domestic violence, protection and support "
        "of victims",
        "Daphné : violences faites aux femmes et aux enfants, violences conjugales, protection et "
        "accompagnement des victimes",
    ),
    "CERV-EQUAL": Purpose(
        "equality, racism, antisemitism, discrimination, Roma, LGBTIQ, disability",
        "égalité, racisme, antisémitisme, discriminations, Roms, LGBTIQ, handicap",
    ),
    "CERV-GE": Purpose(
        "equality of women and men at work and in public life",
        "égalité entre les femmes et les hommes au travail et dans la vie publique",
    ),
    # Regulation (EU) 2021/693
    "JUST": Purpose(
        "Justice Programme: access to justice, rights of victims, cooperation and training of "
        "courts",
        "programme Justice : accès à la justice, droits des victimes, coopération et formation "
        "judiciaires",
    ),
    # Regulation (EU) 2021/1147
    "AMIF": Purpose(
        "Asylum, Migration and Integration Fund: refugees, asylum seekers, integration of migrants",
        "Fonds « Asile, migration et intégration » : réfugiés, demandeurs d'asile, intégration "
        "des migrants",
    ),
    # Regulation (EU) 2021/1149
    "ISF": Purpose(
        "Internal Security Fund: trafficking in human beings, terrorism, organised crime, victims "
        "of crime",
        "Fonds pour la sécurité intérieure : traite des êtres humains, terrorisme, criminalité "
        "organisée, victimes",
    ),
    # Regulation (EU) 2021/1148
    "BMVI": Purpose(
        "Border Management and Visa Instrument: control of external borders, visas",
        "Instrument relatif à la gestion des frontières et aux visas : frontières extérieures, "
        "visas",
    ),
    # Regulation (EU) 2021/1057
    "ESF": Purpose(
        "European Social Fund Plus: employment, social inclusion, poverty, microfinance, social "
        "enterprises, social innovation",
        "Fonds social européen plus : emploi, inclusion sociale, pauvreté, microfinance, "
        "entreprises sociales, innovation sociale",
    ),
    "SOCPL": Purpose(
        "social dialogue, rights and mobility of workers, information for unions and employers",
        "dialogue social, droits et mobilité des travailleurs, information des syndicats et des "
        "employeurs",
    ),
    # Regulation (EU) 2021/817
    "ERASMUS": Purpose(
        "Erasmus+: education, training, youth, mobility, exchanges",
        "Erasmus+ : éducation, formation, jeunesse, mobilité, échanges",
    ),
    "ERASMUS-SPORT": Purpose(
        "sport for all, clubs, inclusion and volunteering in sport",
        "sport pour tous, clubs, inclusion et bénévolat par le sport",
    ),
    # Regulation (EU) 2021/888
    "ESC": Purpose(
        "European Solidarity Corps: volunteering of young people, humanitarian aid",
        "Corps européen de solidarité : volontariat des jeunes, aide humanitaire",
    ),
    # Regulation (EU) 2021/818
    "CREA": Purpose(
        "Creative Europe: arts, culture, books, heritage, journalism",
        "Europe créative : arts, culture, livre, patrimoine, journalisme",
    ),
    "CREA-MEDIA": Purpose(
        "films, series, cinemas, video games",
        "films, séries, cinémas, jeux vidéo",
    ),
    # Regulation (EU) 2021/783
    "LIFE": Purpose(
        "Programme for the Environment and Climate Action",
        "programme pour l'environnement et l'action pour le climat",
    ),
    "LIFE-CET": Purpose(
        "clean energy transition: energy efficiency, renewable energy, renovation, energy poverty",
        "transition énergétique : efficacité, énergies renouvelables, rénovation, précarité "
        "énergétique",
    ),
    "LIFE-NGO": Purpose(
        "running costs of environmental associations",
        "fonctionnement des associations de protection de l'environnement",
    ),
    "LIFE-SAP-CLIMA": Purpose(
        "adapting to climate change, cutting greenhouse gases",
        "adaptation au changement climatique, réduction des gaz à effet de serre",
    ),
    "LIFE-SAP-ENV": Purpose(
        "circular economy and quality of life: waste, water, air, noise, soil, chemicals",
        "économie circulaire et qualité de vie : déchets, eau, air, bruit, sols, substances "
        "chimiques",
    ),
    "LIFE-SAP-NAT": Purpose(
        "nature and biodiversity: species, habitats, protected areas, restoration",
        "nature et biodiversité : espèces, milieux naturels, aires protégées, restauration",
    ),
    # Regulation (EU) 2021/690
    "SMP": Purpose(
        "Single Market Programme: small firms, consumers, standards, food",
        "programme en faveur du marché unique : petites entreprises, consommateurs, normes, "
        "alimentation",
    ),
    "SMP-COSME": Purpose(
        "small and medium-sized enterprises, social economy, tourism",
        "petites et moyennes entreprises, économie sociale, tourisme",
    ),
    "SMP-CONS": Purpose(
        "consumer rights, product safety, debt advice",
        "droits des consommateurs, sécurité des produits, conseil en surendettement",
    ),
    "SMP-FOOD": Purpose(
        "food chain: food safety, food waste, animal and plant health",
        "filière alimentaire : sécurité et gaspillage des aliments, santé animale et végétale",
    ),
    # Regulation (EU) 2021/522
    "EU4H": Purpose(
        "EU4Health: public health, prevention, medicines, mental health",
        "L'UE pour la santé : santé publique, prévention, médicaments, santé mentale",
    ),
    # Regulation (EU) 2021/694
    "DIGITAL": Purpose(
        "Digital Europe: artificial intelligence, cybersecurity, digital skills",
        "Europe numérique : intelligence artificielle, cybersécurité, compétences numériques",
    ),
    # Regulation (EU) 2021/1153
    "CEF": Purpose(
        "Connecting Europe Facility: large infrastructure",
        "Mécanisme pour l'interconnexion en Europe : grandes infrastructures",
    ),
    "CEF-DIG": Purpose("broadband, cables, 5G", "haut débit, câbles, 5G"),
    "CEF-E": Purpose("energy networks", "réseaux d'énergie"),
    "CEF-T": Purpose(
        "railways, ports, roads, waterways", "chemins de fer, ports, routes, voies d'eau"
    ),
    # Regulation (EU) 2021/1139
    "EMFAF": Purpose(
        "European Maritime, Fisheries and Aquaculture Fund: fishing, sea, coasts",
        "Fonds européen pour les affaires maritimes, la pêche et l'aquaculture : pêche, mer, côtes",
    ),
    # Decision No 1313/2013/EU
    "UCPM": Purpose(
        "Union Civil Protection Mechanism: disasters, floods, forest fires, rescue",
        "mécanisme de protection civile de l'Union : catastrophes, inondations, feux de forêt, "
        "secours",
    ),
    # Regulation (EU) No 1144/2014
    "AGRIP": Purpose(
        "promotion of agricultural products",
        "promotion des produits agricoles",
    ),
    "IMCAP": Purpose(
        "information on the common agricultural policy, farming",
        "information sur la politique agricole commune, agriculture",
    ),
    "IMREG": Purpose(
        "information on cohesion policy, regions",
        "information sur la politique de cohésion, régions",
    ),
    # Regulation (EU) 2021/695
    "HORIZON": Purpose(
        "Horizon Europe: research and innovation", "Horizon Europe : recherche, innovation"
    ),
    # Regulation (EU) 2021/697
    "EDF": Purpose(
        "European Defence Fund: weapons, armies", "Fonds européen de la défense : armement"
    ),
    "RFCS": Purpose(
        "Research Fund for Coal and Steel", "Fonds de recherche du charbon et de l'acier"
    ),
    "INNOVFUND": Purpose(
        "Innovation Fund: low-carbon plants and industry",
        "Fonds pour l'innovation : usines et procédés bas carbone",
    ),
    "I3": Purpose(
        "Interregional Innovation Investments: firms of several regions",
        "investissements interrégionaux en matière d'innovation : entreprises de plusieurs régions",
    ),
    "PPPA": Purpose(
        "pilot projects and preparatory actions",
        "projets pilotes et actions préparatoires",
    ),
}
_YEAR = re.compile(r"-?\b20\d\d\b(?:-20\d\d\b)?")


def purpose(identifier: str) -> Purpose | None:
    """What the programme and the strand of a call pay for, as far as it is known."""
    name = _YEAR.sub("", identifier.upper())
    found = [each for key, each in PURPOSES.items() if f"{name}-".startswith(f"{key}-")]
    if not found:
        return None
    return Purpose("; ".join(each.en for each in found), " ; ".join(each.fr for each in found))

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.sentences import sentences

# "|" marks each boundary; the text is the case without it.
FRENCH = [
    "Le plafond est fixé à 300 000 EUR.| Il vaut par entreprise unique.",
    "Voir l’art. 5 du règlement.| Les États membres l’appliquent.",
    "L'art. L. 313-13 du code monétaire s'applique.| Il est d'ordre public.",
    "Aux termes de l'article 3, al. 2, le taux est de 3.5 %.| Le reste suit.",
    "Selon M. Dupont et Mme. Martin, le coût est de 1.500,00 euros.| Nul ne le conteste.",
    "Le rapport de J. Dupont, p. 12, l'affirme.| J.-P. Durand le nie.",
    "Voir JO L 187 du 26.6.2014, p. 1.| Le texte est consolidé.",
    "Loi n° 2014-856 du 31 juillet 2014.| Elle définit l'ESS.",
    "Les associations, fondations, etc. sont éligibles.| Les sociétés aussi.",
    "Les associations, fondations, etc.| Les sociétés aussi.",
    "Une aide est possible (cf. Annexe II).| Elle est plafonnée.",
    "Quel est le plafond ?| Qui peut en bénéficier ?| Personne !",
    "Il a dit : « Nous agirons. »| Puis il s'est tu.",
    "« Est-ce possible ? » demanda-t-elle.| Oui.",
    "« Est-ce possible ? »| Elle le demanda.",
    "À la fin, rien ne change.| Évidemment, tout bouge.| Œuvrer reste utile.| Ça ira.",
    "Le comité attend… encore.| Il a raison…| Pourquoi attendre ?",
    "Le texte prévoit [...] Une aide de 5 %.| Fin.",
    "1. Les aides sont compatibles.|\n2. Les États membres en informent la Commission.",
    "1. Les aides sont compatibles.| 2. Les États membres en informent la Commission.",
    "2.1. Le demandeur dépose un dossier.|\n2.2. Il joint ses statuts.",
    "Est éligible l'organisme qui :|\na) est associatif ;|\nb) agit ;|\nc) tient des comptes.",
    "Sont exclus:|\n– les partis;|\n– les syndicats.",
    "Une ligne coupée par\nla mise en page.| Une autre.",
    "Un titre sans point\n\n|Un paragraphe suit.",
    "Le délai court jusqu'au 31 déc. 2027.| Il peut être prorogé.",
    "Consulter https://exemple.org/a.html?x=1. |Tout y est.",
    "Écrire à contact@exemple.org.| Une réponse suit.",
    "La Sté Exemple S.A. est agréée.| La S.A.S. Autre ne l'est pas.",
    "Publié aux éd. Dalloz en 2019.| Épuisé depuis.",
    "C'est le plan B.| Cette voie reste ouverte.",
    "Le seuil figure à l’annexe I.| Les États membres le révisent.",
    "Les fonds propres (resp. les quasi-fonds propres) comptent.| Rien d'autre.",
    "Le prêt est garanti à 80 %.(12) La banque garde le reste.".replace(") La", ")| La"),
    "Le no 5 est gagnant, le No. 6 non.| Suivant.",
    "M. le Préfet décide, c.-à-d. l'État.| Il notifie.",
    "Ouvert aux acteurs de l'ESS (associations, coopératives, etc.).| Dépôt en ligne.",
    "(Cette règle est ancienne.)| Elle demeure.",
    "La 1re version est close.| Le 2e appel ouvre en mai.",
    "Par ex. Lyon, p. ex. Marseille.| Fin.",
    "Sommaire ........ 5\nIntroduction",
    "Au sens de l'art.\n107 du traité, c'est une aide.| Point.",
    "1.\nLa Commission décide.",
    "I. Le cadre est posé.| II. Les suites sont ouvertes.",
    "2 bis. Les aides cessent.|\n3 ter. Elles reprennent.",
    "La NACE Rév. 2 s'applique.| Elle est ancienne.",
    "Le ch. 3 et le vol. 2 du par. 4 le disent.| Vrai.",
]
ENGLISH = [
    "The ceiling is EUR 300 000.| It applies per single undertaking.",
    "See Art. 5 of the Regulation.| Member States apply it.",
    "It is the state of the art.| Nobody does better.",
    "The answer is no.| We tried.",
    "Regulation (EU) No 651/2014 applies.| No. 5 was repealed.",
    "Some costs, e.g. Rent, are eligible, i.e. Refunded.| Others are not.",
    "Dr. Smith and Mrs. Jones of St. Ives agreed.| They signed.",
    "Acme Inc. was founded in 1999.| It grew by 3.5 %.",
    "He works at Acme Inc.| The firm is small.",
    "Smith et al. (2019) found this.| See pp. 3-5 and vol. 2.",
    "OJ L 187, 26.6.2014, p. 1.| The text was amended.",
    "The U.S. Government agreed.| It moved to the U.S.| The rest stayed.",
    "What is sustainable investment?| Who may invest?! |Nobody.",
    'He said: "We will act." |Then he left.',
    "She said “It is done.”| The room was quiet.",
    "Wait... what?| It goes on...| Then it stops.",
    "(a) the grant is small;|\n(b) the applicant is local.",
    "For the purposes of this Regulation:|\n(1) ‘aid’ means any measure;|\n(2) ‘SME’ means a firm.",
    "The list: (a) aid; (b) loans; (c) guarantees.| Nothing else.",
    "The aid shall not exceed:|\n(i) 50 %;|\n(ii) EUR 1.5 million.",
    "The rule is simple.| (a) Apply early.",
    "A line broken by\nthe layout.| Another.",
    "A heading\n\n|A paragraph.",
    "Items:|\n• first item\n|• second item",
    "See www.example.org/a.b.c for more.| Then call.",
    "The text is final.1 The rest follows.".replace("1 The", "1| The"),
    "J. R. Smith wrote it.| A. B. Jones read it.",
    "Category A.| The others are B.",
    "Published in Oct. 2019 by the Dept. of Trade.| Out of print.",
    "The aid (see Fig. 3) fell.| Costs rose [1].| Prices too.",
    "In 2028.| 5 Member States objected.",
    "At 10 a.m. Monday it opens.| Be early.",
    "Point 3.4.2 applies.| Point 3.5. does not.",
    "Paragraph 1 is replaced by: ‘1. Member States may act.’| It applies now.",
    "2a. Aid shall be granted.|\n3a. It ends.",
    "The steps are: 1. Apply early. |2. Sign.",
    "eIDAS is in force.| eIDAS 2 follows.",
]


def marked(case: str) -> tuple[str, list[str]]:
    """The text of a case and the sentences its marks cut."""
    return case.replace("|", ""), [part.strip() for part in case.split("|")]


@pytest.mark.parametrize(
    ("case", "language"), [(c, "fr") for c in FRENCH] + [(c, "en") for c in ENGLISH]
)
def test_cuts_exactly_where_a_reader_would(case: str, language: str) -> None:
    """Each marked case is cut at its marks and nowhere else."""
    text, expected = marked(case)
    assert [text[start:end] for start, end in sentences(text, language)] == expected


@given(
    st.text(alphabet='ab É.!?…;:\n »«()[]1,-’"\u00a0', max_size=200), st.sampled_from(["fr", "en"])
)
def test_spans_cover_all_that_is_not_space_in_order(text: str, language: str) -> None:
    """Spans are ordered, trimmed, and leave out nothing but white space."""
    spans = sentences(text, language)
    position = 0
    for start, end in spans:
        assert position <= start < end
        assert not text[position:start].strip()
        assert text[start:end] == text[start:end].strip()
        position = end
    assert not text[position:].strip()


@given(st.lists(st.text(alphabet="ab É.;:», ", min_size=1, max_size=40), max_size=6))
def test_a_blank_line_is_always_a_boundary(blocks: list[str]) -> None:
    """No sentence contains a blank line."""
    text = "\n\n".join(blocks)
    assert all("\n\n" not in text[start:end] for start, end in sentences(text, "fr"))


@pytest.mark.parametrize(
    "unit",
    [
        ".",
        ". ",
        ")",
        " ",
        "\n",
        " \n",
        "a. ",
        "« ",
        ". »",
        "1.",
        "(a) ",
        "; ",
        "Le plafond. ",
        "A.B.",
    ],
)
def test_a_megabyte_of_anything_takes_linear_time(unit: str) -> None:
    """Hostile repetitions take no longer than plain text."""
    text = unit * (1_000_000 // len(unit))
    began = time.process_time()
    sentences(text, "fr")
    assert time.process_time() - began < 4


def test_a_megabyte_of_prose_is_quick() -> None:
    """Running prose is cut at more than half a megabyte a second."""
    rng = random.Random(1)  # noqa: S311 -- test data
    text = " ".join(rng.choice(FRENCH + ENGLISH).replace("|", "") for _ in range(20_000))[
        :1_000_000
    ]
    began = time.process_time()
    assert len(sentences(text, "fr")) > 10_000
    assert time.process_time() - began < 2

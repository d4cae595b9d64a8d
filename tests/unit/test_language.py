from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.language import detect

DATA = Path(os.environ.get("KB_SHARED_DATA", Path(__file__).parents[2].parent / "shared" / "data"))

FRENCH = """
aide de minimis plafond
subventions associations 2028
garantie fonds propres
qui peut demander une subvention ?
loi ESS 2014
critères d'éligibilité
titres associatifs
financement participatif plafond
mécénat réduction d'impôt
Quel est le taux maximal ?
appel à projets transition juste
convention pluriannuelle d'objectifs
agrément ESUS conditions
fonds européens pour les petites associations
date limite de dépôt
budget total de l'appel
dons aux associations
contrat d'engagement républicain
prêt participatif durée
AIDES D'ÉTAT ET ASSOCIATIONS
commande publique clauses sociales
comment prouver ses fonds propres
SIEG compensation
ESS
PME Europe
est-ce que FSE+ finance une SCIC ?
bonjour
régime fiscal
""".strip().splitlines()
ENGLISH = """
What is sustainable investment?
crowdfunding offer limit
de minimis aid ceiling
who can apply for a grant?
equity guarantee
grants for associations
state aid rules
deadline for submission
social economy funding
just transition fund budget
EU calls open now
how much money is left
non-profit organisations tax
eligible costs
prospectus exemption threshold
public procurement reserved contracts
definition of social enterprise
risk capital aid
SGEI compensation cap
ESF+
Is ESF+ open to NGOs?
maximum aid intensity
co-financing rate
hello
guarantee mechanism
small and medium-sized enterprises
taxonomy screening criteria
""".strip().splitlines()
UNDECIDABLE = ["CSRD", "2028", "NUTS 2", "COVID", "", "  ", "?", "32014R0651", "EUR 300 000"]
OTHERS = {
    "es": (
        "Las organizaciones de la economía social necesitan fondos propios para crecer, y los"
        " bancos no siempre quieren prestarles dinero. Por eso pedimos un mecanismo público de"
        " garantía que reparta el riesgo entre el Estado y los inversores privados."
    ),
    "de": (
        "Organisationen der Sozialwirtschaft brauchen Eigenkapital, um zu wachsen, und Banken"
        " leihen ihnen nicht immer Geld. Deshalb fordern wir eine öffentliche Garantie, die das"
        " Risiko zwischen dem Staat und den privaten Anlegern über zehn Jahre teilt."
    ),
    "it": (
        "Le organizzazioni dell'economia sociale hanno bisogno di capitale per crescere e le"
        " banche non sempre vogliono prestare loro denaro. Per questo chiediamo una garanzia"
        " pubblica che divida il rischio tra lo Stato e gli investitori privati per dieci anni."
    ),
}


@pytest.mark.parametrize("query", FRENCH)
def test_short_french_is_french_even_where_english_is_the_default(query: str) -> None:
    """A few French words decide against the default."""
    assert detect(query, default="en") == "fr"


@pytest.mark.parametrize("query", ENGLISH)
def test_short_english_is_english_even_where_french_is_the_default(query: str) -> None:
    """A few English words decide against the default."""
    assert detect(query, default="fr") == "en"


@pytest.mark.parametrize("query", UNDECIDABLE)
def test_what_says_nothing_is_in_the_default_language(query: str) -> None:
    """Acronyms, figures and nothing at all give the default."""
    assert {detect(query, default=code) for code in ("fr", "en")} == {"fr", "en"}


@pytest.mark.parametrize("code", OTHERS)
def test_a_third_language_is_named_only_in_a_long_text(code: str) -> None:
    """Two hundred letters of another language give its code; a phrase never does."""
    assert detect(OTHERS[code]) == code
    assert detect(OTHERS[code][:60]) in {"fr", "en"}


@given(st.text(max_size=80), st.sampled_from(["fr", "en"]))
def test_any_short_text_is_french_or_english(text: str, default: str) -> None:
    """No text fails, and a short one is never in a third language."""
    assert detect(text, default) in {"fr", "en"}


def test_importing_the_module_does_not_load_the_model() -> None:
    """The model is loaded at the first question, not at import."""
    code = "import sys, kb.language; sys.exit('py3langid' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "language", "least"),
    [
        ("eurlex-fr-en/queries_fr.jsonl", "fr", 1.0),
        ("eurlex-fr-en/queries_en.jsonl", "en", 0.985),
        ("service-public-fr/beir/queries.jsonl", "fr", 1.0),
        ("xquad-en/beir/queries.jsonl", "en", 1.0),
    ],
)
def test_real_headings_and_questions_are_told_apart(name: str, language: str, least: float) -> None:
    """Measured with the other language as the default, so that a guess counts as wrong."""
    path = DATA / "bench" / name
    if not path.exists():
        pytest.skip(f"shared data absent: {path}")
    texts = [json.loads(line)["text"] for line in path.read_text().splitlines()]
    other = {"fr": "en", "en": "fr"}[language]
    right = sum(detect(text, default=other) == language for text in texts)
    assert right / len(texts) >= least

"""Facts are taken from the sentences of a call that state them, and from no others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.calls.facts import facts_of, with_facts
from ingest.calls.sources.texts import page_of_text
from kb.model import Applicant, Block, Call, Fact, Page, Role


def stated(text: str, language: str = "en") -> set[tuple[str, str]]:
    """The fields and values that rules take from a text."""
    return {(fact.field, fact.value) for fact in facts_of([Page(1, text)], language)}


def quotes(text: str, language: str, field: str) -> dict[str, str]:
    """The evidence of each value of a field."""
    facts = facts_of([Page(1, text)], language)
    return {fact.value: text[fact.start : fact.end] for fact in facts if fact.field == field}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The applicant must be a public body or an NGO.", {"public", "ngo"}),
        ("The call is open to civil society organisations and foundations.", {"ngo", "foundation"}),
        (
            "Eligible applicants: universities, municipalities and SMEs.",
            {"education", "public", "sme"},
        ),
        ("Applicants must be legal entities (public or private bodies).", {"any"}),
        ("Any public or private organisation may apply.", {"any"}),
        (
            "Research organisations and small companies may submit a proposal.",
            {"research", "company"},
        ),
        ("Applicants must be natural persons.", {"individual"}),
        ("Social enterprises are eligible to apply.", {"social_enterprise"}),
        ("Small and medium-sized enterprises can apply.", {"sme"}),
    ],
)
def test_english_sentences_say_who_may_apply(sentence: str, expected: set[str]) -> None:
    """Each kind of applicant that such a sentence names is a fact."""
    assert stated(sentence) == {("applicants", kind) for kind in expected}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        (
            "Peuvent candidater : les associations loi 1901, les fondations et les communes.",
            {"association", "foundation", "public"},
        ),
        ("Les associations peuvent déposer un dossier.", {"association"}),
        ("Ce dispositif s'adresse aux PME et aux start-up.", {"sme", "company"}),
        ("L’appel à projets est ouvert aux laboratoires et aux lycées.", {"research", "education"}),
        ("Qui peut candidater ? Toute personne morale de droit public ou privé.", {"any"}),
        ("Les entreprises de l'ESS peuvent répondre à l'appel.", {"social_enterprise"}),
        ("Bénéficiaires : particuliers, organismes à but non lucratif.", {"individual", "ngo"}),
    ],
)
def test_french_sentences_say_who_may_apply(sentence: str, expected: set[str]) -> None:
    """Each kind of applicant that such a sentence names is a fact."""
    assert stated(sentence, "fr") == {("applicants", kind) for kind in expected}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Natural persons are not eligible to apply."),
        ("en", "NGOs may apply, except those funded by the programme."),
        ("en", "Companies cannot apply."),
        ("en", "Who cannot apply?\n- Companies\n- Associations"),
        ("en", "The sub-grants are open to associations."),
        ("en", "Universities may apply as associated partners."),
        ("fr", "Peuvent répondre les associations, à l'exclusion des fédérations."),
        ("fr", "Les particuliers ne peuvent pas candidater."),
        ("fr", "Ne sont pas éligibles :\n- les entreprises\n- les particuliers"),
        ("fr", "Peuvent candidater : les entreprises uniquement s'il s'agit de coopératives."),
        ("fr", "Les actions s'adressent aux élèves des écoles et des lycées."),
    ],
)
def test_an_exclusion_and_what_is_said_of_others_give_nothing(language: str, text: str) -> None:
    """Neither a negation nor a sentence on somebody else says who may apply."""
    assert not stated(text, language)


def test_what_describes_an_applicant_is_none() -> None:
    """The schools in which associations work may not apply themselves."""
    text = (
        "L'appel est ouvert aux associations intervenant dans les écoles et les communes rurales."
    )
    assert stated(text, "fr") == {("applicants", "association")}


def test_a_list_item_is_quoted_with_its_lead() -> None:
    """An item that says nothing alone is quoted from the lead on, without a gap."""
    text = "Peuvent candidater :\n- les associations ;\n- les communes.\n\nLe dossier est en ligne."
    assert quotes(text, "fr", "applicants") == {
        "association": "Peuvent candidater :\n- les associations ;",
        "public": "Peuvent candidater :\n- les associations ;\n- les communes.",
    }


def test_a_list_inside_a_list_keeps_both_leads() -> None:
    """Where one must be established stands three lines below who must be."""
    text = (
        "To be eligible, the applicants must:\n- be legal entities (public or private bodies)\n"
        "- be established in one of the eligible countries, i.e.:\n- EU Member States\n"
        "- countries associated to the programme"
    )
    named = {("countries", "EU"), ("countries", "ASSOCIATED")}
    assert stated(text) == {("applicants", "any")} | named


def test_a_heading_leads_the_paragraph_below_it() -> None:
    """Blocks limit sentences, and a heading that asks who may apply introduces the answer."""
    text = "Bénéficiaires\n\nAssociations et fondations\n\nCalendrier\n\nCommunes : en juin."
    blocks = (
        Block(0, 13, Role.HEADING),
        Block(15, 41),
        Block(43, 53, Role.HEADING),
        Block(55, 74),
    )
    facts = facts_of([Page(1, text, blocks=blocks)], "fr")
    assert [(fact.value, text[fact.start : fact.end]) for fact in facts] == [
        ("association", "Bénéficiaires\n\nAssociations et fondations"),
        ("foundation", "Bénéficiaires\n\nAssociations et fondations"),
    ]


def test_a_sentence_that_a_line_cut_in_two_is_quoted_whole() -> None:
    """Text of a PDF has its lines as paragraphs; the evidence is the sentence, not the line."""
    text = (
        "La subvention demandée par la structure qui porte le projet\n\n"
        "ne peut dépasser 20 000 € pour toute la durée."
    )
    blocks = (Block(0, 59), Block(61, len(text)))
    (fact,) = facts_of([Page(1, text, blocks=blocks)], "fr")
    assert (fact.field, fact.value) == ("grant_max", "20000")
    assert (fact.start, fact.end) == (0, len(text))


@pytest.mark.parametrize(
    ("language", "sentence", "expected"),
    [
        (
            "en",
            "The EU grant applied for cannot be lower than EUR 75 000.",
            {("grant_min", "75000")},
        ),
        ("en", "The maximum grant is EUR 60,000 per project.", {("grant_max", "60000")}),
        (
            "en",
            "The requested contribution may not exceed €1.5 million.",
            {("grant_max", "1500000")},
        ),
        (
            "en",
            "Grants range from EUR 3.00 to 4.00 million.",
            {("grant_min", "3000000"), ("grant_max", "4000000")},
        ),
        (
            "en",
            "It considers that a contribution of EUR 500.000 to EUR 2 million would allow this.",
            set(),
        ),
        ("en", "The available call budget is EUR 5 million.", {("budget", "5000000")}),
        ("fr", "L'aide est plafonnée à 20 000 €.", {("grant_max", "20000")}),
        (
            "fr",
            "La subvention est comprise entre 5 000 et 15 000 €.",
            {("grant_min", "5000"), ("grant_max", "15000")},
        ),
        ("fr", "Montant maximum : 25 k€", {("grant_max", "25000")}),
        ("fr", "L'enveloppe globale de l'appel est de 1,2 M€.", {("budget", "1200000")}),
        ("fr", "L'appel à projets est doté de 300 000 euros.", {("budget", "300000")}),
        (
            "fr",
            "L'enveloppe totale est de 100 000 € et l'aide va jusqu'à 10 000 € par projet.",
            {("budget", "100000"), ("grant_max", "10000")},
        ),
    ],
)
def test_amounts_are_whole_euros(
    language: str, sentence: str, expected: set[tuple[str, str]]
) -> None:
    """Ceilings, floors, ranges and budgets are read however thousands and millions are written."""
    assert stated(sentence, language) == expected


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "The maximum amount for each third party is EUR 60 000."),
        ("en", "A certificate is needed for grants of up to EUR 325 000."),
        ("en", "The grant may not exceed EUR 50 000 for pilots and EUR 90 000 for networks."),
        ("en", "The grant is limited to EUR 5 000 per vessel."),
        ("fr", "Le coût total du projet ne peut excéder 20 000 €."),
        ("fr", "Subvention jusqu'à 23 000 € : versée intégralement."),
        ("fr", "Lors de la dernière édition, les subventions étaient de 1 000 à 9 000 €."),
        ("fr", "L'aide est plafonnée à 300 € par logement."),
    ],
)
def test_other_amounts_are_no_grant(language: str, sentence: str) -> None:
    """Amounts passed on, thresholds of papers, payments, and ceilings a lot say nothing."""
    assert not stated(sentence, language)


@pytest.mark.parametrize(
    ("language", "sentence", "share"),
    [
        ("en", "The funding rate is 90%.", "90"),
        ("en", "Funding rate: 100% for non-profit entities, 70% for others.", "100"),
        ("en", "The grant covers up to 80 % of the eligible costs.", "80"),
        ("en", "Funding rate\n\nAction grants: 95%", "95"),
        ("fr", "Le taux de subvention est de 50 % maximum.", "50"),
        ("fr", "L'aide est accordée dans la limite de 80 % des dépenses.", "80"),
        ("fr", "La subvention ne peut excéder 52,5 % du budget.", "52.5"),
        ("fr", "Le total des aides publiques ne peut dépasser 80 %.", None),
        ("fr", "Un cofinancement d'au moins 20 % est demandé.", None),
        ("fr", "Un acompte de 50 % de la subvention est prévu.", None),
        ("en", "Indirect costs are funded at a flat rate of 7%.", None),
        ("en", "Support to third parties covers up to 60% of their costs.", None),
    ],
)
def test_the_highest_share_of_costs(language: str, sentence: str, share: str | None) -> None:
    """The share that the grant pays counts, not the other side's, a payment or a part of it."""
    page = page_of_text(1, "Text", sentence)
    values = [fact.value for fact in facts_of([page], language) if fact.field == "cofinancing"]
    assert values == ([] if share is None else [share])


@pytest.mark.parametrize(
    ("language", "sentence", "number"),
    [
        ("en", "Proposals must be submitted by a consortium of at least two applicants.", "2"),
        ("en", "The consortium must include a minimum of three (3) legal entities.", "3"),
        ("en", "Proposals may be submitted by a single applicant or a consortium.", "1"),
        ("fr", "Le projet est porté par un consortium d'au moins quatre partenaires.", "4"),
        ("en", "Consortia of three or more entities must have at least three beneficiaries.", None),
        ("en", "The consortium must include at least two entities that run a port.", None),
        ("en", "The consortium should test at least three pilots.", None),
        ("en", "If a consortium applies, it needs at least two partners.", None),
    ],
)
def test_how_many_must_take_part(language: str, sentence: str, number: str | None) -> None:
    """A number of any participants counts, not one of a kind nor under a condition."""
    expected = set() if number is None else {("consortium_min", number)}
    assert stated(sentence, language) == expected


@pytest.mark.parametrize(
    ("language", "sentence", "codes"),
    [
        (
            "en",
            "Participation is limited to entities established in Member States, Norway and Canada.",
            {"EU", "NO", "CA"},
        ),
        ("en", "Entities must be established in EU Member States or EEA countries.", "EU IS LI NO"),
        (
            "en",
            "Applicants must be established in Ukraine, Moldova or Georgia.",
            {"UA", "MD", "GE"},
        ),
        ("en", "Applicants must be established in the EU: Spain, Italy or Malta.", {"EU"}),
        ("fr", "Les candidats doivent avoir leur siège social en France.", {"FR"}),
        ("en", "At least one applicant must be established in France.", set()),
        ("en", "The coordinator must be established in a Member State.", set()),
        ("en", "Entities established in Peru are not eligible to take part.", set()),
        ("en", "Applicants must be established in African Union member states.", set()),
        ("en", "Eligible countries are described in Annex B.", set()),
    ],
)
def test_countries_are_those_that_a_sentence_names(
    language: str, sentence: str, codes: set[str] | str
) -> None:
    """Countries and groups are codes; conditions on a part of the consortium give nothing."""
    expected = set(codes.split()) if isinstance(codes, str) else codes
    found = {value for field, value in stated(sentence, language) if field == "countries"}
    assert found == expected


def test_structured_fields_win_and_agreeing_sentences_support_them() -> None:
    """A text fills what its source left empty; what contradicts the source is dropped."""
    text = "The maximum grant is EUR 60 000. The funding rate is 80%. NGOs may apply."
    call = Call("X-1", "Call", grant_max=90_000, applicants=(Applicant.NGO, Applicant.PUBLIC))
    filled = with_facts(call, [Page(1, text)], "en")
    assert (filled.grant_max, filled.cofinancing) == (90_000, 80.0)
    assert filled.applicants == call.applicants
    assert [(fact.field, fact.value) for fact in filled.facts] == [
        ("cofinancing", "80"),
        ("applicants", "ngo"),
    ]


def test_sentences_that_differ_on_a_number_leave_it_unknown() -> None:
    """Of shares the highest counts; other numbers that differ count for nothing."""
    text = (
        "The maximum grant is EUR 60 000.\n\nThe maximum grant is EUR 90 000.\n\n"
        "The funding rate is 60%.\n\nThe funding rate is 75%."
    )
    filled = with_facts(Call("X-1", "Call"), [Page(1, text)], "en")
    assert (filled.grant_max, filled.cofinancing) == (None, 75.0)
    assert [(fact.field, fact.value) for fact in filled.facts] == [("cofinancing", "75")]


def test_amounts_that_contradict_each_other_are_not_taken() -> None:
    """A floor above the source's ceiling is somebody else's."""
    text = "The EU grant applied for cannot be lower than EUR 75 000."
    call = Call("X-1", "Call", grant_max=50_000)
    assert with_facts(call, [Page(1, text)], "en") == call


def test_lists_are_joined_over_pages() -> None:
    """Applicants named in two texts are both taken, each with its page."""
    pages = [Page(1, "NGOs may apply."), Page(2, "The call is open to municipalities.")]
    filled = with_facts(Call("X-1", "Call"), pages, "en")
    assert filled.applicants == (Applicant.NGO, Applicant.PUBLIC)
    assert [fact.page for fact in filled.facts] == [1, 2]


def test_a_text_that_points_elsewhere_leaves_the_call_as_it_is() -> None:
    """Nothing is inferred: conditions that stand in another document are unknown."""
    text = "2. Eligible countries: described in section 6 of the call document."
    assert with_facts(Call("X-1", "Call"), [Page(1, text)], "en") == Call("X-1", "Call")


SENTENCES = (
    "The funding rate is 90%.",
    "NGOs may apply.",
    "Deadlines are strict.",
    "Proposals must be submitted by a consortium of at least two applicants.",
    "Eligible applicants:\n- universities\n- towns",
)


@given(st.lists(st.sampled_from(SENTENCES), max_size=6))
def test_evidence_is_a_stretch_of_its_page(parts: list[str]) -> None:
    """Whatever stands around it, a fact quotes whole sentences of its page."""
    text = "\n\n".join(parts)
    for fact in facts_of([Page(3, text)], "en"):
        assert isinstance(fact, Fact)
        assert fact.page == 3
        quote = text[fact.start : fact.end]
        assert any(part.startswith(quote) for part in parts)


@pytest.mark.parametrize(
    "sentence",
    [
        "Applicants must be public bodies such as schools.",
        "Eligible applicants are, for example, associations.",
        "Peuvent candidater les associations, notamment les clubs.",
    ],
)
def test_examples_of_who_may_apply_are_no_list(sentence: str) -> None:
    """Whoever is not among them may apply too, and the filter would leave them out."""
    language = "fr" if sentence.startswith("Peuvent") else "en"
    found = facts_of([Page(1, sentence)], language)
    assert [fact for fact in found if fact.field == "applicants"] == []


def test_an_associated_country_counts_and_a_list_of_some_does_not() -> None:
    """Of those that are named none but they may apply."""
    every = "Applicants must be established in an EU Member State or an Associated Country."
    some = (
        "Participation is limited to entities established in Member States and the following "
        "additional associated countries: Canada, New Zealand."
    )
    assert stated(every) == {("countries", "EU"), ("countries", "ASSOCIATED")}
    assert ("countries", "ASSOCIATED") not in stated(some)
    assert ("countries", "CA") in stated(some)

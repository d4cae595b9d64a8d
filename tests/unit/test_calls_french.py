"""French calls become records: aids of two open data services, and saved pages with their texts."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.calls.base import CallRecord, Flaw
from ingest.calls.sources import aides_territoires, french_pages, ile_de_france
from ingest.calls.sources.french import (
    MONTHS,
    applicants,
    closes,
    countries,
    day_of,
    euros,
    percent,
    together,
)
from ingest.calls.sources.french_deadlines import deadlines_by, stated_deadlines
from kb.calls.dates import BRUSSELS, deadline
from kb.model import Applicant, DeadlineModel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

CHECKED = datetime(2026, 3, 1, tzinfo=UTC)
AID: dict[str, Any] = {
    "id": 71,
    "slug": "a1b2-planter-des-haies",
    "url": "/aides/a1b2-planter-des-haies/",
    "name": "Planter des haies",
    "name_initial": "Haies 2026",
    "short_title": None,
    "financers": ["Agence des Haies", "Département du Bocage"],
    "instructors": [],
    "programs": ["🌳 Plan Bocage"],
    "description": "<p>On plante des haies.</p><ul><li>Le plant est payé.</li></ul>",
    "eligibility": "<p>Les plants viennent de la région.</p>",
    "perimeter": "Bretagne",
    "categories": ["Nature / environnement|Biodiversité", "Nature / environnement|Sols"],
    "is_call_for_project": True,
    "application_url": "https://haies.example/deposer",
    "origin_url": "https://haies.example/",
    "targeted_audiences": ["Commune", "Association"],
    "aid_types": ["Subvention"],
    "start_date": "2026-01-05",
    "predeposit_date": None,
    "submission_deadline": "2026-04-30",
    "subvention_rate_lower_bound": 20,
    "subvention_rate_upper_bound": 80,
    "contact": "<p>haies@bocage.example</p>",
    "recurrence": "Ponctuelle",
}
OPEN_DATA: dict[str, Any] = {
    "id_aide": "a42",
    "reference_administrative": 42,
    "nom_de_l_aide_de_la_demarche": "Chorales de quartier",
    "porteur_aide": "Région Île-de-France",
    "theme": ["Culture"],
    "qui_peut_en_beneficier": ["Association - Régie par la loi de 1901"],
    "chapo_txt": "La Région aide les chorales.",
    "objectif": "<p>Acheter des partitions &amp; des pupitres.</p>",
    "modalite": "<p>La moitié des dépenses.</p>",
    "date_ouverture": "2026-01-31T23:00:00+00:00",
    "date_cloture": "2026-06-29T22:00:00+00:00",
    "url_descriptif": "https://www.iledefrance.fr/aides-et-appels-a-projets/42",
}
LISTED: dict[str, Any] = {
    "titre": "Chorales de quartier",
    "organisme": "Région Île-de-France",
    "date_publication": "2026-01-31",
    "date_limite": "2026-06-29",
    "url_source": "https://www.iledefrance.fr/aides-et-appels-a-projets/42",
    "resume": "La Région aide les chorales.",
    "categories": ["culture-sport"],
    "tags": ["Musique|||Voisinage"],
    "public_cible": ["Association - Fondation|||Professionnel - PME < 250"],
    "perimetre_geo": "Île-de-France",
}
PARIS = {
    **LISTED,
    "titre": "Des kiosques à musique",
    "organisme": "Ville de Paris",
    "url_source": "https://www.paris.fr/pages/des-kiosques-a-musique-501",
    "date_limite": "2026-02-02",
    "content_file": "data\\paris\\content\\k.txt",
    "resume": None,
    "public_cible": [],
}
PARIS_TEXT = """TITRE: Des kiosques à musique
URL: https://www.paris.fr/pages/des-kiosques-a-musique-501
DATE_LIMITE: 2026-02-02

--- SOURCE HTML ---
TITRE: Des kiosques à musique

RESUME:\x20

DESCRIPTION: Des kiosques à musique Appel à projets Mise à jour le 19/12/2025 Crédit photo : \
Nous Sommaire Sommaire Le calendrier Qui peut jouer ? Revenir en haut La Ville cherche des \
fanfares. Le calendrier Déposez votre
dossier jusqu'au 2 février 2026 inclus à midi. Qui peut jouer ? Les fanfares. Écrire à \
[ musique puis paris.fr après le signe @] zhfvdhr@cnevf.se [ musique puis paris.fr après le \
signe @]. ? Votre avis nous intéresse ! Oui Non À lire aussi Un autre appel

--- CONTENU PDF (reglement-kiosques.pdf) ---
Article 1
Chaque fanfare joue une heure.
--- CONTENU PDF (plan_du_quartier.pdf) ---
Les rues à visiter avant le 14 juillet 2031.
"""
STATE = {
    **PARIS,
    "titre": "Jardins partagés",
    "organisme": "Préfecture",
    "url_source": "https://www.seine-saint-denis.gouv.fr/Actualites/Jardins-2026",
    "date_limite": "2026-01-12",
    "content_file": "data\\ssd\\content\\j.txt",
}
STATE_TEXT = """TITRE: Jardins partagés
URL: https://www.seine-saint-denis.gouv.fr/Actualites/Jardins-2026
DATE_LIMITE: 2026-01-12

--- SOURCE HTML ---
TITRE: Jardins partagés

RESUME: Des jardins

DESCRIPTION: Jardins partagés Mis à jour le 12/01/2026 Des jardins pour tous. Les dossiers sont \
à déposer avant le {day}. Télécharger Le formulaire PDF - 0,20 Mb - 12/01/2026 En complément \
Partager la page Partager sur Facebook
"""


def records(module: ModuleType, path: Path) -> list[CallRecord]:
    """What a module reads of a file; a flaw fails the test."""
    found = list(found_in(module, path))
    assert not [each for each in found if isinstance(each, Flaw)]
    return [each for each in found if isinstance(each, CallRecord)]


def found_in(module: ModuleType, path: Path) -> Iterator[CallRecord | Flaw]:
    """What a module reads of a file that it accepts."""
    data = path.read_bytes()
    head = gzip.decompress(data) if path.suffix == ".gz" else data
    assert module.accepts(head[:65536], path.name)
    yield from module.read(path, path.name, CHECKED)


def written(folder: Path, name: str, value: object) -> Path:
    """A JSON file of a value, or a file of a text."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    return path


def one(module: ModuleType, folder: Path, value: object, name: str = "saved.json") -> CallRecord:
    """The one record of a file of this value."""
    (record,) = records(module, written(folder, name, value))
    return record


def labels(record: CallRecord) -> dict[str | None, str]:
    """The record's texts by their labels."""
    return {page.label: page.text for page in record.pages}


@given(st.dates(min_value=date(1990, 1, 1), max_value=date(2049, 12, 31)))
def test_a_day_is_read_in_each_of_its_writings(day: date) -> None:
    """A day is read in each of its writings."""
    month = next(name for name, number in MONTHS.items() if number == day.month)
    texts = (day.isoformat(), f"{day:%d/%m/%Y}", f"{day.day} {month} {day.year}")
    assert {day_of(text) for text in texts} == {day}


@pytest.mark.parametrize("text", ["lundi 1er février 2027", "1er FÉVRIER 2027", "01/02/2027"])
def test_accents_and_weekdays_do_not_matter(text: str) -> None:
    """Accents, capitals and weekdays do not matter in a day."""
    assert day_of(text) == date(2027, 2, 1)


@pytest.mark.parametrize("text", ["31/02/2026", "31 février 2026", "bientôt", "2026"])
def test_a_text_that_names_no_day_is_an_error(text: str) -> None:
    """A text that names no day is an error."""
    with pytest.raises(ValueError, match="names no day"):
        day_of(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-15", deadline(date(2026, 3, 15))),
        ("2026-06-29T22:00:00+00:00", deadline(date(2026, 6, 30))),  # midnight in Paris
        ("2026-06-30T00:00:00+00:00", deadline(date(2026, 6, 30))),  # a day, as UTC writes it
        ("2026-06-30T10:00:00Z", datetime(2026, 6, 30, 12, tzinfo=BRUSSELS)),
        ("2050-01-01", None),
        (None, None),
    ],
)
def test_a_deadline_without_an_hour_is_at_five(text: str | None, moment: datetime | None) -> None:
    """A deadline is at 17:00 of its day in Paris unless an hour is given; far years mean none."""
    assert closes(text) == moment


@pytest.mark.parametrize(
    ("value", "amount"),
    [("10 000 €", 10_000), ("1,5 M€", 1_500_000), ("20 k€", 20_000), (950.4, 950), ("selon", None)],
)
def test_amounts_are_whole_euros(value: object, amount: int | None) -> None:
    """Amounts are whole euros, whatever their unit."""
    assert euros(value) == amount


def test_a_share_outside_its_range_is_unknown() -> None:
    """A share is a number of percent above 0, at most 100."""
    assert [percent(value) for value in (80, "52,5 %", 0, 120, None)] == [80, 52.5] + [None] * 3


@pytest.mark.parametrize(
    ("audience", "meant"),
    [
        ("Association", {Applicant.ASSOCIATION, Applicant.NGO}),
        ("Association - Fondation", {Applicant.FOUNDATION, Applicant.NGO}),
        ("Intercommunalité / Pays", {Applicant.PUBLIC}),
        ("Établissements publics (écoles…)", {Applicant.PUBLIC, Applicant.EDUCATION}),
        ("Entreprises publiques locales (Sem)", {Applicant.PUBLIC, Applicant.COMPANY}),
        ("Professionnel - TPE < 10", {Applicant.SME}),
        ("Agriculteur", {Applicant.COMPANY}),
        ("Recherche", {Applicant.RESEARCH}),
        ("Particulier - Lycéen", {Applicant.INDIVIDUAL}),
        ("Coopératives", {Applicant.SOCIAL_ENTERPRISE}),
        ("Fées", set()),
    ],
)
def test_audiences_say_who_may_apply(audience: str, meant: set[Applicant]) -> None:
    """Audiences say who may apply; one that no rule knows says nothing."""
    assert set(applicants([audience])) == meant


def test_perimeters_are_in_france_but_for_europe_and_the_world() -> None:
    """A perimeter is in France unless it is Europe or the world."""
    assert [countries(name) for name in ("Morbihan", None, "Union européenne", "Mondial")] == [
        ("FR",),
        ("FR",),
        ("EU",),
        ("ANY",),
    ]


@pytest.mark.parametrize(
    ("text", "day", "hour"),
    [
        ("Déposez votre dossier jusqu'au 2 février 2026 à 23h59.", 2, "23:59"),
        ("Les dossiers sont à envoyer au plus tard le lundi 2 février 2026 à midi.", 2, "12:00"),
        ("Date limite de dépôt : 02/02/2026 minuit", 2, "23:59"),
        ("L’appel est ouvert du 5 janvier au 2 février 2026.", 2, "17:00"),
        ("Du 5 janvier 2026 au 2 février 2026 (inclus) : dépôt des candidatures.", 2, "17:00"),
        ("Les candidatures sont reçues d’ici le 2 février.", 2, "17:00"),
    ],
)
def test_a_stated_last_day_is_found(text: str, day: int, hour: str) -> None:
    """A last day for applying is found with its hour; one without a year is the next."""
    (moment,) = deadlines_by(None, [text], date(2026, 1, 12))
    assert moment.isoformat()[:16] == f"2026-02-{day:02}T{hour}"
    (stated,) = stated_deadlines(text, date(2026, 1, 12))
    assert str(day) in text[stated.start : stated.end]


@pytest.mark.parametrize(
    "text",
    [
        "Les travaux sont à terminer avant le 2 février 2026.",
        "Du 3 février 2026 au 20 mars 2026 : instruction des dossiers déposés.",
        "Le dépôt des demandes est fermé depuis le 2 février 2026.",
        "La loi est en vigueur jusqu'au 2 février 2026.",
        "Déposez votre dossier avant le 31 février 2026.",
    ],
)
def test_another_day_is_no_deadline(text: str) -> None:
    """The last day of something else, and a day that does not exist, are no deadline."""
    assert deadlines_by(None, [text]) == ()


def test_numbered_sessions_are_each_a_chance() -> None:
    """Sessions that a text numbers are deadlines beside the one given."""
    text = "1ère session de dépôt : jusqu'au 2 mars 2026. 2ème session : jusqu'au 4 mai 2026."
    found = deadlines_by(deadline(date(2026, 3, 2)), [text])
    assert found == (deadline(date(2026, 3, 2)), deadline(date(2026, 5, 4)))


def test_a_day_given_in_utc_may_be_a_day_early() -> None:
    """Where the text names only the next day, that is the deadline of an export that is early."""
    text = "Dépôt des dossiers du 4 février au 13 avril 2026."
    day = deadline(date(2026, 4, 12))
    assert deadlines_by(day, [text]) == (day,)
    assert deadlines_by(day, [text], early=True) == (deadline(date(2026, 4, 13)),)


def test_bare_text_beside_html_keeps_its_lines() -> None:
    """Bare text beside HTML becomes paragraphs."""
    assert together(["a < b\nc", "<p>d</p>"]) == "<p>a &lt; b</p><p>c</p><p>d</p>"


def test_an_aid_of_the_api_is_a_record(tmp_path: Path) -> None:
    """An aid of the API is a record with its dates, people, share, themes and texts."""
    page = {"count": 1, "next": None, "previous": None, "results": [AID]}
    record = one(aides_territoires, tmp_path, page)
    call = record.call
    assert (record.source, record.key) == (
        "aides-territoires",
        "aides-territoires:a1b2-planter-des-haies",
    )
    assert call.url == "https://aides-territoires.beta.gouv.fr/aides/a1b2-planter-des-haies/"
    assert call.deadlines == (deadline(date(2026, 4, 30)),)
    assert call.opens == datetime(2026, 1, 5, tzinfo=BRUSSELS)
    assert call.action_types == ("Subvention", "Appel à projets / AMI")
    assert call.funder == "Agence des Haies ; Département du Bocage"
    assert (call.programme, call.cofinancing) == ("Plan Bocage", 80)
    assert (call.themes, call.keywords) == (("Nature / environnement",), ("Biodiversité", "Sols"))
    assert call.applicants == (Applicant.ASSOCIATION, Applicant.NGO, Applicant.PUBLIC)
    assert list(labels(record)) == ["Description", "Conditions", "Contact"]
    assert labels(record)["Description"].startswith("Planter des haies\n\nOn plante des haies.")
    assert record.pages[0].blocks


@pytest.mark.parametrize("shape", ["array of aids", "array of pages", "lines", "gzip"])
def test_aids_may_stand_in_arrays_lines_or_gzip(tmp_path: Path, shape: str) -> None:
    """Aids may stand in an array, in pages, one a line, or in a gzip file."""
    aids = [AID, {**AID, "slug": "c3d4-autre"}]
    path = tmp_path / "aids.json"
    if shape == "lines":
        path.write_text("\n".join(json.dumps(aid) for aid in aids))
    elif shape == "gzip":
        path = tmp_path / "aids.json.gz"
        path.write_bytes(gzip.compress(json.dumps(aids).encode()))
    else:
        value = aids if shape == "array of aids" else [{"count": 2, "results": aids}]
        written(tmp_path, path.name, value)
    assert len({record.key for record in records(aides_territoires, path)}) == 2


def test_a_permanent_aid_without_a_deadline_is_rolling(tmp_path: Path) -> None:
    """A permanent aid is rolling unless it has a deadline; one that is not live is closed."""
    aid = {**AID, "recurrence": "Permanente"}
    assert not one(aides_territoires, tmp_path, [aid]).call.rolling
    record = one(aides_territoires, tmp_path, [{**aid, "submission_deadline": None}])
    assert (record.call.rolling, record.status) == (True, None)
    assert one(aides_territoires, tmp_path, [{**aid, "is_live": False}]).status == "closed"


def test_a_day_of_first_contact_is_a_first_stage(tmp_path: Path) -> None:
    """An aid with a day of pre-deposit has two stages."""
    call = one(aides_territoires, tmp_path, [{**AID, "predeposit_date": "2026-02-27"}]).call
    assert [moment.date() for moment in call.deadlines] == [date(2026, 2, 27), date(2026, 4, 30)]
    assert call.deadline_model is DeadlineModel.TWO_STAGE


def test_what_can_not_be_read_is_a_flaw(tmp_path: Path) -> None:
    """A record without a name and a date that is none are flaws; the other aids are read."""
    bad = {**AID, "name": None}
    odd = {**AID, "slug": "odd", "submission_deadline": "31/02/2026"}
    found = list(found_in(aides_territoires, written(tmp_path, "a.json", [bad, 7, odd, AID])))
    assert [type(each) for each in found] == [Flaw, Flaw, Flaw, CallRecord, CallRecord]
    assert isinstance(found[2], Flaw)
    assert "submission_deadline '31/02/2026' is no date" in found[2].problem
    assert found[2].where == "a.json, record 3"


def test_the_csv_extract_is_read_and_its_mappings_are_not(tmp_path: Path) -> None:
    """The CSV extract is read with lines where paragraphs ended; mapping tables are refused."""
    header = "Nom,Lien,Financeurs,Bénéficiaire,Types d'aides,AAP/AMI,Récurrence,Descriptif"
    aid = (
        "Des bancs,https://at.example/aides/00ff-des-bancs/,ID00,Communes;Associations,"
        'Subvention;Prêt,Oui,Permanente,"On offre :       un banc ;       un    arbre.",31/12/2026'
    )
    path = written(tmp_path, "aids.csv", f"{header},Date Clôture\n{aid}\n")
    (record,) = records(aides_territoires, path)
    assert record.call.identifier == "aides-territoires:00ff-des-bancs"
    assert record.call.action_types == ("Subvention", "Prêt", "Appel à projets / AMI")
    assert record.call.deadlines == (deadline(date(2026, 12, 31)),)
    assert not record.call.rolling
    assert record.pages[0].text.endswith("On offre :\n\nun banc ;\n\nun arbre.")
    assert not aides_territoires.accepts(
        b"Th\xc3\xa9matique,Sous-th\xc3\xa9matique AT 1\nx,y", "m.csv"
    )


@pytest.mark.parametrize("shape", ["2.1", "2.0", "1.0"])
def test_open_data_of_the_region_is_read_in_each_shape(tmp_path: Path, shape: str) -> None:
    """The region's open data is read with fields at the top of a record, or inside."""
    answer: dict[str, Any] = {
        "2.1": {"total_count": 1, "results": [OPEN_DATA]},
        "2.0": {"total_count": 1, "records": [{"record": {"id": "x", "fields": OPEN_DATA}}]},
        "1.0": {"nhits": 1, "records": [{"recordid": "x", "fields": OPEN_DATA}]},
    }[shape]
    record = one(ile_de_france, tmp_path, answer)
    assert record.call.identifier == "ile-de-france:42"
    assert record.call.deadlines == (deadline(date(2026, 6, 30)),)
    assert record.call.opens == datetime(2026, 2, 1, tzinfo=BRUSSELS)
    assert record.call.themes == ("Culture",)
    assert list(labels(record)) == ["Description", "Bénéficiaires", "Modalités"]
    assert "Acheter des partitions & des pupitres." in labels(record)["Description"]


def test_a_page_of_a_name_is_known_by_its_number(tmp_path: Path) -> None:
    """Where the page's address ends with words, the number is the administrative reference."""
    named = {**OPEN_DATA, "url_descriptif": "https://www.iledefrance.fr/aides/chorales"}
    assert one(ile_de_france, tmp_path, [named]).call.identifier == "ile-de-france:42"


def test_the_list_and_the_open_data_name_one_call(tmp_path: Path) -> None:
    """The normalised list gives the same key as the open data, and what it says besides."""
    record = one(ile_de_france, tmp_path, [LISTED])
    assert record.key == one(ile_de_france, tmp_path, [OPEN_DATA]).key
    assert record.call.applicants == (Applicant.NGO, Applicant.FOUNDATION, Applicant.SME)
    assert (record.call.themes, record.call.keywords) == (
        ("Culture et sport",),
        ("Musique", "Voisinage"),
    )
    assert not record.call.rolling


def test_culture_in_agriculture_is_no_theme(tmp_path: Path) -> None:
    """A list found the theme "culture" in "agriculture": of such an entry it is left out."""
    farming = {**LISTED, "titre": "Aide à l'agriculture"}
    assert one(ile_de_france, tmp_path, [farming]).call.themes == ()


def test_a_saved_page_is_cleaned_and_its_rules_are_a_page(tmp_path: Path) -> None:
    """What a site prints around its text is left out; headings and attachments are kept."""
    written(tmp_path, "content/k.txt", PARIS_TEXT)
    record = one(french_pages, tmp_path, [PARIS], "metadata.json")
    assert record.call.identifier == "paris:501"
    assert list(labels(record)) == [
        "Description",
        "Règlement (reglement-kiosques.pdf)",
        "Annexe (plan_du_quartier.pdf)",
    ]
    page = record.pages[0]
    assert page.text.split("\n\n") == [
        "Des kiosques à musique",
        "La Ville cherche des fanfares.",
        "Le calendrier",
        "Déposez votre dossier jusqu'au 2 février 2026 inclus à midi.",
        "Qui peut jouer ?",
        "Les fanfares. Écrire à musique@paris.fr.",
    ]
    assert page.blocks[-1].path == ("Des kiosques à musique", "Qui peut jouer ?")


def test_the_hour_is_the_one_that_the_page_states(tmp_path: Path) -> None:
    """A deadline listed as a day closes at the hour that the page states for it."""
    written(tmp_path, "content/k.txt", PARIS_TEXT)
    call = one(french_pages, tmp_path, [PARIS], "metadata.json").call
    assert call.deadlines == (datetime(2026, 2, 2, 12, tzinfo=BRUSSELS),)


def test_the_day_of_an_update_is_no_deadline(tmp_path: Path) -> None:
    """Where a list has a page's day of update as its deadline, the page's own words count."""
    path = written(tmp_path, "content/j.txt", STATE_TEXT.format(day="27 février 2026"))
    record = one(french_pages, tmp_path, [STATE], "metadata.json")
    assert record.call.identifier == "seine-saint-denis:Jardins-2026"
    assert record.call.deadlines == (deadline(date(2026, 2, 27)),)
    assert "Partager" not in record.pages[0].text
    path.write_text(STATE_TEXT.format(day="froid"))
    assert one(french_pages, tmp_path, [STATE], "metadata.json").call.deadlines == ()
    path.unlink()
    assert one(french_pages, tmp_path, [STATE], "metadata.json").call.deadlines == ()


def test_without_its_text_an_entry_has_its_summary(tmp_path: Path) -> None:
    """A missing text is no fault, and a path in an entry leads nowhere but into its folder."""
    written(tmp_path, "secret.txt", PARIS_TEXT)
    entry = {**LISTED, "content_file": "..\\secret.txt"}
    record = one(french_pages, tmp_path, [entry], "lists/metadata.json")
    assert record.key == "ile-de-france:42"
    assert labels(record) == {"Description": "Chorales de quartier\n\nLa Région aide les chorales."}


def test_who_may_apply_is_read_from_the_text_of_the_region(tmp_path: Path) -> None:
    """Of the region's pages the audiences are a field of the text, and the sections are pages."""
    text = (
        "TITRE: x\nURL: https://x.example/1\n\n--- SOURCE HTML ---\nTITRE: x\n\nRESUME (chapo): La "
        "Région aide les chorales.\n\nOBJECTIF: Acheter des pupitres.\n\nQUI PEUT EN BENEFICIER: "
        "Collectivité ou institution - EPCI|||Association - ONG\n\nDEMARCHES: Écrivez-nous.\n\n"
        "CONTACT: <p>chant&eacute;@idf.example<br/>Tour 4</p>\n"
    )
    written(tmp_path, "content/c.txt", text)
    entry = {**LISTED, "public_cible": [], "content_file": "data\\idf\\content\\c.txt"}
    record = one(french_pages, tmp_path, [entry], "metadata.json")
    assert record.call.applicants == (Applicant.ASSOCIATION, Applicant.NGO, Applicant.PUBLIC)
    assert labels(record)["Contact"] == "chanté@idf.example\nTour 4"
    assert list(labels(record)) == ["Description", "Bénéficiaires", "Démarches", "Contact"]


def test_a_text_alone_is_a_call_too(tmp_path: Path) -> None:
    """A page's text is a call without its list."""
    record = one(french_pages, tmp_path, PARIS_TEXT, "k.txt")
    assert (record.key, record.call.title) == ("paris:501", "Des kiosques à musique")
    assert record.call.deadlines == (datetime(2026, 2, 2, 12, tzinfo=BRUSSELS),)


def test_a_site_that_is_not_known_goes_by_its_host(tmp_path: Path) -> None:
    """A call of an unknown site is named after the site; without an address it is none."""
    other = {**STATE, "url_source": "https://www.val-de-marne.gouv.fr/Appels/Jardins-2026/"}
    assert one(french_pages, tmp_path, [other], "metadata.json").key == (
        "val-de-marne:jardins-2026"
    )
    lost = written(tmp_path, "metadata.json", [{**STATE, "url_source": "http://[nowhere"}])
    assert isinstance(next(found_in(french_pages, lost)), Flaw)


def test_what_a_model_filled_in_is_refused() -> None:
    """A list that a model filled in is not read."""
    head = json.dumps([PARIS]).encode()
    assert french_pages.accepts(head, "metadata.json")
    assert not french_pages.accepts(head, "metadata_enriched.json")


def test_each_format_leaves_the_files_of_the_others() -> None:
    """Each format accepts its own files alone."""
    heads = {
        "aides_territoires": json.dumps({"results": [AID]}).encode(),
        "ile_de_france": json.dumps([LISTED]).encode(),
        "french_pages": json.dumps([PARIS]).encode(),
    }
    for module in (aides_territoires, ile_de_france, french_pages):
        accepted = [name for name, head in heads.items() if module.accepts(head, "saved.json")]
        assert accepted == [module.__name__.rpartition(".")[2]]
    assert ile_de_france.accepts(json.dumps({"results": [OPEN_DATA]}).encode(), "records.json")
